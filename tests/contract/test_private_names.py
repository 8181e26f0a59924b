"""A name with an underscore belongs to the file that defines it: uses in other files are listed, and only get fewer."""

import ast
from collections import Counter
from pathlib import Path

import lstmforecast

PACKAGE = Path(lstmforecast.__file__).parent
TESTS = Path(__file__).parents[1]
# Public by their documentation, in spite of the underscore.
NAMEDTUPLE = {"_replace", "_asdict", "_fields", "_make"}
# Names of scikit-learn, dask, IPython and `os` that have no public equivalent.
OF_LIBRARIES = {
    "_callbacks",
    "_exit",
    "_get_param_names",
    "_init_callback_context",
    "_meta",
    "_repr_html_",
    "_repr_mimebundle_",
}
OWN = {"self", "cls"}

# Private names of other files that a file of the package still uses, and how often. Take out what is gone: no entry is
# ever added.
LEFT: dict[str, dict[str, int]] = {}
# The same for each folder of tests: how many uses there are.
LEFT_IN_TESTS: dict[str, int] = {"unit/monitoring": 3}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in {"_core", "_", *NAMEDTUPLE, *OF_LIBRARIES}


def defined(tree: ast.Module) -> set[str]:
    """Names that a file defines: functions, classes, variables, attributes of `self` or of a class."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            names.add(node.attr)
    return names


def imported(tree: ast.Module) -> set[str]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def is_own(value: ast.expr) -> bool:
    is_super = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super"
    return is_super or (isinstance(value, ast.Name) and value.id in OWN)


def foreign_names(source: str) -> Counter[str]:
    """Private names that a file takes from another one: as an attribute, or by an import."""
    tree = ast.parse(source)
    own, found = defined(tree) | imported(tree), Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lstmforecast."):
            found.update(alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            found[node.attr] += not is_own(node.value)
    return +found


def of_package() -> dict[str, dict[str, int]]:
    found = {
        path.relative_to(PACKAGE).as_posix(): foreign_names(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    return {path: dict(sorted(names.items())) for path, names in found.items() if names}


def of_tests() -> dict[str, int]:
    found: Counter[str] = Counter()
    for path in sorted(TESTS.rglob("*.py")):
        folder = path.relative_to(TESTS).parts[:-1] or (".",)
        found["/".join(folder[:2])] += foreign_names(path.read_text(encoding="utf-8")).total()
    return dict(+found)


def test_every_way_of_using_a_private_name_is_counted():
    source = """
from lstmforecast.data.index import _advice, check_index
from other import _theirs
class Mine:
    def _own(self):
        self._kept = self._inherited() + super()._inherited()
        return self.other._own, point._replace(x=1), point.__dict__, self.other._kept
value._private, lstmforecast._core, self._theirs, value._private
"""
    assert foreign_names(source) == {"_advice": 1, "_private": 2}


def test_private_names_stay_in_their_files():
    assert of_package() == LEFT, "use a public name; where a use is gone, take it out of LEFT"


def test_tests_use_fewer_private_names():
    assert of_tests() == LEFT_IN_TESTS, "test what users see; where uses are gone, lower the number in LEFT_IN_TESTS"
