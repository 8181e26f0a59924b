"""Words of pictures: names that fit in, titles at the left, notes, and what there is none of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmforecast.display.colors import TEXT_CONTRAST, background_of, contrast, look_of, readable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from matplotlib.axes import Axes
    from matplotlib.text import Text

# Characters in a line of a legend, and lines in any label.
LINE, MOST_ROWS = 40, 3


def name_of(variable: Hashable) -> str:
    """The label of a variable."""
    return variable if isinstance(variable, str) else f"variable {variable}"


def wrapped(name: str, width: int = LINE, rows: int = MOST_ROWS) -> str:
    r"""A name in lines of at most ``width`` characters; of one that needs more rows, the middle is left out.

    Examples
    --------
    >>> wrapped("temperature of the oil", 12)
    'temperature\nof the oil'
    >>> wrapped("sensor_12_building_7", 8, rows=1)
    'sens…g_7'
    """
    lines = [part for line in name.split("\n") for part in _lines(line, width)]
    if len(lines) > rows:
        words, kept = name.replace("\n", " "), width * rows - 1
        short = f"{words[: (kept + 1) // 2]}…{words[-(kept // 2) :]}"
        lines = [short[at : at + width] for at in range(0, len(short), width)]
    return "\n".join(lines)


def _lines(line: str, width: int) -> list[str]:
    """Break a line after spaces and after the marks that join the words of a name."""
    lines = [""]
    for word in re.findall(r"[^\s_/]*[\s_/]*", line):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [each.rstrip() for each in lines]


def legend_name(name: Hashable) -> str:
    """A name as the label of a line; matplotlib leaves labels that are empty or begin with an underscore out."""
    words = str(name)
    return f" {words}" if not words or words.startswith("_") else words


def caption(ax: Axes, words: str) -> None:
    """Write a title at the left, which rises above a title that the user sets."""
    from lstmforecast.display.legend import TitleAbove, turn_into

    title = ax.set_title(words, fontsize="medium", loc="left")
    turn_into(title, TitleAbove)
    _fit(title, ax.bbox.width, upright=False)


def note(ax: Axes, words: str) -> None:
    """Add a line to the label of the x-axis, for which every layout has room."""
    label = ax.get_xlabel()
    text = ax.set_xlabel(f"{label}\n{words}" if label else words, loc="center" if label else "left")
    # at the right is the year of dates
    if not label and text.get_window_extent().width > 0.6 * ax.bbox.width:
        text.set_text(f"\n{words}")


def say_none(ax: Axes, words: str) -> None:
    """Say in the middle of empty axes what there is none of."""
    look = look_of(ax)
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": look.ink, "zorder": 6}
    style["bbox"] = {"facecolor": look.background, "edgecolor": "none"}
    text = ax.text(0.5, 0.5, words, transform=ax.transAxes, **style)
    # numbers would be of nothing
    ax.tick_params(which="both", labelbottom=False, labelleft=False, length=0)
    ax.xaxis.offsetText.set_visible(False)
    _fit(text, 0.9 * ax.bbox.width, upright=False)


def say_missing(ax: Axes, names: list[str], *, whole: bool) -> None:
    """Say which lines have no values: in the middle if the whole axes are empty, or below them."""
    if names:
        (say_none if whole else note)(ax, f"no {' and no '.join(names)}: all values are missing")


def mend_words(ax: Axes) -> None:
    """Make all words of some axes fit in, and readable on their background."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.text import Text

    from lstmforecast.display.legend import LabelInside, turn_into

    turn_into(ax.yaxis.label, LabelInside)
    _fit(ax.yaxis.label, 0.9 * ax.bbox.height, upright=True)
    _fit(ax.xaxis.label, ax.bbox.width, upright=False)
    texts = [each for each in ax.get_children() if isinstance(each, Text) and each not in ax.texts]
    mend_colors(ax, [*texts, ax.xaxis.label, ax.yaxis.label, ax.xaxis.offsetText, ax.yaxis.offsetText])
    behind = background_of(ax, outside=True)
    for axis in (ax.xaxis, ax.yaxis):
        if isinstance(axis.get_major_formatter(), StrCategoryFormatter):
            for name in axis.get_ticklabels():
                name.set_parse_math(False)
        for ticks in axis.get_ticklabels()[:1]:
            if contrast(ticks.get_color(), behind) < TEXT_CONTRAST:
                color = readable(ticks.get_color(), behind, TEXT_CONTRAST)
                axis.set_tick_params(which="both", color=color, labelcolor=color)


def mend_colors(ax: Axes, texts: list[Text]) -> None:
    """Make texts around some axes readable, where the settings have a colour that isn't."""
    behind = background_of(ax, outside=True)
    for text in texts:
        # a dollar sign in a name begins no formula
        text.set_parse_math(False)
        if contrast(text.get_color(), behind) < TEXT_CONTRAST:
            text.set_color(readable(text.get_color(), behind, TEXT_CONTRAST))


def _fit(text: Text, room: float, *, upright: bool) -> None:
    """Break a text into lines that are no longer than ``room`` pixels, or leave out its middle."""
    text.set_parse_math(False)
    words = text.get_text()
    width = max(map(len, words.split("\n")))
    # letters differ in width, so that the first number of characters may be too large
    for _ in range(3):
        box = text.get_window_extent()
        length = box.height if upright else box.width
        if not words or length <= room:
            return
        width = max(int(width * room / length), 8)
        text.set_text(wrapped(words, width))
