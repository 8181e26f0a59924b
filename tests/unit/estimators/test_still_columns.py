"""Sensors that never moved while a detector was fitted: they raise no alarm until they move, and then they do."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMAnomalyDetector, LSTMForecaster

pytestmark = pytest.mark.filterwarnings("ignore:X has a gap:UserWarning", "ignore:X has .*gap:UserWarning")
N_ROWS, N_FIT = 1600, 1000
HOURS = pd.date_range("2026-01-01", periods=N_ROWS, freq="h")
WAVE = np.sin(np.arange(N_ROWS) * np.pi / 12) + np.random.default_rng(0).normal(0, 0.05, N_ROWS)
ALONE = pd.DataFrame({"wave": WAVE}, HOURS)
STILL = {
    "const": np.full(N_ROWS, 5.0),
    "zero": np.zeros(N_ROWS),
    # what is left of a constant after sums and differences
    "rounding": np.diff(np.cumsum(np.full(N_ROWS + 1, 1e6 + 0.1))),
}
BESIDE = ALONE.assign(**STILL)


@pytest.fixture(scope="module")
def detectors() -> tuple[LSTMAnomalyDetector, LSTMAnomalyDetector]:
    forecaster = LSTMForecaster(24, n_threads=1, random_state=0)
    alone, beside = (LSTMAnomalyDetector(forecaster).fit(rows[:N_FIT]) for rows in (ALONE, BESIDE))
    return alone, beside


def test_columns_that_never_move_raise_no_alarm_and_are_never_blamed(detectors):
    alone, beside = detectors
    rows = slice(N_FIT, None)
    for kept in (slice(None), np.r_[:200, 272:600]):
        found = [each.predict(data[rows].iloc[kept]) for each, data in zip(detectors, (ALONE, BESIDE), strict=True)]
        n_alarms = [int((each == -1).sum()) for each in found]
        # the network learned from other windows too, so that scores near the threshold fall to either side
        assert abs(n_alarms[0] - n_alarms[1]) <= 3
        events = beside.detect(BESIDE[rows].iloc[kept])
        assert events["variables"].tolist() == [["wave"]] * len(alone.detect(ALONE[rows].iloc[kept]))


def test_their_forecasts_are_what_they_are_and_their_errors_nothing(detectors):
    trace = detectors[1].trace(BESIDE[N_FIT:])
    for name in ("const", "zero"):
        assert (trace["forecast", name] == trace["value", name]).all()
        assert (trace["error", name] == 0).all()
    # single precision of a usual error would be 1e5 times that
    assert (trace["error", "rounding"] < 1e-3).all()


@pytest.mark.parametrize(("name", "value"), [("const", 5.01), ("zero", 0.1), ("rounding", 1.001e6)])
def test_one_that_moves_raises_an_alarm_and_is_blamed(detectors, name, value):
    moved = BESIDE[N_FIT : N_FIT + 100].copy()
    moved.iloc[60:63, moved.columns.get_loc(name)] = value
    for detector in (detectors[1], pickle.loads(pickle.dumps(detectors[1]))):
        assert detector.predict(moved)[60] == -1
        assert detector.detect(moved)["variables"].tolist()[-1] == [name]


def test_a_stream_says_the_same(detectors):
    detector = pickle.loads(pickle.dumps(detectors[1]))
    rows = BESIDE[N_FIT:]
    np.testing.assert_array_equal(detector.update(rows) < 0, detectors[1].predict(rows) == -1)
