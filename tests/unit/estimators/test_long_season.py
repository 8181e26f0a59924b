"""The window of series without times: it reaches back to a season beyond the usual window where that helps."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, LSTMForecaster
from lstmforecast.data.period import candidate_periods
from lstmforecast.fitting.sizing import default_window_size

FAST = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
ROWS = np.arange(1600)
NOISE = 0.2 * np.random.default_rng(0).normal(size=len(ROWS))
# A pattern of 7 rows, and another of 84, twelve times as long, that a window of 48 rows can't foresee.
SHORT = np.array([0.0, 1.0, 3.0, 1.0, 0.0, -2.0, -3.0])[ROWS % 7]
LONG = np.random.default_rng(1).normal(size=84)[ROWS % 84]
BOTH = SHORT + LONG + NOISE
USUAL = default_window_size(1280, 6)


def test_a_long_season_is_in_the_window_and_forecast():
    found = LSTMForecaster(6, **FAST).fit(BOTH[:-6])
    assert found.window_size_ == 96
    usual = LSTMForecaster(6, window_size=USUAL, **FAST).fit(BOTH[:-6])
    errors = [np.abs(model.predict() - BOTH[-6:]).mean() for model in (found, usual)]
    assert errors[0] < 0.6 * errors[1]
    assert found.shares_ is not None


@pytest.mark.parametrize(
    ("y", "changes"),
    [
        (SHORT + NOISE, {}),
        (np.cumsum(NOISE), {}),
        (np.zeros(1600), {}),
        (BOTH, {"window_size": USUAL}),
        (BOTH[:300], {}),
        (BOTH, {"early_stopping": None}),
    ],
    ids=["short season", "walk", "constant", "given", "few rows", "nothing held out"],
)
def test_the_window_is_the_usual_one_where_no_longer_one_helps_or_may(y, changes):
    model = LSTMForecaster(6, **FAST | changes).fit(y)
    assert model.window_size_ <= USUAL


def test_series_with_a_season_by_their_times_keep_its_window():
    days = pd.Series(BOTH, pd.date_range("2020-01-01", periods=len(BOTH), freq="D"))
    assert LSTMForecaster(6, **FAST).fit(days).window_size_ == 98


def test_integers_segments_gaps_and_warm_starts():
    numbered = pd.Series(BOTH, pd.RangeIndex(len(BOTH)))
    gaps = BOTH.copy()
    gaps[::50] = np.nan
    assert LSTMForecaster(6, architecture=LSTM(segment_length=14), **FAST).fit(numbered).window_size_ == 98
    assert LSTMForecaster(6, missing="mask", **FAST).fit(gaps).window_size_ == 96
    model = LSTMForecaster(6, warm_start=True, **FAST).fit(BOTH)
    # these rows alone would have the usual window, which the network can't go on with
    assert model.fit(SHORT + NOISE).window_size_ == 96


def test_candidates_are_lags_at_which_a_series_is_like_itself():
    assert candidate_periods(BOTH[:, np.newaxis], above=48, most=400) == [84]
    # two variables have one period together
    assert candidate_periods(np.column_stack([BOTH, -BOTH]), above=48, most=400) == [84]
    assert candidate_periods(BOTH[:, np.newaxis], above=400, most=400) == []
    assert candidate_periods(np.ones((200, 1)), above=10, most=100) == []


def test_the_autocorrelation_is_that_of_its_definition():
    walk = np.cumsum(NOISE)[:300]
    away = walk - np.polyval(np.polyfit(np.arange(300), walk, 1), np.arange(300))
    lags = range(11, 101)
    slow = [(away[lag:] * away[:-lag]).sum() for lag in lags]
    assert candidate_periods(walk[:, np.newaxis], above=10, most=100)[0] == lags[int(np.argmax(slow))]
