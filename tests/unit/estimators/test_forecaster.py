"""The forecaster gives back what it was given, goes on where the data end, and says what is wrong with them."""

import copy
import inspect
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import RobustScaler

from lstmforecast import LSTM, Device, EarlyStopping, FormatError, Linear, Sampling, _core
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.uncertainty.fitted_series import FittedSeries

HOURS = pd.date_range("2024-03-25", periods=120, freq="h", tz="Europe/Berlin", name="time")
WAVES = np.stack([np.sin(np.arange(120) * np.pi / 12), np.cos(np.arange(120) * np.pi / 6) * 3 + 10], axis=1)
FRAME = pd.DataFrame(WAVES, index=HOURS, columns=["load", "heat"])
DAYS = pd.date_range("2024-01-01", periods=120, freq="D", tz="Europe/Berlin")


# One thread: the networks are tiny, and other tests may want the other cores.
SMALL = {"horizon": 4, "window_size": 12, "hidden_size": 8, "max_epochs": 2, "random_state": 0, "n_threads": 1}


def small(**parameters: object) -> LSTMForecaster:
    return LSTMForecaster(**(SMALL | parameters))


@pytest.fixture(scope="module")
def fitted() -> LSTMForecaster:
    return small().fit(FRAME)


CONTAINERS = {
    "vector": WAVES[:, 0],
    "list": WAVES[:, 0].tolist(),
    "matrix": WAVES,
    "narrow matrix": WAVES.astype("float32"),
    "series": FRAME["load"],
    "frame": FRAME,
    "periods": FRAME.set_axis(pd.period_range("2015-01", periods=120, freq="M", name="month")),
    "rows": pd.Series(WAVES[:, 0], index=pd.RangeIndex(10, 370, 3)),
    "days": FRAME.set_axis(pd.date_range("2024-01-01", periods=120, freq="B")),
    "nullable": FRAME.astype("Float64"),
}


@pytest.mark.parametrize("y", CONTAINERS.values(), ids=CONTAINERS)
def test_forecasts_come_in_the_container_of_the_data_and_continue_its_index(y):
    forecast = small().fit(y[:116]).predict()
    expected = np.asarray(y) if isinstance(y, list) else y
    assert type(forecast) is type(expected)
    assert forecast.shape == expected[116:].shape
    assert np.isfinite(np.asarray(forecast, dtype=float)).all()
    if isinstance(y, pd.Series | pd.DataFrame):
        assert list(forecast.index) == list(y.index[116:])
        assert forecast.index.name == y.index.name
    if isinstance(y, pd.DataFrame):
        assert list(forecast.columns) == list(y.columns)


def test_every_container_gives_the_same_numbers(fitted):
    expected = fitted.predict().to_numpy()
    for y in (WAVES, WAVES.tolist(), np.asfortranarray(WAVES), FRAME.reset_index(drop=True), FRAME.astype("Float64")):
        np.testing.assert_array_equal(np.asarray(small().fit(y).predict(), dtype=float), expected)


def test_narrow_data_give_narrow_forecasts():
    assert small().fit(WAVES.astype("float32")).predict().dtype == np.float32


def test_what_was_learned_is_told(fitted):
    assert fitted.window_size_ == 12
    assert fitted.freq_ == "h"
    assert fitted.cutoff_ == HOURS[-1]
    assert fitted.n_features_in_ == 2
    assert fitted.feature_names_in_.tolist() == ["load", "heat"]
    pd.testing.assert_frame_equal(fitted.context_, FRAME[-12:])
    assert list(fitted.history_["epoch"]) == [1, 2]
    assert small().fit(WAVES).cutoff_ == 119


def test_a_fit_on_arrays_forgets_names():
    forecaster = small().fit(FRAME)
    assert not hasattr(forecaster.fit(WAVES), "feature_names_in_")
    assert forecaster.freq_ is None


def test_shorter_horizons_are_the_first_steps_of_longer_ones(fitted):
    longest = fitted.predict(11)
    for horizon in (1, 4, 5, 8):
        pd.testing.assert_frame_equal(fitted.predict(horizon), longest[:horizon], check_freq=False)


def test_longer_horizons_append_forecasts_to_the_data(fitted):
    longest = fitted.predict(7)
    again = fitted.predict(context=pd.concat([FRAME, longest[:4]]))
    np.testing.assert_array_equal(longest[4:], again[:3])


