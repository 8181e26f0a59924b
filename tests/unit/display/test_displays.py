"""Displays: their data, what they draw, and their errors."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from scipy import stats
from sklearn.exceptions import NotFittedError

import lstmforecast
from lstmforecast import (
    AnomalyDisplay,
    ComparisonDisplay,
    DriftDisplay,
    DriftMonitor,
    Folds,
    ForecastDisplay,
    HistoryDisplay,
    IntervalDisplay,
    LSTMAnomalyDetector,
    LSTMForecaster,
    backtest,
    compare,
)
from lstmforecast import display as displays

FAST = {"window_size": 24, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
HOURS = pd.date_range("2026-01-01", periods=300, freq="h")
RNG = np.random.default_rng(0)
Y = pd.Series(np.sin(np.arange(300) / 4) + RNG.normal(0, 0.1, 300), HOURS, name="load")
TWO = pd.DataFrame({"load": Y, "heat": -Y})
N = 240


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def model() -> LSTMForecaster:
    return LSTMForecaster(6, **FAST).fit(Y[:N])


def ends(band) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound that a band was filled between, from the second point on: the first is where it opens."""
    vertices = band.get_paths()[0].vertices
    n = (len(vertices) - 3) // 2
    return vertices[2 : n + 1, 1], vertices[n + 2 : 2 * n + 1, 1][::-1]


def test_a_forecast_keeps_what_it_draws(model):
    display = ForecastDisplay.from_estimator(model, Y, coverage=[0.5, 0.9])
    pd.testing.assert_series_equal(display.forecast["load"], model.predict())
    pd.testing.assert_frame_equal(display.interval, model.predict_interval([0.5, 0.9]))
    pd.testing.assert_series_equal(display.truth["load"], Y[N : N + 6], check_freq=False)
    pd.testing.assert_series_equal(display.history["load"], Y[N - 48 : N], check_freq=False)
    assert display.figure_.axes == [display.ax_] == list(display.axes_)
    np.testing.assert_array_equal(display.forecast_lines_[0].get_ydata()[1:], model.predict())
    np.testing.assert_array_equal(display.truth_lines_[0].get_ydata(), Y[N : N + 6])


def test_intervals_start_at_the_cutoff_and_wider_ones_are_fainter(model):
    display = ForecastDisplay.from_estimator(model, Y, coverage=[0.9, 0.5])
    wide, narrow = display.bands_
    for band, coverage in ((wide, 0.9), (narrow, 0.5)):
        bounds = model.predict_interval(coverage)["load", coverage]
        lower, upper = ends(band)
        np.testing.assert_allclose(lower, bounds["lower"])
        np.testing.assert_allclose(upper, bounds["upper"])
    assert wide.get_facecolor().sum() > narrow.get_facecolor().sum()
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()][-2:] == ["90 % interval", "50 % interval"]


def test_quantiles_are_drawn_as_the_intervals_between_them(model):
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    quantiles = model.predict_quantiles(levels)
    display = ForecastDisplay.from_predictions(Y[:N], model.predict(), quantiles=quantiles)
    assert list(display.interval.columns) == [("load", c, side) for c in (0.9, 0.5) for side in ("lower", "upper")]
    np.testing.assert_array_equal(display.interval["load", 0.9, "upper"], quantiles["load", 0.95])
    with pytest.raises(ValueError, match=r"expected quantiles in pairs alpha and 1 - alpha, got 0.05 without 0.95"):
        ForecastDisplay.from_predictions(Y[:N], model.predict(), quantiles=quantiles.iloc[:, :4])
    with pytest.raises(ValueError, match="expected interval or quantiles, got both"):
        ForecastDisplay.from_predictions(Y[:N], model.predict(), quantiles=quantiles, interval=quantiles)


def test_a_forecast_from_a_context_starts_there(model):
    display = ForecastDisplay.from_estimator(model, Y, context=Y[:200], coverage=None, n_history=10)
    assert display.history.index[-1] == HOURS[199]
    assert len(display.history) == 10
    assert list(display.forecast.index) == list(display.truth.index) == list(HOURS[200:206])
    assert display.bands_ == []
    alone = ForecastDisplay.from_estimator(model, context=Y[:200])
    assert alone.truth is None
    with pytest.raises(ValueError, match=r"expected y with rows up to 2026-01-10 23:00:00, .*, got none"):
        ForecastDisplay.from_estimator(model, Y[260:])


