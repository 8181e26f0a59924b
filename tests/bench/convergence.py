"""Time to the same validation loss on ETTh1: what the kernel gives, and what a better algorithm gives on top of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from tests.bench.report import Table
from torch import nn

from lstmforecast import Adam, EarlyStopping, LSTMRegressor

ETTH1 = Path(__file__).parents[2] / "notebooks" / "data" / "ETTh1.csv"
HORIZON, HIDDEN, BATCH, RATE = 24, 64, 32, 3e-3
# The published protocol: hours to train on, hours to validate on. The hours after them are not looked at.
TRAIN, VALIDATION = 8640, 2880
PATIENCE, THREADS = 10, 2
REFERENCE = "PyTorch, window 96, hourly steps"


class Data(NamedTuple):
    """Windows (n, steps, values of a step) and targets (n, HORIZON) to train on and to validate on, in scaled units."""

    windows: np.ndarray
    targets: np.ndarray
    n_train: int


class Curve(NamedTuple):
    """Validation loss after each epoch, and the seconds since the start."""

    losses: list[float]
    seconds: list[float]


def read(window: int, segment: int, stride: int) -> Data:
    """Oil temperature as windows relative to their last value, ``segment`` hours to a step, ``stride`` apart."""
    y = pd.read_csv(ETTH1)["OT"].to_numpy()[: TRAIN + VALIDATION]
    y = (y - y[:TRAIN].mean()) / y[:TRAIN].std()
    # the validation windows reach back into the training hours; their targets don't
    train = np.arange(window, TRAIN - HORIZON + 1, stride)
    origins = np.r_[train, TRAIN : TRAIN + VALIDATION - HORIZON + 1 : stride]
    windows = y[origins[:, None] + np.arange(-window, 0)]
    targets = y[origins[:, None] + np.arange(HORIZON)] - windows[:, -1:]
    windows = (windows - windows[:, -1:]).reshape(len(origins), window // segment, segment)
    return Data(windows, targets, len(train))


def ours(data: Data, epochs: int, threads: int) -> Curve:
    """Train by `LSTMRegressor`."""
    curve = Curve([], [])
    begin = time.perf_counter()

    def note(record: dict[str, Any]) -> None:
        curve.losses.append(record["val_loss"])
        curve.seconds.append(time.perf_counter() - begin)

    held_out = 1 - data.n_train / len(data.windows)
    model = LSTMRegressor(
        hidden_size=HIDDEN, learning_rate=RATE, batch_size=BATCH, optimizer=Adam(clip_grad_norm=1.0), scaler=None,
        max_epochs=epochs, early_stopping=EarlyStopping(PATIENCE, validation_fraction=held_out), n_threads=threads,
        random_state=0, callbacks=[note],
    )  # fmt: skip
    model.fit(data.windows, data.targets)
    return curve


class Network(nn.Module):
    """The same network in PyTorch."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_features, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, HORIZON)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Windows to forecasts (batch, HORIZON)."""
        return self.fc(self.lstm(windows)[0][:, -1])


def pytorch(data: Data, epochs: int, threads: int) -> Curve:
    """Train the same way in PyTorch: Adam, clipping, plateau schedule, early stopping."""
    torch.set_num_threads(threads)
    windows, targets = torch.from_numpy(data.windows).float(), torch.from_numpy(data.targets).float()
    network = Network(windows.shape[2])
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)
    curve, begin = Curve([], []), time.perf_counter()
    while len(curve.losses) < epochs and not stale(curve.losses):
        for indices in torch.randperm(data.n_train).split(BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(windows[indices]), targets[indices]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        with torch.no_grad():
            loss = nn.functional.mse_loss(network(windows[data.n_train :]), targets[data.n_train :]).item()
        schedule.step(loss)
        curve.losses.append(loss)
        curve.seconds.append(time.perf_counter() - begin)
    return curve


def stale(losses: list[float]) -> bool:
    """Whether the last PATIENCE losses brought nothing."""
    return len(losses) > PATIENCE and min(losses[-PATIENCE:]) >= min(losses[:-PATIENCE])


def curves(epochs: int, stride: int) -> Iterator[tuple[str, Curve]]:
    """Everybody's curve."""
    yield REFERENCE, pytorch(read(96, 1, stride), epochs, THREADS)
    for window, segment in ((96, 1), (96, 24), (336, 1), (336, 24)):
        steps = "hourly steps" if segment == 1 else f"steps of {segment} hours"
        yield f"ours, window {window}, {steps}", ours(read(window, segment, stride), epochs, THREADS)


def run(*, once: bool) -> list[Table]:
    """Measure the seconds until the validation loss that each of them reaches at some time."""
    found = dict(curves(*((1, 100) if once else (60, 1))))
    target = 1.005 * max(min(curve.losses) for curve in found.values())
    data = read(96, 1, 1)
    repeat_last = float(np.mean(data.targets[data.n_train :] ** 2))
    seconds = {name: first(curve, target) for name, curve in found.items()}
    reference = seconds[REFERENCE]
    rows = [
        {
            "training": name,
            "best validation loss": min(curve.losses),
            "epochs": len(curve.losses),
            "seconds an epoch": curve.seconds[-1] / len(curve.losses),
            "seconds to target": seconds[name],
            "PyTorch / this": reference / seconds[name],
        }
        for name, curve in found.items()
    ]
    note = (
        f"Oil temperature, {HORIZON} hours ahead, one layer of {HIDDEN}, Adam at {RATE}, batches of {BATCH},\n"
        f"{THREADS} threads, one seed. Mean squared error in scaled units on the validation hours; repeat-last:\n"
        f"{repeat_last:.4f}. Target: {target:.4f}, half a per cent above the best of the one who is last."
    )
    return [Table("Time to the same validation loss", note, rows)]


def first(curve: Curve, target: float) -> float:
    """Seconds until the loss was at most ``target``."""
    return next(seconds for loss, seconds in zip(curve.losses, curve.seconds, strict=True) if loss <= target)
