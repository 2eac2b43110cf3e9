import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showercal.detectors import DETECTORS, BoxCalorimeter, Layer, Material, detector
from showercal.errors import GeometryError

layers = st.builds(
    Layer,
    active=st.just("silicon"),
    active_thickness=st.floats(0.1, 50),
    absorber=st.just("tungsten"),
    absorber_thickness=st.floats(0.1, 50),
)
boxes = st.builds(
    BoxCalorimeter,
    name=st.just("box"),
    layers=st.lists(layers, min_size=1, max_size=5).map(tuple),
    n_x=st.integers(1, 6),
    n_y=st.integers(1, 6),
    cell_x=st.floats(0.5, 100),
    cell_y=st.floats(0.5, 100),
)


def slow_cells(box):
    """Every (layer, ix, iy) in the order of its number, by plain loops."""
    return [(layer, ix, iy) for layer in range(box.n_layers) for ix in range(box.n_x) for iy in range(box.n_y)]


def slow_position(box, layer, ix, iy):
    """Centre of a cell's active part, walking from the corner."""
    z = sum(one.active_thickness + one.absorber_thickness for one in box.layers[:layer])
    x = -box.n_x * box.cell_x / 2 + ix * box.cell_x + box.cell_x / 2
    y = -box.n_y * box.cell_y / 2 + iy * box.cell_y + box.cell_y / 2
    return x, y, z + box.layers[layer].active_thickness / 2


@given(boxes)
def test_numbering_equals_the_loop(box):
    expected = slow_cells(box)
    assert len(expected) == box.n_cells == np.prod(box.shape)
    index = np.stack(box.cell_index(np.arange(box.n_cells)), axis=-1)
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_array_equal(box.cell_number(*index.T), np.arange(box.n_cells))


