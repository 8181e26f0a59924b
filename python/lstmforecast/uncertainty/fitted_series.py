"""A fitted forecaster's network, its last rows, and its errors on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.columns import Columns
from lstmforecast.data.covariates import Covariates
from lstmforecast.data.dataset import Dataset, read_observations
from lstmforecast.data.frames import to_pandas
from lstmforecast.data.observations import Missing
from lstmforecast.data.panel import Panel
from lstmforecast.data.panel_index import match_panel_index
from lstmforecast.data.season import steps_of
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.finite import require_finite_forecasts
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.objective import require_values
from lstmforecast.fitting.parameters import MOST_STEPS, check_count, check_missing
from lstmforecast.uncertainty.calibration import Calibration
from lstmforecast.uncertainty.errors import with_newer_errors
from lstmforecast.uncertainty.intervals import corrected_quantiles, require_errors

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class FittedSeries:
    """Network, data and errors of a fitted forecaster.

    `fit` and `update` replace it as a whole, so that a forecast in another thread never mixes old and new parts.

    Attributes
    ----------
    model : Model or Ensemble
        The trained network.
    dataset : Dataset
        The last rows (of each series), from which `predict` forecasts.
    calibration : Calibration or None
        Errors of forecasts of held-out rows; None: no rows were held out.
    window_size : int
        Rows that the network reads.
    horizon : int
        Steps of the training, forecast all at once or recursively.
    n_rows : int
        Number of rows so far, including dropped ones.
    """

    model: _core.Model | Ensemble
    dataset: Dataset
    calibration: Calibration | None
    window_size: int
    horizon: int
    n_rows: int

    @classmethod
    def of(
        cls,
        model: _core.Model | Ensemble,
        dataset: Dataset,
        calibration: Calibration | None,
        window_size: int,
        horizon: int,
        n_rows: int,
    ) -> FittedSeries:
        """Keep the last rows only, including windows of forecasts whose errors later rows will give."""
        n_kept = window_size + max(horizon - 1, dataset.rows_put_back)
        return cls(model, dataset.tail(n_kept), calibration, window_size, horizon, n_rows)

    @property
    def n_errors(self) -> int:
        """Windows whose errors are known."""
        return 0 if self.calibration is None else len(self.calibration)

    @property
    def steps_of_errors(self) -> int:
        """Steps ahead of which errors are known."""
        return 0 if self.calibration is None else self.calibration.truth.shape[1]

    @property
    def when(self) -> NDArray[np.int64] | None:
        """The number of the step after the end of each series; None: there is no season, or the errors know none."""
        if self.calibration is None or self.calibration.when is None:
            return None
        observations = self.dataset.observations
        index = observations.future_index(1)
        return None if index is None else steps_of(index.get_level_values(-1), observations.freq)

    def read_steps(self, horizon: Any) -> int:
        """Check the number of steps to forecast; None: those of the training."""
        if isinstance(horizon, list) or getattr(horizon, "shape", None):
            got = type(horizon).__name__
            raise TypeError(f"expected horizon to be an integer, got {got}: pass data to forecast from as context=")
        steps = self.horizon if horizon is None else check_count("horizon", horizon, most=MOST_STEPS)
        if self.dataset.covariates.past is not None and steps > (at_once := self.model.config["horizon"]):
            named = self.dataset.columns is not None
            kind = "columns of past=, which are" if named else "X_past, which is"
            raise ValueError(f"expected horizon of at most {at_once} with {kind} not known beyond, got {steps}")
        return steps

    def from_context(
        self, context: Any, missing: Missing, X: Any, X_past: Any, static: Any
    ) -> tuple[FittedSeries, Any]:
        """The series to forecast from, these or those of a context, and ``X`` of the steps after it."""
        if context is not None:
            return self.with_context(context, missing, X, X_past, static)
        if X_past is not None or static is not None:
            raise ValueError("expected X_past and static with context only, got them without")
        named = self.dataset.columns
        return self, X if named is None or X is None else named.future(X)

    def with_context(
        self, context: Any, missing: Missing, X: Any = None, X_past: Any = None, static: Any = None
    ) -> tuple[FittedSeries, Any]:
        """Replace the rows by those of a context; also returns ``X`` of the steps after them.

        Raises
        ------
        TypeError, ValueError
            If the context has another form than the data of the fit, or is too short.
        """
        self._check_missing(missing)
        named = self.dataset.columns
        if named is not None:
            context, X, X_past, static, named = self._split(context, X, X_past, static)
        observations = read_observations(context, missing=missing, like=self.dataset.observations, name="context")
        if len(observations) < self.window_size and not observations.is_panel:
            raise ValueError(
                f"expected context of at least {self.window_size} rows (window_size_), got {len(observations)}"
            )
        require_values(self.model.config["distribution"], observations)
        n = len(observations)
        covariates, part = self.dataset.covariates, observations
        last = observations.last_rows(self.dataset.rows_of_window(observations, self.window_size))
        if len(last) < n and not covariates.reads_earlier_rows:
            part = observations.take(last)
        if observations.index is None:
            X, X_past = (None if each is None else to_pandas(each)[0] for each in (X, X_past))
            if X_past is not None and len(X_past) != n:
                raise ValueError(f"expected X_past with {n} rows, for the rows of context, got {len(X_past)}")
            X_past = _some_rows(X_past, n - len(part), n)
            before, X = _some_rows(X, n - len(part), n), _some_rows(X, n, None)
        else:
            before = X
        features = covariates.of(part, before, X_past, static)
        if len(last) < len(part):
            part, features = observations.take(last), features[last]
        dataset = replace(self.dataset, observations=part, features=features, columns=named)
        if observations.is_panel:
            whole = replace(dataset, observations=observations, statistics=None).with_statistics(like=self.dataset)
            dataset = replace(dataset, statistics=whole.statistics, never_negative=whole.never_negative)
        return replace(self, dataset=dataset, n_rows=n), X

    def _split(self, context: Any, X: Any, X_past: Any, static: Any) -> tuple[Any, Any, Any, Any, Columns | None]:
        """Split a context by the columns of `fit`; its own covariates come before those of the steps after it."""
        known = self.dataset.columns
        assert known is not None
        future = None if X is None else known.future(X)
        parts, named = self.dataset.read_newer(context, None, X_past, static, "context")
        y, before, X_past, static = parts
        if before is not None and future is not None:
            # in the time zone of fit, as labels of several zones have no common type
            fitted = self.dataset.observations.index
            assert fitted is not None
            ways = [("context", before), ("known", future)]
            before, future = (part.set_axis(match_panel_index(fitted, part.index, name)) for name, part in ways)
            both = future.index.isin(before.index)
            if both.any():
                raise ValueError(
                    f"expected known for the steps after context only, got {future.index[both][0]} in both; drop "
                    "these rows of known"
                )
            future = pd.concat([before, future])
        return y, before if future is None else future, X_past, static, named

    def updated(
        self, y: Any, X: Any, X_past: Any, static: Any, *, missing: Missing, n_threads: int | None
    ) -> FittedSeries:
        """Append newer rows, and the errors of the forecasts that can now be compared with the truth."""
        self._check_missing(missing)
        dataset, newer = self.dataset.extended(y, X, X_past, static, missing)
        require_values(self.model.config["distribution"], dataset.observations)
        calibration = self.calibration
        if calibration is not None:
            before = self.dataset.observations
            calibration, dataset = with_newer_errors(calibration, self.model, before, dataset, newer, n_threads)
        n_rows = self.n_rows + len(newer)
        return FittedSeries.of(self.model, dataset, calibration, self.window_size, self.horizon, n_rows)

    def _check_missing(self, missing: Missing) -> None:
        """Check ``missing``, which may have been changed since `fit`."""
        check_missing(missing)
        if missing == "mask" and not self.model.config["indicator"]:
            raise ValueError(
                "expected missing='ffill' or missing='interpolate', as fit was without missing='mask', got 'mask'"
            )

    def require_errors(
        self, levels: Sequence[float], wanted: Sequence[str], steps: int, held_out: HeldOut, calibration: str
    ) -> str | None:
        """Raise a ValueError unless there are errors enough for quantiles of these levels, so many steps ahead.

        Returns what a warning should say; see `lstmforecast.uncertainty.intervals.require_errors`.
        """
        return require_errors(
            levels,
            wanted,
            n_errors=self.n_errors,
            steps=steps,
            trained=self.steps_of_errors,
            held_out=held_out,
            n_rows=self.n_rows,
            of_panel=self.dataset.observations.is_panel,
            exact=calibration == "exact",
        )

    def quantiles(self, parameters: Array, levels: Sequence[float]) -> Array:
        """Quantiles (n_levels, n_series, steps, k) of forecasts of all series, in the data's units."""
        assert self.calibration is not None
        error_scale = self.dataset.error_scale
        found = corrected_quantiles(self.calibration, parameters, levels, error_scale, self.when)
        return self.dataset.undo(found, self.dataset.lowest(self.window_size))

    def require_finite(self, values: Array) -> None:
        """Raise a ValueError for the first of values forecast (n_series, steps, ...) that isn't finite."""
        require_finite_forecasts(values, self.model, self.dataset)

    def labelled(self, values: Array, names: Sequence[str], columns: pd.MultiIndex) -> pd.DataFrame:
        """Values (n_series, steps, k, n) as a flat table under the user's names, or under ``columns``."""
        named = self.dataset.columns
        if named is None:
            return self.frame(values, columns)
        index = self.dataset.observations.future_index(values.shape[1])
        assert index is not None
        table: pd.DataFrame = named.tidy(values.reshape(len(index), values.shape[2], -1), index, names)
        return table

    def frame(self, values: Array, columns: pd.MultiIndex) -> pd.DataFrame:
        """Label values (n_series, steps, k, n) by the steps that they are forecast for."""
        steps = values.shape[1]
        index = self.dataset.observations.future_index(steps)
        if index is None:
            index = pd.RangeIndex(self.n_rows, self.n_rows + steps)
        frame = pd.DataFrame(values.reshape(len(index), -1), index=index, columns=columns)
        finished: pd.DataFrame = self.dataset.observations.form.finish(frame)
        return finished

    @property
    def cutoff(self) -> Any:
        """Index label of the last row; its number for arrays, a Series of times by series for a panel."""
        observations = self.dataset.observations
        if observations.index is None:
            return self.n_rows - 1
        ends = observations.times(np.cumsum(observations.lengths) - 1)
        return pd.Series(ends, observations.series_keys) if observations.is_panel else ends[0]

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays, and values for JSON, that a file keeps besides the network."""
        tensors, values = self.dataset.observations.pack()
        tensors |= {"features": self.dataset.features}
        if self.dataset.statistics is not None:
            tensors["sizes"] = self.dataset.statistics
        if self.dataset.never_negative is not None and self.dataset.never_negative.any():
            tensors["never_negative"] = self.dataset.never_negative.astype(np.int64)
        errors = {} if self.calibration is None else self.calibration.pack()
        named = {} if self.dataset.columns is None else {"columns": self.dataset.columns.pack()}
        return (
            {f"context_{name}": tensor for name, tensor in tensors.items()} | errors,
            {
                "context": values,
                "covariates": self.dataset.covariates.pack(),
                "n_rows": self.n_rows,
                "window_size": self.window_size,
            }
            | named
            | ({"wall_clock": True} if self.dataset.wall_clock else {}),
        )

    @classmethod
    def unpack(
        cls,
        model: _core.Model | Ensemble,
        tensors: Mapping[str, NDArray[Any]],
        values: Mapping[str, Any],
        *,
        calibration: Calibration | None,
        horizon: int,
        scaler: Any,
        transform: str | None,
        non_negative: str | bool = False,
    ) -> FittedSeries:
        """The inverse of `pack`, with parameters of the forecaster; a ValueError for parts that don't fit together."""
        saved = {name.removeprefix("context_"): tensor for name, tensor in tensors.items() if "context_" in name}
        try:
            context = Panel.unpack(saved, values["context"])
        except (ArithmeticError, IndexError) as error:
            raise ValueError(f"a context that cannot be read: {error}") from error
        covariates = Covariates.unpack(values["covariates"])
        named = Columns.unpack(values["columns"]) if "columns" in values else None
        if named is not None:
            covariates = covariates.named(named)
        wall_clock = values.get("wall_clock") is True
        dataset = Dataset(
            context, saved["features"], covariates, saved.get("sizes"), scaler, transform, named, wall_clock=wall_clock
        )
        if "never_negative" in saved:
            never = saved["never_negative"].astype(bool)
            dataset = replace(dataset, non_negative=non_negative, never_negative=never)
        if saved["features"].shape != (len(context), covariates.n_features):
            raise ValueError(f"features of {len(context)} rows, got shape {saved['features'].shape}")
        if not context.is_panel and len(context) < values["window_size"]:
            raise ValueError(f"a context of {values['window_size']} rows, got shape {context.values.shape}")
        return cls.of(model, dataset, calibration, values["window_size"], horizon, values["n_rows"])


def _some_rows(table: Any, start: int, stop: int | None) -> Any:
    """Rows of an array, or of a frame with its columns' names."""
    if table is None or isinstance(table, pd.DataFrame | pd.Series):
        return table if table is None else table.iloc[start:stop]
    return np.asarray(table)[start:stop]
