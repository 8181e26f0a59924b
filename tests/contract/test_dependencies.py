"""All that the package imports is declared in pyproject.toml, as a dependency or in an extra."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

import lstmforecast

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # of pytest

PACKAGE = Path(lstmforecast.__file__).parent
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Modules that can only be imported with an extra.
NEED_EXTRAS = {
    "display.legend": "plot",
    "dask": "dask",
    "sktime": "sktime",
    "export.onnx_": "onnx",
    "tuning.search_space": "tune",
    "tuning.study": "tune",
    "tuning.trial": "tune",
    "tuning.tuning_result": "tune",
    "serve": "serve",
}
# Libraries of the user's own, imported where the user gives an object of theirs or asks for one.
OF_USERS = {"polars", "pyarrow", "torch"}
# For work on the package itself.
OF_DEVELOPERS = {"bench", "dev", "docs", "test"}
# Distributions that are called otherwise than what is imported.
NAMES = {"sklearn": "scikit-learn", "talib": "ta-lib"}


def distributions(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ;]", each)[0].lower().replace("_", "-") for each in requirements}


DEPENDENCIES = distributions(PROJECT["dependencies"])
EXTRAS = {
    extra: distributions(each) for extra, each in PROJECT["optional-dependencies"].items() if extra not in OF_DEVELOPERS
}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(node: ast.AST) -> set[str]:
    """Modules that one statement or call imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        # a name of the package itself may be a module
        names = {alias.name for alias in node.names} if node.module == "lstmforecast" else {""}
        return {f"{node.module}.{name}".rstrip(".") for name in names}
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
        (argument,) = node.args
        return {argument.value} if isinstance(argument, ast.Constant) else set()
    return set()


def collect(node: ast.AST, at_import: set[str], later: set[str], *, in_function: bool = False) -> None:
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            continue
        (later if in_function else at_import).update(imported(child))
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        collect(child, at_import, later, in_function=in_function or is_function)


@cache
def imports_of(path: Path) -> tuple[set[str], set[str]]:
    """Modules that a file imports when it is imported itself, and those that its functions import."""
    at_import: set[str] = set()
    later: set[str] = set()
    collect(ast.parse(path.read_text(encoding="utf-8")), at_import, later)
    return at_import, later


MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def foreign(modules: set[str]) -> set[str]:
    """Distributions of what is neither of the standard library nor of this package."""
    tops = {module.split(".")[0] for module in modules} - {"lstmforecast", *sys.stdlib_module_names}
    return {NAMES.get(top, top).lower().replace("_", "-") for top in tops}


def needed(name: str, seen: set[str]) -> set[str]:
    """Distributions that must be there to import a module: its own, and those of the modules that it imports."""
    if name in seen or name not in MODULES:
        return set()
    seen.add(name)
    at_import, _ = imports_of(MODULES[name])
    # a module is imported after the packages around it
    inner = {module.removeprefix("lstmforecast.") for module in at_import if module.startswith("lstmforecast.")}
    inner |= {each.rsplit(".", 1)[0] for each in {name, *inner} if "." in each}
    return foreign(at_import).union(*(needed(each, seen) for each in inner))


def extra_of(name: str) -> set[str]:
    """What the extra brings that a module needs, or the user, if it needs one."""
    torch = {"torch"} if name.startswith("export.pytorch") else set()
    return torch.union(*(EXTRAS[extra] for start, extra in NEED_EXTRAS.items() if name.startswith(start)))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_imported_with_what_is_declared(name: str) -> None:
    assert needed(name, set()) <= DEPENDENCIES | extra_of(name)


@pytest.mark.parametrize("name", MODULES)
def test_functions_import_what_is_declared(name: str) -> None:
    _, later = imports_of(MODULES[name])
    assert foreign(later) <= DEPENDENCIES.union(OF_USERS, *EXTRAS.values())


def test_no_declared_library_is_unused() -> None:
    used = {each for path in MODULES.values() for names in imports_of(path) for each in foreign(names)}
    unused = DEPENDENCIES.union(*EXTRAS.values()) - used
    # uvicorn finds these two, and dask its scheduler
    assert unused == {"distributed", "httptools", "uvloop"}
