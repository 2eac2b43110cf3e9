"""Running a study: read, train, predict, calibrate, evaluate, report; every stage done once for the same inputs."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import yaml
from safetensors.numpy import load_file, save_file

import showercal
from showercal.calibration import BiasCorrection
from showercal.errors import DataError, RecipeError
from showercal.estimator import Estimator
from showercal.evaluation import Row
from showercal.events import Events
from showercal.prediction import Prediction, from_arrays
from showercal.report import write_report, write_results_markdown
from showercal.studies._cache import digest, is_done, mark_done, read_done, write_json
from showercal.studies._content import report_content
from showercal.studies._data import Parts, describe, fingerprint, locate, read_events, split
from showercal.studies._judge import Judged, judge
from showercal.studies._recipe import DataConfig, Recipe, parse_recipe
from showercal.training import build_method, load_method

_RECIPE_FILE: Final = "recipe.yaml"
_RESULTS_FILE: Final = "results.json"
_PACKAGES: Final = ("showercal", "torch", "lightning", "lightgbm", "numpy", "awkward", "pyarrow", "iminuit")
Say = Callable[[str], None]


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
        return load_method(self.folder / "methods" / name / "model")

    def correction(self, name: str) -> BiasCorrection:
        """The bias correction of a method, fitted on the validation events of the run."""
        return BiasCorrection.from_dict(json.loads((self.folder / "methods" / name / "correction.json").read_text()))

    def predict(self, name: str, events: Events) -> Prediction:
        """Calibrated energies of any events by one method of the run."""
        return self.correction(name).apply(self.method(name).predict(events))

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
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (folder / _RECIPE_FILE).write_text(text)
    run = Run(folder, recipe)
    timings: dict[str, float] = {}
    with _timed(timings, "read events"):
        source = fingerprint(recipe.data)
        events = read_events(recipe.data)
        parts = split(events, recipe.data.split)
    sizes = (f"{len(part):,} {name}" for name, part in vars(parts).items())
    say(f"{len(events):,} events: {', '.join(sizes)}")
    for name, entry in recipe.methods.items():
        with _timed(timings, f"fit {entry.label}"):
            _fit(run, name, parts, source, say)
    with _timed(timings, "evaluate and report"):
        _judge_and_report(run, parts, describe(events, locate(recipe.data)), command, timings)
    return run


def evaluate_run(
    run: Run, data: DataConfig, folder: str | Path | None = None, *, command: str = "", say: Say = lambda _: None
) -> Path:
    """Judge all methods of a finished run on other events with truth, into the same form and report.

    Args:
        run: The run; its methods and bias corrections are used as they are.
        data: The other events; nothing is split off.
        folder: Where results go; by default ``evaluations/NAME`` inside the run.
        command: The command line, for the report.
        say: Told what happens.

    Returns:
        The folder of the results.

    Raises:
        ShowercalError: Whatever is wrong with the run or the events.
    """
    path = locate(data)
    folder = run.folder / "evaluations" / path.stem if folder is None else Path(folder)
    timings: dict[str, float] = {}
    with _timed(timings, "read events"):
        events = read_events(data)
    say(f"{len(events):,} events of {path.name}")
    raw = {}
    for name, entry in run.recipe.methods.items():
        with _timed(timings, f"predict {entry.label}"):
            raw[name] = run.method(name).predict(events)
    corrections = {name: run.correction(name) for name in run.recipe.methods}
    closures = {name: _closure(run, name) for name in run.recipe.methods}
    judged = judge(run.recipe, events, raw, corrections, closures)
    _write(run, folder, judged, describe(events, path), command, timings)
    return folder


def render_report(run: Run) -> Path:
    """Write figures and page of a finished run again, e.g. with a newer version.

    Raises:
        ShowercalError: If the run is not finished, or its events are gone or changed.
    """
    info = run.info
    if fingerprint(run.recipe.data) != info["events"]:
        raise DataError(f"the events of {run.folder} have changed since it was run: run it again")
    events = read_events(run.recipe.data)
    parts = split(events, run.recipe.data.split)
    _judge_and_report(run, parts, info["provenance"], info["command"], info["timings"])
    return run.folder / "report.html"


def _fit(run: Run, name: str, parts: Parts, source: str, say: Say) -> None:
    """Train one method and keep its predictions of validation and test events."""
    entry, folder = run.recipe.methods[name], run.folder / "methods" / name
    method_key = digest(showercal.__version__, source, run.recipe.data.split.model_dump(), entry.method.model_dump())
    if is_done(folder, method_key):
        say(f"{entry.label}: done before")
        return
    (folder / "done.json").unlink(missing_ok=True)
    say(f"{entry.label}: fitting")
    start = time.perf_counter()
    method = build_method(entry.method).fit(parts.train, parts.validation, folder / "work")
    seconds = time.perf_counter() - start
    method.save(folder / "model")
    notes: dict[str, Any] = {"fit_seconds": seconds, "n_parameters": method.n_parameters, "n_train": len(parts.train)}
    for part, events in (("validation", parts.validation), ("test", parts.test)):
        prediction = method.predict(events)
        save_file(prediction.arrays(), folder / f"{part}.safetensors")
        notes["family"] = prediction.family
    mark_done(folder, method_key, notes)


def _prediction(run: Run, name: str, part: str) -> Prediction:
    folder = run.folder / "methods" / name
    return from_arrays(read_done(folder)["family"], load_file(folder / f"{part}.safetensors"))


def _judge_and_report(
    run: Run, parts: Parts, provenance: dict[str, Any], command: str, timings: dict[str, float]
) -> None:
    raw, corrections, closures = {}, {}, {}
    for name in run.recipe.methods:
        validation = _prediction(run, name, "validation")
        options = run.recipe.calibration
        correction = BiasCorrection(options.form, statistic=options.statistic, n_bins=options.n_bins)
        corrections[name] = correction.fit(parts.validation.energy_true, validation)
        write_json(run.folder / "methods" / name / "correction.json", correction.to_dict())
        closures[name] = BiasCorrection("spline").fit(parts.validation.energy_true, validation)
        write_json(run.folder / "methods" / name / "closure.json", closures[name].to_dict())
        raw[name] = _prediction(run, name, "test")
    judged = judge(run.recipe, parts.test, raw, corrections, closures)
    _write(run, run.folder, judged, provenance, command, timings)


def _closure(run: Run, name: str) -> BiasCorrection:
    return BiasCorrection.from_dict(json.loads((run.folder / "methods" / name / "closure.json").read_text()))


def _write(
    run: Run, folder: Path, judged: Judged, provenance: dict[str, Any], command: str, timings: dict[str, float]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [*judged.rows, *_fit_rows(run)]
    info = {
        "study": run.recipe.name,
        "command": command,
        "events": fingerprint(run.recipe.data),
        "provenance": provenance,
        "versions": versions(),
        "timings": timings,
    }
    write_json(folder / _RESULTS_FILE, {"run": info, "rows": [row.to_dict() for row in rows]})
    content = report_content(run, judged, rows, info)
    write_results_markdown(content, folder)
    write_report(content, folder)


def _fit_rows(run: Run) -> Iterator[Row]:
    """What the fits cost."""
    for name in run.recipe.methods:
        notes = read_done(run.folder / "methods" / name)
        if not notes:
            raise RecipeError(f"method {name!r} of {run.folder} is not fitted: run the study again to go on")
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
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = round(time.perf_counter() - start, 3)
