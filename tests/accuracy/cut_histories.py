"""What shares of naive forecasts were chosen by: histories of open series, cut before the rows that are kept for tests.

    python -m tests.accuracy.cut_histories    # two minutes

Each history is a fit, whose forecasts from up to 24 origins within three horizons are judged by their mean absolute
error. It is divided by that of the better of both naive forecasts, which is chosen with hindsight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tests.accuracy.gift import CONFIGURATIONS
from tests.accuracy.gift import naive as repeated
from tests.accuracy.series import CASES, OPEN_DATA
from tests.bench.report import Table

from lstmforecast import LSTM, LSTMForecaster

# Frequency, horizon and season of each kind.
KINDS = {"D": ("D", 30, 7), "W": ("7D", 8, 1), "MS": ("MS", 12, 12), "QS": ("QS", 8, 4), "h": ("h", 48, 24)}
LENGTHS = (60, 100, 200, 400, 700)
N_ORIGINS = 24
METHODS = {"mixed": {}, "network alone": {"architecture": LSTM(mix_naive=False)}, "linear": {"architecture": "linear"}}


def series() -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, kind and rows (n, k) before any test rows."""
    weather = pd.read_csv(OPEN_DATA / "weather/beijing_pm25_hourly.csv")
    times = pd.DatetimeIndex(pd.to_datetime(weather[["year", "month", "day", "hour"]]))
    for name in ("DEWP", "TEMP", "PRES", "Iws"):
        days = pd.Series(weather[name].to_numpy(float), times)[:-8760].resample("D").mean()
        yield name, "D", days.to_numpy()[:, np.newaxis]
        yield name, "W", days.resample("7D").mean().to_numpy()[:, np.newaxis]
    for stock in ("AAPL", "AMZN", "FB", "GOOG"):
        volume = pd.read_csv(OPEN_DATA / f"finance/{stock}.csv")["Volume"].to_numpy(float)
        yield stock, "W", volume[: len(volume) // 5 * 5].reshape(-1, 5, 1).sum(axis=1)
    for name, kind in (("melbourne", "D"), ("co2", "W"), ("sunspots", "MS"), ("airline", "MS"), ("etth1 OT", "h")):
        yield name, kind, CASES[name]().before_test.to_numpy(float)[:, np.newaxis]
    for name, kind, kept in (("ett1/D/short", "D", 120), ("ett1/W/short", "W", 20), ("us_births/D/short", "D", 630)):
        yield name, kind, CONFIGURATIONS[name]().y.to_numpy(float)[:-kept]
    table = pd.read_csv(OPEN_DATA / "gift/hospital_monthly.csv").iloc[:60, 1::40]
    for name, column in table.items():
        yield f"hospital {name}", "MS", column.to_numpy(float)[:, np.newaxis]


def cuts(n: int, horizon: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Rows, and the row after the last, of up to two histories of each length."""
    for length in LENGTHS if n - horizon >= min(LENGTHS) else (n - horizon,):
        ends = np.arange(length, n - horizon + 1)
        for end in rng.choice(ends, min(2, len(ends)), replace=False):
            yield length, int(end)


def ratios(name: str, kind: str, rows: np.ndarray, length: int, end: int) -> dict[str, object] | None:
    """The error of each method, divided by that of the better naive forecast; None: too few rows."""
    freq, horizon, season = KINDS[kind]
    history = rows[end - length : end]
    change = np.abs(np.diff(history, axis=0)).mean(axis=0) + 1e-9
    known = rows[end - length : end + 4 * horizon]
    table = pd.DataFrame(known, pd.date_range("2000-01-03", periods=len(known), freq=freq))
    origins = np.unique(np.linspace(length, len(known) - horizon, N_ORIGINS).astype(int))

    def error(forecast: Callable[[int], np.ndarray]) -> float:
        truths = [(origin, known[origin : origin + horizon]) for origin in origins]
        return float(np.mean([np.abs(forecast(at).reshape(truth.shape) - truth) / change for at, truth in truths]))

    best = min(error(lambda at, lag=lag: repeated(known[:at], horizon, lag)) for lag in (1, season))
    row: dict[str, object] = {"series": name, "kind": kind, "rows": length}
    try:
        for method, changes in METHODS.items():
            model = LSTMForecaster(horizon, random_state=0, n_threads=1, **changes).fit(table.iloc[:length])
            size = model.window_size_
            row[method] = error(lambda at: model.predict(context=table.iloc[at - size : at]).to_numpy()) / best  # noqa: B023
    except ValueError:
        return None
    return row


def main() -> None:
    """Print geometric means by kind and by length."""
    rng, jobs = np.random.default_rng(0), []
    for name, kind, rows in series():
        jobs += [(name, kind, rows, *cut) for cut in cuts(len(rows), KINDS[kind][1], rng)]
    found = pd.DataFrame([row for row in Parallel(2)(delayed(ratios)(*job) for job in jobs) if row is not None])
    methods = list(METHODS)
    for by in ("kind", "rows"):
        logs = np.log(found[methods].clip(lower=1e-3)).groupby(found[by])
        table = np.exp(logs.mean()).assign(histories=logs.size()).reset_index()
        print(
            Table(
                f"Cut histories by {by}", "Errors as shares of the better naive forecast's.", table.to_dict("records")
            )
        )
    means = np.exp(np.log(found[methods].clip(lower=1e-3)).mean())
    worse = (found[methods] > 1.03).mean()
    total = [{"": "geometric mean", **means}, {"": "share worse by 3 %", **worse}]
    print(Table(f"All {len(found)}", "", total))


if __name__ == "__main__":
    main()
