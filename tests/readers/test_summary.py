import awkward as ak
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from showercal import open_events
from showercal.errors import DataError
from showercal.readers import Spectrum, summarise

blocks = st.lists(st.lists(st.floats(0, 1e4), min_size=1, max_size=20), min_size=1, max_size=6)


@given(blocks)
@example([[5e-324]])
def test_the_spectrum_counts_every_value_where_it_lies(values):
    spectrum = Spectrum(8)
    for block in values:
        spectrum.fill(np.array(block))
    everything = np.concatenate(values)
    assert spectrum.counts.sum() == len(everything)
    if everything.max() > 0:
        # values on an edge may have been counted in the bin below while it was the last one
        expected = np.histogram(everything, bins=spectrum.edges)[0]
        on_edge = np.isin(everything, spectrum.edges).sum()
        assert np.abs(spectrum.counts - expected).sum() <= 2 * on_edge


def test_an_odd_number_of_bins_is_refused():
    with pytest.raises(ValueError, match=r"even number of bins >= 2; got 3"):
        Spectrum(3)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_summary_does_not_depend_on_chunks(make_events, tmp_path, chunk):
    events = make_events(60)
    events.save(tmp_path)
    summary = summarise(open_events(tmp_path), event=37, chunk=chunk)
    assert summary.n_events == 60
    assert summary.entries == {"cells": ak.sum(ak.num(events.array.cells))}
    assert summary.sums["cells.energy"] == pytest.approx(float(ak.sum(events.array.cells.energy)), rel=1e-5)
    assert summary.truth.counts.sum() == 60
    assert summary.truth_range == (events.energy_true.min(), events.energy_true.max())
    assert summary.event.array.tolist() == events[37:38].array.tolist()
    assert summary.types["cells.id"] == "var * int32"


def test_an_event_that_is_not_there(make_events, tmp_path):
    make_events(5).save(tmp_path)
    with pytest.raises(DataError, match=r"no event 5: the events are numbered 0 to 4"):
        summarise(open_events(tmp_path), event=5)
