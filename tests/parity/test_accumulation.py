"""Gradients of several batches, averaged for one step, against one batch that is as large."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.parity.networks import CONFIG, TRAINING, pair

from lstmforecast import Adam, LSTMClassifier, LSTMForecaster, LSTMRegressor, _core

ATTENTION = {"attention": {"num_heads": 4}}
CNN = {"cnn_lstm": {"kernel_sizes": [3], "out_channels": 8}}
JITTER = {"method": "jitter", "sigma": 0.1, "probability": 1.0}
ROWS = np.random.default_rng(0).normal(size=(160 + 12 + 3 - 1, 2)).cumsum(axis=0) / 5


def _losses(config, **options):
    model = _core.Model(CONFIG | {"hidden_size": 32} | config)
    # libtorch's own threads spin, and would take the test's time where others work
    options |= {"n_threads": {"fused": 2, "torch": 1}[config["backend"]]}
    return model.fit_series(ROWS, TRAINING | {"learning_rate": 1e-3, "shuffle": True} | options)


@pytest.mark.parametrize("architecture", ["lstm", ATTENTION, CNN], ids=str)
@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({}, {"clip_grad_norm": 0.5}),
        ({"dropout": 0.3, "num_layers": 2}, {}),
        ({}, {"augment": [JITTER], "loss": "huber"}),
    ],
    ids=str,
)
def test_batches_together_are_one_that_is_as_large(architecture, config, options, backend):
    """A step of 64 rows, and one of the 32 that are left of 160."""
    config = config | {"architecture": architecture, "backend": backend}
    large = _losses(config, batch_size=64, max_epochs=5, **options)["history"]
    for batch_size, n in ((16, 4), (32, 2)):
        small = _losses(config, batch_size=batch_size, accumulate_grad_batches=n, max_epochs=5, **options)["history"]
        for name in ("train_loss", "grad_norm"):
            # single precision, summed in another order; each step of Adam makes rounding errors a little larger
            assert_allclose(small[name], large[name], rtol=1e-4, err_msg=name)
    alone = _losses(config, batch_size=16, max_epochs=5, **options)["history"]
    assert np.abs(alone["train_loss"] / large["train_loss"] - 1).max() > 1e-2


@pytest.mark.parametrize("tbptt", [None, 4])
def test_every_step_of_supervision_is_averaged_too(tbptt, backend):
    config = {"supervision": "every", "normalize": "last", "backend": backend, "tbptt": tbptt}
    large = _losses(config, batch_size=64, max_epochs=5)["history"]["train_loss"]
    small = _losses(config, batch_size=16, accumulate_grad_batches=4, max_epochs=5)["history"]["train_loss"]
    # as above
    assert_allclose(small, large, rtol=1e-4)


def test_it_is_what_a_loop_in_pytorch_does(backend):
    """Two equal batches to a step, each loss divided by two before its way back."""
    model, module = pair(backend=backend)
    X = np.stack([ROWS[i : i + 12] for i in range(64)])
    y = np.stack([ROWS[i + 12 : i + 15].ravel() for i in range(64)])
    options = TRAINING | {"batch_size": 16, "accumulate_grad_batches": 2, "max_epochs": 5, "n_threads": 1}
    got = model.fit_windows(X, y, None, options)["history"]["train_loss"]
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    inputs, targets = torch.from_numpy(X).float(), torch.from_numpy(y).float()
    expected = []
    for _ in range(5):
        losses = []
        for i in range(4):
            batch = slice(16 * i, 16 * (i + 1))
            loss = torch.nn.functional.mse_loss(module(inputs[batch]), targets[batch])
            (loss / 2).backward()
            losses.append(loss.item())
            if i % 2:
                optimizer.step()
                optimizer.zero_grad()
        expected.append(np.mean(losses))
    # ten steps of Adam in single precision
    assert_allclose(got, expected, rtol=1e-4)


def test_a_step_takes_no_batch_larger_than_the_samples(backend):
    config = {"backend": backend}
    whole = _losses(config, batch_size=160, max_epochs=3, shuffle=False)["history"]["train_loss"]
    more = _losses(config, batch_size=100, accumulate_grad_batches=7, max_epochs=3, shuffle=False)
    # as above
    assert_allclose(more["history"]["train_loss"], whole, rtol=1e-5)


@pytest.mark.parametrize("estimator", [LSTMRegressor, LSTMClassifier, LSTMForecaster])
def test_all_estimators_take_it(estimator):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(96, 8)), rng.integers(0, 2, 96)
    data = (rng.normal(size=120).cumsum(),) if estimator is LSTMForecaster else (X, y)
    network = {
        "hidden_size": 4,
        "max_epochs": 3,
        "random_state": 0,
        "n_threads": 1,
        "optimizer": Adam(clip_grad_value=0.01),
    }
    large = estimator(batch_size=32, **network).fit(*data)
    small = estimator(batch_size=8, **network).set_params(optimizer__accumulate_grad_batches=4).fit(*data)
    # as above
    assert_allclose(small.history_["train_loss"], large.history_["train_loss"], rtol=1e-4)
    with pytest.raises(ValueError, match="expected accumulate_grad_batches to be an integer of at least 1, got 0"):
        estimator(optimizer=Adam(accumulate_grad_batches=0)).fit(*data)
    with pytest.raises(ValueError, match="expected clip_grad_value to be a number above 0 or None, got 0"):
        estimator(optimizer=Adam(clip_grad_value=0)).fit(*data)
