import json
from dataclasses import replace

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from showercal import Events, open_events
from showercal.errors import DataError
from showercal.storage import EventsWriter, ParquetBlocks, convert, part_files, write_part


def test_round_trip_keeps_everything(make_events, tmp_path):
    events = make_events(300)
    events.save(tmp_path / "sample")
    back = Events.load(tmp_path / "sample")
    assert back.array.type == events.array.type  # no option types, same dtypes
    assert ak.array_equal(back.array, events.array, dtype_exact=True)
    assert dict(back.units) == dict(events.units)
    assert back.geometry == events.geometry
    assert back.provenance == events.provenance


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float32", "float64", "bool"])
def test_dtypes_and_fixed_shapes_survive(dtype, tmp_path):
    image = np.arange(24).reshape(3, 2, 4).astype(dtype)
    ragged = ak.values_astype(ak.Array([[[1], []], [], [[2, 3]]]), np.dtype(dtype))
    array = ak.Array({"image": image, "ragged": ragged})
    events = Events(array, {"image": "1", "ragged": "1"})
    events.save(tmp_path)
    back = Events.load(tmp_path).array
    assert back.type == array.type
    assert back.tolist() == array.tolist()


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_chunks_are_the_whole_in_order(size, make_events, tmp_path):
    events = make_events(100)
    with EventsWriter(tmp_path) as writer:
        for start in (0, 30, 30, 60):  # the second part is empty
            writer.write(events[start : start + 30] if len(part_files(tmp_path)) != 1 else events[:0])
        writer.write(events[90:])
    source = open_events(tmp_path)
    chunks = list(source.chunks(size))
    assert all(0 < len(chunk) <= size for chunk in chunks)
    assert sum(map(len, chunks)) == source.n_events == 100
    assert ak.array_equal(ak.concatenate([c.array for c in chunks]), events.array)


def test_one_part_can_be_opened(make_events, tmp_path):
    make_events(10).save(tmp_path)
    assert open_events(tmp_path / "part-00000.parquet").n_events == 10


def test_parts_are_ordered_by_number(make_events, tmp_path):
    with EventsWriter(tmp_path) as writer:
        for number in (100_000, 99_999, 2):
            writer.write(make_events(3), number)
    assert [path.stem for path in part_files(tmp_path)] == ["part-00002", "part-99999", "part-100000"]


def test_resume_goes_on_behind_the_last_part(make_events, tmp_path):
    events = make_events(20)
    events[:10].save(tmp_path)
    with EventsWriter(tmp_path, resume=True) as writer:
        writer.write(events[10:])
    assert ak.array_equal(Events.load(tmp_path).array, events.array)


def test_existing_parts_are_not_touched_unasked(make_events, tmp_path):
    make_events(3).save(tmp_path)
    with pytest.raises(DataError, match=r"already holds 1 parts of events; choose another folder"):
        EventsWriter(tmp_path)
    with pytest.raises(DataError, match=r"cannot both overwrite and resume"):
        EventsWriter(tmp_path, overwrite=True, resume=True)
    make_events(5).save(tmp_path, overwrite=True)
    assert open_events(tmp_path).n_events == 5
    with pytest.raises(DataError, match=r"is a file: choose another name"):
        EventsWriter(tmp_path / "part-00000.parquet")


def test_a_failed_write_leaves_nothing(make_events, tmp_path, monkeypatch):
    def die(*args, **kwargs):
        assert len(list(tmp_path.iterdir())) == 1  # under way
        raise KeyboardInterrupt

    monkeypatch.setattr(pq.ParquetWriter, "write_table", die)
    with pytest.raises(KeyboardInterrupt):
        write_part(make_events(3), tmp_path / "part-00000.parquet")
    assert list(tmp_path.iterdir()) == []


def test_one_file_of_many_blocks(make_events, tmp_path):
    events = make_events(100)
    with ParquetBlocks(tmp_path / "events.parquet") as file:
        for start in range(0, 100, 30):
            file.write(events[start : start + 30])
    source = open_events(tmp_path / "events.parquet")
    assert (source.n_events, source.geometry, source.provenance) == (100, events.geometry, events.provenance)
    assert ak.array_equal(source.read().array, events.array, dtype_exact=True)
    assert pq.read_metadata(tmp_path / "events.parquet").num_row_groups == 4


def test_bad_truth_is_not_written(make_events, tmp_path):
    events = make_events(4)
    array = ak.with_field(events.array, np.array([1, np.nan, 2, 3]), "energy_true")
    with pytest.raises(DataError, match=r"got nan at event 1 \(1 of 4\) in the events to be written"):
        Events(array, events.units).save(tmp_path)


def test_provenance_must_be_plain(make_events, tmp_path):
    events = make_events(4)
    with pytest.raises(DataError, match=r"provenance must be plain numbers.*int64"):
        Events(events.array, events.units, None, {"seed": np.int64(1)}).save(tmp_path)


