"""Which core is loaded: that of lstmforecast-torch where it fits, else the package's own; what its errors say then."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import lstmforecast
from lstmforecast import _core

SIZES = {"hidden_size": 4, "num_layers": 1, "bidirectional": False, "dropout": 0.0, "window_size": 8, "horizon": 1}
SHAPE = {"segment_length": 1, "linear_skip": False, "channels": "together", "n_features": 1, "n_targets": 1}
CONFIG = {"architecture": "lstm", "normalize": None, "device": "cpu", "seed": 0, "backend": "torch", **SIZES, **SHAPE}
REFUSAL = f"from lstmforecast import _core\nprint(_core.Model({CONFIG}).refusal)"
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
    return run(f"{setup}\n{REFUSAL}")


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


@pytest.mark.parametrize(
    ("init", "found"),
    [
        ("", "AttributeError: module 'lstmforecast_torch' has no attribute 'load_core'"),
        ("def load_core(:", "SyntaxError: invalid syntax"),
        ("raise RuntimeError('half')", "RuntimeError: half"),
    ],
)
def test_a_damaged_second_distribution_is_passed_over(init: str, found: str, tmp_path: Path) -> None:
    said = refusal(beside(tmp_path, init))
    assert said.startswith(needs(f"lstmforecast-torch could not be loaded ({found}"))
    assert said.endswith("; run: pip install --force-reinstall lstmforecast-torch")


def test_a_stub_in_the_place_of_the_second_distribution_is_passed_over() -> None:
    stub = "import sys, types; sys.modules['lstmforecast_torch'] = types.ModuleType('lstmforecast_torch')"
    assert "lstmforecast-torch could not be loaded (ValueError: " in refusal(stub)


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


def test_a_core_that_was_built_for_another_libtorch_is_not_used(tmp_path: Path) -> None:
    """It needs a symbol that no library has."""
    init = (PACKAGE / "__init__.py").read_text() + "\n_check_torch = _load_libtorch = lambda: None\n"
    (own,) = (Path(lstmforecast.__file__).parent / "_compiled").glob("_core*.so")
    extension = own.read_bytes().replace(b"PyFloat_FromDouble", b"PyFloat_FromDoubl_")
    said = refusal(beside(tmp_path, init, extension))
    assert said.startswith(
        needs(f"lstmforecast-torch could not be loaded ({tmp_path}/lstmforecast_torch/_core.abi3.so: ")
    )
    assert "undefined symbol: PyFloat_FromDoubl_" in said


def test_a_folder_without_a_package_is_none(tmp_path: Path) -> None:
    """Uninstalling leaves one where other files lie in it, and Python takes it for a package."""
    (tmp_path / "lstmforecast_torch" / "__pycache__").mkdir(parents=True)
    # nothing but the folder: where the second distribution is installed, its package would be found
    code = f"""
import importlib.machinery, importlib.util
folder = importlib.machinery.PathFinder.find_spec("lstmforecast_torch", [{str(tmp_path)!r}])
assert folder.origin is None
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: folder if name == "lstmforecast_torch" else real(name, *rest)
"""
    assert refusal(code) == needs('pip install "lstmforecast[torch]"')


@pytest.mark.parametrize("contents", [None, b""], ids=["none", "empty"])
def test_without_any_core_the_import_says_what_to_run(contents: bytes | None, tmp_path: Path) -> None:
    if contents is not None:
        (tmp_path / "_core.abi3.so").write_bytes(contents)
    code = f"""
import lstmforecast._compiled
lstmforecast._compiled.__spec__.submodule_search_locations[:] = [{str(tmp_path)!r}]
try:
    lstmforecast._core
except ImportError as error:
    print(error)
"""
    said = run(code, without_torch=True)
    assert said.startswith("lstmforecast's core could not be loaded (")
    assert str(tmp_path) in said
    assert said.endswith("); run: pip install --force-reinstall --no-deps lstmforecast")


def test_a_libtorch_that_can_not_be_loaded_is_named(tmp_path: Path) -> None:
    init = (PACKAGE / "__init__.py").read_text()
    fails = "\ndef _load_libtorch():\n    ctypes.CDLL('/no/such/libtorch.so')\n"
    setup = beside(tmp_path, init + fails) + VERSIONS.format(torch="2.13.0")
    assert refusal(setup).startswith(needs("lstmforecast-torch could not be loaded (/no/such/libtorch.so: cannot open"))


def test_damaged_metadata_of_torch_are_no_version_that_fits(tmp_path: Path) -> None:
    setup = beside(tmp_path, (PACKAGE / "__init__.py").read_text())
    damaged = "import importlib.metadata as metadata; metadata.version = lambda name: None"
    end = "lstmforecast-torch needs torch 2.13, but torch None is installed; run: pip install 'torch==2.13.*'"
    assert refusal(f"{setup}\n{damaged}") == needs(end)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("torch", "fits"),
    [
        ("importlib.util.module_from_spec(importlib.util.find_spec('torch'))", True),  # another thread imports it
        ("None", False),  # it can't be imported
    ],
    ids=["in part", "not"],
)
def test_torch_that_is_not_imported_whole(torch: str, fits: bool) -> None:
    code = f"import importlib.util, sys; sys.modules['torch'] = {torch}\nfrom lstmforecast import _core"
    assert run(f"{code}\nprint(_core.HAS_TORCH)") == str(fits)


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


@pytest.mark.parametrize("without_torch", [False, True])
def test_a_pickle_of_a_model_loads_the_core(without_torch: bool) -> None:
    pickled = pickle.dumps(_core.Model(CONFIG | {"backend": "auto"}))
    code = f"import pickle, sys; model = pickle.loads({pickled!r})\nfrom lstmforecast import _core"
    code += "\nprint(type(model) is _core.Model, 'torch' in sys.modules)"
    assert run(code, without_torch=without_torch) == "True False"


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


@pytest.mark.alone
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("before", ["", "import lstmforecast", "import lstmforecast._core"])
def test_a_forked_child_has_one_core(before: str) -> None:
    code = f"""
import os, sys
{before}
child = os.fork()
if child == 0:
    try:
        from lstmforecast import LSTMRegressor, _core
        files = [module for module in sys.modules.values() if getattr(module, "__file__", None) == _core.__file__]
        LSTMRegressor(max_epochs=1, n_threads=2).fit([[1.0], [2.0]], [1, 2])
        os._exit(0 if files == [_core] and "torch" not in sys.modules else 2)
    finally:
        os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(code) == "0"
