import pytest
import yaml

from showercal import detector
from showercal.errors import RecipeError
from showercal.readers import Mapping, load_mapping, packaged_mappings

GOOD = """
format: parquet
geometry: toy-sandwich
fields:
  energy_true: {branch: e, unit: GeV}
  cells.id: {branch: cell, unit: 1}
  cells.energy: {branch: dep, unit: MeV}
select: energy_true > 0.5
"""


@pytest.mark.parametrize("name", packaged_mappings())
def test_packaged_mappings_are_valid(name):
    mapping = load_mapping(name)
    assert mapping.description
    assert Mapping.parse(mapping.model_dump(), where="again") == mapping


def test_by_path_and_by_name(tmp_path):
    (tmp_path / "m.yaml").write_text(GOOD)
    mapping = load_mapping(tmp_path / "m.yaml")
    assert mapping.fields["cells.energy"].branch == "dep"
    assert mapping.fields["cells.id"].unit == "1"
    assert load_mapping(mapping) is mapping


def test_geometry_file_beside_the_mapping(tmp_path):
    (tmp_path / "box.json").write_text(detector("pbwo4-block").to_json())
    (tmp_path / "m.yaml").write_text(GOOD.replace("toy-sandwich", "box.json"))
    assert load_mapping(tmp_path / "m.yaml").calorimeter() == detector("pbwo4-block")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format:", "fromat:", r"m\.yaml: unknown key 'fromat'; nearest known: 'format'"),
        ("{branch: e,", "{brnch: e,", r"unknown key 'brnch' in fields\.energy_true; nearest known: 'branch'"),
        ("parquet", "csv", r"format: Input should be 'parquet', 'root', 'hdf5' or 'auto', got 'csv'"),
        ("toy-sandwich", "toy-sandwch", r"geometry: unknown detector 'toy-sandwch'; nearest known: 'toy-sandwich'"),
        ("unit: GeV", "unit: Gev", r"unknown unit 'Gev'; nearest known: 'GeV'"),
        ("unit: GeV", "unit: mm", r"'energy_true' must be an energy; its unit 'mm' is one of length"),
        ("unit: MeV", "unit: ns", r"'cells\.energy' must be an energy; its unit 'ns' is one of time"),
        ("unit: 1", "unit: mm", r"'cells\.id' must be a number; its unit 'mm' is one of length"),
        ("energy_true: {", "impact_x: {", r"'impact_x' must be a length; its unit 'GeV' is one of energy"),
        ("e, unit: GeV", "e", r"fields\.energy_true\.unit: Field required"),
        ("branch: e,", "branch: e, value: 1,", r"give either 'branch' .* or 'value'"),
        ("branch: dep,", "value: 1,", r"a constant 'value' is one number per event"),
        ("branch: e,", "branch: e, shape: ragged,", r"'energy_true' must be one number per event"),
        (
            "branch: e,",
            "branch: e, shape: raged,",
            r"fields\.energy_true: shape must be scalar, ragged, dense, matrix or a",
        ),
        ("branch: dep,", "branch: dep, shape: [3],", r"its shape must be ragged or start with ragged"),
        ("branch: dep,", "branch: dep, shape: [ragged, 0],", r"fixed axes must be >= 1; got shape \['ragged', 0\]"),
        ("branch: dep,", "branch: dep, shape: dense,", r"cells: either all of its fields are dense or none"),
        ("branch: e,", "branch: e, dtype: float33,", r"unknown dtype 'float33'; nearest known: 'float32'"),
        ("branch: e,", "branch: e, counts: n, offsets: o,", r"give 'counts' or 'offsets', not both"),
        ("branch: e,", "branch: e, column: -1,", r"fields\.energy_true\.column"),
        ("branch: e,", "branch: e, column: 1, counts: n,", r"a 'column' is one number per event of a 'branch'"),
        ("branch: e,", "branch: e, column: first,", r"'energy_true': a 'column' has a name in 'layout: folds' only"),
        ("branch: e,", "value: 1, default: 1,", r"a 'default' is one number per event in place of a missing 'branch'"),
        ("branch: e,", "branch: e, axes: [z, x, y],", r"'axes' are those of shape 'matrix'"),
        ("branch: dep,", "branch: dep, shape: matrix, axes: [z, z, x, y],", r"'axes' .* z, x and y, each once"),
        ("branch: dep,", "branch: dep, shape: matrix, axes: [channel, x, y],", r"'axes' .* z, x and y, each once"),
        (
            "branch: dep,",
            "branch: dep, shape: matrix, counts: n,",
            r"shape 'matrix' needs a 'branch', without 'counts'",
        ),
        ("branch: dep,", "branch: dep, shape: matrix,", r"cells: a matrix is the only field of its list"),
        ("energy_true: {branch: e,", "cells: {branch: e, shape: matrix,", r"cannot be both a field and a list"),
        ("format: parquet", "layout: folds\nformat: parquet", r"'folds' is of HDF5 files; the format is 'parquet'"),
        ("format: parquet", "layout: fold", r"layout: Input should be 'rows' or 'folds', got 'fold'"),
        ("energy_true: {", "cells: {", r"'cells' cannot be both a field and a list of records"),
        ("energy_true: {", "a.b.c: {", r"'a\.b\.c' must be a word such as energy_true, or two"),
        ("energy_true >", "energy_tru >", r"select: .* unknown field 'energy_tru'; nearest known: 'energy_true'"),
        ("fields:", "fields: [", r"m\.yaml is not valid YAML"),
    ],
)
def test_mistakes_are_named(old, new, message, tmp_path):
    assert old in GOOD
    (tmp_path / "m.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(RecipeError, match=message):
        load_mapping(tmp_path / "m.yaml")


FOLDS = """
layout: folds
geometry: pbwo4-block
fields:
  energy_true: {branch: targets, unit: GeV}
  cells.energy: {branch: matrix_inputs, unit: GeV, shape: matrix}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layout: folds", "layout: rows", r"'cells\.energy': shape 'matrix' needs 'layout: folds'"),
        ("geometry: pbwo4-block", "", r"'cells\.energy': shape 'matrix' needs a 'geometry'"),
        ("branch: targets", "branch: fold_number", r"'folds' needs a field with one entry per event"),
        ("branch: targets", "branch: targets, default: 1", r"'folds' needs a field with one entry per event"),
    ],
)
def test_mistakes_in_folds_are_named(old, new, message, tmp_path):
    assert old in FOLDS
    (tmp_path / "m.yaml").write_text(FOLDS)
    assert load_mapping(tmp_path / "m.yaml").numbered_ids == ["cells.id"]
    (tmp_path / "m.yaml").write_text(FOLDS.replace(old, new))
    with pytest.raises(RecipeError, match=message):
        load_mapping(tmp_path / "m.yaml")


def test_every_mistake_is_reported_at_once(tmp_path):
    (tmp_path / "m.yaml").write_text(GOOD.replace("format:", "fromat:").replace("branch: e,", "brnch: e,"))
    with pytest.raises(RecipeError, match=r"'brnch'.*; unknown key 'fromat'"):
        load_mapping(tmp_path / "m.yaml")


def test_empty_files_and_lists(tmp_path):
    for text in ("", "- a"):
        (tmp_path / "m.yaml").write_text(text)
        with pytest.raises(RecipeError, match=r"a mapping file holds keys such as 'fields:'; got"):
            load_mapping(tmp_path / "m.yaml")
    with pytest.raises(RecipeError, match=r"declare at least one field"):
        Mapping.parse({"fields": {}}, where="here")
    with pytest.raises(RecipeError, match=r"constants alone are no events"):
        Mapping.parse({"fields": {"energy_true": {"value": 1, "unit": "GeV"}}}, where="here")


def test_unknown_names_list_the_packaged_ones():
    with pytest.raises(RecipeError, match=r"no mapping 'g4_toy_electron': .* nearest known: 'g4_toy_electrons'"):
        load_mapping("g4_toy_electron")


def test_yaml_reads_what_it_wrote(tmp_path):
    mapping = load_mapping("g4_toy_electrons")
    text = yaml.safe_dump(mapping.model_dump(exclude={"name"}, exclude_none=True))
    (tmp_path / "copy.yaml").write_text(text)
    assert load_mapping(tmp_path / "copy.yaml").fields == mapping.fields