def test_several_places_are_one_source(make_events, tmp_path):
    """Folders and parts in the order given; of provenances that differ, each is listed once."""
    one, two, three = (replace(make_events(n), provenance={"seed": seed}) for n, seed in ((6, 1), (4, 2), (5, 1)))
    for events, name in ((one, "one"), (two, "two"), (three, "three")):
        events.save(tmp_path / name)
    source = open_events([tmp_path / "two", str(tmp_path / "one" / "part-00000.parquet"), tmp_path / "three"])
    assert source.n_events == 15
    assert ak.array_equal(source.read().array, ak.concatenate([two.array, one.array, three.array]), dtype_exact=True)
    assert source.provenance == {"samples": [{"seed": 2}, {"seed": 1}]}
    assert open_events([tmp_path / "one", tmp_path / "three"]).provenance == {"seed": 1}
    replace(one, geometry=None).save(tmp_path / "other")
    with pytest.raises(DataError, match=r"other/part-00000\.parquet has other units .* than .*/one/part"):
        open_events([tmp_path / "one", tmp_path / "other"])
    with pytest.raises(DataError, match=r"no events at .*nowhere: the path does not exist"):
        open_events([tmp_path / "one", tmp_path / "nowhere"])
    with pytest.raises(DataError, match=r"no events given: the list of paths is empty"):
        open_events([])


def test_missing_and_empty_folders(make_events, tmp_path):
    with pytest.raises(DataError, match=r"the path does not exist"):
        open_events(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"expected files named part-00000\.parquet, found none"):
        open_events(tmp_path)
    make_events(3)[:0].save(tmp_path)
    with pytest.raises(DataError, match=r"its 1 part\(s\) are empty"):
        open_events(tmp_path)


def test_truncated_and_damaged_parts(make_events, tmp_path):
    make_events(2000).save(tmp_path)
    part = tmp_path / "part-00000.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:-100])
    with pytest.raises(DataError, match=r"part-00000\.parquet is truncated or not a Parquet file .*; write it again"):
        open_events(tmp_path)
    part.write_bytes(whole[:100] + bytes(2000) + whole[2100:])  # the footer is whole, the pages are not
    with pytest.raises(DataError, match=r"part-00000\.parquet is damaged"):
        open_events(tmp_path).read()


def test_foreign_files_need_a_mapping(tmp_path):
    pq.write_table(pa.table({"e": [1.0]}), tmp_path / "part-00000.parquet")
    with pytest.raises(DataError, match=r"was not written by showercal .* read it with a mapping file"):
        open_events(tmp_path)


def test_parts_must_belong_together(make_events, tmp_path):
    events = make_events(6)
    events.save(tmp_path)
    write_part(Events(events.array, events.units, None), tmp_path / "part-00001.parquet")
    with pytest.raises(DataError, match=r"part-00001\.parquet has other units or another geometry than .*part-00000"):
        open_events(tmp_path)
    double = ak.with_field(events.array, ak.values_astype(events.array.energy_true, np.float64), "energy_true")
    write_part(Events(double, events.units, events.geometry), tmp_path / "part-00001.parquet")
    with pytest.raises(DataError, match=r"part-00001\.parquet has other columns or types"):
        open_events(tmp_path)


def test_a_later_format_is_refused(make_events, tmp_path):
    make_events(3).save(tmp_path)
    part = tmp_path / "part-00000.parquet"
    table = pq.read_table(part)
    meta = json.loads(table.schema.metadata[b"showercal"]) | {"format": 99}
    pq.write_table(table.replace_schema_metadata({b"showercal": json.dumps(meta).encode()}), part)
    with pytest.raises(DataError, match=r"events format 99; this version reads format 1: update showercal"):
        open_events(tmp_path)


def test_bad_truth_on_disk_is_refused(make_events, tmp_path):
    make_events(50).save(tmp_path)
    part = tmp_path / "part-00000.parquet"
    table = pq.read_table(part)
    energy = table["energy_true"].to_numpy().copy()
    energy[33] = -2
    field = table.schema.field("energy_true")
    pq.write_table(table.set_column(0, field, pa.chunked_array([pa.array(energy)])), part)
    with pytest.raises(DataError, match=r"got -2\.0 at event 33 \(1 of 10\) in .*part-00000\.parquet"):
        list(open_events(tmp_path).chunks(10))


def test_convert_copies_a_source(make_events, tmp_path):
    events = make_events(100)
    events.save(tmp_path / "one")
    assert convert(open_events(tmp_path / "one"), tmp_path / "two", chunk=33) == 100
    assert len(part_files(tmp_path / "two")) == 4
    assert ak.array_equal(Events.load(tmp_path / "two").array, events.array)


def test_chunk_size_must_be_positive(make_events, tmp_path):
    make_events(3).save(tmp_path)
    with pytest.raises(ValueError, match=r"at least 1 event; got size=0"):
        next(open_events(tmp_path).chunks(0))
