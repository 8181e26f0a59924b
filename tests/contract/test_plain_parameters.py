"""Every parameter of every estimator, and of the objects that it takes, may be a scalar or an array of NumPy or pandas:
found by their signatures.
"""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone

import lstmforecast
from lstmforecast import Sampling, thresholds
from lstmforecast.contract.parameter_group import ParameterGroup, flat_parameters, groups_of, names_of

Y = np.sin(np.arange(80) * 0.3)
X = np.random.default_rng(0).normal(size=(30, 8))
HOURS = pd.Series(Y, pd.date_range("2026-01-01", periods=80, freq="h"))
TEXT = "to be, or not to be, that is the question: " * 12
NETWORK = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
FAST = {
    "LSTMForecaster": NETWORK | {"window_size": 8, "horizon": 2, "sampling": Sampling(steps_per_epoch=1)},
    "LSTMRegressor": NETWORK,
    "LSTMClassifier": NETWORK,
    "CharLSTM": NETWORK | {"sequence_length": 8, "embedding_size": 4},
    "LSTMAnomalyDetector": {"forecaster": lstmforecast.LSTMForecaster(2, **NETWORK, window_size=8)},
    "DriftMonitor": {"window": 8},
}
# What is tried where a default is no number, word or flag, would show nothing, or is no number of single precision.
VALUES = {
    "window_size": 12,
    "segment_length": 2,
    "tbptt": 2,
    "linear_skip": True,
    "transform": "log",
    "embed": 20,
    "loss": "mae",
    "learning_rate": 2.0**-8,
    "false_alarms": 2.0**-6,
    "risk": 2.0**-10,
    "level": 0.9375,
    "pruning": 0.125,
    "n_sigmas": 3.0,
    "levels": [0.1, 0.5, 0.9],
    "freq": "h",
    "missing": "mask",
    "calendar": ["time_of_day", "day_of_week"],
    "features": ["time_of_day", "day_of_week"],
    "holidays": "DE",
    "kernel_size": [3, 2],
    "out_channels": 3,
    "dim_feedforward": 8,
    "steps_per_epoch": 2,
    "early_stopping": 3,
    "patience": 3,
    "dropout": 0.25,
    "weight_decay": 0.125,
    "clip_grad_value": 0.5,
    "clip": 4.0,
    "validation_fraction": 0.25,
    "augment": ["jitter", "scale"],
    "freeze": ["lstm.*"],
    "learning_rates": {"lstm.*": 0.5},
    "layer_devices": ["cpu"],
    "n_threads": 1,
    "random_state": 3,
    "calibration": "temperature",
    "class_weight": {0: 1.0, 1: 2.0},
    "max_epochs": 1,
    "refit_every": 30,
    "contamination": 0.125,
    "window": 8,
    "feature_range": (0.0, 2.0),
    "quantile_range": (10.0, 90.0),
}
# What is no number, word, flag or list.
OBJECTS = {"callbacks", "pretrained", "weights", "forecaster", "checkpoint", "sampling"}
# What a parameter needs beside it, in its object.
BESIDE = {
    "kernel_size": {"out_channels": 3},
    "out_channels": {"kernel_size": 3},
    "tbptt": {"segment_length": 1},
    "stride": {"steps_per_epoch": 1},
    "min_delta": {"patience": 3},
    "validation_fraction": {"patience": 3},
    "dropout": {"num_layers": 2},
}
OF_FORECASTERS = {"head", "linear_skip", "embed", "mix_naive", "supervision", "stride"}
# What a class takes no other value of.
FIXED = {"LSTMRegressor": OF_FORECASTERS, "LSTMClassifier": OF_FORECASTERS, "CharLSTM": {"clip_grad_value"}}
# The names in files of values that stand for an object.
FLAT = {"early_stopping": "patience"}
CLASSES = [
    each
    for each in (*(getattr(lstmforecast, name) for name in lstmforecast.__all__), *vars(thresholds).values())
    if inspect.isclass(each) and issubclass(each, BaseEstimator) and each is not thresholds.Threshold
]
ESTIMATORS = [each for each in dict.fromkeys(CLASSES) if not issubclass(each, ParameterGroup)]


def _parameters():
    """Class, name and, for a parameter of objects, the first object that has it, with the name of the object."""
    for kind in ESTIMATORS:
        yield from ((kind, name, None) for name in inspect.signature(kind).parameters if name not in OBJECTS)
        found = set()
        for group in groups_of(kind).values():
            for of in group.kinds:
                names = names_of(of).keys() - OBJECTS - FIXED.get(kind.__name__, set())
                yield from ((kind, name, (group.name, of)) for name in sorted(names) if (group.name, name) not in found)
                found |= {(group.name, name) for name in names}


def _id(case):
    kind, name, place = case
    return f"{kind.__name__}-{name}" if place is None else f"{kind.__name__}-{place[1].__name__}-{name}"


def test_all_estimators_are_found():
    assert {"LSTMForecaster", "CharLSTM", "DriftMonitor", "RobustScaler", "POTThreshold"} <= {
        kind.__name__ for kind in ESTIMATORS
    }
    objects = {of for kind in ESTIMATORS for group in groups_of(kind).values() for of in group.kinds}
    assert objects == set(CLASSES) - set(ESTIMATORS)


