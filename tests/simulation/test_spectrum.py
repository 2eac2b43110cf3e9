from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from showercal.errors import RecipeError
from showercal.simulation import (
    FixedEnergy,
    FlatSpectrum,
    HistogramSpectrum,
    LogFlatSpectrum,
    PowerLaw,
    parse_spectrum,
)
from showercal.simulation._spectrum import spectrum_from_json


@pytest.mark.parametrize("text", ["5", "0:10", "0.25:10", "50:8000:log", "1234567.25", "1,5,10", "30:150:power:-4"])
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


def test_power_law_has_its_density() -> None:
    """Of E^-4 from 30 to 150 the fraction below E is (1 - (30/E)^3) / (1 - (30/150)^3); likewise for any index."""
    u = (np.arange(2000) + 0.5) / 2000
    assert PowerLaw(30.0, 150.0, -4.0).quantile(u) == pytest.approx(30 * (1 - u * (1 - 0.2**3)) ** (-1 / 3))
    assert PowerLaw(1.0, 3.0, 0.0).quantile(u) == pytest.approx(FlatSpectrum(1.0, 3.0).quantile(u))
    # so near to -1 that a plain power would have lost half of its digits
    assert PowerLaw(1.0, 1e3, -1 + 1e-9).quantile(u) == pytest.approx(LogFlatSpectrum(1.0, 1e3).quantile(u), rel=1e-7)
    assert PowerLaw(1.0, 1e3, 2.0).quantile(np.array([1 - 2.0**-53])) <= 1e3


def test_each_energy_of_a_list_comes_equally_often() -> None:
    energies, counts = np.unique(parse_spectrum("10,1,5").quantile((np.arange(300) + 0.5) / 300), return_counts=True)
    assert energies.tolist() == [1, 5, 10]
    assert counts.tolist() == [100, 100, 100]


HISTOGRAM = HistogramSpectrum((0.0, 1.0, 3.0, 4.0), (2.0, 0.0, 6.0))


def test_histogram_gives_back_its_counts() -> None:
    energy = HISTOGRAM.quantile((np.arange(800) + 0.5) / 800)
    assert np.histogram(energy, HISTOGRAM.edges)[0].tolist() == [200, 0, 600]
    assert energy[energy > 3].mean() == pytest.approx(3.5)
    assert HISTOGRAM.quantile(np.array([2.0**-53]))[0] > 0
    assert HISTOGRAM.quantile(np.array([1 - 2.0**-53]))[0] <= 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spectrum.csv", "# edge, count\n0, 2\n1, 0\n3, 6\n4, 0\n"),
        ("spectrum.txt", "0 2  # first\n\n1 0\n3 6\n4 0"),
        ("spectrum.json", '{"edges": [0, 1, 3, 4], "counts": [2, 0, 6]}'),
    ],
)
def test_histogram_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    spectrum = parse_spectrum(str(tmp_path / name))
    assert spectrum == replace(HISTOGRAM, file=name)  # the folder is not told to others
    assert spectrum_from_json(json.loads(json.dumps(spectrum.to_json()))) == spectrum


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1 2\n2 3\n", "the last line of .* closes the last bin: expected its upper edge and 0; got 2.0 and 3.0"),
        ("1 2 3\n", "is no histogram of energies .*expected two columns of numbers"),
        ("1 two\n", "is no histogram of energies .*expected two columns of numbers"),
        ("", "is no histogram of energies"),
        ("2 1\n1 1\n3 0\n", r"must ascend from >= 0 GeV; got 1.0 as edge 1 in bad.txt"),
        ("-1 1\n1 0\n", r"must ascend from >= 0 GeV; got -1.0 as edge 0 in bad.txt"),
        ("1 -1\n2 0\n", r"counts .* must be >= 0 and not all 0; got -1.0 to -1.0 in bad.txt"),
        ("1 0\n2 0\n", r"not all 0"),
        ("1 0\n", r"needs one edge more than counts"),
    ],
)
def test_bad_histograms_are_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(RecipeError, match=fault):
        parse_spectrum(str(tmp_path / "bad.txt"))


def test_a_histogram_that_is_not_there_is_named() -> None:
    with pytest.raises(RecipeError, match=r"no histogram of energies at nowhere.csv"):
        parse_spectrum("nowhere.csv")


def test_fixed_energy_is_everywhere_the_same() -> None:
    assert FixedEnergy(5.0).quantile(np.array([0.1, 0.9])).tolist() == [5.0, 5.0]


@pytest.mark.parametrize("text", ["", "ten", "1:2:3", "1:2:lin", "5:log", "1:2:3:log", ":", "1,", "1,2:3", "1:2:power"])
def test_other_forms_are_refused_with_the_known_forms(text: str) -> None:
    with pytest.raises(RecipeError, match=r"written E, LOW:HIGH, LOW:HIGH:log, LOW:HIGH:power:INDEX or E1,E2"):
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
    with pytest.raises(RecipeError, match="must be > 0 GeV; got -5"):
        parse_spectrum("1,-5")
    with pytest.raises(RecipeError, match="power law must start above 0 GeV"):
        parse_spectrum("0:10:power:-2")
    with pytest.raises(RecipeError, match="other than -1"):
        parse_spectrum("1:10:power:-1")
