"""Options of the fast simulator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from showercal.detectors import BoxCalorimeter
from showercal.simulation._scoring import check_scoring, counts_tracks


@dataclass(frozen=True)
class FastOptions:
    """What decides a fast shower beside geometry, particle and seed.

    Args:
        cut: Range above which knock-on electrons are particles (and tracks) of their own, [mm].
        birks: Birks' constant k_B of the active material, [mm/MeV]; 0 records the deposited energy itself.
        time_cut: Deposits later than this after the start are not seen, [ns]; None sees all.
        count_tracks: Count distinct charged tracks per cell; None counts them where a layer has an absorber.

    Raises:
        RecipeError: If a number is out of range.
    """

    cut: float = 0.7
    birks: float = 0.0
    time_cut: float | None = None
    count_tracks: bool | None = None

    def __post_init__(self) -> None:
        check_scoring(self.cut, self.birks, self.time_cut)

    def counts_tracks(self, calorimeter: BoxCalorimeter) -> bool:
        """Whether tracks are counted in this calorimeter."""
        return counts_tracks(calorimeter, self.count_tracks)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)
