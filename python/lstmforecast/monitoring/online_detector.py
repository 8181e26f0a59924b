"""The fitted part of an `LSTMAnomalyDetector`: a forecaster and a monitor that score the rows of a stream."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.index import Frequency
from lstmforecast.monitoring.detector_rows import Labels, Rows
from lstmforecast.monitoring.row_times import Irregularities, RowTimes, insert_missing_rows
from lstmforecast.monitoring.scored_rows import ScoredRows, network_of, score_next, transformed

if TYPE_CHECKING:
    from lstmforecast.estimators.forecaster import LSTMForecaster
    from lstmforecast.monitoring.detector_training import DetectorTraining

Array = NDArray[np.float64]


@dataclass
class OnlineDetector:
    """A fitted forecaster, the monitor of its errors, and the state of the stream.

    Attributes
    ----------
    forecaster : LSTMForecaster
        Fitted.
    monitor : _core.Monitor
        The newest rows, usual errors, smoothed scores and the threshold.
    labels : list or None
        Labels of the columns; None for those of an array.
    times : RowTimes
        The step between rows, and the time stamp of the newest.
    frequency : str, int or None
        The frequency of the rows, from which the forecaster takes the length of a season.
    irregularities : Irregularities
        What was irregular in the rows so far.
    recent : list of ndarray of shape (n, k)
        Rows kept for the next fit; empty without ``refit_every``.
    n_since_fit : int
        Rows since the last fit.
    """

    forecaster: LSTMForecaster
    monitor: _core.Monitor
    labels: Labels
    times: RowTimes
    frequency: Frequency
    irregularities: Irregularities = field(default_factory=Irregularities)
    recent: list[Array] = field(default_factory=list)
    n_since_fit: int = 0

    @classmethod
    def fitted(cls, rows: Rows, training: DetectorTraining) -> OnlineDetector:
        """Fit forecaster and monitor to the first rows of a stream."""
        times = RowTimes.of(rows.index)
        table, _, irregularities = _at_even_steps(times, rows)
        frequency = times.frequency(rows.index)
        forecaster, table = training.fit_forecaster(table, frequency, rows.names)
        monitor = training.fit_monitor(forecaster, table)
        recent = [] if training.refit_every is None else [table[-training.memory :]]
        return cls(forecaster, monitor, rows.labels, times, frequency, irregularities, recent)

    def score(self, rows: Rows) -> tuple[ScoredRows, Irregularities]:
        """Score rows without learning from them; also returns their irregularities.

        Rows whose index continues after the newest row are taken as its continuation. All others are a series of their
        own, whose first window has no scores.
        """
        if self.times.follows(rows.index):
            table, given, irregularities = _at_even_steps(copy.copy(self.times), rows)
            return score_next(self.forecaster, self.monitor.copy(), table).take(given), irregularities
        table, given, irregularities = _at_even_steps(RowTimes.of(rows.index), rows)
        n = min(self.forecaster.window_size_, len(table))
        before = ScoredRows.unknown(n, table.shape[1])
        if len(table) <= n:
            return before.take(given), irregularities
        window = pd.DataFrame(table[:n]).interpolate(limit_direction="both").fillna(0.0).to_numpy()
        window = np.ascontiguousarray(transformed(self.forecaster, window))
        monitor = self.monitor.moved(network_of(self.forecaster), window)
        after = score_next(self.forecaster, monitor, table[n:])
        return ScoredRows.joined([before, after]).take(given), irregularities

    def copied(self) -> OnlineDetector:
        """A copy that learns without changing this one."""
        return replace(self, monitor=self.monitor.copy(), irregularities=copy.deepcopy(self.irregularities))

    def update(self, rows: Rows, training: DetectorTraining | None = None) -> ScoredRows:
        """Score the next rows and learn from them; with ``training``, refit after each ``refit_every`` rows.

        After an error nothing has changed, but with ``training`` some rows may have been learned: update a copy.
        """
        times, table, given, irregularities = self.times, rows.table, None, Irregularities()
        if rows.index is not None or np.isnan(table).any():
            times = copy.copy(times)
            table, given, irregularities = _at_even_steps(times, rows)
        if training is None:
            scored = score_next(self.forecaster, self.monitor, table)
        else:
            scored = self._score_and_refit(table, training)
        # no errors are possible from here on
        self.times = times
        self.irregularities.merge(irregularities)
        return scored if given is None else scored.take(given)

    def _score_and_refit(self, table: Array, training: DetectorTraining) -> ScoredRows:
        assert training.refit_every is not None
        parts, start = [], 0
        while start < len(table):
            part = table[start : start + training.refit_every - self.n_since_fit]
            parts.append(score_next(self.forecaster, self.monitor, part))
            self.recent = [*self.recent, part.copy()]
            self.n_since_fit += len(part)
            start += len(part)
            if self.n_since_fit >= training.refit_every:
                self._refit(training)
        return ScoredRows.joined(parts) if parts else ScoredRows.unknown(0, table.shape[1])

    def _refit(self, training: DetectorTraining) -> None:
        rows = Rows(np.concatenate(self.recent)[-training.memory :], None, self.labels)
        # the same horizon as before, as the usual error of each of its steps is known
        forecaster, table = training.fit_forecaster(rows.table, self.frequency, rows.names, self.forecaster.horizon)
        # scores are in usual errors, so those of the old forecaster and of the new one can be compared
        self.monitor = training.fit_monitor(forecaster, table).with_scores_of(self.monitor)
        self.forecaster, self.recent, self.n_since_fit = forecaster, [table], 0


def _at_even_steps(times: RowTimes, rows: Rows) -> tuple[Array, NDArray[np.bool_], Irregularities]:
    """The rows, with NaN for missing ones, which of them were given, and the irregularities.

    ``times`` moves on to the last row.
    """
    missing, irregularities = times.read(rows.index)
    irregularities.add_missing_values(rows.table, rows.index)
    return *insert_missing_rows(rows.table, missing), irregularities
