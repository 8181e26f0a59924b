"""The layers of each network as modules of `torch.nn`; importing this module imports torch.

For each architecture, a function adds the layers to a module under the names of the state dict and returns how many
numbers the head reads, and another takes the steps of windows (n, steps, input_size) to these numbers (n, state_size).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lstmforecast.contract.core_options import ModelConfig


def add_lstm(module: nn.Module, config: ModelConfig, input_size: int) -> int:
    """``lstm``."""
    module.lstm = nn.LSTM(
        input_size,
        config["hidden_size"],
        config["num_layers"],
        batch_first=True,
        dropout=config["dropout"],
        bidirectional=config["bidirectional"],
    )
    return int(config["hidden_size"] * (1 + config["bidirectional"]))


def last_state(module: Any, steps: Tensor) -> Tensor:
    """The last hidden state of the last layer, in each direction."""
    _, (state, _) = module.lstm(steps)
    return torch.cat([state[-2], state[-1]], dim=-1) if module.lstm.bidirectional else state[-1]


def add_attention(module: nn.Module, config: ModelConfig, input_size: int, num_heads: int) -> int:
    """``lstm``, ``attention`` over its outputs, ``norm`` of the sum of both."""
    size = add_lstm(module, config, input_size)
    module.attention = nn.MultiheadAttention(size, num_heads, config["dropout"], batch_first=True)
    module.norm = nn.LayerNorm(size)
    module.dropout = nn.Dropout(config["dropout"])
    return size


def attended_state(module: Any, steps: Tensor) -> Tensor:
    """The last step of the attention layer's output: no other query is needed."""
    outputs, _ = module.lstm(steps)
    last = outputs[:, -1:]
    attended, _ = module.attention(last, outputs, outputs, need_weights=False)
    normed: Tensor = module.norm(last + module.dropout(attended))
    return normed[:, 0]


def add_cnn_lstm(
    module: nn.Module, config: ModelConfig, input_size: int, kernel_sizes: list[int], out_channels: int
) -> int:
    """``conv``, a list of convolutions, and ``lstm``."""
    sizes = zip([input_size] + [out_channels] * len(kernel_sizes), kernel_sizes, strict=False)
    module.conv = nn.ModuleList([nn.Conv1d(n, out_channels, kernel_size) for n, kernel_size in sizes])
    module.dropout = nn.Dropout(config["dropout"])
    return add_lstm(module, config, out_channels)


def convolved_state(module: Any, steps: Tensor) -> Tensor:
    """The last hidden state of the LSTM after the convolutions, which keep the number of steps."""
    x = steps.transpose(1, 2)
    for conv in module.conv:
        more = conv.kernel_size[0] - 1
        # as padding="same", which warns for even kernels
        x = module.dropout(conv(nn.functional.pad(x, (more // 2, more - more // 2))).relu())
    return last_state(module, x.transpose(1, 2))


def add_transformer(
    module: nn.Module, config: ModelConfig, input_size: int, num_heads: int, dim_feedforward: int, causal: bool
) -> int:
    """``embedding`` of the steps and ``encoder``."""
    size: int = config["hidden_size"]
    module.embedding = nn.Linear(input_size, size)
    layer = nn.TransformerEncoderLayer(
        size, num_heads, dim_feedforward, config["dropout"], batch_first=True, norm_first=True
    )
    # nested tensors are for sequences of unequal length
    module.encoder = nn.TransformerEncoder(
        layer, config["num_layers"], norm=nn.LayerNorm(size), enable_nested_tensor=False
    )
    rows = config["window_size"] + (config["horizon"] if config["n_known"] else 0)
    steps = -(-rows // config["segment_length"])
    module.register_buffer("positions", positions(steps, size), persistent=False)
    mask = nn.Transformer.generate_square_subsequent_mask(steps) if causal else None
    module.register_buffer("mask", mask, persistent=False)
    return size


def positions(steps: int, size: int) -> Tensor:
    """Positional encoding: sines at even and cosines at odd positions (Vaswani et al. 2017): (steps, size)."""
    units = torch.arange(size)
    angles = torch.arange(steps, dtype=torch.float64)[:, None] / 10_000 ** (units // 2 * 2 / size).double()
    return torch.where(units % 2 == 0, angles.sin(), angles.cos()).float()


def encoded_state(module: Any, steps: Tensor) -> Tensor:
    """The encoder's output at the last step."""
    # given, as PyTorch would otherwise read the mask, which an export can't
    is_causal = module.mask is not None
    embedded = module.embedding(steps) + module.positions
    encoded: Tensor = module.encoder(embedded, mask=module.mask, is_causal=is_causal)
    return encoded[:, -1]


NETWORKS: dict[str, tuple[Callable[..., int], Callable[[Any, Tensor], Tensor]]] = {
    "lstm": (add_lstm, last_state),
    "attention": (add_attention, attended_state),
    "cnn_lstm": (add_cnn_lstm, convolved_state),
    "transformer": (add_transformer, encoded_state),
}
