"""Transfer learning: start from the weights of another network, and freeze parameters for all epochs or some.

Every estimator has the parameter ``pretrained``, which takes weights, or a `Pretrained` that also freezes parameters
and sets their learning rates. It names parameters by patterns, as a shell does files: ``"lstm.*"``, ``"*.bias_*"``.
Parameters have their names of `torch.nn`; ``state_dict()`` of a fitted estimator lists them.

Examples
--------
Train on a long series, then on a short one that resembles it, with the LSTM frozen for two epochs and trained slowly
afterwards:

>>> import numpy as np
>>> from lstmforecast import LSTM, LSTMForecaster, Pretrained
>>> from lstmforecast.transfer import GradualUnfreezing
>>> long, short = np.sin(np.arange(600) / 4), np.cos(np.arange(120) / 4)
>>> same = {"window_size": 24, "architecture": LSTM(segment_length=6), "hidden_size": 8}
>>> source = LSTMForecaster(6, **same, max_epochs=4, random_state=0).fit(long)
>>> target = LSTMForecaster(3, **same, max_epochs=4, random_state=0, callbacks=[GradualUnfreezing({2: "lstm.*"})])
>>> target = target.set_params(pretrained=Pretrained(source, freeze="lstm.*", learning_rates={"lstm.*": 3e-4}))
>>> target = target.fit(short)
>>> target.pretrained_["taken"]
['lstm.weight_ih_l0', 'lstm.weight_hh_l0', 'lstm.bias_ih_l0', 'lstm.bias_hh_l0']
>>> target.pretrained_["left"]
['fc.weight', 'fc.bias', 'skip.weight', 'skip.bias']
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from fnmatch import fnmatchcase
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

import lstmforecast
from lstmforecast import _core
from lstmforecast.contract.core_options import TransferOptions
from lstmforecast.contract.parameter_group import GroupedParameter, ParameterGroup
from lstmforecast.contract.plain import plain
from lstmforecast.contract.rules import Number
from lstmforecast.export.persistence import read_weights
from lstmforecast.fitting.embedding import Words, words_of_vectors
from lstmforecast.fitting.ensemble import Ensemble, members_of
from lstmforecast.fitting.matching_weights import as_array, fitting, misfits

__all__ = ["GradualUnfreezing", "Pretrained", "Unfreeze"]


def __dir__() -> list[str]:
    return __all__


class Weights(dict[str, NDArray[np.float32]]):
    """Arrays by name, with a short representation, and the categories of vectors where their source says them."""

    words: Words | None = None

    def __repr__(self) -> str:
        numbers = sum(int(np.prod(np.shape(value))) for value in self.values())
        return f"<{len(self)} weights of {numbers:,} numbers>"


Patterns = str | Sequence[str]
# Solved by regressions: the linear skip connection again, from the pretrained weights; the effect of known features
# without them.
_SKIP, _KNOWN = "skip.weight", "known.weight"
# Layers whose shapes depend on horizon, window and targets.
_HEADS = ("fc", "skip", "known")


@dataclass(eq=False, repr=False)
class Pretrained(ParameterGroup):
    """Weights that a training begins with, and how it treats them.

    Parameters
    ----------
    weights : path, fitted estimator, torch.nn.Module, state dict or None, default=None
        Those whose name and shape match the network are taken, the others are initialised as usual; ``pretrained_``
        lists both, and a warning names those that don't match. It leaves out the last layers (``fc``, ``skip``,
        ``known``), whose shapes depend on horizon and targets. Vectors of categories (``embeddings.N.weight``) of a
        path or an estimator are taken only if the categories are the same; a state dict has no categories, so its rows
        are taken as those of the categories in alphabetical order. None: all weights are initialised as usual, or with
        ``warm_start`` those of the fit before.
    freeze : str, list of str or None, default=None
        Patterns of parameter names, such as ``"lstm.*"``, that are not trained; of pretrained weights, those that were
        taken. `GradualUnfreezing` trains them later.
    learning_rates : dict of str to float or None, default=None
        Learning rates by patterns of parameter names, ``{"lstm.*": 1e-4}``, in place of ``learning_rate``. The first
        pattern that matches counts; ``lr_schedule`` applies to all.
    strict : bool, default=False
        Whether all weights must match, those of the last layers too: then `fit` raises an error that names the others.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster, Pretrained
    >>> forecaster = LSTMForecaster(pretrained=Pretrained("energy.safetensors", freeze="lstm.*"))
    """

    bare: ClassVar[str] = "weights"
    flat_names: ClassVar[dict[str, str]] = {"weights": "pretrained"}
    weights: Any = None
    _: KW_ONLY
    freeze: Patterns | None = None
    learning_rates: Mapping[str, float] | None = None
    strict: bool = False


PRETRAINED = GroupedParameter("pretrained", Pretrained, example='Pretrained("model.safetensors", freeze="lstm.*")')


@dataclass(frozen=True)
class Unfreeze:
    """Returned by a callback to train frozen parameters from the next epoch on.

    The optimiser's moments of these parameters begin at zero, as in `torch.optim` after ``requires_grad_()``.

    Parameters
    ----------
    patterns : str or sequence of str
        Patterns of parameter names, such as ``"lstm.*"``. A pattern without a match is a ValueError, which ends the
        training.

    Examples
    --------
    A callback that unfreezes the LSTM as soon as the rest has learned something:

    >>> def unfreeze_late(record):
    ...     return Unfreeze("lstm.*") if record["val_loss"] < 0.1 else None
    """

    patterns: Patterns


class GradualUnfreezing:
    """A callback that unfreezes parameters epoch by epoch (Howard and Ruder 2018, ULMFiT).

    Parameters
    ----------
    schedule : mapping of int to str or sequence of str
        Epochs after which parameters are unfrozen, and patterns of their names. Early stopping applies as usual: a
        shorter patience may end the training before.

    Raises
    ------
    TypeError, ValueError
        For epochs that aren't integers from 1, and patterns that aren't strings.

    Examples
    --------
    >>> GradualUnfreezing({5: ["lstm.*"]})({"epoch": 5})
    Unfreeze(patterns=['lstm.*'])
    """

    def __init__(self, schedule: Mapping[int, Patterns]) -> None:
        if not isinstance(schedule, Mapping):
            raise TypeError(f"expected a schedule of epochs and patterns, got {schedule!r}")
        for epoch, patterns in schedule.items():
            if isinstance(epoch, bool) or not isinstance(epoch, Integral):
                raise TypeError(f"expected epochs as integers in the schedule, got {epoch!r}")
            if epoch < 1:
                raise ValueError(f"expected epochs from 1 in the schedule, got {epoch}")
            _as_patterns("the schedule", patterns)
        self.schedule = schedule

    def __call__(self, record: Mapping[str, Any]) -> Unfreeze | None:
        """Return what to unfreeze after an epoch, given its record."""
        patterns = self.schedule.get(record["epoch"])
        return None if patterns is None else Unfreeze(patterns)

    def __repr__(self) -> str:
        return f"GradualUnfreezing({self.schedule!r})"


@dataclass(frozen=True)
class Plan:
    """Which weights one fit takes, freezes, and trains with their own rates."""

    names: list[str]
    taken: list[str] | None
    frozen: list[str]
    options: TransferOptions

    def outcome(self) -> dict[str, Any]:
        """What becomes ``frozen_`` and ``pretrained_``."""
        if self.taken is None:
            return {"frozen": self.frozen}
        left = [name for name in self.names if name not in self.taken]
        return {"frozen": self.frozen, "pretrained": {"taken": self.taken, "left": left}}

    def answer(self, replies: Iterable[Any]) -> bool | list[str]:
        """The answer to the core, from those of the callbacks: whether to stop, or names of parameters to unfreeze."""
        # a list: each callback is called for each epoch, also after one that stops the training
        replies = list(replies)
        if any(bool(reply) for reply in replies if not isinstance(reply, Unfreeze)):
            return True
        wanted = [reply.patterns for reply in replies if isinstance(reply, Unfreeze)]
        return [name for patterns in wanted for name in matching("Unfreeze", patterns, self.names)] or False


def prepare(
    model: _core.Model | Ensemble,
    *,
    pretrained: Any,
    freeze: Patterns | None,
    learning_rates: Mapping[str, float] | None,
    strict: bool,
    words: Words | None = None,
) -> Plan:
    """Load the weights of ``pretrained`` that match into an untrained network, and plan what is trained how.

    ``words`` are the categories of the network's own vectors.

    Raises
    ------
    ValueError
        If no weight matches, or with ``strict`` not all do, or a pattern has no match.
    """
    networks = model.members if isinstance(model, Ensemble) else [model]
    names = list(networks[0].parameters())
    frozen = matching("freeze", freeze or (), names)
    taken = None
    if pretrained is not None:
        weights = weights_of(pretrained)
        others = [name for name, own in (words or {}).items() if (weights.words or {}).get(name, own) != own]
        sources = [
            {name: array for name, array in source.items() if name not in others} for source in members_of(weights)
        ]
        for source in sources if strict else []:
            if told := misfits(networks[0].parameters(), source, others):
                raise ValueError(
                    f"expected pretrained weights that all fit the network with strict=True; {told}; with "
                    "strict=False those that fit are taken"
                )
        found = [_take(own, sources[i % len(sources)], frozen) for i, own in enumerate(networks)]
        taken = found[0]
        _warn_of_parts(networks[0].parameters(), sources[0], taken, others)
        frozen = [name for name in frozen if name in taken]
    rates: dict[str, float] = {}
    for pattern, rate in (learning_rates or {}).items():
        rates = dict.fromkeys(matching("learning_rates", pattern, names), float(rate)) | rates
    adapt_line = taken is not None and _SKIP in taken and _SKIP not in frozen
    return Plan(names, taken, frozen, {"frozen": frozen, "learning_rates": rates, "adapt_line": adapt_line})


def _take(network: _core.Model, source: Mapping[str, Any], frozen: list[str]) -> list[str]:
    """Load the weights of a source whose name and shape match; returns their names."""
    own = network.parameters()
    names = fitting(own, source)
    if not names:
        raise ValueError(
            f"expected pretrained weights some of which fit the network's in name and shape, {_shapes(own)}, "
            f"got {_shapes(source)}"
        )
    taken = [name for name in names if name != _KNOWN or name in frozen]
    network.load_parameters(own | {name: source[name] for name in taken})
    return taken


def _warn_of_parts(own: Mapping[str, Any], source: Mapping[str, Any], taken: list[str], others: list[str]) -> None:
    """Warn of weights that don't match, but not of those that depend on horizon and targets."""
    body, given = ({name: each[name] for name in each if name.split(".")[0] not in _HEADS} for each in (own, source))
    told = misfits(body, given, others)
    if not told:
        return
    warnings.warn(
        f"pretrained weights fit this network in part: {len(taken)} of its {len(own)} are taken, others are "
        f"initialised; {told}. Sizes, layers, features, categories and segment_length must be the same in both "
        "networks, so that all are taken",
        UserWarning,
        # the caller of fit
        stacklevel=8,
    )


