"""Score the defaults on open data: `python -m tests.accuracy [suite ...]`, from the root of the project.

As in `tests.bench`, the suites are modules with a function ``run(once)`` that returns tables; with ``once``, one seed
and the shortest rows.
"""

from __future__ import annotations

from tests.bench.__main__ import main

SUITES = (
    "etth1",
    "recipe",
    "m4",
    "elsewhere",
    "gift",
    "intervals",
    "covariates",
    "mixed_panels",
    "intermittent",
    "variants",
    "classes",
    "nab",
    "skab",
    "text",
    "quantize",
    "compare",
    "drift",
    "tune",
)

if __name__ == "__main__":
    main("tests.accuracy", SUITES, __doc__)
