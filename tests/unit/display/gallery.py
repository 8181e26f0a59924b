"""Every picture that the package draws, of small made-up data: tests look at all of them.

A new display, or a new function of `lstmforecast.plot`, gets an entry here; `test_readable.py` notices a missing one.
"""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import optuna
import pandas as pd

from lstmforecast import (
    AnomalyDisplay,
    BacktestDisplay,
    ComparisonDisplay,
    DriftDisplay,
    Explanation,
    ForecastDisplay,
    HistoryDisplay,
    IntervalDisplay,
    compare,
    plot,
)
from lstmforecast.tuning.tuning_result import trials_of

HOURS = pd.date_range("2026-01-01", periods=144, freq="h")
RNG = np.random.default_rng(0)
WAVE = pd.Series(10 + np.sin(np.arange(144) / 4) + RNG.normal(0, 0.1, 144), HOURS)


class Picture(NamedTuple):
    """How to draw a picture: by the names that appear in it, and axes (None: new ones)."""

    draw: Callable[[str, Any], Any]
    n_axes: int = 1


def intervals_around(forecast: pd.DataFrame) -> pd.DataFrame:
    widths = np.sqrt(1 + np.arange(len(forecast)))
    columns = {
        (name, coverage, side): forecast[name] + sign * half * widths
        for name in forecast
        for coverage, half in ((0.5, 0.1), (0.8, 0.2), (0.95, 0.3))
        for side, sign in (("lower", -1), ("upper", 1))
    }
    return pd.DataFrame(columns, forecast.index)


def forecast(name: str, ax: Any, **options: Any) -> ForecastDisplay:
    y = WAVE.to_frame(name)
    interval = intervals_around(y[120:])
    return ForecastDisplay.from_predictions(
        y[:120], y[120:] * 0.98, **{"truth": y[120:], "interval": interval} | options, ax=ax
    )


def forecast_of_variables(name: str, ax: Any, n: int = 5, **options: Any) -> ForecastDisplay:
    y = pd.DataFrame({f"{name}_{i}": WAVE + i for i in range(n)})
    return ForecastDisplay.from_predictions(y[:120], y[120:] * 0.98, truth=y[120:], ax=ax, **options)


def panel(name: str, n: int = 6, level: float = 1.0) -> pd.DataFrame:
    return pd.concat({f"{name}_{i}": WAVE.to_frame("sales") + level * i for i in range(n)}, names=["series", "time"])


def forecast_of_series(name: str, ax: Any, **options: Any) -> ForecastDisplay:
    y = panel(name)
    early = y.index.get_level_values("time") < HOURS[120]
    return ForecastDisplay.from_predictions(y[early], y[~early] * 0.98, truth=y[~early], ax=ax, **options)


def history(name: str, ax: Any) -> HistoryDisplay:
    epochs = np.arange(1, 21)
    losses = {"train_loss": 1 / epochs, "val_loss": 1.2 / epochs + epochs**2 / 2000}
    rates = {"learning_rate": 3e-3 * np.cos(epochs / 15)}
    display = HistoryDisplay(pd.DataFrame({"epoch": epochs} | losses | rates), best_epoch=8, units=name)
    return display.plot(ax)


def backtests(name: str, n_methods: int = 3, wild: float = 1.0) -> pd.DataFrame:
    """Forecasts of 90 cutoffs, 5 steps ahead; errors of the last method are ``wild`` times as large."""
    rows, steps = np.repeat(np.arange(40, 130), 5), np.tile(np.arange(5), 90)
    truth = WAVE.to_numpy()[rows + steps]
    noise = np.random.default_rng(0).normal(0, 1, (n_methods, len(rows))) * np.sqrt(1 + steps)
    sizes = 0.1 * (1 + np.arange(n_methods))
    sizes[-1] *= wild
    methods = {f"{name}_{i}": truth + sizes[i] * noise[i] for i in range(n_methods)}
    table = {"cutoff": HOURS[rows - 1], "time": HOURS[rows + steps], "truth": truth, "variable": name}
    return pd.DataFrame(table | methods)


def backtest(kind: str) -> Callable[[str, Any], BacktestDisplay]:
    return lambda name, ax: BacktestDisplay.from_predictions(backtests(name), kind=kind, ax=ax)


def backtest_of_series(name: str, ax: Any, **options: Any) -> BacktestDisplay:
    parts = [backtests("sales").assign(series=f"{name}_{i}") for i in range(6)]
    return BacktestDisplay.from_predictions(pd.concat(parts), ax=ax, **options)


def interval(name: str, ax: Any) -> IntervalDisplay:
    frame = backtests(name, 1).assign(step=np.tile(np.arange(1, 6), 90))
    parts = [
        frame.assign(coverage=level, lower=frame[f"{name}_0"] - half, upper=frame[f"{name}_0"] + half)
        for level, half in ((0.5, 0.1), (0.8, 0.2), (0.95, 0.3))
    ]
    return IntervalDisplay.from_predictions(pd.concat(parts), ax=ax)


