"""Two files of SKAB: a valve of a water circuit is closed for some minutes. F1 of its rows, fitted to the first 400."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from tests.accuracy.series import OPEN_DATA
from tests.bench.report import Table

from lstmforecast import LSTM, LSTMAnomalyDetector, LSTMForecaster

FOLDER = OPEN_DATA / "industrial" / "skab" / "valve1"
N_FIRST = 400
LABELS = ["anomaly", "changepoint"]
# Forecasts that return to the levels of the first rows, so that a new level stays an error, and a threshold that learns
# no anomalies, so that a long one stays one.
FORECASTER: dict[str, Any] = {
    "window_size": 24,
    "normalize": None,
    "architecture": LSTM(linear_skip=False),
    "channels": "together",
}
SETTINGS: dict[str, dict[str, Any]] = {"defaults": {}, "levels": {"threshold": "pot", "smoothing": 12}}


def f1(truth: np.ndarray, found: np.ndarray) -> float:
    """The harmonic mean of precision and recall of the rows."""
    both = (truth & found).sum()
    return float(2 * both / (truth.sum() + found.sum())) if both else 0.0


def detector_of(setting: str, *, once: bool) -> LSTMAnomalyDetector:
    """An unfitted detector."""
    forecaster = None if setting == "defaults" else LSTMForecaster(24, **FORECASTER)
    if once:
        forecaster = LSTMForecaster(max_epochs=1, hidden_size=4)
    return LSTMAnomalyDetector(forecaster, random_state=0, **SETTINGS[setting])


def naive(values: pd.DataFrame, smoothing: int = 12) -> np.ndarray:
    """Rows whose distance from the first rows' means, in deviations, is above what 99 % of those have."""
    first = values.iloc[:N_FIRST]
    distance = (((values - first.mean()) / first.std()) ** 2).mean(axis=1) ** 0.5
    smooth = distance.ewm(span=smoothing).mean()
    return (smooth > smooth.iloc[:N_FIRST].quantile(0.99)).to_numpy()


def run(*, once: bool) -> list[Table]:
    """Score the files, where they are there."""
    if not FOLDER.exists():
        return [Table("SKAB", "The data are not there.", [{"detector": "-"}])]
    paths = sorted(FOLDER.glob("*.csv"))[: 1 if once else None]
    frames = [pd.read_csv(path, sep=";", parse_dates=["datetime"], index_col="datetime") for path in paths]
    truth = [frame["anomaly"].to_numpy() == 1 for frame in frames]
    rows = []
    for setting in list(SETTINGS)[: 1 if once else None]:
        begin, found = time.perf_counter(), []
        for frame in frames:
            values = frame.drop(columns=LABELS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # every twentieth second is missing
                found.append(detector_of(setting, once=once).fit(values[:N_FIRST]).predict(values) == -1)
        rows.append(row_of(setting, truth, found) | {"s": time.perf_counter() - begin})
    rows.append(row_of("naive band", truth, [naive(frame.drop(columns=LABELS)) for frame in frames]))
    note = (
        f"F1 of the rows of {len(paths)} of SKAB's 34 files. levels: {FORECASTER}, {SETTINGS['levels']}. naive band:\n"
        "root mean square distance from the means of the first rows, above its 99 % quantile there. Published, over\n"
        "all 34 files: .78 Conv-AE, .74 LSTM-AE, .54 vanilla LSTM, .29 isolation forest."
    )
    return [Table("SKAB", note, rows)]


def row_of(name: str, truth: list[np.ndarray], found: list[np.ndarray]) -> dict[str, object]:
    """F1 over all rows and of each file, and the rates of false and missed alarms."""
    all_truth, all_found = np.concatenate(truth), np.concatenate(found)
    each = {f"F1 of file {i + 1}": f1(t, p) for i, (t, p) in enumerate(zip(truth, found, strict=True))}
    false = 100 * (all_found & ~all_truth).sum() / (~all_truth).sum()
    missed = 100 * (~all_found & all_truth).sum() / all_truth.sum()
    return {"detector": name, "F1": f1(all_truth, all_found)} | each | {"false %": false, "missed %": missed}
