"""Which series are intermittent."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast.data.dataset import read_observations
from lstmforecast.data.demand import share_of_intermittent


def _share(values, season=7, freq="D"):
    values = np.asarray(values, float)
    index = pd.date_range("2026-01-05", periods=len(values), freq=freq)
    return share_of_intermittent(read_observations(pd.DataFrame(values, index), missing="mask"), season)


def _every(n, steps, size=3.0):
    """``size`` at every so manieth of n rows on average, at irregular places."""
    rng = np.random.default_rng(0)
    values = np.zeros(n)
    values[rng.permutation(n)[: round(n / steps)]] = size
    return values


@pytest.mark.parametrize(("steps", "expected"), [(1.0, 0), (1.3, 0), (1.35, 1), (5, 1), (100, 1)])
def test_the_mean_interval_decides(steps, expected):
    # 1.32: Syntetos and Boylan (2005)
    assert _share(_every(700, steps)) == expected


def test_values_below_zero_and_constants():
    values = _every(700, 3)
    values[5] = -1
    assert _share(values) == 0
    assert _share(np.zeros(700)) == 0
    # what never sold says nothing of the others
    assert _share(np.stack([np.zeros(700), _every(700, 3), np.full(700, 2.0)], axis=1)) == 1 / 2


def test_zeros_of_nights_and_closed_days_do_not_count():
    hours = np.arange(24 * 30)
    sun = np.maximum(np.sin(hours * np.pi / 12), 0)
    assert (sun == 0).mean() > 0.4
    assert _share(sun, 24, "h") == 0
    open_days = np.where(np.arange(700) % 7 < 4, 5.0, 0.0)
    assert _share(open_days) == 0
    # but on open days it sells seldom
    assert _share(open_days * (_every(700, 2) > 0)) == 1
    # too few weeks to tell
    assert _share(open_days[:14]) == 1


def test_missing_values_do_not_count():
    values = np.full(700, 3.0)
    values[::2] = np.nan
    assert _share(values) == 0
    values[1::4] = 0
    assert _share(values, season=1) == 1


def test_series_of_a_panel():
    days = pd.date_range("2026-01-05", periods=70, freq="D")
    each = [_every(70, 3), np.full(50, 2.0), np.arange(70.0)]
    index = [(name, day) for name, values in zip("abc", each, strict=True) for day in days[: len(values)]]
    panel = pd.Series(np.concatenate(each), pd.MultiIndex.from_tuples(index))
    assert share_of_intermittent(read_observations(panel, missing="error"), 7) == 1 / 3
