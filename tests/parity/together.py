"""What test_distributed.py starts with torchrun: fits of all cases to a folder, or one in which a process dies."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from tests.needs_torch import needs_torch

from lstmforecast import (
    LSTM,
    Adam,
    Attention,
    Device,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Plateau,
    Pretrained,
    Sampling,
    Transformer,
    _core,
)
from lstmforecast.transfer import Unfreeze

NETWORK = {
    "hidden_size": 6,
    "max_epochs": 3,
    "batch_size": 31,
    "n_threads": 1,
    "random_state": 0,
    "learning_rate": 1e-2,
}
EACH_WINDOW = Sampling(steps_per_epoch=None)
FORECASTER = NETWORK | {"horizon": 3, "window_size": 12, "sampling": EACH_WINDOW, "channels": "together"}
TABLE = NETWORK | {"early_stopping": 3}
TORCH, ATTENTION = {"device": Device(backend="torch")}, {"architecture": Attention(num_heads=2)}
# a batch of one row: nothing is left for the first process
ONE = {"batch_size": 1, "sampling": Sampling(steps_per_epoch=20)}
# only the first process has the word for it
THAWING = {
    "pretrained": Pretrained(freeze=["lstm.*"], learning_rates={"fc.*": 0.02}),
    "callbacks": [lambda record: Unfreeze("lstm.*_l0") if record["epoch"] == 1 else None],
}
FORECASTERS = {
    "fused": {"dropout": 0.3, "num_layers": 2, "optimizer": Adam(clip_grad_norm=0.05)},
    "torch": TORCH | {"dropout": 0.3, "num_layers": 2, "optimizer": Adam(clip_grad_norm=0.05)},
    "hybrid": ATTENTION | {"dropout": 0.3, "num_layers": 2, "optimizer": Adam(clip_grad_norm=0.05)},
    "transformer": {"architecture": Transformer(num_heads=2)},
    "linear": {"architecture": "linear"},
    "augmented": {"augment": ["jitter", "scale"]},
    "augmented torch": TORCH | {"augment": ["jitter", "scale"]},
    "every step": {"architecture": LSTM(supervision="every")},
    "every step torch": TORCH | {"architecture": LSTM(supervision="every")},
    "truncated": {"architecture": LSTM(tbptt=5, supervision="every")},
    "quantiles": {"loss": "quantile", "channels": "independent"},
    "one row": ONE,
    "one row torch": ONE | TORCH,
    "one row hybrid": ONE | ATTENTION,
    "stops early": {"max_epochs": 30, "early_stopping": 1, "learning_rate": 0.3, "lr_schedule": Plateau(patience=0)},
    "nothing held out": {"early_stopping": None},
    "unfrozen": THAWING,
    "unfrozen torch": THAWING | TORCH,
    "unfrozen hybrid": THAWING | ATTENTION,
}
TABLES = {"regressor": {}, "regressor torch": TORCH, "classifier": {}, "classifier torch": TORCH}
CASES = FORECASTERS | TABLES
HERE = [name for name, case in CASES.items() if _core.HAS_TORCH or not needs_torch(case)]


def series(n=300):
    """Two noisy waves."""
    time = np.arange(n)[:, None] / [5, 9]
    return np.sin(time) + np.random.default_rng(0).normal(0, 0.1, (n, 2))


def fit(name, **parameters):
    """Fit one case."""
    if name in FORECASTERS:
        return LSTMForecaster(**(FORECASTER | FORECASTERS[name])).set_params(**parameters).fit(series())
    rng = np.random.default_rng(1)
    X, weights = rng.normal(size=(150, 8)), rng.uniform(0.1, 3, 150)
    kind, y = LSTMRegressor, X @ rng.normal(size=8)
    if name.startswith("classifier"):
        kind, y = LSTMClassifier, (y > 0) + (y > 1)
    return kind(**(TABLE | TABLES[name])).set_params(**parameters).fit(X, y, weights)


def endless(callbacks, **parameters):
    """A forecaster that trains until it is stopped."""
    model = LSTMForecaster(**FORECASTER).set_params(max_epochs=10**6, early_stopping=10**6, lr_schedule="constant")
    return model.set_params(callbacks=callbacks, device__distributed=True).set_params(**parameters)


def _fit_all(folder, rank):
    weights, losses = {}, {}
    for name in HERE:
        model = fit(name, device__distributed=True)
        losses[name] = model.history_.drop(columns="seconds").to_numpy()
        weights |= {f"{name} {key}": value for key, value in model.model_.parameters().items()}
    # without a seed, that of the first
    model = fit("fused", device__distributed=True, random_state=None)
    weights |= {f"unseeded {key}": value for key, value in model.model_.parameters().items()}
    np.savez(folder / f"weights{rank}.npz", **weights)
    np.savez(folder / f"losses{rank}.npz", **losses)


def wait_for(path):
    """Wait until another process has written a file."""
    while not path.exists():
        time.sleep(0.01)


def _ends(folder, rank):
    """How a training ends for which process: stop reason, error and number of epochs."""
    given_up = folder / "given_up"

    def content(record):
        assert rank == 0, "only the first process calls callbacks"
        return record["epoch"] == 2

    def angry(record):
        raise LookupError(f"epoch {record['epoch']}")

    def late(record):
        if record["epoch"] == 2:
            wait_for(given_up)

    ends = {}
    callbacks = {"content": [content], "angry": [angry], "interrupted": None, "late": [late]}
    for name, watching in callbacks.items():
        model = endless(watching, device__timeout=4.0 if name == "late" else 600.0)
        if name == "interrupted" and rank == 1:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        error = None
        try:
            model.fit(series())
        except (RuntimeError, LookupError, KeyboardInterrupt) as raised:
            error = f"{type(raised).__name__}: {raised}"
        if name == "late":
            given_up.touch()
        ends[name] = [getattr(model, "stop_reason_", None), error, getattr(model, "n_epochs_", None)]
    try:
        endless(None).fit(series(300 + 10 * rank))
    except ValueError as raised:
        ends["other data"] = str(raised)
    return ends


def _die(folder, rank):
    """Process 1 is killed after the third epoch; process 0 saves what it has."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which torchrun sends when one has died
    flag = folder / "epoch3"

    def watch():
        wait_for(flag)
        os.kill(os.getpid(), signal.SIGKILL)

    if rank == 1:
        threading.Thread(target=watch, daemon=True).start()
    flag_it = [lambda record: flag.touch() if record["epoch"] == 3 else None]
    model = endless(flag_it, checkpoint=folder / f"checkpoints{rank}")
    try:
        model.fit(series())
    except RuntimeError as error:
        model.save(folder / "model.safetensors")
        found = {"error": str(error), "stop_reason": model.stop_reason_, "best_epoch": model.best_epoch_}
        (folder / "found.json").write_text(json.dumps(found))


