"""M4 hourly: 414 series, 48 hours ahead, one network for all, scored as the competition did.

python -m tests.accuracy.m4     # what the setting was chosen by: the 48 hours before those of the test
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tests.accuracy.scoring import THREADS, Methods
from tests.accuracy.series import OPEN_DATA
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, Sampling
from lstmforecast.metrics import naive_scale
from lstmforecast.uncertainty.calibration import Calibration, levels_of

HORIZON, DAY = 48, 24
COVERAGES = (0.8, 0.95)
# By which the competition divided the scores: those of its Naive2.
NAIVE2 = {"sMAPE": 18.383, "MASE": 2.395}
# The setting that `choose` prints as best.
TUNED: dict[str, Any] = {"transform": "log", "normalize": "window", "hidden_size": 128}
METHODS: Methods = {
    "defaults": {},
    "normalize='last'": {"normalize": "last"},
    "transform='log', normalize='last'": {"transform": "log", "normalize": "last"},
    "tuned": TUNED,
    "tuned, five": TUNED | {"n_estimators": 5},
    "linear, transform='log'": {"transform": "log", "normalize": "last", "architecture": "linear"},
}
CHOICES: Methods = METHODS | {
    "tuned, hidden_size=64": TUNED | {"hidden_size": 64},
    "tuned, window_size=336": TUNED | {"window_size": 336},
    "tuned, normalize='last'": TUNED | {"normalize": "last"},
    "tuned, transform=None": TUNED | {"transform": None},
}


class Competition(NamedTuple):
    """Series to learn from, what followed, and the errors by which MASE divides."""

    y: pd.Series
    truth: np.ndarray
    scale: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """The row at which each series begins, and the number of rows."""
        _, codes = np.unique(self.y.index.get_level_values(0), return_inverse=True)
        return np.r_[0, np.flatnonzero(np.diff(codes)) + 1, len(codes)]

    def scores(self, forecast: np.ndarray) -> dict[str, float]:
        """Score forecasts (series, HORIZON): means over steps and series."""
        error = np.abs(self.truth - forecast)
        smape = float(np.mean(200 * error / (np.abs(self.truth) + np.abs(forecast))))
        mase = float(np.mean(error.mean(axis=1) / self.scale))
        return {"sMAPE": smape, "MASE": mase, "OWA": (smape / NAIVE2["sMAPE"] + mase / NAIVE2["MASE"]) / 2}

    def naive(self, season: int) -> np.ndarray:
        """The last season of each series, repeated."""
        ends = self.starts[1:, np.newaxis]
        return self.y.to_numpy()[ends - season + np.arange(HORIZON) % season]


def read(*, validation: bool = False, n_series: int | None = None) -> Competition:
    """The competition's data, or with ``validation`` one horizon earlier. Made-up hours stand for unknown ones."""
    train, test = (pd.read_csv(OPEN_DATA / f"panel/m4_hourly_{part}.csv", index_col=0) for part in ("train", "test"))
    series = {name: row.dropna().to_numpy(float) for name, row in train.iloc[:n_series].iterrows()}
    truth = test.iloc[:n_series].to_numpy(float)
    if validation:
        truth = np.array([values[-HORIZON:] for values in series.values()])
        series = {name: values[:-HORIZON] for name, values in series.items()}
    hours = pd.date_range("2017-01-01", periods=max(map(len, series.values())), freq="h")
    parts = {name: pd.Series(values, hours[: len(values)]) for name, values in series.items()}
    scale = np.array([naive_scale(values[:, np.newaxis], DAY)[0] for values in series.values()])
    return Competition(pd.concat(parts, names=["unique_id", "ds"]), truth, scale)


def fitted(data: Competition, changes: dict[str, Any], seed: int) -> LSTMForecaster:
    """One network for all series."""
    return LSTMForecaster(HORIZON, random_state=seed, n_threads=THREADS, **changes).fit(data.y)


def row_of(data: Competition, method: str, changes: dict[str, Any], seeds: int) -> dict[str, Any]:
    """Mean scores, half the range of OWA over seeds, median seconds of fit and forecasts."""
    scores, seconds = [], []
    for seed in range(seeds):
        begin = time.perf_counter()
        forecast = fitted(data, changes, seed).predict().to_numpy().reshape(-1, HORIZON)
        seconds.append(time.perf_counter() - begin)
        scores.append(data.scores(forecast))
    table = pd.DataFrame(scores)
    spread = {"+-": float(np.ptp(table["OWA"]) / 2), "s": float(np.median(seconds))}
    return {"forecast": method} | table.mean().to_dict() | spread


