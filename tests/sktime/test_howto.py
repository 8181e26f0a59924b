"""The page about sktime runs from its top to its end."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "sktime.md"


# sktime 1.2 announces of all its own forecasters that they will forget their data
@pytest.mark.filterwarnings("ignore:The default of config ``remember_data`` will change:FutureWarning")
def test_the_page_runs() -> None:
    # ``py``, not ``python``: the other pages run where sktime isn't installed
    blocks = re.findall("```py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile("".join(blocks), str(PAGE), "exec"), names)
    assert names["forecaster"].is_fitted
