"""Energy spectra of the particle gun: one energy or several, flat, flat in log E, a power law, a histogram."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import RecipeError
from showercal.simulation._source import number_text

FloatArray = NDArray[np.float64]

_HISTOGRAM_FILES: Final = (".json", ".csv", ".txt", ".dat")


class EnergySpectrum(ABC):
    """A distribution of kinetic energies, given by its quantile function so that any uniform numbers can drive it."""

    @abstractmethod
    def quantile(self, u: FloatArray) -> FloatArray:
        """Energies below which a fraction u of the particles lies, same shape as u, [GeV]."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The form that `parse_spectrum` reads back."""

    def to_json(self) -> str | dict[str, Any]:
        """JSON-ready description, which decides the spectrum; `spectrum_from_json` takes it back."""
        return self.text


@dataclass(frozen=True)
class FixedEnergy(EnergySpectrum):
    """All particles have one energy.

    Args:
        energy: [GeV], above 0.

    Raises:
        RecipeError: If the energy is not above 0.
    """

    energy: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.energy) and self.energy > 0):
            raise RecipeError(f"the particle energy must be > 0 GeV; got {self.energy}")

    def quantile(self, u: FloatArray) -> FloatArray:
        return np.full(np.shape(u), self.energy)

    @property
    def text(self) -> str:
        return number_text(self.energy)


@dataclass(frozen=True)
class EnergyList(EnergySpectrum):
    """Each particle has one of several energies, all equally probable.

    Args:
        energies: [GeV], each above 0.

    Raises:
        RecipeError: If there is none, or one is not above 0.
    """

    energies: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "energies", tuple(float(energy) for energy in self.energies))
        if not self.energies:
            raise RecipeError("a list of energies needs at least one; got none")
        for energy in self.energies:
            FixedEnergy(energy)

    def quantile(self, u: FloatArray) -> FloatArray:
        index = (u * len(self.energies)).astype(np.int64)
        energy: FloatArray = np.array(sorted(self.energies))[index]
        return energy

    @property
    def text(self) -> str:
        return ",".join(number_text(energy) for energy in self.energies)


@dataclass(frozen=True)
class FlatSpectrum(EnergySpectrum):
    """Uniform between two energies: dN/dE constant.

    Args:
        low: [GeV], at least 0.
        high: [GeV], above ``low``.

    Raises:
        RecipeError: If the limits are not in order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_limits(self.low, self.high)

    def quantile(self, u: FloatArray) -> FloatArray:
        return self.low + (self.high - self.low) * u

    @property
    def text(self) -> str:
        return f"{number_text(self.low)}:{number_text(self.high)}"


@dataclass(frozen=True)
class LogFlatSpectrum(EnergySpectrum):
    """Uniform in log E between two energies: dN/dE proportional to 1/E, the same number of particles per decade.

    Args:
        low: [GeV], above 0.
        high: [GeV], above ``low``.

    Raises:
        RecipeError: If the limits are not in order or ``low`` is 0.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_limits(self.low, self.high)
        if self.low == 0:
            raise RecipeError("a spectrum flat in log E must start above 0 GeV; got 0 (try 0.1, or drop ':log')")

    def quantile(self, u: FloatArray) -> FloatArray:
        return self.low * (self.high / self.low) ** u

    @property
    def text(self) -> str:
        return f"{number_text(self.low)}:{number_text(self.high)}:log"


@dataclass(frozen=True)
class PowerLaw(EnergySpectrum):
    """dN/dE proportional to E^index between two energies.

    Args:
        low: [GeV], above 0.
        high: [GeV], above ``low``.
        index: Exponent, e.g. -2.7 for cosmic rays; -1 is `LogFlatSpectrum`.

    Raises:
        RecipeError: If the limits are not in order, ``low`` is 0 or the index is -1.
    """

    low: float
    high: float
    index: float

    def __post_init__(self) -> None:
        _check_limits(self.low, self.high)
        if self.low == 0:
            raise RecipeError("a power law must start above 0 GeV; got 0")
        if not math.isfinite(self.index) or self.index == -1:
            raise RecipeError(f"the index of a power law must be a number other than -1 (use ':log'); got {self.index}")

    def quantile(self, u: FloatArray) -> FloatArray:
        # in units of low: E^(index + 1) is uniform, and log1p and expm1 keep the digits near index -1
        power = self.index + 1
        span = np.expm1(power * math.log(self.high / self.low))
        energy: FloatArray = self.low * np.exp(np.log1p(span * u) / power)
        return np.minimum(energy, self.high)

    @property
    def text(self) -> str:
        return f"{number_text(self.low)}:{number_text(self.high)}:power:{number_text(self.index)}"


