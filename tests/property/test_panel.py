"""What holds for panels of any lengths, order of rows, gaps, times and names: they are as their series alone."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from lstmforecast import Folds, LSTMForecaster, Sampling, backtest
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import Panel

TIMES = {
    "h": pd.date_range("2026-01-01", periods=90, freq="h"),
    "D": pd.date_range("2026-02-01", periods=90, freq="D", tz="Europe/Berlin"),
    "B": pd.date_range("2026-01-01", periods=90, freq="B"),
    "MS": pd.date_range("2000-01-01", periods=90, freq="MS", unit="s"),
    "M": pd.period_range("2000-01", periods=90, freq="M"),
    "W-WED": pd.period_range("2000-01-01", periods=90, freq="W-WED"),
    1: pd.RangeIndex(90),
    3: pd.Index(np.arange(-30, 240, 3, dtype=np.int16)),
}
NAMES = {
    "strings": ["d", "a", "c", "b"],
    "integers": [7, -3, 12, 0],
    "tuples": [("x", 1), ("x", 0), ("y", 1), ("a", 5)],
    "categories": pd.Categorical(["d", "a", "c", "b"], categories=["e", "d", "c", "b", "a"]),
    "mixed": ["d", 5, 2.5, "b"],
}


@st.composite
def panels(draw, longest=40, gaps=True):
    """Rows of up to four series, each from a time of its own, in an order that keeps each of them in time."""
    freq, names = draw(st.sampled_from(list(TIMES))), draw(st.sampled_from(list(NAMES)))
    times, keys = TIMES[freq], pd.Index(NAMES[names], tupleize_cols=False)
    which, rows = [], []
    for i in range(draw(st.integers(1, 4))):
        start, n = draw(st.integers(0, 30)), draw(st.integers(1, longest))
        gone = set(draw(st.lists(st.integers(1, n), max_size=4))) - {n} if gaps else set()
        kept = [start + row for row in range(n) if row not in gone or row == n - 1]
        which += [i] * len(kept)
        rows += kept
    which, rows = np.array(which), np.array(rows)
    order = {"series": np.arange(len(rows)), "time": np.argsort(rows, kind="stable")}
    shuffled = np.random.default_rng(draw(st.integers(0, 99))).permutation(which)
    # of each series the rows stay in order
    order["any"] = np.empty(len(rows), np.int64)
    order["any"][np.argsort(shuffled, kind="stable")] = np.arange(len(rows))
    chosen = order[draw(st.sampled_from(list(order)))]
    which, rows = which[chosen], rows[chosen]
    values = np.random.default_rng(len(rows)).normal(10, 1, size=len(rows))
    index = pd.MultiIndex.from_arrays([keys[which], times[rows]], names=["unique_id", "ds"])
    return freq, pd.Series(values, index, name="y")


def _parts(y):
    """The series of a panel by name, in the order in which they appear."""
    labels = list(y.index.get_level_values(0))
    parts = {}
    for name in dict.fromkeys(labels):
        rows = [i for i, label in enumerate(labels) if label == name]
        parts[name] = pd.Series(y.to_numpy()[rows], y.index.get_level_values(1)[rows])
    return parts


def _result_or_refusal(function, *arguments, **options):
    """What a function returns, or None and the message of its ValueError."""
    try:
        return function(*arguments, **options), ""
    except ValueError as error:
        return None, str(error)


def _read_alone(part, freq, missing):
    return Observations.read(part.to_frame("y"), freq=freq, missing=missing)


def _check_like_parts(panel, parts, freq, missing):
    assert list(panel.series_keys) == list(parts)
    assert panel.n_series == len(parts)
    alone = [_read_alone(part, freq, missing) for part in parts.values()]
    np.testing.assert_array_equal(panel.lengths, [len(each) for each in alone])
    np.testing.assert_array_equal(panel.values, np.concatenate([each.values for each in alone]))
    times = panel.index.get_level_values(1)
    assert list(times) == [time for each in alone for time in each.index]
    filled = np.concatenate([np.zeros(a.values.shape, bool) if a.filled is None else a.filled for a in alone])
    assert (panel.filled is None) == (not filled.any())
    if panel.filled is not None:
        np.testing.assert_array_equal(panel.filled, filled)
    return alone


@given(case=panels(), long=st.booleans(), missing=st.sampled_from(["mask", "ffill", "interpolate"]))
def test_a_panel_is_read_as_each_of_its_series(case, long, missing):
    freq, y = case
    panel = Panel.read(y.reset_index() if long else y, freq=freq, missing=missing)
    alone = _check_like_parts(panel, _parts(y), freq, missing)
    later = panel.future_index(3).get_level_values(1)
    assert list(later) == [time for each in alone for time in each.future_index(3)]
    ends = [each.rows(max(len(each) - 5, 0), len(each)) for each in alone]
    tail = panel.take(panel.last_rows(5))
    np.testing.assert_array_equal(tail.values, np.concatenate([each.values for each in ends]))
    assert list(tail.index.get_level_values(1)) == [time for each in ends for time in each.index]
    again = Panel.unpack(*tail.pack())
    assert again.index.equals(tail.index)
    np.testing.assert_array_equal(again.starts, tail.starts)


@given(case=panels())
def test_gaps_are_refused_as_those_of_each_series(case):
    freq, y = case

    alone = [_result_or_refusal(_read_alone, part, freq, "error")[1] for part in _parts(y).values()]
    together = _result_or_refusal(Panel.read, y, freq=freq)[1]
    assert bool(together) == any(alone)
    if together:
        first = next(i for i, message in enumerate(alone) if message)
        assert together == alone[first].replace(" y ", f" series {list(_parts(y))[first]!r} of y ", 1)


@given(case=panels(), data=st.data(), missing=st.sampled_from(["mask", "ffill", "interpolate"]))
def test_a_panel_in_two_portions_is_the_panel(case, data, missing):
    freq, y = case
    names = [str(label) for label in y.index.get_level_values(0)]
    number = pd.Series(names).groupby(names).cumcount().to_numpy()
    portions = {name: data.draw(st.integers(0, 40)) for name in dict.fromkeys(names)}
    first = number < np.array([portions[name] for name in names])
    if first.all() or not first.any():
        return
    panel = Panel.read(y[first], freq=freq, missing=missing).extended(y[~first], missing=missing)
    # those that are in the first portion come first
    ordered = pd.concat([y[first], y[~first]])
    if missing == "interpolate":
        # between the portions alone: what was mended before, with what was known then, stays
        np.testing.assert_array_equal(panel.lengths, Panel.read(ordered, freq=freq, missing=missing).lengths)
    else:
        _check_like_parts(panel, _parts(ordered), freq, missing)


@settings(max_examples=20)  # each trains a network
@given(case=panels(longest=60, gaps=False), long=st.booleans(), horizon=st.integers(1, 4), data=st.data())
def test_forecasters_of_any_panel_forecast_update_and_are_saved(case, long, horizon, data, tmp_path_factory):
    freq, y = case
    parts = _parts(y)
    model = LSTMForecaster(
        horizon, window_size=6, freq=freq if isinstance(freq, str) else None, missing="mask", hidden_size=2,
        max_epochs=1, sampling=Sampling(steps_per_epoch=2), random_state=0, n_threads=1,
    )  # fmt: skip
    if max(map(len, parts.values())) <= horizon:
        with pytest.raises(ValueError, match="expected a series of more than"):
            model.fit(y)
        return
    model.fit(y.reset_index() if long else y)

    def table(forecast):
        return forecast.set_index(["unique_id", "ds"])["y"] if long else forecast

    forecast = table(model.predict())
    assert forecast.notna().all()
    expected = [
        (name, time) for name, part in parts.items() for time in _read_alone(part, freq, "mask").future_index(horizon)
    ]
    assert [tuple(label) for label in forecast.index] == expected
    path = tmp_path_factory.mktemp("panel") / "panel.safetensors"
    model.save(path)
    copies = [LSTMForecaster.load(path), pickle.loads(pickle.dumps(model))]
    if model.fitted_.calibration is not None and len(model.fitted_.calibration) > 3:
        interval = model.predict_interval(0.5)
        assert (np.diff(interval.to_numpy(), axis=1) >= 0).all()
        assert interval.index.equals(forecast.index)
        for copy in copies:
            pd.testing.assert_frame_equal(copy.predict_interval(0.5), interval)
    # each goes on with its own forecast, some of them twice as far
    newer = forecast.iloc[: data.draw(st.integers(1, len(forecast)))]
    for copy in copies:
        pd.testing.assert_series_equal(table(copy.predict()), forecast)
        copy.update(newer.reset_index() if long else newer)
        rolled = table(copy.predict(context=pd.concat([y, newer]).reset_index() if long else pd.concat([y, newer])))
        pd.testing.assert_series_equal(table(copy.predict()), rolled)


@pytest.mark.parametrize("long", [False, True], ids=["index", "long"])
def test_reading_takes_a_part_of_the_memory_of_the_values(long):
    index = pd.MultiIndex.from_product(
        [[f"series {i}" for i in range(4000)], pd.date_range("2026-01-01", periods=500, freq="h")],
        names=["unique_id", "ds"],
    )
    y = pd.Series(np.arange(2e6), index, name="y")
    y = y.reset_index() if long else y
    index = None
    tracemalloc.start()
    Panel.read(y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # values take 16 MB, labels of all rows 16 MB for each level; in the long format an index is made, of 8 MB
    assert peak < (20 if long else 10) * 2**20


def _before(part, test_size, back, horizon, gap):
    """The rows of a series that are fitted on `back` rows after its test set begins, as far as that has origins."""
    n = len(part)
    n_test = test_size if isinstance(test_size, int) else round(n * test_size)
    return part.iloc[: max(0, min(n - n_test + back, n - min(n_test, horizon)) - gap)]


@settings(max_examples=20)  # each trains some networks
@given(
    case=panels(longest=60, gaps=False), test_size=st.one_of(st.integers(2, 20), st.floats(0.1, 0.5)),
    stride=st.integers(1, 5), refit=st.sampled_from([False, True, 2]), gap=st.integers(0, 2), horizon=st.integers(1, 3),
)  # fmt: skip
def test_a_backtest_of_any_panel_is_a_loop_of_fits_and_forecasts(case, test_size, stride, refit, gap, horizon):
    freq, y = case
    model = LSTMForecaster(
        2, window_size=6, freq=freq if isinstance(freq, str) else None, hidden_size=2, max_epochs=1,
        sampling=Sampling(steps_per_epoch=2), random_state=0, n_threads=1,
    )  # fmt: skip
    folds = Folds(test_size, stride=stride, refit=refit, gap=gap)
    result, refusal = _result_or_refusal(backtest, model, y, folds=folds, horizon=horizon)
    if result is None:
        # no origin, or nothing to fit on before it
        assert refusal.startswith(("expected a test", "expected gap", "expected a series"))
        return
    parts = [part.to_frame("y") for part in _parts(y).values()]
    every, fitted = int(refit) or 10**6, {}
    for i, origin, values in zip(result.which, result.origins, result.values, strict=True):
        first = len(_before(parts[i], test_size, 0, horizon, 0))
        fold = (origin - first) // stride // every
        if fold not in fitted:
            cut = [_before(part, test_size, fold * stride * every, horizon, gap) for part in parts]
            fitted[fold] = clone(model).fit(pd.concat({j: part for j, part in enumerate(cut) if len(part)}))
        context = pd.concat({i: parts[i].iloc[:origin]})
        # one call for all windows or one for each: in float32, of values of size 10
        np.testing.assert_allclose(values, fitted[fold].predict(horizon, context=context), rtol=1e-5)
    assert len(result.forecasts) == len(result.origins) * horizon
