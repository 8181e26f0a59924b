"""Contestant: neuralforecast's `LSTM`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PACKAGE = "neuralforecast"


def prepare(
    y: np.ndarray, *, window: int, hidden: int, layers: int, batch: int, learning_rate: float, threads: int
) -> Callable[[int], tuple[int, int]]:
    """A function that fits for so many epochs and returns the numbers of gradient steps and of weights."""
    import pandas as pd
    import torch
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import LSTM

    torch.set_num_threads(threads)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    trainer = {"accelerator": "cpu", "enable_checkpointing": False, **quiet}
    table = pd.DataFrame({"unique_id": 0, "ds": np.arange(len(y)), "y": y})
    steps_of_epoch = -(-(len(y) - window) // batch)

    def fit(epochs: int) -> tuple[int, int]:
        steps = epochs * steps_of_epoch
        model = LSTM(
            h=1, input_size=window, encoder_hidden_size=hidden, encoder_n_layers=layers, encoder_dropout=0.0,
            decoder_layers=1, loss=MSE(), scaler_type="identity", windows_batch_size=batch, batch_size=1,
            learning_rate=learning_rate, max_steps=steps, val_check_steps=steps, early_stop_patience_steps=-1,
            random_seed=0, **trainer,
        )  # fmt: skip
        forecaster = NeuralForecast([model], freq=1)
        forecaster.fit(table)
        fitted = forecaster.models[0]
        weights = sum(weight.numel() for weight in fitted.parameters())
        # it drops its trainer at the end, but keeps the loss of every step
        return len(fitted.train_trajectories), weights

    return fit
