"""A title that is set after a picture was drawn never meets its legend."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lstmforecast import plot

HISTORY = pd.Series(np.sin(np.arange(60) / 4), pd.date_range("2026-01-01", periods=60, freq="h"), name="load")
FORECAST = pd.Series(np.zeros(6), pd.date_range("2026-01-03 12:00", periods=6, freq="h"), name="load")
LONG = "A title of a forecast that is as long as the axes are wide, or longer"


def _boxes(ax):
    ax.figure.canvas.draw()
    renderer = ax.figure.canvas.get_renderer()
    title = next(text for text in ax.texts + ax.get_children() if getattr(text, "get_text", str)() == LONG)
    return ax.get_legend().get_window_extent(renderer), title.get_window_extent(renderer)


@pytest.mark.parametrize("loc", ["left", "center", "right"])
@pytest.mark.parametrize("again", [False, True])
def test_the_legend_lies_above_a_title_that_it_would_meet(loc, again):
    ax = plot.forecast(HISTORY, FORECAST)
    ax.set_title(LONG, loc=loc)
    if again:
        ax = pickle.loads(pickle.dumps(ax.figure)).axes[0]
    legend, title = _boxes(ax)
    assert not legend.overlaps(title)
    # both are inside of the figure
    assert max(legend.y1, title.y1) <= ax.figure.bbox.y1
    plt.close("all")


def test_the_legend_comes_down_where_the_title_goes():
    ax = plot.forecast(HISTORY, FORECAST)
    ax.figure.canvas.draw()
    before = ax.get_legend().get_window_extent().y0 - ax.bbox.y1
    ax.set_title(LONG)
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 - ax.bbox.y1 > before
    ax.set_title("")
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 - ax.bbox.y1 == pytest.approx(before, abs=0.5)
    ax.get_legend().remove()
    assert ax.get_legend() is None
    plt.close("all")


def test_a_second_axis_stays_on_the_first_where_a_title_needs_room():
    _, ax = plt.subplots()
    plot.forecast(HISTORY, FORECAST, ax=ax)
    other = ax.twinx()
    other.plot(HISTORY * 2)
    ax.set_title("A title\nof many\nlines" * 3)
    ax.figure.draw_without_rendering()
    assert ax.get_position().height < 0.7
    np.testing.assert_allclose(ax.get_position().bounds, other.get_position().bounds)
    # room is made anew in each drawing
    ax.set_title("")
    ax.figure.draw_without_rendering()
    np.testing.assert_allclose(ax.get_position().bounds, ax.get_position(original=True).bounds)
    plt.close("all")


def test_axes_in_a_layout_are_left_to_it():
    figure, axes = plt.subplots(2, layout="constrained")
    plot.forecast(HISTORY, FORECAST, ax=axes[0])
    axes[1].plot(HISTORY)
    figure.draw_without_rendering()
    for ax in axes:
        np.testing.assert_allclose(ax.get_position().bounds, ax.get_position(original=True).bounds)
    plt.close("all")


def test_all_words_are_in_a_tight_picture():
    _, ax = plt.subplots()
    plot.forecast(HISTORY, FORECAST, ax=ax)
    ax.set_title(LONG)
    ax.figure.draw_without_rendering()
    tight = ax.figure.get_tightbbox().transformed(ax.figure.dpi_scale_trans)
    for each in (ax.get_legend(), ax.title, ax.yaxis.label):
        box = each.get_window_extent()
        assert tight.padded(1).contains(*box.min)
        assert tight.padded(1).contains(*box.max)
    plt.close("all")
