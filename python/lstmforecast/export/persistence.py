"""Model files: one safetensors file for one fitted estimator. No pickle, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lstmforecast import _core, augment
from lstmforecast.contract.plain import own_kind
from lstmforecast.data.packing import pack_frequency, unpack_frequency
from lstmforecast.export.file_checks import (
    check_config,
    check_training,
    is_count,
    read_config,
    read_json,
    require,
)
from lstmforecast.export.quantization import DTYPES, pack, pack_state, unpack, unpack_state
from lstmforecast.fitting.ensemble import Ensemble, n_members
from lstmforecast.fitting.parameters import SCALERS

if TYPE_CHECKING:
    from lstmforecast.estimators.estimator import LSTMEstimator
    from lstmforecast.estimators.text import CharLSTM
    from lstmforecast.monitoring.anomaly import LSTMAnomalyDetector

_SCALER, _HISTORY, _STATE, _DETECTOR = "scaler.", "history.", "state.", "detector."
_COLUMNS = ("epoch", "train_loss", "val_loss", "learning_rate", "grad_norm", "seconds")
_LEARNED = ("best_epoch", "n_epochs", "stop_reason")
# A file is data: it names no places to read or write, and brings no objects.
_NOT_SAVED = ("callbacks", "checkpoint", "pretrained", "random_state", "scaler")
_NOT_READ = ("callbacks", "checkpoint", "pretrained")
_MOST_THREADS = 1024
# What Python, pandas and NumPy raise for values that make no sense to them.
_WRONG = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    pd.errors.InvalidIndexError,
)
# Characters of what is wrong with a file that a message repeats, and of one word of it.
_MOST_REPEATED, _LONGEST_WORD = 200, 60


def save(estimator: LSTMEstimator, path: str | Path) -> None:
    """Write a fitted estimator to one safetensors file, first under a temporary name, then renamed.

    A ``scaler`` given as an object is kept by what it does; ``callbacks``, ``checkpoint``, ``pretrained`` and a
    ``random_state`` that is not an integer are not kept: a file names no other place.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If parameters were changed since `fit` so that they no longer go with what was fitted.
    OSError
        If the file can't be written; a file that was there before is left as it was.
    """
    check_is_fitted(estimator)
    _write(path, *_contents(estimator))


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
    _write(path, tensors, metadata)


def _write(path: str | Path, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Write a file that `load` reads: parameters may have been changed since `fit`."""
    try:
        _read(tensors, metadata)
    except _WRONG as error:
        raise ValueError(
            f"expected parameters that go with what was fitted, got others, changed since ({_brief(error)}): "
            "fit again before save"
        ) from error
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
        "estimator": own_kind(estimator).__name__,
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
        return _read(tensors, metadata)
    except _WRONG as error:
        raise _core.FormatError(f"{path}: expected the contents of a fitted estimator, got {_brief(error)}") from error


