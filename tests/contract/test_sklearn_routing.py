"""What reaches `fit`, `score` and `predict` through scikit-learn's pipelines and searches, by metadata routing."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline

from lstmforecast import LSTMClassifier, LSTMForecaster, LSTMRegressor, StandardScaler, windows

FAST: dict[str, Any] = {"hidden_size": 4, "max_epochs": 2, "n_threads": 1, "random_state": 0}
WAVE = 10 + np.sin(np.arange(200) / 4)
WINDOWS, NEXT = windows(WAVE, window_size=12)
X, Y = WINDOWS[:, :, 0], NEXT[:, 0, 0]
LABELS = np.where(Y > 10, "high", "low")
WEIGHTS = np.random.default_rng(0).uniform(0, 2, len(Y))
CV = TimeSeriesSplit(2)


@pytest.fixture(autouse=True)
def _routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize(("model", "y"), [(LSTMRegressor(**FAST), Y), (LSTMClassifier(**FAST), LABELS)])
def test_weights_go_through_a_pipeline(model: Any, y: np.ndarray) -> None:
    expected = clone(model).fit(StandardScaler().fit_transform(X), y, sample_weight=WEIGHTS)
    pipeline = make_pipeline(StandardScaler(), clone(model).set_fit_request(sample_weight=True))
    pipeline.fit(X, y, sample_weight=WEIGHTS)
    for name, weights in expected.model_.parameters().items():
        np.testing.assert_array_equal(pipeline[-1].model_.parameters()[name], weights)


def test_weights_go_through_a_search_into_fits_and_scores() -> None:
    model = LSTMRegressor(**FAST).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    search = GridSearchCV(model, {"learning_rate": [1e-3, 1e-2]}, cv=CV).fit(X, Y, sample_weight=WEIGHTS)
    train, test = next(CV.split(X))
    first = clone(model).set_params(learning_rate=1e-3).fit(X[train], Y[train], sample_weight=WEIGHTS[train])
    expected = first.score(X[test], Y[test], sample_weight=WEIGHTS[test])
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(expected, rel=1e-12)
    unweighted = LSTMRegressor(**FAST, learning_rate=1e-3).fit(X[train], Y[train]).score(X[test], Y[test])
    assert expected != pytest.approx(unweighted, rel=1e-3)


def test_weights_that_nobody_asked_for_are_an_error() -> None:
    for model, y in ((LSTMRegressor(**FAST), Y), (LSTMClassifier(**FAST), LABELS)):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            make_pipeline(StandardScaler(), model).fit(X, y, sample_weight=WEIGHTS)
        # turned away, they are as good as none
        ignored = make_pipeline(StandardScaler(), clone(model).set_fit_request(sample_weight=False))
        with pytest.raises(TypeError, match="sample_weight"):
            ignored.fit(X, y, sample_weight=WEIGHTS)


def test_covariates_of_the_past_go_through_a_search() -> None:
    """A forecaster's series is what scikit-learn calls X; its rows, and those of ``X_past``, are split together."""
    hours = pd.date_range("2026-01-01", periods=200, freq="h")
    y, past = pd.Series(WAVE, hours), pd.Series(np.cos(np.arange(200) / 4), hours, name="wind")

    def score(forecaster: LSTMForecaster, test: pd.Series, _: None = None) -> float:
        return -float(np.abs(forecaster.predict() - test[:4]).mean())

    model = LSTMForecaster(4, window_size=12, **FAST).set_fit_request(X_past=True)
    search = GridSearchCV(model, {"hidden_size": [2, 4]}, scoring=score, cv=CV).fit(y, X_past=past)
    train, test = next(CV.split(y))
    first = clone(model).set_params(hidden_size=2).fit(y.iloc[train], X_past=past.iloc[train])
    assert search.cv_results_["split0_test_score"][0] == score(first, y.iloc[test])
    assert search.best_estimator_.model_.config["n_features"] == 2
    found = cross_validate(model, y, scoring=score, cv=CV, params={"X_past": past})
    assert found["test_score"][0] == pytest.approx(
        score(clone(model).fit(y.iloc[train], X_past=past.iloc[train]), y.iloc[test])
    )


def test_what_can_be_asked_for_is_named() -> None:
    assert set(LSTMRegressor().get_metadata_routing().fit.requests) == {"sample_weight"}
    assert set(LSTMClassifier().get_metadata_routing().fit.requests) == {"sample_weight"}
    routing = LSTMForecaster().get_metadata_routing()
    assert {"X_past", "static"} <= set(routing.fit.requests)
    assert {"context", "X_past", "static"} <= set(routing.predict.requests)


def test_weights_of_rows_go_through_a_search() -> None:
    y = pd.Series(WAVE, pd.date_range("2026-01-01", periods=200, freq="h"))
    weights = np.random.default_rng(0).uniform(0, 2, len(y))

    def score(forecaster: LSTMForecaster, test: pd.Series, _: None = None) -> float:
        return -float(np.abs(forecaster.predict() - test[:4]).mean())

    model = LSTMForecaster(4, window_size=12, **FAST).set_fit_request(weights=True)
    search = GridSearchCV(model, {"hidden_size": [4]}, scoring=score, cv=CV).fit(y, weights=weights)
    train, test = next(CV.split(y))
    first = clone(model).fit(y.iloc[train], weights=weights[train])
    assert search.cv_results_["split0_test_score"][0] == score(first, y.iloc[test])
