"""Fits and updates that change an estimator completely or not at all."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Estimator = TypeVar("Estimator")


@contextmanager
def aside(estimator: Estimator) -> Iterator[Estimator]:
    """Give a copy to change; if the block ends without an exception, the copy's attributes replace the estimator's.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Its attributes are replaced, never changed in place, because the copy shares them.

    Yields
    ------
    estimator
        The copy. Parameters that are set in the block, on either of the two, are not copied back.

    Examples
    --------
    >>> from lstmforecast import StandardScaler
    >>> scaler = StandardScaler()
    >>> with aside(scaler) as fitted:
    ...     fitted.mean_ = 3.0
    >>> scaler.mean_
    3.0
    """
    learner: Any = copy.copy(estimator)
    parameters, before = set(learner.get_params(deep=False)), list(vars(learner))
    yield learner
    own, learned = vars(estimator), vars(learner)
    # one call, so that no other thread sees only some of the attributes
    own.update({name: value for name, value in learned.items() if name not in parameters})
    for name in before:
        if name not in learned:
            del own[name]
