"""Converts an estimator's parameters for the core: configuration of the network, training options, seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from lstmforecast import _core
from lstmforecast.augment import as_options
from lstmforecast.contract.core_options import ModelConfig, ModelDefaults, TrainingOptions, TrainingOverrides
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.distributed import local_device
from lstmforecast.fitting import checkpoint
from lstmforecast.fitting.architecture import to_core
from lstmforecast.fitting.ensemble import Ensemble

if TYPE_CHECKING:
    from typing_extensions import Unpack

Number = TypeVar("Number", int, float)
# Options that must be equal to continue with the weights of another network.
_SAME = (
    "n_estimators",
    "architecture",
    "hidden_size",
    "num_layers",
    "bidirectional",
    "horizon",
    "n_features",
    "n_targets",
)


def fit_seed(parameters: Mapping[str, Any]) -> int:
    """The seed of a fit: an integer ``random_state`` gives the same one each time; without ``random_state`` it is that
    of the checkpoint from which the fit continues.
    """
    if parameters["random_state"] is None:
        saved = checkpoint.saved_seed(parameters["checkpoint"], parameters.get("n_estimators", 1))
        if saved is not None:
            return saved
    return draw_seed(parameters["random_state"])


def new_network(
    parameters: Mapping[str, Any],
    present: _core.Model | Ensemble | None,
    *,
    window_size: int,
    horizon: int,
    n_features: int,
    n_targets: int,
    seed: int,
    **network: Unpack[ModelDefaults],
) -> _core.Model | Ensemble:
    """An untrained network, or with ``warm_start`` one with the weights of the ``present`` one."""
    device, devices = parameters["device"], parameters["layer_devices"]
    config: ModelConfig = {
        "architecture": to_core(parameters),
        "hidden_size": parameters["hidden_size"],
        "num_layers": parameters["num_layers"],
        "bidirectional": parameters["bidirectional"],
        "dropout": parameters["dropout"],
        "window_size": window_size,
        "horizon": horizon,
        "n_features": n_features,
        "n_targets": n_targets,
        "normalize": None,
        "tbptt": parameters["tbptt"],
        "backend": parameters["backend"],
        "device": local_device(device) if parameters["distributed"] else device,
        "layer_devices": None if devices is None else list(devices),
        "seed": seed,
        **network,
    }
    n_estimators = parameters.get("n_estimators", 1)
    model = _core.Model(config) if n_estimators == 1 else Ensemble.build(config, n_estimators)
    if parameters["warm_start"] and present is not None:
        n_before = len(present.members) if isinstance(present, Ensemble) else 1
        _check_same(present.config | {"n_estimators": n_before}, config | {"n_estimators": n_estimators})
        # the scalers, and the effect of known features, which is in their units, are those of the new data
        model.load_parameters(present.parameters())
    return model


def training_options(
    parameters: Mapping[str, Any], seed: int, **overrides: Unpack[TrainingOverrides]
) -> TrainingOptions:
    """The core's training options, with ``overrides`` in place of parameters."""
    given = {**parameters, **overrides}
    return {
        "loss": given.get("loss", "cross_entropy"),
        "optimizer": given["optimizer"],
        "learning_rate": float(given["learning_rate"]),
        "weight_decay": float(given["weight_decay"]),
        "batch_size": int(given["batch_size"]),
        "accumulate_grad_batches": int(given["accumulate_grad_batches"]),
        "max_epochs": int(given["max_epochs"]),
        "steps_per_epoch": _optional(int, given["steps_per_epoch"]),
        "season": given.get("season"),
        "patience": _optional(int, given["patience"]),
        "min_delta": float(given["min_delta"]),
        "lr_schedule": given["lr_schedule"],
        "lr_patience": _optional(int, given["lr_patience"]),
        "lr_factor": float(given["lr_factor"]),
        "clip_grad_norm": _optional(float, given["clip_grad_norm"]),
        "clip_grad_value": _optional(float, given["clip_grad_value"]),
        "precision": given["precision"],
        "validation_fraction": float(given["validation_fraction"]),
        "gap": 0,
        "stride": given.get("stride", 1),
        "filled_gaps": given.get("filled_gaps", 0),
        "scaler": given["scaler"],
        "augment": as_options(given["augment"]),
        "shuffle": True,
        "seed": seed,
        "n_threads": _optional(int, given["n_threads"]),
        "checkpoint": checkpoint.as_options(given["checkpoint"]),
    }


def _optional(kind: Callable[[Any], Number], value: Any) -> Number | None:
    return None if value is None else kind(value)


def _check_same(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise a ValueError for the first size for which the present weights don't fit."""
    names = [*_SAME, *(name for name in ("segment_length", "linear_skip", "channels") if name in wanted)]
    if present["linear_skip"]:
        names.append("window_size")
    # the core leaves out what is empty
    present, wanted = ({"embeddings": [], "known_effect": False} | dict(each) for each in (present, wanted))
    for name in [*names, "embeddings", "known_effect"]:
        if present[name] != wanted[name]:
            raise ValueError(
                f"expected {name}={present[name]!r} as before, got {wanted[name]!r}; with warm_start=False a new "
                "network is trained"
            )
