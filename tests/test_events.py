import awkward as ak
import numpy as np
import pytest

from showercal import Events
from showercal.errors import DataError
from showercal.events import check_truth, concatenate, leaf_paths

UNITS = {"energy_true": "GeV", "cells.id": "1", "cells.energy": "GeV"}


def array(**others):
    cells = ak.zip({"id": [[1, 2], [], [3]], "energy": [[0.1, 0.2], [], [0.3]]})
    return ak.Array({"energy_true": [1.0, 2.0, 3.0], "cells": cells} | others)


def test_leaf_paths_are_dotted():
    assert leaf_paths(array()) == ["energy_true", "cells.id", "cells.energy"]


def test_fields_by_dotted_path():
    events = Events(array(), UNITS)
    assert events.field("cells.energy").tolist() == [[0.1, 0.2], [], [0.3]]
    assert events.fields == ["energy_true", "cells"]
    np.testing.assert_array_equal(events.energy_true, [1, 2, 3])
    assert events.energy_true.dtype == np.float64


def test_slices_masks_and_positions_agree():
    events = Events(array(), UNITS)
    kept = [events[1:], events[np.array([False, True, True])], events[np.array([1, 2])]]
    assert [k.array.tolist() for k in kept] == [array()[1:].tolist()] * 3
    assert len(kept[0]) == 2
    with pytest.raises(TypeError, match=r"index events by a slice or a NumPy array; got int"):
        events[0]


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"energy_true": "GeV", "cells.id": "1"}, r"'cells\.energy' has no unit; give units\['cells\.energy'\]"),
        (UNITS | {"energy_true": "MeV"}, r"'energy_true' is declared in 'MeV'; events hold 'GeV'"),
        (UNITS | {"cells.enrgy": "GeV"}, r"units names 'cells\.enrgy'.*nearest known: 'cells\.energy'"),
        (UNITS | {"energy_true": "furlong"}, r"unknown unit 'furlong'"),
    ],
)
def test_units_must_name_every_leaf(units, message):
    with pytest.raises(DataError, match=message):
        Events(array(), units)


def test_records_are_needed():
    with pytest.raises(DataError, match=r"record array with named fields; got type 2 \* float64"):
        Events(ak.Array([1.0, 2.0]), {})


def test_unknown_field_names_the_nearest():
    with pytest.raises(DataError, match=r"no field 'cells\.enregy'; nearest known: 'cells\.energy'"):
        Events(array(), UNITS).field("cells.enregy")


def test_scalar_refuses_lists_and_holes():
    events = Events(array(hole=[1.0, None, 2.0], word=["a", "b", "c"]), UNITS | {"hole": "1", "word": "1"})
    with pytest.raises(DataError, match=r"'cells\.energy' is not one number per event"):
        events.scalar("cells.energy")
    with pytest.raises(DataError, match=r"'hole' has no value at event 1 \(1 of 3\)"):
        events.scalar("hole")
    with pytest.raises(DataError, match=r"'word' does not hold numbers"):
        events.scalar("word")


def test_parts_concatenate_to_the_whole(make_events):
    whole = make_events(50)
    joined = concatenate([whole[:7], whole[7:7], whole[7:]])
    assert joined.array.tolist() == whole.array.tolist()
    assert joined.array.type == whole.array.type


def test_concatenate_refuses_mixtures(make_events):
    events = make_events(5)
    with pytest.raises(DataError, match=r"nothing to concatenate"):
        concatenate([])
    with pytest.raises(DataError, match=r"block 1 was made with another geometry"):
        concatenate([events, Events(events.array, events.units, None)])
    with pytest.raises(DataError, match=r"block 1 has units"):
        concatenate([events, Events(array(), UNITS, events.geometry)])
    lists = Events(ak.Array({"energy_true": [[1.0], [2.0]]}), {"energy_true": "GeV"})
    plain = Events(ak.Array({"energy_true": [1.0, 2.0]}), {"energy_true": "GeV"})
    with pytest.raises(DataError, match=r"'energy_true' is var \* float64 in block 1 and float64 in block 0"):
        concatenate([plain, lists])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e-3])
def test_bad_truth_is_counted_and_placed(bad):
    energy = np.array([1.0, 0.0, bad, bad])
    with pytest.raises(DataError, match=r"got .* at event 102 \(2 of 4\) in run7\.root; drop them with"):
        check_truth(energy, where="run7.root", first_event=100)


def test_zero_truth_is_allowed():
    check_truth(np.array([0.0, 1e4]), where="here")
