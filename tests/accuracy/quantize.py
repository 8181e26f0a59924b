"""What quantisation costs on ETTh1: sizes of files, latencies and errors, as shares of those in single precision."""

from __future__ import annotations

from tests.accuracy.etth1 import TRAIN, VALIDATION, variables
from tests.accuracy.scoring import THREADS
from tests.bench.report import Table

from lstmforecast import LSTM, LSTMForecaster, quantization_report

SETTINGS = {
    "defaults": {},
    "256 units": {"hidden_size": 256},
    "96 ahead": {"horizon": 96},
    "hour by hour": {"architecture": LSTM(segment_length=1, linear_skip=False), "window_size": 96},
    "quantiles": {"loss": "quantile"},
    "attention": {"architecture": "attention"},
}


def run(*, once: bool) -> list[Table]:
    """Fit on twelve months, compare on the four months after them."""
    rows = []
    for name, setting in list(SETTINGS.items())[: 1 if once else None]:
        quick = {"max_epochs": 1} if once else {}
        y = variables("OT" if once else "all 7")
        options = {"horizon": 24, "random_state": 0, "n_threads": THREADS} | quick | setting
        model = LSTMForecaster(**options).fit(y.iloc[:TRAIN])
        report = quantization_report(model, y.iloc[TRAIN - model.window_size_ : TRAIN + VALIDATION])
        for dtype in ("int8", "bf16"):
            shares = report.loc[dtype] / report.loc["float32"]
            names = {"file": "file_bytes", "MSE": "error", "one window": "one_us", "256 windows": "batch_us"}
            cells = {title: f"{shares[column]:.{4 if title == 'MSE' else 2}f}" for title, column in names.items()}
            rows.append({"network": name, "weights": dtype, "KB": f"{report.file_bytes[dtype] / 1000:.0f}"} | cells)
    note = (
        "Shares of what it is in single precision. Twelve months of 30 days to train on; errors of forecasts over the\n"
        "four months after them, which nothing was fitted to."
    )
    return [Table("Quantisation, ETTh1", note, rows)]
