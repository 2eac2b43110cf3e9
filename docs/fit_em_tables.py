"""Print the tables of `showercal.simulation.fast._em_corrections` from Geant4's cross sections of elements.

    GEANT4_DATA_DIR=... python docs/fit_em_tables.py

The photoelectric cross section is data (EPICS2017); radiative loss (Seltzer and Berger) and elastic scattering (Urban's
fit to partial-wave calculations) are given as ratios to the formulae of `_em_cross_sections`.
"""

from __future__ import annotations

import os
import sys

import geant4_pybind as g4
import numpy as np

from showercal.detectors import ELEMENTS, Material
from showercal.simulation.fast import _em_corrections as tables
from showercal.simulation.fast import _em_cross_sections as formulae

SYMBOLS = ("C", "Al", "Cu", "Sn", "Pb")


class World(g4.G4VUserDetectorConstruction):
    """A vacuum that holds a small box of each element, so that Geant4 makes tables for them."""

    def Construct(self):  # noqa: N802 (Geant4's name)
        nist = g4.G4NistManager.Instance()
        self.keep = []
        world = self._volume("world", 1000.0, nist.FindOrBuildMaterial("G4_Galactic"))
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "world", None, False, 0)
        for k, symbol in enumerate(SYMBOLS):
            box = self._volume(symbol, 1.0, nist.FindOrBuildMaterial(f"G4_{symbol}"))
            self.keep.append(g4.G4PVPlacement(None, g4.G4ThreeVector(10 * k, 0, 0), box, symbol, world, False, 0))
        return placed

    def _volume(self, name, half, material):
        solid = g4.G4Box(name, half, half, half)
        logical = g4.G4LogicalVolume(solid, material, name)
        self.keep += [solid, logical]
        return logical


class Gun(g4.G4VUserPrimaryGeneratorAction):
    """Shoots nothing that interacts."""

    def __init__(self):
        super().__init__()
        self.gun = g4.G4ParticleGun(1)

    def GeneratePrimaries(self, event):  # noqa: N802 (Geant4's name)
        self.gun.SetParticleDefinition(g4.G4ParticleTable.GetParticleTable().FindParticle("geantino"))
        self.gun.GeneratePrimaryVertex(event)


class Actions(g4.G4VUserActionInitialization):
    """The gun alone."""

    def Build(self):  # noqa: N802 (Geant4's name)
        self.SetUserAction(Gun())


def main() -> None:
    """Run an empty event, then ask Geant4's calculator."""
    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    world, physics, actions = World(), g4.FTFP_BERT(), Actions()
    manager.SetUserInitialization(world)
    manager.SetUserInitialization(physics)
    manager.SetUserInitialization(actions)
    manager.Initialize()
    manager.BeamOn(1)
    ask = g4.G4EmCalculator()
    ask.SetVerbose(0)
    particles = g4.G4ParticleTable.GetParticleTable()
    photon, electron = particles.FindParticle("gamma"), particles.FindParticle("e-")
    rows: dict[str, list[np.ndarray]] = {"photoelectric": [], "radiative": [], "elastic": []}
    for symbol in SYMBOLS:
        medium = g4.G4Material.GetMaterial(f"G4_{symbol}")
        density = medium.GetDensity() / (g4.g / g4.cm3)
        ours = Material(symbol, density, {symbol: 1.0})
        (atoms,) = formulae.atoms_per_volume(ours).values()
        photo = [ask.ComputeCrossSectionPerVolume(e, photon, "phot", medium, 0.0) for e in tables.PHOTON_ENERGIES]
        rows["photoelectric"].append(np.array(photo) / atoms / 1e-22)
        energies = tables.ELECTRON_ENERGIES
        loss = [ask.ComputeDEDX(e, electron, "eBrem", medium, 1e9) for e in energies]
        _, ours_loss = formulae.uncorrected_bremsstrahlung(energies, 1e9, ours)
        rows["radiative"].append(np.array(loss) / ours_loss)
        elastic = [ask.ComputeCrossSectionPerVolume(e, electron, "msc", medium, 0.0) for e in energies]
        rows["elastic"].append(np.array(elastic) / formulae.uncorrected_inverse_transport_length(energies, ours))
    sys.stderr.write(f"atomic numbers: {[ELEMENTS[s].z for s in SYMBOLS]}\n")
    for name, values in rows.items():
        sys.stderr.write(f"{name}:\n" + "".join("    (" + ", ".join(f"{v:.4g}" for v in r) + "),\n" for r in values))
    sys.stderr.flush()
    os._exit(0)  # Geant4's objects are owned by both sides: tearing them down crashes


if __name__ == "__main__":
    main()
