"""Time to the validation loss of the usual recipe: a plain LSTM in PyTorch, as tutorials write it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from tests.accuracy.etth1 import EARLY_STOPPING, TRAIN, VALIDATION, variables
from tests.accuracy.scoring import THREADS
from tests.bench.convergence import Curve, first, stale
from tests.bench.report import Table
from torch import nn

from lstmforecast import LSTMForecaster

WINDOW, HORIZON, HIDDEN, BATCH, RATE = 96, 96, 64, 32, 1e-3


class Recipe(nn.Module):
    """Two LSTM layers, and a linear layer from the last step to all steps of all variables."""

    def __init__(self, n_variables: int, horizon: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_variables, HIDDEN, num_layers=2, batch_first=True)
        self.fc = nn.Linear(HIDDEN, horizon * n_variables)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Windows (batch, WINDOW, n_variables) to forecasts (batch, horizon * n_variables)."""
        return self.fc(self.lstm(windows)[0][:, -1])


def samples(values: np.ndarray, origins: np.ndarray, horizon: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows and targets in scaled units."""
    windows = values[origins[:, None] + np.arange(-WINDOW, 0)]
    targets = values[origins[:, None] + np.arange(horizon)].reshape(len(origins), -1)
    return torch.from_numpy(windows).float(), torch.from_numpy(targets).float()


def recipe(values: np.ndarray, horizon: int, epochs: int, stride: int) -> Curve:
    """Adam, a plateau schedule, early stopping: validation loss after each epoch."""
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    windows, targets = samples(values, np.arange(WINDOW, TRAIN - horizon + 1, stride), horizon)
    held_out = samples(values, np.arange(TRAIN, TRAIN + VALIDATION - horizon + 1, stride), horizon)
    network = Recipe(values.shape[1], horizon)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)
    curve, begin = Curve([], []), time.perf_counter()
    while len(curve.losses) < epochs and not stale(curve.losses):
        for indices in torch.randperm(len(windows)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(windows[indices]), targets[indices]).backward()
            optimizer.step()
        with torch.no_grad():
            curve.losses.append(nn.functional.mse_loss(network(held_out[0]), held_out[1]).item())
        schedule.step(curve.losses[-1])
        curve.seconds.append(time.perf_counter() - begin)
    return curve


def ours(y: Any, horizon: int) -> tuple[Curve, float]:
    """Validation loss after each epoch of a fit of the defaults, and the seconds of all of it."""
    curve, begin = Curve([], []), time.perf_counter()

    def note(record: dict[str, Any]) -> None:
        curve.losses.append(record["val_loss"])
        curve.seconds.append(time.perf_counter() - begin)

    # the loss that the recipe minimises, so that the curves can be compared
    options: dict[str, Any] = {"loss": "mse", "early_stopping": EARLY_STOPPING, "n_threads": THREADS}
    LSTMForecaster(horizon, **options, random_state=0, callbacks=[note]).fit(y)
    return curve, time.perf_counter() - begin


def run(*, once: bool) -> list[Table]:
    """Measure both, three times in turn."""
    horizon, epochs, stride, repeats = (4, 1, 200, 1) if once else (HORIZON, 60, 1, 3)
    y = variables("OT").to_frame() if once else variables("all 7")
    y = y.iloc[: TRAIN + VALIDATION]
    values = y.to_numpy(float)
    values = (values - values[:TRAIN].mean(axis=0)) / values[:TRAIN].std(axis=0)
    rows = []
    for _ in range(repeats):
        plain = recipe(values, horizon, epochs, stride)
        curve, seconds = ours(y, horizon)
        target = min(plain.losses)
        to_best, to_target = first(plain, target), first(curve, max(target, min(curve.losses)))
        row = {"recipe: best loss": target, "recipe: s to it": to_best}
        row |= {"ours: s to it": to_target, "ratio": to_best / to_target}
        rows.append(row | {"ours: best loss": min(curve.losses), "ours: s of the fit": seconds})
    note = (
        f"ETTh1, all 7, {horizon} hours ahead: mean squared error in scaled units on the validation hours. Recipe: in\n"
        f"PyTorch, window {WINDOW}, two layers of {HIDDEN}, Adam at {RATE}, batches of {BATCH}, plateau, early\n"
        "stopping. Ours: the defaults with loss='mse'; seconds from the call of fit to the look at the held-out hours\n"
        f"that passes the target. {THREADS} threads, both in turn."
    )
    return [Table("Time to the recipe's best validation loss", note, rows)]
