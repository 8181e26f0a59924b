"""Where something is written: links are followed, devices and pipes written to, folders refused, old files kept."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmforecast import CharLSTM, LSTMAnomalyDetector, LSTMForecaster, LSTMRegressor, load
from lstmforecast.cli import main

FAST = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
Y = pd.Series(np.sin(np.arange(120.0)), name="load")
SMALL = ["--window-size", "12", "--hidden-size", "4", "--max-epochs", "1", "--n-threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def forecaster():
    return LSTMForecaster(3, window_size=12, **FAST).fit(Y)


@pytest.fixture(scope="module")
def savers(forecaster):
    """What each way of writing does with a path."""
    rows = np.random.default_rng(0).normal(size=(20, 4))
    detector = LSTMAnomalyDetector(LSTMForecaster(3, window_size=12, **FAST)).fit(Y)
    others = {"regressor": LSTMRegressor(**FAST).fit(rows, rows[:, 0]), "text": CharLSTM(**FAST).fit("abc " * 100)}
    estimators = others | {"forecaster": forecaster, "detector": detector}
    return {name: each.save for name, each in estimators.items()} | {"onnx": forecaster.to_onnx}


def _command(*options, command="forecast"):
    Y.to_csv("data.csv", index=False)
    assert main([command, "data.csv", "--horizon", "3", *SMALL, *options]) == 0


COMMANDS = {
    "--output": lambda path: _command("--output", str(path)),
    "--plot": lambda path: _command("--plot", str(path)),
    "--save": lambda path: _command("--save", str(path)),
    "backtest --output": lambda path: _command("--output", str(path), command="backtest"),
}
WAYS = ["regressor", "text", "forecaster", "detector", "onnx", *COMMANDS]


@pytest.fixture
def write(request, savers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return (COMMANDS | savers)[request.param]


def _left_over():
    return {path.name for path in Path().iterdir()} - {"data.csv"}


@pytest.mark.parametrize("write", WAYS, indirect=True)
def test_links_stay_and_lead_to_the_new_contents(write):
    Path("folder").mkdir()
    Path("folder/model").write_bytes(b"old")
    Path("folder/model").chmod(0o640)
    Path("link").symlink_to("folder/model")
    Path("later").symlink_to("folder/new")
    write("plain")
    expected = Path("plain").read_bytes()
    for link, target in (("link", "folder/model"), ("later", "folder/new")):
        write(link)
        assert Path(link).is_symlink()
        # of ONNX and pictures the length: they name no time, but nothing promises the same bytes
        assert abs(len(Path(target).read_bytes()) - len(expected)) < 200
    assert stat.S_IMODE(Path("folder/model").stat().st_mode) == 0o640
    assert _left_over() == {"folder", "link", "later", "plain"}
    assert {path.name for path in Path("folder").iterdir()} == {"model", "new"}


@pytest.mark.parametrize("write", WAYS, indirect=True)
def test_a_pipe_gets_the_contents(write):
    os.mkfifo("pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    while not found and reader.is_alive():
        try:
            write("pipe")
            break
        except OSError:  # the reader isn't there yet
            continue
    reader.join(60)
    assert len(found[0]) > 50
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.parametrize("path", ["/dev/full", ".", "nowhere/model", "file/model", "pipe", "circle"])
@pytest.mark.parametrize("way", ["forecaster", "onnx"])
def test_what_can_not_be_written_is_one_sentence(way, path, savers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("old")
    os.mkfifo("pipe")
    Path("circle").symlink_to("circle")
    before = os.lstat(path) if os.path.lexists(path) else None
    with pytest.raises(OSError, match=path.replace(".", r"\.")) as error:
        savers[way](path)
    assert "\n" not in str(error.value)
    if before is not None:
        assert stat.S_IFMT(os.lstat(path).st_mode) == stat.S_IFMT(before.st_mode)
    assert _left_over() == {"file", "pipe", "circle"}
    assert Path("file").read_text() == "old"


def test_a_device_stays_one(forecaster):
    forecaster.save("/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_standard_output_is_a_path_too(forecaster, tmp_path):
    forecaster.save(tmp_path / "model")
    code = "import sys, lstmforecast; lstmforecast.load(sys.argv[1]).save('/dev/stdout')"
    command = [sys.executable, "-c", code, tmp_path / "model"]
    (tmp_path / "piped").write_bytes(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=100).stdout)
    with (tmp_path / "copy").open("wb") as file:
        subprocess.run(command, stdout=file, check=True, timeout=100)
    for name in ("piped", "copy"):
        np.testing.assert_array_equal(load(tmp_path / name).predict(), forecaster.predict())


def test_no_room_leaves_the_old_file(forecaster, tmp_path):
    """In a process whose files may have 1,000 bytes."""
    forecaster.save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    code = (
        "import resource, signal, sys, lstmforecast\n"
        "model = lstmforecast.load(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "for write in (model.save, model.to_onnx):\n"
        "    try:\n        write(sys.argv[1])\n"
        "    except OSError as error:\n        print(error.errno)\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "model"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.split() == ["27", "27"]  # EFBIG
    assert (tmp_path / "model").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
