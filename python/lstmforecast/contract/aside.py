"""A fit or an update is all or nothing: a copy learns, and its attributes are taken over at the end."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Estimator = TypeVar("Estimator")


@contextmanager
def aside(estimator: Estimator) -> Iterator[Estimator]:
    """Give a copy to learn with; where the block ends without an exception, what it learned becomes the estimator's.

    Parameters
    ----------
    estimator : estimator of scikit-learn's kind
        Its attributes are replaced, never changed in place: the copy shares them.

    Yields
    ------
    estimator
        The copy. Parameters that are set meanwhile, on either, are not taken over.

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
    # one call, so that no other thread sees half of it
    own.update({name: value for name, value in learned.items() if name not in parameters})
    for name in before:
        if name not in learned:
            del own[name]
