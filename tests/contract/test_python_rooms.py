"""The Python face flows one way, as the core does. A file at the top of the package is public, a folder is a room."""

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
RIVER = [
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
# Public modules stand at the top, each on the floor of the room that it opens.
DOORS = {
    "ab": "monitoring",
    "augment": "fitting",
    "calendar": "data",
    "cli": "command",
    "dask": "estimators",
    "distributed": "fitting",
    "indicators": "data",
    "metrics": "uncertainty",
    "plot": "display",
    "sktime": "serve",
    "thresholds": "monitoring",
    "transfer": "export",
}
FACE = {"__init__", "__main__", "_libtorch", "_moved", "_core"}
# Rooms that are public: their `__init__` names what is.
PUBLIC_ROOMS = {"display", "serve"}


def floor(module: str) -> int | None:
    """The place of a room, or of a public module, in the river; None for the face."""
    room = module.split(".")[0]
    room = DOORS.get(room, room)
    return RIVER.index(room) if room in RIVER else None


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
    """Modules that import themselves by way of others."""
    files = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    modules = {name: path for name, path in files.items() if path.stem != "__init__"}
    reached = {name: imports(path) & {*modules} for name, path in modules.items()}
    farther = {name: near.union(*(reached[other] for other in near)) for name, near in reached.items()}
    while farther != reached:
        reached = farther
        farther = {name: near.union(*(reached[other] for other in near)) for name, near in reached.items()}
    return sorted(name for name, far in reached.items() if name in far)


def upstream(path: Path) -> list[str]:
    """What a file imports of rooms downstream of its own."""
    own = floor(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    floors = {module: floor(module) for module in imports(path)}
    return sorted(module for module, other in floors.items() if None not in (own, other) and other > own)


def test_every_file_has_a_room():
    for path in PACKAGE.rglob("*.py"):
        top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        assert top in {*RIVER, *DOORS, *FACE}, f"give {path} a room, or a floor among DOORS"


def test_the_face_flows_one_way():
    found = {str(path.relative_to(PACKAGE)): wrong for path in PACKAGE.rglob("*.py") if (wrong := upstream(path))}
    assert found == {}


def test_no_imports_run_in_a_circle():
    assert circles() == []


@pytest.mark.parametrize("room", RIVER)
def test_a_room_begins_with_what_happens_in_it(room):
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1 or room in PUBLIC_ROOMS


@pytest.mark.parametrize("old", MOVED)
def test_old_names_of_modules_are_found(old):
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
        assert path.parent.name in RIVER, f"give {path.name} the room that it tests"
