"""Forward and gradients of the other networks against plain modules of ``torch.nn``, and both backends in training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.parity.networks import TRAINING
from tests.parity.variants import variant_pair

ATTENTION = {"attention": {"num_heads": 4}}
CNN = {"cnn_lstm": {"kernel_sizes": [5], "out_channels": 16}}
CNNS = {"cnn_lstm": {"kernel_sizes": [3, 4, 1], "out_channels": 6}}
TRANSFORMER = {"transformer": {"num_heads": 4, "dim_feedforward": 24, "causal": False}}
CAUSAL = {"transformer": {"num_heads": 1, "dim_feedforward": 7, "causal": True}}
VARIANTS = [
    (ATTENTION, {}),
    ({"attention": {"num_heads": 1}}, {"hidden_size": 5, "num_layers": 2}),
    (ATTENTION, {"bidirectional": True, "num_layers": 2, "hidden_size": 20}),
    (ATTENTION, {"window_size": 1, "n_features": 5, "n_targets": 1}),
    (ATTENTION, {"window_size": 50, "hidden_size": 36, "n_features": 7, "n_targets": 7}),
    (ATTENTION, {"linear_skip": True, "segment_length": 3, "n_features": 5}),
    (CNN, {}),
    (CNN, {"bidirectional": True, "num_layers": 2, "hidden_size": 20}),
    (CNNS, {"window_size": 1, "n_features": 5, "n_targets": 1}),
    (CNNS, {"window_size": 50, "hidden_size": 33, "n_features": 7, "n_targets": 7}),
    (CNNS, {"linear_skip": True, "segment_length": 3, "n_features": 5}),
    (TRANSFORMER, {}),
    (CAUSAL, {"num_layers": 3, "hidden_size": 5}),
    (TRANSFORMER, {"window_size": 1, "n_features": 5, "n_targets": 1}),
    (CAUSAL, {"window_size": 50, "num_layers": 2, "hidden_size": 36, "n_features": 7, "n_targets": 7}),
    (TRANSFORMER, {"linear_skip": True, "segment_length": 3, "n_features": 5, "num_layers": 2}),
]


BACKENDS = [
    pytest.param(architecture, changes, backend, id=f"{architecture}-{changes}-{backend}")
    for architecture, changes in VARIANTS
    for backend in ("fused", "torch")
    # our own kernel runs LSTMs
    if backend == "torch" or "transformer" not in architecture
]


def _windows(model, n=20):
    rng = np.random.default_rng(0)
    config = model.config
    outputs = config["horizon"] * config["n_targets"]
    return rng.normal(size=(n, config["window_size"], config["n_features"])), rng.normal(size=(n, outputs))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize(("architecture", "changes", "backend"), BACKENDS)
def test_forecasts_are_pytorchs(architecture, changes, backend):
    model, module = variant_pair(architecture, backend=backend, **changes)
    # not a multiple of the windows that are forecast at once
    X, _ = _windows(model, n=45)
    with torch.no_grad():
        expected = module(torch.from_numpy(X).float()).numpy()
    # float32 sums of some hundred terms of size 1, in possibly another order
    assert_allclose(model.forecast(X).reshape(expected.shape), expected, atol=2e-6)


@pytest.mark.parametrize(("architecture", "changes", "backend"), [p for p in BACKENDS if "attention" in p.values[0]])
def test_attention_weights_are_pytorchs(architecture, changes, backend):
    model, module = variant_pair(architecture, backend=backend, **changes)
    X, _ = _windows(model, n=45)
    with torch.no_grad():
        module(torch.from_numpy(X).float())
    # shares of 1, from sums of some dozens of terms of size 1 in single precision
    assert_allclose(model.attention_weights(X), module.body[0].weights.numpy(), atol=1e-6)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("architecture", "changes", "backend"), BACKENDS)
def test_a_forecast_does_not_depend_on_its_company(architecture, changes, n_threads, backend):
    model, _ = variant_pair(architecture, backend=backend, **changes)
    X, _ = _windows(model, n=45)
    alone = np.concatenate([model.forecast(X[i : i + 1]) for i in (0, 7, 31, 44)])
    # libtorch's products of odd sizes sum a row's last bits by where it stands among others
    assert_allclose(alone, model.forecast(X, n_threads)[[0, 7, 31, 44]], rtol=0, atol=1e-7)


# of padding="same" where a kernel is even
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize(("architecture", "changes", "backend"), BACKENDS)
def test_all_gradients_are_pytorchs(architecture, changes, loss, backend):
    model, module = variant_pair(architecture, backend=backend, **changes)
    X, y = _windows(model)
    criterion = {"mse": torch.nn.MSELoss, "huber": torch.nn.HuberLoss}[loss]()
    expected = criterion(module(torch.from_numpy(X).float()), torch.from_numpy(y).float())
    expected.backward()
    value, gradients = model.gradients(X, y, loss)
    assert value == pytest.approx(expected.item(), rel=1e-6)  # one float32 mean, summed in another order
    assert list(gradients) == [name for name, _ in module.named_parameters()]
    for name, parameter in module.named_parameters():
        # as above, over up to 50 steps back in time; gradients here are 1e-3 to 1
        assert_allclose(gradients[name], parameter.grad.numpy(), rtol=1e-4, atol=3e-6, err_msg=name)


@pytest.mark.parametrize("changes", [{}, {"bidirectional": True}, {"dropout": 0.3}, {"linear_skip": True}], ids=str)
@pytest.mark.parametrize("architecture", [ATTENTION, CNNS], ids=str)
@pytest.mark.parametrize(("batch_size", "n_epochs"), [(160, 100), (33, 20)])
def test_a_hundred_steps_of_both_backends_agree(architecture, changes, batch_size, n_epochs):
    """One batch an epoch shows the loss of each step; others are shuffled, and the last is smaller. Dropout's masks are
    the same."""
    options = {"batch_size": batch_size, "max_epochs": n_epochs, "shuffle": True, "learning_rate": 1e-3}
    options |= {"patience": 100, "validation_fraction": 0.2, "clip_grad_norm": 0.5}
    rows = np.random.default_rng(0).normal(size=(200 + 12 + 3 - 1, 2)).cumsum(axis=0) / 5
    histories = []
    for backend in ("fused", "torch"):
        model, _ = variant_pair(architecture, num_layers=2, hidden_size=32, backend=backend, **changes)
        # libtorch's own threads spin, and would take the test's time where others work
        options["n_threads"] = {"fused": 2, "torch": 1}[backend]
        histories.append(model.fit_series(rows, TRAINING | options)["history"])
        histories[-1]["forecast"] = model.forecast(rows[None, :12]).ravel()
    assert len(histories[0]["epoch"]) == n_epochs
    assert histories[0]["train_loss"][-1] < 0.8 * histories[0]["train_loss"][0]
    for name in ("train_loss", "val_loss", "grad_norm", "forecast"):
        # rounding errors that each step of Adam makes a little larger
        assert_allclose(histories[0][name], histories[1][name], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(("architecture", "backend"), [(ATTENTION, "fused"), (CNN, "fused"), (TRANSFORMER, "torch")])
def test_a_few_steps_are_pytorchs(architecture, backend):
    """The second batch is smaller than there are threads."""
    model, module = variant_pair(architecture, backend=backend)
    X, y = _windows(model, n=9)
    options = TRAINING | {"batch_size": 8, "n_threads": 2, "max_epochs": 2}
    outcome = model.fit_windows(X, y, None, options)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    losses = []
    for _ in range(2):
        for rows in (slice(0, 8), slice(8, 9)):
            loss = torch.nn.functional.mse_loss(
                module(torch.from_numpy(X[rows]).float()), torch.from_numpy(y[rows]).float()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    expected = [(8 * losses[0] + losses[1]) / 9, (8 * losses[2] + losses[3]) / 9]
    # four steps of Adam, which makes rounding errors of small gradients as large as those of great ones
    assert_allclose(outcome["history"]["train_loss"], expected, rtol=1e-5)
