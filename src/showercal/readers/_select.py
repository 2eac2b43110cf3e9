"""Selections: a small expression language on field names; parsed, checked, never handed to Python's eval."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.errors import RecipeError, nearest

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_CALLS: Final[dict[str, Callable[[Any], Any]]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "log": np.log,
    "log10": np.log10,
    "isfinite": np.isfinite,
    "sum": lambda x: ak.sum(x, axis=1),
    "count": lambda x: ak.num(x, axis=1),
    "any": lambda x: ak.any(x, axis=1),
    "all": lambda x: ak.all(x, axis=1),
}


class Selection:
    """Which events to keep, e.g. ``energy_true > 0.5 and count(cells.id) > 0``.

    Known: field names, numbers, ``+ - * / % **``, comparisons (also chained), ``and or not``, and the functions abs,
    sqrt, log, log10, isfinite, and over the entries of a list sum, count, any, all.

    Args:
        text: The expression.

    Raises:
        RecipeError: If it does not parse or uses anything else.

    Example:
        >>> Selection("0.5 < energy_true < 10").names
        ['energy_true']
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as fault:
            raise RecipeError(f"select: cannot read {text!r}: {fault.msg}") from fault
        self.names = sorted(set(self._names(self._tree)))

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse names that are not fields.

        Raises:
            RecipeError: With the nearest known name.
        """
        known = list(known)
        for name in self.names:
            if name not in known:
                raise RecipeError(f"select: {self.text!r} uses unknown field {name!r}; {nearest(name, known)}")

    def mask(self, fields: Callable[[str], ak.Array], n_events: int) -> NDArray[np.bool_]:
        """True for the events to keep, shape (B,).

        Args:
            fields: Gives the values of a field by its name, length B.
            n_events: B.

        Raises:
            RecipeError: If the expression does not give one True or False per event.
        """
        with np.errstate(all="ignore"):  # a NaN or a division by zero compares as False: that event is not selected
            try:
                result = self._value(self._tree, fields)
            except (TypeError, ValueError, OverflowError) as fault:
                raise RecipeError(f"select: cannot compute {self.text!r}: {fault}") from fault
        if not isinstance(result, (ak.Array, np.ndarray)) or result.ndim != 1 or len(result) != n_events:
            raise RecipeError(
                f"select: {self.text!r} must give one True or False per event; close lists with any(...), all(...), "
                "count(...) or sum(...)"
            )
        mask = np.asarray(ak.to_numpy(result))
        if mask.dtype != np.bool_:
            raise RecipeError(f"select: {self.text!r} must give True or False; it gives {mask.dtype}: compare it")
        return mask

    def _names(self, node: ast.expr) -> list[str]:  # noqa: PLR0911 - one return per kind of node
        match node:
            case ast.Name(id=name):
                return [name]
            case ast.Attribute(value=ast.Name(id=first), attr=second):
                return [f"{first}.{second}"]
            case ast.Constant(value=int() | float()):
                return []
            case ast.BoolOp(values=values):
                return [name for one in values for name in self._names(one)]
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                return self._names(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._names(left) + self._names(right)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
                return [name for one in (left, *others) for name in self._names(one)]
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                if name not in _CALLS:
                    raise RecipeError(f"select: {self.text!r} uses unknown function {name!r}; {nearest(name, _CALLS)}")
                return self._names(argument)
        raise RecipeError(
            f"select: {ast.unparse(node)!r} is not allowed in {self.text!r}; use field names, numbers, + - * / % **, "
            f"comparisons, and/or/not, and {', '.join(_CALLS)}"
        )

    def _value(self, node: ast.expr, fields: Callable[[str], ak.Array]) -> Any:  # noqa: PLR0911
        match node:
            case ast.Name() | ast.Attribute():
                return fields(self._names(node)[0])
            case ast.Constant(value=int() | float() as value):
                return float(value)  # a power of whole numbers could take for ever
            case ast.BoolOp(op=op, values=values):
                join = operator.and_ if isinstance(op, ast.And) else operator.or_
                return reduce(join, [self._value(one, fields) for one in values])
            case ast.UnaryOp(op=op, operand=operand):
                value = self._value(operand, fields)
                return np.logical_not(value) if isinstance(op, ast.Not) else -value
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self._value(left, fields), self._value(right, fields))
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self._value(one, fields) for one in (left, *others)]
                pairs = zip(ops, values[:-1], values[1:], strict=True)
                return reduce(operator.and_, [_COMPARE[type(op)](a, b) for op, a, b in pairs])
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return _CALLS[name](self._value(argument, fields))
        raise AssertionError(f"unchecked node {node!r}")
