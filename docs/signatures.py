"""Griffe extension: takes defaults and types from signatures, where Griffe reads docstrings wrongly.

Griffe takes the first of ``{"log", None}`` as the default, drops what follows the braces, and gives the type of the
first of several names to all. It reads words as expressions: ``array-like`` becomes a subtraction, ``TypeError,
ValueError`` a tuple.
Docstrings get the text of shared parameters, which the package fills in on import.
"""

import re
import runpy
from pathlib import Path
from typing import Any

from griffe import Class, Docstring, DocstringSectionParameters, Extension, Function, ParameterKind

# not imported: the site is built without the compiled core
PARAMETER_DOCS = Path(__file__).resolve().parents[1] / "python/lstmforecast/estimators/parameter_docs.py"
filled = runpy.run_path(str(PARAMETER_DOCS))["filled"]


class Signatures(Extension):
    def on_function(self, *, func: Function, **_: Any) -> None:
        correct(func)

    def on_class(self, *, cls: Class, **_: Any) -> None:
        if cls.docstring is not None and "__init__" in cls.members:
            cls.docstring.value = filled(cls.docstring.value, {each.name: str(each.default) for each in cls.parameters})
        # a dataclass gets its signature later; a class with `**parameters` gets it on import
        if "__init__" in cls.members and not any(each.kind is ParameterKind.var_keyword for each in cls.parameters):
            correct(cls)


def correct(documented: Class | Function) -> None:
    if documented.docstring is None:
        return
    documented.docstring.parser = documented.docstring.parser or "numpy"
    written = types_as_written(documented.docstring)
    for section in documented.docstring.parsed:
        if isinstance(section, DocstringSectionParameters):
            take_from_signature(section, documented.parameters)
        for item in section.value if isinstance(section.value, list) else []:
            if getattr(item, "annotation", None):
                by_letters = written.get(letters(str(item.annotation)), item.annotation)
                item.annotation = written.get(getattr(item, "name", ""), by_letters)


def take_from_signature(section: DocstringSectionParameters, parameters: Any) -> None:
    for item in section.value:
        if item.name in parameters:
            signature = parameters[item.name]
            item.value = None if signature.default is None or item.name.startswith("*") else str(signature.default)
            if any(item.annotation is other.annotation for other in parameters):
                item.annotation = signature.annotation


def types_as_written(docstring: Docstring) -> dict[str, str]:
    """Types as the docstring writes them, by the names before them and by their letters; single names are left out."""
    found = {}
    for line in docstring.lines:
        names, colon, kind = line.rpartition(" : ")
        text = re.sub(r",? default=.*", "", kind).replace("``", "")
        if not text.isidentifier():
            found[letters(text)] = text
            found |= dict.fromkeys(names.split(", ") if colon else [], text)
    return found


def letters(text: str) -> str:
    return re.sub(r"\W", "", text)
