"""Contestant: darts' `BlockRNNModel`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PACKAGE = "darts"


def prepare(
    y: np.ndarray, *, window: int, hidden: int, layers: int, batch: int, learning_rate: float, threads: int
) -> Callable[[int], tuple[int, int]]:
    """A function that fits for so many epochs and returns the numbers of gradient steps and of weights."""
    import torch
    from darts import TimeSeries
    from darts.models import BlockRNNModel

    torch.set_num_threads(threads)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    trainer = {"accelerator": "cpu", "enable_checkpointing": False, **quiet}
    # float32, which makes the network float32 too
    target = TimeSeries.from_values(y)

    def fit(epochs: int) -> tuple[int, int]:
        model = BlockRNNModel(
            model="LSTM", input_chunk_length=window, output_chunk_length=1, hidden_dim=hidden, n_rnn_layers=layers,
            dropout=0.0, batch_size=batch, n_epochs=epochs, optimizer_kwargs={"lr": learning_rate}, random_state=0,
            pl_trainer_kwargs=trainer,
        )  # fmt: skip
        model.fit(target, verbose=False)
        weights = sum(weight.numel() for weight in model.model.parameters())
        return model.trainer.global_step, weights

    return fit
