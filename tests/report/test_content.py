from collections.abc import Callable

import numpy as np
import pytest

from showercal.errors import DataError
from showercal.report import ReportContent

Make = Callable[..., ReportContent]


def test_unknown_names_are_refused_with_the_nearest(make_content: Make) -> None:
    with pytest.raises(
        DataError, match="the reference names method 'lines', which is not in methods; nearest known: 'line'"
    ):
        make_content(reference="lines")
    with pytest.raises(DataError, match="published names method 'fcm'"):
        make_content(published={"fcm": 0.3})
    row = {
        "method": "conv",
        "metric": "bias",
        "bin": None,
        "bin_low": None,
        "bin_high": None,
        "value": 0.0,
        "error": None,
    }
    with pytest.raises(DataError, match="row 0 of the results names method 'conv'"):
        make_content(rows=[row])


def test_rows_without_a_key_are_refused(make_content: Make) -> None:
    with pytest.raises(DataError, match="row 0 of the results has no 'bin'"):
        make_content(rows=[{"method": "line", "metric": "bias", "value": 0.0}])


def test_predictions_must_belong_to_the_events(make_content: Make) -> None:
    pair = (np.ones(3), np.ones(4))
    with pytest.raises(DataError, match=r"energy_pred\['line'\] has shape \(4,\); energy_true has \(3,\)"):
        make_content(energy_true=np.ones(3), energy_pred={"line": pair}, widths={})


def test_widths_must_belong_to_the_events(make_content: Make) -> None:
    width = make_content().widths["fcn"]
    with pytest.raises(DataError, match="widths names method 'fcm', which is not in methods"):
        make_content(widths={"fcm": width})
    few = {"fcn": width.take(np.arange(5))}
    with pytest.raises(DataError, match=r"widths\['fcn'\] are of shape \(5,\); energy_true has \(10000,\)"):
        make_content(widths=few)


def test_no_methods_is_refused(make_content: Make) -> None:
    with pytest.raises(DataError, match="at least one method"):
        make_content(methods={})
