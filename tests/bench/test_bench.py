"""Every table of `make bench` and `make accuracy` can still be made: once, on small sizes."""

import importlib

import pytest
from tests.accuracy.__main__ import SUITES as ACCURACY
from tests.bench.__main__ import SUITES
from tests.bench.report import Table, write_json

pytestmark = pytest.mark.slow


@pytest.mark.timeout(300)
@pytest.mark.parametrize("suite", [f"bench.{name}" for name in SUITES] + [f"accuracy.{name}" for name in ACCURACY])
def test_suite_runs_once(suite, tmp_path):
    tables = list(importlib.import_module(f"tests.{suite}").run(once=True))
    assert all(isinstance(table, Table) and table.rows for table in tables)
    assert all(len(str(table).splitlines()) > len(table.rows) for table in tables)
    write_json(tmp_path / "bench.json", tables)
    assert (tmp_path / "bench.json").stat().st_size > 100
