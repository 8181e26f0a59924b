"""The rules for the estimators' parameters, each broken rule answered by one sentence."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lstmforecast.checkpoint import check_checkpoint
from lstmforecast.index import parse_frequency

SCALERS = ("standard", "minmax", "robust")


@dataclass(frozen=True)
class _Number:
    """A number of a kind within bounds; ``None`` where allowed."""

    kind: Any  # numbers.Integral or numbers.Real
    low: float
    high: float = float("inf")
    low_included: bool = True
    high_included: bool = False
    none: bool = False
    word: str | None = None

    def check(self, name: str, value: Any) -> None:
        if (value is None and self.none) or (isinstance(value, str) and value == self.word):
            return
        if isinstance(value, bool) or not isinstance(value, self.kind):
            raise TypeError(f"expected {name} to be {self._words()}, got {value!r}")
        above = value >= self.low if self.low_included else value > self.low
        below = value <= self.high if self.high_included else value < self.high
        if not (above and below):
            raise ValueError(f"expected {name} to be {self._words()}, got {value!r}")

    def _words(self) -> str:
        what = "an integer" if self.kind is numbers.Integral else "a number"
        bounds = f"of at least {self.low:g}" if self.low_included else f"above {self.low:g}"
        if self.high != float("inf"):
            bounds += f" and {'at most' if self.high_included else 'below'} {self.high:g}"
        return f"{what} {bounds}" + (f", {self.word!r}" if self.word else "") + (" or None" if self.none else "")


@dataclass(frozen=True)
class _Choice:
    """One of a few words."""

    options: tuple[Any, ...]

    def check(self, name: str, value: Any) -> None:
        if not any(value is option or (isinstance(value, str) and value == option) for option in self.options):
            words = [repr(option) for option in self.options]
            wanted = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
            raise ValueError(f"expected {name} to be {wanted}, got {value!r}")


_INTEGER, _REAL = numbers.Integral, numbers.Real
_RULES: dict[str, _Number | _Choice] = {
    "horizon": _Number(_INTEGER, 1),
    "window_size": _Number(_INTEGER, 1, none=True),
    "n_features_per_step": _Number(_INTEGER, 1),
    "stride": _Number(_INTEGER, 1),
    "n_estimators": _Number(_INTEGER, 1),
    "segment_length": _Number(_INTEGER, 1, none=True),
    "tbptt": _Number(_INTEGER, 1, none=True),
    "linear_skip": _Choice((None, False, True)),
    "supervision": _Choice(("last", "every")),
    "channels": _Choice(("together", "independent")),
    "normalize": _Choice((None, "last", "window")),
    "transform": _Choice((None, "log")),
    "head": _Choice(("direct", "recursive")),
    "missing": _Choice(("error", "mask", "ffill", "interpolate")),
    "adaptation_rate": _Number(_REAL, 0, 1),
    "hidden_size": _Number(_INTEGER, 1),
    "num_layers": _Number(_INTEGER, 1),
    "num_heads": _Number(_INTEGER, 1),
    "out_channels": _Number(_INTEGER, 1, none=True),
    "dim_feedforward": _Number(_INTEGER, 1, none=True),
    "causal": _Choice((False, True)),
    "bidirectional": _Choice((False, True)),
    "dropout": _Number(_REAL, 0, 1),
    "optimizer": _Choice(("adam", "adamw")),
    "learning_rate": _Number(_REAL, 0, low_included=False),
    "weight_decay": _Number(_REAL, 0),
    "batch_size": _Number(_INTEGER, 1),
    "accumulate_grad_batches": _Number(_INTEGER, 1),
    "max_epochs": _Number(_INTEGER, 1),
    "steps_per_epoch": _Number(_INTEGER, 1, none=True, word="auto"),
    "patience": _Number(_INTEGER, 1, none=True),
    "min_delta": _Number(_REAL, 0),
    "lr_schedule": _Choice(("constant", "plateau", "cosine", "onecycle")),
    "lr_patience": _Number(_INTEGER, 0, none=True),
    "lr_factor": _Number(_REAL, 0, 1, low_included=False),
    "clip_grad_norm": _Number(_REAL, 0, low_included=False, none=True),
    "clip_grad_value": _Number(_REAL, 0, low_included=False, none=True),
    "validation_fraction": _Number(_REAL, 0, 1, none=True),
    "warm_start": _Choice((False, True)),
    "backend": _Choice(("auto", "fused", "torch")),
    "n_threads": _Number(_INTEGER, 1, none=True),
    "distributed": _Choice((False, True)),
    "distributed_timeout": _Number(_REAL, 0, low_included=False),
    "verbose": _Number(_INTEGER, 0),
}


def check_parameters(
    parameters: Mapping[str, Any], losses: tuple[str | None, ...], architectures: tuple[str, ...]
) -> None:
    """Raise TypeError or ValueError, with one sentence, for the first parameter that makes no sense."""
    rules = _RULES | {"loss": _Choice(losses), "architecture": _Choice(architectures)}
    for name, value in parameters.items():
        if name in rules:
            rules[name].check(name, value)
    if parameters.get("distributed") and parameters.get("n_estimators", 1) > 1:
        raise ValueError(
            "expected n_estimators=1 with distributed=True, whose processes train one network together, "
            f"got {parameters['n_estimators']}"
        )
    if parameters.get("distributed") and parameters.get("checkpoint") is not None:
        raise ValueError(
            "expected checkpoint=None with distributed=True, whose processes would write the same files, got "
            f"{parameters['checkpoint']!r}"
        )
    if parameters.get("freq") is not None:
        parse_frequency(parameters["freq"])
    if parameters.get("quantiles") is not None:
        _check_levels(parameters["quantiles"])
    if not isinstance(parameters.get("holidays"), str | None):
        raise TypeError(f"expected holidays to be a country code or None, got {parameters['holidays']!r}")
    _check_kernel_size(parameters["kernel_size"])
    _check_scaler(parameters["scaler"])
    _check_device("device", parameters["device"])
    _check_layer_devices(parameters["layer_devices"])
    _check_callbacks(parameters["callbacks"])
    check_checkpoint(parameters["checkpoint"])


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Check that a method's parameter is an integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"expected {name} to be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"expected {name} to be at least {least}, got {value}")
    return int(value)


def _check_scaler(scaler: Any) -> None:
    if isinstance(scaler, str) or scaler is None:
        _Choice((None, *SCALERS)).check("scaler", scaler)
    elif not (hasattr(scaler, "fit") and hasattr(scaler, "transform")) or isinstance(scaler, type):
        raise TypeError(f"expected scaler to be None, one of {SCALERS} or a scaler object, got {scaler!r}")


def _check_kernel_size(kernel_size: Any) -> None:
    sizes = [kernel_size] if isinstance(kernel_size, numbers.Integral) else kernel_size
    if not isinstance(sizes, Sequence) or isinstance(sizes, str) or not len(sizes):
        raise TypeError(f"expected kernel_size to be an integer or a list of integers, got {kernel_size!r}")
    for size in sizes:
        _Number(_INTEGER, 1).check("kernel_size", size)


def _check_levels(quantiles: Any) -> None:
    levels: list[Any] = (
        list(quantiles) if isinstance(quantiles, Iterable) and not isinstance(quantiles, str) else [None]
    )
    if not all(isinstance(level, numbers.Real) and not isinstance(level, bool) for level in levels):
        raise TypeError(f"expected quantiles to be a list of numbers or None, got {quantiles!r}")
    if not levels or not all(0 < level < 1 for level in levels) or sorted(set(levels)) != levels:
        raise ValueError(f"expected quantiles between 0 and 1 in ascending order, got {quantiles!r}")


def _check_device(name: str, device: Any) -> None:
    if not isinstance(device, str) or device.split(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"expected {name} to be 'cpu', 'cuda' or 'cuda:N', got {device!r}")


def _check_layer_devices(devices: Any) -> None:
    if devices is None:
        return
    if isinstance(devices, str) or not isinstance(devices, Sequence):
        raise TypeError(f"expected layer_devices to be a list of devices or None, got {devices!r}")
    for device in devices:
        _check_device("each of layer_devices", device)


def _check_callbacks(callbacks: Iterable[Callable[..., Any]] | None) -> None:
    if callbacks is None:
        return
    if isinstance(callbacks, str) or not isinstance(callbacks, Iterable) or not all(map(callable, callbacks)):
        raise TypeError(f"expected callbacks to be a list of functions of one epoch's record, got {callbacks!r}")
