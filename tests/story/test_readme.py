"""The first Python block of README.md is a program that works."""

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def first_block() -> str:
    block = re.search(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert block, "README.md has no Python block"
    return block[1]


def test_first_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(first_block(), str(README), "exec"), names)
    y, forecast = names["y"], names["forecast"]
    assert list(forecast.index) == [y.index[-1] + step * y.index.freq for step in range(1, 25)]
    assert (tmp_path / "forecast.png").stat().st_size > 10_000


def test_first_block_is_short() -> None:
    assert first_block().count("\n") <= 25
