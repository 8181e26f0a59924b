"""Columns of categories that a network reads as learned vectors: which, where in its inputs, and of which words."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lstmforecast.contract.core_options import Embedding
from lstmforecast.data.covariates import Covariates

# The categories of each weight of vectors, in the order of its rows.
Words = dict[str, tuple[str, ...]]


def embeddings(categories: Sequence[Sequence[int]], least: int | None, n_targets: int) -> list[Embedding]:
    """A vector of ``round(sqrt(n))`` numbers for each column of ``n`` categories, at least ``least``.

    ``categories`` are the features of each column; in the core they follow ``n_targets`` targets.

    Examples
    --------
    >>> embeddings([range(2), range(2, 18)], 12, 1) == [{"columns": list(range(3, 19)), "size": 4}]
    True
    >>> embeddings([range(16)], None, 1)
    []
    """
    if least is None:
        return []
    return [
        {"columns": [n_targets + feature for feature in features], "size": round(math.sqrt(len(features)))}
        for features in categories
        if len(features) >= least
    ]


def words_of_vectors(config: Mapping[str, Any], covariates: Covariates) -> Words:
    """The categories whose vectors are the rows of each ``embeddings.N.weight`` of a network, by the weight's name."""
    listed = zip(covariates.categories, covariates.words, strict=True)
    words = {tuple(features): column.categories or () for features, column in listed}
    first = config["n_targets"]
    places = [tuple(column - first for column in each["columns"]) for each in config.get("embeddings", ())]
    return {f"embeddings.{i}.weight": words[each] for i, each in enumerate(places)}


def check_same_words(before: Covariates, now: Covariates) -> None:
    """Raise a ValueError for columns of words with other categories than those that a network has learned.

    Examples
    --------
    >>> check_same_words(Covariates(), Covariates())
    """
    columns = [[column.name for column in covariates.words] for covariates in (before, now)]
    way = "with warm_start=False a new network is trained"
    if len(columns[0]) != len(columns[1]):
        raise ValueError(f"expected the columns of words {columns[0]} as before, got {columns[1]}; {way}")
    for old, new in zip(before.words, now.words, strict=True):
        if old.categories != new.categories:
            first, other = (reprlib.repr(each.categories) for each in (old, new))
            raise ValueError(f"expected the categories of column {new.name!r} as before {first}, got {other}; {way}")


class InputColumns(NamedTuple):
    """The columns of a network's input: those that it reads as they are, and those of each embedding."""

    kept: list[int]
    embedded: list[list[int]]

    @classmethod
    def of(cls, config: Mapping[str, Any], width: int, n_targets: int) -> InputColumns:
        """Those of inputs of ``width`` columns, which begin with ``n_targets`` targets at once."""
        moved = config["n_targets"] - n_targets
        embedded = [[column - moved for column in each["columns"]] for each in config.get("embeddings", ())]
        taken = {column for columns in embedded for column in columns}
        return cls([column for column in range(width) if column not in taken], embedded)
