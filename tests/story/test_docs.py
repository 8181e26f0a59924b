"""The Python blocks of each page of docs/ are a program that runs from the page's top to its end.

Blocks of ``py`` are only read: other libraries' code, or what needs more than one process.
"""

import re
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
LINKING = [*ROOT.glob("*.md"), *DOCS]
PAGES = [page for page in DOCS if re.search("^ *```python$", page.read_text(), re.M)]


def program(page: Path) -> str:
    """Its blocks, at their lines, so that errors name the page's; those in tabs are indented."""
    lines, indent = [], None
    for line in page.read_text(encoding="utf-8").splitlines():
        if fence := re.match("^( *)```(.*)$", line):
            indent = len(fence[1]) if fence[2] == "python" else None
            lines.append("")
        else:
            lines.append("" if indent is None else line[indent:])
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    # a page may draw more than twenty pictures, of which matplotlib warns
    with matplotlib.rc_context({"backend": "agg", "figure.max_open_warning": 0}):
        exec(compile(program(page), str(page), "exec"), names)
        plt.close("all")


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_in_the_repository(page: Path) -> None:
    """In the site, `make docs` looks after them."""
    links = re.findall(r"\]\(([^):#\s]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
