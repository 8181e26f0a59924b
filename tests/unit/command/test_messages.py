"""What the shell prints about a mistake: one sentence, in options and plain words, without a word of Python."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmforecast.cli import main
from lstmforecast.command.messages import OPTIONS, in_options

SMALL = ["--window-size", "12", "--hidden-size", "4", "--max-epochs", "1", "--quiet"]
# Arguments and calls, libraries, types of pandas, names with underscores.
PYTHON = re.compile(
    r"\b\w+=['\w\[,;) ]|\w\.\w+\(|\b(?:pd|np|df|X|None|Timestamp|DataFrame)\b|Index\b|`|(?<!')\b[a-z]+_\w+"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with a mistake each, and models."""
    path = tmp_path_factory.mktemp("mistakes")
    times = pd.date_range("2026-01-01", periods=80, freq="h", name="date")
    good = pd.DataFrame({"OT": np.sin(np.arange(80) / 4)}, times)
    uneven = times[0] + pd.to_timedelta(np.random.default_rng(0).integers(1, 5000, 80).cumsum(), unit="s")
    tables = {
        "good": good,
        "numbers": good.reset_index(drop=True),
        "descending": good[::-1],
        "twice": good.iloc[[0, 1, 1, 2, 3]],
        "hour_twice": good.set_axis(times.delete(50).insert(50, times[49])),
        "gap": good.drop(times[10:14]),
        "nothing": good.where(np.arange(80)[:, None] != 7),
        "begins_with_nothing": good.where(np.arange(80)[:, None] != 0),
        "large": good.where(np.arange(80)[:, None] != 7, 1e200),
        "infinite": good.where(np.arange(80)[:, None] != 7, np.inf),
        "short": good[:15],
        "two_rows": good[:2],
        "uneven": good.set_axis(uneven.rename("date")),
        "zone": good.tz_localize("Europe/Berlin"),
        "other_column": good.assign(other=1),
    }
    for name, table in tables.items():
        table.to_csv(path / f"{name}.csv")
    days = pd.date_range("2026-01-01", periods=60)
    shops = pd.concat([_shop(name, size, days) for name, size in (("north", 1), ("south", 2))])
    shops.to_csv(path / "shops.csv", index=False)
    pd.concat([shops, shops[3:4]]).to_csv(path / "shops_twice.csv", index=False)
    shops.assign(shop=shops["shop"].where(shops["sales"] != shops["sales"].max())).to_csv(
        path / "no_shop.csv", index=False
    )
    ahead = pd.concat([_shop(name, 1, days[-1] + days.freq * np.arange(1, 5)) for name in ("north", "south")])
    ahead[["shop", "day"]].assign(promo="no").to_csv(path / "ahead.csv", index=False)
    ahead[["shop", "day"]].assign(promo="maybe").to_csv(path / "other_promo.csv", index=False)
    _train(path)
    return path


def _shop(name: str, size: int, days: pd.DatetimeIndex) -> pd.DataFrame:
    numbers = np.arange(len(days))
    promo = np.where(numbers % 3 == 0, "yes", "no")
    return pd.DataFrame(
        {"shop": name, "day": days, "sales": np.sin(numbers) + size, "promo": promo, "odd": numbers % 2}
    )


def _train(path: Path) -> None:
    for name, words in (("good", ONE), ("zone", ONE), ("numbers", ONE[2:]), ("shops", [*SHOPS, *PROMO])):
        future = ["--future", str(path / "ahead.csv")] if name == "shops" else []
        save = ["--save", str(path / f"{name}.model"), "--output", str(path / "forecast.csv")]
        assert main(["forecast", str(path / f"{name}.csv"), "--horizon", "4", *words, *SMALL, *future, *save]) == 0


