"""The rows of each series that a forecaster's fit holds out, for early stopping and for errors of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.contract.parameter_group import flat_group
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import Panel
from lstmforecast.fitting.sizing import held_out_of_panel, held_out_of_series, training_rows


@dataclass(frozen=True)
class HeldOut:
    """The split by a forecaster's parameters, which are the attributes.

    Examples
    --------
    >>> HeldOut(horizon=24, patience=10, validation_fraction=None).training_rows(1000)
    800
    """

    horizon: int
    patience: int | None
    validation_fraction: float | None
    window_size: int | None = None

    @classmethod
    def of(cls, forecaster: Any) -> HeldOut:
        """The split of a forecaster, fitted or not."""
        stopping = flat_group(forecaster, "early_stopping")
        patience, fraction = stopping["patience"], stopping["validation_fraction"]
        return cls(forecaster.horizon, patience, fraction, forecaster.window_size)

    def fraction(self, data: Panel | int) -> float:
        """The fraction that is held out of one series of so many rows, or of each series of a panel."""
        if self.patience is None:
            return 0.0
        if self.validation_fraction is not None:
            return float(self.validation_fraction)
        if isinstance(data, Panel):
            return held_out_of_panel(data.lengths, self.horizon)
        return held_out_of_series(data, self.horizon, self.window_size)

    def training_rows(self, n_rows: int) -> int:
        """The number of training rows of one series."""
        return training_rows(n_rows, self.fraction(n_rows))

    def first_rows(self, panel: Panel) -> list[int]:
        """The first held-out row of each series of a panel."""
        return [_core.panel_split(int(n), self.fraction(panel), self.horizon)[1] for n in panel.lengths]

    def training_lengths(self, observations: Observations) -> NDArray[np.int64]:
        """The numbers of training rows of each series: (n_series,)."""
        if isinstance(observations, Panel):
            return np.array(self.first_rows(observations))
        return np.array([self.training_rows(len(observations))])
