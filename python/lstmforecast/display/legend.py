"""A legend above its axes, and above a title that it would meet; needs matplotlib."""

from __future__ import annotations

from typing import Any

from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

# Between the title and the legend, in points.
GAP = 3.0


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
        texts = [text for text in axes.get_children() if isinstance(text, Text) and text.get_text()]
        met = [box.y1 for text in texts if (box := text.get_window_extent(renderer)).overlaps(beside)]
        top = max(met) + renderer.points_to_pixels(GAP) if met else axes.bbox.y1
        anchor = (1.0, float(axes.transAxes.inverted().transform((0, top))[1]))
        if self.get_bbox_to_anchor().p0[1] != axes.transAxes.transform(anchor)[1]:
            self.set_bbox_to_anchor(anchor, axes.transAxes)
