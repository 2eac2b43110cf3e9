"""Defaults that the command line shares with Python: plain numbers, so that a command starts without loading more."""

from __future__ import annotations

from typing import Final

# Events in memory at a time, and in a row group or a part of what is written.
DEFAULT_CHUNK: Final = 20_000
# Events per call of ONNX Runtime: a ConvNet in the sandwich takes 0.2 MB an event, and more at once is not faster.
DEFAULT_BATCH: Final = 250
