"""Which levels of quantiles a number of held-out errors can promise, and how quantiles go on beyond these."""

from __future__ import annotations

import math
from collections.abc import Sequence

WAY = "hold out more rows with early_stopping=EarlyStopping(validation_fraction=...)"


def check_level(level: float, n: int, wanted: str, *, of_panel: bool) -> None:
    """Raise a ValueError if ``n`` errors are too few for a quantile of this level; ``wanted`` is for the message.

    Examples
    --------
    >>> check_level(0.95, 19, "coverage=0.9", of_panel=False)
    >>> check_level(0.95, 9, "coverage=0.9", of_panel=True)
    """
    if not is_promised(level, n, of_panel=of_panel):
        ways = [*_lower_coverage(n, wanted, of_panel=of_panel), WAY]
        needed = _needed(level, of_panel=of_panel)
        raise ValueError(f"expected at least {needed} windows held out for {wanted}, got {n}; {', or '.join(ways)}")


def too_few(levels: Sequence[float], n: int, wanted: Sequence[str], *, of_panel: bool) -> str | None:
    """What a warning says about the levels for which ``n`` errors are too few; None: they suffice for all.

    Examples
    --------
    >>> too_few([0.05, 0.95], 19, ["coverage=0.9"] * 2, of_panel=False)
    >>> print(too_few([0.05, 0.95], 11, ["coverage=0.9"] * 2, of_panel=False))
    11 windows were held out, and coverage=0.9 needs 19: beyond the outermost errors, quantiles follow Student's t \
distribution, and their coverage is not promised; ask for a coverage of at most 0.83, or hold out more rows with \
early_stopping=EarlyStopping(validation_fraction=...); calibration='exact' makes this an error
    """
    beyond = [i for i, level in enumerate(levels) if not is_promised(level, n, of_panel=of_panel)]
    if not beyond:
        return None
    farthest = max(beyond, key=lambda i: _needed(levels[i], of_panel=of_panel))
    needed, words = _needed(levels[farthest], of_panel=of_panel), wanted[farthest]
    windows = "1 window was" if n == 1 else f"{n} windows were"
    ways = ", or ".join([*_lower_coverage(n, words, of_panel=of_panel), WAY])
    return (
        f"{windows} held out, and {words} needs {needed}: beyond the outermost errors, quantiles follow Student's t "
        f"distribution, and their coverage is not promised; {ways}; calibration='exact' makes this an error"
    )


def is_promised(level: float, n: int, *, of_panel: bool) -> bool:
    """Whether ``n`` errors are enough for a quantile of this level."""
    return rank_of(share_of(level, signed=_are_signed(n, of_panel=of_panel)), n) <= n


def reach_of(level: float, n: int, *, of_panel: bool) -> tuple[float, float]:
    """The nearest level that ``n`` errors can promise, and the factor by which the quantile of ``level`` is farther
    from the median.

    The factor is that of Student's t distribution, with the degrees of freedom of a spread from so many errors: of two
    normal errors, and of one around 0, the interval has exactly its coverage.

    Examples
    --------
    >>> reach_of(0.9, 19, of_panel=False)
    (0.9, 1.0)
    >>> nearest, factor = reach_of(0.975, 11, of_panel=False)
    >>> print(round(nearest, 4), round(factor, 4))
    0.9167 1.4938
    """
    if is_promised(level, n, of_panel=of_panel):
        return level, 1.0
    # imported here, because it takes longer than the rest of the package
    from scipy.stats import t

    signed = _are_signed(n, of_panel=of_panel)
    outermost = n / (n + 1) if signed else (1 + n / (n + 1)) / 2
    freedom = n - 1 if signed else n
    factor = float(t.ppf(max(level, 1 - level), freedom) / t.ppf(outermost, freedom))
    return (outermost if level > 0.5 else 1 - outermost), factor


def share_of(level: float, *, signed: bool) -> float:
    """The share of the scores that are at most as large as the correction of a quantile of this level."""
    return max(level, 1 - level) if signed else round(abs(2 * level - 1), 12)


def rank_of(share: float, n: int) -> int:
    """The rank, from 1, of a share among ``n`` ascending errors, with the finite-sample correction."""
    # rounded first, as 0.95 * 20 is slightly more than 19
    return math.ceil(round((n + 1) * share, 9))


def _are_signed(n: int, *, of_panel: bool) -> bool:
    """As `Calibration.is_signed`."""
    return not of_panel and n > 1


def _needed(level: float, *, of_panel: bool) -> int:
    return math.ceil(round(1 / (1 - share_of(level, signed=not of_panel)), 9)) - 1


def _lower_coverage(n: int, wanted: str, *, of_panel: bool) -> list[str]:
    """The advice to ask for a lower coverage, if there is one; in hundredths."""
    share = (n - 1) / (n + 1) if _are_signed(n, of_panel=of_panel) else n / (n + 1)
    most = math.floor(100 * share + 1e-9) / 100
    return [f"ask for a coverage of at most {most:g}"] * (most > 0 and wanted.startswith("coverage"))
