"""Random generators and seeds made from ``random_state``; NumPy's global generator is never used."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from lstmforecast.contract.plain import plain


def as_generator(random_state: Any) -> np.random.RandomState:
    """Make a `numpy.random.RandomState` from a seed or a generator of either kind; None: a new one.

    Raises
    ------
    ValueError
        If ``random_state`` is neither a seed nor a generator.
    """
    random_state = plain(random_state)
    if random_state is None:
        # scikit-learn would take NumPy's global generator
        return np.random.RandomState()
    if isinstance(random_state, np.random.Generator):
        return np.random.RandomState(int(random_state.integers(np.iinfo(np.int32).max)))
    generator: np.random.RandomState = check_random_state(random_state)
    return generator


def draw_seed(random_state: Any) -> int:
    """Draw a seed for one fit; the same one every time if ``random_state`` is an int."""
    return int(as_generator(random_state).randint(np.iinfo(np.int32).max))
