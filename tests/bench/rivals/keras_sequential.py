"""Contestant: Keras' `LSTM` and `Dense` layers in a `Sequential`, on TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

PACKAGE = "keras"


def prepare(
    y: np.ndarray, *, window: int, hidden: int, layers: int, batch: int, learning_rate: float, threads: int
) -> Callable[[int], tuple[int, int]]:
    """A function that fits for so many epochs and returns the numbers of gradient steps and of weights."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)

    def fit(epochs: int) -> tuple[int, int]:
        windows = np.lib.stride_tricks.sliding_window_view(y[:-1], window)[:, :, np.newaxis]
        below = [keras.layers.LSTM(hidden, return_sequences=True) for _ in range(layers - 1)]
        model = keras.Sequential(
            [keras.Input((window, 1)), *below, keras.layers.LSTM(hidden), keras.layers.Dense(1)],
        )
        model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss="mse")
        model.fit(windows, y[window:, np.newaxis], batch_size=batch, epochs=epochs, verbose=0)
        return int(model.optimizer.iterations), model.count_params()

    return fit
