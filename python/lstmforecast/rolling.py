"""Rolling origins: from which rows a backtest forecasts, and which rows each of its fits sees."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast.parameters import check_count

WINDOWS = ("expanding", "sliding")


class Fold(NamedTuple):
    """One fit and the forecasts made with it.

    Parameters
    ----------
    start, stop : int
        The rows fitted on, from ``start`` to before ``stop``.
    origins : ndarray of int
        The row of the first step of each window forecast.
    """

    start: int
    stop: int
    origins: NDArray[np.int64]


def rolling_origins(n_rows: int, test_size: Any, horizon: int, stride: int) -> NDArray[np.int64]:
    """The rows at which forecasts begin: the first is that of the test part, and no window goes beyond the last row.

    Raises
    ------
    TypeError, ValueError
        If ``test_size`` is no number of rows or fraction, or smaller than the horizon.

    Examples
    --------
    >>> rolling_origins(100, test_size=0.1, horizon=4, stride=3)
    array([90, 93, 96])
    """
    if isinstance(test_size, bool) or not isinstance(test_size, int | float | np.integer | np.floating):
        raise TypeError(f"expected test_size to be a number of rows or a fraction, got {test_size!r}")
    whole = isinstance(test_size, int | np.integer)
    if not 0 < test_size < (n_rows if whole else 1):
        raise ValueError(
            f"expected test_size to be a number of rows from 1 to {n_rows - 1} or a fraction between 0 and 1, "
            f"got {test_size!r}"
        )
    n_test = int(test_size) if whole else round(n_rows * float(test_size))
    if n_test < horizon:
        raise ValueError(f"expected a test part of at least {horizon} rows for horizon={horizon}, got {n_test}")
    return np.arange(n_rows - n_test, n_rows - horizon + 1, stride, dtype=np.int64)


def folds_of(origins: NDArray[np.int64], refit: Any, window: str, train_size: Any, gap: Any) -> list[Fold]:
    """Say what each fit sees: all rows before its first origin, or the last of them, less a gap.

    Parameters
    ----------
    origins : ndarray of int
        From `rolling_origins`.
    refit, window, train_size, gap
        As in `lstmforecast.backtest`.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range, or ``train_size`` comes without ``window="sliding"``.

    Examples
    --------
    >>> for fold in folds_of(np.array([90, 93, 96]), refit=2, window="sliding", train_size=50, gap=4):
    ...     print(fold.start, fold.stop, fold.origins)
    36 86 [90 93]
    42 92 [96]
    """
    every = int(refit) if isinstance(refit, bool) else check_count("refit", refit)
    gap = check_count("gap", gap, least=0)
    n_before = int(origins[0]) - gap
    if n_before < 1:
        raise ValueError(f"expected gap to be below the {origins[0]} rows before the test part, got {gap}")
    size = _train_size(window, train_size, n_before)
    batches = [origins[i : i + every] for i in range(0, len(origins), every)] if every else [origins]
    stops = [int(batch[0]) - gap for batch in batches]
    return [Fold(0 if size is None else stop - size, stop, batch) for stop, batch in zip(stops, batches, strict=True)]


def _train_size(window: str, train_size: Any, n_before: int) -> int | None:
    """How many rows each fit sees; None: all before it."""
    if not isinstance(window, str) or window not in WINDOWS:
        raise ValueError(f"expected window to be 'expanding' or 'sliding', got {window!r}")
    if window == "expanding":
        if train_size is not None:
            raise ValueError(f"expected train_size=None for window='expanding', got {train_size!r}")
        return None
    size = n_before if train_size is None else check_count("train_size", train_size)
    if size > n_before:
        raise ValueError(
            f"expected train_size of at most {n_before}, the rows before the first origin and its gap, got {size}"
        )
    return size
