"""Names of series and times come back in the type in which they came, whatever the library."""

import pickle
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstmforecast import LSTMForecaster, Sampling, load
from lstmforecast.data.frames import Origin

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=2), "random_state": 0, "n_threads": 1}
N = 40
DAYS = [date(2026, 1, 1) + timedelta(days=i) for i in range(N)]
HOURS = [datetime(2026, 3, 28) + timedelta(hours=i) for i in range(N)]
WAVE = np.sin(np.arange(2 * N))
NAMES = {
    "polars": [pl.String, pl.Categorical, pl.Enum(["b", "a", "c"])],
    "pyarrow": [
        *(pa.string(), pa.large_string(), pa.string_view()),
        *(pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.large_string(), ordered=True)),
    ],
}
NUMBERS = {"polars": [pl.UInt8, pl.Int64], "pyarrow": [pa.int8(), pa.uint64()]}
TIMES = {
    "polars": [
        pl.Date,
        *(pl.Datetime(unit, zone) for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Asia/Tokyo")),
    ],
    "pyarrow": [
        *(pa.date32(), pa.date64()),
        *(pa.timestamp(unit, z) for unit in ("s", "ms", "us", "ns") for z in (None, "UTC", "Asia/Tokyo", "+01:00")),
    ],
}


def _column(values, dtype):
    if isinstance(dtype, pa.DataType):
        if pa.types.is_timestamp(dtype):
            return pa.array(values, pa.timestamp(dtype.unit)).cast(dtype)
        return pa.array(values, dtype)
    if getattr(dtype, "time_zone", None):
        return pl.Series(values, dtype=pl.Datetime(dtype.time_unit)).dt.replace_time_zone(dtype.time_zone)
    return pl.Series(values, dtype=dtype)


def _frame(columns):
    polars = any(isinstance(column, pl.Series) for column in columns.values())
    return pl.DataFrame(columns) if polars else pa.table(columns)


def _types(frame):
    return dict(frame.schema) if isinstance(frame, pl.DataFrame) else {each.name: each.type for each in frame.schema}


def _panel(names, name_type, time_type):
    days = time_type in (pl.Date, pa.date32(), pa.date64())
    times = _column((DAYS if days else HOURS) * 2, time_type)
    return _frame({"unique_id": _column(np.repeat(names, N).tolist(), name_type), "ds": times, "y": WAVE})


def _check(frame, folder, *columns):
    """Of forecasts and intervals, before and after a file and a pickle."""
    model = LSTMForecaster(2, **FAST).fit(frame)
    model.save(folder / "model.safetensors")
    expected = {name: _types(frame)[name] for name in columns}
    for each in (model, load(folder / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        for result in (each.predict(), each.predict_interval(0.5), each.predict(context=frame)):
            assert type(result) is type(frame)
            assert {name: _types(result)[name] for name in columns} == expected
    return model


@pytest.mark.parametrize("dtype", [*NAMES["polars"], *NAMES["pyarrow"]], ids=str)
def test_names_come_back(dtype, tmp_path):
    frame = _panel(["a", "b"], dtype, pl.Date if dtype in NAMES["polars"] else pa.date32())
    forecast = _check(frame, tmp_path, "unique_id", "ds").predict()
    names = forecast["unique_id"].to_list() if isinstance(forecast, pl.DataFrame) else forecast["unique_id"].to_pylist()
    assert names == ["a", "a", "b", "b"]


@pytest.mark.parametrize("dtype", [*NUMBERS["polars"], *NUMBERS["pyarrow"]], ids=str)
def test_numbers_for_names_come_back(dtype, tmp_path):
    _check(_panel([1, 2], dtype, pl.Date if dtype in NUMBERS["polars"] else pa.date32()), tmp_path, "unique_id")


@pytest.mark.parametrize("dtype", [*TIMES["polars"], *TIMES["pyarrow"]], ids=str)
def test_times_come_back(dtype, tmp_path):
    name_type = pl.String if dtype in TIMES["polars"] else pa.string()
    panel = _panel(["a", "b"], name_type, dtype)
    _check(panel, tmp_path, "ds")
    series = panel[:N].drop("unique_id") if isinstance(panel, pl.DataFrame) else panel[:N].drop_columns("unique_id")
    forecast = _check(series, tmp_path, "ds").predict()
    last = series["ds"].to_pylist()[-1] if isinstance(series, pa.Table) else series["ds"][-1]
    step = timedelta(days=1) if type(last) is date else timedelta(hours=1)
    found = forecast["ds"].to_pylist() if isinstance(forecast, pa.Table) else forecast["ds"].to_list()
    assert [pd.Timestamp(time) for time in found] == [pd.Timestamp(last) + step, pd.Timestamp(last) + 2 * step]


def test_days_may_be_names():
    names = pl.Series(np.repeat([DAYS[0], DAYS[1]], N).tolist(), dtype=pl.Date)
    frame = pl.DataFrame({"unique_id": names, "ds": DAYS * 2, "y": WAVE})
    forecast = LSTMForecaster(2, **FAST).fit(frame).predict()
    assert forecast["unique_id"].to_list() == [DAYS[0], DAYS[0], DAYS[1], DAYS[1]]


def test_a_series_that_comes_later_is_another_category():
    frame = _panel(["a", "b"], pl.Enum(["b", "a"]), pl.Date)
    newer = _panel(["z", "y"], pl.Categorical, pl.Date)
    forecast = LSTMForecaster(2, **FAST).fit(frame).update(newer).predict()
    assert forecast["unique_id"].dtype == pl.Enum(["b", "a", "y", "z"])
    assert forecast["unique_id"].unique(maintain_order=True).to_list() == ["a", "b", "z", "y"]


@pytest.mark.parametrize("dtype", ["category", pd.CategoricalDtype(["b", "c", "a"], ordered=True), "string"], ids=str)
def test_names_of_pandas_come_back(dtype, tmp_path):
    frame = pd.DataFrame({"unique_id": np.repeat(["a", "b"], N), "ds": pd.to_datetime(DAYS * 2), "y": WAVE})
    frame = frame.astype({"unique_id": dtype})
    model = LSTMForecaster(2, **FAST).fit(frame)
    model.save(tmp_path / "model.safetensors")
    for each in (model, load(tmp_path / "model.safetensors")):
        assert each.predict()["unique_id"].dtype == frame["unique_id"].dtype
        assert each.predict_interval(0.5).index.get_level_values(0).dtype == frame["unique_id"].dtype


def test_a_type_that_no_library_has_is_no_origin():
    for wrong in ({"series_type": "nonsense"}, {"series_type": "[1]"}, {"time_type": "Date"}):
        with pytest.raises(ValueError, match="types of columns that are known"):
            Origin("polars", **wrong)


def test_a_model_of_a_column_without_times_is_saved_and_loaded(tmp_path):
    model = LSTMForecaster(3, **FAST).fit(pl.Series("load", WAVE))
    model.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").predict().equals(model.predict())


@pytest.mark.parametrize("dtype", [pa.dictionary(pa.int32(), pa.string()), pa.decimal128(5, 1)], ids=str)
def test_ids_of_which_pandas_reads_no_type_are_saved_and_loaded(dtype, tmp_path):
    names = pd.Series(pa.array(["1", "2"]).cast(pa.decimal128(5, 1)).to_pylist() if "dec" in str(dtype) else ["a", "b"])
    ids = names.repeat(N).astype(pd.ArrowDtype(dtype))
    y = pd.DataFrame({"unique_id": ids.array, "ds": pd.to_datetime(DAYS * 2), "y": WAVE})
    model = LSTMForecaster(3, **FAST).fit(y)
    model.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.predict()["unique_id"].tolist() == model.predict()["unique_id"].tolist()
    newer = y.groupby("unique_id").head(2).assign(ds=lambda rows: rows["ds"] + pd.Timedelta(days=N))
    assert loaded.update(newer).predict()["y"].tolist() == model.update(newer).predict()["y"].tolist()
