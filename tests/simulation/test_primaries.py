"""Where particles enter a calorimeter: straight lines into a box."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.detectors import BoxCalorimeter, Layer
from showercal.simulation import EventList, Primaries

BOX = BoxCalorimeter("box", (Layer("iron", 100.0),), 4, 2, 10.0, 10.0)  # |x| < 20, |y| < 10, 0 <= z < 100
LIGHT = 299.792458


def entering(columns: dict, particle: str = "gamma") -> Primaries:
    return EventList.from_arrays({"energy": 1.0, **columns}, particle=particle).primaries(1, 0, 1).entering(BOX)


def one(**place: float) -> Primaries:
    return entering({"energy": [[1.0]], "ux": 0.0, "uy": 0.0, "uz": 1.0, **place})


def test_a_particle_at_the_front_face_stays() -> None:
    shot = one(x=3.0, y=-9.0)
    assert (shot.x[0], shot.y[0], shot.z[0], shot.time[0]) == (3.0, -9.0, 0.0, 0.0)


def test_a_particle_from_far_in_front_is_moved_to_the_face_and_takes_its_time() -> None:
    shot = one(x=-5.0, z=-1000.0, ux=0.01, uz=1.0, time=2.0)
    assert shot.x[0] == pytest.approx(5.0)
    assert shot.z[0] == 0  # exactly: backends know the face by it
    assert shot.time[0] == pytest.approx(2 + 1000 * np.sqrt(1 + 1e-4) / LIGHT)


def test_a_slow_particle_takes_longer() -> None:
    shot = entering({"energy": [[0.93827208816 * 0.25]], "z": -LIGHT}, "proton")  # gamma 1.25: beta 0.6
    assert shot.time[0] == pytest.approx(1 / 0.6)


def test_a_particle_may_enter_by_a_side_face() -> None:
    shot = one(x=-30.0, z=-10.0, ux=0.5, uz=1.0)
    assert (shot.x[0], shot.z[0]) == (-20.0, pytest.approx(10.0))


def test_a_particle_inside_stays_and_may_fly_anywhere() -> None:
    shot = one(x=1.0, z=50.0, ux=0.6, uz=-0.8)
    assert (shot.x[0], shot.z[0], shot.uz[0], shot.time[0]) == (1.0, 50.0, pytest.approx(-0.8), 0.0)
    behind = one(z=150.0, uz=-1.0)
    assert (behind.z[0], behind.time[0]) == (100.0, pytest.approx(50 / LIGHT))


@pytest.mark.parametrize(
    "place",
    [
        {"x": 25.0},  # beside it
        {"x": 25.0, "ux": 0.1},  # flies away from its side
        {"x": 25.0, "z": -10.0, "ux": -0.01},  # would cross its plane behind it
        {"y": 9.0, "z": -100.0, "uy": 1.0},
        {"z": 150.0},
        {"z": 100.0},
    ],
)
def test_a_particle_that_passes_by_is_left_out(place: dict) -> None:
    shot = one(**place)
    assert len(shot) == 1  # its event is still there
    assert shot.offsets.tolist() == [0, 0]


def test_entry_points_agree_with_a_walk_in_small_steps() -> None:
    """The obviously right way: walk along the line until inside."""
    random = np.random.default_rng(2)
    n = 300
    place = random.uniform((-30, -15, -30), (30, 15, 0), (n, 3)).astype(np.float32).astype(float)
    columns = {name: [place[:, axis]] for axis, name in enumerate("xyz")}
    columns |= {name: [random.uniform(-1, 1, n)] for name in ("ux", "uy")} | {"uz": [random.uniform(0.3, 1, n)]}
    given = EventList.from_arrays({"energy": [np.arange(1.0, n + 1)], **columns}, particle="e-").primaries(1, 0, 1)
    entered = given.entering(BOX)
    direction = np.stack([given.ux, given.uy, given.uz], axis=1)
    path = np.arange(0, 400, 0.05)
    found = {}
    for k in range(n):
        walk = place[k] + path[:, None] * direction[k]
        inside = (np.abs(walk[:, 0]) < 20) & (np.abs(walk[:, 1]) < 10) & (walk[:, 2] >= 0) & (walk[:, 2] < 100)
        if inside.sum() > 2:  # shorter than a step or two across an edge: either answer
            found[k + 1.0] = walk[np.argmax(inside)]
    assert 0.2 * n < len(found) < 0.8 * n
    got = dict(zip(entered.energy, np.stack([entered.x, entered.y, entered.z], axis=1), strict=True))
    assert set(found) <= set(got)
    assert len(got) - len(found) < 0.05 * n
    for key, point in found.items():
        assert got[key] == pytest.approx(point, abs=0.06)


def test_truth_of_several_particles() -> None:
    listed = EventList.from_arrays(
        {
            "energy": [[30.0, 10.0], [], [2.0]],
            "x": [[4.0, -4.0], [], [1.5]],
            "z": [[0.0, -10.0], [], [50.0]],
            "ux": 0.0,
            "uy": [[0.0, 0.5], [], [0.0]],
            "uz": 1.0,
        },
        particle="e+",
    ).primaries(1, 0, 3)
    assert listed.energy_true.tolist() == [40.0, 0.0, 2.0]
    x, y = listed.impact
    assert x == pytest.approx([2.0, 0.0, 1.5])
    assert y == pytest.approx([10 * 5 / 40, 0.0, 0.0])
