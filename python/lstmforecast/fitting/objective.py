"""What a forecaster's network forecasts, points or a distribution, and the loss that its training minimises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from lstmforecast.augment import magnitude_warp, resolve, scale
from lstmforecast.contract.core_options import Loss
from lstmforecast.contract.parameter_group import GroupedParameter, ParameterGroup
from lstmforecast.data.observations import Observations
from lstmforecast.data.season import season_length
from lstmforecast.fitting.distribution import N_PARAMETERS
from lstmforecast.fitting.sizing import default_loss

DISTRIBUTIONS = tuple(N_PARAMETERS)
# The default of ``loss="quantile"``.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


@dataclass(eq=False, repr=False)
class Quantiles(ParameterGroup):
    """Forecast quantiles that never cross, trained by the quantile loss (Koenker and Bassett 1978).

    Parameters
    ----------
    levels : list of float or None, default=None
        Probabilities between 0 and 1, in ascending order. None: 0.025, 0.1, 0.25, 0.5, 0.75, 0.9 and 0.975.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster, Quantiles
    >>> LSTMForecaster(loss=Quantiles([0.1, 0.5, 0.9]))
    LSTMForecaster(loss=Quantiles(levels=[0.1, 0.5, 0.9]))
    """

    word: ClassVar[str] = "quantile"
    flat_names: ClassVar[dict[str, str]] = {"levels": "quantiles"}
    levels: Sequence[float] | None = None


LOSS = GroupedParameter(
    "loss",
    Quantiles,
    words=("mse", "mae", "huber", *DISTRIBUTIONS),
    example="Quantiles([0.1, 0.5, 0.9])",
)


def distribution_of(loss: str | None, quantiles: Sequence[float] | None) -> Any:
    """The distribution that the network forecasts the parameters of, as the core names it; None: a point."""
    if loss == "quantile":
        return {"quantiles": [float(level) for level in quantiles or QUANTILES]}
    return loss if loss in DISTRIBUTIONS else None


def core_loss(loss: str | None, quantiles: Sequence[float] | None, horizon: int, observations: Observations) -> Loss:
    """The loss as the core names it; where the user chose none, the one for the horizon and the kind of data."""
    distribution = distribution_of(loss, quantiles)
    if distribution is not None:
        return {"distribution": distribution}
    chosen = loss or ("mae" if observations.is_panel else default_loss(horizon, season_length(observations.freq)))
    # one of the words that are no distribution
    return cast("Loss", chosen)


def require_count_options(transform: str | None, augment: Any) -> None:
    """Raise a ValueError for parameters that would turn counts into other numbers."""
    if transform is not None:
        raise ValueError(f"expected transform=None for loss='negative_binomial', got {transform!r}")
    for method in resolve(augment):
        if isinstance(method, (scale, magnitude_warp)):
            raise ValueError(f"expected augment to keep counts above 0 for loss='negative_binomial', got {method!r}")


def require_counts(observations: Observations) -> None:
    """Raise a ValueError for the first value that is no count."""
    # a missing value compares as false
    wrong = (observations.values < 0) | (observations.values % 1 > 0)
    if wrong.any():
        got = observations.first_of(wrong)
        raise ValueError(f"expected counts, whole numbers from 0, for loss='negative_binomial', got {got}")
