"""Running a study: read, train, predict, calibrate, evaluate, report; every stage done once for the same inputs."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

import showercal
from showercal.calibration import BiasCorrection, WidthRecalibration
from showercal.errors import DataError
from showercal.estimator import Estimator
from showercal.evaluation import Row
from showercal.events import OFFSETS, Events
from showercal.prediction import Prediction, from_arrays
from showercal.report import write_report
from showercal.studies._cache import digest, essence, forget, is_done, mark_done, read_done, write_json
from showercal.studies._content import report_content
from showercal.studies._data import Parts, describe, file_hashes, fingerprint, learned, locate, read_events, split
from showercal.studies._judge import Calibration, Judged, check_evaluation, judge
from showercal.studies._recipe import DataConfig, Recipe, parse_recipe
from showercal.training import build_method, load_method

_RECIPE_FILE: Final = "recipe.yaml"
_RESULTS_FILE: Final = "results.json"
_PRODUCTS: Final = (_RESULTS_FILE, "results.md", "report.html")
_CORRECTION_FILE: Final = "correction.json"
_WIDTH_FILE: Final = "width.json"
_CLOSURE_FILE: Final = "closure.json"
_PACKAGES: Final = ("showercal", "torch", "lightning", "lightgbm", "numpy", "awkward", "pyarrow", "iminuit")
FloatArray = NDArray[np.float64]
Say = Callable[[str], None]


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
        return load_method(_method_folder(self, name) / "model")

    def correction(self, name: str) -> BiasCorrection:
        """The bias correction of a method, fitted on the validation events of the run."""
        return BiasCorrection.from_dict(json.loads((_method_folder(self, name) / _CORRECTION_FILE).read_text()))

    def recalibration(self, name: str) -> WidthRecalibration | None:
        """The recalibration of the width of a method, fitted as the bias correction was; None where there is none."""
        path = _method_folder(self, name) / _WIDTH_FILE
        return WidthRecalibration.from_dict(json.loads(path.read_text())) if path.is_file() else None

    def energy_range(self, name: str) -> tuple[float, float]:
        """Lowest and highest true energy of the events that a method learned from, [GeV].

        Raises:
            DataError: If the method is not fitted, or was fitted by a version that did not keep it.
        """
        notes = _notes(self, name)
        if "energy_range" not in notes:
            raise DataError(
                f"{self.folder} does not say which energies {name!r} learned from: it was run by an earlier version; "
                "run the study again with the same --out, which adds them without fitting again"
            )
        low, high = notes["energy_range"]
        return low, high

    def calibration(self, name: str) -> Calibration:
        """Both of them."""
        return Calibration(self.correction(name), self.recalibration(name))

    def predict(self, name: str, events: Events) -> Prediction:
        """Calibrated energies, with their widths, of any events by one method of the run."""
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
    with timed(timings, "read events"):
        source = fingerprint(recipe.data)
        keys = {name: _method_key(recipe, name, source) for name in recipe.methods}
        key = digest(keys, recipe.model_dump(mode="json"))
        complete = is_done(folder, key) and all((folder / product).is_file() for product in _PRODUCTS)
        if complete and all(_is_fitted(run, name, keys[name]) for name in keys):
            say(f"{folder} holds this run already: nothing to do")
            return run
        events = read_events(recipe.data)
        parts = split(events, recipe.data.split)
    sizes = (f"{len(part):,} {name}" for name, part in vars(parts).items())
    say(f"{len(events):,} events: {', '.join(sizes)}")
    _check_fields(recipe, events)
    _check_calibration(recipe, parts.validation)
    check_evaluation(recipe, parts.test)
    forget(folder)
    (folder / _RESULTS_FILE).unlink(missing_ok=True)  # of an earlier recipe
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RECIPE_FILE).write_text(text)
    for name, entry in recipe.methods.items():
        _fit(run, name, keys[name], parts, say)
        timings[f"fit {entry.label}"] = round(read_done(_method_folder(run, name))["fit_seconds"], 3)
    with timed(timings, "calibrate and evaluate"):
        judged = _calibrate_and_judge(run, parts, say)
    described = Source(source, file_hashes(recipe.data), describe(events, locate(recipe.data)))
    _write(run, folder, judged, described, command, timings)
    mark_done(folder, key)
    return run


def evaluate_run(
    run: Run, data: DataConfig, folder: str | Path | None = None, *, command: str = "", say: Say = lambda _: None
) -> Path:
    """Judge all methods of a finished run on other events with truth, into the same form and report.

    Args:
        run: The run; its methods and their calibrations are used as they are.
        data: The other events; nothing is split off.
        folder: Where results go; by default ``evaluations/NAME-HASH`` inside the run.
        command: The command line, for the report.
        say: Told what happens.

    Returns:
        The folder of the results.

    Raises:
        ShowercalError: Whatever is wrong with the run or the events.
    """
    own = set(run.info["files"])
    path = locate(data)
    source = fingerprint(data)
    folder = run.folder / "evaluations" / f"{path.stem}-{source[:6]}" if folder is None else Path(folder)
    if folder.resolve() == run.folder.resolve():
        raise DataError(f"{folder} holds the results of the run itself; choose another --out")
    timings: dict[str, float] = {}
    with timed(timings, "read events"):
        events = read_events(data)
        described = Source(source, file_hashes(data), describe(events, path))
    say(f"{len(events):,} events of {path.name}")
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
    _write(run, run.folder, judged, source, info["command"], info["timings"], made_with=info["versions"])
    return run.folder / "report.html"


def parts_of(run: Run) -> Parts:
    """The events of a finished run.

    Raises:
        DataError: If the run is not finished, or its events are gone or changed.
    """
    if fingerprint(run.recipe.data) != run.info["events"]:
        raise DataError(f"the events of {run.folder} have changed since it was run: run it again")
    return split(read_events(run.recipe.data), run.recipe.data.split)


def _method_folder(run: Run, name: str) -> Path:
    return run.folder / "methods" / name


def _method_key(recipe: Recipe, name: str, source: str) -> str:
    """Hash of all that decides a fitted method: version, events, split, options, and the method it starts from."""
    method = recipe.methods[name].method
    start = _start_of(recipe, name)
    return digest(
        showercal.__version__,
        source,
        essence(recipe.data.split),
        essence(method),
        None if start is None else _method_key(recipe, start, source),
    )


def _start_of(recipe: Recipe, name: str) -> str | None:
    start: str | None = getattr(recipe.methods[name].method, "start_from", None)
    return start


def _fit(run: Run, name: str, key: str, parts: Parts, say: Say) -> None:
    """Train one method and keep its predictions of validation and test events."""
    entry, folder = run.recipe.methods[name], _method_folder(run, name)
    train, validation = (learned(events, run.recipe.data.split) for events in (parts.train, parts.validation))
    energy_range = float(train.energy_true.min()), float(train.energy_true.max())
    if is_done(folder, key):
        say(f"{entry.label}: done before")
        if not _is_fitted(run, name, key):
            mark_done(folder, key, {**read_done(folder), "energy_range": energy_range})
        return
    forget(folder)
    say(f"{entry.label}: fitting")
    start = time.perf_counter()
    begin = _start_of(run.recipe, name)
    method = build_method(entry.method, None if begin is None else run.method(begin))
    method.fit(train, validation, folder / "work")
    seconds = time.perf_counter() - start
    method.save(folder / "model")
    # a resumed training has spent more than this call
    seconds = max(seconds, sum(row["seconds"] for row in getattr(method, "history_", [])))
    notes: dict[str, Any] = {
        "fit_seconds": seconds,
        "n_parameters": method.n_parameters,
        "n_train": len(train),
        "energy_range": energy_range,
    }
    for part, events in (("validation", parts.validation), ("test", parts.test)):
        prediction = method.predict(events)
        save_file(prediction.arrays(), folder / f"{part}.safetensors")
        notes["family"] = prediction.family
    mark_done(folder, key, notes)


def _is_fitted(run: Run, name: str, key: str) -> bool:
    """Whether a method is fitted for these inputs, and what it learned from is noted."""
    notes = read_done(_method_folder(run, name))
    return notes.get("key") == key and "energy_range" in notes


def _notes(run: Run, name: str) -> dict[str, Any]:
    """What was noted when a method was fitted."""
    notes = read_done(_method_folder(run, name))
    if not notes:
        raise DataError(f"method {name!r} of {run.folder} is not fitted: run the study again to go on")
    return notes


def _prediction(run: Run, name: str, part: str) -> Prediction:
    family = _notes(run, name)["family"]
    return from_arrays(family, load_file(_method_folder(run, name) / f"{part}.safetensors"))


def _bias_correction(recipe: Recipe) -> BiasCorrection:
    options = recipe.calibration
    return BiasCorrection(options.form, statistic=options.statistic, n_bins=options.n_bins)


def _check_fields(recipe: Recipe, events: Events) -> None:
    """Find out before the training whether the events hold what all methods see.

    Raises:
        DataError: If a field is missing.
    """
    for name, entry in recipe.methods.items():
        for field in entry.method.fields:
            try:
                if field != OFFSETS:
                    events.field(field)
            except DataError as fault:
                raise DataError(f"methods.{name}: {fault}") from fault


def _check_calibration(recipe: Recipe, validation: Events) -> None:
    """Find out before the training whether the validation events can carry the bias correction.

    Raises:
        DataError: If not even exact predictions can be corrected.
    """
    truth = validation.energy_true
    try:
        _bias_correction(recipe).fit(truth, truth)
    except DataError as fault:
        n_bins, part = recipe.calibration.n_bins, recipe.data.split.validation
        raise DataError(
            f"{fault} (calibration.n_bins is {n_bins}; data.split.validation = {part:g} gives {len(truth)} events)"
        ) from fault


def _calibrate_and_judge(run: Run, parts: Parts, say: Say) -> Judged:
    """Fit the calibrations on the validation events and judge the test events."""
    raw, calibrations = {}, {}
    for name, entry in run.recipe.methods.items():
        validation, folder = _prediction(run, name, "validation"), _method_folder(run, name)
        truth = parts.validation.energy_true
        try:
            correction = _bias_correction(run.recipe).fit(truth, validation)
        except DataError as fault:
            raise DataError(f"{entry.label} cannot be corrected (calibration.form): {fault}") from fault
        write_json(folder / _CORRECTION_FILE, correction.to_dict())
        try:
            recalibration = _recalibration(run.recipe, truth, correction.apply(validation))
        except DataError as fault:
            raise DataError(
                f"the width of {entry.label} cannot be recalibrated (calibration.width): {fault}"
            ) from fault
        (folder / _WIDTH_FILE).unlink(missing_ok=True)
        if recalibration is not None:
            write_json(folder / _WIDTH_FILE, recalibration.to_dict())
        calibrations[name] = Calibration(correction, recalibration)
        (folder / _CLOSURE_FILE).unlink(missing_ok=True)
        try:
            # not with the bins of the recipe: strict means the same in all studies
            closure = BiasCorrection("spline").fit(truth, validation)
        except DataError as fault:
            say(f"{entry.label}: no strict correction, so it is left out of the columns named strict: {fault}")
        else:
            write_json(folder / _CLOSURE_FILE, closure.to_dict())
        raw[name] = _prediction(run, name, "test")
    return judge(run.recipe, parts.test, raw, calibrations, _closures(run))


def _recalibration(recipe: Recipe, energy_true: FloatArray, corrected: Prediction) -> WidthRecalibration | None:
    """The fitted recalibration of the width, where the recipe wants one and there is a width."""
    form = recipe.calibration.width
    return None if form == "none" or not corrected.has_width else WidthRecalibration(form).fit(energy_true, corrected)


def _closures(run: Run) -> dict[str, BiasCorrection]:
    """The strict corrections of the methods that have one."""
    paths = {name: _method_folder(run, name) / _CLOSURE_FILE for name in run.recipe.methods}
    return {n: BiasCorrection.from_dict(json.loads(p.read_text())) for n, p in paths.items() if p.is_file()}


def _write(
    run: Run,
    folder: Path,
    judged: Judged,
    source: Source,
    command: str,
    timings: dict[str, float],
    note: str = "",
    made_with: Mapping[str, str] | None = None,
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
    write_json(folder / _RESULTS_FILE, {"run": info, "rows": [row.to_dict() for row in rows]})
    write_report(report_content(run, judged, rows, info, note), folder)


def _fit_rows(run: Run) -> Iterator[Row]:
    """What the fits cost."""
    for name in run.recipe.methods:
        notes = read_done(_method_folder(run, name))
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
