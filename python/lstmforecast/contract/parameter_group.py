"""Parameters that belong together, as one object: ``architecture=Attention(num_heads=8)``.

A constructor parameter that takes such objects also takes a word, or a plain value, that stands for one of them with
its defaults. Nested parameters are set in scikit-learn's way, ``set_params(architecture__num_heads=8)``. Inside the
package, and in files, all parameters of an estimator are one flat dict of plain values: `flat_parameters`.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from lstmforecast.contract.plain import PlainParameters, own_kind, plain, plain_parameters

if TYPE_CHECKING:
    from typing_extensions import Self


class ParameterGroup(BaseEstimator):
    """Several parameters in one object, with scikit-learn's `get_params` and `set_params`; a subclass is a dataclass.

    Objects are equal if their classes and all parameters are.
    """

    # no diagram in notebooks: there is nothing to fit
    _repr_html_ = None
    _repr_mimebundle_ = None
    # the word that stands for the object with its defaults
    word: ClassVar[str | None] = None
    # without a word: the parameter that may be given in place of the object
    bare: ClassVar[str | None] = None
    # names in the flat dict, of those parameters that have another name there
    flat_names: ClassVar[Mapping[str, str]] = {}

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return _same(vars(self), vars(other))

    __hash__ = None  # type: ignore[assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a parameter; a misspelt name would have no effect, so it is refused."""
        # a user's subclass may have parameters and private attributes of its own
        if not (name in names_of(self) or name.startswith("_") or name in self._get_param_names()):
            raise AttributeError(
                f"expected a parameter of {type(self).__name__} ({', '.join(names_of(self))}), got {name!r}"
            )
        super().__setattr__(name, value)


def names_of(group: Any) -> dict[str, str]:
    """The name in the flat dict of each parameter of a `ParameterGroup` or its class."""
    return {field.name: group.flat_names.get(field.name, field.name) for field in fields(group)}


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal: numbers, words, lists, arrays or dicts of them."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if hasattr(one, "shape") or hasattr(other, "shape"):
        return one is other or np.array_equal(one, other)
    return one is other or bool(one == other)


