"""Labels of a classifier: their checks, and the weights of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from lstmforecast.contract.rules import MOST_SIZE
from lstmforecast.estimators.tabular import require_finite, require_rows

Array = NDArray[np.float64]


def read_labels(y: Any, n_rows: int) -> NDArray[Any]:
    """Check the labels of the rows of X.

    Raises
    ------
    ValueError
        If there are none, another number of them than rows, or one is missing.
    """
    if y is None:
        raise ValueError("LSTMClassifier requires y to be passed, but the target y is None")
    labels: NDArray[Any] = column_or_1d(y, warn=True)
    require_rows("y", labels, n_rows)
    _require_labels(labels)
    check_classification_targets(labels)
    return labels


def check_class_weight(class_weight: Any) -> None:
    """Raise TypeError or ValueError, with one sentence, for an invalid ``class_weight``."""
    if class_weight is None or (isinstance(class_weight, str) and class_weight == "balanced"):
        return
    if isinstance(class_weight, str):
        raise ValueError(f"expected class_weight to be 'balanced', a dict or None, got {class_weight!r}")
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"expected class_weight to be 'balanced', a dict or None, got {class_weight!r}")
    for label, weight in class_weight.items():
        if not isinstance(weight, int | float | np.number) or not 0 < weight <= MOST_SIZE:
            raise ValueError(f"expected a class_weight above 0 for {label!r}, got {weight!r}")


def weigh_classes(class_weight: Any, classes: NDArray[Any], codes: NDArray[np.intp], weights: Array | None) -> Array:
    """The weight of a row of each class, as scikit-learn's `compute_class_weight` defines it.

    Parameters
    ----------
    class_weight : dict of label to weight, "balanced" or None
        Labels that are not in a dict have weight 1; ``"balanced"``: all classes have the same total weight.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int of shape (n,)
        The class of each row.
    weights : ndarray of shape (n,) or None
        Other weights of the rows.

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If a dict names a label that is not in y, and leaves out one that is.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):
        counts = np.bincount(codes, weights, len(classes))
        balanced: Array = counts.sum() / (len(classes) * counts)
        return balanced
    labels = classes.tolist()
    left_out = [label for label in labels if label not in class_weight]
    unknown = [label for label in class_weight if label not in labels]
    if left_out and unknown:
        raise ValueError(f"expected class_weight with labels of y, such as {left_out[0]!r}, got {unknown[0]!r}")
    return np.array([float(class_weight.get(label, 1)) for label in labels])


def _require_labels(labels: NDArray[Any]) -> None:
    if labels.dtype.kind == "f":
        require_finite("y", labels, ("row",))
    missing = pd.isna(labels)
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(f"expected a label in every row of y, got {labels[row]} in row {row}")
