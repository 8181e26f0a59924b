"""The losses of two models in a log, added up by origin, pair by pair, so that memory grows with the origins alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast.monitoring.ab_store import Pair, read_label


class OriginLosses:
    """Mean losses of both models over all keys and steps, for each origin.

    Parameters
    ----------
    measure : callable
        Of truth and forecast, arrays of one shape; returns losses of that shape.
    """

    def __init__(self, measure: Callable[[Any, Any], Any]) -> None:
        self._measure = measure
        # by origin: steps, losses of both added up, and the last step's time
        self._sums: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, pairs: Sequence[Pair]) -> None:
        """Add the losses of both models from some origins."""
        if not pairs:
            return
        a, b, truth = (np.concatenate([pair[place] for pair in pairs]) for place in (2, 3, 4))
        starts = np.cumsum([0, *(len(pair.actual) for pair in pairs[:-1])])
        sums = [np.add.reduceat(self._losses(truth, said), starts).tolist() for said in (a, b)]
        for pair, loss_a, loss_b in zip(pairs, *sums, strict=True):
            found = self._sums.setdefault(pair.origin, [0, 0.0, 0.0, pair.last_time])
            found[0] += len(pair.actual)
            found[1] += loss_a
            found[2] += loss_b
            if found[3] != pair.last_time:
                found[3] = max(found[3], pair.last_time, key=read_label)

    def means(self) -> tuple[pd.DataFrame, int]:
        """Losses a and b by origin, in time order, and how many origins share steps with one of them: the median."""
        rows = [(read_label(origin), a / n, b / n, read_label(last)) for origin, (n, a, b, last) in self._sums.items()]
        frame = pd.DataFrame(rows, columns=["origin", "a", "b", "last"]).set_index("origin").sort_index()
        origins, last = frame.index.to_numpy(), frame["last"].to_numpy()
        overlap = max(int(np.median(np.searchsorted(origins, last) - np.arange(len(last)))), 1)
        return frame[["a", "b"]], overlap

    def _losses(self, truth: Any, forecast: Any) -> Any:
        return np.asarray(self._measure(truth, forecast), float)
