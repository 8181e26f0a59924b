"""Models of the core next to plain PyTorch modules with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from lstmforecast import _core

CONFIG = {
    "architecture": "lstm",
    "hidden_size": 16,
    "num_layers": 1,
    "bidirectional": False,
    "dropout": 0.0,
    "window_size": 12,
    "segment_length": 1,
    "linear_skip": False,
    "channels": "together",
    "horizon": 3,
    "n_features": 2,
    "n_targets": 2,
    "normalize": None,
    "backend": "torch",
    "device": "cpu",
    "seed": 0,
}
TRAINING = {
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 1e-2,
    "weight_decay": 0.0,
    "batch_size": 32,
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
    "n_threads": None,
}


class Plain(nn.Module):
    """What a tutorial writes: ``nn.LSTM``, the last state, ``nn.Linear``; perhaps a linear forecast beside them."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        directions = 1 + config["bidirectional"]
        self.n_targets = config["n_targets"]
        self.lstm = nn.LSTM(
            config["segment_length"] * config["n_features"],
            config["hidden_size"],
            config["num_layers"],
            batch_first=True,
            bidirectional=config["bidirectional"],
        )
        self.fc = nn.Linear(directions * config["hidden_size"], config["horizon"] * config["n_targets"])
        if config["linear_skip"]:
            self.skip = nn.Linear(config["window_size"], config["horizon"])

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        outputs, (state, _) = self.lstm(windows.reshape(len(windows), -1, self.lstm.input_size))
        last = torch.cat([state[-2], state[-1]], dim=1) if self.lstm.bidirectional else outputs[:, -1]
        if not hasattr(self, "skip"):
            return self.fc(last)
        targets = windows[:, :, : self.n_targets].transpose(1, 2)
        return self.fc(last) + self.skip(targets).transpose(1, 2).flatten(1)


def pair(**changes: Any) -> tuple[_core.Model, Plain]:
    """A model and a plain module that has loaded its weights with ``strict=True``."""
    config = CONFIG | changes
    model, module = _core.Model(config), Plain(config)
    if config["linear_skip"]:
        randomised(model)
    weights = {name: torch.from_numpy(array) for name, array in model.parameters().items()}
    module.load_state_dict(weights, strict=True)
    return model, module


def randomised(model: _core.Model) -> None:
    """Draw all weights anew: zeros and ones, from which some start, would hide mistakes."""
    rng = np.random.default_rng(0)
    shapes = {name: array.shape for name, array in model.parameters().items()}
    model.load_parameters({name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()})


def windows_of(model: _core.Model, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """All windows of a series and the horizons after them, flat."""
    size, horizon = model.config["window_size"], model.config["horizon"]
    n = len(rows) - size - horizon + 1
    X = np.stack([rows[i : i + size] for i in range(n)])
    y = np.stack([rows[i + size : i + size + horizon].ravel() for i in range(n)])
    return torch.from_numpy(X).float(), torch.from_numpy(y).float()
