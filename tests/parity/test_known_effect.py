"""The effect of known features in ONNX files and PyTorch modules is that of the core; both backends find the same."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from tests.parity.test_forecaster_switches import (
    _assert_both_backends_agree,
    _assert_to_torch_agrees,
    _covariates,
    _fit,
    _hours,
    _windows,
    _with_gaps,
)
from tests.parity.test_onnx import _assert_agrees, session  # noqa: F401  # a fixture

from lstmforecast.fitting.effect import KnownEffect


def _with_effect(model):
    """Random weights: regressions of noise would find none."""
    scalers = model.model_.scalers()
    weight = np.random.default_rng(0).normal(0, 0.1, scalers["effect_weight"].shape)
    model.model_.load_scalers(scalers | {"effect_weight": weight})
    assert KnownEffect.of(model.model_.scalers(), 2) is not None
    return model


@pytest.mark.parametrize("loss", ["huber", "normal", "quantile"])
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_windows_with_gaps(session, channels, loss):  # noqa: F811
    y, X, past = _with_gaps(_hours()), _covariates(), _covariates()[["plan"]] ** 2
    model = _with_effect(_fit(y, X, past, missing="mask", channels=channels, loss=loss))
    windows = _windows(model, y, X, past)
    _assert_to_torch_agrees(model, windows)
    _assert_agrees(session(model), model, windows)


@pytest.mark.parametrize("switches", [{"architecture__head": "recursive"}, {"transform": "log"}], ids=str)
def test_heads_and_transforms(session, switches):  # noqa: F811
    y, X = np.exp(_hours()), _covariates()
    model = _with_effect(_fit(y, X, **switches))
    windows = _windows(model, y, X)[-1:]
    [forecast] = session(model).run(["forecast"], {"windows": windows[:, :12], "future": windows[:, 12:, 2:]})
    # single precision on both sides
    assert_allclose(forecast[0], model.predict(X=X), rtol=1e-5, atol=1e-5)


@pytest.mark.torch
def test_both_backends_find_the_same_effect():
    rng, X = np.random.default_rng(0), _covariates()
    y = _hours()
    y = y + np.clip(X["price"].to_numpy()[: len(y), None] - 6, 0, None) + rng.normal(0, 0.1, y.shape)
    model = _assert_both_backends_agree(pd.DataFrame(y, columns=list("ab")), X)
    assert KnownEffect.of(model.model_.scalers(), 2) is not None
