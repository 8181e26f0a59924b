"""Augmentation from Python: objects, their rules, and what estimators do with them."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from tests.fuzz.safetensors_file import METADATA, Parts

from lstmforecast import FormatError, LSTMClassifier, LSTMForecaster, LSTMRegressor, Sampling, _core, augment, load

ALL = ["jitter", "scale", "magnitude_warp", "time_warp", "window_slice"]
FAST = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}
MIXED = ["jitter", augment.time_warp(knots=3, sigma=0.1, probability=0.25)]


def _series(n=150):
    index = pd.date_range("2026-01-01", periods=n, freq="h")
    return pd.Series(np.sin(np.arange(n) / 3) + np.random.default_rng(0).normal(0, 0.1, n), index, name="load")


def _forecaster(**parameters):
    return LSTMForecaster(3, window_size=12, sampling=Sampling(steps_per_epoch=3), **FAST | parameters)


def _table(n=60):
    X = np.random.default_rng(1).normal(size=(n, 8))
    return X, X[:, :2].sum(axis=1)


@pytest.mark.parametrize("name", ALL)
def test_an_object_is_what_it_prints(name):
    method = getattr(augment, name)()
    assert method.probability == 0.5
    assert eval(repr(method), {"augment": augment}) == method
    for same in (pickle.loads(pickle.dumps(method)), copy.deepcopy(method), clone(method, safe=False)):
        assert same == method
        assert hash(same) == hash(method)
    assert method != type(method)(probability=0.25)
    with pytest.raises(AttributeError):
        method.probability = 1.0


def test_numbers_of_numpy_become_plain():
    method = augment.magnitude_warp(knots=np.int64(3), sigma=np.float32(0.5), probability=1)
    assert repr(method) == "augment.magnitude_warp(knots=3, sigma=0.5, probability=1.0)"


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: augment.jitter(sigma=-1), ValueError, "expected sigma to be a number of at least 0, got -1"),
        (lambda: augment.scale(sigma=np.nan), ValueError, "expected sigma .* got nan"),
        (lambda: augment.scale(sigma=np.inf), ValueError, "expected sigma .* got inf"),
        (lambda: augment.scale(sigma="much"), TypeError, "expected sigma to be a number of at least 0, got 'much'"),
        (lambda: augment.time_warp(knots=0), ValueError, "expected knots to be an integer of at least 1 .* got 0"),
        (lambda: augment.time_warp(knots=10**12), ValueError, "and at most 1000, got 1000000000000"),
        (lambda: augment.magnitude_warp(knots=2.5), TypeError, "expected knots to be an integer .* got 2.5"),
        (lambda: augment.window_slice(size=0), ValueError, "expected size to be a number above 0 and at most 1, got 0"),
        (lambda: augment.jitter(probability=1.5), ValueError, "expected probability .* at most 1, got 1.5"),
        (lambda: augment.jitter()(np.zeros((3, 4))), ValueError, r"X of shape \(n, window, features\), got \(3, 4\)"),
        (lambda: augment.jitter()(np.zeros((3, 0, 1))), ValueError, r"got \(3, 0, 1\)"),
        (
            lambda: augment.jitter()(np.zeros((3, 4, 1)), np.zeros((3, 2, 2))),
            ValueError,
            r"expected y of shape \(3, horizon, targets\) with at most 1 targets, got \(3, 2, 2\)",
        ),
        (lambda: augment.jitter()(np.zeros((3, 4, 1)), np.zeros((2, 2, 1))), ValueError, r"got \(2, 2, 1\)"),
    ],
)
def test_what_makes_no_sense_is_named(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_kinds_of_arrays_and_random_states():
    X = np.random.default_rng(2).normal(size=(6, 10, 2))
    method = augment.jitter(probability=1)
    assert_array_equal(method(X.tolist(), random_state=3), method(X, random_state=np.random.RandomState(3)))
    assert_array_equal(method(np.asfortranarray(X), random_state=3), method(X, random_state=3))
    integers = np.arange(20).reshape(1, 20, 1)
    assert method(integers, random_state=0).dtype == np.float64
    state = np.random.default_rng(4)
    assert (method(X, random_state=state) != method(X, random_state=state)).all()
    assert (method(X) != method(X)).all()
    assert method(np.empty((0, 10, 2))).shape == (0, 10, 2)


@pytest.mark.parametrize("estimator", [LSTMForecaster(), LSTMRegressor(), LSTMClassifier()])
@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ("jitter", TypeError, "expected augment to be a list of names and objects or None, got 'jitter'"),
        (augment.jitter(), TypeError, r"expected augment to be a list .* got augment.jitter\("),
        (["jiter"], ValueError, "expected augment to hold names of 'jitter', 'scale', .* got 'jiter'"),
        ([augment.jitter], TypeError, "expected augment to hold names and objects such as augment.jitter"),
        ([None], TypeError, "got None"),
        # it could be read but once
        ((name for name in ALL), TypeError, "expected augment to be a list"),
    ],
)
def test_an_estimator_names_what_it_does_not_know(estimator, value, error, text):
    X, y = _table()
    with pytest.raises(error, match=text):
        clone(estimator).set_params(augment=value).fit(X if not isinstance(estimator, LSTMForecaster) else _series(), y)


@pytest.mark.parametrize("estimator", [_forecaster(), LSTMRegressor(**FAST), LSTMClassifier(**FAST)])
@pytest.mark.parametrize("value", [MIXED, ALL, (augment.scale(),)])
def test_estimators_are_kept_with_it(estimator, value, tmp_path):
    estimator = clone(estimator).set_params(augment=value)
    again = clone(estimator)
    assert again.get_params()["augment"] == value
    assert pickle.loads(pickle.dumps(estimator)).augment == value
    X, y = _table()
    data = (_series(),) if isinstance(estimator, LSTMForecaster) else (X, y > 0)
    estimator.fit(*data).save(tmp_path / "m")
    back = load(tmp_path / "m")
    assert back.augment == list(value)
    assert back.get_params() == estimator.get_params() | {"augment": list(value)}
    shown = {"context": data[0]} if isinstance(estimator, LSTMForecaster) else {"X": X}
    assert_array_equal(np.asarray(back.predict(**shown)), np.asarray(estimator.predict(**shown)))
    # the same seed trains the same network, another augmentation another one
    assert_array_equal(again.fit(*data).history_["train_loss"], estimator.history_["train_loss"])
    plain = clone(estimator).set_params(augment=None).fit(*data)
    assert (plain.history_["train_loss"] != estimator.history_["train_loss"]).all()
    assert_array_equal(
        clone(plain).set_params(augment=[]).fit(*data).history_["train_loss"], plain.history_["train_loss"]
    )


def test_a_file_with_another_method_is_refused(tmp_path):
    _forecaster(augment=[augment.jitter()]).fit(_series()).save(tmp_path / "m")
    parts = Parts.of((tmp_path / "m").read_bytes())
    said = parts.header[METADATA]
    said["parameters"] = said["parameters"].replace('"jitter"', '"jotter"')
    parts.sign()
    (tmp_path / "m").write_bytes(parts.file())
    with pytest.raises(FormatError, match="jotter"):
        load(tmp_path / "m")


def test_a_search_finds_it():
    X, y = _table()
    grid = {"augment": [None, ["jitter"], [augment.scale(sigma=0.5)]]}
    search = GridSearchCV(LSTMRegressor(**FAST), grid, cv=2, error_score="raise").fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 3


def test_only_training_windows_are_changed():
    """Steps too small to change a weight: the held-out loss stays, the training loss is that of other windows."""
    y, still = _series(), {"learning_rate": 1e-30, "early_stopping": 5}
    plain, changed = (_forecaster(augment=value, **still).fit(y) for value in (None, ALL))
    assert_array_equal(plain.history_["val_loss"], changed.history_["val_loss"])
    assert (plain.history_["train_loss"] != changed.history_["train_loss"]).all()
    # each step draws anew
    assert changed.history_["train_loss"].nunique() == 2
    for name, scaler in plain.model_.scalers().items():
        assert_array_equal(scaler, changed.model_.scalers()[name])
    pd.testing.assert_series_equal(plain.predict(), changed.predict())
    pd.testing.assert_frame_equal(plain.predict_interval(), changed.predict_interval())
    lines = [_forecaster(architecture="linear", augment=value).fit(y) for value in (None, ALL)]
    assert_array_equal(lines[0].history_["train_loss"], lines[1].history_["train_loss"])


def test_the_number_of_threads_changes_nothing_but_rounding():
    y = _series(400)
    found = [_forecaster(augment=ALL, n_threads=n, batch_size=64).fit(y).history_["train_loss"] for n in (1, 2)]
    # gradients of float32 are summed in another order; another draw would be worth some per cent
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_members_of_an_ensemble_draw_differently():
    model = _forecaster(augment=ALL, n_estimators=2, learning_rate=1e-30).fit(_series())
    alone = _forecaster(augment=ALL, learning_rate=1e-30).fit(_series())
    assert (model.history_["train_loss"] != alone.history_["train_loss"]).all()


@pytest.mark.parametrize("loss", ["negative_binomial", "poisson", "tweedie", "lognormal"])
def test_values_stay_above_zero(loss):
    y = 1 + np.random.default_rng(5).poisson(2.0, 200).astype(float)
    counts = {"loss": loss, "early_stopping": None}
    for method in ("scale", augment.magnitude_warp()):
        with pytest.raises(
            ValueError, match=r"expected augment to keep (counts|values) above 0 .* got augment\.(scale|magnitude)"
        ):
            _forecaster(augment=[method], **counts).fit(y)
    model = _forecaster(augment=["jitter", "time_warp", "window_slice"], **counts).fit(y)
    assert np.isfinite(model.history_["train_loss"]).all()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ([{"method": "jitter", "sigma": -1.0, "probability": 1.0}], ValueError, "expected sigma of at least 0, got -1"),
        ([{"method": "blur", "probability": 1.0}], TypeError, "blur"),
        ([{"method": "jitter", "probability": 1.0}], TypeError, "sigma"),
    ],
)
def test_the_core_checks_what_comes_from_elsewhere(options, error, text):
    with pytest.raises(error, match=text):
        _core.augment_windows(np.zeros((2, 3, 1)), None, options, 0)


@pytest.mark.parametrize(
    ("X", "y", "error", "text"),
    [
        (np.zeros((2, 3)), None, ValueError, "expected windows of shape"),
        (np.zeros((2, 3, 0)), None, ValueError, "expected windows of shape"),
        (np.zeros((2, 3, 1)), np.zeros((3, 3, 1)), ValueError, "expected windows of shape"),
        (np.zeros((2, 3, 1)), np.zeros((2, 3)), ValueError, "expected windows of shape"),
        (np.zeros((2, 3, 1)), np.zeros((2, 3, 1), np.float32), TypeError, "expected y of the type of X"),
        (np.zeros((2, 3, 1), int), None, TypeError, "expected X of float32 or float64"),
    ],
)
def test_the_core_checks_arrays(X, y, error, text):
    with pytest.raises(error, match=text):
        _core.augment_windows(X, y, [], 0)


@pytest.mark.parametrize(("X", "y", "name"), [([[["a"]]], None, "X"), (np.zeros((1, 2, 1)), [[["a"]]], "y")])
def test_words_are_refused(X, y, name):
    with pytest.raises(TypeError, match=rf"expected {name} to hold numbers, got others"):
        augment.jitter()(X, y)
