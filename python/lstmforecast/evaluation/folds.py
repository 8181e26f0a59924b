"""The rows that a backtest fits on and forecasts: the argument ``folds`` of `backtest` and `tune`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ParamSpec, TypeVar

from lstmforecast.contract.plain import plain
from lstmforecast.fitting.parameters import check_count

WINDOWS = ("expanding", "sliding")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Folds:
    """Which rows `backtest` and `tune` fit on, and which they forecast.

    The test set is the last rows of each series. Forecasts begin at origins in it, ``stride`` rows apart. A fold is one
    fit and the forecasts made with it: from all origins, or with ``refit`` from those up to the next fit.

    Parameters
    ----------
    test_size : int or float, default=0.2
        Rows of the test set at the end of each series, or their fraction. The first of them is the first origin; the
        last forecast ends with the last row.
    stride : int, default=1
        Rows from one origin to the next.
    refit : bool or int, default=False
        Whether a clone is fitted again, on the rows before, at every origin, or at every ``refit``-th. `tune` takes
        False only.
    window : {"expanding", "sliding"}, default="expanding"
        Each fit reads all rows before its first origin (``"expanding"``), or the last ``train_size`` of them.
    train_size : int or None, default=None
        Rows that each fit of a sliding window reads, with those that it holds out for early stopping. None: as many as
        the first fit has. For an expanding window None only. Series that have fewer rows give all.
    gap : int, default=0
        Rows left out between those that a fit reads and its first origin, as in
        `sklearn.model_selection.TimeSeriesSplit`: what isn't known yet when the weights are fitted. Forecasts still
        start from the rows right before their origin.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from lstmforecast import Folds
    >>> Folds(test_size=90, refit=30)
    Folds(test_size=90, stride=1, refit=30, window='expanding', train_size=None, gap=0)
    """

    test_size: int | float = 0.2
    _: KW_ONLY
    stride: int = 1
    refit: bool | int = False
    window: str = "expanding"
    train_size: int | None = None
    gap: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).copy().items():
            object.__setattr__(self, name, plain(value))
        _check_size("test_size", self.test_size)
        check_count("stride", self.stride)
        check_count("gap", self.gap, least=0)
        if not isinstance(self.refit, bool):
            check_count("refit", self.refit)
        if not isinstance(self.window, str) or self.window not in WINDOWS:
            raise ValueError(f"expected window to be 'expanding' or 'sliding', got {self.window!r}")
        if self.train_size is not None:
            check_count("train_size", self.train_size)
            if self.window == "expanding":
                raise ValueError(f"expected train_size=None for window='expanding', got {self.train_size}")
        elif self.window == "sliding" and not self.refit:
            raise ValueError(
                "expected refit or train_size for window='sliding', which has no effect without them, got neither"
            )


def read_folds(folds: Any) -> Folds:
    """Read the argument ``folds`` of `backtest` and `tune`: None, the size of the test set, or an object.

    Raises
    ------
    TypeError, ValueError
        For another type, or a size out of range.
    """
    folds = plain(folds)
    if isinstance(folds, Folds):
        return folds
    if folds is None:
        return Folds()
    if isinstance(folds, bool) or not isinstance(folds, int | float):
        raise TypeError(
            f"expected folds to be a number of test rows, a fraction, an lstmforecast.Folds or None, got {folds!r}"
        )
    _check_size("folds", folds)
    return Folds(folds)


def _check_size(name: str, size: Any) -> None:
    if isinstance(size, bool) or not isinstance(size, int | float):
        raise TypeError(f"expected {name} to be a number of rows or a fraction, got {size!r}")
    if not (size >= 1 if isinstance(size, int) else 0 < size < 1):
        raise ValueError(f"expected {name} to be a number of rows from 1 or a fraction between 0 and 1, got {size!r}")


def _changed(folds: Any) -> dict[str, Any]:
    """The parameters of ``folds`` that differ from their defaults, by name."""
    if not isinstance(folds, Folds):
        return {} if folds is None else {"test_size": plain(folds)}
    return {field.name: value for field in fields(Folds) if (value := getattr(folds, field.name)) != field.default}


def takes_folds(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose argument ``folds`` replaces arguments of its own, which are refused.

    ``renamed`` are those that had another name than the parameter of `Folds`.
    """
    names = {field.name: field.name for field in fields(Folds)} | renamed

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def checked(*args: P.args, **options: P.kwargs) -> R:
            given = {names[name]: plain(value) for name, value in options.items() if name in names}
            if given:
                merged = _changed(options.get("folds")) | given
                inside = ", ".join(f"{name}={value!r}" for name, value in merged.items())
                got = " and ".join(name for name in options if name in names)
                raise TypeError(f"expected folds=lstmforecast.Folds({inside}), got {got} in {function.__name__} itself")
            return function(*args, **options)

        return checked

    return decorate
