"""The profile of the year: what it finds in simulated series, and that it is 0 where there is none."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast.data.yearly import YearlyProfile

DAYS = pd.date_range("2010-01-01", "2017-12-31", freq="D")
LATER = pd.date_range("2018-01-01", "2018-12-31", freq="D")


def _effect(days):
    """A summer, Christmas, and Thanksgiving: the fourth Thursday of November."""
    summer = -np.cos(2 * np.pi * (days.day_of_year - 15) / 365.25)
    christmas = -4.0 * ((days.month == 12) & (days.day == 25))
    thanksgiving = -3.0 * ((days.month == 11) & (days.day_of_week == 3) & (days.day > 21) & (days.day < 29))
    return np.asarray(summer + christmas + thanksgiving, float)


def _series(days, noise=0.3, seed=0):
    """The effect with a week, a trend that turns, and noise."""
    rng, at = np.random.default_rng(seed), np.arange(len(days))
    trend = 5 * np.sin(at / len(days) * 3)
    return 20 + trend + 2.0 * (days.day_of_week > 4) + _effect(days) + noise * rng.normal(size=len(days))


def _profile(days, values, freq="D"):
    return YearlyProfile.of(np.asarray(values, float).reshape(len(values), -1), days, freq)


def test_smooth_years_fixed_dates_and_floating_holidays_are_found():
    values = _series(DAYS)
    found = _profile(DAYS, values).at(LATER) * values.std()
    # means of eight years with noise of 0.3 are known to 0.1; shrinkage takes some of single dates away
    away = found - _effect(LATER)
    assert np.sqrt((away**2).mean()) < 0.2
    by_date = pd.Series(found, LATER)
    assert by_date["2018-12-25"] - by_date["2018-12-22"] < -2.5
    assert by_date["2018-11-22"] - by_date["2018-11-21"] < -1.5
    assert abs(by_date["2018-11-29"] - by_date["2018-11-28"]) < 0.5


def test_noise_has_no_year():
    values = np.random.default_rng(0).normal(size=len(DAYS)) + 2 * (DAYS.day_of_week > 4)
    found = _profile(DAYS, values).at(LATER)
    assert np.sqrt((found**2).mean()) < 0.1


def test_hours_have_the_profile_of_their_day_and_gaps_are_passed_over():
    hours = pd.date_range("2010-01-01", periods=3 * 365 * 24, freq="h")
    rng = np.random.default_rng(0)
    values = _effect(hours) + np.sin(hours.hour.to_numpy() * np.pi / 12) + 0.3 * rng.normal(size=len(hours))
    values[rng.random(len(hours)) < 0.1] = np.nan
    values[1000:1100] = np.nan
    profile = _profile(hours, values, "h")
    found = profile.at(pd.date_range("2013-07-01", periods=48, freq="h"))
    assert len(set(found)) == 2
    assert np.corrcoef(profile.at(LATER), _effect(LATER))[0, 1] > 0.9


def test_business_days_and_periods_are_read():
    days = pd.bdate_range("2010-01-01", "2017-12-31")
    profile = _profile(days, _series(days), "B")
    assert np.corrcoef(profile.at(LATER), _effect(LATER))[0, 1] > 0.9
    periods = DAYS.to_period("D")
    np.testing.assert_array_equal(_profile(periods, _series(DAYS)).at(LATER), _profile(DAYS, _series(DAYS)).at(LATER))


def test_days_are_those_of_the_clock_on_the_wall():
    local = pd.date_range("2018-12-24 20:00", periods=8, freq="h", tz="America/New_York")
    profile = _profile(DAYS, _series(DAYS))
    assert (profile.at(local)[:4] > profile.at(local)[4:] + 0.5).all()


@pytest.mark.parametrize(
    ("times", "freq"),
    [
        (DAYS[:700], "D"),
        (pd.RangeIndex(3000), 1),
        (pd.date_range("2010-01-04", periods=600, freq="W"), "W-SUN"),
        (pd.date_range("1990-01-01", periods=600, freq="MS"), "MS"),
        (pd.date_range("2010-01-01", periods=3000, freq="2D"), "2D"),
        (pd.date_range("2010-01-01", periods=9000, freq="7h"), "7h"),
    ],
)
def test_there_is_none_without_two_years_of_days(times, freq):
    assert _profile(times, np.arange(len(times), dtype=float), freq) is None


def test_constant_series_have_one_of_zeros():
    assert (_profile(DAYS, np.ones(len(DAYS))).at(LATER) == 0).all()


def test_files_keep_it_and_refuse_others():
    profile = _profile(DAYS, _series(DAYS))
    saved = profile.pack()
    np.testing.assert_array_equal(YearlyProfile.unpack(saved).at(LATER), profile.at(LATER))
    for other in ({"waves": [0.0]}, {"waves": [float("nan")] * 12}):
        with pytest.raises(ValueError, match="waves of a year of shape"):
            YearlyProfile.unpack(saved | other)
