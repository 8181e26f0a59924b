"""Random generators and seeds from ``random_state``; NumPy's global generator is never used."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from lstmforecast.contract.plain import plain


def as_generator(random_state: Any) -> np.random.RandomState:
    """The generator of a seed, or of a generator of either kind; None: one that nothing else has drawn from.

    Raises
    ------
    ValueError
        For what is no seed.
    """
    random_state = plain(random_state)
    if random_state is None:
        # scikit-learn takes NumPy's global generator here
        return np.random.RandomState()
    if isinstance(random_state, np.random.Generator):
        return np.random.RandomState(int(random_state.integers(np.iinfo(np.int32).max)))
    generator: np.random.RandomState = check_random_state(random_state)
    return generator


def draw_seed(random_state: Any) -> int:
    """A seed for one piece of work; an int gives the same one each time."""
    return int(as_generator(random_state).randint(np.iinfo(np.int32).max))
