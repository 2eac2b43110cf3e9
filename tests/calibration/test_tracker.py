"""Options of trackers: their resolution, what they measure, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from scipy import integrate

from showercal.calibration import LinearTracker, TableTracker, TrackerConfig

FloatArray = NDArray[np.float64]
ENERGIES = np.array([0.5, 50.0, 300.0, 1000.0, 8000.0])
TRACKERS = [LinearTracker(), TableTracker(energy=(10, 100, 1000), resolution_at=(0.03, 0.02, 0.1))]


def test_published_resolution() -> None:
    np.testing.assert_allclose(LinearTracker().resolution([1000.0, 4000.0]), [0.2, 0.8])


def test_a_table_of_two_points_is_a_power_law() -> None:
    table = TableTracker(energy=(100, 500), resolution_at=(0.02, 0.1))
    np.testing.assert_allclose(table.resolution(ENERGIES), LinearTracker().resolution(ENERGIES), rtol=1e-12)


def test_a_table_passes_through_its_points() -> None:
    table = TRACKERS[1]
    assert isinstance(table, TableTracker)
    np.testing.assert_allclose(table.resolution(table.energy), table.resolution_at, rtol=1e-12)
    between = table.resolution(np.sqrt(100 * 1000))
    np.testing.assert_allclose(between, np.sqrt(0.02 * 0.1), rtol=1e-12)


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda t: t.kind)
def test_what_is_measured_follows_the_likelihood(tracker: LinearTracker | TableTracker) -> None:
    n = 20_000
    for energy in ENERGIES[1:]:
        pull = (tracker.smeared(np.full(n, energy)) - energy) / tracker.width(energy)
        # four standard errors of mean and width
        assert abs(pull.mean()) < 4 / np.sqrt(n)
        assert abs(pull.std() - 1) < 4 / np.sqrt(2 * n)
        measured = energy + tracker.width(energy) * np.linspace(-9, 9, 2001)
        density = np.exp(tracker.log_likelihood(measured, np.full(2001, energy)))
        assert integrate.trapezoid(density, measured) == pytest.approx(1, abs=1e-9)


def test_the_seed_decides_the_smearing() -> None:
    first, again = (LinearTracker(seed=3).smeared(ENERGIES) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, LinearTracker(seed=4).smeared(ENERGIES))


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda t: t.kind)
def test_energies_below_all_have_a_width(tracker: LinearTracker | TableTracker) -> None:
    width = tracker.width(np.array([-100.0, 0.0, 1e-3]))
    assert np.all(width > 0)
    assert np.all(width == width[-1])


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda t: t.kind)
def test_options_survive_a_recipe(tracker: LinearTracker | TableTracker) -> None:
    adapter: TypeAdapter[TrackerConfig] = TypeAdapter(TrackerConfig)
    assert adapter.validate_python(tracker.model_dump(mode="json")) == tracker


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"energy": (1, 2), "resolution_at": (0.1,)}, "of one length; got 2 and 1 numbers"),
        ({"energy": (2, 1), "resolution_at": (0.1, 0.1)}, r"above 0 GeV and rise; got \(2.0, 1.0\)"),
        ({"energy": (0, 1), "resolution_at": (0.1, 0.1)}, "above 0 GeV and rise"),
        ({"energy": (1, 2), "resolution_at": (0.1, 0)}, r"must be above 0; got \(0.1, 0.0\)"),
        ({"energy": (1,), "resolution_at": (0.1,)}, "at least 2 items"),
    ],
)
def test_tables_that_are_no_curve_are_refused(options: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TableTracker(**options)  # type: ignore[arg-type]
