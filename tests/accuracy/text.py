"""Tiny Shakespeare: nats per character of the last tenth, which no setting and no epoch was chosen by."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from tests.bench.report import Table

from lstmforecast import CharLSTM

PATH = Path(__file__).resolve().parents[2] / "notebooks" / "data" / "tinyshakespeare.txt"
THREADS = 2
# The share of the text that comes before what is scored, as in nanoGPT.
TRAINED = 0.9
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "dropout=0.3, max_epochs=9": {"dropout": 0.3, "max_epochs": 9},
}
SMALL: dict[str, dict[str, Any]] = {"small": {"hidden_size": 16, "max_epochs": 1, "unknown": "skip"}}
# Nats per character that others published for this split: nanoGPT's README (Karpathy), on a CPU in three minutes and
# on a GPU; minLSTM and Transformer of Feng et al. 2024.
PUBLISHED = {
    "nanoGPT, 3 minutes on a CPU": 1.88,
    "nanoGPT, 3 minutes on a GPU": 1.4697,
    "minLSTM": 1.555,
    "Transformer": 1.547,
}
# Characters after which the text is read anew: nanoGPT's blocks on a CPU and on a GPU.
BLOCKS = (64, 256)


def parts() -> tuple[str, str]:
    """What is trained on, and what is scored."""
    text = PATH.read_text(encoding="utf-8")
    n = int(TRAINED * len(text))
    return text[:n], text[n:]


def ngram(train: str, test: str, n: int) -> float:
    """Nats per character under the counts of what follows ``n - 1`` characters, shrunk to those of fewer (MacKay & Peto
    1995): each estimate counts like one observation.
    """
    characters = sorted(set(train + test))
    probabilities = np.full(len(test) - n + 1, 1 / len(characters))
    for order in range(1, n + 1):
        counts = Counter(train[i : i + order] for i in range(len(train) - order + 1))
        contexts = Counter(train[i : i + order - 1] for i in range(len(train) - order + 1))
        seen = [test[i - order + 1 : i + 1] for i in range(n - 1, len(test))]
        together = np.array([counts[each] for each in seen], float)
        total = np.array([contexts[each[:-1]] for each in seen], float)
        probabilities = (together + probabilities) / (total + 1)
    return float(-np.log(probabilities).mean())


def in_blocks(text: str, length: int) -> list[str]:
    """Texts of ``length`` characters to tell, each after the first of its own."""
    return [text[i : i + length + 1] for i in range(0, len(text) - 1, length)]


def score(name: str, setting: dict[str, Any], train: str, test: str, seeds: int) -> dict[str, Any]:
    """One row of the table: medians over seeds."""
    rows = []
    for seed in range(seeds):
        model = CharLSTM(**setting, n_threads=THREADS, random_state=seed)
        begin = time.perf_counter()
        model.fit(train)
        row = {"seconds": time.perf_counter() - begin, "epochs": model.n_epochs_, "best epoch": model.best_epoch_}
        row |= {"held out": model.history_["val_loss"].min(), "test": model.score(test)}
        row |= {f"test, blocks of {n}": model.score(in_blocks(test, n)) for n in BLOCKS}
        rows.append(row)
    return {"": name} | {column: float(np.median([row[column] for row in rows])) for column in rows[0]}


def run(*, once: bool) -> list[Table]:
    """Score the settings beside counts of characters and what others published."""
    train, test = parts()
    if once:
        train, test = train[:4000], test[:1000]
    rows = [score(name, setting, train, test, 1) for name, setting in (SMALL if once else SETTINGS).items()]
    names = ("uniform", "unigram", "bigram", "trigram")
    rows += [{"": name, "test": ngram(train, test, n)} for n, name in enumerate(names)]
    rows += [{"": name, "published": nats} for name, nats in PUBLISHED.items()]
    note = (
        f"Nats per character, {THREADS} threads. test: the last tenth of the text, states carried on from its\n"
        "beginning; blocks: read anew from zero after so many characters, as nanoGPT does (64 on a CPU, 256 on a\n"
        "GPU). held out: the last tenth of what is trained on, which chose the epoch. n-grams: shrunk to shorter ones."
    )
    return [Table("Tiny Shakespeare", note, rows)]
