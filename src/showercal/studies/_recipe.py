"""The recipe of a study: validated YAML, unknown keys refused with the nearest known one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from showercal.calibration import TrackerConfig
from showercal.errors import RecipeError, nearest
from showercal.simulation import ParticleGun, parse_spectrum
from showercal.studies._ablations import AblationsConfig, with_variants
from showercal.studies._calibration_options import CalibrationConfig
from showercal.studies._ensembles import EnsemblesConfig, with_ensembles
from showercal.studies._options import faults_of, set_option, unshared
from showercal.studies._starts import start_of
from showercal.training import CosineSchedule, EnsembleConfig, MethodConfig, ScheduleConfig

_STUDIES = Path(__file__).parent / "recipes"


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FallingSpectrum(_Options):
    """exp(-E / scale) times the spectrum that the events have, by leaving events out.

    Args:
        scale: [GeV].
    """

    kind: Literal["falling"] = "falling"
    scale: float = Field(gt=0)


class FoldConfig(_Options):
    """Parts that the events themselves tell: those of the folds named here, and all others to learn from.

    Args:
        field: A whole number of each event.
        validation, test: Its values.
    """

    field: str = "fold"
    validation: tuple[int, ...] = Field(min_length=1)
    test: tuple[int, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        named = [*self.validation, *self.test]
        for fold in named:
            if named.count(fold) > 1:
                raise ValueError(f"fold {fold} is named twice among validation and test")
        return self


class SplitConfig(_Options):
    """Disjoint parts of the events, drawn at random unless folds are named.

    Args:
        train, validation, test: Fractions; they sum to 1. With folds they have no meaning.
        folds: Parts by a field of the events; None for parts at random.
        seed: Of the draw.
        learn_from: Another spectrum for what methods are fitted to and stopped on; bias corrections and the evaluation
            keep that of the events. None for the same.
    """

    train: float = Field(default=0.8, gt=0, lt=1)
    validation: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.1, gt=0, lt=1)
    folds: FoldConfig | None = None
    seed: int = 1
    learn_from: FallingSpectrum | None = None

    @property
    def validation_source(self) -> str:
        """What decides which events are for validation, for messages."""
        if self.folds is None:
            return f"data.split.validation = {self.validation:g}"
        return f"data.split.folds.validation = {list(self.folds.validation)}"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        names = ("train", "validation", "test")
        if self.folds is not None and any(getattr(self, n) != type(self).model_fields[n].default for n in names):
            raise ValueError(
                "folds and fractions (train, validation, test) cannot both decide the parts: leave one out"
            )
        return self

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test must sum to 1; they sum to {total:g}")
        return self


class GunConfig(_Options):
    """What was shot at the calorimeter.

    Args:
        particle: Its name, e.g. ``e-``.
        energy: Kinetic energy in GeV, in quotes: ``"5"``, flat ``"0:10"``, ... as ``showercal simulate`` takes it.
        position: Half widths (x, y) of the uniform impact point, [mm]; None for those of the detector.
    """

    particle: str
    energy: str
    position: tuple[float, float] | None = None

    @field_validator("energy", mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        if not isinstance(value, str):  # to YAML 1:10 is a number, 70
            raise ValueError('put it in quotes: energy: "0:10"')  # noqa: TRY004  (the only fault that Pydantic tells)
        return value

    @model_validator(mode="after")
    def _can_shoot(self) -> Self:
        ParticleGun(self.particle, parse_spectrum(self.energy), *(self.position or ()))
        return self


class _SimulatorConfig(_Options):
    """A simulator and its options, as of ``showercal simulate``.

    Args:
        backend: The simulator.
        cut, birks, time_cut, count_tracks: What is seen.
        physics_list, showers, muon_nuclear, frozen_showers: Those of one simulator alone.
    """

    backend: str = "fast"
    cut: float | None = None
    birks: float | None = None
    time_cut: float | None = None
    count_tracks: bool | None = None
    physics_list: str | None = None
    showers: str | None = None
    muon_nuclear: bool | None = None
    frozen_showers: bool | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Those that are set."""
        values = {name: getattr(self, name) for name in _SimulatorConfig.model_fields if name != "backend"}
        return {name: value for name, value in values.items() if value is not None}


class SimulatedDataConfig(_SimulatorConfig):
    """Events that the study makes itself: ``data.gun`` into a detector. Options left at None are the simulator's own.

    Args:
        detector: Its name, or a .json file of a geometry.
        n_events: How many.
        seed: The same seed gives the same events.
        folder: Below it they are kept, for all studies that ask for the same; None for the folder of the run.
    """

    detector: str
    n_events: int = Field(ge=50)
    seed: int = Field(default=1, ge=0)
    folder: str | None = None


