"""How much worse forecasts get when a covariate is exchanged between windows: permutation importance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstmforecast.contract.seeds import draw_seed
from lstmforecast.estimators.estimator import require_fitted
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.estimators.newer_rows import NewerRows
from lstmforecast.evaluation.feature_names import names_of
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.parameters import check_count
from lstmforecast.fitting.roll import BATCH, Seen, roll, seen_from, steps_read

__all__ = ["permutation_importance"]

METRICS = ("MAE", "RMSE")


def permutation_importance(
    forecaster: LSTMForecaster,
    y: Any,
    X: Any = None,
    X_past: Any = None,
    static: Any = None,
    *,
    metric: str = "MAE",
    n_repeats: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    """Measure how much the errors of a fitted forecaster grow when one covariate is exchanged between windows.

    The forecasts start from up to 2,000 origins, evenly spread. A covariate keeps its course within each window and
    the steps ahead, but comes from another origin, or for static features from another series.

    Parameters
    ----------
    forecaster : LSTMForecaster
        A fitted one.
    y, X, X_past, static
        Rows that it was not fitted to, as `LSTMForecaster.fit` takes them, with the columns of the fit: at least a
        window and a horizon. A table with all columns, where columns were named at `fit`.
    metric : {"MAE", "RMSE"}, default="MAE"
        The error, over all targets, in the data's units.
    n_repeats : int, default=5
        Permutations of each covariate.
    random_state : int, RandomState or None, default=None
        Seed of the permutations.

    Returns
    -------
    DataFrame
        A row for each covariate, the most important first, with the index ``"feature"``: a column of words is one, and
        so is a cycle of the calendar. ``importance`` is the mean growth of the error, ``std`` its standard deviation
        over the permutations, ``error`` the error without permutation.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        Before `fit`.
    TypeError, ValueError
        As in `fit`; also for a forecaster without covariates, or fewer than two origins.

    References
    ----------
    Breiman (2001), Random forests. `sklearn.inspection.permutation_importance`.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMForecaster, permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> y = X[:, 0] + rng.normal(0, 0.1, 300)
    >>> model = LSTMForecaster(2, window_size=8, hidden_size=8, max_epochs=10, random_state=0).fit(y[:200], X[:200])
    >>> table = permutation_importance(model, y[200:], X[200:], random_state=0)
    >>> table.index.tolist(), bool(table["importance"].iloc[0] > 10 * table["importance"].iloc[1])
    ([0, 1], True)
    """
    require_fitted(forecaster)
    if metric not in METRICS:
        raise ValueError(f"expected metric to be one of {METRICS}, got {metric!r}")
    n_repeats = check_count("n_repeats", n_repeats)
    rows = NewerRows.read(forecaster.fitted_, y, X, X_past, static, missing=forecaster.missing)
    model, dataset, horizon = forecaster.model_, rows.dataset, forecaster.fitted_.horizon
    if not dataset.covariates.n_features:
        raise ValueError("expected a forecaster with covariates, got one without")
    if len(rows.origins) < 2:
        raise ValueError("expected y with two windows and horizons or more, got one")
    k, n_read = dataset.observations.n_columns, steps_read(model.config, horizon)
    seen = seen_from(dataset, rows.which, rows.origins, forecaster.window_size_, n_read)
    scales = None if dataset.scales is None else dataset.scales[rows.which]
    lowest = dataset.lowest(forecaster.window_size_, rows.which, rows.origins)
    truth, rng = rows.truth, np.random.default_rng(draw_seed(random_state))

    def error(seen: Seen) -> float:
        parts = []
        for start in range(0, len(seen.windows), BATCH):
            part = slice(start, start + BATCH)
            own, least = (None if each is None else each[part] for each in (scales, lowest))
            parts.append(roll(model, seen.take(part), forecaster.n_threads, own, least)[:, :horizon])
        forecasts = dataset.undo(mean(model.config["distribution"], np.concatenate(parts)), lowest)
        sizes = np.abs(forecasts - truth)
        return float(np.nanmean(sizes) if metric == "MAE" else np.sqrt(np.nanmean(sizes**2)))

    base, found = error(seen), {}
    sources = dataset.covariates.sources
    for feature, name in names_of(sources).items():
        columns = np.array([i for i, source in enumerate(sources) if source == feature])
        growths = []
        for _ in range(n_repeats):
            order = rng.permutation(len(seen.windows))
            other, ahead = seen.windows.copy(), seen.future.copy()
            other[:, :, k + columns] = seen.windows[order][:, :, k + columns]
            ahead[:, :, columns] = seen.future[order][:, :, columns]
            growths.append(error(Seen(other, ahead, seen.clock)) - base)
        found[name] = {"importance": np.mean(growths), "std": np.std(growths), "error": base}
    index = pd.Index(list(found), dtype=object, tupleize_cols=False, name="feature")
    return pd.DataFrame(list(found.values()), index).sort_values("importance", ascending=False, kind="stable")
