"""The four pictures of a backtest, and the numbers that they show."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from scipy import stats

from lstmforecast import BacktestDisplay, LSTMForecaster, backtest
from lstmforecast.display.backtest import KINDS
from lstmforecast.evaluation.backtest_result import BacktestResult

FAST = {"window_size": 24, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
HOURS = pd.date_range("2026-01-01", periods=300, freq="h")
Y = pd.Series(np.sin(np.arange(300) / 4) + np.random.default_rng(0).normal(0, 0.1, 300), HOURS, name="load")
NAIVE = ["repeat-last", "seasonal-naive"]


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    frame = pd.DataFrame({"load": Y, "heat": 3 - Y})
    frame.iloc[250, 0] = np.nan
    return backtest(LSTMForecaster(5, missing="mask", **FAST), frame, folds=60)


def test_errors_by_step_are_those_of_the_backtest():
    result = backtest(LSTMForecaster(5, **FAST), Y, folds=60)
    for metric in ("MAE", "RMSE"):
        display = BacktestDisplay.from_result(result, kind="horizon", metric=metric)
        expected = result.scores_by_step[metric]
        pd.testing.assert_frame_equal(display.errors(metric), expected, check_names=False, check_index_type=False)
        for method, line in display.lines_.items():
            np.testing.assert_allclose(line.get_ydata(), expected[method])
        assert display.ax_.get_ylabel() == f"{metric} of load"


def test_errors_by_cutoff_leave_out_missing_values(result):
    errors = BacktestDisplay.from_result(result, kind="cutoff").errors(by="cutoff", variable="load")
    truth = result.observations.values[:, 0]
    n, i = 240, 7  # the window that begins at row 247 has the missing row 250
    assert errors.index[i] == HOURS[n + i - 1]
    known = [0, 1, 2, 4]
    window = truth[n + i + np.array(known)]
    assert errors.iloc[i, 0] == pytest.approx(np.abs(window - result.values[i, known, 0]).mean())
    assert errors["repeat-last"].iloc[i] == pytest.approx(np.abs(window - truth[n + i - 1]).mean())
    assert errors["seasonal-naive"].iloc[i] == pytest.approx(
        np.abs(window - truth[n + i - 24 + np.array(known)]).mean()
    )


def test_residuals_are_those_of_one_step(result):
    display = BacktestDisplay.from_result(result)
    residuals = display.residuals(3, variable="heat")
    truth = result.observations.values[242:298, 1]
    np.testing.assert_allclose(residuals, truth - result.values[:, 2, 1])
    assert list(residuals.index) == list(HOURS[242:298])
    with pytest.raises(ValueError, match=r"expected step to be one of \[1, 2, 3, 4, 5\], got 6"):
        display.residuals(6)


def test_residuals_are_drawn_in_four_plots(result):
    display = BacktestDisplay.from_result(result, kind="residuals", variable="heat", step=2)
    over_time, histogram, autocorrelations, quantiles = display.axes_
    residuals = display.residuals(2, variable="heat").to_numpy()
    np.testing.assert_array_equal(over_time.get_lines()[0].get_ydata(), residuals)
    areas = [bar.get_width() * bar.get_height() for bar in histogram.patches]
    assert sum(areas) == pytest.approx(1)
    np.testing.assert_allclose(
        histogram.get_lines()[0].get_ydata().max(), 1 / (residuals.std() * np.sqrt(2 * np.pi)), rtol=0.01
    )
    bars = autocorrelations.collections[0].get_segments()
    centred = residuals - residuals.mean()
    expected = [(centred[lag:] * centred[:-lag]).sum() / (centred**2).sum() for lag in range(1, len(bars) + 1)]
    np.testing.assert_allclose([bar[1][1] for bar in bars], expected)
    drawn = quantiles.get_lines()[-1].get_xydata()
    np.testing.assert_allclose(drawn[:, 1], np.sort(centred) / residuals.std())
    # SciPy's places of the quantiles are Filliben's, ours Hazen's, which differ most at the two ends
    np.testing.assert_allclose(drawn[1:-1, 0], stats.probplot(residuals)[0][0][1:-1], atol=0.05)


def test_the_band_of_quantiles_holds_normal_ones():
    rng = np.random.default_rng(0)
    outside = []
    for _ in range(40):
        truth = rng.normal(size=100)
        frame = pd.DataFrame({"cutoff": np.arange(100), "time": np.arange(1, 101), "truth": truth, "zero": 0.0})
        ax = BacktestDisplay.from_predictions(frame, kind="residuals").axes_[3]
        # the lower edge forwards, the upper one back, each with its ends twice
        edges = ax.collections[0].get_paths()[0].vertices
        lower, upper = edges[1:101, 1], edges[102:202, 1][::-1]
        values = ax.get_lines()[-1].get_ydata()
        outside.append(((values < lower) | (values > upper)).mean())
        pyplot.close("all")
    # 5 % are promised. Neighbours leave the band together: the standard error of 40 samples is 1 %
    assert 0.02 < np.mean(outside) < 0.08


def test_frames_of_other_libraries_are_drawn():
    cutoffs = HOURS[[10, 10, 10, 20, 20, 20]]
    times = cutoffs + pd.to_timedelta([1, 2, 3, 1, 2, 3], unit="h")
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "cutoff": cutoffs, "NHITS": 1.0, "AutoARIMA": 2.0, "y": 0.5})
    display = BacktestDisplay.from_predictions(frame, kind="horizon", metric="RMSE")
    assert display.methods == ["NHITS", "AutoARIMA"]
    assert display.errors().to_numpy().tolist() == [[0.5, 1.5]] * 3
    assert display.errors(by="cutoff").index.tolist() == list(HOURS[[10, 20]])
    with pytest.raises(ValueError, match=r"expected forecasts with columns .*, got none called \['cutoff'\]"):
        BacktestDisplay.from_predictions(frame.drop(columns="cutoff"))


@pytest.mark.parametrize("kind", KINDS)
def test_periods_and_many_cutoffs_are_drawn(kind):
    series = Y.set_axis(HOURS.to_period("h"))
    display = BacktestDisplay.from_estimator(LSTMForecaster(3, **FAST), series, folds=150, kind=kind)
    display.figure_.draw_without_rendering()
    if kind == "cutoff":
        # 148 cutoffs, in means of two
        expected = display.errors(by="cutoff").rolling(2, center=True).mean()["LSTMForecaster"]
        np.testing.assert_allclose(display.lines_["LSTMForecaster"].get_ydata(), expected)
        assert display.ax_.get_xlabel() == "forecast at (moving means of 2 forecasts)"


@pytest.mark.parametrize("n", [30, 60, 100, 1500, 20_000])
@pytest.mark.parametrize("freq", ["s", "min", "30min", "h", "D", "W", "MS"])
def test_dates_of_any_range_have_ticks(n, freq):
    # matplotlib warns where it finds none, and warnings are errors here; pandas' nanoseconds end in 2262
    times = pd.date_range("1970-01-01", periods=min(n, 3500) if freq == "MS" else n, freq=freq)
    values = pd.DataFrame(
        {"cutoff": times, "time": times + times.freq, "truth": np.arange(len(times)) % 7, "ours": 3.0}
    )
    display = BacktestDisplay.from_predictions(values, kind="residuals")
    assert 2 <= len(display.ax_.get_xticks()) <= 8


def test_a_panel_is_drawn_series_by_series_and_together():
    panel = pd.concat({"a": Y, "b": 10 * Y}, names=["series", "time"])
    result = backtest(LSTMForecaster(3, **FAST), panel, folds=20)
    display = BacktestDisplay.from_result(result, kind="horizon")
    both = display.errors()
    each = [display.errors(series=name) for name in ("a", "b")]
    np.testing.assert_allclose(both, (each[0] + each[1]) / 2)
    with pytest.raises(ValueError, match="expected series to be one of those that were forecast, got 'c'"):
        display.errors(series="c")
    display.plot(kind="residuals", series="b")
    np.testing.assert_array_equal(display.axes_[0].get_lines()[0].get_ydata(), display.residuals(series="b").to_numpy())


def test_an_error_leaves_no_figure(result):
    display = BacktestDisplay.from_result(result)
    pyplot.close("all")
    for words, options in [
        ("expected kind to be one of", {"kind": "pie"}),
        ("expected metric to be one of", {"kind": "horizon", "metric": "R2"}),
        (r"expected variable to be one of \['load', 'heat'\]", {"variable": "sun"}),
    ]:
        with pytest.raises(ValueError, match=words):
            display.plot(**options)
    frame = display.forecasts.assign(truth=np.nan)
    with pytest.raises(ValueError, match="expected at least 3 forecasts whose truth is known, got 0"):
        BacktestDisplay.from_predictions(frame, kind="residuals")
    assert pyplot.get_fignums() == []
