"""Times of another zone mean the same instants at every door; times without a zone are refused beside such with one."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lstmforecast import Calendar, LSTMAnomalyDetector, LSTMForecaster, Sampling
from lstmforecast.ab import ForecastLog
from lstmforecast.cli import main
from lstmforecast.data.observations import Observations

SMALL = {
    "window_size": 12,
    "hidden_size": 4,
    "max_epochs": 1,
    "sampling": Sampling(steps_per_epoch=3),
    "random_state": 0,
    "n_threads": 1,
}
# Over a change of summer time, and of a date line: days of one zone are not those of another.
HOURS = pd.date_range("2024-10-20", periods=200, freq="h", tz="Europe/Berlin", name="ds")
DAYS = pd.date_range("2024-10-20", periods=120, freq="D", tz="Europe/Berlin", name="ds")
LOCAL = [HOURS, DAYS]
OTHERS = ["UTC", "Asia/Tokyo", "America/New_York"]


def series(index: pd.DatetimeIndex) -> pd.Series:
    return pd.Series(10 + np.sin(np.arange(len(index)) / 4) + (index.day_of_week == 5), index, name="y")


def panel(index: pd.DatetimeIndex) -> pd.DataFrame:
    values = series(index).to_numpy()
    parts = [pd.DataFrame({"unique_id": name, "ds": index, "y": values * size}) for name, size in (("a", 1), ("b", 7))]
    return pd.concat(parts, ignore_index=True)


def model(**options) -> LSTMForecaster:
    return LSTMForecaster(**{"horizon": 3, "calendar": Calendar("auto", holidays="DE")} | SMALL | options)


def as_polars(frame: pd.DataFrame) -> pl.DataFrame:
    instants = pl.Series("ds", frame["ds"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    zone = str(frame["ds"].dt.tz)
    columns = {name: frame[name].tolist() for name in frame if name != "ds"}
    return pl.DataFrame(columns).with_columns(instants.dt.replace_time_zone("UTC").dt.convert_time_zone(zone))


@pytest.mark.parametrize("index", LOCAL, ids=["hours", "days"])
@pytest.mark.parametrize("zone", OTHERS)
def test_a_series_in_another_zone_is_the_same_series(index, zone):
    y = series(index)
    known, newer = y[:-10], y[-10:]
    fitted = model().fit(known)
    for method in (LSTMForecaster.predict, lambda *args, **given: LSTMForecaster.predict_interval(*args, 0.5, **given)):
        expected = method(fitted, context=known)
        got = method(fitted, context=known.tz_convert(zone))
        assert str(got.index.tz) == "Europe/Berlin"
        assert got.equals(expected)
    expected, got = (model().fit(known).update(rows).predict() for rows in (newer, newer.tz_convert(zone)))
    pd.testing.assert_series_equal(got, expected)


@pytest.mark.parametrize("index", LOCAL, ids=["hours", "days"])
def test_a_panel_in_another_zone_is_the_same_panel(index):
    long = panel(index)
    fitted = model().fit(long)
    for zone in OTHERS:
        other = long.assign(ds=long["ds"].dt.tz_convert(zone))
        for convert in (lambda frame: frame, as_polars, lambda frame: frame.set_index(["unique_id", "ds"])):
            expected, got = fitted.predict(context=convert(long)), fitted.predict(context=convert(other))
            assert got.equals(expected)


def test_covariates_in_another_zone_are_found_by_their_instant():
    y, X = series(HOURS), pd.DataFrame({"price": np.arange(200.0) % 7}, HOURS)
    fitted = model().fit(y[:190], X)
    expected = fitted.predict(X=X)
    again = model().fit(y[:190], X.tz_convert("UTC"))
    for given in (X, X.tz_convert("Asia/Tokyo")):
        pd.testing.assert_series_equal(fitted.predict(X=given), expected)
        pd.testing.assert_series_equal(again.predict(X=given), expected)
    long, past = panel(HOURS), panel(HOURS).rename(columns={"y": "x"})
    other = past.assign(ds=past["ds"].dt.tz_convert("UTC"))
    expected, got = (model().fit(long, X_past=given).predict() for given in (past, other))
    pd.testing.assert_frame_equal(got, expected)


def test_a_detector_sees_the_same_instants_in_any_zone():
    y = series(HOURS)
    first, other = (LSTMAnomalyDetector(model(calendar=None)).fit(y[:150]) for _ in range(2))
    newer = y[150:].tz_convert("UTC")
    np.testing.assert_array_equal(other.score_samples(newer), first.score_samples(y[150:]))
    assert str(other.trace(newer).index.tz) == "Europe/Berlin"
    np.testing.assert_array_equal(other.update(newer), first.update(y[150:]))
    for method in (first.predict, first.score_samples, first.trace, first.update):
        with pytest.raises(
            TypeError, match=r"X in the time zone Europe/Berlin, .* without one; .* X.tz_localize\('Eur"
        ):
            method(y[150:].tz_localize(None))


@pytest.mark.parametrize("door", ["context", "y", "X"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", None])
def test_times_without_a_zone_are_refused_beside_such_with_one_and_the_advice_works(door, zone):
    # without a change of summer time, so that both ways lead to the same rows
    y = series(pd.date_range("2024-05-01", periods=200, freq="h", tz=zone))
    other = y.tz_localize(None if zone else "Europe/Berlin")
    X = y.to_frame("price")
    fitted = model(calendar=None).fit(y[:190], X if door == "X" else None)
    give = {"context": lambda it: fitted.predict(context=it), "y": fitted.update, "X": lambda it: fitted.predict(X=it)}
    right, wrong = {"context": (y[:190], other[:190]), "y": (y[190:], other[190:]), "X": (X, other.to_frame("price"))}[
        door
    ]
    wanted = f"in the time zone {zone}" if zone else "without a time zone"
    like = "as y" if door == "X" else "as at fit"
    with pytest.raises(TypeError, match=rf"expected {door} {wanted}, {like}, got ") as caught:
        give[door](wrong)
    mended = eval(str(caught.value).rsplit(" with ", 1)[1], {door: wrong})
    assert mended.index.equals(right.index)
    give[door](mended)


@pytest.mark.parametrize("kind", ["long", "index", "polars"])
def test_the_advice_for_panels_works(kind):
    convert = {
        "long": lambda frame: frame,
        "index": lambda frame: frame.set_index(["unique_id", "ds"]),
        "polars": as_polars,
    }[kind]
    hours = pd.date_range("2024-05-01", periods=200, freq="h", tz="Europe/Berlin")
    fitted = model().fit(convert(panel(hours)))
    expected = fitted.predict(context=convert(panel(hours)))
    if kind == "polars":
        naive = as_polars(panel(hours)).with_columns(pl.col("ds").dt.replace_time_zone(None))
    else:
        naive = convert(panel(hours.tz_localize(None)))
    with pytest.raises(TypeError, match="expected context in the time zone Europe/Berlin") as caught:
        fitted.predict(context=naive)
    mended = eval(str(caught.value).rsplit(" with ", 1)[1], {"context": naive, "pl": pl})
    assert fitted.predict(context=mended).equals(expected)


def test_periods_and_times_are_not_mixed():
    y = series(pd.date_range("2024-05-01", periods=200, freq="h"))
    X = pd.DataFrame({"price": np.arange(200.0)}, y.index)
    fitted = model().fit(y[:190], X)
    for give in (
        lambda: fitted.predict(context=y[:190].to_period("h"), X=X),
        lambda: fitted.predict(X=X.to_period("h")),
        lambda: model().fit(y[:190], X.to_period("h")),
    ):
        with pytest.raises(TypeError, match=r"a DatetimeIndex, .*, got a PeriodIndex; convert .* to_timestamp\(\)"):
            give()
    with pytest.raises(TypeError, match=r"with a PeriodIndex, .*, got a DatetimeIndex; convert .* to_period\(\)"):
        Observations.read(y[:100].to_period("h")).extended(y[100:])


def test_forecasts_and_actuals_meet_in_any_zone_and_are_refused_without_one():
    y = series(HOURS)
    log = ForecastLog("sqlite://")
    log.add("m", "k", HOURS[9], y[10:13])
    log.add_actuals("k", y[10:13].tz_convert("Asia/Tokyo"))
    assert log.join()["actual"].tolist() == y[10:13].tolist()
    with pytest.raises(TypeError, match="times of the actuals like those of the forecasts of 'k', with a time zone"):
        log.add_actuals("k", y[10:13].tz_localize(None))
    with pytest.raises(TypeError, match="times of the forecast like its origin, with a time zone, got 2024"):
        log.add("m", "k", HOURS[9], y[10:13].tz_localize(None))
    log.add("m", "n", 3, [1.0, 2.0])
    log.add_actuals("n", [1.0, 2.0], times=[4, 5])
    with pytest.raises(TypeError, match=r"without a time zone, got 2024.* drop it with"):
        log.add_actuals("n", y[:2])


def test_the_command_says_how_times_are_written(tmp_path, capsys):
    naive = series(pd.date_range("2024-05-01", periods=80, freq="h", name="ds"))
    aware = naive.tz_localize("UTC")
    files = {name: tmp_path / f"{name}.csv" for name in ("naive", "UTC", "offset")}
    for name, y in (("naive", naive), ("UTC", aware), ("offset", aware.tz_convert("Etc/GMT-2"))):
        y.to_csv(files[name])
    options = ["--time", "ds", "--horizon", "2", "--quiet"]
    for name in ("naive", "UTC"):
        command = ["forecast", str(files[name]), *options, "--max-epochs", "1", "--save", str(tmp_path / name)]
        assert main(command) == 0
    capsys.readouterr()
    assert main(["forecast", str(files["UTC"]), *options, "--load", str(tmp_path / "UTC")]) == 0
    expected = capsys.readouterr().out
    assert main(["forecast", str(files["offset"]), *options, "--load", str(tmp_path / "UTC")]) == 0
    assert capsys.readouterr().out == expected
    assert main(["forecast", str(files["UTC"]), *options, "--load", str(tmp_path / "naive")]) == 1
    assert re.search(
        r"expected times without an offset .* column 'ds', as the model has no time zone, got", capsys.readouterr().err
    )
    assert main(["forecast", str(files["naive"]), *options, "--load", str(tmp_path / "UTC")]) == 1
    assert re.search(r"with their offset from UTC, such as .* model's times are in UTC, got", capsys.readouterr().err)
    rows = ["forecast", str(files["naive"]), "--target", "y", *options[2:], "--load", str(tmp_path / "naive")]
    assert main(rows) == 1
    assert "expected --time COLUMN, as the model was trained on times, got none" in capsys.readouterr().err
