"""Checkpoints: files from which a fit continues after its process was killed."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from lstmforecast import _core
from lstmforecast.contract.core_options import CheckpointOptions
from lstmforecast.contract.plain import plain
from lstmforecast.contract.rules import Number

MEMBER = "member_{}"
_RULES = {
    "every_n_epochs": Number(numbers.Integral, 1, none=True),
    "every_n_minutes": Number(numbers.Real, 0, 1e9, high_included=True, none=True),
    "keep": Number(numbers.Integral, 1),
}


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often `fit` writes checkpoints, from which it continues after its process was killed.

    `fit` with the same data and parameters finds the checkpoints and continues from the newest. Weights, history and
    everything else are then the same as without the interruption, bit for bit (with the same ``n_threads``, on the same
    kind of processor). A training that was finished is not repeated. A checkpoint is a safetensors file, such as
    ``epoch_000012.safetensors``, with weights and the state of the optimiser but no data. It is written under another
    name and then renamed, so that it is always complete.

    Parameters
    ----------
    folder : str or path
        For one training only; created if it does not exist. The networks of an ensemble have folders in it.
    every_n_epochs : int or None, default=None
        Epochs between checkpoints. None: 1, unless ``every_n_minutes`` is set.
    every_n_minutes : float or None, default=None
        Minutes after which a checkpoint is written at the end of an epoch; ``steps_per_epoch`` sets its length.
    keep : int, default=1
        How many of the newest checkpoints are kept.
    resume : bool, default=True
        Continue from the newest checkpoint. False: delete those in the folder.

    Notes
    -----
    ``random_state=None`` takes the seed of the checkpoint. ``callbacks`` are called for the remaining epochs only.
    `backtest` writes no checkpoints. ``max_epochs`` may be greater than before if ``lr_schedule`` is "plateau" or
    "constant". ``n_threads`` and the number of processes of ``Device(distributed=True)`` may differ, which changes
    roundings; the first process reads and writes.

    Raises
    ------
    ValueError
        From `fit`, if the newest checkpoint has other data, parameters or initial weights; the message says which.
    FormatError
        From `fit`, if the newest checkpoint is damaged: delete it to continue from the one before, which ``keep=2``
        keeps.

    Examples
    --------
    >>> from lstmforecast import Checkpoint, LSTMForecaster
    >>> forecaster = LSTMForecaster(horizon=24, checkpoint=Checkpoint("training", every_n_minutes=10, keep=2))
    """

    folder: str | PathLike[str]
    every_n_epochs: int | None = None
    every_n_minutes: float | None = None
    keep: int = 1
    resume: bool = True

    def __post_init__(self) -> None:
        for name, value in vars(self).copy().items():
            object.__setattr__(self, name, plain(value))


def check_checkpoint(checkpoint: Any) -> None:
    """Raise TypeError or ValueError, with one sentence, for what is not a folder or a valid `Checkpoint`."""
    if checkpoint is None or isinstance(checkpoint, (str, PathLike)):
        return
    if not isinstance(checkpoint, Checkpoint) or not isinstance(checkpoint.folder, (str, PathLike)):
        raise TypeError(f"expected checkpoint to be a folder, a Checkpoint of a folder or None, got {checkpoint!r}")
    if not isinstance(checkpoint.resume, bool):
        raise TypeError(f"expected resume to be True or False, got {checkpoint.resume!r}")
    for name, rule in _RULES.items():
        rule.check(name, getattr(checkpoint, name))


def as_options(checkpoint: Any) -> CheckpointOptions | None:
    """The core's options."""
    if checkpoint is None:
        return None
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    epochs, minutes = checkpoint.every_n_epochs, checkpoint.every_n_minutes
    return {
        "folder": str(Path(fspath(checkpoint.folder)).absolute()),
        "every_n_epochs": None if epochs is None else int(epochs),
        "every_n_minutes": None if minutes is None else float(minutes),
        "keep": int(checkpoint.keep),
        "resume": checkpoint.resume,
    }


def of_member(options: CheckpointOptions | None, i: int) -> CheckpointOptions | None:
    """The options for one network of an ensemble."""
    return None if options is None else {**options, "folder": str(Path(options["folder"]) / MEMBER.format(i))}


def saved_seed(checkpoint: Any, n_members: int) -> int | None:
    """The seed of the fit whose checkpoint would be continued; None: there is no checkpoint."""
    options = as_options(checkpoint)
    if options is None or not options["resume"]:
        return None
    if n_members == 1:
        return _core.checkpoint_seed(options["folder"])
    folders = [Path(options["folder"]) / MEMBER.format(i) for i in range(n_members)]
    seeds = [_core.checkpoint_seed(folder) for folder in folders]
    return next((seed - i for i, seed in enumerate(seeds) if seed is not None), None)
