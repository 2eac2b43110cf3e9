"""A worker that speaks the messages and makes one cell per event from the event's own seed.

Usage: stand_in_worker.py MISDEED FLAGS. Misdeeds, where chunk 1 is concerned: ``crash-once``, ``crash-always``,
``slow`` (0.2 s per event); and ``fault`` (refuses the setup).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from showercal.simulation._messages import Message, pack_showers, receive, send, unpack_primaries
from showercal.simulation._showers import Showers


def main() -> None:
    misdeed, flags = sys.argv[1], Path(sys.argv[2])
    orders, caller = sys.stdin.buffer, sys.stdout.buffer
    receive(orders)
    if misdeed == "fault":
        send(caller, Message("fault", {"text": "the stand-in does not like this setup"}))
        sys.exit(1)
    (flags / f"pid-{os.getpid()}").touch()
    send(caller, Message("ready"))
    while (order := receive(orders)) is not None:
        primaries = unpack_primaries(order.payload)
        if order.fields["number"] == 1 and misdeed.startswith("crash"):
            send(caller, Message("progress", {"events": 2}))
            if misdeed == "crash-always" or not (flags / "crashed").exists():
                (flags / "crashed").touch()
                print("stand-in: a volume overlaps itself", file=sys.stderr, flush=True)
                os.abort()
        if misdeed == "slow" and order.fields["number"] >= 1:
            (flags / "slow").touch()
            time.sleep(0.2 * len(primaries))
        cells = (primaries.seed % np.uint64(1088)).astype(np.int64)
        ones = np.ones(len(primaries), dtype=np.int64)
        send(caller, Message("showers", payload=pack_showers(Showers(np.arange(len(cells)), cells, 0.1 * ones, ones))))


if __name__ == "__main__":
    main()
