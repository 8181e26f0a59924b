"""Every switch of the forecaster, trained on both backends and carried over to PyTorch."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from tests.parity.networks import CONFIG

from lstmforecast import LSTM, Device, LSTMForecaster, Quantiles, Sampling, _core
from lstmforecast.fitting.roll import ends_of, first_inputs

COUNTS = ["negative_binomial", "poisson", "zero_inflated_negative_binomial"]
# of values above 0
FROM_ZERO = [*COUNTS, "lognormal", "tweedie"]
LOSSES = ["mse", "mae", "huber", "quantile", "normal", "student_t", *FROM_ZERO]
# Five steps of Adam, of batches of an odd size: of an even one, the slopes of an absolute error may add up to 0, or to
# what is left by rounding, whose sign is worth a step to Adam.
FAST = {
    "horizon": 5, "window_size": 12, "architecture": LSTM(segment_length=3), "hidden_size": 6, "max_epochs": 1,
    "sampling": Sampling(steps_per_epoch=5), "batch_size": 31, "random_state": 0, "n_threads": 1,
}  # fmt: skip
N = 140


def _hours(n=N, k=2):
    index = pd.date_range("2026-01-01", periods=n, freq="h")
    wave = np.sin(np.arange(n) * np.pi / 6)[:, None] + np.arange(k)
    return pd.DataFrame(wave + np.random.default_rng(0).normal(0, 0.3, (n, k)), index=index, columns=list("abc"[:k]))


def _with_gaps(y):
    """Single values, a window of one column from its first row on, and the last value of all."""
    y = y.copy()
    y.iloc[np.random.default_rng(1).random(len(y)) < 0.1, 0] = np.nan
    y.iloc[:14, 1] = np.nan
    y.iloc[70:90, 1] = np.nan
    y.iloc[-1, 0] = np.nan
    return y


def _covariates(n=N + 20):
    index = pd.date_range("2026-01-01", periods=n, freq="h")
    return pd.DataFrame(np.random.default_rng(2).normal(5, 3, (n, 2)), index=index, columns=["price", "plan"])


def _covariates_with_gaps():
    X, past = _covariates(), _covariates()[["plan"]] ** 2
    X.iloc[::7, 0], X.iloc[N + 1, 0], past.iloc[::5] = np.nan, np.nan, np.nan
    return X, past


def _fit(y, X=None, X_past=None, static=None, **parameters):
    return LSTMForecaster(**FAST).set_params(**parameters).fit(y, X, X_past, static)


def _windows(model, y, X=None, X_past=None, origins=(12, 40, 83, N)):
    """What `to_torch` takes: rows of targets and features, the targets of the horizon unknown."""
    rows = model.window_size_ + (model.horizon if X is not None else 0)
    parts = [part.iloc[: N + model.horizon].to_numpy() for part in (y, X_past, X) if part is not None]
    table = np.hstack([np.pad(p, ((0, N + 5 - len(p)), (0, 0)), constant_values=np.nan) for p in parts])
    windows = np.stack([table[o - model.window_size_ : o - model.window_size_ + rows] for o in origins])
    windows[:, model.window_size_ :, : y.shape[1]] = np.nan
    return windows


def _assert_both_backends_agree(y, *covariates, **parameters):
    """The fit by our own kernel, beside which libtorch trains where the core has it."""
    fused = _fit(y, *covariates, device=Device(backend="fused"), **parameters)
    columns = ["train_loss", "val_loss"]
    assert fused.history_[columns].notna().all(axis=None)
    if not _core.HAS_TORCH:
        return fused
    plain = _fit(y, *covariates, device=Device(backend="torch"), **parameters)
    # float32 sums in another order, which Adam's division by the size of a gradient magnifies while that is small; a
    # mistake in a gradient would be worth some 1e-3
    assert_allclose(fused.history_[columns], plain.history_[columns], rtol=1e-4, atol=1e-6)
    weights = plain.state_dict()
    for name, weight in fused.state_dict().items():
        assert_allclose(_identified(name, weight), _identified(name, weights[name]), atol=2e-5, err_msg=name)
    return fused


def _identified(name, weight):
    """Without the bias of an attention's keys, which adds the same to all scores of a query: a softmax doesn't see it,
    and its gradient is what rounding leaves.
    """
    n = len(weight) // 3
    return np.delete(weight.numpy(), slice(n, 2 * n)) if name.endswith("in_proj_bias") else weight.numpy()


def _assert_to_torch_agrees(model, windows):
    found = model.model_.forecast(windows)
    module = model.to_torch()
    with torch.no_grad():
        expected = module(torch.from_numpy(model_log(model, windows))).numpy()
    assert np.isfinite(found).all()
    assert found.shape == expected.shape
    assert list(module.state_dict()) == list(model.state_dict())
    distribution = model.model_.config["distribution"]
    if distribution is None or (isinstance(distribution, dict) and "quantiles" in distribution):
        lowest = lowest_of(model, windows)
        found = np.maximum(found, lowest if found.ndim == 3 else lowest[..., np.newaxis])
    # single precision on both sides, numbers of size 1 to 10
    assert_allclose(model.fitted_.dataset.undo(found), expected, rtol=1e-5, atol=2e-5)


def lowest_of(model, windows):
    """The lowest forecasts (n, 1, k): 0 for targets that were never negative at fit and are not in the window."""
    targets = windows[:, : model.window_size_, : model.n_features_in_]
    never = model.fitted_.dataset.never_negative[0] & ~(targets < 0).any(axis=1)
    return np.where(never, 0, -np.inf)[:, np.newaxis]


def model_log(model, windows):
    """The core takes logarithms, the module the user's units."""
    n_targets = model.n_features_in_
    return np.concatenate([model.fitted_.dataset.undo(windows[..., :n_targets]), windows[..., n_targets:]], axis=-1)


