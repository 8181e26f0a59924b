"""Score the defaults on open data: `python -m tests.accuracy [suite ...]`, from the root of the project."""

from __future__ import annotations

import argparse
import importlib

from tests.bench.report import machine

SUITES = ("etth1", "elsewhere", "intervals")


def main() -> None:
    """Run the suites that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--once", action="store_true", help="one seed, the shortest rows")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - set(SUITES)
    if unknown:
        parser.error(f"expected suites of {', '.join(SUITES)}, got {', '.join(sorted(unknown))}")
    print(machine(), end="\n\n")
    for name in arguments.suites or SUITES:
        for table in importlib.import_module(f"tests.accuracy.{name}").run(once=arguments.once):
            print(table, flush=True)


if __name__ == "__main__":
    main()
