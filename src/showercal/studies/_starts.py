"""What methods start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from showercal.studies._recipe import MethodEntry


def start_of(entry: MethodEntry) -> str | None:
    """Name of the method that a method starts from."""
    start: str | None = getattr(entry.method, "start_from", None)
    return start


def with_starts(methods: Mapping[str, MethodEntry], names: Iterable[str]) -> set[str]:
    """Some methods and those that they start from; all stand before those that start from them."""
    found = set(names)
    for name in reversed(list(methods)):
        if name in found and (start := start_of(methods[name])) is not None:
            found.add(start)
    return found
