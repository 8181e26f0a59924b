"""The command line: its output, its messages, its exit codes."""

import io
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster, __version__
from lstmforecast.cli import main

# Small enough to train in a second.
SMALL = ["--window-size", "12", "--hidden-size", "4", "--max-epochs", "2", "--quiet"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a CSV file in the current folder: 200 hours of two daily rhythms."""
    monkeypatch.chdir(tmp_path)
    steps = np.arange(200)
    frame = pd.DataFrame({"OT": np.sin(steps / 4), "HUFL": 3 + np.cos(steps / 4)})
    frame.index = pd.date_range("2026-01-01", periods=200, freq="h", name="date")
    frame.to_csv("data.csv")
    return "data.csv"


def forecast(data: str, *options: str, small: list[str] = SMALL) -> int:
    horizon = [] if "--horizon" in options else ["--horizon", "6"]
    return main(["forecast", data, "--time", "date", "--target", "OT", *horizon, *small, *options])


def table(text: str) -> pd.DataFrame:
    frame = pd.read_csv(io.StringIO(text), index_col=0)
    return frame.set_index(pd.to_datetime(frame.index)) if frame.index.name == "date" else frame


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error, without its beginning; nothing else may have been printed."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lstmforecast: error: ")
    assert printed.err.count("\n") == 1
    return printed.err.removeprefix("lstmforecast: error: ").strip()


def test_forecast_goes_to_standard_output(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast(data) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    result = table(printed.out)
    assert list(result.columns) == ["OT"]
    assert result.index.name == "date"
    assert list(result.index) == list(pd.date_range("2026-01-09 08:00", periods=6, freq="h"))


def test_the_same_command_gives_the_same_numbers(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    forecast(data)
    first = capsys.readouterr().out
    forecast(data)
    assert capsys.readouterr().out == first
    forecast(data, "--seed", "1")
    assert capsys.readouterr().out != first


def test_bounds_are_written_beside_the_forecast(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast(data, "--target", "HUFL", "--coverage", "0.8", "--plot", "picture.png") == 0
    result = table(capsys.readouterr().out)
    assert list(result.columns) == ["OT", "OT-lo-80", "OT-hi-80", "HUFL", "HUFL-lo-80", "HUFL-hi-80"]
    assert (result["HUFL-lo-80"] < result["HUFL-hi-80"]).all()
    assert Path("picture.png").stat().st_size > 1000


def test_a_coverage_beyond_the_rows_held_out_is_told_on_standard_error(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert forecast(data, "--coverage", "0.99") == 0
    printed = capsys.readouterr()
    assert list(table(printed.out).columns) == ["OT", "OT-lo-99", "OT-hi-99"]
    assert printed.err == (
        "lstmforecast: warning: 35 windows were held out, and --coverage 0.99 needs 199: beyond the outermost errors, "
        "quantiles follow Student's t distribution, and their coverage is not promised; ask for a coverage of at most "
        "0.94, or give more rows\n"
    )


def test_files_are_written_and_nothing_is_printed(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--output", "out.csv", "--plot", "out.png", "--save", "out.safetensors"]
    assert forecast(data, "--target", "HUFL", *files) == 0
    assert capsys.readouterr().out == ""
    assert list(table(Path("out.csv").read_text()).columns) == ["OT", "HUFL"]
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in Path().iterdir()} == {data, "out.csv", "out.png", "out.safetensors"}


def test_a_saved_model_forecasts_without_training(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    forecast(data, "--save", "model.safetensors")
    trained = capsys.readouterr().out
    assert forecast(data, "--load", "model.safetensors", "--freq", "H", "--n-threads", "1", small=["--quiet"]) == 0
    assert capsys.readouterr().out == trained


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--seed", "0"], "--seed"),
        (["--loss", "poisson", "--window-size", "7"], "--window-size, --loss"),
        (["--patience", "none", "--verbose"], "--patience, --verbose"),
        (["--transform", "none"], "--transform"),
    ],
)
def test_options_of_training_are_refused_for_a_saved_model(
    data: str, options: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        forecast(data, "--load", "model.safetensors", *options, small=[])
    assert stopped.value.code == 2
    assert f"not allowed with --load, which uses a trained model: {named}\n" in capsys.readouterr().err


def test_a_saved_model_handles_gaps_as_the_option_says(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    forecast(data, "--save", "model.safetensors")
    capsys.readouterr()
    lines = Path(data).read_text().splitlines()
    Path("gap.csv").write_text("\n".join([*lines[:195], *lines[196:]]) + "\n")
    load = ["--load", "model.safetensors"]
    assert forecast("gap.csv", *load, small=[]) == 1
    message = error_of(capsys)
    assert "2026-01-09 02:00:00" in message
    assert "--missing ffill or --missing interpolate" in message
    assert forecast("gap.csv", *load, "--missing", "interpolate", small=[]) == 0
    mended = pd.read_csv("gap.csv", index_col=0, parse_dates=True).asfreq("h").interpolate()
    model = LSTMForecaster.load("model.safetensors")
    np.testing.assert_allclose(table(capsys.readouterr().out), model.predict(context=mended[["OT"]]), rtol=1e-12)
    assert forecast("gap.csv", *load, "--missing", "mask", small=[]) == 1
    assert "was trained without --missing mask" in error_of(capsys)
    assert forecast(data, *load, "--freq", "D", small=[]) == 1
    assert "expected --freq h, as model.safetensors was trained, got --freq D" in error_of(capsys)


def test_the_transform_is_that_of_the_option(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = {}
    for word in ("log", "none", "auto"):
        forecast(data, "--transform", word, "--save", "model.safetensors")
        model = LSTMForecaster.load("model.safetensors")
        chosen[word] = (model.transform, model.transform_)
    assert chosen == {"log": ("log", "log"), "none": (None, None), "auto": ("auto", chosen["auto"][1])}
    capsys.readouterr()
    Path("low.csv").write_text("\n".join([*Path(data).read_text().splitlines()[:-1], "2026-01-09 07:00:00,-3,1"]))
    assert forecast("low.csv", "--transform", "log") == 1
    assert "expected values above -1 for --transform log, got -3" in (message := error_of(capsys))
    assert "--transform none takes all values" in message


def test_messages_name_options_of_the_command(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path(data).read_text().splitlines()
    Path("unsorted.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    assert forecast("unsorted.csv") == 1
    message = error_of(capsys)
    assert "ascending order" in message
    assert "y." not in message
    Path("words.csv").write_text("\n".join([*lines[:-1], lines[-1].replace(",", ",n/a?", 1)]) + "\n")
    assert forecast("words.csv") == 1
    wrong = f"n/a?{lines[-1].split(',')[1]}"
    assert error_of(capsys) == (
        f"words.csv: expected numbers in column 'OT', got '{wrong}' (line {len(lines)}); correct it, or leave it empty "
        "if it is missing"
    )
    named = [lines[0] + ",place", *(f"{line},north" for line in lines[1:])]
    Path("places.csv").write_text("\n".join(named) + "\n")
    assert main(["forecast", "places.csv", "--time", "date", "--horizon", "6", *SMALL]) == 1
    message = error_of(capsys)
    assert message.startswith("expected numbers in every column of the data, got 'place' (str, such as 'north'")
    assert message.endswith("; correct the file, or choose columns with --target")
    assert forecast(data, "--freq", "daily") == 1
    assert error_of(capsys).startswith("expected --freq to be a pandas frequency")
    assert forecast(data, "--load", "absent.safetensors", small=["--quiet"]) == 1
    assert error_of(capsys) == "can't open absent.safetensors: No such file or directory"
    Path("short.csv").write_text("\n".join(lines[:16]) + "\n")
    assert forecast("short.csv") == 1
    assert "expected at least 18 rows for --window-size 12, --horizon 6, got 15" in error_of(capsys)
    assert forecast("short.csv", "--horizon", "2", "--patience", "none") == 0


def test_a_format_of_times_needs_times(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["forecast", data, "--horizon", "3", "--target", "OT", "--time-format", "%Y"])
    assert stopped.value.code == 2
    assert "expected --time with --time-format" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--output", "--plot", "--save"])
def test_no_output_replaces_the_data(option: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(data).read_bytes()
    assert forecast(data, option, f"./{data}") == 1
    assert "expected another file to write than that of the data" in error_of(capsys)
    assert Path(data).read_bytes() == before


@pytest.mark.parametrize("written", ["\\t", "\t", r"\s+"])
def test_tabs_as_a_shell_writes_them(written: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tabs.csv").write_text(Path(data).read_text().replace(" ", "T").replace(",", "\t"))
    assert forecast("tabs.csv", "--separator", written) == 0
    assert capsys.readouterr().err == ""
    with pytest.raises(SystemExit):
        forecast("tabs.csv", "--separator", "ab")


def test_bytes_that_are_not_text_are_refused_from_standard_input_too(
    data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"date,OT\n\xff\xfe,1\n")))
    assert forecast("-") == 1
    assert "standard input is not a CSV table" in error_of(capsys)


def test_rows_are_numbered_without_times(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", data, "--target", "OT", "--horizon", "3", *SMALL]) == 0
    assert list(table(capsys.readouterr().out).index) == [200, 201, 202]


def test_standard_input_is_read(data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(Path(data).read_text()))
    assert forecast("-") == 0
    assert len(table(capsys.readouterr().out)) == 6


def test_gaps_are_refused_or_filled(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path(data).read_text().splitlines()
    Path("gaps.csv").write_text("\n".join(lines[:50] + lines[53:]) + "\n")
    assert forecast("gaps.csv") == 1
    assert "2026-01-03 01:00:00" in error_of(capsys)
    assert forecast("gaps.csv", "--missing", "interpolate") == 0


def test_backtest_prints_scores_beside_the_naive_ones(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--time", "date", "--target", "OT", "--horizon", "6", "--test-size", "40", "--season-length", "24"]
    assert main(["backtest", data, *options, *SMALL, "--output", "rows.csv", "--plot", "backtest.png"]) == 0
    printed = capsys.readouterr().out
    for word in ("repeat", "seasonal", "mae", "rmse", "mase"):
        assert word in printed.lower()
    assert {"cutoff", "forecast", "truth"} <= set(pd.read_csv("rows.csv").columns)
    assert Path("backtest.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "temperature"], "data.csv has no column 'temperature'; it has 'date', 'OT', 'HUFL'"),
        (["--window-size", "500"], "500"),
        (["--output", "nowhere/out.csv"], "can't write nowhere/out.csv: there is no folder"),
        (["--save", "."], "can't write .:"),
        (["--load", "absent.safetensors"], "absent.safetensors"),
        (["--load", "data.csv"], "data.csv"),
    ],
)
def test_errors_are_one_line(data: str, options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    small = SMALL[2:] if "--window-size" in options else SMALL
    assert forecast(data, *options, small=["--quiet"] if "--load" in options else small) == 1
    assert words in error_of(capsys)


def test_a_missing_value_is_named(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(data).read_text().splitlines()
    text[10] = "2026-01-01 09:00:00,,3"
    Path(data).write_text("\n".join(text))
    assert forecast(data) == 1
    message = error_of(capsys)
    assert "OT" in message
    assert "2026-01-01 09:00:00" in message


@pytest.mark.parametrize("command", [[], ["forecast"], ["forecast", "x.csv", "--horizon", "0"], ["guess", "x.csv"]])
def test_wrong_usage_exits_with_2(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(command)
    assert stopped.value.code == 2
    assert "usage: lstmforecast" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["--help"], ["forecast", "--help"], ["backtest", "--help"]])
def test_help_teaches_with_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(command)
    assert stopped.value.code == 0
    assert "data.csv --time date --target OT --horizon 24" in capsys.readouterr().out


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"lstmforecast {__version__}\n"


def test_ctrl_c_exits_with_130(data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lstmforecast.command.trained.read_data", interrupt)
    assert forecast(data) == 130
    assert capsys.readouterr().err == "lstmforecast: interrupted\n"


@pytest.mark.alone
def test_help_is_answered_without_heavy_imports() -> None:
    code = (
        "import sys\nfrom lstmforecast.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*{'torch', 'pandas', 'sklearn', 'matplotlib', 'lstmforecast._core'} & set(sys.modules), file=sys.stderr)"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
    # An interpreter starts in some 30 ms here; pandas alone would take half a second.
    assert time.perf_counter() - start < 2


def test_a_closed_pipe_is_not_an_error(data: str) -> None:
    command = f"{sys.executable} -m lstmforecast forecast {data} --target OT --horizon 6 {' '.join(SMALL)}"
    done = subprocess.run(f"{command} | true", shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_export_writes_what_forecast_would(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast(data, "--save", "model.safetensors") == 0
    expected = table(capsys.readouterr().out)
    window = pd.read_csv(data)["OT"].to_numpy()[None, -12:, None]
    for option, dtype in (([], np.float32), (["--dtype", "float64"], np.float64)):
        assert main(["export", "model.safetensors", "model.onnx", *option]) == 0
        [found] = onnxruntime.InferenceSession("model.onnx").run(["forecast"], {"windows": window.astype(dtype)})
        # single precision
        np.testing.assert_allclose(found[0], expected, rtol=1e-6, atol=1e-5)
    assert capsys.readouterr().out == ""
    assert main(["export", data, "model.onnx"]) == 1
    assert "data.csv" in error_of(capsys)
    assert main(["export", "model.safetensors", "nowhere/model.onnx"]) == 1
    assert "there is no folder" in error_of(capsys)


def test_export_says_which_option_is_for_a_high_level(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(data)
    table.assign(OT=table["OT"] + 1e7).to_csv("high.csv", index=False)
    assert forecast("high.csv", "--save", "model.safetensors") == 0
    capsys.readouterr()
    assert main(["export", "model.safetensors", "model.onnx"]) == 1
    assert error_of(capsys).endswith("where float32 has steps of 1; write the file with --dtype float64")
    assert main(["export", "model.safetensors", "model.onnx", "--dtype", "float64"]) == 0


def test_a_server_without_a_split_has_no_shadow(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", data, "--no-shadow"]) == 1
    assert "expected --split and --log with --no-shadow" in error_of(capsys)


def test_the_module_is_the_command() -> None:
    module = [sys.executable, "-m", "lstmforecast"]
    done = subprocess.run([*module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"lstmforecast {__version__}\n"
    wrong = subprocess.run([*module, "guess"], capture_output=True, check=False)
    assert wrong.returncode == 2
