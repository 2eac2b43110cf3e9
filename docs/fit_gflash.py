"""Where the constants of the GFLASH showers come from, and how good they are.

    python docs/fit_gflash.py tracks --energy 4 --events 200
    python docs/fit_gflash.py fit --events ../shared/data/g4_toy_electrons.parquet
    python docs/fit_gflash.py compare --events ../shared/data/g4_toy_electrons.parquet

``tracks`` runs Geant4 (it needs GEANT4_DATA_DIR) in the sandwich and looks at single tracks in the scintillator: the
tables of energies, the radii and the numbers of freed electrons in `_gflash_tables` and `_gflash` are read off its
output at 1, 4 and 9 GeV. ``fit`` adjusts the few `GflashConstants` to the first events of a file: mean energy and
tracks, their widths, lit cells, layer profiles and their fluctuations. ``compare`` prints the table of docs/gflash.md,
on events that ``fit`` has not seen.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from showercal.detectors import BoxCalorimeter, detector
from showercal.evaluation import two_sample_auc
from showercal.events import Events
from showercal.features import shower_hits, shower_shapes
from showercal.readers import open_any
from showercal.simulation.fast._cells import new_cells
from showercal.simulation.fast._engine import Block, World, simulate_block
from showercal.simulation.fast._gflash_tables import FITTED, GflashConstants, build_gflash
from showercal.simulation.fast._options import SHOWER_MODELS, FastOptions
from showercal.simulation.fast._stack import ELECTRON, new_stack
from showercal.simulation.fast._world import build_world

FloatArray = NDArray[np.float64]
BINS = ((0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 7.0), (7.0, 10.0))  # [GeV]
QUANTILES = (1, 2.5, 5, 7.5, 10, 15, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 99, 99.7)  # [%]
RADII = (10, 20, 40, 60, 100)  # [mm]
LAYERS = 7  # that are compared: beyond lies less than 1 % of the energy


# ---------------------------------------------------------------------- single tracks in Geant4
def tracks(energy: float, n_events: int) -> None:
    """Shoot electrons on the axis of the sandwich and print what single tracks do in layers 0 to 5."""
    import geant4_pybind as g4

    from showercal.simulation import Geant4Options, ParticleGun, parse_spectrum
    from showercal.simulation import _geant4_session as session
    from showercal.simulation._geant4_scoring import StepScorer

    calorimeter, seen = detector("toy-sandwich"), []

    class TrackDetector(g4.G4VSensitiveDetector):  # type: ignore[misc]
        """Energy of each track in each layer, where it was first seen and whether it was born there."""

        def ProcessHits(self, step: object, history: object) -> bool:  # noqa: N802 (Geant4's name)
            del history
            before, track = step.GetPreStepPoint(), step.GetTrack()
            if before.GetCharge() == 0.0:
                return False
            key = (before.GetTouchable().GetReplicaNumber(2), track.GetTrackID())
            place = before.GetPosition()
            first = (track.GetCurrentStepNumber() == 1, float(np.hypot(place.x, place.y)), 0.0)
            born, radius, sum_ = self.event.get(key, first)
            self.event[key] = (born, radius, sum_ + step.GetTotalEnergyDeposit())
            return True

    class TrackScorer(StepScorer):
        """Keeps the tracks instead of cells."""

        def __init__(self) -> None:
            self._detector = TrackDetector("cells")
            self._detector.event = {}

        def read(self, event: object) -> tuple[tuple[()], tuple[()]]:
            del event
            seen.append(self._detector.event)
            self._detector.event = {}
            return (), ()

    session._scorer = lambda *_: TrackScorer()  # Geant4's geometry, physics and gun as they are, only seen otherwise
    gun = ParticleGun("e-", parse_spectrum(str(energy)))
    shooter = session.Geant4Session(calorimeter, Geant4Options(physics_list="EM"))
    shooter.shoot(gun.primaries(5, 0, n_events).entering(calorimeter), lambda: None)
    rows = np.array([(*key, *value) for event in seen for key, value in event.items()])
    layer, track, born, radius, deposit = rows.T
    material = calorimeter.material("plastic-scintillator")
    loss = material.critical_energy / material.radiation_length
    print(f"{n_events} electrons of {energy} GeV; quantiles at {QUANTILES} %")
    for name, of_kind in (("enters", (born == 0) & (track != 1)), ("freed inside", born == 1)):
        for k in range(6):
            chosen = of_kind & (layer == k)
            if chosen.sum() < 30:
                continue
            inside = [round(float(np.mean(radius[chosen] < r)), 3) for r in RADII]
            print(
                f"layer {k} {name}: {chosen.sum() / n_events:.2f} per event, {deposit[chosen].mean():.3f} MeV, ", end=""
            )
            print(f"share within {RADII} mm: {inside}")
    thickness = np.array([one.active_thickness for one in calorimeter.layers])[layer.astype(int)]
    deep = (layer >= 1) & (layer <= 5)
    crossing = (deposit / (loss * thickness))[deep & (born == 0) & (track != 1)]
    compton = deposit[deep & (born == 1) & (radius > 20)]
    knocked = deposit[(layer == 0) & (born == 1) & (radius < 2)]
    print("energy of a crossing over E_c / X0 times thickness:", np.round(np.percentile(crossing, QUANTILES), 3))
    print(f"energy freed by photons (beyond 20 mm), mean {compton.mean():.3f} MeV, over it:", end=" ")
    print(np.round(np.percentile(compton / compton.mean(), QUANTILES), 3))
    print(f"knocked on in the first layer: {len(knocked) / n_events:.2f} per event, {knocked.mean():.2f} MeV")
    os._exit(0)  # Geant4 must not be torn down


# ---------------------------------------------------------------------- samples and what is compared
@dataclass(frozen=True, eq=False)
class Sample:
    """Sums of B events: per layer (B, L) energy [MeV] and tracks; lit cells, and those above 0.1 MeV, (B,)."""

    energy_true: FloatArray
    energy: FloatArray
    tracks: FloatArray
    lit: FloatArray
    lit_bright: FloatArray


def summed(events: Events, calorimeter: BoxCalorimeter) -> Sample:
    """Sums of events."""
    hits = shower_hits(events, calorimeter)
    layers = calorimeter.n_layers
    assert hits.tracks is not None
    return Sample(
        events.energy_true.astype(np.float64),
        hits.table(hits.layer, layers, hits.energy),
        hits.table(hits.layer, layers, hits.tracks),
        hits.per_event(),
        hits.per_event(hits.energy > 0.1),
    )


def world_of(calorimeter: BoxCalorimeter, model: str, constants: GflashConstants = FITTED) -> World:
    """The simulator's tables for a model of electromagnetic showers."""
    world = build_world(calorimeter, FastOptions(showers=model))
    return world._replace(gflash=build_gflash(calorimeter, constants)) if model == "gflash" else world


