"""Which core is loaded: that of lstmforecast-torch where it fits, else the package's own; what its errors say then."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import lstmforecast
from lstmforecast import _core

SIZES = {"hidden_size": 4, "num_layers": 1, "bidirectional": False, "dropout": 0.0, "window_size": 8, "horizon": 1}
SHAPE = {"segment_length": 1, "linear_skip": False, "channels": "together", "n_features": 1, "n_targets": 1}
CONFIG = {"architecture": "lstm", "normalize": None, "device": "cpu", "seed": 0, "backend": "torch", **SIZES, **SHAPE}
BACKEND = f"from lstmforecast import _core\n_core.Model({CONFIG})"
ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lstmforecast-torch" / "python" / "lstmforecast_torch"
# Stands in for an installed version of torch, or for none.
VERSIONS = """
import importlib.metadata as metadata
real = metadata.version
def version(name):
    if name != "torch":
        return real(name)
    if {torch!r} is None:
        raise metadata.PackageNotFoundError(name)
    return {torch!r}
metadata.version = version
"""


def run(code: str, *, without_torch: bool = False) -> str:
    """What a new interpreter prints."""
    hidden = "import sys; sys.modules['lstmforecast_torch'] = None\n" if without_torch else ""
    done = subprocess.run([sys.executable, "-c", hidden + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refusal(setup: str) -> str:
    """What the package says to an option that needs libtorch."""
    code = textwrap.indent(BACKEND, "    ")
    return run(f"{setup}\ntry:\n{code}\nexcept ImportError as error:\n    print(error)")


def needs(advice: str) -> str:
    return f"backend='torch' needs libtorch: {advice}"


def beside(folder: Path, init: str, extension: bytes | None = None) -> str:
    """Code that puts another lstmforecast_torch before any installed one."""
    package = folder / "lstmforecast_torch"
    package.mkdir()
    (package / "__init__.py").write_text(init)
    if extension is not None:
        (package / "_core.abi3.so").write_bytes(extension)
    return f"import sys; sys.path.insert(0, {str(folder)!r})"


def test_without_the_second_distribution_the_errors_say_how_to_install_it() -> None:
    assert refusal("import sys; sys.modules['lstmforecast_torch'] = None") == needs('pip install "lstmforecast[torch]"')


@pytest.mark.parametrize(
    ("torch", "found"), [("2.15.0", "but torch 2.15.0 is installed"), (None, "which is not installed")]
)
def test_another_torch_is_named_with_the_way_out(torch: str | None, found: str, tmp_path: Path) -> None:
    setup = beside(tmp_path, (PACKAGE / "__init__.py").read_text()) + VERSIONS.format(torch=torch)
    end = f"lstmforecast-torch needs torch 2.13, {found}; run: pip install 'torch==2.13.*'"
    assert refusal(setup) == needs(end)


def test_another_version_of_the_second_distribution_is_named_with_the_way_out(tmp_path: Path) -> None:
    init = (PACKAGE / "__init__.py").read_text().replace('__version__ = "', '__version__ = "9.')
    version = lstmforecast.__version__
    end = f"but lstmforecast {version}; run: pip install 'lstmforecast-torch=={version}'"
    assert refusal(beside(tmp_path, init)) == needs(f"lstmforecast-torch 9.{version} is installed, {end}")


@pytest.mark.parametrize("extension", [None, b"", b"\x7fELF and nothing more"], ids=["none", "empty", "damaged"])
def test_a_core_that_can_not_be_loaded_is_not_used(extension: bytes | None, tmp_path: Path) -> None:
    init = (PACKAGE / "__init__.py").read_text()
    loads_nothing = "\n_check_torch = _load_libtorch = lambda: None\n"
    said = refusal(beside(tmp_path, init + loads_nothing, extension))
    assert said.startswith(needs("lstmforecast-torch could not be loaded ("))
    assert said.endswith("); run: pip install --force-reinstall lstmforecast-torch")


def test_a_libtorch_that_can_not_be_loaded_is_named(tmp_path: Path) -> None:
    init = (PACKAGE / "__init__.py").read_text()
    fails = "\ndef _load_libtorch():\n    ctypes.CDLL('/no/such/libtorch.so')\n"
    setup = beside(tmp_path, init + fails) + VERSIONS.format(torch="2.13.0")
    assert refusal(setup).startswith(needs("lstmforecast-torch could not be loaded (/no/such/libtorch.so: cannot open"))


@pytest.mark.torch
@pytest.mark.parametrize("torch", ["2.13.0+cpu", "2.13.9"])
def test_other_builds_of_the_same_torch_fit(torch: str) -> None:
    assert run(VERSIONS.format(torch=torch) + "from lstmforecast import _core; print(_core.HAS_TORCH)") == "True"


FIRST = [
    "import lstmforecast._core",
    "from lstmforecast._core import FormatError",
    "from lstmforecast import LSTMForecaster",
    "import lstmforecast; lstmforecast.Model; lstmforecast._core",
]


@pytest.mark.parametrize("without_torch", [False, True])
@pytest.mark.parametrize("first", FIRST)
def test_a_process_has_one_core_whatever_is_imported_first(first: str, without_torch: bool) -> None:
    code = f"""{first}
import pickle, sys, lstmforecast
from lstmforecast import _core
loaded = [name for name, module in sys.modules.items() if getattr(module, "__file__", None) == _core.__file__]
print(loaded, sys.modules["lstmforecast._core"] is _core is lstmforecast._core, _core.HAS_TORCH, "torch" in sys.modules)
assert lstmforecast.Model is _core.Model and lstmforecast.FormatError is _core.FormatError
assert pickle.loads(pickle.dumps(_core.metrics)) is _core.metrics
"""
    expected = f"['lstmforecast._core'] True {_core.HAS_TORCH and not without_torch} False"
    assert run(code, without_torch=without_torch) == expected


def test_threads_that_import_at_once_get_one_core() -> None:
    code = """
import threading
found, ready = [], threading.Barrier(4)
def load():
    ready.wait()
    from lstmforecast import _core
    found.append(_core)
threads = [threading.Thread(target=load) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), len(set(map(id, found))))
"""
    assert run(code) == "4 1"
