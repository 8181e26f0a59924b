"""Pictures that keep their data: displays in scikit-learn's manner, drawn with matplotlib (extra ``plot``).

A display is made by ``from_estimator``, ``from_predictions`` or the like, which draw it at once. It keeps what was
drawn as attributes; ``plot(ax=...)`` draws it again, on axes of yours or on new ones. Then ``ax_`` are the first axes,
``axes_`` all of them, ``figure_`` their figure, and the artists are there too.
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
