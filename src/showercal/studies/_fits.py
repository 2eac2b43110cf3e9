"""The fits of a study: which there are, what each learns from, and what is kept of it."""

from __future__ import annotations

import functools
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

import showercal
from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, RecipeError
from showercal.events import Events
from showercal.prediction import Prediction, from_arrays
from showercal.studies._cache import digest, essence, forget, is_done, mark_done, read_done
from showercal.studies._data import Parts, check_fields, learned
from showercal.studies._options import reasons_of
from showercal.studies._pretraining import SimulatedSource, StoredSource, split_for_stopping
from showercal.studies._recipe import PretrainConfig, Recipe
from showercal.studies._starts import start_of, with_starts
from showercal.training import MethodConfig, NetworkMethodConfig, build_method, load_method

Say = Callable[[str], None]
# Validation events that at least decide which epoch is kept, where there are as many.
_LEAST_VALIDATION: Final = 100
_PARTS: Final = ("validation", "test")  # of which predictions are kept


@dataclass(frozen=True)
class Fit:
    """One fit of a method.

    Args:
        method: Name of the method in the recipe.
        label: For readers.
        n_train: Events of the study it learns from; None for all training events.
        pretrained: Whether it learned from the events of the pretraining: only from them where ``n_train`` is 0, else
            before.
        start: Name of the fit whose weights it starts from.
    """

    method: str
    label: str
    n_train: int | None = None
    pretrained: bool = False
    start: str | None = None

    @property
    def name(self) -> str:
        """Its own among the fits of the study: that of the method, for the one that the study compares."""
        if self.n_train is None and not self.pretrained:
            return self.method
        events = "all" if self.n_train is None else self.n_train
        return f"{self.method}@{'pretrained' if self.pretrained else 'alone'}-{events}"

    @property
    def is_pretraining(self) -> bool:
        """Whether it learns from the events of the pretraining, not the study's."""
        return self.pretrained and self.n_train == 0

    @property
    def is_fine_tuning(self) -> bool:
        """Whether it trains a pretrained network on."""
        return self.pretrained and not self.is_pretraining


def fits_of(recipe: Recipe) -> dict[str, Fit]:
    """All fits of a study by name, each after the one it starts from."""
    fits = [Fit(name, entry.label, start=start_of(entry)) for name, entry in recipe.methods.items()]
    config = recipe.pretrain
    if config is not None:
        for method in pretrained_methods(recipe):
            fits += _transfer_fits(recipe, method, config)
    return {fit.name: fit for fit in fits}


def pretrained_methods(recipe: Recipe) -> list[str]:
    """The methods that take part in the pretraining, in the order of the recipe."""
    config = recipe.pretrain
    if config is None:
        return []
    single = [name for name in recipe.methods if not recipe.is_ensemble(name)]
    names = {recipe.reference, *(single if config.methods is None else config.methods)}
    taking_part = with_starts(recipe.methods, names)
    return [name for name in recipe.methods if name in taking_part]


def _transfer_fits(recipe: Recipe, method: str, config: PretrainConfig) -> list[Fit]:
    """The fits of one method beside that of the study itself: pretrained and alone, by number of events."""
    entry = recipe.methods[method]
    start = start_of(entry)
    is_network = isinstance(entry.method, NetworkMethodConfig)
    first = Fit(method, f"{entry.label}, on the pretraining events", 0, True, start and f"{start}@pretrained-0")
    fits = [first] if is_network or 0 in config.n_train else []
    for n in config.n_train:
        if n == 0:
            continue
        number, events = (None, "all events") if n == "all" else (int(n), f"{n:,} events")
        if is_network:
            fits.append(Fit(method, f"{entry.label}, pretrained, {events}", number, True, first.name))
        if number is not None:
            fits.append(Fit(method, f"{entry.label}, alone, {events}", number, False, start and f"{start}@alone-{n}"))
    return fits


def fit_keys(recipe: Recipe, study: str, pretraining: str | None) -> dict[str, str]:
    """By fit, hash of all that decides it: version, events, split, options, and the fit it starts from.

    Args:
        recipe: The study.
        study: Hash of its events.
        pretraining: Hash of the events of the pretraining; None without one.
    """
    keys: dict[str, str] = {}
    for fit in fits_of(recipe).values():
        parts: list[Any] = [
            showercal.__version__,
            study,
            essence(recipe.data.split),
            essence(recipe.methods[fit.method].method),
            None if fit.start is None else keys[fit.start],
        ]
        if recipe.pretrain is not None and fit.name != fit.method:
            parts += [fit.n_train, *_pretrain_options(fit, recipe.pretrain, pretraining)]
        keys[fit.name] = digest(*parts)
    return keys


