"""The list of all methods: what a recipe can name, and what the contract tests run through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from showercal.errors import RecipeError
from showercal.estimator import Estimator
from showercal.training._ensemble import Ensemble, EnsembleConfig
from showercal.training._single import SINGLE_METHODS, AnySingleConfig, build_single, load_one_of

AnyMethodConfig = AnySingleConfig | EnsembleConfig
MethodConfig = Annotated[AnyMethodConfig, Field(discriminator="kind")]

METHODS: Final[Mapping[str, type[Estimator]]] = {**SINGLE_METHODS, "ensemble": Ensemble}


def build_method(config: AnyMethodConfig, start: Estimator | None = None, *, fine_tune: bool = False) -> Estimator:
    """The unfitted method of a configuration.

    Args:
        config: Options.
        start: The fitted method that ``start_from`` names, or that is trained on.
        fine_tune: Whether that is trained on with all its scales (see `NetworkRegressor`); not of an ensemble.

    Raises:
        RecipeError: If that is no network, or for an ensemble no ensemble.
    """
    if isinstance(config, EnsembleConfig):
        if start is not None and not isinstance(start, Ensemble):
            raise RecipeError(f"only an ensemble can start an ensemble, member by member; got {type(start).__name__}")
        return Ensemble(config, start=start)
    return build_single(config, start, fine_tune=fine_tune)


def load_method(folder: Path) -> Estimator:
    """Read a fitted method of any kind.

    Raises:
        ModelFileError: If it is missing, damaged or of an unknown kind.
    """
    return load_one_of(METHODS, folder)
