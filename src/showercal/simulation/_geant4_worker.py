"""A worker process that runs Geant4: ``python -m showercal.simulation._geant4_worker``, spoken to over its pipes.

A fault of Geant4 ends this process, never its caller's. What Geant4 prints goes to stderr, which the caller keeps in
a log file; stdout carries messages only.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
import traceback
from typing import IO, TYPE_CHECKING, Any, Final

from showercal.detectors import BoxCalorimeter
from showercal.errors import ShowercalError
from showercal.simulation._geant4_data import find_geant4_data
from showercal.simulation._geant4_options import Geant4Options
from showercal.simulation._messages import Message, pack_showers, receive, send, unpack_primaries

if TYPE_CHECKING:
    from showercal.simulation._geant4_session import Geant4Session

_PROGRESS_EVERY: Final = 0.5  # [s]


def main() -> None:
    """Set up one Geant4 kernel, then simulate chunks until the caller closes the pipe."""
    faulthandler.enable()
    caller = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Geant4 prints to stdout
    orders = sys.stdin.buffer
    try:
        _serve(orders, caller)
        status = 0
    except ShowercalError as fault:
        send(caller, Message("fault", {"text": str(fault)}))
        status = 1
    except BrokenPipeError:
        status = 1  # the caller is gone
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # tearing Geant4 down from Python's exit crashes: its objects are owned by both sides


def _serve(orders: IO[bytes], caller: IO[bytes]) -> None:
    setup = receive(orders)
    if setup is None:
        return
    session = _start_geant4(BoxCalorimeter.from_dict(setup.fields["calorimeter"]), setup.fields["options"])
    send(caller, Message("ready"))
    while (order := receive(orders)) is not None:
        showers = session.shoot(unpack_primaries(order.payload), _Progress(caller))
        send(caller, Message("showers", payload=pack_showers(showers)))


def _start_geant4(calorimeter: BoxCalorimeter, options: dict[str, Any]) -> Geant4Session:
    # before the import: without the tables it asks on stdin, or starts to download where CI=true
    os.environ["GEANT4_DATA_DIR"] = str(find_geant4_data(os.environ))
    from showercal.simulation._geant4_session import Geant4Session

    return Geant4Session(calorimeter, Geant4Options(**options))


class _Progress:
    """Counts events and tells the caller twice a second."""

    def __init__(self, caller: IO[bytes]) -> None:
        self._caller, self._events, self._told = caller, 0, time.monotonic()

    def __call__(self) -> None:
        self._events += 1
        now = time.monotonic()
        if now - self._told > _PROGRESS_EVERY:
            try:
                send(self._caller, Message("progress", {"events": self._events}))
            except BrokenPipeError:
                os._exit(1)  # called from inside Geant4, where an exception would not get through
            self._events, self._told = 0, now


if __name__ == "__main__":
    main()
