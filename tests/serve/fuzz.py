"""Damaged bodies of requests, the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

WORDS = [b"null", b"true", b"-1", b"1e999", b'"x"', b"[]", b"{}", b"1e308", b"9" * 30, b'"2026-13-45"', b"0.5", b"NaN"]


def malformed(bodies: Sequence[bytes], n: int) -> Iterator[bytes]:
    """``n`` damaged bodies, each made of one of ``bodies``."""
    dice = random.Random(0)
    for _ in range(n):
        yield broken(dice.choice(bodies), dice)


def broken(body: bytes, dice: random.Random) -> bytes:
    """A body with changed bytes, parts cut out or doubled, or JSON words replaced by others."""
    parts = bytearray(body)
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.randrange(len(parts) + 1) for _ in range(2))
        kind = dice.randrange(5)
        if kind == 0 and parts:
            parts[at % len(parts)] = dice.randrange(256)
        elif kind == 1:
            del parts[at : min(to, at + 20)]
        elif kind == 2:
            parts[at:at] = parts[at : min(to, at + 50)]
        else:
            parts[at : at + dice.randrange(8)] = dice.choice(WORDS)
    return bytes(parts)
