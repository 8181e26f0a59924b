"""The same defaults on other open series: test errors beside naive and linear forecasts."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from tests.accuracy.series import CASES, there
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, backtest

METHODS: dict[str, dict[str, Any]] = {"LSTMForecaster": {}, "linear alone": {"architecture": "linear"}}


def row(name: str, seeds: int) -> dict[str, Any]:
    """Errors of all forecasts of one series."""
    case = CASES[name]()
    result: dict[str, Any] = {"series": name, "rows": len(case.y), "horizon": case.horizon, "test rows": case.n_test}
    for method, options in METHODS.items():
        begin, scores = time.perf_counter(), []
        for seed in range(seeds):
            model = LSTMForecaster(case.horizon, random_state=seed, n_threads=2, **options)
            scores.append(backtest(model, case.y, test_size=case.n_test, scaled=True).scores["MSE"])
        result[f"{method}: MSE"] = np.mean([score["LSTMForecaster"] for score in scores])
        result["s" if method == "LSTMForecaster" else "s "] = (time.perf_counter() - begin) / seeds
    for naive in ("repeat-last", "seasonal-naive"):
        result[naive] = scores[0][naive]
    return result


def run(*, once: bool) -> list[Table]:
    """Score all series that are there."""
    names = ["etth1 OT"] if once else [name for name in there() if name != "etth1"]
    note = (
        "Mean squared errors of standardised values on the last rows, forecast from every row among them by a fit on\n"
        f"the rows before; mean over {1 if once else 3} seeds, seconds of fit and forecasts on 2 threads."
    )
    return [Table("Elsewhere", note, [row(name, 1 if once else 3) for name in names])]
