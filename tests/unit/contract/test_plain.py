"""Estimators are pickled with the attributes that they have when pickling begins."""

import pickle

import numpy as np
import pytest

from lstmforecast import LSTMAnomalyDetector, LSTMForecaster, LSTMRegressor

FAST = {"hidden_size": 2, "max_epochs": 1, "random_state": 0, "n_threads": 1}
X = np.random.default_rng(0).normal(size=(80, 4))


class Parameter:
    """A parameter that calls a function while it is pickled for the first time, as another thread may at that time."""

    def __call__(self, record):
        """A callback without effect."""

    def __reduce__(self):
        meanwhile, self.meanwhile = self.meanwhile, int
        meanwhile()
        return Parameter, ()


@pytest.mark.parametrize("kind", ["forecaster", "regressor", "detector"])
def test_a_fit_during_pickling_does_not_change_what_is_pickled(kind):
    parameter = Parameter()
    forecaster = LSTMForecaster(2, window_size=8, callbacks=[parameter], **FAST)
    model, data = {
        "forecaster": (forecaster, (X,)),
        "regressor": (LSTMRegressor(callbacks=[parameter], **FAST), (X, X[:, 0])),
        "detector": (LSTMAnomalyDetector(forecaster), (X,)),
    }[kind]
    parameter.meanwhile = lambda: model.fit(*data)
    pickled = pickle.loads(pickle.dumps(model))
    assert model.__sklearn_is_fitted__()
    assert not pickled.__sklearn_is_fitted__()
