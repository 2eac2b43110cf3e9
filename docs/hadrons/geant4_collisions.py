"""Single collisions of hadrons with one element in Geant4's FTFP_BERT, without any electromagnetic process.

Imported where `GEANT4_DATA_DIR` is set; one kernel lives per process.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import geant4_pybind as g4

SHORT_LIVED: Final = frozenset(
    [
        "eta",
        "eta_prime",
        "omega",
        "rho0",
        "kaon0",
        "anti_kaon0",
        "lambda",
        "anti_lambda",
        "sigma0",
        "anti_sigma0",
        "sigma+",
        "sigma-",
        "anti_sigma+",
        "anti_sigma-",
        "xi-",
        "xi0",
        "anti_xi-",
        "anti_xi0",
        "omega-",
        "anti_omega-",
    ]
)
_SWITCHED_OFF: Final = (
    *("hIoni", "ionIoni", "msc", "CoulombScat", "hBrems", "hPairProd", "muIoni", "muBrems", "muPairProd"),
    *("lambdaInelastic", "kaon0SInelastic", "sigma+Inelastic", "sigma-Inelastic", "xi-Inelastic", "xi0Inelastic"),
    *("omega-Inelastic", "anti_sigma-Inelastic", "anti_sigma+Inelastic", "anti_xi-Inelastic", "anti_xi0Inelastic"),
)


class Collision(NamedTuple):
    """What the first process of a hadron did.

    Attributes:
        process: Geant4's name of it.
        path: Length flown before, [mm].
        energy: Kinetic energy of the hadron after it, [MeV].
        cosine: Of its polar angle after it.
        secondaries: (PDG number, kinetic energy [MeV], direction x, y, z) each.
    """

    process: str
    path: float
    energy: float
    cosine: float
    secondaries: list[tuple[int, float, float, float, float]]


class Collider:
    """Blocks of pure elements and a gun in the middle of each.

    Args:
        elements: Symbols.
        density: So high that nothing decays before it collides, [g/cm^3].
        seed: Of Geant4.
    """

    def __init__(self, elements: tuple[str, ...], density: float = 1000.0, seed: int = 1) -> None:
        self.density = density
        self._manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        self._blocks = _Blocks(elements, density)
        self._manager.SetUserInitialization(self._blocks)
        self._physics = g4.FTFP_BERT()
        self._physics.SetVerboseLevel(0)
        self._manager.SetUserInitialization(self._physics)
        self._actions = _Actions()
        self._manager.SetUserInitialization(self._actions)
        self._commands = g4.G4UImanager.GetUIpointer()
        for command in ("/process/em/verbose 0", "/process/had/verbose 0"):
            self._commands.ApplyCommand(command)
        self._manager.Initialize()
        for process in _SWITCHED_OFF:
            self.switch_off(process)
        g4.HepRandom.setTheSeeds([seed, seed + 1000, 0])

    def switch_off(self, process: str) -> None:
        """No more of this process, for any particle."""
        self._commands.ApplyCommand(f"/process/inactivate {process} all")

    def shoot(self, particle: str, energy: float, element: str, n: int) -> list[Collision]:
        """The first collisions of n hadrons of a kinetic energy, [MeV]."""
        gun, log = self._actions.gun.gun, self._actions.log
        gun.SetParticleDefinition(g4.G4ParticleTable.GetParticleTable().FindParticle(particle))
        gun.SetParticleEnergy(energy)
        gun.SetParticlePosition(g4.G4ThreeVector(self._blocks.centre[element], 0, 0))
        log.collisions = []
        self._manager.BeamOn(n)
        return log.collisions


class _Blocks(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
    def __init__(self, elements: tuple[str, ...], density: float) -> None:
        super().__init__()
        self._elements, self._density = elements, density
        self._keep: list[Any] = []
        self.centre: dict[str, float] = {}

    def Construct(self) -> Any:  # noqa: N802 (Geant4's name)
        nist, n = g4.G4NistManager.Instance(), len(self._elements)
        world = self._volume("world", 11.0 * n, nist.FindOrBuildMaterial("G4_Galactic"))
        placed = self._place(world, None, 0.0, 0)
        for number, symbol in enumerate(self._elements):
            material = g4.G4Material(f"dense-{symbol}", self._density * g4.g / g4.cm3, 1)
            material.AddElement(nist.FindOrBuildElement(symbol), 1.0)
            self._keep.append(material)
            self.centre[symbol] = (2 * number - n + 1) * 10.5 * g4.m
            self._place(self._volume(symbol, 10.0, material), world, self.centre[symbol], number)
        return placed

    def _volume(self, name: str, half: float, material: Any) -> Any:
        solid = g4.G4Box(name, half * g4.m, 10.0 * g4.m, 10.0 * g4.m)
        logical = g4.G4LogicalVolume(solid, material, name)
        self._keep += [solid, logical]
        return logical

    def _place(self, logical: Any, mother: Any, x: float, number: int) -> Any:
        placed = g4.G4PVPlacement(
            None, g4.G4ThreeVector(x, 0, 0), logical, logical.GetName(), mother, False, number, False
        )
        self._keep.append(placed)
        return placed


class _Actions(g4.G4VUserActionInitialization):  # type: ignore[misc]
    def Build(self) -> None:  # noqa: N802 (Geant4's name)
        self.gun, self._secondaries, self._step = _Gun(), _Secondaries(), _FirstStep()
        self.log = _Log(self._secondaries, self._step)
        for action in (self.gun, self._secondaries, self._step, self.log):
            self.SetUserAction(action)


class _Gun(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.gun = g4.G4ParticleGun(1)
        self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(0, 0, 1))

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802 (Geant4's name)
        self.gun.GeneratePrimaryVertex(event)


class _Secondaries(g4.G4UserStackingAction):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, float, float, float, float]] = []

    def ClassifyNewTrack(self, track: Any) -> Any:  # noqa: N802 (Geant4's name)
        particle = track.GetParticleDefinition()
        # what decays before it could collide in a real material is followed to its daughters
        if track.GetParentID() == 0 or particle.GetParticleName() in SHORT_LIVED:
            return g4.G4ClassificationOfNewTrack.fUrgent
        d = track.GetMomentumDirection()
        self.seen.append((particle.GetPDGEncoding(), track.GetKineticEnergy(), d.x, d.y, d.z))
        return g4.G4ClassificationOfNewTrack.fKill


class _FirstStep(g4.G4UserSteppingAction):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.seen: tuple[str, float, float, float] | None = None

    def UserSteppingAction(self, step: Any) -> None:  # noqa: N802 (Geant4's name)
        track = step.GetTrack()
        if track.GetParentID() != 0:
            return
        process = step.GetPostStepPoint().GetProcessDefinedStep()
        name = process.GetProcessName() if process else ""
        self.seen = (name, step.GetStepLength(), track.GetKineticEnergy(), track.GetMomentumDirection().z)
        if track.GetTrackStatus() == g4.G4TrackStatus.fAlive:
            track.SetTrackStatus(g4.G4TrackStatus.fStopAndKill)


class _Log(g4.G4UserEventAction):  # type: ignore[misc]
    def __init__(self, secondaries: _Secondaries, step: _FirstStep) -> None:
        super().__init__()
        self._secondaries, self._step = secondaries, step
        self.collisions: list[Collision] = []

    def BeginOfEventAction(self, event: Any) -> None:  # noqa: N802 (Geant4's name)
        del event
        self._secondaries.seen, self._step.seen = [], None

    def EndOfEventAction(self, event: Any) -> None:  # noqa: N802 (Geant4's name)
        del event
        if self._step.seen is not None:
            self.collisions.append(Collision(*self._step.seen, self._secondaries.seen))
