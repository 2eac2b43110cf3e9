"""Options as data: one set by its path, and what is wrong with them told in the words of their schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from showercal.errors import RecipeError, nearest


def set_option(content: dict[str, Any], path: str, value: Any, *, where: str) -> None:
    """Set one option, in groups that are made when they are missing; unknown names are refused by the validation.

    Args:
        content: Options, which are changed.
        path: Names with dots between them.
        value: The new value.
        where: What sets it, for the message.

    Raises:
        RecipeError: If the path goes through a value.
    """
    *parents, last = path.split(".")
    place: Any = content
    for depth, part in enumerate(parents):
        if place.get(part) is None:
            place[part] = {}
        place = place[part]
        if not isinstance(place, dict):
            raise RecipeError(f"{where}: {'.'.join(parents[: depth + 1])} is a value, not a group of options")
    place[last] = value


def unshared(content: Any) -> Any:
    """A copy in which nothing is shared: YAML anchors would let a change of one method change another."""
    if isinstance(content, dict):
        return {key: unshared(value) for key, value in content.items()}
    return [unshared(value) for value in content] if isinstance(content, list) else content


def faults_of(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """All faults of a validation, each with its place as ``--set`` spells it and, for an unknown key, the nearest one.

    Args:
        error: What Pydantic found.
        schema: JSON schema of what was validated.
    """
    return "; ".join(_say(fault, schema) for fault in error.errors())


def reasons_of(error: ValidationError) -> str:
    """All faults of a validation without their places, for options that the user did not write there."""
    return "; ".join(_reason(fault) for fault in error.errors())


def _reason(error: Any) -> str:
    reason: str = error["msg"].removeprefix("Value error, ")
    return reason


def _say(error: Any, schema: Mapping[str, Any]) -> str:
    *parents, last = error["loc"] or ("",)
    kind, context, got = error["type"], error.get("ctx", {}), error["input"]
    place = _place(error["loc"], schema).path
    if kind == "extra_forbidden":
        return f"unknown key {place!r}; {nearest(str(last), _place(parents, schema).keys)}"
    if kind == "missing":
        return f"{place} is missing"
    if kind.startswith("union_tag"):
        key = ".".join(filter(None, (place, context["discriminator"].strip(chr(39)))))
        if kind == "union_tag_not_found":
            return f"{key} is missing"
        return f"unknown {key} {context['tag']!r}; {nearest(context['tag'], _place(error['loc'], schema).tags)}"
    text = _reason(error)
    text = f"{place}: {text}" if place else text
    return text if isinstance(got, dict) else f"{text}; got {got!r}"


class _Place(NamedTuple):
    """What a schema says of a place in options."""

    path: str  # dotted, without the tags that Pydantic puts in for the chosen member of a union
    keys: list[str]
    tags: list[str]


def _place(loc: Sequence[str | int], schema: Mapping[str, Any]) -> _Place:
    node, path = dict(schema), []
    for part in loc:
        node = _resolve(schema, node)
        tags = node.get("discriminator", {}).get("mapping", {})
        if part in tags:
            node = {"$ref": tags[part]}
            continue
        path.append(str(part))
        node = node.get("properties", {}).get(part) or node.get("additionalProperties") or node.get("items") or {}
        node = node if isinstance(node, dict) else {}
    node = _resolve(schema, node)
    return _Place(".".join(path), [*node.get("properties", {})], [*node.get("discriminator", {}).get("mapping", {})])


def _resolve(schema: Mapping[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The node of a schema that a reference or an optional value stands for."""
    if "anyOf" in node:
        node = next(option for option in node["anyOf"] if option.get("type") != "null")
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node