def test_context_replaces_the_data(fitted):
    np.testing.assert_array_equal(fitted.predict(context=FRAME[-12:]), fitted.predict())
    earlier = fitted.predict(context=FRAME[:50])
    assert list(earlier.index) == list(HOURS[50:54])
    np.testing.assert_array_equal(earlier, fitted.predict(context=FRAME[20:50]))
    np.testing.assert_array_equal(earlier, fitted.predict(context=WAVES[:50]))
    pd.testing.assert_frame_equal(fitted.context_, FRAME[-12:])


def test_update_goes_on_without_refitting():
    forecaster = small().fit(FRAME[:100])
    weights = forecaster.model_.parameters()
    assert forecaster.update(FRAME[100:103]) is forecaster
    assert forecaster.cutoff_ == HOURS[102]
    np.testing.assert_array_equal(forecaster.predict(), forecaster.predict(context=FRAME[:103]))
    assert forecaster.update(FRAME[103:]).predict().index[0] == HOURS[-1] + pd.Timedelta("1h")
    for name, values in forecaster.model_.parameters().items():
        np.testing.assert_array_equal(values, weights[name])


def test_arrays_update_arrays():
    forecaster = small().fit(WAVES[:100]).update(WAVES[100:103])
    assert forecaster.cutoff_ == 102
    np.testing.assert_array_equal(forecaster.predict(), forecaster.predict(context=WAVES[:103]))


def test_levels_never_seen_are_no_obstacle():
    forecaster = small(max_epochs=1).fit(WAVES)
    np.testing.assert_allclose(
        forecaster.predict(context=WAVES[:50] + 1000), forecaster.predict(context=WAVES[:50]) + 1000, rtol=1e-6
    )


def test_the_same_seed_gives_the_same_bits(fitted):
    np.testing.assert_array_equal(small().fit(FRAME).predict(), fitted.predict())
    assert (small(random_state=1).fit(FRAME).predict() != fitted.predict()).all(axis=None)


def test_init_only_stores():
    parameters = inspect.signature(LSTMForecaster).parameters
    values = {name: object() for name in parameters}
    forecaster = LSTMForecaster(**values)
    assert {name: getattr(forecaster, name) for name in values} == values
    assert all(parameter.kind is parameter.KEYWORD_ONLY for name, parameter in parameters.items() if name != "horizon")


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"]
)
@pytest.mark.parametrize("y", CONTAINERS.values(), ids=CONTAINERS)
def test_a_copy_predicts_the_same(copied, y):
    forecaster = small(max_epochs=1).fit(y)
    np.testing.assert_array_equal(copied(forecaster).predict(6), forecaster.predict(6))


def test_an_unfitted_copy_has_the_same_parameters(fitted, tmp_path):
    joblib.dump(small(), tmp_path / "model.joblib")
    for copied in (clone(fitted), copy.deepcopy(small()), joblib.load(tmp_path / "model.joblib")):
        assert copied.get_params() == fitted.get_params()
        assert not hasattr(copied, "model_")


