"""Data for compiled functions as records of fixed layout.

A record goes into a compiled function as one pointer. A tuple of arrays would go as dozens of words at every call, and
each view of an array costs a reference count: together ten times the physics.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def new_record(layout: np.dtype[Any]) -> Any:
    """A record of zeros; fields are attributes, in Python as in compiled functions, which may write to them."""
    return np.zeros(1, layout).view(np.recarray)[0]
