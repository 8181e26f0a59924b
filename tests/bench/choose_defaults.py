"""Prints what the defaults were chosen by: validation losses of a few settings on several series, never a test score.

Each cell is the best validation loss (MSE) of a fit, as a share of repeat-last's on the same windows, mean over seeds.
The rows that a published protocol tests on are cut off before anything is seen. ETTh1 comes with the project; the other
series are read from ``../shared/data`` where that folder is.

    python tests/bench/choose_defaults.py                    # all series, all settings: some hours
    python tests/bench/choose_defaults.py co2 airline --seeds 2
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast import LSTMForecaster

ROOT = Path(__file__).parents[2]
OPEN_DATA = ROOT.parent / "shared" / "data"
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "clip_grad_norm=None": {"clip_grad_norm": None},
    "learning_rate=1e-3": {"learning_rate": 1e-3},
    "learning_rate=1e-3, clip_grad_norm=None": {"learning_rate": 1e-3, "clip_grad_norm": None},
    "batch_size=64": {"batch_size": 64},
    "num_layers=2": {"num_layers": 2},
    "loss='huber'": {"loss": "huber"},
    "normalize=None": {"normalize": None},
}


def _column(path: str, column: int, rows: int) -> np.ndarray:
    values = pd.to_numeric(pd.read_csv(OPEN_DATA / path).iloc[:rows, column], errors="coerce")
    return values.interpolate().bfill().to_numpy(float)


# name: (horizon, how the rows before the test part are read)
SERIES: dict[str, tuple[int, Callable[[], np.ndarray]]] = {
    "etth1": (24, lambda: pd.read_csv(ROOT / "notebooks/data/ETTh1.csv")["OT"].to_numpy()[:11_520]),
    "sunspots": (12, lambda: _column("classics/sunspots_monthly.csv", 1, 2300)),
    "melbourne": (7, lambda: _column("weather/melbourne_daily_min_temp.csv", 1, 2900)),
    "airline": (12, lambda: _column("classics/airline_passengers.csv", 1, 120)),
    "co2": (26, lambda: _column("classics/co2_weekly.csv", 1, 1800)),
    "taxi": (48, lambda: _column("nab/realKnownCause/nyc_taxi.csv", 1, 8000)),
}


def _share_of_repeat_last(y: np.ndarray, horizon: int, setting: dict[str, Any], seed: int) -> float:
    model = LSTMForecaster(horizon, validation_fraction=0.25, random_state=seed, **setting).fit(y)
    start = len(y) - round(0.25 * len(y))
    origins = np.arange(start, len(y) - horizon + 1)
    truth = y[origins[:, None] + np.arange(horizon)]
    forecasts = model.model_.forecast_series(y[:, None], origins)[:, :, 0]
    return float(np.mean((forecasts - truth) ** 2) / np.mean((y[origins - 1, None] - truth) ** 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", nargs="*", help=f"of {', '.join(SERIES)} (default: all that are there)")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    there = [name for name in SERIES if name == "etth1" or OPEN_DATA.exists()]
    table = pd.DataFrame(index=list(SETTINGS), dtype=float)
    for name in arguments.series or there:
        horizon, read = SERIES[name]
        for label, setting in SETTINGS.items():
            scores = [_share_of_repeat_last(read(), horizon, setting, seed) for seed in range(arguments.seeds)]
            table.loc[label, name] = np.mean(scores)
        print(table.to_string(float_format="{:.3f}".format), end="\n\n", flush=True)
    table["geometric mean"] = np.exp(np.log(table).mean(axis=1))
    print(table.to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
