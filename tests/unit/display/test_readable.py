"""Every picture can be read: titles and legends never meet, all words fit in, colours stand out from any background."""

from collections.abc import Iterator
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from tests.unit.display.gallery import GALLERY, backtests, figure_of, forecast_of_variables

from lstmforecast import BacktestDisplay, DriftDisplay, IntervalDisplay, plot
from lstmforecast import display as displays
from lstmforecast.display.backtest import KINDS
from lstmforecast.display.colors import DASHES, contrast, look_of

LONG = "temperature_of_the_oil_in_transformer_number_12_of_the_northern_substation"
TITLE = "A title of two lines, of which\nthe second is longer than the first"
STYLES = {
    "light": {},
    "dark": "dark_background",
    "grey axes": "ggplot",
    # text stays black there, as matplotlib's defaults have it
    "dark faces": {"figure.facecolor": "#1e1e1e", "axes.facecolor": "#1e1e1e"},
    "transparent": {"figure.facecolor": "none", "axes.facecolor": "none", "text.color": "white"},
}
# Pictures of one, of two and of four axes.
TIGHT = [(name, "tight") for name in ("ForecastDisplay", "AnomalyDisplay", "BacktestDisplay residuals")]
# Pictures that functions of `plot` draw with a display of another name.
OF_PLOT = {"anomalies": "AnomalyDisplay"}


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def own_axes(n: int):
    """Axes of a user, without a layout."""
    _, axes = pyplot.subplots(*{1: (1, 1), 2: (2, 1), 4: (2, 2), 5: (5, 1)}[n], figsize=(8, 7))
    return axes.ravel() if n > 1 else axes


def words_of(figure) -> list[Text]:
    """All visible texts of a figure that was drawn: titles, labels, numbers, legends."""
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    # ticks outside of the axes are not drawn
    ticks = {
        id(label) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels(which="both")
    }
    drawn = set()
    for ax in figure.axes:
        for axis, (low, high) in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim()))):
            drawn |= {
                id(label)
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high
                for label in (tick.label1, tick.label2)
            }
    return [text for text in texts if id(text) not in ticks or id(text) in drawn]


def outside(figure) -> list[str]:
    """Words that the edge of the figure cuts."""
    # antialiasing of two pixels
    whole = figure.bbox.padded(2)
    boxes = {text.get_text(): text.get_window_extent() for text in words_of(figure)}
    return [words for words, box in boxes.items() if not (whole.contains(*box.min) and whole.contains(*box.max))]


def above(figure) -> list:
    """Titles and legends of a figure and its axes."""
    titles = [ax.get_legend() for ax in figure.axes if ax.get_legend()] + list(figure.legends) + list(figure.texts)
    return titles + [
        text for ax in figure.axes for text in ax.get_children() if isinstance(text, Text) and text.get_text()
    ]


def meeting(figure) -> list:
    """Pairs of them that overlap."""
    boxes = [(each, each.get_window_extent()) for each in above(figure)]
    return [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)]


def test_no_picture_is_forgotten():
    shown = {name.split()[0] for name in GALLERY}
    assert shown >= set(displays.__all__)
    assert set(GALLERY) >= {f"BacktestDisplay {kind}" for kind in KINDS}
    names = {name: OF_PLOT.get(name, f"{name.capitalize()}Display") for name in plot.__all__}
    assert {name for name, other in names.items() if not {name, other} & shown} == set()


@pytest.mark.parametrize(
    ("name", "layout"), [(name, layout) for name in GALLERY for layout in ("ours", "none")] + TIGHT
)
def test_long_names_fit_in_and_titles_meet_no_legend(name, layout):
    picture = GALLERY[name]
    figure = figure_of(picture.draw(LONG, None if layout == "ours" else own_axes(picture.n_axes)))
    figure.draw_without_rendering()
    assert outside(figure) == []
    assert not meeting(figure)
    # its beginning and its end are there, whatever was left out
    written = "".join(text.get_text() for text in words_of(figure)).replace("\n", "")
    named = name != "trials"
    assert ("temperature_of" in written, "substation" in written) == (named, named)
    figure.axes[0].set_title(TITLE, loc="left" if layout == "tight" else None)
    figure.suptitle("Title of the figure")
    if layout == "tight":
        figure.tight_layout()
    figure.draw_without_rendering()
    assert not meeting(figure)
    assert outside(figure) == []


