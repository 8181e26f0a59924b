"""Which parameters of tests need the core that computes with libtorch."""

from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator

from lstmforecast import CNNLSTM, Attention, Device, Transformer

WORDS = ("attention", "cnn_lstm", "transformer", "torch")

_CLASSES = (Attention, CNNLSTM, Transformer)


def needs_torch(value: Any) -> bool:
    """Whether a value names, is or contains a network, a backend or a device that the small core doesn't have."""
    if isinstance(value, str):
        return value in WORDS or value.startswith("cuda")
    if any(value is kind for kind in _CLASSES) or isinstance(value, _CLASSES):
        return True
    if isinstance(value, Device):
        return value.backend == "torch" or value.precision == "bfloat16" or value.layer_devices is not None
    if isinstance(value, Mapping):
        # the core's own options name a network by a key
        return any(map(needs_torch, [*value, *value.values()]))
    if isinstance(value, list | tuple):
        return any(map(needs_torch, value))
    # classes are estimators' kinds, and have no parameters yet
    return isinstance(value, BaseEstimator) and needs_torch(value.get_params(deep=False))
