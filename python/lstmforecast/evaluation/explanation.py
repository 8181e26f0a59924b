"""What a forecast is made of: integrated gradients of the network, by covariate, lag and step."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.dataset import Dataset
from lstmforecast.estimators.estimator import require_fitted
from lstmforecast.estimators.forecaster import LSTMForecaster, known_in_advance
from lstmforecast.evaluation.feature_names import Source, names_of
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.roll import BATCH, Seen, ends_of, roll

__all__ = ["Explanation", "explain"]

Array = NDArray[np.float64]
# Parts of equal length of the path from baseline to window. The differences across all parts add up to the whole path,
# so that the bends of a function of one value, such as a hinge, change no sum.
N_PARTS = 40
MOST_SERIES = 32


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What forecasts are made of, as `LSTMForecaster.explain` finds it.

    Attributes
    ----------
    contributions : ndarray of shape (n_series, horizon, k, n_features, n_lags)
        The contribution of each feature and lag to each forecast, in the data's units. Their sum over features and lags
        is ``forecast - baseline``, but for the error of the integration.
    features : list of labels
        The targets, then the columns of covariates. A column of words is one feature, and so is a cycle of the
        calendar. Where two tables have a column of the same name, the table is named too: ``"price (X_past)"``.
    lags : ndarray of int of shape (n_lags,)
        Rows before the first step of the forecast: 1 is the last known row; 0, -1, ... are the steps ahead, of
        covariates that are known in advance. Static features count at lag 0.
    forecast, baseline : ndarray of shape (n_series, horizon, k)
        The forecasts of `predict`, and those from a window in which the targets stay at their last value and the
        covariates at their means; of an embedded column of words, each category has the same share.
    variables, series : list of labels
        The names of the targets, and of the series; for a single series ``[None]``.
    series_name : label
        The column of series in the tables: the user's name of it, or ``"series"``.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from lstmforecast import LSTMForecaster
    >>> rng = np.random.default_rng(0)
    >>> df = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=200), "promo": rng.random(200) < 0.3})
    >>> df["sales"] = 10 + 5 * df["promo"] + rng.normal(0, 0.1, 200)
    >>> model = LSTMForecaster(2, window_size=14, hidden_size=8, max_epochs=5, random_state=0)
    >>> model = model.fit(df.iloc[:-2], target="sales", time="day", known="promo")
    >>> explanation = model.explain(known=df.iloc[-2:][["day", "promo"]])
    >>> explanation.features, explanation.contributions.shape
    (['sales', 'promo'], (1, 2, 1, 2, 16))
    >>> explanation.importance().columns.tolist()
    ['variable', 'feature', 'contribution', 'share']
    """

    contributions: Array
    features: list[Hashable]
    lags: NDArray[np.int64]
    forecast: Array
    baseline: Array
    variables: list[Hashable]
    series: list[Hashable]
    series_name: Hashable = "series"

    def to_frame(self) -> pd.DataFrame:
        """All contributions, one in each row.

        Returns
        -------
        DataFrame of shape (n_series * horizon * k * n_features * n_lags, 5), with series 6
            ``series`` (of a panel, under the user's name), ``variable``, ``step`` (from 1), ``feature``, ``lag`` and
            ``contribution``.
        """
        places = np.indices(self.contributions.shape).reshape(5, -1)
        columns: dict[Hashable, Any] = {}
        if self.series != [None]:
            columns[self.series_name] = _labels(self.series)[places[0]]
        columns |= {
            "variable": _labels(self.variables)[places[2]],
            "step": places[1] + 1,
            "feature": _labels(self.features)[places[3]],
            "lag": self.lags[places[4]],
            "contribution": self.contributions.ravel(),
        }
        return pd.DataFrame(columns)

    def importance(self, *by: str) -> pd.DataFrame:
        """How much each feature contributes on average, over all series and steps or for each.

        Parameters
        ----------
        *by : {"series", "step", "lag"}
            A row for each of these too. Without ``"lag"``, the contributions of all lags of a feature are added before
            their size is taken.

        Returns
        -------
        DataFrame
            ``variable`` (the target), the groups, ``feature``; ``contribution``, the mean absolute contribution in the
            data's units; ``share`` of the sum over all features and lags. Without groups the largest is first.

        Raises
        ------
        ValueError
            For another group, or series of a single series.
        """
        known = ("step", "lag") if self.series == [None] else ("series", "step", "lag")
        for name in by:
            if name not in known or by.count(name) > 1:
                raise ValueError(f"expected groups out of {known}, each once, got {by}")
        values = self.contributions if "lag" in by else self.contributions.sum(axis=-1, keepdims=True)
        kept = {"series": 0, "step": 1, "lag": 4}
        others = tuple(axis for name, axis in kept.items() if name not in by)
        sizes = np.abs(values).mean(axis=others, keepdims=True)
        whole = sizes.sum(axis=(3, 4), keepdims=True)
        share = np.divide(sizes, whole, out=np.zeros_like(sizes), where=whole > 0)
        places = np.indices(sizes.shape).reshape(5, -1)
        columns: dict[Hashable, Any] = {"variable": _labels(self.variables)[places[2]]}
        of_each: dict[str, Any] = {
            "series": _labels(self.series),
            "step": np.arange(1, values.shape[1] + 1),
            "lag": self.lags,
        }
        names = {"series": self.series_name}
        columns |= {names.get(name, name): of_each[name][places[kept[name]]] for name in by}
        columns["feature"] = _labels(self.features)[places[3]]
        table = pd.DataFrame(columns | {"contribution": sizes.ravel(), "share": share.ravel()})
        if by:
            return table
        order = np.lexsort([-table["contribution"], places[2]])
        return table.iloc[order].reset_index(drop=True)

    def __repr__(self) -> str:
        n_series, horizon, _, _, n_lags = self.contributions.shape
        of = "" if self.series == [None] else f"{n_series} series x "
        title = f"Explanation: {of}{horizon} steps x {n_lags} lags; mean absolute contributions in the data's units"
        return f"{title}\n{self.importance().to_string(index=False, float_format='{:.4g}'.format)}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def explain(
    forecaster: LSTMForecaster,
    *,
    X: Any = None,
    X_past: Any = None,
    context: Any = None,
    static: Any = None,
    known: Any = None,
) -> Explanation:
    """Explain the forecasts that `LSTMForecaster.predict` makes of the same arguments, by integrated gradients.

    Parameters
    ----------
    forecaster : LSTMForecaster
        A fitted one.
    X, X_past, context, static, known
        As in `LSTMForecaster.predict`. Of a panel with more than 32 series, 32 evenly spread ones are explained.

    Returns
    -------
    Explanation
        Prints as a table of the importance of each feature.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        Before `fit`.
    TypeError, ValueError
        As `LSTMForecaster.predict`.

    Notes
    -----
    A contribution is the integral of the derivative of the forecast by a value, on the straight path from the baseline
    to the window, times the change of the value on it. The derivatives are difference quotients of the forecasts, so
    that every network and every step is explained, those that forecast from their own forecasts included.

    References
    ----------
    Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMForecaster
    >>> y = np.sin(np.arange(200) / 5)
    >>> explanation = explain(LSTMForecaster(2, window_size=12, hidden_size=8, max_epochs=2, random_state=0).fit(y))
    >>> explained = explanation.contributions.sum(axis=(-2, -1))
    >>> bool(np.allclose(explained, explanation.forecast - explanation.baseline, atol=1e-3))
    True
    """
    require_fitted(forecaster)
    given = known_in_advance(X, known)
    fitted, given = forecaster.fitted_.from_context(context, forecaster.missing, given, X_past, static)
    model, dataset, steps = fitted.model, fitted.dataset, fitted.read_steps(None)
    observations, k = dataset.observations, dataset.observations.n_columns
    kept = np.unique(np.linspace(0, observations.n_series - 1, MOST_SERIES).round().astype(np.int64))
    windows, future, clock = ends_of(model, dataset, steps, given).take(kept)
    size = windows.shape[1]
    scales, lowest = (None if each is None else each[kept] for each in (dataset.scales, dataset.lowest(size)))

    def forecast(rows: Array, scales: Array | None, lowest: Array | None, clock: NDArray[np.int64] | None) -> Array:
        of_series = (scales, lowest)
        scales, lowest = (None if x is None else np.broadcast_to(x, (len(rows), x.shape[1])) for x in of_series)
        clocks = None if clock is None else np.broadcast_to(clock, (len(rows), clock.shape[1]))
        seen = Seen(rows[:, :size], rows[:, size:, k:], clocks)
        parameters = roll(model, seen, forecaster.n_threads, scales, lowest)[:, :steps]
        return dataset.undo(mean(model.config["distribution"], parameters), lowest)

    ends = np.pad(future, ((0, 0), (0, 0), (k, 0)), constant_values=np.nan)
    rows = np.concatenate([windows, ends], axis=1)
    center = model.scalers()["input_center"].copy()
    for each in model.config.get("embeddings", ()):
        # the scaler leaves them as they are
        center[each["columns"]] = 1 / len(each["columns"])
    baseline = _baseline(rows, size, k, center)
    features = _features(dataset, size, rows.shape[1])
    contributions = []
    for i in range(len(kept)):
        own, least = (None if each is None else each[i : i + 1] for each in (scales, lowest))
        contributions.append(
            _integrated(
                partial(forecast, scales=own, lowest=least, clock=None if clock is None else clock[i : i + 1]),
                baseline[i],
                rows[i],
                [parts for _, parts in features],
            )
        )
    # without features ahead, only the rows of the window count
    n_ahead = future.shape[1] if dataset.covariates.n_static + dataset.covariates.n_known else 0
    lags = np.arange(size, -n_ahead, -1)
    return Explanation(
        np.stack(contributions)[..., : len(lags)],
        [name for name, _ in features],
        lags,
        forecast(rows, scales, lowest, clock),
        forecast(baseline, scales, lowest, clock),
        list(observations.form.variables(k)),
        list(observations.series_keys[kept]) if observations.is_panel else [None],
        "series" if dataset.columns is None or dataset.columns.series is None else dataset.columns.series,
    )


