"""Installs the package into new environments, and runs first_steps.py there.

``wheel``: the wheel of dist/, into every Python 3.10 to 3.13 of this machine in turn. ``clone``: both distributions by
a plain ``pip install`` from this folder, built in isolation, into the newest of them; torch is installed twice for it.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-smoke"
MINORS = range(10, 14)


def candidates(minor: int) -> list[str]:
    """Where an interpreter of this version may lie: PATH, pyenv's versions, the system's folder."""
    name = f"python3.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    if shutil.which("pyenv"):
        pyenv = Path(subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip())
    versions = sorted(pyenv.glob(f"versions/3.{minor}.*/bin/{name}"))
    return [path for path in (shutil.which(name), *map(str, versions), f"/usr/bin/{name}") if path]


def works(python: str, minor: int) -> bool:
    """Whether it starts (pyenv's shims may refuse), is what its name says, and can make virtual environments."""
    probe = f"import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, {minor}))"
    try:
        return subprocess.run([python, "-c", probe], capture_output=True).returncode == 0
    except OSError:
        return False


def interpreters() -> list[str]:
    """One working interpreter for each minor version: the wheel's stable ABI makes patch releases alike."""
    found = (next((path for path in candidates(minor) if works(path, minor)), None) for minor in MINORS)
    return [path for path in found if path]


def smoke(python: str, installations: dict[str, str]) -> bool:
    """Install one thing after the other into a new environment, removed at once, with its first steps after each."""
    start = time.perf_counter()
    inside = str(VENV / "bin" / "python")
    commands = [[python, "-m", "venv", "--clear", str(VENV)]]
    for target, core in installations.items():
        commands.append([inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", target])
        commands.append([inside, str(ROOT / ".ci" / "first_steps.py"), core])
    try:
        passed = all(subprocess.run(command, cwd=ROOT).returncode == 0 for command in commands)
    finally:
        shutil.rmtree(VENV, ignore_errors=True)
    print(f"{'ok' if passed else 'FAILED':6} {python} ({time.perf_counter() - start:.0f} s)", flush=True)
    return passed


def main() -> int:
    pythons = interpreters()
    if sys.argv[1] == "clone":
        results = [smoke(python, {".": "small", "./lstmforecast-torch": "torch"}) for python in pythons[-1:]]
    else:
        wheels = list((ROOT / "dist").glob("*.whl"))
        if len(wheels) != 1:
            print(f"expected one wheel in dist/, got {len(wheels)}: run `make wheel` first", file=sys.stderr)
            return 1
        results = [smoke(python, {str(wheels[0]): "small"}) for python in pythons]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return int(not results or not all(results))


if __name__ == "__main__":
    sys.exit(main())
