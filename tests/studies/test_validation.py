"""Validation of a simulator: a stand-in whose showers are known, against itself and against one that is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from showercal import Events, detector
from showercal.cli import main
from showercal.errors import DataError, RecipeError, ShowercalError
from showercal.evaluation import METRICS, Compared, Estimate, TwoSampleTest
from showercal.report.validation import Verdict, validation_markdown
from showercal.simulation import PARTICLES, Backend, Chunk, ParticleGun, Showers, ShowerTask, parse_spectrum, simulate
from showercal.studies.validation import (
    GivenReference,
    ReferenceRun,
    Signal,
    Validation,
    _validate,
    all_criteria,
    find_criteria,
    validate_simulation,
)
from showercal.studies.validation._criteria import criteria_without_bounds, verdicts

BOX = detector("toy-sandwich")
_PLAIN = Signal()
_DEPTH = np.array([4.0, 20.0, 35.0, 24.0, 11.0, 5.0, 2.0, 1.0])
_CELLS = (np.arange(8)[:, None] * 64 + np.array([27, 28, 35, 36])).ravel()


@dataclass(frozen=True)
class Poisson(Backend):
    """About 20 tracks per GeV in 8 layers of 2 x 2 tiles, of ``scale`` times 0.5 MeV each."""

    title: str = "poisson"
    scale: float = 1.0
    signal: Signal = _PLAIN

    @property
    def name(self) -> str:
        return self.title

    @property
    def versions(self) -> Mapping[str, str]:
        return {}

    def settings(self, task: ShowerTask) -> Mapping[str, Any]:
        return {**self.signal.model_dump(), "scale": self.scale}

    def check(self) -> None:
        pass

    def run(
        self,
        task: ShowerTask,
        chunks: Sequence[Chunk],
        *,
        workers: int,
        log_folder: Path,
        on_events: Callable[[int], None],
    ) -> Generator[tuple[Chunk, Showers]]:
        for chunk in chunks:
            primaries = task.entering(chunk)
            energy = primaries.energy
            rng = np.random.default_rng([len(self.title), *primaries.seed[:1]])
            tracks = rng.poisson(20.0 * energy[:, None] * np.repeat(_DEPTH / _DEPTH.sum(), 4) / 4)
            event, place = np.nonzero(tracks)
            count = tracks[event, place]
            yield chunk, Showers(event, _CELLS[place], 5e-4 * self.scale * count, count)


def shoot(
    backend: Backend, folder: Path, n_events: int, seed: int, *, particle: str = "e-", energy: str = "0:10"
) -> Path:
    gun = ParticleGun(particle, parse_spectrum(energy), 75, 75)
    simulate(BOX, gun, n_events, seed=seed, backend=backend, folder=folder)
    return folder


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the figures, which take most of the time of a small validation."""
    monkeypatch.setattr(_validate, "write_validation", lambda content, folder: None)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shoot(Poisson("truth", signal=Signal(birks=0.1)), tmp_path_factory.mktemp("reference"), 1500, 1)


