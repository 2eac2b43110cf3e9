"""Options of the Geant4 backend."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Final

from showercal.detectors import BoxCalorimeter
from showercal.simulation._scoring import check_scoring, counts_tracks

EM_ONLY: Final = "EM"
HADRONIC: Final = "FTFP_BERT"
_WITHOUT_STRONG_FORCE: Final = frozenset({"e-", "e+", "gamma", "mu-", "mu+"})


@dataclass(frozen=True)
class Geant4Options:
    """What decides a Geant4 shower beside geometry, particle and seed.

    Args:
        physics_list: A reference list of Geant4 (FTFP_BERT, QGSP_BERT, QBBC, ...), electromagnetic option 0 unless a
            suffix such as _EMZ asks for another; or "EM" for electromagnetic processes (option 0) and decays alone,
            which leaves out nuclear reactions, also those of muons and photons. None takes EM for electrons, photons
            and muons, as the published samples do, and FTFP_BERT for hadrons.
        cut: Production cut in range for secondary photons, electrons, positrons and protons, [mm].
        birks: Birks' constant k_B of the active material, [mm/MeV]; 0 records the deposited energy itself.
        time_cut: Steps that begin later than this are not seen, [ns]; 0 is when the gun shoots; None sees all.
        count_tracks: Count distinct charged tracks per cell; None counts them where a layer has an absorber (in a
            homogeneous block nearly every cell of the core holds tracks, and the count says little).

    Raises:
        RecipeError: If a number is out of range.
    """

    physics_list: str | None = None
    cut: float = 0.7
    birks: float = 0.0
    time_cut: float | None = None
    count_tracks: bool | None = None

    def __post_init__(self) -> None:
        check_scoring(self.cut, self.birks, self.time_cut)

    def physics_list_for(self, particles: Collection[str]) -> str:
        """The physics list that particles are simulated with."""
        if self.physics_list is not None:
            return self.physics_list
        return EM_ONLY if _WITHOUT_STRONG_FORCE.issuperset(particles) else HADRONIC

    def counts_tracks(self, calorimeter: BoxCalorimeter) -> bool:
        """Whether tracks are counted in this calorimeter."""
        return counts_tracks(calorimeter, self.count_tracks)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)