def showers_like(events: Events, calorimeter: BoxCalorimeter, world: World, seed: int) -> Events:
    """Showers of the particles of other events."""
    count = len(events)
    x, y = (ak.to_numpy(events.array[name]) for name in ("impact_x", "impact_y"))
    zero, one = np.zeros(count), np.ones(count)
    kind = np.full(count, ELECTRON)
    particles = np.stack([kind, events.energy_true * 1000.0, x, y, zero, zero, zero, one, zero], axis=1)
    seeds = np.arange(count, dtype=np.uint64) + np.uint64(seed << 32)
    cells, stack = new_cells(calorimeter.n_cells), new_stack()
    block = Block(*simulate_block(world, cells, stack, particles.astype(np.float64), np.arange(count + 1), seeds))
    flat = {"id": block.cell, "energy": block.energy / 1000.0, "tracks": block.tracks}
    truth = events.array[["energy_true", "impact_x", "impact_y"]]
    lit = ak.unflatten(ak.zip(flat), np.bincount(block.event, minlength=count))
    return Events(ak.with_field(truth, lit, "cells"), events.units, calorimeter.to_dict(), {"seed": seed})


def observables(sample: Sample) -> dict[str, FloatArray]:
    """What the fit compares, by name; one row per bin of energy."""
    rows: dict[str, list[FloatArray]] = {}
    for low, high in BINS:
        chosen = (sample.energy_true >= low) & (sample.energy_true < high)
        true, energy, count = sample.energy_true[chosen], sample.energy[chosen], sample.tracks[chosen]
        total = true.sum()
        share = energy[:, :5] / true[:, None]
        correlation = np.corrcoef(share.T)
        values = {
            "energy": energy.sum() / total,
            "tracks": count.sum() / total,
            "energy width": _width(true, energy.sum(1)),
            "track width": _width(true, count.sum(1)),
            "lit": sample.lit[chosen].mean(),
            "lit bright": sample.lit_bright[chosen].mean(),
            "energy profile": energy.sum(0)[:LAYERS] / energy.sum(),
            "track profile": count.sum(0)[:LAYERS] / count.sum(),
            "layer widths": share.std(0) * np.sqrt(true.mean()) / (energy.sum() / total),
            "correlations": correlation[[1, 2, 1, 2], [2, 3, 3, 4]],
        }
        for name, value in values.items():
            rows.setdefault(name, []).append(np.atleast_1d(value))
    return {name: np.stack(value) for name, value in rows.items()}


