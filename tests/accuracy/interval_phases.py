"""Coverage of intervals at each step and phase of the season, by origins: once a day, once a week, everywhere, others.

Before: errors of all phases together; after: by phase of the day and of the week, as `lstmforecast.uncertainty.phases`
has it.
`python -m tests.accuracy.interval_phases` prints the same on cut histories, by which the method was chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tests.accuracy.scoring import THREADS
from tests.accuracy.series import CASES, OPEN_DATA, Case
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, backtest
from lstmforecast.data.season import season_length, steps_of
from lstmforecast.metrics import interval_losses
from lstmforecast.uncertainty.calibration import Calibration, levels_of
from lstmforecast.uncertainty.intervals import corrected_quantiles

COVERAGES = (0.8, 0.95)


def simulated() -> Case:
    """A year of hours: calm nights, restless evenings, and a jump of random size at midnight."""
    rng, index = np.random.default_rng(0), pd.date_range("2025-01-01", periods=365 * 24, freq="h")
    hours = index.hour.to_numpy()
    spread = 0.15 + 0.85 * np.exp(-(((hours - 18) / 3) ** 2))
    noise, shocks = np.zeros(len(index)), rng.normal(size=len(index)) * spread
    for i in range(1, len(index)):
        noise[i] = 0.6 * noise[i - 1] + shocks[i]
    jumps = np.where(hours == 0, 1.5 + 0.3 * rng.normal(size=len(index)), 0.0)
    return Case(pd.Series(3 * np.sin(hours * np.pi / 12) + jumps + noise, index), 24, 90 * 24)


def births() -> Case:
    """Births of each day in the US, 1969 to 1988."""
    table = pd.read_csv(OPEN_DATA / "gift/us_births_daily.csv", parse_dates=["date"])
    return Case(table.set_index("date")["births"].astype(float).asfreq("D"), 14, 1460)


def hufl() -> Case:
    """A load of ETTh1, whose errors by day are three times those by night."""
    case = CASES["etth1"]()
    return case._replace(y=case.y["HUFL"])


SERIES: dict[str, Callable[[], Case]] = {
    "simulated": simulated,
    "etth1 HUFL": hufl,
    "taxi": CASES["taxi"],
    "pm2.5": CASES["pm2.5"],
    "births": births,
    "melbourne": CASES["melbourne"],
}
SHIPPED = ("simulated", "etth1 HUFL")


class Forecasts(NamedTuple):
    """Forecasts of the test rows, what came true (n, horizon), numbers of the first steps (n,), errors before."""

    values: np.ndarray
    truth: np.ndarray
    when: np.ndarray
    calibration: Calibration


def forecasts_of(case: Case) -> Forecasts:
    """Forecast from each row of the test, by a fit on the rows before it."""
    model = LSTMForecaster(case.horizon, n_threads=THREADS, random_state=0)
    result = backtest(model, case.y, folds=case.n_test)
    rows, calibration = result.origins[:, np.newaxis] + np.arange(case.horizon), result.forecaster.fitted_.calibration
    when = steps_of(case.y.index[result.origins], result.observations.freq)
    assert calibration is not None
    assert when is not None
    return Forecasts(result.values, result.observations.values[rows], when, calibration)


def bounds_of(found: Forecasts, season: int, *, by_phase: bool) -> np.ndarray:
    """Lower and upper bound of each coverage: (2 * n_coverages, n, horizon, k).

    Each season the intervals learn of the forecasts whose last step is past, as by `LSTMForecaster.update`.
    """
    calibration = found.calibration if by_phase else replace(found.calibration, when=None)
    n, horizon, _ = found.truth.shape
    bounds, learned = [], 0
    levels = [level for coverage in COVERAGES for level in levels_of(coverage)]
    for start in range(0, n, season):
        past = max(0, start - horizon + 1)
        newer, now = slice(learned, past), slice(start, start + season)
        if past > learned:
            when = found.when[newer] if by_phase else None
            calibration = calibration.extended(found.truth[newer], found.values[newer], None, when)
            learned = past
        when = found.when[now] if by_phase else None
        bounds.append(corrected_quantiles(calibration, found.values[now, ..., np.newaxis], levels, when=when))
    return np.concatenate(bounds, axis=1)


def there() -> list[str]:
    """The names of the series whose data are there."""
    return [name for name in SERIES if name in SHIPPED or OPEN_DATA.exists()]


def rows_of(name: str, case: Case) -> list[dict[str, Any]]:
    """A row for each coverage and choice of origins."""
    season = season_length(case.y.index.freq.freqstr)
    found = forecasts_of(case)
    steps_ahead = found.when[:, np.newaxis] + np.arange(case.horizon)
    truth, rows_ahead, days_ahead = found.truth[..., 0], steps_ahead % season, steps_ahead // season % 7
    bounds = {each: bounds_of(found, season, by_phase=each == "after")[..., 0] for each in ("before", "after")}
    # at the first phase, which is midnight or a Thursday
    daily = np.flatnonzero(found.when % season == 0)
    chosen = {"everywhere": np.arange(len(truth)), "once a day": daily, "once a week": daily[::7]}
    if season > 7:
        # half hours: every 11.5 hours
        chosen["every 23 rows"] = np.arange(0, len(truth), 23)
    if season == 7:
        chosen = {"everywhere": chosen["everywhere"], "once a week": daily}
    rows = []
    for at, coverage in enumerate(COVERAGES):
        for origins, some in chosen.items():
            row = {"series": name, "coverage": 100 * coverage, "origins": origins, "n": len(some)}
            losses = {}
            for each, (lower, upper) in ((each, both[2 * at : 2 * at + 2, some]) for each, both in bounds.items()):
                inside = (lower <= truth[some]) & (truth[some] <= upper)
                of_phases = [inside[rows_ahead[some] == phase] for phase in range(season)]
                of_days = [inside[days_ahead[some] == day] for day in range(7)]
                row |= {
                    f"{each}: mean": 100 * inside.mean(),
                    f"{each}: worst step": 100 * _farthest(inside.mean(axis=0), coverage),
                    f"{each}: worst phase": 100 * _farthest([part.mean() for part in of_phases if len(part)], coverage),
                }
                if season > 7:
                    row[f"{each}: worst weekday"] = 100 * _farthest(
                        [part.mean() for part in of_days if len(part)], coverage
                    )
                losses[each] = interval_losses(truth[some], lower, upper, coverage).mean()
            rows.append(row | {"score after / before": losses["after"] / losses["before"]})
    return rows


def choose() -> None:
    """Print the coverage on histories that end before the test, at three places."""
    rows = []
    for name in there():
        whole = SERIES[name]()
        n = len(whole.before_test)
        for part in (0.5, 0.65, 0.8):
            begin, n_test = int(part * n), n // 5
            case = Case(whole.y.iloc[: begin + n_test], whole.horizon, n_test)
            rows += [row | {"cut at": part} for row in rows_of(name, case) if row["origins"] == "everywhere"]
    print(Table("Intervals by phase, cut histories", "As in `make accuracy ARGS=intervals`.", rows))
    means = pd.DataFrame(rows).groupby("coverage").mean(numeric_only=True)
    print(means.filter(like="score").round(3))


def _farthest(held: Any, coverage: float) -> float:
    """The coverage that is farthest from what was promised."""
    return float(max(held, key=lambda each: abs(each - coverage)))


if __name__ == "__main__":
    choose()
