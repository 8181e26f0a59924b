"""Checkpoints: a training that finds a changed one refuses it, or ends with a model that works."""

import os
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from tests.fuzz.mutators import change_file as mutate
from tests.fuzz.outcome import check_message

from lstmforecast import LSTM, Attention, CharLSTM, LSTMForecaster, LSTMRegressor, Sampling, Transformer

__all__ = ["mutate", "run_one", "seeds"]

_SERIES = np.sin(np.arange(40) / 3)
_TEXT = "to be, or not to be, that is the question: " * 3
_NAME = "epoch_000002.safetensors"


def _trainings(folder: Path, **options: object) -> list[tuple[object, tuple[object, ...]]]:
    """Estimators with checkpoints in a folder, and what they are fitted to."""
    fast = {"hidden_size": 4, "max_epochs": 3, "n_threads": 1, "checkpoint": folder} | options
    few = fast | {"sampling": Sampling(steps_per_epoch=2)}
    small = few | {"window_size": 8}
    attention, transformer = Attention(num_heads=2, segment_length=2), Transformer(num_heads=2, segment_length=2)
    return [
        (LSTMForecaster(3, architecture=LSTM(segment_length=2), **small), (_SERIES,)),
        (LSTMForecaster(3, architecture=attention, **small), (_SERIES,)),
        (LSTMForecaster(3, architecture=transformer, lr_schedule="plateau", **small), (_SERIES,)),
        (LSTMRegressor(**few), (_SERIES.reshape(5, 8), _SERIES[:5])),
        (CharLSTM(embedding_size=3, sequence_length=8, batch_size=2, **fast), (_TEXT,)),
    ]


def seeds() -> list[bytes]:
    """The second checkpoint of each training."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        stop = [lambda record: record["epoch"] == 2]
        for i in range(len(_trainings(Path(folder)))):
            own = Path(folder) / str(i)
            estimator, data = _trainings(own, random_state=i, callbacks=stop)[i]
            estimator.fit(*data)  # type: ignore[attr-defined]
            files.append((own / _NAME).read_bytes())
    return files


def run_one(data: bytes) -> str:
    """Go on from a checkpoint; an AssertionError for anything but one sentence or a model whose weights are finite."""
    folder = _folder()
    outcome = "refused"
    for estimator, given in _trainings(folder):
        for path in folder.iterdir():
            path.unlink()
        (folder / _NAME).write_bytes(data)
        try:
            estimator.fit(*given)  # type: ignore[attr-defined]
        except (ValueError, OSError) as error:
            # the other trainings have other names for what differs
            check_message(str(error).replace(str(folder), ""))
            continue
        except FloatingPointError as error:
            check_message(str(error))
            continue
        parameters = estimator.model_.parameters()  # type: ignore[attr-defined]
        assert all(np.isfinite(weights).all() for weights in parameters.values()), "weights that are not finite"
        outcome = "works"
    return outcome


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
