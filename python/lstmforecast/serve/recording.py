"""What a server keeps of its forecasts, beside answering: the log, and monitors that see inputs and errors."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from typing import Any, TypeVar

import numpy as np
from prometheus_client import Counter, Gauge

from lstmforecast.ab import ForecastLog
from lstmforecast.drift import STATES, DriftMonitor
from lstmforecast.serve.answering import Answer
from lstmforecast.serve.limits import Refused
from lstmforecast.serve.served_model import ServedModel, Window
from lstmforecast.serve.watching import LOGGER, Meters

# Windows that wait for being written; beyond, forecasts are refused, so that none is missing in the log.
MOST_WAITING = 2048
# Written in one transaction.
BATCH = 256
# Keys of which is known what was seen last.
_REMEMBERED = 10_000
_LONGEST_LABEL = 200

Result = TypeVar("Result")


class Recorder:
    """Writes forecasts down and shows them to monitors, in a thread of its own, in the order of the answers.

    Parameters
    ----------
    log : ForecastLog or None
    monitors : mapping of str to DriftMonitor
        Fitted, by the names of models.
    meters : Meters
        Where what was written, what could not be, and the monitors' states are counted.
    """

    def __init__(self, log: ForecastLog | None, monitors: Mapping[str, DriftMonitor], meters: Meters) -> None:
        self._log, self.monitors = log, dict(monitors)
        self._waiting: deque[Answer] = deque()
        self._lock, self._begun = threading.Lock(), False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lstmforecast-log")
        self._last: OrderedDict[Hashable, str] = OrderedDict()
        options: dict[str, Any] = {"registry": meters.registry}
        self._logged = Counter("lstmforecast_logged_windows", "Windows in the log.", ["model"], **options)
        self._unlogged = Counter(
            "lstmforecast_unlogged_windows", "Windows not in the log, and why.", ["model", "reason"], **options
        )
        states = Gauge("lstmforecast_drift", "0: ok, 1: warning, 2: drift.", ["model"], **options)
        for name, monitor in self.monitors.items():
            states.labels(name).set_function(partial(_number_of, monitor))

    def check_room(self) -> None:
        """Raise `Refused` with 503 if too much waits to be written."""
        if len(self._waiting) > MOST_WAITING:
            sentence = f"expected a log that keeps up, got {len(self._waiting)} waiting; come back later"
            raise Refused(503, sentence, {"Retry-After": "1"})

    def note(self, answers: Sequence[Answer]) -> None:
        """Keep what was answered; returns at once."""
        with self._lock:
            self._waiting.extend(answers)
            begin, self._begun = not self._begun, True
        if begin:
            self._pool.submit(self._work)

    async def in_turn(self, action: Callable[[], Result]) -> Result:
        """Do something after all that was noted before."""

        def run() -> Result:
            for _ in range(math.ceil(len(self._waiting) / BATCH)):
                self._record(self._take())
            return action()

        return await asyncio.get_running_loop().run_in_executor(self._pool, run)

    async def close(self) -> None:
        """Write all that waits, and end the thread."""
        await self.in_turn(lambda: None)
        self._pool.shutdown()

    def _work(self) -> None:
        """A batch; others who wait for the thread have their turn before the next."""
        self._record(self._take())
        with self._lock:
            self._begun = bool(self._waiting)
            if self._begun:
                self._pool.submit(self._work)

    def _take(self) -> list[Answer]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _record(self, batch: Sequence[Answer]) -> None:
        try:
            self._watch(batch)
            self._write(batch)
        except Exception:
            LOGGER.exception("recording failed", extra={"fields": {"requests": len(batch)}})
            for answer in batch:
                self._unlogged.labels(answer.asked.model.name, "error").inc(len(answer.points))

    def _write(self, batch: Sequence[Answer]) -> None:
        if self._log is None:
            return
        written = [(answer, _rows_of(answer)) for answer in batch]
        self._log._store.put_forecasts([row for _, windows in written for rows in windows for row in rows or ()])
        for answer, windows in written:
            name, n_missing = answer.asked.model.name, windows.count(None)
            self._logged.labels(name).inc(len(windows) - n_missing)
            if n_missing:
                self._unlogged.labels(name, "no times or a long name").inc(n_missing)

    def _watch(self, batch: Sequence[Answer]) -> None:
        for answer in batch:
            asked = answer.asked
            monitor = self.monitors.get(asked.model.name)
            if monitor is None:
                continue
            for window in asked.windows:
                rows = self._newer(asked.model, (asked.key, window.series), window)
                if len(rows):
                    monitor.update(rows)

    def _newer(self, model: ServedModel, key: Hashable, window: Window) -> Any:
        """The rows that no window of the same key had before; without times, the newest."""
        if window.times is None:
            return window.values[-1:]
        place = (model.name, "rows", key)
        last, n_newer = self._last.get(place, ""), len(window.times)
        self._remember(place, max(last, model.labels(window.times[-1:])[0]))
        if last:
            # mostly one or two of them
            newest_first = (model.labels([time])[0] for time in reversed(window.times))
            n_newer = sum(1 for _ in takewhile(last.__lt__, newest_first))
        return window.values[len(window.times) - n_newer :]

    def _remember(self, place: Hashable, label: str) -> None:
        self._last[place] = label
        self._last.move_to_end(place)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def add_actuals(self, model: ServedModel, key: str | None, window: Window) -> int:
        """Put down what came true, and show monitors the errors of all forecasts that end there."""
        assert self._log is not None
        assert window.times is not None
        labels, times, store = model.series_labels(key, window.series), model.labels(window.times), self._log._store
        rows = [
            {"series": label, "time": time, "value": float(value)}
            for label, column in zip(labels, window.values.T, strict=True)
            for time, value in zip(times, column, strict=True)
            if np.isfinite(value)
        ]
        store.put_actuals(rows)
        if rows and self.monitors:
            self._judge([each for label in labels for each in store.errors(label, min(times), max(times))])
        return len(rows)

    def _judge(self, found: list[Any]) -> None:
        """Show monitors the mean error of each forecast, over steps and variables, once."""
        errors: dict[tuple[str, str], list[float]] = {}
        for _, name, origin, error in found:
            errors.setdefault((origin, name), []).append(error)
        whose = found[0][0] if found else ""
        for (origin, name), each in sorted(errors.items()):
            monitor, place = self.monitors.get(name), (name, "errors", whose)
            if monitor is None or not monitor.watches_errors or origin <= self._last.get(place, ""):
                continue
            self._remember(place, origin)
            monitor.update(np.empty((0, monitor.n_features_in_)), float(np.mean(each)))


def _number_of(monitor: DriftMonitor) -> float:
    return STATES.index(monitor.state_)


def _rows_of(answer: Answer) -> list[list[dict[str, Any]] | None]:
    """What is logged of each window; None where it has no times, or longer a name than a log takes."""
    asked = answer.asked
    found: list[list[dict[str, Any]] | None] = []
    for window, points, ahead in zip(asked.windows, answer.points, answer.times, strict=True):
        labels = asked.model.series_labels(asked.key, window.series)
        if window.times is None or max(map(len, labels)) > _LONGEST_LABEL:
            found.append(None)
            continue
        origin, times = asked.model.labels(window.times[-1:])[0], asked.model.labels(ahead)
        shared = {"model": asked.model.name, "origin": origin}
        found.append(
            [
                shared | {"series": label, "step": step, "time": time, "value": float(value)}
                for label, column in zip(labels, points.T, strict=True)
                for step, (time, value) in enumerate(zip(times, column, strict=True), 1)
            ]
        )
    return found