def test_rows_of_arrays_are_counted():
    values = Y.to_numpy()
    model = LSTMForecaster(6, **FAST).fit(values[:N])
    display = ForecastDisplay.from_estimator(model, values)
    assert list(display.forecast.index) == list(display.truth.index) == list(range(N, N + 6))
    assert display.history.index[-1] == N - 1
    alone = ForecastDisplay.from_estimator(model)
    assert list(alone.history.index) == list(range(N - 24, N))
    other = ForecastDisplay.from_estimator(model, values, context=values[:100])
    assert list(other.forecast.index) == list(range(100, 106))
    np.testing.assert_array_equal(other.truth[0], values[100:106])


def test_each_variable_has_a_panel_or_a_colour():
    model = LSTMForecaster(6, **FAST).fit(TWO[:N])
    display = ForecastDisplay.from_estimator(model, TWO[["heat", "load"]].assign(other=1.0))
    assert [ax.get_ylabel() for ax in display.axes_] == ["load", "heat"]
    assert len(display.bands_) == 6
    np.testing.assert_array_equal(display.forecast_lines_[1].get_ydata()[1:], model.predict()["heat"])
    _, ax = pyplot.subplots()
    assert display.plot(ax).ax_ is ax
    first, second = display.forecast_lines_
    assert first.get_color() != second.get_color()
    _, axes = pyplot.subplots(3)
    with pytest.raises(ValueError, match="expected 2 axes, got 3"):
        display.plot(axes)


def test_many_variables_are_drawn_in_two_columns():
    five = pd.DataFrame(dict.fromkeys("abcde", Y))
    display = ForecastDisplay.from_predictions(five[:N], five[N:])
    display.figure_.draw_without_rendering()
    places = np.array([ax.get_position().bounds[:2] for ax in display.axes_]).round(3)
    assert [len(set(places[:, i])) for i in range(2)] == [2, 3]
    assert len(display.figure_.axes) == 5
    assert len(display.figure_.legends) == 1
    # the lower ends of both columns have dates
    dated = [any(label.get_visible() for label in ax.get_xticklabels()) for ax in display.axes_]
    assert dated == [False, False, False, True, True]


def test_a_series_of_a_panel_is_drawn():
    panel = pd.concat({"a": Y, "b": 2 * Y}, names=["series", "time"])
    early = panel[panel.index.get_level_values("time") < HOURS[N]]
    model = LSTMForecaster(6, **FAST).fit(early)
    display = ForecastDisplay.from_estimator(model, panel, series="b")
    np.testing.assert_array_equal(display.forecast.iloc[:, 0], model.predict()["b"])
    np.testing.assert_array_equal(display.truth.iloc[:, 0], 2 * Y[N : N + 6])
    bounds = model.predict_interval(0.5).loc["b"]
    np.testing.assert_allclose(ends(display.bands_[-1])[0], bounds.iloc[:, 0])
    long = early.rename("y").reset_index().set_axis(["unique_id", "ds", "y"], axis=1)
    of_long = ForecastDisplay.from_estimator(LSTMForecaster(6, **FAST).fit(long), long, series="b")
    np.testing.assert_allclose(of_long.forecast.iloc[:, 0], display.forecast.iloc[:, 0])
    with pytest.raises(ValueError, match=r"expected series to be one of \['a', 'b'\], got 'c'"):
        ForecastDisplay.from_estimator(model, panel, series="c")


def test_settings_of_matplotlib_are_not_changed(model):
    before = dict(pyplot.rcParams)
    HistoryDisplay.from_estimator(model)
    ForecastDisplay.from_estimator(model, Y)
    assert dict(pyplot.rcParams) == before


def test_history_has_the_learning_rate_below(model):
    display = HistoryDisplay.from_estimator(model)
    assert len(display.axes_) == 2
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_ydata(), model.history_[name])
    assert display.best_.get_xdata().tolist() == [model.best_epoch_]
    _, ax = pyplot.subplots()
    assert list(display.plot(ax).axes_) == [ax]
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator(LSTMForecaster())


