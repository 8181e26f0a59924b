"""Forecasts of a partitioned panel: the same as of the panel as a whole, written as they come."""

import subprocess
import sys

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import lstmforecast.dask
from lstmforecast import LSTMForecaster, LSTMRegressor

TIMES = pd.date_range("2026-01-01", periods=60, freq="D")
IDS = [f"series {i}" for i in range(6)]
RNG = np.random.default_rng(0)
PANEL = pd.DataFrame({"unique_id": np.repeat(IDS, 60), "ds": np.tile(TIMES, 6), "y": RNG.normal(size=360).cumsum()})
# One thread: other tests may want the other cores.
SMALL = {"horizon": 3, "window_size": 14, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}


@pytest.fixture(scope="module")
def model():
    return LSTMForecaster(**SMALL).fit(PANEL)


def parts_of(panel=PANEL, n=3):
    """Partitions in which each series lies whole."""
    return dd.from_pandas(panel.set_index("unique_id"), npartitions=n, sort=True)


def same(forecasts, model, panel=PANEL, horizon=None):
    found = forecasts.compute(scheduler="sync").sort_values(["unique_id", "ds"], ignore_index=True)
    expected = model.predict(horizon, context=panel).sort_values(["unique_id", "ds"], ignore_index=True)
    # float64 and names of strings, whatever pandas' own kind of them is
    pd.testing.assert_frame_equal(
        found, expected.sort_values(["unique_id", "ds"], ignore_index=True), check_dtype=False
    )
    # fewer windows at a time: the same bits
    np.testing.assert_array_equal(found["y"], expected["y"])


@pytest.mark.parametrize("horizon", [None, 7])
def test_partitions_say_what_the_panel_says(model, horizon):
    same(lstmforecast.dask.forecast(parts_of(), model, horizon), model, horizon=horizon)


def test_columns_or_index_may_name_the_series_in_any_order(model):
    shuffled = PANEL.sample(frac=1, random_state=0)
    together = dd.from_pandas(shuffled, npartitions=4).shuffle("unique_id")
    same(lstmforecast.dask.forecast(together, model), model)


def test_what_was_promised_of_the_types_holds(model):
    narrow = PANEL.astype({"y": "float32"})
    for panel in (PANEL, narrow):
        forecasts = lstmforecast.dask.forecast(parts_of(panel), model)
        found = forecasts.compute(scheduler="sync")
        assert found.dtypes.to_dict() == forecasts.dtypes.to_dict()
        assert found["y"].dtype == panel["y"].dtype


def test_a_series_in_two_partitions_is_an_error(model):
    torn = dd.from_pandas(PANEL, npartitions=4)
    with pytest.raises(ValueError, match=r"expected every series in one partition, got \d in several, such as 'series"):
        lstmforecast.dask.forecast(torn, model)