@pytest.fixture(scope="module")
def right(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Validation:
    """The same simulator with other random numbers."""
    folder = tmp_path_factory.mktemp("right")
    return validate_simulation(
        BOX,
        "e-",
        lambda signal: Poisson("copy", signal=signal),
        GivenReference(reference),
        folder,
        command="the command",
    )


def row_of(validation: Validation, metric: str, number: int | None = None) -> Any:
    rows = json.loads((validation.folder / "results.json").read_text())["rows"]
    found = [row for row in rows if row["metric"] == metric and row["bin"] == number and row["method"] != "truth"]
    assert len(found) == 1
    return found[0]


def test_the_same_physics_passes(right: Validation) -> None:
    auc = row_of(right, "two_sample_auc")
    assert abs(auc["value"] - 0.5) < 3.5 * auc["error"]
    assert {verdict.metric for verdict in right.verdicts} == set(find_criteria(BOX, "e-").bounds)  # type: ignore[union-attr]
    # errors are right: the mean of the ratios' squared pulls is 1; 10 bins know it to 0.45
    pulls = []
    for number in range(10):
        row = row_of(right, "visible_energy_mean_ratio", number)
        assert (row["bin_low"], row["method"]) == ((0.5, *range(1, 10))[number], "copy")
        pulls.append((row["value"] - 1) / row["error"])
    assert 0.1 < np.mean(np.square(pulls)) < 3.0
    # twice the error of the reference is 1.4 times that of the ratio: 16 % of such numbers lie beyond it by chance
    assert np.mean([verdict.is_met for verdict in right.verdicts]) > 0.8


def test_the_same_particles_are_simulated_with_the_signal_of_the_reference(right: Validation, reference: Path) -> None:
    truth, sample = Events.load(reference), Events.load(right.folder / "sample")
    for field in ("energy_true", "impact_x", "impact_y"):
        np.testing.assert_array_equal(truth.scalar(field), sample.scalar(field))
    assert ak.any(ak.num(truth.array.cells) != ak.num(sample.array.cells))
    assert sample.provenance["settings"]["birks"] == 0.1
    assert right.content.is_paired
    inside = (truth.energy_true >= 0.5) & (truth.energy_true <= 10)
    assert len(right.content.sample) == inside.sum() < 1500


@pytest.mark.usefixtures("no_page")
def test_a_wrong_scale_is_found(reference: Path, tmp_path: Path) -> None:
    wrong = validate_simulation(BOX, "e-", lambda _: Poisson("wrong", 1.05), GivenReference(reference), tmp_path)
    for number in range(1, 10):
        row = row_of(wrong, "visible_energy_mean_ratio", number)
        assert abs(row["value"] - 1.05) < 4 * row["error"]
        width = row_of(wrong, "visible_energy_width_ratio", number)
        assert abs(width["value"] - 1) < 4 * width["error"]
    layer = row_of(wrong, "layer_energy_ratio", 2)
    assert abs(layer["value"] - 1.05) < 4 * layer["error"]
    assert (layer["bin_low"], layer["bin_high"]) == (None, None)
    missed = {verdict.metric for verdict in wrong.verdicts if not verdict.is_met}
    assert "visible_energy_mean_ratio" in missed
    # each track leaves exactly 5 % more: the trees cannot miss it
    assert row_of(wrong, "two_sample_auc")["value"] > 0.99
    assert next(iter(wrong.content.test.importance)) in {"tracks_per_visible_mev", "log_cell_median", "log_cell_mean"}


@pytest.mark.usefixtures("no_page")
def test_given_samples_with_other_particles_are_compared(reference: Path, tmp_path: Path) -> None:
    said: list[str] = []
    other = shoot(Poisson("other"), tmp_path / "other", 800, 2)
    found = validate_simulation(BOX, "e-", other, GivenReference(reference), tmp_path / "run", say=said.append)
    assert "the samples start from different particles: errors hold the spread of the energies" in said
    assert not found.content.is_paired
    lit = row_of(found, "lit_cells_ratio")
    assert abs(lit["value"] - 1) < 3.5 * lit["error"]
    assert not (tmp_path / "run" / "sample").exists()


@pytest.mark.usefixtures("no_page")
def test_particles_simulated_several_times_have_smaller_errors(reference: Path, tmp_path: Path) -> None:
    once, often = (
        validate_simulation(
            BOX, "e-", lambda _: Poisson("copy"), GivenReference(reference, limit=600), tmp_path / str(n), repeat=n
        )
        for n in (1, 4)
    )
    assert often.content.is_paired
    assert len(often.content.sample) == 4 * len(often.content.reference)
    assert once.content.test == often.content.test
    for a, b in zip(once.content.compared, often.content.compared, strict=True):
        assert a.metric == b.metric
        assert a.reference == b.reference
    layer = next(k for k, one in enumerate(once.content.compared) if (one.metric, one.bin) == ("layer_energy_ratio", 2))
    errors = [found.content.compared[layer].sample.error for found in (once, often)]
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)
    energies = [Events.load(tmp_path / "4" / f"sample-{turn}").energy_true for turn in (1, 3)]
    np.testing.assert_array_equal(*energies)
    with pytest.raises(RecipeError, match="at least once; got repeat 0"):
        validate_simulation(BOX, "e-", lambda _: Poisson(), GivenReference(reference), tmp_path, repeat=0)


@pytest.mark.usefixtures("no_page")
def test_a_reference_is_made_once(tmp_path: Path) -> None:
    made: list[Signal] = []

    def make(signal: Signal) -> Backend:
        made.append(signal)
        return Poisson("truth", signal=signal)

    def run() -> Validation:
        return validate_simulation(BOX, "pi-", lambda s: Poisson("copy", signal=s), ReferenceRun(make, 400), tmp_path)

    first = run()
    assert made[0] == Signal(birks=0.126, time_cut=150)  # as declared for pions
    parts = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("part-*.parquet")}
    assert {path.parent.name for path in parts} == {"reference", "sample"}
    energy = Events.load(tmp_path / "reference").energy_true
    assert (energy.min() >= 2, energy.max() <= 60, energy.max() > 55) == (True, True, True)
    second = run()
    assert {path: path.stat().st_mtime_ns for path in parts} == parts
    assert first.content.test == second.content.test


