"""Weights of classes, and probabilities that stay those of the data."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss, recall_score
from sklearn.utils.class_weight import compute_class_weight

from lstmforecast import LSTMClassifier, load
from lstmforecast.estimators.labels import weigh_classes
from lstmforecast.estimators.temperature import fit_temperature

FAST: dict[str, Any] = {"hidden_size": 8, "learning_rate": 1e-2, "max_epochs": 30, "n_threads": 1, "random_state": 0}


def rare(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows (n, 4, 1) and a class that is rare and overlaps with the other: one row in eight or so."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4, 1))
    chance = 1 / (1 + np.exp(3 - 2 * X[:, -1, 0]))
    return X, np.where(rng.random(n) < chance, "rare", "usual")


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return rare()


def test_class_weight_trains_as_sample_weight(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    by_class = LSTMClassifier(class_weight={"rare": 5}, **FAST).fit(X, y)
    by_row = LSTMClassifier(**FAST).fit(X, y, sample_weight=np.where(y == "rare", 5, 1))
    assert by_class.class_weight_.tolist() == [5, 1]
    for name, weights in by_row.model_.parameters().items():
        assert np.array_equal(weights, by_class.model_.parameters()[name])
    # Bayes' rule takes the weights out again: the twin in plain words.
    odds = by_row.predict_proba(X) / [5, 1]
    # Logits and shift are added in single precision inside the model.
    np.testing.assert_allclose(by_class.predict_proba(X), odds / odds.sum(axis=1, keepdims=True), rtol=1e-5)
    # What is predicted is what the weighted rows make most likely.
    assert (by_class.predict(X) == by_row.predict(X)).all()


def test_probabilities_are_those_of_the_data_and_predictions_of_the_weights() -> None:
    X, y = rare(4000)
    X_new, y_new = rare(2000, seed=1)
    plain, balanced = (LSTMClassifier(class_weight=w, **FAST | {"max_epochs": 5}).fit(X, y) for w in (None, "balanced"))
    found = {model: recall_score(y_new, model.predict(X_new), pos_label="rare") for model in (plain, balanced)}
    assert found[plain] < 0.4
    assert found[balanced] > 0.7
    # A frequency in 2,000 rows is known to 0.8 points, the network's error is of the same size; uncorrected it is 0.4.
    assert abs(balanced.predict_proba(X_new)[:, 0].mean() - (y_new == "rare").mean()) < 0.03
    assert log_loss(y_new, balanced.predict_proba(X_new)) < log_loss(y_new, plain.predict_proba(X_new)) * 1.05


def test_balanced_counts_as_scikit_learn_does() -> None:
    y = np.array([0, 1, 1, 2, 2, 2])
    classes, codes = np.unique(y, return_inverse=True)
    found = weigh_classes("balanced", classes, codes, None)
    np.testing.assert_array_equal(found, compute_class_weight("balanced", classes=classes, y=y))
    # A row of weight two is two rows.
    weights = np.array([3.0, 1, 1, 1, 2, 1])
    repeated = np.repeat(codes, weights.astype(int))
    np.testing.assert_array_equal(
        weigh_classes("balanced", classes, codes, weights), weigh_classes("balanced", classes, repeated, None)
    )


@pytest.mark.parametrize("labels", [[0, 1], [False, True], ["a", "b"], [1.0, 2.0]], ids=str)
def test_labels_of_every_type_survive_a_file(labels: list[Any], tmp_path: Path) -> None:
    X, y = rare(60)
    y = np.where(y == "rare", labels[0], labels[1])
    weights = {labels[0]: 4, labels[1]: np.float64(0.5)}
    model = LSTMClassifier(class_weight=weights, early_stopping=3, **FAST | {"max_epochs": 3}).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    for same in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert same.class_weight == weights
        assert same.class_weight_.tolist() == [4, 0.5]
        assert same.temperature_ == model.temperature_
        np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(same.predict(X), model.predict(X))


def test_the_module_of_torch_says_the_same(data: tuple[np.ndarray, np.ndarray]) -> None:
    torch = pytest.importorskip("torch")
    X, y = data
    model = LSTMClassifier(class_weight="balanced", early_stopping=5, **FAST).fit(X, y)
    assert model.temperature_ != 1
    with torch.no_grad():
        logits = model.to_torch()(torch.tensor(X, dtype=torch.float32))[:, 0]
    # Two implementations of the LSTM in single precision.
    np.testing.assert_allclose(softmax(logits.numpy(), axis=1), model.predict_proba(X), rtol=1e-4)


def test_the_onnx_file_decides_as_predict_does(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    X, y = data[0].reshape(-1, 4), data[1]
    model = LSTMClassifier(class_weight="balanced", early_stopping=5, **FAST).fit(X, y)
    model.to_onnx(tmp_path / "model.onnx")
    label, chances = ort.InferenceSession(tmp_path / "model.onnx").run(None, {"X": X.astype(np.float32)})
    # Two implementations of the LSTM in single precision.
    np.testing.assert_allclose(chances, model.predict_proba(X), rtol=1e-4)
    assert (label == model.predict(X)).all()
    assert (label != model.classes_[chances.argmax(axis=1)]).any()


def test_a_warm_start_goes_on_from_the_weights_not_the_correction(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMClassifier(class_weight={"rare": 5}, warm_start=True, **FAST | {"max_epochs": 2}).fit(X, y).fit(X, y)
    np.testing.assert_allclose(model.model_.scalers()["output_center"], [-np.log(5), 0], rtol=1e-6)


def test_temperature_is_the_best_of_many() -> None:
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(500, 3))
    # Drawn from logits a third as large: three times too sure.
    codes = np.array([rng.choice(3, p=row) for row in softmax(logits / 3, axis=1)])
    temperatures = np.geomspace(1, 10, 2001)
    losses = [log_loss(codes, softmax(logits / t, axis=1)) + np.log(t) ** 2 / 2 / 500 for t in temperatures]
    found = fit_temperature(logits, codes)
    # The grid's step is 0.1 percent.
    assert found == pytest.approx(temperatures[int(np.argmin(losses))], rel=2e-3)
    # 500 rows tell it to a tenth or so.
    assert found == pytest.approx(3, rel=0.2)
    weights = np.r_[np.full(250, 2.0), np.zeros(250)]
    # Twice the rows is not their weight to the prior, which is a 500th of the loss.
    assert fit_temperature(logits, codes, weights) == pytest.approx(
        fit_temperature(np.tile(logits[:250], (2, 1)), np.tile(codes[:250], 2)), rel=1e-6
    )


def test_few_rows_all_right_are_no_certainty() -> None:
    logits = np.array([[5.0, 0.0]] * 3)
    assert 0.3 < fit_temperature(logits, np.zeros(3, int)) < 1
    assert fit_temperature(np.zeros((0, 2)), np.zeros(0, int)) == pytest.approx(1, abs=1e-4)


def test_rows_held_out_become_more_likely_and_labels_stay() -> None:
    X, y = rare(300)
    settings = FAST | {"max_epochs": 60, "early_stopping": 60, "hidden_size": 32}
    as_trained = LSTMClassifier(calibration=None, **settings).fit(X, y)
    calibrated = LSTMClassifier(**settings).fit(X, y)
    assert as_trained.temperature_ == 1
    assert calibrated.temperature_ != 1
    assert (calibrated.predict(X) == as_trained.predict(X)).all()
    before, after = (log_loss(y[240:], model.predict_proba(X[240:])) for model in (as_trained, calibrated))
    assert after < before


def test_nothing_is_calibrated_where_nothing_is_held_out(data: tuple[np.ndarray, np.ndarray]) -> None:
    model = LSTMClassifier(**FAST | {"max_epochs": 2}).fit(*data)
    assert model.temperature_ == 1
    assert model.class_weight_.tolist() == [1, 1]


@pytest.mark.parametrize("flat", [False, True])
def test_scikit_learn_calibrates_it(data: tuple[np.ndarray, np.ndarray], flat: bool) -> None:
    X, y = data
    X = X.reshape(len(X), -1) if flat else X
    fast = FAST | {"max_epochs": 5}
    inside = CalibratedClassifierCV(LSTMClassifier(class_weight="balanced", **fast), cv=2).fit(X, y)
    around = CalibratedClassifierCV(FrozenEstimator(LSTMClassifier(**fast).fit(X[:300], y[:300]))).fit(X[300:], y[300:])
    for model in (inside, around):
        # 600 rows know a frequency to 1.4 points, half of them to 2.
        assert abs(model.predict_proba(X)[:, 0].mean() - (y == "rare").mean()) < 0.05


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"class_weight": "even"}, ValueError, "expected class_weight to be 'balanced', a dict or None, got 'even'"),
        ({"class_weight": [1, 2]}, TypeError, r"expected class_weight to be 'balanced', a dict or None, got \[1, 2\]"),
        ({"class_weight": {"rare": 0}}, ValueError, "expected a class_weight above 0 for 'rare', got 0"),
        ({"class_weight": {"rare": np.nan}}, ValueError, "expected a class_weight above 0 for 'rare', got nan"),
        ({"class_weight": {"rare": "2"}}, ValueError, "expected a class_weight above 0 for 'rare', got '2'"),
        ({"class_weight": {"rear": 2}}, ValueError, "with labels of y, such as 'rare', got 'rear'"),
        ({"calibration": "isotonic"}, ValueError, "expected calibration to be None or 'temperature', got 'isotonic'"),
    ],
)
def test_bad_parameters(
    data: tuple[np.ndarray, np.ndarray], changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LSTMClassifier(**FAST | changes).fit(*data)


def test_a_fold_may_lack_a_class(data: tuple[np.ndarray, np.ndarray]) -> None:
    model = LSTMClassifier(class_weight={"rare": 5, "usual": 1, "unseen": 9}, **FAST | {"max_epochs": 1}).fit(*data)
    assert model.class_weight_.tolist() == [5, 1]
