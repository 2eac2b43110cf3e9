from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from showercal.detectors import detector
from showercal.errors import RecipeError
from showercal.simulation import HistogramSpectrum, ParticleGun, default_half_widths, parse_angle, parse_spectrum

GUN = ParticleGun("e-", parse_spectrum("0:10"), 75.0, 20.0)
WIDE = replace(
    GUN,
    spectrum=HistogramSpectrum((1.0, 2.0, 4.0), (1.0, 3.0)),
    half_width_x=0.0,
    sigma_x=3.0,
    sigma_y=5.0,
    centre_x=-37.5,
    angle=parse_angle("gauss:2"),
)


@pytest.mark.parametrize("gun", [GUN, WIDE])
def test_json_round_trip(gun: ParticleGun) -> None:
    assert ParticleGun.from_dict(json.loads(json.dumps(gun.to_dict()))) == gun


def test_an_event_depends_on_seed_and_number_only() -> None:
    whole = WIDE.primaries(7, 0, 100)
    for first, count in ((0, 1), (3, 20), (99, 1)):
        part = WIDE.primaries(7, first, count)
        for name in ("energy", "x", "y", "ux", "uy", "seed"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[first : first + count])


def test_other_seeds_give_other_events() -> None:
    one, two = GUN.primaries(1, 0, 1000), GUN.primaries(2, 0, 1000)
    assert len(np.intersect1d(one.seed, two.seed)) == 0
    assert abs(np.corrcoef(one.energy, two.energy)[0, 1]) < 0.15  # 1/sqrt(1000) = 0.03


def test_energy_and_position_are_uniform_and_independent() -> None:
    n = 20_000
    shot = GUN.primaries(3, 0, n)
    for values, low, width in ((shot.energy, 0, 10), (shot.x, -75, 150), (shot.y, -20, 40)):
        assert stats.kstest(values, "uniform", (low, width)).pvalue > 1e-3
    table = np.corrcoef([shot.energy, shot.x, shot.y])
    assert np.abs(table - np.eye(3)).max() < 4 / np.sqrt(n)
    assert len(np.unique(shot.seed)) == n


def test_a_plain_gun_shoots_along_z_from_the_front_face() -> None:
    shot = GUN.primaries(3, 0, 5)
    assert len(shot) == 5
    assert shot.offsets.tolist() == [0, 1, 2, 3, 4, 5]
    assert shot.kind.tolist() == [0] * 5
    assert np.all(shot.uz == 1)
    assert not (shot.z.any() or shot.ux.any() or shot.uy.any() or shot.time.any())
    assert np.array_equal(shot.energy_true, shot.energy)
    assert np.array_equal(shot.impact, [shot.x, shot.y])
    assert not GUN.keeps_particles
    assert WIDE.keeps_particles


def test_beam_spot_and_divergence_are_normal_and_independent() -> None:
    n = 20_000
    shot = WIDE.primaries(3, 0, n)
    slope_x, slope_y = shot.ux / shot.uz, shot.uy / shot.uz
    width = np.tan(np.radians(2))
    for values, centre, sigma in ((shot.x, -37.5, 3), (slope_x, 0, width), (slope_y, 0, width)):
        assert stats.kstest(values, "norm", (centre, sigma)).pvalue > 1e-3
    # uniform in +-20 and normal with 5: variances add
    assert shot.y.var() == pytest.approx(40**2 / 12 + 5**2, rel=4 * np.sqrt(2 / n))
    table = np.corrcoef([shot.energy, shot.x, shot.y, slope_x, slope_y])
    assert np.abs(table - np.eye(5)).max() < 4 / np.sqrt(n)


def test_other_spreads_leave_energy_and_showers_alone() -> None:
    """So that a study of angles compares like with like."""
    plain, leaning = GUN.primaries(5, 0, 50), replace(GUN, angle=parse_angle("20,90")).primaries(5, 0, 50)
    for name in ("energy", "x", "y", "seed"):
        assert np.array_equal(getattr(plain, name), getattr(leaning, name))
    assert leaning.uy == pytest.approx(np.sin(np.radians(20)))


def test_stored_precision_is_the_simulated_one() -> None:
    shot = GUN.primaries(3, 0, 1000)
    assert np.array_equal(shot.energy.astype(np.float32).astype(np.float64), shot.energy)
    assert shot.energy.min() > 0


def test_default_spread_is_the_published_one_or_a_cell_to_either_side() -> None:
    sandwich = detector("toy-sandwich")
    assert default_half_widths(sandwich) == (75.0, 75.0)
    assert default_half_widths(replace(sandwich, name="mine", cell_x=10.0, n_y=1)) == (10.0, 37.5)


def test_unknown_particle_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"unknown particle 'protn'; nearest known: 'proton'"):
        replace(GUN, particle="protn")


def test_bad_values_are_refused() -> None:
    with pytest.raises(RecipeError, match="half width in x must be >= 0 mm; got -1"):
        replace(GUN, half_width_x=-1)
    with pytest.raises(RecipeError, match="sigma in y must be >= 0 mm; got -2"):
        replace(GUN, sigma_y=-2)
    with pytest.raises(RecipeError, match="centre in x must be a number of mm; got nan"):
        replace(GUN, centre_x=float("nan"))
    with pytest.raises(RecipeError, match="seed must be in"):
        GUN.primaries(-1, 0, 1)
    with pytest.raises(RecipeError, match="event numbers must be >= 0"):
        GUN.primaries(1, -1, 1)
    with pytest.raises(RecipeError, match=r"unknown key 'enrgy' of a particle gun; nearest known: 'energy'"):
        ParticleGun.from_dict({"particle": "e-", "enrgy": "5"})
    with pytest.raises(RecipeError, match="a particle gun needs 'energy'"):
        ParticleGun.from_dict({"particle": "e-"})
