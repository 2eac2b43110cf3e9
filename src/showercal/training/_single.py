"""The methods that are one fit; an ensemble is made of several fits of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from showercal.errors import ModelFileError, RecipeError, nearest
from showercal.estimator import Estimator, read_model_file
from showercal.models import LayerLine, LayerLineConfig, StraightLine, StraightLineConfig, Trees, TreesConfig
from showercal.training._regressor import NetworkMethodConfig, NetworkRegressor

AnySingleConfig = StraightLineConfig | LayerLineConfig | TreesConfig | NetworkMethodConfig
SingleConfig = Annotated[AnySingleConfig, Field(discriminator="kind")]

SINGLE_METHODS: Final[Mapping[str, type[Estimator]]] = {
    "straight_line": StraightLine,
    "layer_line": LayerLine,
    "trees": Trees,
    "network": NetworkRegressor,
}


def build_single(
    config: AnySingleConfig, start: Estimator | None = None, *, fine_tune: bool = False, progress: bool = True
) -> Estimator:
    """The unfitted method of a configuration.

    Args:
        config: Options.
        start: The fitted method that ``start_from`` names, or that is trained on.
        fine_tune: Whether that is trained on with all its scales (see `NetworkRegressor`).
        progress: Whether a network shows a bar.

    Raises:
        RecipeError: If something starts from another that is no network, or is none.
    """
    if start is not None and not (isinstance(config, NetworkMethodConfig) and isinstance(start, NetworkRegressor)):
        raise RecipeError(f"only a network can start from a network; got {config.kind} from {type(start).__name__}")
    if isinstance(config, NetworkMethodConfig):
        assert start is None or isinstance(start, NetworkRegressor)
        return NetworkRegressor(config, start=start, fine_tune=fine_tune, progress=progress)
    return SINGLE_METHODS[config.kind](config)  # type: ignore[call-arg]


def reseeded(config: AnySingleConfig, seed: int) -> AnySingleConfig:
    """The same method with another seed; lines have none."""
    if isinstance(config, NetworkMethodConfig):
        return config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
    return config.model_copy(update={"seed": seed}) if isinstance(config, TreesConfig) else config


def seed_of(config: AnySingleConfig) -> int:
    """The seed of a method; 0 for lines, which have none."""
    if isinstance(config, NetworkMethodConfig):
        return config.training.seed
    return config.seed if isinstance(config, TreesConfig) else 0


def load_one_of(methods: Mapping[str, type[Estimator]], folder: Path) -> Estimator:
    """Read a fitted method of any of some kinds.

    Raises:
        ModelFileError: If it is missing, damaged or of another kind.
    """
    options, _ = read_model_file(folder)
    kind = str(options.get("kind"))
    if kind not in methods:
        raise ModelFileError(f"{folder} holds a method of unknown kind {kind!r}; {nearest(kind, methods)}")
    try:
        return methods[kind].load(folder)
    except (KeyError, TypeError, ValidationError) as fault:
        raise ModelFileError(f"{folder} is damaged ({fault!r}); train the method again") from fault
