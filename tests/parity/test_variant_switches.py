"""The forecaster's switches with the other networks, trained on both backends and carried over to PyTorch."""

import numpy as np
import pandas as pd
import pytest
from tests.parity.test_forecaster_switches import (
    COUNTS,
    FROM_ZERO,
    STATIC,
    _assert_both_backends_agree,
    _assert_to_torch_agrees,
    _covariates,
    _fit,
    _hours,
    _panel,
    _windows,
    _with_gaps,
)

from lstmforecast import CNNLSTM, Attention, Transformer

ARCHITECTURES = {
    "attention": {"architecture": Attention(2, segment_length=3)},
    "deep attention": {"architecture": Attention(3, segment_length=3, bidirectional=True), "num_layers": 2},
    "cnn_lstm": {"architecture": CNNLSTM([3, 2], 5, segment_length=3, bidirectional=True)},
}
TRANSFORMERS = {
    "transformer": {"architecture": Transformer(2, segment_length=3)},
    "deep transformer": {"architecture": Transformer(3, 8, causal=True, segment_length=3), "num_layers": 2},
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_covariates_and_gaps(architecture, normalize, channels):
    y, X, past = _with_gaps(_hours()), _covariates(), _covariates()[["plan"]] ** 2
    model = _assert_both_backends_agree(
        y, X, past, missing="mask", normalize=normalize, channels=channels, **architecture
    )
    windows = _windows(model, y, X, past)
    _assert_to_torch_agrees(model, windows)
    assert np.allclose(model.predict(X=X), model.fitted_.dataset.undo(model.model_.forecast(windows))[-1], rtol=1e-6)


@pytest.mark.parametrize("loss", ["huber", "quantile", "normal", "student_t", *FROM_ZERO])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_losses(architecture, loss, linear_skip):
    y = np.exp(_hours())
    y = y.round() if loss in COUNTS else _with_gaps(y)
    model = _assert_both_backends_agree(
        y, missing="mask", loss=loss, **architecture, architecture__linear_skip=linear_skip
    )
    _assert_to_torch_agrees(model, _windows(model, y))


def test_panels(architecture):
    y = _panel(gaps=True)
    X = pd.DataFrame({"price": np.random.default_rng(3).normal(size=len(y))}, index=y.index)
    _assert_both_backends_agree(y, X, None, STATIC, missing="mask", loss="quantile", window_size=12, **architecture)


def test_augmented_windows(architecture):
    _assert_both_backends_agree(_hours(), augment=["jitter", "time_warp"], **architecture)


def test_ensembles_of_logarithms(architecture):
    y = np.exp(_hours())
    model = _fit(y, transform="log", n_estimators=2, **architecture)
    _assert_to_torch_agrees(model, _windows(model, np.log1p(y)))


@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("transformer", TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_transformers_are_those_of_pytorch(transformer, normalize, channels):
    y, X, past = _with_gaps(_hours()), _covariates(), _covariates()[["plan"]] ** 2
    model = _fit(y, X, past, missing="mask", normalize=normalize, channels=channels, loss="quantile", **transformer)
    _assert_to_torch_agrees(model, _windows(model, y, X, past))


@pytest.mark.parametrize("loss", ["huber", "normal", "student_t", *FROM_ZERO])
@pytest.mark.parametrize("transformer", TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_transformers_of_panels(transformer, loss):
    y = _panel(gaps=False).round()
    alone = _fit(y, loss=loss, normalize="window", **transformer)
    series = [part for _, part in y.groupby(level=0, sort=False)]
    _assert_to_torch_agrees(alone, np.stack([part.to_numpy()[-12:] for part in series]))
    # with scales of its own and static features, each series has the forecast that it has without the others
    model = _fit(y, None, None, STATIC, loss=loss, **transformer)
    assert model.history_["train_loss"].notna().all()
    found = model.predict()
    assert np.isfinite(found).all(axis=None)
    for part in series:
        name = part.index[0][0]
        expected = model.predict(context=part, static=STATIC.loc[[name]])
        assert found.loc[[name]].index.equals(expected.index)
        # one call for all series or one for each, in float32
        np.testing.assert_allclose(found.loc[[name]], expected, rtol=1e-5)