class GroupedParameter:
    """A constructor parameter that takes an object of one of these classes, or a value that stands for one.

    Parameters
    ----------
    name : str
        The name of the constructor parameter.
    *kinds : subclasses of ParameterGroup
        Several, each with a ``word``, or one without.
    words : tuple of str, default=()
        Words that stand for no object.
    example : str
        An object, as code, for messages.
    """

    def __init__(self, name: str, *kinds: Any, words: tuple[str, ...] = (), example: str) -> None:
        self.name, self.kinds, self.words, self.example = name, kinds, words, example
        self.by_word = {kind.word: kind for kind in kinds if kind.word is not None}
        # of parameters that the object at hand doesn't have
        self.defaults = {flat: getattr(kind(), name) for kind in kinds for name, flat in names_of(kind).items()}

    def object_of(self, value: Any) -> ParameterGroup | None:
        """The object that a value is or stands for; None for a word that stands for none.

        Raises
        ------
        TypeError
            For an object of another class, a class, and what is neither an object nor a word.
        """
        if isinstance(value, self.kinds):
            group: ParameterGroup = value
            return group
        if isinstance(value, ParameterGroup | type):
            raise TypeError(f"expected {self._expected()}, got {value!r}")
        if self.by_word:
            word = plain(value)
            if not isinstance(word, str | None):
                raise TypeError(f"expected {self._expected()}, got {value!r}")
            return self.by_word[word]() if isinstance(word, str) and word in self.by_word else None
        (kind,) = self.kinds
        if kind.bare is not None:
            return kind(**{kind.bare: value})  # type: ignore[no-any-return]
        if value is not None:
            raise TypeError(f"expected {self._expected()}, got {value!r}")
        return kind()  # type: ignore[no-any-return]

    def changed(self, value: Any, parameters: Mapping[str, Any]) -> ParameterGroup:
        """A copy of the object that a value is or stands for, with other values of some parameters.

        Raises
        ------
        ValueError
            For a word that stands for no object, or a parameter that the object doesn't have.
        """
        group = self.object_of(value)
        if group is None:
            nested = f"{self.name}__{next(iter(parameters))}"
            raise ValueError(f"expected {self.name} to be an object such as {self.example} for {nested}, got {value!r}")
        for name in parameters:
            if name not in names_of(group):
                kinds = [kind.__name__ for kind in self.kinds if name in names_of(kind)]
                if kinds:
                    raise ValueError(
                        f"expected {self.name} to be {_either(kinds)} for {self.name}__{name}, "
                        f"got {type(group).__name__}"
                    )
                raise ValueError(
                    f"expected a parameter of {type(group).__name__} ({', '.join(names_of(group))}) in "
                    f"{self.name}__{name}, got {name!r}"
                )
        return copy.copy(group).set_params(**parameters)  # type: ignore[no-any-return]

    def flat(self, value: Any) -> dict[str, Any]:
        """All flat parameters of this group, as plain values."""
        group = self.object_of(value)
        if group is None:
            return self.defaults | {self.name: plain(value)}
        # without parameters that a user's subclass adds
        own = {flat: plain(getattr(group, name)) for name, flat in names_of(own_kind(group)).items()}
        return self.defaults | ({} if group.word is None else {self.name: group.word}) | own

    def check_word(self, word: str) -> None:
        """Raise a ValueError for a word that is none of this parameter."""
        if self.by_word and word not in (*self.by_word, *self.words):
            raise ValueError(f"expected {self._expected()}, got {word!r}")

    def names_in_messages(self, value: Any) -> dict[str, str]:
        """The names of flat parameters in messages, where they differ."""
        group = self.object_of(value)
        if group is None:
            return {}
        if group is not value and group.bare is not None:
            return {names_of(group)[group.bare]: self.name}
        return {flat: f"{name} of {type(group).__name__}" for name, flat in names_of(group).items() if name != flat}

    def grouped(self, flat: Mapping[str, Any]) -> Any:
        """The value for these flat parameters: a word or a bare value, if all others have their defaults."""
        kind = self.by_word.get(flat[self.name]) if self.by_word else self.kinds[0]
        if kind is None:
            return flat[self.name]
        group = kind(**{name: flat[key] for name, key in names_of(kind).items() if key in flat})
        if kind.word is not None:
            return kind.word if group == kind() else group
        value = None if kind.bare is None else getattr(group, kind.bare)
        return value if group == (kind() if kind.bare is None else kind(**{kind.bare: value})) else group

    def names(self) -> list[str]:
        """The flat names of all parameters of this group."""
        return [*self.defaults, *([self.name] if self.by_word else [])]

    def _expected(self) -> str:
        bare = self.kinds[0].bare
        words = ", ".join(map(repr, (*self.by_word, *self.words))) or (f"the {bare}" if bare else "None")
        return f"{self.name} to be {words} or an object such as {self.example}"


