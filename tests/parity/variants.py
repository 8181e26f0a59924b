"""The other networks as plain PyTorch modules, written as a tutorial would, without a thought for speed."""

from __future__ import annotations

import math
from typing import Any

import torch
from tests.parity.networks import CONFIG, Plain, randomised
from torch import nn

from lstmforecast import _core


class Attention(nn.Module):
    """``nn.LSTM``, ``nn.MultiheadAttention`` of all outputs to all, the sum of both normalised, the last step."""

    def __init__(self, config: dict[str, Any], num_heads: int) -> None:
        super().__init__()
        size = config["hidden_size"] * (1 + config["bidirectional"])
        self.lstm = Plain(config).lstm
        self.attention = nn.MultiheadAttention(size, num_heads, batch_first=True)
        self.norm = nn.LayerNorm(size)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.lstm(steps)
        attended, self.weights = self.attention(outputs, outputs, outputs, average_attn_weights=False)
        return self.norm(outputs + attended)[:, -1]


class Convolved(nn.Module):
    """``nn.Conv1d`` and rectifiers over the steps, then ``nn.LSTM``, its last state."""

    def __init__(self, config: dict[str, Any], kernel_sizes: list[int], out_channels: int) -> None:
        super().__init__()
        n_inputs = config["segment_length"] * config["n_features"]
        self.conv = nn.ModuleList()
        for kernel_size in kernel_sizes:
            self.conv.append(nn.Conv1d(n_inputs, out_channels, kernel_size, padding="same"))
            n_inputs = out_channels
        self.lstm = Plain(config | {"segment_length": 1, "n_features": out_channels}).lstm

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        x = steps.transpose(1, 2)
        for conv in self.conv:
            x = torch.relu(conv(x))
        _, (state, _) = self.lstm(x.transpose(1, 2))
        return torch.cat([state[-2], state[-1]], dim=1) if self.lstm.bidirectional else state[-1]


class Transformer(nn.Module):
    """``nn.Linear``, sines and cosines, ``nn.TransformerEncoder``, the last step."""

    def __init__(self, config: dict[str, Any], num_heads: int, dim_feedforward: int, causal: bool) -> None:
        super().__init__()
        size = config["hidden_size"]
        self.causal = causal
        self.embedding = nn.Linear(config["segment_length"] * config["n_features"], size)
        layer = nn.TransformerEncoderLayer(size, num_heads, dim_feedforward, 0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(
            layer, config["num_layers"], nn.LayerNorm(size), enable_nested_tensor=False
        )

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        n, size = steps.shape[1], self.embedding.out_features
        positions = torch.tensor([[wave(step, unit, size) for unit in range(size)] for step in range(n)])
        mask = nn.Transformer.generate_square_subsequent_mask(n) if self.causal else None
        return self.encoder(self.embedding(steps) + positions, mask)[:, -1]


def wave(step: int, unit: int, size: int) -> float:
    """As the paper writes it: sin(pos / 10000^(2i/d)) in place 2i, cos of the same in place 2i + 1."""
    angle = step / 10_000 ** ((unit - unit % 2) / size)
    return math.cos(angle) if unit % 2 else math.sin(angle)


BODIES = {"attention": Attention, "cnn_lstm": Convolved, "transformer": Transformer}


class PlainVariant(nn.Module):
    """A body over the steps of windows, ``nn.Linear`` named ``fc``, perhaps a linear forecast of each target beside."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        [(name, options)] = config["architecture"].items()
        body = BODIES[name](config, **options)
        for part, module in body.named_children():
            self.add_module(part, module)
        plain = Plain(config | {"architecture": "lstm"})
        self.fc = plain.fc
        if config["linear_skip"]:
            self.skip = plain.skip
        self.body = [body]  # a list, so that its parameters are not counted twice

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        size = self.config["segment_length"] * self.config["n_features"]
        output = self.fc(self.body[0](windows.reshape(len(windows), -1, size)))
        if not self.config["linear_skip"]:
            return output
        targets = windows[:, :, : self.config["n_targets"]].transpose(1, 2)
        return output + self.skip(targets).transpose(1, 2).flatten(1)


def variant_pair(architecture: dict[str, Any], **changes: Any) -> tuple[_core.Model, PlainVariant]:
    """A model and a plain module that has loaded its weights with ``strict=True``."""
    config = CONFIG | {"architecture": architecture} | changes
    model, module = _core.Model(config), PlainVariant(config)
    randomised(model)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.parameters().items()}, strict=True)
    return model, module
