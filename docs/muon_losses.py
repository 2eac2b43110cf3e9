"""Print the table of docs/muon_losses.md: b(E) of muons by bremsstrahlung, pairs and nuclear interaction."""

from __future__ import annotations

import numpy as np

from showercal.detectors import MATERIALS
from showercal.simulation.fast._constants import MUON_MASS
from showercal.simulation.fast._muon_losses import (
    bremsstrahlung,
    pair_production,
    photonuclear,
    radiative_loss,
)

ENERGIES = (1e4, 1e5, 1e6, 1e7)  # kinetic, [MeV]


def main() -> None:
    """Print the table."""
    print("| material | energy [GeV] | bremsstrahlung | pairs | nuclear | b |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ("iron", "copper", "lead", "PbWO4"):
        for energy in ENERGIES:
            total = np.array([energy + MUON_MASS])
            parts = [
                radiative_loss(spectrum, MATERIALS[name], total)[0] * 1e6
                for spectrum in (bremsstrahlung, pair_production, photonuclear)
            ]
            numbers = " | ".join(f"{part:.3f}" for part in (*parts, sum(parts)))
            print(f"| {name} | {energy / 1e3:,.0f} | {numbers} |")


if __name__ == "__main__":
    main()
