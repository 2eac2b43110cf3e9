"""The particle gun: one particle per event, at the front face of the calorimeter."""

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
from showercal.simulation._angle import AngleSpread, Parallel, parse_angle
from showercal.simulation._particles import particle_kind
from showercal.simulation._primaries import Primaries, event_words, single, uniform
from showercal.simulation._source import ParticleSource, number_text
from showercal.simulation._spectrum import EnergySpectrum, spectrum_from_json

FloatArray = NDArray[np.float64]

# Spread of the published samples: four central tiles of the sandwich, a third of the width of the block.
_PUBLISHED_HALF_WIDTHS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"toy-sandwich": (75.0, 75.0), "pbwo4-block": (20.0, 20.0)}
)
_ALONG_Z: Final = Parallel()
_ALWAYS_TOLD: Final = ("particle", "energy", "half_width_x", "half_width_y")


@dataclass(frozen=True)
class ParticleGun(ParticleSource):
    """Shoots one particle per event from the front face.

    The impact point is the sum of the centre, a uniform and a normal number, in x and in y.

    Args:
        particle: Name as Geant4 spells it, one of `PARTICLES`.
        spectrum: Of the kinetic energy (for electrons, photons and all energies far above the mass, the energy).
        half_width_x, half_width_y: The impact point is uniform within plus or minus these, [mm].
        sigma_x, sigma_y: And normal with these widths, [mm].
        centre_x, centre_y: About this point, [mm].
        angle: Directions; along +z by default.

    Raises:
        RecipeError: If the particle is unknown or a width is negative.
    """

    particle: str
    spectrum: EnergySpectrum
    half_width_x: float = 0.0
    half_width_y: float = 0.0
    sigma_x: float = 0.0
    sigma_y: float = 0.0
    centre_x: float = 0.0
    centre_y: float = 0.0
    angle: AngleSpread = _ALONG_Z

    def __post_init__(self) -> None:
        particle_kind(self.particle)
        for axis in ("x", "y"):
            for name, low in (("half_width", 0.0), ("sigma", 0.0), ("centre", -math.inf)):
                value = float(getattr(self, f"{name}_{axis}"))
                if not (math.isfinite(value) and value >= low):
                    what = f"the {name.replace('_', ' ')} in {axis} must be {'>= 0' if low == 0 else 'a number of'} mm"
                    raise RecipeError(f"{what}; got {value:g}")
                object.__setattr__(self, f"{name}_{axis}", value)

    @property
    def name(self) -> str:
        return "gun"

    @property
    def title(self) -> str:
        return self.particle

    @property
    def particles(self) -> tuple[str, ...]:
        return (self.particle,)

    @property
    def n_events(self) -> None:
        return None

    @property
    def keeps_particles(self) -> bool:
        return self.angle != _ALONG_Z

    def primaries(self, seed: int, first_event: int, n_events: int) -> Primaries:
        """The particles of events ``first_event`` to ``first_event + n_events``.

        Raises:
            RecipeError: If seed or event numbers are negative.

        Example:
            >>> from showercal.simulation import parse_spectrum
            >>> gun = ParticleGun("e-", parse_spectrum("0:10"))
            >>> bool(gun.primaries(1, 0, 8).energy[5] == gun.primaries(1, 5, 1).energy[0])
            True
        """
        words = event_words(seed, first_event, n_events)
        more = uniform(event_words(seed, first_event, n_events, stream=1))
        u, zero = uniform(words[:, :3]), np.zeros(n_events)
        direction = self.angle.directions(more[:, :2])
        return Primaries(
            kind=np.full(n_events, particle_kind(self.particle)),
            energy=single(self.spectrum.quantile(u[:, 0])),
            x=single(_place(self.centre_x, self.half_width_x, self.sigma_x, u[:, 1], more[:, 2])),
            y=single(_place(self.centre_y, self.half_width_y, self.sigma_y, u[:, 2], more[:, 3])),
            z=zero,
            ux=direction[:, 0],
            uy=direction[:, 1],
            uz=direction[:, 2],
            time=zero,
            offsets=np.arange(n_events + 1),
            seed=words[:, 3],
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; `from_dict` takes it back. Beyond the first four, what is not used is left out."""
        known = {
            "particle": self.particle,
            "energy": self.spectrum.to_json(),
            "half_width_x": self.half_width_x,
            "half_width_y": self.half_width_y,
            "sigma_x": self.sigma_x,
            "sigma_y": self.sigma_y,
            "centre_x": self.centre_x,
            "centre_y": self.centre_y,
            "angle": None if self.angle == _ALONG_Z else self.angle.text,
        }
        return {key: value for key, value in known.items() if value or key in _ALWAYS_TOLD}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ParticleGun:
        """Rebuild from `to_dict`.

        Raises:
            RecipeError: If a key is missing or unknown, or a value is not valid.
        """
        numbers = ("half_width_x", "half_width_y", "sigma_x", "sigma_y", "centre_x", "centre_y")
        for key in data:
            if key not in (known := ("particle", "energy", *numbers, "angle")):
                raise RecipeError(f"unknown key {key!r} of a particle gun; {nearest(key, known)}")
        for key in ("particle", "energy"):
            if key not in data:
                raise RecipeError(f"a particle gun needs {key!r}; got {sorted(data)}")
        return ParticleGun(
            particle=data["particle"],
            spectrum=spectrum_from_json(data["energy"]),
            angle=parse_angle(data["angle"]) if "angle" in data else _ALONG_Z,
            **{key: float(data[key]) for key in numbers if key in data},
        )

    def command_options(self) -> list[str]:
        words = ["--particle", self.particle, "--energy", self.spectrum.text]
        words += ["--position", _pair(self.half_width_x, self.half_width_y)]
        if self.sigma_x or self.sigma_y:
            words += ["--beam-spot", _pair(self.sigma_x, self.sigma_y)]
        if self.centre_x or self.centre_y:
            words.append(f"--centre={_pair(self.centre_x, self.centre_y)}")  # may begin with a minus
        if self.angle != _ALONG_Z:
            words += ["--angle", self.angle.text]
        return words


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


def _pair(x: float, y: float) -> str:
    return f"{number_text(x)},{number_text(y)}"


def _place(centre: float, half_width: float, sigma: float, u: FloatArray, u_normal: FloatArray) -> FloatArray:
    """Impact points along one axis, shape (B,), [mm]."""
    place = centre + half_width * (2 * u - 1)
    if sigma > 0:
        from scipy.special import ndtri

        place = place + sigma * ndtri(u_normal)
    return place