def _value(kind, name, of):
    default = inspect.signature(of or kind).parameters[name].default
    value = VALUES.get(name, default)
    assert value is not None, f"a value to try for {name} is missing in VALUES"
    if kind is lstmforecast.CharLSTM and name == "max_epochs":
        value = 2
    if kind is lstmforecast.LSTMForecaster and name == "calibration":
        value = "exact"
    return value, default


def _forms(value):
    """The same value in the types that searches, frames and arrays give."""
    if isinstance(value, bool):
        return [np.bool_(value), np.array(value)]
    if isinstance(value, int):
        return [np.int64(value), np.uint16(value), np.array(value), pd.Series([value]).iloc[0]]
    if isinstance(value, float):
        return [np.float64(value), np.float32(value), np.array(value, np.float16)]
    if isinstance(value, str):
        return [np.str_(value), np.array(value), np.array([value], object)[0]]
    if isinstance(value, dict):
        return [{np.array([key])[0]: np.float32(each) for key, each in value.items()}]
    arrays = [np.array(value), [np.array([each])[0] for each in value]]
    return arrays if isinstance(value, tuple) else [*arrays, pd.Series(value)]


def _fitted(estimator):
    kind = type(estimator).__name__
    if kind == "LSTMForecaster":
        return estimator.fit(HOURS + 2)
    if kind == "CharLSTM":
        return estimator.fit(TEXT)
    if kind == "LSTMClassifier":
        return estimator.fit(X, (X[:, 0] > 0).astype(int))
    if kind == "LSTMRegressor":
        return estimator.fit(X, X[:, 0])
    return estimator.fit(Y[:, np.newaxis]) if hasattr(estimator, "fit") else estimator


def _says(estimator):
    kind = type(estimator).__name__
    if kind == "LSTMForecaster":
        return [estimator.predict(3).to_numpy(), estimator.predict_interval(0.5).to_numpy()]
    if kind == "CharLSTM":
        return [estimator.score(TEXT), estimator.generate("to", 9, random_state=0)]
    if kind.endswith("Threshold"):
        return [estimator.follow(Y[:40], Y[40:])]
    if kind == "DriftMonitor":
        return [estimator.report()[["statistic", "threshold"]].to_numpy(float)]
    if kind.endswith("Scaler"):
        return [estimator.transform(Y[:, np.newaxis]), estimator.inverse_transform(Y[:, np.newaxis])]
    return [estimator.predict(Y[:, np.newaxis] if kind == "LSTMAnomalyDetector" else X)]


def _needs_torch(case):
    return [pytest.mark.torch] if case[1] == "layer_devices" else []


CASES = [pytest.param(case, marks=_needs_torch(case), id=_id(case)) for case in _parameters()]


@pytest.mark.parametrize("case", CASES)
def test_a_parameter_of_numpy_does_what_the_plain_one_does(case, tmp_path):
    kind, name, place = case
    outer, of = place or (name, None)
    beside = FAST.get(kind.__name__, {}) | (BESIDE.get(name, {}) if of is None else {})
    beside.pop(outer, None)
    value, default = _value(kind, name, of)
    key, flat = (name, name) if of is None else (f"{outer}__{name}", names_of(of)[name])

    def made(form):
        if of is None:
            return kind(**beside, **{name: form})
        return kind(**beside, **{outer: of(**BESIDE.get(name, {}), **{name: form})})

    expected = _says(_fitted(made(value)))
    for form in _forms(value):
        estimator = made(form)
        assert estimator.get_params()[key] is form
        assert clone(estimator).get_params()[key] is not None
        assert _fitted(estimator) is estimator
        assert estimator.get_params()[key] is form
        for there in (estimator, pickle.loads(pickle.dumps(estimator))):
            for says, known in zip(_says(there), expected, strict=True):
                np.testing.assert_array_equal(says, known)
        assert name in repr(estimator) or value == default
        if hasattr(estimator, "save"):
            estimator.save(tmp_path / "model")
            loaded = kind.load(tmp_path / "model")
            for says, known in zip(_says(loaded), expected, strict=True):
                np.testing.assert_array_equal(says, known)
            if name not in ("scaler", "threshold"):
                kept = flat_parameters(loaded) if groups_of(kind) else loaded.get_params(deep=False)
                assert kept[FLAT.get(flat, flat)] == (list(value) if isinstance(value, tuple) else value)


class Own(lstmforecast.LSTMForecaster):
    """As scikit-learn has them extended: with other parameters, and defaults for the rest."""

    def __init__(self, horizon: int = 4, *, city: str = "Bonn") -> None:
        super().__init__(horizon, hidden_size=4, max_epochs=1, random_state=0, n_threads=1)
        self.city = city


def test_a_subclass_with_parameters_of_its_own_is_fitted_saved_and_loaded_as_what_it_extends(tmp_path):
    y = np.sin(np.arange(100.0))
    own = Own(2, city="Ulm").fit(y)
    whole = lstmforecast.LSTMForecaster(2, hidden_size=4, max_epochs=1, random_state=0, n_threads=1).fit(y)
    np.testing.assert_array_equal(own.predict(), whole.predict())
    np.testing.assert_array_equal(clone(own).fit(y).predict(), whole.predict())
    own.save(tmp_path / "model")
    loaded = lstmforecast.load(tmp_path / "model")
    assert type(loaded) is lstmforecast.LSTMForecaster
    np.testing.assert_array_equal(loaded.predict(), whole.predict())
