"""A block of raw columns -> one record per event, in internal units; every departure from the mapping is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np

from showercal.errors import DataError
from showercal.readers._mapping import Axis, Field, axes
from showercal.units import INTERNAL, dimension, to_internal


def records(raw: Mapping[str, ak.Array], fields: Mapping[str, Field], *, where: str, first_event: int) -> ak.Array:
    """Zip columns to events.

    Args:
        raw: Values as they lie in the file, by field name, length B; for a matrix also the numbers of its cells.
        fields: What the mapping declares; constants among them.
        where: The file, for messages.
        first_event: Number in the file of the first event.

    Returns:
        A record array of length B in internal units; fields of a common first name are lists of records.

    Raises:
        DataError: If values are missing, not numbers or not of the declared shape, or lists of one collection differ
            in length.
    """
    n_events = len(next(iter(raw.values())))
    columns: dict[str, ak.Array] = {}
    for name, field in fields.items():
        if field.value is not None:
            constant = _internal(ak.Array(np.full(n_events, field.value)), field)
            columns[name] = _Place(name, "a constant", where, first_event).cast(constant, field)
        else:
            place = _Place(name, str(field.branch), where, first_event)
            values = place.shaped(place.numbers(place.no_nulls(raw[name])), axes(name, field), field)
            columns[name] = place.cast(_internal(values, field), field)
    for collection in {name.partition(".")[0] for name, field in fields.items() if field.shape == "dense"}:
        _to_sparse(columns, collection)
    columns |= {name: values for name, values in raw.items() if name not in columns}
    return _zip(columns, where, first_event)


class _Place:
    def __init__(self, name: str, branch: str, where: str, first_event: int) -> None:
        self.name, self.branch, self.where, self.first_event = name, branch, where, first_event

    def __str__(self) -> str:
        return f"field {self.name!r} (branch {self.branch!r} of {self.where})"

    def no_nulls(self, values: ak.Array) -> ak.Array:
        """Without option types, where nothing is missing."""
        missing = np.zeros(len(values), dtype=np.int64)
        for axis in range(values.ndim):
            nulls = ak.is_none(values, axis=axis)
            for _ in range(axis):
                nulls = ak.sum(nulls, axis=-1)
            missing += np.asarray(ak.to_numpy(ak.fill_none(nulls, 0)), dtype=np.int64)
        if missing.any():
            at = int(np.argmax(missing > 0))
            raise DataError(
                f"{self} has missing values (nulls): the first at event {self.first_event + at} "
                f"({int(missing.sum())} in {len(values)} events read at once); write the file without them"
            )
        return ak.transform(_without_options, values)

    def numbers(self, values: ak.Array) -> ak.Array:
        """Refuse text, records and the like."""
        inner = ak.flatten(values, axis=None) if not values.fields else None
        if inner is None or not isinstance(ak.type(inner).content, ak.types.NumpyType):
            raise DataError(f"{self} must hold numbers; its type is {values.type.content}")
        return values

    def shaped(self, values: ak.Array, expected: tuple[Axis, ...], field: Field) -> ak.Array:
        """The values with the declared axes."""
        if field.shape == "dense":
            return self._dense(values)
        got = str(values.type.content)
        if values.ndim - 1 != len(expected):
            declared = "one number" if not expected else f"{len(expected)} axes {_shape_text(expected)}"
            raise DataError(f"{self}: the mapping declares {declared} per event; got {got}: correct its 'shape'")
        for axis, size in enumerate(expected, start=1):
            if size == "ragged":
                values = ak.from_regular(values, axis=axis)
                continue
            lengths = ak.num(values, axis=axis)
            wrong = lengths != size
            for _ in range(axis - 1):
                wrong = ak.any(wrong, axis=-1)
            if (bad := np.asarray(ak.to_numpy(wrong))).any():
                at = int(np.argmax(bad))
                found = sorted(set(np.atleast_1d(ak.to_numpy(ak.flatten(lengths[at : at + 1], axis=None))).tolist()))
                raise DataError(
                    f"{self}: the mapping declares shape {_shape_text(expected)}; event {self.first_event + at} has "
                    f"{found} entries on axis {axis}: correct its 'shape'"
                )
            values = ak.to_regular(values, axis=axis)
        return values

    def cast(self, values: ak.Array, field: Field) -> ak.Array:
        """The values in the declared type; whole numbers must not change by it."""
        if field.dtype is None:
            return values
        with np.errstate(invalid="ignore"):  # NaN as a whole number: found below
            cast = ak.values_astype(values, np.dtype(field.dtype))
        if np.dtype(field.dtype).kind == "f":
            return cast
        changed = cast != values
        for _ in range(values.ndim - 1):
            changed = ak.any(changed, axis=-1)
        if (bad := np.asarray(ak.to_numpy(changed))).any():
            at = int(np.argmax(bad))
            raise DataError(
                f"{self}: its values do not fit dtype {field.dtype}; the first at event {self.first_event + at}, which "
                f"has {values[at].tolist() if values.ndim > 1 else values[at]}: choose another 'dtype'"
            )
        return cast

    def _dense(self, values: ak.Array) -> ak.Array:
        try:
            return ak.from_numpy(ak.to_numpy(values).reshape(len(values), -1))
        except ValueError as fault:
            raise DataError(f"{self}: shape 'dense' needs the same number of entries in every event") from fault


def _without_options(layout: Any, **_: Any) -> Any:
    if layout.is_option:
        return ak.transform(_without_options, layout.project(), highlevel=False)
    return None


def _shape_text(shape: tuple[Axis, ...]) -> str:
    return f"[{', '.join(str(n) for n in shape)}]"


def _internal(values: ak.Array, field: Field) -> ak.Array:
    factor = to_internal(field.unit)
    if factor != 1.0:
        kind = ak.type(ak.flatten(values, axis=None)).content.primitive
        values = (values if kind.startswith("float") else ak.values_astype(values, np.float64)) * factor
    return values


def _to_sparse(columns: dict[str, ak.Array], collection: str) -> None:
    """Keep the non-zero entries of dense columns, and number them by their place."""
    names = [name for name in columns if name.startswith(f"{collection}.")]
    dense = [np.asarray(columns[name]) for name in names]
    lit = np.logical_or.reduce([values != 0 for values in dense])  # NaN is not 0: kept, and refused later
    counts = lit.sum(axis=1)
    for name, values in zip(names, dense, strict=True):
        columns[name] = ak.unflatten(values[lit], counts)
    columns[f"{collection}.id"] = ak.unflatten(np.nonzero(lit)[1].astype(np.int32), counts)


def _zip(columns: Mapping[str, ak.Array], where: str, first_event: int) -> ak.Array:
    events: dict[str, ak.Array] = {}
    collections: dict[str, dict[str, ak.Array]] = {}
    for name, values in columns.items():
        collection, dot, member = name.partition(".")
        if dot:
            collections.setdefault(collection, {})[member] = values
        else:
            events[name] = values
    for collection, members in collections.items():
        (first, reference), *others = members.items()
        lengths = ak.to_numpy(ak.num(reference))
        for member, values in others:
            differ = ak.to_numpy(ak.num(values)) != lengths
            if differ.any():
                at = int(np.argmax(differ))
                raise DataError(
                    f"{collection}.{first} and {collection}.{member} must have one entry per entry of {collection}; "
                    f"event {first_event + at} of {where} has {lengths[at]} and {len(values[at])}"
                )
        events[collection] = ak.zip(members, depth_limit=2)
    return ak.zip(events, depth_limit=1)


def internal_units(fields: Mapping[str, Field], numbered_ids: list[str]) -> dict[str, str]:
    """Units of the fields after conversion."""
    return {name: INTERNAL[dimension(field.unit)] for name, field in fields.items()} | dict.fromkeys(numbered_ids, "1")
