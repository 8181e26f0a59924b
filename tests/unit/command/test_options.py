"""Options one by one: each has its effect, or is refused; also with a model that is loaded."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmforecast import Calendar, LSTMForecaster, backtest, load
from lstmforecast.cli import main

SMALL = ["--window-size", "12", "--hidden-size", "4", "--max-epochs", "1", "--quiet"]
ONE = ["--time", "date", "--target", "OT"]
TIMES = pd.date_range("2026-01-01", periods=80, freq="h", name="date")
TABLE = pd.DataFrame({"OT": np.sin(np.arange(80) / 4) + 2}, TIMES)
LINES = "\n".join(f"{time:%d.%m.%Y %H:%M};{value}" for time, value in TABLE["OT"].items())
MODEL = {"window_size": 12, "hidden_size": 4, "max_epochs": 1, "random_state": 0}
USAGE, REFUSED, DONE = 2, 1, 0
# Of each option of `forecast`: words with --load, the exit code, and what is printed: an error, or the header.
WITH_LOAD = {
    "--time": (["--time", "OT"], REFUSED, "expected a column of numbers as target, got 'OT'"),
    "--time-format": (["--time-format", "%Y"], REFUSED, "line 2: can't read '2026-01-01 00:00:00'"),
    "--day-first": (["--day-first"], REFUSED, "for --day-first, got '2026-01-01 00:00:00'"),
    "--separator": (["--separator", ";"], REFUSED, "it has 'date,OT'"),
    "--decimal": (["--decimal", ","], REFUSED, "expected numbers as --decimal , says"),
    "--thousands": (["--thousands", "."], REFUSED, "expected numbers as --thousands . says"),
    "--encoding": (["--encoding", "utf-16"], REFUSED, "is not a CSV table in the encoding utf-16"),
    "--target": (["--target", "date"], REFUSED, "which is the column of times"),
    "--series": (["--series", "OT"], REFUSED, "expected only --time and --target, as model was trained without names"),
    "--known": (["--known", "OT"], REFUSED, "expected only --time and --target"),
    "--past": (["--past", "OT"], REFUSED, "expected only --time and --target"),
    "--static": (["--static", "OT"], REFUSED, "expected only --time and --target"),
    "--horizon": (["--horizon", "3"], DONE, "date,OT"),
    "--freq": (["--freq", "D"], REFUSED, "expected --freq h, as model was trained, got --freq D"),
    "--missing": (["--missing", "mask"], REFUSED, "expected --missing ffill or --missing interpolate, as model was"),
    "--output": (["--output", "written.csv"], DONE, ""),
    "--coverage": (["--coverage", "0.5"], DONE, "date,OT,OT-lo-50,OT-hi-50"),
    "--interval": (["--interval", "0.5"], DONE, "date,OT,OT-lo-50,OT-hi-50"),
    "--plot": (["--plot", "written.png"], DONE, "date,OT"),
    "--future": (["--future", "data.csv"], USAGE, "expected --known with --future, got --future without"),
    "--save": (["--save", "written.model"], DONE, "date,OT"),
    "--load": ([], DONE, "date,OT"),
    "--n-threads": (["--n-threads", "100000"], REFUSED, "expected --n-threads to be an integer"),
    "--quiet": (["--quiet"], DONE, "date,OT"),
    **{
        name: ([name, *value], USAGE, f"not allowed with --load, which uses a trained model: {name}\n")
        for name, value in {
            "--window-size": ["7"],
            "--hidden-size": ["7"],
            "--num-layers": ["1"],
            "--batch-size": ["7"],
            "--n-estimators": ["1"],
            "--max-epochs": ["7"],
            "--patience": ["none"],
            "--learning-rate": ["0.1"],
            "--loss": ["mse"],
            "--non-negative": ["true"],
            "--transform": ["log"],
            "--calendar": ["auto"],
            "--holidays": ["DE"],
            "--yearly": ["auto"],
            "--seed": ["0"],
            "--unknown": ["error"],
            "--weights": ["OT"],
            "--verbose": [],
        }.items()
    },
}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    TABLE.to_csv("data.csv")
    Path("german.csv").write_text("date;OT\n" + LINES.replace(".", ",").replace(",01,2026", ".01.2026") + "\n")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model"
    LSTMForecaster(6, **MODEL).fit(TABLE).save(path)
    return path.read_bytes()


def listed(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The options that the help of a command lists, without those of its examples."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    return {*re.findall(r"^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.M)} - {"--help"}


def run(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as stopped:
        return int(stopped.code or 0)


def test_every_option_of_forecast_is_tried_with_load(capsys):
    assert listed("forecast", capsys) == {*WITH_LOAD} - {"--interval"}


@pytest.mark.parametrize("option", WITH_LOAD)
def test_a_loaded_model_honours_or_refuses(option, model, capsys):
    Path("model").write_bytes(model)
    words, code, said = WITH_LOAD[option]
    before = [] if option == "--time" else ["--time", "date"]
    horizon = [] if option == "--horizon" else ["--horizon", "6"]
    target = ["--target", "date" if option == "--target" else "OT"]
    assert run(["forecast", "data.csv", *before, *target, *horizon, "--load", "model", *words]) == code
    printed = capsys.readouterr()
    assert said in (printed.out if code == DONE else printed.err)
    if code == DONE and option != "--output":
        assert printed.out.splitlines()[0] == said
        assert len(printed.out.splitlines()) == (4 if option == "--horizon" else 7)
    for word in words:
        assert not word.startswith("written") or Path(word).stat().st_size > 100


def test_a_format_of_times_needs_times_of_the_model_too(model, capsys):
    LSTMForecaster(6, **MODEL).fit(TABLE.reset_index(drop=True)).save("model")
    for option in (["--time-format", "%Y"], ["--day-first"]):
        assert run(["forecast", "data.csv", "--target", "OT", "--horizon", "6", "--load", "model", *option]) == USAGE
        assert f"expected --time with {option[0]}, got rows that are numbered" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["forecast", "backtest", "tune"])
def test_commands_have_the_same_options_of_data(command, capsys):
    shared = {
        "--time",
        "--target",
        "--series",
        "--known",
        "--past",
        "--static",
        "--calendar",
        "--holidays",
        "--yearly",
        "--missing",
    }
    shared |= {"--separator", "--decimal", "--thousands", "--encoding", "--day-first", "--time-format"}
    assert shared <= listed(command, capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--decimal", ",", "--thousands", ","], "expected another sign for --thousands than for --decimal, got , for"),
        (["--day-first", "--time-format", "%d.%m.%Y"], "expected --time-format or --day-first, got both"),
        (["--calendar", "auto", "--calendar", "month"], "expected --calendar auto alone, got other features with it"),
        (["--seed", "-1"], "expected a whole number from 0 to 4294967295, got -1"),
    ],
)
def test_options_that_exclude_each_other_are_wrong_usage(options, words, capsys):
    assert run(["forecast", "data.csv", *ONE, "--horizon", "6", *SMALL, *options]) == USAGE
    assert words in capsys.readouterr().err


def test_calendar_and_holidays_are_those_of_the_package(capsys):
    calendar = ["--calendar", "time_of_day", "--calendar", "day_of_week", "--holidays", "DE"]
    assert main(["forecast", "data.csv", *ONE, "--horizon", "6", *SMALL, *calendar, "--save", "model"]) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    model = LSTMForecaster(6, **MODEL, calendar=Calendar(["time_of_day", "day_of_week"], holidays="DE"))
    y = TABLE.set_axis(pd.DatetimeIndex(TIMES, freq=None))
    # a file has the shortest text of each number
    np.testing.assert_allclose(printed["OT"], model.fit(y).predict()["OT"], rtol=1e-12)
    assert main(["backtest", "data.csv", *ONE, "--horizon", "6", *SMALL, *calendar]) == 0
    assert capsys.readouterr().out.strip() == repr(backtest(model, y))


def test_a_year_is_that_of_the_package(capsys):
    options = ["forecast", "data.csv", *ONE, "--horizon", "6", *SMALL, "--yearly"]
    assert main([*options, "no", "--save", "model"]) == 0
    assert load("model").calendar == Calendar(yearly=False)
    assert run([*options, "yes"]) == REFUSED
    words = "expected one series with 2 years of steps of a day or less before the held-out rows for --yearly yes, got"
    assert words in capsys.readouterr().err


def test_signs_are_those_of_the_package(capsys):
    fall = pd.DataFrame({"OT": np.arange(79.0, -1, -1)}, TIMES)
    for option in ("auto", "true", "False"):
        fall.to_csv("data.csv")
        assert main(["forecast", "data.csv", *ONE, "--horizon", "6", *SMALL, "--non-negative", option]) == DONE
        printed = pd.read_csv(io.StringIO(capsys.readouterr().out))["OT"]
        assert (printed < 0).any() == (option == "False")
    (fall - 5).to_csv("data.csv")
    assert run(["forecast", "data.csv", *ONE, "--horizon", "6", *SMALL, "--non-negative", "true"]) == REFUSED
    told = capsys.readouterr().err
    assert "expected values from 0 on, as --non-negative True says, got -1 at" in told
    assert "train with --non-negative auto" in told
    assert run(["forecast", "data.csv", *ONE, "--horizon", "6", *SMALL, "--non-negative", "yes"]) == USAGE
    assert "expected auto, true or false, got yes" in capsys.readouterr().err


def test_a_table_in_another_notation_gives_the_same_forecast(capsys):
    assert main(["forecast", "data.csv", *ONE, "--horizon", "6", *SMALL]) == 0
    expected = capsys.readouterr().out
    for options in ([], ["--separator", ";", "--decimal", ",", "--day-first", "--encoding", "utf-8"]):
        assert main(["forecast", "german.csv", *ONE, "--horizon", "6", *SMALL, *options]) == 0
        assert capsys.readouterr().out == expected


def test_a_result_never_takes_the_name_of_a_column(capsys):
    TABLE.assign(**{"OT-lo-50": 1.0}).to_csv("data.csv")
    names = ["--target", "OT", "--target", "OT-lo-50", "--coverage", "0.5"]
    assert main(["forecast", "data.csv", "--time", "date", *names, "--horizon", "6", *SMALL]) == 1
    assert "expected columns whose names differ from those of results, got 'OT-lo-50'" in capsys.readouterr().err


def test_tune_prints_scores_and_saves_the_best(capsys):
    trials = ["--trials", "2", "--save", "best", "--output", "trials.csv", "--metric", "MAE", "--test-size", "20"]
    assert main(["tune", "data.csv", *ONE, "--horizon", "6", *SMALL, *trials]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    title, header, *scores = printed.out.splitlines()
    assert title.startswith("Tuning: 2 trials")
    assert header.split() == ["MAE", "MSE", "RMSE", "sMAPE", "MASE"]
    assert [line.split("  ")[0] for line in scores[:4]] == ["best", "as given", "repeat-last", "seasonal-naive"]
    assert scores[4] == "best parameters:"
    assert any(line.startswith("  --learning-rate") for line in scores)
    assert len(pd.read_csv("trials.csv")) == 2
    assert main(["forecast", "data.csv", *ONE, "--horizon", "6", "--load", "best"]) == 0
    expected = LSTMForecaster.load("best").predict()["OT"]
    np.testing.assert_allclose(pd.read_csv(io.StringIO(capsys.readouterr().out))["OT"], expected, rtol=1e-12)


def test_a_server_reads_its_reference_as_the_options_say(capsys):
    assert run(["serve", "model", "--decimal", ","]) == USAGE
    assert "expected --reference with --decimal, got --decimal without" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weights", "nope", "--weights", "target"], "expected --weights once, got nope and target"),
        (["--time", "a", "--time", "b"], "expected --time once, got a and b"),
        (["--horizon", "3"], "expected --horizon once, got 2 and 3"),
        (["--interval", "0.8", "--coverage", "0.9"], "expected --coverage once, got 0.8 and 0.9"),
    ],
)
def test_an_option_of_one_value_is_given_once(words, message, capsys):
    assert run(["forecast", "data.csv", "--horizon", "2", *words]) == 2
    assert capsys.readouterr().err.strip().endswith(message)
