"""Pictures of panels: they say which series they draw, and how many of how many."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from tests.unit.display.gallery import HOURS, WAVE, backtest_of_series, backtests, forecast_of_series, panel

from lstmforecast import BacktestDisplay, ForecastDisplay, IntervalDisplay, LSTMForecaster, backtest, plot

FAST = {"window_size": 24, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
PANEL = panel("store", 5)
LONG = PANEL.reset_index().rename(columns={"series": "store", "time": "day"})
NAMES = {"target": "sales", "series": "store", "time": "day"}


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def model() -> LSTMForecaster:
    return LSTMForecaster(6, **FAST).fit(PANEL)


@pytest.fixture(scope="module")
def named() -> LSTMForecaster:
    return LSTMForecaster(6, **FAST).fit(LONG, **NAMES)


def titles(figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes]


def below(figure) -> str:
    return figure.axes[-1].get_xlabel().strip()


def test_the_first_four_series_have_a_panel_each(model):
    display = ForecastDisplay.from_estimator(model)
    assert titles(display.figure_) == [f"series store_{i}" for i in range(4)]
    assert below(display.figure_) == "4 of 5 series, each on its own scale"
    assert display.figure_ is display.ax_.figure
    forecast = model.predict()
    for i, line in enumerate(display.forecast_lines_):
        np.testing.assert_array_equal(line.get_ydata()[1:], forecast.loc[f"store_{i}", "sales"])
    assert display.series == [f"store_{i}" for i in range(4)]
    assert list(display.forecast.index.levels[0]) == display.series
    # drawn again from the data that it keeps
    again = display.plot()
    np.testing.assert_array_equal(again.forecast_lines_[3].get_ydata()[1:], forecast.loc["store_3", "sales"])
    # all panels have the same times
    assert len({ax.get_xlim() for ax in display.axes_}) == 1


@pytest.mark.parametrize("series", ["store_4", ["store_4"], ["store_4", "store_1"]])
def test_series_are_chosen_by_name(model, named, series):
    chosen = [series] if isinstance(series, str) else series
    for fitted, y in ((model, PANEL), (named, LONG)):
        display = ForecastDisplay.from_estimator(fitted, y, series=series)
        assert titles(display.figure_) == [f"series {each}" for each in chosen]
        assert below(display.figure_).startswith(f"{len(chosen)} of 5 series")
        assert all(ax.get_ylabel() == "sales" for ax in display.axes_)
        for line, key in zip(display.forecast_lines_, chosen, strict=True):
            np.testing.assert_array_equal(line.get_ydata()[1:], model.predict().loc[key, "sales"])
        assert display.forecast.index.nlevels == (1 if isinstance(series, str) else 2)


def test_more_than_four_are_drawn_where_they_are_asked_for(model):
    display = ForecastDisplay.from_estimator(model, series=[f"store_{i}" for i in range(5)])
    assert titles(display.figure_) == [f"series store_{i}" for i in range(5)]
    assert below(display.figure_) == "each on its own scale"


def test_own_axes_take_the_first_series_or_one_each(model):
    _, ax = pyplot.subplots()
    assert plot.forecast(PANEL, model.predict(), ax=ax) is ax
    assert (ax.get_title(loc="left"), ax.get_xlabel()) == ("series store_0", "1 of 5 series")
    _, axes = pyplot.subplots(2)
    plot.forecast(PANEL, model.predict(), ax=axes, series=["store_3", "store_2"])
    assert titles(axes[0].figure) == ["series store_3", "series store_2"]
    with pytest.raises(ValueError, match="expected 3 axes, got 2"):
        plot.forecast(PANEL, model.predict(), ax=axes, series=["store_3", "store_2", "store_1"])


def test_alike_series_share_their_scale():
    alike = panel("store", 3, level=0.1)
    early = alike.index.get_level_values("time") < HOURS[120]
    ax = plot.forecast(alike[early], alike[~early])
    assert len({each.get_ylim() for each in ax.figure.axes}) == 1
    assert below(ax.figure) == ""


def test_series_of_several_variables_have_a_panel_each():
    y = PANEL.assign(visitors=PANEL["sales"] + 2)
    early = y.index.get_level_values("time") < HOURS[120]
    display = ForecastDisplay.from_predictions(y[early], y[~early], series=["store_0", "store_3"])
    assert len(display.axes_) == 2
    assert len(display.forecast_lines_) == 4
    alone = ForecastDisplay.from_predictions(y[early], y[~early], series="store_3")
    assert [ax.get_ylabel() for ax in alone.axes_] == ["sales", "visitors"]
    assert titles(alone.figure_) == ["series store_3", ""]


def test_unknown_series_are_refused(model):
    single = WAVE[:120], WAVE[120:]
    for words, draw in {
        r"expected series to be one of \['store_0', .*\], got 'x'": lambda: ForecastDisplay.from_estimator(
            model, series="x"
        ),
        r"expected series to be one of .*, got 'y'": lambda: forecast_of_series("store", None, series=["store_0", "y"]),
        "expected a series or a list of series, got an empty list": lambda: backtest_of_series("s", None, series=[]),
        "expected no series, because the data are one series, got 'a'": lambda: plot.forecast(*single, series="a"),
        "expected series to be one of those that were forecast, got 'b'": lambda: backtest_of_series(
            "s", None, series=["s_0", "b"]
        ),
        r"expected one series, got 2: \['s_0', 's_1'\]; take them one by one": lambda: backtest_of_series(
            "s", None, series=["s_0", "s_1"], kind="residuals"
        ),
    }.items():
        with pytest.raises(ValueError, match=f"^{words}"):
            draw()
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("kind", ["forecasts", "horizon", "cutoff"])
def test_a_backtest_draws_several_series(kind):
    display = backtest_of_series("store", None, kind=kind, series=["store_1", "store_5"])
    assert titles(display.figure_) == ["series store_1", "series store_5"]
    assert below(display.figure_).endswith("2 of 6 series")


def test_a_backtest_says_which_series_it_draws():
    display = backtest_of_series("store", None)
    assert titles(display.figure_) == [f"series store_{i}" for i in range(4)]
    assert below(display.figure_) == "4 of 6 series"
    display.plot(kind="horizon")
    assert below(display.figure_) == "steps ahead\nmean of 6 series"
    display.plot(kind="residuals", series="store_2", step=3)
    assert titles(display.figure_)[0].replace("\n", " ") == "sales of series store_2: 90 forecasts 3 steps ahead"
    assert display.axes_[2].get_xlabel() == "lag (forecasts)\n1 of 6 series"
    one = BacktestDisplay.from_predictions(backtests("load").assign(series="a"))
    assert (titles(one.figure_), below(one.figure_)) == (["series a"], "")


def test_what_lies_outside_is_said_on_the_axes_of_its_series():
    parts = [backtests("sales", 2, wild).assign(series=name) for name, wild in (("a", 1.0), ("b", 200.0))]
    figure = BacktestDisplay.from_predictions(pd.concat(parts), kind="horizon", series=["a", "b"]).figure_
    first, second = ([text.get_text() for text in ax.get_legend().get_texts()] for ax in figure.axes)
    assert first == ["sales_0", "sales_1"]
    assert len(second) == 1
    assert second[0].startswith("5 above ")
    assert below(figure) == "steps ahead\neach on its own scale"


def test_backtests_of_named_columns_are_drawn():
    result = backtest(LSTMForecaster(6, **FAST), LONG, **NAMES, folds=20, coverage=0.8)
    assert titles(plot.backtest(result).figure) == [f"series store_{i}" for i in range(4)]
    assert plot.backtest(result, series="store_4").get_title(loc="left") == "series store_4"
    assert IntervalDisplay.from_result(result).ax_.get_title(loc="left") == "sales, 5 series together"


def test_flat_tables_are_drawn_once_series_and_times_are_the_index(named):
    forecast = named.predict()
    with pytest.raises(TypeError, match="make series and times the index with set_index"):
        plot.forecast(LONG, forecast)
    with pytest.raises(TypeError, match=r"draw it with ForecastDisplay.from_estimator\(model, table\)"):
        plot.forecast(LONG, forecast)
    indexed = [table.set_index(["store", "day"]) for table in (LONG, forecast)]
    ax = plot.forecast(*indexed, series="store_2")
    assert ax.get_title(loc="left") == "series store_2"
