"""Scalers with the semantics of scikit-learn's, computed in Rust; also reduces other scalers to centre and scale."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from lstmforecast import _core
from lstmforecast.contract.aside import aside
from lstmforecast.contract.fit_tasks import CallbackSupportMixin, FitTasks, with_callbacks
from lstmforecast.contract.html_repr import DocLinkMixin
from lstmforecast.contract.plain import PlainParameters

Affine = tuple[NDArray[np.float64], NDArray[np.float64]]

# These two dtypes are kept; all others (integers, float16, nullable types of pandas) become float64.
_CHECKS: dict[str, Any] = {"dtype": (np.float64, np.float32), "order": "C", "ensure_all_finite": "allow-nan"}


class _ColumnScaler(
    PlainParameters, DocLinkMixin, CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator
):
    """``(x - center) / scale`` for each column; NaN is ignored by fit and kept by transform."""

    _doc_page = "windows"

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Any:
        """Compute the statistics of each column.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            The training rows; NaN is ignored.
        y : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        self : the fitted scaler

        Raises
        ------
        ValueError
            If values are infinite, there are no rows or columns, or a parameter is invalid.
        """
        self._check_parameters()
        with aside(self) as fitted:
            data, tasks = validate_data(fitted, X, **_CHECKS), FitTasks(self, X, y)
            fitted._learn(data)
        tasks.end()
        return self

    def transform(self, X: Any) -> Any:
        """Scale each column.

        Parameters
        ----------
        X : array-like of shape (n, n_features)

        Returns
        -------
        array of shape (n, n_features)
            float32 for float32, else float64.
        """
        check_is_fitted(self)
        data = validate_data(self, X, reset=False, **_CHECKS)
        return _core.scale_columns(data, *self._affine())

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Transform scaled columns back to the data's units.

        Parameters
        ----------
        X : array-like of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, n_features)
            float32 for float32, else float64.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If the number of columns is not that of fit.
        """
        check_is_fitted(self)
        data = check_array(X, estimator=self, input_name="X", **_CHECKS)
        if data.shape[1] != self.n_features_in_:
            raise ValueError(f"expected X of shape (n, {self.n_features_in_}), got {data.shape}")
        return _core.unscale_columns(data, *self._affine())

    def _check_parameters(self) -> None:
        """Raise a ValueError for invalid parameters."""

    def _learn(self, data: NDArray[Any]) -> None:
        raise NotImplementedError

    def _affine(self) -> Affine:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class StandardScaler(_ColumnScaler):
    """Center each column at its mean and divide by its standard deviation.

    The counterpart of `sklearn.preprocessing.StandardScaler`, computed in Rust.

    Parameters
    ----------
    with_mean : bool, default=True
        Center the columns.
    with_std : bool, default=True
        Divide by the standard deviation (of the population, with n as denominator); constant columns by 1.

    Attributes
    ----------
    mean_, var_, scale_ : ndarray of shape (n_features,) or None
        Mean, variance and divisor of each column; None for those that are switched off.
    n_samples_seen_ : int or ndarray of shape (n_features,)
        The number of values that are not NaN; one number if it is the same for all columns.

    Examples
    --------
    >>> from lstmforecast import StandardScaler
    >>> scaler = StandardScaler().fit([[1.0], [2.0], [3.0]])
    >>> scaler.transform([[2.0], [4.0]]).round(2).tolist()
    [[0.0], [2.45]]
    >>> scaler.inverse_transform([[0.0]]).tolist()
    [[2.0]]
    """

    def __init__(self, *, with_mean: bool = True, with_std: bool = True) -> None:
        self.with_mean = with_mean
        self.with_std = with_std

    def _learn(self, data: NDArray[Any]) -> None:
        learned = _core.fit_scaler("standard", data)
        self.mean_ = learned["mean"] if self.with_mean or self.with_std else None
        self.var_ = learned["var"] if self.with_std else None
        self.scale_ = learned["scale"] if self.with_std else None
        counts = np.count_nonzero(~np.isnan(data), axis=0)
        self.n_samples_seen_ = int(counts[0]) if np.all(counts == counts[0]) else counts

    def _affine(self) -> Affine:
        center = self.mean_ if self.with_mean and self.mean_ is not None else np.zeros(self.n_features_in_)
        return center, np.ones(self.n_features_in_) if self.scale_ is None else self.scale_