def _read(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> Any:
    estimator = _build(tensors, metadata)
    return _detector(estimator, tensors, metadata) if "detector" in metadata else estimator


def _brief(error: BaseException) -> str:
    """What is wrong, in one line of at most so many characters."""
    words = [word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..." for word in str(error).split()]
    text = " ".join([f"{type(error).__name__}:", *words])
    return text if len(text) <= _MOST_REPEATED else f"{text[:_MOST_REPEATED]}..."


def save_text_model(estimator: CharLSTM, path: str | Path) -> None:
    """`save` for a model of texts."""
    check_is_fitted(estimator)
    tensors: dict[str, NDArray[Any]] = dict(estimator.model_.parameters())
    tensors |= {_HISTORY + str(name): column.to_numpy() for name, column in estimator.history_.items()}
    parameters = {name: value for name, value in estimator._plain_parameters().items() if name not in _NOT_SAVED}
    if isinstance(estimator.random_state, int):
        parameters["random_state"] = estimator.random_state
    metadata = {
        "estimator": own_kind(estimator).__name__,
        "parameters": json.dumps(parameters),
        "model": json.dumps(estimator.model_.config),
        "training": json.dumps({name: getattr(estimator, f"{name}_") for name in _LEARNED}),
    }
    _write(path, tensors, metadata)


def _build_text_model(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> CharLSTM:
    from lstmforecast.estimators.text import CharLSTM

    estimator = CharLSTM(**_read_parameters(metadata["parameters"]))
    estimator._validate_parameters()
    config = read_config(metadata["model"])
    model = _core.CharModel.restore(config, _weights(tensors))
    check_config(config, model.config)
    estimator._keep(model, _training(tensors, metadata))
    return estimator


def _training(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> dict[str, Any]:
    """What is told of the training."""
    history = _below(tensors, _HISTORY)
    columns = {name: history[name] for name in _COLUMNS}
    training = {"pretrained": None, "frozen": []} | read_json(metadata["training"])
    check_training(training, columns)
    return training | {"history": columns}


def _build(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> LSTMEstimator | CharLSTM:
    import lstmforecast

    if metadata["estimator"] == "CharLSTM":
        return _build_text_model(tensors, metadata)
    if metadata["estimator"] not in ("LSTMForecaster", "LSTMRegressor", "LSTMClassifier"):
        raise ValueError(f"an estimator named {metadata['estimator']!r}")
    estimator: LSTMEstimator = getattr(lstmforecast, metadata["estimator"])(**_read_parameters(metadata["parameters"]))
    estimator._validate_parameters()
    estimator._keep(_restored_model(tensors, metadata), _training(tensors, metadata))
    estimator.quantized_ = metadata.get("quantized")
    estimator._restore_fitted_state(unpack_state(_below(tensors, _STATE)), read_json(metadata["state"]))
    estimator._check_restored()
    return estimator


def _restored_model(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> _core.Model | Ensemble:
    """The network, or several, with the weights and scalers of a file."""
    config, scalers, weights = read_config(metadata["model"]), _below(tensors, _SCALER), _weights(tensors)
    quantized = metadata.get("quantized")
    require(quantized in (None, *DTYPES), f"weights of {quantized}")
    is_int8 = quantized == "int8"
    if n_members(weights):
        model: _core.Model | Ensemble = Ensemble.restore(config, weights, scalers, is_int8)
    else:
        model = _core.Model.restore(config, weights, scalers, is_int8)
    check_config(config, model.config)
    return model


def _detector(
    forecaster: LSTMEstimator, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]
) -> LSTMAnomalyDetector:
    from lstmforecast.monitoring.anomaly import LSTMAnomalyDetector

    # scores of which nothing is known yet are NaN
    state, parameters = read_json(metadata["detector_state"], nan=True), read_json(metadata["detector"])
    _check_seed(parameters)
    return LSTMAnomalyDetector._unpacked(forecaster, _below(tensors, _DETECTOR), parameters, state)


def read_weights(path: str | Path) -> dict[str, NDArray[Any]]:
    """The weights alone that a file of `save` holds, under PyTorch's names; FormatError and OSError as of `load`."""
    return _weights(_core.read_file(path)[0])


def _weights(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    beside = (_SCALER, _HISTORY, _STATE, _DETECTOR)
    return unpack({name: array for name, array in tensors.items() if not name.startswith(beside)})


def _read_parameters(text: str) -> dict[str, Any]:
    saved = read_json(text)
    parameters = {name: value for name, value in saved.items() if name not in _NOT_READ}
    _check_seed(parameters)
    # as many threads as a file says: a system that can't start them ends the process
    n_threads = parameters.get("n_threads")
    if n_threads is not None and not is_count(n_threads, 1, _MOST_THREADS):
        raise ValueError(f"n_threads of {n_threads!r}")
    if isinstance(parameters.get("class_weight"), list):
        parameters["class_weight"] = dict(parameters["class_weight"])
    if "freq" in parameters:
        parameters["freq"] = unpack_frequency(parameters["freq"])
    if "augment" in parameters:
        parameters["augment"] = augment.unpack(parameters["augment"])
    return parameters


def _check_seed(parameters: dict[str, Any]) -> None:
    if not isinstance(parameters.get("random_state"), int | None):
        raise ValueError("a random_state that is no integer")


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
    if parameters["learning_rates"] is not None:
        kept["learning_rates"] = {pattern: float(rate) for pattern, rate in parameters["learning_rates"].items()}
    if isinstance(kept.get("class_weight"), Mapping):
        # pairs, as JSON makes every label a string
        kept["class_weight"] = [[label, float(weight)] for label, weight in kept["class_weight"].items()]
    return kept
