"""Losses of two models in a log, summed by origin while they are read: memory grows only with the origins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast.monitoring.ab_store import Pair, read_label


class OriginLosses:
    """For each origin, the mean losses of both models over all keys and steps.

    Parameters
    ----------
    measure : callable
        Takes actual values and forecasts, arrays of the same shape; returns losses of that shape.
    """

    def __init__(self, measure: Callable[[Any, Any], Any]) -> None:
        self._measure = measure
        # by origin: number of steps, summed losses of both, and the time of the last step
        self._sums: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, pairs: Sequence[Pair]) -> None:
        """Add the losses of some pairs of forecasts."""
        if not pairs:
            return
        a, b, truth = (np.concatenate([pair[place] for pair in pairs]) for place in (2, 3, 4))
        starts = np.cumsum([0, *(len(pair.actual) for pair in pairs[:-1])])
        sums = [np.add.reduceat(self._losses(truth, forecast), starts).tolist() for forecast in (a, b)]
        for pair, loss_a, loss_b in zip(pairs, *sums, strict=True):
            found = self._sums.setdefault(pair.origin, [0, 0.0, 0.0, pair.last_time])
            found[0] += len(pair.actual)
            found[1] += loss_a
            found[2] += loss_b
            if found[3] != pair.last_time:
                found[3] = max(found[3], pair.last_time, key=read_label)

    def means(self) -> tuple[pd.DataFrame, int]:
        """Losses a and b by origin, in time order, and the median number of origins that share steps with one."""
        rows = [(read_label(origin), a / n, b / n, read_label(last)) for origin, (n, a, b, last) in self._sums.items()]
        frame = pd.DataFrame(rows, columns=["origin", "a", "b", "last"]).set_index("origin").sort_index()
        origins, last = frame.index.to_numpy(), frame["last"].to_numpy()
        overlap = max(int(np.median(np.searchsorted(origins, last) - np.arange(len(last)))), 1)
        return frame[["a", "b"]], overlap

    def _losses(self, truth: Any, forecast: Any) -> Any:
        return np.asarray(self._measure(truth, forecast), float)
