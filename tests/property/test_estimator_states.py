"""Estimators through fits, updates, files and copies in any order, with failures among them.

After each step an estimator says what it said before, to the bit, unless the step was one that teaches it something.
"""

import copy
import pickle
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sklearn.base import clone
from tests.learned import learned

import lstmforecast
from lstmforecast import LSTMAnomalyDetector, LSTMClassifier, LSTMForecaster, LSTMRegressor, Sampling
from lstmforecast.contract.parameter_group import ParameterGroup, flat_parameters

FAST = {"hidden_size": 3, "max_epochs": 2, "batch_size": 16, "random_state": 0, "n_threads": 1}
SERIES = FAST | {"horizon": 2, "window_size": 6, "sampling": Sampling(steps_per_epoch=2)}
WAVE = np.sin(np.arange(90) * 0.4)
X = np.random.default_rng(0).normal(size=(24, 4))
# What makes a loss overflow, and what a fit needs to go well again.
DIVERGES = {
    "learning_rate": 1e38,
    "optimizer__clip_grad_norm": None,
    "architecture__linear_skip": False,
    "sampling__steps_per_epoch": 9,
}
SOUND = {
    "learning_rate": 3e-3,
    "optimizer__clip_grad_norm": 1.0,
    "architecture__linear_skip": None,
    "sampling__steps_per_epoch": 2,
}
# Nested parameters, and the flat ones that they change; a word comes first, and the object is that of the word.
NESTED = [
    ({"architecture__tbptt": 2, "architecture__bidirectional": False}, {"tbptt": 2, "bidirectional": False}),
    ({"architecture__bidirectional": True, "architecture__tbptt": None}, {"bidirectional": True, "tbptt": None}),
    ({"architecture": "lstm", "architecture__bidirectional": False}, {"bidirectional": False, "tbptt": None}),
    ({"optimizer__weight_decay": 0.1}, {"weight_decay": 0.1}),
    ({"optimizer": "adamw", "optimizer__weight_decay": 0.0}, {"optimizer": "adamw", "weight_decay": 0.0}),
    ({"lr_schedule": "plateau", "lr_schedule__factor": 0.3}, {"lr_schedule": "plateau", "lr_factor": 0.3}),
    ({"lr_schedule": "cosine"}, {"lr_schedule": "cosine", "lr_factor": 0.5}),
    ({"early_stopping__patience": 3, "early_stopping__min_delta": 0.1}, {"patience": 3, "min_delta": 0.1}),
    ({"early_stopping__min_delta": 0.0}, {"min_delta": 0.0}),
    ({"sampling__steps_per_epoch": 3}, {"steps_per_epoch": 3}),
]


def flat(model):
    """All parameters, those of objects too, whether a word or an object was given."""
    if isinstance(model, LSTMAnomalyDetector):
        return model.get_params(deep=False) | {"forecaster": None} | flat(model.forecaster)
    return flat_parameters(model)


def fails(record):
    """A callback that ends a fit after its second epoch."""
    if record["epoch"] == 2:
        raise RuntimeError("disk full")


def series(scale, start=0, stop=40):
    times = pd.date_range("2026-01-01", periods=90, freq="h")
    return pd.Series(WAVE * scale, times, name="load")[start:stop]


def panel(scale, start=0, stop=40):
    return pd.concat({"a": series(scale, start, stop), "b": series(2 * scale, start, stop)}, names=["unique_id", "ds"])


