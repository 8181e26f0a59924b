"""Which Rust file uses which: `use` declarations and paths, followed through re-exports to where an item is defined."""

import re
from collections.abc import Iterator
from pathlib import Path

Names = tuple[str, ...]
USE = re.compile(r"(\bpub(?:\([^)]*\))?\s+)?\buse\s+([^;]+);")
ITEM = re.compile(r"\b(?:struct|enum|union|trait|type|mod|fn|const(?!\s+fn\b)|static|macro_rules!)\s+([A-Za-z_]\w*)")
PATH = re.compile(r"\b([a-z_]\w*)((?:::[A-Za-z_]\w*)+)")


def without_tests(code: str) -> str:
    """The code above the unit tests at a file's foot."""
    return re.sub(r"^#\[cfg\(test\)\]\n(?:#\[[^\]]*\]\n)*mod \w+ \{.*", "", code, flags=re.DOTALL | re.MULTILINE)


def without_comments(code: str) -> str:
    """The code without comments, and without what stands in quotation marks."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"', "", code, flags=re.DOTALL)


def expand(tree: str) -> Iterator[tuple[Names, str]]:
    """The paths of `a::{self, b::c as d}`, each with the name that the file gives it."""
    before, brace, inside = tree.partition("{")
    if brace:
        for part in split(inside):
            yield from expand(before + part)
        return
    path, _, name = tree.partition(" as ")
    names = tuple(part.strip() for part in path.split("::") if part.strip())
    names = names[:-1] if len(names) > 1 and names[-1] == "self" else names
    if names:
        yield names, name.strip() or names[-1]


def split(inside: str) -> Iterator[str]:
    """The items of a brace that was just opened, up to where it closes."""
    depth, item = 0, ""
    for character in inside:
        if character == "}" and depth == 0:
            break
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            yield item
            item = ""
        else:
            item += character
    yield item


class RustFile:
    """What a file defines, what it names by `use`, and the paths in the rest of its code."""

    def __init__(self, code: str) -> None:
        code = without_comments(without_tests(code))
        self.body = re.sub(r"\bmod \w+;", "", USE.sub("", code))
        self.items = set(ITEM.findall(self.body))
        uses = [(bool(public), *use) for public, tree in USE.findall(code) for use in expand(tree)]
        self.names = {name: path for _, path, name in uses}
        # a re-export is no use of its own
        used = [path for public, path, name in uses if not public or re.search(rf"\b{name}\b", self.body)]
        self.paths = [*used, *((first, *rest.split("::")[1:]) for first, rest in PATH.findall(self.body))]


class Imports:
    """The files below `source`, by the path of their module."""

    def __init__(self, source: Path) -> None:
        self.files: dict[Names, RustFile] = {}
        for path in sorted(source.rglob("*.rs")):
            *folders, name = path.relative_to(source).with_suffix("").parts
            if name != "tests":
                module = tuple(folders) if name in {"mod", "lib"} else (*folders, name)
                self.files[module] = RustFile(path.read_text(encoding="utf-8"))

    def resolve(self, path: Names, module: Names) -> tuple[Names, bool] | None:
        """The module that a path leads to, and whether to an item in it; None for another crate's."""
        for i, name in enumerate(path):
            target = self.files[module].names.get(name, (name,))
            if name == "crate":
                module = ()
            elif name == "super":
                module = module[:-1]
            elif (*module, name) in self.files:
                module = (*module, name)
            elif name in self.files[module].items:
                return module, True
            elif target[0] != name:
                return self.resolve((*target, *path[i + 1 :]), module)
            elif name not in {"self", "*"}:
                return None
        return module, False

    def of(self, module: Names) -> set[Names]:
        """The files whose items a file uses."""
        found, names = set(), self.files[module].names
        for path in self.files[module].paths:
            place = self.resolve(path, module)
            if place is None and path[0] == "super":  # from a module within the file
                place = self.resolve(path[1:], module)
            is_ours = path[0] in {"crate", "super", "self"} and "*" not in names
            assert place or not is_ours, f"{'::'.join(path)} of {module} is not found"
            # a path to a module uses nothing: what it is for comes with its name
            if place and place[1]:
                found.add(place[0])
        return found - {module}

    def circles(self) -> list[list[str]]:
        """Sets of files each of which uses, by some way, all others of its set."""
        uses = {module: self.of(module) for module in self.files}
        reached = {module: reach(module, uses) for module in uses}
        circles = {frozenset(b for b in reached[a] if a in reached[b]) for a in uses if a in reached[a]}
        return sorted(sorted("::".join(module) or "lib" for module in circle) for circle in circles)


def reach(start: Names, uses: dict[Names, set[Names]]) -> set[Names]:
    """What a module uses, by some way."""
    found: set[Names] = set()
    waiting = [start]
    while waiting:
        new = uses[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found
