"""Error scales: one series of a panel leaves the intervals of the others alone, and gets one of its own."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster
from lstmforecast.data.error_scale import (
    LEAST_WINDOWS,
    ErrorScale,
    has_variation,
    is_pooled,
    scale_from_errors,
    seasonal_scale,
)

N_ROWS, HELD_OUT = 200, 15
DAYS = pd.date_range("2026-01-01", periods=N_ROWS + 20, freq="D")
WEEK = np.sin(np.arange(N_ROWS) * 2 * np.pi / 7)
NOISY = [
    100 + 10 * WEEK + noise for noise in np.random.default_rng(0).normal(0, 3, (20, N_ROWS))
]  # fmt: skip
LEVELS = [9.99, 10.99, 11.99]
CALM = {
    "running means of a constant": [pd.Series(np.full(220, c)).rolling(7).mean()[20:].to_numpy() for c in LEVELS],
    "differences of sums of a constant": [np.diff(np.cumsum(np.full(201, c))) for c in LEVELS],
    "a constant in other units and back": [(np.full(N_ROWS, c) * 1.8 + 32 - 32) / 1.8 for c in LEVELS],
    "clear-sky curves": [50 + c * WEEK for c in LEVELS],
    "weekly plans": [c * np.resize([1.0, 2, 3, 4, 5, 0, 0], N_ROWS) for c in LEVELS],
    "never sold": [np.zeros(N_ROWS)] * 3,
    "constants": [np.full(N_ROWS, c) for c in LEVELS],
    "prices that rise in the rows held out": [c * np.repeat([1.0, 1.1], [185, HELD_OUT]) for c in LEVELS],
    "one step in the training rows": [c + np.repeat([0.0, 0.01], [90, 110]) for c in LEVELS],
    "rounding in the training rows, a step in those held out": [
        np.r_[np.diff(np.cumsum(np.full(186, c))), np.full(HELD_OUT, 2 * c)] for c in LEVELS
    ],
}


def _panel(series: dict[str, np.ndarray], first: int = 0) -> pd.Series:
    parts = {name: pd.Series(values, DAYS[first : first + len(values)]) for name, values in series.items()}
    return pd.concat(parts, names=["unique_id", "ds"]).rename("y")


def _fitted(others: list[np.ndarray], **parameters: Any) -> LSTMForecaster:
    series = {f"noisy{i}": values for i, values in enumerate(NOISY)}
    series |= {f"other{i}": values for i, values in enumerate(others)}
    model = LSTMForecaster(7, hidden_size=16, max_epochs=3, random_state=0, n_threads=1, **parameters)
    return model.fit(_panel(series))


def _width(model: LSTMForecaster, names: str, coverage: float) -> float:
    bounds = model.predict_interval(coverage)
    there = bounds.index.get_level_values(0).str.startswith(names)
    return float(np.ptp(bounds[there].to_numpy(), axis=1).mean())


@cache
def _alone(coverage: float) -> float:
    return _width(_fitted([]), "noisy", coverage)


@pytest.mark.parametrize("kind", CALM)
def test_calm_and_rising_series_leave_the_intervals_of_the_others_alone(kind):
    model = _fitted(CALM[kind])
    for coverage in (0.5, 0.8, 0.9, 0.95):
        # the network is trained on three series more, and 11 % of the windows are left out here and there
        assert _width(model, "noisy", coverage) == pytest.approx(_alone(coverage), rel=0.15)


# Differences of sums less the constant: rounding errors around 0, and for most series a step in the rows held out.
DUST = [np.diff(np.cumsum(np.full(N_ROWS + 1, c))) - c for c in np.linspace(0.1, 1.1, 20)]
WOKEN = [dust + np.repeat([0.0, 1.0], [N_ROWS - HELD_OUT, HELD_OUT]) for dust in DUST]


@pytest.mark.parametrize("parameters", [{}, {"loss": "quantile"}, {"architecture": "linear"}])
def test_one_noisy_series_among_many_that_wake_up_keeps_its_width(parameters):
    series = {"noisy0": NOISY[0]} | {f"other{i}": values for i, values in enumerate(WOKEN)}
    model = LSTMForecaster(7, hidden_size=16, max_epochs=3, random_state=0, n_threads=1, **parameters)
    width = _width(model.fit(_panel(series)), "noisy", 0.9)
    # the network hardly learns the waves of one series in 21: errors are up to three times as large, and the tails of
    # the others, which jump, up to three times as heavy; with their unit the width was 4e14
    assert 0.3 * _alone(0.9) < width < 9 * _alone(0.9)


def test_series_that_wake_up_leave_the_intervals_of_the_others_alone():
    model = _fitted(DUST[:3])
    before = _width(model, "noisy", 0.9)
    newer = {f"noisy{i}": values[4:24] for i, values in enumerate(NOISY)}
    model.update(_panel(newer | {f"other{i}": np.full(20, 1.0) for i in range(3)}, N_ROWS))
    # 3 of 23 newer errors are 1e15 times those of before; noise of other rows
    assert _width(model, "noisy", 0.9) == pytest.approx(before, rel=0.15)
    assert _width(model, "other", 0.9) > 0.1


def test_of_errors_out_of_all_range_one_window_is_enough():
    error_scale = ErrorScale(np.ones((4, 1)), np.ones((4, 1), bool))
    found = scale_from_errors(error_scale, np.array([[1.0], [0.5], [60.0], [1e9]]), np.arange(4))
    assert found.pooled[:, 0].tolist() == [True, True, True, False]
    assert found.scale[3, 0] > 1e8


def test_a_series_that_never_moved_has_a_narrow_interval_whatever_the_size_of_the_others():
    for size in (1e-6, 1.0, 1e6):
        names = {f"noisy{i}": size * values for i, values in enumerate(NOISY)}
        y = _panel(names | {"never": np.zeros(N_ROWS), "flat": np.full(N_ROWS, 7.0)})
        model = LSTMForecaster(7, hidden_size=16, max_epochs=3, random_state=0, n_threads=1).fit(y)
        # a network's forecast of rows without variation, whose scale is 1, is off by some hundredths
        assert _width(model, "never", 0.9) < 0.1
        assert _width(model, "flat", 0.9) < 0.1


def test_a_series_that_never_moved_gets_a_unit_when_it_does():
    model = _fitted([np.zeros(N_ROWS)])
    narrow, others = _width(model, "other", 0.9), _width(model, "noisy", 0.9)
    sold = np.random.default_rng(1).poisson(50, 20).astype(float)
    # rows of the same weekdays
    newer = {f"noisy{i}": values[4:24] for i, values in enumerate(NOISY)} | {"other0": sold}
    model.update(_panel(newer, N_ROWS))
    assert _width(model, "other", 0.9) > max(20.0, 10 * narrow)
    # nor do its errors, of no known unit, count among those of the others
    assert _width(model, "noisy", 0.9) == pytest.approx(others, rel=0.15)
    context = _panel({"other0": np.r_[np.zeros(100), sold]})
    assert np.ptp(model.predict_interval(0.9, context=context).to_numpy(), axis=1).mean() > 20


def test_panels_without_any_variation_have_intervals():
    model = LSTMForecaster(2, hidden_size=4, max_epochs=1, random_state=0, n_threads=1)
    model.fit(_panel({name: np.full(N_ROWS, c) for name, c in {"a": 0.0, "b": 5.0}.items()}))
    assert np.isfinite(model.predict_interval(0.8).to_numpy()).all()


def test_what_rounding_leaves_is_no_variation():
    noise = np.random.default_rng(0).normal(size=50)
    for values, varies in (
        (np.zeros(5), False),
        (np.array([np.nan, 3.0, 3.0]), False),
        (1e8 + 1e-6 * noise, False),
        (1e-300 * noise, True),
        (1e9 + noise, True),
    ):
        assert has_variation(values[:, np.newaxis]).tolist() == [varies]
        assert is_pooled(values[:, np.newaxis]).tolist() == [varies]
    # of one row nothing is known
    assert is_pooled(np.array([[3.0]])).tolist() == [True]


def test_scales_are_of_seasons_or_neighbours_and_a_part_of_the_size_of_constants():
    rows = np.array([[1.0, 1.0, 4.0, 0.0], [3.0, 2.0, 4.0, 0.0], [2.0, 1.0, 4.0, 0.0], [4.0, 2.0, 4.0, 0.0]])
    np.testing.assert_allclose(seasonal_scale(rows, 2), [1.0, 1.0, 0.004, 0.0])
    # seasons that differ by rounding only are alike
    rows[2:, 1] += 1e-15
    np.testing.assert_allclose(seasonal_scale(rows, 2)[1], 1.0)
    assert np.isnan(seasonal_scale(rows[:1], 2)).all()


def test_scales_come_from_errors_where_they_are_far_off():
    error_scale = ErrorScale(np.array([[1.0], [2.0], [1.0], [1.0], [0.004]]), np.array([[True]] * 4 + [[False]]))
    which = np.repeat(np.arange(5), LEAST_WINDOWS)
    sizes = np.repeat([1.5, 3.0, 150.0, 0.0, 3.0], LEAST_WINDOWS)[:, np.newaxis]
    found = scale_from_errors(error_scale, sizes, which)
    assert found.pooled[:, 0].tolist() == [True, True, False, False, False]
    # as many scales of their own as windows, and one of before: 5 windows of 100, 0 and 2 usual errors
    np.testing.assert_allclose(found.scale[:, 0], [1.0, 2.0, 501 / 6, 1 / 6, 10.004 / 6])
    # a few windows tell nothing
    few = scale_from_errors(error_scale, sizes[::LEAST_WINDOWS], which[::LEAST_WINDOWS])
    assert few.pooled[:, 0].tolist() == [True] * 4 + [False]


def test_what_stands_still_between_gaps_gets_no_scale_of_noise():
    rows = np.where(np.arange(N_ROWS) % 3, np.nan, 5.0)[:, np.newaxis]
    # neither neighbours nor values a season apart are known together
    np.testing.assert_array_equal(seasonal_scale(rows, 7), seasonal_scale(np.full((N_ROWS, 1), 5.0), 7))
    np.testing.assert_array_equal(seasonal_scale(0 * rows, 7), [0.0])
    assert np.isnan(seasonal_scale(rows[:3], 7)).all(), "one known value says nothing of how they vary"
    model = _fitted([0 * rows[:, 0]], missing="mask")
    assert _width(model, "other", 0.9) < 0.01 * _width(model, "noisy", 0.9)
