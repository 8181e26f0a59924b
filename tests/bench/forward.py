"""Forecasts of one window and of many against PyTorch and ONNX Runtime, same weights."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tests.bench.networks import SIZES, Plain, Size
from tests.bench.report import Table
from tests.bench.timing import alternate, medians

from lstmforecast import LSTM, LSTMForecaster, LSTMRegressor

Call = Callable[[], Any]


def repeated(call: Call, times: int) -> Call:
    """The call, so many times."""

    def run() -> None:
        for _ in range(times):
            call()

    return run


def fitted(size: Size, threads: int) -> tuple[LSTMRegressor, LSTMForecaster, Plain]:
    """A regressor and a forecaster on raw numbers, and a plain module with the regressor's weights."""
    rng = np.random.default_rng(0)
    shared: dict[str, Any] = {"hidden_size": size.hidden, "num_layers": size.layers, "max_epochs": 1, "scaler": None}
    shared |= {"early_stopping": None, "n_threads": threads, "random_state": 0}
    windows = rng.normal(size=(64, size.window, size.features))
    regressor = LSTMRegressor(**shared).fit(windows, windows[:, -1, 0])
    series = rng.normal(size=(size.window + 64, size.features))
    forecaster = LSTMForecaster(
        window_size=size.window,
        architecture=LSTM(segment_length=1, linear_skip=False),
        channels="together",
        normalize=None,
        **shared,
    ).fit(series)
    module = Plain(size).eval()
    module.load_state_dict(regressor.state_dict())
    return regressor, forecaster, module


def onnx_session(module: Plain, windows: torch.Tensor, threads: int) -> Any:
    """ONNX Runtime with the module's graph; a reason in words where it isn't installed."""
    try:
        import onnxruntime
    except ImportError as error:
        return str(error)
    file = io.BytesIO()
    axes = {"windows": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, that there is a newer one
        torch.onnx.export(module, (windows,), file, input_names=["windows"], dynamic_axes=axes, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])


def contestants_of(size: Size, rows: int, threads: int, *, compiled: bool) -> dict[str, Call]:
    """Everybody's forecast of the same windows; compiling takes a minute."""
    regressor, forecaster, module = fitted(size, threads)
    windows = np.random.default_rng(1).normal(size=(rows, size.window, size.features))
    narrow = windows.astype(np.float32)
    tensor = torch.from_numpy(narrow)
    calls: dict[str, Call] = {"LSTMRegressor.predict": lambda: regressor.predict(windows)}
    if rows == 1:
        calls["LSTMForecaster.predict"] = lambda: forecaster.predict(context=windows[0])
    calls["eager"] = lambda: module(tensor).numpy()
    if compiled:
        fast = torch.compile(module)
        calls["torch.compile"] = lambda: fast(tensor).numpy()
    session = onnx_session(module, tensor, threads)
    if not isinstance(session, str):
        calls["ONNX Runtime"] = lambda: session.run(None, {"windows": narrow})[0]
    expected = calls["eager"]().ravel()
    for name, call in calls.items():
        if name != "LSTMForecaster.predict":  # has weights of its own
            np.testing.assert_allclose(np.ravel(call()), expected, rtol=1e-4, atol=1e-5, err_msg=name)
    return calls


@torch.inference_mode()
def measure(size: Size, rows: int, threads: int, rounds: int) -> dict[str, Any]:
    """One row of the table, in microseconds."""
    torch.set_num_threads(threads)
    calls = contestants_of(size, rows, threads, compiled=rounds > 1)
    # some milliseconds of calls
    times = 1 if rounds == 1 else max(1, 20_000 // (rows * size.window * size.layers))
    seconds = medians(alternate({name: repeated(call, times) for name, call in calls.items()}, rounds))
    micros = {name: value / times * 1e6 for name, value in seconds.items()}
    ours = micros["LSTMRegressor.predict"]
    row: dict[str, Any] = {"T,F,H,L": ",".join(map(str, size[1:5])), "windows": rows, "threads": threads}
    row |= {f"{name} us": micros.get(name, float("nan")) for name in (*COLUMNS, *OTHERS)}
    return row | {f"{name} / ours": micros.get(name, float("nan")) / ours for name in OTHERS}


COLUMNS = ("LSTMRegressor.predict", "LSTMForecaster.predict")
OTHERS = ("eager", "torch.compile", "ONNX Runtime")


def run(*, once: bool) -> list[Table]:
    """Measure forecasts of 1 and 256 windows."""
    sizes, rounds = ([Size(40, 10, 1, 8, 2, 32)], 1) if once else (SIZES, 9)
    many = 8 if once else 256
    rows = [measure(size, rows, threads, rounds) for rows in (1, many) for size in sizes for threads in (1, 2)]
    note = (
        "Microseconds a call through the public API, NumPy array in, NumPy array out, median of several turns; the\n"
        "others under inference_mode, tensor or array in, array out. ours: LSTMRegressor.predict."
    )
    return [Table("Forecasts", note, rows)]
