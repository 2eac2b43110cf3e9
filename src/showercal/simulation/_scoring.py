"""What all simulators understand by the options of what is seen in a cell."""

from __future__ import annotations

import math

from showercal.detectors import BoxCalorimeter
from showercal.errors import RecipeError


def check_scoring(cut: float, birks: float, time_cut: float | None) -> None:
    """Refuse numbers out of range.

    Raises:
        RecipeError: If the production cut [mm] or the time cut [ns] is not above 0, or Birks' constant [mm/MeV] is
            negative.
    """
    if not (math.isfinite(cut) and cut > 0):
        raise RecipeError(f"the production cut must be > 0 mm; got {cut}")
    if not (math.isfinite(birks) and birks >= 0):
        raise RecipeError(f"Birks' constant must be >= 0 mm/MeV; got {birks}")
    if time_cut is not None and not (math.isfinite(time_cut) and time_cut > 0):
        raise RecipeError(f"the time cut must be > 0 ns; got {time_cut} (leave it out to see all times)")


def counts_tracks(calorimeter: BoxCalorimeter, asked: bool | None) -> bool:
    """Whether charged tracks are counted: as asked, else where a layer has an absorber.

    In a homogeneous block nearly every cell of the core holds tracks, and the count says little.
    """
    return any(layer.absorber is not None for layer in calorimeter.layers) if asked is None else asked
