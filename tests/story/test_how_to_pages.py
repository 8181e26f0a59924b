"""The Python of these pages is a program that works, block after block, as it stands there."""

import re
import shutil
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["plots", "scikit-learn"])
def test_its_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "scikit-learn":
        pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")
    (tmp_path / "notebooks").mkdir()
    shutil.copytree(ROOT / "notebooks" / "data", tmp_path / "notebooks" / "data")
    monkeypatch.chdir(tmp_path)
    # so many figures at once are warned of
    monkeypatch.setitem(mpl.rcParams, "figure.max_open_warning", 0)
    page = ROOT / "docs" / "how-to" / f"{name}.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    pyplot.close("all")
    assert len(blocks) >= 6
