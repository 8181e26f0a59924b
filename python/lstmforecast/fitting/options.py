"""An estimator's parameters as the core takes them: the network's configuration, the training's options, the seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lstmforecast import _core
from lstmforecast.augment import as_options
from lstmforecast.contract.core_options import ModelConfig, TrainingOptions
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.distributed import local_device
from lstmforecast.fitting import checkpoint
from lstmforecast.fitting.architecture import to_core
from lstmforecast.fitting.ensemble import Ensemble

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
    **network: Any,
) -> _core.Model | Ensemble:
    """An untrained network, or with ``warm_start`` one that begins with the weights of the ``present`` one."""
    names = ("hidden_size", "num_layers", "bidirectional", "dropout", "backend", "device", "tbptt")
    config: dict[str, Any] = {name: parameters[name] for name in names}
    devices = parameters["layer_devices"]
    config["layer_devices"] = None if devices is None else list(devices)
    config |= {"window_size": window_size, "horizon": horizon, "n_features": n_features, "n_targets": n_targets}
    config |= {"normalize": None, "seed": seed, "architecture": to_core(parameters)} | network
    if parameters["distributed"]:
        config["device"] = local_device(parameters["device"])
    n_estimators, whole = parameters.get("n_estimators", 1), cast("ModelConfig", config)
    model = _core.Model(whole) if n_estimators == 1 else Ensemble.build(whole, n_estimators)
    if parameters["warm_start"] and present is not None:
        n_before = len(present.members) if isinstance(present, Ensemble) else 1
        _check_same(present.config | {"n_estimators": n_before}, config | {"n_estimators": n_estimators})
        model.load_parameters(present.parameters())
    return model


def training_options(parameters: Mapping[str, Any], seed: int, **overrides: Any) -> TrainingOptions:
    """The core's training options."""
    counts = ("batch_size", "accumulate_grad_batches", "max_epochs", "steps_per_epoch", "n_threads")
    integers, limits = (*counts, "patience", "lr_patience"), ("clip_grad_norm", "clip_grad_value")
    floats = ("learning_rate", "weight_decay", "min_delta", "lr_factor", "validation_fraction", *limits)
    options: dict[str, Any] = {"loss": parameters.get("loss", "cross_entropy"), "optimizer": parameters["optimizer"]}
    options |= {"lr_schedule": parameters["lr_schedule"], "precision": parameters["precision"]}
    given = {name: parameters[name] for name in (*integers, *floats) if name not in overrides}
    options |= {name: _cast(int if name in integers else float, value) for name, value in given.items()}
    options["augment"] = as_options(parameters["augment"])
    options["checkpoint"] = checkpoint.as_options(parameters["checkpoint"])
    options |= {"scaler": parameters["scaler"], "gap": 0, "stride": 1, "shuffle": True, "seed": seed}
    return cast("TrainingOptions", options | overrides)


def _cast(kind: type, value: Any) -> Any:
    return None if value is None else kind(value)


def _check_same(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise a ValueError for the first size in which the weights of before wouldn't fit."""
    names = [*_SAME, *(name for name in ("segment_length", "linear_skip", "channels") if name in wanted)]
    if present["linear_skip"]:
        names.append("window_size")
    for name in names:
        if present[name] != wanted[name]:
            raise ValueError(
                f"warm_start=True goes on with the present weights: expected {name}={present[name]!r} as before, "
                f"got {wanted[name]!r}"
            )
