"""Which columns of categories a network reads as learned vectors, and where these columns are in its inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lstmforecast.contract.core_options import Embedding


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
