"""`python -m tests.fuzz [targets] [--minutes M] [--examples N] [--seed S] [--keep FOLDER]`."""

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.campaign import run

TARGETS = ("model_files", "checkpoints", "csv", "http", "requests")


def main() -> int:
    """Run, print a table and the findings; 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    there = [name for name in TARGETS if find_spec(f"tests.fuzz.{name}") is not None]
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(there)}; all, if none is named")
    parser.add_argument("--minutes", type=float, help="for all targets together (1, without --examples)")
    parser.add_argument("--examples", type=int, help="mutants of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for mutants that are findings; a temporary one by default")
    options = parser.parse_args()
    targets = options.targets or there
    if unknown := set(targets) - set(there):
        parser.error(f"expected targets of {', '.join(there)}, got {', '.join(sorted(unknown))}")
    if options.minutes is None and options.examples is None:
        options.minutes = 1.0
    keep = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    minutes = None if options.minutes is None else options.minutes / len(targets)
    print(f"{'target':<14}{'mutants':>9}{'killed':>8}{'hung':>8}{'others':>8}{'speed':>11}   outcomes")
    n_bad = 0
    for target in targets:
        tally = run(target, examples=options.examples, minutes=minutes, seed=options.seed, keep=keep)
        print(tally.row(), flush=True)
        for answer, path in tally.findings.items():
            print(f"  {path}: {answer}")
        n_bad += tally.n_bad
    return int(n_bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
