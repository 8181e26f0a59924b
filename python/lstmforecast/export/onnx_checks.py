"""What an ONNX file would get wrong is refused: at the export by an error, in the graph by forecasts of NaN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.dataset import Dataset
from lstmforecast.export.onnx_graph import Graph

Array = NDArray[np.float64]
# The rounding of inputs that is accepted, as a part of their scale.
MOST = 1e-3


def check_single_precision(
    name: Callable[..., str], level: Array, scale: Array, constant: NDArray[np.bool_] | None = None
) -> None:
    """Raise a ValueError for a column whose values are too large for single precision to show how they vary.

    Parameters
    ----------
    name : callable
        What the message calls the column at an index.
    level, scale : ndarray
        Center and scale of each column.
    constant : ndarray or None
        Which are constant: the scale of these is no measure. None: those of scale 1.
    """
    level, scale = np.broadcast_arrays(np.abs(level), scale)
    with np.errstate(over="ignore", invalid="ignore"):
        single = level.astype(np.float32)
        steps = np.where(np.isinf(single), np.inf, np.spacing(single))
    lost = steps / 2 / scale
    # a constant that float32 has loses nothing
    lost[(scale == 1 if constant is None else constant) & (single == level)] = 0.0
    if not (lost > MOST).any():
        return
    at = tuple(int(i) for i in np.unravel_index(np.nanargmax(lost), lost.shape))
    raise ValueError(
        f"expected data whose variation float32 can show, got {name(*at)} with values near {level[at]:.3g} that "
        f"vary by {scale[at]:.3g}, where float32 has steps of {steps[at]:.1g}; write the file with dtype='float64'"
    )


def check_series(dataset: Dataset, scalers: Mapping[str, Array], names: Sequence[str]) -> None:
    """`check_single_precision` for the targets of each series, and for the features."""
    k = dataset.observations.n_columns
    which = np.repeat(np.arange(dataset.observations.n_series), dataset.observations.lengths)
    by_series = pd.DataFrame(dataset.observations.values).groupby(which)
    level, varies = by_series.mean().to_numpy(), by_series.std(ddof=0).to_numpy()
    scale = scalers["output_scale"] if dataset.scales is None else dataset.scales[:, k:]
    if dataset.transform == "log":
        # these are the scales of logarithms
        scale = (varies == 0).astype(np.float64)

    def target(series: int, column: int) -> str:
        of_series = f" of series {dataset.observations.series_keys[series]!r}" if dataset.observations.is_panel else ""
        return f"{names[column]!r}{of_series}"

    check_single_precision(target, level, np.fmax(varies, scale), varies == 0)
    constant = pd.DataFrame(dataset.features).nunique().to_numpy() < 2
    center, scale = (scalers[f"input_{part}"][k:] for part in ("center", "scale"))
    check_single_precision(lambda column: repr(names[k + column]), center, scale, constant)


def check_rows(scalers: Mapping[str, Array]) -> None:
    """`check_single_precision` for the features and targets of a regressor or classifier."""
    for part, what in (("input", "feature {} of X"), ("output", "column {} of y")):
        check_single_precision(what.format, scalers[f"{part}_center"], scalers[f"{part}_scale"])


def trouble(graph: Graph, x: str, may_lack: Any = False) -> str:
    """0 for each window of ``x`` (n, rows, columns), NaN for one that isn't finite where it must be: (n, 1, 1).

    Without it, runtimes compute something from NaN. ``may_lack``, a condition that is broadcast to ``x``, is where NaN
    is a missing value.
    """
    if may_lack is not False:
        x = graph.add("Where", graph.add("And", graph.add("IsNaN", x), may_lack), np.float64(0), x)
    return graph.add("ReduceSum", graph.add("Mul", x, np.float64(0)), np.array([1, 2]))


def before_the_series(graph: Graph, windows: str) -> str:
    """The rows of windows above which all is NaN, as rows before a series begins are: (n, rows, 1)."""
    absent = graph.add("ReduceMin", graph.cast(graph.add("IsNaN", windows), np.int32), np.array([2]))
    begun = graph.add("CumSum", graph.add("Sub", np.int32(1), absent), np.int64(1))
    return graph.add("Equal", begun, np.int32(0))
