"""Words around axes that move where they would meet others, or leave the figure; needs matplotlib."""

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


class MovedText(Text):
    """A text that is moved up or down when it is drawn."""

    def set_transform(self, t: Any) -> None:
        """Set where it lies unmoved; axes do so whenever a title is set."""
        self.unmoved = t
        super().set_transform(t)

    def draw(self, renderer: Any) -> None:
        """Draw it where it is moved to."""
        self._move(renderer)
        super().draw(renderer)

    def get_window_extent(self, renderer: Any = None, dpi: float | None = None) -> Bbox:
        """The place where it will be drawn."""
        self._move(renderer)
        return super().get_window_extent(renderer, dpi)

    def _move(self, renderer: Any) -> None:
        # its position stays, because axes bring all titles to one height
        super().set_transform(self.unmoved)
        if self.figure is not None and self.get_text():
            shift = self._shift(super().get_window_extent(renderer), renderer)
            if shift:
                super().set_transform(self.unmoved + Affine2D().translate(0, shift))

    def _shift(self, own: Bbox, renderer: Any) -> float:
        """How far upwards, in pixels."""
        raise NotImplementedError


class TitleAbove(MovedText):
    """A title that lies above the other titles of its axes where it would meet them."""

    def _shift(self, own: Bbox, renderer: Any) -> float:
        assert self.axes is not None
        others = [text for text in self.axes.get_children() if isinstance(text, Text) and text is not self]
        top = _above(others, own, renderer)
        return 0.0 if top is None else top - own.y0


class LabelInside(MovedText):
    """The label of a y-axis, which may be longer than its axes, within the figure."""

    def _shift(self, own: Bbox, renderer: Any) -> float:
        assert self.figure is not None
        whole = self.figure.bbox
        return float(max(whole.y0 - own.y0, 0.0) or min(whole.y1 - own.y1, 0.0))


def turn_into(text: Text, kind: type[MovedText]) -> None:
    """Let a text of some axes, which they make and place as any other, move as this kind does."""
    if not isinstance(text, kind):
        text.__class__ = kind
        text.set_transform(text.get_transform())


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