@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_covariates_and_gaps(normalize, channels, linear_skip):
    y, X, past = _with_gaps(_hours()), _covariates(), _covariates()[["plan"]] ** 2
    model = _assert_both_backends_agree(
        y, X, past, missing="mask", normalize=normalize, channels=channels, architecture__linear_skip=linear_skip
    )
    # among the windows one of which nothing is known of a column
    windows = _windows(model, y, X, past, origins=(12, 40, 83, N))
    assert np.isnan(windows[0, :12, 1]).all()
    _assert_to_torch_agrees(model, windows)
    assert_allclose(model.predict(X=X), model.fitted_.dataset.undo(model.model_.forecast(windows))[-1], rtol=1e-12)


@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_gaps_in_covariates(channels, linear_skip):
    y, (X, past) = _with_gaps(_hours()), _covariates_with_gaps()
    switches = {"missing": "mask", "channels": channels, "architecture__linear_skip": linear_skip}
    model = _assert_both_backends_agree(y, X, past, **switches)
    windows = first_inputs(model.model_, ends_of(model.model_, model.fitted_.dataset, model.horizon, X))
    assert np.isnan(windows[:, :, 2:]).any()
    _assert_to_torch_agrees(model, windows)
    assert_allclose(model.predict(X=X), model.fitted_.dataset.undo(model.model_.forecast(windows))[-1], rtol=1e-12)


