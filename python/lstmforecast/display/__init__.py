"""Displays: plots that keep their data, in scikit-learn's manner, drawn with matplotlib (extra ``plot``).

A display is made, and drawn, by ``from_estimator``, ``from_predictions`` or the like. It keeps the data as attributes;
``plot(ax=...)`` draws it again, on your axes or on new ones. After that ``ax_`` are the first axes, ``axes_`` all axes,
``figure_`` is their figure, and the artists are attributes too.

May use `monitoring` and all rooms before it. Start with `style`, which all displays share, then `history`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmforecast.display.anomaly import AnomalyDisplay
    from lstmforecast.display.backtest import BacktestDisplay
    from lstmforecast.display.comparison import ComparisonDisplay
    from lstmforecast.display.drift import DriftDisplay
    from lstmforecast.display.forecast import ForecastDisplay
    from lstmforecast.display.history import HistoryDisplay
    from lstmforecast.display.interval import IntervalDisplay

__all__ = [
    "AnomalyDisplay",
    "BacktestDisplay",
    "ComparisonDisplay",
    "DriftDisplay",
    "ForecastDisplay",
    "HistoryDisplay",
    "IntervalDisplay",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{name.removesuffix('Display').lower()}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