@given(boxes)
def test_positions_equal_the_loop_and_lead_back(box):
    cells = np.arange(box.n_cells)
    position = box.cell_position(cells)
    expected = [slow_position(box, *cell) for cell in slow_cells(box)]
    np.testing.assert_allclose(position, expected, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(box.cell_at(position), cells)


@given(boxes, st.floats(-0.49, 0.49), st.floats(-0.49, 0.49), st.floats(-0.49, 0.49), st.data())
def test_any_point_of_a_cell_leads_to_it(box, u, v, w, data):
    cell = data.draw(st.integers(0, box.n_cells - 1))
    layer = int(box.cell_index(cell)[0])
    size = np.array([box.cell_x, box.cell_y, box.layers[layer].active_thickness])
    assert box.cell_at(box.cell_position(cell) + size * [u, v, w]) == cell


@given(boxes)
def test_points_outside_the_active_material(box):
    inside = box.cell_position(0)
    far = box.width[0]
    behind = box.layers[0].active_thickness * 0.5 + box.layers[0].absorber_thickness * 0.5
    for shift in ([far, 0, 0], [-far, 0, 0], [0, box.width[1], 0], [0, 0, -box.depth], [0, 0, box.depth + 1]):
        assert box.cell_at(inside + shift) == -1
    assert box.cell_at(inside + np.array([0, 0, behind])) == -1  # in the absorber


@given(boxes)
def test_json_round_trip(box):
    assert BoxCalorimeter.from_json(box.to_json()) == box
    assert BoxCalorimeter.from_json(box.to_json()).fingerprint == box.fingerprint


@pytest.mark.parametrize("name", DETECTORS)
def test_catalogue_round_trip(name, tmp_path):
    box = detector(name)
    assert BoxCalorimeter.from_json(box.to_json()) == box
    (tmp_path / "box.json").write_text(box.to_json())
    assert detector(str(tmp_path / "box.json")) == box


def test_fingerprint_tells_geometries_apart():
    box = detector("toy-sandwich")
    assert replace(box, cell_x=75.1).fingerprint != box.fingerprint


def test_own_materials_survive_and_take_precedence():
    glass = Material("lead", 5.0, {"Pb": 0.5, "O": 0.5})
    box = BoxCalorimeter("own", (Layer("lead", 10.0),), 2, 2, 10.0, 10.0, materials={"lead": glass})
    assert box.material("lead") == glass
    assert BoxCalorimeter.from_json(box.to_json()) == box


def test_sandwich_as_published():
    box = detector("toy-sandwich")
    assert (box.n_layers, box.n_cells, box.width) == (17, 1088, (600.0, 600.0))
    assert box.depth == pytest.approx(931.5)
    scintillator = sum(layer.active_thickness for layer in box.layers)
    assert scintillator == pytest.approx(9 + 15 * 3.7 + 9)
    # by hand from PDG lengths: steel 115 mm / 17.4, brass 743 mm / 14.9, plastic 73.5 mm / 425
    assert box.depth_in_radiation_lengths()[-1] == pytest.approx(56.6, rel=0.01)


def test_block_as_published():
    box = detector("pbwo4-block")
    assert box.n_cells == 51_200
    assert box.depth == pytest.approx(2032.0)
    assert box.width == (120.0, 120.0)
    assert box.magnetic_field == (0.0, 2.0, 0.0)
    # PDG: X0 = 0.8903 cm and lambda_I = 20.27 cm at 8.30 g/cm3, here 8.28
    assert box.depth_in_radiation_lengths()[-1] == pytest.approx(203.2 / 0.8903 * 8.28 / 8.30, rel=3e-3)
    assert box.depth_in_interaction_lengths()[-1] == pytest.approx(203.2 / 20.27 * 8.28 / 8.30, rel=6e-3)


def test_depths_add_up_layer_by_layer():
    box = detector("toy-sandwich")
    total = 0.0
    for layer, depth in zip(box.layers, box.depth_in_radiation_lengths(), strict=True):
        total += layer.active_thickness / box.material(layer.active).radiation_length
        if layer.absorber is not None:
            total += layer.absorber_thickness / box.material(layer.absorber).radiation_length
        assert depth == pytest.approx(total)


def test_cells_outside_are_refused():
    box = detector("toy-sandwich")
    with pytest.raises(GeometryError, match=r"run from 0 to 1087 .*got 1088 at entry 1 \(2 outside\) in cell_index"):
        box.cell_index([3, 1088, -1])
    with pytest.raises(GeometryError, match=r"layer must be in \[0, 17\) in 'toy-sandwich'; got 17 \.\. 17"):
        box.cell_number(17, 0, 0)


def box_with(**changes):
    given = {"name": "b", "layers": (Layer("iron", 1.0),), "n_x": 2, "n_y": 2, "cell_x": 1.0, "cell_y": 1.0}
    return lambda: BoxCalorimeter(**(given | changes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (box_with(layers=()), r"'b' has no layers; give at least one"),
        (box_with(n_x=0), r"n_x and n_y must be >= 1; got 0, 2"),
        (box_with(cell_y=0.0), r"cells must be > 0 mm; got 1\.0 x 0\.0"),
        (box_with(magnetic_field=(1.0,)), r"magnetic field needs 3 components"),
        (box_with(layers=(Layer("irn", 1.0),)), r"unknown material 'irn'; nearest known: 'iron'"),
        (lambda: Layer("iron", -1.0), r"active thickness must be > 0 mm; got -1\.0"),
        (lambda: Layer("iron", 1.0, None, 5.0), r"absorber thickness is 5\.0 mm but no absorber is named"),
        (lambda: Layer("iron", 1.0, "lead"), r"absorber thickness must be > 0 mm; got 0\.0 for 'lead'"),
        (lambda: detector("toy-sandwhich"), r"unknown detector 'toy-sandwhich'; nearest known: 'toy-sandwich'"),
        (lambda: detector("none.json"), r"no geometry file at none\.json"),
    ],
)
def test_nonsense_is_refused(make, message):
    with pytest.raises(GeometryError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_xx": 3}, r"unknown key 'n_xx' in the geometry; nearest known: 'n_x'"),
        ({"family": "sphere"}, r"expected a calorimeter of family 'box'; got 'sphere'"),
        ({"layers": [{"active": "iron"}]}, r"incomplete or malformed"),
    ],
)
def test_malformed_files_are_refused(change, message, tmp_path):
    with pytest.raises(GeometryError, match=message):
        BoxCalorimeter.from_dict(detector("toy-sandwich").to_dict() | change)
    (tmp_path / "g.json").write_text("{")
    with pytest.raises(GeometryError, match=r"g\.json is not valid JSON"):
        detector(str(tmp_path / "g.json"))
    (tmp_path / "g.json").write_text(json.dumps(detector("toy-sandwich").to_dict() | change))
    with pytest.raises(GeometryError, match=message):
        detector(str(tmp_path / "g.json"))
