"""Frames of polars and pyarrow give the numbers that pandas gives, and get their own kind back."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from lstmforecast import LSTMForecaster, load
from lstmforecast.data.frames import to_pandas

SMALL = {"window_size": 12, "hidden_size": 4, "max_epochs": 1, "random_state": 0}
LIBRARIES = {"polars": lambda frame: frame, "pyarrow": pl.DataFrame.to_arrow}


def hourly(n: int = 160, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    day = np.sin(np.arange(n) * np.pi / 12)
    times = pd.date_range("2026-01-01", periods=n, freq="h", name="time", unit="us")
    return pd.DataFrame(
        {"load": 20 + day + rng.normal(0, 0.1, n), "price": 9 - day + rng.normal(0, 0.1, n)}, index=times
    )


def as_polars(frame: pd.DataFrame) -> pl.DataFrame:
    """By numpy, not by the code under test; the time comes second, as it may."""
    columns = {str(name): frame[name].to_numpy() for name in frame}
    first = next(iter(columns))
    return pl.DataFrame({first: columns.pop(first), "time": frame.index.to_numpy(), **columns})


def values_of(frame: object, *times: str) -> np.ndarray:
    frame = frame if isinstance(frame, pl.DataFrame) else pl.from_arrow(frame)
    return frame.drop(times).to_numpy()


@pytest.fixture(params=list(LIBRARIES))
def library(request):
    return LIBRARIES[request.param]


def test_forecasts_are_those_of_pandas_with_the_time_first(library):
    y = hourly()
    known, other = LSTMForecaster(3, **SMALL).fit(y), LSTMForecaster(3, **SMALL).fit(library(as_polars(y)))
    forecast, expected = other.predict(), known.predict()
    assert type(forecast) is type(library(pl.DataFrame()))
    frame = forecast if isinstance(forecast, pl.DataFrame) else pl.from_arrow(forecast)
    assert frame.columns == ["time", "load", "price"]
    assert frame["time"].to_list() == expected.index.to_pydatetime().tolist()
    np.testing.assert_array_equal(values_of(forecast, "time"), expected)
    assert list(other.feature_names_in_) == ["load", "price"]
    assert other.cutoff_ == known.cutoff_
    np.testing.assert_array_equal(values_of(other.context_, "time"), known.context_)


def test_intervals_quantiles_and_samples_have_flat_names(library):
    y = hourly()
    known, other = LSTMForecaster(3, **SMALL).fit(y), LSTMForecaster(3, **SMALL).fit(library(as_polars(y)))
    interval = other.predict_interval([0.5, 0.75])
    np.testing.assert_array_equal(values_of(interval, "time"), known.predict_interval([0.5, 0.75]))
    assert pl.DataFrame(interval).columns[:4] == ["time", "load_0.5_lower", "load_0.5_upper", "load_0.75_lower"]
    quantiles = other.predict_quantiles([0.5, 0.25])
    assert pl.DataFrame(quantiles).columns == ["time", "load_0.5", "load_0.25", "price_0.5", "price_0.25"]
    np.testing.assert_array_equal(values_of(quantiles, "time"), known.predict_quantiles([0.5, 0.25]))
    samples = other.predict_samples(2, random_state=0)
    assert pl.DataFrame(samples).columns == ["time", "load_0", "load_1", "price_0", "price_1"]
    np.testing.assert_array_equal(values_of(samples, "time"), known.predict_samples(2, random_state=0))


def test_covariates_updates_and_contexts_are_read(library):
    y, X = hourly(166), hourly(166, seed=1).rename(columns=str.upper)
    past = hourly(166, seed=2).rename(columns=str.title)

    def give(frame: pd.DataFrame) -> object:
        return library(as_polars(frame))

    known = LSTMForecaster(3, **SMALL).fit(y[:150], X[:150], past[:150])
    other = LSTMForecaster(3, **SMALL).fit(give(y[:150]), give(X), give(past))
    np.testing.assert_array_equal(values_of(other.predict(X=give(X)), "time"), known.predict(X=X))
    known.update(y[150:160], X[150:160], past[150:160])
    other.update(give(y[150:160]), give(X), give(past))
    np.testing.assert_array_equal(values_of(other.predict(X=give(X[160:])), "time"), known.predict(X=X[160:]))
    context = {"context": y[100:140], "X_past": past}
    expected = known.predict(X=X, **context)
    context = {name: give(frame) for name, frame in context.items()}
    np.testing.assert_array_equal(values_of(other.predict(X=give(X), **context), "time"), expected)


def test_without_times_rows_simply_follow_as_in_arrays(library):
    y = hourly()
    frame = library(as_polars(y).drop("time"))
    known, other = LSTMForecaster(3, **SMALL).fit(y.to_numpy()), LSTMForecaster(3, **SMALL).fit(frame)
    np.testing.assert_array_equal(values_of(other.predict()), known.predict())
    assert pl.DataFrame(other.predict_interval(0.5)).columns[0] == "load_0.5_lower"
    np.testing.assert_array_equal(
        values_of(other.update(frame).predict()),
        known.update(y.to_numpy()).predict(),
        "the index starts anew, time doesn't",
    )
    with pytest.raises(ValueError, match="expected the columns of y in the order at fit"):
        other.update(library(as_polars(y).select("price", "load")))
    X = as_polars(hourly(163, seed=1)).drop("time")
    known.fit(y.to_numpy(), X[:160].to_numpy())
    other.fit(frame, library(X[:160]))
    np.testing.assert_array_equal(values_of(other.predict(X=library(X[160:]))), known.predict(X=X[160:].to_numpy()))
    context, expected = (
        library(as_polars(y)[:40].drop("time")),
        known.predict(context=y.to_numpy()[:40], X=X[:43].to_numpy()),
    )
    np.testing.assert_array_equal(values_of(other.predict(context=context, X=library(X[:43]))), expected)


def test_a_series_comes_back_as_one():
    load_of = hourly()["load"].to_numpy()
    expected = LSTMForecaster(3, **SMALL).fit(load_of).predict()
    named, unnamed = pl.Series("load", load_of), pl.Series(load_of)
    forecaster = LSTMForecaster(3, **SMALL).fit(named)
    assert_series_equal(forecaster.predict(), pl.Series("load", expected))
    assert forecaster.predict_interval(0.5).columns == ["load_0.5_lower", "load_0.5_upper"]
    forecaster = LSTMForecaster(3, **SMALL).fit(unnamed)
    assert_series_equal(forecaster.predict(), pl.Series(expected))
    assert forecaster.predict_interval(0.5).columns == ["0.5_lower", "0.5_upper"]
    chunks = pa.chunked_array([load_of[:50], load_of[50:]])
    forecast = LSTMForecaster(3, **SMALL).fit(chunks).predict()
    assert isinstance(forecast, pa.ChunkedArray)
    np.testing.assert_array_equal(forecast, expected)


def test_panels_come_in_columns(library):
    lengths = {"a": 60, "b": 50}
    days = {key: pd.date_range("2026-01-01", periods=n, freq="D") for key, n in lengths.items()}
    long = pd.concat(
        [
            pd.DataFrame({"unique_id": key, "ds": days[key], "y": hourly(n, i)["load"].to_numpy()})
            for i, (key, n) in enumerate(lengths.items())
        ]
    )
    sizes = pd.DataFrame({"size": [1.0, 2.0], "kind": ["shop", "depot"]}, index=["a", "b"])
    frame = pl.DataFrame(
        {"unique_id": long["unique_id"].tolist(), "ds": long["ds"].dt.date.tolist(), "y": long["y"].to_numpy()}
    )
    static = pl.DataFrame({"unique_id": ["a", "b"], "size": [1.0, 2.0], "kind": ["shop", "depot"]})
    known = LSTMForecaster(2, **SMALL).fit(long, static=sizes)
    other = LSTMForecaster(2, **SMALL).fit(library(frame), static=library(static))
    expected, forecast = known.predict(), pl.DataFrame(other.predict())
    assert forecast.schema == {"unique_id": pl.String, "ds": pl.Date, "y": pl.Float64}
    assert forecast["unique_id"].to_list() == expected["unique_id"].tolist()
    assert forecast["ds"].to_list() == expected["ds"].dt.date.tolist()
    np.testing.assert_array_equal(forecast["y"], expected["y"])
    interval = pl.DataFrame(other.predict_interval(0.5))
    assert interval.columns == ["unique_id", "ds", "y_0.5_lower", "y_0.5_upper"]
    np.testing.assert_array_equal(interval.drop("unique_id", "ds"), known.predict_interval(0.5))
    newer = pl.DataFrame({"unique_id": ["b"], "ds": [date(2026, 2, 20)], "y": [20.0]})
    assert pl.DataFrame(other.update(library(newer)).predict())["ds"][2] == date(2026, 2, 21)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_time_zones_and_resolutions_come_back(library, unit, zone):
    # over the change to summer time
    times = pl.datetime_range(
        datetime(2026, 3, 26), datetime(2026, 3, 29), "1h", time_unit=unit, time_zone=zone, eager=True
    )
    y = pl.DataFrame({"at": times, "load": hourly(len(times))["load"].to_numpy()})
    forecast = pl.DataFrame(LSTMForecaster(3, **SMALL).fit(library(y)).predict())
    assert forecast.schema["at"] == pl.Datetime(unit, zone)
    hours = forecast["at"].to_physical() - times.to_physical()[-1]
    assert hours.to_list() == [i * 3600 * {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit] for i in (1, 2, 3)]


@given(
    st.lists(st.none() | st.integers(-1000, 1000), min_size=1, max_size=20),
    st.sampled_from([pl.Int8, pl.Float32, pl.UInt16]),
)
def test_every_number_and_every_gap_survives(numbers, dtype):
    column = pl.Series("x", numbers, dtype=pl.Int64).cast(dtype, strict=False)
    frame, origin = to_pandas(pl.DataFrame(column).to_arrow())
    np.testing.assert_array_equal(frame["x"].to_numpy(float), column.cast(pl.Float64).fill_null(np.nan).to_numpy())
    assert origin.library == "pyarrow"


def test_gaps_are_named_and_mended():
    y = as_polars(hourly()).with_columns(
        pl.when(pl.int_range(pl.len()) == 30).then(None).otherwise("load").alias("load")
    )
    with pytest.raises(ValueError, match="got 1 NaN, the first in column 'load' at 2026-01-02 06:00:00"):
        LSTMForecaster(3, **SMALL).fit(y)
    expected = hourly()
    expected.iloc[30, 0] = np.nan
    np.testing.assert_array_equal(
        values_of(LSTMForecaster(3, missing="mask", **SMALL).fit(y).predict(), "time"),
        LSTMForecaster(3, missing="mask", **SMALL).fit(expected).predict(),
    )


def test_what_cannot_be_read_is_one_sentence():
    y = as_polars(hourly())
    with pytest.raises(ValueError, match=r"expected one column of times in y, got \['time', 'known'\]; drop or cast"):
        LSTMForecaster(3, **SMALL).fit(y.with_columns(known=pl.col("time")))
    with pytest.raises(TypeError, match=r"expected y as an eager frame, got a LazyFrame; compute it with .collect\(\)"):
        LSTMForecaster(3, **SMALL).fit(y.lazy())
    with pytest.raises(TypeError, match="expected numbers in every column of y, got 'name'"):
        LSTMForecaster(3, **SMALL).fit(y.with_columns(name=pl.lit("a")))
    with pytest.raises(TypeError, match="expected y as an array, as at fit"):
        LSTMForecaster(3, **SMALL).fit(y.drop("time")).update(y)


def test_a_saved_forecaster_answers_in_the_same_kind(tmp_path):
    forecaster = LSTMForecaster(3, **SMALL).fit(as_polars(hourly()))
    forecaster.save(tmp_path / "model.safetensors")
    assert_frame_equal(load(tmp_path / "model.safetensors").predict(), forecaster.predict())


def test_a_forecaster_takes_newer_rows_of_another_kind():
    y = hourly()
    forecaster, expected = LSTMForecaster(3, **SMALL).fit(as_polars(y[:150])), LSTMForecaster(3, **SMALL).fit(y[:150])
    forecast = forecaster.update(y[150:]).predict()
    np.testing.assert_array_equal(values_of(forecast, "time"), expected.update(y[150:]).predict())
    assert isinstance(forecaster.predict(context=y), pd.DataFrame)
    assert isinstance(expected.predict(context=as_polars(y)), pl.DataFrame)


def test_messages_about_other_frames_recommend_no_code_of_pandas():
    frame = pl.DataFrame({"time": pd.date_range("2026-01-01", periods=60, freq="h"), "load": range(60)})
    for wrong in (
        frame.reverse(),
        pl.concat([frame, frame[-1:]]),
        frame.with_columns(pl.col("load").cast(pl.String)),
    ):
        with pytest.raises((ValueError, TypeError), match=r"^expected ") as caught:
            LSTMForecaster(3).fit(wrong)
        assert "y." not in str(caught.value)
        assert "pd." not in str(caught.value)
