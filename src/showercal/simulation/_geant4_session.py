"""One Geant4 kernel in this process: initialised once, then asked for events. Imported in the worker process only."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import geant4_pybind as g4
import numpy as np

from showercal.detectors import BoxCalorimeter
from showercal.errors import SimulationError, nearest
from showercal.simulation._geant4_geometry import BoxConstruction
from showercal.simulation._geant4_options import EM_ONLY, Geant4Options
from showercal.simulation._geant4_scoring import EnergyScorer, Scorer, StepScorer
from showercal.simulation._particles import PARTICLES
from showercal.simulation._primaries import Primaries
from showercal.simulation._showers import Showers

_MEV: Final = 1e-3  # [GeV]
_EM_SUFFIXES: Final = MappingProxyType(
    {
        "EMV": "G4EmStandardPhysics_option1",
        "EMX": "G4EmStandardPhysics_option2",
        "EMY": "G4EmStandardPhysics_option3",
        "EMZ": "G4EmStandardPhysics_option4",
    }
)
_GUN_GAP: Final = 0.1  # a particle that enters starts so far outside, [mm], for a step over the surface


class Geant4Session:
    """Geometry, physics and scoring, ready to shoot.

    Args:
        calorimeter: What to shoot at.
        options: Physics list, cuts and what is scored; the physics list must be named.

    Raises:
        SimulationError: If Geant4 does not know the physics list.
    """

    def __init__(self, calorimeter: BoxCalorimeter, options: Geant4Options) -> None:
        assert options.physics_list is not None
        self._n_cells = calorimeter.n_cells
        self._scorer = _scorer(calorimeter, options)
        self._manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        self._construction = _SensitiveBox(calorimeter, self._scorer)
        self._manager.SetUserInitialization(self._construction)
        self._physics = _physics(options.physics_list)
        self._manager.SetUserInitialization(self._physics)
        self._actions = _Actions(
            calorimeter, self._construction.front_z, self._scorer, options.counts_tracks(calorimeter)
        )
        self._manager.SetUserInitialization(self._actions)
        commands = g4.G4UImanager.GetUIpointer()
        commands.ApplyCommand("/process/em/verbose 0")
        commands.ApplyCommand("/process/had/verbose 0")
        self._manager.Initialize()
        commands.ApplyCommand(f"/run/setCut {options.cut} mm")  # before Initialize the physics list overrides it

    def shoot(self, primaries: Primaries, on_event: Callable[[], None]) -> Showers:
        """Simulate events.

        Args:
            primaries: Their particles, each at or in the calorimeter (see `Primaries.entering`).
            on_event: Called after each event.
        """
        events = self._actions.events
        events.begin(primaries, on_event)
        self._manager.BeamOn(len(primaries))
        return events.showers(self._n_cells)


class _SensitiveBox(BoxConstruction):
    def __init__(self, calorimeter: BoxCalorimeter, scorer: Scorer) -> None:
        super().__init__(calorimeter)
        self._scorer = scorer

    def ConstructSDandField(self) -> None:  # noqa: N802 (Geant4's name)
        self._scorer.attach(self.cells)


class _EventLog:
    """The primaries of the current chunk and what its events left in the cells."""

    def __init__(self, count_tracks: bool) -> None:
        self._count_tracks = count_tracks

    def begin(self, primaries: Primaries, on_event: Callable[[], None]) -> None:
        self.primaries, self.on_event = primaries, on_event
        self._energy: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []
        self._tracks: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []

    def end_event(self, energy: Any, tracks: Any) -> None:
        self._energy.append(_columns(energy))
        self._tracks.append(_columns(tracks))
        self.on_event()

    def showers(self, n_cells: int) -> Showers:
        """All events of the chunk; energy and tracks may live in different cells, so their union is taken."""
        keys_energy, energy = _flatten(self._energy, n_cells)
        keys_tracks, tracks = _flatten(self._tracks, n_cells)
        keys = np.union1d(keys_energy, keys_tracks)
        all_energy = np.zeros(len(keys))
        all_energy[np.searchsorted(keys, keys_energy)] = energy * _MEV
        all_tracks = np.zeros(len(keys), dtype=np.int64)
        all_tracks[np.searchsorted(keys, keys_tracks)] = tracks
        return Showers(keys // n_cells, keys % n_cells, all_energy, all_tracks if self._count_tracks else None)


class _Actions(g4.G4VUserActionInitialization):  # type: ignore[misc]
    def __init__(self, calorimeter: BoxCalorimeter, front_z: float, scorer: Scorer, count_tracks: bool) -> None:
        super().__init__()
        self.events = _EventLog(count_tracks)
        self._calorimeter, self._front_z, self._scorer = calorimeter, front_z, scorer

    def Build(self) -> None:  # noqa: N802 (Geant4's name)
        self._primary = _PrimaryAction(self._calorimeter, self._front_z, self.events)
        self._end = _EndAction(self._scorer, self.events)
        self.SetUserAction(self._primary)
        self.SetUserAction(self._end)


class _PrimaryAction(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
    def __init__(self, calorimeter: BoxCalorimeter, front_z: float, events: _EventLog) -> None:
        super().__init__()
        self._events, self._front_z = events, front_z
        self._half_x, self._half_y = (width / 2 for width in calorimeter.width)
        self._gun = g4.G4ParticleGun(1)
        table = g4.G4ParticleTable.GetParticleTable()
        self._definitions = [table.FindParticle(name) for name in PARTICLES]

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802 (Geant4's name)
        k, primaries = event.GetEventID(), self._events.primaries
        seed = int(primaries.seed[k])
        # an event must not depend on the ones before it; 0 ends the list, so neither 31-bit seed may be 0
        g4.HepRandom.setTheSeeds([(seed & 0x7FFFFFFF) | 1, (seed >> 31 & 0x7FFFFFFF) | 1, 0])
        for i in range(primaries.offsets[k], primaries.offsets[k + 1]):
            x, y, z = float(primaries.x[i]), float(primaries.y[i]), float(primaries.z[i])
            ux, uy, uz = float(primaries.ux[i]), float(primaries.uy[i]), float(primaries.uz[i])
            at_surface = z == 0 or abs(x) == self._half_x or abs(y) == self._half_y
            gap = _GUN_GAP if at_surface else 0.0
            self._gun.SetParticleDefinition(self._definitions[primaries.kind[i]])
            self._gun.SetParticleEnergy(float(primaries.energy[i]) * g4.GeV)
            self._gun.SetParticleMomentumDirection(g4.G4ThreeVector(ux, uy, uz))
            self._gun.SetParticlePosition(g4.G4ThreeVector(x - gap * ux, y - gap * uy, self._front_z + (z - gap * uz)))
            self._gun.SetParticleTime(float(primaries.time[i]) * g4.ns)
            self._gun.GeneratePrimaryVertex(event)


class _EndAction(g4.G4UserEventAction):  # type: ignore[misc]
    def __init__(self, scorer: Scorer, events: _EventLog) -> None:
        super().__init__()
        self._scorer, self._events = scorer, events

    def EndOfEventAction(self, event: Any) -> None:  # noqa: N802 (Geant4's name)
        self._events.end_event(*self._scorer.read(event))


def _scorer(calorimeter: BoxCalorimeter, options: Geant4Options) -> Scorer:
    count_tracks = options.counts_tracks(calorimeter)
    if count_tracks or options.birks > 0 or options.time_cut is not None:
        return StepScorer(calorimeter, count_tracks=count_tracks, birks=options.birks, time_cut=options.time_cut)
    return EnergyScorer(calorimeter)


def _physics(name: str) -> Any:
    """A physics list by name; the lists of Geant4's factory cannot be handed over from Python, their classes can."""
    if name == EM_ONLY:
        physics = g4.G4VModularPhysicsList()
        physics.RegisterPhysics(g4.G4EmStandardPhysics())
        physics.RegisterPhysics(g4.G4DecayPhysics())
        physics.SetVerboseLevel(0)
        return physics
    base, _, suffix = name.rpartition("_")
    if suffix not in _EM_SUFFIXES:
        base, suffix = name, ""
    if base not in physics_lists():
        raise SimulationError(
            f"Geant4 has no physics list {base!r}; {nearest(base, [*physics_lists(), EM_ONLY])}; a list may end in "
            f"{', '.join('_' + known for known in _EM_SUFFIXES)} for another electromagnetic option"
        )
    physics = getattr(g4, base)()
    if suffix:
        physics.ReplacePhysics(getattr(g4, _EM_SUFFIXES[suffix])())
    physics.SetVerboseLevel(0)
    return physics


def physics_lists() -> list[str]:
    """Names of Geant4's complete reference lists."""
    return [
        name
        for name, kind in vars(g4).items()
        if isinstance(kind, type)
        and issubclass(kind, (g4.G4VModularPhysicsList, g4.G4VUserPhysicsList))
        and not name.startswith("G4V")
    ]


def _columns(values: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    table = np.array(list(values), dtype=np.float64).reshape(-1, 2)
    return table[:, 0].astype(np.int64), table[:, 1]


def _flatten(
    events: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]], n_cells: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    keys = [number * n_cells + cells for number, (cells, _) in enumerate(events)]
    if not keys:
        return np.empty(0, np.int64), np.empty(0)
    return np.concatenate(keys), np.concatenate([values for _, values in events])
