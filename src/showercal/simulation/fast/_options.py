"""Options of the fast simulator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from showercal.detectors import BoxCalorimeter
from showercal.errors import RecipeError, nearest
from showercal.simulation._scoring import check_scoring, counts_tracks

SHOWER_MODELS: Final = ("particles", "gflash")


@dataclass(frozen=True)
class FastOptions:
    """What decides a fast shower beside geometry, particle and seed.

    Args:
        cut: Range above which knock-on electrons are particles (and tracks) of their own, [mm].
        birks: Birks' constant k_B of the active material, [mm/MeV]; 0 records the deposited energy itself.
        time_cut: Deposits later than this after the start are not seen, [ns]; None sees all.
        count_tracks: Count distinct charged tracks per cell; None counts them where a layer has an absorber.
        showers: How electrons and positrons shower: "particles", one by one, or "gflash", by a parametrisation that is
            faster and less exact (those outside its range of energies and angles still one by one).
        muon_nuclear: Whether muons interact with nuclei, which "EM" physics of Geant4 leaves out, too.
        frozen_showers: Replay the small electromagnetic showers of muons from a library where the calorimeter is one
            block of one material and neither tracks nor Birks' law are asked for: thirty times faster.

    Raises:
        RecipeError: If a number is out of range or the model is unknown.
    """

    cut: float = 0.7
    birks: float = 0.0
    time_cut: float | None = None
    count_tracks: bool | None = None
    showers: str = SHOWER_MODELS[0]
    muon_nuclear: bool = False
    frozen_showers: bool = True

    def __post_init__(self) -> None:
        check_scoring(self.cut, self.birks, self.time_cut)
        if self.showers not in SHOWER_MODELS:
            raise RecipeError(f"unknown model of showers {self.showers!r}; {nearest(self.showers, SHOWER_MODELS)}")

    def counts_tracks(self, calorimeter: BoxCalorimeter) -> bool:
        """Whether tracks are counted in this calorimeter."""
        return counts_tracks(calorimeter, self.count_tracks)

    def uses_frozen_showers(self, calorimeter: BoxCalorimeter) -> bool:
        """Whether what is seen can be taken from frozen showers."""
        return self.frozen_showers and self.birks == 0 and not self.counts_tracks(calorimeter)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)
