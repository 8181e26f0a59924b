"""Docstrings of parameters that several estimators have, written once."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=type)

# The first line is the type, the lines after it the text; the default is taken from the signature.
SHARED = {
    "n_features_per_step": """int
        Features of each step in a flat row: 24 columns are 24 steps of 1 feature, or 12 steps of 2.""",
    "hidden_size": """int
        Units of each layer.""",
    "num_layers": """int
        Stacked layers.""",
    "dropout": """float
        Probability that a value between two layers is set to 0 in training; ``"lstm"`` uses it only with ``num_layers``
        above 1.""",
    "learning_rate": """float
        Initial learning rate, or with a schedule that rises first, the largest.""",
    "batch_size": """int
        Windows in a batch.""",
    "max_epochs": """int
        The largest number of epochs. After each epoch the held-out rows are scored; ``sampling`` sets its length.""",
    "early_stopping": """int, EarlyStopping or None
        Training stops after so many epochs in which the loss of the held-out rows, the last ones, has not improved; the
        best weights are restored. None: no rows are held out. `EarlyStopping` also has the smallest improvement that
        counts, ``min_delta``, and the ``validation_fraction``.""",
    "random_state": """int, RandomState, Generator or None
        Seed of weights, order and dropout: the same seed gives the same bits.""",
    "optimizer": """{"adam", "adamw"}, Adam or AdamW
        Optimiser, as in `torch.optim`. `Adam` and `AdamW` also have weight decay, clipping and accumulation of
        gradients.""",
    "lr_schedule": """{"cosine", "onecycle", "plateau", "constant"} or Plateau
        Learning rate over all steps: as ``CosineAnnealingLR`` or ``OneCycleLR`` of `torch.optim.lr_scheduler`; reduced
        when the validation loss stops improving (`Plateau` says how); or constant.""",
    "sampling": """Sampling or None
        `Sampling` sets the optimiser steps of an epoch, and for a forecaster the ``stride`` of training windows. None:
        its defaults.""",
    "augment": """list of str or objects of `lstmforecast.augment`, or None
        Random changes of training windows, one after the other, new each time a window is read: ``"jitter"``,
        ``"scale"``, ``"magnitude_warp"``, ``"time_warp"``, ``"window_slice"``. A forecaster changes the horizons after
        the windows with them; targets of a regressor or classifier are not changed.""",
    "warm_start": """bool
        `fit` continues from the weights of the previous fit.""",
    "pretrained": """path, fitted estimator, torch.nn.Module, state dict, Pretrained or None
        Initial weights: those whose name and shape match the network are taken, the others are initialised as usual;
        ``pretrained_`` lists both. Scalers are fitted to the new data. `lstmforecast.transfer.Pretrained` also freezes
        parameters, or trains them with their own learning rates. A clone keeps a path or a state dict, but not what an
        estimator has learned: see `load_pretrained`. With ``warm_start``, for the first fit only.""",
    "device": """{"cpu", "cuda", "cuda:N"} or Device
        Where the network is computed. `Device` also has the backend, mixed precision, layers on several GPUs, and
        training in several processes.""",
    "n_threads": """int or None
        Threads, at most 1024. None: ``OMP_NUM_THREADS`` (set in joblib's workers), or else the number of processors.
        In a forked process libtorch has one.""",
    "verbose": """int
        1: a progress bar with the losses.""",
    "callbacks": """list of callables or None
        Called with the record of each epoch; training stops when one returns a true value.""",
    "checkpoint": """str, path, Checkpoint or None
        A folder of checkpoints from which `fit`, with the same data and parameters, continues after its process was
        killed; `lstmforecast.Checkpoint` sets how often they are written. None: no checkpoints.""",
}


def with_shared_parameters(kind: Kind) -> Kind:
    """Replace lines such as ``{hidden_size}`` in the docstring of a class by the text in `SHARED`."""
    # python -OO has no docstrings
    if kind.__doc__ is not None:
        parameters = inspect.signature(kind).parameters
        defaults = {name: _shown(parameter.default) for name, parameter in parameters.items()}
        kind.__doc__ = filled(inspect.cleandoc(kind.__doc__), defaults)
    return kind


def filled(docstring: str, defaults: Mapping[str, str]) -> str:
    """A docstring with the text of its shared parameters; defaults are as a docstring shows them."""
    return re.sub(r"^\{(\w+)\}$", lambda found: _entry(found[1], defaults[found[1]]), docstring, flags=re.MULTILINE)


def _shown(default: Any) -> str:
    return f'"{default}"' if isinstance(default, str) else repr(default)


def _entry(name: str, default: str) -> str:
    kind, _, text = SHARED[name].partition("\n")
    return f"{name} : {kind}, default={default}\n{textwrap.indent(textwrap.dedent(text), '    ')}"
