"""Tasks that need more than an LSTM: what each of the other networks learns of one in the time that the LSTM has."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from tests.accuracy.scoring import THREADS
from tests.bench.report import Table

from lstmforecast import CNNLSTM, LSTM, LSTMClassifier, LSTMRegressor, Sampling, Transformer

Data = tuple[np.ndarray, np.ndarray]
FAST = {"hidden_size": 32, "batch_size": 64, "max_epochs": 100_000, "early_stopping": 200}


class Task(NamedTuple):
    """Windows and what is to be found out about them, and the networks that try."""

    name: str
    make: Callable[[np.random.Generator, int, int], Data]
    n: int
    window: int
    steps_per_epoch: int  # after which a training looks at the clock
    estimator: type[LSTMRegressor] | type[LSTMClassifier]
    networks: dict[str, dict[str, Any]]


def recall(rng: np.random.Generator, n: int, window: int) -> Data:
    """Random values, one of which is marked: that is the target."""
    X = np.stack([rng.normal(size=(n, window)), np.zeros((n, window))], axis=2)
    marked = rng.integers(0, window, n)
    X[np.arange(n), marked, 1] = 1
    return X, X[np.arange(n), marked, 0]


def frequency(rng: np.random.Generator, n: int, window: int) -> Data:
    """A wave of one of eight frequencies, of any phase, under noise twice as strong: the target is which."""
    classes = rng.integers(0, 8, n)
    waves = wave(rng, 0.05 * (1 + classes), window)
    return (waves + 2 * rng.normal(size=(n, window)))[:, :, np.newaxis], classes


def cue(rng: np.random.Generator, n: int, window: int) -> Data:
    """Noise, and at any time of its first half a short wave of one of four frequencies: the target is which."""
    classes, length = rng.integers(0, 4, n), window // 100
    X = 0.3 * rng.normal(size=(n, window))
    steps = rng.integers(0, window // 2 - length, n)[:, np.newaxis] + np.arange(length)
    X[np.arange(n)[:, np.newaxis], steps] += wave(rng, 0.05 * (1 + classes), length)
    return X[:, :, np.newaxis], classes


def wave(rng: np.random.Generator, frequencies: np.ndarray, length: int) -> np.ndarray:
    """Of any phase, with a deviation of 1: (n, length)."""
    cycles = frequencies[:, np.newaxis] * np.arange(length)
    return np.sqrt(2) * np.sin(2 * np.pi * (cycles + rng.random((len(frequencies), 1))))


TASKS = [
    Task("recall", recall, 8000, 200, 50, LSTMRegressor, {"lstm": {}, "attention": {"architecture": "attention"}}),
    Task(
        "frequency",
        frequency,
        8000,
        200,
        50,
        LSTMClassifier,
        # a filter of more than a period of the slowest wave
        {"lstm": {}, "cnn_lstm": {"architecture": CNNLSTM(kernel_size=25)}},
    ),
    Task(
        "cue",
        cue,
        4000,
        10_000,
        10,
        LSTMClassifier,
        {
            "lstm": {},
            "lstm, segments": {"architecture": LSTM(segment_length=50)},
            "transformer, segments": {"architecture": Transformer(segment_length=50)},
        },
    ),
]


def learn(task: Task, network: dict[str, Any], data: tuple[Data, Data], seconds: float) -> dict[str, float]:
    """What a network says about windows that it has never seen, after so many seconds."""
    (X, y), (X_test, y_test) = data
    n_epochs, end = 0, time.perf_counter() + seconds

    def late(_: dict[str, Any]) -> bool:
        nonlocal n_epochs
        n_epochs += 1
        return time.perf_counter() > end

    options = FAST | network | {"sampling": Sampling(steps_per_epoch=task.steps_per_epoch), "n_threads": THREADS}
    model = task.estimator(**options, callbacks=[late], random_state=0).fit(X, y)
    return {"steps": task.steps_per_epoch * n_epochs, "score": float(model.score(X_test, y_test))}


def run(*, once: bool) -> list[Table]:
    """Give each network the same time for each task."""
    n_test, seconds = (20, 0.0) if once else (500, 10.0)
    rows = []
    for task in TASKS:
        n, window = (20, 200) if once else (task.n, task.window)
        rng = np.random.default_rng(0)
        data = task.make(rng, n, window), task.make(rng, n_test, window)
        for name, network in task.networks.items():
            told = {"task": task.name, "n": n, "window": window, "network": name}
            rows.append(told | learn(task, network, data, seconds))
            print(rows[-1], file=sys.stderr, flush=True)
    note = (
        f"Score on {n_test} windows never seen, after {seconds:g} seconds of training on n others, a fifth of them\n"
        f"held out, {THREADS} threads: R2 of recall, of the others the share that is right. recall: the marked one of\n"
        "200 values; frequency: which of eight a wave has, under noise twice as strong; cue: which of four a wave of\n"
        "100 steps has, anywhere in the first half of 10,000 steps of noise. steps: of the optimiser."
    )
    return [Table("Tasks that need more than an LSTM", note, rows)]
