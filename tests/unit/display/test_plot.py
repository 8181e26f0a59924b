"""Functions of `lstmforecast.plot`: what they draw, and the error without matplotlib."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.dates import num2date
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from lstmforecast import LSTMForecaster, backtest, plot
from lstmforecast.evaluation.backtesting import BacktestResult

TIMES = pd.date_range("2026-01-01", periods=30, freq="h", name="time")
Y = pd.Series(np.arange(30.0), index=TIMES, name="load")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def labels(ax: Axes) -> list[str]:
    return ax.get_legend_handles_labels()[1]


def line(ax: Axes, label: str) -> Any:
    return next(found for found in ax.get_lines() if found.get_label() == label)


def test_forecast_joins_the_end_of_the_history() -> None:
    ax = plot.forecast(Y[:24], Y[24:] + 1, truth=Y[24:])
    assert sorted(labels(ax)) == ["forecast", "history", "truth"]
    assert ax.get_ylabel() == "load"
    np.testing.assert_array_equal(line(ax, "forecast").get_ydata(), [23, 25, 26, 27, 28, 29, 30])
    np.testing.assert_array_equal(line(ax, "history").get_ydata(), Y[:24])
    np.testing.assert_array_equal(line(ax, "truth").get_ydata(), Y[24:])


def test_arrays_are_drawn_from_the_step_after_the_last() -> None:
    ax = plot.forecast([1.0, 2.0, 3.0], np.array([4.0, 5.0]))
    np.testing.assert_array_equal(line(ax, "forecast").get_xdata(), [2, 3, 4])


def test_each_column_is_named_once() -> None:
    frame = pd.DataFrame({"a": Y, "b": 2 * Y})
    ax = plot.forecast(frame[:24], frame[24:], truth=frame[24:])
    assert labels(ax) == ["a", "b", "truth"]


def test_periods_and_nullable_numbers_are_drawn() -> None:
    periods = Y.astype("Float64").set_axis(TIMES.to_period("h"))
    periods.iloc[3] = pd.NA
    ax = plot.forecast(periods[:24], periods[24:])
    assert np.isnan(line(ax, "history").get_ydata()[3])


def test_axes_given_are_drawn_on_and_returned() -> None:
    _, ax = pyplot.subplots()
    assert plot.forecast(Y[:24], Y[24:], ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


def test_other_columns_or_index_are_refused() -> None:
    with pytest.raises(ValueError, match="expected forecast with 1 columns, as history has, got 2"):
        plot.forecast([1.0, 2.0], np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"expected truth with an index like that of history \(DatetimeIndex\)"):
        plot.forecast(Y[:24], Y[24:], truth=np.zeros(6))
    assert pyplot.get_fignums() == []


class Trained(BaseEstimator):
    def fit(self) -> "Trained":
        validation = [1.0, 0.5, 0.25, 0.3]
        self.history_ = pd.DataFrame(
            {"epoch": [1, 2, 3, 4], "train_loss": [1.0, 0.6, 0.3, 0.05], "val_loss": validation}
        )
        self.best_epoch_ = 3
        return self


def test_history_marks_the_best_epoch() -> None:
    ax = plot.history(Trained().fit())
    assert labels(ax) == ["training", "validation", "best epoch 3"]
    assert line(ax, "best epoch 3").get_xydata().tolist() == [[3, 0.25]]
    assert ax.get_yscale() == "log"


def test_history_without_validation_marks_the_training_loss() -> None:
    model = Trained().fit()
    model.history_["val_loss"] = np.nan
    ax = plot.history(model)
    assert labels(ax) == ["training", "best epoch 3"]
    assert line(ax, "best epoch 3").get_ydata().tolist() == [0.3]
    assert ax.get_yscale() == "log"


def test_history_within_a_decade_is_drawn_on_a_plain_scale() -> None:
    model = Trained().fit()
    model.history_ = model.history_[:3]
    assert plot.history(model).get_yscale() == "linear"


def test_history_of_an_unfitted_model_says_so() -> None:
    with pytest.raises(NotFittedError):
        plot.history(Trained())
    assert pyplot.get_fignums() == []


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    frame = pd.DataFrame({"load": np.sin(np.arange(120) / 4), "wind": np.cos(np.arange(120) / 4)})
    frame.index = pd.date_range("2026-01-01", periods=120, freq="h")
    model = LSTMForecaster(horizon=5, window_size=8, hidden_size=4, max_epochs=1, random_state=0)
    return backtest(model, frame, folds=23)


def test_backtest_draws_windows_end_to_end(result: BacktestResult) -> None:
    ax = plot.backtest(result)
    assert labels(ax) == ["truth", "forecast"]
    assert ax.get_ylabel() == "load"
    # 23 rows hold four windows of five without overlap; the last ends with the data.
    np.testing.assert_array_equal(line(ax, "truth").get_ydata(), np.sin(np.arange(100, 120) / 4))
    drawn = [path for path in ax.get_lines() if len(path.get_ydata()) == 5]
    np.testing.assert_array_equal(drawn[-1].get_ydata(), result.values[-1, :, 0])
    assert len(drawn) == 4


def test_backtest_draws_the_variable_asked_for(result: BacktestResult) -> None:
    ax = plot.backtest(result, variable="wind")
    assert ax.get_ylabel() == "wind"
    np.testing.assert_array_equal(line(ax, "truth").get_ydata(), np.cos(np.arange(100, 120) / 4))
    with pytest.raises(ValueError, match=r"expected variable to be one of \['load', 'wind'\], got 'sun'"):
        plot.backtest(result, variable="sun")


def test_without_matplotlib_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from lstmforecast import plot\n"
        "try:\n    plot.forecast([1, 2], [3])\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "lstmforecast[plot]"' in done.stdout


def test_intervals_are_bands_around_the_forecast():
    times = pd.date_range("2026-01-01", periods=8, freq="h")
    columns = pd.MultiIndex.from_tuples([("y", c, side) for c in (0.5, 0.9) for side in ("lower", "upper")])
    interval = pd.DataFrame([[4.0, 6.0, 3.0, 7.0]] * 2, index=times[6:], columns=columns)
    ax = plot.forecast(
        pd.Series(range(6), index=times[:6], name="y"), pd.Series([5.0, 5.0], index=times[6:]), interval=interval
    )
    extents = [band.get_paths()[0].get_extents() for band in ax.collections]
    assert [(extent.ymin, extent.ymax) for extent in extents] == [(3, 7), (4, 6)]
    assert "90 % interval" in ax.get_legend_handles_labels()[1]
    with pytest.raises(ValueError, match=r"expected an interval of shape \(2, \.\.\.\).*got \(1, 4\)"):
        plot.forecast(
            pd.Series(range(6), index=times[:6]), pd.Series([5.0, 5.0], index=times[6:]), interval=interval[:1]
        )
    for wrong in ([1, 2], interval.droplevel(2, axis=1)):
        with pytest.raises(TypeError, match="expected interval as predict_interval returns it, got"):
            plot.forecast(pd.Series(range(6), index=times[:6]), pd.Series([5.0, 5.0], index=times[6:]), interval=wrong)


def test_days_begin_at_midnight_of_their_time_zone() -> None:
    hours = pd.date_range("2025-06-01", periods=144, freq="h", tz="Europe/Berlin")
    y = pd.Series(np.arange(144.0), hours, name="load")
    ax = plot.forecast(y[:120], y[120:])
    drawn = num2date(ax.get_xticks(), hours.tz)
    assert {time.hour for time in drawn} == {0}