def test_page_and_tables(right: Validation) -> None:
    page = (right.folder / "report.html").read_text(encoding="utf-8")
    assert "e- in toy-sandwich: copy against truth" in page
    for name in (
        *("visible", "robust", "response", "cells_leakage", "layers", "rings", "cells", "counts", "correlation"),
        *("importance", "worst"),
    ):
        assert f'id="figure-{name}"' in page
        assert (right.folder / "figures" / f"{name}.png").stat().st_size > 5000
    assert "the command" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    text = (right.folder / "results.md").read_text(encoding="utf-8")
    assert "| Visible energy: mean |" in text
    assert "## All numbers with a bound" in text
    assert text.count("GeV | ") >= 20


def test_results_have_the_form_of_all_studies(right: Validation) -> None:
    results = json.loads((right.folder / "results.json").read_text())
    assert results["run"]["study"] == "validate-simulation"
    assert {"command", "versions", "timings", "provenance"} <= set(results["run"])
    for row in results["rows"]:
        assert set(row) == {"method", "metric", "bin", "bin_low", "bin_high", "value", "error"}
        assert row["metric"] in METRICS
    keys = [(row["method"], row["metric"], row["bin"]) for row in results["rows"]]
    assert len(keys) == len(set(keys))


# ---------------------------------------------------------------------- bounds
def test_table_of_criteria() -> None:
    pairs = [(entry.detector, particle) for entry in all_criteria() for particle in entry.particles]
    assert len(pairs) == len(set(pairs))
    for name, particle in pairs:
        assert particle in PARTICLES
        assert find_criteria(detector(name), particle) is not None
    for entry in all_criteria():
        assert len(entry.binning) == 10
        assert "two_sample_auc" in entry.bounds
    assert find_criteria(BOX, "mu-") is None


def test_what_is_allowed_is_the_larger_of_bound_and_statistics() -> None:
    criteria = find_criteria(BOX, "e-")
    assert criteria is not None
    exact, rough = Estimate(1.0, 0.0), Estimate(1.0, 0.02)
    compared = [
        Compared("visible_energy_mean_ratio", Estimate(1.03, 0.0), rough, 0, 0.5, 1.0),  # 3 % off, 2 x 2 % allowed
        Compared("visible_energy_mean_ratio", Estimate(1.03, 0.0), exact, 1, 1.0, 2.0),
        Compared("visible_energy_width_ratio", Estimate(float("nan"), 0.0), exact, 1, 1.0, 2.0),
        Compared("layer_energy_ratio", Estimate(2.0, 0.0), exact, 0),  # twice, but 1 of 100
        Compared("layer_energy_ratio", Estimate(99.0, 0.0), Estimate(99.0, 0.0), 1),
    ]
    found = verdicts(criteria, compared, _test(0.55))
    assert [(v.metric, v.bin, v.is_met) for v in found] == [
        ("visible_energy_mean_ratio", 0, True),
        ("visible_energy_mean_ratio", 1, False),
        ("visible_energy_width_ratio", 1, False),
        ("layer_energy_ratio", 1, True),
        ("two_sample_auc", None, True),
    ]
    assert found[0].allowed == 0.04
    assert [_auc_is_met(auc) for auc in (0.4, 0.599, 0.61)] == [True, True, False]


def _test(auc: float) -> TwoSampleTest:
    return TwoSampleTest(auc, 0.002, {"a": 1.0}, {"a": auc}, (1000, 1000))


def _auc_is_met(auc: float) -> bool:
    return Verdict("two_sample_auc", None, "all events", auc, 0.002, 0.5, 0.1, 0.1).is_met


