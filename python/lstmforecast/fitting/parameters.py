"""The rules for the estimators' parameters, each broken rule answered by one sentence."""

from __future__ import annotations

import numbers
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lstmforecast import _core
from lstmforecast.contract.plain import plain
from lstmforecast.contract.rules import MOST, N_THREADS, Choice, Number
from lstmforecast.data.index import parse_frequency
from lstmforecast.fitting.checkpoint import check_checkpoint

SCALERS = ("standard", "minmax", "robust")
# Steps that are forecast at a call, and paths that are drawn: more would take hours and all memory.
MOST_STEPS = 10**6
# Fits at a time, each in at least one thread.
MOST_JOBS = 1000


_INTEGER, _REAL = numbers.Integral, numbers.Real
_RULES: dict[str, Number | Choice] = {
    "horizon": Number(_INTEGER, 1),
    "window_size": Number(_INTEGER, 1, none=True),
    "n_features_per_step": Number(_INTEGER, 1),
    "stride": Number(_INTEGER, 1),
    "n_estimators": Number(_INTEGER, 1, 1000, high_included=True),
    "segment_length": Number(_INTEGER, 1, none=True),
    "tbptt": Number(_INTEGER, 1, none=True),
    "linear_skip": Choice((None, False, True)),
    "mix_naive": Choice((False, True)),
    "supervision": Choice(("last", "every")),
    "channels": Choice(("together", "independent")),
    "normalize": Choice((None, "last", "window", "auto")),
    "transform": Choice((None, "log", "auto")),
    "non_negative": Choice(("auto", True, False)),
    "head": Choice(("direct", "recursive")),
    "missing": Choice(("error", "mask", "ffill", "interpolate")),
    "adaptation_rate": Number(_REAL, 0, 1),
    "tweedie_power": Number(_REAL, 1.05, 1.95, high_included=True),
    "embed": Number(_INTEGER, 2, none=True),
    "hidden_size": Number(_INTEGER, 1),
    "num_layers": Number(_INTEGER, 1, 1000, high_included=True),
    "num_heads": Number(_INTEGER, 1),
    "out_channels": Number(_INTEGER, 1, none=True),
    "dim_feedforward": Number(_INTEGER, 1, none=True),
    "causal": Choice((False, True)),
    "strict": Choice((False, True)),
    "bidirectional": Choice((False, True)),
    "dropout": Number(_REAL, 0, 1),
    "optimizer": Choice(("adam", "adamw")),
    "learning_rate": Number(_REAL, 0, low_included=False),
    "weight_decay": Number(_REAL, 0),
    "batch_size": Number(_INTEGER, 1),
    "accumulate_grad_batches": Number(_INTEGER, 1),
    "max_epochs": Number(_INTEGER, 1),
    "steps_per_epoch": Number(_INTEGER, 1, none=True, word="auto"),
    "patience": Number(_INTEGER, 1, none=True),
    "min_delta": Number(_REAL, 0),
    "lr_schedule": Choice(("constant", "plateau", "cosine", "onecycle")),
    "lr_patience": Number(_INTEGER, 0, none=True),
    "lr_factor": Number(_REAL, 0, 1, low_included=False),
    "clip_grad_norm": Number(_REAL, 0, low_included=False, none=True),
    "clip_grad_value": Number(_REAL, 0, low_included=False, none=True),
    "validation_fraction": Number(_REAL, 0, 1, none=True),
    "warm_start": Choice((False, True)),
    "yearly": Choice(("auto", True, False)),
    "backend": Choice(("auto", "fused", "torch")),
    "precision": Choice(("float32", "bfloat16")),
    "n_threads": N_THREADS,
    "distributed": Choice((False, True)),
    "distributed_timeout": Number(_REAL, 0, 1e9, low_included=False, high_included=True),
    "verbose": Number(_INTEGER, 0),
}


