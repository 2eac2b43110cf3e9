"""Real files: Geant4, CMS and ATLAS samples."""

import awkward as ak
import numpy as np
import pytest
import uproot

from showercal.readers import Mapping, open_any, open_mapped, read


def test_toy_electrons(shared_data):
    source = open_mapped(shared_data / "g4_toy_electrons.parquet", "g4_toy_electrons")
    assert source.n_events == 100_000
    events = next(source.chunks(20_000))
    assert len(events) == 20_000
    energy = events.energy_true
    assert 0 <= energy.min() < 0.01
    assert 9.99 < energy.max() <= 10
    # as noted with the sample: about 21.5 charged tracks per GeV in 16 lit cells, visible fraction 1.18 %
    cells = events.array.cells
    assert ak.mean(ak.sum(cells.tracks, axis=1) / energy) == pytest.approx(21.5, rel=0.03)
    assert ak.mean(ak.sum(cells.energy, axis=1) / energy) == pytest.approx(0.0118, rel=0.01)
    assert ak.mean(ak.num(cells)) == pytest.approx(16, abs=0.5)


def test_toy_pions_by_the_same_mapping(shared_data):
    events = read(shared_data / "g4_toy_pions.parquet", "g4_toy_electrons")
    assert len(events) == 5_000
    cells = events.array.cells
    assert ak.mean(ak.sum(cells.tracks, axis=1) / events.energy_true) == pytest.approx(19.6, rel=0.01)
    assert ak.mean(ak.sum(cells.energy, axis=1) / events.energy_true) == pytest.approx(0.0085, rel=0.01)
    assert ak.mean(ak.num(cells)) == pytest.approx(208, rel=0.01)


def test_pwo_muons(shared_data):
    source = open_mapped(shared_data / "g4_pwo_muons.parquet", "g4_pwo_muons")
    assert source.n_events == 3_000
    events = next(source.chunks(500))
    deposited = ak.to_numpy(ak.sum(events.array.cells.energy, axis=1))
    assert np.median(deposited / events.energy_true) == pytest.approx(0.012, rel=0.1)
    assert events.geometry["name"] == "pbwo4-block"


def test_geant4_example_b4(shared_data):
    path = shared_data / "geant4_b4" / "b4_example_50MeV_electrons.root"
    events = open_any(str(path.with_name("*.root")), "geant4_b4").read()
    assert len(events) == 1_000
    np.testing.assert_allclose(events.energy_true, 0.05)
    with uproot.open(path) as file:
        np.testing.assert_allclose(events.scalar("energy_gap"), file["B4"]["Egap"].array(library="np") / 1000)
        np.testing.assert_allclose(events.scalar("track_length_gap"), file["B4"]["Lgap"].array(library="np"))
    total = events.scalar("energy_absorber") + events.scalar("energy_gap")
    assert 0 < total.mean() < 0.05


NANOAOD = {
    "tree": "Events",
    "fields": {
        "met": {"branch": "PuppiMET_pt", "unit": "GeV"},
        "event": {"branch": "event", "unit": "1"},
        "jets.pt": {"branch": "Jet_pt", "unit": "GeV"},
        "jets.phi": {"branch": "Jet_phi", "unit": "rad"},
        "jets.truth": {"branch": "Jet_genJetIdx", "unit": "1"},
        "truth.pt": {"branch": "GenJet_pt", "unit": "GeV"},
    },
}


@pytest.mark.parametrize(
    ("name", "n_jets", "n_matched"),
    [("nanoAOD_2015_CMS_Open_Data_ttbar", 537, 362), ("nano_tt_v15", 1636, 1345)],
)
def test_cms_nanoaod(shared_data, name, n_jets, n_matched):
    path = shared_data / "cms" / f"{name}.root"
    source = open_mapped(path, Mapping.parse(NANOAOD, where="nanoaod"))
    events = source.read()
    assert len(events) == 200
    assert ak.sum(ak.num(events.array.jets)) == n_jets
    truth = events.array.jets.truth
    assert ak.sum((truth >= 0) & (truth < ak.num(events.array.truth))) == n_matched
    assert ak.concatenate([chunk.array for chunk in source.chunks(33)]).tolist() == events.array.tolist()
    with uproot.open(path) as file:
        assert events.field("jets.pt").tolist() == file["Events"]["Jet_pt"].array().tolist()


def test_atlas_physlite_vectors(shared_data):
    fields = {
        "event": {"branch": "EventInfoAuxDyn.eventNumber", "unit": "1"},
        "jets.pt": {"branch": "AnalysisJetsAuxDyn.pt", "unit": "MeV"},
        "jets.per_sampling": {
            "branch": "AnalysisJetsAuxDyn.EnergyPerSampling",
            "unit": "MeV",
            "shape": ["ragged", 28],
        },
    }
    mapping = Mapping.parse({"tree": "CollectionTree", "fields": fields, "select": "count(jets.pt) > 10"}, where="m")
    events = read(shared_data / "atlas" / "PHYSLITE_example.root", mapping)
    assert 0 < len(events) < 100
    jets = events.array.jets
    assert str(jets.type).endswith("var * {pt: float32, per_sampling: 28 * float32}")
    assert ak.min(ak.num(jets)) > 10
    with uproot.open(shared_data / "atlas" / "PHYSLITE_example.root") as file:
        pt = file["CollectionTree"]["AnalysisJetsAuxDyn.pt"].array()
        pt = pt[ak.num(pt) > 10]
        assert ak.almost_equal(jets.pt, pt / 1000, rtol=1e-5, dtype_exact=False)
