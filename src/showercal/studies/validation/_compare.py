"""Every quantity of two samples, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError
from showercal.evaluation import (
    ESTIMATES,
    Binning,
    Compared,
    Estimate,
    TwoSampleTest,
    shower_maximum,
    stratified_mean,
    two_sample_auc,
)
from showercal.features import Observables

FloatArray = NDArray[np.float64]

_PEAKED = ("e-", "e+", "gamma")  # particles whose mean profile has one maximum


@dataclass(frozen=True, eq=False)
class Pair:
    """Two samples, cut to the energies that are judged.

    Attributes:
        sample, reference: Their observables.
        is_paired: Whether the sample starts from the particles of the reference, once or several times.
        binning: Bins of the true energy.
    """

    sample: Observables
    reference: Observables
    is_paired: bool
    binning: Binning

    def shape(self, name: str) -> tuple[FloatArray, FloatArray]:
        """A shower shape of the events of both."""
        return self.sample.shapes.column(name), self.reference.shapes.column(name)


def pair(sample: Observables, reference: Observables, binning: Binning) -> Pair:
    """Keep the events within the bins.

    Raises:
        DataError: If a sample has none there.
    """
    kept = []
    for name, one in (("sample", sample), ("reference", reference)):
        inside = binning.number(one.energy_true) >= 0
        if not inside.any():
            low, high = one.energy_true.min(), one.energy_true.max()
            raise DataError(
                f"no event of the {name} lies in {binning.edges[0]:g}–{binning.edges[-1]:g} GeV; its {len(one)} events "
                f"have {low:.4g}–{high:.4g} GeV"
            )
        kept.append(one[inside])
    ours, theirs = (one.energy_true for one in kept)
    n_times, rest = divmod(len(ours), len(theirs))
    same = n_times > 0 and rest == 0 and np.allclose(ours, np.tile(theirs, n_times), rtol=1e-6)
    return Pair(kept[0], kept[1], bool(same), binning)


def compare_samples(both: Pair, calorimeter: BoxCalorimeter, particle: str, lit_threshold: float) -> Iterator[Compared]:
    """All quantities but the classifier test.

    Args:
        both: The samples.
        calorimeter: Their detector.
        particle: What they hold.
        lit_threshold: Energy above which a cell counts as lit, [MeV].
    """
    for name, estimate in ESTIMATES.items():
        yield from _in_bins(both, f"visible_energy_{name}_ratio", both.shape("visible_fraction"), estimate)
    means = {
        "lit_cells_ratio": f"lit_cells_{lit_threshold:g}_mev",
        "leakage_ratio": "share_last_layers",
        "side_leakage_ratio": "share_outermost_cells",
    }
    for metric, shape in means.items():
        values = both.shape(shape)
        yield from _in_bins(both, metric, values, ESTIMATES["mean"])
        yield _whole(both, metric, values)
    layers = both.sample.profiles.layers, both.reference.profiles.layers
    for layer in range(calorimeter.n_layers):
        yield _whole(both, "layer_energy_ratio", (layers[0][:, layer], layers[1][:, layer]), layer)
    if particle in _PEAKED and calorimeter.n_layers >= 3:
        thickness = np.array([layer.active_thickness for layer in calorimeter.layers])
        found = [shower_maximum(one / thickness, calorimeter.layer_centre()) for one in layers]
        edges = both.binning.edges
        yield Compared("shower_maximum_ratio", found[0], found[1], None, edges[0], edges[-1])


def classify(both: Pair, seed: int) -> TwoSampleTest:
    """The classifier test on the shapes that both samples have; of particles simulated several times, the first."""
    sample = both.sample[: len(both.reference)] if both.is_paired else both.sample
    theirs, ours = both.reference.shapes, sample.shapes
    names = [name for name in theirs.names if name in ours.names]
    tables = [np.stack([shapes.column(name) for name in names], axis=1) for shapes in (theirs, ours)]
    return two_sample_auc(tables[0], tables[1], seed, names=names)


def _in_bins(
    both: Pair, metric: str, values: tuple[FloatArray, FloatArray], estimate: Callable[[FloatArray], Estimate]
) -> Iterator[Compared]:
    """An estimate in each bin of energy that has enough events in both samples; events without a value are left out."""
    edges = both.binning.edges
    groups = [both.binning.groups(one.energy_true) for one in (both.sample, both.reference)]
    for number in range(len(both.binning)):
        inside = [column[group[number]] for column, group in zip(values, groups, strict=True)]
        inside = [column[np.isfinite(column)] for column in inside]
        if min(map(len, inside)) >= both.binning.min_events:
            found = [estimate(column) for column in inside]
            yield Compared(metric, found[0], found[1], number, edges[number], edges[number + 1])


def _whole(both: Pair, metric: str, values: tuple[FloatArray, FloatArray], layer: int | None = None) -> Compared:
    """Mean over all events with a value; where both samples have the same energies, their spread is no error."""
    found = []
    for one, column in zip((both.sample, both.reference), values, strict=True):
        has_value = np.isfinite(column)
        energy = one.energy_true[has_value]
        groups = both.binning.groups(energy) if both.is_paired else [np.arange(len(energy))]
        found.append(stratified_mean(column[has_value], groups))
    edges = both.binning.edges
    low, high = (edges[0], edges[-1]) if layer is None else (None, None)
    return Compared(metric, found[0], found[1], layer, low, high)
