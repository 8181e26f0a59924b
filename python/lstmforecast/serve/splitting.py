"""Several models that divide requests between them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lstmforecast.ab import Split
from lstmforecast.serve.served_model import ServedModel

# Fields in which the models of a split must be equal, so that clients needn't know which one answers.
_ALIKE = ("variables", "horizon", "times", "freq", "missing", "is_panel", "covariates", "known_steps")


class ServedSplit:
    """Models that answer the requests that name none.

    It has the properties of a `ServedModel`: its limits are those that hold for all its models.

    Parameters
    ----------
    models : mapping of str to ServedModel
        All models of the server.
    split : Split
        Weights of some of them.

    Raises
    ------
    ValueError
        If the server has no such model, or the models differ in what they read or forecast.
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
        # of static features, the series that all models know
        covariates = [model.covariates for model in self.models.values()]
        self.covariates = replace(
            self._first.covariates,
            at_once=min(each.at_once for each in covariates),
            series=frozenset.intersection(*(each.series for each in covariates)),
        )

    def model_of(self, key: str | None) -> ServedModel:
        """The model of a key, always the same; without a key, one at random."""
        return self.models[self._split(uuid.uuid4().hex if key is None else key)]

    @property
    def least_rows(self) -> int:
        """Fewest rows of a window for all models."""
        return max(model.least_rows for model in self.models.values())

    @property
    def greatest_coverage(self) -> float:
        """Greatest coverage of intervals for all models."""
        return min(model.greatest_coverage for model in self.models.values())

    @property
    def is_exact(self) -> bool:
        """Whether any model refuses a greater coverage."""
        return any(model.is_exact for model in self.models.values())

    @property
    def needs_times(self) -> bool:
        """Whether any model needs times."""
        return any(model.needs_times for model in self.models.values())

    def checked_coverages(self, given: tuple[float, ...], steps: int) -> tuple[float, ...]:
        """As `ServedModel.checked_coverages`, for all models."""
        for model in self.models.values():
            checked = model.checked_coverages(given, steps)
        return checked

    def __getattr__(self, name: str) -> Any:
        # properties in which all models are equal
        return getattr(self._first, name)
