"""Logging of forecasts and actual values, and updates of drift monitors, in a thread of their own."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Any, Generic, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray
from prometheus_client import Counter, Gauge

from lstmforecast.ab import ForecastLog
from lstmforecast.monitoring.ab_store import Forecast
from lstmforecast.monitoring.drift import STATES, DriftMonitor
from lstmforecast.serve.answering import Answer
from lstmforecast.serve.limits import Refused
from lstmforecast.serve.served_model import ServedModel, Window
from lstmforecast.serve.telemetry import LOGGER, ServerMetrics

# Windows in the queue of the log; forecasts beyond are answered, but not logged.
MOST_WAITING = 4096
# Answers written in one transaction.
BATCH = 512
# Seconds that a request waits for the log, and how many requests may wait.
PATIENCE = 3.0
MOST_ASKING = 64
# Keys whose newest time is remembered.
_REMEMBERED = 10_000
_LONGEST_LABEL = 200
_NO_ROWS, _NO_BOUNDS = np.empty((0, 0)), np.empty((0, 0, 0, 0))

Result = TypeVar("Result")
# Labels of the variables in the log, labels of the times, and values (n, k).
Actual = tuple[list[str], list[str], NDArray[np.float64]]


@dataclass
class _Task(Generic[Result]):
    """An action, and whether the request for it has ended."""

    action: Callable[[], Result]
    is_over: bool = False


class ForecastRecorder:
    """Logs forecasts and updates monitors in a thread of its own, in the order of the answers.

    Answers don't wait for it. While its queue is full, batches of requests are left out as a whole, with the forecasts
    of all models of a split, so that models are still compared on the same windows.

    Parameters
    ----------
    log : ForecastLog or None
    monitors : mapping of str to DriftMonitor
        Fitted, by the names of models.
    metrics : ServerMetrics
        Where logged and lost windows are counted, and the monitors' states shown.
    """

    def __init__(self, log: ForecastLog | None, monitors: Mapping[str, DriftMonitor], metrics: ServerMetrics) -> None:
        self._log, self.monitors = log, dict(monitors)
        self._waiting: deque[Answer] = deque()
        self._n_waiting = self._n_asking = 0
        # windows with times that could not be logged, since the start
        self.n_lost = 0
        self._lock, self._begun = threading.Lock(), False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lstmforecast-log")
        self._last: OrderedDict[Hashable, str] = OrderedDict()
        options: dict[str, Any] = {"registry": metrics.registry}
        self._logged = Counter("lstmforecast_logged_windows", "Windows logged.", ["model"], **options)
        self._unlogged = Counter(
            "lstmforecast_unlogged_windows", "Windows not logged, by reason.", ["model", "reason"], **options
        )
        states = Gauge("lstmforecast_drift", "0: ok, 1: warning, 2: drift.", ["model"], **options)
        for name, monitor in self.monitors.items():
            states.labels(name).set_function(partial(_number_of, monitor))

    def note(self, answers: Sequence[Answer]) -> None:
        """Queue answers for the log, if there is room; returns at once."""
        size = sum(len(answer.points) for answer in answers)
        with self._lock:
            room = not self._n_waiting or self._n_waiting + size <= MOST_WAITING
            if room:
                self._waiting.extend(map(self._needed, answers))
                self._n_waiting += size
            begin, self._begun = room and not self._begun, self._begun or room
        if not room:
            self._lose(answers, "the queue is full")
        if begin:
            self._pool.submit(self._work)

    def _needed(self, answer: Answer) -> Answer:
        """An answer with only the used parts: the log needs the last time of a window, monitors need all rows."""
        request = answer.request
        if request.model.name in self.monitors:
            return answer
        windows = [Window(_NO_ROWS, each.times and each.times[-1:], each.series) for each in request.windows]
        return replace(answer, request=replace(request, windows=windows), bounds=_NO_BOUNDS)

    async def in_turn(self, action: Callable[[], Result]) -> Result:
        """Run an action after the answers queued so far; `Refused` with 503 if it takes too long or the log fails."""
        task = _Task(action)
        self._n_asking += 1
        try:
            if self._n_asking > MOST_ASKING:
                raise OSError(f"{MOST_ASKING} requests wait for the log")
            running = asyncio.get_running_loop().run_in_executor(self._pool, self._work_off, task)
            return await asyncio.wait_for(running, PATIENCE)
        except (OSError, asyncio.TimeoutError) as error:
            task.is_over = True
            LOGGER.warning("log not available", extra={"fields": {"reason": str(error) or "too slow"}})
            got = "got one that is locked, full or too slow; try again later"
            words = f"expected a log that is free within {PATIENCE:g} seconds, {got}"
            raise Refused(503, words, {"Retry-After": "5"}) from error
        finally:
            self._n_asking -= 1

    async def close(self) -> None:
        """Log all queued answers, and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._work_off, _Task(lambda: None))
        self._pool.shutdown()

    def _work_off(self, task: _Task[Result]) -> Result:
        for _ in range(math.ceil(len(self._waiting) / BATCH)):
            self._record(self._take())
        if task.is_over:
            raise TimeoutError("the request has ended")
        return task.action()

    def _work(self) -> None:
        """Log a batch, and queue the next after other actions that wait for the thread."""
        self._record(self._take())
        with self._lock:
            self._begun = bool(self._waiting)
            if self._begun:
                self._pool.submit(self._work)

    def _take(self) -> list[Answer]:
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._n_waiting -= sum(len(answer.points) for answer in taken)
        return taken

    def _record(self, batch: Sequence[Answer]) -> None:
        written: list[tuple[Answer, list[list[Forecast]]]] = []
        for answer in batch:
            try:
                self._update_monitor(answer)
                written.append((answer, [] if self._log is None else _rows_of(answer)))
            except Exception:
                LOGGER.exception("recording failed", extra={"fields": {"requests": 1}})
                self._lose([answer], "error")
        try:
            if self._log is not None:
                self._log.store.put_forecasts([row for _, windows in written for rows in windows for row in rows])
        except Exception:
            LOGGER.exception("recording failed", extra={"fields": {"requests": len(written)}})
            self._lose([answer for answer, _ in written], "error")
            return
        for answer, windows in written:
            name, n_missing = answer.request.model.name, windows.count([])
            self._logged.labels(name).inc(len(windows) - n_missing)
            if n_missing:
                self._unlogged.labels(name, "no times or a long name").inc(n_missing)

    def _lose(self, answers: Sequence[Answer], reason: str) -> None:
        for answer in answers:
            self.n_lost += len(answer.points)
            self._unlogged.labels(answer.request.model.name, reason).inc(len(answer.points))

    def _update_monitor(self, answer: Answer) -> None:
        request = answer.request
        monitor = self.monitors.get(request.model.name)
        if monitor is None:
            return
        for window in request.windows:
            rows = self._newer(request.model, (request.key, window.series), window)
            if len(rows):
                monitor.update(rows)

    def _newer(self, model: ServedModel, key: Hashable, window: Window) -> Any:
        """The rows that no earlier window of the same key had; without times, the newest row."""
        if window.times is None:
            return window.values[-1:]
        place = (model.name, "rows", key)
        last, n_newer = self._last.get(place, ""), len(window.times)
        self._remember(place, max(last, model.labels(window.times[-1:])[0]))
        if last:
            # mostly one or two rows
            newest_first = (model.labels([time])[0] for time in reversed(window.times))
            n_newer = sum(1 for _ in takewhile(last.__lt__, newest_first))
        return window.values[len(window.times) - n_newer :]

    def _remember(self, place: Hashable, label: str) -> None:
        self._last[place] = label
        self._last.move_to_end(place)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def add_actuals(self, actuals: Sequence[Actual]) -> int:
        """Store actual values and update monitors with the errors of forecasts that end there; the number of values."""
        assert self._log is not None
        store = self._log.store
        rows = [
            (label, time, float(value))
            for labels, times, values in actuals
            for label, column in zip(labels, values.T, strict=True)
            for time, value in zip(times, column, strict=True)
            if np.isfinite(value)
        ]
        store.put_actuals(rows)
        for labels, times, _ in actuals if rows and self.monitors else ():
            self._judge([each for label in labels for each in store.errors(label, min(times), max(times))])
        return len(rows)

    def _judge(self, found: list[Any]) -> None:
        """Update monitors with the mean error of each forecast over steps and variables, once."""
        errors: dict[tuple[str, str], list[float]] = {}
        for _, name, origin, error in found:
            errors.setdefault((origin, name), []).append(error)
        series = found[0][0] if found else ""
        for (origin, name), each in sorted(errors.items()):
            monitor, place = self.monitors.get(name), (name, "errors", series)
            if monitor is None or not monitor.tests_errors or origin <= self._last.get(place, ""):
                continue
            self._remember(place, origin)
            monitor.update(np.empty((0, monitor.n_features_in_)), float(np.mean(each)))


def _number_of(monitor: DriftMonitor) -> float:
    return STATES.index(monitor.state_)


def _rows_of(answer: Answer) -> list[list[Forecast]]:
    """The rows of the log for each window; none for a window without times or with too long a name."""
    request = answer.request
    found: list[list[Forecast]] = []
    for window, points, ahead in zip(request.windows, answer.points, answer.times, strict=True):
        labels = request.model.series_labels(request.key, window.series)
        if window.times is None or max(map(len, labels)) > _LONGEST_LABEL:
            found.append([])
            continue
        (origin,), times = request.model.labels(window.times[-1:]), request.model.labels(ahead)
        written = orjson.dumps(times).decode()
        found.append(
            [
                Forecast(label, request.model.name, origin, times[-1], written, orjson.dumps(column.tolist()).decode())
                for label, column in zip(labels, points.T, strict=True)
            ]
        )
    return found
