"""showercal: calorimeter signals to calibrated energies with trustworthy uncertainties.

Importing this package imports neither torch nor anything else that takes long; names are loaded when first used.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from showercal.detectors import BoxCalorimeter, detector
    from showercal.estimator import Estimator
    from showercal.events import Events
    from showercal.prediction import Prediction
    from showercal.readers import open_any
    from showercal.storage import open_events
    from showercal.studies import Run, load_recipe, open_run, run_study
    from showercal.training import load_method

__version__ = version("showercal")

__all__ = [
    "BoxCalorimeter",
    "Estimator",
    "Events",
    "Prediction",
    "Run",
    "detector",
    "load_method",
    "load_recipe",
    "open_any",
    "open_events",
    "open_run",
    "run_study",
]

_HOME = {
    "BoxCalorimeter": "showercal.detectors",
    "Estimator": "showercal.estimator",
    "Events": "showercal.events",
    "Prediction": "showercal.prediction",
    "detector": "showercal.detectors",
    "Run": "showercal.studies",
    "load_method": "showercal.training",
    "load_recipe": "showercal.studies",
    "open_any": "showercal.readers",
    "open_events": "showercal.storage",
    "open_run": "showercal.studies",
    "run_study": "showercal.studies",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'showercal' has no attribute {name!r}")