class MinMaxScaler(_ColumnScaler):
    """Map the smallest and the largest value of each column to the ends of a range.

    The counterpart of `sklearn.preprocessing.MinMaxScaler`, computed in Rust.

    Parameters
    ----------
    feature_range : tuple of two floats, default=(0, 1)
        Ends of the range, the smaller one first. A constant column is mapped to the smaller one.

    Attributes
    ----------
    data_min_, data_max_, data_range_ : ndarray of shape (n_features,)
        Smallest and largest value of each column, and their difference.
    scale_, min_ : ndarray of shape (n_features,)
        ``transform(x) = x * scale_ + min_``.
    n_samples_seen_ : int
        The number of rows.

    Examples
    --------
    >>> from lstmforecast import MinMaxScaler
    >>> MinMaxScaler(feature_range=(-1, 1)).fit_transform([[0.0], [5.0], [10.0]]).tolist()
    [[-1.0], [0.0], [1.0]]
    """

    def __init__(self, feature_range: tuple[float, float] = (0, 1)) -> None:
        self.feature_range = feature_range

    def _check_parameters(self) -> None:
        low, high = _pair("feature_range", self.feature_range)
        if low >= high:
            raise ValueError(f"expected feature_range with its minimum below its maximum, got {self.feature_range}")

    def _learn(self, data: NDArray[Any]) -> None:
        learned = _core.fit_scaler("minmax", data, feature_range=_pair("feature_range", self.feature_range))
        self.data_min_, self.data_max_ = learned["data_min"], learned["data_max"]
        self.data_range_ = learned["data_range"]
        self.scale_, self.min_ = learned["scale"], learned["min"]
        self.n_samples_seen_ = len(data)

    def _affine(self) -> Affine:
        scale = 1.0 / self.scale_
        # not -min_ * scale: far from zero, the product of two rounded numbers has fewer exact digits than data_min_
        return self.data_min_ - float(self.feature_range[0]) * scale, scale


class RobustScaler(_ColumnScaler):
    """Center each column at its median and divide by an interquantile range, on which outliers have little effect.

    The counterpart of `sklearn.preprocessing.RobustScaler`, computed in Rust.

    Parameters
    ----------
    with_centering : bool, default=True
        Center the columns at their medians.
    with_scaling : bool, default=True
        Divide by the interquantile range; constant columns by 1.
    quantile_range : tuple of two floats, default=(25.0, 75.0)
        The quantiles, in percent, whose difference is the divisor.

    Attributes
    ----------
    center_, scale_ : ndarray of shape (n_features,) or None
        Median and divisor of each column; None for those that are switched off.

    Examples
    --------
    >>> from lstmforecast import RobustScaler
    >>> RobustScaler().fit_transform([[1.0], [2.0], [3.0], [4.0], [1000.0]]).tolist()
    [[-1.0], [-0.5], [0.0], [0.5], [498.5]]
    """

    def __init__(
        self,
        *,
        with_centering: bool = True,
        with_scaling: bool = True,
        quantile_range: tuple[float, float] = (25.0, 75.0),
    ) -> None:
        self.with_centering = with_centering
        self.with_scaling = with_scaling
        self.quantile_range = quantile_range

    def _check_parameters(self) -> None:
        low, high = _pair("quantile_range", self.quantile_range)
        if not 0 <= low <= high <= 100:
            raise ValueError(f"expected quantile_range as 0 <= low <= high <= 100, got {self.quantile_range}")

    def _learn(self, data: NDArray[Any]) -> None:
        learned = _core.fit_scaler("robust", data, quantile_range=_pair("quantile_range", self.quantile_range))
        self.center_ = learned["center"] if self.with_centering else None
        self.scale_ = learned["scale"] if self.with_scaling else None

    def _affine(self) -> Affine:
        center = np.zeros(self.n_features_in_) if self.center_ is None else self.center_
        return center, np.ones(self.n_features_in_) if self.scale_ is None else self.scale_


