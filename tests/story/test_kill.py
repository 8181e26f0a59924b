"""A fit whose process is killed goes on, and ends with the bits that it would have ended with."""

import multiprocessing
import signal
import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from tests.needs_torch import needs_torch

from lstmforecast import (
    LSTM,
    Adam,
    AdamW,
    Checkpoint,
    Device,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Plateau,
    Sampling,
)

pytestmark = pytest.mark.alone

RNG = np.random.default_rng(0)
SERIES = np.sin(np.arange(300) / 5) + RNG.normal(0, 0.1, 300)
WINDOWS, CLASSES = RNG.normal(size=(90, 8)), np.arange(90) % 3
# a kill comes between the first checkpoint and the epoch at which the process waits for it
MAX_EPOCHS, WAITS_AT = 12, 8
FORECASTER = {"window_size": 24, "horizon": 3, "sampling": Sampling(steps_per_epoch=5), "batch_size": 32}
PLATEAU = {"lr_schedule": Plateau(patience=0), "early_stopping": 9, "learning_rate": 0.03}
FITS = {
    "fused": (LSTMForecaster, FORECASTER | {"n_threads": 2}),
    "torch": (
        LSTMForecaster,
        FORECASTER
        | {"device": Device(backend="torch"), "optimizer": Adam(weight_decay=0.1), "dropout": 0.3, "num_layers": 2},
    ),
    "attention": (LSTMForecaster, FORECASTER | {"architecture": "attention", "n_threads": 2}),
    "cnn": (LSTMForecaster, FORECASTER | {"architecture": "cnn_lstm", "dropout": 0.3, "num_layers": 2}),
    "transformer": (LSTMForecaster, FORECASTER | {"architecture": "transformer", "optimizer": "adamw"}),
    "plateau": (LSTMForecaster, FORECASTER | PLATEAU | {"architecture": LSTM(linear_skip=False)}),
    "augmented": (LSTMForecaster, FORECASTER | {"augment": ["jitter", "time_warp"], "dropout": 0.3, "num_layers": 2}),
    "truncated": (LSTMForecaster, FORECASTER | {"architecture": LSTM(segment_length=4, tbptt=3, supervision="every")}),
    "ensemble": (LSTMForecaster, FORECASTER | {"n_estimators": 2, "n_threads": 2}),
    "regressor": (LSTMRegressor, {"optimizer": AdamW(clip_grad_value=0.01, accumulate_grad_batches=2)}),
    "classifier": (LSTMClassifier, {"early_stopping": 9, "augment": ["jitter"]}),
    "attention of classes": (LSTMClassifier, {"early_stopping": 9, "architecture": "attention"}),
}


def _fit(name, checkpoint=None, callbacks=None):
    kind, parameters = FITS[name]
    network = {"hidden_size": 8, "max_epochs": MAX_EPOCHS, "random_state": 0, "n_threads": 1}
    estimator = kind(**(network | parameters), checkpoint=checkpoint, callbacks=callbacks)
    return estimator.fit(
        *{LSTMForecaster: (SERIES,), LSTMRegressor: (WINDOWS, CLASSES / 2)}.get(kind, (WINDOWS, CLASSES))
    )


def _linger(record):
    time.sleep(60 if record["epoch"] == WAITS_AT else 0.01)


def _fit_slowly(name, folder):
    _fit(name, Checkpoint(folder, keep=2), [_linger])


@pytest.fixture(scope="module")
def processes():
    """Forked from one that has imported what they need, and started no thread yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.torch] if needs_torch(each) else []) for name, (_, each) in FITS.items()],
)
def test_what_was_killed_ends_as_if_it_had_not_been(name, tmp_path, processes):
    whole = _fit(name)
    for kill in range(2):
        folder = tmp_path / str(kill)
        process = processes.Process(target=_fit_slowly, args=(name, str(folder)))
        process.start()
        deadline = time.monotonic() + 60
        while not list(folder.rglob("epoch_*.safetensors")) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(np.random.default_rng().uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        epochs = [int(path.stem.removeprefix("epoch_")) for path in folder.rglob("epoch_*.safetensors")]
        assert epochs
        assert max(epochs) <= WAITS_AT
        seen = []
        resumed = _fit(name, folder, [seen.append])
        if name != "ensemble":
            # it went on, and did not begin anew
            assert [record["epoch"] for record in seen] == list(range(max(epochs) + 1, whole.n_epochs_ + 1))
        _assert_same_bits(resumed, whole)
        assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def _assert_same_bits(resumed, whole):
    pd.testing.assert_frame_equal(
        resumed.history_.drop(columns="seconds"), whole.history_.drop(columns="seconds"), check_exact=True
    )
    expected = whole.model_.parameters()
    for name, array in resumed.model_.parameters().items():
        assert_array_equal(array, expected[name], err_msg=name)
    for name in ("best_epoch_", "n_epochs_", "stop_reason_"):
        assert getattr(resumed, name) == getattr(whole, name)
    data = () if isinstance(whole, LSTMForecaster) else (WINDOWS,)
    assert_array_equal(resumed.predict(*data), whole.predict(*data))
    if isinstance(whole, LSTMForecaster):
        assert_array_equal(resumed.predict_interval(), whole.predict_interval())


def test_the_fits_show_what_they_are_for():
    """A plateau's rate that has fallen, and best weights that aren't the last."""
    history = _fit("plateau").history_
    assert history["learning_rate"].nunique() > 1
    assert any(_fit(name).best_epoch_ < MAX_EPOCHS for name in ("fused", "augmented", "truncated"))
