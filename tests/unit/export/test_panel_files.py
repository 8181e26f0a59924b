"""A panel comes back from a file, or a pickle, with the series, times and names that it had."""

import pickle
from datetime import timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmforecast import LSTMForecaster, Sampling

FAST = {
    "window_size": 8,
    "hidden_size": 2,
    "max_epochs": 1,
    "sampling": Sampling(steps_per_epoch=2),
    "random_state": 0,
    "n_threads": 1,
}
TIMES = {
    "hours": pd.date_range("2026-01-01", periods=60, freq="h"),
    "hours without a freq": pd.DatetimeIndex(pd.date_range("2026-01-01", periods=60, freq="h"), freq=None),
    "seconds": pd.date_range("2026-01-01", periods=60, freq="s", unit="s"),
    "days over a change of summer time": pd.date_range("2026-03-10", periods=60, freq="D", tz="Europe/Berlin"),
    "an hour that comes twice": pd.date_range("2026-10-24 12:00", periods=60, freq="h", tz="Europe/Berlin"),
    "a fixed offset": pd.date_range("2026-01-01", periods=60, freq="D", tz=timezone(timedelta(hours=2))),
    "business days": pd.date_range("2026-01-01", periods=60, freq="B"),
    "month ends": pd.date_range("2020-01-01", periods=60, freq="ME"),
    "months": pd.period_range("2020-01", periods=60, freq="M"),
    "quarters": pd.period_range("2000Q1", periods=60, freq="Q-FEB"),
    "weeks": pd.period_range("2020-01-01", periods=60, freq="W-WED"),
    "two hours": pd.period_range("2026-01-01", periods=60, freq="2h"),
    "rows": pd.RangeIndex(60),
    "every third row": pd.RangeIndex(7, 187, 3),
    "integers": pd.Index(np.arange(-30, 30)),
    "small integers": pd.Index(np.arange(60, dtype=np.int8)),
}
KEYS = {
    "strings": ["b", "a"],
    "integers": [7, 3],
    "int32": np.array([7, 3], np.int32),
    "floats": [1.5, 0.5],
    "tuples": [("x", 1), ("y", 2)],
    "mixed": ["a", 1],
    "categories": pd.CategoricalIndex(["b", "a"], ["c", "b", "a"], ordered=True),
}


def _panel(times, keys=("b", "a"), lengths=(60, 35), offset=10):
    """Series of unequal length, the second of which begins ``offset`` rows later."""
    names = pd.Index(keys, tupleize_cols=False).repeat(lengths)
    rows = np.concatenate([np.arange(lengths[0]), offset + np.arange(lengths[1])])
    index = pd.MultiIndex.from_arrays([names, times[rows]], names=["unique_id", "ds"])
    return pd.Series(np.sin(rows) + np.arange(len(rows)) / 20, index, name="y")


def _check_round_trips(fitted, path):
    """Saved or pickled, a forecaster says the same of the same times."""
    check = (
        pd.testing.assert_series_equal if fitted.fitted_.dataset.observations.form.kind == "series" else _check_frames
    )
    fitted.save(path)
    for again in (LSTMForecaster.load(path), pickle.loads(pickle.dumps(fitted))):
        check(again.predict(), fitted.predict())
        check(again.context_, fitted.context_)
        _check_frames(again.predict_interval(0.5), fitted.predict_interval(0.5))
        pd.testing.assert_series_equal(again.cutoff_, fitted.cutoff_)


_check_frames = pd.testing.assert_frame_equal


@pytest.mark.parametrize("long", [False, True], ids=["index", "long"])
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
def test_any_times_come_back(times, long, tmp_path):
    y = _panel(times)
    fitted = LSTMForecaster(3, **FAST).fit(y.reset_index() if long else y)
    _check_round_trips(fitted, tmp_path / "panel.safetensors")
    forecast = fitted.predict()
    forecast = forecast.set_index(["unique_id", "ds"])["y"] if long else forecast
    # what follows row 44, where the second series ends, the first one has
    assert list(forecast["a"].index) == list(times[45:48])


@pytest.mark.parametrize("long", [False, True], ids=["index", "long"])
@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_any_names_come_back(keys, long, tmp_path):
    y = _panel(TIMES["hours"], keys)
    fitted = LSTMForecaster(3, **FAST).fit(y.reset_index() if long else y)
    _check_round_trips(fitted, tmp_path / "panel.safetensors")


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_static_features_of_any_names_come_back(keys, tmp_path):
    static = pd.DataFrame({"kind": ["x", "y"], 5: [1.0, 2.0]}, pd.Index(keys, tupleize_cols=False))
    y = _panel(TIMES["hours"], keys)
    fitted = LSTMForecaster(3, **FAST).fit(y, static=static)
    _check_round_trips(fitted, tmp_path / "panel.safetensors")
    fitted.save(tmp_path / "panel.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "panel.safetensors")
    pd.testing.assert_series_equal(loaded.predict(context=y), fitted.predict())


def test_names_that_no_file_holds_are_refused_by_fit():
    with pytest.raises(ValueError, match=r"dates or tuples of them to name .*, got Interval.* cannot be saved"):
        LSTMForecaster(3, **FAST).fit(_panel(TIMES["hours"], pd.IntervalIndex.from_breaks([0, 1, 2])))


@settings(max_examples=20)  # each trains a network
@given(
    freq=st.sampled_from(["s", "15min", "2h", "D", "W-WED", "M", "3M", "Q-FEB", "Y-JUN"]),
    lengths=st.lists(st.integers(1, 40), min_size=2, max_size=4).filter(lambda each: max(each) > 12),
    starts=st.lists(st.integers(0, 50), min_size=4, max_size=4),
    long=st.booleans(),
)
def test_periods_of_any_series_come_back(freq, lengths, starts, long, tmp_path_factory):
    times = pd.period_range("2001-01-01", periods=100, freq=freq)
    parts = {
        key: pd.Series(np.sin(np.arange(float(n))), times[start : start + n])
        for key, n, start in zip("dacb", lengths, starts, strict=False)
    }
    y = pd.concat(parts, names=["unique_id", "ds"]).rename("y")
    fitted = LSTMForecaster(2, early_stopping=None, **FAST).fit(y.reset_index() if long else y)
    path = tmp_path_factory.mktemp("periods") / "panel.safetensors"
    fitted.save(path)
    for again in (LSTMForecaster.load(path), pickle.loads(pickle.dumps(fitted))):
        forecast, expected = again.predict(), fitted.predict()
        assert forecast.equals(expected)
        forecast = forecast.set_index(["unique_id", "ds"])["y"] if long else forecast
        for key, part in parts.items():
            assert list(forecast[key].index) == [part.index[-1] + 1, part.index[-1] + 2]
