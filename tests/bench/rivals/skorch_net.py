"""Contestant: skorch's `NeuralNetRegressor` around `nn.LSTM` and `nn.Linear`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PACKAGE = "skorch"


def prepare(
    y: np.ndarray, *, window: int, hidden: int, layers: int, batch: int, learning_rate: float, threads: int
) -> Callable[[int], tuple[int, int]]:
    """A function that fits for so many epochs and returns the numbers of gradient steps and of weights."""
    import torch
    from skorch import NeuralNetRegressor

    torch.set_num_threads(threads)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(1, hidden, layers, batch_first=True)
            self.fc = torch.nn.Linear(hidden, 1)

        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            return self.fc(self.lstm(windows)[0][:, -1])

    def fit(epochs: int) -> tuple[int, int]:
        windows = np.lib.stride_tricks.sliding_window_view(y[:-1], window)[:, :, np.newaxis]
        net = NeuralNetRegressor(
            Network, optimizer=torch.optim.Adam, lr=learning_rate, batch_size=batch, max_epochs=epochs,
            train_split=None, iterator_train__shuffle=True, verbose=0,
        ).fit(windows.copy(), y[window:, np.newaxis])  # fmt: skip
        weights = sum(weight.numel() for weight in net.module_.parameters())
        return sum(net.history[:, "train_batch_count"]), weights

    return fit
