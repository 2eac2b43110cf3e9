"""Messages between a simulation and its worker processes: one line of JSON, then raw bytes when it announces some."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, fields
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from showercal.simulation._primaries import Primaries
from showercal.simulation._showers import Showers


@dataclass(frozen=True)
class Message:
    """One message.

    Args:
        kind: What it is about: setup, chunk (to a worker); ready, progress, showers, fault (from one).
        fields: JSON-ready values.
        payload: Raw bytes.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message and flush."""
    header = {"kind": message.kind, "fields": message.fields, "bytes": len(message.payload)}
    stream.write(json.dumps(header).encode() + b"\n" + message.payload)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read the next message; None when the other side is gone, also in the middle of a message."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    header = json.loads(line)
    payload = stream.read(header["bytes"])
    if len(payload) < header["bytes"]:
        return None
    return Message(header["kind"], header["fields"], payload)


def pack_primaries(primaries: Primaries) -> bytes:
    """Primaries as bytes; `unpack_primaries` takes them back."""
    return _pack({one.name: getattr(primaries, one.name) for one in fields(Primaries)})


def unpack_primaries(data: bytes) -> Primaries:
    """Primaries from bytes; nothing is unpickled."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return Primaries(**arrays)


def pack_showers(showers: Showers) -> bytes:
    """Showers as bytes; `unpack_showers` takes them back."""
    arrays = {"event": showers.event, "cell": showers.cell, "energy": showers.energy}
    if showers.tracks is not None:
        arrays["tracks"] = showers.tracks
    return _pack(arrays)


def unpack_showers(data: bytes) -> Showers:
    """Showers from bytes; nothing is unpickled."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        tracks = arrays.get("tracks")
        return Showers(arrays["event"], arrays["cell"], arrays["energy"], tracks)


def _pack(arrays: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # (NumPy's stub takes the names for its own options)
    return buffer.getvalue()
