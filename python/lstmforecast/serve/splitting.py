"""Several models behind one endpoint: which of them answers whom, and what all of them can take."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lstmforecast.ab import Split
from lstmforecast.serve.served_model import ServedModel

# In these all models of a split are alike, so that a client needn't know which one answers.
_ALIKE = ("variables", "horizon", "times", "freq", "missing", "is_panel")


class ServedSplit:
    """What requests ask that name no model: one of several answers.

    As a `ServedModel` it says what windows it takes: such as all of them take.

    Parameters
    ----------
    models : mapping of str to ServedModel
        All that are served.
    split : Split
        Names of some of them, with weights.

    Raises
    ------
    ValueError
        If a name isn't served, or the models differ in what they read or forecast.
    """

    def __init__(self, models: Mapping[str, ServedModel], split: Split) -> None:
        unknown = [name for name in split.weights if name not in models]
        if unknown:
            raise ValueError(f"expected a split of models that are served, {list(models)}, got {unknown[0]!r}")
        self.models, self._split = {name: models[name] for name in split.weights}, split
        self._first = next(iter(self.models.values()))
        self.name = "+".join(self.models)
        wanted = self._first.description()
        for model in self.models.values():
            found = model.description()
            for each in _ALIKE:
                if found[each] != wanted[each]:
                    got = f"{wanted[each]!r} of {self._first.name!r} and {found[each]!r} of {model.name!r}"
                    raise ValueError(f"expected models of a split with the same {each}, got {got}")

    def model_of(self, key: str | None) -> ServedModel:
        """The model that answers a key, always the same; without a key, one by chance."""
        return self.models[self._split(uuid.uuid4().hex if key is None else key)]

    @property
    def least_rows(self) -> int:
        """Rows that a window has at least, for any of them."""
        return max(model.least_rows for model in self.models.values())

    @property
    def greatest_coverage(self) -> float:
        """Of intervals that all of them can give."""
        return min(model.greatest_coverage for model in self.models.values())

    @property
    def needs_times(self) -> bool:
        """Whether any of them does."""
        return any(model.needs_times for model in self.models.values())

    def checked_coverages(self, given: tuple[float, ...], steps: int) -> tuple[float, ...]:
        """As `ServedModel.checked_coverages`, of all."""
        for model in self.models.values():
            checked = model.checked_coverages(given, steps)
        return checked

    def __getattr__(self, name: str) -> Any:
        # what all have in common
        return getattr(self._first, name)
