"""The picture of an explanation: how much each feature contributes, over all, by step or by lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmforecast.display.colors import check_lines, look_of
from lstmforecast.display.style import TICK, axes_for, count_by_whole_numbers, draw_bars, finish, mend, pick
from lstmforecast.display.words import LINE, caption, legend_name, name_of, note, say_none, wrapped

if TYPE_CHECKING:
    from collections.abc import Hashable

    from matplotlib.axes import Axes

    from lstmforecast.evaluation.explanation import Explanation

KINDS = ("feature", "step", "lag")


def draw_explanation(
    explanation: Explanation, ax: Axes | None = None, *, by: str = "feature", variable: Hashable = None
) -> Axes:
    """Draw the contributions of features; see `lstmforecast.plot.explanation`."""
    if not hasattr(explanation, "contributions"):
        raise TypeError(f"expected the result of LSTMForecaster.explain, got {type(explanation).__name__}")
    if by not in KINDS:
        raise ValueError(f"expected by to be one of {KINDS}, got {by!r}")
    target = pick("variable", variable, explanation.variables)
    table = explanation.importance(*([] if by == "feature" else [by]))
    table = table[table["variable"] == target]
    if by != "feature":
        check_lines(len(explanation.features), "features", "draw by='feature'")
    axes = axes_for(ax, height=max(2.0, 0.6 + 0.35 * len(explanation.features)) if by == "feature" else 3.2)
    panel: Axes = axes[0]
    look, words = look_of(panel), "mean contribution"
    if by == "feature":
        rows = table.iloc[::-1]
        draw_bars(panel, rows["feature"], rows["contribution"])
        panel.set_xlabel(words)
    else:
        for i, feature in enumerate(explanation.features):
            part = table[table["feature"] == feature]
            panel.plot(part[by], part["contribution"], label=legend_name(feature), **look.style(i))
        panel.set_ylabel(words)
        panel.set_ylim(bottom=0)
        panel.set_xlabel("steps ahead" if by == "step" else "rows before the first step ahead")
        count_by_whole_numbers(panel)
        if by == "lag":
            panel.invert_xaxis()
        finish(panel)
    # long names beside the bars leave less room above them
    caption(panel, wrapped(f"to {name_of(target)}", TICK if by == "feature" else LINE))
    if not table["contribution"].any():
        say_none(panel, "nothing differs from the baseline")
    elif explanation.series != [None]:
        note(panel, f"mean of {len(explanation.series)} series")
    mend(axes)
    return panel
