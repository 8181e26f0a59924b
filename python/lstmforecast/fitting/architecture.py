"""The networks that can be chosen, each with its own parameters."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# What makes the core's parameters of each out of those of an estimator.
PARAMETERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "lstm": lambda _: {},
    "linear": lambda _: {},
    "attention": lambda own: {"num_heads": int(own["num_heads"])},
    "cnn_lstm": lambda own: {
        "kernel_sizes": kernel_sizes(own["kernel_size"]),
        "out_channels": int(own["out_channels"] or own["hidden_size"]),
    },
    "transformer": lambda own: {
        "num_heads": int(own["num_heads"]),
        "dim_feedforward": int(own["dim_feedforward"] or 4 * own["hidden_size"]),
        "causal": bool(own["causal"]),
    },
}


def to_core(parameters: Mapping[str, Any]) -> Any:
    """The architecture as the core names it, ``"lstm"`` or ``{"attention": {"num_heads": 4}}``, from an estimator's
    parameters.
    """
    name = parameters["architecture"]
    options = PARAMETERS[name](parameters)
    return {name: options} if options else name


def kernel_sizes(kernel_size: int | Sequence[int]) -> list[int]:
    """One for each convolution."""
    return [int(kernel_size)] if isinstance(kernel_size, numbers.Integral) else [int(size) for size in kernel_size]  # type: ignore[union-attr]


def of_core(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and parameters of the architecture of a model's configuration."""
    architecture = config["architecture"]
    if isinstance(architecture, str):
        return architecture, {}
    [(name, options)] = architecture.items()
    return name, options


def require_attention(config: Mapping[str, Any]) -> None:
    """Raise ValueError for a network whose attention can't be shown."""
    name, _ = of_core(config)
    if name != "attention":
        raise ValueError(f"expected architecture='attention' for attention_weights, got {name!r}")
