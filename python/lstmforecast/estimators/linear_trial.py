"""Linear forecasts of the held-out rows, in a fraction of the time of a fit: they judge what a fit may read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from lstmforecast.data.dataset import Dataset
from lstmforecast.fitting.held_out import HeldOut

Array = NDArray[np.float64]
# An `LSTMForecaster`, and what fits one to a dataset.
Forecaster = Any
Fit = Callable[[Forecaster, Dataset], None]

# A difference counts where it is so many times its standard error over blocks of a horizon, of which there are at least
# so many.
LEAST_EVIDENCE = 2.0
LEAST_BLOCKS = 4


def linear_errors(forecaster: Forecaster, dataset: Dataset, fit: Fit, window_size: int | None) -> Array | None:
    """Mean absolute errors of the linear forecasts of held-out rows: (n_windows, k); None: nothing is held out."""
    line = clone(forecaster).set_params(
        architecture="linear", loss="mse", n_estimators=1, augment=None, pretrained=None, warm_start=False, verbose=0,
        callbacks=None, checkpoint=None, device="cpu", random_state=0, calendar__yearly=False, window_size=window_size,
    )  # fmt: skip
    fit(line, dataset)
    calibration = line.fitted_.calibration
    return None if calibration is None else np.abs(calibration.errors.astype(np.float64)).mean(axis=1)


def errs_less(errors: Array | None, before: Array | None, held_out: HeldOut, n_rows: int, most: float) -> bool:
    """Whether errors are at most this part of those before, on average over the variables, and not by chance."""
    if errors is None or before is None or errors.shape != before.shape:
        return False
    scale = before.mean(axis=0)
    new, old = (
        np.divide(each, scale, out=np.ones(each.shape), where=scale > 0).mean(axis=1) for each in (errors, before)
    )
    n_blocks = min((n_rows - held_out.training_rows(n_rows)) // held_out.horizon, len(new))
    if n_blocks < LEAST_BLOCKS or new.mean() > most * old.mean():
        return False
    gains = np.array([block.mean() for block in np.array_split(old - new, n_blocks)])
    return bool(gains.mean() > LEAST_EVIDENCE * gains.std(ddof=1) / np.sqrt(n_blocks))
