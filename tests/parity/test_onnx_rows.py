"""Exported regressors and classifiers under ONNX Runtime against scikit-learn's methods."""

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lstmforecast import CNNLSTM, LSTM, Attention, LSTMClassifier, LSTMRegressor, Transformer

FAST = {"hidden_size": 8, "max_epochs": 2, "random_state": 0, "n_threads": 1}
ARCHITECTURES = [
    {},
    {"architecture": LSTM(segment_length=2, bidirectional=True), "num_layers": 2},
    {"architecture": Attention(num_heads=2)},
    {"architecture": CNNLSTM(kernel_size=4)},
    {"architecture": Transformer(segment_length=3, num_heads=2)},
]


@pytest.fixture
def session(tmp_path):
    def of(model, dtype="float64"):
        model.to_onnx(tmp_path / "model.onnx", dtype=dtype)
        return onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])

    return of


def _rows(n=60, steps=6, features=2):
    return np.random.default_rng(0).normal(5, 2, size=(n, steps, features))


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_regressors(session, architecture, n_outputs):
    X = _rows()
    y = X[:, -1, 0] if n_outputs is None else X[:, -n_outputs:, 1]
    model = LSTMRegressor(**FAST, **architecture).fit(X, y)
    found = session(model).run(None, {"X": X})
    # single precision on both sides
    assert_allclose(found[0], model.predict(X), rtol=1e-5, atol=1e-6, strict=True)


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", None])
def test_flat_rows_stay_flat(session, scaler):
    X = pd.DataFrame(_rows().reshape(60, -1)).rename(columns="c{}".format)
    model = LSTMRegressor(n_features_per_step=2, scaler=scaler, **FAST).fit(X, X["c11"])
    of = session(model)
    assert [each.shape for each in of.get_inputs()] == [["n", 12]]
    assert_allclose(of.run(None, {"X": X.to_numpy()})[0], model.predict(X), rtol=1e-5, atol=1e-6)
    told = of.get_modelmeta().custom_metadata_map
    assert (json.loads(told["features"]), told["estimator"]) == (list(X), "LSTMRegressor")


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["no", "yes", "Ärger"], np.dtype(object)),
        (np.array(["a", "b", "c"], object), np.dtype(object)),
        ([3, 7, -1], np.dtype("int64")),
        (np.array([1, 2, 200], np.uint8), np.dtype("int64")),
        ([0.0, 1.0, 2.0], np.dtype("float64")),
        ([False, True], np.dtype(bool)),
    ],
)
def test_classifiers(session, architecture, labels, kind):
    X = _rows()
    y = np.asarray(labels)[np.arange(60) % len(labels)]
    model = LSTMClassifier(**FAST, **architecture).fit(X, y)
    of = session(model)
    assert [each.name for each in of.get_outputs()] == ["label", "probabilities"]
    label, probabilities = of.run(None, {"X": X})
    assert label.dtype == kind
    assert_allclose(probabilities, model.predict_proba(X), rtol=1e-5, atol=1e-6, strict=True)
    assert_array_equal(label, model.predict(X))
    assert json.loads(of.get_modelmeta().custom_metadata_map["classes"]) == model.classes_.tolist()


def test_more_classes_than_features(session):
    X = _rows(features=1)
    model = LSTMClassifier(**FAST).fit(X, np.arange(60) % 4)
    label, probabilities = session(model, dtype="float32").run(None, {"X": X.astype(np.float32)})
    assert probabilities.dtype == np.float32
    assert_allclose(probabilities, model.predict_proba(X), rtol=1e-5)
    assert_array_equal(label, model.predict(X))


def test_labels_without_a_type_in_onnx_are_refused(session):
    X = _rows()
    model = LSTMClassifier(**FAST).fit(X, np.arange(60) % 2)
    model.classes_ = np.array([1 + 2j, 3j])
    with pytest.raises(ValueError, match=r"expected labels that are numbers, booleans or strings for to_onnx, got"):
        session(model)
