"""The style of all plots: colours, line styles, frames, legends, dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# The palette of Okabe and Ito: it suits all kinds of colour vision, and grey print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#4d4d4d"
GRID = "#e5e5e5"
DASHED, DOTTED = (0, (4, 1.5)), (0, (1, 1.2))
DASHES = ("-", DASHED, (0, (5, 1.2, 1, 1.2)), DOTTED)
WIDTH = 7.0


def check_matplotlib() -> None:
    """Raise an ImportError that says how to install matplotlib, if it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "lstmforecast[plot]"') from error


def axes_for(
    ax: Any, n_rows: int = 1, n_columns: int = 1, *, height: float = 3.2, **options: Any
) -> NDArray[np.object_]:
    """The given axes as a flat array, or those of a new figure.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If another number of axes than ``n_rows * n_columns`` is given.
    """
    if ax is not None:
        given = np.array([ax], dtype=object) if np.ndim(ax) == 0 else np.asarray(ax, dtype=object).ravel()
        if len(given) != n_rows * n_columns:
            raise ValueError(f"expected {n_rows * n_columns} axes, got {len(given)}")
        return given
    check_matplotlib()
    from matplotlib import pyplot

    _, new = pyplot.subplots(n_rows, n_columns, figsize=(WIDTH, height), layout="constrained", squeeze=False, **options)
    return np.asarray(new, dtype=object).ravel()


def draw_path(ax: Axes, path: pd.Series, **style: Any) -> Any:
    """Draw a line through the values of a series, with gaps where they are missing."""
    [line] = ax.plot(path.index, path.to_numpy(dtype=float, na_value=np.nan), **style)
    return line


def tint(color: str, share: float) -> str:
    """A colour mixed with white: unlike a transparent one, it looks the same in the legend and where bands overlap."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (1 - share * (1 - each) for each in to_rgb(color))
    return to_hex((red, green, blue))


def count_by_whole_numbers(ax: Axes) -> None:
    """Use whole numbers as ticks of the x-axis."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def scale_logarithmically(ax: Axes) -> None:
    """Use a logarithmic y-axis with plain numbers: 0.05 and 0.1, not powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1000 * low else (1.0,)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def finish(ax: Axes, index: pd.Index | None = None, *, legend: bool = True, narrow: bool = False) -> None:
    """Set frame, grid, short dates, and a legend above the axes."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.margins(x=0.01)
    if isinstance(index, pd.DatetimeIndex):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        # with a smaller maximum, or a larger minimum, matplotlib may find no interval and warn
        locator = AutoDateLocator(minticks=3, maxticks=7) if narrow else AutoDateLocator(minticks=4)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=index.tz))
    if legend:
        place_legend(ax)


def place_legend(ax: Axes, *, above: Any = None) -> None:
    """Place the legend of some axes above them, or ``above`` a figure."""
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    style: dict[str, Any] = {"ncols": min(len(handles), 6), "frameon": False, "fontsize": "small"}
    style |= {"borderaxespad": 0.1, "columnspacing": 1.2, "handlelength": 1.6}
    if above is None:
        from lstmforecast.display.legend import LegendAbove

        legend = ax.legend(handles, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), **style)
        legend.__class__ = LegendAbove  # the axes make and remove it as any other
    else:
        above.legend(handles, labels, loc="outside upper right", **style)


def name_of(variable: Hashable) -> str:
    """The label of a variable."""
    return variable if isinstance(variable, str) else f"variable {variable}"


def pick(name: str, wanted: Hashable, known: list[Any]) -> Any:
    """The wanted label, or the first if it is None.

    Raises
    ------
    ValueError
        If there is no such label.
    """
    if wanted is None:
        return known[0]
    if wanted not in known:
        raise ValueError(f"expected {name} to be one of {known}, got {wanted!r}")
    return wanted


class Display:
    """The attributes of all displays once they are drawn."""

    axes_: NDArray[np.object_]
    ax_: Axes
    figure_: Any

    def _keep(self, axes: NDArray[np.object_]) -> None:
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure
