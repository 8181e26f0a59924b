"""The networks that can be chosen, each with its own parameters."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from lstmforecast.contract.parameter_group import GroupedParameter, ParameterGroup


@dataclass(eq=False, repr=False)
class Architecture(ParameterGroup):
    """What all networks share; not for use on its own."""

    _: KW_ONLY
    head: str = "direct"


@dataclass(eq=False, repr=False)
class Linear(Architecture):
    """A linear forecast from the window (NLinear), solved by least squares: a baseline without an LSTM.

    Parameters
    ----------
    head : {"direct", "recursive"}, default="direct"
        As in `LSTM`.

    Examples
    --------
    >>> from lstmforecast import Linear, LSTMForecaster
    >>> LSTMForecaster(24, architecture=Linear(head="recursive"))
    LSTMForecaster(architecture=Linear(head='recursive'), horizon=24)
    """

    word: ClassVar[str] = "linear"


@dataclass(eq=False, repr=False)
class Network(Architecture):
    """What the trained networks share; not for use on its own."""

    _: KW_ONLY
    segment_length: int | None = None
    linear_skip: bool | None = None
    embed: int | None = 12
    mix_naive: bool = True


@dataclass(eq=False, repr=False)
class LSTM(Network):
    """LSTM layers, whose last state the output layer reads.

    Parameters
    ----------
    bidirectional : bool, default=False
        Read each window in both directions.
    segment_length : int or None, default=None
        Rows that the network reads as one step, as in SegRNN; a divisor of the window. None: for `LSTMForecaster` a
        season if the window has several, so that an hourly series is read day by day; otherwise 1.
    tbptt : int or None, default=None
        Truncated backpropagation through time: the LSTM reads whole windows, but gradients are computed for its last
        ``tbptt`` steps (segments) only, which saves memory. With ``supervision="every"``, windows are cut into parts of
        ``tbptt`` steps, counted from the end, each with its losses; libtorch keeps all parts in memory. None: all
        steps. Not with ``bidirectional``.
    linear_skip : bool or None, default=None
        Add a linear forecast from the window (NLinear, the same for all variables) to the network's, which then learns
        the remainder. None: True, except with ``supervision="every"``. For `LSTMForecaster` only.
    embed : int or None, default=12
        Read columns of words with at least this many categories as learned vectors (embeddings): ``round(sqrt(n))``
        numbers for ``n`` categories, in place of ``n`` columns of 0 and 1. None: no column. For `LSTMForecaster` only.
    mix_naive : bool, default=True
        Mix the forecast with the linear one, the seasonal naive one and the last value, by shares that sum to 1 and err
        least on the held-out rows (``shares_``). Where these are few, the share of the linear forecast is near 1.
        Without effect where nothing is held out because ``early_stopping`` says so, without ``linear_skip``, with
        another ``normalize`` than ``"last"``, and with distributions of values from 0 on. For `LSTMForecaster` only.
    supervision : {"last", "every"}, default="last"
        ``"last"``: the training loss is that of the forecast after the last step of a window. ``"every"``: after each
        step of the LSTM the ``horizon`` rows that follow are forecast, and the training loss is the mean of all.
        With short segments ``"every"`` reaches the same validation loss (always that of the last step) in fewer
        optimiser steps. The window is then normalised by the level of its first step, and each forecast by the level
        known so far, so that no step reads the future. Not with ``linear_skip``, ``bidirectional``,
        ``normalize="window"`` or covariates known in advance. For `LSTMForecaster` only.
    head : {"direct", "recursive"}, default="direct"
        Forecast the whole horizon at once, or one step at a time, which is appended to the window for the next. For
        `LSTMForecaster` only.

    Examples
    --------
    >>> from lstmforecast import LSTM, LSTMForecaster
    >>> forecaster = LSTMForecaster(24, architecture=LSTM(segment_length=24))
    >>> forecaster.set_params(architecture__linear_skip=False)
    LSTMForecaster(architecture=LSTM(linear_skip=False, segment_length=24),
                   horizon=24)
    """

    word: ClassVar[str] = "lstm"
    _: KW_ONLY
    bidirectional: bool = False
    tbptt: int | None = None
    supervision: str = "last"


@dataclass(eq=False, repr=False)
class Attention(Network):
    """LSTM layers, and multi-head self-attention over their states.

    Parameters
    ----------
    num_heads : int, default=4
        Attention heads, a divisor of ``hidden_size``.
    bidirectional, segment_length, tbptt, linear_skip, embed, mix_naive, head
        As in `LSTM`.

    Examples
    --------
    >>> from lstmforecast import Attention, LSTMClassifier
    >>> LSTMClassifier(architecture=Attention(num_heads=8))
    LSTMClassifier(architecture=Attention(num_heads=8))
    """

    word: ClassVar[str] = "attention"
    num_heads: int = 4
    _: KW_ONLY
    bidirectional: bool = False
    tbptt: int | None = None


@dataclass(eq=False, repr=False)
class CNNLSTM(Network):
    """Convolutions over the steps, and LSTM layers after them.

    Parameters
    ----------
    kernel_size : int or list of int, default=5
        Steps that a convolution reads; a list has one number for each convolution.
    out_channels : int or None, default=None
        Output channels of each convolution. None: ``hidden_size``.
    bidirectional, segment_length, tbptt, linear_skip, embed, mix_naive, head
        As in `LSTM`.

    Examples
    --------
    >>> from lstmforecast import CNNLSTM, LSTMClassifier
    >>> LSTMClassifier(architecture=CNNLSTM(kernel_size=[7, 3]))
    LSTMClassifier(architecture=CNNLSTM(kernel_size=[7, 3]))
    """

    word: ClassVar[str] = "cnn_lstm"
    kernel_size: int | Sequence[int] = 5
    out_channels: int | None = None
    _: KW_ONLY
    bidirectional: bool = False
    tbptt: int | None = None


@dataclass(eq=False, repr=False)
class Transformer(Network):
    """A Transformer's encoder with ``num_layers`` layers in place of the LSTM; segments are its patches (PatchTST).

    Parameters
    ----------
    num_heads : int, default=4
        Attention heads, a divisor of ``hidden_size``.
    dim_feedforward : int or None, default=None
        Width of the feed-forward layers. None: four times ``hidden_size``.
    causal : bool, default=False
        Each step attends to itself and earlier steps only. Without effect with ``num_layers=1``, where the forecast
        depends on the attention of the last step alone.
    segment_length, linear_skip, embed, mix_naive, head
        As in `LSTM`.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster, Transformer
    >>> LSTMForecaster(24, architecture=Transformer(num_heads=8, segment_length=12))
    LSTMForecaster(architecture=Transformer(num_heads=8, segment_length=12),
                   horizon=24)
    """

    word: ClassVar[str] = "transformer"
    num_heads: int = 4
    dim_feedforward: int | None = None
    causal: bool = False


ARCHITECTURE = GroupedParameter(
    "architecture", LSTM, Linear, Attention, CNNLSTM, Transformer, example="Attention(num_heads=8)"
)
# of regressor and classifier, which forecast nothing
ARCHITECTURE_OF_WINDOWS = GroupedParameter(
    "architecture", LSTM, Attention, CNNLSTM, Transformer, example="Attention(num_heads=8)"
)


def to_core(parameters: Mapping[str, Any]) -> Any:
    """The architecture as the core names it, ``"lstm"`` or ``{"attention": {"num_heads": 4}}``, from an estimator's
    flat parameters.
    """
    name, hidden_size = parameters["architecture"], parameters["hidden_size"]
    if name == "attention":
        return {name: {"num_heads": int(parameters["num_heads"])}}
    if name == "cnn_lstm":
        channels = int(parameters["out_channels"] or hidden_size)
        return {name: {"kernel_sizes": kernel_sizes(parameters["kernel_size"]), "out_channels": channels}}
    if name == "transformer":
        width = int(parameters["dim_feedforward"] or 4 * hidden_size)
        heads, causal = int(parameters["num_heads"]), bool(parameters["causal"])
        return {name: {"num_heads": heads, "dim_feedforward": width, "causal": causal}}
    return name


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
