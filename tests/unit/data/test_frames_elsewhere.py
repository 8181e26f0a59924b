"""Everything beside the forecaster reads frames of polars and pyarrow too."""

from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sklearn.base import clone

from lstmforecast import (
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
    backtest,
    metrics,
    time_split,
    windows,
)

N = 200
VALUES = np.random.default_rng(0).normal(size=(N, 2)) + np.sin(np.arange(N) * np.pi / 12)[:, np.newaxis]
TIMES = pd.date_range("2026-01-01", periods=N, freq="h")
FRAME = pl.DataFrame(
    {
        "time": pl.datetime_range(datetime(2026, 1, 1), datetime(2026, 3, 1), "1h", eager=True)[:N],
        "a": VALUES[:, 0],
        "b": VALUES[:, 1],
    }
)
PANDAS = pd.DataFrame(VALUES, index=TIMES, columns=["a", "b"])
NUMBERS = FRAME.drop("time")
SMALL = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}


@pytest.fixture(params=["polars", "pyarrow"])
def give(request):
    return (lambda frame: frame) if request.param == "polars" else pl.DataFrame.to_arrow


def test_windows_leave_the_time_out(give):
    for frame in (FRAME, NUMBERS):
        X, y = windows(give(frame), window_size=5, horizon=2)
        expected_X, expected_y = windows(VALUES, window_size=5, horizon=2)
        np.testing.assert_array_equal(X, expected_X)
        np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(windows(FRAME["a"], 3)[0], windows(VALUES[:, 0], 3)[0])


def test_a_split_is_of_the_same_kind(give):
    train, test = time_split(give(FRAME), test_size=50, gap=10)
    assert_frame_equal(pl.DataFrame(train), FRAME[:140])
    assert_frame_equal(pl.DataFrame(test), FRAME[150:])


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
def test_scalers_know_names_and_output_what_they_are_told(give, scaler):
    scaler, frame = clone(scaler).fit(give(NUMBERS)), give(NUMBERS)
    expected = clone(scaler).fit_transform(VALUES)
    np.testing.assert_array_equal(scaler.transform(frame), expected)
    np.testing.assert_array_equal(
        scaler.inverse_transform(give(pl.DataFrame(expected))), scaler.inverse_transform(expected)
    )
    assert list(scaler.feature_names_in_) == ["a", "b"]
    output = scaler.set_output(transform="polars").transform(frame)
    assert_frame_equal(output, pl.DataFrame(expected, schema=["a", "b"]))


@pytest.mark.parametrize("kind", [LSTMRegressor, LSTMClassifier])
def test_tables_of_windows_are_read(give, kind):
    X = windows(VALUES[:, 0], 6)[0][:, :, 0]
    y = X[:, -1] if kind is LSTMRegressor else (X[:, -1] > 0).astype(int)
    frame = pl.DataFrame(X, schema=[f"lag {6 - i}" for i in range(6)])
    known = kind(**SMALL).fit(X, y)
    for target in (pl.Series("y", y), pl.Series("y", y).to_arrow()):
        other = kind(**SMALL).fit(give(frame), target)
        np.testing.assert_array_equal(other.predict(give(frame)), known.predict(X))
        assert list(other.feature_names_in_) == frame.columns
    with pytest.raises(ValueError, match="feature names"):
        other.predict(give(frame.select(reversed(frame.columns))))


def test_classes_are_words_too():
    X = windows(VALUES[:, 0], 6)[0][:, :, 0]
    labels = np.where(X[:, -1] > 0, "up", "down")
    classifier = LSTMClassifier(**SMALL).fit(pl.DataFrame(X), pl.Series(labels))
    assert list(classifier.classes_) == ["down", "up"]
    np.testing.assert_array_equal(
        classifier.predict(pl.DataFrame(X)), LSTMClassifier(**SMALL).fit(X, labels).predict(X)
    )


@pytest.mark.filterwarnings("ignore:expected every time")
def test_a_detector_reads_times_and_streams(give):
    forecaster = LSTMForecaster(4, window_size=12, **SMALL)
    known = LSTMAnomalyDetector(forecaster).fit(PANDAS[:150])
    other = LSTMAnomalyDetector(forecaster).fit(give(FRAME[:150]))
    assert list(other.feature_names_in_) == ["a", "b"]
    np.testing.assert_array_equal(other.score_samples(give(FRAME[150:])), known.score_samples(PANDAS[150:]))
    assert list(other.trace(give(FRAME[150:])).index) == list(TIMES[150:])
    np.testing.assert_array_equal(other.update(give(FRAME[150:])), known.update(PANDAS[150:]))
    assert other.report_.equals(known.report_)


def test_a_detector_without_times_reads_rows_that_follow(give):
    forecaster = LSTMForecaster(4, window_size=12, **SMALL)
    known, other = (LSTMAnomalyDetector(forecaster).fit(rows) for rows in (VALUES[:150], give(NUMBERS[:150])))
    np.testing.assert_array_equal(other.update(give(NUMBERS[150:])), known.update(VALUES[150:]))


def test_backtests_and_metrics_read_them(give):
    forecaster = LSTMForecaster(4, window_size=12, **SMALL)
    result, expected = backtest(forecaster, give(FRAME), folds=40), backtest(forecaster, PANDAS, folds=40)
    pd.testing.assert_frame_equal(result.scores, expected.scores)
    np.testing.assert_array_equal(result.forecasts["forecast"], expected.forecasts["forecast"])
    assert metrics.mae(give(NUMBERS), VALUES + 1) == pytest.approx(1)
