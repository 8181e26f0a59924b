"""A training step against PyTorch: same weights, same batches, everything from the gathering to the optimiser."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from tests.bench.networks import SIZES, VARIANTS, Plain, PlainVariant, Size, core_model, training
from tests.bench.report import Table
from tests.bench.timing import BLOCK, block, medians, settle, sgemm, torch_threads
from torch.utils.data import DataLoader, TensorDataset

LEARNING_RATE = 1e-3
# Operations in a pass: some milliseconds. Where other work interrupts the machine now and then, most passes are over
# before it does, and the median doesn't see it.
PASS = 5e8
VARIANT_SIZE = Size(2000, 96, 7, 64, 1, 64)


def operations(size: Size) -> float:
    """Multiplications and additions of a step's matrix products: forwards, back through time, weight gradients."""
    total = 0
    for layer in range(size.layers):
        inputs = size.features if layer == 0 else size.hidden
        forward = inputs + size.hidden
        # the series itself needs no gradient
        back = size.hidden + (inputs if layer > 0 else 0)
        total += 2 * forward + back
    return 2.0 * size.batch * size.window * 4 * size.hidden * total


class PyTorch:
    """One pass over the batches as PyTorch's users write it: windows are views, a batch is gathered by indexing."""

    def __init__(
        self,
        size: Size,
        threads: int,
        series: np.ndarray,
        architecture: str = "lstm",
        *,
        fused: bool = False,
        loader: bool = False,
    ) -> None:
        self.threads = threads
        self.module: torch.nn.Module = Plain(size) if architecture == "lstm" else PlainVariant(size, architecture)
        weights = core_model(size, architecture=architecture).parameters()
        self.module.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=LEARNING_RATE, fused=fused)
        rows = torch.from_numpy(series.astype(np.float32))
        windows = rows[:-1].unfold(0, size.window, 1).transpose(1, 2)
        self.data = TensorDataset(windows, rows[size.window :, :1])
        self.batches: Any = DataLoader(self.data, size.batch) if loader else self._indexed(size.batch)
        self.losses: list[float] = []

    def _indexed(self, batch: int) -> Any:
        order = torch.arange(len(self.data))
        windows, targets = self.data.tensors

        class Batches:
            def __iter__(self) -> Any:
                for indices in order.split(batch):
                    yield windows[indices], targets[indices]

        return Batches()

    def __call__(self) -> None:
        """Run it, from wherever the weights are."""
        with torch_threads(self.threads):
            self.losses.append(self._epoch())

    def _epoch(self) -> float:
        total = 0.0
        for windows, targets in self.batches:
            self.optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(self.module(windows), targets)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(windows)
        return total / len(self.data)


def passes(
    size: Size,
    threads: int,
    series: np.ndarray,
    others: Mapping[str, Callable[[], object]],
    rounds: int,
    architecture: str = "lstm",
) -> tuple[dict[str, list[float]], np.ndarray]:
    """Seconds of each pass and our losses: one `fit`, in which the others have their turns after a block of epochs."""
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *others)}

    def on_epoch(record: dict[str, Any]) -> bool:
        seconds["ours"].append(record["seconds"])
        if record["epoch"] % BLOCK == 0:
            for name, other in others.items():
                seconds[name] += block(other)
            settle()
        return False

    options = training(size, threads) | {"max_epochs": (rounds + 1) * BLOCK}
    history = core_model(size, architecture=architecture).fit_series(series, options, on_epoch)["history"]
    # the first round warms up
    return {name: each[BLOCK:] for name, each in seconds.items()}, history["train_loss"]


def series_of(size: Size, batches: int) -> np.ndarray:
    """A series of so many batches of windows."""
    rows = min(size.n, batches * size.batch) + size.window
    return np.random.default_rng(0).normal(size=(rows, size.features))


def measure(size: Size, threads: int, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    series = series_of(size, max(1, int(PASS / operations(size))))
    others: dict[str, PyTorch] = {
        "Adam": PyTorch(size, threads, series),
        "fused Adam": PyTorch(size, threads, series, fused=True),
        "DataLoader": PyTorch(size, threads, series, loader=True),
    }
    multiply, sgemm_operations = sgemm(threads)
    seconds, losses = passes(size, threads, series, others | {"sgemm": multiply}, rounds)
    median = medians(seconds)
    n = len(series) - size.window
    step = {name: median[name] / -(-n // size.batch) for name in ("ours", *others)}
    # the last batch may be smaller than the others
    rate, peak = operations(size) * n / size.batch / median["ours"], sgemm_operations / median["sgemm"]
    return {
        "n,T,F,H,L,B": ",".join(map(str, size)),
        "threads": threads,
        **{f"{name} ms": seconds * 1e3 for name, seconds in step.items()},
        "Adam / ours": step["Adam"] / step["ours"],
        "best / ours": min(step[name] for name in others) / step["ours"],
        "Gflop/s": rate / 1e9,
        "sgemm Gflop/s": peak / 1e9,
        "% of sgemm": 100 * rate / peak,
        "losses differ by": np.abs(losses / others["Adam"].losses - 1).max(),
    }


def measure_variant(architecture: str, size: Size, threads: int, rounds: int) -> dict[str, Any]:
    """One row of the other networks' table."""
    series = series_of(size, max(1, int(PASS / operations(size))))
    others = {
        "Adam": PyTorch(size, threads, series, architecture),
        "fused Adam": PyTorch(size, threads, series, architecture, fused=True),
    }
    seconds, losses = passes(size, threads, series, others, rounds, architecture)
    median = medians(seconds)
    n_steps = -(-(len(series) - size.window) // size.batch)
    return {
        "architecture": architecture,
        "n,T,F,H,L,B": ",".join(map(str, size)),
        "threads": threads,
        **{f"{name} ms": 1e3 * median[name] / n_steps for name in ("ours", *others)},
        "best / ours": min(median[name] for name in others) / median["ours"],
        "losses differ by": np.abs(losses / others["Adam"].losses - 1).max(),
    }


def run(*, once: bool) -> list[Table]:
    """Measure a training step of each size on one thread and two."""
    sizes = [Size(40, 10, 1, 8, 2, 32)] if once else SIZES
    rows = []
    for size in sizes:
        for threads in (1, 2):
            rows.append(measure(size, threads, 1 if once else 4))
            # the largest takes minutes
            print(rows[-1], file=sys.stderr, flush=True)
    note = (
        "Milliseconds a step: mean over a pass of one or a few steps, median of 20 passes, all in turn, on the same\n"
        "batches from the same weights on. Adam, fused Adam: nn.LSTM + nn.Linear, MSE, in PyTorch, batches gathered\n"
        "by indexing a view of the series; DataLoader: by one, with Adam. sgemm: torch.mm of 1024 x 1024, same turns."
    )
    return [Table("A training step", note, rows), variants(once=once)]


def variants(*, once: bool) -> Table:
    """Measure a training step of each of the other networks on one thread and two."""
    rows = []
    for architecture in VARIANTS:
        for threads in (1, 2):
            size = Size(40, 10, 1, 8, 1, 32) if once else VARIANT_SIZE
            rows.append(measure_variant(architecture, size, threads, 1 if once else 4))
            print(rows[-1], file=sys.stderr, flush=True)
    note = "As above, against the modules of torch.nn that `to_torch` makes."
    return Table("A training step of the other networks", note, rows)
