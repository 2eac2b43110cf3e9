"""A calibrated ROOT file lies beside the ntuple that it was made from: row i belongs to row i."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from exported import Exported
from samples import toy_showers
from showercal.export import CalibratedEnergies, apply_model, open_model
from showercal.readers import Mapping, open_mapped

N = 130
MAPPING = Mapping.parse(
    {
        "fields": {
            "cells.id": {"branch": "id", "unit": "1"},
            "cells.tracks": {"branch": "n", "unit": "1"},
        },
        "geometry": "toy-sandwich",
    },
    where="m.yaml",
)
# With ROOT, which is not among our requirements: pip install root.
FRIEND = """
import sys
import ROOT
ntuple_file = ROOT.TFile.Open(sys.argv[1])
ntuple = ntuple_file.Get("ntuple")
ntuple.AddFriend("events", sys.argv[2])
for row in ntuple:
    print(row.number, row.energy_calibrated, row.energy_width, int(row.outside_training_range))
print(ROOT.RDataFrame(ntuple).Filter("!outside_training_range && number >= 0").Count().GetValue())
"""


@pytest.fixture(scope="module")
def files(
    exported: dict[str, Exported], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, NDArray[np.int64], CalibratedEnergies]:
    """The ntuple, what was written for it, its event numbers in their order, and what the model says."""
    folder = tmp_path_factory.mktemp("friend")
    events = toy_showers(N, seed=5)
    number = np.random.default_rng(1).permutation(N)
    cells = events.array.cells
    columns = {"number": number, "id": cells.id, "n": cells.tracks}
    with uproot.recreate(folder / "ntuple.root") as file:
        tree = file.mktree("ntuple", {"number": number.dtype, "id": cells.id.type, "n": cells.tracks.type})
        for first in range(0, N, 50):  # clusters that do not end where the chunks do
            tree.extend({name: values[first : first + 50] for name, values in columns.items()})
    model = open_model(exported["dense"].path, threads=1)
    apply_model(model, open_mapped(folder / "ntuple.root", MAPPING), folder / "calibrated.root", chunk=33)
    return folder / "ntuple.root", folder / "calibrated.root", number, model.predict(events)


def test_rows_are_those_of_the_ntuple(
    files: tuple[Path, Path, NDArray[np.int64], CalibratedEnergies],
) -> None:
    ntuple, calibrated, _, expected = files
    theirs, ours = uproot.open(ntuple)["ntuple"], uproot.open(calibrated)["events"]
    assert ours.classname == theirs.classname == "TTree"
    assert ours.num_entries == theirs.num_entries == N
    np.testing.assert_allclose(ours["energy_calibrated"].array(library="np"), expected.energy, rtol=1e-5)
    # what was read from a row of the ntuple stands in the same row
    assert ak.array_equal(ours["cells_tracks"].array(), theirs["n"].array())


def test_root_takes_it_as_a_friend(files: tuple[Path, Path, NDArray[np.int64], CalibratedEnergies]) -> None:
    if importlib.util.find_spec("ROOT") is None:
        pytest.skip("ROOT is not installed: pip install root")
    ntuple, calibrated, number, expected = files
    command = [sys.executable, "-W", "ignore", "-c", FRIEND, ntuple, calibrated]
    *rows, n_inside = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    table = np.array([row.split() for row in rows], dtype=np.float64)
    assert expected.width is not None
    columns = [number, expected.energy, expected.width, expected.is_outside]
    np.testing.assert_allclose(table, np.column_stack(columns), rtol=1e-5, atol=1e-6)
    assert int(n_inside) == (~expected.is_outside).sum() > 0
