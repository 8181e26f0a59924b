"""Truncated backpropagation through time, against plain modules whose LSTM lets no gradient past a border."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.parity import test_supervision as every_step
from tests.parity.networks import CONFIG, TRAINING, pair
from tests.parity.variants import variant_pair
from torch import nn

from lstmforecast import _core

ATTENTION = {"attention": {"num_heads": 4}}
CNN = {"cnn_lstm": {"kernel_sizes": [3, 4], "out_channels": 6}}
NETWORKS = [
    ("lstm", {}),
    ("lstm", {"num_layers": 3, "hidden_size": 5}),
    ("lstm", {"linear_skip": True, "segment_length": 2, "window_size": 24}),
    (ATTENTION, {"num_layers": 2}),
    (CNN, {"num_layers": 2}),
]


class Truncated(nn.LSTM):
    """Steps before the last ``tbptt`` are constants, their outputs and the states that they leave."""

    tbptt: int

    def forward(self, steps):
        n = max(steps.shape[1] - self.tbptt, 0)
        if n == 0:
            return super().forward(steps)
        with torch.no_grad():
            earlier, state = super().forward(steps[:, :n])
        outputs, state = super().forward(steps[:, n:], state)
        return torch.cat([earlier, outputs], dim=1), state


class Parts(nn.LSTM):
    """Parts of ``tbptt`` steps, counted from the end, between which states go on as constants."""

    tbptt: int

    def forward(self, steps):
        n, state, outputs = steps.shape[1], None, []
        ends = range(n % self.tbptt or self.tbptt, n + 1, self.tbptt)
        for first, end in zip([0, *ends], ends, strict=False):
            part, state = super().forward(steps[:, first:end], state)
            state = tuple(tensor.detach() for tensor in state)
            outputs.append(part)
        return torch.cat(outputs, dim=1), state


def _truncate(module, tbptt, kind=Truncated):
    module.lstm.__class__ = kind
    module.lstm.tbptt = tbptt


def _pair(architecture, **changes):
    return pair(**changes) if architecture == "lstm" else variant_pair(architecture, **changes)


def _windows(config, n=20):
    rng = np.random.default_rng(0)
    outputs = config["horizon"] * config["n_targets"]
    return rng.normal(size=(n, config["window_size"], config["n_features"])), rng.normal(size=(n, outputs))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("tbptt", [1, 5, 6, 11, 12])
@pytest.mark.parametrize(("architecture", "changes"), NETWORKS)
def test_gradients_are_pytorchs(architecture, changes, tbptt, backend):
    model, module = _pair(architecture, backend=backend, tbptt=tbptt, **changes)
    _truncate(module, tbptt)
    X, y = _windows(model.config)
    loss, gradients = model.gradients(X, y, "mse")
    expected = nn.functional.mse_loss(module(torch.from_numpy(X).float()), torch.from_numpy(y).float())
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    for name, parameter in module.named_parameters():
        # float32 sums of some hundred terms; the whole window's gradients differ in the second digit
        assert_allclose(gradients[name], parameter.grad, rtol=1e-4, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("tbptt", [1, 3, 4])
@pytest.mark.parametrize("changes", [{}, {"num_layers": 2}])
def test_parts_with_a_loss_at_every_step(tbptt, changes, backend):
    rows = every_step.make_rows()
    model, twin, training = every_step._pair(backend=backend, normalize="last", tbptt=tbptt, **changes)
    _truncate(twin, tbptt, Parts)
    history = model.fit_series(rows, training | {"max_epochs": 3})["history"]
    expected = every_step.train_twin(twin, every_step.samples_of(rows, "last", "together"), "mse", n_epochs=3)
    # single precision beside double, over some ten steps of Adam
    assert_allclose(history["train_loss"], expected, rtol=1e-4)
    weights = model.parameters()
    for name, weight in twin.named_parameters():
        assert_allclose(weights[name], weight.detach().numpy(), atol=1e-4, err_msg=name)


def _histories(architecture, options, **changes):
    rows = np.random.default_rng(0).normal(size=(90, 2)).cumsum(axis=0) / 5
    return [
        model.fit_series(rows, TRAINING | options)["history"] | {"weights": model.parameters()}
        for model in (_core.Model(CONFIG | {"architecture": architecture, **changes, **change}) for change in _CHANGES)
    ]


_CHANGES = ({"tbptt": None}, {"tbptt": 12}, {"tbptt": 5})
NAMES = ("train_loss", "val_loss", "grad_norm")


TRAINED = [("lstm", "last"), ("lstm", "every"), (ATTENTION, "last"), (CNN, "last")]


@pytest.mark.parametrize(("architecture", "supervision"), TRAINED)
def test_a_border_beyond_the_window_changes_no_bit(architecture, supervision, backend):
    options = {"max_epochs": 2, "shuffle": True, "patience": 9, "validation_fraction": 0.3, "n_threads": 2}
    whole, beyond, within = _histories(
        architecture, options, supervision=supervision, num_layers=2, dropout=0.3, backend=backend
    )
    for name in NAMES:
        assert_array_equal(whole[name], beyond[name])
    for name, weight in whole["weights"].items():
        assert_array_equal(weight, beyond["weights"][name])
    assert whole["grad_norm"][0] != within["grad_norm"][0]


@pytest.mark.parametrize("supervision", ["last", "every"])
def test_dropout_is_the_same(supervision, backend):
    """The first step's loss is that of the way forwards, on which nothing changes."""
    options = {"batch_size": 10_000, "n_threads": 1}
    whole, _, within = _histories("lstm", options, supervision=supervision, num_layers=3, dropout=0.5, backend=backend)
    # libtorch multiplies the steps of a part at once: other shapes, other rounding
    assert whole["train_loss"][0] == pytest.approx(within["train_loss"][0], rel=0 if backend == "fused" else 1e-6)


@pytest.mark.torch
@pytest.mark.parametrize(("architecture", "supervision"), TRAINED)
def test_backends_train_alike(architecture, supervision):
    options = {"max_epochs": 3, "batch_size": 16, "n_threads": 1, "clip_grad_norm": 0.5, "learning_rate": 1e-3}
    fused, torch_ = (
        _histories(architecture, options, supervision=supervision, num_layers=2, dropout=0.3, backend=backend)[2]
        for backend in ("fused", "torch")
    )
    for name in ("train_loss", "grad_norm"):
        # rounding errors that each step of Adam makes a little larger
        assert_allclose(fused[name], torch_[name], rtol=1e-4, err_msg=name)
