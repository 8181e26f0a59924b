"""windows() against numpy's sliding_window_view and the slow twin that copies row by row: identical values."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from lstmforecast import windows


@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize(("window_size", "horizon"), [(1, 1), (5, 1), (4, 7), (20, 10)])
@pytest.mark.parametrize("stride", [1, 3, 30])
def test_windows_match_sliding_window_view(n_features: int, window_size: int, horizon: int, stride: int) -> None:
    series = np.random.default_rng(0).normal(size=(30, n_features))
    X, y = windows(series, window_size, horizon, stride)
    expected_X = sliding_window_view(series[: 30 - horizon], window_size, axis=0)[::stride]
    expected_y = sliding_window_view(series[window_size:], horizon, axis=0)[::stride]
    np.testing.assert_array_equal(X, expected_X.transpose(0, 2, 1))
    np.testing.assert_array_equal(y, expected_y.transpose(0, 2, 1))


def test_windows_match_a_loop() -> None:
    series = np.random.default_rng(1).normal(size=(25, 2))
    X, y = windows(series, window_size=6, horizon=3, stride=2)
    starts = range(0, 25 - 6 - 3 + 1, 2)
    np.testing.assert_array_equal(X, [[series[start + step] for step in range(6)] for start in starts])
    np.testing.assert_array_equal(y, [[series[start + 6 + step] for step in range(3)] for start in starts])
