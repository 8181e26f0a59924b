"""Many series in one forecaster: their containers, their scales, those that are short, new, or broken."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from lstmforecast import EarlyStopping, LSTMForecaster, Sampling
from lstmforecast.data.panel import Panel

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=5), "random_state": 0, "n_threads": 1}
LENGTHS = {"b": 150, "a": 200, "short": 20, "flat": 100}


def _values(n, seed=0):
    return np.sin(np.arange(n) * np.pi / 12) + np.random.default_rng(seed).normal(0, 0.2, n) + 5


def _panel(lengths=None, name="y"):
    """Hourly series of several lengths, in an order that is not theirs by name."""
    hours = pd.date_range("2026-01-01", periods=400, freq="h")
    parts = {}
    for at, (key, n) in enumerate((lengths or LENGTHS).items()):
        # they begin at different times
        parts[key] = pd.Series(np.ones(n) if key == "flat" else _values(n, at), hours[at : at + n])
    return pd.concat(parts, names=["unique_id", "ds"]).rename(name)


def _model(**parameters):
    return LSTMForecaster(**({"horizon": 5, "window_size": 48} | FAST | parameters))


@pytest.fixture(scope="module")
def fitted():
    return _model().fit(_panel())


def _long(y):
    return y.reset_index()


def test_forecasts_go_on_after_each_series_in_the_order_of_appearance(fitted):
    forecast = fitted.predict()
    assert isinstance(forecast, pd.Series)
    assert forecast.name == "y"
    assert forecast.index.names == ["unique_id", "ds"]
    assert list(forecast.index.get_level_values(0).unique()) == list(LENGTHS)
    for key, part in _panel().groupby(level=0):
        times = forecast[key].index
        assert times[0] == part.index[-1][1] + pd.Timedelta(hours=1)
        assert len(times) == 5


def test_frame_and_long_format_come_back_as_they_came(fitted):
    expected = fitted.predict()
    frame = _model().fit(_panel().to_frame()).predict()
    pd.testing.assert_frame_equal(frame, expected.to_frame())
    long = _model().fit(_long(_panel())).predict()
    assert list(long.columns) == ["unique_id", "ds", "y"]
    pd.testing.assert_frame_equal(long, expected.reset_index())


def test_interleaved_rows_are_sorted_out():
    y = _panel()
    by_time = y.sort_index(level="ds", kind="stable")
    grouped, interleaved = (_model().fit(each).predict().sort_index() for each in (y.sort_index(), by_time))
    # the same series in another order are visited in another order: other batches, other networks
    assert grouped.index.equals(interleaved.index)
    ordered = by_time.reindex(y.index)
    pd.testing.assert_series_equal(_model().fit(ordered).predict(), _model().fit(y).predict())


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2026-01-01", periods=150, freq="D", tz="Europe/Berlin"),
        pd.period_range("2010-01", periods=150, freq="M"),
        pd.date_range("2010-01-01", periods=150, freq="MS"),
        pd.RangeIndex(150),
    ],
    ids=["days of a time zone", "periods", "month starts", "integers"],
)
def test_any_index_of_times(times):
    index = pd.MultiIndex.from_product([[7, 3], times], names=["shop", "time"])
    y = pd.DataFrame({"sales": _values(300), "returns": _values(300, 1)}, index=index)
    forecast = _model(window_size=24).fit(y).predict()
    assert list(forecast.columns) == ["sales", "returns"]
    assert list(forecast.index.get_level_values(0).unique()) == [7, 3]
    expected = pd.Series(1.0, times)
    single = LSTMForecaster(5, window_size=24, **FAST).fit(expected).predict()
    assert list(forecast.loc[7].index) == list(single.index)


def test_a_series_is_forecast_alone_as_among_others(fitted):
    together = fitted.predict()
    for key in LENGTHS:
        alone = fitted.predict(context=_panel().loc[[key]])
        # one series or many in a call: the kernel sums in the same order
        pd.testing.assert_series_equal(alone, together[[key]], check_freq=False)


def test_a_series_of_another_size_is_forecast_in_its_size():
    y = _panel()
    greater = y.copy()
    greater["a"] *= 1000.0
    small, great = _model().fit(y), _model().fit(greater)
    # float32 on windows of size 1 in both cases
    np.testing.assert_allclose(great.predict()["a"], 1000 * small.predict()["a"], rtol=1e-4)
    np.testing.assert_allclose(great.predict()["b"], small.predict()["b"], rtol=1e-4)
    widths = [np.ptp(model.predict_interval(0.5).loc["a"].to_numpy(), axis=1) for model in (small, great)]
    np.testing.assert_allclose(widths[1], 1000 * widths[0], rtol=1e-3)


def test_series_that_are_new_are_forecast(fitted):
    new = _panel({"new": 30})
    forecast = fitted.predict(context=new)
    assert list(forecast.index.get_level_values(0).unique()) == ["new"]
    assert forecast.between(3, 7).all()
    model = pickle.loads(pickle.dumps(fitted)).update(new)
    pd.testing.assert_series_equal(model.predict()[["new"]], forecast, check_freq=False)
    assert len(model.predict()) == 5 * (len(LENGTHS) + 1)


def test_update_goes_on_with_each_series(fitted):
    y = _panel()
    before = y.groupby(level=0, sort=False).head(140)
    before = before[before.index.get_level_values(0).isin(["b", "a"])]
    rest = y.drop(before.index)
    rest = rest[rest.index.get_level_values(0).isin(["b", "a"])]
    model = _model().fit(before)
    updated = pickle.loads(pickle.dumps(model)).update(rest)
    both = model.predict(context=y[y.index.get_level_values(0).isin(["b", "a"])])
    pd.testing.assert_series_equal(updated.predict(), both)
    with pytest.raises(ValueError, match=r"expected series 'b' of y to go on after .*, got an overlap"):
        model.update(before)


def test_files_pickles_and_clones(fitted, tmp_path):
    fitted.save(tmp_path / "panel.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "panel.safetensors")
    pd.testing.assert_series_equal(loaded.predict(), fitted.predict())
    pd.testing.assert_frame_equal(loaded.predict_interval(0.8), fitted.predict_interval(0.8))
    pd.testing.assert_series_equal(pickle.loads(pickle.dumps(fitted)).predict(), fitted.predict())
    pd.testing.assert_series_equal(clone(fitted).fit(_panel()).predict(), fitted.predict())


def test_gaps_are_named_by_series_or_mended():
    y = _panel()
    gappy = y.drop(y.index[[30, 31, 170]])
    with pytest.raises(ValueError, match=r"expected series 'b' of y without gaps .*1 gap with 2 missing rows"):
        _model().fit(gappy)
    for missing in ("ffill", "interpolate", "mask"):
        assert _model(missing=missing).fit(gappy).predict().notna().all()
    holes = y.copy()
    holes.iloc[[3, 160]] = np.nan
    with pytest.raises(ValueError, match="expected no missing values in series 'b' of y, got 1 NaN"):
        _model().fit(holes)
    assert _model(missing="mask").fit(holes).predict().notna().all()


def test_times_out_of_order_or_twice_are_named():
    y = _panel()
    order = np.arange(len(y))
    order[[160, 161]] = order[[161, 160]]
    with pytest.raises(ValueError, match="expected the times of series 'a' of y in ascending order"):
        _model().fit(y.iloc[order])
    with pytest.raises(ValueError, match="expected every time of series 'b' of y once, got 1 duplicates"):
        _model().fit(pd.concat([y.iloc[:4], y.iloc[3:]]))


def test_one_series_and_many_are_not_mixed_up(fitted):
    with pytest.raises(TypeError, match=r"expected context with several series, .* got one series"):
        fitted.predict(context=_panel()["a"])
    single = LSTMForecaster(5, window_size=24, **FAST).fit(_panel()["a"])
    with pytest.raises(TypeError, match=r"expected context with one series, .* got several series"):
        single.predict(context=_panel())
    with pytest.raises(ValueError, match="expected a series of more than 5 rows for horizon=5, got 4 at most"):
        _model().fit(_panel({"a": 4, "b": 3}))


def test_static_features_are_encoded_and_looked_up():
    y = _panel({"a": 150, "b": 150, "c": 150})
    static = pd.DataFrame({"size": [1.0, 2.0, 3.0], "kind": ["x", "y", "x"]}, index=["a", "b", "c"])
    model = _model().fit(y, static=static)
    # size, kind_x, kind_y
    assert model.fitted_.dataset.features.shape[1] == 3
    new = _panel({"d": 60})
    with pytest.raises(ValueError, match="expected a row of static for every series, got none for 'd'"):
        model.predict(context=new)
    forecast = model.predict(context=new, static=pd.DataFrame({"size": [2.0], "kind": ["y"]}, index=["d"]))
    assert len(forecast) == 5
    with pytest.raises(ValueError, match="got none for 'c'"):
        _model().fit(y, static=static.iloc[:2])
    with pytest.raises(TypeError, match="expected y with several series for static, got one"):
        _model().fit(y["a"], static=static)


def test_covariates_of_a_panel_are_looked_up_by_series_and_time():
    y = _panel({"a": 150, "b": 150})
    hours = pd.date_range("2026-01-01", periods=400, freq="h")
    index = pd.MultiIndex.from_product([["b", "a"], hours], names=["unique_id", "ds"])
    X = pd.DataFrame({"plan": np.random.default_rng(0).normal(size=800)}, index=index)
    model = _model().fit(y, X)
    forecast = model.predict(X=X)
    later = X.copy()
    later.loc[("a", y["a"].index[-1] + pd.Timedelta(hours=3)), "plan"] += 5
    changed = model.predict(X=later)
    assert not np.allclose(changed["a"], forecast["a"])
    np.testing.assert_array_equal(changed["b"], forecast["b"])
    long = _model().fit(_long(y), X.reset_index())
    np.testing.assert_array_equal(long.predict(X=X.reset_index())["y"], forecast)
    with pytest.raises(
        ValueError, match=r"expected X with a row for each of the rows of y, got none for \('b', .* and"
    ):
        _model().fit(y, X.loc[["a"]])


def test_scales_are_of_training_rows_only():
    y = _panel({"a": 200, "b": 200})
    changed = y.copy()
    changed.iloc[195:200] = 100.0
    scales = [
        _model(early_stopping=EarlyStopping(validation_fraction=0.1)).fit(each).fitted_.dataset.scales
        for each in (y, changed)
    ]
    np.testing.assert_array_equal(scales[0], scales[1])


def test_ten_thousand_rows_of_many_series_are_read_at_once():
    index = pd.MultiIndex.from_product([range(200), pd.date_range("2026-01-01", periods=50, freq="D")])
    panel = Panel.read(pd.Series(np.arange(10_000.0), index))
    assert (panel.n_series, len(panel), panel.freq) == (200, 10_000, "D")
    np.testing.assert_array_equal(panel.last_rows(2)[:4], [48, 49, 98, 99])


def test_messages_name_a_series_as_python_does_and_give_no_code_for_it():
    times = pd.date_range("2026-01-01", periods=20, freq="h")
    y = pd.concat({7: pd.Series(_values(20), times), 3: pd.Series(_values(20), times)})
    with pytest.raises(ValueError, match=r"expected series 7 of y without gaps"):
        _model().fit(y.drop(y.index[5]))
    with pytest.raises(ValueError, match=r"^expected the times of series 3 of y in ascending .* after .*:00$"):
        _model().fit(y.iloc[[*range(20), 25, *range(20, 40)]])
    with pytest.raises(ValueError, match=r"expected y with at least one row and one column, got shape \(0, 1\)"):
        _model().fit(y.rename_axis(["unique_id", "ds"]).rename("y").reset_index().iloc[:0])
    with pytest.raises(TypeError, match=r"of the levels \[None, None, None\]; several series have two, series"):
        _model().fit(pd.concat({"x": y}))


def test_the_cutoff_is_that_of_each_series(fitted):
    ends = _panel().groupby(level=0, sort=False).tail(1).index
    assert list(fitted.cutoff_.items()) == list(ends)


def test_newer_rows_come_in_any_time_zone_but_not_in_other_kinds_of_time():
    times = pd.date_range("2026-03-01", periods=150, freq="h", tz="Europe/Berlin")
    y = pd.concat({"b": pd.Series(_values(150), times), "a": pd.Series(_values(150, 1), times)})
    model = _model().fit(y)
    newer = model.predict()

    def at(times):
        return newer.set_axis(pd.MultiIndex.from_arrays([newer.index.get_level_values(0), times]))

    local = newer.index.get_level_values(1)
    expected = pickle.loads(pickle.dumps(model)).update(newer).predict()
    again = pickle.loads(pickle.dumps(model)).update(at(local.tz_convert("UTC"))).predict()
    pd.testing.assert_series_equal(again, expected)
    with pytest.raises(TypeError, match="expected y in the time zone Europe/Berlin, as at fit, got times without one"):
        model.update(at(local.tz_localize(None)))
    with pytest.raises(TypeError, match="expected y with a DatetimeIndex, as at fit, got a PeriodIndex"):
        model.update(at(local.tz_localize(None).to_period("h")))


def test_a_series_of_one_row_is_taken_to_vary_as_the_others():
    y = _panel(dict.fromkeys("abcdef", 120))
    one = pd.Series([500.0], pd.MultiIndex.from_tuples([("one", y.index[0][1])], names=y.index.names), name="y")
    for model in (_model().fit(pd.concat([y, one])), _model().fit(y).update(one)):
        spreads = model.fitted_.dataset.error_scale.scale[:, 0]
        levels = y.abs().groupby(level=0).mean()
        # fit knows the training rows of the others, update the rows that it keeps
        assert spreads[6] == pytest.approx(500 * np.median(spreads[:6] / levels), rel=0.05)
        width = np.ptp(model.predict_interval(0.8).loc["one"].to_numpy(), axis=1)
        others = np.ptp(model.predict_interval(0.8).loc["a"].to_numpy(), axis=1)
        assert (width > 50 * others).all()


def test_a_constant_column_leaves_the_spread_of_its_neighbour_alone():
    y = _panel({"a": 100, "b": 100}).to_frame()
    both = y.assign(flat=3.0)
    spreads = [_model().fit(each).fitted_.dataset.error_scale.scale[:, 0] for each in (both, y)]
    # summed in another order
    np.testing.assert_allclose(*spreads, rtol=1e-12)


def test_the_rows_of_a_table_may_be_in_any_order_and_their_times_text():
    days = pd.date_range("2026-01-01", periods=40)
    rng = np.random.default_rng(0)
    table = pd.concat([pd.DataFrame({"unique_id": key, "ds": days, "y": rng.normal(size=40)}) for key in ("b", "a")])
    expected = Panel.read(table)
    shuffled = pd.concat([part.sample(frac=1, random_state=0) for _, part in table.groupby("unique_id", sort=False)])
    for each in (shuffled, table.assign(ds=table["ds"].dt.strftime("%d.%m.%Y")), shuffled.astype({"ds": object})):
        found = Panel.read(each)
        np.testing.assert_array_equal(found.values, expected.values)
        assert found.index.equals(expected.index)
    mixed = Panel.read(table.sample(frac=1, random_state=0))
    order = list(mixed.series_keys)
    np.testing.assert_array_equal(
        mixed.values, np.concatenate([table.loc[table["unique_id"] == k, ["y"]] for k in order])
    )
    twice = pd.concat([shuffled, table.iloc[[3]]])
    with pytest.raises(ValueError, match="every time of series 'b' of y once"):
        Panel.read(twice)
