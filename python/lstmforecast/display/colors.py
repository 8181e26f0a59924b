"""Colours and line styles that can be read on any background, in grey print and by all kinds of colour vision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Color = tuple[float, float, float]

# The palettes of Okabe and Ito, which suit all kinds of colour vision, as changed for bright and for dark backgrounds:
# red is darker, because the orange that is dark enough for white would be like it; blue is brighter, with yellow for
# its neighbour.
ON_BRIGHT = ("#0072B2", "#AC4000", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
ON_DARK = ("#4AA3DF", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#F0E442")
DASHED, DOTTED = (0, (4, 1.5)), (0, (1, 1.2))
DASHES = ("-", DASHED, DOTTED, (0, (5, 1.2, 1, 1.2)))
MARKERS = ("", "o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*")
# Lines on the same axes that can still be told apart.
MOST_LINES = 12
# Contrast that the guidelines for accessible web pages (WCAG 2.1) demand of lines and of small text.
LINE_CONTRAST, TEXT_CONTRAST = 3.0, 4.5
# Above this luminance black has more contrast than white.
BRIGHT = 0.18


class Look(NamedTuple):
    """The colours for one background.

    Attributes
    ----------
    background : tuple of three float
        Red, green and blue behind the lines.
    colors : tuple of str
        The palette, with a contrast of 3 or more.
    ink : str
        Grey of truths and of words, with a contrast of 4.5 or more.
    grid : str
        A grey close to the background.
    veil : float
        The alpha of transparent bands.
    """

    background: Color
    colors: tuple[str, ...]
    ink: str
    grid: str
    veil: float

    def tint(self, color: str, share: float) -> str:
        """A colour mixed with the background: unlike a transparent one, it looks the same where bands overlap."""
        # on black a faint colour is hardly seen, and a strong one hides a line of the same colour
        share = share if luminance(self.background) > BRIGHT else 0.14 + 0.7 * share
        return _mixed(self.background, color, share)

    def soft(self) -> str:
        """A softer blue than the first colour, for what lies below a line."""
        return readable(self.tint(self.colors[0], 0.75), self.background, LINE_CONTRAST)

    def style(self, i: int) -> dict[str, Any]:
        """The style of line i of up to 12: dashes and marks differ where colours are repeated, and in grey print."""
        dashes, marker = DASHES[i % len(DASHES)], MARKERS[i // len(DASHES)]
        return {"color": self.colors[i % len(self.colors)], "linestyle": dashes, "linewidth": 1.5} | marked(marker)


def marked(marker: str) -> dict[str, Any]:
    """The style of a line with some marks, however many points it has."""
    return {"marker": marker, "markersize": 4, "markevery": 0.12} if marker else {}


def check_lines(n: int, what: str, way_out: str) -> None:
    """Raise a ValueError that says the way out, if so many lines could not be told apart."""
    if n > MOST_LINES:
        raise ValueError(f"expected at most {MOST_LINES} {what} in one picture, got {n}; {way_out}")


def look_of(ax: Axes) -> Look:
    """The colours for the background of some axes."""
    behind = background_of(ax)
    bright = luminance(behind) > BRIGHT
    ink = readable("#4d4d4d" if bright else "#cccccc", behind, TEXT_CONTRAST)
    colors = tuple(readable(color, behind, LINE_CONTRAST) for color in (ON_BRIGHT if bright else ON_DARK))
    return Look(behind, colors, ink, _mixed(behind, ink, 0.15), veil=0.16 if bright else 0.3)


def background_of(ax: Axes, *, outside: bool = False) -> Color:
    """The colour behind the lines of some axes, or ``outside`` behind their labels.

    Behind a transparent figure we take white, or black where the settings have bright text.
    """
    import matplotlib as mpl
    from matplotlib.colors import to_rgb, to_rgba

    figure = ax.figure
    assert figure is not None
    below: Color = (0.0, 0.0, 0.0) if luminance(to_rgb(mpl.rcParams["text.color"])) > BRIGHT else (1.0, 1.0, 1.0)
    whole = figure.figure
    layers = [whole, *([figure] if figure is not whole else []), *([] if outside else [ax])]
    for layer in layers:
        if layer.patch.get_visible():
            color = to_rgba(layer.get_facecolor())
            below = _parts(below, color[:3], color[3])
    return below


def luminance(color: Any) -> float:
    """Relative luminance of a colour, from 0 (black) to 1 (white), as WCAG 2.1 defines it.

    Examples
    --------
    >>> luminance((1, 1, 1)), luminance("black")
    (1.0, 0.0)
    """
    from matplotlib.colors import to_rgb

    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color)]
    red, green, blue = linear
    return float(round(0.2126 * red + 0.7152 * green + 0.0722 * blue, 12))


def contrast(color: Any, other: Any) -> float:
    """Contrast of two colours, from 1 (the same) to 21 (black and white), as WCAG 2.1 defines it.

    Examples
    --------
    >>> contrast("black", "white")
    21.0
    """
    dark, bright = sorted((luminance(color), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def readable(color: Any, background: Color, least: float) -> str:
    """The colour, or the nearest darker or lighter one whose contrast with the background is ``least``."""
    end = "black" if luminance(background) > BRIGHT else "white"
    for step in range(21):
        mixed = _mixed(color, end, step / 20)
        if contrast(mixed, background) >= least:
            break
    return mixed


def _mixed(first: Any, second: Any, share: float) -> str:
    from matplotlib.colors import to_hex, to_rgb

    return to_hex(_parts(to_rgb(first), to_rgb(second), share))


def _parts(first: Any, second: Any, share: float) -> Color:
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(first, second, strict=True))
    return red, green, blue
