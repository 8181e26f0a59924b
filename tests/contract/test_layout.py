"""The structure of the source: rooms import in one direction, only one uses Python, files stay small."""

import ast
import hashlib
import re
from pathlib import Path

import pytest
from tests.contract.rust_imports import Imports, expand, without_comments, without_tests

import lstmforecast
from lstmforecast import _core

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
# In order: a room imports only from itself, from those before it, and from `LEAVES`.
ROOMS = ["series", "kernel", "network", "train", "torch", "model", "watch", "text", "python"]
LEAVES = {"array", "device", "distribution", "error", "level", "memory", "metric", "rng", "store"}
MOST_LINES = 400
VAGUE = {"utils", "helpers", "common", "base", "manager"}

RUST_FILES = sorted(SOURCE.rglob("*.rs"))
PYTHON_FILES = sorted((ROOT / "python").rglob("*.py"))


def test_versions_agree() -> None:
    """One version of torch and one of the package, wherever they are written."""
    folder = ROOT / "lstmforecast-torch"
    package = (folder / "python" / "lstmforecast_torch" / "__init__.py").read_text()
    project = (folder / "pyproject.toml").read_text()
    (torch,) = re.findall(r'^TORCH_VERSION = "([0-9.]+)"$', package, flags=re.MULTILINE)
    assert set(re.findall(r"torch==([0-9.]+)\.\*", project)) == {torch}
    version = lstmforecast.__version__
    assert f'\n__version__ = "{version}"\n' in package
    assert f'dependencies = ["lstmforecast=={version}", ' in project
    assert f'\ntorch = ["lstmforecast-torch=={version}"]\n' in (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{version}"\n' in (ROOT / "Cargo.toml").read_text()
    assert _core.__version__ == version


def test_both_distributions_say_the_same_of_what_they_share() -> None:
    first, second = (ROOT / folder / "pyproject.toml" for folder in (".", "lstmforecast-torch"))
    for name in ("license", "license-files", "requires-python", "build-backend", "strip"):
        (one,), (other,) = (
            re.findall(rf"^{name} = .*$", path.read_text(), flags=re.MULTILINE) for path in (first, second)
        )
        assert one == other
    maturin = re.findall(r'"maturin[^"]*"', first.read_text())
    assert maturin == re.findall(r'"maturin[^"]*"', second.read_text())
    assert (first.parent / "LICENSE").read_text() == (second.parent / "LICENSE").read_text()


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    """The module below the crate's root: `scale` lies in `series`, whether as a folder or as a file."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".rs")


def used_rooms(code: str) -> set[str]:
    """Modules named after `crate::`, in paths and in `use crate::{a::b, c}`."""
    trees = re.findall(r"\bcrate::(?:\{[^;]*|[a-z_]+)", without_comments(code))
    used = {names[1] for tree in trees for names, _ in expand(tree) if len(names) > 1}
    return used & ({*ROOMS} | LEAVES)


def code_lines(path: Path) -> int:
    """Lines without the unit tests at a Rust file's foot, and without Python's docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rs":
        return without_tests(text).count("\n")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    strings = [
        node.body[0] for node in ast.walk(ast.parse(text)) if isinstance(node, documented) and ast.get_docstring(node)
    ]
    return text.count("\n") - sum(string.end_lineno - string.lineno + 1 for string in strings)


def test_used_rooms_reads_every_way_of_writing() -> None:
    code = """
    use crate::series::{scale, window};   // crate::python::door
    use crate::{error::{Error, Result}, train::stop, Forecast};
    fn f(x: crate::model::Model) -> crate::Result<()> {}
    """
    assert used_rooms(code) == {"series", "error", "train", "model"}


@pytest.mark.parametrize("path", RUST_FILES, ids=identify)
def test_rooms_import_in_one_direction(path: Path) -> None:
    room = room_of(path)
    if room == "lib":
        return
    assert room in {*ROOMS} | LEAVES, f"add the new room {room!r} to ROOMS and to CONTRIBUTING.md"
    allowed = LEAVES if room in LEAVES else LEAVES | {*ROOMS[: ROOMS.index(room) + 1]}
    later = used_rooms(path.read_text(encoding="utf-8")) - allowed
    assert not later, f"{room} uses {sorted(later)}, which may use {room}"


def test_no_file_of_the_core_uses_one_that_uses_it() -> None:
    assert Imports(SOURCE).circles() == []


def test_circles_are_found_through_re_exports_and_paths(tmp_path: Path) -> None:
    files = {
        "lib.rs": "pub mod a;\npub mod leaf;",
        "a/mod.rs": "mod one;\nmod two;\npub use one::One;\npub use two::make;",
        "a/one.rs": "use super::make;\npub struct One;",
        "a/two.rs": "pub const fn make() -> super::One { crate::leaf::of() }",
        "leaf.rs": "use std::fmt;\npub fn of() {}\n#[cfg(test)]\nmod tests {\n use crate::a::One;\n}",
    }
    (tmp_path / "a").mkdir()
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    assert Imports(tmp_path).circles() == [["a::one", "a::two"]]
    (tmp_path / "a" / "one.rs").write_text("pub struct One;")
    assert Imports(tmp_path).circles() == []


@pytest.mark.parametrize("path", RUST_FILES, ids=identify)
def test_only_the_room_python_knows_python(path: Path) -> None:
    if room_of(path) != "python":
        found = re.findall(r"\b(?:pyo3|pyo3_tch|pythonize|numpy)::", without_comments(path.read_text(encoding="utf-8")))
        assert not found or room_of(path) == "lib", f"{found[0]} outside src/python"


@pytest.mark.parametrize("path", RUST_FILES, ids=identify)
def test_only_the_room_torch_knows_libtorch(path: Path) -> None:
    if room_of(path) != "torch" and path.stem != "tests":
        found = re.findall(r"\btch::\w*", without_comments(without_tests(path.read_text(encoding="utf-8"))))
        assert not found, f"{found[0]} outside src/torch"


@pytest.mark.parametrize("path", [*RUST_FILES, *PYTHON_FILES], ids=identify)
def test_files_are_small_and_named_after_their_subject(path: Path) -> None:
    assert path.stem not in VAGUE
    lines = code_lines(path)
    assert lines <= MOST_LINES, f"{lines} lines: two subjects?"


def test_sample_data_are_passed_on_unmodified() -> None:
    """Their licence asks for it; the sum is that of the published file."""
    data = ROOT / "notebooks" / "data"
    published = dict(re.findall(r"sha256  ([0-9a-f]{64})  (\S+)", (data / "README.md").read_text()))
    assert published
    for digest, name in published.items():
        assert hashlib.sha256((data / name).read_bytes()).hexdigest() == digest
