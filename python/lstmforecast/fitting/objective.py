"""What a forecaster's network forecasts, points or a distribution, and the loss that its training minimises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from lstmforecast.augment import magnitude_warp, resolve, scale
from lstmforecast.contract.core_options import Loss
from lstmforecast.contract.parameter_group import GroupedParameter, ParameterGroup
from lstmforecast.data.demand import share_of_intermittent
from lstmforecast.data.observations import Observations
from lstmforecast.data.season import season_length
from lstmforecast.fitting.distribution import COUNTS, FROM_ZERO, N_PARAMETERS, name_of
from lstmforecast.fitting.sizing import default_loss

DISTRIBUTIONS = tuple(N_PARAMETERS)
# From this share of intermittent series or variables on, means are forecast by default.
ENOUGH_INTERMITTENT = 0.1
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


@dataclass(eq=False, repr=False)
class Tweedie(ParameterGroup):
    """Forecast Tweedie's distribution: values from 0 on, many of which may be exactly 0 (Jørgensen 1987).

    It is a sum of gamma variables whose number is a Poisson variable, such as the sales of a day. The network forecasts
    the mean and the dispersion, by maximum likelihood (the series of Dunn and Smyth 2005).

    Parameters
    ----------
    power : float, default=1.5
        From 1.05 to 1.95: the variance is the dispersion times the mean to this power. Near 1 the variables that are
        summed are of nearly one size, near 2 their sizes vary much.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster, Tweedie
    >>> LSTMForecaster(loss=Tweedie(power=1.2))
    LSTMForecaster(loss=Tweedie(power=1.2))
    """

    word: ClassVar[str] = "tweedie"
    flat_names: ClassVar[dict[str, str]] = {"power": "tweedie_power"}
    power: float = 1.5


LOSS = GroupedParameter(
    "loss",
    Quantiles,
    Tweedie,
    words=("mse", "mae", "huber", *(name for name in DISTRIBUTIONS if name != Tweedie.word)),
    example="Quantiles([0.1, 0.5, 0.9])",
)


def distribution_of(parameters: Mapping[str, Any]) -> Any:
    """The distribution that the network of these flat parameters forecasts, as the core names it; None: a point."""
    loss = parameters["loss"]
    if loss == "quantile":
        return {"quantiles": [float(level) for level in parameters["quantiles"] or QUANTILES]}
    if loss == "tweedie":
        return {"tweedie": float(parameters["tweedie_power"])}
    return loss if loss in DISTRIBUTIONS else None


def core_loss(parameters: Mapping[str, Any], observations: Observations) -> Loss:
    """The loss as the core names it; where the user chose none, the one for the horizon and the kind of data."""
    distribution = distribution_of(parameters)
    if distribution is not None:
        return {"distribution": distribution}
    chosen = parameters["loss"]
    if chosen is None:
        share = share_of_intermittent(observations, season_length(observations.freq))
        # the medians that the other losses forecast would be 0
        is_plain = share < ENOUGH_INTERMITTENT
        chosen = default_without_zeros(parameters["horizon"], observations) if is_plain else "mse"
    # one of the words that are no distribution
    return cast("Loss", chosen)


def default_without_zeros(horizon: int, observations: Observations) -> str:
    """The default loss where demand isn't intermittent; earlier versions had it everywhere."""
    return "mae" if observations.is_panel else default_loss(horizon, season_length(observations.freq))


def check_loss(saved: Any, parameter: str | None, horizon: int, observations: Observations) -> str:
    """The loss of the training that a file tells, or that the version before had; a ValueError for an unknown one."""
    if saved not in (None, "mse", "mae", "huber", "quantile", *DISTRIBUTIONS):
        raise ValueError(f"a training with loss={saved!r}")
    return str(saved or parameter or default_without_zeros(horizon, observations))


def require_options(distribution: Any, transform: str | None, augment: Any) -> None:
    """Raise a ValueError for parameters that would turn values into some that the distribution can't have."""
    name = name_of(distribution)
    if name not in FROM_ZERO:
        return
    if transform is not None:
        raise ValueError(f"expected transform=None for loss={name!r}, got {transform!r}")
    for method in resolve(augment):
        if isinstance(method, (scale, magnitude_warp)):
            kept = "counts" if name in COUNTS else "values"
            raise ValueError(f"expected augment to keep {kept} above 0 for loss={name!r}, got {method!r}")


def require_values(distribution: Any, observations: Observations) -> None:
    """Raise a ValueError for the first value that the distribution can't have."""
    name, values = name_of(distribution), observations.values
    if name not in FROM_ZERO:
        return
    # a missing value compares as false
    if name in COUNTS:
        wrong, expected = (values < 0) | (values % 1 > 0), "counts, whole numbers from 0,"
    elif name == "lognormal":
        wrong, expected = values <= 0, "values above 0"
    else:
        wrong, expected = values < 0, "values from 0 on"
    if wrong.any():
        raise ValueError(f"expected {expected} for loss={name!r}, got {observations.first_of(wrong)}")
