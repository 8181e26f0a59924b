"""scikit-learn's own checks, all of them, and its tools around our estimators."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from lstmforecast import LSTMClassifier, LSTMRegressor, MinMaxScaler, RobustScaler, StandardScaler, time_split, windows

# Small networks that learn fast: the checks fit some 150 times. One thread, as these networks gain nothing from more.
FAST: dict[str, Any] = {"hidden_size": 16, "learning_rate": 1e-2, "max_epochs": 50, "n_threads": 1}
SCALERS = [StandardScaler(), MinMaxScaler(), RobustScaler()]
VARIANTS: list[dict[str, Any]] = [{"architecture": name} for name in ("attention", "cnn_lstm", "transformer")]
NETWORKS = [kind(**FAST | variant) for variant in [{}, *VARIANTS] for kind in (LSTMRegressor, LSTMClassifier)]
ESTIMATORS = [*NETWORKS, *SCALERS]
# The networks that people get who set nothing: these must pass too, within their 100 epochs at their learning rate.
DEFAULTS = [LSTMRegressor(), LSTMClassifier()]

# Checks that scikit-learn runs on its own estimators, but not in `check_estimator`.
CHECKS_OF_ALL = [
    estimator_checks.check_dataframe_column_names_consistency,
    estimator_checks.check_n_features_in_after_fitting,
]
CHECKS_OF_SCALERS = [
    estimator_checks.check_set_output_transform,
    estimator_checks.check_set_output_transform_pandas,
    estimator_checks.check_global_output_transform_pandas,
    estimator_checks.check_set_output_transform_polars,
    estimator_checks.check_global_set_output_transform_polars,
    estimator_checks.check_transformer_get_feature_names_out,
    estimator_checks.check_transformer_get_feature_names_out_pandas,
]

ARRAY_API = """
from sklearn.utils.estimator_checks import check_array_api_input
from lstmforecast import LSTMClassifier, LSTMRegressor, MinMaxScaler, RobustScaler, StandardScaler
fast = {"hidden_size": 4, "max_epochs": 2, "n_threads": 1}
for estimator in (
    LSTMRegressor(**fast), LSTMClassifier(**fast), StandardScaler(), MinMaxScaler(), RobustScaler()
):
    check_array_api_input(type(estimator).__name__, estimator, "numpy", expect_only_array_outputs=False)
"""


def _names(checks: list[Callable[..., None]]) -> list[str]:
    return [check.__name__ for check in checks]


@parametrize_with_checks(ESTIMATORS + DEFAULTS)
def test_scikit_learn_check(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    if check.func.__name__ == "check_array_api_input":  # needs SCIPY_ARRAY_API: runs in a process of its own below
        return
    check(estimator)


def test_scikit_learn_check_of_array_api_dispatch() -> None:
    # SciPy reads the switch when it is imported, and other tests shall not run under it.
    done = subprocess.run(
        [sys.executable, "-c", ARRAY_API],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("check", CHECKS_OF_ALL, ids=_names(CHECKS_OF_ALL))
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_scikit_learn_check_by_hand(estimator: BaseEstimator, check: Callable[..., None]) -> None:
    check(type(estimator).__name__, estimator)


# These checks fit on a table and transform an array on purpose.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("check", CHECKS_OF_SCALERS, ids=_names(CHECKS_OF_SCALERS))
@pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: type(scaler).__name__)
def test_scikit_learn_check_of_transformers(scaler: BaseEstimator, check: Callable[..., None]) -> None:
    check(type(scaler).__name__, scaler)


@pytest.fixture(scope="module")
def wave() -> tuple[np.ndarray, np.ndarray]:
    """Windows (n, 12) of a noisy sine and the value that follows each."""
    rng = np.random.default_rng(0)
    X, y = windows(10 + np.sin(np.arange(260) / 4) + 0.05 * rng.normal(size=260), window_size=12)
    return X[:, :, 0], y[:, 0, 0]


def test_grid_search_in_two_processes(wave: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = wave
    pipeline = Pipeline([("scaler", MinMaxScaler()), ("lstm", LSTMRegressor(**FAST | {"max_epochs": 15}))])
    search = GridSearchCV(
        pipeline,
        {"lstm__hidden_size": [2, 16], "lstm__scaler": [None, "standard"]},
        cv=TimeSeriesSplit(n_splits=2),
        n_jobs=2,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_["lstm__hidden_size"] == 16
    assert search.score(X, y) > 0.8


def test_cross_val_score_of_a_classifier(wave: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = wave
    labels = np.where(y > X[:, -1], "up", "down")
    scores = cross_val_score(LSTMClassifier(**FAST, random_state=0), X, labels, cv=TimeSeriesSplit(n_splits=2))
    assert scores.min() > 0.8


def test_transformed_target(wave: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = wave
    regressor = TransformedTargetRegressor(LSTMRegressor(**FAST, random_state=0), func=np.log, inverse_func=np.exp)
    X_train, X_test = time_split(X)
    y_train, y_test = time_split(y)
    assert regressor.fit(X_train, y_train).score(X_test, y_test) > 0.8


def test_pipeline_with_pandas_output(wave: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = wave
    frame = pd.DataFrame(X).add_prefix("lag_")
    pipeline = make_pipeline(StandardScaler(), RobustScaler(), LSTMRegressor(**FAST)).set_output(transform="pandas")
    pipeline.fit(frame, y)
    assert pipeline[-1].feature_names_in_.tolist() == frame.columns.tolist()
    assert pipeline[:-1].get_feature_names_out().tolist() == frame.columns.tolist()
    assert pipeline.score(frame, y) > 0.8


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_clone_is_unfitted_and_equal(estimator: BaseEstimator, wave: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = wave
    fitted = clone(estimator).fit(X, y > 10)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "n_features_in_")
