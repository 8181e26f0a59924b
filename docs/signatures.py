"""Extension of Griffe: signatures know defaults and types of parameters better than docstrings do.

Griffe takes the first of ``{"log", None}`` for the default, and the type of the first of several names for all.
"""

from typing import Any

from griffe import Class, DocstringSectionParameters, Extension, Function, ParameterKind


class Signatures(Extension):
    def on_function(self, *, func: Function, **_: Any) -> None:
        correct(func)

    def on_class(self, *, cls: Class, **_: Any) -> None:
        # a dataclass gets its signature later, what takes `**parameters` when it is imported
        if "__init__" in cls.members and not any(each.kind is ParameterKind.var_keyword for each in cls.parameters):
            correct(cls)


def correct(documented: Class | Function) -> None:
    if documented.docstring is None:
        return
    documented.docstring.parser = documented.docstring.parser or "numpy"
    parameters = documented.parameters
    for section in documented.docstring.parsed:
        if not isinstance(section, DocstringSectionParameters):
            continue
        for item in section.value:
            if item.name not in parameters:
                continue
            signature = parameters[item.name]
            item.value = None if signature.default is None or item.name.startswith("*") else str(signature.default)
            if any(item.annotation is other.annotation for other in parameters):
                item.annotation = signature.annotation
