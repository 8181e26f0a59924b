"""Cold start: ten days of a series that no network has seen, and a year of three others."""

from pathlib import Path

import numpy as np
import pandas as pd

from lstmforecast import LSTMForecaster

DATA = Path(__file__).resolve().parents[2] / "notebooks" / "data" / "ETTh1.csv"
HORIZON, WINDOW = 24, 96
# The first of the months that the protocol of ETTh1 validates on; the test months are not looked at.
START, STRETCH, AHEAD = 8640, 10 * 24, 20 * 24


def _mse(forecaster: LSTMForecaster, series: pd.Series) -> float:
    """Of a day ahead from every hour of the weeks after the stretch."""
    rows = series.iloc[START + STRETCH - WINDOW : START + STRETCH + AHEAD].to_numpy()
    origins = np.arange(WINDOW, len(rows) - HORIZON + 1)
    windows = np.stack([rows[origin - WINDOW : origin] for origin in origins])
    truth = np.stack([rows[origin : origin + HORIZON] for origin in origins])
    forecasts = forecaster.model_.forecast(windows[..., None])
    return float(np.mean((forecasts[..., 0] - truth) ** 2))


def test_transfer_beats_training_from_scratch() -> None:
    frame = pd.read_csv(DATA, parse_dates=["date"], index_col="date").asfreq("h")
    series, others = frame["OT"], frame[["HUFL", "HULL", "MULL"]].iloc[:START]
    stretch = series.iloc[START : START + STRETCH]
    scratch, transfer = [], []
    for seed in range(5):
        parameters = {"window_size": WINDOW, "random_state": seed, "n_threads": 1}
        source = LSTMForecaster(HORIZON, **parameters).fit(others)
        scratch.append(_mse(LSTMForecaster(HORIZON, **parameters).fit(stretch), series))
        warm = LSTMForecaster(HORIZON, **parameters).load_pretrained(source, freeze="lstm.*").fit(stretch)
        assert warm.pretrained_["left"] == []
        transfer.append(_mse(warm, series))
    # from scratch, naive forecasts are a large part of the forecast of few rows
    assert np.median(transfer) < 0.97 * np.median(scratch)
