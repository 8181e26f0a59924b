"""Distributions in the user's units: against SciPy, there and back, between quantiles and beyond them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lstmforecast.fitting.distribution import (
    COUNTS,
    FROM_ZERO,
    mean,
    n_parameters,
    name_of,
    possible,
    probabilities,
    probability,
    quantile,
)

LEVELS = [0.1, 0.5, 0.9]
QUANTILES = {"quantiles": LEVELS}
# parameters of two values each
CASES = [
    (QUANTILES, [[1.0, 2.0, 4.0], [-3.0, 0.0, 3.0]]),
    ("normal", [[1.0, 0.5], [-20.0, 3.0]]),
    ("student_t", [[1.0, 0.5, 2.5], [-20.0, 3.0, 30.0]]),
    ("negative_binomial", [[3.0, 0.5], [200.0, 0.01]]),
    ("poisson", [[3.0], [200.0]]),
    ("zero_inflated_negative_binomial", [[3.0, 0.5, 0.4], [200.0, 0.01, 1e-9]]),
    ("lognormal", [[3.0, 0.5], [200.0, 0.01]]),
    # an eighth of the values of the first, and of the second nearly none, are 0
    ({"tweedie": 1.5}, [[3.0, 1.7], [200.0, 2.0]]),
]
EVERY = pytest.mark.parametrize(
    ("distribution", "parameters"), CASES, ids=lambda value: name_of(value) if isinstance(value, str | dict) else ""
)


@EVERY
def test_quantile_inverts_probability(distribution, parameters):
    levels = np.linspace(0.1, 0.9, 17)[:, None]
    there = quantile(distribution, parameters, levels)
    at_zero = np.exp(-(3**0.5) / (1.7 * 0.5)) if distribution == {"tweedie": 1.5} else 0.0
    assert there.shape == (17, 2)
    if distribution in COUNTS:
        # the least count with at least that probability below or at it
        reached, before = (probability(distribution, parameters, there + shift) for shift in (0.5, -0.5))
        assert (reached >= levels - 1e-12).all()
        assert (before < levels).all()
    else:
        # doubles on the way there and back; Newton's last step leaves 1e-10
        np.testing.assert_allclose(
            probabilities(distribution, parameters, there)[1], np.maximum(levels, [at_zero, 0]), atol=1e-9
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
        with pytest.raises(ValueError, match=r"expected a distribution of None, .*'lognormal', got "):
            n_parameters(wrong)
    with pytest.raises(ValueError, match=r"expected parameters of shape \(\.\.\., 3\) for 'student_t', got \(4, 2\)"):
        quantile("student_t", np.zeros((4, 2)), 0.5)


def test_counts_and_logarithms_are_scipys():
    levels = np.array([1e-6, 0.1, 0.5, 0.999])
    np.testing.assert_array_equal(quantile("poisson", [3.0], levels), stats.poisson(3).ppf(levels))
    # the logarithm's own mean is ln(3) - 0.25 / 2; doubles on the way
    expected = np.exp(np.log(3) - 0.125 + 0.5 * stats.norm.ppf(levels))
    np.testing.assert_allclose(quantile("lognormal", [3.0, 0.5], levels), expected, rtol=1e-13)
    assert stats.lognorm(0.5, scale=3 * np.exp(-0.125)).mean() == pytest.approx(mean("lognormal", [3.0, 0.5]))
    np.testing.assert_array_equal(probability("lognormal", [3.0, 0.5], [-1.0, 0.0, np.inf]), [0, 0, 1])


@pytest.mark.parametrize("extra", [0.0, 0.3, 0.95])
def test_counts_with_additional_zeros_are_a_mixture(extra):
    parameters, counts = [3.0, 0.5, extra], np.arange(2000)
    own = stats.nbinom(2, 1 / (1 + 0.5 * 3 / (1 - extra))).pmf(counts)
    mixture = extra * (counts == 0) + (1 - extra) * own
    below, up_to = probabilities("zero_inflated_negative_binomial", parameters, counts)
    # sums of up to 2000 doubles
    np.testing.assert_allclose(up_to, mixture.cumsum(), atol=1e-13)
    np.testing.assert_allclose(up_to - below, mixture, atol=1e-13)
    assert (mixture * counts).sum() == pytest.approx(mean("zero_inflated_negative_binomial", parameters), rel=1e-6)
    for level in (0.01, extra, 0.5, 0.97):
        least = np.flatnonzero(mixture.cumsum() >= level - 1e-12)[0]
        assert quantile("zero_inflated_negative_binomial", parameters, level) == least


# mean, and what else there is: what outputs of -80, 0 and 80 become, and what lies between
POSITIVE = st.sampled_from([1e-6, 80.0]) | st.floats(0.01, 100)
SHARE = st.sampled_from([0.0, 0.999]) | st.floats(0, 0.999)
ANY_FROM_ZERO = st.one_of(
    st.tuples(st.just("poisson"), st.tuples(POSITIVE)),
    st.tuples(st.just("negative_binomial"), st.tuples(POSITIVE, POSITIVE)),
    st.tuples(st.just("zero_inflated_negative_binomial"), st.tuples(POSITIVE, POSITIVE, SHARE)),
    st.tuples(st.just("lognormal"), st.tuples(POSITIVE, st.sampled_from([1e-4, 80.0]) | st.floats(0.01, 5))),
    *(st.tuples(st.just({"tweedie": power}), st.tuples(POSITIVE, POSITIVE)) for power in (1.05, 1.5, 1.9)),
)


@given(case=ANY_FROM_ZERO)
def test_quantiles_from_zero_are_finite_ascend_and_hold_their_probability(case):
    levels = np.array([1e-7, 0.01, 0.1, 0.5, 0.9, 0.99, 1 - 1e-7])
    quantiles = quantile(*case, levels)
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles) >= 0).all()
    assert case[0] in FROM_ZERO or name_of(case[0]) == "tweedie"
    # a lognormal quantile of logarithm -3200 is 0, of which the probability is 0
    reached = probabilities(*case, np.maximum(quantiles, np.finfo(np.float64).tiny))[1]
    assert (reached >= levels - 1e-9)[quantiles > 0].all()


@pytest.mark.parametrize(("distribution", "parameters"), [case for case in CASES if name_of(case[0]) in FROM_ZERO])
def test_values_drawn_by_quantiles_have_the_mean(distribution, parameters):
    levels = np.random.default_rng(0).uniform(size=(20_000, 1))
    drawn = quantile(distribution, parameters, levels)
    # four standard errors
    tolerance = 4 * drawn.std(axis=0) / np.sqrt(20_000)
    assert (np.abs(drawn.mean(axis=0) - mean(distribution, parameters)) < tolerance).all()
    np.testing.assert_array_equal(possible(distribution, drawn), drawn)


def test_half_of_the_probability_of_zero_lies_below_it():
    distribution, parameters = {"tweedie": 1.5}, [1.0, 2.0]
    # one gamma variable on average: P(0) = 1 / e
    np.testing.assert_allclose(probability(distribution, parameters, [-1, 0]), [0, 0.5 / np.e], rtol=1e-12)
    below, up_to = probabilities(distribution, parameters, [0.0, 1.0])
    assert below.tolist() == [0, up_to[1]]
