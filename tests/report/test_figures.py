from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from scipy import special

from showercal.detectors import detector
from showercal.errors import DataError
from showercal.events import Events
from showercal.report import (
    MethodSummary,
    ReportContent,
    bias_figure,
    coverage_bins_figure,
    coverage_figure,
    dependence_figure,
    display_figure,
    pit_figure,
    predicted_figure,
    pull_figure,
    relative_resolution_figure,
    reliability_figure,
    resolution_figure,
    response_figure,
    side_view_figure,
    training_figure,
)
from showercal.report._distributions import energy_ranges
from showercal.report._style import method_styles

Make = Callable[..., ReportContent]
WITH_LEGEND = (resolution_figure, relative_resolution_figure, bias_figure, response_figure)
OF_WIDTHS = (coverage_figure, coverage_bins_figure, pit_figure, reliability_figure, pull_figure)
ALL = (*WITH_LEGEND, predicted_figure, training_figure, dependence_figure, *OF_WIDTHS)


def displays_of(content: ReportContent) -> Events:
    assert content.displays is not None
    return content.displays


@pytest.mark.parametrize("draw", WITH_LEGEND)
def test_legend_names_every_method(content: ReportContent, draw: Callable[[ReportContent], Figure | None]) -> None:
    figure = draw(content)
    assert figure is not None
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [m.label for m in content.methods.values()]


@pytest.mark.parametrize("draw", OF_WIDTHS)
def test_only_methods_with_a_width_are_drawn(
    content: ReportContent, draw: Callable[[ReportContent], Figure | None]
) -> None:
    figure = draw(content)
    assert figure is not None
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts() if t.get_text() != "Unit normal"] == ["FCN", "ConvNet"]


def test_coverage_curve_is_the_share_of_covered_events(content: ReportContent) -> None:
    """Widths of 0.7 cover 2 Phi(0.7 z) - 1 where 2 Phi(z) - 1 is asked."""
    figure = coverage_figure(content)
    assert figure is not None
    upper, lower = ({line.get_label(): line for line in axes.get_lines()} for axes in figure.axes)
    nominal, found = (np.asarray(v) for v in upper["FCN"].get_data())
    wanted = 100 * special.erf(0.7 * special.erfinv(nominal / 100))
    np.testing.assert_allclose(found, wanted, atol=2.0)  # 4 standard errors of 10,000 events
    np.testing.assert_allclose(np.asarray(lower["FCN"].get_ydata()), found - nominal)


def test_reliability_shows_the_factor_of_wrong_widths(content: ReportContent) -> None:
    figure = reliability_figure(content)
    assert figure is not None
    ratios = [np.asarray(c.lines[0].get_ydata()) for c in figure.axes[1].containers]
    np.testing.assert_allclose(ratios[0], 1 / 0.7, rtol=0.1)
    np.testing.assert_allclose(ratios[1], 1, rtol=0.1)
    upper = figure.axes[0]
    assert upper.get_xlim() == upper.get_ylim()


def test_pit_and_pulls_hold_all_events(content: ReportContent) -> None:
    for draw, width in ((pit_figure, 1 / 20), (pull_figure, 10 / 50)):
        figure = draw(content)
        assert figure is not None
        stairs = [p for p in figure.axes[0].patches if isinstance(p, StepPatch)]
        for one in stairs:
            assert np.sum(one.get_data().values) * width == pytest.approx(1, abs=1e-3)
        assert len(stairs) == 2


def test_expected_scatter_of_the_coverage_follows_the_events_of_a_bin(content: ReportContent) -> None:
    figure = coverage_bins_figure(content)
    assert figure is not None
    counts = [r["value"] for r in content.rows if (r["method"], r["metric"]) == ("fcn", "n_events") and r["bin"] == 3]
    band = figure.axes[1].collections[0].get_paths()[0].vertices
    heights = [y for x, y in band if 1.5 < x <= 2.0]
    assert max(heights) - 95 == pytest.approx(100 * np.sqrt(0.95 * 0.05 / counts[0]), rel=1e-6)


@pytest.mark.parametrize("draw", ALL)
def test_outer_axes_have_labels(content: ReportContent, draw: Callable[[ReportContent], Figure | None]) -> None:
    figure = draw(content)
    assert figure is not None
    labels = [axes.get_xlabel() for axes in figure.axes] + [axes.get_ylabel() for axes in figure.axes]
    known = ("[", "Response", "Epoch", "Pull", "PIT")
    assert any(any(word in label for word in known) for label in labels[: len(figure.axes)])
    assert any(labels[len(figure.axes) :])