def matching(what: str, patterns: Patterns, names: list[str]) -> list[str]:
    """The names that a pattern or one of several matches, in their order.

    Raises
    ------
    ValueError
        For a pattern that matches none.
    """
    patterns = _as_patterns(what, patterns)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(
                f"expected patterns of parameter names in {what}, got {pattern!r}, which matches none of "
                f"{', '.join(names)}"
            )
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def weights_of(pretrained: Any) -> Weights:
    """The weights of a file, a fitted estimator, a `torch.nn.Module` or a state dict, as arrays by name.

    Raises
    ------
    TypeError
        If it is none of them.
    ValueError
        For an estimator that isn't fitted, and weights that aren't finite.
    FormatError, OSError
        If a file holds something else, or can't be read.
    """
    if isinstance(pretrained, FrozenEstimator):
        pretrained = pretrained.estimator
    words = pretrained.words if isinstance(pretrained, Weights) else _words_of(pretrained)
    if isinstance(pretrained, (str, Path)):
        pretrained = read_weights(pretrained)
    elif hasattr(pretrained, "state_dict"):
        if not getattr(pretrained, "__sklearn_is_fitted__", lambda: True)():
            raise ValueError(
                f"expected a fitted estimator as pretrained, got {type(pretrained).__name__} that isn't fitted, as no "
                "clone is: pass it to load_pretrained before, or pass its file or state_dict()"
            )
        model = getattr(pretrained, "model_", None)
        pretrained = pretrained.state_dict() if model is None else model.parameters()
    check_pretrained(pretrained)
    weights = Weights({name: as_array(value, "pretrained") for name, value in pretrained.items()})
    weights.words = words
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise ValueError(f"expected finite pretrained weights, got NaN or infinity in {name}")
    return weights


