"""The errors agree with scikit-learn, and with M4's definitions worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from lstmforecast import metrics

RNG = np.random.default_rng(0)
TRUTH, FORECAST = RNG.normal(size=(2, 50, 3))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.mae, reference.mean_absolute_error),
        (metrics.mse, reference.mean_squared_error),
        (metrics.rmse, lambda truth, forecast: reference.mean_squared_error(truth, forecast) ** 0.5),
    ],
)
def test_scores_are_those_of_scikit_learn(ours, theirs):
    # The same sums in another order: a few units in the last place.
    assert ours(TRUTH, FORECAST) == pytest.approx(theirs(TRUTH, FORECAST), rel=1e-13)
    assert ours(TRUTH.T.tolist(), np.asfortranarray(FORECAST.T)) == pytest.approx(theirs(TRUTH, FORECAST), rel=1e-13)


def test_smape_worked_by_hand():
    # 200 (1/3 + 0 + 2/6 + 0) / 4; two zeros are no error
    assert metrics.smape([1.0, 2.0, 4.0, 0.0], [2.0, 2.0, 2.0, 0.0]) == pytest.approx(100 / 3)
    assert metrics.smape([0.0, 1.0], [1.0, -1.0]) == 200


def test_mase_worked_by_hand():
    train = pd.DataFrame({"a": [1.0, 3.0, 1.0, 3.0, 2.0], "b": [0.0, 10.0, 20.0, 30.0, 40.0]})
    truth, forecast = train.iloc[:2], train.iloc[:2] + np.array([1.0, 5.0])
    # Season 1: a: (2+2+2+1)/4, b: 10. Season 2: a: (0+0+1)/3, b: 20.
    assert metrics.mase(truth, forecast, train) == pytest.approx((1 / 1.75 + 0.5) / 2)
    assert metrics.mase(truth, forecast, train, season_length=2) == pytest.approx((3 + 0.25) / 2)


def test_mase_of_a_training_series_that_repeats_itself_is_undefined():
    assert np.isnan(metrics.mase([1.0], [2.0], y_train=[5.0, 5.0, 5.0]))
    assert np.isnan(metrics.mase([1.0], [2.0], y_train=np.sin(np.arange(48) * np.pi / 12), season_length=24))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, 2.0], [1.0]), r"expected y_pred of the shape of y_true, \(2,\), got \(1,\)"),
        (([1.0, np.nan], [1.0, 2.0]), "expected finite values in y_true, got 1 that are not"),
        (([1.0], [np.inf]), "expected finite values in y_pred"),
        (([], []), "expected at least one value in y_true"),
        ((pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})), r"with the columns of y_true, \['a'\], got \['b'\]"),
    ],
)
def test_what_cannot_be_compared_is_an_error(arguments, words):
    with pytest.raises(ValueError, match=words):
        metrics.mae(*arguments)


def test_training_data_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"expected a season_length from 1 to 2 .*got 3"):
        metrics.mase([1.0], [1.0], [1.0, 2.0, 3.0], season_length=3)
    with pytest.raises(ValueError, match=r"expected y_train of shape \(n, 3\) .*got \(50, 2\)"):
        metrics.mase(TRUTH, FORECAST, TRUTH[:, :2])
