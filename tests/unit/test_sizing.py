"""The default window, and the rows that a series needs, as the core itself sees it."""

import numpy as np
import pytest

from lstmforecast.forecaster import LSTMForecaster
from lstmforecast.sizing import default_window_size, resolve_window_size


@pytest.mark.parametrize(
    ("n_rows", "horizon", "window_size"),
    [(10_000, 1, 48), (10_000, 24, 96), (10_000, 720, 168), (80, 24, 20), (2, 24, 1)],
)
def test_the_default_window_is_four_horizons_and_shrinks_with_the_data(n_rows, horizon, window_size):
    assert default_window_size(n_rows, horizon) == window_size


@pytest.mark.parametrize(
    ("window_size", "horizon", "fraction", "needed"),
    [
        (12, 4, 0.2, 20),  # 16 rows to train, 4 held out
        (12, 4, 0.0, 16),
        (12, 4, 0.4, 26),  # 15.6 rounds to 16
        (None, 1, 0.2, 2),  # a window of one row and its horizon; a fifth of two rows rounds to none held out
        (None, 24, 0.0, 31),  # a window of 7 rows
    ],
)
def test_the_rows_that_the_message_names_suffice_and_one_less_does_not(window_size, horizon, fraction, needed):
    size = resolve_window_size(needed, window_size, horizon, fraction)
    with pytest.raises(ValueError, match=rf"at least {needed} rows for window_size={size}, .*got {needed - 1}"):
        resolve_window_size(needed - 1, window_size, horizon, fraction)
    model = LSTMForecaster(
        horizon, window_size=size, validation_fraction=fraction, hidden_size=4, max_epochs=1, n_threads=1
    )
    model.fit(np.arange(float(needed)))
    # The core's own check, which speaks of its parts, agrees.
    core = model._new_model(window_size=size, horizon=horizon, n_features=1, n_targets=1, seed=0)
    with pytest.raises(ValueError, match="expected at least"):
        core.fit_series(np.arange(needed - 1.0)[:, np.newaxis], model._training(0))


def test_holding_nothing_out_is_offered():
    with pytest.raises(ValueError, match=r"validation_fraction=0.2, got 18; patience=None holds nothing out"):
        resolve_window_size(18, 12, 4, 0.2)
    assert resolve_window_size(18, 12, 4, 0.0) == 12
