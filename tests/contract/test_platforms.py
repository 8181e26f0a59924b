"""What only some processors or systems have is compiled for those alone: on a machine that has it, no build tells."""

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
# what is named, and a word of the condition that it needs
ONLY_SOMEWHERE = {
    r"\b(std|core)::arch::|is_x86_feature_detected!": "target_arch",
    r"\bstd::os::unix::|\blibc::": "unix",
}
TORCH = 'torch"'  # libtorch is tried on Linux alone


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _conditions(lines: list[str], number: int) -> list[str]:
    """Attributes ``#[cfg(...)]`` of a line, and of all that encloses it."""
    found = []
    while True:
        above = number - 1
        while above >= 0 and lines[above].lstrip().startswith(("#[", "//")):
            found.append(lines[above].strip())
            above -= 1
        indent = _indent(lines[number])
        outer = [i for i in range(number) if lines[i].strip() and _indent(lines[i]) < indent]
        if not outer:
            return [each for each in found if each.startswith("#[cfg(") and "not(" not in each]
        number = outer[-1]


def _conditions_of_file(path: Path) -> list[str]:
    """Those of the lines that declare a file's module and the modules around it."""
    if path.stem == "mod":
        path = path.parent
    if path in (SOURCE, SOURCE / "lib.rs"):
        return []
    parents = (path.parent / "mod.rs", path.parent.with_suffix(".rs"), SOURCE / "lib.rs")
    parent = next(each for each in parents if each.exists())
    lines = parent.read_text(encoding="utf-8").splitlines()
    declared = next(i for i, line in enumerate(lines) if re.search(rf"\bmod {path.stem};", line))
    return _conditions(lines, declared) + _conditions_of_file(parent)


@pytest.mark.parametrize(("named", "condition"), ONLY_SOMEWHERE.items(), ids=ONLY_SOMEWHERE.values())
def test_what_only_some_machines_have_stands_behind_cfg(named: str, condition: str) -> None:
    wrong = []
    for path in SOURCE.rglob("*.rs"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.search(named, line.split("//")[0]):
                conditions = _conditions(lines, number) + _conditions_of_file(path)
                if not any(condition in each or TORCH in each for each in conditions):
                    wrong.append(f"{path.relative_to(SOURCE)}:{number + 1}: {line.strip()}")
    assert not wrong, "\n".join(wrong)
