"""Model files: one safetensors file for one fitted estimator. No pickle, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lstmforecast import _core, augment
from lstmforecast.ensemble import Ensemble, n_members
from lstmforecast.packing import pack_frequency, unpack_frequency
from lstmforecast.parameters import SCALERS
from lstmforecast.quantization import pack, pack_state, unpack, unpack_state

if TYPE_CHECKING:
    from lstmforecast.anomaly import LSTMAnomalyDetector
    from lstmforecast.estimator import LSTMEstimator
    from lstmforecast.text import CharLSTM

_SCALER, _HISTORY, _STATE, _DETECTOR = "scaler.", "history.", "state.", "detector."
_COLUMNS = ("epoch", "train_loss", "val_loss", "learning_rate", "grad_norm", "seconds")
_LEARNED = ("best_epoch", "n_epochs", "stop_reason")
_NOT_SAVED = ("callbacks", "checkpoint", "pretrained", "random_state", "scaler")


def save(estimator: LSTMEstimator, path: str | Path) -> None:
    """Write a fitted estimator to one safetensors file, first under a temporary name, then renamed.

    A ``scaler`` given as an object is kept by what it does; ``callbacks``, ``checkpoint``, a ``random_state`` that is
    not an integer and ``pretrained``, unless it is a path, are not kept.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    OSError
        If the file can't be written; a file that was there before is left as it was.
    """
    check_is_fitted(estimator)
    _core.write_file(path, *_contents(estimator))


def save_detector(detector: LSTMAnomalyDetector, path: str | Path) -> None:
    """Write a fitted detector to one safetensors file, as `save` does: its forecaster's, and what is its own.

    A ``forecaster`` given as parameter is kept as ``forecaster_`` is.

    Raises
    ------
    OSError
        If the file can't be written; a file that was there before is left as it was.
    """
    tensors, metadata = _contents(detector.forecaster_)
    arrays, parameters, values = detector._packed()
    tensors |= {_DETECTOR + name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata |= {"detector": json.dumps(parameters), "detector_state": json.dumps(values)}
    _core.write_file(path, tensors, metadata)


def _contents(estimator: LSTMEstimator) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and words of a fitted estimator's file."""
    arrays, values = estimator._fitted_state()
    tensors: dict[str, NDArray[Any]] = dict(estimator.model_.parameters())
    if estimator.quantized_ is not None:
        arrays = pack_state(arrays, estimator.quantized_, estimator.model_.config["distribution"])
        tensors = pack(tensors, estimator.quantized_)
    tensors |= {_SCALER + name: array for name, array in estimator.model_.scalers().items()}
    tensors |= {_HISTORY + str(name): column.to_numpy() for name, column in estimator.history_.items()}
    tensors |= {_STATE + name: np.ascontiguousarray(array) for name, array in arrays.items()}
    training = {name: getattr(estimator, f"{name}_") for name in (*_LEARNED, "pretrained", "frozen")}
    metadata = {
        "estimator": type(estimator).__name__,
        "parameters": json.dumps(_savable_parameters(estimator)),
        "model": json.dumps(estimator.model_.config),
        "training": json.dumps(training),
        "state": json.dumps(values),
    }
    if estimator.quantized_ is not None:
        metadata["quantized"] = estimator.quantized_
    return tensors, metadata


def load(path: str | Path) -> Any:
    """Read the estimator of any kind that a file holds.

    Parameters
    ----------
    path : str or Path
        A file that an estimator's ``save`` wrote.

    Returns
    -------
    LSTMForecaster, LSTMRegressor, LSTMClassifier, LSTMAnomalyDetector or CharLSTM
        Fitted, and ready to predict.

    Raises
    ------
    FormatError
        If the file is damaged, foreign, or newer than this version.
    OSError
        If it can't be read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import lstmforecast
    >>> y = np.sin(np.arange(200) / 5)
    >>> forecaster = lstmforecast.LSTMForecaster(3, window_size=20, hidden_size=8, max_epochs=1, random_state=0).fit(y)
    >>> path = tempfile.mkdtemp() + "/model.safetensors"
    >>> forecaster.save(path)
    >>> bool((lstmforecast.load(path).predict() == forecaster.predict()).all())
    True
    """
    tensors, metadata = _core.read_file(path)
    try:
        estimator = _build(tensors, metadata)
        return _detector(estimator, tensors, metadata) if "detector" in metadata else estimator
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _core.FormatError(f"{path}: expected the contents of a fitted estimator, got {error!r}") from error


