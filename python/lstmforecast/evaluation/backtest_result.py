"""The result of a backtest: scores and forecasts, as tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.observations import Observations
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.evaluation.probabilistic import interval_frame
from lstmforecast.evaluation.rolling import Origins
from lstmforecast.evaluation.score_table import score_table
from lstmforecast.evaluation.scoring import Array


@dataclass(frozen=True, eq=False, repr=False)
class BacktestResult:
    """Scores and forecasts of a backtest.

    Attributes
    ----------
    scores : DataFrame of shape (n_methods, 5), of a panel (n_methods, 6)
        MAE, MSE, RMSE, sMAPE (percent) and MASE of the forecaster, of two naive forecasts, which repeat the last
        value and the last season, and of ``others``, over the same origins, steps and variables; in a panel over all
        series. MASE, and
        RMSSE of a panel, divide by the errors of seasonal-naive on the rows of the series before its test set, which
        makes series comparable; variables that repeat themselves there exactly are left out of these two scores.
    scores_by_step : DataFrame of shape (horizon, 5 * n_methods)
        The same for each step; ``scores_by_step["MAE"]`` has a column for each method. Of a panel 6 for each.
    forecaster : LSTMForecaster
        The fitted clone; with ``refit``, that of the last fit.
    season_length : int
        Steps of the season that seasonal-naive repeats and that MASE is scaled with.
    scaled : bool
        Whether MAE, MSE and RMSE are of standardised values.
    observations : Observations
        The data.
    origins : ndarray of int of shape (n_origins,)
        The row of the first step of each forecast; of a panel, counted from the beginning of the series.
    values : ndarray of shape (n_origins, horizon, k)
        The forecasts; of a panel, series after series.
    interval_scores : DataFrame of shape (3 * n_coverages, 4) or None
        For each forecast and nominal coverage (the index: ``"forecast"``, ``"nominal coverage"``): the share of true
        values inside the interval (``"coverage"``), this share at the worst step (``"least coverage of a step"``), the
        mean ``"width"`` and the mean ``"interval score"`` (`lstmforecast.metrics.interval_score`). None without
        ``coverage``.
    interval_scores_by_step : DataFrame of shape (horizon, 9 * n_coverages) or None
        Coverage, width and interval score for each step.
    quantile_scores : DataFrame of shape (3, n_levels + 1) or None
        For each forecast the mean pinball loss at each level, and ``"CRPS"``, twice their mean, an approximation: see
        `lstmforecast.metrics.crps`. None without ``levels``.
    coverages : list of float
        Nominal coverages of the intervals.
    all_bounds : ndarray of shape (3, 2 * n_coverages, n_origins, horizon, k) or None
        Bounds of the forecaster and of the naive forecasts: lower and upper of the first interval, then of the next.
    crps : ndarray of shape (3, n_origins, horizon, k) or None
        The CRPS of each forecast of the three, in the units of the scores. None without ``levels``.
    which, fold : ndarray of int of shape (n_origins,)
        The number of the series of each origin, in the order of the data (0 for one series), and of its fit.
    deviation : ndarray of shape (n_series, k)
        The divisor of errors and widths; 1 unless ``scaled``.
    others : dict of str to ndarray of shape (n_origins, horizon, k)
        The forecasts of other forecasters.
    scores_by_series : DataFrame of shape (n_series, 6 * n_methods) or None
        The scores of each series of a panel that was tested; None for one series.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMForecaster, backtest
    >>> y = np.sin(np.arange(300) * np.pi / 12)
    >>> result = backtest(LSTMForecaster(horizon=6, hidden_size=8, max_epochs=2, random_state=0), y, folds=30)
    >>> list(result.scores.columns), result.scores_by_step["MAE"].shape, result.values.shape
    (['MAE', 'MSE', 'RMSE', 'sMAPE', 'MASE'], (6, 3), (25, 6, 1))
    """

    scores: pd.DataFrame
    scores_by_step: pd.DataFrame
    forecaster: LSTMForecaster
    season_length: int
    scaled: bool
    observations: Observations
    origins: NDArray[np.int64]
    values: Array
    interval_scores: pd.DataFrame | None = None
    interval_scores_by_step: pd.DataFrame | None = None
    quantile_scores: pd.DataFrame | None = None
    coverages: Sequence[float] = ()
    all_bounds: Array | None = None
    crps: Array | None = None
    which: NDArray[np.int64] = field(kw_only=True)
    fold: NDArray[np.int64] = field(kw_only=True)
    deviation: Array = field(kw_only=True)
    others: Mapping[str, Array] = field(kw_only=True, default_factory=dict)
    scores_by_series: pd.DataFrame | None = None

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """All forecasts, one in each row: cutoff, time, step (from 1), variable, truth (nan: missing), forecast.

        Other forecasters have a column each, after these. Of a panel, the first column is the series. Nixtla's
        ``cross_validation`` calls them ``unique_id``, ``cutoff``, ``ds``, ``y`` and the name of the model. Where
        columns were named, series and times have those names.
        """
        n_origins, horizon, width = self.values.shape
        origins, observations = Origins(self.which, self.origins), self.observations
        first, rows = origins.first_rows(observations), origins.rows_forecast(observations, horizon)
        columns = {"series": observations.series_keys[self.which.repeat(horizon * width)]}
        table = pd.DataFrame(
            (columns if observations.is_panel else {})
            | {
                "cutoff": observations.times(np.repeat(first - 1, horizon * width)),
                "time": observations.times(np.repeat(rows.ravel(), width)),
                "step": np.tile(np.repeat(np.arange(1, horizon + 1), width), n_origins),
                "variable": pd.Categorical.from_codes(
                    np.tile(np.arange(width), n_origins * horizon), observations.form.variables(width)
                ),
                "truth": observations.truth[rows].ravel(),
                "forecast": self.values.ravel(),
            }
            | {name: values.ravel() for name, values in self.others.items()}
        )
        return table.rename(columns=_names(self))

    @property
    def bounds(self) -> Array | None:
        """The bounds of the forecaster's intervals, (2 * n_coverages, n_origins, horizon, k); see `intervals`."""
        return None if self.all_bounds is None else self.all_bounds[0]

    def scores_by(self, *groups: str) -> pd.DataFrame:
        """Compute scores by fold, series, step or variable, with all measures, as one flat table.

        Parameters
        ----------
        *groups : {"fold", "series", "step", "variable"}
            A row for each combination and method; without any, for each method. Folds are numbered from 0, steps from
            1.

        Returns
        -------
        DataFrame
            A column for each group, ``forecast`` with the name of the method, and the scores. ``MAE``, ``MSE``,
            ``RMSE`` and ``bias`` (forecast minus truth) are in the data's units, or of standardised values if
            ``scaled``. ``WAPE``, ``MAPE`` and ``sMAPE`` are in percent; ``MAPE`` is missing where a true value is 0.
            ``MASE`` and ``RMSSE`` are divided by the errors of seasonal-naive before the test set. With ``coverage``,
            ``coverage-80``, ``width-80`` and ``interval score-80``, and with ``levels``, ``CRPS``; of other forecasters
            these are missing.

        Raises
        ------
        ValueError
            For another group, or series of a backtest of one series.

        Examples
        --------
        >>> import numpy as np
        >>> from lstmforecast import LSTMForecaster, backtest
        >>> y = np.sin(np.arange(300) * np.pi / 12) + 2
        >>> result = backtest(LSTMForecaster(horizon=6, hidden_size=8, max_epochs=2, random_state=0), y, folds=30)
        >>> table = result.scores_by("step")
        >>> table.columns[:5].tolist(), len(table)
        (['step', 'forecast', 'MAE', 'MSE', 'RMSE'], 18)
        """
        return score_table(self, *groups)

    @cached_property
    def intervals(self) -> pd.DataFrame | None:
        """All intervals, labelled as `forecasts`, with coverage, lower and upper; None without any."""
        return None if self.bounds is None else interval_frame(self.bounds, list(self.coverages), self.forecasts)

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(table.to_string(float_format="{:.4g}".format) for table in self._tables())])

    def _repr_html_(self) -> str:
        tables = (table.to_html(float_format="{:.4g}".format) for table in self._tables())
        return "".join([f"<p>{self._title()}</p>", *tables])

    def _tables(self) -> list[pd.DataFrame]:
        return [self.scores] if self.interval_scores is None else [self.scores, self.interval_scores]

    def _title(self) -> str:
        n_origins, horizon, width = self.values.shape
        series = f"{len(np.unique(self.which))} series, " if self.observations.is_panel else ""
        variables = f"{width} {'variable' if width == 1 else 'variables'}"
        units = "standardised values" if self.scaled else "the data's units"
        return (
            f"Backtest: {series}{n_origins} origins x {horizon} steps x {variables}, "
            f"season of {self.season_length}; MAE, MSE, RMSE in {units}"
        )


def in_usual_names(result: BacktestResult, table: pd.DataFrame) -> pd.DataFrame:
    """Forecasts or intervals of a backtest with the columns "series" and "time", whatever the user's names of these."""
    return table.rename(columns={own: usual for usual, own in _names(result).items()})


def _names(result: BacktestResult) -> dict[str, Hashable]:
    """The user's names of the columns of series and times; none where columns were not named."""
    columns = result.forecaster.fitted_.dataset.columns
    if columns is None:
        return {}
    return {"time": columns.time} | ({} if columns.series is None else {"series": columns.series})
