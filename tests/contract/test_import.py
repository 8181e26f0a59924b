"""What importing the package loads, and how long it takes.

Each test starts a new interpreter: this one has imported everything already.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["torch", "pandas", "sklearn", "scipy", "matplotlib", "narwhals", "polars", "pyarrow"]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_after(statement: str) -> set[str]:
    return set(run(f"{statement}\nimport sys\nprint(*sorted(sys.modules))").split())


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
    pytest.importorskip("torch")
    assert run(f"{order}\nprint(torch.nn.LSTM(1, 2)(torch.zeros(3, 1))[0].shape[1])") == "2"


def test_the_top_level_lists_its_names() -> None:
    names = run("import lstmforecast; print(*dir(lstmforecast))").split()
    assert {"LSTMForecaster", "LSTMRegressor", "LSTMClassifier", "backtest", "load", "metrics", "plot"} <= set(names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    message = run("import lstmforecast\ntry:\n    lstmforecast.nothing\nexcept AttributeError as e:\n    print(e)")
    assert "nothing" in message


def test_readers_of_the_sources_find_every_public_name() -> None:
    """Type checkers, editors and the site read the imports that never run."""
    import lstmforecast

    tree = ast.parse(Path(lstmforecast.__file__).read_text())
    [never_run] = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in ast.walk(never_run) if isinstance(node, ast.ImportFrom)]
    found = {alias.asname or alias.name for node in imports for alias in node.names}
    assert set(lstmforecast.__all__) <= found
