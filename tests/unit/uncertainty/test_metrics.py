"""The errors agree with scikit-learn, and with M4's definitions worked out by hand."""

from statistics import NormalDist

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
        (metrics.mape, lambda truth, forecast: 100 * reference.mean_absolute_percentage_error(truth, forecast)),
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


def test_wape_and_bias_worked_by_hand():
    truth, forecast = [0.0, -2.0, 6.0], [1.0, -2.0, 3.0]
    assert metrics.wape(truth, forecast) == pytest.approx(100 * 4 / 8)
    assert metrics.bias(truth, forecast) == pytest.approx((1 - 3) / 3)


def test_percentages_of_nothing_are_refused():
    with pytest.raises(ValueError, match="expected no 0 in y_true for a percentage error, got 2; use wape, smape or m"):
        metrics.mape([0.0, 1.0, 0.0], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"got zeros only; use mae$"):
        metrics.wape([0.0, 0.0], [1.0, 1.0])


def test_completion_offers_the_metrics_alone():
    assert dir(metrics) == sorted(metrics.__all__)


def test_mase_worked_by_hand():
    train = pd.DataFrame({"a": [1.0, 3.0, 1.0, 3.0, 2.0], "b": [0.0, 10.0, 20.0, 30.0, 40.0]})
    truth, forecast = train.iloc[:2], train.iloc[:2] + np.array([1.0, 5.0])
    # Season 1: a: (2+2+2+1)/4, b: 10. Season 2: a: (0+0+1)/3, b: 20.
    assert metrics.mase(truth, forecast, train) == pytest.approx((1 / 1.75 + 0.5) / 2)
    assert metrics.mase(truth, forecast, train, season_length=2) == pytest.approx((3 + 0.25) / 2)


def test_rmsse_worked_by_hand():
    # errors 1 and -3; squared differences of the training rows 1, 9 and 4, of mean 14 / 3
    assert metrics.rmsse([1.0, 2.0], [0.0, 5.0], [0.0, 1.0, 4.0, 2.0]) == pytest.approx((5 / (14 / 3)) ** 0.5)
    # two steps apart: 16 and 1
    assert metrics.rmsse([1.0, 2.0], [0.0, 5.0], [0.0, 1.0, 4.0, 2.0], 2) == pytest.approx((5 / 8.5) ** 0.5)
    both = metrics.rmsse([[1.0, 2.0]], [[0.0, 5.0]], [[0.0, 0.0], [1.0, 3.0]])
    assert both == pytest.approx(((1 + 1) / 2) ** 0.5)
    assert np.isnan(metrics.rmsse([1.0], [2.0], y_train=[5.0, 5.0, 5.0]))


def test_mase_of_a_training_series_that_repeats_itself_is_undefined():
    assert np.isnan(metrics.mase([1.0], [2.0], y_train=[5.0, 5.0, 5.0]))
    assert np.isnan(metrics.mase([1.0], [2.0], y_train=np.sin(np.arange(48) * np.pi / 12), season_length=24))


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.8])
def test_pinball_is_that_of_scikit_learn(alpha):
    expected = reference.mean_pinball_loss(TRUTH, FORECAST, alpha=alpha)
    assert metrics.pinball(TRUTH, FORECAST, alpha) == pytest.approx(expected, rel=1e-13)
    assert metrics.pinball(TRUTH, FORECAST, 0.5) == pytest.approx(metrics.mae(TRUTH, FORECAST) / 2, rel=1e-13)


def test_crps_is_twice_the_mean_of_scikit_learns_pinball_losses():
    levels = [0.1, 0.4, 0.9]
    quantiles = np.stack([FORECAST - 1, FORECAST, FORECAST + 2], axis=-1)
    losses = [reference.mean_pinball_loss(TRUTH, quantiles[..., i], alpha=level) for i, level in enumerate(levels)]
    assert metrics.crps(TRUTH, quantiles, levels) == pytest.approx(2 * np.mean(losses), rel=1e-13)
    # a point forecast: the absolute error, whatever the levels
    point = np.repeat(FORECAST[..., np.newaxis], 2, axis=-1)
    assert metrics.crps(TRUTH, point, [0.3, 0.7]) == pytest.approx(metrics.mae(TRUTH, FORECAST), rel=1e-13)


