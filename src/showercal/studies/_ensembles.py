"""The ensembles of a study: the same methods once more, each as several models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from showercal.errors import nearest
from showercal.studies._options import reasons_of
from showercal.studies._starts import with_starts
from showercal.training import EnsembleConfig, EnsembleOptions, NetworkMethodConfig

if TYPE_CHECKING:
    from showercal.studies._recipe import MethodEntry


class EnsemblesConfig(EnsembleOptions):
    """Adds an ensemble ``NAME_ensemble`` of each of some methods to the study, behind the method itself.

    An ensemble of a method that starts from another starts from the ensemble of that one, which is added, too.

    Args:
        methods: Names; None for all networks.
    """

    methods: tuple[str, ...] | None = None


def with_ensembles(methods: Mapping[str, MethodEntry], config: EnsemblesConfig) -> dict[str, MethodEntry]:
    """The methods of a study and their ensembles.

    Raises:
        ValueError: If a name is not known, is taken or names an ensemble, or the method cannot be weighted.
    """
    chosen = _chosen(methods, config)
    found: dict[str, MethodEntry] = {}
    for name, entry in methods.items():
        found[name] = entry
        if name in chosen:
            found[ensemble_name(name)] = _ensemble(name, entry, config)
    return found


def ensemble_name(name: str) -> str:
    """The name of the ensemble of a method."""
    return f"{name}_ensemble"


def _chosen(methods: Mapping[str, MethodEntry], config: EnsemblesConfig) -> set[str]:
    """The methods that get an ensemble, with those that they start from."""
    networks = [name for name, entry in methods.items() if isinstance(entry.method, NetworkMethodConfig)]
    named = networks if config.methods is None else config.methods
    for name in named:
        if name not in methods:
            raise ValueError(
                f"ensemble.methods names {name!r}, which is not among the methods; {nearest(name, methods)}"
            )
        if methods[name].method.kind == "ensemble":
            raise ValueError(f"ensemble.methods names {name!r}, which is an ensemble already: leave it out")
    chosen = with_starts(methods, named) & set(methods)  # a start that is missing is told when all starts are checked
    for name in chosen:
        if ensemble_name(name) in methods:
            raise ValueError(
                f"ensemble: the ensemble of {name} would be called {ensemble_name(name)}, as another method is: rename "
                "that one"
            )
    return chosen


def _ensemble(name: str, entry: MethodEntry, config: EnsemblesConfig) -> MethodEntry:
    """The ensemble of a method."""
    label = f"{entry.label}, ensemble of {config.n_models}"
    of = entry.method
    if isinstance(of, NetworkMethodConfig) and of.start_from is not None:
        of = of.model_copy(update={"start_from": ensemble_name(of.start_from)})
    try:
        method = EnsembleConfig.model_validate({**config.model_dump(exclude={"methods"}), "of": of})
    except ValidationError as fault:
        raise ValueError(f"ensemble of {name}: {reasons_of(fault)}; or leave it out of ensemble.methods") from fault
    return entry.model_copy(update={"label": label, "method": method, "published": None})
