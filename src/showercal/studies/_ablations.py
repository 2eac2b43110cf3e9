"""The ablations of a study: what is taken out of a method, or put into it, to see what it is worth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from showercal.errors import RecipeError, nearest
from showercal.evaluation import RATIOS
from showercal.studies._calibration_options import CalibrationConfig
from showercal.studies._options import faults_of, set_option
from showercal.studies._starts import start_of, with_starts
from showercal.training import EnsembleConfig, EnsembleOptions, MethodConfig

if TYPE_CHECKING:
    from showercal.studies._recipe import MethodEntry

_METHOD: TypeAdapter[Any] = TypeAdapter(MethodConfig)


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VariantConfig(_Options):
    """The base with a change.

    Args:
        label: Its name for readers.
        changes: Options of the method of the base by their dotted path, and their values.
        method: Another method altogether, instead of a changed base.
        ensemble: Several models of the (changed) base, or of the other method, instead of one.
        calibration: Another calibration than that of the base.
    """

    label: str
    changes: dict[str, Any] = {}
    method: MethodConfig | None = None
    ensemble: EnsembleOptions | None = None
    calibration: CalibrationConfig | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not (self.changes or self.method or self.ensemble or self.calibration):
            raise ValueError("it is the base itself: give changes, a method, an ensemble or a calibration")
        if self.changes and self.method:
            raise ValueError("changes are of the method of the base: leave out changes or method")
        return self


class AblationsConfig(_Options):
    """Variants of one method, and the metric that they are compared with it by.

    Args:
        base: Name of a method of the study.
        variants: By name.
        metric: One of `showercal.evaluation.RATIOS`.
    """

    base: str
    variants: dict[str, VariantConfig] = Field(min_length=1)
    metric: str = "sigma_over_sqrt_e"

    @field_validator("metric")
    @classmethod
    def _has_a_ratio(cls, value: str) -> str:
        if value not in RATIOS:
            raise ValueError(f"no ratio of this metric is paired; {nearest(value, RATIOS)}")
        return value


def with_variants(
    methods: Mapping[str, MethodEntry], config: AblationsConfig, names: Collection[str]
) -> dict[str, MethodEntry]:
    """The base, what it starts from, and its variants.

    Args:
        methods: Of the study.
        config: Its ablations.
        names: Of the variants that are wanted.

    Raises:
        ValueError: If there is no such base, a name is taken, or a variant is not valid.
    """
    if config.base not in methods:
        raise ValueError(f"ablations.base {config.base!r} is not among the methods; {nearest(config.base, methods)}")
    base = methods[config.base]
    variants = {name: _varied(name, base, config.variants[name]) for name in config.variants if name in names}
    for name in variants:
        if name in methods:
            raise ValueError(f"ablations.variants.{name} has the name of a method of the study: choose another")
    starts = {start for entry in variants.values() if (start := start_of(entry)) is not None}
    needed = with_starts(methods, {config.base, *starts})
    return {name: entry for name, entry in methods.items() if name in needed} | variants


def _varied(name: str, base: MethodEntry, variant: VariantConfig) -> MethodEntry:
    """A variant as a method of a study."""
    where = f"ablations.variants.{name}"
    method = base.method if variant.method is None else variant.method
    if variant.changes:
        content = method.model_dump(mode="json")
        try:
            for path, value in variant.changes.items():
                set_option(content, path, value, where="changes")
            method = _METHOD.validate_python(content)
        except RecipeError as fault:
            raise ValueError(f"{where}: {fault}") from fault
        except ValidationError as fault:
            raise ValueError(f"{where}.changes: {faults_of(fault, _METHOD.json_schema())}") from fault
    if variant.ensemble is not None:
        try:
            method = EnsembleConfig.model_validate({**variant.ensemble.model_dump(), "of": method.model_dump()})
        except ValidationError as fault:
            raise ValueError(f"{where}.ensemble: {faults_of(fault, EnsembleConfig.model_json_schema())}") from fault
    calibration = base.calibration if variant.calibration is None else variant.calibration
    changed = {"label": variant.label, "method": method, "published": None, "calibration": calibration}
    return base.model_copy(update=changed)