def test_crps_approaches_that_of_the_normal_distribution_as_closely_as_promised():
    # Gneiting and Raftery (2007): for a truth at the mean of a standard normal forecast (sqrt(2) - 1) / sqrt(pi); for
    # truths drawn from the forecast, 1 / sqrt(pi) on average.
    normal = NormalDist()
    truths = np.array([normal.inv_cdf((i + 0.5) / 2000) for i in range(2000)])
    for step, excess in [(0.05, 0.05), (0.01, 0.01)]:
        levels = np.arange(1, round(1 / step)) * step
        quantiles = np.tile([normal.inv_cdf(level) for level in levels], (2000, 1))
        assert metrics.crps(truths, quantiles, levels) * np.pi**0.5 == pytest.approx(1 + excess, abs=0.003)
        assert metrics.crps([0.0], quantiles[:1], levels) == pytest.approx(0.2337 * (1 + excess), abs=0.005)


def test_intervals_worked_by_hand():
    truth, lower, upper = [0.0, 1.0, 5.0, -1.0], [0.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0]
    assert metrics.coverage(truth, lower, upper) == 0.5  # a bound belongs to the interval
    # width 2; outside by 3 and by 1, times 2 / 0.2
    assert metrics.interval_score(truth, lower, upper, coverage=0.8) == pytest.approx(2 + 10 * (3 + 1) / 4)


def test_frames_of_predict_interval_are_taken():
    y = pd.DataFrame(TRUTH, columns=["a", "b", "c"])
    columns = pd.MultiIndex.from_product([["a", "b", "c"], [0.9], ["lower", "upper"]])
    interval = pd.DataFrame(np.repeat(FORECAST, 2, axis=1) + np.tile([-2.0, 2.0], 3), columns=columns)
    lower, upper = (interval.xs((0.9, side), axis=1, level=[1, 2]) for side in ("lower", "upper"))
    assert metrics.coverage(y, lower, upper) == (np.abs(TRUTH - FORECAST) <= 2).mean()
    assert metrics.coverage(y["b"], lower["b"], upper["b"]) == (np.abs(TRUTH - FORECAST) <= 2)[:, 1].mean()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: metrics.pinball([1.0], [1.0], 1.0), ValueError, "expected alpha between 0 and 1, got 1"),
        (lambda: metrics.pinball([1.0], [1.0], [0.5]), TypeError, r"expected alpha to be a number, got \[0.5\]"),
        (lambda: metrics.crps([1.0, 2.0], [1.0, 2.0], [0.5]), ValueError, r"quantiles of shape \(2, 1\), got \(2,\)"),
        (lambda: metrics.crps([1.0], [[np.nan]], [0.5]), ValueError, "expected finite values in quantiles, got 1"),
        (lambda: metrics.crps([1.0], [[1.0, 2.0]], [0.5, 2]), ValueError, "expected levels between 0 and 1, got 2"),
        (lambda: metrics.coverage([1.0], [1.0, 2.0], [2.0]), ValueError, r"expected lower of the shape of y_true"),
        (lambda: metrics.coverage([1.0], [0.0], [np.inf]), ValueError, "expected finite values in upper, got 1"),
        (
            lambda: metrics.coverage([1.0], [2.0], [0.0]),
            ValueError,
            "lower bounds at most as high as the upper ones, got 1",
        ),
        (lambda: metrics.interval_score([1.0], [0.0], [2.0], 80), ValueError, "coverage between 0 and 1, got 80"),
    ],
)
def test_quantiles_that_make_no_sense_are_an_error(call, error, words):
    with pytest.raises(error, match=words):
        call()


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