def fit_affine(scaler: Any, rows: NDArray[np.float64]) -> Affine:
    """Fit a copy of a scaler object and reduce it to the center and scale of each column.

    Parameters
    ----------
    scaler : object with ``fit`` and ``transform``
        A scaler of this package, of scikit-learn, or any other one that maps each column linearly and separately. It is
        not changed.
    rows : ndarray of shape (n, n_columns)
        The training rows only.

    Returns
    -------
    center, scale : ndarray of shape (n_columns,)
        ``transform(x) == (x - center) / scale``.

    Raises
    ------
    TypeError
        If the object has no ``fit`` or ``transform``.
    ValueError
        If the scaler is not of this form.
    """
    if isinstance(scaler, type) or not (hasattr(scaler, "fit") and hasattr(scaler, "transform")):
        raise TypeError(f"expected a scaler with fit and transform, got {scaler!r}")
    fitted = clone(scaler, safe=False)
    fitted.fit(rows)
    return affine_of(fitted, rows.shape[1])


def affine_of(scaler: Any, n_columns: int) -> Affine:
    """Find the center and scale of each column of a fitted scaler, by calls of its ``transform``.

    Parameters
    ----------
    scaler : fitted object with ``transform``
    n_columns : int
        The number of columns that it was fitted to.

    Returns
    -------
    center, scale : ndarray of shape (n_columns,)
        ``transform(x) == (x - center) / scale``.

    Raises
    ------
    ValueError
        If the scaler is not of this form, as a PowerTransformer.
    """
    if isinstance(scaler, _ColumnScaler):
        center, scale = scaler._affine()
        if center.shape != (n_columns,):
            raise ValueError(f"expected a scaler of {n_columns} columns, got one of {len(center)}")
        return center, scale
    center, scale = _probe(scaler, n_columns)
    # random rows, which reveal columns that depend on others or are mapped nonlinearly
    points = center + scale * np.random.default_rng(0).uniform(-4.0, 4.0, size=(8, n_columns))
    if not np.allclose(_transformed(scaler, points), (points - center) / scale, rtol=1e-6, atol=1e-6):
        raise _not_affine(scaler)
    return center, scale


def _probe(scaler: Any, n_columns: int) -> Affine:
    """Find the point that is mapped to 0, and the distance from it that is mapped to 1, by Newton's method."""
    center, step = np.zeros(n_columns), np.ones(n_columns)
    for _ in range(6):
        low, high = _transformed(scaler, np.stack([center, center + step]))
        slope = (high - low) / step
        # a step that is too small beside a far larger scale has no effect: try a longer one
        lost = slope == 0.0
        slope = np.where(lost, 1.0, slope)
        center = np.where(lost, center, center - low / slope)
        step = np.where(lost, step * 1e6, 1.0 / slope)
    if np.any(lost) or not (np.all(np.isfinite(center)) and np.all(np.isfinite(step))):
        raise _not_affine(scaler)
    return center, step


def _transformed(scaler: Any, points: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        values = np.asarray(scaler.transform(points), dtype=np.float64)
    except ValueError as error:
        raise _not_affine(scaler) from error
    if values.shape != points.shape:
        raise _not_affine(scaler)
    return values


def _not_affine(scaler: Any) -> ValueError:
    return ValueError(f"expected a scaler of the form (x - center) / scale for each column, got {scaler!r}")


def _pair(name: str, value: Any) -> tuple[float, float]:
    if not (isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(end, Real) for end in value)):
        raise ValueError(f"expected {name} as two numbers, got {value!r}")
    return float(value[0]), float(value[1])


def fit_columns(scaler: Any, rows: NDArray[np.float64]) -> Affine:
    """Center and scale of each column of rows (n, k), for every ``scaler`` that estimators take; NaN is ignored.

    A column without known values has center 0 and scale 1.
    """
    if scaler is None or rows.size == 0:
        return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    if not isinstance(scaler, str):
        return fit_affine(scaler, rows)
    learned = _core.fit_scaler(scaler, np.ascontiguousarray(rows))
    if scaler == "minmax":
        center, scale = learned["data_min"], 1.0 / learned["scale"]
    else:
        center, scale = learned["mean" if scaler == "standard" else "center"], learned["scale"]
    unknown = ~(np.isfinite(center) & np.isfinite(scale))
    return np.where(unknown, 0.0, center), np.where(unknown, 1.0, scale)
