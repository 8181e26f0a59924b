"""Many mutants of one target: run, counted, and kept where something is wrong."""

import importlib
import random
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.mutators import change_bytes
from tests.fuzz.worker import Worker

BAD = ("killed", "hung", "other")


class Tally:
    """What became of the mutants of a target."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.n = 0
        self.seconds = 0.0
        self.outcomes: Counter[str] = Counter()
        self.findings: dict[str, Path] = {}

    def count(self, word: str) -> int:
        """How many mutants had an outcome."""
        return self.outcomes[word]

    @property
    def n_bad(self) -> int:
        """How many were killed, hung, or ended otherwise."""
        return sum(self.outcomes[word] for word in BAD)

    def row(self) -> str:
        """One line of the table."""
        good = ", ".join(f"{n} {word}" for word, n in sorted(self.outcomes.items()) if word not in BAD)
        bad = "".join(f"{self.outcomes[word]:>8}" for word in BAD)
        return f"{self.target:<14}{self.n:>9}{bad}{self.n / max(self.seconds, 1e-9):>9.0f}/s   {good}"


def run(
    target: str,
    *,
    examples: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    keep: Path,
) -> Tally:
    """Mutate a target's seeds until there were so many examples or minutes; one finding of each sort is kept."""
    module = importlib.import_module(f"tests.fuzz.{target}")
    mutate = getattr(module, "mutate", change_bytes)
    seeds, dice, tally = module.seeds(), random.Random(f"{target} {seed}"), Tally(target)
    worker, start = Worker(target), time.monotonic()
    try:
        while (examples is None or tally.n < examples) and (minutes is None or tally.seconds < 60 * minutes):
            # the seeds themselves first, which must work
            data = seeds[tally.n] if tally.n < len(seeds) else mutate(seeds, dice)
            answer = worker.run(data)
            word = answer.split(":")[0]
            tally.outcomes[word] += 1
            if word in BAD:
                _keep(tally, answer, data, keep)
            tally.n += 1
            tally.seconds = time.monotonic() - start
    finally:
        worker.close()
    return tally


def _keep(tally: Tally, answer: str, data: bytes, keep: Path) -> None:
    """Write the first mutant of each sort."""
    if answer in tally.findings:
        return
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{tally.target}_{len(tally.findings):04}"
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(answer + "\n")
    tally.findings[answer] = path
