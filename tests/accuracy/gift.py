"""Ten configurations of GIFT-Eval (Aksu et al. 2024) whose data are open: the defaults beside published scores.

A fit sees the rows before the first test window; each window is forecast from all rows before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tests.accuracy.scoring import THREADS
from tests.accuracy.series import OPEN_DATA
from tests.bench.report import Table

from lstmforecast import LSTMForecaster

LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
# Published models that stand beside ours: those trained on the data set itself, and two that are not.
BESIDE = ("xLSTM-Mixer", "PatchTST", "N-BEATS", "deepar", "auto_ets", "TiRex", "chronos-2")
TRAINED = ("deep-learning", "statistical")
MOST_WINDOWS = 20


class Configuration(NamedTuple):
    """Data (a frame, or a panel by a MultiIndex), prediction length, and the season of MASE."""

    y: Any
    horizon: int
    season: int
    test_rows: int | None = None


def _whole_weeks(table: pd.DataFrame, n_rows: int) -> pd.DataFrame:
    """Without the incomplete last one, of ``n_rows`` each."""
    return table.iloc[: len(table) // n_rows * n_rows]


def _births(freq: str) -> pd.DataFrame:
    table = pd.read_csv(OPEN_DATA / "gift/us_births_daily.csv", parse_dates=["date"]).set_index("date")
    if freq == "W":
        return _whole_weeks(table, 7).resample("7D").sum()
    return table.asfreq("D") if freq == "D" else table.resample("MS").sum()


def _ett(freq: str) -> pd.DataFrame:
    table = pd.read_csv(OPEN_DATA / "ett/ETTh1.csv", parse_dates=["date"]).set_index("date")
    if freq == "W":
        return _whole_weeks(table, 168).resample("7D").mean()
    return table.asfreq("h") if freq == "H" else table.resample("D").mean()


def _panel(series: dict[str, np.ndarray], freq: str) -> pd.DataFrame:
    times = pd.date_range("2000-01-01", periods=max(map(len, series.values())), freq=freq)
    parts = {name: pd.DataFrame({"y": values}, times[: len(values)]) for name, values in series.items()}
    return pd.concat(parts, names=["unique_id", "ds"])


def _hospital() -> pd.DataFrame:
    table = pd.read_csv(OPEN_DATA / "gift/hospital_monthly.csv").iloc[:, 1:]
    return _panel({name: column.to_numpy(float) for name, column in table.items()}, "MS")


def _m4() -> pd.DataFrame:
    train, test = (pd.read_csv(OPEN_DATA / f"panel/m4_hourly_{part}.csv", index_col=0) for part in ("train", "test"))
    both = {name: np.r_[train.loc[name].dropna(), test.loc[name].dropna()] for name in train.index}
    return _panel(both, "h")


CONFIGURATIONS: dict[str, Callable[[], Configuration]] = {
    "hospital/M/short": lambda: Configuration(_hospital(), 12, 12),
    "us_births/D/short": lambda: Configuration(_births("D"), 30, 1),
    "us_births/W/short": lambda: Configuration(_births("W"), 8, 1),
    "us_births/M/short": lambda: Configuration(_births("M"), 12, 12),
    "ett1/H/short": lambda: Configuration(_ett("H"), 48, 24),
    "ett1/H/medium": lambda: Configuration(_ett("H"), 480, 24),
    "ett1/H/long": lambda: Configuration(_ett("H"), 720, 24),
    "ett1/D/short": lambda: Configuration(_ett("D"), 30, 1),
    "ett1/W/short": lambda: Configuration(_ett("W"), 8, 1),
    "m4_hourly/H/short": lambda: Configuration(_m4(), 48, 24, 48),
}


class Window(NamedTuple):
    """The rows before a test window, and those of it: arrays (n_rows, k) of each series."""

    before: Any
    history: list[np.ndarray]
    truth: list[np.ndarray]


def windows_of(configuration: Configuration) -> list[Window]:
    """The test windows, in time order: back to back from the end."""
    y, horizon, _, test_rows = configuration
    is_panel = isinstance(y.index, pd.MultiIndex)
    lengths = y.groupby(level=0).size() if is_panel else pd.Series([len(y)])
    n = int(min(max(1, np.ceil(0.1 * lengths.min() / horizon)), MOST_WINDOWS)) if test_rows is None else 1
    found = []
    for i in range(n, 0, -1):
        last = i * horizon
        if is_panel:
            place = y.groupby(level=0).cumcount(ascending=False)
            before, truth = y[place >= last], y[(place < last) & (place >= last - horizon)]
            names = list(dict.fromkeys(y.index.get_level_values(0)))
            history, after = ([part.loc[name].to_numpy() for name in names] for part in (before, truth))
        else:
            before = y.iloc[: len(y) - last]
            history, after = [before.to_numpy()], [y.iloc[len(y) - last :].iloc[:horizon].to_numpy()]
        found.append(Window(before, history, after))
    return found


def naive(history: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The last season, repeated."""
    return history[-season:][np.arange(horizon) % season]


