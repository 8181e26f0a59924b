"""A forked child computes as its parent does, whatever the parent did before and does meanwhile: it never hangs.

Each test forks in a process of its own, which this file is as well (`python test_forks.py name`): a hang ends with it.
`python tests/story/test_forks.py twenty_rounds` is the long form, which the tests have no time for.
"""

import concurrent.futures
import contextlib
import copy
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from functools import cache

import joblib
import numpy as np
import pandas as pd
import pytest

from lstmforecast import (
    LSTM,
    Attention,
    CharLSTM,
    Device,
    DriftMonitor,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Quantiles,
    Sampling,
    Transformer,
    _core,
)
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.fitting.options import training_options

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"), pytest.mark.alone]

SERIES = np.sin(np.arange(300) / 5) + np.random.default_rng(0).normal(0, 0.1, 300)
WINDOWS = np.random.default_rng(1).normal(size=(60, 8))
PANEL = pd.DataFrame({"unique_id": ["a"] * 100 + ["b"] * 200, "ds": [*range(100), *range(200)], "y": SERIES})
CLASSES = (WINDOWS.sum(1) > 0).astype(int)
SMALL = {"hidden_size": 8, "max_epochs": 1, "random_state": 0}
OF_LIBTORCH = {
    "attention": {"architecture": Attention(num_heads=2)},
    "cnn": {"architecture": "cnn_lstm"},
    "transformer": {"architecture": Transformer(num_heads=2)},
    "torch": {"device": Device(backend="torch")},
}
KINDS = {
    "default": {},
    "line": {"architecture": "linear"},
    "ensemble": {"n_estimators": 2},
    "bidirectional": {"architecture": LSTM(bidirectional=True)},
    "quantiles": {"loss": Quantiles([0.1, 0.5, 0.9])},
    "panel": {},
    "int8": {},
} | (OF_LIBTORCH if _core.HAS_TORCH else {})
OTHERS = ("regressor", "classifier", "detector", "characters", "drift")
# what libtorch adds up, it adds up in another order on two threads than on the one that it has in a child
BY_TORCH = ("transformer", "torch") if _core.HAS_TORCH else ()


def _fit(kind, n_threads):
    options = SMALL | {"n_threads": n_threads}
    match kind:
        case "regressor":
            return LSTMRegressor(**options).fit(WINDOWS, WINDOWS.sum(1))
        case "classifier":
            return LSTMClassifier(**options).fit(WINDOWS, CLASSES)
        case "detector":
            return LSTMAnomalyDetector(LSTMForecaster(1, **options)).fit(SERIES)
        case "characters":
            return CharLSTM(**options, embedding_size=4).fit("to be or not to be " * 20)
        case "drift":
            return DriftMonitor().fit(SERIES[:200, np.newaxis])
    forecaster = LSTMForecaster(3, sampling=Sampling(steps_per_epoch=3), **options | KINDS[kind])
    forecaster.fit(PANEL if kind == "panel" else SERIES)
    return forecaster.quantize() if kind == "int8" else forecaster


def _answer(kind, model):
    match kind:
        case "regressor" | "classifier":
            return model.predict(WINDOWS)
        case "detector":
            return model.score_samples(SERIES)
        case "characters":
            return model.generate("to", 20, random_state=0)
        case "drift":
            monitor = copy.copy(model)
            state = monitor.update(SERIES[200:, np.newaxis] + 0.5)
            return state + monitor.report().to_csv(float_format="%.17g")
    return np.asarray(model.predict(), object if kind == "panel" else None)


@cache
def _before(kind):
    """The parent's model; on two threads, as a first cell of a notebook might do it."""
    return _fit(kind, 2)


def _both(kind):
    """A fit of the child's own, and a forecast of the parent's model."""
    return _answer(kind, _fit(kind, 2)), _answer(kind, _before(kind))


def _expected(kind):
    if kind in BY_TORCH:
        return _answer(kind, _fit(kind, 1)), _answer(kind, _before(kind).set_params(n_threads=1))
    return _answer(kind, _fit(kind, 2)), _answer(kind, _before(kind))


