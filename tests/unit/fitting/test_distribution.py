"""Distributions in the user's units: against SciPy, there and back, between quantiles and beyond them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lstmforecast.fitting.distribution import mean, n_parameters, probability, quantile

LEVELS = [0.1, 0.5, 0.9]
QUANTILES = {"quantiles": LEVELS}
# parameters of two values each
CASES = [
    (QUANTILES, [[1.0, 2.0, 4.0], [-3.0, 0.0, 3.0]]),
    ("normal", [[1.0, 0.5], [-20.0, 3.0]]),
    ("student_t", [[1.0, 0.5, 2.5], [-20.0, 3.0, 30.0]]),
    ("negative_binomial", [[3.0, 0.5], [200.0, 0.01]]),
]
EVERY = pytest.mark.parametrize(
    ("distribution", "parameters"), CASES, ids=["quantiles", *(name for name, _ in CASES[1:])]
)


@EVERY
def test_quantile_inverts_probability(distribution, parameters):
    levels = np.linspace(0.1, 0.9, 17)[:, None]
    there = quantile(distribution, parameters, levels)
    assert there.shape == (17, 2)
    if distribution == "negative_binomial":
        # the least count with at least that probability below or at it
        reached, before = (probability(distribution, parameters, there + shift) for shift in (0.5, -0.5))
        assert (reached >= levels - 1e-12).all()
        assert (before < levels).all()
    else:
        # doubles on the way there and back
        np.testing.assert_allclose(
            probability(distribution, parameters, there), np.broadcast_to(levels, (17, 2)), atol=1e-12
        )


@EVERY
def test_parameters_broadcast_with_levels_and_values(distribution, parameters):
    array = np.array(parameters)
    stacked = np.broadcast_to(array, (5, *array.shape))
    assert quantile(distribution, stacked, 0.3).shape == (5, 2)
    assert quantile(distribution, array, np.full((7, 1), 0.3)).shape == (7, 2)
    assert probability(distribution, stacked, [1.0, 2.0]).shape == (5, 2)
    assert probability(distribution, array, np.zeros((7, 1))).shape == (7, 2)
    assert mean(distribution, stacked).shape == (5, 2)
    for function, second in [(quantile, np.array([0.2, 0.7])), (probability, np.array([1.5, 3.0]))]:
        each = [function(distribution, array[i], second[i]) for i in range(2)]
        assert each[0].shape == ()
        np.testing.assert_array_equal(function(distribution, array, second), each)


# SciPy's t has another sign at the smallest positive number
ANY_LEVEL = st.sampled_from([0.0, 1.0]) | st.floats(1e-12, 1 - 1e-12)


@given(levels=st.lists(ANY_LEVEL, min_size=2, max_size=2).map(sorted), case=st.sampled_from(CASES))
def test_quantiles_ascend_with_the_level(levels, case):
    lower, upper = (quantile(*case, level) for level in levels)
    assert (lower <= upper).all()


@given(
    quantiles=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5).map(sorted),
    levels=st.lists(st.floats(0, 1), min_size=2, max_size=20).map(sorted),
)
def test_what_lies_between_quantiles_ascends_as_well(quantiles, levels):
    distribution = {"quantiles": np.linspace(0.1, 0.9, len(quantiles)).tolist()}
    between = quantile(distribution, quantiles, levels)
    assert (np.diff(between) >= 0).all()
    assert quantiles[0] <= between[0]
    assert between[-1] <= quantiles[-1]
    probabilities = probability(distribution, quantiles, np.sort([*quantiles, *between]))
    assert (np.diff(probabilities) >= -1e-15).all()  # the last digit of a weighted mean


def test_quantiles_are_joined_by_straight_lines():
    parameters = [10.0, 20.0, 40.0]
    np.testing.assert_array_equal(quantile(QUANTILES, parameters, LEVELS), parameters)
    np.testing.assert_allclose(quantile(QUANTILES, parameters, [0.3, 0.6]), [15, 25], rtol=1e-15)
    np.testing.assert_array_equal(quantile(QUANTILES, parameters, [0, 0.05, 0.95, 1]), [10, 10, 40, 40])
    np.testing.assert_array_equal(probability(QUANTILES, parameters, parameters), LEVELS)
    np.testing.assert_allclose(probability(QUANTILES, parameters, [15, 25]), [0.3, 0.6], rtol=1e-15)
    np.testing.assert_array_equal(probability(QUANTILES, parameters, [-np.inf, 9, 41, np.inf]), [0.1, 0.1, 0.9, 0.9])
    assert mean(QUANTILES, parameters) == 20
    # without a middle level
    assert mean({"quantiles": [0.25, 0.75]}, [10.0, 20.0]) == 15


def test_quantiles_that_coincide_are_a_step():
    assert probability(QUANTILES, [1.0, 1.0, 1.0], 1.0) == 0.9
    np.testing.assert_array_equal(probability(QUANTILES, [1.0, 1.0, 2.0], [0.9, 1.0, 1.5]), [0.1, 0.5, 0.7])
    np.testing.assert_array_equal(quantile({"quantiles": [0.5]}, [[3.0], [4.0]], 0.9), [3, 4])
    np.testing.assert_array_equal(probability({"quantiles": [0.5]}, [3.0], [2.0, 3.0, 4.0]), [0.5] * 3)


def test_densities_are_scipys():
    levels = np.array([1e-6, 0.1, 0.5, 0.999])
    np.testing.assert_array_equal(quantile("normal", [1.0, 0.5], levels), stats.norm(1, 0.5).ppf(levels))
    np.testing.assert_array_equal(quantile("student_t", [1.0, 0.5, 3.0], levels), stats.t(3, 1, 0.5).ppf(levels))
    assert quantile("normal", [1.0, 0.5], [0, 1]).tolist() == [-np.inf, np.inf]
    assert mean("student_t", [1.0, 0.5, 3.0]) == 1


@pytest.mark.parametrize(("average", "dispersion"), [(3.0, 0.5), (200.0, 1e-6), (1e5, 1e-6), (1e-6, 1.0), (5.0, 50.0)])
def test_counts_have_their_mean_and_variance(average, dispersion):
    levels = (np.arange(20_000) + 0.5) / 20_000
    counts = quantile("negative_binomial", [average, dispersion], levels)
    # means over evenly spaced levels lack what lies beyond the last one, most where the tail is heavy
    deviation = np.sqrt(average + dispersion * average**2)
    assert abs(counts.mean() - average) < 0.01 * deviation
    assert counts.std() == pytest.approx(deviation, rel=0.05) or average < 1e-3
    assert mean("negative_binomial", [average, dispersion]) == average
    # the mid-distribution function is 1/2 on average, as a uniform variable is
    assert probability("negative_binomial", [average, dispersion], counts).mean() == pytest.approx(0.5, abs=1e-3)


def test_half_of_a_counts_own_probability_lies_below_it():
    parameters = [1.0, 1.0]  # geometric: P(y) = 2^-(y + 1)
    between = probability("negative_binomial", parameters, [-1, 0, 0.5, 1, 2])
    np.testing.assert_allclose(between, [0, 0.25, 0.5, 0.625, 0.8125], rtol=1e-12)
    assert quantile("negative_binomial", parameters, [0, 0.4, 0.6]).tolist() == [0, 0, 1]


def test_a_point_forecast_is_every_quantile_and_knows_no_probability():
    forecast = np.array([[1.0], [2.0]])
    np.testing.assert_array_equal(quantile(None, forecast, [[0.1], [0.9]]), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(mean(None, forecast), [1, 2])
    with pytest.raises(
        ValueError, match="expected a distribution for the probability of a value, got a point forecast"
    ):
        probability(None, forecast, 1.0)


@EVERY
def test_what_is_missing_stays_missing(distribution, parameters):
    np.testing.assert_array_equal(np.isnan(probability(distribution, parameters, [np.nan, 1])), [True, False])
    without = np.array(parameters)
    without[0] = np.nan
    assert np.isnan([quantile(distribution, without, 0.5)[0], probability(distribution, without, 1)[0]]).all()


def test_what_is_no_distribution_is_refused():
    assert [n_parameters(distribution) for distribution in (None, QUANTILES, "normal", "negative_binomial")] == [
        1,
        3,
        2,
        2,
    ]
    for wrong in ("gaussian", {"levels": [0.5]}, 3):
        with pytest.raises(ValueError, match=r"expected a distribution of None, .*'negative_binomial', got "):
            n_parameters(wrong)
    with pytest.raises(ValueError, match=r"expected parameters of shape \(\.\.\., 3\) for 'student_t', got \(4, 2\)"):
        quantile("student_t", np.zeros((4, 2)), 0.5)
