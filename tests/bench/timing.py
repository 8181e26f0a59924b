"""Contestants timed side by side: in turn, again and again, so that whatever the machine does befalls all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

# Timings of one contestant in a row before the next has its turn, which brings its data back into the caches.
BLOCK = 5


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """So many threads for PyTorch inside, as many as before outside: a fit that goes on has set its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def settle() -> None:
    """Wait until the others' threads sleep, which go on spinning after their work (ONNX Runtime's for some 20 ms).

    Busily: where processors are virtual, one that slept starts late and slow.
    """
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        pass


def block(contestant: Callable[[], object], times: int = BLOCK) -> list[float]:
    """Seconds of a contestant, several times in a row."""
    settle()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        contestant()
        seconds.append(time.perf_counter() - start)
    return seconds


def alternate(
    contestants: Mapping[str, Callable[[], object]], rounds: int, times: int = BLOCK
) -> dict[str, list[float]]:
    """Seconds of each contestant, a block of ``times`` in each round; a round before them warms up and is not counted.

    The order turns by one place each round, so that nobody always follows the same other.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            each = block(contestants[name], times)
            if number > 0:
                seconds[name] += each
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each contestant's seconds."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def sgemm(threads: int, n: int = 1024) -> tuple[Callable[[], object], float]:
    """A product of two float32 matrices by PyTorch, and how many operations it takes: the measure of the machine."""
    a, b, out = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)

    def multiply() -> None:
        with torch_threads(threads):
            torch.mm(a, b, out=out)

    return multiply, 2.0 * n**3
