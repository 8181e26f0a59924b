"""Intervals and quantiles of a forecaster: its forecasts, and how far they have been off before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.dataset import Seen
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.units import Units
from lstmforecast.fitting.distribution import quantile, whole
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.finite import require_finite_forecasts
from lstmforecast.uncertainty.calibration import (
    MOST_OF_PANEL,
    SIDES,
    Calibration,
    calibration_origins,
    check_level,
    check_probabilities,
    interval_columns,
    levels_of,
    quantile_columns,
)

if TYPE_CHECKING:
    from typing_extensions import Self

# Windows of one step that are learned: errors of many series at one time are alike, and must not push out all others.
MOST_OF_A_STEP = MOST_OF_PANEL // 20


class ConformalIntervals:
    """What `LSTMForecaster` inherits for intervals; not for use on its own."""

    horizon: int
    n_threads: int | None
    adaptation_rate: float
    model_: _core.Model | Ensemble
    _calibration: Calibration | None
    _n_rows: int

    def _predict(
        self, horizon: int | None, X: Any, context: Any, X_past: Any, static: Any
    ) -> tuple[Seen, NDArray[np.float64]]:
        """What is forecast from, and the parameters forecast (n_series, steps, k, p)."""
        raise NotImplementedError

    def _training_rows(self, n_rows: int) -> int:
        """The number of rows trained on, of those given to `fit`."""
        raise NotImplementedError

    def _forecast_origins(
        self,
        model: _core.Model | Ensemble,
        seen: Seen,
        origins: NDArray[np.int64],
        steps: int,
        which: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Forecast ``steps`` from the rows before each origin of one series, or of those ``which`` of a panel: the
        parameters (n_origins, steps, k, p).
        """
        raise NotImplementedError

    def predict_interval(
        self,
        coverage: float | Sequence[float] = 0.9,
        horizon: int | None = None,
        X: Any = None,
        context: Any = None,
        X_past: Any = None,
        static: Any = None,
    ) -> pd.DataFrame:
        """Forecast intervals that hold the truth with a given probability.

        Split conformal prediction: as far to both sides of the forecast as forecasts were off on the rows that `fit`
        held out, for each step and variable. They hold as often as promised if the future is like those rows, whatever
        the distribution. The rows also chose the best epoch, which makes intervals from few rows a little too narrow.
        In a panel errors count to both sides alike, in seasonal-naive errors of their series: what was common to all
        series in the weeks held out won't come again. A series that didn't vary before these weeks, or whose errors in
        them are ten times as large as those of the others, or a fifth, is left out of this pool, and its interval is as
        wide as its own errors make it.
        Where a distribution is forecast, its own quantiles are corrected in the same way (Romano et al. 2019). With an
        ``adaptation_rate``, levels adapt after `update` (Gibbs and Candès 2021).

        Parameters
        ----------
        coverage : float or list of float, default=0.9
            Probability that a value lies between lower and upper bound.
        horizon : int or None, default=None
            How many steps, at most as many as trained for; None: all of them.
        X, context, X_past, static
            As in `predict`.

        Returns
        -------
        DataFrame of shape (horizon, k * n_coverages * 2)
            Columns as in sktime: variable, coverage, ``"lower"`` or ``"upper"``; joined in frames of polars and
            pyarrow, as in ``load_0.9_lower``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also if nothing was held out, or too little for the coverage.

        Examples
        --------
        >>> from lstmforecast import LSTMForecaster
        >>> rng = np.random.default_rng(0)
        >>> model = LSTMForecaster(horizon=3, hidden_size=8, max_epochs=1, random_state=0).fit(rng.normal(size=500))
        >>> interval = model.predict_interval(coverage=0.8)
        >>> list(interval.columns)
        [(0, 0.8, 'lower'), (0, 0.8, 'upper')]
        >>> bool((interval[0, 0.8, "lower"] < interval[0, 0.8, "upper"]).all())
        True
        """
        coverages = check_probabilities("coverage", coverage)
        levels = [level for each in coverages for level in levels_of(each)]
        wanted = [f"coverage={each:g}" for each in coverages for _ in SIDES]
        return self._predict_levels(
            levels, wanted, lambda names: interval_columns(names, coverages), (horizon, X, context, X_past, static)
        )

    def predict_quantiles(
        self,
        alpha: float | Sequence[float] = (0.1, 0.5, 0.9),
        horizon: int | None = None,
        X: Any = None,
        context: Any = None,
        X_past: Any = None,
        static: Any = None,
    ) -> pd.DataFrame:
        """Forecast quantiles, from the same errors as `predict_interval`; they never cross.

        Parameters
        ----------
        alpha : float or list of float, default=(0.1, 0.5, 0.9)
            Probabilities that a value is at most as high.
        horizon, X, context, X_past, static
            As in `predict_interval`.

        Returns
        -------
        DataFrame of shape (horizon, k * n_levels)
            Columns as in sktime: variable, alpha; joined in frames of polars and pyarrow, as in ``load_0.5``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict_interval`.
        """
        levels = check_probabilities("alpha", alpha)
        wanted = [f"alpha={level:g}" for level in levels]
        return self._predict_levels(
            levels, wanted, lambda names: quantile_columns(names, levels), (horizon, X, context, X_past, static)
        )

    def _predict_levels(
        self,
        levels: list[float],
        wanted: list[str],
        columns: Callable[[pd.Index], pd.MultiIndex],
        given: tuple[Any, ...],
    ) -> pd.DataFrame:
        """Quantiles of these levels, those of one variable side by side; messages say what each is wanted for."""
        now = self._now()
        seen, forecast = now._predict(*given)
        steps = forecast.shape[1]
        n_errors = 0 if now._calibration is None else len(now._calibration)
        of_panel = seen.observations.is_panel
        now._check_levels(levels, wanted, n_errors, steps, now._calibrated_horizon(), of_panel=of_panel)
        values = np.moveaxis(seen.undo(now._quantiles_of(forecast, levels, seen.units)), 0, -1)
        require_finite_forecasts(values, now.model_, seen)
        names = seen.observations.form.variables(seen.observations.n_columns)
        return now._frame(seen, values, columns(names), given[2])

    def _now(self) -> Self:
        """What is known now: another thread may fit or update meanwhile, and errors have to be those of the network."""
        # as `copy.copy`, in a fifth of the time
        now = type(self).__new__(type(self))
        vars(now).update(vars(self))
        return now

    def _frame(self, seen: Seen, values: NDArray[np.float64], columns: pd.MultiIndex, context: Any) -> pd.DataFrame:
        """Label values (n_series, steps, k, n) by the steps that they are forecast for."""
        steps = values.shape[1]
        index = seen.observations.future_index(steps)
        if index is None:
            start = self._n_rows if context is None else len(context)
            index = pd.RangeIndex(start, start + steps)
        frame = pd.DataFrame(values.reshape(len(index), -1), index=index, columns=columns)
        finished: pd.DataFrame = seen.observations.form.finish(frame)
        return finished

    def _calibrated_horizon(self) -> int:
        return 0 if self._calibration is None else self._calibration.truth.shape[1]

    def _quantiles_of(
        self, forecast: NDArray[np.float64], levels: Sequence[float], units: Units | None = None
    ) -> NDArray[np.float64]:
        """Corrected quantiles (n_levels, n, steps, k) of parameters (n, steps, k, p); they ascend with the levels."""
        assert self._calibration is not None
        each = [self._quantile_of(forecast, level, units) for level in levels]
        order = np.argsort(levels)
        values = np.empty((len(levels), *forecast.shape[:3]))
        # corrections of their own may have made neighbours cross
        values[order] = np.maximum.accumulate(np.stack([each[i] for i in order]), axis=0)
        return whole(values) if self._calibration.distribution == "negative_binomial" else values

    def _quantile_of(self, forecast: NDArray[np.float64], level: float, units: Units | None) -> NDArray[np.float64]:
        """One of them: (n, steps, k)."""
        assert self._calibration is not None
        distribution, steps = self._calibration.distribution, forecast.shape[1]
        unit = 1.0 if units is None else units.spreads[:, np.newaxis]
        found = quantile(distribution, forecast, level) + unit * self._calibration.quantile(level, f"{level:g}")[:steps]
        if units is None or distribution is None or units.pooled.all():
            return found
        # the network knows nothing of a unit of their own: as far from the middle as errors are in it
        errors = self._calibration.of_middles.quantile(level, f"{level:g}")[:steps]
        own = quantile(distribution, forecast, 0.5) + unit * errors
        return np.where(units.pooled[:, np.newaxis], found, own)

    def _quantiles_at(
        self,
        seen: Seen,
        origins: NDArray[np.int64],
        horizon: int,
        levels: Sequence[float],
        which: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Quantiles of the rows from each origin of the series ``which`` on: (n_levels, n_origins, horizon, k)."""
        forecast = self._forecast_origins(self.model_, seen, origins, horizon, which)
        return seen.undo(self._quantiles_of(forecast, levels, None if seen.units is None else seen.units.take(which)))

    def _check_levels(
        self,
        levels: Sequence[float],
        wanted: Sequence[str],
        n_errors: int,
        horizon: int,
        trained: int,
        *,
        of_panel: bool = False,
    ) -> None:
        """Raise a ValueError unless there are errors enough for these levels, and for all steps of the horizon."""
        # a backtest asks before anything is fitted
        n_rows = getattr(self, "_n_rows", 0)
        if n_errors == 0 and self._training_rows(n_rows) < n_rows:
            raise ValueError(
                f"expected {self.horizon} rows in a row without missing values among those held out by fit, for the "
                "errors that intervals are made of, got none"
            )
        if n_errors == 0:
            raise ValueError(
                "expected rows held out by fit for the errors that intervals are made of, got none: set patience and "
                "validation_fraction"
            )
        if horizon > trained:
            raise ValueError(f"expected a horizon of at most {trained}, as trained for, got {horizon}")
        for level, words in zip(levels, wanted, strict=True):
            check_level(level, n_errors, words, of_panel=of_panel)

    def _held_out_origins(self, n_rows: int, filled: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Where the forecasts begin that a fit on so many rows is calibrated with; ``filled`` values are no truth."""
        origins = calibration_origins(self._training_rows(n_rows), n_rows, self.horizon)
        if filled is None:
            return origins
        known: NDArray[np.bool_] = ~filled[origins[:, np.newaxis] + np.arange(self.horizon)].any(axis=(1, 2))
        return origins[known]

    def _calibrated(self, model: _core.Model | Ensemble, seen: Seen) -> tuple[Calibration | None, Seen]:
        """Errors on the rows that `fit` held out, and what is seen in their units; missing values are no truth."""
        which, origins = self._held_out_places(seen.observations)
        if not len(origins):
            return None, seen
        forecast = self._forecast_origins(model, seen, origins, self.horizon, which)
        rows = seen.observations.row_of(which, origins)[:, np.newaxis] + np.arange(self.horizon)
        options = {"distribution": model.config["distribution"], "rate": float(self.adaptation_rate)}
        if seen.units is None:
            return Calibration.of(seen.values[rows], forecast, **options), seen
        calibration, units = Calibration.of_panel(seen.values[rows], forecast, seen.units, which, **options)
        return calibration, seen.with_units(units)

    def _held_out_places(self, observations: Observations) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Series and row of the forecasts that a fit is calibrated with, the farthest from their ends first."""
        if not isinstance(observations, Panel):
            origins = self._held_out_origins(len(observations), observations.filled)
            return np.zeros(len(origins), np.int64), origins
        origins_of = [
            np.arange(start, length - self.horizon + 1)
            for start, length in zip(self._panel_splits(observations), observations.lengths, strict=True)
        ]
        which = np.repeat(np.arange(len(origins_of)), [len(origins) for origins in origins_of])
        origins = np.concatenate(origins_of)
        chosen = np.linspace(0, len(origins) - 1, min(len(origins), MOST_OF_PANEL)).round().astype(np.int64)
        which, origins = which[chosen], origins[chosen]
        order = np.argsort(origins - observations.lengths[which], kind="stable")
        which, origins = which[order], origins[order]
        rows = observations.row_of(which, origins)[:, np.newaxis] + np.arange(self.horizon)
        if observations.filled is None:
            return which, origins
        known = ~observations.filled[rows].any(axis=(1, 2))
        return which[known], origins[known]

    def _panel_splits(self, panel: Panel) -> list[int]:
        """The first row held out of each series."""
        raise NotImplementedError

    def _learn_errors(self, before: Observations, seen: Seen, newer: NDArray[np.int64]) -> None:
        """Judge the forecasts whose last step is among the ``newer`` rows, the first of each series first, as if one
        after the other had been learned.
        """
        if self._calibration is None:
            return
        observations, horizon = seen.observations, self._calibrated_horizon()
        which, origins = self._judged_places(before, observations, newer, horizon)
        if seen.units is not None:
            which, origins = (each[seen.units.are_pooled(which)] for each in (which, origins))
        which, origins = (each[-self._calibration.most :] for each in (which, origins))
        if len(origins):
            forecast = self._forecast_origins(self.model_, seen, origins, horizon, which)
            rows = observations.row_of(which, origins)[:, np.newaxis] + np.arange(horizon)
            spreads = None if seen.units is None else seen.units.divisors(which)
            self._calibration = self._calibration.extended(seen.values[rows], forecast, spreads)

    def _judged_places(
        self, before: Observations, observations: Observations, newer: NDArray[np.int64], horizon: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Series and row of the forecasts that can be judged now. Missing values are no truth; series that were not
        there before have had no forecasts.
        """
        ends = np.cumsum(observations.lengths)
        which = np.searchsorted(ends, newer, side="right")
        origins = newer - (ends - observations.lengths)[which] - horizon + 1
        known = before.series_keys.get_indexer(observations.series_keys)
        n_before = np.where(known < 0, 0, before.lengths[known])[which]
        # a window may begin before a short series of a panel does
        least = 1 if observations.is_panel else self.model_.config["window_size"]
        judged = (n_before > 0) & (origins >= least)
        if observations.filled is not None:
            steps = newer[judged, np.newaxis] - np.arange(horizon)
            judged[judged] = ~observations.filled[steps].any(axis=(1, 2))
        places = np.flatnonzero(judged)
        places = places[_some_of_each((origins - n_before)[places])]
        return which[places], origins[places]

    def _interval_tensors(self) -> dict[str, NDArray[Any]]:
        """What a file keeps of it."""
        if self._calibration is None:
            return {}
        tensors: dict[str, NDArray[Any]] = {"truth": self._calibration.truth}
        if self._calibration.parameters is not None:
            tensors["parameters"] = self._calibration.parameters
        if self._calibration.spreads is not None:
            tensors["spreads"] = self._calibration.spreads
        return tensors | {"n_learned": np.array([self._calibration.n_learned])}

    def _restore_interval_tensors(self, tensors: Mapping[str, NDArray[Any]], distribution: Any) -> None:
        """The inverse of `_interval_tensors`."""
        self._calibration = None
        if "truth" in tensors:
            self._calibration = Calibration(
                tensors["truth"],
                tensors.get("parameters"),
                distribution,
                tensors.get("spreads"),
                float(self.adaptation_rate),
                int(tensors["n_learned"][0]),
            )


def _some_of_each(steps: NDArray[np.int64]) -> NDArray[np.intp]:
    """The places of the windows of each step, in order, at most `MOST_OF_A_STEP` of one, evenly spread."""
    order = np.argsort(steps, kind="stable")
    counts = np.unique(steps, return_counts=True)[1]
    if counts.max(initial=0) <= MOST_OF_A_STEP:
        return order
    parts = np.split(order, np.cumsum(counts)[:-1])
    places = [np.linspace(0, n - 1, min(n, MOST_OF_A_STEP)).round().astype(np.intp) for n in counts.tolist()]
    return np.concatenate([part[place] for part, place in zip(parts, places, strict=True)])
