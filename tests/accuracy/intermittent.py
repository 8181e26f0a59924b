"""Panels and series that are mostly 0: totals of forecasts beside what was sold, and errors beside simple forecasts.

python -m tests.accuracy intermittent
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tests.accuracy.scoring import THREADS, Methods
from tests.accuracy.series import OPEN_DATA
from tests.bench.report import Table

from lstmforecast import Folds, LSTMForecaster, backtest

N_SERIES, N_DAYS, HORIZON = 100, 356, 28
# The share of values by which the smoothed size and interval of SBA follow a new one.
SMOOTHING = 0.1
SEEDS = 3
NOTE = (
    "Test rows of all series are forecast a horizon at a time. total: what was forecast divided by what was sold, in\n"
    f"percent. MAE, and RMSSE by series. Means over {SEEDS} seeds (panels that are simulated or thinned differ, too).\n"
    "SBA: Croston's forecast, corrected (Syntetos and Boylan 2005)."
)


class Case(NamedTuple):
    """Values, covariates known in advance or None, the steps to forecast, and the test rows."""

    y: pd.Series
    X: pd.DataFrame | None
    horizon: int = HORIZON
    n_test: int = 2 * HORIZON


def panel(values: np.ndarray, times: pd.DatetimeIndex) -> pd.Series:
    """A panel of rows (n_series, n_times)."""
    index = pd.MultiIndex.from_product([range(len(values)), times], names=["unique_id", "ds"])
    return pd.Series(values.ravel().astype(float), index, name="y")


def simulated(kind: str, n: int, rng: np.random.Generator) -> Case:
    """Daily sales of ``n`` products, of 0.1 to 0.8 a day in the mean.

    ``kind`` is "poisson", "negative binomial", "lumpy" (many at a time), "seasonal" (by the day of the week),
    "promotions" (known in advance) or "beside others": half of the products are sold by dozens.
    """
    days, shape = np.arange(N_DAYS), (n, N_DAYS)
    level = np.exp(rng.uniform(np.log(0.1), np.log(0.8), (n, 1)))
    mean, X = np.broadcast_to(level, shape), None
    times = pd.date_range("2025-01-06", periods=N_DAYS, freq="D")
    if kind in ("seasonal", "beside others"):
        week = np.exp(rng.normal(0, 0.7, (n, 7)))
        mean = level * (week / week.mean(axis=1, keepdims=True))[:, days % 7]
        mean = mean * np.where((np.arange(n) % 2 == 0) & (kind == "beside others"), 100, 1)[:, np.newaxis]
    if kind == "promotions":
        promoted = rng.uniform(size=shape) < 0.08
        mean, X = 0.6 * level * (1 + 7 * promoted), panel(promoted, times).rename("promoted").to_frame()
    sold = rng.poisson(mean)
    if kind == "negative binomial":
        sold = rng.negative_binomial(0.5, 0.5 / (0.5 + mean))
    if kind == "lumpy":
        sold = np.where(rng.uniform(size=shape) < mean / 2, np.ceil(rng.lognormal(1.5, 1, shape)), 0)
    return Case(panel(sold, times), X)


def hospital(n: int, rng: np.random.Generator) -> Case:
    """Monthly patients of ``n`` products of a hospital, of whom one in so many is counted that the mean is 0.5."""
    table = pd.read_csv(OPEN_DATA / "gift/hospital_monthly.csv", index_col="month").iloc[:, :n]
    counts = table.to_numpy().T.astype(np.int64)
    thinned = rng.binomial(counts, 0.5 / np.maximum(counts.mean(axis=1, keepdims=True), 0.5))
    return Case(panel(thinned, pd.date_range(table.index[0], periods=len(table), freq="MS")), None, 12, 24)


def requests(n: int, rng: np.random.Generator) -> Case:
    """Requests of a server in 5 minutes (two weeks), one in 100 of which is counted; a single series."""
    counts = pd.read_csv(OPEN_DATA / "nab/realAWSCloudwatch/elb_request_count_8c0756.csv")["value"].to_numpy(np.int64)
    times = pd.date_range("2014-04-10", periods=len(counts), freq="5min")
    return Case(pd.Series(rng.binomial(counts, 0.01).astype(float), times), None, 12, 576)


def rain(n: int, rng: np.random.Generator) -> Case:
    """Hours of rain of each day in Beijing (five years): a single series."""
    table = pd.read_csv(OPEN_DATA / "weather/beijing_pm25_hourly.csv")
    hours = (table["Ir"].to_numpy() > 0).reshape(-1, 24).sum(axis=1).astype(float)
    return Case(pd.Series(hours, pd.date_range("2010-01-01", periods=len(hours), freq="D")), None, 14, 364)


KINDS = ("poisson", "negative binomial", "lumpy", "seasonal", "promotions", "beside others")
CASES: dict[str, Callable[[int, np.random.Generator], Case]] = {
    **{kind: partial(simulated, kind) for kind in KINDS},
    "hospital, thinned": hospital,
    "requests, thinned": requests,
    "rain": rain,
}


def sba(y: pd.Series, horizon: int) -> np.ndarray:
    """Croston's forecast by the corrected ratio of smoothed sizes and smoothed intervals (Syntetos and Boylan 2005)."""
    values = y.to_numpy()
    at = np.flatnonzero(values)
    if not len(at):
        return np.zeros(horizon)
    size, interval = values[at[0]], float(at[0] + 1)
    for place, steps in zip(at[1:], np.diff(at), strict=True):
        size += SMOOTHING * (values[place] - size)
        interval += SMOOTHING * (steps - interval)
    return np.full(horizon, (1 - SMOOTHING / 2) * size / interval)


METHODS: Methods = {"LSTM": {}, "LSTM, medians": {"loss": "mae"}}
OTHERS = {"SBA": sba, "zeros": lambda y, horizon: np.zeros(horizon)}


def scores(case: Case, methods: Methods, seed: int) -> dict[str, dict[str, float]]:
    """Total, MAE and, of panels, RMSSE of each method and of simple forecasts."""
    found: dict[str, dict[str, float]] = {}
    for name, changes in methods.items():
        model = LSTMForecaster(case.horizon, random_state=seed, n_threads=THREADS, **changes)
        folds = Folds(case.n_test, stride=case.horizon)
        # simple forecasts are those of the first method too
        result = backtest(model, case.y, case.X, folds=folds, others={} if found else OTHERS)
        table = result.forecasts.rename(columns={"forecast": name})
        rows = result.scores.rename(index={"LSTMForecaster": name})
        for method, row in (rows.iloc[:1] if found else rows).iterrows():
            total = 100 * table[method].sum() / table["truth"].sum() if method in table else np.nan
            found[method] = {"total": total, "MAE": row["MAE"], "RMSSE": row.get("RMSSE", np.nan)}
    return found


def run(*, once: bool) -> list[Table]:
    """Score all cases whose data are there."""
    rows: list[dict[str, Any]] = []
    for name in ("lumpy",) if once else CASES:
        each = []
        for seed in range(1 if once else SEEDS):
            try:
                case = CASES[name](10 if once else N_SERIES, np.random.default_rng(seed))
            except FileNotFoundError:
                break
            each.append(pd.DataFrame(scores(case, METHODS, seed)).T)
        if each:
            mean = pd.concat(each).groupby(level=0, sort=False).mean()
            rows += [{"data": name, "forecast": method} | row.to_dict() for method, row in mean.iterrows()]
    return [Table("Intermittent demand", NOTE, rows)]
