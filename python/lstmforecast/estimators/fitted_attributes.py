"""Attributes of a fitted forecaster that its record of the fit has, as properties."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from lstmforecast.uncertainty.fitted_series import FittedSeries


class FittedAttributes:
    """What `LSTMForecaster` shows of ``fitted_``."""

    fitted_: FittedSeries

    @property
    def window_size_(self) -> int:
        """Rows that the network reads."""
        if not hasattr(self, "fitted_"):
            check_is_fitted(self)
        return self.fitted_.window_size

    @property
    def transform_(self) -> str | None:
        """The transform of the fit, ``"log"`` or None: what ``transform="auto"`` has chosen."""
        check_is_fitted(self)
        return self.fitted_.dataset.transform

    @property
    def normalize_(self) -> str | None:
        """The normalisation of the fit: what ``normalize="auto"`` has chosen."""
        check_is_fitted(self)
        normalize: str | None = self.fitted_.model.config["normalize"]
        return normalize

    @property
    def context_(self) -> Any:
        """The last ``window_size_`` rows (of each series), in the container that was given to `fit`."""
        check_is_fitted(self)
        dataset = self.fitted_.dataset.tail(self.window_size_)
        return (
            dataset.observations.container() if dataset.columns is None else dataset.columns.table(dataset.observations)
        )

    @property
    def cutoff_(self) -> Any:
        """Index label of the last row; its number for arrays, a Series of times by series for a panel."""
        check_is_fitted(self)
        return self.fitted_.cutoff