@pytest.mark.parametrize(
    ("name", "style"),
    [(name, style) for name in GALLERY for style in ("light", "dark", "dark faces")]
    + [("ForecastDisplay", style) for style in ("grey axes", "transparent")],
)
def test_colours_stand_out_from_the_background(name, style):
    with mpl.style.context(STYLES[style]):
        figure = figure_of(GALLERY[name].draw("load", None))
        figure.draw_without_rendering()
        # a transparent figure is shown on a page as dark as its words are bright
        behind = {"transparent": "black"}.get(style, figure.get_facecolor())
        for ax in figure.axes:
            inside = {"transparent": "black"}.get(style, ax.get_facecolor())
            for line in ax.get_lines():
                assert line.get_alpha() is None
                assert contrast(line.get_color(), inside) >= 3, (line.get_label(), line.get_color())
        for text in words_of(figure):
            assert contrast(text.get_color(), behind) >= 4.5, text.get_text()


@pytest.mark.parametrize("style", ["light", "dark", "grey axes"])
def test_twelve_lines_differ_in_colour_and_in_grey(style):
    with mpl.style.context(STYLES[style]):
        display = BacktestDisplay.from_predictions(backtests("method", 12), kind="horizon")
        together = forecast_of_variables("load", None, 12, together=True)
        look = look_of(display.ax_)
    # in grey, by dashes and marks
    assert len({(DASHES[i % 4], line.get_marker()) for i, line in enumerate(display.lines_.values())}) == 12
    styles = [look.style(i) for i in range(12)]
    assert [line.get_color() for line in display.lines_.values()] == [style["color"] for style in styles]
    assert len({line.get_marker() for line in together.forecast_lines_}) == 12
    # of colours that aren't repeated, for all kinds of colour vision: 10 is seen at a glance, 2 hardly
    for blindness in BLINDNESS.values():
        seen = [lab(blindness @ linear(color)) for color in look.colors]
        assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) >= 10


def test_more_lines_than_can_be_told_apart_are_refused():
    thirteen = backtests("method", 13)
    several = pd.concat(
        [backtests("ours", 1).assign(step=1, coverage=0.5 + i / 30, lower=0.0, upper=1.0) for i in range(13)]
    )
    tests = pd.MultiIndex.from_product([["x"], [str(i) for i in range(13)]], names=["feature", "test"])
    y = pd.Series(np.arange(20.0), name="y")
    bounds = pd.DataFrame({("y", i / 20, side): y[10:] for i in range(1, 14) for side in ("lower", "upper")})
    for words, draw in {
        "12 variables in one picture, got 13; draw fewer, or use": lambda: forecast_of_variables(
            "y", None, 13, together=True
        ),
        "12 methods in one picture, got 13; pass": lambda: BacktestDisplay.from_predictions(thirteen, kind="horizon"),
        "12 coverages in one picture, got 13; pass fewer": lambda: IntervalDisplay.from_predictions(several),
        "12 tests in one picture, got 13; pass fewer": lambda: DriftDisplay.from_predictions(
            pd.DataFrame(np.ones((3, 13)), columns=tests)
        ),
        "12 coverages in one picture, got 13": lambda: plot.forecast(y[:10], y[10:], interval=bounds),
    }.items():
        with pytest.raises(ValueError, match=f"^expected at most {words}"):
            draw()
    assert pyplot.get_fignums() == []


# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear red, green and blue.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(color: str) -> np.ndarray:
    parts = np.array(to_rgb(color))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* of linear red, green and blue, under D65."""
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(matrix @ rgb, 0, None) / (0.95047, 1.0, 1.08883)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_names_that_differ_in_the_middle_stay_different():
    names = [f"{'a' * 100}{i}{'b' * 100}" for i in range(3)]
    table = backtests("load", 3).rename(columns={f"load_{i}": name for i, name in enumerate(names)})
    legend = BacktestDisplay.from_predictions(table, kind="horizon").ax_.get_legend()
    assert [text.get_text().replace("\n", "") for text in legend.get_texts()] == names


def test_a_title_set_twice_and_taken_away_leaves_the_legend_where_it_was():
    figure = figure_of(GALLERY["BacktestDisplay of series"].draw("store", None))
    ax = figure.axes[0]
    figure.draw_without_rendering()
    assert not meeting(figure)
    before = ax.get_position().bounds
    for _ in range(2):
        ax.set_title("A title\nof three\nlines " * 3)
        figure.draw_without_rendering()
        assert not meeting(figure)
    assert ax.get_position().bounds[3] < before[3]
    ax.set_title("")
    figure.draw_without_rendering()
    np.testing.assert_allclose(ax.get_position().bounds, before, atol=1e-3)
