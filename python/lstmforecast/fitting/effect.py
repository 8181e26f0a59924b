"""What known features add to targets, as the core computes it: for modules of PyTorch and ONNX files.

The effect of a row is a sum of the scaled features, their recent means and hinges of up to three of them, with weights
that a regression found. Networks see windows without it, and it is added to their forecasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KnownEffect:
    """An effect, in scaled units of targets and features.

    Attributes
    ----------
    rates : ndarray of shape (n_rates,)
        How far each row moves a recent mean towards its own value; a mean begins at the first row of a window.
    hinges : ndarray of shape (n_hinges, n_known)
        Factors of the features in each hinge.
    thresholds : ndarray of shape (n_hinges,)
        Where hinges begin to rise from 0.
    linear : ndarray of shape (1 + n_rates, n_targets, n_known)
        Weights of the features, then of the recent means by each rate.
    bent : ndarray of shape (n_targets, n_hinges)
        Weights of the hinges.
    """

    rates: Array
    hinges: Array
    thresholds: Array
    linear: Array
    bent: Array

    @classmethod
    def of(cls, scalers: Mapping[str, Array], n_known: int) -> KnownEffect | None:
        """That of a model's scalers; None where there is none."""
        if "effect_weight" not in scalers or not scalers["effect_weight"].any():
            return None
        rates, hinges, thresholds, weight = (
            scalers[f"effect_{name}"] for name in ("rates", "hinges", "thresholds", "weight")
        )
        n_smooth = n_known * (1 + len(rates))
        weight = weight.reshape(-1, n_smooth + len(thresholds))
        linear = weight[:, :n_smooth].reshape(len(weight), 1 + len(rates), n_known).transpose(1, 0, 2)
        return cls(rates, hinges.reshape(-1, n_known), thresholds, linear, weight[:, n_smooth:])

    def means(self, n_rows: int) -> Array:
        """The matrices (n_rates, n_rows, n_rows) that map the rows of a window to recent means.

        Examples
        --------
        >>> effect = KnownEffect(np.array([0.5]), *[np.zeros((0, 1))] * 4)
        >>> effect.means(3)
        array([[[1.  , 0.  , 0.  ],
                [0.5 , 0.5 , 0.  ],
                [0.25, 0.25, 0.5 ]]])
        """
        rows = np.arange(n_rows)
        age = rows[:, None] - rows
        left = 1 - self.rates[:, None, None]
        share = np.where(rows == 0, 1.0, self.rates[:, None, None]) * left ** np.maximum(age, 0)
        return np.where(age >= 0, share, 0.0)
