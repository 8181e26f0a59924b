"""`lstmforecast serve` in a process of its own: names, key, log, and a stop that answers received requests."""

import json
import logging
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from tests.serve.client import running
from tests.serve.conftest import wave

from lstmforecast.ab import ForecastLog
from lstmforecast.cli import main
from lstmforecast.command.serve import read_models

pytestmark = pytest.mark.alone


@pytest.fixture
def files(hourly, pair, tmp_path):
    hourly.save(tmp_path / "hourly.safetensors")
    pair.save(tmp_path / "pair.safetensors")
    return tmp_path


@pytest.fixture(autouse=True)
def loggers():
    """Restores the loggers, which the command in this process changes."""
    each = [logging.getLogger(name) for name in ("lstmforecast.serve", "uvicorn.error")]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in each]
    yield
    for logger, handlers, propagate, level in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines_of(process: subprocess.Popen) -> list[dict]:
    return [json.loads(line) for line in process.stderr]


def test_models_are_named_by_their_files(files, capsys):
    assert list(read_models([f"{files}/hourly.safetensors", f"b={files}/pair.safetensors"])) == ["hourly", "b"]
    twice = f"{files}/pair.safetensors"
    assert main(["serve", twice, twice]) == 1
    assert "'pair' twice: write NAME=FILE" in capsys.readouterr().err


def test_only_safetensors_files_are_loaded(tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Trap()))
    assert main(["serve", f"{tmp_path}/model.pkl"]) == 1
    assert "model.pkl" in capsys.readouterr().err


def test_a_used_port_is_an_error_of_one_line(files, capfd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["serve", f"{files}/pair.safetensors", "--port", port, "--log-level", "off"]) == 1
    assert f"can't listen at 127.0.0.1:{port}" in capfd.readouterr().err


def test_each_request_is_logged_as_json_and_the_key_is_read_from_a_file(files):
    (files / "key").write_text("s3cret\n")
    with running(files / "pair.safetensors", "--api-key-file", files / "key") as (process, address):
        asked = {"windows": [{"values": [[1, 2]] * 8}]}
        assert httpx.post(f"{address}/predict", json=asked).status_code == 401
        assert httpx.post(f"{address}/predict", json=asked, headers={"X-API-Key": "s3cret"}).status_code == 200
        assert httpx.get(f"{address}/nowhere").status_code == 404
        process.send_signal(signal.SIGTERM)
        logged = [line for line in lines_of(process) if line["message"] == "request"]
        assert process.wait() in (0, -signal.SIGTERM)
    seen = [(line["method"], line["path"], line["status"]) for line in logged]
    assert seen == [("POST", "/predict", 401), ("POST", "/predict", 200), ("GET", "other", 404)]
    assert all(line["level"] == "info" and line["ms"] > 0 and line["client"] == "127.0.0.1" for line in logged)
    assert "s3cret" not in str(logged)


def test_a_stopping_server_answers_the_requests_that_it_has_received(files):
    """The last byte of a body arrives after SIGTERM: the request is answered, then the server stops."""
    body = json.dumps({"windows": [{"values": np.ones((900, 8, 2)).tolist()[0]}] * 900, "horizon": 300}).encode()
    with running(files / "pair.safetensors") as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            head += f"Content-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body[:-1])
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(body[-1:])
            answer = b"".join(iter(lambda: connection.recv(2**16), b""))
        words = [line["message"] for line in lines_of(process)]
        assert process.wait() in (0, -signal.SIGTERM)
    assert answer.startswith(b"HTTP/1.1 200")
    content = answer.split(b"\r\n\r\n", 1)[1]
    assert len(json.loads(content)["forecasts"]) == 900
    assert "stopped" in words


