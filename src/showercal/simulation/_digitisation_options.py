"""Options of the digitisation: what a read-out does to the energy in a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import RecipeError, nearest

FloatArray = NDArray[np.float64]
PerLayer = float | tuple[float, ...]

_MAX_SPREAD: Final = 1.0
_MAX_ADC_BITS: Final = 32
# name -> (lowest value, whether it may be that value)
_LIMITS: Final[Mapping[str, tuple[float, bool]]] = {
    "sampling_fraction": (0.0, False),
    "photo_electrons_per_mev": (0.0, False),
    "pixels": (1.0, True),
    "gain_spread": (0.0, True),
    "noise_mev": (0.0, True),
    "threshold_mev": (0.0, True),
    "threshold_sigma": (0.0, True),
    "max_energy_mev": (0.0, False),
    "adc_step_mev": (0.0, False),
}


@dataclass(frozen=True)
class DigitisationOptions:
    """What is done to each cell, in this order. Left out, nothing is done.

    A number holds for all layers; a tuple gives one per layer, from the front. ``E`` is the energy deposited in the
    active material, as the simulators give it (Birks' law is theirs: it needs the steps of single tracks).

    Args:
        gain_spread: Relative spread of the cells' gains: E is multiplied by a log-normal number of mean 1 and this
            standard deviation, the same for a cell in all events.
        gain_seed: Decides the gains. It belongs to the detector: samples of the same detector share it.
        photo_electrons_per_mev: The signal becomes a Poisson number of photo-electrons with mean E times this, [1/MeV].
        pixels: Pixels of the cell's silicon photomultiplier: of p photo-electrons in the mean, N (1 - exp(-p / N))
            pixels fire, with the binomial fluctuation of independent pixels. Needs ``photo_electrons_per_mev``.
        sampling_fraction: The signal is divided by it, which brings a sampling calorimeter to the electromagnetic
            scale. From here on energies are on that scale.
        noise_mev: Standard deviation of the electronic noise, normal, also in cells without deposit, [MeV]. Needs a
            threshold, or every cell of every event would have to be kept.
        threshold_mev: Zero suppression: cells up to this are dropped, [MeV].
        threshold_sigma: And cells up to this many times their noise.
        two_sided: Compare the magnitude with the thresholds, so that negative noise is kept like positive.
        max_energy_mev: Saturation of the amplifier: energies above are cut to it, [MeV].
        adc_step_mev: One count of the digitiser, [MeV]. The energy becomes a whole number of counts, kept in
            ``cells.adc``.
        adc_bits: Counts go to 2^bits - 1.
        adc_pedestal: Counts at energy 0.

    Raises:
        RecipeError: If a number is out of range, or one option needs another.

    References:
        P. Buzhan et al., Nucl. Instrum. Meth. A 504 (2003) 48: silicon photomultipliers.
    """

    gain_spread: PerLayer | None = None
    gain_seed: int = 1
    photo_electrons_per_mev: PerLayer | None = None
    pixels: PerLayer | None = None
    sampling_fraction: PerLayer | None = None
    noise_mev: PerLayer | None = None
    threshold_mev: PerLayer | None = None
    threshold_sigma: PerLayer | None = None
    two_sided: bool = False
    max_energy_mev: PerLayer | None = None
    adc_step_mev: PerLayer | None = None
    adc_bits: int = 12
    adc_pedestal: int = 0

    def __post_init__(self) -> None:
        for name, (low, allowed) in _LIMITS.items():
            value = getattr(self, name)
            if value is None:
                continue
            values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
            for number in values:
                if not (math.isfinite(number) and (number > low or (allowed and number == low))):
                    raise RecipeError(f"{name} must be {'>=' if allowed else '>'} {low:g}; got {number}")
            kept = tuple(float(number) for number in values)
            object.__setattr__(self, name, kept if isinstance(value, (tuple, list)) else kept[0])
        self._check_needs()

    def _check_needs(self) -> None:
        if self.gain_spread is not None and np.max(self.gain_spread) > _MAX_SPREAD:
            raise RecipeError(f"gain_spread is relative and at most {_MAX_SPREAD:g}; got {self.gain_spread}")
        if self.pixels is not None:
            if self.photo_electrons_per_mev is None:
                raise RecipeError("pixels saturate by photo-electrons: give photo_electrons_per_mev")
            if np.any(np.mod(self.pixels, 1) != 0):
                raise RecipeError(f"pixels must be whole numbers; got {self.pixels}")
        if self.noise_mev is not None and self.threshold_mev is None and self.threshold_sigma is None:
            raise RecipeError(
                "noise without zero suppression would light every cell of every event: give threshold_mev or "
                "threshold_sigma (3 keeps one empty cell in 741)"
            )
        if self.threshold_sigma is not None and self.noise_mev is None:
            raise RecipeError("threshold_sigma counts in units of the noise: give noise_mev")
        if self.two_sided and self.threshold_mev is None and self.threshold_sigma is None:
            raise RecipeError("two_sided is about thresholds: give threshold_mev or threshold_sigma")
        self._check_counts()

    def _check_counts(self) -> None:
        if not 1 <= self.adc_bits <= _MAX_ADC_BITS:
            raise RecipeError(f"adc_bits must be 1 to {_MAX_ADC_BITS}; got {self.adc_bits}")
        if not 0 <= self.adc_pedestal < 2**self.adc_bits:
            raise RecipeError(f"adc_pedestal must be a count of the {self.adc_bits} bits; got {self.adc_pedestal}")
        if not 0 <= self.gain_seed < 2**64:
            raise RecipeError(f"gain_seed must be in [0, 2^64); got {self.gain_seed}")

    def of_layers(self, name: str, calorimeter: BoxCalorimeter, default: float) -> FloatArray:
        """An option layer by layer, shape (L,); the default where it is left out.

        Raises:
            RecipeError: If it has another number of layers than the calorimeter.
        """
        value = default if getattr(self, name) is None else getattr(self, name)
        if isinstance(value, tuple) and len(value) != calorimeter.n_layers:
            raise RecipeError(
                f"{name} has {len(value)} numbers; {calorimeter.name!r} has {calorimeter.n_layers} layers: give one "
                "number, or one per layer"
            )
        return np.broadcast_to(np.asarray(value, dtype=np.float64), calorimeter.n_layers)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the options that differ from their defaults; `from_dict` takes them back."""
        kept = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> DigitisationOptions:
        """Rebuild from `to_dict`.

        Raises:
            RecipeError: If an option is unknown, of another type, or out of range.
        """
        defaults = asdict(DigitisationOptions())
        for name, value in data.items():
            if name not in defaults:
                raise RecipeError(f"unknown option {name!r} of a digitisation; {nearest(name, defaults)}")
            if name in _LIMITS:
                numbers = value if isinstance(value, (tuple, list)) else [value]
                fits = all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers)
            else:
                fits = type(value) is type(defaults[name])
            if not fits:
                raise RecipeError(f"option {name!r} of a digitisation has a value of the wrong type: {value!r}")
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
        return DigitisationOptions(**given)
