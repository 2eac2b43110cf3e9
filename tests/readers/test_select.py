import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showercal.errors import RecipeError
from showercal.readers._select import Selection

FIELDS = {
    "energy_true": ak.Array([0.1, 1.0, 5.0, np.nan]),
    "n": ak.Array([1, 2, 3, 4]),
    "cells.energy": ak.Array([[], [1.0, 2.0], [np.nan], [0.5]]),
}


def mask(text):
    return Selection(text).mask(FIELDS.__getitem__, 4).tolist()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("energy_true > 0.5 and energy_true < 10", [False, True, True, False]),
        ("0.5 < energy_true < 2", [False, True, False, False]),
        ("not n == 2", [True, False, True, True]),
        ("n < 2 or n >= 4", [True, False, False, True]),
        ("count(cells.energy) > 0", [False, True, True, True]),
        ("sum(cells.energy) > -n + 4", [False, True, False, True]),
        ("all(isfinite(cells.energy))", [True, True, False, True]),
        ("any(cells.energy > 1.5)", [False, True, False, False]),
        ("sqrt(n) == 2", [False, False, False, True]),
        ("n % 2 == 0", [False, True, False, True]),
    ],
)
def test_selects(text, kept):
    assert mask(text) == kept


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_and_or_not_obey_de_morgan(low, high):
    assert mask(f"not (n > {low} and n < {high})") == mask(f"not n > {low} or not n < {high}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("energy_true >", r"select: cannot read 'energy_true >'"),
        ("__import__('os').system('true')", r"is not allowed in"),
        ("energy_true.__class__.__mro__ == 1", r"'energy_true.__class__.__mro__' is not allowed"),
        ("[n for n in x]", r"is not allowed"),
        ("(lambda: 1)() == 1", r"is not allowed"),
        ("n[0] > 1", r"'n\[0\]' is not allowed"),
        ("n == 'a'", r"is not allowed"),
        ("open(n)", r"unknown function 'open'"),
        ("cuont(cells.energy) > 0", r"unknown function 'cuont'; nearest known: 'count'"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(RecipeError, match=message):
        Selection(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n + 1", r"'n \+ 1' must give True or False; it gives float64: compare it"),
        ("cells.energy > 1", r"must give one True or False per event; close lists with any"),
        ("1 < 2", r"must give one True or False per event"),
        ("9 ** 9 ** 9 ** 9 > n", r"cannot compute"),
    ],
)
def test_the_answer_must_be_one_truth_per_event(text, message):
    with pytest.raises(RecipeError, match=message):
        mask(text)


def test_unknown_names():
    with pytest.raises(RecipeError, match=r"unknown field 'energytrue'; nearest known: 'energy_true'"):
        Selection("energytrue > 1").check_names(FIELDS)