@pytest.mark.parametrize("y", CONTAINERS.values(), ids=CONTAINERS)
def test_a_saved_forecaster_goes_on_as_before(y, tmp_path):
    forecaster = small(max_epochs=1).fit(y[:100])
    forecaster.save(tmp_path / "model.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "model.safetensors")
    for model in (forecaster, loaded):
        model.update(y[100:110])
    before, after = forecaster.predict(6), loaded.predict(6)
    assert type(after) is type(before)
    np.testing.assert_array_equal(after, before)
    assert loaded.cutoff_ == forecaster.cutoff_
    assert loaded.freq_ == forecaster.freq_
    assert list(getattr(loaded, "feature_names_in_", [])) == list(getattr(forecaster, "feature_names_in_", []))
    if isinstance(before, pd.Series | pd.DataFrame):
        assert after.index.equals(before.index)
        assert after.index.name == before.index.name


def test_a_saved_state_that_makes_no_sense_is_a_format_error(fitted):
    tensors, values = fitted.fitted_.pack()
    with pytest.raises(ValueError, match=r"a context of 50 rows, got shape \(15, 2\)"):
        FittedSeries.unpack(
            fitted.model_,
            tensors,
            values | {"window_size": 50},
            calibration=None,
            horizon=4,
            scaler=None,
            transform=None,
        )
    assert issubclass(FormatError, ValueError)


def test_the_default_window_shrinks_with_the_data():
    assert small(window_size=None).fit(FRAME).window_size_ == 24
    assert small(window_size=None, horizon=2).fit(FRAME[:40]).window_size_ == 8


def test_scikit_learns_scalers_are_accepted():
    ours, theirs = small(scaler="robust").fit(WAVES), small(scaler=RobustScaler()).fit(WAVES)
    # The same statistics up to rounding, then float32 training: the noise of a few hundred steps in float32.
    np.testing.assert_allclose(ours.predict(), theirs.predict(), rtol=1e-4)
    assert not hasattr(theirs.scaler, "center_"), "the parameter itself stays unfitted"


def test_the_scaler_sees_training_rows_only():
    later = WAVES.copy()
    later[96:] *= 50
    scalers = [small(max_epochs=1).fit(y).model_.scalers() for y in (WAVES, later)]
    for name, values in scalers[0].items():
        np.testing.assert_array_equal(values, scalers[1][name])


def test_filled_data_are_trained_on():
    gappy = FRAME.drop(index=HOURS[40:45])
    gappy.iloc[60, 0] = np.nan
    assert len(small(missing="interpolate").fit(gappy).predict()) == 4
    forecaster = small(missing="ffill").fit(FRAME[:100]).update(FRAME[102:])
    assert forecaster.cutoff_ == HOURS[-1]


# What a tired person passes to fit, and the words that help.
BAD_DATA = [
    (FRAME.mask(FRAME > 12.9), r"missing values in y, got \d+ NaN, the first in column 'heat' at 2024-03-25 00:00:00"),
    (FRAME.mask(FRAME > 12.9), "fill them with missing='ffill' or missing='interpolate'"),
    (FRAME.mask(FRAME > 12.9, np.inf), "finite values in y, got .* infinite, .* column 'heat' at 2024-03-25 00"),
    (FRAME[:0], r"at least one row and one column, got shape \(0, 2\)"),
    (FRAME[:15], r"expected at least 16 rows for window_size=12, horizon=4, got 15"),
    (FRAME.assign(day=FRAME.index.day_name()), r"numbers in every column of y, got 'day' \(.*such as 'Monday'\)"),
    (FRAME[::-1], "in ascending order, got 2024-03-29 .*sort_index"),
    (pd.concat([FRAME[:50], FRAME[49:]]), "every time of y once, got 1 duplicates, the first 2024-03-27 01:00"),
    (FRAME.drop(index=HOURS[[9, 10, 30]]), "got 2 gaps with 3 missing rows: 2024-03-25 09:00.*missing='ffill'"),
    (FRAME.set_axis(HOURS.astype(str)), "index of y to be a DatetimeIndex.*got Index of (str|object).*pd.to_datetime"),
    (pd.concat({"x": pd.concat({"a": FRAME, "b": FRAME})}), "one series with one row for each time, got a MultiIndex"),
    (WAVES.reshape(4, 30, 2), r"shape \(n,\) or \(n, k\), got \(4, 30, 2\)"),
    ("data.csv", "array, list, Series or DataFrame, got str"),
]  # fmt: skip


@pytest.mark.parametrize(("y", "words"), BAD_DATA)
def test_bad_data_get_one_clear_sentence_and_lose_nothing(y, words):
    forecaster = small().fit(FRAME)
    before, state = forecaster.predict(), dict(vars(forecaster))
    with pytest.raises((ValueError, TypeError), match=words) as error:
        forecaster.fit(y)
    assert "\n" not in str(error.value)
    assert vars(forecaster) == state
    pd.testing.assert_frame_equal(forecaster.predict(), before)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"horizon": 0}, "expected horizon .*at least 1.*got 0"),
        ({"horizon": -3}, "horizon"),
        ({"horizon": 2.5}, "expected horizon .*integer.*got 2.5"),
        ({"window_size": 0}, "window_size"),
        ({"sampling": Sampling(stride=0)}, "stride"),
        ({"normalize": "first"}, "normalize"),
        ({"loss": "cross_entropy"}, "loss"),
        ({"missing": "mean"}, "expected missing to be 'error', 'mask', 'ffill' or 'interpolate', got 'mean'"),
        ({"freq": "hourly"}, "expected freq to be a pandas frequency such as 'h'.*got 'hourly'"),
        ({"freq": "MS"}, r"constant step \(freq is 'MS'\), got 2024-03-25"),
    ],
)
def test_bad_parameters_get_one_clear_sentence(parameters, words):
    with pytest.raises((ValueError, TypeError), match=words):
        small(**parameters).fit(FRAME)


