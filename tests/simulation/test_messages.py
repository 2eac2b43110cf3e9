from __future__ import annotations

import io

import pytest

from showercal.simulation._messages import Message, receive, send


def test_messages_arrive_in_order_then_none() -> None:
    sent = [Message("setup", {"seed": 1}), Message("showers", {}, b"\n{}\x00" * 100), Message("ready")]
    stream = io.BytesIO()
    for message in sent:
        send(stream, message)
    stream.seek(0)
    assert [receive(stream) for _ in sent] == sent
    assert receive(stream) is None


@pytest.mark.parametrize("kept", [3, 60, 100])
def test_a_message_that_breaks_off_is_an_end(kept: int) -> None:
    stream = io.BytesIO()
    send(stream, Message("showers", {}, b"x" * 100))
    assert receive(io.BytesIO(stream.getvalue()[:kept])) is None
