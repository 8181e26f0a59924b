"""False alarms and delays of `lstmforecast.DriftMonitor`, on simulated streams and on real ones that were changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from tests.accuracy.series import ROOT
from tests.bench.report import Table

from lstmforecast import DriftMonitor

WINDOW = 168


def stream(rng: np.random.Generator, n: int, k: int, persistence: float) -> np.ndarray:
    """Normal values of variance 1, each that much like the one before."""
    values = rng.standard_normal((n, k))
    for i in range(1, n):
        values[i] = persistence * values[i - 1] + np.sqrt(1 - persistence**2) * values[i]
    return values


def alarms(monitor: DriftMonitor) -> np.ndarray:
    """The rows at which an alarm begins."""
    trace = monitor.trace()
    adwin = trace.columns.get_level_values("test") == "ADWIN"
    on = ((trace > 1) | ((trace == 1) & adwin)).any(axis=1).to_numpy()
    return trace.index.to_numpy()[on & ~np.r_[False, on[:-1]]]


def delay(found: np.ndarray, change: int, window: int) -> float:
    """Windows from the change to the first alarm that begins after it; infinite without one."""
    later = found[found > change]
    return float((later[0] - change) / window) if len(later) else np.inf


def simulate(k: int, persistence: float, n_reference: int, n_runs: int) -> dict[str, Any]:
    """Alarms in a window without change; medians of the delays after two changes."""
    rng, window = np.random.default_rng(0), WINDOW
    false, shifted, worse = [], [], []
    for _ in range(n_runs):
        n, start, change = (n_reference + 20) * window, n_reference * window, (n_reference + 2) * window
        x, e = stream(rng, n, k, persistence), stream(rng, n, 1, persistence)[:, 0]
        monitor = DriftMonitor(window).fit(x[:start], e[:start])
        monitor.update(x[start:], e[start:])
        false.append(len(alarms(monitor)) / 20)
        end = change + 6 * window
        moved, larger = x[:end].copy(), e[:end].copy()
        moved[change:, 0] += 1
        larger[change:] *= 2
        for inputs, errors, delays in ((moved, e[:end], shifted), (x[:end], larger, worse)):
            monitor.fit(inputs[:start], errors[:start])
            monitor.update(inputs[start:], errors[start:])
            delays.append(delay(alarms(monitor), 2 * window, window))
    row = {"features": k, "persistence": persistence, "reference": f"{n_reference} windows"}
    row |= {"false alarms a window": np.mean(false), "input + 1 deviation": np.median(shifted)}
    return row | {"errors doubled": np.median(worse)}


def real() -> list[tuple[str, pd.DataFrame, int, int]]:
    """Name, columns, a week of rows and the rows of the reference."""
    taxi = pd.read_csv(ROOT / "notebooks/data/nyc_taxi.csv", index_col="timestamp", parse_dates=True)
    etth1 = pd.read_csv(ROOT / "notebooks/data/ETTh1.csv", index_col="date", parse_dates=True)
    return [("taxi", taxi, 336, 10 * 336), ("ETTh1", etth1, 168, 26 * 168)]


def change_real(name: str, y: pd.DataFrame, week: int, start: int) -> list[dict[str, Any]]:
    """What is said of the weeks after the reference as they are, and with changes from their fifth on."""
    errors = (y.iloc[:, -1] - y.iloc[:, -1].shift(week)).to_numpy()
    values, change, end = y.to_numpy(float), start + 4 * week, start + 8 * week
    rows = []
    for label, level, factor, error in (
        ("none", 0.0, 1.0, 1.0),
        ("level + 1 deviation", 1.0, 1.0, 1.0),
        ("values x 1.5", 0.0, 1.5, 1.0),
        ("errors x 2", 0.0, 1.0, 2.0),
    ):
        changed, wrong = values.copy(), errors.copy()
        changed[change:, -1] = changed[change:, -1] * factor + level * values[:start, -1].std()
        wrong[change:] *= error
        monitor = DriftMonitor(week).fit(changed[:start], wrong[:start])
        monitor.update(changed[start:end], wrong[start:end])
        found = alarms(monitor)
        rows.append({"series": name, "change": label, "alarms in 4 weeks before": int((found <= 4 * week).sum())})
        rows[-1] |= {"delay, weeks": delay(found, 4 * week, week), "said last": monitor.reason_[:60] or "ok"}
    return rows


def run(*, once: bool) -> list[Table]:
    """Make the tables of simulated and of real streams."""
    cases = [(1, 0.0, 10), (10, 0.0, 10), (3, 0.5, 10), (3, 0.5, 30), (3, 0.9, 10), (3, 0.9, 30)]
    n_runs = 2 if once else 40
    rows = [simulate(*case, n_runs) for case in (cases[:1] if once else cases)]
    note = (
        f"{n_runs} streams of 20 windows of {WINDOW} rows, false_alarms=0.01 a window; delays in windows, medians,\n"
        "from the third window after the reference on; persistence: how much a value is like the one before."
    )
    note_real = (
        "Weeks after a reference of 10 (taxi, half-hours) and 26 weeks (ETTh1, hours, seven columns); changes of the\n"
        "last column from the fifth week on; errors of the value a week before."
    )
    found = [row for case in real()[: 1 if once else 2] for row in change_real(*case)]
    return [Table("DriftMonitor, simulated", note, rows), Table("DriftMonitor, real", note_real, found)]