def _width(true: FloatArray, seen: FloatArray) -> float:
    """Relative width about the line, times sqrt(E)."""
    residual = seen - np.polyval(np.polyfit(true, seen, 1), true)
    return float(np.sqrt(np.mean(residual**2 / true)) / (seen.sum() / true.sum()))


# ---------------------------------------------------------------------- fit and comparison
# Weight of a relative deviation in the fit; profiles count less below 2 %, where events are few.
WEIGHTS = {
    "energy": 100.0,
    "tracks": 70.0,
    "energy width": 60.0,
    "track width": 60.0,
    "lit": 50.0,
    "lit bright": 50.0,
    "energy profile": 40.0,
    "track profile": 40.0,
    "layer widths": 15.0,
    "correlations": 5.0,
}
BOUNDS = {
    "shift_maximum": (-1, 1),
    "shift_alpha": (-1, 1),
    "response": (0.8, 1.2),
    "width_maximum": (0.6, 2),
    "width_alpha": (0.6, 2),
    "pairs": (0, 0.95),
    "compton": (0.5, 3),
    "albedo": (0.01, 0.3),
}


def fit(path: Path, n_events: int) -> None:
    """Least squares of the constants against the first events of a file."""
    calorimeter = detector("toy-sandwich")
    events = _events(path)[:n_events]
    truth = observables(summed(events, calorimeter))

    def residuals(values: FloatArray) -> FloatArray:
        world = world_of(calorimeter, "gflash", GflashConstants(*map(float, values)))
        made = showers_like(events, calorimeter, world, seed=1)
        found = observables(summed(made, calorimeter))
        parts = []
        for name, weight in WEIGHTS.items():
            scale = 1.0 if name == "correlations" else np.maximum(truth[name], 0.02 if "profile" in name else 0.05)
            parts.append((weight * (found[name] - truth[name]) / scale).ravel())
        return np.concatenate(parts)

    low, high = np.array([BOUNDS[name] for name in GflashConstants._fields], dtype=float).T
    start = np.array(GflashConstants())
    # the same seeds at every step make the sum of squares almost smooth; steps of 4 % are well above its noise
    found = least_squares(residuals, start, bounds=(low, high), x_scale=0.1, diff_step=0.04, max_nfev=10, verbose=2)
    for name, value in zip(GflashConstants._fields, found.x, strict=True):
        print(f"{name}: {value:.4f}")


