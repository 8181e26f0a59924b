"""The bridge to PyTorch; importing this module imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lstmforecast import _core
from lstmforecast.ensemble import Ensemble


def to_torch(model: _core.Model | Ensemble) -> nn.Module:
    """A module that computes what the model computes, in the data's units."""
    if isinstance(model, Ensemble):
        return Mean(to_torch(member) for member in model.members).eval()
    module = LSTMModule(model.config, model.scalers())
    module.load_state_dict(model.state_dict())
    return module.eval()


class Mean(nn.Module):
    """The mean of several modules' outputs."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, windows: Tensor) -> Tensor:
        """As each of them."""
        return torch.stack([member(windows) for member in self.members]).mean(0)


class LSTMModule(nn.Module):
    """``nn.LSTM`` named ``lstm`` and ``nn.Linear`` named ``fc``, between the scalers of the data; beside them, with
    ``linear_skip``, an ``nn.Linear`` named ``skip``, or that alone.

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
        self.independent = config["channels"] == "independent"
        n_targets = 1 if self.independent else config["n_targets"]
        n_features = config["n_features"] - config["n_targets"] + n_targets
        self.lstm: nn.LSTM | None = None
        self.fc: nn.Linear | None = None
        self.skip: nn.Linear | None = None
        if config["architecture"] == "lstm":
            self.lstm = nn.LSTM(
                config["segment_length"] * n_features,
                config["hidden_size"],
                config["num_layers"],
                batch_first=True,
                dropout=config["dropout"],
                bidirectional=config["bidirectional"],
            )
            self.fc = nn.Linear(config["hidden_size"] * (1 + config["bidirectional"]), self.shape[0] * n_targets)
        if config["linear_skip"]:
            self.skip = nn.Linear(config["window_size"], self.shape[0])
        for name, values in scalers.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Windows (n, window_size, n_features) to forecasts, or a classifier's logits, (n, horizon, n_targets)."""
        x = ((windows - self.input_center) / self.input_scale).float()
        n_targets = self.shape[1]
        level = x[:, -1:, :n_targets]
        if self.normalize == "last":
            x = torch.cat([x[..., :n_targets] - level, x[..., n_targets:]], dim=-1)
        if self.independent:
            each = [torch.cat([x[..., at : at + 1], x[..., n_targets:]], dim=-1) for at in range(n_targets)]
            y = torch.cat([self.network(channel, 1) for channel in each], dim=-1)
        else:
            y = self.network(x, n_targets)
        if self.normalize == "last":
            y = y + level
        return y * self.output_scale + self.output_center

    def network(self, x: Tensor, n_targets: int) -> Tensor:
        """Scaled windows (n, window_size, features) to scaled forecasts (n, horizon, n_targets)."""
        ways = []
        if self.lstm is not None and self.fc is not None:
            _, (state, _) = self.lstm(x.reshape(len(x), -1, self.lstm.input_size))
            last = torch.cat([state[-2], state[-1]], dim=-1) if self.bidirectional else state[-1]
            ways.append(self.fc(last).reshape(len(x), -1, n_targets))
        if self.skip is not None:
            ways.append(self.skip(x[..., :n_targets].transpose(1, 2)).transpose(1, 2))
        return torch.stack(ways).sum(0)
