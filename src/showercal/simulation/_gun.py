"""The particle gun: one particle per event, along +z, from just in front of the calorimeter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import RecipeError, nearest
from showercal.simulation._spectrum import EnergySpectrum, parse_spectrum

FloatArray = NDArray[np.float64]

PARTICLES: Final = (
    *("e-", "e+", "gamma", "mu-", "mu+", "pi-", "pi+", "pi0", "kaon-", "kaon+", "kaon0L", "kaon0S"),
    *("proton", "anti_proton", "neutron", "anti_neutron"),
)

# Spread of the published samples: four central tiles of the sandwich, a third of the width of the block.
_PUBLISHED_HALF_WIDTHS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"toy-sandwich": (75.0, 75.0), "pbwo4-block": (20.0, 20.0)}
)


@dataclass(frozen=True, eq=False)
class Primaries:
    """The particles that start a range of events.

    Attributes:
        energy: Kinetic energy, shape (B,), [GeV]; exact in single precision, so that the stored truth is the energy
            that was simulated.
        x, y: Where they cross the front face, shape (B,), [mm]; exact in single precision.
        seed: A 64-bit seed per event for everything else that happens in it, shape (B,).
    """

    energy: FloatArray
    x: FloatArray
    y: FloatArray
    seed: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.energy)


@dataclass(frozen=True)
class ParticleGun:
    """Shoots one particle per event along +z.

    Args:
        particle: Name as Geant4 spells it, one of `PARTICLES`.
        spectrum: Of the kinetic energy (for electrons, photons and all energies far above the mass, the energy).
        half_width_x, half_width_y: The impact point at the front face is uniform within plus or minus these, [mm].

    Raises:
        RecipeError: If the particle is unknown or a width is negative.
    """

    particle: str
    spectrum: EnergySpectrum
    half_width_x: float = 0.0
    half_width_y: float = 0.0

    def __post_init__(self) -> None:
        if self.particle not in PARTICLES:
            raise RecipeError(f"unknown particle {self.particle!r}; {nearest(self.particle, PARTICLES)}")
        for axis, width in (("x", self.half_width_x), ("y", self.half_width_y)):
            if not (math.isfinite(width) and width >= 0):
                raise RecipeError(f"the half width in {axis} must be >= 0 mm; got {width}")
        object.__setattr__(self, "half_width_x", float(self.half_width_x))
        object.__setattr__(self, "half_width_y", float(self.half_width_y))

    def primaries(self, seed: int, first_event: int, n_events: int) -> Primaries:
        """The particles of events ``first_event`` to ``first_event + n_events``.

        Event k depends on (seed, k) alone: the counter-based Philox generator, keyed by the seed, is set to event k and
        gives the four 64-bit words of that event. So a sample does not depend on how it is cut into chunks.

        Raises:
            RecipeError: If seed or event numbers are negative.

        Example:
            >>> gun = ParticleGun("e-", parse_spectrum("0:10"))
            >>> bool(gun.primaries(1, 0, 8).energy[5] == gun.primaries(1, 5, 1).energy[0])
            True
        """
        if not 0 <= seed < 2**64:
            raise RecipeError(f"the seed must be in [0, 2^64); got {seed}")
        if first_event < 0 or n_events < 0:
            raise RecipeError(f"event numbers must be >= 0; got first {first_event}, count {n_events}")
        words = np.random.Philox(key=seed, counter=first_event).random_raw(4 * n_events).reshape(n_events, 4)
        # 52 bits plus a half: uniform in the open interval (0, 1), so that no particle has exactly zero energy
        u = ((words[:, :3] >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return Primaries(
            energy=_single(self.spectrum.quantile(u[:, 0])),
            x=_single(self.half_width_x * (2 * u[:, 1] - 1)),
            y=_single(self.half_width_y * (2 * u[:, 2] - 1)),
            seed=words[:, 3],
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; `from_dict` takes it back."""
        return {
            "particle": self.particle,
            "energy": self.spectrum.text,
            "half_width_x": self.half_width_x,
            "half_width_y": self.half_width_y,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ParticleGun:
        """Rebuild from `to_dict`.

        Raises:
            RecipeError: If a key is missing or unknown, or a value is not valid.
        """
        known = ("particle", "energy", "half_width_x", "half_width_y")
        for key in data:
            if key not in known:
                raise RecipeError(f"unknown key {key!r} of a particle gun; {nearest(key, known)}")
        for key in known[:2]:
            if key not in data:
                raise RecipeError(f"a particle gun needs {key!r}; got {sorted(data)}")
        return ParticleGun(
            particle=data["particle"],
            spectrum=parse_spectrum(str(data["energy"])),
            half_width_x=float(data.get("half_width_x", 0.0)),
            half_width_y=float(data.get("half_width_y", 0.0)),
        )


def default_half_widths(calorimeter: BoxCalorimeter) -> tuple[float, float]:
    """Spread (x, y) of the impact point when none is asked for, [mm].

    The published samples' for the detectors of the studies (sandwich 75 mm, PbWO4 block 20 mm); one cell to either side
    of the axis, at most the edge, for any other.

    Example:
        >>> from showercal.detectors import detector
        >>> default_half_widths(detector("pbwo4-block"))
        (20.0, 20.0)
    """
    if calorimeter.name in _PUBLISHED_HALF_WIDTHS:
        return _PUBLISHED_HALF_WIDTHS[calorimeter.name]
    return (
        min(calorimeter.cell_x, calorimeter.n_x * calorimeter.cell_x / 2),
        min(calorimeter.cell_y, calorimeter.n_y * calorimeter.cell_y / 2),
    )


def _single(values: FloatArray) -> FloatArray:
    return values.astype(np.float32).astype(np.float64)
