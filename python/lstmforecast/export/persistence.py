"""The contents of a model file: weights, scalers, history and learned arrays as tensors, all else as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core, augment
from lstmforecast.contract.core_options import ModelConfig, TextModelConfig
from lstmforecast.data.saved_labels import pack_frequency, unpack_frequency
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

Arrays = dict[str, NDArray[Any]]
_SCALER, _HISTORY, _STATE, _DETECTOR = "scaler.", "history.", "state.", "detector."
_COLUMNS = ("epoch", "train_loss", "val_loss", "learning_rate", "grad_norm", "seconds")
# Parameters that can name other files or be objects: not kept, or only as plain values.
_NOT_READ = ("callbacks", "checkpoint", "pretrained", "strict")
_NOT_SAVED = (*_NOT_READ, "random_state", "scaler")
_MOST_THREADS = 1024
# Values of the parameters that came after version 0.1 in files that don't have them.
_LATER = {"embed": 12, "mix_naive": True, "calibration": "auto", "tweedie_power": 1.5, "yearly": "auto"} | {
    "non_negative": False
}


class ModelFile(NamedTuple):
    """Tensors and metadata of one file.

    Parameters
    ----------
    tensors : dict of str to ndarray
    metadata : dict of str to str
        JSON, except for the name of the estimator.
    """

    tensors: Arrays
    metadata: dict[str, str]

    @property
    def estimator(self) -> str:
        """The public name of the class that builds itself from this file."""
        # the file of a detector is that of its forecaster with additions
        return "LSTMAnomalyDetector" if "detector" in self.metadata else self.metadata["estimator"]

    @property
    def quantized(self) -> str | None:
        """The type that weights are rounded to."""
        quantized = self.metadata.get("quantized")
        require(quantized in (None, *DTYPES), f"weights of {quantized}")
        return quantized

    def below(self, prefix: str) -> Arrays:
        """The tensors whose names begin with a prefix, under their names without it."""
        return {name.removeprefix(prefix): each for name, each in self.tensors.items() if name.startswith(prefix)}

    def weights(self) -> Arrays:
        """The network's weights."""
        beside = (_SCALER, _HISTORY, _STATE, _DETECTOR)
        return unpack({name: array for name, array in self.tensors.items() if not name.startswith(beside)})

    def parameters(self) -> dict[str, Any]:
        """The estimator's parameters, for its constructor."""
        saved = read_json(self.metadata["parameters"])
        parameters = {name: value for name, value in saved.items() if name not in _NOT_READ}
        if self.metadata["estimator"] == "LSTMForecaster":
            # its default is another
            parameters.setdefault("non_negative", _LATER["non_negative"])
        check_seed(parameters)
        # the process ends if the system can't start as many threads as a file asks for
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

    def training(self) -> dict[str, Any]:
        """The outcome of the training, as the core returns it."""
        history = self.below(_HISTORY)
        columns = {name: history[name] for name in _COLUMNS}
        training = {"pretrained": None, "frozen": []} | read_json(self.metadata["training"])
        check_training(training, columns)
        return training | {"history": columns}

    def network(self) -> _core.Model | Ensemble:
        """The network or ensemble, with weights and scalers."""
        config = cast("ModelConfig", read_config(self.metadata["model"]))
        scalers, weights = self.below(_SCALER), self.weights()
        is_int8 = self.quantized == "int8"
        if n_members(weights):
            model: _core.Model | Ensemble = Ensemble.restore(config, weights, scalers, is_int8)
        else:
            model = _core.Model.restore(config, weights, scalers, is_int8)
        check_config(config, model.config)
        return model

    def character_network(self) -> _core.CharModel:
        """The network of a text model."""
        config = read_config(self.metadata["model"])
        model = _core.CharModel.restore(cast("TextModelConfig", config), self.weights())
        check_config(config, model.config)
        return model

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and values that the estimator has learned, besides its network."""
        return unpack_state(self.below(_STATE)), read_json(self.metadata["state"])

    def with_network(
        self, model: _core.Model | Ensemble, quantized: str | None, arrays: Arrays, values: dict[str, Any]
    ) -> ModelFile:
        """Add weights, rounded if they are quantised, scalers, and the arrays and values of `state`."""
        weights: Arrays = dict(model.parameters())
        if quantized is not None:
            arrays = pack_state(arrays, quantized, model.config["distribution"])
            weights = pack(weights, quantized)
        scalers = {_SCALER + name: array for name, array in model.scalers().items()}
        state = {_STATE + name: np.ascontiguousarray(array) for name, array in arrays.items()}
        metadata = {"model": json.dumps(model.config), "state": json.dumps(values)}
        if quantized is not None:
            metadata["quantized"] = quantized
        return ModelFile(self.tensors | weights | scalers | state, self.metadata | metadata)

    def with_character_network(self, model: _core.CharModel) -> ModelFile:
        """Add the weights of a text model."""
        return ModelFile(self.tensors | model.parameters(), self.metadata | {"model": json.dumps(model.config)})

    def detector(self) -> tuple[Arrays, dict[str, Any], dict[str, Any]]:
        """Arrays, parameters and values of a detector, besides its forecaster."""
        # scores that are not known yet are NaN
        state, parameters = read_json(self.metadata["detector_state"], nan=True), read_json(self.metadata["detector"])
        check_seed(parameters)
        return self.below(_DETECTOR), parameters, state

    def with_detector(self, arrays: Arrays, parameters: dict[str, Any], values: dict[str, Any]) -> ModelFile:
        """Add arrays, parameters and values of a detector to the file of its forecaster."""
        tensors = {_DETECTOR + name: np.ascontiguousarray(array) for name, array in arrays.items()}
        metadata = {"detector": json.dumps(parameters), "detector_state": json.dumps(values)}
        return ModelFile(self.tensors | tensors, self.metadata | metadata)


def begin_file(
    estimator: str, parameters: Mapping[str, Any], history: pd.DataFrame, training: Mapping[str, Any]
) -> ModelFile:
    """Make a file with the name of the class, its parameters and the outcome of the training; without a network."""
    tensors: Arrays = {_HISTORY + str(name): column.to_numpy() for name, column in history.items()}
    metadata = {"parameters": json.dumps(savable_parameters(parameters)), "training": json.dumps(training)}
    return ModelFile(tensors, {"estimator": estimator} | metadata)


def read_weights(path: str | Path) -> Arrays:
    """The weights in a file of `save`, under PyTorch's names; errors are those of `load`."""
    return ModelFile(*_core.read_file(path)).weights()


