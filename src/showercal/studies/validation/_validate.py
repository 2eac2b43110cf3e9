"""A simulator judged by a reference: simulate the same particles, compare, write the results and the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from showercal.detectors import BoxCalorimeter
from showercal.errors import RecipeError
from showercal.evaluation import Row, finite_or_none
from showercal.features import join_observables
from showercal.report.validation import ValidationContent, Verdict, write_validation
from showercal.simulation import Backend, EventList, ParticleGun, default_half_widths, parse_spectrum, simulate
from showercal.storage import EventSource
from showercal.studies._cache import write_json
from showercal.studies._run import timed, versions
from showercal.studies.validation._compare import classify, compare_samples, pair
from showercal.studies.validation._criteria import Signal, criteria_without_bounds, find_criteria, verdicts
from showercal.studies.validation._samples import observe_sample, open_sample

Say = Callable[[str], None]
MakeBackend = Callable[[Signal], Backend]

_MIN_EVENTS: Final = 100
_REFERENCE_FOLDER: Final = "reference"
_SAMPLE_FOLDER: Final = "sample"


@dataclass(frozen=True)
class ReferenceRun:
    """A reference that is still to be made.

    Args:
        make_backend: Gives its simulator.
        n_events: How many events.
        energy: Spectrum of the kinetic energy, as `parse_spectrum` reads it; None for flat over the energies that are
            judged.
    """

    make_backend: MakeBackend
    n_events: int
    energy: str | None = None


@dataclass(frozen=True)
class GivenReference:
    """Events that are at hand.

    Args:
        path: A folder that showercal wrote, or files of another program.
        mapping: How to read foreign files; by default the packaged mapping that fits.
        limit: How many events to use, from the first; None for all.
    """

    path: Path
    mapping: str | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Validation:
    """What was found.

    Attributes:
        folder: Holds ``results.json``, ``results.md``, ``report.html`` and ``figures/``; ``sample/`` and ``reference/``
            where these were simulated.
        content: Everything the page shows.
    """

    folder: Path
    content: ValidationContent

    @property
    def verdicts(self) -> list[Verdict]:
        """The numbers with a bound."""
        return list(self.content.verdicts)


def validate_simulation(
    calorimeter: BoxCalorimeter,
    particle: str,
    sample: MakeBackend | Path,
    reference: ReferenceRun | GivenReference,
    folder: str | Path,
    *,
    signal: Signal | None = None,
    repeat: int = 1,
    seed: int = 1,
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = False,
    command: str = "",
    say: Say = lambda _: None,
) -> Validation:
    """Judge simulated showers by those of a reference.

    Args:
        calorimeter: Their detector.
        particle: What they hold.
        sample: Gives a simulator, which is handed the particles of the reference; or events that are at hand.
        reference: The truth.
        folder: Where everything goes; simulations that were interrupted there go on.
        signal: How deposits become signals; by default as in the reference, or as declared for the particle.
        repeat: How often the simulator is handed the particles, each time with the next seed: its own statistical error
            shrinks. The classifier sees the first time.
        seed: Of the simulations and of the classifier.
        workers: Processes at once.
        overwrite: Simulate anew what the folder holds.
        progress: Show progress bars.
        command: The command line, for the page.
        say: Told what happens.

    Returns:
        What was found.

    Raises:
        RecipeError: If ``repeat`` is below 1.
        ShowercalError: Whatever is wrong with the samples or the simulators.
    """
    if repeat < 1:
        raise RecipeError(f"the particles must be simulated at least once; got repeat {repeat}")
    folder = Path(folder)
    timings: dict[str, float] = {}
    options: dict[str, Any] = {"seed": seed, "workers": workers, "overwrite": overwrite, "progress": progress}
    limit = None
    if isinstance(reference, GivenReference):
        truth, limit = open_sample(reference.path, calorimeter, particle, reference.mapping), reference.limit
    else:
        simulator = reference.make_backend(signal or _declared_signal(calorimeter, particle))
        say(f"reference: {reference.n_events:,} events by {simulator.name}")
        with timed(timings, f"simulate {simulator.name}"):
            gun = _gun(calorimeter, particle, reference)
            truth = simulate(
                calorimeter, gun, reference.n_events, backend=simulator, folder=folder / _REFERENCE_FOLDER, **options
            )
    truth_name = _name(truth, "reference")
    with timed(timings, f"read {truth_name}"):
        theirs = observe_sample(truth, limit)
    if isinstance(sample, Path):
        runs: list[EventSource] = [open_sample(sample, calorimeter, particle)]
    else:
        simulator = sample(signal or signal_of(truth) or _declared_signal(calorimeter, particle))
        say(f"sample: the same {len(theirs):,} particles by {simulator.name}" + (f", {repeat} times" * (repeat > 1)))
        with timed(timings, f"simulate {simulator.name} for the same particles"):
            particles = EventList.from_events(truth, particle=particle, file=_REFERENCE_FOLDER)
            runs = [
                simulate(
                    calorimeter,
                    particles,
                    len(theirs),
                    backend=simulator,
                    folder=folder / (f"{_SAMPLE_FOLDER}-{turn}" if turn else _SAMPLE_FOLDER),
                    **{**options, "seed": seed + turn},
                )
                for turn in range(repeat)
            ]
    name = _name(runs[0], "sample")
    name = f"{name} (sample)" if name == truth_name else name
    with timed(timings, f"read {name}"):
        ours = join_observables([observe_sample(run, limit) for run in runs])
    criteria = find_criteria(calorimeter, particle)
    if criteria is None:
        criteria = criteria_without_bounds(calorimeter, particle, theirs.energy_true)
        say(f"no bounds are declared for {particle} in {calorimeter.name}: nothing is judged")
    both = pair(ours, theirs, criteria.binning)
    if not both.is_paired:
        say("the samples start from different particles: errors hold the spread of the energies")
    with timed(timings, "compare"):
        compared = list(compare_samples(both, calorimeter, particle, criteria.lit_threshold))
    with timed(timings, "classifier"):
        say("classifier: boosted trees on the shower shapes")
        test = classify(both, seed)
    content = ValidationContent(
        particle=particle,
        calorimeter=calorimeter,
        sample_name=name,
        reference_name=truth_name,
        sample=both.sample,
        reference=both.reference,
        is_paired=both.is_paired,
        binning=criteria.binning,
        lit_threshold=criteria.lit_threshold,
        compared=compared,
        test=test,
        verdicts=verdicts(criteria, compared, test),
        versions=versions(),
        provenance={truth_name: dict(truth.provenance), name: dict(runs[0].provenance)},
        command=command,
        timings=timings,
    )
    write_json(folder / "results.json", _results(content))
    write_validation(content, folder)
    return Validation(folder, content)


def signal_of(source: EventSource) -> Signal | None:
    """How deposits became signals in a sample of ours; None where it does not say."""
    settings = source.provenance.get("settings", {})
    if "birks" not in settings:
        return None
    return Signal(birks=settings["birks"], time_cut=settings.get("time_cut"))


def _declared_signal(calorimeter: BoxCalorimeter, particle: str) -> Signal:
    criteria = find_criteria(calorimeter, particle)
    return Signal() if criteria is None else criteria.signal


def _gun(calorimeter: BoxCalorimeter, particle: str, run: ReferenceRun) -> ParticleGun:
    """What shoots the reference.

    Raises:
        RecipeError: If there are too few events, or no energies are given and none declared.
    """
    if run.n_events < _MIN_EVENTS:
        raise RecipeError(f"a validation needs at least {_MIN_EVENTS} events; got --events {run.n_events}")
    criteria = find_criteria(calorimeter, particle)
    if run.energy is None and criteria is None:
        raise RecipeError(
            f"no energies are declared for {particle} in {calorimeter.name}: give --energy, e.g. --energy 1:100, or "
            "--reference with events that are at hand"
        )
    energy = run.energy
    if energy is None:
        assert criteria is not None
        energy = f"{criteria.energies[0]:g}:{criteria.energies[-1]:g}"
    return ParticleGun(particle, parse_spectrum(energy), *default_half_widths(calorimeter))


def _name(source: EventSource, otherwise: str) -> str:
    """The simulator of a sample, where it says."""
    return str(source.provenance.get("backend", otherwise))


def _results(content: ValidationContent) -> dict[str, Any]:
    """Results in the form of all studies: rows of one number each, and how they came to be."""
    rows = [one.row(content.sample_name) for one in content.compared]
    edges = content.binning.edges
    low, high = edges[0], edges[-1]
    rows.append(Row(content.sample_name, "two_sample_auc", None, low, high, content.test.auc, content.test.error))
    for name, sample in content.samples.items():
        rows.append(Row(name, "n_events", None, low, high, float(len(sample))))
    return {
        "run": {
            "study": "validate-simulation",
            "detector": content.calorimeter.name,
            "particle": content.particle,
            "command": content.command,
            "provenance": {name: dict(data) for name, data in content.provenance.items()},
            "versions": dict(content.versions),
            "timings": dict(content.timings),
            "classifier": {
                "importance": finite_or_none(content.test.importance),
                "single_auc": finite_or_none(content.test.single_auc),
            },
            "bounds": [
                {
                    "metric": one.metric,
                    "bin": one.bin,
                    "bound": one.bound,
                    "allowed": one.allowed,
                    "is_met": one.is_met,
                }
                for one in content.verdicts
            ],
        },
        "rows": [row.to_dict() for row in rows],
    }
