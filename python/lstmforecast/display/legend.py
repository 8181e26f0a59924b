"""Words above some axes that never meet: a legend, our title at the left, the user's titles; needs matplotlib."""

from __future__ import annotations

from typing import Any

from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox

# Between the title and the legend, in points; beside each other they need more, in pixels.
GAP = 3.0
BESIDE = 8.0


class LegendAbove(Legend):
    """A legend whose lower right corner is the upper right one of its axes, or lies above what is written there."""

    def draw(self, renderer: Any) -> None:
        """Draw it where it meets no title."""
        self._rise(renderer)
        super().draw(renderer)

    def get_tightbbox(self, renderer: Any = None) -> Bbox | None:
        """The place that a layout reserves."""
        if renderer is not None:
            self._rise(renderer)
        return super().get_tightbbox(renderer)

    def _rise(self, renderer: Any) -> None:
        axes, own = self.axes, self.get_window_extent(renderer)
        assert axes is not None
        # just above the axes, wherever it is now
        beside = own.translated(0, axes.bbox.y1 - own.y0)
        top = _above([text for text in axes.get_children() if isinstance(text, Text)], beside, renderer)
        anchor = (1.0, float(axes.transAxes.inverted().transform((0, axes.bbox.y1 if top is None else top))[1]))
        if self.get_bbox_to_anchor().p0[1] != axes.transAxes.transform(anchor)[1]:
            self.set_bbox_to_anchor(anchor, axes.transAxes)


class LegendOfFigure(Legend):
    """A legend at the upper right corner of its figure, or below the title of the figure."""

    def draw(self, renderer: Any) -> None:
        """Draw it where it meets no title."""
        figure = self.figure
        assert figure is not None
        self.set_bbox_to_anchor((0.0, 0.0, 1.0, 1.0), figure.transSubfigure)
        own = self.get_window_extent(renderer)
        boxes = [text.get_window_extent(renderer) for text in figure.texts if text.get_text()]
        met = [box.y0 for box in boxes if box.overlaps(own)]
        if met:
            top = min(met) - _pixels(figure)
            bottom, height = figure.bbox.y0, figure.bbox.height
            self.set_bbox_to_anchor((0.0, 0.0, 1.0, (top - bottom) / height), figure.transSubfigure)
        super().draw(renderer)


class TitleAbove(Text):
    """A title that lies above the other titles of its axes where it would meet them."""

    def set_transform(self, t: Any) -> None:
        """Set where it lies without others; axes do so whenever a title is set."""
        self.unrisen = t
        super().set_transform(t)

    def draw(self, renderer: Any) -> None:
        """Draw it where it meets no other title."""
        self._rise(renderer)
        super().draw(renderer)

    def get_window_extent(self, renderer: Any = None, dpi: float | None = None) -> Bbox:
        """The place where it will be drawn."""
        self._rise(renderer)
        return super().get_window_extent(renderer, dpi)

    def _rise(self, renderer: Any) -> None:
        # its position stays, because axes bring all titles to one height
        super().set_transform(self.unrisen)
        axes = self.axes
        if axes is not None and self.get_text():
            others = [text for text in axes.get_children() if isinstance(text, Text) and text is not self]
            own = super().get_window_extent(renderer)
            top = _above(others, own, renderer)
            if top is not None:
                super().set_transform(self.unrisen + Affine2D().translate(0, top - own.y0))


def _above(texts: list[Text], beside: Bbox, renderer: Any) -> float | None:
    """The lowest place above the texts that a box would meet; None if it meets none."""
    shown = [text for text in texts if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in shown]
    gap = _pixels(shown[0].figure) if shown else 0.0
    place = beside = beside.padded(BESIDE, 0)
    while met := [box.y1 for box in boxes if box.overlaps(place)]:
        # above these it may meet others
        place = beside.translated(0, max(met) + gap - beside.y0)
    return None if place is beside else float(place.y0)


def _pixels(figure: Any) -> float:
    return float(GAP * figure.figure.dpi / 72)
