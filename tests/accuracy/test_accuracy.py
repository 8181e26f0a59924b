"""Each table of `make accuracy` can still be made."""

import importlib

import pytest
from tests.accuracy.__main__ import SUITES


@pytest.mark.parametrize("name", SUITES)
def test_suite_runs_once(name):
    for table in importlib.import_module(f"tests.accuracy.{name}").run(once=True):
        assert table.rows
        assert len(str(table).splitlines()) > len(table.rows)
