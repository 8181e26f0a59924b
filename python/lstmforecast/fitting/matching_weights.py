"""Weights under the names of a network's own: which of them fit it, and words for those that don't."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast.contract.pytorch import require_pytorch

Weights = dict[str, NDArray[np.float32]]


def fitting(own: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """The names of ``own`` weights of which ``given`` has one of the same shape."""
    return [name for name in own if name in given and own[name].shape == given[name].shape]


def misfits(own: Mapping[str, Any], given: Mapping[str, Any], of_other_words: Sequence[str] = ()) -> str:
    """Words that name every weight that is missing in ``given``, unexpected or of another shape; empty if none is.

    ``of_other_words`` are weights left out of ``given``, whose rows are vectors of other categories.

    Examples
    --------
    >>> misfits({"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros(4), "c": np.zeros(1)})
    'missing: b; unexpected: c; of another shape: a (4,) in place of (2,)'
    """
    other = [name for name in own if name in given and own[name].shape != given[name].shape]
    kinds = {
        "missing": [name for name in own if name not in given and name not in of_other_words],
        "of other categories": list(of_other_words),
        "unexpected": [name for name in given if name not in own],
        "of another shape": [f"{name} {given[name].shape} in place of {own[name].shape}" for name in other],
    }
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)


def loaded(own: Weights, state_dict: Mapping[str, Any], *, strict: bool) -> Weights:
    """The weights of a network after ``load_state_dict``, which is the caller.

    Parameters
    ----------
    own : dict of str to ndarray
        The network's weights.
    state_dict : mapping of str to torch.Tensor or array
        The new ones.
    strict : bool
        Whether all must fit, as in `torch.nn.Module.load_state_dict`. If not, those that fit are taken, and a warning
        names the others.

    Raises
    ------
    ValueError
        If a weight doesn't fit and ``strict`` is true, or none fits.
    """
    given = {name: as_array(value, "load_state_dict") for name, value in state_dict.items()}
    told, names = misfits(own, given), fitting(own, given)
    if told and strict:
        raise ValueError(f"expected the weights of this network; {told}; strict=False loads those that fit")
    if not names:
        raise ValueError(f"expected weights some of which fit this network in name and shape; {told}")
    if told:
        warnings.warn(
            f"the state dict fits this network in part: {len(names)} of its {len(own)} weights are loaded, others are "
            f"as they were; {told}",
            UserWarning,
            # the caller of load_state_dict
            stacklevel=3,
        )
    return own | {name: given[name] for name in names}


def as_array(value: Any, what: str) -> NDArray[np.float32]:
    """A tensor of PyTorch or an array in single precision; an ImportError names ``what`` needs PyTorch."""
    if hasattr(value, "detach"):
        require_pytorch(what)
        value = value.detach().cpu().float().numpy()
    return np.ascontiguousarray(value, np.float32)