def test_axis_labels_carry_units(content: ReportContent) -> None:
    figure = resolution_figure(content)
    assert figure is not None
    upper, lower = figure.axes
    assert lower.get_xlabel() == r"True energy $E$ [GeV]"
    assert upper.get_ylabel() == r"$\sigma/\sqrt{E}$  [$\sqrt{\mathrm{GeV}}$]"


def test_ratio_panel_of_the_reference_is_one(content: ReportContent) -> None:
    figure = resolution_figure(content)
    assert figure is not None
    line = {line.get_label(): line for line in figure.axes[1].get_lines()}["Straight line"]
    np.testing.assert_array_equal(line.get_ydata(), 1.0)


def test_strict_figure_shows_the_strict_widths(content: ReportContent) -> None:
    figure, main = resolution_figure(content, "_local"), resolution_figure(content)
    assert figure is not None
    assert main is not None
    strict = {line.get_label(): np.asarray(line.get_ydata()) for line in figure.axes[0].get_lines()}
    plain = {line.get_label(): np.asarray(line.get_ydata()) for line in main.axes[0].get_lines()}
    np.testing.assert_allclose(strict["ConvNet"], 1.015 * plain["ConvNet"])
    np.testing.assert_allclose(strict["Straight line"], plain["Straight line"])
    assert len(figure.axes) == 2  # with the ratio below


def test_relative_resolution_is_the_fitted_width(content: ReportContent) -> None:
    """Points are sigma/sqrt(E) over the root of the mean energy: they stay finite where the response does not."""
    figure = relative_resolution_figure(content)
    assert figure is not None
    points = next(c for c in figure.axes[0].containers if c.get_label() == "Straight line").lines[0]
    energy, shown = (np.asarray(v) for v in points.get_data())
    wanted = [
        row["value"]
        for row in content.rows
        if row["method"] == "line" and row["metric"] == "sigma_over_sqrt_e" and row["bin"] is not None
    ]
    np.testing.assert_allclose(shown, 100 * np.array(wanted) / np.sqrt(energy))


@pytest.mark.parametrize("n_epochs", [1, 2, 30])
def test_epochs_are_whole_numbers(make_content: Make, n_epochs: int) -> None:
    entries = [{"epoch": e, "train_loss": 1.0, "validation_loss": 1.1, "learning_rate": 1e-3} for e in range(n_epochs)]
    methods = {"line": MethodSummary("Line", history=entries, best_epoch=0)}
    figure = training_figure(make_content(methods=methods, rows=[], energy_pred={}, published={}, widths={}))
    assert figure is not None
    low, high = figure.axes[-1].get_xlim()
    ticks = [tick for tick in figure.axes[-1].get_xticks() if low <= tick <= high]
    assert ticks
    assert all(float(tick).is_integer() for tick in ticks)
    assert len(figure.axes) == (1 if n_epochs == 1 else 2)  # the learning rate of a single epoch says nothing


def trained_to(make_content: Make, values: Mapping[str, Sequence[float]]) -> ReportContent:
    """Methods of which the report knows nothing but the dependence after every epoch."""
    methods = {
        name: MethodSummary(name, history=[{"epoch": e, "dependence": v} for e, v in enumerate(series)])
        for name, series in values.items()
    }
    return make_content(methods=methods, reference="Line", rows=[], energy_pred={}, published={}, widths={})


def test_dependence_is_drawn_for_the_methods_that_know_it(make_content: Make) -> None:
    unbiased = [0.05, 0.003, -0.0004]
    values = {"Line": [], "Net": [0.04, 0.04], "Pivot": unbiased, "Old run": [np.nan, np.nan]}
    figure = dependence_figure(trained_to(make_content, values))
    assert figure is not None
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Net", "Pivot"]
    (axes,) = figure.axes
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["Pivot"], unbiased)
    low, high = axes.get_ylim()
    assert low < -0.0004  # a value below 0 is shown, on a logarithmic axis, too
    assert high > 0.05
    assert axes.get_yscale() == "symlog"
    assert axes.get_xlim() == (-0.5, 2.5)  # of the longest training


def test_small_dependences_are_drawn_on_a_linear_axis(make_content: Make) -> None:
    figure = dependence_figure(trained_to(make_content, {"Line": [], "Pivot": [0.004, 0.002]}))
    assert figure is not None
    assert figure.axes[0].get_yscale() == "linear"


def test_no_dependence_is_drawn_where_no_network_was_trained(make_content: Make) -> None:
    assert dependence_figure(trained_to(make_content, {"Line": []})) is None


