"""Tables of the muon's hard losses by material and energy: how often they happen and how large they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import Material
from showercal.simulation.fast import _muon_losses as losses
from showercal.simulation.fast._constants import MUON_MASS
from showercal.simulation.fast._medium import MAX_MATERIALS
from showercal.simulation.fast._records import new_record

FloatArray = NDArray[np.float64]

# Processes, by place in the tables.
KNOCK_ON: Final = 0
BREMSSTRAHLUNG: Final = 1
PAIRS: Final = 2
NUCLEAR: Final = 3
_SPECTRA: Final = (losses.knock_on, losses.bremsstrahlung, losses.pair_production, losses.photonuclear)
N_PROCESSES: Final = len(_SPECTRA)

LOWEST: Final = 10.0  # kinetic energy of the muon where the tables begin, [MeV]
PER_FOLD: Final = 4.0  # rows in a factor e of energy
N_ENERGIES: Final = 58  # up to 15 TeV
ENERGIES: Final[FloatArray] = LOWEST * np.exp(np.arange(N_ENERGIES) / PER_FOLD)
DEPTH: Final = 22.0  # -ln of the smallest share of losses that the tables resolve
N_SHARES: Final = 111
# Shares are finest near 1, where most losses are: -ln of the share grows as the square of the column.
SHARES: Final[FloatArray] = np.exp(-DEPTH * (np.arange(N_SHARES) / (N_SHARES - 1)) ** 2)
_N_TRANSFERS: Final = 120  # points of the integrals over the transfer


# Tables of materials at the kinetic energies of `ENERGIES`.
MUON_TABLES: Final = np.dtype(
    [
        ("cut", np.float64, MAX_MATERIALS),  # energy transfer above which a loss is hard, [MeV]
        # mean loss below the cut beside ionisation: radiation, pairs, radiation with knock-on electrons, [MeV/mm]
        ("soft", np.float64, (MAX_MATERIALS, N_ENERGIES)),
        # hard losses per path by a process and those before it, [1/mm]; the last: all
        ("rate", np.float64, (MAX_MATERIALS, N_ENERGIES, N_PROCESSES)),
        # ln of the transfer over the cut which a share SHARES of the hard losses by a process exceeds
        ("transfer", np.float64, (MAX_MATERIALS, N_PROCESSES, N_ENERGIES, N_SHARES)),
    ],
    align=True,
)


def build_muon_tables(materials: Sequence[Material], cuts: Sequence[float], *, nuclear: bool) -> Any:
    """A record of layout `MUON_TABLES`.

    Args:
        materials: In the order of the medium's materials.
        cuts: Energy transfers above which losses are hard, one per material, [MeV].
        nuclear: Whether muons interact with nuclei.
    """
    tables = new_record(MUON_TABLES)
    for m, material in enumerate(materials):
        cut = tables.cut[m] = float(cuts[m])
        tables.soft[m] = _soft(material, cut)
        total = np.zeros(N_ENERGIES)
        for process, spectrum in enumerate(_SPECTRA):
            if process != NUCLEAR or nuclear:
                rate, tables.transfer[m, process] = _process(spectrum, material, cut)
                total = total + rate
            tables.rate[m, :, process] = total
    return tables


def _process(spectrum: losses.Spectrum, material: Material, cut: float) -> tuple[FloatArray, FloatArray]:
    """(rate above the cut, shape (N,), [1/mm]; ln of transfers over the cut at the shares, shape (N, K))."""
    energy = (ENERGIES + MUON_MASS)[:, None]
    span = np.log(np.maximum(ENERGIES / cut, 1.0001))[:, None]
    # denser at the upper end, where spectra are cut off
    place = np.sin(np.linspace(0, math.pi / 2, _N_TRANSFERS))
    logarithm = span * place
    density = losses.macroscopic(spectrum, material, energy, cut * np.exp(logarithm))
    pieces = 0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(logarithm, axis=1)
    above = np.zeros_like(density)
    above[:, :-1] = np.cumsum(pieces[:, ::-1], axis=1)[:, ::-1]
    rate = above[:, 0].copy()
    wanted = -np.log(SHARES)
    table = np.zeros((len(ENERGIES), N_SHARES))
    for k in range(len(ENERGIES)):
        if rate[k] > 0:
            is_open = above[k] > 0
            share = np.log(above[k, is_open] / rate[k])
            table[k] = np.interp(wanted, -share, logarithm[k, is_open])
    return rate, table


def _soft(material: Material, cut: float) -> FloatArray:
    """Mean loss below the cut beside ionisation, shape (N,), [MeV/mm]."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    energy = (ENERGIES + MUON_MASS)[:, None]
    span = math.log(1e4)
    transfer = cut * np.exp(span * 0.5 * (nodes - 1))
    below = transfer < ENERGIES[:, None]
    density = losses.macroscopic(losses.bremsstrahlung, material, energy, transfer)
    density += losses.macroscopic(losses.pair_production, material, energy, transfer)
    correction = losses.radiative_correction(energy, np.minimum(transfer, ENERGIES[:, None]))
    density += losses.macroscopic(losses.knock_on, material, energy, transfer) * correction / (1 + correction)
    return np.asarray(np.sum(0.5 * span * weights * np.where(below, transfer * density, 0.0), axis=1))