class CellsAboveConfig(_Options):
    """Leaves out small cells while the events are read: from the data, the training, and all that is judged.

    Args:
        energy: Cells at or below it are left out, [GeV].
        field: Energy of the cells.
    """

    energy: float = Field(ge=0)
    field: str = "cells.energy"

    @field_validator("field")
    @classmethod
    def _of_cells(cls, value: str) -> str:
        if value.count(".") != 1:
            raise ValueError("must be a field of cells, e.g. cells.energy")
        return value


class DataConfig(_Options):
    """Where the events come from.

    Args:
        sample: Name of a sample that ships inside the package; used when ``events`` is None.
        simulated: Events that the study makes itself, of what ``gun`` says; used when ``events`` is None.
        events: Path of a file or folder of events.
        mapping: How to read the foreign files of ``events``; None for folders that showercal wrote.
        limit: Take only the first events.
        cells_above: Which cells are read; None for all.
        gun: What is shot in a simulation, or was shot, for events that do not say so themselves.
        split: Into train, validation and test.
    """

    sample: str | None = None
    simulated: SimulatedDataConfig | None = None
    events: str | None = None
    mapping: str | None = None
    limit: int | None = Field(default=None, ge=50)
    cells_above: CellsAboveConfig | None = None
    gun: GunConfig | None = None
    split: SplitConfig = SplitConfig()

    @property
    def is_simulated(self) -> bool:
        """Whether the study makes its events itself."""
        return self.simulated is not None and self.events is None

    @model_validator(mode="after")
    def _can_be_simulated(self) -> Self:
        if self.simulated is not None and self.gun is None:
            raise ValueError('simulated needs a gun: data.gun, e.g. {particle: mu-, energy: "50:8000"}')
        for name in ("sample", "mapping"):
            if self.is_simulated and getattr(self, name) is not None:
                raise ValueError(
                    f"{name} {getattr(self, name)!r} has no meaning for events that are simulated: set data.{name} to "
                    "null, or name the events to read instead (data.events; command line: --events)"
                )
        return self


class MethodEntry(_Options):
    """One method of the study.

    Args:
        label: Its name for readers.
        method: What it is.
        published: Its published sigma/sqrt(E), [sqrt(GeV)].
        calibration: Its own, instead of that of the study.
        full: Whether it takes so long that only a full run fits it (see `Recipe.without_long_methods`).
    """

    label: str
    method: MethodConfig
    published: float | None = None
    calibration: CalibrationConfig | None = None
    full: bool = False


class EvaluationConfig(_Options):
    """Bins of the true energy and the bootstrap.

    Args:
        low, high: Range of the bins, [GeV].
        n_bins: Their number.
        spacing: ``uniform`` or ``log``.
        n_bootstrap: Resampled data sets for the errors.
        seed: Of the resampling.
        display_energies: Events nearest these energies are shown, [GeV].
        tracker: What the calorimeter is combined with (see `showercal.calibration.LinearTracker`); None for nothing.
    """

    low: float = Field(ge=0)
    high: float
    n_bins: int = Field(default=20, ge=1)
    spacing: Literal["uniform", "log"] = "uniform"
    n_bootstrap: int = Field(default=200, ge=2)
    seed: int = 1
    display_energies: tuple[float, ...] = ()
    tracker: TrackerConfig | None = None


class SimulatedConfig(_SimulatorConfig):
    """Events made for the pretraining: the detector of the study, and what was shot at it in the study.

    What is seen is as the events of the study say where it is None here, and the simulator's default where they say
    nothing.

    Args:
        n_events: How many.
        seed: The same seed gives the same events.
    """

    kind: Literal["simulated"] = "simulated"
    n_events: int = Field(default=300_000, ge=50)
    seed: int = Field(default=1001, ge=0)

    @property
    def description(self) -> str:
        """What they are, for readers."""
        return f"{self.n_events:,} events by the simulator {self.backend}"


class StoredConfig(_Options):
    """Events for the pretraining that are there already, of the detector of the study.

    Args:
        path: A file or folder.
        mapping: How to read foreign files; None for folders that showercal wrote.
        limit: Take only the first events.
    """

    kind: Literal["stored"] = "stored"
    path: str
    mapping: str | None = None
    limit: int | None = Field(default=None, ge=50)

    @property
    def description(self) -> str:
        """What they are, for readers."""
        return f"the events of {Path(self.path).name}"

    @property
    def data(self) -> DataConfig:
        """The same as options of a study."""
        return DataConfig(events=self.path, mapping=self.mapping, limit=self.limit)


class FineTuneConfig(_Options):
    """How a pretrained network is trained on, from its weights and with its scales.

    The weights are to be mended, not found: a long training on few events forgets what the others have taught.

    Args:
        learning_rate: As a share of the method's own.
        epochs: At most.
        least_steps: Epochs are added until a training with few events makes so many steps.
        schedule: Of the learning rate.
        patience: Epochs without a better validation loss before stopping; None for the method's own.
    """

    learning_rate: float = Field(default=0.1, gt=0)
    epochs: int = Field(default=10, ge=1)
    least_steps: int = Field(default=50, ge=0)
    schedule: ScheduleConfig = CosineSchedule()
    patience: int | None = Field(default=None, ge=1)


