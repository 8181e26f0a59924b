"""What holds for every series, index and horizon."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lstmforecast import LSTM, Sampling
from lstmforecast.data.index import continue_index, regular_grid
from lstmforecast.data.observations import Observations
from lstmforecast.data.saved_labels import pack_index, unpack_index
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.fitting.sizing import default_window_size

WAVE = np.sin(np.arange(90) * np.pi / 12)[:, np.newaxis] * [1.0, 3.0]
FITTED = LSTMForecaster(3, window_size=8, hidden_size=8, max_epochs=1, random_state=0, n_threads=1).fit(WAVE)

FREQUENCIES = st.sampled_from(
    ["s", "7s", "15min", "h", "6h", "D", "2D", "B", "W-WED", "MS", "ME", "BME", "QS-JAN", "YE-DEC"]
)
ZONES = st.sampled_from([None, "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
STARTS = st.datetimes(pd.Timestamp("1950-01-01"), pd.Timestamp("2050-01-01")).map(
    lambda time: time.replace(hour=12, microsecond=0)
)
VALUES = arrays(np.float64, st.tuples(st.integers(8, 30), st.just(2)), elements=st.floats(-1e6, 1e6))


@given(start=STARTS, freq=FREQUENCIES, zone=ZONES, n=st.integers(3, 60), steps=st.integers(1, 40))
def test_a_regular_index_goes_on_as_pandas_made_it(start, freq, zone, n, steps):
    whole = pd.date_range(start, periods=n + steps, freq=freq, tz=zone)
    known = pd.DatetimeIndex(whole[:n], freq=None)
    grid, found = regular_grid(known, freq)
    assert grid is known
    assert continue_index(grid, found, steps).equals(whole[n:])
    assert unpack_index(*pack_index(known)).equals(known)


@given(start=STARTS, freq=FREQUENCIES, zone=ZONES, data=st.data())
def test_rows_taken_out_are_found_again(start, freq, zone, data):
    whole = pd.date_range(start, periods=40, freq=freq, tz=zone)
    gone = data.draw(st.lists(st.integers(1, 38), min_size=1, max_size=8, unique=True))
    y = pd.Series(np.arange(40.0), index=whole).drop(index=whole[gone])
    mended = Observations.read(y, freq=freq, missing="interpolate")
    assert mended.index.equals(whole)
    np.testing.assert_allclose(mended.values[:, 0], np.arange(40.0), rtol=1e-12)
    assert sorted(np.flatnonzero(mended.filled[:, 0])) == sorted(gone)


@given(values=VALUES, shorter=st.integers(1, 12), longer=st.integers(1, 12))
def test_a_shorter_forecast_is_the_beginning_of_a_longer_one(values, shorter, longer):
    shorter, longer = sorted((shorter, longer))
    forecast = FITTED.predict(longer, context=values)
    assert forecast.shape == (longer, 2)
    assert np.isfinite(forecast).all()
    np.testing.assert_array_equal(FITTED.predict(shorter, context=values), forecast[:shorter])


@given(values=VALUES, level=st.floats(-1e4, 1e4))
def test_a_forecast_moves_with_the_level(values, level):
    moved = FITTED.predict(context=values + level)
    # The window is scaled and shifted in double or single precision: one part in 1e6 of the largest number in it.
    largest = max(np.abs(values).max(), np.abs(values + level).max(), 1.0)
    np.testing.assert_allclose(moved, FITTED.predict(context=values) + level, atol=1e-5 * largest, rtol=0)


@given(n_rows=st.integers(1, 10**6), horizon=st.integers(1, 1000))
def test_the_default_window_is_small_enough(n_rows, horizon):
    window_size = default_window_size(n_rows, horizon)
    assert 1 <= window_size <= 336
    assert window_size == 1 or window_size <= n_rows / 4


@settings(max_examples=30)  # each trains a network
@given(
    n_segments=st.integers(1, 5),
    segment_length=st.integers(1, 6),
    horizon=st.integers(1, 9),
    k=st.integers(1, 3),
    channels=st.sampled_from(["independent", "together"]),
    linear_skip=st.sampled_from([None, True, False]),
    supervision=st.sampled_from(["last", "every"]),
    n_estimators=st.integers(1, 2),
    n_known=st.integers(0, 2),
    n_past=st.integers(0, 1),
    normalize=st.sampled_from(["last", "window", None]),
    missing=st.sampled_from(["mask", "error"]),
    loss=st.sampled_from(["mse", "quantile", "normal"]),
    transform=st.sampled_from([None, "log"]),
)
def test_every_shape_trains_forecasts_and_crosses_to_pytorch(
    n_segments, segment_length, horizon, k, n_known, n_past, missing, loss, transform, linear_skip, supervision,
    **switches
):  # fmt: skip
    torch = pytest.importorskip("torch")
    if supervision == "every":  # without what is known in advance, without a line, and not by the whole window's level
        n_known, linear_skip = 0, None
        switches["normalize"] = switches["normalize"] and "last"
    rng = np.random.default_rng(0)
    y = rng.normal(10, 1, size=(80, k))
    if missing == "mask":
        y[rng.random(y.shape) < 0.1] = np.nan
    X = rng.normal(size=(80 + horizon, n_known)) if n_known else None
    X_past = rng.normal(size=(80, n_past)) if n_past else None
    window_size = n_segments * segment_length
    architecture = LSTM(segment_length=segment_length, linear_skip=linear_skip, supervision=supervision)
    model = LSTMForecaster(
        horizon, window_size=window_size, architecture=architecture, loss=loss, missing=missing, transform=transform,
        hidden_size=3, max_epochs=1, sampling=Sampling(steps_per_epoch=2), random_state=0, n_threads=1, **switches,
    ).fit(y, None if X is None else X[:80], X_past)  # fmt: skip
    forecast = model.predict(X=None if X is None else X[80:])
    assert forecast.shape == (horizon, k)
    parts = [np.pad(part, ((0, horizon), (0, 0)), constant_values=np.nan) for part in (y, X_past) if part is not None]
    table = np.hstack(parts if X is None else [*parts, X])
    if loss != "normal" or transform is None:
        window = torch.from_numpy(table[None, 80 - window_size : 80 + horizon if n_known else 80])
        module = model.to_torch()(window)[0].detach().numpy()
        middle = {"mse": ..., "quantile": (..., 3), "normal": (..., 0)}[loss]
        # single precision on both sides, numbers of size 10
        np.testing.assert_allclose(forecast, module[middle], atol=1e-4)
    # both backends read one batch of many windows as each alone
    origins = np.arange(window_size, 80 - horizon + 1, 7)
    each = [
        model.predict(
            context=y[:origin],
            X=None if X is None else X[: origin + horizon],
            X_past=None if X_past is None else X_past[:origin],
        )
        for origin in origins
    ]
    seen = read_series(model, y, None if X is None else X[:80], X_past)
    together = forecast_origins(model.model_, seen, origins, horizon, n_threads=model.n_threads)
    np.testing.assert_array_equal(seen.undo(mean(model.model_.config["distribution"], together)), each)
