"""Six files of the Numenta Anomaly Benchmark, scored as it does (standard profile), beside published detectors.

Detectors are fitted to the rows that NAB leaves to learn from, then take in one row after the other; one setting for
all files.
"""

from __future__ import annotations

import json
import time
import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tests.accuracy.nab_scoring import Window, probation, rows_of, score
from tests.accuracy.series import OPEN_DATA
from tests.bench.report import Table

from lstmforecast import LSTMAnomalyDetector
from lstmforecast.monitoring.events import find_runs

FOLDER = OPEN_DATA / "nab"
# Raw scores of each file at one threshold for NAB's whole corpus, as NAB's repository has them.
PUBLISHED = {
    "nyc_taxi": (2.436, -1.320, 3.775, -3.185, -5.000),
    "ambient_temperature_system_failure": (-0.759, -0.319, 1.658, 1.762, -2.000),
    "machine_temperature_system_failure": (1.360, -0.165, 2.556, -2.119, -4.000),
    "ec2_request_latency_system_failure": (1.706, 1.991, 1.391, 1.846, 2.022),
    "rds_cpu_utilization_e47b3b": (1.712, 1.617, 1.406, 1.613, -0.138),
    "elb_request_count_8c0756": (1.606, 1.716, 1.364, 1.606, -0.138),
}
NAMES = ("Numenta HTM", "CAD OSE", "ARTime", "random cut forest", "windowed Gaussian")
SETTING: dict[str, Any] = {"refit_every": 2000}
# Severities at which an alarm could be raised: 1 is the detector's own threshold.
LEVELS = np.round(np.arange(0.7, 2.01, 0.05), 2)


class File(NamedTuple):
    """A labelled series, and the rows to learn from."""

    name: str
    values: pd.Series
    windows: list[Window]

    @property
    def n_first(self) -> int:
        """Rows to learn from."""
        return probation(len(self.values))

    def score(self, severity: np.ndarray, level: float, min_gap: int) -> float:
        """What the beginnings of events score."""
        runs = find_runs(severity, level, min_gap)
        return score([run.first for run in runs], self.windows, len(self.values))


def read() -> list[File]:
    """All files, their rows in the order in which they stand."""
    files = []
    for path, windows in json.loads((FOLDER / "windows.json").read_text()).items():
        values = pd.read_csv(FOLDER / path, parse_dates=["timestamp"], index_col="timestamp")["value"]
        files.append(File(path.split("/")[1].removesuffix(".csv"), values, rows_of(values.index.to_numpy(), windows)))
    return files


def watch(file: File, setting: dict[str, Any], n_rows: int | None = None) -> np.ndarray:
    """Severities of all rows, each judged by those before it; 0 for those to learn from."""
    detector = LSTMAnomalyDetector(random_state=0, **setting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # their clocks jump, and that is the point
        detector.fit(file.values.iloc[: file.n_first])
    decisions = detector.update(file.values.iloc[file.n_first : n_rows])
    return np.concatenate([np.zeros(file.n_first), 1 - decisions])


def naive(file: File) -> np.ndarray:
    """Severities of a band of 3.5 deviations around the values of the rows to learn from."""
    first = file.values.iloc[: file.n_first]
    severity = (file.values - first.mean()).abs() / (3.5 * first.std())
    severity.iloc[: file.n_first] = 0
    return severity.to_numpy()


def sweep(files: list[File], severities: list[np.ndarray], min_gap: int) -> np.ndarray:
    """Scores at each level, of each file."""
    each = [[file.score(s, level, min_gap) for file, s in zip(files, severities, strict=True)] for level in LEVELS]
    return np.array(each)


def left_out(scores: np.ndarray) -> float:
    """The sum over files of the score at the level (or setting) that is best for the others."""
    return float(sum(scores[np.delete(scores, i, axis=1).sum(axis=1).argmax(), i] for i in range(scores.shape[1])))


def run(*, once: bool) -> list[Table]:
    """Score all files, where they are there."""
    if not FOLDER.exists():
        return [Table("NAB", "The data are not there.", [{"file": "-"}])]
    files = read()[-1:] if once else read()
    setting = {"forecaster": None, "refit_every": None} if once else SETTING
    min_gap = LSTMAnomalyDetector().min_gap
    severities, rows = [], []
    for file in files:
        begin = time.perf_counter()
        severities.append(watch(file, setting, 1000 if once else None))
        rows.append({"file": file.name, "windows": len(file.windows), "null": -len(file.windows)})
        severities[-1] = np.pad(severities[-1], (0, len(file.values) - len(severities[-1])))
        rows[-1]["LSTM"] = file.score(severities[-1], 1.0, min_gap)
        rows[-1]["naive band"] = file.score(naive(file), 1.0, min_gap)
        rows[-1] |= dict(zip(NAMES, PUBLISHED[file.name], strict=True)) | {"s": time.perf_counter() - begin}
    frame = pd.DataFrame(rows)
    rows.append({"file": "sum"} | frame.drop(columns="file").sum().to_dict())
    scores = sweep(files, severities, min_gap)
    best = int(scores.sum(axis=1).argmax())
    note = (
        f"Raw scores of the standard profile; LSTM: {setting}, at its own threshold; only the first alarm of an event\n"
        "counts as one. naive band: 3.5 deviations around the mean of the rows to learn from. Published: at the one\n"
        "threshold that is best for NAB's whole corpus of 58 files."
    )
    swept = [
        {"alarm at": "the detector's own threshold", "sum": frame["LSTM"].sum()},
        {"alarm at": f"{LEVELS[best]:.2f} thresholds, the best of {len(LEVELS)}", "sum": scores[best].sum()},
        {"alarm at": "what is best for the five other files", "sum": left_out(scores)},
    ]
    return [Table("NAB", note, rows), Table("NAB: one severity for all files", "Sum of the scores.", swept)]