class Part(NamedTuple):
    """Values that belong to one lag of a feature: their rows and columns, and the place of the lag."""

    rows: slice
    columns: list[int]
    lag: int


def _features(dataset: Dataset, size: int, n_rows: int) -> list[tuple[Hashable, list[Part]]]:
    """The values of each target and covariate of the user at each lag; those of a static feature count at lag 0."""
    targets = dataset.observations.form.variables(dataset.observations.n_columns)
    sources = [*(("y", target) for target in targets), *dataset.covariates.sources]
    names, columns = names_of(sources), dict[Source, list[int]]()
    for column, source in enumerate(sources):
        columns.setdefault(source, []).append(column)
    return [
        (names[source], [Part(slice(None), each, size)])
        if source[0] == "static"
        else (names[source], [Part(slice(row, row + 1), each, row) for row in range(n_rows)])
        for source, each in columns.items()
    ]


def _baseline(rows: Array, size: int, k: int, center: Array) -> Array:
    """Targets at their last known value, features at the centre of the scaler; what is missing stays missing."""
    baseline = np.broadcast_to(center, rows.shape).copy()
    targets = rows[:, :size, :k]
    last = size - 1 - (~np.isnan(targets))[:, ::-1].argmax(axis=1)
    baseline[:, :, :k] = np.take_along_axis(targets, last[:, np.newaxis], axis=1)
    baseline[np.isnan(rows)] = np.nan
    return baseline


