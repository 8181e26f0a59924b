"""What stands in a model file: weights, scalers, history and learned arrays as tensors, everything else as words."""

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
# A file is data: it names no other files and contains no objects.
_NOT_SAVED = ("callbacks", "checkpoint", "pretrained", "random_state", "scaler")
_NOT_READ = ("callbacks", "checkpoint", "pretrained")
_MOST_THREADS = 1024


class ModelFile(NamedTuple):
    """Tensors and words of one file.

    Parameters
    ----------
    tensors : dict of str to ndarray
    words : dict of str to str
        Of which all but the name of the estimator are JSON.
    """

    tensors: Arrays
    words: dict[str, str]

    @property
    def estimator(self) -> str:
        """The public name of the class that builds itself from this file."""
        # a detector's file is that of its forecaster, and more
        return "LSTMAnomalyDetector" if "detector" in self.words else self.words["estimator"]

    @property
    def quantized(self) -> str | None:
        """What weights are rounded to."""
        quantized = self.words.get("quantized")
        require(quantized in (None, *DTYPES), f"weights of {quantized}")
        return quantized

    def below(self, prefix: str) -> Arrays:
        """The tensors whose names begin with a prefix, without it."""
        return {name.removeprefix(prefix): each for name, each in self.tensors.items() if name.startswith(prefix)}

    def weights(self) -> Arrays:
        """The network's weights."""
        beside = (_SCALER, _HISTORY, _STATE, _DETECTOR)
        return unpack({name: array for name, array in self.tensors.items() if not name.startswith(beside)})

    def parameters(self) -> dict[str, Any]:
        """The estimator's parameters, for its constructor."""
        saved = read_json(self.words["parameters"])
        parameters = {name: value for name, value in saved.items() if name not in _NOT_READ}
        check_seed(parameters)
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

    def training(self) -> dict[str, Any]:
        """The outcome of the training, as the core returns it."""
        history = self.below(_HISTORY)
        columns = {name: history[name] for name in _COLUMNS}
        training = {"pretrained": None, "frozen": []} | read_json(self.words["training"])
        check_training(training, columns)
        return training | {"history": columns}

    def network(self) -> _core.Model | Ensemble:
        """The network, or several, with weights and scalers."""
        config = cast("ModelConfig", read_config(self.words["model"]))
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
        config = read_config(self.words["model"])
        model = _core.CharModel.restore(cast("TextModelConfig", config), self.weights())
        check_config(config, model.config)
        return model

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """What the estimator has learned besides its network: arrays and values."""
        return unpack_state(self.below(_STATE)), read_json(self.words["state"])

    def with_network(
        self, model: _core.Model | Ensemble, quantized: str | None, arrays: Arrays, values: dict[str, Any]
    ) -> ModelFile:
        """With weights and scalers, rounded if they are, and what was learned besides; see `state`."""
        weights: Arrays = dict(model.parameters())
        if quantized is not None:
            arrays = pack_state(arrays, quantized, model.config["distribution"])
            weights = pack(weights, quantized)
        scalers = {_SCALER + name: array for name, array in model.scalers().items()}
        state = {_STATE + name: np.ascontiguousarray(array) for name, array in arrays.items()}
        words = {"model": json.dumps(model.config), "state": json.dumps(values)}
        if quantized is not None:
            words["quantized"] = quantized
        return ModelFile(self.tensors | weights | scalers | state, self.words | words)

    def with_character_network(self, model: _core.CharModel) -> ModelFile:
        """With the weights of a text model."""
        return ModelFile(self.tensors | model.parameters(), self.words | {"model": json.dumps(model.config)})

    def detector(self) -> tuple[Arrays, dict[str, Any], dict[str, Any]]:
        """What is a detector's own, besides its forecaster: arrays, parameters and values."""
        # scores of which nothing is known yet are NaN
        state, parameters = read_json(self.words["detector_state"], nan=True), read_json(self.words["detector"])
        check_seed(parameters)
        return self.below(_DETECTOR), parameters, state

    def with_detector(self, arrays: Arrays, parameters: dict[str, Any], values: dict[str, Any]) -> ModelFile:
        """A forecaster's file, with what is the detector's own."""
        tensors = {_DETECTOR + name: np.ascontiguousarray(array) for name, array in arrays.items()}
        words = {"detector": json.dumps(parameters), "detector_state": json.dumps(values)}
        return ModelFile(self.tensors | tensors, self.words | words)


def begin_file(
    estimator: str, parameters: Mapping[str, Any], history: pd.DataFrame, training: Mapping[str, Any]
) -> ModelFile:
    """A file with the name of the class, its parameters and the outcome of the training, but no network yet."""
    tensors: Arrays = {_HISTORY + str(name): column.to_numpy() for name, column in history.items()}
    words = {"parameters": json.dumps(savable_parameters(parameters)), "training": json.dumps(training)}
    return ModelFile(tensors, {"estimator": estimator} | words)


def read_weights(path: str | Path) -> Arrays:
    """The weights alone that a file of `save` holds, under PyTorch's names; FormatError and OSError as of `load`."""
    return ModelFile(*_core.read_file(path)).weights()


def check_seed(parameters: dict[str, Any]) -> None:
    """Raise a ValueError for a ``random_state`` that is no integer."""
    if not isinstance(parameters.get("random_state"), int | None):
        raise ValueError("a random_state that is no integer")


def savable_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an estimator, as plain values, that JSON can hold and a file may say."""
    kept = {name: value for name, value in sorted(parameters.items()) if name not in _NOT_SAVED}
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
