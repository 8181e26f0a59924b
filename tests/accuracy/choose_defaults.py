"""Prints what the defaults were chosen by: validation errors of a few settings on several series, never a test score.

Each cell is the mean squared error (of standardised values) on the validation rows, as a share of repeat-last's on the
same windows, mean over seeds. The rows that are kept for the test are cut off before anything is seen.

    python -m tests.accuracy.choose_defaults                 # all series that are there, all settings: minutes
    python -m tests.accuracy.choose_defaults etth1@336 airline@6 --settings "loss='mse'" "loss='huber'"
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from tests.accuracy.series import CASES, Case, there

from lstmforecast import LSTM, EarlyStopping, LSTMForecaster, Sampling

# What the defaults were before the window was cut into segments.
PLAIN = {"architecture": LSTM(segment_length=1, linear_skip=False), "channels": "together", "window_size": 96}
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "plain LSTM, 96 rows": PLAIN,
    "linear_skip=False": {"architecture": LSTM(linear_skip=False)},
    "channels='together'": {"channels": "together"},
    "normalize=None": {"normalize": None},
    "loss='mse'": {"loss": "mse"},
    "loss='huber'": {"loss": "huber"},
    "loss='mae'": {"loss": "mae"},
    "lr_schedule='onecycle'": {"lr_schedule": "onecycle"},
    "lr_schedule='plateau'": {"lr_schedule": "plateau"},
    "learning_rate=1e-3": {"learning_rate": 1e-3},
    "learning_rate=1e-2": {"learning_rate": 1e-2},
    "batch_size=128": {"batch_size": 128},
    "max_epochs=40": {"max_epochs": 40, "early_stopping__patience": 20},
    "8 epochs of 50 steps": {"max_epochs": 8, "sampling": Sampling(steps_per_epoch=50)},
    "hidden_size=128": {"hidden_size": 128},
    "num_layers=2": {"num_layers": 2},
}


def share_of_repeat_last(case: Case, setting: dict[str, Any], seed: int) -> float:
    """The error of a setting on the validation rows, as a share of repeat-last's."""
    y = case.before_test
    setting = {name: min(value, len(y) // 4) if name == "window_size" else value for name, value in setting.items()}
    model = LSTMForecaster(case.horizon, early_stopping=EarlyStopping(validation_fraction=0.25), random_state=seed)
    model.set_params(**setting).fit(y)
    values = np.ascontiguousarray(y.to_numpy(float).reshape(len(y), -1))
    start = len(values) - round(0.25 * len(values))
    origins = np.arange(start, len(values) - case.horizon + 1)
    truth = values[origins[:, None] + np.arange(case.horizon)]
    deviation = values[:start].std(axis=0)

    def error(forecast: np.ndarray) -> float:
        return float(np.mean(((forecast - truth) / deviation) ** 2))

    return error(model.model_.forecast_series(values, origins)) / error(values[origins - 1, None])


def case_of(name: str) -> Case:
    """A series by its name, or by ``name@horizon``."""
    series, _, horizon = name.partition("@")
    case = CASES[series]()
    return case._replace(horizon=int(horizon)) if horizon else case


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", nargs="*", help=f"of {', '.join(CASES)} (default: all that are there)")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), help="rows of the table (default: all)")
    arguments = parser.parse_args()
    table = pd.DataFrame(index=arguments.settings, dtype=float)
    for name in arguments.series or there():
        case, seeds = case_of(name), range(arguments.seeds)
        for label in arguments.settings:
            table.loc[label, name] = np.mean([share_of_repeat_last(case, SETTINGS[label], seed) for seed in seeds])
    table["geometric mean"] = np.exp(np.log(table).mean(axis=1))
    print(table.to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