@dataclass(frozen=True)
class HistogramSpectrum(EnergySpectrum):
    """Any spectrum as a histogram: uniform inside each bin.

    Args:
        edges: Edges of the n bins, n + 1 ascending numbers >= 0, [GeV].
        counts: What the bins hold, n numbers >= 0, in any unit.
        file: Name of the file it was read from, for the command line in the provenance.

    Raises:
        RecipeError: If edges and counts do not make a histogram.
    """

    edges: tuple[float, ...]
    counts: tuple[float, ...]
    file: str = "spectrum.json"

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(float(edge) for edge in self.edges))
        object.__setattr__(self, "counts", tuple(float(count) for count in self.counts))
        edges, counts = np.array(self.edges), np.array(self.counts)
        if len(counts) < 1 or len(edges) != len(counts) + 1:
            raise RecipeError(
                f"a histogram of energies needs one edge more than counts; got {len(edges)} edges and {len(counts)} "
                f"counts in {self.file}"
            )
        if not (np.all(np.isfinite(edges)) and edges[0] >= 0 and np.all(np.diff(edges) > 0)):
            at = int(np.argmax(~np.isfinite(edges) | (edges < 0) | np.concatenate([[False], np.diff(edges) <= 0])))
            raise RecipeError(
                f"the edges of a histogram of energies must ascend from >= 0 GeV; got {edges[at]} as edge {at} in "
                f"{self.file}"
            )
        if not (np.all(np.isfinite(counts)) and np.all(counts >= 0) and counts.sum() > 0):
            raise RecipeError(
                f"the counts of a histogram of energies must be >= 0 and not all 0; got {counts.min()} to "
                f"{counts.max()} in {self.file}"
            )

    @staticmethod
    def read(path: str | Path) -> HistogramSpectrum:
        """A histogram from a file.

        JSON: ``{"edges": [...], "counts": [...]}``. Text or CSV: two columns, the lower edge of a bin [GeV] and what it
        holds; the last line holds the upper edge of the last bin and 0. Lines that start with # are comments.

        Raises:
            RecipeError: If the file is missing or has another form.
        """
        path = Path(path)
        if not path.is_file():
            raise RecipeError(f"no histogram of energies at {path}: the file does not exist")
        try:
            if path.suffix == ".json":
                data = json.loads(path.read_text())
                return HistogramSpectrum(tuple(data["edges"]), tuple(data["counts"]), path.name)
            lines = (line.split("#")[0].replace(",", " ").split() for line in path.read_text().splitlines())
            rows = [[float(word) for word in line] for line in lines if line]
            edges, counts = zip(*rows, strict=True)
        except (ValueError, KeyError, TypeError) as fault:
            if isinstance(fault, RecipeError):
                raise
            raise RecipeError(
                f"{path} is no histogram of energies ({type(fault).__name__}: {fault}); expected two columns of "
                'numbers (lower edge in GeV, content), or JSON {"edges": [...], "counts": [...]}'
            ) from fault
        if counts[-1] != 0:
            raise RecipeError(
                f"the last line of {path} closes the last bin: expected its upper edge and 0; got {edges[-1]} and "
                f"{counts[-1]}"
            )
        return HistogramSpectrum(edges, counts[:-1], path.name)

    def quantile(self, u: FloatArray) -> FloatArray:
        filled = np.flatnonzero(np.array(self.counts) > 0)
        low, width = np.array(self.edges)[filled], np.diff(self.edges)[filled]
        counts = np.array(self.counts)[filled]
        below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        k = np.minimum(np.searchsorted(below, u, side="right") - 1, len(filled) - 1)
        energy: FloatArray = low[k] + width[k] * (u - below[k]) / (below[k + 1] - below[k])
        return energy

    @property
    def text(self) -> str:
        return self.file

    def to_json(self) -> dict[str, Any]:
        return {"edges": list(self.edges), "counts": list(self.counts), "file": self.file}


def parse_spectrum(text: str) -> EnergySpectrum:
    """A spectrum from the command line's form, all in GeV.

    ``5``; ``1,5,10`` (one of these); ``0:10``; ``50:8000:log``; ``30:150:power:-4``; or the name of a file with a
    histogram (.json, .csv, .txt, .dat; see `HistogramSpectrum.read`).

    Raises:
        RecipeError: If the text has another form, or its limits are not in order.

    Example:
        >>> parse_spectrum("0:10").quantile(np.array([0.5]))
        array([5.])
        >>> parse_spectrum("1:100:log").quantile(np.array([0.5])).round(9)
        array([10.])
    """
    if Path(text).suffix.lower() in _HISTOGRAM_FILES:
        return HistogramSpectrum.read(text)
    parts = text.split(":")
    kind = parts[2] if len(parts) > 2 else "list" if "," in text else ""
    try:
        numbers = [float(part) for part in (text.split(",") if kind == "list" else parts[:2] + parts[3:])]
    except ValueError:
        numbers = []
    match kind, numbers:
        case "", [energy]:
            return FixedEnergy(energy)
        case "list", [_, *_]:
            return EnergyList(tuple(numbers))
        case "", [low, high]:
            return FlatSpectrum(low, high)
        case "log", [low, high]:
            return LogFlatSpectrum(low, high)
        case "power", [low, high, index]:
            return PowerLaw(low, high, index)
    raise RecipeError(
        "an energy spectrum is written E, LOW:HIGH, LOW:HIGH:log, LOW:HIGH:power:INDEX or E1,E2,... in GeV, or is the "
        f"name of a histogram's file (5, 0:10, 50:8000:log, 30:150:power:-4, 1,5,10, spectrum.csv); got {text!r}"
    )


def spectrum_from_json(data: str | Mapping[str, Any]) -> EnergySpectrum:
    """Rebuild from `EnergySpectrum.to_json`; a histogram's file is not needed again.

    Raises:
        RecipeError: If it is not a spectrum.
    """
    if isinstance(data, Mapping):
        if set(data) != {"edges", "counts", "file"}:
            raise RecipeError(f"a histogram of energies needs edges, counts and file; got {sorted(data)}")
        return HistogramSpectrum(tuple(data["edges"]), tuple(data["counts"]), data["file"])
    return parse_spectrum(str(data))


def _check_limits(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low < high):
        raise RecipeError(f"an energy spectrum needs 0 <= low < high in GeV; got {low} to {high}")
