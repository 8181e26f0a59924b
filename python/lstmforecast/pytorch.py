"""The bridge to PyTorch; importing this module imports torch."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lstmforecast import _core


def to_torch(model: _core.Model) -> nn.Module:
    """A module that computes what the model computes, in the data's units."""
    module = LSTMModule(model.config, model.scalers())
    module.load_state_dict(model.state_dict())
    return module.eval()


class LSTMModule(nn.Module):
    """``nn.LSTM`` named ``lstm`` and ``nn.Linear`` named ``fc``, between the scalers of the data.

    Parameters
    ----------
    config : dict
        A model's configuration.
    scalers : dict
        A model's scalers; kept as buffers outside of the state dict.
    """

    def __init__(self, config: dict[str, Any], scalers: dict[str, NDArray[Any]]) -> None:
        super().__init__()
        self.shape = (config["horizon"], config["n_targets"])
        self.normalize = config["normalize"]
        self.bidirectional = config["bidirectional"]
        self.lstm = nn.LSTM(
            config["n_features"],
            config["hidden_size"],
            config["num_layers"],
            batch_first=True,
            dropout=config["dropout"],
            bidirectional=config["bidirectional"],
        )
        self.fc = nn.Linear(config["hidden_size"] * (1 + config["bidirectional"]), self.shape[0] * self.shape[1])
        for name, values in scalers.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Windows (n, window_size, n_features) to forecasts, or a classifier's logits, (n, horizon, n_targets)."""
        x = ((windows - self.input_center) / self.input_scale).float()
        n_targets = self.shape[1]
        level = x[:, -1:, :n_targets]
        if self.normalize == "last":
            x = torch.cat([x[..., :n_targets] - level, x[..., n_targets:]], dim=-1)
        _, (state, _) = self.lstm(x)
        last = torch.cat([state[-2], state[-1]], dim=-1) if self.bidirectional else state[-1]
        y = self.fc(last).reshape(-1, *self.shape)
        if self.normalize == "last":
            y = y + level
        return y * self.output_scale + self.output_center