@pytest.mark.usefixtures("no_page")
def test_particles_without_criteria_get_bins_and_no_bounds(tmp_path: Path) -> None:
    truth = shoot(Poisson("truth"), tmp_path / "truth", 300, 1, particle="proton", energy="1:20")
    said: list[str] = []
    found = validate_simulation(
        BOX, "proton", lambda _: Poisson("copy"), GivenReference(truth), tmp_path / "run", say=said.append
    )
    assert "no bounds are declared for proton in toy-sandwich: nothing is judged" in said
    assert found.verdicts == []
    assert found.content.binning.edges[-1] == pytest.approx(20, rel=0.02)
    assert "nothing is judged" in validation_markdown(found.content)
    single = criteria_without_bounds(BOX, "proton", np.full(100, 5.0))
    assert len(single.binning) == 1
    assert np.all(single.binning.number(np.full(100, 5.0)) == 0)


# ---------------------------------------------------------------------- bad input
def _call(arguments: Sequence[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says when it refuses."""
    monkeypatch.setenv("SHOWERCAL_DEBUG", "")
    monkeypatch.setattr(sys, "argv", ["showercal", "validate-simulation", *(str(one) for one in arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    return capsys.readouterr().err


def test_command_line_refuses(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        ("toy-sandwhich", "e-"): "unknown detector 'toy-sandwhich'; nearest known: 'toy-sandwich'",
        ("toy-sandwich", "electron"): "unknown particle 'electron'",
        ("toy-sandwich", "e-", "--reference", tmp_path / "none"): "no file at",
        ("toy-sandwich", "pi-", "--reference", reference): "holds e-, not pi-: compare samples of one particle",
        ("pbwo4-block", "e-", "--reference", reference): "made in 'toy-sandwich'",
        ("toy-sandwich", "e-", "--reference", reference, "--backend", "geant5"): "unknown backend 'geant5'",
        ("toy-sandwich", "proton"): "no energies are declared for proton in toy-sandwich: give --energy",
        ("toy-sandwich", "e-", "--events", "5"): "at least 100 events; got --events 5",
        ("toy-sandwich", "e-", "--reference", reference, "--sample", reference, "--limit", "20"): "at least 100 events",
    }
    for arguments, message in cases.items():
        err = _call([*arguments, "--out", tmp_path / "run"], monkeypatch, capsys)
        assert message in err, arguments
        assert not list(tmp_path.iterdir()), arguments


def refuse(reference: Path, sample: Path, message: str, kind: type[ShowercalError] = DataError) -> None:
    with pytest.raises(kind, match=message):
        validate_simulation(BOX, "e-", sample, GivenReference(reference), sample.parent / "run")


def test_samples_that_do_not_belong_together_are_refused(reference: Path, tmp_path: Path) -> None:
    events = Events.load(reference)[:200]
    thicker = BOX.to_dict()
    thicker["cell_x"] = 70.0
    replace(events, geometry=thicker).save(tmp_path / "geometry")
    refuse(reference, tmp_path / "geometry", "they differ in cell_x; compare samples of one detector")
    replace(events, geometry=None).save(tmp_path / "none")
    refuse(reference, tmp_path / "none", "carry no geometry")
    replace(events, units={**events.units, "cells.energy": "1"}).save(tmp_path / "units")
    refuse(reference, tmp_path / "units", "need 'cells.energy' in 'GeV'; they have 1")
    shoot(Poisson("high"), tmp_path / "high", 200, 1, energy="20:30")
    refuse(reference, tmp_path / "high", r"no event of the sample lies in 0.5–10 GeV; its 200 events have 20.* GeV")
    events[:0].save(tmp_path / "empty")
    refuse(reference, tmp_path / "empty", "no events in")


def test_too_few_events_for_a_reference(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="at least 100 events"):
        validate_simulation(BOX, "e-", lambda _: Poisson(), ReferenceRun(lambda _: Poisson(), 50), tmp_path / "run")


@pytest.mark.usefixtures("no_page")
def test_foreign_reference_is_read_by_the_mapping_that_fits(shared_data: Path, tmp_path: Path) -> None:
    """The sample of pions has the branches of three mappings; the one of this detector with most fields is taken."""
    said: list[str] = []
    found = validate_simulation(
        BOX,
        "pi-",
        lambda signal: Poisson("copy", signal=signal),
        GivenReference(shared_data / "g4_toy_pions.parquet", limit=300),
        tmp_path,
        say=said.append,
    )
    assert "sample: the same 300 particles by copy" in said
    assert "tracks_per_gev" in found.content.reference.shapes.names
    assert Events.load(tmp_path / "sample").provenance["settings"]["time_cut"] == 150
    assert not next(verdict for verdict in found.verdicts if verdict.metric == "two_sample_auc").is_met
