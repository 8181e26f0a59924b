"""Tuning on ETTh1: what ten minutes of trials on validation hours bring there, and on the test hours."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.accuracy.etth1 import EARLY_STOPPING, TEST, VALIDATION, variables
from tests.accuracy.scoring import THREADS
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, backtest, tune

CASES = (("all 7", 24), ("OT", 24), ("all 7", 96))
SECONDS = 600
SEEDS = 3
NAIVE = ("repeat-last", "seasonal-naive")


def tuned(name: str, horizon: int, search: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Scores of the defaults and of the best of a search, which never sees the test hours."""
    y = variables(name)
    given = LSTMForecaster(horizon, random_state=0)
    before = y.iloc[:-TEST]
    result = tune(given, before, folds=VALIDATION, n_jobs=THREADS, random_state=0, **search)
    states = result.trials_["state"].value_counts()
    rows = []
    for label, changes in (("defaults", {}), ("best", result.best_params_)):
        test = [_test(given, y, seed, changes) for seed in range(SEEDS if search["n_trials"] is None else 1)]
        found = result.scores_.loc["best" if label == "best" else "as given", "MSE"]
        row = {"variables": name, "horizon": horizon, "of": label, "trials": len(result.trials_)}
        row |= {"pruned": int(states.get("pruned", 0)), "validation": found}
        row |= {f"{naive} ": result.scores_.loc[naive, "MSE"] for naive in NAIVE}
        row |= {"test": np.mean([scores["LSTMForecaster"] for scores in test])}
        rows.append(row | {naive: test[0][naive] for naive in NAIVE})
    best = ", ".join(f"{key}={value!r}" for key, value in result.best_params_.items())
    return rows, f"{name}, {horizon}: {best}"


def _test(given: LSTMForecaster, y: Any, seed: int, changes: dict[str, Any]) -> dict[str, float]:
    model = LSTMForecaster(given.horizon, early_stopping=EARLY_STOPPING, random_state=seed, n_threads=THREADS)
    return backtest(model.set_params(**changes), y, folds=TEST, scaled=True).scores["MSE"].to_dict()


def run(*, once: bool) -> list[Table]:
    """Search, then score the test hours."""
    cases, search = (CASES[1:2], {"n_trials": 2}) if once else (CASES, {"n_trials": None, "timeout": SECONDS})
    found = [tuned(name, horizon, search) for name, horizon in cases]
    note = (
        f"MSE of standardised values. {SECONDS} s of trials, {THREADS} at a time on a thread each, fitted on twelve\n"
        f"months of 30 days, judged by the next four; four months of test, mean over {SEEDS} seeds.\n"
    )
    rows = [row for rows, _ in found for row in rows]
    return [Table("Tuning, ETTh1", note + "\n".join(best for _, best in found), rows)]
