"""The stub of the compiled core says what the core has: names, arguments, defaults."""

import subprocess
import sys
from pathlib import Path

# What the stub takes from them are names of types alone, and reading them all takes ten times as long.
SETTINGS = """
[mypy]
[mypy-lstmforecast.*,torch.*]
follow_imports = skip
ignore_missing_imports = true
"""


def test_stub_agrees_with_the_compiled_core(tmp_path: Path) -> None:
    # The package picks its core, which stubtest would look for by itself.
    code = "import sys, lstmforecast; lstmforecast._core; from mypy import stubtest; sys.exit(stubtest.main())"
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-c", code, "lstmforecast._core", "--mypy-config-file", "mypy.ini"]
    # In an empty folder, so that the package is the installed one and mypy leaves its cache there.
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
