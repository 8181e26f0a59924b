"""Measure and print: `python -m tests.bench [suite ...]`, from the root of the project.

The suites are modules of this package with a function ``run(once)`` that returns tables; with ``once``, everything runs
a single time on small sizes, only to show that it still does.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from tests.bench.report import Table, machine, write_json

SUITES = ("step", "forward", "peers", "startup", "growth", "convergence")


def main() -> None:
    """Run the suites that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--json", type=Path, default=Path("target/bench.json"), help="where the figures are written")
    parser.add_argument("--once", action="store_true", help="everything a single time, on small sizes")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - set(SUITES)
    if unknown:
        parser.error(f"expected suites of {', '.join(SUITES)}, got {', '.join(sorted(unknown))}")
    print(machine(), end="\n\n")
    tables: list[Table] = []
    for name in arguments.suites or SUITES:
        for table in importlib.import_module(f"tests.bench.{name}").run(once=arguments.once):
            print(table, flush=True)
            tables.append(table)
            write_json(arguments.json, tables)


if __name__ == "__main__":
    main()
