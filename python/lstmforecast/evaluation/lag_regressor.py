"""A regressor of scikit-learn's kind as a forecaster: it reads lagged values and forecasts step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from lstmforecast.contract.plain import plain
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.panel import ranges
from lstmforecast.data.scalers import fit_columns
from lstmforecast.evaluation.rolling import Fold, Origins
from lstmforecast.evaluation.scoring import Array, carried
from lstmforecast.fitting.parameters import check_count

LEAST_LAGS = 12


class LagError(ValueError):
    """Too few rows for the lags of a `LagRegressor`."""


@dataclass(frozen=True)
class LagRegressor:
    """A regressor on lagged values, for ``others`` of `lstmforecast.backtest`.

    A clone of the regressor is fitted to all series together, standardised series by series. Its features are the
    lagged values, the covariates and calendar features of the step that are known in advance, and the static features.
    It forecasts a step at a time and appends its forecast to the lagged values, as mlforecast and skforecast do. Each
    target is forecast by a clone of its own. Covariates that are known for the past only are left out.

    Parameters
    ----------
    regressor : object
        With ``fit(X, y)`` and ``predict(X)``, such as scikit-learn's, LightGBM's or XGBoost's.
    lags : int, sequence of int or None, default=None
        Which earlier rows are features: the last so many, or those of a list (1 is the row before). None: the last two
        seasons, at least 12 rows, and at most half the rows of the longest series in the fit.
    max_rows : int, default=1000000
        The fit reads at most so many rows, the last ones of each series, to limit memory.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from lstmforecast import LagRegressor, LSTMForecaster, backtest
    >>> y = np.sin(np.arange(300) / 5)
    >>> model = LSTMForecaster(6, hidden_size=8, max_epochs=2, random_state=0)
    >>> result = backtest(model, y, folds=30, others={"linear": LagRegressor(LinearRegression(), lags=2)})
    >>> print(f"{result.scores.loc['linear', 'MAE']:.6f}")
    0.000000
    """

    regressor: Any
    _: KW_ONLY
    lags: int | Sequence[int] | None = None
    max_rows: int = 1_000_000

    def __post_init__(self) -> None:
        if isinstance(self.regressor, type) or not all(hasattr(self.regressor, name) for name in ("fit", "predict")):
            raise TypeError(f"expected regressor to be an object with fit and predict, got {self.regressor!r}")
        check_count("max_rows", self.max_rows)
        lags = plain(self.lags)
        if isinstance(lags, Sequence) and not isinstance(lags, str):
            if not lags:
                raise ValueError("expected lags to be one or more numbers of rows, got an empty list")
            lags = tuple(sorted({check_count("each of lags", lag) for lag in lags}))
        elif lags is not None:
            check_count("lags", lags)
        object.__setattr__(self, "lags", lags)


def forecast_from_lags(
    other: LagRegressor, dataset: Dataset, fold: Fold, origins: Origins, horizon: int, season: int
) -> Array:
    """Fit on the rows of a fold, and forecast from origins: (n_origins, horizon, k).

    Raises
    ------
    ValueError
        If no series has more rows than the largest lag.
    """
    observations = dataset.observations
    values, truth = carried(observations), observations.truth
    lags = _lags_of(other.lags, season, int((fold.stop - fold.start).max()))
    features = _known_features(dataset)
    first = observations.row_of(np.arange(len(fold.start)), np.zeros_like(fold.start))
    centre, scale = _standards(values, first, fold)
    rows, of_rows = _training_rows(other.max_rows, first, fold, lags)
    # what is missing counts as the mean; that it is missing is a feature by itself
    gone = np.isnan(features)
    features = np.where(gone, _means(features[rows]), features) if gone.any() else features
    at = origins.first_rows(observations)
    # before its first row, a series repeats it
    history = np.maximum(at[:, np.newaxis] - np.arange(int(lags.max()), 0, -1), first[origins.series, np.newaxis])
    forecasts = np.empty((len(origins), horizon, values.shape[1]))
    for k in range(values.shape[1]):
        known = ~np.isnan(truth[rows, k])
        if not known.any():
            raise LagError(f"expected more than {lags.max()} rows of a series in each fit for lags, got fewer")
        of_each, row = of_rows[known], rows[known]
        middle, width = centre[of_each, k], scale[of_each, k]
        lagged = (values[row[:, np.newaxis] - lags, k] - middle[:, np.newaxis]) / width[:, np.newaxis]
        fitted = clone(other.regressor, safe=False)
        fitted.fit(np.hstack([lagged, features[row]]), (truth[row, k] - middle) / width)
        middle, width = centre[origins.series, k], scale[origins.series, k]
        seen = (values[history, k] - middle[:, np.newaxis]) / width[:, np.newaxis]
        for step in range(horizon):
            found = np.asarray(fitted.predict(np.hstack([seen[:, -lags], features[at + step]])), np.float64)
            if found.size != len(at):
                raise ValueError(f"expected {len(at)} predictions of the regressor, got shape {found.shape}")
            found = found.ravel()
            seen = np.column_stack([seen[:, 1:], found])
            forecasts[:, step, k] = found * width + middle
    return forecasts


def _lags_of(lags: int | Sequence[int] | None, season: int, longest: int) -> NDArray[np.int64]:
    if isinstance(lags, Sequence):
        return np.array(lags)
    most = max(1, min(max(2 * season, LEAST_LAGS), longest // 2)) if lags is None else lags
    return np.arange(1, most + 1)


def _training_rows(
    max_rows: int, first: NDArray[np.int64], fold: Fold, lags: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows whose lags are all in the fold, and the series of each."""
    most = -(-max_rows // len(first))
    begins = np.maximum(fold.start + lags.max(), fold.stop - most)
    lengths = np.maximum(fold.stop - begins, 0)
    return ranges(first + begins, lengths), np.repeat(np.arange(len(first)), lengths)


def _known_features(dataset: Dataset) -> Array:
    """Static features, and those known in advance, of all rows."""
    n_static, n_known = dataset.covariates.n_static, dataset.covariates.n_known
    features = dataset.features
    return np.hstack([features[:, :n_static], features[:, features.shape[1] - n_known :]])


def _means(features: Array) -> Array:
    """The mean of each column without missing values, 0 where there are no others."""
    known = ~np.isnan(features)
    means: Array = np.where(known, features, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return means


def _standards(values: Array, first: NDArray[np.int64], fold: Fold) -> tuple[Array, Array]:
    """Mean and standard deviation of the rows of each series in a fold: (n_series, k) each; of none 0 and 1."""
    centre, scale = np.zeros((len(first), values.shape[1])), np.ones((len(first), values.shape[1]))
    for i in np.flatnonzero(fold.stop > fold.start):
        centre[i], scale[i] = fit_columns("standard", values[first[i] + fold.start[i] : first[i] + fold.stop[i]])
    return centre, scale
