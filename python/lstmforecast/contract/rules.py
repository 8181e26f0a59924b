"""Rules that check parameters; the error for a broken rule is one sentence."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from lstmforecast.contract.plain import plain

# The largest integer that a parameter takes; a larger one is probably a typing error.
MOST = 2**31 - 1
# The range in which single precision, which networks use, has all digits.
LEAST_SIZE, MOST_SIZE = 2.0**-126, 2.0**127


@dataclass(frozen=True)
class Number:
    """A number of a type within bounds, or ``None`` where allowed."""

    kind: Any  # numbers.Integral or numbers.Real
    low: float
    high: float = float("inf")
    low_included: bool = True
    high_included: bool = False
    none: bool = False
    word: str | None = None

    def check(self, name: str, value: Any) -> Any:
        """Convert a value to a plain one; raise a TypeError or ValueError if the rule forbids it."""
        value = plain(value)
        if (value is None and self.none) or (isinstance(value, str) and value == self.word):
            return value
        if isinstance(value, bool) or not isinstance(value, self.kind):
            raise TypeError(f"expected {name} to be {self._words()}, got {value!r}")
        above = value >= self.low if self.low_included else value > self.low
        below = value <= self.high if self.high_included else value < self.high
        if not (above and below):
            raise ValueError(f"expected {name} to be {self._words()}, got {value!r}")
        if self.kind is numbers.Integral and value > MOST:
            raise ValueError(f"expected {name} to be at most {MOST}, got {value}")
        # where 0 is allowed, so are numbers that single precision rounds to 0
        least = 0.0 if self.low_included else LEAST_SIZE
        if self.kind is numbers.Real and not least <= abs(value) <= MOST_SIZE:
            raise ValueError(f"expected {name} to be of a size from {least:g} to {MOST_SIZE:g}, got {value!r}")
        return value

    def _words(self) -> str:
        what = "an integer" if self.kind is numbers.Integral else "a number"
        bounds = f"of at least {self.low:g}" if self.low_included else f"above {self.low:g}"
        if self.high != float("inf"):
            bounds += f" and {'at most' if self.high_included else 'below'} {self.high:g}"
        return f"{what} {bounds}" + (f", {self.word!r}" if self.word else "") + (" or None" if self.none else "")


N_THREADS = Number(numbers.Integral, 1, 1024, high_included=True, none=True)


@dataclass(frozen=True)
class Choice:
    """One of some words or constants."""

    options: tuple[Any, ...]

    def check(self, name: str, value: Any) -> Any:
        """Convert a value to a plain one; raise a ValueError for anything else."""
        value = plain(value)
        if not any(value is option or (isinstance(value, str) and value == option) for option in self.options):
            words = [repr(option) for option in self.options]
            wanted = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
            raise ValueError(f"expected {name} to be {wanted}, got {value!r}")
        return value
