"""What importing the package loads, how long it takes, and what it says to a torch it wasn't built for.

Each test starts a new interpreter: this one has imported everything already.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lstmforecast import _libtorch

HEAVY = ["torch", "pandas", "sklearn", "scipy", "matplotlib", "narwhals", "polars", "pyarrow"]

# Stands in for another installed version of torch.
OTHER_TORCH = """
import importlib.metadata as metadata
real = metadata.version
def version(name):
    if name == "torch":
        {answer}
    return real(name)
metadata.version = version
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_after(statement: str) -> set[str]:
    return set(run(f"{statement}\nimport sys\nprint(*sorted(sys.modules))").split())


def import_error(answer: str) -> str:
    setup = OTHER_TORCH.format(answer=answer)
    return run(
        f"{setup}\ntry:\n    from lstmforecast import LSTMForecaster\nexcept ImportError as error:\n    print(error)"
    )


def test_import_loads_no_heavy_library() -> None:
    assert not loaded_after("import lstmforecast") & set(HEAVY)


@pytest.mark.parametrize(
    "name", ["LSTMForecaster", "LSTMRegressor", "LSTMClassifier", "CharLSTM", "StandardScaler", "windows"]
)
def test_using_the_package_does_not_import_torch(name: str) -> None:
    loaded = loaded_after(f"from lstmforecast import {name}")
    assert "lstmforecast._core" in loaded
    assert "torch" not in loaded


FIT = "from lstmforecast import LSTMRegressor\nmodel = LSTMRegressor(max_epochs=1).fit([[1.0], [2.0]], [1, 2])"


def test_all_that_the_reference_names_is_reached_from_the_package() -> None:
    pages = sorted((Path(__file__).parents[2] / "docs/reference").glob("*.md"))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    names = re.findall(r"^::: (lstmforecast\.\S+)$", text, flags=re.MULTILINE)
    assert len(names) > 30
    # what one name imports becomes attributes of the package, by which no other name must be found
    code = f"""
import lstmforecast
before = set(vars(lstmforecast))
for name in {names}:
    value = lstmforecast
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    for added in set(vars(lstmforecast)) - before:
        delattr(lstmforecast, added)
"""
    run(code)


def test_an_export_needs_onnx_and_no_torch(tmp_path: Path) -> None:
    assert not loaded_after(FIT) & {"torch", "onnx"}
    loaded = loaded_after(f"{FIT}\nmodel.to_onnx({str(tmp_path / 'model.onnx')!r})")
    assert "onnx" in loaded
    assert "torch" not in loaded


def test_frames_are_told_apart_without_importing_their_libraries() -> None:
    fit = "import pandas as pd\nfrom lstmforecast import LSTMForecaster\n"
    fit += "LSTMForecaster(max_epochs=1).fit(pd.Series(range(60), dtype=float)).predict()"
    assert "polars" not in loaded_after(fit)


def test_without_onnx_the_export_says_how_to_install_it() -> None:
    without = f"import sys\nsys.modules['onnx'] = None\n{FIT}"
    message = run(f"{without}\ntry:\n    model.to_onnx('model.onnx')\nexcept ImportError as error:\n    print(error)")
    assert message == 'to_onnx needs onnx: pip install "lstmforecast[onnx]"'


def test_without_sktime_its_forecaster_says_how_to_install_it() -> None:
    without = "import sys\nsys.modules['sktime'] = None"
    ask = "import lstmforecast\ntry:\n    lstmforecast.sktime\nexcept ImportError as error:\n    print(error)"
    message = run(f"{without}\n{ask}")
    assert message == 'lstmforecast.sktime needs sktime: pip install "lstmforecast[sktime]"'


@pytest.mark.alone
def test_import_takes_less_than_200_ms_on_top_of_numpy() -> None:
    code = "import numpy, time; start = time.perf_counter(); import lstmforecast; print(time.perf_counter() - start)"
    # The best of five: other work on the machine can only make it slower.
    assert min(float(run(code)) for _ in range(5)) < 0.2


@pytest.mark.parametrize(
    "order", ["import torch; from lstmforecast import windows", "from lstmforecast import windows; import torch"]
)
def test_torch_may_be_imported_before_and_after(order: str) -> None:
    assert run(f"{order}\nprint(torch.nn.LSTM(1, 2)(torch.zeros(3, 1))[0].shape[1])") == "2"


def test_another_torch_is_refused_with_both_versions_and_the_remedy() -> None:
    message = import_error('return "2.12.1"')
    assert "2.12.1" in message
    assert "2.13" in message
    assert "pip install" in message


def test_missing_torch_is_refused_with_the_remedy() -> None:
    message = import_error("raise metadata.PackageNotFoundError(name)")
    assert "2.13" in message
    assert "pip install" in message


@pytest.mark.parametrize(("contents", "is_needed"), [(b"\0libtorch_cpu.so\0", True), (b"\0libc.so.6\0", False)])
def test_libtorch_is_loaded_for_an_extension_that_needs_it(
    contents: bytes, is_needed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extension = tmp_path / "_core.abi3.so"
    extension.write_bytes(b"\x7fELF" + contents)
    spec = importlib.util.spec_from_file_location("lstmforecast._core", extension)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    checked = []
    monkeypatch.setattr(_libtorch, "_check_version", lambda: checked.append(True))
    monkeypatch.setattr(_libtorch, "_library_folder", lambda: tmp_path)
    monkeypatch.setattr(_libtorch, "_LIBRARIES", ("libtorch_cpu.so",))
    monkeypatch.setattr(_libtorch.ctypes, "CDLL", lambda path, mode: None)
    _libtorch.load()
    assert bool(checked) == is_needed


def test_a_torch_built_for_other_hardware_is_welcome() -> None:
    assert import_error('return "2.13.0+cpu"') == ""


def test_the_top_level_lists_its_names() -> None:
    names = run("import lstmforecast; print(*dir(lstmforecast))").split()
    assert {"LSTMForecaster", "LSTMRegressor", "LSTMClassifier", "backtest", "load", "metrics", "plot"} <= set(names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    message = run("import lstmforecast\ntry:\n    lstmforecast.nothing\nexcept AttributeError as e:\n    print(e)")
    assert "nothing" in message