def _fork(work):
    """The exit code of a child that does ``work`` and nothing else."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            work()
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def every_estimator():
    expected = {kind: _expected(kind) for kind in (*KINDS, *OTHERS)}
    for kind, answers in expected.items():

        def work(kind=kind, answers=answers):
            for got, wanted in zip(_both(kind), answers, strict=True):
                np.testing.assert_array_equal(got, wanted)

        assert _fork(work) == 0, kind


def every_pool():
    kinds = (*KINDS, *OTHERS)
    expected = [_expected(kind) for kind in kinds]
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        results = [pool.map(_both, kinds)]
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        results.append(list(executor.map(_both, kinds)))
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        results.append(joblib.Parallel()(joblib.delayed(_both)(kind) for kind in kinds))
    for answers in results:
        for kind, got, wanted in zip(kinds, answers, expected, strict=True):
            for part in range(2):
                np.testing.assert_array_equal(got[part], wanted[part], err_msg=kind)


def twenty_rounds():
    """Fits and forecasts of all estimators in both kinds of pool, 20 times; print how many hung."""
    kinds, context = (*KINDS, *OTHERS), multiprocessing.get_context("fork")
    for kind in kinds:
        _before(kind)
    hung = 0
    for _ in range(20):
        # some hundred times what it takes
        with context.Pool(2) as pool:
            try:
                pool.map_async(_both, kinds, chunksize=1).get(timeout=60)
            except multiprocessing.TimeoutError:
                hung += 1
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
            futures = [executor.submit(_both, kind) for kind in kinds]
            hung += len(concurrent.futures.wait(futures, timeout=60).not_done)
            assert not any(future.done() and future.exception() for future in futures)
    print(f"{len(kinds)} kinds of estimators in Pool and ProcessPoolExecutor, 20 times: {hung} hung")


def others_compute():
    """Two threads train and forecast while a third forks."""
    stop = threading.Event()

    def go_on(kind):
        while not stop.is_set():
            _fit(kind, 2)
            _before(kind).predict()

    kinds = ("default", "torch" if _core.HAS_TORCH else "ensemble")
    for kind in kinds:
        _before(kind)
    threads = [threading.Thread(target=go_on, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(5):
        time.sleep(0.02)
        codes.append(_fork(lambda: [_both(kind) for kind in kinds]))
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 5


def a_model_is_in_use():
    """The fork comes in the midst of a call: the child has the model's lock, but no thread that releases it."""
    for kind in ("default", "torch") if _core.HAS_TORCH else ("default",):
        codes, forecaster = [], _fit(kind, 2)

        def work(forecaster=forecaster):
            with pytest.raises(
                RuntimeError, match="in use in another thread when the process was forked: load it from a file"
            ):
                forecaster.predict()

        parameters = flat_parameters(forecaster)
        options = training_options(parameters, 0, loss="mse", steps_per_epoch=1, validation_fraction=0.0)
        series = np.ascontiguousarray(SERIES[:, np.newaxis])
        forecaster.model_.fit_series(series, options, lambda record, codes=codes, work=work: codes.append(_fork(work)))
        assert codes == [0], kind


def _run(*arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    # some twenty times what it takes
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("story", [every_estimator, every_pool, others_compute, a_model_is_in_use])
def test_a_forked_child_never_hangs(story):
    _run(__file__, story.__name__)


BY_OS = """
        child = os.fork()
        if child == 0:
            work()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
"""
BY_MULTIPROCESSING = """
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
        assert child.exitcode == 0
"""


@pytest.mark.torch
@pytest.mark.parametrize(
    ("before", "fork"), [("import lstmforecast", BY_OS), ("", BY_MULTIPROCESSING)], ids=["os", "multiprocessing"]
)
def test_a_core_that_is_loaded_in_the_child_never_hangs(before, fork):
    script = f"""
        import multiprocessing, os, numpy, torch
        {before}
        torch.set_num_threads(2)
        torch.ones(500, 500) @ torch.ones(500, 500)
        def work():
            from lstmforecast import Device, LSTMForecaster, Sampling
            y = numpy.sin(numpy.arange(300) / 5)
            sizes = {{"hidden_size": 128, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=2), "n_threads": 2}}
            LSTMForecaster(3, device=Device(backend="torch"), **sizes).fit(y)
        {fork}
    """
    _run("-c", textwrap.dedent(script))


def test_trainings_pause_until_the_last_of_several_forks():
    script = """
        # whose own hooks let one thread fork at a time
        import concurrent.futures.thread, logging, os, random, threading, time
        import numpy
        first_is_over, second_waits, paused, epochs = threading.Event(), threading.Event(), [], []
        def before():
            if threading.current_thread().name == "second":
                second_waits.set()
                first_is_over.wait()
                n = len(epochs)
                time.sleep(0.3)
                paused.append(len(epochs) == n)
        os.register_at_fork(before=before)  # runs after the hooks that are registered later
        import lstmforecast
        def fork():
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        def observe(record):
            epochs.append(record)
            return bool(paused)
        def train():
            y = numpy.sin(numpy.arange(300) / 5)
            options = {"max_epochs": 10**6, "early_stopping": None, "n_threads": 1}
            options["sampling"] = lstmforecast.Sampling(steps_per_epoch=1)
            lstmforecast.LSTMForecaster(3, hidden_size=8, callbacks=[observe], **options).fit(y)
        training, second = threading.Thread(target=train), threading.Thread(target=fork, name="second")
        training.start()
        while not epochs:
            time.sleep(0.01)
        second.start()
        second_waits.wait()
        fork()
        first_is_over.set()
        second.join()
        training.join()
        assert paused == [True]
    """
    _run("-c", textwrap.dedent(script))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
