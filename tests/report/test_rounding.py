import math

import pytest

from showercal.report import rounded


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        # the three examples of the Particle Data Group's introduction, section 5.3
        (0.827, 0.119, ("0.83", "0.12")),
        (0.827, 0.367, ("0.8", "0.4")),
        (14.674, 0.964, ("14.7", "1.0")),
        (0.25234, 0.00119, ("0.2523", "0.0012")),
        (-0.00004, 0.0012, ("0.0000", "0.0012")),
        (34_712.0, 1_130.0, ("34,700", "1,100")),
        (99.96, 0.0999, ("99.96", "0.10")),
        (0.0, math.nan, ("0", "")),
        (0.362, math.nan, ("0.362", "")),
        (17_391.3, 0.0, ("17,400", "")),
        (math.nan, 0.1, ("–", "")),
        (math.inf, math.nan, ("–", "")),
    ],
)
def test_value_and_error_end_at_the_same_place(value: float, error: float, expected: tuple[str, str]) -> None:
    assert rounded(value, error) == expected
