"""Running a study: read, train, predict, calibrate, evaluate, report; every stage done once for the same inputs."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import yaml

from showercal.calibration import BiasCorrection, WidthRecalibration
from showercal.errors import DataError
from showercal.estimator import Estimator
from showercal.evaluation import Row, TransferRow
from showercal.events import Events
from showercal.prediction import Prediction
from showercal.report import write_report
from showercal.studies._cache import digest, forget, is_done, mark_done, write_json
from showercal.studies._calibrations import (
    calibrate,
    check_calibration,
    closure_of,
    correction_of,
    recalibration_of,
    spread_of,
)
from showercal.studies._cells_above import CellCut
from showercal.studies._content import report_content
from showercal.studies._data import Parts, check_fields, describe, file_hashes, fingerprint, locate, read_events, split
from showercal.studies._fits import (
    Learning,
    Say,
    fit_folder,
    fit_keys,
    fits_of,
    is_fitted,
    kept_prediction,
    notes_of,
    run_fit,
)
from showercal.studies._judge import Calibration, Judged, check_evaluation, judge
from showercal.studies._pretraining import pretraining_events
from showercal.studies._recipe import DataConfig, Recipe, parse_recipe
from showercal.studies._simulated import with_events, with_events_of
from showercal.studies._transfer import judge_transfer
from showercal.training import load_method

_RECIPE_FILE: Final = "recipe.yaml"
_RESULTS_FILE: Final = "results.json"
_PRODUCTS: Final = (_RESULTS_FILE, "results.md", "report.html")
_PACKAGES: Final = ("showercal", "torch", "lightning", "lightgbm", "numpy", "awkward", "pyarrow", "iminuit")


@dataclass(frozen=True)
class Source:
    """The events that were judged: hash of how they are read, of each file, and where they came from."""

    fingerprint: str
    files: tuple[str, ...]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A study that was run, on disk.

    Attributes:
        folder: Holds ``recipe.yaml``, ``methods/NAME/``, ``results.json``, ``results.md``, ``figures/`` and
            ``report.html``.
        recipe: What was run.
    """

    folder: Path
    recipe: Recipe

    @property
    def rows(self) -> list[Row]:
        """The results.

        Raises:
            DataError: If the run is not finished.
        """
        return [Row.from_dict(row) for row in self._results()["rows"]]

    @property
    def transfer(self) -> list[TransferRow]:
        """What the pretraining was worth; empty without one.

        Raises:
            DataError: If the run is not finished.
        """
        return [TransferRow.from_dict(row) for row in self._results().get("transfer", [])]

    @property
    def info(self) -> dict[str, Any]:
        """How the results came to be: command, versions, provenance, timings."""
        info: dict[str, Any] = self._results()["run"]
        return info

    def value(self, method: str, metric: str) -> tuple[float, float]:
        """Overall value and error of a metric of a method.

        Raises:
            DataError: If there is no such row.
        """
        for row in self.rows:
            if (row.method, row.metric, row.bin) == (method, metric, None):
                return row.value, row.error
        known = ", ".join(self.recipe.methods)
        raise DataError(f"{self.folder} has no overall {metric!r} of {method!r}; methods: {known}")

    def method(self, name: str) -> Estimator:
        """A fitted method of the run."""
        return load_method(fit_folder(self.folder, name) / "model")

    def correction(self, name: str) -> BiasCorrection:
        """The bias correction of a method, fitted on the validation events of the run."""
        return correction_of(self.folder, name)

    def recalibration(self, name: str) -> WidthRecalibration | None:
        """The recalibration of the width of a method, fitted as the bias correction was; None where there is none."""
        return recalibration_of(self.folder, name)

    def energy_range(self, name: str) -> tuple[float, float]:
        """Lowest and highest true energy of the events that a method learned from, [GeV].

        Raises:
            DataError: If the method is not fitted, or was fitted by a version that did not keep it.
        """
        notes = notes_of(self.folder, name)
        if "energy_range" not in notes:
            raise DataError(
                f"{self.folder} does not say which energies {name!r} learned from: it was run by an earlier version; "
                "run the study again with the same --out, which adds them without fitting again"
            )
        low, high = notes["energy_range"]
        return low, high

    def calibration(self, name: str) -> Calibration:
        """Both of them, and the spread of a point estimator where there is a tracker."""
        return Calibration(self.correction(name), self.recalibration(name), spread_of(self.folder, name))

    def predict(self, name: str, events: Events) -> Prediction:
        """Calibrated energies, with their widths, of any events by one method of the run, of the cells that it sees."""
        if self.recipe.data.cells_above is not None:
            events = CellCut(self.recipe.data.cells_above).apply(events)
        return self.calibration(name).apply(self.method(name).predict(events))

    def _results(self) -> dict[str, Any]:
        path = self.folder / _RESULTS_FILE
        if not path.exists():
            raise DataError(f"{self.folder} has no {_RESULTS_FILE}: the run is not finished; start it again to go on")
        content: dict[str, Any] = json.loads(path.read_text())
        return content