class PretrainConfig(_Options):
    """Training on other events first, and what it is worth against the number of the study's own.

    Every network is trained on the other events, then trained on with some of the study's; and from scratch with the
    same. Methods that are no networks cannot be trained on: they are fitted to the other events, and to the study's.

    Args:
        events: The other events.
        validation: Share of the other events that decides which epoch is kept.
        epochs: Of the pretraining; None for each method's own.
        methods: Which methods; None for all but ensembles, which take no part. The reference, and what others start
            from, always do.
        n_train: How many of the training events of the study are used, rising; 0 for none, ``all`` for all. For fewer
            than all, the same share of the validation events decides which epoch is kept.
        least_steps: Epochs are added until a training from scratch with few events makes so many steps.
        fine_tune: How they are trained on.
    """

    events: Annotated[SimulatedConfig | StoredConfig, Field(discriminator="kind")] = SimulatedConfig()
    validation: float = Field(default=0.1, gt=0, lt=1)
    epochs: int | None = Field(default=None, ge=1)
    methods: tuple[str, ...] | None = None
    n_train: tuple[int | Literal["all"], ...] = (0, 1000, 10_000, "all")
    least_steps: int = Field(default=2000, ge=0)
    fine_tune: FineTuneConfig = FineTuneConfig()

    @field_validator("n_train", mode="before")
    @classmethod
    def _rises(cls, value: Any) -> Any:
        numbers = [float("inf") if n == "all" else n for n in value] if isinstance(value, list | tuple) else []
        sound = all(n == float("inf") or (isinstance(n, int) and not isinstance(n, bool) and n >= 0) for n in numbers)
        if not numbers or not sound or any(a >= b for a, b in pairwise(numbers)):
            raise ValueError("must be a list of rising numbers of events, at last perhaps all: [0, 1000, 10000, all]")
        return value


class Recipe(_Options):
    """A study.

    Args:
        name: One word.
        title, description: For the report.
        data: Events.
        methods: To compare, by name, in the order of tables and legends.
        reference: The method that ratios refer to.
        published_note: What to keep in mind when comparing with published numbers.
        calibration: Bias correction and width.
        evaluation: Bins and errors.
        pretrain: Training on other events first; None for none.
        ensemble: Ensembles of methods beside them; None for none. A validated recipe has them among its methods.
        ablations: Variants of a method, which only `ablate_study` looks at; None for none.
    """

    name: str
    title: str
    description: str = ""
    data: DataConfig
    methods: dict[str, MethodEntry] = Field(min_length=1)
    reference: str
    published_note: str = ""
    calibration: CalibrationConfig = CalibrationConfig()
    evaluation: EvaluationConfig
    pretrain: PretrainConfig | None = None
    ensemble: EnsemblesConfig | None = None
    ablations: AblationsConfig | None = None

    @model_validator(mode="after")
    def _has_its_ensembles(self) -> Self:
        if self.ensemble is not None:
            # in place, as Pydantic keeps no other object that a validator of a whole model returns
            object.__setattr__(self, "methods", with_ensembles(self.methods, self.ensemble))
            object.__setattr__(self, "ensemble", None)
        return self

    @model_validator(mode="after")
    def _reference_exists(self) -> Self:
        if self.reference not in self.methods:
            hint = nearest(self.reference, self.methods)
            raise ValueError(f"reference {self.reference!r} is not among the methods; {hint}")
        return self

    @model_validator(mode="after")
    def _starts_are_known(self) -> Self:
        before: list[str] = []
        for name, entry in self.methods.items():
            start = start_of(entry)
            if start is not None and start not in before:
                hint = nearest(start, before)
                raise ValueError(
                    f"methods.{name} starts from {start!r}, which is not among the methods before it; {hint}"
                )
            if start is not None and self.is_ensemble(name) != self.is_ensemble(start):
                raise ValueError(
                    f"methods.{name} starts from {start!r}: an ensemble starts from an ensemble, member by member, and "
                    "one network from one network"
                )
            before.append(name)
        return self

    @model_validator(mode="after")
    def _pretrained_are_known(self) -> Self:
        for name in (self.pretrain and self.pretrain.methods) or ():
            if name not in self.methods:
                raise ValueError(
                    f"pretrain.methods names {name!r}, which is not among the methods; {nearest(name, self.methods)}"
                )
        for name in (self.reference, *((self.pretrain and self.pretrain.methods) or ())):
            if self.pretrain is not None and self.is_ensemble(name):
                raise ValueError(
                    f"{name} is an ensemble, which takes no part in a pretraining: name single methods as reference "
                    "and in pretrain.methods"
                )
        for name, entry in self.methods.items():
            penalised = getattr(entry.method, "decorrelation", None) is not None
            if penalised and self.pretrain is not None and self.pretrain.fine_tune.patience is not None:
                raise ValueError(
                    f"methods.{name} has a decorrelation and keeps its last epoch, so that pretrain.fine_tune.patience "
                    "has no meaning: leave it out"
                )
        return self

    @model_validator(mode="after")
    def _ablations_are_sound(self) -> Self:
        if self.ablations is not None:
            with_variants(self.methods, self.ablations, self.ablations.variants)
        return self

    @model_validator(mode="after")
    def _stands_without_long_methods(self) -> Self:
        short = [name for name, entry in self.methods.items() if not entry.full]
        if short and self.methods[self.reference].full:
            raise ValueError(
                f"reference {self.reference!r} has full: true and is left out of short runs: take {' or '.join(short)}"
            )
        for name in short:
            start = start_of(self.methods[name])
            if start is not None and self.methods[start].full:
                raise ValueError(f"methods.{name} starts from {start!r}, which short runs leave out: set its full, too")
        return self

    def calibration_of(self, name: str) -> CalibrationConfig:
        """How a method is calibrated."""
        return self.methods[name].calibration or self.calibration

    def without_long_methods(self) -> Recipe:
        """The same study without the methods that only a full run fits; all of them where there are no others.

        Raises:
            RecipeError: If the pretraining names no others.
        """
        short = {name: entry for name, entry in self.methods.items() if not entry.full}
        if not short or len(short) == len(self.methods):
            return self
        changes: dict[str, Any] = {"methods": short}
        if self.ablations is not None and self.ablations.base not in short:
            changes["ablations"] = None
        if self.pretrain is not None and self.pretrain.methods is not None:
            named = tuple(name for name in self.pretrain.methods if name in short)
            if self.pretrain.methods and not named:
                names = ", ".join(self.pretrain.methods)
                raise RecipeError(
                    f"pretrain.methods names only methods that short runs leave out ({names}): run with --full, or "
                    "name others"
                )
            changes["pretrain"] = self.pretrain.model_copy(update={"methods": named})
        return self.model_copy(update=changes)

    def is_ensemble(self, name: str) -> bool:
        """Whether a method is an ensemble."""
        return isinstance(self.methods[name].method, EnsembleConfig)


