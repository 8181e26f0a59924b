"""Rows by the clock on the wall: where clocks change, an hour is missing or there twice, and days stay alike."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster, Sampling, backtest, explain, permutation_importance
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.wall_clock import clock_of, on_clock, step_by_clock
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.serve.served_model import Prepared, ServedModel, Window

ZONE = "Europe/Berlin"
FORWARD, BACK = pd.Timestamp("2024-03-31", tz=ZONE), pd.Timestamp("2024-10-27", tz=ZONE)
SMALL = {"hidden_size": 4, "sampling": Sampling(steps_per_epoch=5), "max_epochs": 2, "random_state": 0, "n_threads": 1}


def by_wall(index: pd.DatetimeIndex, noise: float = 0.0) -> pd.Series:
    """Two hours of a day at which people do something, by their clocks."""
    hour = (index.hour + index.minute / 60).to_numpy()
    values = 10 + 5 * np.exp(-(((hour - 18) / 3) ** 2)) + 3 * np.exp(-(((hour - 8) / 2) ** 2))
    return pd.Series(values + noise * np.random.default_rng(0).normal(size=len(index)), index, name="load")


def around(change: pd.Timestamp, before: int, after: int, freq: str = "h") -> pd.DatetimeIndex:
    """All steps of so many days before a change, and of the day itself and so many after it."""
    start, end = (change.tz_localize(None) + pd.Timedelta(days=n) for n in (-before, after + 1))
    return pd.date_range(start.tz_localize(ZONE), end.tz_localize(ZONE), freq=freq, inclusive="left")


def at(y: pd.Series, change: pd.Timestamp, days: int, hour: int = 0) -> int:
    """The row of a local time."""
    when = change.tz_localize(None) + pd.Timedelta(days=days, hours=hour)
    return int(y.index.get_loc(when.tz_localize(ZONE)))


def test_steps_by_the_clock():
    hours = around(FORWARD, 0, 0)
    assert len(hours) == 23
    assert (clock_of(hours, pd.offsets.Hour()) % 24).tolist() == [0, 1, *range(3, 24)]
    hours = around(BACK, 0, 0)
    assert len(hours) == 25
    assert (clock_of(hours, pd.offsets.Hour()) % 24).tolist() == [0, 1, 2, 2, *range(3, 24)]
    for freq, zone in (("h", None), ("h", "UTC"), ("2h", ZONE), ("D", ZONE), ("s", ZONE), ("7min", ZONE)):
        assert step_by_clock(pd.date_range("2024-01-01", periods=9, freq=freq, tz=zone), freq) is None
    for freq in ("h", "15min"):
        assert step_by_clock(pd.date_range("2024-01-01", periods=9, freq=freq, tz=ZONE), freq) is not None


def test_rows_on_the_clock_by_hand():
    rows = np.array([[1.0, np.nan], [2.0, 5.0], [4.0, np.nan], [6.0, 7.0]])
    # put back at 3, of which the second column is known once; put forward at 4 and 5
    found = on_clock(rows, np.array([2, 3, 3, 6]), 9)
    expected = [[np.nan] * 2, [np.nan] * 2, [1, np.nan], [3, 5], [4, 17 / 3], [5, 19 / 3], [6, 7], [6, 7], [6, 7]]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    np.testing.assert_array_equal(on_clock(rows, np.array([-1, 0, 1, 2]), 2)[:, 0], [2, 4])


@pytest.mark.parametrize("calendar", [None, "auto"])
@pytest.mark.parametrize("change", [FORWARD, BACK], ids=["forward", "back"])
@pytest.mark.parametrize("days", [35, 240])
def test_the_days_after_a_change_are_like_those_before(days, change, calendar):
    # without a change in the training, and with one
    y = by_wall(around(change, days, 9), noise=0.2)
    options = SMALL | {"max_epochs": 3, "hidden_size": 8}
    model = LSTMForecaster(24, window_size=7 * 24, calendar=calendar, **options).fit(y[: at(y, change, -1)])
    for day in (0, 1, 2, 7):
        origin = at(y, change, day)
        error = np.abs(model.predict(context=y[:origin]) - y[origin : origin + 24]).mean()
        # noise alone has 0.16; by elapsed time it was 0.59 to 0.89 on the first days
        assert error < 0.25, (day, error)


@cache
def fitted(freq: str = "h", *, X: bool = False, panel: bool = False) -> tuple[LSTMForecaster, pd.Series]:
    """A model of days before clocks are put forward and back, and the data until after both."""
    index = pd.date_range("2024-03-10", "2024-11-10", freq=freq, tz=ZONE)
    y = by_wall(index, noise=0.1)
    model = LSTMForecaster(6, window_size=24 if freq == "h" else 96, **SMALL)
    rows = slice(0, at(y, FORWARD, -3))
    if panel:
        model.fit(pd.concat({"a": y[rows], "b": 3 * y[rows]}, names=["unique_id", "ds"]))
    else:
        model.fit(y[rows], prices(index) if X else None)
    return model, y


def prices(index: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({"price": np.sin(np.arange(len(index)) / 5)}, index)


@pytest.mark.parametrize("change", [FORWARD, BACK], ids=["forward", "back"])
@pytest.mark.parametrize("kind", ["series", "X", "panel", "15min"])
def test_forecasts_from_the_past_are_those_from_all_rows(kind, change):
    """No row after an origin matters, whatever the clocks do there: in backtests as in `predict`."""
    model, y = fitted("15min" if kind == "15min" else "h", X=kind == "X", panel=kind == "panel")
    X = prices(y.index) if kind == "X" else None
    first, dataset = at(y, change, 0), model.fitted_.dataset
    step = 4 if kind == "15min" else 1
    rows = y.iloc[: first + 40 * step]
    given = pd.concat({"a": rows, "b": 3 * rows}, names=["unique_id", "ds"]) if kind == "panel" else rows
    read = Dataset.read(given, X if X is None else X[: len(rows)], freq=None, missing="error", calendar=None,
                        holidays=None, scaler="standard", transform=None, non_negative=False)  # fmt: skip
    whole = replace(dataset, observations=read.observations, features=read.features, statistics=None)
    whole = whole.with_statistics(like=dataset)
    # all origins of the day, for which the change is ahead or behind, and of the day after it
    origins = np.concatenate([np.arange(first - 5, first + 5 * step), [first + 26 * step]])
    for which in range(2 if kind == "panel" else 1):
        found = forecast_origins(model.model_, whole, origins, 6, np.full(len(origins), which))
        for origin, values in zip(origins, found, strict=True):
            past = rows[:origin]
            if kind == "panel":
                past = pd.concat({"a": past, "b": 3 * past}, names=["unique_id", "ds"])
            forecast = np.asarray(model.predict(context=past, X=X)).reshape(-1, 6)[which]
            # one call for all windows or one for each, in single precision
            np.testing.assert_allclose(values[:, 0, 0], forecast, rtol=1e-5)


@pytest.mark.parametrize("X", [False, True])
@pytest.mark.parametrize("change", [FORWARD, BACK], ids=["forward", "back"])
def test_the_first_steps_are_the_same_whatever_more_is_asked_for(change, X):
    model, y = fitted(X=X)
    for hour in (-2, 0, 3):
        past = y[: at(y, change, 0, hour) if hour >= 0 else at(y, change, -1, 24 + hour)]
        given = prices(y.index) if X else None
        longest = model.predict(18, context=past, X=given)
        for steps in range(1, 13):
            part = model.predict(steps, context=past, X=given)
            pd.testing.assert_series_equal(part, longest[:steps])
            if X:
                read = -(-steps // 6) * 6
                needed = given[: len(past) + read]
                pd.testing.assert_series_equal(model.predict(steps, context=past, X=needed), part)


def test_far_from_changes_nothing_is_other_than_by_elapsed_time():
    model, y = fitted()
    past = y[: at(y, BACK, -30)]
    elapsed = replace(model.fitted_, dataset=replace(model.fitted_.dataset, wall_clock=False))
    expected = elapsed.with_context(past, "error")[0].dataset
    found = model.fitted_.with_context(past, "error")[0].dataset
    assert found.wall_clock
    assert not expected.wall_clock
    np.testing.assert_array_equal(found.windows(24), expected.windows(24))
    np.testing.assert_array_equal(found.training_rows(24)[0], found.table)


def test_windows_of_less_than_a_day_are_read_by_elapsed_time():
    y = by_wall(around(BACK, 20, 3))
    model = LSTMForecaster(6, window_size=12, **SMALL).fit(y[:300])
    assert not model.fitted_.dataset.reads_clock(12)
    table, *_ = Dataset.read(
        y,
        freq=None,
        missing="error",
        calendar=None,
        holidays=None,
        scaler="standard",
        transform=None,
        non_negative=False,
    ).training_rows(12)
    np.testing.assert_array_equal(table[:, 0], y)


def test_trained_rows_and_weights_are_those_of_the_clock():
    y = by_wall(around(FORWARD, 2, 0))
    options = {"freq": None, "missing": "error", "calendar": None, "holidays": None, "non_negative": False}
    weights = np.arange(1.0, len(y) + 1)
    dataset = replace(Dataset.read(y, scaler="standard", transform=None, **options), weights=weights)
    table, starts, found = dataset.training_rows(24)
    assert len(table) == 72
    assert starts is None
    assert table[50, 0] == pytest.approx(y.iloc[49:51].mean())
    # an hour that no clock showed counts for nothing
    assert found.tolist() == [*range(1, 51), 0, *range(51, 72)]


def test_files_updates_and_older_models(tmp_path):
    model, y = fitted()
    past, newer = y[: at(y, BACK, -1)], y[at(y, BACK, -1) : at(y, BACK, 1)]
    model = LSTMForecaster(6, window_size=24, **SMALL).fit(past)
    model.save(tmp_path / "model.safetensors")
    again = LSTMForecaster.load(tmp_path / "model.safetensors")
    for each in (model, again):
        each.update(newer)
        # the hour that was there twice is within the window
        pd.testing.assert_series_equal(each.predict(), model.predict(context=y[: at(y, BACK, 1)]))
    # a model of before reads its windows as it was trained to
    tensors, values = model.fitted_.pack()
    del values["wall_clock"]
    options = {"calibration": None, "horizon": 6, "scaler": "standard", "transform": None}
    older = type(model.fitted_).unpack(model.model_, tensors, values, **options)
    plain = older.model.forecast(y[newer.index[-1] - pd.Timedelta("23h") : newer.index[-1]].to_numpy()[None, :, None])
    np.testing.assert_array_equal(
        forecast_origins(older.model, older.dataset, np.array([len(older.dataset.observations)]), 6)[..., 0], plain
    )


def test_a_service_joins_requests_beside_a_change():
    model, y = fitted()
    served = ServedModel("load", model)
    origins = [at(y, FORWARD, -9), at(y, FORWARD, 0), at(y, BACK, 0), at(y, BACK, 0, 4)]
    windows = [Window(y[:n][-30:].to_numpy()[:, None], [str(time) for time in y.index[:n][-30:]]) for n in origins]
    points, _ = served.forecast(Prepared.joined([served.prepare(window, 7) for window in windows]), ())
    expected = [model.predict(7, context=y[:n][-30:]) for n in origins]
    # one call for all windows or one for each, in single precision
    np.testing.assert_allclose(points[..., 0], expected, rtol=1e-5)


def test_explanations_and_importance_beside_a_change():
    model, y = fitted(X=True)
    X, origin = prices(y.index), at(y, FORWARD, 0)
    explanation = explain(model, context=y[:origin], X=X)
    np.testing.assert_allclose(explanation.forecast[0, :, 0], model.predict(context=y[:origin], X=X), rtol=1e-5)
    explained = explanation.contributions.sum(axis=(-2, -1))
    # the integral is a sum of few differences in single precision
    np.testing.assert_allclose(explained, explanation.forecast - explanation.baseline, atol=1e-2)
    rows = slice(origin - 40, origin + 40)
    assert permutation_importance(model, y[rows], X[rows], random_state=0)["error"].iloc[0] < 2


def test_a_backtest_over_a_change():
    y = by_wall(around(FORWARD, 30, 3), noise=0.1)
    result = backtest(LSTMForecaster(6, window_size=24, **SMALL), y, folds=72, horizon=6)
    for cutoff, part in list(result.forecasts.groupby("cutoff"))[::9]:
        expected = result.forecaster.predict(context=y[:cutoff])
        np.testing.assert_allclose(part["forecast"], expected, rtol=1e-5)