def check_parameters(
    parameters: Mapping[str, Any],
    shown: Mapping[str, str],
    losses: tuple[str | None, ...],
    architectures: tuple[str, ...],
    calibrations: tuple[str | None, ...],
) -> None:
    """Raise TypeError or ValueError, with one sentence, for the first invalid flat parameter.

    ``shown`` is what messages call a parameter, where that isn't its name.
    """
    words = {"loss": losses, "architecture": architectures, "calibration": calibrations}
    rules = _RULES | {name: Choice(each) for name, each in words.items()}
    for name, value in parameters.items():
        if name in rules:
            rules[name].check(shown.get(name, name), value)
    if parameters.get("distributed") and parameters.get("n_estimators", 1) > 1:
        raise ValueError(
            "expected n_estimators=1 with Device(distributed=True), whose processes train one network together, "
            f"got {parameters['n_estimators']}"
        )
    if parameters.get("freq") is not None:
        parse_frequency(parameters["freq"])
    if parameters.get("quantiles") is not None:
        _check_levels(shown.get("quantiles", "quantiles"), parameters["quantiles"])
    if not isinstance(parameters.get("holidays"), str | None):
        raise TypeError(f"expected holidays to be a country code or None, got {parameters['holidays']!r}")
    _check_kernel_size(parameters["kernel_size"])
    _check_scaler(parameters["scaler"])
    _check_device(shown.get("device", "device"), parameters["device"])
    _check_layer_devices(parameters["layer_devices"])
    check_callbacks(parameters["callbacks"])
    check_checkpoint(parameters["checkpoint"])


def check_count(name: str, value: Any, least: int = 1, most: int = MOST) -> int:
    """Check that a method's parameter is an integer from ``least`` to ``most``."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected {name} to be an integer, got {reprlib.repr(value)}")
    if value < least:
        raise ValueError(f"expected {name} to be at least {least}, got {value}")
    if value > most:
        raise ValueError(f"expected {name} to be at most {most}, got {value}")
    return value


def check_missing(missing: Any) -> None:
    """Check the parameter ``missing``."""
    _RULES["missing"].check("missing", plain(missing))


def check_jobs(n_jobs: Any) -> int | None:
    """Check how many fits are to run at a time, as scikit-learn counts them."""
    n_jobs = plain(n_jobs)
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0):
        raise ValueError(f"expected n_jobs to be None or an integer other than 0, got {n_jobs!r}")
    if n_jobs is not None and abs(n_jobs) > MOST_JOBS:
        raise ValueError(f"expected n_jobs to be at most {MOST_JOBS}, got {n_jobs}")
    return n_jobs


def _check_scaler(scaler: Any) -> None:
    if isinstance(scaler, str) or scaler is None:
        Choice((None, *SCALERS)).check("scaler", scaler)
    elif not (hasattr(scaler, "fit") and hasattr(scaler, "transform")) or isinstance(scaler, type):
        raise TypeError(f"expected scaler to be None, one of {SCALERS} or a scaler object, got {scaler!r}")


def _check_kernel_size(kernel_size: Any) -> None:
    sizes = [kernel_size] if isinstance(kernel_size, numbers.Integral) else kernel_size
    if not isinstance(sizes, Sequence) or isinstance(sizes, str) or not len(sizes):
        raise TypeError(f"expected kernel_size to be an integer or a list of integers, got {kernel_size!r}")
    for size in sizes:
        Number(_INTEGER, 1).check("kernel_size", size)


def _check_levels(name: str, quantiles: Any) -> None:
    levels: list[Any] = (
        list(quantiles) if isinstance(quantiles, Iterable) and not isinstance(quantiles, str) else [None]
    )
    if not all(isinstance(level, numbers.Real) and not isinstance(level, bool) for level in levels):
        raise TypeError(f"expected {name} to be a list of numbers or None, got {quantiles!r}")
    if not levels or not all(0 < level < 1 for level in levels) or sorted(set(levels)) != levels:
        raise ValueError(f"expected {name} between 0 and 1 in ascending order, got {quantiles!r}")


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


def check_installed(parameters: Mapping[str, Any]) -> None:
    """Raise an ImportError, with one sentence, for a flat parameter that needs libtorch where it is missing."""
    architecture, device = parameters["architecture"], parameters["device"]
    for option, needs_it in (
        (f"architecture={architecture!r}", architecture not in ("lstm", "linear")),
        (f"device={device!r}", device != "cpu"),
        ("backend='torch'", parameters["backend"] == "torch"),
        ("precision='bfloat16'", parameters["precision"] == "bfloat16"),
        ("layer_devices", parameters["layer_devices"] is not None),
    ):
        if needs_it:
            _core.require_torch(option)


def check_callbacks(callbacks: Iterable[Callable[..., Any]] | None) -> None:
    """Check that callbacks are functions, or none."""
    if callbacks is None:
        return
    if isinstance(callbacks, str) or not isinstance(callbacks, Iterable) or not all(map(callable, callbacks)):
        raise TypeError(f"expected callbacks to be a list of functions of one epoch's record, got {callbacks!r}")
