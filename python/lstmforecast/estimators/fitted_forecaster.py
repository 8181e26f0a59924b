"""What a forecaster does once it is fitted: forecasts, takes in newer rows, is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lstmforecast.contract.aside import aside
from lstmforecast.data.dataset import ends_of, first_inputs
from lstmforecast.estimators.series_estimator import SeriesEstimator
from lstmforecast.fitting.architecture import require_attention
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.finite import require_finite_forecasts

if TYPE_CHECKING:
    from typing_extensions import Self

    from lstmforecast.evaluation.backtest_result import BacktestResult


class FittedForecaster(SeriesEstimator):
    """What `LSTMForecaster` inherits; not for use on its own."""

    def predict(
        self, horizon: int | None = None, X: Any = None, context: Any = None, X_past: Any = None, static: Any = None
    ) -> Any:
        """Forecast the steps after the end of the data.

        Parameters
        ----------
        horizon : int or None, default=None
            How many steps; None: as many as trained for. For more, forecasts are appended to the data and the network
            is asked again.
        X : array-like, Series, DataFrame or None, default=None
            The covariates known in advance for these steps, in the columns of `fit`; with ``context``, an array begins
            with those of its rows. The network reads those of all steps that it forecasts at once, so there must be
            rows for whole multiples of the horizon that it was trained for; the first forecasts are then the same
            whatever ``horizon`` asks for.
        context : array-like, Series, DataFrame or None, default=None
            Data to forecast from, of at least ``window_size_`` rows (the last are used), with the columns and frequency
            of `fit`; None: the data of `fit` and `update`. For a panel any series, also such as were not there at
            `fit`, of any length. Times of another zone are brought to that of `fit`.
        X_past, static
            The covariates of `fit` for the rows and series of ``context``.

        Returns
        -------
        array, Series or DataFrame of shape (horizon,) or (horizon, k)
            In the container of the data, its index continued; for a panel the steps of each series.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also if ``context`` is too short or has other columns, ``X`` has no rows for all steps that the
            network forecasts at once, or a value is so large that the forecast in single precision would be infinite.
        """
        now = self._now()
        seen, parameters = now._predict(horizon, X, context, X_past, static)
        values = seen.undo(mean(now.model_.config["distribution"], parameters))
        require_finite_forecasts(values, now.model_, seen)
        return seen.observations.continued(values)

    def update(self, y: Any, X: Any = None, X_past: Any = None, static: Any = None) -> Self:
        """Append newer observations, from which `predict` then goes on; the weights stay as they are.

        Intervals follow: the errors of the forecasts that can now be judged take the place of the oldest ones (in a
        panel those of 200 series at each step, in units of their series), and with an ``adaptation_rate`` levels adapt.

        Parameters
        ----------
        y : array-like, Series or DataFrame
            Rows that follow the last ones seen, with the columns of `fit`. An array's rows simply follow; a panel may
            bring series that are new.
        X, X_past, static
            The covariates of `fit` for these rows.

        Returns
        -------
        LSTMForecaster
            Itself; after an error it is what it was before.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also if ``y`` overlaps with what was seen, or leaves a gap after it and that is an error.
        """
        check_is_fitted(self)
        seen, newer = self._seen.extended(y, X, X_past, static, self._missing_now())
        self._check_counts(seen.observations)
        with aside(self) as updated:
            updated._learn_errors(self._seen.observations, seen, newer)
            updated._remember(seen, self.window_size_, n_rows=self._n_rows + len(newer))
        return self

    def backtest(self, y: Any, X: Any = None, X_past: Any = None, static: Any = None, **options: Any) -> BacktestResult:
        """Fit a clone on the rows before a test part and score its forecasts.

        Parameters
        ----------
        y, X, X_past, static
            As in `fit`: the whole series, the test part included.
        **options
            Those of `lstmforecast.backtest`, which this calls: ``test_size``, ``refit``, ``coverage`` and others.

        Returns
        -------
        BacktestResult
            Scores beside the two naive forecasts', and all forecasts with the truth. This forecaster is left as it is.

        Raises
        ------
        TypeError, ValueError
            As `lstmforecast.backtest`.
        """
        from lstmforecast.evaluation.backtesting import backtest

        return backtest(self, y, X, X_past, static, **options)

    def attention_weights(
        self, X: Any = None, context: Any = None, X_past: Any = None, static: Any = None
    ) -> NDArray[np.float32]:
        """How much each step of the windows that `predict` reads attends to each, with ``architecture="attention"``.

        Parameters
        ----------
        X, context, X_past, static
            As in `predict`.

        Returns
        -------
        ndarray of shape (n, num_heads, steps, steps), float32
            One matrix for each window and head, whose rows sum to 1; the forecast is made of the last row. Windows are
            those of each series, with ``channels="independent"`` one for each variable of it. Steps are those of the
            LSTM: segments of ``segment_length`` rows, of the horizon too where something is known of it. The mean over
            ``n_estimators`` networks.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also for another architecture.
        """
        self._check_is_fitted()
        now = self._now()
        require_attention(now.model_.config)
        seen, X = now._seen_from(now._steps(None), X, context, X_past, static)
        windows, future = ends_of(now.model_, seen, now.model_.config["horizon"], X)
        return now.model_.attention_weights(first_inputs(now.model_, windows, future), self.n_threads, seen.scales)

    @property
    def context_(self) -> Any:
        """The last ``window_size_`` rows seen (of each series), in the container that was given to `fit`."""
        check_is_fitted(self)
        return self._seen.tail(self.window_size_).observations.container()

    @property
    def cutoff_(self) -> Any:
        """Index label of the last row seen; the row's number for arrays, a Series of times by series for a panel."""
        check_is_fitted(self)
        observations = self._seen.observations
        if observations.index is None:
            return self._n_rows - 1
        ends = observations.times(np.cumsum(observations.lengths) - 1)
        return pd.Series(ends, observations.series_keys) if observations.is_panel else ends[0]