def open_run(folder: str | Path) -> Run:
    """Open a finished or interrupted run.

    Raises:
        DataError: If the folder holds no run.
    """
    folder = Path(folder)
    path = folder / _RECIPE_FILE
    if not path.is_file():
        raise DataError(
            f"no run in {folder}: {_RECIPE_FILE} is missing; make one with: showercal run STUDY --out {folder}"
        )
    return Run(folder, parse_recipe(yaml.safe_load(path.read_text()), where=str(path)))


def run_study(recipe: Recipe, folder: str | Path, *, command: str = "", say: Say = lambda _: None) -> Run:
    """Run a study, or go on with one that was interrupted; finished stages with the same inputs are not repeated.

    Args:
        recipe: The study.
        folder: Where everything goes.
        command: The command line, for the report.
        say: Told what happens, one line a stage.

    Raises:
        ShowercalError: Whatever a stage finds wrong.
        KeyboardInterrupt: On Ctrl-C; finished stages and epochs are kept.
    """
    folder = Path(folder)
    run = Run(folder, recipe)
    timings: dict[str, float] = {}
    data = recipe.data
    if data.is_simulated:
        with timed(timings, "simulate events"):
            data = with_events(data, folder, say=say)
    with timed(timings, "read events"):
        source = fingerprint(data)
        other = None
        if recipe.pretrain is not None:
            other = pretraining_events(data, recipe.pretrain, folder / "pretraining")
        keys = fit_keys(recipe, source, None if other is None else other.key)
        key = digest(keys, recipe.model_dump(mode="json"))
        complete = is_done(folder, key) and all((folder / product).is_file() for product in _PRODUCTS)
        if complete and all(is_fitted(folder, name, keys[name]) for name in keys):
            say(f"{folder} holds this run already: nothing to do")
            return run
        events = read_events(data, folder, say=say)
        parts = split(events, data.split)
    sizes = (f"{len(part):,} {name}" for name, part in vars(parts).items())
    say(f"{len(events):,} events: {', '.join(sizes)}")
    check_fields(recipe, events)
    check_calibration(recipe, parts.validation)
    check_evaluation(recipe, parts.test)
    learning = Learning(recipe, parts, other)
    learning.check()
    forget(folder)
    (folder / _RESULTS_FILE).unlink(missing_ok=True)  # of an earlier recipe
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RECIPE_FILE).write_text(text)
    fits = fits_of(recipe)
    missing = [name for name, fit in fits.items() if fit.is_pretraining and not is_fitted(folder, name, keys[name])]
    if recipe.pretrain is not None and missing:
        say(f"Pretraining on {recipe.pretrain.events.description}")
        with timed(timings, "pretraining events"):
            learning.prepare_pretraining()
    for fit in fits.values():
        run_fit(folder, recipe, fit, keys[fit.name], learning, say)
        timings[f"fit {fit.label}"] = round(notes_of(folder, fit.name)["fit_seconds"], 3)
    with timed(timings, "calibrate and evaluate"):
        judged = _calibrate_and_judge(run, parts, say)
        transfer = judge_transfer(folder, recipe, parts, say)
    described = Source(source, file_hashes(data), describe(events, locate(data)))
    _write(run, folder, judged, described, command, timings, transfer=transfer)
    mark_done(folder, key)
    return run


