"""Frozen parameters, learning rates of their own and late unfreezing against parameter groups of ``torch.optim``."""

import copy

import numpy as np
import pytest
import torch
from tests.parity.networks import TRAINING, pair, windows_of
from tests.parity.variants import variant_pair

N_ROWS, N_EPOCHS, UNFREEZE = 110, 8, 4
RATES = {"lstm.weight_ih_l1": 2e-3, "fc.bias": 5e-2}
# weights of input and state lie interleaved in the kernel
FROZEN = ["lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.weight_ih_l1", "fc.weight"]
WHOLE = [f"lstm.{name}_l{layer}" for layer in (0, 1) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
ATTENTION = {"attention": {"num_heads": 4}}
NETWORKS = {
    "lstm": lambda backend: pair(num_layers=2, hidden_size=20, backend=backend),
    "attention": lambda backend: variant_pair(ATTENTION, num_layers=2, hidden_size=20, backend=backend),
}


def _pytorch_losses(module, X, y, kind, frozen):
    """Each epoch's mean loss, 32 windows in a batch, clipped; what was frozen is trained after some epochs."""
    groups = [{"params": [p], "lr": RATES.get(name, 1e-2)} for name, p in module.named_parameters()]
    optimizer, losses = kind(groups, weight_decay=0.1), []
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
    for epoch in range(N_EPOCHS):
        if epoch == UNFREEZE:
            module.requires_grad_(True)
        total = 0.0
        for start in range(0, len(X), 32):
            batch, target = X[start : start + 32], y[start : start + 32]
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(module(batch), target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 0.3)
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / len(X))
    return losses


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("frozen", [FROZEN, WHOLE], ids=["some", "the LSTM"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_steps_are_those_of_parameter_groups(network, frozen, optimizer, backend):
    model, module = NETWORKS[network](backend)
    frozen = [name for name in frozen if name in model.parameters()]
    rows = np.random.default_rng(0).normal(size=(N_ROWS, 2)).cumsum(axis=0) / 5
    X, y = windows_of(model, rows)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    double = copy.deepcopy(module).double()
    exact = _pytorch_losses(double, X.double(), y.double(), kind, frozen)
    single = _pytorch_losses(module, X, y, kind, frozen)
    rates = {name: rate for name, rate in RATES.items() if name in model.parameters()}
    options = {"optimizer": optimizer, "weight_decay": 0.1, "clip_grad_norm": 0.3, "max_epochs": N_EPOCHS}
    options |= {"transfer": {"frozen": frozen, "learning_rates": rates}}
    before, during = model.parameters(), []

    def on_epoch(record):
        during.append(record)
        return frozen if record["epoch"] == UNFREEZE else None

    outcome = model.fit_series(rows, TRAINING | options, on_epoch)
    # as in test_training: rounding that Adam makes larger; ours may be three times what PyTorch's has been
    pytorchs = np.maximum.accumulate(np.abs(np.divide(single, exact) - 1))
    ours = np.abs(outcome["history"]["train_loss"] / exact - 1)
    assert (ours < np.maximum(3 * pytorchs, 1e-4)).all(), (ours, pytorchs)
    assert len(during) == N_EPOCHS
    assert all(np.any(model.parameters()[name] != before[name]) for name in before)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_what_is_frozen_keeps_its_bits(network, n_threads, optimizer, backend):
    model, _ = NETWORKS[network](backend)
    rows = np.random.default_rng(0).normal(size=(N_ROWS, 2))
    # a negative zero shows whether anything was subtracted from it
    start = model.parameters()
    for name in FROZEN:
        if name in start:
            start[name].flat[0] = -0.0
    model.load_parameters(start)
    options = {"optimizer": optimizer, "weight_decay": 0.1, "n_threads": n_threads}
    model.fit_series(rows, TRAINING | options | {"transfer": {"frozen": FROZEN}})
    for name, value in model.parameters().items():
        same = value.tobytes() == start[name].tobytes()
        assert same == (name in FROZEN), name


def test_all_can_be_frozen(backend):
    model, _ = NETWORKS["lstm"](backend)
    start = model.parameters()
    rows = np.random.default_rng(0).normal(size=(N_ROWS, 2))
    options = {"max_epochs": 2, "transfer": {"frozen": list(start)}}
    history = model.fit_series(rows, TRAINING | options)["history"]
    assert list(history["grad_norm"]) == [0, 0]
    assert history["train_loss"][0] == history["train_loss"][1]
    assert all(np.array_equal(value, start[name]) for name, value in model.parameters().items())


def test_the_norm_is_that_of_what_is_trained(backend):
    model, module = NETWORKS["lstm"](backend)
    rows = np.random.default_rng(0).normal(size=(46, 2))
    X, y = windows_of(model, rows)
    torch.nn.functional.mse_loss(module(X), y).backward()
    trained = [parameter for name, parameter in module.named_parameters() if name not in FROZEN]
    expected = torch.nn.utils.clip_grad_norm_(trained, 1e9).item()
    outcome = model.fit_series(rows, TRAINING | {"transfer": {"frozen": FROZEN}})
    # float32 sums of some thousand squares
    assert outcome["history"]["grad_norm"] == pytest.approx([expected], rel=1e-5)


def test_rates_are_above_zero(backend):
    model, _ = pair(backend=backend)
    options = {"transfer": {"learning_rates": {"fc.bias": 0.0}}}
    with pytest.raises(ValueError, match=r"expected a learning rate above 0 for fc\.bias, got 0"):
        model.fit_series(np.zeros((40, 2)), TRAINING | options)
