from __future__ import annotations

import numpy as np
import pytest

from showercal.errors import RecipeError
from showercal.simulation import Cone, Divergence, Parallel, parse_angle

U = np.random.default_rng(1).random((20_000, 2))


@pytest.mark.parametrize("text", ["0", "20", "20,90", "20,-45.5", "0:30", "5:6", "gauss:0.5"])
def test_text_round_trip_and_unit_vectors_towards_the_detector(text: str) -> None:
    spread = parse_angle(text)
    assert spread.text == text
    vectors = spread.directions(U[:100])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-15)
    assert vectors[:, 2].min() > 0


def test_a_leaning_beam() -> None:
    assert parse_angle("0").directions(U[:2]).tolist() == [[0, 0, 1]] * 2  # exactly: no photon leans by rounding
    assert Parallel(np.pi / 6, np.pi / 2).directions(U[:1])[0] == pytest.approx([0, 0.5, np.sqrt(0.75)])


def test_a_cone_is_uniform_in_solid_angle_and_azimuth() -> None:
    x, y, z = Cone(np.radians(10), np.radians(30)).directions(U).T
    low, high = np.cos(np.radians(30)), np.cos(np.radians(10))
    assert low <= z.min()
    assert z.max() <= high
    n = len(z)
    assert z.mean() == pytest.approx((low + high) / 2, abs=4 * (high - low) / np.sqrt(12 * n))
    assert z.var() == pytest.approx((high - low) ** 2 / 12, rel=4 / np.sqrt(n))
    azimuth = np.histogram(np.arctan2(y, x), 8, (-np.pi, np.pi))[0]
    assert np.abs(azimuth - n / 8).max() < 4 * np.sqrt(n / 8)


def test_a_narrow_cone_keeps_its_digits() -> None:
    vectors = Cone(0.0, 1e-9).directions(U)
    assert np.hypot(vectors[:, 0], vectors[:, 1]).mean() == pytest.approx(2e-9 / 3, rel=0.02)


def test_divergence_is_the_width_of_the_slopes() -> None:
    vectors = Divergence(0.01).directions(U)
    slopes = vectors[:, :2] / vectors[:, 2:]
    assert slopes.std(axis=0) == pytest.approx(np.tan(0.01), rel=4 / np.sqrt(2 * len(U)))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ten", "an angle is written THETA"),
        ("1,2,3", "an angle is written THETA"),
        ("1:2:3", "an angle is written THETA"),
        ("gauss:1,2", "an angle is written THETA"),
        ("90", r"must be in \[0, 90\) degrees, or the particle flies away from the detector; got 90"),
        ("180", "flies away from the detector; got 180"),
        ("-5", "flies away from the detector; got -5"),
        ("30:10", "needs 0 <= low < high in degrees; got 30 to 10"),
        ("gauss:0", "divergence of the beam must be > 0 degrees"),
        ("5,nan", "azimuth of the beam must be a number; got nan"),
    ],
)
def test_bad_angles_are_refused(text: str, fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        parse_angle(text)