def anomaly(name: str, ax: Any, spike: float = 3.0) -> AnomalyDisplay:
    score = 1 + np.abs(np.sin(np.arange(144)))
    score[60:66] += spike
    columns = {
        ("value", name): WAVE,
        ("forecast", name): WAVE * 0.99,
        ("score", ""): score,
        ("threshold", ""): 2.5,
        ("anomaly", ""): score > 2.5,
    }
    events = pd.DataFrame({"start": [HOURS[60]], "end": [HOURS[65]]})
    return AnomalyDisplay.from_predictions(pd.DataFrame(columns, HOURS), events, ax=ax)


def drift(name: str, ax: Any) -> DriftDisplay:
    rows = pd.Index(np.arange(100), name="row")
    tests = [("x", "KS"), ("y", "KS"), ("x", "PSI"), ("x", name)]
    values = np.stack([rows / 50, np.full(100, 0.4), np.sin(rows / 20) ** 2, rows > 70], axis=1).astype(float)
    columns = pd.MultiIndex.from_tuples(tests, names=["feature", "test"])
    return DriftDisplay.from_predictions(pd.DataFrame(values, rows, columns), ax=ax)


def comparison(name: str, ax: Any, n: int = 300) -> ComparisonDisplay:
    rng = np.random.default_rng(0)
    losses = rng.gamma(1, size=n), rng.gamma(2, size=n)
    return ComparisonDisplay.from_result(compare(*losses, names=(f"{name}_a", f"{name}_b"), random_state=0), ax=ax)


@cache
def search(name: str, wild: float = 1.0, given: float = 1.0) -> SimpleNamespace:
    """What `lstmforecast.tune` returns; one trial of 20 scored ``wild``."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for i in range(20):
        trial = study.ask()
        x, _ = trial.suggest_float(f"{name}_x", 0, 1), trial.suggest_float(f"{name}_y", 0, 1)
        study.tell(trial, wild if i == 3 else 0.5 + x)
    scores = pd.DataFrame({"MSE": [0.5, given, 3.0, 2.0]}, ["best", "as given", "repeat-last", "seasonal-naive"])
    return SimpleNamespace(study_=study, trials_=trials_of(study, {}), scores_=scores, metric_="MSE")


def explanation(by: str, still: bool = False) -> Callable[[str, Any], Any]:
    def draw(name: str, ax: Any) -> Any:
        parts = np.random.default_rng(0).normal(size=(2, 4, 1, 5, 10)) * np.arange(1, 6)[:, np.newaxis] * (not still)
        features = [f"{name}_{i}" for i in range(5)]
        ends = np.zeros((2, 4, 1))
        explained = Explanation(parts, features, np.arange(6, -4, -1), ends, ends, [name], ["a", "b"])
        return plot.explanation(explained, ax, by=by)

    return draw


GALLERY = {
    "ForecastDisplay": Picture(forecast),
    "ForecastDisplay of variables": Picture(forecast_of_variables, 5),
    "ForecastDisplay together": Picture(lambda name, ax: forecast_of_variables(name, ax, 3, together=True)),
    "ForecastDisplay of series": Picture(lambda name, ax: forecast_of_series(name, ax, series=_first(name, ax)), 4),
    "HistoryDisplay": Picture(history, 2),
    "BacktestDisplay forecasts": Picture(backtest("forecasts")),
    "BacktestDisplay horizon": Picture(backtest("horizon")),
    "BacktestDisplay cutoff": Picture(backtest("cutoff")),
    "BacktestDisplay residuals": Picture(backtest("residuals"), 4),
    "BacktestDisplay of series": Picture(lambda name, ax: backtest_of_series(name, ax, series=_first(name, ax)), 4),
    "IntervalDisplay": Picture(interval, 2),
    "AnomalyDisplay": Picture(anomaly, 2),
    "DriftDisplay": Picture(drift),
    "ComparisonDisplay": Picture(comparison),
    "importance": Picture(lambda name, ax: plot.importance(search(name), ax)),
    "explanation": Picture(explanation("feature")),
    "explanation by step": Picture(explanation("step")),
    "explanation by lag": Picture(explanation("lag")),
    "trials": Picture(lambda name, ax: plot.trials(search(name), ax)),
}


def _first(name: str, ax: Any) -> list[str] | None:
    """On new axes, the pictures choose the first four series themselves."""
    return None if ax is None else [f"{name}_{i}" for i in range(4)]


def figure_of(drawn: Any) -> Any:
    return drawn.figure if hasattr(drawn, "figure") else drawn.figure_
