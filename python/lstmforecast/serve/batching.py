"""Requests that arrive while the network is busy are joined into one batch for its next call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from lstmforecast.serve.limits import Limits, Refused

# Seconds. Shorter batches run in the event loop: a thread would wait as long for the interpreter's lock.
_SHORT = 0.001


class Sized(Protocol):
    """Work of known size."""

    @property
    def n_windows(self) -> int:
        """How many windows."""

    @property
    def seconds(self) -> float:
        """Expected duration."""


Work = TypeVar("Work", bound=Sized)
Result = TypeVar("Result")


class Batcher(Generic[Work, Result]):
    """A bounded queue and one worker, which takes all waiting requests as one batch.

    Batches are not delayed to make them larger. If the worker is idle, a batch starts at the next turn of the event
    loop; work that arrives while it runs becomes the next batch. The worker is a thread, or the event loop itself for
    batches of less than a millisecond. All methods must be called from one event loop.

    Parameters
    ----------
    run : callable
        Takes a list of works and returns a result or an exception for each.
    limits : Limits
        ``waiting`` and ``batch`` are used.
    """

    def __init__(self, run: Callable[[list[Work]], list[Result | Exception]], limits: Limits) -> None:
        self._run, self._limits = run, limits
        self._queue: deque[tuple[Work, asyncio.Future[Result]]] = deque()
        self._busy = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lstmforecast")

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether the queue has no room."""
        return len(self._queue) >= self._limits.waiting

    def check_room(self) -> None:
        """Raise `Refused` with 503 if the queue is full."""
        if self.full:
            sentence = f"expected at most {self._limits.waiting} requests waiting, got one more; try again in a second"
            raise Refused(503, sentence, {"Retry-After": "1"})

    async def submit(self, work: Work) -> Result:
        """Queue a work and wait for its result; `Refused` with 503 if the queue is full."""
        self.check_room()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.append((work, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._begin)
        return await future

    async def in_turn(self, action: Callable[[], None]) -> None:
        """Run an action in the worker's thread."""
        await asyncio.get_running_loop().run_in_executor(self._pool, action)

    async def close(self) -> None:
        """Finish the queue, and end the thread."""
        while self._busy:
            await asyncio.sleep(0.005)
        self._pool.shutdown()

    def _begin(self) -> None:
        batch = self._take()
        if not batch:
            self._busy = False
            return
        works = [work for work, _ in batch]
        loop = asyncio.get_running_loop()
        if sum(work.seconds for work in works) < _SHORT:
            self._settle(batch, self._results(works))
            loop.call_soon(self._begin)
        else:
            running = loop.run_in_executor(self._pool, self._results, works)
            running.add_done_callback(lambda done: self._finish(batch, done))

    def _results(self, works: list[Work]) -> list[Result | Exception]:
        """A result or an exception for each; if the batch fails, each work runs alone."""
        try:
            return self._run(works)
        except Exception as error:
            return [error] if len(works) == 1 else [self._results([work])[0] for work in works]

    def _take(self) -> list[tuple[Work, asyncio.Future[Result]]]:
        """The next batch: one work, and more up to the limit of windows, without those whose request has ended."""
        batch: list[tuple[Work, asyncio.Future[Result]]] = []
        n_windows = 0
        while self._queue:
            work, future = self._queue[0]
            if batch and n_windows + work.n_windows > self._limits.batch:
                break
            self._queue.popleft()
            if not future.done():
                batch.append((work, future))
                n_windows += work.n_windows
        return batch

    def _finish(
        self,
        batch: list[tuple[Work, asyncio.Future[Result]]],
        done: asyncio.Future[list[Result | Exception]],
    ) -> None:
        self._settle(batch, done.result())
        self._begin()

    @staticmethod
    def _settle(batch: list[tuple[Work, asyncio.Future[Result]]], results: list[Result | Exception]) -> None:
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
