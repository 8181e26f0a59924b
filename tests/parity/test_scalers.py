"""Our scalers against scikit-learn's.

Both compute in float64 with a few roundings each, so that values of order 1 agree to some 1e-15. The tolerance of 1e-6
leaves room for one difference of design: scikit-learn's MinMaxScaler multiplies before it subtracts, which costs it the
digits that the offset takes: 1e-16 * 1e6 / 4e-3 = 3e-8 of the range in the worst column below.
"""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import preprocessing

from lstmforecast.data import scalers

PAIRS = [
    pytest.param("StandardScaler", {}, id="standard"),
    pytest.param("StandardScaler", {"with_mean": False}, id="standard-no-mean"),
    pytest.param("StandardScaler", {"with_std": False}, id="standard-no-std"),
    pytest.param("StandardScaler", {"with_mean": False, "with_std": False}, id="standard-nothing"),
    pytest.param("MinMaxScaler", {}, id="minmax"),
    pytest.param("MinMaxScaler", {"feature_range": (-3.0, 5.0)}, id="minmax-range"),
    pytest.param("RobustScaler", {}, id="robust"),
    pytest.param("RobustScaler", {"with_centering": False}, id="robust-no-center"),
    pytest.param("RobustScaler", {"with_scaling": False}, id="robust-no-scale"),
    pytest.param("RobustScaler", {"quantile_range": (5.0, 60.0)}, id="robust-quantiles"),
]

LEARNED = {
    "StandardScaler": ["mean_", "var_", "scale_", "n_samples_seen_"],
    "MinMaxScaler": ["data_min_", "data_max_", "data_range_", "min_", "scale_", "n_samples_seen_"],
    "RobustScaler": ["center_", "scale_"],
}


def _normal(rows: int = 57) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 4)) * [1.0, 1e-3, 1e4, 3.0] + [0.0, 1.0, -5e4, 100.0]


def _with(column: int, values: object, rows: int = 57) -> np.ndarray:
    data = _normal(rows)
    data[:, column] = values
    return data


def _with_holes() -> np.ndarray:
    data = _normal()
    data[np.random.default_rng(1).random(data.shape) < 0.3] = np.nan
    return data


DATA = {
    "normal": _normal(),
    "two-rows": _normal(2),
    "one-row": _normal(1),
    "constant": _with(2, 7.25),
    "constant-not-a-binary-fraction": _with(1, 0.1),
    "constant-zero": _with(0, 0.0),
    "constant-and-large": _with(3, 1e15 / 3),
    "holes": _with_holes(),
    "nan-column": _with(1, np.nan),
    "large-offset": _normal() + 1e6,
    "integers": np.random.default_rng(2).integers(-50, 50, size=(40, 3)),
    "fortran": np.asfortranarray(_normal()),
    "not-contiguous": _normal()[::2, ::-1],
    "float16": np.random.default_rng(3).normal(size=(40, 2)).astype(np.float16),
}


@pytest.mark.parametrize(("name", "options"), PAIRS)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA.keys())
def test_scaler_matches_scikit_learn(name: str, options: dict[str, Any], data: np.ndarray) -> None:
    ours, theirs = getattr(scalers, name)(**options), getattr(preprocessing, name)(**options)
    scaled = ours.fit_transform(data)
    with warnings.catch_warnings():
        # scikit-learn warns of a column without a value; ours is silent, which pytest's settings watch over.
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = theirs.fit_transform(data.astype(np.float64))
    for learned in LEARNED[name]:
        _assert_close(getattr(ours, learned), getattr(theirs, learned))
    _assert_close(scaled, expected)
    _assert_close(ours.inverse_transform(scaled), theirs.inverse_transform(expected))


@pytest.mark.parametrize(("name", "options"), PAIRS)
def test_float32_stays_float32(name: str, options: dict[str, Any]) -> None:
    data = np.random.default_rng(4).normal(size=(57, 3)).astype(np.float32)
    ours, theirs = getattr(scalers, name)(**options), getattr(preprocessing, name)(**options)
    scaled, expected = ours.fit_transform(data), theirs.fit_transform(data)
    assert scaled.dtype == np.float32
    # Values of order 1 to 10 with the float32 roundings (6e-8 each) of scikit-learn's two steps and their statistics.
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-5)
    restored = ours.inverse_transform(scaled)
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, data, rtol=1e-5, atol=1e-5)


def _assert_close(actual: object, expected: object) -> None:
    if expected is None:
        assert actual is None
        return
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