class Estimator(RuleBasedStateMachine):
    """Steps that every estimator knows; subclasses say how it is made, taught and asked."""

    network = ""  # before the names of the network's parameters
    diverges: ClassVar = DIVERGES
    sound: ClassVar = SOUND

    def new(self):
        raise NotImplementedError

    def data(self, scale):
        raise NotImplementedError

    def bad_data(self):
        raise NotImplementedError

    def says(self, model):
        """All that it forecasts, as one array."""
        raise NotImplementedError

    @initialize()
    def begin(self):
        np.random.seed(7)
        self.random = np.random.get_state()[1:3]
        self.model, self.known = self.new(), None
        self.parameters = self.model.get_params()

    def set(self, **changes):
        """Set parameters of the network."""
        self.model.set_params(**{f"{self.network}{name}": value for name, value in changes.items()})
        self.parameters = self.model.get_params()

    def is_fitted(self):
        return self.known is not None

    def learn(self):
        """Take down what a step has taught."""
        self.known = learned(self.model), self.says(self.model)

    @rule(scale=st.sampled_from([1.0, 3.0]))
    def fit(self, scale):
        assert self.model.fit(*self.data(scale)) is self.model
        self.learn()

    @rule(scale=st.sampled_from([1.0, 3.0]))
    def fit_with_a_callback_that_fails(self, scale):
        self.set(callbacks=[fails])
        with pytest.raises(RuntimeError, match="disk full"):
            self.model.fit(*self.data(scale))
        self.set(callbacks=None)

    @rule()
    def fit_that_diverges(self):
        self.set(**self.diverges)
        with pytest.raises(FloatingPointError):
            self.model.fit(*self.data(2.0))
        self.set(**self.sound)

    @rule()
    def fit_to_bad_data(self):
        with pytest.raises((TypeError, ValueError)):
            self.model.fit(*self.bad_data())

    @rule(change=st.sampled_from(NESTED))
    def set_nested_parameters(self, change):
        """The next fit reads them; neither clones nor the objects that were given change."""
        nested, now = change
        before, given, other = flat(self.model), self.model.get_params(), clone(self.model)
        texts = {name: repr(value) for name, value in given.items() if isinstance(value, ParameterGroup)}
        self.set(**nested)
        assert flat(self.model) == before | now
        assert flat(other) == before
        assert texts == {name: repr(given[name]) for name in texts}

    @rule()
    def be_cloned(self):
        other = clone(self.model)
        assert not learned(other)
        assert repr(other) == repr(clone(other))
        assert other.get_params(deep=False).keys() == self.model.get_params(deep=False).keys()

    @precondition(is_fitted)
    @rule(how=st.sampled_from(["file", "pickle", "copy"]))
    def go_on_as_a_copy(self, how):
        """What is loaded, unpickled or copied is the same, and takes its place."""
        if how == "file":
            with tempfile.TemporaryDirectory() as folder:
                self.model.save(Path(folder, "model"))
                other = lstmforecast.load(Path(folder, "model"))
        else:
            other = pickle.loads(pickle.dumps(self.model)) if how == "pickle" else copy.deepcopy(self.model)
            # not of a file, which holds a word for an object with its defaults
            assert repr(other) == repr(self.model)
        assert flat(other) == flat(self.model)
        self.model, self.parameters = other, other.get_params()

    @precondition(is_fitted)
    @rule()
    def predict(self):
        np.testing.assert_array_equal(self.says(self.model), self.known[1])

    @invariant()
    def nothing_else_changes(self):
        if not hasattr(self, "model"):
            return
        found = self.model.get_params()
        assert found.keys() == self.parameters.keys()
        assert all(found[name] is value or found[name] == value for name, value in self.parameters.items())
        state = np.random.get_state()
        assert state[2] == self.random[1]
        assert np.array_equal(state[1], self.random[0])
        if self.known is None:
            assert not learned(self.model)
        else:
            assert learned(self.model) == self.known[0]


