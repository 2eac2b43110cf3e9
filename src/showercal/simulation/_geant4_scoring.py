"""Scoring in Geant4: deposited energy and charged tracks per cell. Imported in the worker process only.

Two ways with the same reading. `NativeScorer` uses Geant4's C++ primitive scorers and costs almost nothing.
`SaturationScorer` is a sensitive detector in Python that sees every step, which Birks' law and a time cut need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import geant4_pybind as g4

from showercal.detectors import BoxCalorimeter

CellValues = Iterable[tuple[int, float]]


class Scorer(ABC):
    """Counts one event at a time."""

    @abstractmethod
    def attach(self, cells: list[Any]) -> None:
        """Make the logical volumes of the cells sensitive; called while Geant4 builds sensitive detectors."""

    @abstractmethod
    def read(self, event: Any) -> tuple[CellValues, CellValues]:
        """(cell, deposited energy [MeV]) and (cell, number of charged tracks) of the event that just ended."""


class NativeScorer(Scorer):
    """Geant4's G4PSEnergyDeposit3D, and G4PSPopulation3D behind a filter on charge.

    The population of a cell counts the distinct track numbers of all charged particles that make at least one step in
    it, a deposit or none.

    Args:
        calorimeter: Whose cells are counted.
        count_tracks: Whether to count tracks beside energy.
    """

    def __init__(self, calorimeter: BoxCalorimeter, count_tracks: bool) -> None:
        shape = calorimeter.shape
        self._detector = g4.G4MultiFunctionalDetector("cells")
        # copy numbers at depths 2, 1, 0 are layer, ix, iy: the scorer's index is our cell number
        self._energy = g4.G4PSEnergyDeposit3D("energy", *shape, 2, 1, 0)
        self._detector.RegisterPrimitive(self._energy)
        self._tracks = None
        if count_tracks:
            self._tracks = g4.G4PSPopulation3D("tracks", *shape, 2, 1, 0)
            self._charged = g4.G4SDChargedFilter("charged")
            self._tracks.SetFilter(self._charged)
            self._detector.RegisterPrimitive(self._tracks)
        self._collections: dict[str, int] = {}

    def attach(self, cells: list[Any]) -> None:
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self._detector)
        for cell in cells:
            cell.SetSensitiveDetector(self._detector)

    def read(self, event: Any) -> tuple[CellValues, CellValues]:
        hits = event.GetHCofThisEvent()
        return self._collection(hits, "energy"), self._collection(hits, "tracks") if self._tracks is not None else ()

    def _collection(self, hits: Any, name: str) -> CellValues:
        if name not in self._collections:
            self._collections[name] = g4.G4SDManager.GetSDMpointer().GetCollectionID(f"cells/{name}")
        values: CellValues = hits.GetHC(self._collections[name])
        return values


class SaturationScorer(Scorer):
    """Counts steps one by one, with Birks' saturation of the light yield and a cut on time.

    Visible energy of a charged step: dE / (1 + k_B dE/dx). Steps that begin after ``time_cut`` are not seen at all.

    Args:
        calorimeter: Whose cells are counted.
        count_tracks: Whether to count tracks beside energy.
        birks: k_B, [mm/MeV]; 0 for none.
        time_cut: [ns] after the particle starts; infinite for none.

    References:
        J. B. Birks, Proc. Phys. Soc. A 64 (1951) 874.
    """

    def __init__(self, calorimeter: BoxCalorimeter, count_tracks: bool, birks: float, time_cut: float) -> None:
        self._detector = _StepDetector(calorimeter.n_x, calorimeter.n_y, count_tracks, birks, time_cut)

    def attach(self, cells: list[Any]) -> None:
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self._detector)
        for cell in cells:
            cell.SetSensitiveDetector(self._detector)

    def read(self, event: Any) -> tuple[CellValues, CellValues]:
        del event  # the steps were counted as they came
        energy, seen = self._detector.energy, self._detector.seen
        self._detector.energy, self._detector.seen = {}, set()
        tracks: dict[int, int] = {}
        for cell, _ in seen:
            tracks[cell] = tracks.get(cell, 0) + 1
        return energy.items(), tracks.items()


class _StepDetector(g4.G4VSensitiveDetector):  # type: ignore[misc]
    def __init__(self, n_x: int, n_y: int, count_tracks: bool, birks: float, time_cut: float) -> None:
        super().__init__("cells")
        self._n_x, self._n_y = n_x, n_y
        self._count_tracks, self._birks, self._time_cut = count_tracks, birks, time_cut
        self.energy: dict[int, float] = {}
        self.seen: set[tuple[int, int]] = set()

    def ProcessHits(self, step: Any, history: Any) -> bool:  # noqa: N802 (Geant4's name)
        del history
        deposit = step.GetTotalEnergyDeposit()
        before = step.GetPreStepPoint()
        charge = before.GetCharge()
        # the most frequent steps, those of photons and neutrons that deposit nothing, leave first
        if (deposit == 0.0 and charge == 0.0) or before.GetGlobalTime() > self._time_cut:
            return False
        place = before.GetTouchable()
        cell = (place.GetReplicaNumber(2) * self._n_x + place.GetReplicaNumber(1)) * self._n_y + place.GetReplicaNumber(
            0
        )
        if deposit > 0.0:
            if charge != 0.0 and self._birks > 0.0:
                length = step.GetStepLength()
                if length > 0.0:
                    deposit /= 1.0 + self._birks * deposit / length
            self.energy[cell] = self.energy.get(cell, 0.0) + deposit
        if charge != 0.0 and self._count_tracks:
            self.seen.add((cell, step.GetTrack().GetTrackID()))
        return True
