"""Distance correlation and mutual information: closed forms of the normal, independence, a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.evaluation import dependence
from showercal.evaluation._dependence import distance_correlation, mutual_information

FloatArray = NDArray[np.float64]


def normals(n: int, rho: float, seed: int) -> tuple[FloatArray, FloatArray]:
    x, z = np.random.default_rng(seed).standard_normal((2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * z


@pytest.mark.parametrize("rho", [0.3, 0.5, -0.8])
def test_closed_forms_of_the_normal(rho: float) -> None:
    """Distance correlation: Szekely, Rizzo, Bakirov, Ann. Statist. 35 (2007) 2769, theorem 7; MI: -ln(1 - rho^2)/2."""
    found = dependence(*normals(20_000, rho, seed=1))
    r = abs(rho)
    above = r * np.arcsin(r) + np.sqrt(1 - r**2) - r * np.arcsin(r / 2) - np.sqrt(4 - r**2) + 1
    assert found.dcor == pytest.approx(above / (1 + np.pi / 3 - np.sqrt(3)), abs=4.5 * found.dcor_error)
    # 20 bins a side lose a few per cent of the information, never add any
    information = -0.5 * np.log(1 - rho**2)
    assert 0.93 * information - 4 * found.mi_error < found.mi < information + 4 * found.mi_error
    assert 0 < found.dcor_error < 0.012
    assert 0 < found.mi_error < 0.02


def test_independent_quantities_share_nothing() -> None:
    """Both estimates scatter about 0 with the size of their errors, however few the events."""
    found = [dependence(*normals(500, 0, seed)) for seed in range(60)]
    for name in ("dcor", "mi"):
        values, errors = (np.array([getattr(one, key) for one in found]) for key in (name, f"{name}_error"))
        assert abs(values.mean()) < 4 * values.std(ddof=1) / np.sqrt(60), name
        assert np.any(values < 0), name
        # a jackknife overstates the error of a statistic that is quadratic at its minimum, by up to sqrt(2)
        assert 0.7 < errors.mean() / values.std() < 2.2, name


def test_errors_are_the_scatter_of_samples() -> None:
    found = [dependence(*normals(1_000, 0.6, seed)) for seed in range(60)]
    for name in ("dcor", "mi"):
        values, errors = (np.array([getattr(one, key) for one in found]) for key in (name, f"{name}_error"))
        assert errors.mean() / values.std() == pytest.approx(1, abs=0.35), name


def test_what_a_correlation_misses() -> None:
    x, noise = np.random.default_rng(2).standard_normal((2, 5_000))
    y = x**2 + 0.1 * noise
    found = dependence(x, y)
    assert found.dcor > 20 * found.dcor_error
    assert found.mi > 1


def test_fast_sums_against_the_matrix_of_distances() -> None:
    """U-centred distances of Szekely & Rizzo 2014, for all events and for parts of them; ties included."""
    rng = np.random.default_rng(3)
    x, y = np.round(rng.normal(size=77), 1), rng.normal(size=77) + 5
    y[:20] = x[:20]
    weights = np.concatenate([np.ones((1, 77)), (rng.uniform(size=(3, 77)) < 0.8).astype(float)])

    def centred(v: FloatArray) -> FloatArray:
        n = len(v)
        a = np.abs(v[:, None] - v)
        rows, total = a.sum(axis=0), a.sum()
        u: FloatArray = a - rows / (n - 2) - rows[:, None] / (n - 2) + total / ((n - 1) * (n - 2))
        np.fill_diagonal(u, 0)
        return u

    slow = []
    for w in weights:
        a, b = centred(x[w == 1]), centred(y[w == 1])
        slow.append(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))
    np.testing.assert_allclose(distance_correlation(x, y, weights), slow, rtol=1e-10)


def test_scale_and_offset_do_not_matter() -> None:
    x, y = normals(3_000, 0.4, seed=4)
    first, other = dependence(x, y), dependence(1e3 * x - 7, 5 + 1e-2 * y)
    assert other.dcor == pytest.approx(first.dcor, rel=1e-8)
    assert other.mi == first.mi


def test_information_of_a_copy_is_the_logarithm_of_the_bins() -> None:
    x = np.random.default_rng(5).uniform(size=100_000)
    found = mutual_information(x, x, np.ones((1, len(x))))
    assert found[0] == pytest.approx(np.log(20), abs=1e-3)


def test_a_constant_has_no_dependence_to_speak_of() -> None:
    found = dependence(np.random.default_rng(6).normal(size=200), np.full(200, 5.0))
    assert np.isnan([found.dcor, found.dcor_error, found.mi, found.mi_error]).all()


def test_a_beam_of_nearly_one_energy_is_no_crash() -> None:
    energy = np.full(200, 5.0)
    energy[3] = 7.0
    found = dependence(np.random.default_rng(7).normal(size=200), energy)
    assert np.isnan([found.dcor, found.dcor_error]).all()


def test_refusals() -> None:
    x = np.linspace(0, 1, 200)
    broken = x.copy()
    broken[4] = np.nan
    with pytest.raises(DataError, match=r"one shape \(B,\) with B >= 100; got \(200,\), \(199,\)"):
        dependence(x, x[1:])
    with pytest.raises(DataError, match=r"B >= 100; got \(99,\), \(99,\)"):
        dependence(x[:99], x[:99])
    with pytest.raises(DataError, match=r"must be finite; got nan and 0.02.* at event 4 \(1 of 200\)"):
        dependence(broken, x)