class GroupedParameters(PlainParameters):
    """An estimator some of whose parameters are objects; see `GroupedParameter`."""

    _groups: ClassVar[Mapping[str, GroupedParameter]] = {}
    # flat parameters: the default of the object, and what it means for this class
    _own_defaults: ClassVar[Mapping[str, tuple[Any, Any]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _with_advice(cls.__init__)  # type: ignore[method-assign]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters as they were given.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include those of objects, such as ``architecture__num_heads``.

        Returns
        -------
        dict of str to object
        """
        kept = {}
        for key, value in super().get_params(deep).items():
            name, _, inner = key.partition("__")
            is_own = not inner or name not in self._groups
            # not those of a fitted estimator whose weights are taken
            if is_own or (isinstance(getattr(self, name), ParameterGroup) and "__" not in inner):
                kept[key] = value
        return kept

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
            For a name that is no parameter, or a parameter that the object doesn't have; the estimator is unchanged.
        """
        before, own = vars(self).copy(), {}
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, delimiter, inner = key.partition("__")
            if delimiter and name in self._groups:
                nested.setdefault(name, {})[inner] = value
            else:
                own[key] = value
        for name, values in nested.items():
            own[name] = self._groups[name].changed(own.get(name, before[name]), values)
        self._check_names(own)
        try:
            estimator = super().set_params(**own)
        except Exception:
            vars(self).update(before)
            raise
        return estimator

    def _get_params_html(self, deep: bool = True, *options: Any, **named: Any) -> Any:
        # objects in one line: in lines of their own, the defaults of their parameters would look as if they were set
        return super()._get_params_html(False, *options, **named)  # type: ignore[misc]

    def _check_names(self, given: Iterable[str]) -> None:
        """Raise a ValueError for a parameter of an object under its name in files."""
        own = self.get_params(deep=False)
        for key in given:
            name = key.partition("__")[0]
            places = _places(self, name)
            if places and name not in own:
                raise ValueError(
                    f"expected {'__'.join(places[0][:2])}, a parameter of {_either(kind for *_, kind in places)}, "
                    f"got {name}"
                )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read a pickle; in those of version 0.1 each parameter of an object is an attribute of the estimator."""
        flat = {name: state[name] for group in self._groups.values() for name in group.names() if name in state}
        kinds: list[Any] = [own_kind(self), type(self)]
        # a user's subclass may have a parameter of such a name
        if not flat.keys() <= {name for kind in kinds for name in kind._get_param_names()}:
            others = {name: value for name, value in state.items() if name not in flat}
            state = others | dict.fromkeys(self._groups) | constructor_parameters(type(self), flat)
        super().__setstate__(state)  # type: ignore[misc]


def _with_advice(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that says which object has a parameter that it had itself in version 0.1."""
    taken = inspect.signature(init).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in taken.values())

    @functools.wraps(init)
    def constructor(self: GroupedParameters, *args: Any, **given: Any) -> None:
        for name in given:
            places = [] if name in taken or takes_all else _places(self, name)
            if places:
                wanted = _either(f"{outer}={kind}({inner}=...)" for outer, inner, kind in places)
                raise TypeError(f"expected {wanted}, got an unexpected keyword argument {name!r}")
        init(self, *args, **given)

    return constructor


def _places(estimator: GroupedParameters, flat: str) -> list[tuple[str, str, str]]:
    """Where a parameter of files is: the constructor parameter, the name in its objects and one of their classes."""
    return [
        (group.name, inner, kind.__name__)
        for group in estimator._groups.values()
        for kind in group.kinds
        for inner, name in names_of(kind).items()
        if name == flat
    ]


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def groups_of(kind: Any) -> Mapping[str, GroupedParameter]:
    """The parameters of an estimator or its class that take objects."""
    return getattr(kind, "_groups", {})


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
    """With what defaults mean for this class."""
    meant = {
        name: own for name, (default, own) in estimator._own_defaults.items() if name in flat and flat[name] == default
    }
    return flat | meant


def names_in_messages(estimator: GroupedParameters) -> dict[str, str]:
    """The names of an estimator's flat parameters in messages, where they differ."""
    names: dict[str, str] = {}
    for name, group in estimator._groups.items():
        names |= group.names_in_messages(getattr(estimator, name))
    return names


def constructor_parameters(kind: type[GroupedParameters], flat: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor that flat parameters make, such as those of a file."""
    unset = [name for name, (_, own) in kind._own_defaults.items() if flat.get(name) == own]
    left = {name: value for name, value in flat.items() if name not in unset}
    arguments = {}
    for name, group in kind._groups.items():
        if any(key in left for key in group.names()):
            arguments[name] = group.grouped(left)
    inside = {key for group in kind._groups.values() for key in group.names()}
    return {name: value for name, value in left.items() if name not in inside} | arguments
