"""The reference has every public name once, and each says what it takes, returns and raises, with an example that runs.

That the examples run is the doctests' business.
"""

import ast
import importlib
import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lstmforecast
from lstmforecast.contract.html_repr import DocLinkMixin

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
# What they draw is seen in docs/how-to/plots.md and in the notebooks, and looked at there.
PICTURES = "lstmforecast.plot."


def pages() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted(REFERENCE.glob("*.md")))


def found_by(path: str) -> Any:
    """The module, class or function of a dotted path."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        home, name = path.rsplit(".", 1)
        return getattr(importlib.import_module(home), name)


REFERRED = re.findall(r"^::: (\S+)$", pages(), flags=re.MULTILINE)


def public_objects() -> Iterator[tuple[str, Any]]:
    """Classes, functions and methods of the reference, those of modules by the module's ``__all__``."""
    for path in REFERRED:
        value = found_by(path)
        names = getattr(value, "__all__", []) if isinstance(value, ModuleType) else []
        members = [(f"{path}.{name}", getattr(value, name)) for name in names]
        yield from members if isinstance(value, ModuleType) else [(path, value)]


def methods() -> Iterator[tuple[str, Any]]:
    for path, value in public_objects():
        if inspect.isclass(value):
            for name, method in inspect.getmembers(value, callable):
                if not name.startswith("_") and (getattr(method, "__module__", None) or "").startswith("lstmforecast"):
                    yield f"{path}.{name}", method


OBJECTS, METHODS = list(public_objects()), list(methods())


def missing_sections(value: Any) -> list[str]:
    """Sections of numpydoc that signature and source ask for, and the docstring lacks."""
    document = inspect.getdoc(value) or ""
    if inspect.isclass(value) and issubclass(value, Exception):
        return [] if document else ["a docstring"]
    signature = inspect.signature(value)
    # what a function returns isn't made by users: its attributes are told
    taken = "(?:Parameters|Attributes)" if inspect.isclass(value) else "Parameters"
    wanted = {taken: [name for name in signature.parameters if name not in ("self", "cls")] != []}
    if not inspect.isclass(value):
        wanted["(?:Returns|Yields)"] = signature.return_annotation not in (None, "None")
        wanted["Raises"] = "    raise " in textwrap.dedent(inspect.getsource(value))
    return [
        section for section, needed in wanted.items() if needed and not re.search(rf"^{section}\n---", document, re.M)
    ]


def documented_parameters(value: Any) -> dict[str, str]:
    """What the docstring says of the types and defaults of parameters, by name."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n\w.*\n---|\Z)", inspect.getdoc(value) or "", re.M | re.S)
    lines = [line.partition(" : ") for line in (section[1].splitlines() if section else []) if re.match(r"\S", line)]
    return {name.lstrip("*"): kind for names, _, kind in lines for name in names.split(", ")}


WITH_PARAMETERS = [(path, value) for path, value in OBJECTS + METHODS if documented_parameters(value)]


@pytest.mark.parametrize(("path", "value"), WITH_PARAMETERS, ids=[path for path, _ in WITH_PARAMETERS])
def test_parameters_and_defaults_are_those_of_the_signature(path: str, value: Any) -> None:
    signature = {
        name: each for name, each in inspect.signature(value).parameters.items() if name not in ("self", "cls")
    }
    documented = documented_parameters(value)
    assert {*documented} == {*signature}
    for name, kind in documented.items():
        if default := re.search("default=([^,]+)$", kind):
            assert ast.literal_eval(default[1].strip("`")) == signature[name].default, name


def test_the_reference_has_each_name_once() -> None:
    assert [name for name, count in Counter(REFERRED).items() if count > 1] == []
    forgotten = {f"lstmforecast.{name}" for name in lstmforecast.__all__} - {*REFERRED}
    assert not forgotten, f"give {sorted(forgotten)} a place in docs/reference/"


@pytest.mark.parametrize(("path", "value"), OBJECTS + METHODS, ids=[path for path, _ in OBJECTS + METHODS])
def test_it_says_what_it_takes_returns_and_raises(path: str, value: Any) -> None:
    assert inspect.getdoc(value)
    assert missing_sections(value) == []


@pytest.mark.parametrize(("path", "value"), OBJECTS, ids=[path for path, _ in OBJECTS])
def test_it_has_an_example(path: str, value: Any) -> None:
    if path.startswith(PICTURES) or (inspect.isclass(value) and issubclass(value, Exception)):
        return
    documents = [inspect.getdoc(value) or ""]
    # an abstract class is shown by those that can be used
    documents += [inspect.getdoc(each) or "" for each in (value.__subclasses__() if inspect.isclass(value) else [])]
    assert any(">>>" in document for document in documents)


@pytest.mark.parametrize(
    "value", [each for _, each in OBJECTS if inspect.isclass(each) and issubclass(each, DocLinkMixin)]
)
def test_diagrams_link_to_the_page_that_has_the_class(value: Any) -> None:
    link = re.search(rf"reference/(\w+)\.html#lstmforecast\.{value.__name__}", value()._repr_html_())
    assert link is not None
    page = (REFERENCE / f"{link[1]}.md").read_text(encoding="utf-8")
    assert f"::: lstmforecast.{value.__name__}" in page.splitlines()
