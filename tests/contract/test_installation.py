"""Beside the newest torch, darts, neuralforecast and pandas, the package's requirements change no version.

pip resolves them, and installs nothing.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # of pytest

OTHERS = ["torch", "darts", "neuralforecast", "pandas"]
NO_NETWORK = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "ProxyError")
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def resolved(requirements: list[str], report: Path) -> dict[str, str]:
    """The versions that pip would install into an empty environment, by distribution."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report"]
    done = subprocess.run([*pip, str(report), *requirements], capture_output=True, text=True, check=False)
    if done.returncode and any(sign in done.stderr for sign in NO_NETWORK):
        pytest.skip("pip reaches no package index")
    assert done.returncode == 0, done.stderr
    metadata = [each["metadata"] for each in json.loads(report.read_text(encoding="utf-8"))["install"]]
    return {each["name"]: each["version"] for each in metadata}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_requirements_change_no_version_of_what_is_installed_beside(tmp_path: Path) -> None:
    own = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    with ThreadPoolExecutor() as pool:
        reports = [tmp_path / "alone.json", tmp_path / "together.json"]
        alone, together = pool.map(resolved, [OTHERS, OTHERS + own], reports)
    assert set(OTHERS) < set(alone)
    assert {name: together[name] for name in alone} == alone
