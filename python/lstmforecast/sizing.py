"""How many rows the network sees, and how many a series must have for that."""

from __future__ import annotations

from lstmforecast import _core


def default_window_size(n_rows: int, horizon: int) -> int:
    """Choose the rows that the network sees: four horizons, from 48 to 168, but at most a quarter of the data.

    Parameters
    ----------
    n_rows : int
        Rows to train on.
    horizon : int
        Steps to forecast.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> default_window_size(8640, horizon=24), default_window_size(40, horizon=24)
    (96, 10)
    """
    return max(1, min(max(4 * horizon, 48), 168, n_rows // 4))


def training_rows(n_rows: int, validation_fraction: float) -> int:
    """Count the rows that are trained on; those after them are held out.

    Examples
    --------
    >>> training_rows(11520, validation_fraction=0.25), training_rows(11520, validation_fraction=0.0)
    (8640, 11520)
    """
    try:
        return _core.time_split(n_rows, validation_fraction)[0]
    except ValueError:
        return 0


def resolve_window_size(n_rows: int, window_size: int | None, horizon: int, validation_fraction: float) -> int:
    """Choose the window size, unless it is given, and check that the rows suffice to train with it.

    Parameters
    ----------
    n_rows : int
        Rows of the series.
    window_size : int or None
        As given by the user; None: `default_window_size`.
    horizon : int
        Steps to forecast.
    validation_fraction : float
        Part of the rows that is held out; 0: none.

    Raises
    ------
    ValueError
        If the training rows hold no window with its horizon, or the rows held out no horizon; it says how many rows
        would do.
    """

    def window_of(n: int) -> int:
        return window_size or default_window_size(training_rows(n, validation_fraction), horizon)

    def suffice(n: int) -> bool:
        train = training_rows(n, validation_fraction)
        return train >= window_of(n) + horizon and (train == n or n - train >= horizon)

    if suffice(n_rows):
        return window_of(n_rows)
    needed = n_rows + 1
    while not suffice(needed):
        needed += 1
    sizes = f"window_size={window_of(needed)}, horizon={horizon}"
    if validation_fraction == 0:
        raise ValueError(f"expected at least {needed} rows for {sizes}, got {n_rows}")
    raise ValueError(
        f"expected at least {needed} rows for {sizes} and validation_fraction={validation_fraction}, got {n_rows}; "
        f"patience=None holds nothing out"
    )