def naive_rows(data: Competition) -> list[dict[str, Any]]:
    """Scores of the naive forecasts."""
    named = {"repeat-last": 1, "seasonal-naive": DAY}
    return [{"forecast": name} | data.scores(data.naive(season)) for name, season in named.items()]


def interval_rows(data: Competition, changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Coverage of intervals on the test hours, and widths beside those of a seasonal naive forecast.

    The latter are made in the same way, from its errors on the hours that the fit held out.
    """
    model, rows = fitted(data, changes, seed=0), []
    levels = [level for coverage in COVERAGES for level in levels_of(coverage)]
    bounds = model.predict_interval(COVERAGES).to_numpy().reshape(-1, HORIZON, len(levels))
    naive = naive_bounds(data, levels)
    for at, coverage in enumerate(COVERAGES):
        lower, upper = bounds[..., 2 * at], bounds[..., 2 * at + 1]
        held = 100 * ((lower <= data.truth) & (data.truth <= upper)).mean(axis=0)
        width = ((upper - lower) / data.scale[:, np.newaxis]).mean()
        naive_width = ((naive[..., 2 * at + 1] - naive[..., 2 * at]) / data.scale[:, np.newaxis]).mean()
        row = {"coverage": 100 * coverage, "held": held.mean(), "least of a step": held.min()}
        rows.append(row | {"greatest of a step": held.max(), "width / seasonal naive's": width / naive_width})
    return rows


def naive_bounds(data: Competition, levels: list[float]) -> np.ndarray:
    """Quantiles (series, HORIZON, levels) of a seasonal naive forecast, calibrated on the last hours of each series."""
    spreads = data.scale[:, np.newaxis]
    ends = data.starts[1:, np.newaxis] - HORIZON
    values, steps = data.y.to_numpy(), np.arange(HORIZON)
    before = values[ends - DAY + steps % DAY]
    calibration = Calibration.of(values[ends + steps][..., np.newaxis], before[..., np.newaxis], spreads=spreads)
    errors = np.stack([calibration.quantile(level, "")[:, 0] for level in levels], axis=-1)
    return data.naive(DAY)[..., np.newaxis] + spreads[:, :, np.newaxis] * errors


INTERVALS_NOTE = (
    "Percent of the hours forecast in the intervals of the tuned setting; calibrated on the hours before them, all\n"
    "series together, in seasonal-naive errors of each. Width in the same unit, beside intervals made in the same way\n"
    "around a seasonal naive forecast."
)


def run(*, once: bool) -> list[Table]:
    """Score all, where the data are there."""
    if not OPEN_DATA.exists():
        return [Table("M4 hourly", "The data are not there.", [{"forecast": "-"}])]
    data = read(n_series=5 if once else None)
    methods = {"defaults": {"max_epochs": 1, "sampling": Sampling(steps_per_epoch=5)}} if once else METHODS
    rows = [row_of(data, name, changes, 1 if once else 3) for name, changes in methods.items()]
    note = (
        f"Means over series; over 3 seeds, with half the range of OWA (+-); {THREADS} threads, seconds of fit and\n"
        f"forecasts. tuned: {TUNED}, chosen by the 48 hours before the test.\n"
        "five: n_estimators=5. Published OWA (Makridakis et al. 2020): .410 the best entry for hours, .440 the winner\n"
        "over all (an LSTM hybrid), .634 the best entry by machine learning alone."
    )
    tables = [Table("M4 hourly", note, rows + naive_rows(data))]
    if not once:
        tables.append(Table("Intervals on M4 hourly", INTERVALS_NOTE, interval_rows(data, TUNED)))
    return tables


def choose() -> None:
    """Print the scores of several settings, and the intervals of one, on the hours before the test."""
    data = read(validation=True)
    rows = [row_of(data, name, changes, 2) for name, changes in CHOICES.items()]
    note = "Two seeds; the last 48 hours of the training series."
    print(Table("M4 hourly, validation", note, rows + naive_rows(data)))
    print(Table("Intervals on M4 hourly, validation", INTERVALS_NOTE, interval_rows(data, TUNED)))


if __name__ == "__main__":
    choose()
