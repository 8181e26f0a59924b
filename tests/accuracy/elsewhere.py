"""The same defaults on other open series: test errors beside naive and linear forecasts."""

from __future__ import annotations

from tests.accuracy.scoring import THREADS, Methods, compare
from tests.accuracy.series import CASES, there
from tests.bench.report import Table

METHODS: Methods = {"LSTM": {}, "linear": {"architecture": "linear"}}


def run(*, once: bool) -> list[Table]:
    """Score all series that are there."""
    names, seeds = (["etth1 OT"], 1) if once else ([name for name in there() if name != "etth1"], 3)
    rows = []
    for name in names:
        case = CASES[name]()
        size = {"series": name, "rows": len(case.y), "horizon": case.horizon, "test rows": case.n_test}
        rows.append(size | compare(case.y, case.horizon, case.n_test, METHODS, seeds))
    note = (
        "Errors of standardised values on the last rows, forecast from every row among them by a fit on the rows\n"
        f"before; mean over {seeds} seeds and half the range (+-), defaults for all, {THREADS} threads; seconds of\n"
        "fit and forecasts. linear: architecture='linear'. Naive: MSE."
    )
    return [Table("Elsewhere", note, rows)]