class Scores:
    """Adds up absolute errors by MASE's scale, and quantile losses."""

    def __init__(self) -> None:
        self.scaled: list[np.ndarray] = []
        self.loss, self.size = np.zeros(len(LEVELS)), 0.0

    def add(self, window: Window, series: int, season: int, middle: np.ndarray, quantiles: np.ndarray) -> None:
        """Add one series of a window: forecasts (horizon, k), and quantiles (horizon, k, n_levels)."""
        history, truth = window.history[series], window.truth[series]
        scale = np.abs(history[season:] - history[:-season]).mean(axis=0)
        self.scaled.append((np.abs(truth - middle) / np.where(scale > 0, scale, np.nan)).T)
        error = truth[..., np.newaxis] - quantiles
        self.loss += 2 * np.maximum(np.array(LEVELS) * error, (np.array(LEVELS) - 1) * error).sum(axis=(0, 1))
        self.size += np.abs(truth).sum()

    @property
    def mase(self) -> float:
        """Mean over windows, series and steps."""
        return float(np.nanmean(np.concatenate(self.scaled)))

    @property
    def crps(self) -> float:
        """Mean weighted quantile loss."""
        return float((self.loss / self.size).mean())


def scores_of(configuration: Configuration, windows: list[Window], seed: int) -> Scores:
    """One fit with the defaults, and all windows."""
    horizon, season = configuration.horizon, configuration.season
    model = LSTMForecaster(horizon, random_state=seed, n_threads=THREADS).fit(windows[0].before)
    scores = Scores()
    for window in windows:
        middle = model.predict(context=window.before).to_numpy()
        quantiles = model.predict_quantiles(LEVELS, context=window.before).to_numpy()
        k = middle.shape[1] if middle.ndim > 1 else 1
        middle = middle.reshape(-1, horizon, k)
        quantiles = quantiles.reshape(-1, horizon, k, len(LEVELS))
        for series in range(len(window.history)):
            scores.add(window, series, season, middle[series], quantiles[series])
    return scores


def naive_mase(configuration: Configuration, windows: list[Window], lag: int) -> float:
    """MASE of the last ``lag`` rows, repeated."""
    scores = Scores()
    for window in windows:
        for series, history in enumerate(window.history):
            middle = naive(history, configuration.horizon, lag)
            scores.add(window, series, configuration.season, middle, np.repeat(middle[..., None], len(LEVELS), -1))
    return scores.mase


def row_of(name: str, published: pd.DataFrame, seeds: int) -> dict[str, Any]:
    """Ratios to seasonal naive of our defaults and of published models; CRPS of ours and of the best trained one."""
    configuration = CONFIGURATIONS[name]()
    windows, found, seconds = windows_of(configuration), [], []
    for seed in range(seeds):
        begin = time.perf_counter()
        found.append(scores_of(configuration, windows, seed))
        seconds.append(time.perf_counter() - begin)
    mase = np.array([scores.mase for scores in found])
    last, seasonal = (naive_mase(configuration, windows, lag) for lag in (1, configuration.season))
    row = {"configuration": name, "windows": len(windows), "repeat-last": last, "seasonal naive": seasonal}
    row |= {"MASE": mase.mean(), "+-": np.ptp(mase) / 2, "ratio": mase.mean() / seasonal, "s": np.median(seconds)}
    of_naive = published.loc["seasonal_naive"]
    row |= {each: published.loc[each, f"MASE {name}"] / of_naive[f"MASE {name}"] for each in BESIDE}
    trained = published[published["type"].isin(TRAINED)][f"CRPS {name}"]
    return row | {"CRPS": np.mean([scores.crps for scores in found]), "CRPS, best trained": trained.min()}


def run(*, once: bool) -> list[Table]:
    """Score all configurations, where the data are there."""
    if not OPEN_DATA.exists():
        return [Table("GIFT-Eval", "The data are not there.", [{"configuration": "-"}])]
    published = pd.read_csv(OPEN_DATA / "gift/published.csv").set_index("model")
    names, seeds = (["us_births/M/short"], 1) if once else (list(CONFIGURATIONS), 3)
    rows = [row_of(name, published, seeds) for name in names]
    ratios = ["ratio", *BESIDE]
    mean = {name: float(np.exp(np.mean([np.log(row[name]) for row in rows]))) for name in ratios}
    trained = published[published["type"].isin(TRAINED)]
    crps = trained[[f"CRPS {name}" for name in names]]
    ours = float(np.exp(np.mean([np.log(row["CRPS"]) for row in rows])))
    means = np.exp(np.log(crps).mean(axis=1)).sort_values()
    beside = [{"model": "ours, defaults", "CRPS": ours}] + [{"model": n, "CRPS": v} for n, v in means.items()]
    note = (
        f"Defaults, mean over {seeds} seeds and half the range (+-), {THREADS} threads; seconds of all.\n"
        "MASE as GIFT-Eval defines it; ratios to seasonal naive: ours to our own, published to the published one.\n"
        "xLSTM-Mixer to auto_ets are trained on the data set, TiRex and chronos-2 on others."
    )
    return [
        Table("GIFT-Eval", note, [*rows, {"configuration": "geometric mean", **mean}]),
        Table("GIFT-Eval, CRPS", "Geometric means of models that are trained on the data set.", beside),
    ]
