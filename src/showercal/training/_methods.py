"""The list of all methods: what a recipe can name, and what the contract tests run through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from showercal.errors import ModelFileError, RecipeError, nearest
from showercal.estimator import Estimator, read_model_file
from showercal.models import LayerLine, LayerLineConfig, StraightLine, StraightLineConfig, Trees, TreesConfig
from showercal.training._regressor import NetworkMethodConfig, NetworkRegressor

MethodConfig = Annotated[
    StraightLineConfig | LayerLineConfig | TreesConfig | NetworkMethodConfig, Field(discriminator="kind")
]

METHODS: Final[Mapping[str, type[Estimator]]] = {
    "straight_line": StraightLine,
    "layer_line": LayerLine,
    "trees": Trees,
    "network": NetworkRegressor,
}


def build_method(
    config: StraightLineConfig | LayerLineConfig | TreesConfig | NetworkMethodConfig,
    start: Estimator | None = None,
    *,
    fine_tune: bool = False,
) -> Estimator:
    """The unfitted method of a configuration.

    Args:
        config: Options.
        start: The fitted method that ``start_from`` names, or that is trained on.
        fine_tune: Whether that is trained on with all its scales (see `NetworkRegressor`).

    Raises:
        RecipeError: If that is no network.
    """
    if start is None:
        return METHODS[config.kind](config)  # type: ignore[call-arg]
    if not isinstance(config, NetworkMethodConfig) or not isinstance(start, NetworkRegressor):
        raise RecipeError(f"only a network can start from a network; got {config.kind} from {type(start).__name__}")
    return NetworkRegressor(config, start=start, fine_tune=fine_tune)


def load_method(folder: Path) -> Estimator:
    """Read a fitted method of any kind.

    Raises:
        ModelFileError: If it is missing, damaged or of an unknown kind.
    """
    options, _ = read_model_file(folder)
    kind = str(options.get("kind"))
    if kind not in METHODS:
        raise ModelFileError(f"{folder} holds a method of unknown kind {kind!r}; {nearest(kind, METHODS)}")
    try:
        return METHODS[kind].load(folder)
    except (KeyError, TypeError, ValidationError) as fault:
        raise ModelFileError(f"{folder} is damaged ({fault!r}); train the method again") from fault
