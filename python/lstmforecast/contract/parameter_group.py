"""Parameters that belong together, as one object: ``architecture=Attention(num_heads=8)``.

A constructor parameter that takes such objects also takes a word, or a plain value, that stands for one of them with
its defaults. Nested parameters are set in scikit-learn's way, ``set_params(architecture__num_heads=8)``. Inside the
package, and in files, all parameters of an estimator are one flat dict of plain values: `flat_parameters`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import BaseEstimator

from lstmforecast.contract.plain import PlainParameters, plain, plain_parameters

if TYPE_CHECKING:
    from typing_extensions import Self


class ParameterGroup(BaseEstimator):
    """Several parameters in one object, with scikit-learn's `get_params` and `set_params`; a subclass is a dataclass.

    Objects are equal if their classes and all parameters are.
    """

    # the word that stands for the object with its defaults
    word: ClassVar[str | None] = None
    # without a word: the parameter that may be given in place of the object
    bare: ClassVar[str | None] = None
    # names in the flat dict, of those parameters that have another name there
    flat_names: ClassVar[Mapping[str, str]] = {}

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, others = vars(self), vars(other)
        try:
            return all(mine[name] is others[name] or bool(plain(mine[name]) == plain(others[name])) for name in mine)
        except ValueError:
            # dicts of arrays, which are weights, can't be compared
            return False

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def names(cls) -> dict[str, str]:
        """The name in the flat dict of each parameter."""
        return {field.name: cls.flat_names.get(field.name, field.name) for field in fields(cls)}


class GroupedParameter:
    """A constructor parameter that takes an object of one of these classes, or what stands for one.

    Parameters
    ----------
    name : str
        Of the constructor parameter.
    *kinds : subclasses of ParameterGroup
        Each with a word, or one without.
    words : tuple of str, default=()
        Words that stand for no object.
    example : str
        An object, for messages.
    """

    def __init__(self, name: str, *kinds: Any, words: tuple[str, ...] = (), example: str) -> None:
        self.name, self.kinds, self.words, self.example = name, kinds, words, example
        self.by_word = {kind.word: kind for kind in kinds if kind.word is not None}
        # of parameters that the object at hand doesn't have
        self.defaults = {flat: getattr(kind(), name) for kind in kinds for name, flat in kind.names().items()}

    def object_of(self, value: Any) -> ParameterGroup | None:
        """The object that a value is or stands for; None for a word that stands for none.

        Raises
        ------
        TypeError
            For an object of another class, or a class.
        """
        if isinstance(value, self.kinds):
            group: ParameterGroup = value
            return group
        if isinstance(value, ParameterGroup | type):
            raise TypeError(f"expected {self._expected()}, got {value!r}")
        if self.by_word:
            word = plain(value)
            return self.by_word[word]() if isinstance(word, str) and word in self.by_word else None
        (kind,) = self.kinds
        if kind.bare is not None:
            return kind(**{kind.bare: value})  # type: ignore[no-any-return]
        if value is not None:
            raise TypeError(f"expected {self._expected()}, got {value!r}")
        return kind()  # type: ignore[no-any-return]

    def flat(self, value: Any) -> dict[str, Any]:
        """All flat parameters of this group, as plain values."""
        group = self.object_of(value)
        if group is None:
            return self.defaults | {self.name: plain(value)}
        own = {flat: plain(getattr(group, name)) for name, flat in group.names().items()}
        return self.defaults | ({} if group.word is None else {self.name: group.word}) | own

    def shown(self, value: Any) -> dict[str, str]:
        """What messages call a flat parameter, where that isn't its name."""
        group = self.object_of(value)
        if group is None:
            return {}
        if group is not value and group.bare is not None:
            return {group.names()[group.bare]: self.name}
        return {flat: f"{name} of {type(group).__name__}" for name, flat in group.names().items() if name != flat}

    def grouped(self, flat: Mapping[str, Any]) -> Any:
        """The value that these flat parameters make: a word or a bare value, if all others have their defaults."""
        kind = self.by_word.get(flat[self.name]) if self.by_word else self.kinds[0]
        if kind is None:
            return flat[self.name]
        group = kind(**{name: flat[key] for name, key in kind.names().items() if key in flat})
        if kind.word is not None:
            return kind.word if group == kind() else group
        value = None if kind.bare is None else getattr(group, kind.bare)
        return value if group == (kind() if kind.bare is None else kind(**{kind.bare: value})) else group

    def names(self) -> list[str]:
        """The flat names of all parameters of this group."""
        return [*self.defaults, *([self.name] if self.by_word else [])]

    def _expected(self) -> str:
        words = "".join(f"{word!r}, " for word in (*self.by_word, *self.words))
        return f"{self.name} to be {words}{'or ' if words else ''}an object such as {self.example}"


class GroupedParameters(PlainParameters):
    """An estimator some of whose parameters are objects; see `GroupedParameter`."""

    _groups: ClassVar[Mapping[str, GroupedParameter]] = {}
    # what None, or "auto", means for this class
    _own_defaults: ClassVar[Mapping[str, Any]] = {}

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the estimator, and with ``__`` in the name those of an object.

        A word, or another value that stands for an object, becomes the object first. Objects are copied, so that
        another estimator with the same object keeps its own.

        Parameters
        ----------
        **params
            By name, such as ``hidden_size=32`` or ``architecture__num_heads=8``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a name that is no parameter, or a parameter that the object doesn't have.
        """
        for name in {key.partition("__")[0] for key in params if "__" in key} & {*self._groups}:
            value = params.get(name, vars(self)[name])
            group = self._groups[name].object_of(value)
            if group is None:
                nested = next(key for key in params if key.startswith(f"{name}__"))
                raise ValueError(
                    f"expected {name} to be an object such as {self._groups[name].example} for {nested}, got {value!r}"
                )
            params[name] = copy.copy(group)
        estimator: Self = super().set_params(**params)  # type: ignore[misc]
        return estimator


def flat_parameters(estimator: GroupedParameters) -> dict[str, Any]:
    """All parameters of an estimator of this package, those of objects too, as plain values by their flat names."""
    flat: dict[str, Any] = {}
    for name, value in plain_parameters(estimator).items():
        flat |= estimator._groups[name].flat(value) if name in estimator._groups else {name: value}
    return _completed(estimator, flat)


def flat_group(estimator: GroupedParameters, name: str) -> dict[str, Any]:
    """The flat parameters of one group of an estimator."""
    return _completed(estimator, estimator._groups[name].flat(getattr(estimator, name)))


def _completed(estimator: GroupedParameters, flat: dict[str, Any]) -> dict[str, Any]:
    """With what None, or "auto", means for this class."""
    own = estimator._own_defaults
    return {name: own[name] if name in own and value in (None, "auto") else value for name, value in flat.items()}


def shown_names(estimator: GroupedParameters) -> dict[str, str]:
    """What messages call a flat parameter of an estimator, where that isn't its name."""
    shown: dict[str, str] = {}
    for name, group in estimator._groups.items():
        shown |= group.shown(getattr(estimator, name))
    return shown


def constructor_parameters(kind: type[GroupedParameters], flat: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor that flat parameters make, such as those of a file."""
    unset = {name: value for name, value in kind._own_defaults.items() if flat.get(name) == value}
    left = {name: value for name, value in flat.items() if name not in unset}
    arguments = {}
    for name, group in kind._groups.items():
        if any(key in left for key in group.names()):
            arguments[name] = group.grouped(left)
    inside = {key for group in kind._groups.values() for key in group.names()}
    return {name: value for name, value in left.items() if name not in inside} | arguments