def _pretrain_options(fit: Fit, config: PretrainConfig, events: str | None) -> list[Any]:
    """Those options of a pretraining that decide a fit."""
    if fit.is_pretraining:
        return [events, config.validation, config.epochs]
    return [essence(config.fine_tune) if fit.is_fine_tuning else config.least_steps]


class Learning:
    """What the fits of a study learn from, and are stopped on.

    Args:
        recipe: The study.
        parts: Its events.
        other: The events of its pretraining; None without one.
    """

    def __init__(self, recipe: Recipe, parts: Parts, other: SimulatedSource | StoredSource | None) -> None:
        self.recipe, self.parts, self.other = recipe, parts, other

    @functools.cached_property
    def study(self) -> tuple[Events, Events]:
        """Training and validation events of the study."""
        train, validation = (
            learned(part, self.recipe.data.split) for part in (self.parts.train, self.parts.validation)
        )
        return train, validation

    @functools.cached_property
    def pretraining(self) -> tuple[Events, Events]:
        """The same of the pretraining."""
        assert self.other is not None
        assert self.recipe.pretrain is not None
        train, validation = split_for_stopping(self.other.read(), self.recipe.pretrain)
        return learned(train, self.recipe.data.split), learned(validation, self.recipe.data.split)

    def of(self, fit: Fit) -> tuple[Events, Events]:
        """Events to learn from and to stop on; of few events to learn from, a part are part of more."""
        if fit.is_pretraining:
            return self.pretraining
        train, validation = self.study
        if fit.n_train is None:
            return train, validation
        share = fit.n_train / len(train)
        n_validation = min(len(validation), max(_LEAST_VALIDATION, round(share * len(validation))))
        return self._some(train, fit.n_train), self._some(validation, n_validation)

    def check(self) -> None:
        """Find out before the training whether the study has as many events, and its fits the options, as asked for.

        Raises:
            DataError: If there are fewer events.
            RecipeError: If the options of a fit do not go together.
        """
        config, n_train = self.recipe.pretrain, len(self.study[0])
        for n in () if config is None else config.n_train:
            if n != "all" and n > n_train:
                raise DataError(
                    f"pretrain.n_train asks for {n:,} of the {n_train:,} training events of the study: take more "
                    f"events, or set e.g. --set 'pretrain.n_train=[0, {n_train // 10}, all]'"
                )

        for fit in fits_of(self.recipe).values():
            # that of a pretraining does not depend on how many events there are
            options_of(self.recipe, fit, n_train if fit.n_train is None else fit.n_train)

    def prepare_pretraining(self) -> None:
        """Read or make the events of the pretraining, and find out before any training whether they will do.

        Raises:
            DataError: If they lack a field, or are of another detector.
        """
        events, _ = self.pretraining
        check_fields(self.recipe, events, where="the pretraining events: ")
        study = self.study[0]
        if study.geometry is not None and events.geometry is not None:
            given, wanted = (BoxCalorimeter.from_dict(geometry) for geometry in (events.geometry, study.geometry))
            if given != wanted:
                raise DataError(
                    f"the pretraining events come from {given.name!r} (geometry {given.fingerprint}), the study's from "
                    f"{wanted.name!r} ({wanted.fingerprint}): pretrain on events of the same detector"
                )

    def _some(self, events: Events, n: int) -> Events:
        order = np.random.default_rng([self.recipe.data.split.seed, len(events)]).permutation(len(events))
        return events[np.sort(order[:n])]


def options_of(recipe: Recipe, fit: Fit, n_events: int) -> MethodConfig:
    """The options of the method for a fit on so many events.

    Raises:
        RecipeError: If those that the pretraining changes do not go with the others.
    """
    method, config = recipe.methods[fit.method].method, recipe.pretrain
    if config is None or fit.name == fit.method or not isinstance(method, NetworkMethodConfig):
        return method
    training, tuning = method.training, config.fine_tune
    steps = max(1, round(n_events / training.batch_size))  # in an epoch
    changes: dict[str, Any]
    if fit.is_pretraining:
        changes = {"epochs": config.epochs or training.epochs}
    elif fit.is_fine_tuning:
        changes = {
            "epochs": max(tuning.epochs, math.ceil(tuning.least_steps / steps)),
            "learning_rate": tuning.learning_rate * training.learning_rate,
            "schedule": tuning.schedule,
            "patience": tuning.patience or training.patience,
        }
    else:
        changes = {"epochs": max(training.epochs, math.ceil(config.least_steps / steps))}
    try:
        return NetworkMethodConfig.model_validate(
            method.model_dump() | {"training": {**training.model_dump(), **changes}}
        )
    except ValidationError as fault:
        raise RecipeError(f"{_changed_by(fit)} does not go with methods.{fit.method}: {reasons_of(fault)}") from fault