def _words_of(source: Any) -> Words | None:
    """The categories of the vectors of an estimator or a file; None where the source says none."""
    if isinstance(source, (str, Path)):
        with warnings.catch_warnings():
            # how its forecasts are computed doesn't matter
            warnings.simplefilter("ignore", UserWarning)
            source = lstmforecast.load(source) if any("embeddings." in name for name in read_weights(source)) else None
    fitted = getattr(getattr(source, "forecaster_", source), "fitted_", None)
    return None if fitted is None else words_of_vectors(fitted.model.config, fitted.dataset.covariates)


def check_pretrained(pretrained: Any) -> None:
    """Raise TypeError for what can't hold weights."""
    kinds = (str, Path, Mapping, FrozenEstimator)
    if pretrained is not None and not isinstance(pretrained, kinds) and not hasattr(pretrained, "state_dict"):
        raise TypeError(
            f"expected pretrained to be a path, a fitted estimator, a state dict or None, got {pretrained!r}"
        )


def check_patterns(freeze: Any, learning_rates: Any) -> None:
    """Raise TypeError or ValueError for what can't be patterns, or rates that aren't above 0."""
    if freeze is not None:
        _as_patterns("freeze", freeze)
    if learning_rates is None:
        return
    if not isinstance(learning_rates, Mapping):
        raise TypeError(f"expected learning_rates to be a dict of patterns and rates or None, got {learning_rates!r}")
    _as_patterns("learning_rates", tuple(learning_rates))
    for pattern, rate in learning_rates.items():
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)):
            raise TypeError(f"expected numbers in learning_rates, got {rate!r} for {pattern!r}")
        if not 0 < rate < np.inf:
            raise ValueError(
                f"expected rates above 0 in learning_rates, got {rate!r} for {pattern!r}; name "
                "what is not to be trained in freeze"
            )
        Number(Real, 0, low_included=False).check("each of learning_rates", rate)


def _as_patterns(what: str, patterns: Any) -> tuple[str, ...]:
    patterns = plain(patterns)
    several = (patterns,) if isinstance(patterns, str) else patterns
    if not isinstance(several, Sequence) or not all(isinstance(pattern, str) for pattern in several):
        raise TypeError(f"expected {what} to have a pattern or a list of patterns of parameter names, got {patterns!r}")
    return tuple(several)


def _shapes(weights: Mapping[str, Any], most: int = 12) -> str:
    shown = [f"{name} {value.shape}" for name, value in list(weights.items())[:most]]
    return ", ".join(shown or ["none"]) + (", ..." if len(weights) > most else "")