def _integrated(forecast: Callable[[Array], Array], baseline: Array, rows: Array, features: list[list[Part]]) -> Array:
    """The contributions (horizon, k, n_features, n_rows) of the values of one window, (n_rows, n_columns)."""
    change = rows - baseline
    # what doesn't change contributes nothing
    moved = np.abs(np.nan_to_num(change)) > 0
    parts = [
        (feature, part)
        for feature, parts in enumerate(features)
        for part in parts
        if moved[part.rows, part.columns].any()
    ]
    horizon, k = forecast(rows[np.newaxis]).shape[1:]
    found = np.zeros((len(features), len(rows), horizon, k))
    for middle in (np.arange(N_PARTS) + 0.5) / N_PARTS:
        at = baseline + middle * change
        for start in range(0, len(parts), BATCH):
            some = parts[start : start + BATCH]
            beside = np.tile(at, (2, len(some), 1, 1))
            for i, (_, part) in enumerate(some):
                step = change[part.rows, part.columns] / (2 * N_PARTS)
                for side, each in zip((1, -1), beside[:, i], strict=True):
                    each[part.rows, part.columns] += side * step
            above, below = forecast(beside.reshape(-1, *at.shape)).reshape(2, len(some), horizon, k)
            for (feature, part), difference in zip(some, above - below, strict=True):
                found[feature, part.lag] += difference
    return found.transpose(2, 3, 0, 1)


def _labels(labels: list[Hashable]) -> pd.Index:
    return pd.Index(labels, dtype=object, tupleize_cols=False)