def _changed_by(fit: Fit) -> str:
    """The options of the recipe that change those of the method for a fit."""
    if fit.is_fine_tuning:
        return "pretrain.fine_tune"
    return "pretrain.epochs" if fit.is_pretraining else "pretrain.least_steps"


def run_fit(folder: Path, recipe: Recipe, fit: Fit, key: str, learning: Learning, say: Say) -> None:
    """Make one fit and keep its predictions of the validation and test events of the study, if not done before.

    A fit that was made under another name, of a method that differs by its calibration alone, is taken over.

    Args:
        folder: Of the run.
        recipe: The study.
        fit: Which.
        key: Hash of all that decides it.
        learning: What it learns from.
        say: Told what happens.
    """
    own = fit_folder(folder, fit.name)
    same = None if is_done(own, key) else _same_fit(folder, recipe, key)
    if same is not None:
        say(f"{fit.label}: the same fit as {same.label}, calibrated on its own")
        _take_over(fit_folder(folder, same.name), own, key)
        return
    if is_done(own, key):
        say(f"{fit.label}: done before")
        if not is_fitted(folder, fit.name, key):
            mark_done(own, key, {**read_done(own), "energy_range": _energy_range(learning.of(fit)[0])})
        return
    train, validation = learning.of(fit)
    energy_range = _energy_range(train)
    if fit.is_fine_tuning and fit.start is not None:
        low, high = notes_of(folder, fit.start)["energy_range"]
        energy_range = min(low, energy_range[0]), max(high, energy_range[1])
    forget(own)
    say(f"{fit.label}: fitting")
    start = time.perf_counter()
    begin = None if fit.start is None else load_method(fit_folder(folder, fit.start) / "model")
    method = build_method(options_of(recipe, fit, len(train)), begin, fine_tune=fit.is_fine_tuning)
    # of its own for each key: what an interrupted fit of other inputs left must not be gone on with
    method.fit(train, validation, own / "work" / key)
    seconds = time.perf_counter() - start
    method.save(own / "model")
    # a resumed training has spent more than this call
    seconds = max(seconds, getattr(method, "train_seconds", 0.0))
    notes: dict[str, Any] = {
        "fit_seconds": seconds,
        "n_parameters": method.n_parameters,
        "n_train": len(train),
        "energy_range": energy_range,
    }
    for part in _PARTS:
        prediction = method.predict(getattr(learning.parts, part))
        save_file(prediction.arrays(), own / f"{part}.safetensors")
        notes["family"] = prediction.family
    mark_done(own, key, notes)
    shutil.rmtree(own / "work", ignore_errors=True)  # the members of an ensemble


def _same_fit(folder: Path, recipe: Recipe, key: str) -> Fit | None:
    """A finished fit of the study with the same inputs; None if there is none."""
    return next((fit for fit in fits_of(recipe).values() if is_fitted(folder, fit.name, key)), None)


def _take_over(source: Path, target: Path, key: str) -> None:
    """Keep a finished fit under another name, too."""
    forget(target)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source / "model", target / "model")
    for part in _PARTS:
        shutil.copyfile(source / f"{part}.safetensors", target / f"{part}.safetensors")
    mark_done(target, key, read_done(source))


def fit_folder(folder: Path, name: str) -> Path:
    """Where a run keeps a fit."""
    return folder / "methods" / name


def is_fitted(folder: Path, name: str, key: str) -> bool:
    """Whether a fit is done for these inputs, and what it learned from is noted."""
    notes = read_done(fit_folder(folder, name))
    return notes.get("key") == key and "energy_range" in notes


def notes_of(folder: Path, name: str) -> Mapping[str, Any]:
    """What was noted when a fit was made.

    Raises:
        DataError: If it was not.
    """
    notes = read_done(fit_folder(folder, name))
    if not notes:
        raise DataError(f"method {name!r} of {folder} is not fitted: run the study again to go on")
    return notes


def kept_prediction(folder: Path, name: str, part: str) -> Prediction:
    """What a fit predicts for the ``validation`` or ``test`` events of the study."""
    return from_arrays(notes_of(folder, name)["family"], load_file(fit_folder(folder, name) / f"{part}.safetensors"))


def _energy_range(events: Events) -> tuple[float, float]:
    return float(events.energy_true.min()), float(events.energy_true.max())