def test_points_outside_the_bias_frame_become_arrows(content: ReportContent) -> None:
    figure = bias_figure(content)
    assert figure is not None
    low, high = figure.axes[0].get_ylim()
    assert high < 20  # the first bins are at about 35 %
    arrows = [
        line for line in figure.axes[0].get_lines() if line.get_marker() == "^" and line.get_linestyle() == "None"
    ]
    assert len(arrows) == len(content.methods)
    assert all(low < float(np.ravel(arrow.get_ydata())[0]) < high for arrow in arrows)


def test_every_method_has_its_own_look(make_content: Make) -> None:
    methods = {f"m{n}": MethodSummary(f"Method {n}") for n in range(15)}
    styles = method_styles(
        make_content(methods=methods, reference="m3", rows=[], energy_pred={}, published={}, widths={})
    )
    assert len({(s.colour, s.marker, str(s.line)) for s in styles.values()}) == 15


def test_drawing_changes_no_global_state(content: ReportContent) -> None:
    before = dict(mpl.rcParams)
    resolution_figure(content)
    display_figure(displays_of(content))
    assert dict(mpl.rcParams) == before


def test_labels_are_not_read_as_formulae(make_content: Make) -> None:
    given = make_content()
    methods = dict(given.methods) | {"fcn": MethodSummary(r"$\frac$ 5 $ net"), "trees": MethodSummary("_hidden")}
    figure = resolution_figure(make_content(methods=methods))
    assert figure is not None
    figure.draw_without_rendering()
    assert len(figure.legends[0].get_texts()) == 5


@pytest.mark.parametrize("draw", ALL)
def test_nothing_to_draw_gives_no_figure(make_content: Make, draw: Callable[[ReportContent], Figure | None]) -> None:
    methods = {"line": MethodSummary("Line")}
    empty = make_content(methods=methods, rows=[], energy_true=np.zeros(0), energy_pred={}, published={}, widths={})
    assert draw(empty) is None


def test_energy_ranges() -> None:
    assert energy_ranges(np.full(1000, 50.0)).tolist() == [50.0, 50.0]
    assert energy_ranges(np.linspace(20, 40, 30)).tolist() == [20.0, 40.0]
    falling = energy_ranges(np.geomspace(1, 1000, 2000))
    assert falling[0] <= 1
    assert falling[-1] >= 1000
    assert np.all(np.diff(falling) > 0)


def test_single_energy_beam_draws(make_content: Make) -> None:
    energy = np.full(500, 50.0)
    pred = energy + np.random.default_rng(0).normal(0, 2, 500)
    beam = make_content(energy_true=energy, energy_pred={"line": (pred, pred)}, widths={})
    for draw in (response_figure, predicted_figure):
        figure = draw(beam)
        assert figure is not None
        figure.draw_without_rendering()


def test_display_has_a_button_per_event_in_order_of_energy(content: ReportContent) -> None:
    figure = display_figure(displays_of(content))
    assert figure is not None
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["1.00 GeV", "3.00 GeV", "5.00 GeV", "9.00 GeV"]
    for button in menu.buttons:
        assert len(button.args[0]["visible"]) == len(figure.data)
    assert "[mm]" in figure.layout.scene.xaxis.title.text


def test_display_boxes_lie_at_the_cells(content: ReportContent) -> None:
    """The mean of the eight corners of a box is the position of its cell."""
    displays = displays_of(content)
    calorimeter = detector("toy-sandwich")
    figure = display_figure(displays)
    assert figure is not None
    mesh = next(trace for trace in figure.data if trace.type == "mesh3d")  # the lowest energy comes first
    lowest = int(np.argmin(displays.energy_true))
    cells = displays.array["cells"][lowest]
    centre = np.stack([mesh.y, mesh.z, mesh.x]).reshape(3, -1, 8).mean(axis=2).T  # z runs along plotly's x
    np.testing.assert_allclose(centre, calorimeter.cell_position(cells["id"].to_numpy()), atol=1e-3)
    layer, ix, iy = (int(v[0]) for v in calorimeter.cell_index(cells["id"].to_numpy()[:1]))
    assert mesh.hovertext[0].startswith(f"layer {layer}, ix {ix}, iy {iy}<br>")
    assert mesh.hovertext[0].endswith("charged tracks")


def test_display_needs_a_geometry(content: ReportContent) -> None:
    displays = displays_of(content)
    bare = Events(displays.array, displays.units)
    for draw in (display_figure, side_view_figure):
        with pytest.raises(DataError, match="carry no geometry"):
            draw(bare)


def test_side_view_holds_all_energy(content: ReportContent) -> None:
    displays = displays_of(content)
    figure = side_view_figure(displays)
    assert figure is not None
    shown = sum(float(np.ma.sum(axes.collections[0].get_array())) for axes in figure.axes[:4])
    assert shown == pytest.approx(1000 * float(np.sum(displays.field("cells.energy"))))
