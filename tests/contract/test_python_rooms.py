"""Rooms of the package import in one direction. A file at the top of the package is public, a folder is a room."""

import ast
import importlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.fuzz.kinds import outputs

import lstmforecast
from lstmforecast._moved import MOVED, RENAMED

PACKAGE = Path(lstmforecast.__file__).parent
# In order: a room imports only from itself and from those before it.
ROOMS = [
    "contract",
    "data",
    "fitting",
    "uncertainty",
    "export",
    "estimators",
    "evaluation",
    "tuning",
    "monitoring",
    "display",
    "serve",
    "command",
]
# Files at the top of the package, and the room with whose position each counts.
PUBLIC_MODULES = {
    "ab": "monitoring",
    "augment": "fitting",
    "calendar": "data",
    "cli": "command",
    "dask": "estimators",
    "datasets": "fitting",
    "distributed": "fitting",
    "indicators": "data",
    "metrics": "uncertainty",
    "plot": "display",
    "sktime": "serve",
    "thresholds": "monitoring",
    "transfer": "export",
}
UNORDERED = {"__init__", "__main__", "_compiled", "_core", "_load_core", "_moved"}
# Rooms whose `__init__` also has public names.
PUBLIC_ROOMS = {"display", "serve"}


def position(module: str) -> int | None:
    """The position in `ROOMS` of a room or a public module; None for `UNORDERED`."""
    room = module.split(".")[0]
    room = PUBLIC_MODULES.get(room, room)
    return ROOMS.index(room) if room in ROOMS else None


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports: at the top, in functions, under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lstmforecast":
            inner = (node.module or "").partition(".")[2]
            # a name may be a module
            found |= {f"{inner}.{alias.name}".lstrip(".") for alias in node.names} | ({inner} if inner else set())
    return found


def circles() -> list[str]:
    """Modules that import themselves through others."""
    files = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    modules = {name: path for name, path in files.items() if path.stem != "__init__"}
    reached = {name: imports(path) & {*modules} for name, path in modules.items()}
    farther = {name: near.union(*(reached[other] for other in near)) for name, near in reached.items()}
    while farther != reached:
        reached = farther
        farther = {name: near.union(*(reached[other] for other in near)) for name, near in reached.items()}
    return sorted(name for name, far in reached.items() if name in far)


def later_imports(path: Path) -> list[str]:
    """What a file imports from rooms after its own."""
    own = position(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    positions = {module: position(module) for module in imports(path)}
    return sorted(module for module, other in positions.items() if None not in (own, other) and other > own)


def test_every_file_has_a_room():
    for path in PACKAGE.rglob("*.py"):
        top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        assert top in {*ROOMS, *PUBLIC_MODULES, *UNORDERED}, f"move {path} into a room, or add it to PUBLIC_MODULES"


def test_rooms_import_in_one_direction():
    found = {str(path.relative_to(PACKAGE)): wrong for path in PACKAGE.rglob("*.py") if (wrong := later_imports(path))}
    assert found == {}


def test_no_imports_run_in_a_circle():
    assert circles() == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_begins_with_a_docstring(room):
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1 or room in PUBLIC_ROOMS


@pytest.mark.parametrize("old", MOVED)
def test_old_names_of_modules_are_found(old):
    if MOVED[old].startswith("export.pytorch"):
        pytest.importorskip("torch")
    moved, now = (importlib.import_module(f"lstmforecast.{name}") for name in (old, MOVED[old]))
    for name in vars(now).keys() - {"__builtins__"}:
        if not name.startswith("__"):
            assert getattr(moved, name) is getattr(now, name)


# Pickles of the version whose modules all stood at the top, and what their models forecast.
OLDER = pickle.loads((Path(__file__).parents[1] / "unit/export/files_of_0_1/pickles.pkl").read_bytes())


@pytest.mark.parametrize("name", OLDER)
def test_pickles_that_name_old_modules_are_read(name):
    data, expected = OLDER[name]
    assert b"lstmforecast.estimators" not in data
    found = outputs(pickle.loads(data))
    assert found.keys() == expected.keys()
    for part, numbers in expected.items():
        # another processor adds in another order
        np.testing.assert_allclose(found[part], numbers, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("module", RENAMED)
def test_pickles_that_name_old_classes_are_read(module):
    for old, new in RENAMED[module].items():
        assert pickle.loads(f"clstmforecast.{module}\n{old}\n.".encode()).__name__ == new


def test_unit_tests_lie_in_rooms():
    for path in (Path(__file__).parents[1] / "unit").rglob("test_*.py"):
        assert path.parent.name in ROOMS, f"move {path.name} into the folder of the room that it tests"
