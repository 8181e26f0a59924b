"""What all plots share: axes, frames, legends, dates, the attributes of a display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.colors import look_of
from lstmforecast.display.room import make_room
from lstmforecast.display.scale import marks_of
from lstmforecast.display.words import LINE, legend_name, mend_colors, mend_words, wrapped

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

WIDTH = 7.0
# Width of a legend at most, beside that of its axes before a layout.
WIDER = 1.2
# Axes of fewer inches have room for few dates.
NARROW = 3.2
# Characters in a line of a name beside its bar.
TICK = 30


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


def draw_bars(ax: Axes, names: Iterable[Any], values: Iterable[float]) -> None:
    """Draw a bar to the right for each name, from the bottom up."""
    ax.barh([wrapped(str(name), TICK) for name in names], list(values), color=look_of(ax).colors[0], height=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlim(left=0)


def draw_path(ax: Axes, path: pd.Series, **style: Any) -> Any:
    """Draw a line through the values of a series, with gaps where they are missing."""
    if style.get("label") is not None:
        style["label"] = legend_name(style["label"])
    [line] = ax.plot(path.index, path.to_numpy(dtype=float, na_value=np.nan), **style)
    return line


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


def finish(ax: Axes, index: pd.Index | None = None, *, legend: bool = True) -> None:
    """Set frame, grid, short dates, and a legend above the axes; without one, still of marks of what lies outside."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=look_of(ax).grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.margins(x=0.01)
    if isinstance(index, pd.DatetimeIndex):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        # with a smaller maximum, or a larger minimum, matplotlib may find no interval and warn
        narrow = ax.bbox.width < NARROW * ax.figure.dpi
        locator = AutoDateLocator(index.tz, minticks=3, maxticks=7) if narrow else AutoDateLocator(index.tz, minticks=4)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=index.tz))
    place_legend(ax, marks_only=not legend)


def place_legend(ax: Axes, *, above: Any = None, marks_only: bool = False) -> None:
    """Place the legend of some axes above them, or ``above`` a figure, in as many columns as there is room for."""
    from lstmforecast.display.legend import LegendAbove, LegendOfFigure

    handles, names = ax.get_legend_handles_labels()
    if marks_only:
        marks = [i for i, handle in enumerate(handles) if handle in marks_of(ax)]
        handles, names = [handles[i] for i in marks], [names[i] for i in marks]
    if not handles:
        return
    style: dict[str, Any] = {"frameon": False, "fontsize": "small", "borderaxespad": 0.1}
    style |= {"columnspacing": 1.0, "handlelength": 1.8}
    # a layout makes axes wider, and above them there is room beside their labels, too
    room = min(WIDER * ax.bbox.width, ax.bbox.x1 - ax.figure.bbox.x0) if above is None else 0.9 * above.bbox.width
    width = LINE
    for n_columns in [*range(min(len(handles), 6), 0, -1), 1]:
        style["ncols"] = n_columns
        labels = [wrapped(name, width) for name in names]
        if len(set(labels)) < len(set(names)):
            # they differ in the middle
            labels = [wrapped(name, width, rows=len(name)) for name in names]
        # the axes, or the figure, make and remove it as any other
        if above is None:
            legend = ax.legend(handles, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), **style)
            legend.__class__ = LegendAbove
        else:
            legend = above.legend(handles, labels, loc="outside upper right", **style)
            legend.__class__ = LegendOfFigure
        mend_colors(ax, legend.get_texts())
        wanted = legend.get_window_extent().width
        if wanted <= room or width < LINE:
            return
        if n_columns == 1:
            width = max(int(width * room / wanted) - 4, 8)
        legend.remove()


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
        mend(axes)


def mend(axes: NDArray[np.object_]) -> None:
    """Make the words of finished axes fit in, and readable."""
    for ax in axes:
        mend_words(ax)
        make_room(ax)
