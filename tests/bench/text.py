"""Characters: a training step, and a text in the making, against PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from tests.bench.report import Table
from tests.bench.timing import alternate, medians, settle, torch_threads
from torch import nn

from lstmforecast import CharLSTM
from lstmforecast.export.pytorch_text import CharModule

CHARACTERS = [chr(ord("0") + i) for i in range(65)]


class Size(NamedTuple):
    """A network, and what it reads in a step."""

    hidden: int
    layers: int
    rows: int
    length: int


SIZES = [Size(256, 1, 32, 64), Size(512, 1, 32, 64), Size(256, 2, 32, 64)]
TINY = Size(8, 1, 4, 8)


def text_of(size: Size, steps: int) -> str:
    """So many steps of it, each character first, where there is room."""
    n = size.rows * size.length * steps + 1
    return "".join([*CHARACTERS, *np.random.default_rng(0).choice(CHARACTERS, n)][:n])


def fitted(size: Size, steps: int, threads: int, epochs: int) -> CharLSTM:
    """Trained on all that there is."""
    return CharLSTM(
        hidden_size=size.hidden,
        num_layers=size.layers,
        batch_size=size.rows,
        sequence_length=size.length,
        validation_fraction=0.0,
        lr_schedule="constant",
        max_epochs=epochs,
        n_threads=threads,
        random_state=0,
    ).fit(text_of(size, steps))


def operations(size: Size) -> float:
    """Multiplications and additions of a step's matrix products in the LSTM and the head, there and back."""
    hidden = size.hidden
    weights = 4 * hidden * hidden * (2 * size.layers - 1) + hidden * len(CHARACTERS)
    return 6.0 * size.rows * size.length * weights


class PyTorch:
    """An epoch as PyTorch's users write it."""

    def __init__(self, size: Size, steps: int, threads: int, *, fused: bool) -> None:
        config = {"characters": "".join(CHARACTERS), "embedding_size": 64, "dropout": 0.0}
        self.module = CharModule(config | {"hidden_size": size.hidden, "num_layers": size.layers})
        self.threads = threads
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=3e-3, fused=fused)
        symbols = torch.tensor([CHARACTERS.index(c) for c in text_of(size, steps)])
        self.inputs, self.targets = (
            part.reshape(size.rows, steps, size.length).transpose(0, 1) for part in (symbols[:-1], symbols[1:])
        )

    def __call__(self) -> None:
        """Run it, from wherever the weights are."""
        with torch_threads(self.threads):
            state = None
            for inputs, targets in zip(self.inputs, self.targets, strict=True):
                self.optimizer.zero_grad()
                logits, state = self.module(inputs, state)
                loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
                loss.backward()
                nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
                self.optimizer.step()
                state = tuple(each.detach() for each in state)
                loss.item()


def training(size: Size, threads: int, steps: int, rounds: int) -> dict[str, Any]:
    """One row of the table: an epoch of ours, then one of each other's, again and again; the first isn't counted."""
    others = {name: PyTorch(size, steps, threads, fused=name == "fused Adam") for name in ("Adam", "fused Adam")}
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *others)}

    def on_epoch(record: dict[str, Any]) -> bool:
        seconds["ours"].append(record["seconds"])
        for name, other in others.items():
            settle()
            start = time.perf_counter()
            other()
            seconds[name].append(time.perf_counter() - start)
        settle()
        return False

    model = CharLSTM(
        hidden_size=size.hidden,
        num_layers=size.layers,
        batch_size=size.rows,
        sequence_length=size.length,
        validation_fraction=0.0,
        lr_schedule="constant",
        max_epochs=rounds + 1,
        n_threads=threads,
        callbacks=[on_epoch],
    )
    model.fit(text_of(size, steps))
    median = medians({name: each[1:] for name, each in seconds.items()})
    step = {name: value / steps for name, value in median.items()}
    row: dict[str, Any] = {"H,L,B,T": ",".join(map(str, size)), "threads": threads}
    row |= {f"{name} ms": 1e3 * value for name, value in step.items()}
    best = min(step[name] for name in others)
    row |= {"best / ours": best / step["ours"], "Gflop/s": operations(size) / step["ours"] / 1e9}
    return row | {"characters/s": size.rows * size.length / step["ours"]}


def loop(module: nn.Module, symbol: int, n: int, threads: int) -> Callable[[], object]:
    """A text of PyTorch's, one character after the other."""

    def write() -> list[int]:
        symbols, state, drawn = torch.tensor([[symbol]]), None, []
        with torch_threads(threads), torch.inference_mode():
            for _ in range(n):
                logits, state = module(symbols, state)
                symbols = torch.multinomial(logits[0].softmax(-1), 1)
                drawn.append(int(symbols))
        return drawn

    return write


def generation(size: Size, threads: int, n: int, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    model = fitted(size, 1, threads, 1)
    # what takes a moment is drawn less often
    fewer = max(1, n // 20)
    contestants = {
        "generate": lambda: model.generate("0", n, random_state=0),
        "top_k, top_p": lambda: model.generate("0", n, top_k=40, top_p=0.95, random_state=0),
        "stream": lambda: sum(1 for _ in model.stream("0", n, random_state=0)),
        "PyTorch": loop(model.to_torch(), 0, fewer, threads),
    }
    seconds = medians(alternate(contestants, rounds, 1 if rounds == 1 else 3))
    rates = {name: (fewer if name == "PyTorch" else n) / value for name, value in seconds.items()}
    row: dict[str, Any] = {"H,L": f"{size.hidden},{size.layers}", "threads": threads}
    return row | rates | {"generate / PyTorch": rates["generate"] / rates["PyTorch"]}


def run(*, once: bool) -> list[Table]:
    """Measure both on one thread and two."""
    sizes, steps, rounds, n = ([TINY], 2, 1, 20) if once else (SIZES, 10, 5, 5000)
    each = [(size, threads) for size in sizes for threads in (1, 2)]
    note = (
        "Milliseconds a step (H units, L layers, B rows of T characters of 65): median of epochs of some steps, all\n"
        "in turn. (fused) Adam: nn.Embedding + nn.LSTM + nn.Linear in PyTorch, states carried on, gradients clipped"
    )
    table = Table("A training step on characters", note, [training(*pair, steps, rounds) for pair in each])
    note = (
        "Characters a second, one text: median of several turns. PyTorch: the same module and weights in single\n"
        "precision under inference_mode, softmax and multinomial; ours in half precision, through the public API."
    )
    return [table, Table("Generation", note, [generation(*pair, n, rounds) for pair in each])]