def check_seed(parameters: dict[str, Any]) -> None:
    """Raise a ValueError for a ``random_state`` that isn't an integer."""
    if not isinstance(parameters.get("random_state"), int | None):
        raise ValueError("a random_state that isn't an integer")


def as_in_0_1(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Flat parameters without those that version 0.1 didn't have, where they are as files without them say."""
    return {name: value for name, value in parameters.items() if name not in _LATER or value != _LATER[name]}


def savable_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an estimator, as plain values, that JSON can hold and a file may say."""
    kept = {name: value for name, value in sorted(as_in_0_1(parameters).items()) if name not in _NOT_SAVED}
    if "augment" in kept:
        kept["augment"] = augment.pack(kept["augment"])
    if "freq" in kept:
        kept["freq"] = pack_frequency(kept["freq"])
    if isinstance(parameters["random_state"], int):
        kept["random_state"] = parameters["random_state"]
    if "scaler" in parameters and (parameters["scaler"] is None or parameters["scaler"] in SCALERS):
        kept["scaler"] = parameters["scaler"]
    if kept.get("learning_rates") is not None:
        kept["learning_rates"] = {pattern: float(rate) for pattern, rate in kept["learning_rates"].items()}
    if isinstance(kept.get("class_weight"), Mapping):
        # pairs, as JSON makes every label a string
        kept["class_weight"] = [[label, float(weight)] for label, weight in kept["class_weight"].items()]
    return kept