def compare(path: Path, n_events: int, model: str) -> None:
    """A table of docs/gflash.md: the last events of a file, and how well trees tell the two samples apart."""
    calorimeter, world = detector("toy-sandwich"), world_of(detector("toy-sandwich"), model)
    events = _events(path)[-n_events:]
    showers_like(events[:10], calorimeter, world, seed=2)  # compile
    start = time.process_time()
    made = showers_like(events, calorimeter, world, seed=2)
    print(f"{model}: {n_events / (time.process_time() - start):.0f} events/s of one core\n")
    truth, found = (observables(summed(one, calorimeter)) for one in (events, made))
    print(f"| {model} / Geant4 | " + " | ".join(f"{low:g}–{high:g} GeV" for low, high in BINS) + " |")
    print("| --- |" + " ---: |" * len(BINS))
    for name in ("energy", "tracks", "energy width", "track width", "lit", "lit bright"):
        print(f"| {name} | " + " | ".join(f"{v:.3f}" for v in (found[name] / truth[name])[:, 0]) + " |")
    for k in range(LAYERS):
        for name in ("energy profile", "track profile"):
            shares = truth[name][:, k]
            ratio = np.where(shares > 0.02, found[name][:, k] / shares, np.nan)
            print(f"| {name}, layer {k} | " + " | ".join("–" if np.isnan(v) else f"{v:.3f}" for v in ratio) + " |")
    for name, sample in (("Geant4", truth), (model, found)):
        print(f"| longitudinal maximum, {name} [X0] | ", end="")
        print(" | ".join(f"{_maximum(calorimeter, row):.2f}" for row in sample["energy profile"]) + " |")
    shapes = [shower_shapes(one, shower_hits(one, calorimeter)) for one in (events, made)]
    test = two_sample_auc(shapes[0].values, shapes[1].values, names=shapes[0].names)
    print(f"\ntwo_sample_auc {test.auc:.3f} ± {test.error:.3f}")
    for name, share in list(test.importance.items())[:8]:
        print(f"  {name:24s} importance {share:6.1%}   alone {test.single_auc[name]:.3f}")


def _maximum(calorimeter: BoxCalorimeter, shares: FloatArray) -> float:
    """Maximum of the gamma profile through the energies of layers 1 to 6, all of the same thickness, [X0]."""
    depth = calorimeter.depth_in_radiation_lengths()[: LAYERS - 1]

    def residuals(values: FloatArray) -> FloatArray:
        scale, alpha, maximum = values
        profile = np.exp(scale + (alpha - 1) * (np.log(depth) - depth / maximum))
        return (profile - shares[1:]) / np.sqrt(shares[1:])

    return float(least_squares(residuals, [-2.0, 3.0, 4.0]).x[2])


def _events(path: Path) -> Events:
    events = open_any(path, "g4_toy_electrons").read()
    return events[events.energy_true > BINS[0][0]]


def main() -> None:
    """One of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    of_tracks = actions.add_parser("tracks")
    of_tracks.add_argument("--energy", type=float, default=4.0, help="[GeV]")
    of_tracks.add_argument("--events", type=int, default=200, help="number of events")
    for name, n_events in (("fit", 12_000), ("compare", 30_000)):
        action = actions.add_parser(name)
        action.add_argument("--events", type=Path, required=True, help="Geant4's electrons in the sandwich")
        action.add_argument("--n-events", type=int, default=n_events, help="how many")
        if name == "compare":
            action.add_argument("--model", choices=SHOWER_MODELS, default="gflash", help="which showers")
    options = parser.parse_args()
    if options.action == "tracks":
        tracks(options.energy, options.events)
    elif options.action == "fit":
        fit(options.events, options.n_events)
    else:
        compare(options.events, options.n_events, options.model)


if __name__ == "__main__":
    main()
