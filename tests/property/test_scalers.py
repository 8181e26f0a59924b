"""What holds for every scaler and all data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lstmforecast.data.scalers import MinMaxScaler, RobustScaler, StandardScaler, affine_of

SCALERS = [StandardScaler(), MinMaxScaler(), MinMaxScaler(feature_range=(-2.0, 3.0)), RobustScaler()]
VALUES = st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(float("nan"))
TABLES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=VALUES)
FINITE_TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False),
)


@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
@given(data=TABLES)
def test_inverse_brings_the_data_back(scaler: StandardScaler, data: np.ndarray) -> None:
    restored = scaler.inverse_transform(scaler.fit_transform(data))
    center, scale = np.abs(np.nan_to_num(affine_of(scaler, data.shape[1])))
    # Relative to all that takes part: a small value beside a large center keeps only the digits that fit there.
    tolerance = 1e-12 * (np.nan_to_num(np.abs(data)).max(axis=0) + center + scale)
    assert np.array_equal(np.isnan(restored), np.isnan(data))
    assert np.all(np.isnan(data) | (np.abs(restored - data) <= tolerance))


@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
@given(data=FINITE_TABLES)
def test_transform_is_the_affine_that_models_get(scaler: StandardScaler, data: np.ndarray) -> None:
    scaled = scaler.fit_transform(data)
    center, scale = affine_of(scaler, data.shape[1])
    assert np.all(scale > 0)
    np.testing.assert_allclose(scaled, (data - center) / scale, rtol=1e-12, atol=1e-12)


@given(data=FINITE_TABLES)
def test_minmax_ends_at_its_range(data: np.ndarray) -> None:
    scaled = MinMaxScaler(feature_range=(-1.0, 1.0)).fit_transform(data)
    assert scaled.min() >= -1.0 - 1e-9
    assert scaled.max() <= 1.0 + 1e-9


@given(data=FINITE_TABLES, rows=st.permutations(range(12)))
def test_statistics_ignore_the_order_of_rows(data: np.ndarray, rows: list[int]) -> None:
    order = [row for row in rows if row < len(data)]
    for scaler in (MinMaxScaler(), RobustScaler()):
        center, scale = affine_of(scaler.fit(data), data.shape[1])
        other_center, other_scale = affine_of(scaler.fit(data[order]), data.shape[1])
        np.testing.assert_array_equal(center, other_center)
        np.testing.assert_array_equal(scale, other_scale)
