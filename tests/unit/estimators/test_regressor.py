import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import preprocessing
from sklearn.exceptions import NotFittedError

from lstmforecast import EarlyStopping, LSTMRegressor, load, windows

FAST: dict[str, Any] = {"hidden_size": 8, "learning_rate": 1e-2, "max_epochs": 5, "n_threads": 1, "random_state": 0}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Windows (40, 6, 2) of two sines and the step that follows each (40, 2)."""
    series = np.stack([np.sin(np.arange(46) / 3), 50 + 10 * np.cos(np.arange(46) / 5)], axis=1)
    X, y = windows(series, window_size=6)
    return np.array(X), y[:, 0]


def test_flat_rows_and_windows_are_the_same(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    flat = LSTMRegressor(n_features_per_step=2, **FAST).fit(X.reshape(40, 12), y)
    deep = LSTMRegressor(**FAST).fit(X, y)
    assert flat.n_features_in_ == 12
    assert deep.n_features_in_ == 2
    for model in (flat, deep):
        np.testing.assert_array_equal(model.predict(X), deep.predict(X))
        np.testing.assert_array_equal(model.predict(X.reshape(40, 12)), deep.predict(X))


def test_a_flat_row_is_one_feature_by_default(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMRegressor(**FAST).fit(X[:, :, 0], y[:, 0])
    assert (model.model_.config["window_size"], model.model_.config["n_features"]) == (6, 1)


@pytest.mark.parametrize(("columns", "shape"), [(0, (40,)), ([0], (40, 1)), ([0, 1], (40, 2))])
def test_predictions_have_the_shape_of_the_targets(
    data: tuple[np.ndarray, np.ndarray], columns: Any, shape: tuple[int, ...]
) -> None:
    X, y = data
    model = LSTMRegressor(**FAST).fit(X, y[:, columns])
    assert model.predict(X).shape == shape
    assert model.n_outputs_ == (1 if len(shape) == 1 else shape[1])


def test_it_learns_in_the_units_of_the_targets(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMRegressor(**FAST | {"max_epochs": 60}).fit(X, y)
    assert model.score(X, y) > 0.9
    assert abs(model.predict(X)[:, 1].mean() - y[:, 1].mean()) < 1


def test_every_container_works(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = np.round(data[0][:, :, 1]), np.round(data[1][:, 1])
    expected = LSTMRegressor(**FAST).fit(X, y).predict(X)
    frame = pd.DataFrame(X).add_prefix("lag_")
    for same_X in (X.astype(int), np.asfortranarray(X), X.astype(np.float16), X.tolist(), frame.astype("Int64")):
        for same_y in (y, y.tolist(), pd.Series(y, dtype="Int64")):
            np.testing.assert_array_equal(LSTMRegressor(**FAST).fit(same_X, same_y).predict(same_X), expected)


def test_weights_equal_repeated_rows(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    counts = np.arange(40) % 3
    order = np.random.default_rng(0).permutation(counts.sum())
    for scaler in ("standard", "robust", preprocessing.StandardScaler()):
        weighted = LSTMRegressor(scaler=scaler, **FAST).fit(X, y, sample_weight=counts)
        repeated = LSTMRegressor(scaler=scaler, **FAST).fit(X.repeat(counts, 0)[order], y.repeat(counts, 0)[order])
        np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_weights_matter(data: tuple[np.ndarray, np.ndarray]) -> None:
    """Each window has two targets: what is learned is nearer to the heavier one, by as much as it is heavier."""
    X, y = np.repeat(data[0], 2, axis=0), np.repeat(data[1][:, 0], 2) + np.tile([0.0, 4.0], 40)
    for light, heavy in [(1.0, 1.0), (1.0, 3.0), (3.0, 1.0)]:
        model = LSTMRegressor(**FAST | {"max_epochs": 60}).fit(X, y, sample_weight=np.tile([light, heavy], 40))
        share = (model.predict(X[::2]) - y[::2]).mean() / 4.0
        # 60 epochs of a small network
        assert share == pytest.approx(heavy / (light + heavy), abs=0.03)


def test_a_scaler_object_acts_like_the_named_one(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    for name, scaler in [("standard", preprocessing.StandardScaler()), ("minmax", preprocessing.MinMaxScaler())]:
        named, given = (LSTMRegressor(scaler=choice, **FAST).fit(X, y) for choice in (name, scaler))
        for learned, expected in named.model_.scalers().items():
            # float64 statistics, computed in two ways.
            np.testing.assert_allclose(given.model_.scalers()[learned], expected, rtol=1e-12, atol=1e-12)
        assert not hasattr(scaler, "scale_")


def test_a_scaler_object_sees_training_rows_only(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    options = FAST | {
        "early_stopping": EarlyStopping(patience=3, validation_fraction=0.25),
        "scaler": preprocessing.StandardScaler(),
    }
    model = LSTMRegressor(**options).fit(X, y)
    scalers = model.model_.scalers()
    np.testing.assert_allclose(scalers["input_center"], X[:30].mean(axis=(0, 1)))
    np.testing.assert_allclose(scalers["output_center"], y[:30].mean(axis=0))


def test_no_scaler_leaves_the_data_as_given(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    scalers = LSTMRegressor(scaler=None, **FAST).fit(X, y).model_.scalers()
    assert scalers["input_center"].tolist() == scalers["output_center"].tolist() == [0.0, 0.0]
    assert scalers["input_scale"].tolist() == scalers["output_scale"].tolist() == [1.0, 1.0]


def test_the_last_rows_are_held_out_with_patience(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    assert LSTMRegressor(**FAST).fit(X, y).history_["val_loss"].isna().all()
    assert LSTMRegressor(early_stopping=3, **FAST).fit(X, y).history_["val_loss"].notna().all()


def test_the_same_seed_gives_the_same_bits(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    first, second = (LSTMRegressor(**FAST).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_warm_start_goes_on(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMRegressor(warm_start=True, **FAST).fit(X, y)
    loss = model.history_["train_loss"].iloc[-1]
    assert model.fit(X, y).history_["train_loss"].iloc[0] < 1.5 * loss


@pytest.mark.parametrize("flat", [True, False])
def test_save_and_load(data: tuple[np.ndarray, np.ndarray], tmp_path: Path, flat: bool) -> None:
    X, y = pd.DataFrame(data[0].reshape(40, 12)).add_prefix("lag_"), data[1][:, 0] if flat else data[1]
    model = LSTMRegressor(n_features_per_step=2, **FAST).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    for loaded in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert loaded.feature_names_in_.tolist() == X.columns.tolist()
        assert (loaded.n_features_in_, loaded.n_outputs_) == (12, 1 if flat else 2)


def test_an_interrupted_fit_is_kept(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data

    def interrupt(record: dict[str, Any]) -> None:
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    model = LSTMRegressor(callbacks=[interrupt], **FAST)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.n_epochs_ == 2


def test_a_callback_ends_the_training(data: tuple[np.ndarray, np.ndarray]) -> None:
    model = LSTMRegressor(callbacks=[lambda record: record["epoch"] == 3], **FAST).fit(*data)
    assert model.n_epochs_ == 3


def test_a_fit_on_windows_forgets_the_names_of_columns(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMRegressor(**FAST).fit(pd.DataFrame(X.reshape(40, 12)).add_prefix("lag_"), y)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize(
    ("X", "y", "weight", "error", "message"),
    [
        (
            np.zeros((4, 23)),
            np.zeros(4),
            None,
            ValueError,
            r"\(n, window \* 2\) as n_features_per_step=2, got \(4, 23\)",
        ),
        (np.zeros((4, 6, 3)), np.zeros(4), None, ValueError, r"X of shape \(n, window, 2\), got \(4, 6, 3\)"),
        (np.zeros((4, 0, 2)), np.zeros(4), None, ValueError, r"X of shape \(n, window, 2\), got \(4, 0, 2\)"),
        (np.zeros((4, 6, 2, 1)), np.zeros(4), None, ValueError, r"or \(n, window, features\), got \(4, 6, 2, 1\)"),
        (np.zeros(4), np.zeros(4), None, ValueError, "Expected 2D array, got 1D array instead"),
        (np.zeros((4, 6)), np.zeros(3), None, ValueError, "expected y with 4 rows as X has, got 3"),
        (np.zeros((4, 6)), np.zeros((4, 1, 1)), None, ValueError, r"\(n,\) or \(n, outputs\), got \(4, 1, 1\)"),
        (np.zeros((4, 6)), None, None, ValueError, "requires y to be passed, but the target y is None"),
        (np.zeros((4, 6)), [0, 1, np.nan, 2], None, ValueError, "finite values in y, got NaN in row 2"),
        (np.zeros((4, 6)), ["a", "b", "c", "d"], None, ValueError, "could not convert string to float: 'a'"),
        (np.diag([1, 1, -np.inf, 1]), np.zeros(4), None, ValueError, "in X, got -inf in row 2, column 2"),
        (np.full((4, 3, 2), np.nan), np.zeros(4), None, ValueError, "in X, got NaN in row 0, step 0, feature 0"),
        (np.zeros((4, 6)), np.zeros(4), [1, 1], ValueError, r"sample_weight of shape \(4,\), got \(2,\)"),
        (np.zeros((4, 6)), np.zeros(4), [1, -1, 1, 1], ValueError, "no negative sample_weight, got -1.0 in row 1"),
        (np.zeros((4, 6)), np.zeros(4), np.zeros(4), ValueError, "sample_weight above zero .* got zeros only"),
    ],
)
def test_bad_data_in_fit(X: Any, y: Any, weight: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LSTMRegressor(n_features_per_step=2, **FAST).fit(X, y, sample_weight=weight)


def test_a_refused_fit_loses_nothing(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = LSTMRegressor(**FAST).fit(X, y)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="got NaN in row 0"):
        model.fit(np.full((40, 7), np.nan), y[:, 0])
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 23), "X has 23 features, but LSTMRegressor is expecting 12 features as input"),
        ((3, 5, 2), r"expected X of shape \(n, 12\) or \(n, 6, 2\), got \(n, 5, 2\)"),
    ],
)
def test_other_features_in_predict(data: tuple[np.ndarray, np.ndarray], shape: tuple[int, ...], message: str) -> None:
    model = LSTMRegressor(n_features_per_step=2, **FAST).fit(data[0].reshape(40, 12), data[1])
    with pytest.raises(ValueError, match=message):
        model.predict(np.zeros(shape))


def test_other_columns_in_predict_after_windows(data: tuple[np.ndarray, np.ndarray]) -> None:
    model = LSTMRegressor(**FAST).fit(*data)
    with pytest.raises(ValueError, match=r"expected X of shape \(n, 12\) or \(n, 6, 2\), got \(n, 23\)"):
        model.predict(np.zeros((3, 23)))


def test_predict_before_fit() -> None:
    with pytest.raises(NotFittedError):
        LSTMRegressor().predict(np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_features_per_step": 0}, ValueError, "expected n_features_per_step to be an integer of at least 1, got 0"),
        ({"n_features_per_step": 1.5}, TypeError, "n_features_per_step"),
        ({"loss": "mean"}, ValueError, "expected loss to be 'mse', 'mae' or 'huber', got 'mean'"),
        ({"hidden_size": -1}, ValueError, "hidden_size"),
        ({"scaler": preprocessing.PowerTransformer()}, ValueError, "expected a scaler of the form"),
    ],
)
def test_bad_parameters(
    data: tuple[np.ndarray, np.ndarray], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LSTMRegressor(**FAST | options).fit(*data)
