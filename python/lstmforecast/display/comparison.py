"""The display of a comparison of two models: the mean difference of their losses, and its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmforecast.display.colors import DASHED, look_of
from lstmforecast.display.scale import limit, mark_outside
from lstmforecast.display.style import Display, axes_for, finish
from lstmforecast.display.words import note, say_none

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

    from lstmforecast.evaluation.comparison import Comparison


class ComparisonDisplay(Display):
    """The mean loss difference of two models after each row, and its bounds, which are valid for all rows together.

    Make it with `from_result`.

    Parameters
    ----------
    result : Comparison
        From `lstmforecast.compare`.

    Attributes
    ----------
    result : Comparison
        The data.
    ax_, axes_, figure_
        The axes, and their figure, once drawn.
    line_, band_
        The mean, and the bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import ComparisonDisplay, compare
    >>> rng = np.random.default_rng(0)
    >>> result = compare(rng.gamma(1, size=300), rng.gamma(2, size=300))
    >>> display = ComparisonDisplay.from_result(result)
    >>> bool(display.line_.get_ydata()[-1] < 0)
    True
    """

    def __init__(self, result: Comparison) -> None:
        self.result = result

    @classmethod
    def from_result(cls, result: Comparison, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw a comparison.

        Parameters
        ----------
        result : Comparison
            From `lstmforecast.compare`.
        ax, **kwargs
            As in `plot`.

        Returns
        -------
        ComparisonDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        return cls(result).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it: below zero the first model is better; a vertical line shows when the test decided.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure.
        **kwargs
            Style of the line of the mean, as in `matplotlib.axes.Axes.plot`.

        Returns
        -------
        ComparisonDisplay
            Itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        axes = axes_for(ax)
        panel, result, look = axes[0], self.result, look_of(axes[0])
        sequence = result.sequence.replace([np.inf, -np.inf], np.nan)
        n, mean = sequence["n"].to_numpy(), sequence["mean"].to_numpy(float)
        lower, upper = (sequence[side].to_numpy(float) for side in ("lower", "upper"))
        first, second = result.names
        blue = look.colors[0]
        style: dict[str, Any] = {"color": blue, "linewidth": 1.8, "label": f"loss of {first} - {second}"} | kwargs
        label = f"{100 * result.level:g} % at all times"
        band = {"color": look.tint(blue, 0.25), "linewidth": 0, "label": label, "zorder": 1}
        self.band_ = panel.fill_between(n, lower, upper, **band)
        [self.line_] = panel.plot(n, mean, **style, **({"marker": "o"} if len(n) == 1 else {}))
        panel.axhline(0, color=look.ink, linewidth=1.0)
        if result.decided_at is not None:
            label = f"{result.verdict} is better"
            panel.axvline(result.decided_at, color=look.colors[1], linestyle=DASHED, linewidth=1.2, label=label)
        panel.set_xlabel("rows")
        panel.set_ylabel("difference of losses")
        self._limit(panel, n, mean, lower, upper)
        finish(panel)
        self._keep(axes)
        return self

    def _limit(self, ax: Axes, n: Any, mean: Any, lower: Any, upper: Any) -> None:
        """Leave early bounds out, which are so wide that nothing else could be seen; say what isn't shown."""
        bounded, known = np.isfinite(upper - lower), np.isfinite(mean)
        if not known.any():
            say_none(ax, f"no bounds yet: {self.result.n} rows are too few")
            return
        if not bounded.any():
            note(ax, "no bounds yet: too few rows")
            return
        last, width = mean[known][-1], 4 * float(np.median((upper - lower)[bounded]))
        low = min(0.0, max(float(np.nanmin(lower[bounded])), last - width))
        high = max(0.0, min(float(np.nanmax(upper[bounded])), last + width))
        limit(ax, low, high)
        ink = look_of(ax).ink
        mark_outside(ax, [(n[known], mean[known], self.line_.get_color())], ink)
        hidden = n[bounded & ((lower < low) | (upper > high))]
        words = [f"bounds from row {int(n[bounded][0]):,}"] if not bounded.all() else []
        words += [f"until row {int(hidden[-1]):,} bounds reach beyond the picture"] if len(hidden) else []
        if words:
            note(ax, "; ".join(words))
