"""The forecaster's own network on both backends, and its linear way against a PyTorch training loop."""

import itertools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from lstmforecast import LSTM, Device, EarlyStopping, LSTMForecaster


def _series(k, n=400):
    steps = np.arange(n)[:, None]
    return np.sin(steps * np.pi / 12 + np.arange(k)) + np.random.default_rng(0).normal(0, 0.3, (n, k))


@pytest.mark.torch
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_both_backends_train_the_same_network(channels, linear_skip):
    fits = [
        LSTMForecaster(
            6, window_size=48, architecture=LSTM(segment_length=12, linear_skip=linear_skip), channels=channels,
            hidden_size=16, max_epochs=5, batch_size=64, random_state=0, device=Device(backend=backend), n_threads=1,
        ).fit(_series(3))
        for backend in ("fused", "torch")
    ]  # fmt: skip
    histories = [fit.history_[["train_loss", "val_loss"]].to_numpy() for fit in fits]
    # a hundred steps of Adam: see test_training
    assert_allclose(*histories, rtol=1e-4)
    assert_allclose(fits[0].predict(), fits[1].predict(), atol=1e-3)


def test_independent_channels_are_forecast_as_each_alone():
    y = _series(3)
    model = LSTMForecaster(6, window_size=48, scaler=None, max_epochs=1, random_state=0, n_threads=1).fit(y)
    single = LSTMForecaster(6, window_size=48, scaler=None, max_epochs=1, random_state=0, n_threads=1).fit(y[:, 0])
    single.load_state_dict(model.state_dict())
    for column in range(3):
        forecast = single.predict(context=y[:, column])
        np.testing.assert_array_equal(model.predict()[:, column], forecast)


def _windows(y, start, stop):
    """Windows of 24 rows and the 4 rows after them, for origins from ``start`` whose forecasts end by ``stop``."""
    origins = np.arange(start, stop - 3)[:, None]
    return y[origins + np.arange(-24, 0)], y[origins + np.arange(4)]


RIDGES = [0.03, 0.0001, 0.001, 0.003, 0.01, 0.1, 0.3, 1.0, 3.0]


@pytest.mark.parametrize(("n", "held_out"), [(1100, False), (1400, True)])
def test_the_linear_way_is_scikit_learns_ridge(n, held_out):
    """With many windows: those held out choose the ridge, the first one is taken where nothing is."""
    y = _series(1, n)[:, 0]
    patience = {} if held_out else {"early_stopping": None}
    model = LSTMForecaster(
        4, window_size=24, architecture="linear", scaler=None, normalize=None, random_state=0, **patience
    ).fit(y)
    n_train = n * 4 // 5 if held_out else n
    X, Y = _windows(y, 24, n_train)
    mean_square = (X**2).sum() / 24
    ridges = [
        Ridge(alpha * mean_square, fit_intercept=False).fit(X, Y) for alpha in RIDGES[: len(RIDGES) if held_out else 1]
    ]
    X_held_out, Y_held_out = _windows(y, n_train, n) if held_out else (X, Y)
    best = min(ridges, key=lambda ridge: np.mean((ridge.predict(X_held_out) - Y_held_out) ** 2))
    # the core sums in single precision: six digits of sums, which the least ridge divides by a small eigenvalue
    assert_allclose(model.model_.parameters()["skip.weight"], best.coef_, atol=1e-4)
    assert model.n_epochs_ == 1


def _smoothed(window_size, horizon, season):
    """Weights (window_size, horizon) of simple exponential smoothing, and of it on seasonally adjusted values."""
    phase = np.arange(-window_size, horizon) % season
    in_season = np.arange(window_size) >= window_size % season
    of_phase = (phase[:window_size] == np.arange(season)[:, None]) * in_season / (window_size // season)
    index = of_phase - in_season / in_season.sum()
    found = []
    for alpha in (0.1, 0.4, 1.0):
        level = (1 - alpha) ** np.arange(window_size)[::-1]
        level /= level.sum()
        found.append(np.repeat(level[:, None], horizon, axis=1))
        if 1 < season <= window_size // 2:
            adjusted = level - level @ index[phase[:window_size]]
            found.append(adjusted[:, None] + index[phase[window_size:]].T)
    return found


@pytest.mark.parametrize(
    ("seed", "n", "season", "k", "held_out"),
    [(0, 90, 1, 1, True), (1, 90, 7, 1, True), (2, 160, 7, 2, True), (3, 60, 7, 1, False)],
)
def test_a_line_of_few_windows_is_scikit_learns_ridge_of_least_error_in_cross_validation(seed, n, season, k, held_out):
    noise = np.random.default_rng(seed).normal(0, 1, (n, k))
    y = noise + 2 * np.sin(2 * np.pi * np.arange(n) / 7)[:, None] * (season > 1)
    index = pd.date_range("2026-01-01", periods=n, freq="D" if season > 1 else "YS")
    model = LSTMForecaster(
        4,
        window_size=24,
        architecture="linear",
        scaler=None,
        normalize=None,
        early_stopping=EarlyStopping(validation_fraction=0.25) if held_out else None,
    ).fit(pd.DataFrame(y, index, [f"v{i}" for i in range(k)]))
    n_train = n * 3 // 4 if held_out else n
    blocks = [[] for _ in range(4 + held_out)]
    for column in y.T:
        X, Y = _windows(column, 24, n_train)
        number = np.arange(len(X)) * 4 // len(X)
        for block in range(4):
            blocks[block].append((X[number == block], Y[number == block]))
        if held_out:
            blocks[4].append(_windows(column, n_train, n))
    folds = [tuple(np.concatenate(each) for each in zip(*block, strict=True)) for block in blocks]

    def line(parts, ridge, prior):
        X, Y = (np.concatenate(each) for each in zip(*parts, strict=True))
        alpha = ridge * (X**2).sum() / 24
        return prior + Ridge(alpha, fit_intercept=False).fit(X, Y - X @ prior).coef_.T

    def error(ridge, prior):
        return sum(
            ((X @ line(folds[:at] + folds[at + 1 :], ridge, prior) - Y) ** 2).sum() for at, (X, Y) in enumerate(folds)
        )

    priors = [np.zeros((24, 4)), *_smoothed(24, 4, season)]
    ridge, prior = min(itertools.product([*RIDGES, 10, 30], priors), key=lambda each: error(*each))
    # as above
    assert_allclose(model.model_.parameters()["skip.weight"].T, line(folds[:4], ridge, prior), atol=1e-4)
