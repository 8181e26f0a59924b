import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import preprocessing
from sklearn.exceptions import DataConversionWarning, NotFittedError

from lstmforecast import EarlyStopping, LSTMClassifier, load, windows

FAST: dict[str, Any] = {"hidden_size": 8, "learning_rate": 1e-2, "max_epochs": 60, "n_threads": 1, "random_state": 0}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Windows (60, 6) of a sine and whether it rises, falls, or turns."""
    X, y = windows(np.sin(np.arange(66) / 3), window_size=6)
    step = y[:, 0, 0] - X[:, -1, 0]
    return X[:, :, 0], np.select([step > 0.1, step < -0.1], ["up", "down"], "turn")


def test_it_learns_names(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMClassifier(**FAST).fit(X, y)
    assert model.classes_.tolist() == ["down", "turn", "up"]
    assert model.score(X, y) > 0.85


def test_probabilities(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMClassifier(**FAST).fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (60, 3)
    # Sums of three float64 numbers, each rounded once.
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])


@pytest.mark.parametrize(
    ("first", "second"),
    [(0, 1), (-1, 7), (0.5, 2.5), (False, True), ("no", "yes")],
    ids=["int", "gap", "float", "bool", "string"],
)
def test_labels_of_every_type(data: tuple[np.ndarray, np.ndarray], tmp_path: Path, first: Any, second: Any) -> None:
    X, y = data[0], np.where(data[1] == "up", second, first)
    if isinstance(first, float):
        y = y.astype(object)  # scikit-learn takes floats with a fraction for a regression's targets
        first, second = str(first), str(second)
        y = y.astype(str)
    model = LSTMClassifier(**FAST).fit(X, y)
    assert model.classes_.tolist() == [first, second]
    model.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_pandas_labels_and_columns(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    frame = pd.DataFrame(data[0]).add_prefix("lag_")
    model = LSTMClassifier(**FAST).fit(frame, pd.Series(data[1], dtype="category"))
    model.save(tmp_path / "model.safetensors")
    for same in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert same.feature_names_in_.tolist() == frame.columns.tolist()
        np.testing.assert_array_equal(same.predict_proba(frame), model.predict_proba(frame))


def test_weights_equal_repeated_rows(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    counts = np.arange(60) % 4
    weighted = LSTMClassifier(**FAST).fit(X, y, sample_weight=counts)
    repeated = LSTMClassifier(**FAST).fit(X.repeat(counts, 0)[::-1], y.repeat(counts)[::-1])
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_a_scaler_object_leaves_the_classes_alone(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMClassifier(scaler=preprocessing.StandardScaler(), **FAST).fit(X, y)
    assert model.model_.scalers()["output_scale"].tolist() == [1.0, 1.0, 1.0]
    assert model.score(X, y) > 0.85


def test_early_stopping(data: tuple[np.ndarray, np.ndarray]) -> None:
    """The last fifth of the rows, held out, is labelled the wrong way round: what is learned makes its loss grow."""
    X, y = data[0], data[1] == "up"
    y[48:] = ~y[48:]

    def fit(**options: Any) -> LSTMClassifier:
        stopping = EarlyStopping(patience=5, validation_fraction=0.2)
        return LSTMClassifier(early_stopping=stopping, **FAST | options).fit(X, y)

    model = fit()
    losses = model.history_["val_loss"]
    assert losses.notna().all()
    assert model.stop_reason_ == "patience"
    assert model.n_epochs_ == len(losses) == model.best_epoch_ + 5 < FAST["max_epochs"]
    assert losses.argmin() + 1 == model.best_epoch_
    # the weights are those of the best epoch: of a training that a callback ended there
    best = fit(callbacks=[lambda record: record["epoch"] == model.best_epoch_])
    np.testing.assert_array_equal(model.predict_proba(X), best.predict_proba(X))


def test_an_interrupted_fit_is_kept(data: tuple[np.ndarray, np.ndarray]) -> None:
    def interrupt(record: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    model = LSTMClassifier(callbacks=[interrupt], **FAST)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data)
    assert model.predict(data[0]).shape == (60,)


def test_a_column_of_labels_warns(data: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        LSTMClassifier(**FAST | {"max_epochs": 1}).fit(data[0], data[1].reshape(-1, 1))


@pytest.mark.parametrize(
    ("y", "weight", "message"),
    [
        (["a", "a", "a"], None, "expected y with at least 2 classes, got 1 class: 'a'"),
        ([0, 1, 0], [1, 0, 1], "expected y with at least 2 classes, got 1 class: 0"),
        ([0.1, 0.2, 0.7], None, "Unknown label type: continuous"),
        ([0, 1], None, "expected y with 3 rows as X has, got 2"),
        (None, None, "requires y to be passed, but the target y is None"),
        ([[0, 1], [1, 0], [1, 1]], None, "y should be a 1d array"),
        ([0, 1, np.nan], None, "expected finite values in y, got NaN in row 2"),
        (["a", None, "b"], None, "expected a label in every row of y, got None in row 1"),
    ],
)
def test_bad_labels(y: Any, weight: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LSTMClassifier(**FAST).fit(np.arange(12.0).reshape(3, 4), y, sample_weight=weight)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_asked_before_fit(method: str) -> None:
    with pytest.raises(NotFittedError):
        getattr(LSTMClassifier(), method)(np.zeros((3, 4)))


def test_there_is_no_loss_to_choose() -> None:
    assert "loss" not in LSTMClassifier().get_params()


def test_classes_that_cannot_be_saved_are_refused_before_the_training():
    days = np.array(["2026-01-01", "2026-01-02"], "datetime64[D]")[np.arange(20) % 2]
    with pytest.raises(TypeError, match=r"expected numbers, strings or booleans in y, got datetime64.*y.astype\(str\)"):
        LSTMClassifier(max_epochs=1, n_threads=1).fit(np.arange(80.0).reshape(20, 4), days)
