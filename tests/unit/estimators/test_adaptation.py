"""Levels of intervals that adapt to the errors that update brings (Gibbs and Candès 2021), against a plain loop."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmforecast import LSTMForecaster, Sampling
from lstmforecast.uncertainty.calibration import Calibration

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=5), "random_state": 0, "n_threads": 1}


def _slowly(errors, level, rate, n_learned):
    """The twin: one step and one variable, every error judged by those before it, taken in fifty at a time."""
    below = level < 0.5
    errors, wanted = (-errors, 1 - level) if below else (errors, level)

    def at(known, level):
        rank = math.ceil(round((len(known) + 1) * level, 9))
        return sorted(known)[min(max(rank, 1), len(known)) - 1]

    now, first = wanted, max(1, len(errors) - n_learned)
    for i, error in enumerate(errors[first:]):
        missed = error > at(errors[: first + i // 50 * 50], now) and now < 1
        now += rate * (missed - (1 - wanted))
    return (-1 if below else 1) * at(errors, now)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000), n=st.integers(20, 150), n_learned=st.integers(0, 150),
    level=st.sampled_from([0.1, 0.4, 0.5, 0.8, 0.9]), rate=st.sampled_from([0.0, 0.01, 0.3]),
)  # fmt: skip
def test_levels_adapt_as_in_a_plain_loop(seed, n, n_learned, level, rate):
    errors = np.random.default_rng(seed).standard_t(3, (n, 2, 1)).astype(np.float32)
    calibration = Calibration(errors, rate=rate, n_learned=min(n_learned, n))
    if rate == 0 or n_learned == 0:
        plain = Calibration(errors)
        np.testing.assert_array_equal(calibration.quantile(level, ""), plain.quantile(level, ""))
        return
    found = calibration.quantile(level, "")[:, 0]
    expected = [_slowly(errors[:, step, 0], level, rate, min(n_learned, n // 2)) for step in range(2)]
    # the same numbers, picked
    np.testing.assert_array_equal(found, expected)


def _widths_and_hits(rate, n=400):
    rng = np.random.default_rng(3)
    y = np.concatenate([rng.normal(size=1000), rng.normal(0, 3, n)])
    model = LSTMForecaster(1, window_size=6, adaptation_rate=rate, **FAST).fit(y[:1000])
    hits = []
    for at in range(1000, 1000 + n, 4):
        interval = model.predict_interval(0.9)
        lower, upper = interval.to_numpy()[0]
        hits.append(lower <= y[at] <= upper)
        model.update(y[at : at + 4])
    return np.mean(hits)


def test_coverage_recovers_faster_after_a_change():
    still, adapted = _widths_and_hits(0.0), _widths_and_hits(0.05)
    # 200 errors of a quiet time hold the plain intervals back
    assert adapted > still + 0.05
    assert adapted == pytest.approx(0.9, abs=0.08)


def test_learned_errors_and_the_rate_are_saved(tmp_path):
    rng = np.random.default_rng(0)
    model = LSTMForecaster(2, window_size=6, adaptation_rate=0.2, **FAST).fit(rng.normal(size=400))
    model.update(rng.normal(0, 5, 60))
    model.save(tmp_path / "model.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "model.safetensors")
    assert loaded.fitted_.calibration.n_learned == model.fitted_.calibration.n_learned == 60
    pd.testing.assert_frame_equal(loaded.predict_interval(), model.predict_interval())
    more = rng.normal(0, 5, 10)
    pd.testing.assert_frame_equal(loaded.update(more).predict_interval(), model.update(more).predict_interval())


def test_a_rate_beyond_its_range_is_refused():
    for rate in (-0.1, 1.5):
        with pytest.raises(ValueError, match="expected adaptation_rate to be a number of at least 0"):
            LSTMForecaster(adaptation_rate=rate, **FAST).fit(np.zeros(100))
