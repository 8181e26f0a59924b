"""Installs the wheel of dist/ into every Python 3.10 to 3.13 of this machine in turn, and runs first_steps.py.

With ``--newest``, into the newest alone: each of them takes minutes to install torch.
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


def smoke(python: str, wheel: Path) -> bool:
    """Install and run in a new virtual environment, removed at once: each holds 4.5 GB of torch."""
    start = time.perf_counter()
    inside = str(VENV / "bin" / "python")
    commands = [
        [python, "-m", "venv", "--clear", str(VENV)],
        [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)],
        [inside, str(ROOT / ".ci" / "first_steps.py")],
    ]
    try:
        passed = all(subprocess.run(command, cwd=ROOT).returncode == 0 for command in commands)
    finally:
        shutil.rmtree(VENV, ignore_errors=True)
    print(f"{'ok' if passed else 'FAILED':6} {python} ({time.perf_counter() - start:.0f} s)", flush=True)
    return passed


def main() -> int:
    wheels = list((ROOT / "dist").glob("*.whl"))
    if len(wheels) != 1:
        print(f"expected one wheel in dist/, got {len(wheels)}: run `make wheel` first", file=sys.stderr)
        return 1
    pythons = interpreters()[-1:] if "--newest" in sys.argv else interpreters()
    results = [smoke(python, wheels[0]) for python in pythons]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return int(not results or not all(results))


if __name__ == "__main__":
    sys.exit(main())
