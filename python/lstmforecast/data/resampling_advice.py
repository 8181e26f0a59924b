"""Advice in messages for times without a constant step: pandas code that resamples them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstmforecast.data.frequency import dominant, inferred

# Units to which times are rounded if they are off by some seconds or minutes.
_ROUND = ("s", "min", "5min", "15min", "h", "D")
# Frequencies for irregular times, with their steps in seconds.
_USUAL = {
    "s": 1, "min": 60, "5min": 300, "15min": 900, "h": 3600, "D": 86_400, "W": 604_800, "MS": 2_629_746,
    "QS": 7_889_238, "YS": 31_556_952,
}  # fmt: skip


def to_constant_steps(index: pd.Index, freq: Any, name: str) -> str:
    """Python code that resamples the data called ``name`` to a constant step, at the frequency ``freq`` if given.

    Times that are off by less than a step are rounded. Other times are resampled to means, and gaps interpolated.
    """
    if not isinstance(index, pd.DatetimeIndex):
        return f"{name}.reset_index(drop=True)"
    if freq is None and (unit := _rounding(index)) is not None:
        return f"{name}.set_axis({name}.index.round({unit!r}))"
    step = np.median(np.diff(index.asi8)) if len(index) > 1 else 1
    seconds = pd.Timedelta(step, unit=index.unit).total_seconds()
    nearest = min(_USUAL, key=lambda alias: abs(np.log(_USUAL[alias] / seconds)))
    return f"{name}.resample({freq if isinstance(freq, str) else nearest!r}).mean().interpolate()"


def _rounding(index: pd.DatetimeIndex) -> str | None:
    """The finest unit for which rounded times have a constant step, possibly with gaps."""
    for unit in _ROUND:
        try:
            rounded = index.round(unit)
        except ValueError:  # a local time that doesn't exist, or exists twice
            continue
        if not rounded.is_unique or rounded.equals(index) or len(rounded) < 3:
            continue
        if inferred(rounded) is not None or dominant(rounded)[1]:
            return unit
    return None
