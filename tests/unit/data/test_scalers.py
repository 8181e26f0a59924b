import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import preprocessing
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from lstmforecast.data.scalers import MinMaxScaler, RobustScaler, StandardScaler, affine_of, fit_affine

# Columns that differ by orders of magnitude, one of them constant.
ROWS = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 1e-6, 1e9, 0.0] + [0.0, 1.0, 1e12, 7.0]


def test_standard_scaler_by_hand() -> None:
    scaler = StandardScaler().fit([[1.0], [3.0], [np.nan]])
    assert (scaler.mean_[0], scaler.var_[0], scaler.scale_[0], scaler.n_samples_seen_) == (2.0, 1.0, 1.0, 2)
    np.testing.assert_array_equal(scaler.transform([[4.0], [np.nan]]), [[2.0], [np.nan]])


def test_min_max_scaler_by_hand() -> None:
    scaler = MinMaxScaler(feature_range=(-1, 1)).fit([[2.0], [6.0]])
    assert (scaler.data_min_[0], scaler.data_max_[0], scaler.data_range_[0]) == (2.0, 6.0, 4.0)
    assert (scaler.scale_[0], scaler.min_[0]) == (0.5, -2.0)
    assert scaler.transform([[2.0], [5.0], [6.0]]).tolist() == [[-1.0], [0.5], [1.0]]


def test_robust_scaler_by_hand() -> None:
    # Quartiles of 1, 2, 3, 4, 100 are 2, 3 and 4.
    scaler = RobustScaler().fit([[1.0], [2.0], [3.0], [4.0], [100.0]])
    assert (scaler.center_[0], scaler.scale_[0]) == (3.0, 2.0)
    assert scaler.transform([[5.0]]).tolist() == [[1.0]]


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()], ids=repr)
@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2], [3, 5]],
        np.asfortranarray([[1.0, 2.0], [3.0, 5.0]]),
        np.array([[1.0, 9.0, 2.0], [3.0, 9.0, 5.0]])[:, ::2],
        np.array([[1, 2], [3, 5]], dtype=np.float16),
        pd.DataFrame({"a": [1, 3], "b": [2, 5]}, dtype="Int64"),
    ],
    ids=["list", "fortran", "not-contiguous", "float16", "nullable"],
)
def test_every_container_works(scaler: Any, rows: Any) -> None:
    expected = scaler.fit_transform(np.array([[1.0, 2.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(scaler.fit_transform(rows), expected)


def test_read_only_data_stay_as_they_are() -> None:
    rows = ROWS.copy()
    rows.setflags(write=False)
    StandardScaler().fit_transform(rows)
    np.testing.assert_array_equal(rows, ROWS)


def test_a_fitted_scaler_survives_pickle() -> None:
    scaler = MinMaxScaler().fit(ROWS)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scaler)).transform(ROWS), scaler.transform(ROWS))


@pytest.mark.parametrize(
    ("scaler", "message"),
    [
        (MinMaxScaler(feature_range=(1, 1)), r"feature_range with its minimum below its maximum, got \(1, 1\)"),
        (MinMaxScaler(feature_range=(0, 1, 2)), "expected feature_range as two numbers"),
        (RobustScaler(quantile_range=(75, 25)), "expected quantile_range as 0 <= low <= high <= 100"),
        (RobustScaler(quantile_range=50), "expected quantile_range as two numbers, got 50"),
    ],
)
def test_bad_parameters(scaler: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scaler.fit(ROWS)


def test_inverse_of_other_columns() -> None:
    with pytest.raises(ValueError, match=r"expected X of shape \(n, 4\), got \(50, 3\)"):
        StandardScaler().fit(ROWS).inverse_transform(ROWS[:, :3])


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        MinMaxScaler(feature_range=(-2, 3)),
        RobustScaler(),
        preprocessing.StandardScaler(),
        preprocessing.StandardScaler(with_std=False),
        preprocessing.MinMaxScaler(feature_range=(-2, 3)),
        preprocessing.MaxAbsScaler(),
        preprocessing.RobustScaler(),
        make_pipeline(preprocessing.StandardScaler(), preprocessing.MinMaxScaler()),
    ],
    ids=repr,
)
def test_an_affine_scaler_is_described(scaler: Any) -> None:
    center, scale = fit_affine(scaler, ROWS)
    # The probes see outputs of order 1 to 1e3 with 16 digits.
    np.testing.assert_allclose((ROWS - center) / scale, scaler.fit_transform(ROWS), rtol=1e-9, atol=1e-9)


def test_fit_affine_leaves_the_object_alone() -> None:
    scaler = preprocessing.StandardScaler()
    fit_affine(scaler, ROWS)
    assert not hasattr(scaler, "mean_")


def test_pandas_output_is_described_too() -> None:
    scaler = preprocessing.StandardScaler().set_output(transform="pandas")
    center, _ = fit_affine(scaler, ROWS)
    np.testing.assert_allclose(center, ROWS.mean(axis=0))


@pytest.mark.parametrize(
    "scaler",
    [
        preprocessing.QuantileTransformer(n_quantiles=10),
        preprocessing.PowerTransformer(),
        preprocessing.MinMaxScaler(clip=True),
        preprocessing.Normalizer(),
        preprocessing.PolynomialFeatures(),
        preprocessing.KBinsDiscretizer(n_bins=3, strategy="uniform"),
        PCA(),
    ],
    ids=repr,
)
def test_another_transformer_is_refused(scaler: Any) -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3))
    with pytest.raises(ValueError, match=r"of the form \(x - center\) / scale for each column, got"):
        fit_affine(scaler, rows)


@pytest.mark.parametrize("scaler", [preprocessing.StandardScaler, 3, object()], ids=["class", "number", "object"])
def test_no_scaler_is_refused(scaler: Any) -> None:
    with pytest.raises(TypeError, match="expected a scaler with fit and transform, got"):
        fit_affine(scaler, ROWS)


def test_a_scaler_of_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a scaler of 2 columns, got one of 4"):
        affine_of(StandardScaler().fit(ROWS), 2)
