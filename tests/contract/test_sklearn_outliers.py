"""scikit-learn's own checks of the anomaly detector: all but those that contradict the order of time."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from lstmforecast import LSTMAnomalyDetector, LSTMForecaster
from lstmforecast.thresholds import EWMAThreshold

FAST = LSTMForecaster(hidden_size=8, max_epochs=2, n_threads=1, random_state=0)
# Reasons, for which the check must fail: it is told so if one passes.
ORDER = "rows are a series: what a row is depends on those before it"
EXPECTED = {
    "check_methods_sample_order_invariance": ORDER,
    "check_methods_subset_invariance": ORDER,
    "check_fit1d": "one series may come as a vector, as everywhere in this package",
}


def expected_failures(estimator: BaseEstimator) -> dict[str, str]:
    return EXPECTED


# A low threshold: of the random rows of one of the checks some must lie above.
@parametrize_with_checks(
    [LSTMAnomalyDetector(FAST, smoothing=1, threshold=EWMAThreshold(n_sigmas=1))],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_check(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    if check.func.__name__ == "check_array_api_input":  # needs a process of its own: see test_sklearn
        return
    check(estimator)


@pytest.fixture(scope="module")
def wave() -> pd.Series:
    hours = pd.date_range("2026-01-01", periods=300, freq="h")
    return pd.Series(np.sin(np.arange(300) * np.pi / 12), hours, name="load")


def test_clone_is_unfitted_and_equal(wave: pd.Series) -> None:
    fitted = LSTMAnomalyDetector(FAST, min_gap=3).fit(wave)
    copy = clone(fitted)
    assert copy.min_gap == 3
    assert copy.forecaster is not FAST
    assert not hasattr(copy, "offset_")


def test_nested_parameters_are_set(wave: pd.Series) -> None:
    detector = clone(LSTMAnomalyDetector(FAST)).set_params(forecaster__hidden_size=4).fit(wave)
    assert detector.forecaster_.model_.config["hidden_size"] == 4


def test_offset_scores_and_labels_go_together(wave: pd.Series) -> None:
    spiked = wave.copy()
    spiked.iloc[250] += 3
    settings: list[dict[str, Any]] = [{}, {"contamination": 0.02}]
    for setting in settings:
        detector = LSTMAnomalyDetector(FAST, smoothing=1, **setting).fit(spiked)
        scores = detector.score_samples(spiked)
        np.testing.assert_array_equal(detector.decision_function(spiked), scores - detector.offset_)
        np.testing.assert_array_equal(detector.predict(spiked), np.where(scores < detector.offset_, -1, 1))
        assert scores.argmin() == 250
    assert (detector.predict(spiked) == -1).sum() == 6  # 2 % of 300


def test_it_is_silent(wave: pd.Series, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LSTMAnomalyDetector(FAST).fit(wave).detect(wave)
    assert capsys.readouterr() == ("", "")
