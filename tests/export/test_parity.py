"""What counts as the same number."""

import numpy as np
import pytest

from showercal.errors import ExportError
from showercal.export import check_parity


def compare(expected: list[float], got: list[float], highest: float = 10.0) -> float:
    return check_parity({"width": np.array(expected)}, {"width": np.array(got)}, highest).worst


def test_differences_are_relative_to_the_value_or_to_a_part_of_the_highest_energy() -> None:
    assert compare([1.0, 5.0], [1.0 + 5e-6, 5.0 - 1e-5]) == pytest.approx(5e-6)
    assert compare([0.5, 0.0, -0.1], [0.5, 4e-6, -0.1]) == pytest.approx(8e-6)  # of 5 % of 10 GeV
    assert compare([0.01], [0.01 + 4e-8], highest=0.1) == pytest.approx(4e-6)
    parity = check_parity({"energy": np.array([2.0, 8.0])}, {"energy": np.array([2.0 + 1e-5, 8.0 + 2e-5])}, 10.0)
    assert parity.absolute["energy"] == pytest.approx(2e-5)
    assert parity.relative["energy"] == pytest.approx(5e-6)
    assert (parity.n_events, parity.small) == (2, 0.5)


def test_other_numbers_are_refused() -> None:
    message = (
        r"the exported width must agree with Python's to 1e-05 of its value, or of 0\.5 GeV where that is more \(5% of "
        r"the highest training energy\); at event 1 it is 5\.001 instead of 5 GeV: the file was not written"
    )
    with pytest.raises(ExportError, match=message):
        compare([1.0, 5.0], [1.0, 5.001])
    with pytest.raises(ExportError, match=r"at event 0 it is 6e-06 instead of 0 GeV"):
        compare([0.0], [6e-6])
    with pytest.raises(ExportError, match=r"must be finite where Python's is; at event 1 it is nan instead of 5 GeV"):
        compare([1.0, 5.0], [1.0, np.nan])
    with pytest.raises(ExportError, match=r"must agree with Python's"):
        compare([1.0], [7.0], highest=np.nan)
    assert compare([np.inf, 5.0], [np.inf, 5.0]) == 0
