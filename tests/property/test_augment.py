"""What holds of every augmentation, whatever its parameters and windows are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from lstmforecast import augment

KNOTS, SEEDS = st.integers(1, 12), st.integers(0, 2**31 - 1)
SIGMAS, PARTS = st.floats(0, 3), st.floats(0, 1)
METHODS = st.one_of(
    st.builds(augment.jitter, SIGMAS, PARTS),
    st.builds(augment.scale, SIGMAS, PARTS),
    st.builds(augment.magnitude_warp, KNOTS, SIGMAS, PARTS),
    st.builds(augment.time_warp, KNOTS, SIGMAS, PARTS),
    st.builds(augment.window_slice, st.floats(1e-30, 1), PARTS),
)


@st.composite
def pairs(draw):
    n, n_rows, n_features, horizon = (draw(st.integers(low, high)) for low, high in ((0, 4), (1, 30), (1, 4), (1, 9)))
    rng = np.random.default_rng(draw(SEEDS))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    n_targets = draw(st.integers(1, n_features))
    return rng.normal(size=(n, n_rows, n_features)).astype(dtype), rng.normal(size=(n, horizon, n_targets)).astype(
        dtype
    )


def rows(n_rows, horizon=0):
    """Each row is its own number, so that what comes out are the times that are shown."""
    times = np.arange(float(n_rows + horizon)).reshape(1, -1, 1)
    return times[:, :n_rows], times[:, n_rows:]


@given(METHODS, pairs(), SEEDS)
def test_shapes_types_and_seeds(method, pair, seed):
    X, y = pair
    before = X.copy(), y.copy()
    alone = method(X, random_state=seed)
    changed = method(X, y, random_state=seed)
    for part, like in zip((alone, *changed), (X, X, y), strict=True):
        assert (part.shape, part.dtype) == (like.shape, like.dtype)
        assert np.isfinite(part).all()
    for part, again in zip(changed, method(X, y, random_state=seed), strict=True):
        assert_array_equal(part, again)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])
    if method.probability == 0:
        assert_array_equal(changed[0], X)
        assert_array_equal(changed[1], y)


@given(METHODS, pairs(), SEEDS)
def test_a_window_knows_nothing_of_its_horizon(method, pair, seed):
    X, y = pair
    assert_array_equal(method(X, y, random_state=seed)[0], method(X, 5 - 3 * y, random_state=seed)[0])


@given(pairs(), SEEDS, KNOTS)
def test_nothing_changes_without_deviation(pair, seed, knots):
    X, y = pair
    for method in (
        augment.jitter(0, 1),
        augment.scale(0, 1),
        augment.magnitude_warp(knots, 0, 1),
        augment.time_warp(knots, 0, 1),
        augment.window_slice(1, 1),
    ):
        assert_array_equal(method(X, random_state=seed), X)
        for part, same in zip(method(X, y, random_state=seed), pair, strict=True):
            assert_array_equal(part, same)


@given(KNOTS, SIGMAS, st.integers(2, 40), st.integers(0, 20), SEEDS)
def test_warped_time_runs_on_and_keeps_its_ends_and_the_origin(knots, sigma, n_rows, horizon, seed):
    X, y = rows(n_rows, horizon)
    method = augment.time_warp(knots, sigma, 1)
    shown = method(X, y, random_state=seed) if horizon else (method(X, random_state=seed), y)
    times = np.concatenate(shown, axis=1).ravel()
    assert (np.diff(times) > 0).all()
    assert (times[0], times[n_rows - 1], times[-1]) == (0, n_rows - 1, n_rows + horizon - 1)


@given(st.floats(0.05, 1), st.integers(2, 40), st.integers(1, 20), SEEDS)
def test_a_slice_covers_its_part(size, n_rows, horizon, seed):
    X, y = rows(n_rows, horizon)
    method = augment.window_slice(size, 1)
    alone = method(X, random_state=seed).ravel()
    # times up to 60, a few roundings each
    assert np.diff(alone) == pytest.approx(size, abs=1e-12)
    assert alone[0] >= 0
    assert alone[-1] <= n_rows - 1
    times = np.concatenate(method(X, y, random_state=seed), axis=1).ravel()
    steps = np.diff(times)
    assert steps == pytest.approx(steps[0], abs=1e-12)
    assert size - 1e-12 <= steps[0] <= 1 + 1e-12
    assert times[n_rows - 1] == n_rows - 1


@given(KNOTS, st.floats(0, 0.2), SEEDS)
def test_magnitudes_are_one_curve_over_window_and_horizon(knots, sigma, seed):
    X, y = np.ones((1, 200, 2)), np.ones((1, 100, 1))
    for method in (augment.scale(sigma, 1), augment.magnitude_warp(knots, sigma, 1)):
        window, horizon = method(X, y, random_state=seed)
        curve = np.concatenate([window[0, :, 0], horizon[0, :, 0]])
        # the border between them is as smooth as any other place: third differences of a cubic are a constant in each
        # piece, h^3 f''' with pieces of 300 / 13 rows at the least
        assert np.abs(np.diff(curve, 3)).max() < 200 * sigma / 20**3 + 1e-12
        # covariates keep their size
        assert_array_equal(window[..., 1], X[..., 1])
