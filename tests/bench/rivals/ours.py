"""Contestant: `LSTMForecaster`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PACKAGE = "lstmforecast"


def prepare(
    y: np.ndarray, *, window: int, hidden: int, layers: int, batch: int, learning_rate: float, threads: int
) -> Callable[[int], tuple[int, int]]:
    """A function that fits for so many epochs and returns the numbers of gradient steps and of weights."""
    from lstmforecast import LSTM, Adam, LSTMForecaster, Sampling

    def fit(epochs: int) -> tuple[int, int]:
        model = LSTMForecaster(
            horizon=1, window_size=window, architecture=LSTM(segment_length=1, linear_skip=False), hidden_size=hidden,
            num_layers=layers, batch_size=batch, learning_rate=learning_rate, lr_schedule="constant",
            optimizer=Adam(clip_grad_norm=None), early_stopping=None, max_epochs=epochs,
            sampling=Sampling(steps_per_epoch=None), loss="mse", n_threads=threads, random_state=0,
        ).fit(y)  # fmt: skip
        weights = sum(weight.size for weight in model.model_.parameters().values())
        return model.n_epochs_ * -(-(len(y) - window) // batch), weights

    return fit