def evaluate_run(
    run: Run, data: DataConfig, folder: str | Path | None = None, *, command: str = "", say: Say = lambda _: None
) -> Path:
    """Judge all methods of a finished run on other events with truth, into the same form and report.

    Args:
        run: The run; its methods and their calibrations are used as they are.
        data: The other events; nothing is split off. Small cells are left out of them as in the run.
        folder: Where results go; by default ``evaluations/NAME-HASH`` inside the run.
        command: The command line, for the report.
        say: Told what happens.

    Returns:
        The folder of the results.

    Raises:
        ShowercalError: Whatever is wrong with the run or the events.
    """
    own = set(run.info["files"])
    data = data.model_copy(update={"cells_above": run.recipe.data.cells_above})
    path = locate(data)
    source = fingerprint(data)
    folder = run.folder / "evaluations" / f"{path.stem}-{source[:6]}" if folder is None else Path(folder)
    if folder.resolve() == run.folder.resolve():
        raise DataError(f"{folder} holds the results of the run itself; choose another --out")
    timings: dict[str, float] = {}
    with timed(timings, "read events"):
        events = read_events(data, run.folder, say=say)
        described = Source(source, file_hashes(data), describe(events, path))
    say(f"{len(events):,} events of {path.name}")
    check_evaluation(run.recipe, events)
    note = f"Evaluated on other events: {path.name}."
    if own & set(described.files):
        note = "Evaluated on events of the run itself, most of which the methods learned from: this flatters them."
        say(note)
    raw = {}
    for name, entry in run.recipe.methods.items():
        with timed(timings, f"predict {entry.label}"):
            raw[name] = run.method(name).predict(events)
    calibrations = {name: run.calibration(name) for name in run.recipe.methods}
    with timed(timings, "evaluate"):
        judged = judge(run.recipe, events, raw, calibrations, _closures(run))
    _write(run, folder, judged, described, command, timings, note)
    return folder


def render_report(run: Run, *, say: Say = lambda _: None) -> Path:
    """Judge the predictions of a finished run and write its report again, e.g. with a newer version.

    Raises:
        ShowercalError: If the run is not finished, or its events are gone or changed.
    """
    info, parts = run.info, parts_of(run)
    judged = _calibrate_and_judge(run, parts, say)
    source = Source(info["events"], tuple(info["files"]), info["provenance"])
    transfer = judge_transfer(run.folder, run.recipe, parts, say)
    _write(run, run.folder, judged, source, info["command"], info["timings"], "", info["versions"], transfer)
    return run.folder / "report.html"


def parts_of(run: Run) -> Parts:
    """The events of a finished run.

    Raises:
        DataError: If the run is not finished, or its events are gone or changed.
    """
    info = run.info
    data = with_events_of(run.recipe.data, run.folder, info["provenance"]["file"])
    if fingerprint(data) != info["events"]:
        raise DataError(f"the events of {run.folder} have changed since it was run: run it again")
    return split(read_events(data, run.folder), data.split)


def _calibrate_and_judge(run: Run, parts: Parts, say: Say) -> Judged:
    """Fit the calibrations on the validation events and judge the test events."""
    fits, truth = fits_of(run.recipe), parts.validation.energy_true
    calibrations = {name: calibrate(run.folder, run.recipe, fits[name], truth, say) for name in run.recipe.methods}
    raw = {name: kept_prediction(run.folder, name, "test") for name in run.recipe.methods}
    return judge(run.recipe, parts.test, raw, calibrations, _closures(run))


def _closures(run: Run) -> dict[str, BiasCorrection]:
    """The strict corrections of the methods that have one."""
    found = {name: closure_of(run.folder, name) for name in run.recipe.methods}
    return {name: closure for name, closure in found.items() if closure is not None}


def _write(
    run: Run,
    folder: Path,
    judged: Judged,
    source: Source,
    command: str,
    timings: dict[str, float],
    note: str = "",
    made_with: Mapping[str, str] | None = None,
    transfer: Sequence[TransferRow] = (),
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [*judged.rows, *_fit_rows(run)]
    info = {
        "study": run.recipe.name,
        "command": command,
        "events": source.fingerprint,
        "files": list(source.files),
        "provenance": source.provenance,
        "versions": dict(made_with or versions()),
        "timings": timings,
    }
    results: dict[str, Any] = {"run": info, "rows": [row.to_dict() for row in rows]}
    if transfer:
        results["transfer"] = [row.to_dict() for row in transfer]
    write_json(folder / _RESULTS_FILE, results)
    write_report(report_content(run, judged, rows, info, note, transfer), folder)


def _fit_rows(run: Run) -> Iterator[Row]:
    """What the fits cost."""
    for name in run.recipe.methods:
        notes = notes_of(run.folder, name)
        numbers = {"fit_seconds": notes["fit_seconds"], "n_parameters": notes["n_parameters"]}
        speed = getattr(run.method(name), "train_events_per_s", None)
        if speed is not None:
            numbers["train_events_per_s"] = speed
        for metric, value in numbers.items():
            yield Row(name, metric, None, None, None, float(value))


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage takes, [s]."""
    start = time.perf_counter()
    yield
    timings[stage] = round(time.perf_counter() - start, 3)
