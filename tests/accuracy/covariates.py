"""What covariates known in advance are worth, beside LightGBM on lags; useless ones should cost nothing.

python -m tests.accuracy.covariates     # scores on the rows before the test, by which settings are chosen
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from lightgbm import LGBMRegressor
from tests.accuracy.covariate_cases import CASES, SEED, Case, missing
from tests.accuracy.scoring import THREADS
from tests.bench.report import Table

from lstmforecast import Folds, LagRegressor, LSTMForecaster, backtest

OURS, LIGHTGBM = "LSTMForecaster", "LightGBM"
TREES: dict[str, Any] = {"n_estimators": 300, "learning_rate": 0.05, "verbose": -1, "n_jobs": THREADS}
N_USELESS = 10
LINEAR = {"architecture": "linear"}


class Scaled:
    """A regressor on lags less their level, or on what they and the target differ by from a season before.

    It reads features that begin with lags; ``column`` is that of the season, None for the mean of the lags.
    """

    def __init__(self, regressor: Any, n_lags: int, column: int | None) -> None:
        self.regressor, self.n_lags, self.column = regressor, n_lags, column

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """As scikit-learn clones by."""
        return {"regressor": self.regressor, "n_lags": self.n_lags, "column": self.column}

    def _level(self, X: np.ndarray) -> np.ndarray:
        return X[:, : self.n_lags].mean(axis=1) if self.column is None else X[:, self.column]

    def _seen(self, X: np.ndarray) -> np.ndarray:
        return np.hstack([X[:, : self.n_lags] - self._level(X)[:, np.newaxis], X[:, self.n_lags :]])

    def fit(self, X: np.ndarray, y: np.ndarray) -> Scaled:
        """Fit on what is left of the target."""
        self.regressor.fit(self._seen(X), y - self._level(X))
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Add the level again."""
        return np.asarray(self.regressor.predict(self._seen(X))) + self._level(X)


def rivals(case: Case, objective: str) -> dict[str, LagRegressor]:
    """LightGBM by its lags and what it learns: values, or differences from a season ago or a mean of lags."""
    found = {}
    for way, lags in (("direct", case.direct_lags), ("recursive", case.lags)):
        trees = LGBMRegressor(objective=objective, random_state=SEED, **TREES)
        season = next(i for i, lag in enumerate(lags) if lag % case.season == 0)
        found[f"{way}, {objective}"] = LagRegressor(trees, lags=lags)
        found[f"{way}, differences, {objective}"] = LagRegressor(Scaled(trees, len(lags), season), lags=lags)
        found[f"{way}, local level, {objective}"] = LagRegressor(Scaled(trees, len(lags), None), lags=lags)
    return found


def run_backtest(case: Case, options: dict[str, Any], seed: int = SEED, **others: Any) -> Any:
    """Forecast the last rows of a case, one horizon after the other."""
    model = LSTMForecaster(case.horizon, random_state=seed, n_threads=THREADS, **options)
    return backtest(model, case.table, **case.roles, folds=Folds(case.n_test, stride=case.horizon), others=others)


def best_rival(case: Case) -> tuple[str, LagRegressor]:
    """The LightGBM that errs least before the test: first how it reads, by the squared error, then the loss."""

    def choose(candidates: dict[str, LagRegressor]) -> str:
        scores = run_backtest(case.before_test, case.options | LINEAR, **candidates).scores["MAE"]
        return str(scores[list(candidates)].idxmin())

    squared, absolute = rivals(case, "l2"), rivals(case, "l1")
    name = choose(squared)
    pair = {name: squared[name], (other := name.replace("l2", "l1")): absolute[other]}
    name = choose(pair)
    return name, pair[name]


def useless(case: Case) -> dict[str, Case]:
    """The case with columns that tell nothing new."""
    rng, column = np.random.default_rng(SEED), case.table[case.column].astype(float)
    noise = {f"noise {i}": rng.normal(size=len(column)) for i in range(N_USELESS)}
    copies = {f"copy {i}": (i + 2) * column for i in range(N_USELESS)}
    functions = {name: function(column) for name, function in case.functions.items()}
    return {
        "+ 10 noise": case.with_columns(noise),
        "+ 10 copies": case.with_columns(copies),
        f"+ {', '.join(functions)}": case.with_columns(functions),
    }


def variants(case: Case) -> dict[str, tuple[Case, dict[str, Any]]]:
    """What ours gets to see, and its parameters."""
    without, plain = case.without_columns(), {**case.options, "calendar": None}
    found = {
        "without": (without, plain),
        "calendar": (without, case.options),
        "X": (case, plain),
        "X, calendar": (case, case.options),
    }
    found |= {f"X, calendar {name}": (each, case.options) for name, each in useless(case).items()}
    found |= {f"linear: {name}": (found[name][0], found[name][1] | LINEAR) for name in ("without", "X", "X, calendar")}
    return found


def score(name: str, case: Case, rival: LagRegressor, rival_name: str, seeds: int) -> list[dict[str, Any]]:
    """A row for each forecast: its mean absolute error, beside that of LightGBM."""
    begin = time.perf_counter()
    table = run_backtest(case, case.options | LINEAR, **{LIGHTGBM: rival}).scores["MAE"]
    names = {f"LightGBM, {rival_name}": LIGHTGBM, "repeat-last": "repeat-last", "seasonal naive": "seasonal-naive"}
    rows = [{"series": name, "forecast": shown, "MAE": table[of]} for shown, of in names.items()]
    rows[0]["s"] = time.perf_counter() - begin
    for shown, (each, options) in list(variants(case).items())[: None if seeds > 1 else 4]:
        seconds, errors = [], []
        for seed in range(1 if shown.startswith("linear") else seeds):
            begin = time.perf_counter()
            errors.append(run_backtest(each, options, seed).scores.loc[OURS, "MAE"])
            seconds.append(time.perf_counter() - begin)
        row = {"series": name, "forecast": shown, "MAE": np.mean(errors), "+-": np.ptp(errors) / 2}
        rows.append(row | {"s": float(np.median(seconds))})
    for row in rows:
        row["/ LightGBM"] = row["MAE"] / table[LIGHTGBM]
    return rows


def run(*, once: bool, validation: bool = False, names: tuple[str, ...] = tuple(CASES)) -> list[Table]:
    """Score all cases that are there."""
    rows: list[dict[str, Any]] = []
    for name in names[:1] if once else names:
        if reason := missing(name):
            rows.append({"series": name, "forecast": reason})
            continue
        case = CASES[name]()
        if once:
            case = case._replace(table=case.table.iloc[-40 * case.horizon :], n_test=2 * case.horizon)
        rival_name, rival = ("recursive, l2", rivals(case, "l2")["recursive, l2"]) if once else best_rival(case)
        rows += score(name, case.before_test if validation else case, rival, rival_name, 1 if once else 3)
    note = (
        "Mean absolute errors of forecasts of a day (retail: two weeks), one after the other, on the last rows by a\n"
        "fit on those before; mean over three seeds and half the range (+-), defaults but for what is named. X: what\n"
        "is known in advance. LightGBM gets lags, X and calendar; its lags, differences and loss are those that erred\n"
        f"least on as many rows before the test. {THREADS} threads; seconds of fit and forecasts."
    )
    return [Table("Known covariates" + (", before the test" if validation else ""), note, rows)]


if __name__ == "__main__":
    import sys

    print(run(once=False, validation=True, names=tuple(sys.argv[1:]) or tuple(CASES))[0])