SAVED = [name for name in HERE if name in ("fused", "torch", "hybrid", "unfrozen", "unfrozen torch", "stops early")]


def _resume(folder, rank):
    """Whole fits, and such as are broken off and go on from checkpoints, of which process 1 has none."""
    weights = {}

    def save(kind, name, model):
        weights.update({f"{kind} {name} {key}": value for key, value in model.model_.parameters().items()})
        weights[f"{kind} {name} losses"] = model.history_.drop(columns="seconds").to_numpy()

    def break_off(record):
        if record["epoch"] == 4:
            raise LookupError

    for name in SAVED:
        case = FORECASTERS[name]
        options = {"device__distributed": True, "max_epochs": case.get("max_epochs", 6)}
        save("whole", name, fit(name, **options))
        checkpoint = folder / f"{name} of process {rank}"
        with contextlib.suppress(LookupError, RuntimeError):
            fit(name, **options, checkpoint=checkpoint, callbacks=[*case.get("callbacks", []), break_off])
        seen = []
        save("resumed", name, fit(name, **options, checkpoint=checkpoint, callbacks=[seen.append]))
        if rank == 0 and name != "stops early":
            assert [record["epoch"] for record in seen] == [5, 6], name
    np.savez(folder / f"weights{rank}.npz", **weights)
    options = {"device__distributed": True, "checkpoint": folder / f"fused of process {rank}", "hidden_size": 7}
    try:
        fit("fused", **options)
    except (ValueError, RuntimeError) as error:
        (folder / f"refused{rank}.txt").write_text(f"{type(error).__name__}: {error}")


def _main():
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    if sys.argv[2] == "die":
        _die(folder, rank)
    elif sys.argv[2] == "resume":
        _resume(folder, rank)
    else:
        _fit_all(folder, rank)
        (folder / f"ends{rank}.json").write_text(json.dumps(_ends(folder, rank)))


if __name__ == "__main__":
    _main()
