"""Answers to several requests: those for the same model, horizon and coverages share one call of the network."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from lstmforecast.serve.limits import Refused
from lstmforecast.serve.reading import PredictRequest
from lstmforecast.serve.served_model import Prepared

# Exceptions of pandas and the estimators for data that they can't use.
_BAD_DATA = (ValueError, TypeError, OverflowError, KeyError)
# The end of a message that gives advice for Python: parameters of the forecaster, methods of pandas.
_IN_PYTHON = re.compile(r"; (?=.*(?:\bcontext\.\w|\b(?:missing|freq)=)).*")
# What covariates lack where a window leaves out a time.
_ROWS, _ROWS_OF_WINDOW = "the rows of y", "the steps of the window (a missing one is a row with null in values)"


@dataclass(frozen=True)
class Answer:
    """The forecasts that one request asks for.

    Attributes
    ----------
    request : PredictRequest
    points : ndarray of shape (n_windows, steps, k)
    bounds : ndarray of shape (2 * n_coverages, n_windows, steps, k)
        Lower and upper bound of each coverage.
    times : list
        For each window the times of its steps ahead; None for a window without times.
    """

    request: PredictRequest
    points: NDArray[np.float64]
    bounds: NDArray[np.float64]
    times: list[Any]

    def body(self) -> bytes:
        """The body of the response, JSON."""
        points, bounds = self.points, self.bounds
        if self.request.model.is_flat:
            points, bounds = points[..., 0], bounds[..., 0]
        points, bounds = np.ascontiguousarray(points), np.ascontiguousarray(bounds)
        forecasts = [
            {
                "times": self.times[i],
                "values": points[i],
                "intervals": [
                    {"coverage": coverage, "lower": bounds[2 * place, i], "upper": bounds[2 * place + 1, i]}
                    for place, coverage in enumerate(self.request.coverages)
                ],
            }
            for i in range(len(points))
        ]
        found = {"model": self.request.model.name, "forecasts": forecasts}
        return orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY)


def answer(requests: Sequence[PredictRequest]) -> list[Answer | Exception]:
    """An answer to each request, or its error.

    Requests for the same model, horizon and coverages share one call of the network. If it fails, each request gets a
    call of its own, so that an error of one doesn't affect the others.
    """
    answers: list[Answer | Exception] = [RuntimeError("nothing was computed")] * len(requests)
    groups: dict[Any, list[tuple[int, Prepared]]] = defaultdict(list)
    for i, request in enumerate(requests):
        try:
            prepared = _prepare(request)
            groups[request.model.name, request.steps, request.coverages].append((i, prepared))
        except Exception as error:
            answers[i] = error
    for group in groups.values():
        _answer_group(requests, group, answers)
    return answers


def sentence_of(error: Exception) -> str:
    """The message that a client gets: that of the package without advice for Python, a general one for all others."""
    words = _IN_PYTHON.sub("", " ".join(str(error).split())).replace(_ROWS, _ROWS_OF_WINDOW)
    return words if words.startswith("expected") else "expected rows and times that the model can read, got others"


def _prepare(request: PredictRequest) -> Prepared:
    parts = []
    for i, window in enumerate(request.windows):
        try:
            parts.append(request.model.prepare(window, request.steps))
        except _BAD_DATA as error:
            raise Refused(422, f"windows[{i}]: {sentence_of(error)}") from error
    return Prepared.joined(parts)


def _answer_group(
    requests: Sequence[PredictRequest], group: list[tuple[int, Prepared]], answers: list[Answer | Exception]
) -> None:
    first = requests[group[0][0]]
    try:
        joined = Prepared.joined([prepared for _, prepared in group])
        points, bounds = first.model.forecast(joined, first.coverages)
    except Exception as error:
        if len(group) == 1:
            answers[group[0][0]] = error
        else:
            for each in group:
                _answer_group(requests, [each], answers)
        return
    start = 0
    for i, prepared in group:
        rows = slice(start, start + len(prepared.seen.windows))
        answers[i] = _checked(Answer(requests[i], points[rows], bounds[:, rows], prepared.times))
        start = rows.stop


def _checked(found: Answer) -> Answer | Refused:
    if not (np.isfinite(found.points).all() and np.isfinite(found.bounds).all()):
        return Refused(422, "expected values whose forecast is finite, got values that lead to infinity")
    return found
