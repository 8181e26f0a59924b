"""What `transform="auto"` was chosen by: histories of open and simulated series, cut before the rows of tests.

    python -m tests.accuracy.cut_transforms              # linear forecasts: two minutes
    python -m tests.accuracy.cut_transforms --network    # the default network: half an hour

Each history is fitted with each transform; errors are those of the next horizon, as parts of those without a transform.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tests.accuracy.cut_histories import KINDS, LENGTHS, cuts
from tests.accuracy.cut_histories import series as open_series
from tests.accuracy.m4 import DAY, read
from tests.accuracy.series import CASES
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, datasets

N_RIVERS, N_DAYS = 12, 3000


def rivers() -> Iterator[np.ndarray]:
    """Daily flows (n, 1) of rain through two reservoirs, a fast one that floods and a slow one: calm, with floods."""
    rng, days = np.random.default_rng(0), np.arange(N_DAYS)
    for _ in range(N_RIVERS):
        season = 1 + 0.6 * np.sin(2 * np.pi * days / 365.25)
        rain = (rng.random(N_DAYS) < 0.12) * rng.gamma(0.6, 12, N_DAYS) * season
        fast_rate, slow_rate, fast, slow = rng.uniform(0.25, 0.6), rng.uniform(0.005, 0.03), 0.0, 0.0
        flow = np.empty((N_DAYS, 1))
        for day in days:
            fast, slow = fast + 0.6 * rain[day], slow + 0.4 * rain[day]
            # a full reservoir runs out faster
            out = fast_rate * fast * min(1.0, fast / 30 + 0.2), slow_rate * slow
            fast, slow, flow[day] = fast - out[0], slow - out[1], sum(out)
        yield flow * np.exp(rng.normal(1, 1))


def series() -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, kind and rows (n, 1) of series without a negative value."""
    for name, kind, rows in open_series():
        for column in rows.T:
            yield name, kind, column[:, np.newaxis]
    yield "pm2.5", "h", CASES["pm2.5"]().before_test.to_numpy(float)[:, np.newaxis]
    hours = read(validation=True).y
    for name in hours.index.unique(0)[::DAY]:
        yield f"M4 {name}", "h", hours.loc[name].to_numpy()[:, np.newaxis]
    for i, flow in enumerate(rivers()):
        yield f"river {i}", "D", flow
    sales = datasets.retail(10)[0].pivot_table(index="day", columns="shop", values="sales").fillna(0)
    for name, column in sales.items():
        yield str(name), "D", column.to_numpy()[:, np.newaxis]


def row_of(name: str, kind: str, rows: np.ndarray, length: int, end: int, options: dict[str, object]) -> dict | None:
    """The errors with each transform, and what was chosen; None: too few rows."""
    freq, horizon, season = KINDS[kind]
    history, truth = rows[end - length : end, 0], rows[end : end + horizon, 0]
    y = pd.Series(history, pd.date_range("2000-01-03", periods=length, freq=freq))
    # an exact forecast is no better than one that errs by a thousandth of the usual change
    least = 1e-3 * np.abs(np.diff(history)).mean() + 1e-12
    row: dict[str, object] = {"series": name.split()[0], "kind": kind, "rows": length}
    repeated = {"repeat-last": history[-1:], "seasonal naive": history[-season:]}
    try:
        for transform in (None, "log", "auto"):
            model = LSTMForecaster(horizon, transform=transform, random_state=0, n_threads=1, **options).fit(y)
            row[str(transform)] = np.abs(model.predict().to_numpy() - truth).mean() + least
    except ValueError:
        return None
    for naive, last in repeated.items():
        row[naive] = np.abs(last[np.arange(horizon) % len(last)] - truth).mean() + least
    return row | {"chosen": float(model.transform_ == "log")}


def main() -> None:
    """Print geometric means by kind, by length and of all."""
    options: dict[str, object] = {} if "--network" in sys.argv else {"architecture": "linear"}
    rng, jobs = np.random.default_rng(0), []
    for name, kind, rows in series():
        if np.isfinite(rows).all() and (rows >= 0).all() and len(rows) > LENGTHS[0] + KINDS[kind][1]:
            jobs += [(name, kind, rows, *cut, options) for cut in cuts(len(rows), KINDS[kind][1], rng)]
    found = pd.DataFrame([row for row in Parallel(2)(delayed(row_of)(*job) for job in jobs) if row is not None])
    methods = ["log", "auto", "repeat-last", "seasonal naive"]
    shares = found[methods].div(found["None"], axis=0)
    note = "Errors as shares of those without a transform."
    for by in ("kind", "rows", "series"):
        of_groups = np.log(shares).groupby(found[by])
        table = np.exp(of_groups.mean()).assign(chosen=found.groupby(by)["chosen"].mean(), histories=of_groups.size())
        print(Table(f"Cut histories by {by}", note, table.reset_index().to_dict("records")))
    means, worse = np.exp(np.log(shares).mean()), (shares > 1.03).mean()
    print(Table(f"All {len(found)}", note, [{"": "geometric mean", **means}, {"": "share worse by 3 %", **worse}]))


if __name__ == "__main__":
    main()