@pytest.mark.parametrize("normalize", ["last", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("depth", [{}, {"num_layers": 2, "dropout": 0.3}])
def test_supervision_of_every_step(normalize, channels, depth):
    y, past = _with_gaps(_hours()), _covariates()
    # the first windows know nothing of a column, others only from the second step on
    y.iloc[40:44, 0] = np.nan
    model = _assert_both_backends_agree(
        y,
        None,
        past,
        missing="mask",
        normalize=normalize,
        channels=channels,
        architecture__supervision="every",
        **depth,
    )
    windows = _windows(model, y, X_past=past, origins=(12, 40, 52, 83, N))
    assert np.isnan(windows[0, :, 1]).all()
    assert np.isnan(windows[2, :4, 0]).all()
    _assert_to_torch_agrees(model, windows)
    expected = model.fitted_.dataset.undo(model.model_.forecast(windows))[-1]
    assert_allclose(model.predict(), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_losses_at_every_step(loss, channels):
    y = np.exp(_hours())
    y = y.round() if loss in COUNTS else y
    model = _assert_both_backends_agree(y, loss=loss, channels=channels, architecture__supervision="every")
    _assert_to_torch_agrees(model, _windows(model, y))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_losses(loss, channels):
    y, X = np.exp(_hours()), _covariates()
    y = y.round() if loss in COUNTS else y
    # the slopes of absolute errors of rows with gaps, halves and quarters, may add up to 0 as well
    y = y if loss == "mae" else _with_gaps(y)
    model = _assert_both_backends_agree(y, X, missing="mask", loss=loss, channels=channels)
    windows = _windows(model, y, X)
    _assert_to_torch_agrees(model, windows)
    threes = ("student_t", "zero_inflated_negative_binomial")
    n_parameters = {"quantile": 7, "poisson": 1} | dict.fromkeys(threes, 3)
    n = () if loss in ("mse", "mae", "huber") else (n_parameters.get(loss, 2),)
    assert model.model_.forecast(windows).shape == (len(windows), 5, 2, *n)


@pytest.mark.parametrize("loss", ["quantile", "normal", "mae", *FROM_ZERO])
@pytest.mark.parametrize("normalize", ["last", "window", None])
def test_losses_without_a_linear_way(loss, normalize):
    y = np.exp(_hours()).round() + (loss == "lognormal")
    model = _assert_both_backends_agree(
        y, loss=loss, normalize=normalize, architecture__linear_skip=False, architecture__bidirectional=True
    )
    _assert_to_torch_agrees(model, _windows(model, y))


def test_own_quantiles_and_a_single_one():
    y = _hours()
    for quantiles in ([0.3], [0.05, 0.5], [0.1, 0.4, 0.6, 0.9]):
        model = _assert_both_backends_agree(y, loss=Quantiles(quantiles))
        _assert_to_torch_agrees(model, _windows(model, y))
        assert model.predict_quantiles().shape == (5, 6)


@pytest.mark.parametrize("loss", ["mse", "quantile"])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_logarithms(loss, n_estimators):
    y, X = _with_gaps(np.exp(_hours())), _covariates()
    model = _fit(y, X, transform="log", missing="mask", loss=loss, n_estimators=n_estimators)
    _assert_to_torch_agrees(model, _windows(model, np.log1p(y), X))


def test_the_logarithm_of_another_distribution_is_refused():
    model = _fit(np.exp(_hours()), transform="log", loss="normal")
    with pytest.raises(ValueError, match=r"expected a point forecast or quantiles for to_torch .* got 'normal'"):
        model.to_torch()


def test_the_linear_network_alone_with_covariates():
    y, X = _with_gaps(_hours()), _covariates()
    model = _fit(y, X, missing="mask", architecture="linear", loss="quantile")
    _assert_to_torch_agrees(model, _windows(model, y, X))


def _panel(gaps):
    """Unequal series of unequal size, one shorter than a window and a horizon."""
    rng = np.random.default_rng(0)
    parts = []
    for name, (n, size) in {"a": (90, 1.0), "b": (60, 100.0), "c": (15, 10.0), "d": (120, 3.0)}.items():
        values = size * (5 + np.sin(np.arange(n) * np.pi / 6)[:, None] + rng.normal(0, 0.3, (n, 2)))
        if gaps:
            values[rng.random((n, 2)) < 0.1] = np.nan
        times = pd.date_range("2026-01-01", periods=n, freq="h")
        parts.append(pd.DataFrame(values, pd.MultiIndex.from_product([[name], times]), columns=["x", "y"]))
    return pd.concat(parts)


STATIC = pd.DataFrame({"kind": ["s", "t", "s", "t"], "area": [1.0, 2.0, 3.0, 5.0]}, index=list("abcd"))


@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_panels(normalize, channels):
    y = _panel(gaps=True)
    X = pd.DataFrame({"price": np.random.default_rng(3).normal(size=len(y))}, index=y.index)
    model = _assert_both_backends_agree(
        y, X, None, STATIC, missing="mask", normalize=normalize, channels=channels, loss="quantile", window_size=12
    )
    if normalize != "window":
        with pytest.raises(ValueError, match=r"expected one series, or normalize='window', for to_torch, got a panel"):
            model.to_torch()
        return
    windows, steps = model.fitted_.dataset.windows(12), np.full((4, 5, 6), np.nan)
    steps[..., 2:5] = model.fitted_.dataset.features[:1, :3]
    steps[..., 5] = np.random.default_rng(4).normal(size=(4, 5))
    _assert_to_torch_agrees(model, np.concatenate([windows, steps], axis=1))


@pytest.mark.torch
@pytest.mark.parametrize("normalize", ["last", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_panels_at_every_step(normalize, channels):
    _assert_both_backends_agree(
        _panel(gaps=True), None, None, STATIC, missing="mask", normalize=normalize, channels=channels, loss="quantile",
        architecture__supervision="every",
    )  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_of_panels(loss):
    y = _panel(gaps=False).round() if loss in COUNTS else _panel(gaps=True)
    _assert_both_backends_agree(y, None, None, STATIC, missing="mask", loss=loss)


@pytest.mark.torch
@pytest.mark.parametrize("method", ["jitter", "scale", "magnitude_warp", "time_warp", "window_slice"])
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_augmentation(method, channels):
    y, X, past = _with_gaps(_hours()), _covariates(), _covariates()[["plan"]] ** 2
    _assert_both_backends_agree(y, X, past, missing="mask", channels=channels, augment=[method])
    _assert_both_backends_agree(_hours(), channels=channels, augment=[method, "jitter"], normalize="window")


@pytest.mark.torch
@pytest.mark.parametrize(("n_targets", "n_known", "segment_length"), [(1, 1, 1), (1, 4, 3), (3, 2, 4)])
def test_gradients_of_what_is_known_in_advance(n_targets, n_known, segment_length):
    n_features, horizon = n_targets + 1 + n_known, 5
    sizes = {"n_targets": n_targets, "n_known": n_known, "n_features": n_features, "horizon": horizon}
    config = CONFIG | sizes | {"linear_skip": True, "segment_length": segment_length}
    models = [_core.Model(config | {"backend": backend}) for backend in ("fused", "torch")]
    rng = np.random.default_rng(0)
    # it starts from zeros, which would hide mistakes
    shapes = {name: array.shape for name, array in models[0].parameters().items()}
    weights = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    for model in models:
        model.load_parameters(weights)
    n_rows = 12 + -(-horizon // segment_length) * segment_length
    X = rng.normal(size=(24, n_rows, n_features + n_targets))
    y = rng.normal(size=(24, horizon * n_targets))
    (loss, gradients), (expected_loss, expected) = (model.gradients(X, y, "mse") for model in models)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert list(gradients) == list(expected)
    assert "known.weight" in expected
    for name, gradient in gradients.items():
        # float32 sums of some hundred terms; gradients here are 1e-3 to 1
        assert_allclose(gradient, expected[name], atol=5e-6, err_msg=name)
