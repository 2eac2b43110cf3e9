"""Digitisation: deposited energies to what a read-out would give, for events of any simulator."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError
from showercal.events import Events
from showercal.simulation._digitisation_options import DigitisationOptions
from showercal.simulation._primaries import event_words, offsets_of
from showercal.simulation._showers import round_mantissa

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MEV: Final = 1e-3  # [GeV]
# Philox streams of a seed; 0 and 1 belong to the primaries.
_GAIN_STREAM: Final = 2
_EVENT_STREAM: Final = 3
_FIELDS: Final = ("id", "energy", "tracks")


class Digitiser:
    """Turns blocks of events into digitised ones. Event k depends on (seed, k) and its own cells alone.

    Args:
        calorimeter: Whose cells they are.
        options: What is done to them.
        seed: Decides photo-electrons and noise, at least 0.

    Raises:
        RecipeError: If the options do not fit the calorimeter.
    """

    def __init__(self, calorimeter: BoxCalorimeter, options: DigitisationOptions, seed: int) -> None:
        self._options, self._seed = options, seed
        self._n_cells, self._per_layer = calorimeter.n_cells, calorimeter.n_x * calorimeter.n_y

        def of_layers(name: str, default: float) -> FloatArray:
            return options.of_layers(name, calorimeter, default)

        self._gain = _gains(of_layers("gain_spread", 0.0), self._per_layer, options.gain_seed)
        self._photo_electrons = of_layers("photo_electrons_per_mev", 0.0) / _MEV
        self._pixels = of_layers("pixels", 0.0).astype(np.int64)
        self._scale = 1 / of_layers("sampling_fraction", 1.0)
        self._noise = of_layers("noise_mev", 0.0) * _MEV
        self._threshold = np.maximum(
            of_layers("threshold_mev", 0.0) * _MEV, of_layers("threshold_sigma", 0.0) * self._noise
        )
        self._max_energy = of_layers("max_energy_mev", math.inf) * _MEV
        self._adc_step = of_layers("adc_step_mev", 0.0) * _MEV
        self._noise_groups = _NoiseGroups(self._noise, self._threshold, self._per_layer, two_sided=options.two_sided)

    def __call__(self, events: Events, first_event: int = 0) -> Events:
        """Digitised events, cells sorted by number.

        Args:
            events: A block of events.
            first_event: Number of its first event in the sample.

        Raises:
            DataError: If the cells carry more than ``id``, ``energy`` and ``tracks``.
        """
        cells, offsets = events.field("cells"), events.cell_offsets
        for name in cells.fields:
            if name not in _FIELDS:
                raise DataError(f"cells.{name} cannot be digitised: cells may hold {', '.join(_FIELDS)}; leave it out")
        flat = ak.flatten(cells, axis=1)
        cell = ak.to_numpy(flat.id).astype(np.int64)
        tracks = ak.to_numpy(flat.tracks) if "tracks" in cells.fields else np.zeros(len(cell), dtype=np.uint16)
        event = np.repeat(np.arange(len(events)), np.diff(offsets))
        lit, noise = self._draw(cell, ak.to_numpy(flat.energy).astype(np.float64), offsets, first_event)
        event, cell = np.concatenate([event, noise.event]), np.concatenate([cell, noise.cell])
        energy = np.concatenate([lit, noise.energy])
        tracks = np.concatenate([tracks, np.zeros(len(noise.cell), dtype=tracks.dtype)])
        kept = np.flatnonzero(self._is_kept(cell, energy, tracks))
        kept = kept[np.lexsort((cell[kept], event[kept]))]
        return self._rebuilt(events, event[kept], cell[kept], energy[kept], tracks[kept])

    def _draw(
        self, cell: IntArray, energy: FloatArray, offsets: IntArray, first_event: int
    ) -> tuple[FloatArray, _NoiseCells]:
        """Energies of the lit cells, [GeV], before thresholds, and cells that noise alone lifts above them."""
        from showercal.simulation._digitisation_kernel import draw

        layer, groups = cell // self._per_layer, self._noise_groups
        signal = energy * self._gain[cell]
        fluctuates, with_noise = bool(self._photo_electrons.any()), bool(self._noise.any())
        none = np.empty(0)
        counts, normals, event, alone, uniforms = draw(
            offsets,
            event_words(self._seed, first_event, len(offsets) - 1, stream=_EVENT_STREAM)[:, 3],
            signal * self._photo_electrons[layer] if fluctuates else none,
            self._pixels[layer] if fluctuates else none.astype(np.int64),
            with_noise,
            groups.offsets,
            groups.cells,
            groups.probability,
            self._n_cells,
            cell,
        )
        if fluctuates:
            signal = counts / self._photo_electrons[layer]
        signal = signal * self._scale[layer]
        if with_noise:
            signal = signal + normals * self._noise[layer]
        alone_layer = alone // self._per_layer
        two_sided = self._options.two_sided
        beyond = _tail_of_normal(uniforms, self._threshold[alone_layer], self._noise[alone_layer], two_sided)
        return signal, _NoiseCells(event, alone, beyond)

    def _is_kept(self, cell: IntArray, energy: FloatArray, tracks: NDArray[Any]) -> NDArray[np.bool_]:
        if self._options.threshold_mev is None and self._options.threshold_sigma is None:
            return np.asarray((energy > 0) | (tracks > 0))
        height = np.abs(energy) if self._options.two_sided else energy
        return np.asarray(height > self._threshold[cell // self._per_layer])

    def _rebuilt(
        self, events: Events, event: IntArray, cell: IntArray, energy: FloatArray, tracks: NDArray[Any]
    ) -> Events:
        before, units = events.field("cells"), dict(events.units)
        layer = cell // self._per_layer
        energy = np.minimum(energy, self._max_energy[layer])
        columns: dict[str, NDArray[Any]] = {"id": cell.astype(ak.to_numpy(ak.flatten(before.id)).dtype)}
        if self._options.adc_step_mev is None:
            columns["energy"] = round_mantissa(energy.astype(np.float32))
        else:
            step, pedestal = self._adc_step[layer], self._options.adc_pedestal
            adc = np.clip(np.rint(energy / step) + pedestal, 0, 2**self._options.adc_bits - 1)
            columns |= {"energy": ((adc - pedestal) * step).astype(np.float32), "adc": adc.astype(np.uint32)}
            units["cells.adc"] = "1"
        if "tracks" in before.fields:
            columns["tracks"] = tracks
        counts = np.bincount(event, minlength=len(events))
        fields = {name: events.array[name] for name in events.fields}
        fields["cells"] = ak.unflatten(ak.zip(columns), counts)
        return replace(events, array=ak.zip(fields, depth_limit=1), units=units)


@dataclass(frozen=True, eq=False)
class _NoiseCells:
    """Cells that noise alone lights: event of the block, number and energy [GeV], each of shape (M,)."""

    event: IntArray
    cell: IntArray
    energy: FloatArray


class _NoiseGroups:
    """Cells by the probability that their noise passes the threshold; those that it never does are left out.

    Args:
        noise, threshold: By layer, shape (L,), [GeV].
        per_layer: Cells per layer.
        two_sided: Whether negative noise passes too.

    Attributes:
        offsets: Where each group begins in ``cells``, shape (G + 1,).
        cells: Cell numbers, group by group.
        probability: Of each group, shape (G,).
    """

    def __init__(self, noise: FloatArray, threshold: FloatArray, per_layer: int, *, two_sided: bool) -> None:
        from scipy.special import ndtr

        passes = np.zeros(len(noise))
        noisy = noise > 0
        passes[noisy] = ndtr(-threshold[noisy] / noise[noisy]) * (2 if two_sided else 1)
        self.probability = np.unique(passes[passes > 0])
        groups = [np.flatnonzero(passes == probability) for probability in self.probability]
        numbers = [(layers[:, None] * per_layer + np.arange(per_layer)).ravel() for layers in groups]
        self.cells = np.concatenate([*numbers, np.empty(0, dtype=np.int64)])
        self.offsets = offsets_of(np.array([len(one) for one in numbers], dtype=np.int64))


def _tail_of_normal(u: FloatArray, threshold: FloatArray, sigma: FloatArray, two_sided: bool) -> FloatArray:
    """Normal numbers beyond a threshold, above it or, two-sided, also below its negative.

    Args:
        u: Uniform numbers in (0, 1), shape (M,).
        threshold, sigma: Each of shape (M,), in one unit; sigma above 0.
        two_sided: Whether the other tail is drawn from too.

    Returns:
        Shape (M,), in that unit.
    """
    from scipy.special import ndtr, ndtri

    sign = np.where(u < 0.5, -1.0, 1.0) if two_sided else np.ones(len(u))
    inside = 2 * np.where(u < 0.5, u, u - 0.5) if two_sided else u
    height: FloatArray = -ndtri(inside * ndtr(-threshold / sigma)) * sigma
    return sign * height


def _gains(spread: FloatArray, per_layer: int, seed: int) -> FloatArray:
    """Gain of each cell, shape (n_cells,): log-normal with mean 1."""
    random = np.random.Generator(np.random.Philox(key=seed + (_GAIN_STREAM << 64)))
    sigma = np.repeat(np.sqrt(np.log1p(spread**2)), per_layer)
    return np.exp(sigma * random.standard_normal(len(sigma)) - sigma**2 / 2)