ONE = ["--time", "date", "--target", "OT"]
SHOPS = ["--time", "day", "--target", "sales", "--series", "shop"]
PROMO = ["--known", "promo"]


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("descending", ONE, "expected the times of the data in ascending order"),
        ("twice", ONE, "expected every time of the data once"),
        ("hour_twice", ONE, "; where clocks were put back, write each time with its offset from UTC"),
        ("gap", ONE, "fill them with --missing ffill or --missing interpolate"),
        ("gap", [*ONE, "--load", "good.model"], "fill them with --missing ffill or --missing interpolate"),
        ("nothing", ONE, "expected no missing values in the data"),
        ("begins_with_nothing", [*ONE, "--missing", "ffill"], "values that --missing ffill can fill from"),
        ("large", ONE, "give the data in other units"),
        ("infinite", ONE, "expected finite values in the data"),
        ("short", ONE, "expected at least 16 rows for --window-size 12, --horizon 4, got 15"),
        ("two_rows", ONE, "; give --freq"),
        ("two_rows", [*ONE, "--load", "good.model"], "expected the data of at least 12 rows (--window-size), got 2"),
        ("uneven", ONE, "give their frequency as --freq"),
        ("good", [*ONE, "--freq", "MS"], "at a constant step (--freq MS)"),
        ("good", [*ONE[2:], "--calendar", "auto"], "expected the data with times (--time) for --calendar auto"),
        ("good", [*ONE[2:], "--holidays", "DE"], "expected the data with times (--time) for --holidays DE"),
        ("good", [*ONE[2:], "--freq", "h"], "expected the data to have times (--time) for --freq h"),
        ("good", [*ONE, "--holidays", "XX"], "expected --holidays to be a country"),
        ("good", [*ONE, "--interval", "0.5", "--patience", "none"], "expected rows held out in training"),
        ("good", [*ONE, "--learning-rate", "nan"], "expected --learning-rate to be a number above 0"),
        ("good", [*ONE, "--n-threads", "99999"], "expected --n-threads to be an integer"),
        ("other_column", ["--time", "date", "--load", "good.model"], "choose columns with --target"),
        ("zone", [*ONE, "--load", "good.model"], "expected times without an offset from UTC in column 'date'"),
        ("good", [*ONE, "--load", "zone.model"], "expected times with their offset from UTC"),
        ("good", [*ONE, "--load", "numbers.model"], "expected the data with numbered rows, as in training"),
        ("good", [*ONE[2:], "--load", "numbers.model", "--freq", "h"], "expected no --freq"),
        ("shops_twice", SHOPS, "keep one row for each time"),
        ("no_shop", SHOPS, "expected a series in every row"),
        ("shops", [*SHOPS, "--static", "odd"], "name it in --known or --past"),
        ("shops", [*SHOPS, "--past", "odd", "--past", "sales"], "got 'sales' in --target and --past"),
        ("shops", [*SHOPS[:4], "--past", "odd"], "name the column of series in --series"),
        ("shops", [*SHOPS[:4], "--static", "odd"], "expected --series to name the column of series for --static odd"),
        ("shops", [*SHOPS, "--target", "promo"], "choose columns with --target"),
        ("shops", [*SHOPS, *PROMO, "--future", "other_promo.csv"], "in column 'promo' of --known ('no', 'yes')"),
        (
            "shops",
            ["--load", "shops.model", "--future", "ahead.csv", "--horizon", "9"],
            "got none for series 'north' at '2026-03-06 00:00:00'",
        ),
    ],
)
def test_sentences_hold_no_python(file, options, words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    small = [] if "--load" in options else SMALL
    horizon = [] if "--horizon" in options else ["--horizon", "4"]
    assert main(["forecast", f"{file}.csv", *horizon, *small, *options]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    sentence = printed.err.removeprefix("lstmforecast: error: ")
    assert words in sentence
    assert sentence.count("\n") == 1
    assert PYTHON.search(sentence) is None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["backtest", "good.csv", "--test-size", "200"], "expected a test set of at most 79 rows, got 200"),
        (["backtest", "good.csv", "--season-length", "500"], "expected --season-length below the 64 rows before"),
        (["tune", "good.csv", "--metric", "RMSSE"], "(RMSSE for several series), got 'RMSSE'"),
        (["tune", "short.csv"], "expected a test set of at least 4 rows for --horizon 4, got 3"),
    ],
)
def test_other_commands_hold_none_either(command, words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main([*command, *ONE, "--horizon", "4", *SMALL]) == 1
    sentence = capsys.readouterr().err.removeprefix("lstmforecast: error: ")
    assert words in sentence
    assert PYTHON.search(sentence) is None


@pytest.mark.parametrize("name", ["X.csv", "n_threads.csv", "data/X/y.csv", "window_size.parquet"])
def test_names_of_files_and_columns_stay(name):
    sentence = f"{name} has no column 'n_threads'; it has 'X', 'y', 'window_size'"
    assert in_options(sentence) == sentence


def test_every_option_of_the_table_is_one_of_a_command(capsys):
    listed = ""
    for command in ("forecast", "backtest", "tune", "export"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        listed += capsys.readouterr().out
    assert {*OPTIONS.values()} <= {*re.findall(r"--[a-z][a-z-]*", listed)}
