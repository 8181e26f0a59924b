"""Search spaces of `tune`: short-hands for Optuna's distributions, and a default space for estimator and data."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial, FrozenTrial
from sklearn.base import clone

from lstmforecast import _core
from lstmforecast.contract.parameter_group import ParameterGroup, flat_group, flat_parameters, groups_of, names_of
from lstmforecast.contract.plain import plain
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.fitting.architecture import ARCHITECTURE, Linear
from lstmforecast.fitting.parameters import check_installed
from lstmforecast.fitting.sizing import default_window_size

Space = Mapping[str, Any] | Callable[[Any], dict[str, Any]]
# Parameters that can't be searched: forecasts of other tasks can't be compared, the others change no forecast.
FIXED = (
    *("horizon", "freq", "n_threads", "verbose", "callbacks", "checkpoint", "warm_start"),
    *("device__distributed", "device__timeout"),
)
PRIMITIVE = (str, int, float, bool, type(None))
# Parameters that have no effect on a linear forecast.
OF_NETWORKS = ("hidden_size", "num_layers", "dropout")
# Window sizes in seasons, or in horizons where the season is unknown.
SEASONS, HORIZONS = (2, 4, 7, 14, 21, 28), (1, 2, 4, 8)
LONGEST = 672


def default_space(forecaster: LSTMForecaster, n_rows: int, season: int, n_columns: int) -> dict[str, Any]:
    """Make a space for a forecaster that is fitted on ``n_rows`` rows (in a panel, of a series of median length).

    It contains the forecaster's own values, and attention where libtorch is there to compute it.

    Examples
    --------
    >>> space = default_space(LSTMForecaster(24), n_rows=800, season=24, n_columns=1)
    >>> space["window_size"], space["learning_rate"]
    ([None, 48, 96, 168], ('log', 0.0005, 0.02))
    """
    network = flat_group(forecaster, "architecture")
    words = ("lstm", "linear", "attention") if _core.HAS_TORCH else ("lstm", "linear")
    others = [word for word in words if word != network["architecture"]]
    units = [m * season for m in SEASONS] if season > 1 else [m * max(forecaster.horizon, 12) for m in HORIZONS]
    usual = default_window_size(n_rows, forecaster.horizon, season)
    windows = [size for size in units if size <= min(LONGEST, n_rows // 4) and size != usual]
    lists: dict[str, list[Any]] = {
        # with what they share with the forecaster's own
        "architecture": [ARCHITECTURE.grouped(network | {"architecture": word}) for word in others],
        # segments and truncated windows were chosen for the window size of the forecaster
        "window_size": windows if network["segment_length"] is None and network["tbptt"] is None else [],
        "hidden_size": [16, 32, 64, 128],
        "dropout": [0.0, 0.1, 0.2, 0.4],
        "normalize": ["last", "window", None],
        "architecture__linear_skip": [None, False],
        "optimizer__weight_decay": [0.0, 1e-5, 1e-4, 1e-3],
        "batch_size": [128, 512],
    }
    if n_columns > 1:
        lists["channels"] = ["independent", "together"]
    rate = forecaster.learning_rate
    space: dict[str, Any] = {"learning_rate": ("log", min(5e-4, rate), max(2e-2, rate))}
    for name, values in lists.items():
        own = parameter(forecaster, name)
        space[name] = [own, *(value for value in values if value != own)]
    return space


def stored_names(forecaster: LSTMForecaster) -> dict[str, str]:
    """The parameters that a space may name, and their names in a study, which are those of files: ``num_heads`` for
    ``architecture__num_heads``.
    """
    own = forecaster.get_params(deep=False)
    kinds = [(outer, kind) for outer, group in groups_of(forecaster).items() for kind in group.kinds]
    nested = {f"{outer}__{name}": flat for outer, kind in kinds for name, flat in names_of(kind).items()}
    return {name: name for name in own} | {name: name if flat in own else flat for name, flat in nested.items()}


def parameter(forecaster: LSTMForecaster, name: str) -> Any:
    """A parameter by its name, such as ``hidden_size`` or ``architecture__num_heads``; one that the object doesn't have
    is None.
    """
    outer, _, inner = name.partition("__")
    value = getattr(forecaster, outer)
    return plain(getattr(groups_of(forecaster)[outer].object_of(value), inner, None)) if inner else value


def check_space(space: Space, forecaster: LSTMForecaster) -> None:
    """Check that a space is a function, or a dict of parameters that can be searched and their values.

    Raises
    ------
    TypeError, ValueError
        If it is not.
    ImportError
        For a value that needs libtorch, where it is missing.
    """
    if callable(space):
        return
    if not isinstance(space, Mapping):
        raise TypeError(f"expected space to be a dict, a function of a trial or None, got {type(space).__name__}")
    names = stored_names(forecaster)
    inside = {flat: name for name, flat in names.items() if name != flat}
    for name, values in space.items():
        if name not in names or name in FIXED:
            advice = f", which is {inside[name]!r} in a space" if inside.get(name, name) not in (name, *FIXED) else ""
            raise ValueError(
                f"expected space to name parameters of the estimator that can be searched, got {name!r}{advice}"
            )
        of = distribution(name, values)
        if isinstance(of, CategoricalDistribution):
            for choice in _choices(values):
                _check_choice(forecaster, name, choice)
    for name in space:
        outer = _object_of(name)
        choices = _choices(space[outer]) if outer in space else [getattr(forecaster, outer)]
        if not any(_has(forecaster, {outer: choice}, name) for choice in choices):
            raise ValueError(
                f"expected space to name parameters that have an effect, got {name!r} with {outer} from {choices!r}"
            )


def _check_choice(forecaster: LSTMForecaster, name: str, choice: Any) -> None:
    """Check that a choice is known and can be computed here, before a search that would meet it late or never."""
    flat = {stored_names(forecaster)[name]: choice}
    if name in groups_of(forecaster):
        group = groups_of(forecaster)[name]
        if isinstance(choice, str):
            group.check_word(choice)
        flat = group.flat(choice)
    check_installed(flat_parameters(forecaster) | flat)


def _object_of(name: str) -> str:
    """The constructor parameter whose object decides whether a parameter has an effect."""
    outer, _, inner = name.partition("__")
    return outer if inner else "architecture"


def _choices(values: Any) -> list[Any]:
    """Values from a list, or one number from a range: all its numbers stand for the same kind of object."""
    if isinstance(values, CategoricalDistribution):
        return list(values.choices)
    return list(plain(values)) if isinstance(plain(values), list) else [1]


def distribution(name: str, values: Any) -> BaseDistribution:
    """Read a list of choices, ``(low, high)``, ``("log", low, high)`` or a distribution of Optuna.

    Examples
    --------
    >>> distribution("hidden_size", (16, 64)), distribution("learning_rate", ("log", 1e-4, 1e-2))
    (IntDistribution(high=64, log=False, low=16, step=1), FloatDistribution(high=0.01, log=True, low=0.0001, step=None))
    """
    if isinstance(values, BaseDistribution):
        return values
    values = plain(values)
    if isinstance(values, list) and values:
        return CategoricalDistribution([_label(value) for value in values])
    log = isinstance(values, tuple) and len(values) == 3 and values[0] == "log"
    bounds = values[1:] if log else values
    if not isinstance(bounds, tuple) or len(bounds) != 2 or not all(_is_number(bound) for bound in bounds):
        raise TypeError(
            f"expected {name} in space to be a list, (low, high), ('log', low, high) or a distribution of Optuna, "
            f"got {values!r}"
        )
    low, high = bounds
    if not low <= high or (log and low <= 0):
        raise ValueError(f"expected {name} in space to go from low{' above 0' * log} up to high, got {values!r}")
    if all(isinstance(bound, numbers.Integral) for bound in bounds):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def suggest(
    trial: BaseTrial, space: Space, forecaster: LSTMForecaster, names: Collection[str] | None = None
) -> dict[str, Any]:
    """Let a trial choose the parameters ``names``, or all, of a space, as far as the objects chosen have them."""
    if callable(space):
        return space(trial) if names is None else {}
    chosen: dict[str, Any] = {}
    stored = stored_names(forecaster)
    outer = {_object_of(name) for name in space}
    # objects are chosen before their parameters
    for name, values in sorted(space.items(), key=lambda item: item[0] not in outer):
        if not _has(forecaster, chosen, name) or (names is not None and stored[name] not in names):
            continue
        if isinstance(trial, FrozenTrial) and stored[name] not in trial.params:
            # of an earlier call, whose space didn't have it
            continue
        of = distribution(name, values)
        if isinstance(of, CategoricalDistribution):
            value = trial.suggest_categorical(stored[name], of.choices)
            choice = value if isinstance(values, BaseDistribution) else plain(values)[of.choices.index(value)]
            # objects are for this trial alone
            chosen[name] = clone(choice, safe=False)
        elif isinstance(of, IntDistribution):
            chosen[name] = trial.suggest_int(stored[name], of.low, of.high, step=of.step, log=of.log)
        else:
            assert isinstance(of, FloatDistribution)
            chosen[name] = trial.suggest_float(stored[name], of.low, of.high, step=of.step, log=of.log)
    return chosen


def _has(forecaster: LSTMForecaster, chosen: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter has an effect, given the parameters chosen so far."""
    outer, _, inner = name.partition("__")
    if inner:
        value = chosen.get(outer, getattr(forecaster, outer))
        return hasattr(groups_of(forecaster)[outer].object_of(value), inner)
    return name not in OF_NETWORKS or not isinstance(_architecture(forecaster, chosen), Linear)


