"""Scan the two fitted constants of the fast simulator's electrons against Geant4.

    python docs/fit_fast_electrons.py REFERENCE.parquet [--events 20000]

The constants are the scattering power of electrons and their stopping in absorbers, each relative to the published
formulae (`showercal.simulation.fast._em_tables`). Electrons of the reference are simulated again with each pair of
values. A row gives ratios to the reference: visible energy, its relative width in bins of energy, charged tracks,
visible energy per track, and the r.m.s. deviation of the energies of the layers that hold more than 2 % of the sum.
"""

from __future__ import annotations

import argparse
import itertools
import sys

import awkward as ak
import numpy as np

from showercal.detectors import detector
from showercal.readers import open_any
from showercal.simulation import EventList, FastOptions, ShowerTask
from showercal.simulation._backend import Chunk
from showercal.simulation.fast import _em_tables as tables
from showercal.simulation.fast import _world as world
from showercal.simulation.fast._backend import FastBackend

SCATTERING = (1.0, 1.15, 1.3)
STOPPING = (0.965, 0.971, 0.977)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference")
    parser.add_argument("--mapping", default="g4_toy_electrons")
    parser.add_argument("--events", type=int, default=20_000)
    given = parser.parse_args()
    calorimeter = detector("toy-sandwich")
    reference = open_any(given.reference, mapping=given.mapping).read()[: given.events]
    energy = ak.to_numpy(reference.array.energy_true).astype(float)
    expected = summary(
        energy,
        np.repeat(np.arange(len(energy)), ak.to_numpy(ak.num(reference.array.cells.id))),
        ak.to_numpy(ak.flatten(reference.array.cells.id)).astype(np.int64),
        ak.to_numpy(ak.flatten(reference.array.cells.energy)).astype(float),
        ak.to_numpy(ak.flatten(reference.array.cells.tracks)).astype(float),
    )
    task = ShowerTask(calorimeter, EventList.from_events(reference, particle="e-"), 1)
    sys.stdout.write("scattering stopping | visible  width tracks  per track  layers\n")
    for scattering, stopping in itertools.product(SCATTERING, STOPPING):
        tables._SCATTERING_FIT, tables._ABSORBER_STOPPING_FIT = scattering, stopping
        world._KEPT.clear()
        backend = FastBackend(FastOptions(count_tracks=True))
        ((_, showers),) = backend.run(
            task, [Chunk(0, 0, len(energy))], workers=2, log_folder=None, on_events=lambda _: None
        )
        made = summary(energy, showers.event, showers.cell, showers.energy, showers.tracks.astype(float))
        with np.errstate(invalid="ignore"):  # layers that nothing reached
            ratio = {key: made[key] / expected[key] for key in made}
        held = expected["layers"] > 0.02 * expected["layers"].sum()
        layers = np.sqrt(np.mean((ratio["layers"][held] - 1) ** 2))
        sys.stdout.write(
            f"{scattering:10.2f} {stopping:8.3f} | {ratio['visible']:7.4f} {ratio['width'].mean():6.3f} "
            f"{ratio['tracks']:6.4f} {ratio['visible'] / ratio['tracks']:10.4f} {layers:7.4f}\n"
        )
        sys.stdout.flush()


def summary(
    energy: np.ndarray, event: np.ndarray, cell: np.ndarray, seen: np.ndarray, tracks: np.ndarray
) -> dict[str, np.ndarray]:
    """Means of a sample."""
    visible = np.bincount(event, seen, len(energy))
    bins = [(energy > low) & (energy <= low + 1) for low in range(1, 10)]
    return {
        "visible": visible.sum(),
        "tracks": tracks.sum(),
        "width": np.array([np.std(visible[b] / energy[b]) / np.mean(visible[b] / energy[b]) for b in bins]),
        "layers": np.bincount(cell // 64, seen, 17),
    }


if __name__ == "__main__":
    main()