def save_text_model(estimator: CharLSTM, path: str | Path) -> None:
    """`save` for a model of texts."""
    check_is_fitted(estimator)
    tensors: dict[str, NDArray[Any]] = dict(estimator.model_.parameters())
    tensors |= {_HISTORY + str(name): column.to_numpy() for name, column in estimator.history_.items()}
    parameters = {name: value for name, value in estimator._plain_parameters().items() if name not in _NOT_SAVED}
    if isinstance(estimator.random_state, int):
        parameters["random_state"] = estimator.random_state
    metadata = {
        "estimator": type(estimator).__name__,
        "parameters": json.dumps(parameters),
        "model": json.dumps(estimator.model_.config),
        "training": json.dumps({name: getattr(estimator, f"{name}_") for name in _LEARNED}),
    }
    _core.write_file(path, tensors, metadata)


def _build_text_model(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> CharLSTM:
    from lstmforecast.text import CharLSTM

    estimator = CharLSTM(**json.loads(metadata["parameters"]))
    model = _core.CharModel(json.loads(metadata["model"]))
    model.load_parameters(_weights(tensors))
    history = _below(tensors, _HISTORY)
    columns = {name: history[name] for name in _COLUMNS}
    estimator._keep(model, json.loads(metadata["training"]) | {"history": columns})
    return estimator


def _build(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> LSTMEstimator | CharLSTM:
    import lstmforecast

    if metadata["estimator"] == "CharLSTM":
        return _build_text_model(tensors, metadata)
    if metadata["estimator"] not in ("LSTMForecaster", "LSTMRegressor", "LSTMClassifier"):
        raise ValueError(f"an estimator named {metadata['estimator']!r}")
    estimator: LSTMEstimator = getattr(lstmforecast, metadata["estimator"])(**_read_parameters(metadata["parameters"]))
    named = {prefix: _below(tensors, prefix) for prefix in (_SCALER, _HISTORY, _STATE)}
    weights = _weights(tensors)
    config, n = json.loads(metadata["model"]), n_members(weights)
    model = Ensemble.build(config, n) if n else _core.Model(config)
    model.load_parameters(weights, metadata.get("quantized") == "int8")
    model.load_scalers(named[_SCALER])
    estimator._restore_fitted_state(unpack_state(named[_STATE]), json.loads(metadata["state"]))
    history = {name: named[_HISTORY][name] for name in _COLUMNS}
    training = {"pretrained": None, "frozen": []} | json.loads(metadata["training"])
    estimator._keep(model, training | {"history": history, "error": None})
    estimator.quantized_ = metadata.get("quantized")
    return estimator


def _detector(
    forecaster: LSTMEstimator, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]
) -> LSTMAnomalyDetector:
    from lstmforecast.anomaly import LSTMAnomalyDetector

    state = json.loads(metadata["detector_state"])
    return LSTMAnomalyDetector._unpacked(
        forecaster, _below(tensors, _DETECTOR), json.loads(metadata["detector"]), state
    )


def read_weights(path: str | Path) -> dict[str, NDArray[Any]]:
    """The weights alone that a file of `save` holds, under PyTorch's names; FormatError and OSError as of `load`."""
    return _weights(_core.read_file(path)[0])


def _weights(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    beside = (_SCALER, _HISTORY, _STATE, _DETECTOR)
    return unpack({name: array for name, array in tensors.items() if not name.startswith(beside)})


def _read_parameters(text: str) -> dict[str, Any]:
    parameters: dict[str, Any] = json.loads(text)
    if isinstance(parameters.get("class_weight"), list):
        parameters["class_weight"] = dict(parameters["class_weight"])
    if "freq" in parameters:
        parameters["freq"] = unpack_frequency(parameters["freq"])
    return parameters | {"augment": augment.unpack(parameters.get("augment"))}


def _below(tensors: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _savable_parameters(estimator: LSTMEstimator) -> dict[str, Any]:
    parameters = estimator._plain_parameters()
    kept = {name: value for name, value in parameters.items() if name not in _NOT_SAVED}
    kept["augment"] = augment.pack(parameters["augment"])
    if "freq" in kept:
        kept["freq"] = pack_frequency(kept["freq"])
    if isinstance(parameters["random_state"], int):
        kept["random_state"] = parameters["random_state"]
    if parameters["scaler"] is None or parameters["scaler"] in SCALERS:
        kept["scaler"] = parameters["scaler"]
    if isinstance(parameters["pretrained"], (str, Path)):
        kept["pretrained"] = str(parameters["pretrained"])
    if parameters["learning_rates"] is not None:
        kept["learning_rates"] = {pattern: float(rate) for pattern, rate in parameters["learning_rates"].items()}
    if isinstance(kept.get("class_weight"), Mapping):
        # pairs, as JSON makes every label a string
        kept["class_weight"] = [[label, float(weight)] for label, weight in kept["class_weight"].items()]
    return kept
