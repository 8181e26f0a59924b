"""Sample paths: their margins are the quantiles, their steps belong together, their form is that of intervals."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster, Sampling
from lstmforecast.fitting.distribution import COUNTS, FROM_ZERO

FAST = {"hidden_size": 4, "max_epochs": 2, "sampling": Sampling(steps_per_epoch=20), "random_state": 0, "n_threads": 1}


def _noise(n=1500, k=1):
    return np.random.default_rng(0).normal(size=(n, k))


def _walk(n=1500):
    return _noise(n)[:, 0].cumsum()


@pytest.mark.parametrize("loss", ["mse", "normal", "student_t", "quantile", *FROM_ZERO])
def test_margins_are_the_quantiles(loss):
    y = np.random.default_rng(0).poisson(5, 1500).astype(float) if loss in FROM_ZERO else _noise()[:, 0]
    y = y + 1 if loss == "lognormal" else y
    model = LSTMForecaster(2, window_size=12, loss=loss, **FAST).fit(y)
    samples = model.predict_samples(20_000, random_state=0)
    found = samples.quantile([0.1, 0.5, 0.9], axis=1).T
    expected = model.predict_quantiles([0.1, 0.5, 0.9])
    # Draws: a standard error of sqrt(0.1 * 0.9 / 20000) = 0.002 in level. Levels are corrected here and values there,
    # both from 298 windows: 0.017 in level, 0.1 standard deviations at these quantiles, of which a count has 2.2.
    # Errors of points are the same but for neighbours, which are some 0.03 apart.
    tolerance = 0.05 if loss == "mse" else 1.0 if loss in FROM_ZERO else 0.25
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_errors_that_go_together_stay_together():
    # the errors of a random walk add up from step to step: correlations of sqrt(i / j)
    for loss in ("mse", "normal"):
        model = LSTMForecaster(6, window_size=12, architecture="linear", loss=loss, **FAST).fit(_walk())
        paths = model.predict_samples(5000, random_state=0).to_numpy()
        correlation = np.corrcoef(paths)
        # some 50 stretches of 6 independent steps are held out: a standard error of (1 - r^2) / 7 = 0.1
        assert correlation[0, 1] == pytest.approx(np.sqrt(1 / 2), abs=0.25)
        assert correlation[4, 5] == pytest.approx(np.sqrt(5 / 6), abs=0.1)
        assert correlation[0, 5] < correlation[3, 5]


def test_a_sample_is_the_forecast_and_the_errors_of_a_window():
    model = LSTMForecaster(3, **FAST).fit(_noise(400, 2))
    samples = model.predict_samples(50, random_state=1).to_numpy().reshape(3, 2, 50)
    errors = np.moveaxis(samples - model.predict()[..., np.newaxis], -1, 0)
    distances = np.abs(errors[:, np.newaxis] - model.fitted_.calibration.errors).max(axis=(2, 3))
    # each of a window as a whole, single precision
    assert (distances.min(axis=1) < 1e-6).all()
    assert len(set(distances.argmin(axis=1))) > 20


def test_columns_and_index():
    index = pd.date_range("2026-01-01", periods=400, freq="h")
    y = pd.DataFrame(_noise(400, 2), index=index, columns=["a", "b"])
    model = LSTMForecaster(3, **FAST).fit(y)
    samples = model.predict_samples(4, horizon=2, random_state=0)
    assert samples.index.equals(model.predict(2).index)
    assert samples.columns.names == ["variable", "sample"]
    assert samples.columns.tolist() == [(name, i) for name in "ab" for i in range(4)]
    arrays = LSTMForecaster(3, **FAST).fit(y.to_numpy())
    assert arrays.predict_samples(2).index.tolist() == [400, 401, 402]
    assert arrays.predict_samples(2, context=y.to_numpy()[:200]).index.tolist() == [200, 201, 202]


def test_the_same_seed_draws_the_same():
    model = LSTMForecaster(3, **FAST).fit(_noise(400))
    first = model.predict_samples(random_state=3)
    pd.testing.assert_frame_equal(model.predict_samples(random_state=3), first)
    assert not model.predict_samples(random_state=4).equals(first)
    seeded = [model.predict_samples(random_state=np.random.default_rng(5)) for _ in range(2)]
    pd.testing.assert_frame_equal(*seeded)
    assert first.shape == (3, 100)


def test_series_of_a_panel_have_errors_of_their_size():
    parts = {}
    for i, (name, size) in enumerate({"small": 1.0, "large": 100.0}.items()):
        times = pd.date_range("2026-01-01", periods=300, freq="h")
        parts[name] = pd.Series(size * np.random.default_rng(i).normal(size=300), index=times)
    y = pd.concat(parts)
    model = LSTMForecaster(2, **FAST).fit(y)
    samples = model.predict_samples(500, random_state=0)
    assert samples.index.equals(model.predict().index)
    spread = samples.std(axis=1)
    # as noisy as each other, 300 values each: a standard error of 4 percent
    assert (spread["large"] / spread["small"]).to_numpy() == pytest.approx(100, rel=0.2)


def test_transforms_are_undone():
    y = np.exp(_noise(600)[:, 0])
    samples = LSTMForecaster(2, transform="log", **FAST).fit(y).predict_samples(1000, random_state=0)
    assert (samples > -1).all(axis=None)
    assert (samples.mean(axis=1) > samples.median(axis=1)).all()


@pytest.mark.parametrize("loss", COUNTS)
def test_counts_are_counts(loss):
    y = np.random.default_rng(0).poisson(2, 600)
    samples = LSTMForecaster(2, loss=loss, **FAST).fit(y).predict_samples(1000, random_state=0)
    assert (samples >= 0).all(axis=None)
    assert (samples == samples.round()).all(axis=None)
    # 117 windows of deviation 1.4: a standard error of 0.13
    assert samples.mean(axis=1).to_numpy() == pytest.approx(2, abs=0.5)


def test_what_cannot_be_drawn_is_said():
    nothing = LSTMForecaster(3, early_stopping=None, **FAST).fit(_noise(200))
    with pytest.raises(ValueError, match=r"expected rows held out by fit .*got none: set early_stopping"):
        nothing.predict_samples()
    model = LSTMForecaster(3, **FAST).fit(_noise(200))
    with pytest.raises(ValueError, match="expected a horizon of at most 3, as trained for, got 4"):
        model.predict_samples(horizon=4)
    with pytest.raises(ValueError, match="expected n_samples to be at least 1, got 0"):
        model.predict_samples(0)
