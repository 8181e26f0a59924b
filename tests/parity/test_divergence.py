"""What leaves the finite numbers ends a training at once, whoever computes, whatever the loss."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tests.parity.networks import CONFIG, TRAINING

from lstmforecast import LSTMRegressor, _core

LOSSES = ["mse", "mae", "huber", {"pinball": 0.9}]
DISTRIBUTIONS = [
    *("normal", "student_t", "negative_binomial", "poisson", "zero_inflated_negative_binomial", "lognormal"),
    *({"tweedie": 1.5}, {"quantiles": [0.1, 0.5, 0.9]}),
]
ARCHITECTURES = ["lstm", {"attention": {"num_heads": 4}}, {"cnn_lstm": {"kernel_sizes": [3], "out_channels": 8}}]
ADVICE = r"try a lower learning_rate \(it was 1e-2\) or clip_grad_norm=1.0, and data of ordinary size$"


# libtorch's own threads spin, and would take the test's time where others work
THREADS = {"fused": 2, "torch": 1}


def _check(model, fit, epoch, batch):
    outcome = fit(model)
    assert outcome["stop_reason"] == "diverged"
    error = outcome["error"]
    assert isinstance(error, FloatingPointError)
    with pytest.raises(FloatingPointError, match=rf"^the .* became \S+ in epoch {epoch}, batch {batch}: {ADVICE}"):
        raise error
    assert outcome["n_epochs"] == epoch - 1
    assert all(np.isfinite(array).all() for array in model.parameters().values())
    return outcome


def _series(bad_row):
    rows = np.random.default_rng(0).integers(1, 9, size=(160, 2)).astype(np.float64)
    rows[bad_row] = np.inf
    return rows


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("loss", LOSSES + DISTRIBUTIONS, ids=str)
def test_an_infinite_target_is_found_where_it_comes_first(architecture, loss, backend):
    """Two batches of 16 windows, one row further each, make an epoch; windows reach 12 rows back, horizons 3 on: window
    78, of the fifth batch, is the first to see it."""
    distribution = loss if loss in DISTRIBUTIONS else None
    config = CONFIG | {"architecture": architecture, "backend": backend, "distribution": distribution}
    options = TRAINING | {"batch_size": 16, "steps_per_epoch": 2, "max_epochs": 9, "n_threads": THREADS[backend]}
    options["loss"] = loss if distribution is None else {"distribution": loss}
    model = _core.Model(config)
    rows = _series(92)
    outcome = _check(model, lambda model: model.fit_series(rows, options), epoch=3, batch=1)
    before = _core.Model(config)
    assert before.fit_series(rows, options | {"max_epochs": outcome["best_epoch"]})["stop_reason"] == "max_epochs"
    for name, array in before.parameters().items():
        assert_array_equal(array, model.parameters()[name])


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_a_classifier_s_too(architecture, backend):
    X = np.random.default_rng(0).normal(size=(64, 12, 2))
    X[40] = np.nan
    classes = (np.arange(64) % 3).astype(np.float64)[:, None]
    changes = {"architecture": architecture, "backend": backend, "horizon": 1, "n_targets": 3}
    options = TRAINING | {"loss": "cross_entropy", "batch_size": 16, "max_epochs": 2, "n_threads": THREADS[backend]}
    _check(_core.Model(CONFIG | changes), lambda model: model.fit_windows(X, classes, None, options), 1, 3)


def test_a_validation_loss_that_is_no_number_is_named(backend):
    rows = _series(150)
    options = TRAINING | {"batch_size": 16, "patience": 3, "validation_fraction": 0.2, "max_epochs": 2}
    options |= {"n_threads": THREADS[backend]}
    outcome = _core.Model(CONFIG | {"backend": backend}).fit_series(rows, options)
    text = r"^the validation loss became NaN after epoch 1, batch 8: "
    with pytest.raises(FloatingPointError, match=text + ADVICE):
        raise outcome["error"]


@pytest.mark.parametrize("architecture", ["lstm", "attention", "transformer"])
def test_an_estimator_raises_and_learns_nothing(architecture):
    X = np.random.default_rng(0).normal(size=(64, 8))
    model = LSTMRegressor(
        architecture=architecture, hidden_size=8, learning_rate=1e38, max_epochs=3, random_state=0, n_threads=1
    )
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 2: try a lower learning_rate \(it was 1e38\)"):
        model.fit(X, X[:, 0])
    assert not hasattr(model, "model_")
