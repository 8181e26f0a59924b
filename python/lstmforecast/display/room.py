"""Room for what is written around axes, in figures that have no layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

# At least this share of the width and height of the axes is left.
LEAST = 0.3
# Between words and the edge of the figure, in pixels.
EDGE = 2.0


class Room:
    """A locator of axes: makes them smaller where their words would leave the figure, or meet what lies above.

    With a layout, such as ``layout="constrained"``, it changes nothing.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    """

    def __init__(self, ax: Axes) -> None:
        self.ax = ax

    def get_subplotspec(self) -> Any:
        """The place of the axes in the grid, for `matplotlib.figure.Figure.tight_layout`."""
        return self.ax.get_subplotspec()

    def __call__(self, ax: Axes, renderer: Any) -> Bbox:
        """The place of the axes, in shares of the figure."""
        from matplotlib.layout_engine import PlaceHolderLayoutEngine
        from matplotlib.transforms import Bbox

        if ax is not self.ax:
            return self.ax.get_position()
        place, figure = ax.get_position(original=True), ax.figure
        assert figure is not None
        for other in figure.axes:
            # a second y-axis on the same place
            if other.get_axes_locator() is None and other.get_position(original=True).bounds == place.bounds:
                other.set_axes_locator(self)  # type: ignore[arg-type]  # the stubs want a function
        engine = figure.figure.get_layout_engine()
        if engine is not None and not isinstance(engine, PlaceHolderLayoutEngine):
            return place
        left, bottom, top = _words_around(ax, renderer)
        whole, wanted = figure.bbox, place.transformed(figure.transSubfigure)
        x0 = max(wanted.x0, whole.x0 + EDGE + left)
        y0 = max(wanted.y0, whole.y0 + EDGE + bottom)
        y1 = min(wanted.y1, _ceiling(ax, renderer) - EDGE - top)
        x0 = min(x0, wanted.x1 - LEAST * wanted.width)
        y0 = min(y0, wanted.y1 - LEAST * wanted.height)
        y1 = max(y1, y0 + LEAST * wanted.height)
        shrunk = Bbox.from_extents(x0, y0, wanted.x1, y1)
        return shrunk.transformed(figure.transSubfigure.inverted())


def _words_around(ax: Axes, renderer: Any) -> tuple[float, float, float]:
    """How far labels, titles and legend reach beyond the left, the lower and the upper edge, in pixels."""
    # measured at the place without this locator, so that each call finds the same
    ax.apply_aspect()
    frame, beside, below = ax.bbox, ax.yaxis.get_tightbbox(renderer), ax.xaxis.get_tightbbox(renderer)
    legend = ax.get_legend()
    above = ax.get_tightbbox(renderer, call_axes_locator=False, bbox_extra_artists=[] if legend is None else [legend])
    left = 0.0 if beside is None else frame.x0 - beside.x0
    bottom = 0.0 if below is None else frame.y0 - below.y0
    return left, bottom, 0.0 if above is None else above.y1 - frame.y1


def _ceiling(ax: Axes, renderer: Any) -> float:
    """The lowest edge of what lies above: the figure's own, its title, other axes with their labels."""
    figure, own = ax.figure, ax.get_position(original=True)
    assert figure is not None
    middle = (own.y0 + own.y1) / 2 * figure.bbox.height + figure.bbox.y0
    titles = [text.get_window_extent(renderer).y0 for text in figure.texts if text.get_text() and text.get_visible()]
    edges = [figure.bbox.y1, *(edge for edge in titles if edge > middle)]
    for other in figure.axes:
        place = other.get_position(original=True)
        if other is not ax and place.y0 >= own.y1 and place.x0 < own.x1 and own.x0 < place.x1:
            box = other.xaxis.get_tightbbox(renderer)
            edges.append(other.bbox.y0 if box is None else min(box.y0, other.bbox.y0))
    return float(min(edges))


def make_room(ax: Axes) -> None:
    """Give axes that have no locator this one."""
    if ax.get_axes_locator() is None:
        ax.set_axes_locator(Room(ax))  # type: ignore[arg-type]  # the stubs want a function
