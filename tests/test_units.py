import pytest

from showercal.errors import DataError
from showercal.units import INTERNAL, dimension, internal_unit, to_internal


@pytest.mark.parametrize(
    ("unit", "factor", "internal"),
    [("MeV", 1e-3, "GeV"), ("TeV", 1e3, "GeV"), ("cm", 10, "mm"), ("m", 1e3, "mm"), ("ps", 1e-3, "ns"), ("T", 1, "T")],
)
def test_factors(unit, factor, internal):
    assert to_internal(unit) == pytest.approx(factor, rel=1e-15)
    assert internal_unit(unit) == internal


def test_degrees_to_radians():
    assert 180 * to_internal("deg") == pytest.approx(3.141592653589793, rel=1e-15)


@pytest.mark.parametrize("unit", INTERNAL.values())
def test_internal_units_are_their_own(unit):
    assert to_internal(unit) == 1
    assert INTERNAL[dimension(unit)] == unit


def test_unknown_unit_names_the_nearest():
    with pytest.raises(DataError, match=r"unknown unit 'Gev'; nearest known: 'GeV'"):
        dimension("Gev")
