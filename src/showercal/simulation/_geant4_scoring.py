"""Scoring in Geant4: deposited energy and charged tracks per cell. Imported in the worker process only.

Two ways with the same energies. `EnergyScorer` leaves them to Geant4's C++; in a fully active block, where every step
counts, it is several times faster. `StepScorer` is a sensitive detector in Python: it can count tracks and knows
Birks' law and a time cut, and costs 10-20 % where only thin layers are active.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
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


class EnergyScorer(Scorer):
    """Deposited energy alone, by Geant4's G4PSEnergyDeposit3D.

    Args:
        calorimeter: Whose cells are counted.
    """

    def __init__(self, calorimeter: BoxCalorimeter) -> None:
        self._detector = g4.G4MultiFunctionalDetector("cells")
        # copy numbers at depths 2, 1, 0 are layer, ix, iy: the scorer's index is our cell number
        self._energy = g4.G4PSEnergyDeposit3D("energy", *calorimeter.shape, 2, 1, 0)
        self._detector.RegisterPrimitive(self._energy)
        self._collection: int | None = None

    def attach(self, cells: list[Any]) -> None:
        _make_sensitive(cells, self._detector)

    def read(self, event: Any) -> tuple[CellValues, CellValues]:
        if self._collection is None:
            self._collection = g4.G4SDManager.GetSDMpointer().GetCollectionID("cells/energy")
        return event.GetHCofThisEvent().GetHC(self._collection), ()


class StepScorer(Scorer):
    """Energy and charged tracks, step by step, with Birks' saturation of the light yield and a cut on time.

    A track counts once in each cell where it is charged and makes a step, be it of length zero: an electron that enters
    a tile and scatters back at its surface was there. (Geant4's G4PSPopulation3D is not used because it leaves those
    out, 0.5 % of the tracks of electron showers in the sandwich.)

    Visible energy of a charged step: dE / (1 + k_B dE/dx). Steps that begin after ``time_cut`` are not seen at all.

    Args:
        calorimeter: Whose cells are counted.
        count_tracks: Whether to count tracks beside energy.
        birks: k_B, [mm/MeV]; 0 for none.
        time_cut: [ns] after the particle starts; None for none.

    References:
        J. B. Birks, Proc. Phys. Soc. A 64 (1951) 874.
    """

    def __init__(
        self, calorimeter: BoxCalorimeter, *, count_tracks: bool, birks: float, time_cut: float | None
    ) -> None:
        self._detector = _StepDetector(calorimeter.n_x, calorimeter.n_y, birks, time_cut)
        self._count_tracks = count_tracks

    def attach(self, cells: list[Any]) -> None:
        _make_sensitive(cells, self._detector)

    def read(self, event: Any) -> tuple[CellValues, CellValues]:
        del event  # the steps were counted as they came
        energy, seen = self._detector.energy, self._detector.seen
        self._detector.energy, self._detector.seen = {}, set()
        return energy.items(), Counter(cell for cell, _ in seen).items() if self._count_tracks else ()


class _StepDetector(g4.G4VSensitiveDetector):  # type: ignore[misc]
    def __init__(self, n_x: int, n_y: int, birks: float, time_cut: float | None) -> None:
        super().__init__("cells")
        self._n_x, self._n_y = n_x, n_y
        self._birks, self._time_cut = birks, time_cut
        self.energy: dict[int, float] = {}
        self.seen: set[tuple[int, int]] = set()

    def ProcessHits(self, step: Any, history: Any) -> bool:  # noqa: N802 (Geant4's name)
        del history
        before = step.GetPreStepPoint()
        charge, deposit = before.GetCharge(), step.GetTotalEnergyDeposit()
        # four of five steps are those of photons that pass by: they leave first
        if charge == 0.0 and deposit == 0.0:
            return False
        if self._time_cut is not None and before.GetGlobalTime() > self._time_cut:
            return False
        place = before.GetTouchable()
        row = place.GetReplicaNumber(2) * self._n_x + place.GetReplicaNumber(1)
        cell = row * self._n_y + place.GetReplicaNumber(0)
        if charge != 0.0:
            self.seen.add((cell, step.GetTrack().GetTrackID()))
            if self._birks > 0.0 and deposit > 0.0 and (length := step.GetStepLength()) > 0.0:
                deposit /= 1.0 + self._birks * deposit / length
        self.energy[cell] = self.energy.get(cell, 0.0) + deposit
        return True


def _make_sensitive(cells: list[Any], detector: Any) -> None:
    g4.G4SDManager.GetSDMpointer().AddNewDetector(detector)
    for cell in cells:
        cell.SetSensitiveDetector(detector)
