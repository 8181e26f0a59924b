"""CONTRIBUTING.md and the decisions are true: rooms, paths and the index are compared with the repository."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from tests.contract import test_layout, test_python_rooms

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted(DECISIONS.glob("[0-9]*.md"))
# Paths within the package may begin there, as `export/onnx_networks.py`.
FOLDERS = [ROOT, ROOT / "python" / "lstmforecast"]


def test_it_takes_ten_minutes():
    assert len(GUIDE.split()) < 1500


@pytest.mark.parametrize(("start", "rooms"), [("Python, `", test_python_rooms.ROOMS), ("Rust, `", test_layout.ROOMS)])
def test_the_map_names_all_rooms_in_order(start, rooms):
    section = GUIDE[GUIDE.index(start) :].split("\n\n")[1]
    named = re.findall(r"^- `(\w+)`:", section, re.MULTILINE)
    assert named == rooms


def test_the_map_names_all_single_files():
    line = next(line for line in GUIDE.splitlines() if line.startswith("- single files"))
    assert set(re.findall(r"`(\w+)`", line)) == test_layout.LEAVES


def test_paths_exist():
    paths = re.findall(r"`([\w./-]+(?:\.(?:py|pyi|rs|md|yml)|/))`", GUIDE)
    assert len(paths) > 40
    assert [path for path in paths if not any((folder / path).exists() for folder in FOLDERS)] == []


def test_decisions_are_numbered_and_in_the_index():
    entries = re.findall(r"^- \[(.+)\]\((.+)\): (.+)$", (DECISIONS / "index.md").read_text(), re.MULTILINE)
    assert [name for _, name, _ in entries] == [page.name for page in PAGES]
    for page, (title, _, sentence) in zip(PAGES, entries, strict=True):
        heading, summary, *rest = page.read_text(encoding="utf-8").split("\n\n")
        assert heading == f"# {title}"
        assert " ".join(summary.split()) == sentence
        assert title.startswith(f"{int(page.name[:4])}. ")
        assert [part.split(".**")[0] for part in rest if part.startswith("**")][:2] == ["**Context", "**Decision"]
    numbers = [int(page.name[:4]) for page in PAGES]
    assert all(first < second for first, second in pairwise(numbers))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_decisions_name_files_that_exist(page):
    named = re.findall(r"`((?:src|tests|docs|python|notebooks|\w+)/[\w./-]*\.(?:py|rs|ipynb))`", page.read_text())
    assert [path for path in named if not any((folder / path).exists() for folder in FOLDERS)] == []
