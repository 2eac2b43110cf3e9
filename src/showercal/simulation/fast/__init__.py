"""The fast simulator: showers particle by particle, with published cross sections, compiled by Numba."""

from showercal.simulation.fast._backend import FastBackend
from showercal.simulation.fast._options import FastOptions

__all__ = ["FastBackend", "FastOptions"]
