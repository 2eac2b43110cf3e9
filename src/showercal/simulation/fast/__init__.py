"""The fast simulator: showers particle by particle, with published cross sections, compiled by Numba."""
