"""Every benchmark still runs: once, on small sizes."""

import importlib

import pytest
from tests.bench.__main__ import SUITES
from tests.bench.report import Table, write_json


@pytest.mark.timeout(300)
@pytest.mark.parametrize("suite", SUITES)
def test_suite_runs_once(suite, tmp_path):
    tables = list(importlib.import_module(f"tests.bench.{suite}").run(once=True))
    assert all(isinstance(table, Table) and table.rows and str(table) for table in tables)
    write_json(tmp_path / "bench.json", tables)
    assert (tmp_path / "bench.json").stat().st_size > 100