@pytest.fixture(scope="module")
def probable():
    return backtest(LSTMForecaster(6, **FAST), Y, folds=90, coverage=[0.5, 0.8])


def test_coverage_is_counted_for_each_step(probable):
    display = IntervalDisplay.from_result(probable)
    table = display.by_step.set_index(["promised", "step"])
    for coverage in (0.5, 0.8):
        scores = probable.interval_scores_by_step
        for name in ("coverage", "width"):
            np.testing.assert_allclose(table.loc[coverage, name], scores[name, "LSTMForecaster", coverage])
        np.testing.assert_array_equal(
            display.coverage_lines_[coverage].get_ydata(), 100 * table.loc[coverage, "coverage"]
        )
        np.testing.assert_array_equal(display.width_lines_[coverage].get_ydata(), table.loc[coverage, "width"])


def test_the_band_contains_95_percent_of_correct_coverages(probable):
    table = IntervalDisplay.from_result(probable).by_step
    # 85 origins, a row apart: h steps ahead, every h-th is independent
    assert table["n"].tolist() == [n for n in (85, 42, 28, 21, 17, 14) for _ in range(2)]
    inside = [
        stats.binom.cdf(round(row.high * row.n), row.n, row.promised)
        - stats.binom.cdf(round(row.low * row.n) - 1, row.n, row.promised)
        for row in table.itertuples()
    ]
    assert min(inside) >= 0.95
    strided = IntervalDisplay.from_result(
        backtest(LSTMForecaster(6, **FAST), TWO, folds=Folds(90, stride=3), coverage=0.5)
    )
    assert strided.by_step["n"].tolist() == [29, 29, 29, 14, 14, 14]
    assert strided.name is None


def test_intervals_of_other_models_need_their_columns(probable):
    frame = probable.intervals.assign(truth=0.0).drop(columns="lower")
    with pytest.raises(ValueError, match=r"expected intervals with columns .*, got none called \['lower'\]"):
        IntervalDisplay.from_predictions(frame)
    with pytest.raises(ValueError, match="expected a backtest with intervals, got one without"):
        IntervalDisplay.from_result(backtest(LSTMForecaster(6, **FAST), Y, folds=30))


def test_the_anomalies_of_a_detector_are_drawn():
    spiked = Y.copy()
    spiked.iloc[280] += 3
    detector = LSTMAnomalyDetector(LSTMForecaster(3, **FAST)).fit(Y[:200])
    display = AnomalyDisplay.from_estimator(detector, spiked[200:])
    trace = detector.trace(spiked[200:])
    np.testing.assert_array_equal(display.lines_["forecast"].get_ydata(), trace["forecast", "load"])
    assert HOURS[280] in pd.DatetimeIndex(display.lines_["anomaly"].get_xdata())
    pd.testing.assert_frame_equal(display.events, detector.detect(spiked[200:]))
    with pytest.raises(ValueError, match="expected 2 axes, got 1"):
        display.plot(display.ax_)


def test_drift_and_comparison_keep_their_data():
    x = RNG.normal(size=(400, 2))
    monitor = DriftMonitor(window=60).fit(x)
    monitor.update(np.c_[x[:100, 0], 2 + x[:100, 1]])
    display = DriftDisplay.from_estimator(monitor)
    assert list(display.greatest) == list(display.lines_) == ["KS", "PSI"]
    np.testing.assert_array_equal(
        display.lines_["KS"].get_ydata(), monitor.trace().xs("KS", level="test", axis=1).max(axis=1)
    )
    result = compare(np.abs(x[:, 0]), 1 + np.abs(x[:, 1]))
    drawn = ComparisonDisplay.from_result(result)
    assert drawn.line_.get_ydata()[-1] == pytest.approx(result.sequence["mean"].iloc[-1])


def test_all_displays_are_at_the_top_and_need_no_matplotlib_to_be_named():
    assert set(displays.__all__) <= set(lstmforecast.__all__)
    assert set(displays.__all__) <= set(dir(displays))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = displays.Nothing
    code = (
        "import sys; sys.modules['matplotlib'] = None; import lstmforecast as lf; lf.ForecastDisplay; lf.DriftDisplay"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
