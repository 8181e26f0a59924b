"""Parameters that ask for more than the machine has: refused in a sentence, never the end of the process.

Each is tried in a forked child of one process, which this file is as well, with and without a limit of memory.
"""

import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from tests.needs_torch import needs_torch

from lstmforecast import (
    CNNLSTM,
    LSTM,
    Adam,
    Attention,
    CharLSTM,
    Device,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Sampling,
    Transformer,
    _core,
)

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"), pytest.mark.alone]

SERIES = np.sin(np.arange(120) / 5)
WINDOWS = np.random.default_rng(0).normal(size=(30, 8))
FAST = {"max_epochs": 1, "random_state": 0, "n_threads": 1}
SMALL = {"hidden_size": 4}
LIMIT = 4 << 30

OF_FORECASTERS = [
    {"hidden_size": 10**5},
    {"hidden_size": 10**6},
    {"hidden_size": 10**9},
    {"hidden_size": 10**12},
    {"num_layers": 10**9, **SMALL},
    {"num_layers": 10**12, **SMALL},
    {"device": Device(backend="torch"), "hidden_size": 10**5},
    {"device": Device(backend="torch"), "hidden_size": 10**6},
    {**SMALL, "device": Device(backend="torch"), "num_layers": 10**9},
    {"architecture": LSTM(bidirectional=True), "hidden_size": 10**6},
    {"n_estimators": 3, "hidden_size": 10**6},
    {"architecture": Attention(num_heads=2), "hidden_size": 10**6},
    {"architecture": Attention(num_heads=10**9), "hidden_size": 10**9},
    {**SMALL, "architecture": CNNLSTM(out_channels=10**8)},
    {**SMALL, "architecture": CNNLSTM(out_channels=10**12)},
    {**SMALL, "architecture": CNNLSTM(kernel_size=10**9, out_channels=64)},
    {**SMALL, "architecture": CNNLSTM(kernel_size=[3] * 1000, out_channels=10**5)},
    {**SMALL, "architecture": Transformer(num_heads=2, dim_feedforward=10**9)},
    {**SMALL, "architecture": Transformer(num_heads=2, dim_feedforward=10**12)},
    {"architecture": Transformer(num_heads=2), "hidden_size": 10**6},
    {**SMALL, "architecture": Transformer(num_heads=2), "num_layers": 10**9},
    {"n_threads": 10**5, **SMALL},
    {"n_threads": 10**12, **SMALL},
    {**SMALL, "n_threads": 10**5, "device": Device(backend="torch")},
]
OF_TEXTS = [
    {"hidden_size": 10**5},
    {"hidden_size": 10**6},
    {"hidden_size": 10**12},
    {"embedding_size": 10**9, **SMALL},
    {"embedding_size": 10**12, **SMALL},
    {"num_layers": 10**9, **SMALL},
    {"num_layers": 10**12, **SMALL},
    {"n_threads": 10**5, **SMALL},
]
# what is bounded by the data, whatever is asked for
HARMLESS = [
    {"batch_size": 10**9, **SMALL},
    {**SMALL, "batch_size": 10**9, "device": Device(backend="torch")},
    {**SMALL, "optimizer": Adam(accumulate_grad_batches=10**9)},
]
HARMLESS_IN_SERIES = [
    {**SMALL, "sampling": Sampling(steps_per_epoch=1, stride=10**9)},
    {**SMALL, "architecture": LSTM(tbptt=10**9)},
]


def _forecast(options):
    fast = FAST | {"sampling": Sampling(steps_per_epoch=1)}
    LSTMForecaster(2, window_size=8, **fast | options).fit(SERIES).predict()


def _regress(options):
    LSTMRegressor(**(FAST | options)).fit(WINDOWS, WINDOWS.sum(1)).predict(WINDOWS)


def _classify(options):
    LSTMClassifier(**(FAST | options)).fit(WINDOWS, np.arange(30) % 2).predict(WINDOWS)


def _write(options):
    CharLSTM(**(FAST | options)).fit("to be or not to be " * 20).generate("to", 3)


def _regress_wide(options):
    X = np.zeros((6, 2_000_000))
    LSTMRegressor(n_features_per_step=X.shape[1], scaler=None, **(FAST | options)).fit(X, X[:, 0])


def _forecast_wide(options):
    _forecast(options | SMALL)


def _forecast_long(options):
    from tests.parity.networks import CONFIG

    model = _core.Model(CONFIG | options)
    model.forecast(np.zeros((1, options["window_size"], CONFIG["n_features"])))


def _outcome(work, options, limited):
    """What a child comes to: a word of refusal, "fine", or the code with which it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        if limited:
            resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
        try:
            work(options)
            outcome = "fine"
        except (MemoryError, ValueError) as error:
            outcome = f"refused: {error}"
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        os.write(writer, outcome.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as outcome:
        said = outcome.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return said if code == 0 else f"killed by signal {-code}"


def _of_this_core(tries):
    return [options for options in tries if _core.HAS_TORCH or not needs_torch(options)]


def main():
    few = [{"hidden_size": 10**6}, {"hidden_size": 10**12}, {"device": Device(backend="torch"), "hidden_size": 10**6}]
    tries = [(_forecast, OF_FORECASTERS), (_write, OF_TEXTS), (_regress, few), (_classify, few)]
    for limited in (True, False):
        # with more memory these would be computed
        large = [
            (_regress_wide, [{"hidden_size": 1}]),
            (_forecast_wide, [{"architecture": CNNLSTM(out_channels=10**6)}]),
            # by libtorch
            (_forecast_long, [{"window_size": 10**7}] if _core.HAS_TORCH else []),
        ]
        for work, each in tries + (large if limited else []):
            for options in _of_this_core(each):
                outcome = _outcome(work, options, limited)
                if not outcome.startswith("refused: ") or outcome.count("\n"):
                    print(work.__name__, options, limited, outcome)
        for work, each in ((_forecast, HARMLESS + HARMLESS_IN_SERIES), (_regress, HARMLESS)):
            for options in _of_this_core(each):
                outcome = _outcome(work, options, limited)
                if outcome != "fine":
                    print(work.__name__, options, limited, outcome)


def test_what_no_memory_holds_is_refused():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_threads_of_the_environment_are_bounded():
    script = (
        "import numpy as np; from lstmforecast import *; from lstmforecast import _core\n"
        "y = np.sin(np.arange(120) / 5)\n"
        "options = {'hidden_size': 128, 'max_epochs': 1, 'sampling': Sampling(steps_per_epoch=1)}\n"
        "for backend in ('auto', 'torch') if _core.HAS_TORCH else ('auto',):\n"
        "    LSTMForecaster(2, window_size=8, device=Device(backend=backend), **options).fit(y)"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "100000"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


if __name__ == "__main__":
    main()
