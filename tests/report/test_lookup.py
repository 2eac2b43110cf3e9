import dataclasses
import math

import numpy as np

from showercal.report import ReportContent
from showercal.report._lookup import (
    best_method,
    curve,
    energy_range,
    largest_bias,
    n_events,
    overall,
    ratio,
    ratio_curve,
)


def test_ratio_of_the_reference_with_itself_is_one(content: ReportContent) -> None:
    found = ratio_curve(content, "line")
    assert found is not None
    np.testing.assert_array_equal(found.value, 1.0)
    np.testing.assert_array_equal(found.error, 0.0)
    overall_ratio = ratio(content, "line")
    assert overall_ratio is not None
    assert (overall_ratio.value, overall_ratio.error) == (1.0, 0.0)


def test_the_paired_ratio_is_preferred(content: ReportContent) -> None:
    paired = ratio(content, "convnet")
    assert paired is not None
    assert paired.error == 0.0042  # as in the rows
    without = dataclasses.replace(content, rows=[r for r in content.rows if r["metric"] != "sigma_ratio"])
    unpaired = ratio(without, "convnet")
    assert unpaired is not None
    assert math.isclose(unpaired.value, 0.25234 / 0.2761)
    assert math.isclose(unpaired.error, unpaired.value * math.hypot(0.00119 / 0.25234, 0.00119 / 0.2761))


def test_strict_ratio_is_of_the_strict_widths(content: ReportContent) -> None:
    paired, bins = ratio(content, "convnet", "_local"), ratio_curve(content, "convnet", "_local")
    assert paired is not None
    assert bins is not None
    assert math.isclose(paired.value, 0.25234 * 1.015 / 0.2761)  # the sample's ConvNet shrinks, its line does not
    assert paired.error == 0.0044
    own, line = (curve(content, name, "sigma_over_sqrt_e_local") for name in ("convnet", "line"))
    assert own is not None
    assert line is not None
    np.testing.assert_allclose(bins.value, own.value / line.value)


def test_no_ratio_of_what_was_not_measured(content: ReportContent) -> None:
    for name in ("line", "convnet"):
        assert ratio(content, name, "_none") is None
        assert ratio_curve(content, name, "_none") is None


def test_curve_is_in_order_of_energy_however_the_rows_come(content: ReportContent) -> None:
    backwards = dataclasses.replace(content, rows=list(reversed(content.rows)))
    ordered, reordered = curve(content, "fcn", "bias"), curve(backwards, "fcn", "bias")
    assert ordered is not None
    assert reordered is not None
    np.testing.assert_array_equal(ordered.value, reordered.value)
    assert np.all(np.diff(reordered.low) > 0)


def test_largest_bias_leaves_out_the_bins_below_the_floor(content: ReportContent) -> None:
    bias, floored = curve(content, "convnet", "bias"), largest_bias(content, "convnet")
    everything = largest_bias(dataclasses.replace(content, bias_floor=0.0), "convnet")
    assert bias is not None
    assert floored is not None
    assert everything is not None
    assert floored.value == np.abs(bias.value[1:]).max()
    assert everything.value == abs(bias.value[0]) > 0.3  # the first bin of the sample has a bias of about 35 %


def test_headline_numbers(content: ReportContent) -> None:
    assert best_method(content) == "convnet"
    assert energy_range(content) == (0.0, 10.0)
    assert n_events(content) == 10_000
    assert overall(content, "line", "no_such_metric") is None
    assert curve(content, "line", "constant_term") is None
