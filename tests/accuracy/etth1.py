"""ETTh1 in the published protocol: errors on standardised values of the test hours, beside simpler forecasts."""

from __future__ import annotations

import pandas as pd
from tests.accuracy.scoring import THREADS, Methods, compare
from tests.accuracy.series import CASES
from tests.bench.report import Table

from lstmforecast import EarlyStopping

HORIZONS = {"all 7": (24, 96, 336, 720), "OT": (24, 96)}
# Months of 30 days: twelve to train on, four to validate on, four to test on.
TRAIN, VALIDATION, TEST = 8640, 2880, 2880
METHODS: Methods = {
    "LSTM": {},
    "five": {"n_estimators": 5},
    "linear": {"architecture": "linear"},
}
# Of the rows before the test, the months to validate on are held out.
EARLY_STOPPING = EarlyStopping(validation_fraction=VALIDATION / (TRAIN + VALIDATION))
# MSE that others published (Informer, with LSTMa and DeepAR: Zhou et al. 2021; SegRNN: Lin et al. 2023; NLinear: Zeng
# et al. 2023).
PUBLISHED = {
    ("all 7", 24): ".577 Informer, .650 LSTMa",
    ("all 7", 96): ".368 SegRNN, .374 NLinear",
    ("all 7", 336): ".429 NLinear, 1.424 LSTMa",
    ("all 7", 720): ".440 NLinear, 1.960 LSTMa",
    ("OT", 24): ".107 DeepAR, .114 LSTMa",
    ("OT", 96): ".053 NLinear",
}


def variables(name: str) -> pd.Series | pd.DataFrame:
    """All seven, or one of them."""
    frame = CASES["etth1"]().y
    return frame if name == "all 7" else frame[name]


def run(*, once: bool) -> list[Table]:
    """Score all horizons."""
    horizons, seeds = ({"OT": (24,)}, 1) if once else (HORIZONS, 3)
    rows = []
    for name, horizon in [(name, horizon) for name, each in horizons.items() for horizon in each]:
        scores = compare(variables(name), horizon, TEST, METHODS, seeds, early_stopping=EARLY_STOPPING)
        rows.append({"variables": name, "horizon": horizon} | scores | {"published": PUBLISHED[name, horizon]})
    note = (
        f"Mean over {seeds} seeds and half the range (+-), defaults for all rows, {THREADS} threads; seconds of fit\n"
        "and forecasts. five: n_estimators=5; linear: architecture='linear'. Twelve months of 30 days to train on,\n"
        "four to validate on, four to test on. Naive: MSE."
    )
    return [Table("ETTh1", note, rows)]
