"""The networks that are measured: one of the core and a plain PyTorch module of the same weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from lstmforecast import _core
from lstmforecast.export.pytorch_networks import NETWORKS


class Size(NamedTuple):
    """Windows of the series, rows and columns of a window, units, layers, windows of a batch."""

    n: int
    window: int
    features: int
    hidden: int
    layers: int
    batch: int


SIZES = [
    Size(2000, 10, 1, 64, 2, 32),
    Size(2000, 96, 7, 64, 2, 32),
    Size(2000, 30, 8, 128, 2, 64),
    Size(1000, 96, 7, 256, 2, 64),
    # so many steps that gradients vanish on the way back
    Size(2000, 200, 2, 32, 1, 64),
]


VARIANTS: dict[str, Any] = {
    "attention": {"attention": {"num_heads": 4}},
    "cnn_lstm": {"cnn_lstm": {"kernel_sizes": [5], "out_channels": 64}},
    "transformer": {"transformer": {"num_heads": 4, "dim_feedforward": 256, "causal": False}},
}


def core_model(size: Size, backend: str = "auto", architecture: str = "lstm") -> _core.Model:
    """An untrained network that forecasts the first column one step ahead; always the same weights."""
    return _core.Model(
        {
            "architecture": VARIANTS.get(architecture, architecture),
            "hidden_size": size.hidden,
            "num_layers": size.layers,
            "bidirectional": False,
            "dropout": 0.0,
            "window_size": size.window,
            "horizon": 1,
            "n_features": size.features,
            "n_targets": 1,
            "normalize": None,
            "backend": backend,
            "device": "cpu",
            "seed": 0,
        }
    )


def training(size: Size, threads: int) -> dict[str, Any]:
    """One pass over the windows in order, by Adam on the mean squared error."""
    return {
        "loss": "mse",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "batch_size": size.batch,
        "max_epochs": 1,
        "patience": None,
        "min_delta": 0.0,
        "lr_patience": None,
        "lr_factor": 0.5,
        "clip_grad_norm": None,
        "validation_fraction": 0.0,
        "gap": 0,
        "stride": 1,
        "scaler": None,
        "shuffle": False,
        "seed": 0,
        "n_threads": threads,
    }


class Plain(nn.Module):
    """``nn.LSTM``, the last state, ``nn.Linear``."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size.features, size.hidden, size.layers, batch_first=True)
        self.fc = nn.Linear(size.hidden, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Windows (batch, window, features) to forecasts (batch, 1)."""
        return self.fc(self.lstm(windows)[0][:, -1])


class PlainVariant(nn.Module):
    """The layers that `to_torch` makes, and ``nn.Linear``."""

    def __init__(self, size: Size, architecture: str) -> None:
        super().__init__()
        config = core_model(size, architecture=architecture).config
        add, self.read = NETWORKS[architecture]
        self.fc = nn.Linear(add(self, config, size.features, **VARIANTS[architecture][architecture]), 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Windows (batch, window, features) to forecasts (batch, 1)."""
        return self.fc(self.read(self, windows))