# Dask's own way of reading, which pandas 3.1 frowns on
@pytest.mark.filterwarnings("ignore:(?s).*inplace keyword in DataFrame:DeprecationWarning")
def test_parquet_in_parquet_out(model, tmp_path):
    parts_of().reset_index().to_parquet(tmp_path / "in", write_index=False)
    lstmforecast.dask.forecast(dd.read_parquet(tmp_path / "in"), model).to_parquet(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 3
    same(dd.read_parquet(tmp_path / "out"), model)


def test_an_empty_partition_has_no_forecasts(model):
    few = parts_of().map_partitions(lambda part: part[part["ds"].dt.year < 2025])
    assert len(lstmforecast.dask.forecast(few, model).compute(scheduler="sync")) == 0


def test_a_sample_is_made_of_whole_series():
    drawn = lstmforecast.dask.sample(parts_of(), 2, random_state=0)
    ids = drawn["unique_id"].unique()
    assert len(ids) == 2
    expected = PANEL[PANEL["unique_id"].isin(ids)].reset_index(drop=True)
    pd.testing.assert_frame_equal(drawn[["unique_id", "ds", "y"]], expected, check_dtype=False)
    pd.testing.assert_frame_equal(lstmforecast.dask.sample(parts_of(n=2), 2, random_state=0), drawn)
    assert lstmforecast.dask.sample(parts_of(), 99)["unique_id"].nunique() == 6
    # a model of the sample forecasts all
    model = LSTMForecaster(**SMALL).fit(drawn)
    assert len(lstmforecast.dask.forecast(parts_of(), model).compute(scheduler="sync")) == 18


def test_models_that_need_more_than_the_columns_are_refused(model):
    series = LSTMForecaster(**SMALL).fit(PANEL["y"].to_numpy()[:60])
    with pytest.raises(ValueError, match="expected a model that was fitted on a panel"):
        lstmforecast.dask.forecast(parts_of(), series)
    static = pd.DataFrame({"size": np.arange(6.0)}, index=IDS)
    covariates = LSTMForecaster(**SMALL).fit(PANEL, static=static)
    with pytest.raises(ValueError, match="without X, X_past and static"):
        lstmforecast.dask.forecast(parts_of(), covariates)
    with pytest.raises(ValueError, match=r"expected the columns that the model was fitted on, \['y'\], got \['x'\]"):
        lstmforecast.dask.forecast(parts_of(PANEL.rename(columns={"y": "x"})), model)
    with pytest.raises(ValueError, match="expected columns unique_id, ds and values"):
        lstmforecast.dask.forecast(parts_of()[["y"]], model)
    with pytest.raises(TypeError, match="expected ddf to be a dask DataFrame, got DataFrame"):
        lstmforecast.dask.forecast(PANEL, model)
    with pytest.raises(TypeError, match="expected model to be an LSTMForecaster, got LSTMRegressor"):
        lstmforecast.dask.forecast(parts_of(), LSTMRegressor())


def test_without_dask_it_says_how_to_install_it():
    code = "import sys; sys.modules['dask'] = None\ntry:\n    import lstmforecast.dask\n"
    code += "except ImportError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'lstmforecast.dask needs Dask: pip install "lstmforecast[dask]"'


def test_times_of_another_zone_come_back_in_that_of_the_model_and_such_without_are_refused():
    local = PANEL.assign(ds=PANEL["ds"].dt.tz_localize("Europe/Berlin"))
    fitted = LSTMForecaster(**SMALL, calendar="auto").fit(local)
    utc = local.assign(ds=local["ds"].dt.tz_convert("UTC"))
    found = lstmforecast.dask.forecast(parts_of(utc), fitted)
    assert found.dtypes["ds"] == found.compute(scheduler="sync").dtypes["ds"]
    assert str(found.dtypes["ds"].tz) == "Europe/Berlin"
    same(found, fitted, local)
    with pytest.raises(
        TypeError, match=r"ddf in the time zone Europe/Berlin, .* without one; .*dt.tz_localize\('Europe"
    ):
        lstmforecast.dask.forecast(parts_of(PANEL), fitted)


def test_tables_with_named_columns_and_covariates():
    rng = np.random.default_rng(1)
    df = PANEL.rename(columns={"unique_id": "shop", "ds": "day", "y": "sales"})
    df = df.assign(promo=rng.random(360) < 0.3, kind=rng.choice(["a", "b"], 360), area=np.repeat(np.arange(6.0), 60))
    names = {"target": "sales", "series": "shop", "time": "day", "known": ["promo", "kind"], "static": "area"}
    model = LSTMForecaster(**SMALL).fit(df, **names)
    days = pd.date_range(TIMES[-1] + pd.Timedelta(days=1), periods=3)
    plan = pd.DataFrame({"shop": np.repeat(IDS, 3), "day": np.tile(days, 6), "promo": True, "kind": "a"})
    expected = model.predict(known=plan)
    parts = dd.from_pandas(df.set_index("shop"), npartitions=3, sort=True)
    for known in (plan, dd.from_pandas(plan, npartitions=2)):
        lazy = lstmforecast.dask.forecast(parts, model, known=known)
        found = lazy.compute(scheduler="sync").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        assert found.dtypes.to_dict() == lazy.dtypes.to_dict()
    with pytest.raises(ValueError, match=r"expected ddf with the columns .* of fit, got none named \['kind'\]"):
        lstmforecast.dask.forecast(parts.drop(columns="kind"), model, known=plan)
    twice = dd.from_pandas(df, npartitions=4)
    with pytest.raises(ValueError, match=r"in one partition, .*ddf.shuffle\('shop'\)"):
        lstmforecast.dask.forecast(twice, model, known=plan)


def test_covariates_ahead_are_for_named_columns(model):
    with pytest.raises(ValueError, match="expected no known for a model whose columns were not named at fit"):
        lstmforecast.dask.forecast(parts_of(), model, known=PANEL)
