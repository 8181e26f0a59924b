"""Measure and print: `python -m tests.bench [suite ...]`, from the root of the project.

The suites are modules of this package with a function ``run(once)`` that returns tables; with ``once``, everything runs
a single time on small sizes, only to show that it still does.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from tests.bench.report import Table, machine, write_json

SUITES = (
    "step",
    "forward",
    "peers",
    "startup",
    "growth",
    "convergence",
    "watch",
    "text",
    "serve",
    "strain",
    "tune",
    "cluster",
)


def main(package: str, suites: tuple[str, ...], description: str | None) -> None:
    """Run those suites of a package of tests that the command line asks for."""
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=description)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(suites)}; default: all")
    json = Path("target") / f"{package.split('.')[-1]}.json"
    parser.add_argument("--json", type=Path, default=json, help="where the figures are written")
    parser.add_argument("--once", action="store_true", help="everything a single time, on small sizes")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - set(suites)
    if unknown:
        parser.error(f"expected suites of {', '.join(suites)}, got {', '.join(sorted(unknown))}")
    print(machine(), end="\n\n")
    tables: list[Table] = []
    for name in arguments.suites or suites:
        for table in importlib.import_module(f"{package}.{name}").run(once=arguments.once):
            print(table, flush=True)
            tables.append(table)
            write_json(arguments.json, tables)


if __name__ == "__main__":
    main("tests.bench", SUITES, __doc__)