def _architecture(forecaster: LSTMForecaster, chosen: Mapping[str, Any]) -> ParameterGroup | None:
    return ARCHITECTURE.object_of(chosen.get("architecture", forecaster.architecture))


def values_inside(space: Space, forecaster: LSTMForecaster) -> dict[str, Any]:
    """A forecaster's own parameters that lie inside a space, as a study has them.

    Examples
    --------
    >>> values_inside({"hidden_size": [16, 64], "dropout": (0.1, 0.5)}, LSTMForecaster(hidden_size=64, dropout=0.0))
    {'hidden_size': 64}
    """
    if callable(space):
        return {}
    inside, stored = {}, stored_names(forecaster)
    for name, values in space.items():
        of, value = distribution(name, values), _label(parameter(forecaster, name))
        if isinstance(of, CategoricalDistribution):
            # True equals 1, and is another choice
            is_inside = any(value == choice and type(value) is type(choice) for choice in of.choices)
        else:
            is_inside = _is_number(value) and _is_within(of, float(value))
        if is_inside:
            inside[stored[name]] = value
    return inside


def _is_within(of: BaseDistribution, value: float) -> bool:
    """Whether a number lies between the bounds of a distribution, on one of its steps."""
    assert isinstance(of, IntDistribution | FloatDistribution)
    steps = 0.0 if of.step is None else (value - of.low) / of.step
    return of.low <= value <= of.high and abs(steps - round(steps)) < 1e-8


def _label(value: Any) -> Any:
    """A choice as a storage keeps it: plain values as they are, others by their representation."""
    if isinstance(value, ParameterGroup):
        # scikit-learn's representation has several lines, and leaves out what is long
        own, default = vars(value), vars(type(value)())
        changed = [f"{name}={plain(own[name])!r}" for name in sorted(own) if plain(own[name]) != default[name]]
        return f"{type(value).__name__}({', '.join(changed)})"
    return value if isinstance(value, PRIMITIVE) else repr(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
