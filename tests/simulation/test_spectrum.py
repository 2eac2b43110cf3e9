from __future__ import annotations

import numpy as np
import pytest

from showercal.errors import RecipeError
from showercal.simulation import FixedEnergy, FlatSpectrum, LogFlatSpectrum, parse_spectrum


@pytest.mark.parametrize("text", ["5", "0:10", "0.25:10", "50:8000:log", "1234567.25"])
def test_text_round_trip(text: str) -> None:
    spectrum = parse_spectrum(text)
    assert parse_spectrum(spectrum.text) == spectrum
    assert spectrum.text == text


def test_flat_spectrum_has_the_moments_of_a_uniform_distribution() -> None:
    u = (np.arange(1000) + 0.5) / 1000
    energy = FlatSpectrum(2.0, 8.0).quantile(u)
    assert energy.mean() == pytest.approx(5.0)
    assert energy.std() == pytest.approx(6 / np.sqrt(12), rel=1e-5)


def test_log_flat_spectrum_puts_equal_numbers_in_each_decade() -> None:
    u = (np.arange(3000) + 0.5) / 3000
    counts, _ = np.histogram(LogFlatSpectrum(1.0, 1000.0).quantile(u), [1, 10, 100, 1000])
    assert counts.tolist() == [1000, 1000, 1000]


def test_fixed_energy_is_everywhere_the_same() -> None:
    assert FixedEnergy(5.0).quantile(np.array([0.1, 0.9])).tolist() == [5.0, 5.0]


@pytest.mark.parametrize("text", ["", "ten", "1:2:3", "1:2:lin", "5:log", "1:2:3:log", ":", "1,2"])
def test_other_forms_are_refused_with_the_known_forms(text: str) -> None:
    with pytest.raises(RecipeError, match=r"written E, LOW:HIGH or LOW:HIGH:log in GeV"):
        parse_spectrum(text)


@pytest.mark.parametrize("text", ["10:0", "3:3", "-1:5", "nan:5", "0:inf"])
def test_limits_out_of_order_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="0 <= low < high"):
        parse_spectrum(text)


def test_log_spectrum_from_zero_and_energy_zero_are_refused() -> None:
    with pytest.raises(RecipeError, match="must start above 0 GeV"):
        parse_spectrum("0:10:log")
    with pytest.raises(RecipeError, match="must be > 0 GeV; got 0"):
        parse_spectrum("0")