class Forecaster(Estimator):
    make = staticmethod(series)

    def new(self):
        self.end = 40
        return LSTMForecaster(**SERIES)

    def data(self, scale):
        return (self.make(scale),)

    def bad_data(self):
        return (self.make(np.nan),)

    def says(self, model):
        return np.hstack([model.predict(3).to_numpy()[:2], model.predict_interval(0.5).to_numpy().ravel()])

    @rule(scale=st.sampled_from([1.0, 3.0]))
    def fit(self, scale):
        super().fit(scale)
        self.end = 40

    @precondition(Estimator.is_fitted)
    @rule(n=st.integers(1, 4))
    def update(self, n):
        if self.end + n <= 90:
            self.model.update(self.make(1.0, self.end, self.end + n))
            self.end += n
            self.learn()

    @precondition(Estimator.is_fitted)
    @rule(what=st.sampled_from(["overlap", "nan", "gap", "words"]))
    def update_that_fails(self, what):
        rows = {
            "overlap": self.make(1.0, self.end - 1, self.end + 1),
            "nan": self.make(np.nan, self.end, self.end + 2),
            "gap": self.make(1.0, self.end + 2, self.end + 4),
            "words": self.make(1.0, self.end, self.end + 2).astype(str),
        }
        with pytest.raises((TypeError, ValueError)):
            self.model.update(rows[what])

    @precondition(Estimator.is_fitted)
    @rule()
    def predict_what_cannot_be(self):
        with pytest.raises((TypeError, ValueError)):
            self.model.predict(0)
        with pytest.raises((TypeError, ValueError)):
            self.model.predict(context=self.make(np.nan))


class PanelForecaster(Forecaster):
    make = staticmethod(panel)

    def says(self, model):
        return np.hstack([model.predict(3).to_numpy(), model.predict_interval(0.5).to_numpy().ravel()])


class Regressor(Estimator):
    kind = LSTMRegressor
    diverges: ClassVar = {name: value for name, value in DIVERGES.items() if name != "architecture__linear_skip"}
    sound: ClassVar = {name: value for name, value in SOUND.items() if name != "architecture__linear_skip"}

    def new(self):
        return self.kind(**FAST)

    def data(self, scale):
        return scale * X, scale * X[:, 0] + 3

    def bad_data(self):
        return X, [np.nan] * 24

    def says(self, model):
        return model.predict(X)


class Classifier(Regressor):
    kind = LSTMClassifier

    def data(self, scale):
        return scale * X, X[:, 0] > scale / 10

    def bad_data(self):
        return X, ["one class"] * 24

    def says(self, model):
        return model.predict_proba(X)


class Detector(Estimator):
    network = "forecaster__"

    def new(self):
        return LSTMAnomalyDetector(LSTMForecaster(**SERIES), refit_every=7, memory=60)

    def data(self, scale):
        return (scale * WAVE[:40, np.newaxis],)

    def bad_data(self):
        return ([[np.nan]] * 40,)

    def says(self, model):
        return model.score_samples(WAVE[:, np.newaxis])

    @rule(change=st.sampled_from(NESTED))
    def set_nested_parameters(self, change):
        """A file keeps the parameters that the forecaster was fitted with: they are fitted at once."""
        super().set_nested_parameters(change)
        self.fit(1.0)

    @precondition(Estimator.is_fitted)
    @rule(n=st.integers(1, 9))
    def update(self, n):
        self.model.update(WAVE[:n, np.newaxis])
        self.learn()

    @precondition(Estimator.is_fitted)
    @rule(rows=st.sampled_from([[["a"]], [[1.0, 2.0]], [[np.inf]]]))
    def update_that_fails(self, rows):
        with pytest.raises((TypeError, ValueError)):
            self.model.update(rows)

    @precondition(Estimator.is_fitted)
    @rule()
    def update_whose_refit_fails(self):
        """A file keeps no callbacks, and the forecaster with its parameters: they are set for this step alone."""
        self.set(callbacks=[fails])
        with pytest.raises(RuntimeError, match="disk full"):
            self.model.update(WAVE[:8, np.newaxis])
        self.set(callbacks=None)


def _test(machine):
    # a fit takes milliseconds: all machines together some ten seconds
    machine.TestCase.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
    return machine.TestCase


TestForecaster = _test(Forecaster)
TestPanelForecaster = _test(PanelForecaster)
TestRegressor = _test(Regressor)
TestClassifier = _test(Classifier)
TestDetector = _test(Detector)