@pytest.mark.parametrize(
    "call", [lambda f: f.predict(), lambda f: f.update(FRAME), lambda f: f.context_, lambda f: f.save("x")]
)
def test_nothing_is_predicted_before_fit(call):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        call(small())


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (
            FRAME.rename(columns={"heat": "cold"}),
            r"expected context with the columns at fit, got \['cold'\] in place of \['heat'\]",
        ),
        (
            FRAME[["heat", "load"]],
            r"columns of context in the order at fit, \['load', 'heat'\], got \['heat', 'load'\]",
        ),
        (FRAME[["load"]], r"expected context with 2 columns as at fit \(load, heat\), got 1 \(load\)"),
        (WAVES[:, 0], r"expected context with 2 columns as at fit \(load, heat\), got 1"),
        (FRAME[:5], r"expected context of at least 12 rows \(window_size_\), got 5"),
        (
            FRAME.set_axis(pd.date_range("2024-01-01", periods=120, freq="D", tz="Europe/Berlin")),
            "at the frequency 'h', got 119 gaps",
        ),
        (FRAME.mask(FRAME > 12.9), "no missing values in context"),
    ],
)
def test_bad_context_gets_one_clear_sentence(fitted, context, words):
    with pytest.raises(ValueError, match=words):
        fitted.predict(context=context)


@pytest.mark.parametrize("horizon", [0, -1, 2.5, True, "3"])
def test_a_bad_horizon_gets_one_clear_sentence(fitted, horizon):
    with pytest.raises((ValueError, TypeError), match="expected horizon to be "):
        fitted.predict(horizon)
    with pytest.raises(TypeError, match=r"expected horizon to be an integer, got DataFrame: pass data .* as context="):
        fitted.predict(FRAME)


def test_an_update_that_fails_changes_nothing():
    forecaster = small().fit(FRAME[:100])
    for newer in (FRAME[99:], FRAME[101:], FRAME[100:].mask(FRAME > 12.9), FRAME["load"][100:]):
        with pytest.raises(ValueError, match="expected "):
            forecaster.update(newer)
        assert forecaster.cutoff_ == HOURS[99]


def test_an_interrupt_keeps_what_was_learned():
    def interrupt(record: dict[str, object]) -> None:
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    forecaster = small(max_epochs=50, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        forecaster.fit(FRAME)
    assert forecaster.n_epochs_ == 3
    assert len(forecaster.predict()) == 4


def test_nothing_is_printed(capfd):
    small().fit(FRAME).predict()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("normalize", ["last", None])
@pytest.mark.parametrize("architecture", ["lstm", "linear"])
def test_the_newest_value_reaches_the_first_step(normalize, architecture):
    y = np.cumsum(np.random.default_rng(0).normal(size=600))
    model = LSTMForecaster(4, normalize=normalize, architecture=architecture, random_state=0, n_threads=1).fit(y)
    higher = np.r_[y[:-1], y[-1] + 1.0]
    # of a random walk, the forecast is its last value; without normalisation that has to be learned first, but more
    # must come through than the 48th part that an average of the window would let pass
    through = model.predict(context=higher)[0] - model.predict(context=y)[0]
    assert through > (0.5 if normalize else 0.1)


def test_a_segment_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="expected window_size to be a multiple of segment_length=5, got 24"):
        LSTMForecaster(2, window_size=24, architecture=LSTM(segment_length=5)).fit(np.arange(100.0))
    with pytest.raises(TypeError, match="linear_skip"):
        Linear(linear_skip=False)
    config = LSTMForecaster(2, architecture="linear").fit(np.arange(100.0)).model_.config
    with pytest.raises(ValueError, match="expected linear_skip=True with architecture 'linear', got False"):
        _core.Model(config | {"linear_skip": False})
    with pytest.raises(ValueError, match="expected an architecture with an LSTM with backend 'fused', got 'linear'"):
        LSTMForecaster(2, architecture="linear", device=Device(backend="fused")).fit(np.arange(100.0))
    with pytest.raises(ValueError, match="n_estimators to be an integer of at least 1 and at most 1000, got 0"):
        LSTMForecaster(2, n_estimators=0).fit(np.arange(100.0))


def test_nothing_is_held_out_by_half():
    with pytest.raises(
        ValueError, match=r"expected validation_fraction=None in EarlyStopping with patience=None, .*, got 0.3"
    ):
        LSTMForecaster(early_stopping=EarlyStopping(patience=None, validation_fraction=0.3)).fit(np.arange(100.0))
