"""Tweedie's distribution against sums of gamma distributions, over all powers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lstmforecast.fitting.tweedie import CompoundGamma

POWERS = [1.05, 1.2, 1.5, 1.7, 1.95]


def _parts(power, mean, dispersion):
    """The Poisson distribution of the number of gamma variables, and their shape and scale."""
    rate = mean ** (2 - power) / (dispersion * (2 - power))
    return stats.poisson(rate), (2 - power) / (power - 1), dispersion * (power - 1) * mean ** (power - 1)


def _slow_cdf(power, mean, dispersion, value):
    number, shape, scale = _parts(power, mean, dispersion)
    n = np.arange(1, 5000)
    return number.pmf(0) + (number.pmf(n) * stats.gamma(n * shape, scale=scale).cdf(value)).sum()


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("dispersion", [0.1, 1.0, 20.0])
def test_probabilities_are_those_of_sums_of_gamma_variables(power, dispersion):
    for mean in (1e-3, 0.5, 3.0):
        values = np.array([0, 1e-6, 0.3, 2.0, 50.0])
        expected = [_slow_cdf(power, mean, dispersion, value) for value in values]
        # what is left out has a probability of 1e-14, of each of some terms
        np.testing.assert_allclose(CompoundGamma(power, mean, dispersion).cdf(values), expected, atol=1e-12)


@pytest.mark.parametrize("power", POWERS)
def test_many_gamma_variables_are_nearly_one(power):
    """Where the approximation takes over, a quantile of it holds its probability: to 3e-5, a tenth of which moves a
    quantile at 0.01 by 0.001 standard deviations."""
    dispersion = 0.99 / (max(50, 100 * (2 - power)))
    levels = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    quantiles = CompoundGamma(power, 1.0, dispersion).ppf(levels)
    found = [_slow_cdf(power, 1.0, dispersion, value) for value in quantiles]
    np.testing.assert_allclose(found, levels, atol=1e-4)
    number, shape, scale = _parts(power, 1.0, dispersion)
    # of a Poisson sum
    variance = number.mean() * shape * (1 + shape) * scale**2
    assert variance == pytest.approx(dispersion, rel=1e-9)
    np.testing.assert_allclose(CompoundGamma(power, 1.0, dispersion).cdf(quantiles), levels, atol=1e-12)


@given(
    power=st.sampled_from(POWERS),
    mean=st.floats(1e-3, 1e3),
    dispersion=st.floats(1e-3, 1e3),
    level=st.floats(1e-7, 1 - 1e-7),
)
def test_a_quantile_is_the_least_value_of_its_probability(power, mean, dispersion, level):
    distribution = CompoundGamma(power, mean, dispersion)
    value = distribution.ppf(level)
    if value == 0:
        assert distribution.cdf(0.0) >= level - 1e-9
    else:
        # Newton's last step leaves some 1e-10
        assert distribution.cdf(value) == pytest.approx(level, abs=1e-8)


def test_draws_have_mean_and_variance():
    number, shape, scale = _parts(1.5, 2.0, 1.3)
    rng = np.random.default_rng(0)
    drawn = np.array([rng.gamma(shape, scale, n).sum() for n in number.rvs(20_000, random_state=0)])
    distribution = CompoundGamma(1.5, 2.0, 1.3)
    # Kolmogorov-Smirnov of 20,000 draws above 0: 5 percent are above 1.36 / sqrt(n), one in a million above 2.7
    above = np.sort(drawn[drawn > 0])
    steps = (np.arange(len(above)) + 1 + (drawn == 0).sum()) / len(drawn)
    assert np.abs(distribution.cdf(above) - steps).max() < 2.7 / np.sqrt(len(drawn))
    quantiles = distribution.ppf((np.arange(20_000) + 0.5) / 20_000)
    # what lies beyond the last level is 1e-4 of the mean, 1e-3 of the variance
    assert quantiles.mean() == pytest.approx(2.0, rel=1e-3)
    assert quantiles.var() == pytest.approx(1.3 * 2**1.5, rel=0.01)


def test_ends_and_what_is_no_number():
    distribution = CompoundGamma(1.5, [1.0, np.nan, 1e4], 1.0)
    np.testing.assert_array_equal(distribution.cdf(-1.0), [0, np.nan, 0])
    assert distribution.cdf(np.inf)[0] == 1
    assert np.isnan(distribution.ppf(0.5)).tolist() == [False, True, False]
    assert np.isnan(distribution.cdf([np.nan, 1.0, np.nan])).tolist() == [True, True, True]
    assert distribution.ppf(0.0)[0] == 0
    assert distribution.ppf(1.0)[0] == np.inf
    # nearly always 0
    assert CompoundGamma(1.5, 1e-6, 80.0).ppf([0.5, 0.999]).tolist() == [0, 0]
