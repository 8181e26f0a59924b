"""Requests that come together, or while the network is busy, are brought together for its next call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from lstmforecast.serve.limits import Limits, Refused

# What takes less than this is done in the event loop: a thread would wait as long for the interpreter's lock.
_SHORT = 0.001


class Sized(Protocol):
    """Work that knows how much it is."""

    @property
    def n_windows(self) -> int:
        """How many windows."""

    @property
    def seconds(self) -> float:
        """How long it is expected to take."""


Work = TypeVar("Work", bound=Sized)
Result = TypeVar("Result")


class Batcher(Generic[Work, Result]):
    """A bounded queue before one worker that does all that waits at once.

    Nobody waits for company: work that finds the worker idle begins at the next turn of the event loop, with all that
    came in this one, and what comes in the meantime is the next batch. The worker is a thread, and the event loop
    itself where a batch takes less than a millisecond. All methods are for one event loop.

    Parameters
    ----------
    run : callable
        Takes a list of works and returns a result, or an exception, for each.
    limits : Limits
        Of these ``waiting`` and ``batch``.
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
        """Whether the next work would be refused."""
        return len(self._queue) >= self._limits.waiting

    def check_room(self) -> None:
        """Raise `Refused` with 503 if too much waits already."""
        if self.full:
            sentence = f"expected at most {self._limits.waiting} requests waiting, got one more; come back in a second"
            raise Refused(503, sentence, {"Retry-After": "1"})

    async def submit(self, work: Work) -> Result:
        """Wait for the result of a work; `Refused` with 503 if too much waits already."""
        self.check_room()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.append((work, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._begin)
        return await future

    async def in_turn(self, action: Callable[[], None]) -> None:
        """Do something else in the thread."""
        await asyncio.get_running_loop().run_in_executor(self._pool, action)

    async def close(self) -> None:
        """Finish all that waits, and end the thread."""
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
        """A result or an exception for each; where the batch fails, each is done alone."""
        try:
            return self._run(works)
        except Exception as error:
            return [error] if len(works) == 1 else [self._results([work])[0] for work in works]

    def _take(self) -> list[tuple[Work, asyncio.Future[Result]]]:
        """What comes next: one work, and as many more as there is room for. Nobody waits for what is cancelled."""
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
