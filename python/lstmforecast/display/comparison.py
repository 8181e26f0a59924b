"""The display of a comparison of two models: the mean difference of their losses, and its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmforecast.display.style import COLORS, DASHED, INK, Display, axes_for, finish

if TYPE_CHECKING:
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
        panel, result = axes[0], self.result
        sequence = result.sequence.replace([np.inf, -np.inf], np.nan).dropna()
        n, mean = sequence["n"].to_numpy(), sequence["mean"].to_numpy()
        lower, upper = (sequence[side].to_numpy() for side in ("lower", "upper"))
        first, second = result.names
        style: dict[str, Any] = {"color": COLORS[0], "linewidth": 1.8, "label": f"loss of {first} - {second}"} | kwargs
        label = f"{100 * result.level:g} % at all times"
        self.band_ = panel.fill_between(n, lower, upper, color=COLORS[0], alpha=0.2, linewidth=0, label=label)
        [self.line_] = panel.plot(n, mean, **style)
        panel.axhline(0, color=INK, linewidth=1.0)
        if result.decided_at is not None:
            label = f"{result.verdict} is better"
            panel.axvline(result.decided_at, color=COLORS[1], linestyle=DASHED, linewidth=1.2, label=label)
        if len(n):
            # early bounds are so wide that nothing else could be seen
            width = 4 * float(np.median(upper - lower))
            panel.set_ylim(max(lower.min(), mean[-1] - width), min(upper.max(), mean[-1] + width))
        panel.set_xlabel("rows")
        panel.set_ylabel("difference of losses")
        finish(panel)
        self._keep(axes)
        return self