def test_a_missing_extra_is_named(files):
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        f"from lstmforecast.cli import main; sys.exit(main(['serve', {str(files / 'pair.safetensors')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == 'lstmforecast: error: serving needs fastapi: pip install "lstmforecast[serve]"\n'


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")
def test_the_three_commands_of_the_documentation_forecast_a_file(tmp_path):
    page = (Path(__file__).parents[2] / "docs/how-to/serving.md").read_text(encoding="utf-8")
    section = page.split("## From a CSV file to a forecast with curl")[1].split("\n## ")[0]
    train, serve, send = (line.strip() for line in section.splitlines() if line.startswith("    "))
    hours = pd.date_range("2026-01-01", periods=300, freq="h", name="date")
    pd.Series(wave(300), hours, name="load").to_csv(tmp_path / "load.csv")
    program = f"{sys.executable} -c 'import sys; from lstmforecast.cli import main; sys.exit(main())'"
    # a training that takes a second
    train = train.replace("lstmforecast", program) + " --max-epochs 1"
    subprocess.run(train, shell=True, check=True, cwd=tmp_path, capture_output=True)
    with running(tmp_path / serve.removeprefix("lstmforecast serve ")) as (_, address):
        send = send.replace("python -c", f"{sys.executable} -c").replace("localhost:8000", address)
        done = subprocess.run(send, shell=True, check=True, cwd=tmp_path, capture_output=True)
    (found,) = json.loads(done.stdout)["forecasts"]
    expected = pd.read_csv(tmp_path / "forecast.csv")
    np.testing.assert_allclose(np.ravel(found["values"]), expected["load"], rtol=1e-12)  # a CSV keeps 16 digits
    assert [time.replace("T", " ") for time in found["times"]] == expected["date"].tolist()
    assert found["intervals"][0]["coverage"] == 0.9


def test_the_models_of_a_split_are_logged_and_monitored(hourly, tmp_path):
    """The log is a file: actual values may be posted to the next server."""
    for name in ("old", "new"):
        hourly.save(tmp_path / f"{name}.safetensors")
    stamps = [time.isoformat() for time in pd.date_range("2026-02-01", periods=40, freq="h")]
    values = wave(40).tolist()
    files = [tmp_path / "old.safetensors", tmp_path / "new.safetensors"]
    options = ["--split", "old=9,new=1", "--log", tmp_path / "log.db"]
    with running(*files, *options) as (process, address):
        window = {"values": values[:30], "times": stamps[:30]}
        response = httpx.post(f"{address}/predict", json={"key": "a", "windows": [window]})
        assert response.status_code == 200, response.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    hours = pd.date_range("2026-01-01", periods=200, freq="h")
    pd.DataFrame({"time": hours, "load": wave(200)}).to_csv(tmp_path / "year.csv", index=False)
    with running(*files, *options, "--reference", tmp_path / "year.csv") as (_, address):
        part = {"key": "a", "values": values[30:], "times": stamps[30:]}
        assert httpx.post(f"{address}/actuals", json={"actuals": [part]}).json() == {"stored": 10}
        assert [each["model"] for each in httpx.get(f"{address}/drift").json()["models"]] == ["old", "new"]
        words = httpx.get(f"{address}/compare").json()["detail"]
        assert words == "expected at least 8 rows of which both losses are known, got 1"


def test_a_log_keeps_the_number_of_rows_of_its_option(hourly, tmp_path):
    """Host names that aren't allowed are refused, too."""
    hourly.save(tmp_path / "a.safetensors")
    options = ["--log", tmp_path / "log.db", "--log-max-rows", "3", "--log-keep-days", "7"]
    stamps = [time.isoformat() for time in pd.date_range("2026-02-01", periods=30, freq="h")]
    window = {"values": wave(30).tolist(), "times": stamps}
    with running(tmp_path / "a.safetensors", *options, "--allowed-hosts", "a.example,b.example") as (process, address):
        for key in range(9):
            answer = httpx.post(f"{address}/predict", json={"key": str(key), "windows": [window]})
            assert answer.status_code == 200
            # each in a transaction of its own
            httpx.post(f"{address}/actuals", json={"actuals": [{"values": [1], "times": stamps[:1]}]})
        assert httpx.get(f"{address}/health", headers={"Host": "b.example:80"}).status_code == 200
        assert httpx.get(f"{address}/health", headers={"Host": "c.example"}).status_code == 421
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    # closed in good order: nothing is left beside the file
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "log.db"]
    with ForecastLog(f"sqlite:///{tmp_path}/log.db") as log:
        assert set(log.join()["key"]) == {"6", "7", "8"}


@pytest.mark.parametrize("weights", ["old", "old=9,old=1", "old=much", "=1"])
def test_invalid_weights_are_a_usage_error(files, weights, capsys):
    with pytest.raises(SystemExit):
        main(["serve", f"{files}/hourly.safetensors", "--split", weights])
    assert "expected NAME=WEIGHT,NAME=WEIGHT, each name once" in capsys.readouterr().err
