"""Stages that are done once for the same inputs: a key beside the result says what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

_KEY_FILE: Final = "done.json"
_CHOICES: Final = ("kind", "name")
_NOT_DECIDING: Final = ("workers",)


def digest(*parts: Any) -> str:
    """Short hash of JSON-ready data."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def essence(options: BaseModel) -> dict[str, Any]:
    """Options without those at their defaults, so that a new option with a default changes no hash.

    The words that choose among kinds of options stay; how many processes share the work is left out.
    """
    chosen: dict[str, Any] = {}
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        if name in _NOT_DECIDING:
            continue
        if name in _CHOICES or value != field.get_default(call_default_factory=True):
            chosen[name] = _plain(value)
    return chosen


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return essence(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return value


def is_done(folder: Path, key: str) -> bool:
    """Whether the folder holds the finished result of these inputs."""
    return read_done(folder).get("key") == key


def read_done(folder: Path) -> dict[str, Any]:
    """What `mark_done` wrote; empty when the stage is not finished."""
    path = folder / _KEY_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content


def mark_done(folder: Path, key: str, notes: Mapping[str, Any] | None = None) -> None:
    """Say that the folder now holds the finished result; the last thing a stage writes."""
    write_json(folder / _KEY_FILE, {"key": key, **(notes or {})})


def forget(folder: Path) -> None:
    """Say that the folder's result is not finished; the first thing a stage does."""
    (folder / _KEY_FILE).unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False))
    temporary.replace(path)
