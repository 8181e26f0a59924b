"""One worker process against two: a backtest's refits, a search's trials, forecasts of a panel in files."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import dask.dataframe as dd
import joblib
import numpy as np
import optuna
import pandas as pd
from dask.distributed import Client, LocalCluster
from tests.bench.report import Table

import lstmforecast.dask
from lstmforecast import Folds, LSTMForecaster, backtest, tune

WORKERS = (1, 2)
# Rows of the series, refits, trials, series of the panel, their rows, files.
SIZES = (4000, 8, 8, 20_000, 200, 16)
SMALL = (300, 2, 2, 20, 60, 2)
SPACE = {"learning_rate": ("log", 1e-3, 1e-2), "dropout": (0.0, 0.4)}


def pieces(sizes: tuple[int, ...], folder: Path, epochs: int) -> dict[str, tuple[int, Callable[[], Any]]]:
    """What is measured: how many tasks it is, and the work."""
    n_rows, n_refits, n_trials, n_series, length, n_files = sizes
    y = np.sin(np.arange(n_rows) / 4) + np.random.default_rng(0).normal(size=n_rows) / 5
    given = LSTMForecaster(4, window_size=48, max_epochs=epochs, n_threads=1, random_state=0)
    panel = pd.DataFrame(
        {
            "unique_id": np.arange(n_series).repeat(length),
            "ds": np.tile(np.arange(length), n_series),
            "y": np.resize(y, n_series * length),
        }
    )
    dd.from_pandas(panel.set_index("unique_id"), npartitions=n_files).reset_index().to_parquet(folder / "in")
    model = LSTMForecaster(4, window_size=48, max_epochs=1, n_threads=1).fit(panel[: 20 * length])

    def refits() -> None:
        with joblib.parallel_config("dask"):
            backtest(given, y, folds=Folds(10 * n_refits, refit=10))

    def trials() -> None:
        sampler = optuna.samplers.RandomSampler(seed=0)
        with joblib.parallel_config("dask"):
            tune(given, y, space=SPACE, n_trials=n_trials, sampler=sampler, pruner=optuna.pruners.NopPruner())

    def forecasts() -> None:
        lstmforecast.dask.forecast(dd.read_parquet(folder / "in"), model).to_parquet(folder / "out", overwrite=True)

    return {
        "refits of a backtest": (n_refits, refits),
        "trials of a search, and the last fit": (n_trials, trials),
        f"forecasts of {n_series} series": (n_files, forecasts),
    }


def empty_tasks(client: Client, n: int) -> float:
    """Milliseconds that the scheduler takes for a task that does nothing."""
    begin = time.perf_counter()
    client.gather(client.map(lambda number: number, range(n), pure=False))
    return (time.perf_counter() - begin) / n * 1e3


def run(*, once: bool) -> list[Table]:
    """Measure, one after the other in turns."""
    rounds, sizes, epochs = (1, SMALL, 1) if once else (3, SIZES, 10)
    with ExitStack() as stack, warnings.catch_warnings():
        # Dask's way of reading Parquet, which pandas 3.1 frowns on
        warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = {"processes": True, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
        clusters = [
            stack.enter_context(LocalCluster(n_workers=n, silence_logs=logging.CRITICAL, **options)) for n in WORKERS
        ]
        work = pieces(sizes, folder, epochs)
        seconds: dict[tuple[str, int], list[float]] = {(name, n): [] for name in work for n in WORKERS}
        overhead = 0.0
        for i in range(rounds + 1):
            for n, cluster in zip(WORKERS, clusters, strict=True):
                with Client(cluster) as client:
                    overhead = empty_tasks(client, 10 if once else 500)
                    for name, (_, do) in work.items():
                        begin = time.perf_counter()
                        do()
                        # the first time, workers import
                        if i or once:
                            seconds[name, n].append(time.perf_counter() - begin)
    rows = []
    for name, (n_tasks, _) in work.items():
        one, two = (median(seconds[name, n]) for n in WORKERS)
        rows.append({"what": name, "tasks": n_tasks, "1 worker s": one, "2 workers s": two, "speed-up": one / two})
    note = (
        f"Seconds, median of {rounds} in turns; workers are processes of one thread on this machine. A task that does\n"
        f"nothing takes {overhead:.1f} ms."
    )
    return [Table("Workers", note, rows)]
