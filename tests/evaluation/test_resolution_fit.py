"""The resolution curve recovered with honest errors."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.errors import DataError
from showercal.evaluation import TERMS as TERM_NAMES
from showercal.evaluation import fit_resolution, resolution_curve

ENERGY = np.geomspace(1, 200, 25)
TERMS = np.array([0.5, 0.3, 0.02])  # a [sqrt(GeV)], b [GeV], c


def test_terms_by_their_dependence_on_the_energy() -> None:
    """a falls with the root of the energy, b (noise) with the energy, c (constant) stays."""
    assert TERM_NAMES == ("stochastic_term", "noise_term", "constant_term")
    energy = np.array([1.0, 100.0])
    np.testing.assert_allclose(
        resolution_curve(energy, stochastic_term=0.5, noise_term=0, constant_term=0), [0.5, 0.05]
    )
    np.testing.assert_allclose(
        resolution_curve(energy, stochastic_term=0, noise_term=0.3, constant_term=0), [0.3, 0.003]
    )
    np.testing.assert_allclose(resolution_curve(energy, stochastic_term=0, noise_term=0, constant_term=0.02), 0.02)
    assert resolution_curve(1.0, 3, 4, 12) == 13  # the sum in quadrature


def test_exact_points_give_the_terms_back() -> None:
    resolution = resolution_curve(ENERGY, *TERMS)
    fit = fit_resolution(ENERGY, resolution, 0.01 * resolution)
    assert fit.is_valid
    assert fit.ndf == 22
    assert fit.chi2 < 1e-3
    np.testing.assert_allclose(fit.values, TERMS, rtol=1e-3)


def test_pulls_and_chi2() -> None:
    resolution = resolution_curve(ENERGY, *TERMS)
    rng = np.random.default_rng(1)
    pulls, chi2 = [], []
    for _ in range(150):
        fit = fit_resolution(ENERGY, resolution + 0.01 * resolution * rng.standard_normal(25), 0.01 * resolution)
        pulls.append((fit.values - TERMS) / np.sqrt(np.diag(fit.covariance)))
        chi2.append(fit.chi2)
    # 150 toys: mean 0 +- 0.08, width 1 +- 0.06, mean chi2 22 +- sqrt(44 / 150); four standard deviations
    assert np.all(abs(np.mean(pulls, axis=0)) < 0.33)
    assert np.all(abs(np.std(pulls, axis=0) - 1) < 0.24)
    assert np.mean(chi2) == pytest.approx(22, abs=4 * np.sqrt(44 / 150))


def test_errors_are_the_usual_ones_far_from_the_limit() -> None:
    resolution = resolution_curve(ENERGY, *TERMS)
    fit = fit_resolution(ENERGY, resolution, 1e-3 * resolution)
    np.testing.assert_allclose(fit.errors, np.sqrt(np.diag(fit.covariance)), rtol=0.02)


def test_absent_terms_stay_near_zero_with_finite_errors() -> None:
    resolution = resolution_curve(ENERGY, 0.5, 0, 0)
    rng = np.random.default_rng(2)
    for _ in range(20):
        fit = fit_resolution(ENERGY, resolution * (1 + 0.01 * rng.standard_normal(25)), 0.01 * resolution)
        assert fit.values[0] == pytest.approx(0.5, abs=0.02)
        assert np.all(np.isfinite(fit.errors))
        assert np.all(fit.values >= 0)
        assert np.all(fit.values[1:] < 4 * (fit.values + fit.errors)[1:])
        assert np.all(fit.errors[1:] < 0.2)


def test_refusals() -> None:
    good = np.ones(5)
    with pytest.raises(DataError, match=r"one shape \(K,\); got \(5,\), \(4,\), \(5,\)"):
        fit_resolution(good, good[:4], good)
    with pytest.raises(DataError, match="three terms needs >= 4 points; got 3"):
        fit_resolution(good[:3], good[:3], good[:3])
    with pytest.raises(DataError, match=r"error must be finite and > 0 in a resolution fit; got 0.0 at point 0"):
        fit_resolution(good, good, 0 * good)
