"""A level far above the variation of a series changes no digit of what is forecast around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmforecast import LSTMForecaster
from lstmforecast.fitting.distribution import from_middle, quantile
from lstmforecast.uncertainty.calibration import Calibration

# Multiples of 2^-12: with a level that is one of 2^-10, up to 2^30, no sum is rounded.
STEP = 2.0**-12
_t = np.arange(400)
VALUES = np.round((np.sin(_t * np.pi / 12) + np.random.default_rng(0).normal(0, 0.3, 400)) / STEP) * STEP
LOSSES: tuple[dict[str, Any], ...] = (
    {"loss": "huber"},
    {"loss": "mse"},
    {"loss": "mae"},
    {"loss": "quantile"},
    {"loss": "normal"},
    {"loss": "student_t"},
)


def _forecasts(level: float, *, panel: bool = False, **parameters: Any) -> dict[str, np.ndarray]:
    model = LSTMForecaster(
        6, window_size=24, hidden_size=4, max_epochs=2, random_state=0, n_threads=1, **parameters
    )  # fmt: skip
    y: Any = VALUES + level
    if panel:
        hours = pd.date_range("2026-01-01", periods=200, freq="h")
        index = pd.MultiIndex.from_product([["a", "b"], hours], names=["unique_id", "ds"])
        y = pd.Series(y, index)
    model.fit(y)
    found = {
        "point": model.predict(),
        "interval": model.predict_interval([0.5, 0.8]),
        "quantiles": model.predict_quantiles([0.1, 0.5, 0.9]),
        "samples": model.predict_samples(20, random_state=0),
    }
    return {name: np.asarray(each, np.float64).reshape(-1) - level for name, each in found.items()}


@pytest.mark.parametrize("panel", [False, True])
@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["loss"])
def test_forecasts_of_all_kinds_are_the_same_around_every_level(loss, normalize, panel):
    expected = _forecasts(0.0, panel=panel, normalize=normalize, **loss)
    for level in (2.0**20, 2.0**27, 2.0**30):
        found = _forecasts(level, panel=panel, normalize=normalize, **loss)
        for name, values in expected.items():
            # the mean that a scaler subtracts is rounded, by up to 2^-23 at these levels; the values deviate by 0.8
            np.testing.assert_allclose(found[name], values, atol=2e-3, err_msg=f"{name} at {level:g}")


@settings(deadline=None)
@given(
    st.sampled_from(("normal", "student_t", {"quantiles": [0.1, 0.4, 0.5, 0.9]})),
    st.floats(-1e9, 1e9),
    st.integers(0, 2**32 - 1),
)
def test_errors_are_those_of_double_precision(distribution, level, seed):
    rng = np.random.default_rng(seed)
    n = {"normal": 2, "student_t": 3}.get(str(distribution), 4)
    parameters = np.sort(rng.uniform(0.5, 3, (30, 2, 1, n)), axis=-1)
    truth = rng.normal(1, 1, (30, 2, 1))
    moved = parameters.copy()
    places = slice(None) if n == 4 else slice(1)
    moved[..., places] += level
    found = Calibration.of(truth + level, moved, distribution=distribution)
    exact = np.sort(truth - quantile(distribution, parameters, 0.9), axis=0)
    # double precision at this level, then single precision of errors of a few units
    np.testing.assert_allclose(found.quantile(0.9, ""), exact[27], atol=1e-6 + 4e-16 * abs(level))


def test_counts_stay_counts():
    values, parameters = np.array([3.0]), np.array([[2.5, 0.1]])
    for distribution in ("negative_binomial", "lognormal", {"tweedie": 1.5}):
        assert from_middle(distribution, values, parameters) == (values, parameters)