def packaged_studies() -> dict[str, str]:
    """Name -> title of the recipes that ship inside the package."""
    return {path.stem: yaml.safe_load(path.read_text())["title"] for path in sorted(_STUDIES.glob("*.yaml"))}


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A packaged recipe by name, or one from a ``.yaml`` file.

    Args:
        name: Name or path.
        overrides: ``path=value`` pairs, e.g. ``methods.convnet.method.training.epochs=5``; values are YAML.

    Raises:
        RecipeError: If there is no such recipe, or a key or value is not valid.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = _STUDIES / f"{name}.yaml"
        if not path.is_file():
            hint = nearest(str(name), packaged_studies())
            raise RecipeError(f"unknown study {str(name)!r}; {hint}; or give a .yaml file")
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError as fault:
        raise RecipeError(f"no recipe at {path}") from fault
    except yaml.YAMLError as fault:
        raise RecipeError(f"{path} is not valid YAML: {fault}") from fault
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise RecipeError(f"{path} must hold a mapping of keys (name, data, methods, ...); got {kind}")
    content = unshared(content)
    for text in overrides:
        _override(content, text)
    return parse_recipe(content, where=str(name))


def parse_recipe(content: Mapping[str, Any], *, where: str) -> Recipe:
    """Validate a recipe given as data.

    Raises:
        RecipeError: With the place of every fault and, for an unknown key, the nearest known one.
    """
    try:
        return Recipe.model_validate(dict(content))
    except ValidationError as fault:
        faults = faults_of(fault, Recipe.model_json_schema())
        raise RecipeError(f"the recipe {where} is not valid: {faults}") from fault


def _override(content: dict[str, Any], text: str) -> None:
    path, separator, value = text.partition("=")
    if not separator or not path:
        raise RecipeError(f"--set needs path=value, e.g. --set evaluation.n_bootstrap=50; got {text!r}")
    group, *inner = path.split(".")
    if group == "methods" and len(inner) > 1 and inner[0] not in (known := content.get(group) or {}):
        raise RecipeError(f"--set {text}: the recipe has no method {inner[0]!r}; {nearest(inner[0], known)}")
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError as fault:
        raise RecipeError(f"--set {text}: {value!r} is not a valid YAML value; put texts in quotes") from fault
    set_option(content, path, found, where=f"--set {text}")
