"""Optimiser steps, clipping and schedule against ``torch.optim``, from the same weights on the same batches."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.parity.networks import CONFIG, TRAINING, pair, windows_of

from lstmforecast import _core

N_ROWS, N_EPOCHS = 174, 10


def _pytorch_losses(module, X, y, optimizer, clip, clip_value=None):
    """Each epoch's mean loss, batches of 32 windows in order, the last one smaller."""
    losses = []
    for _ in range(N_EPOCHS):
        total = 0.0
        for start in range(0, len(X), 32):
            batch, target = X[start : start + 32], y[start : start + 32]
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(module(batch), target)
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
            if clip_value is not None:
                torch.nn.utils.clip_grad_value_(module.parameters(), clip_value)
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / len(X))
    return losses


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(("clip", "clip_value"), [(None, None), (0.05, None), (None, 3e-3), (0.05, 3e-3)])
def test_fifty_steps_are_pytorchs(optimizer, weight_decay, clip, clip_value, backend):
    model, module = pair(num_layers=2, backend=backend)
    rows = np.random.default_rng(0).normal(size=(N_ROWS, 2)).cumsum(axis=0) / 5
    X, y = windows_of(model, rows)
    assert -(-len(X) // 32) * N_EPOCHS == 50
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    double = copy.deepcopy(module).double()
    exact = _pytorch_losses(
        double, X.double(), y.double(), kind(double.parameters(), lr=1e-2, weight_decay=weight_decay), clip, clip_value
    )
    single = _pytorch_losses(
        module, X, y, kind(module.parameters(), lr=1e-2, weight_decay=weight_decay), clip, clip_value
    )
    options = {"optimizer": optimizer, "weight_decay": weight_decay, "max_epochs": N_EPOCHS}
    options |= {"clip_grad_norm": clip, "clip_grad_value": clip_value}
    outcome = model.fit_series(rows, TRAINING | options)
    # Adam divides by the root of the second moment, which makes rounding errors of small gradients as large as those of
    # great ones, and each step makes them larger: PyTorch's own reach 8e-4. Beyond 1e-4, ours may be three times
    # what its have been.
    pytorchs = np.maximum.accumulate(np.abs(np.divide(single, exact) - 1))
    ours = np.abs(outcome["history"]["train_loss"] / exact - 1)
    assert (ours < np.maximum(3 * pytorchs, 1e-4)).all(), (ours, pytorchs)


@pytest.mark.parametrize("clip", [{"clip_grad_norm": 1e-3}, {"clip_grad_value": 1e-3}], ids=str)
def test_the_reported_norm_is_that_before_clipping(clip, backend):
    model, module = pair(backend=backend)
    rows = np.random.default_rng(0).normal(size=(46, 2))
    X, y = windows_of(model, rows)
    torch.nn.functional.mse_loss(module(X), y).backward()
    expected = torch.nn.utils.clip_grad_norm_(module.parameters(), 1e9).item()
    outcome = model.fit_series(rows, TRAINING | clip)
    assert outcome["history"]["grad_norm"] == pytest.approx([expected], rel=1e-5)


@pytest.mark.parametrize("architecture", ["lstm", {"attention": {"num_heads": 4}}], ids=str)
def test_the_norm_is_clipped_before_the_values(architecture, backend):
    """A first step of Adam is g / (|g| + eps) long: gradients near eps, 1e-8, tell what they were clipped to."""
    model = _core.Model(CONFIG | {"architecture": architecture, "backend": backend})
    rows = np.random.default_rng(0).normal(size=(46, 2))
    X, y = (part.numpy().astype(np.float64) for part in windows_of(model, rows))
    before = model.parameters()
    _, gradients = model.gradients(X, y, "mse")
    norm = np.sqrt(sum(np.square(gradient, dtype=np.float64).sum() for gradient in gradients.values()))
    options = {"clip_grad_norm": 1e-7, "clip_grad_value": 1e-8, "batch_size": len(X)}
    model.fit_series(rows, TRAINING | options)
    for name, gradient in gradients.items():
        scaled = gradient.astype(np.float64) * 1e-7 / (norm + 1e-6)
        clipped = np.clip(scaled, -1e-8, 1e-8)
        expected = before[name] - 1e-2 * clipped / (np.abs(clipped) + 1e-8)
        # weights are single precision, the gradients themselves right to some 1e-5
        assert_allclose(model.parameters()[name], expected, atol=2e-6)
    assert any((np.abs(gradient * 1e-7 / norm) > 2e-8).any() for gradient in gradients.values())


@pytest.mark.torch
@pytest.mark.parametrize(
    "changes", [{}, {"bidirectional": True}, {"dropout": 0.3}, {"loss": "huber", "clip_grad_norm": 0.5}], ids=str
)
@pytest.mark.parametrize(("batch_size", "n_epochs"), [(160, 200), (32, 40)])
def test_two_hundred_steps_of_both_backends_agree(changes, batch_size, n_epochs):
    """One batch an epoch shows the loss of each step; five an epoch are shuffled. Dropout's masks are the same."""
    network = {name: value for name, value in changes.items() if name in ("bidirectional", "dropout")}
    options = {name: value for name, value in changes.items() if name not in network}
    options |= {"batch_size": batch_size, "max_epochs": n_epochs, "shuffle": True, "learning_rate": 1e-3}
    rows = np.random.default_rng(0).normal(size=(160 + 12 + 3 - 1, 2)).cumsum(axis=0) / 5
    losses = []
    for backend in ("fused", "torch"):
        model, _ = pair(num_layers=2, hidden_size=32, backend=backend, **network)
        losses.append(model.fit_series(rows, TRAINING | options)["history"]["train_loss"])
    assert len(losses[0]) * -(-160 // batch_size) == 200
    assert losses[0][-1] < 0.8 * losses[0][0]
    # as above: rounding errors that each step of Adam makes a little larger
    assert_allclose(losses[0], losses[1], rtol=1e-4)


def _pytorch_rates(losses, patience, factor):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=patience, factor=factor)
    rates = []
    for loss in losses:
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("seed", range(200))
def test_the_plateau_schedule_is_pytorchs(seed):
    rng = np.random.default_rng(seed)
    # falling, flat and rising stretches, and now and then the very same loss again
    losses = np.exp(rng.normal(-0.01, 0.05, size=150).cumsum()).round(rng.integers(2, 6)) + 1e-3
    patience, factor = int(rng.integers(0, 7)), float(rng.choice([0.5, 0.1, 0.9]))
    assert _core.reduce_lr_on_plateau(losses.tolist(), 0.1, patience, factor) == _pytorch_rates(
        losses, patience, factor
    )


def test_dropout_scales_what_it_keeps(backend):
    """With p = 0.5 the mean of many forecasts in training mode is near that without; here through the loss of a layer
    whose output weights are linear in the mask: the expected gradient norm stays of the same size."""
    rows = np.random.default_rng(0).normal(size=(200, 2))
    plain, dropped = (pair(num_layers=2, backend=backend, dropout=p)[0] for p in (0.0, 0.5))
    still = {"learning_rate": 1e-12}
    loss = plain.fit_series(rows, TRAINING | still)["history"]["train_loss"][0]
    noisy = dropped.fit_series(rows, TRAINING | still)["history"]["train_loss"][0]
    assert noisy != loss
    assert noisy == pytest.approx(loss, rel=0.05)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_rows_count_by_their_weights(loss, backend):
    model, module = pair(backend=backend)
    rows = np.random.default_rng(0).normal(size=(46, 2))
    weights = np.random.default_rng(1).uniform(0, 3, 46) * (np.arange(46) % 5 > 0)
    X, y = windows_of(model, rows)
    of_targets = windows_of(model, np.repeat(weights / weights[weights > 0].mean(), 2).reshape(46, 2))[1]
    kind = {"mse": "mse_loss", "mae": "l1_loss", "huber": "huber_loss"}[loss]
    losses = getattr(torch.nn.functional, kind)(module(X), y, reduction="none")
    expected = ((losses * of_targets).sum(dim=1) / (of_targets > 0).sum(dim=1)).mean()
    expected.backward()
    norm = torch.nn.utils.clip_grad_norm_(module.parameters(), 1e9).item()
    history = model.fit_series(rows, TRAINING | {"loss": loss}, weights=weights)["history"]
    # single precision
    assert history["train_loss"] == pytest.approx([expected.item()], rel=1e-5)
    assert history["grad_norm"] == pytest.approx([norm], rel=1e-5)
