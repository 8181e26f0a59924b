"""The code of docs/ runs, its links lead somewhere, and the titles of its pages say what they answer.

The ``python`` blocks of a page are one program. ``py`` blocks are not run: they need other libraries or several
processes.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
LINKING = [*ROOT.glob("*.md"), *DOCS]
PAGES = [page for page in DOCS if re.search("^ *```python$", page.read_text(), re.M)]


def program(page: Path) -> str:
    """The blocks of a page, at their lines, so that errors name the page's lines. Blocks in tabs are indented."""
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
    # matplotlib warns about more than twenty open figures; a page may have more
    with matplotlib.rc_context({"backend": "agg", "figure.max_open_warning": 0}):
        exec(compile(program(page), str(page), "exec"), names)
        plt.close("all")


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_in_the_repository(page: Path) -> None:
    """`make docs` checks the links of the site."""
    links = re.findall(r"\]\(([^):#\s]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def titles() -> dict[Path, str]:
    """The titles in the navigation: the first heading of a page, and the names of the tutorials."""
    pages = [page for page in DOCS if "decisions" not in page.parts]
    found = {page: page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in pages}
    for entry in yaml.safe_load((ROOT / "docs/tutorials/.nav.yml").read_text(encoding="utf-8"))["nav"]:
        if isinstance(entry, dict):
            [(title, page)] = entry.items()
            found[ROOT / "notebooks" / page.replace(".md", ".ipynb")] = title
    return found


def stems(text: str) -> set[str]:
    """The words of a text without endings: anomalies and anomaly are one."""
    return {word.rstrip("s")[:5] for word in re.findall("[a-z]{3,}", text.lower())} - {"how", "the", "and", "with"}


TITLES = titles()
QUESTIONS = re.findall(r"^\| (.+) \| \[(.+)\]\((.+)\) \|$", (ROOT / "docs/how-to/index.md").read_text("utf-8"), re.M)


def test_there_are_twenty_questions() -> None:
    assert len(QUESTIONS) >= 20


@pytest.mark.parametrize(("question", "title", "link"), QUESTIONS, ids=[title for _, title, _ in QUESTIONS])
def test_the_titles_lead_from_a_question_to_its_page(question: str, title: str, link: str) -> None:
    """Its title has more of the words of the question than any other; a word in few titles counts more."""
    assert title == TITLES[(ROOT / "docs/how-to" / link).resolve()]
    counts = Counter(stem for each in TITLES.values() for stem in stems(each))

    def score(text: str) -> float:
        return sum(1 / counts[stem] for stem in stems(text) & stems(question))

    best = max(TITLES.values(), key=score)
    assert 0 < score(title) == score(best), f"{best!r} looks like the answer"


def test_the_page_on_the_code_has_a_row_for_every_folder() -> None:
    page = (ROOT / "docs/explanation/code.md").read_text(encoding="utf-8")
    for part, source in {"## Rust": ROOT / "src", "## Python": ROOT / "python/lstmforecast"}.items():
        table = page.split(part)[1].split("\n## ")[0]
        rooms = {path.parent.name for path in source.glob("*/*") if path.name in ("mod.rs", "__init__.py")}
        assert {*re.findall(r"^\| `(\w+)` \|", table, re.M)} == rooms - {"_compiled"}
