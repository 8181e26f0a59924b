"""Files with named columns on the command line: the numbers of the package, and messages in the command's options."""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from lstmforecast import LSTMForecaster, backtest, make_future
from lstmforecast.cli import main

SMALL = ["--window-size", "12", "--hidden-size", "4", "--max-epochs", "1", "--quiet"]
NAMES = {"target": "sales", "series": "shop", "time": "day", "known": "promo", "past": "visits", "static": "area"}
OPTIONS = [word for name, column in NAMES.items() for word in (f"--{name}", column)]
MODEL = {"window_size": 12, "hidden_size": 4, "max_epochs": 1, "random_state": 0}


def _tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    days = pd.date_range("2026-01-01", periods=90, freq="D")
    parts = []
    for shop, area in (("north", 3), ("south", 5)):
        promo = rng.integers(0, 2, 90)
        parts.append(
            pd.DataFrame({"shop": shop, "day": days, "sales": area + promo + rng.normal(size=90), "promo": promo})
        )
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(visits=rng.normal(size=180), area=np.repeat([3, 5], 90), note="not read")
    keys = {"series": "shop", "time": "day"}
    return table, make_future(table, 6, **keys).assign(promo=1)


TABLE, FUTURE = _tables()


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    TABLE.sort_values(["shop", "day"], ascending=[True, False]).to_csv("shops.csv", index=False)
    FUTURE.to_csv("plan.csv", index=False)


def _forecast(*options: str) -> int:
    return main(["forecast", "shops.csv", *OPTIONS, "--horizon", "6", *SMALL, *options])


def _read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), parse_dates=["day"]).sort_values(["shop", "day"], ignore_index=True)


def test_forecasts_are_those_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert _forecast("--future", "plan.csv", "--coverage", "0.5", "--save", "model.safetensors", "--plot", "a.png") == 0
    printed = _read(capsys.readouterr().out)
    model = LSTMForecaster(6, **MODEL).fit(TABLE.drop(columns="note"), **NAMES)
    expected = model.predict(known=FUTURE).merge(model.predict_interval(0.5, known=FUTURE))
    # a file has the shortest text of each number, and times of another resolution
    assert_frame_equal(printed, expected, check_dtype=False, rtol=1e-12)
    assert Path("a.png").stat().st_size > 0

    assert main(["forecast", "shops.csv", "--horizon", "6", "--load", "model.safetensors", "--future", "plan.csv"]) == 0
    assert_frame_equal(_read(capsys.readouterr().out), expected[["shop", "day", "forecast"]], check_dtype=False)


def test_scores_are_those_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--horizon", "6", *SMALL, "--test-size", "20", "--coverage", "0.5", "--output", "all.csv"]
    assert main(["backtest", "shops.csv", *OPTIONS, *options]) == 0
    table = TABLE.drop(columns="note")
    result = backtest(LSTMForecaster(6, **MODEL), table, **NAMES, folds=20, coverage=0.5)
    assert capsys.readouterr().out.strip() == repr(result)
    assert list(pd.read_csv("all.csv"))[:3] == ["shop", "cutoff", "day"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--series", "shop", "--target", "sales"], "expected --time and --target with --series, got --series without"),
        (["--time", "day", "--known", "promo"], "expected --time and --target with --known, got --known without"),
        (OPTIONS, "expected --future CSV with the columns of --known for the rows ahead, got none"),
        (
            ["--time", "day", "--target", "sales", "--future", "plan.csv"],
            "expected --known with --future, got --fut",
        ),
    ],
)
def test_wrong_usage_names_the_options(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["forecast", "shops.csv", "--horizon", "6", *options])
    assert error.value.code == 2
    assert words in capsys.readouterr().err


def test_a_saved_model_knows_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    LSTMForecaster(6, **MODEL).fit(TABLE.drop(columns="note"), **NAMES).save("model.safetensors")
    load = ["forecast", "shops.csv", "--horizon", "6", "--load", "model.safetensors", "--future", "plan.csv"]
    assert main([*load, "--target", "visits"]) == 1
    words = "expected --target sales, as model.safetensors was trained, got visits"
    assert words in capsys.readouterr().err
    LSTMForecaster(6, **MODEL).fit(np.sin(np.arange(90.0))).save("model.safetensors")
    assert main([*load, *OPTIONS]) == 1
    assert "as model.safetensors was trained without names" in capsys.readouterr().err


def test_a_column_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert _forecast("--future", "plan.csv", "--known", "price") == 1
    assert "shops.csv has no column 'price'; it has 'shop', 'day', 'sales', 'promo'" in capsys.readouterr().err
    assert _forecast("--future", "plan.csv", "--known", "note") == 1
    assert "plan.csv has no column 'note'; it has 'shop', 'day', 'promo'" in capsys.readouterr().err
    FUTURE.iloc[:-1].to_csv("plan.csv", index=False)
    assert _forecast("--future", "plan.csv") == 1
    message = capsys.readouterr().err
    assert "expected --known with a row for each of the 6 steps after the end" in message
    assert "got none for series 'south' at '2026-04-06 00:00:00'" in message


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert _forecast("--future", "plan.csv") == 0
    expected = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("shops.csv").read_bytes())))
    assert main(["forecast", "-", *OPTIONS, "--horizon", "6", *SMALL, "--future", "plan.csv"]) == 0
    assert capsys.readouterr().out == expected


def test_names_of_series_are_those_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    numbered = {"north": "007", "south": "112"}
    for name, table in (("shops.csv", TABLE), ("plan.csv", FUTURE)):
        table.assign(shop=table["shop"].map(numbered)).to_csv(name, index=False)
    assert _forecast("--future", "plan.csv", "--save", "model.safetensors") == 0
    expected = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in expected] == ["shop", *["007"] * 6, *["112"] * 6]
    # files of one series, whose name alone could be a number
    for name, table in (("shops.csv", TABLE), ("plan.csv", FUTURE)):
        table[table["shop"] == "south"].assign(shop="112").to_csv(name, index=False)
    assert main(["forecast", "shops.csv", "--horizon", "6", "--load", "model.safetensors", "--future", "plan.csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [expected[0], *expected[7:]]


def test_explain_prints_and_writes_what_the_package_finds(capsys: pytest.CaptureFixture[str]) -> None:
    options = [*OPTIONS, "--horizon", "6", "--future", "plan.csv", *SMALL, "--output", "parts.csv", "--save", "model"]
    assert main(["explain", "shops.csv", *options]) == 0
    printed = capsys.readouterr().out
    model = LSTMForecaster(6, **MODEL).fit(TABLE.drop(columns="note"), **NAMES)
    explanation = model.explain(known=FUTURE)
    assert printed == f"{explanation}\n"
    found = pd.read_csv("parts.csv")
    # CSV has all digits
    assert_frame_equal(found, explanation.to_frame(), check_dtype=False)
    assert main(["explain", "shops.csv", "--horizon", "6", "--future", "plan.csv", "--load", "model"]) == 0
    assert capsys.readouterr().out == f"{explanation}\n"
    with pytest.raises(SystemExit):
        main(["explain", "shops.csv", "--horizon", "5", "--future", "plan.csv", "--load", "model"])
    assert "expected --horizon 6, as model was trained, got --horizon 5" in capsys.readouterr().err


def test_unknown_words_are_ignored_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    word = {0: "no", 1: "yes"}
    words = TABLE.assign(promo=TABLE["promo"].map(word))
    words.to_csv("words.csv", index=False)
    FUTURE.assign(promo="maybe").to_csv("maybe.csv", index=False)
    options = [*OPTIONS, "--horizon", "6", "--future", "maybe.csv", *SMALL]
    assert main(["forecast", "words.csv", *options]) == 1
    assert "train with --unknown ignore to let it count as none of them" in capsys.readouterr().err
    assert main(["forecast", "words.csv", *options, "--unknown", "ignore"]) == 0
    model = LSTMForecaster(6, **MODEL).fit(words.drop(columns="note"), **NAMES, unknown="ignore")
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    expected = model.predict(known=FUTURE.assign(promo="maybe"))["forecast"]
    np.testing.assert_allclose(found["forecast"], expected, rtol=1e-12)


@pytest.mark.parametrize("codes", [("01", "A1"), ("1,5", "x"), ("true", "no"), ("1e3", "b")], ids=str)
def test_codes_are_words_in_every_file(codes: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A file with some of the codes only, which alone would be numbers."""
    table = TABLE.assign(promo=TABLE["promo"].map({0: codes[0], 1: codes[1]}))
    table.to_csv("codes.csv", index=False)
    FUTURE.assign(promo=codes[0]).to_csv("few.csv", index=False)
    options = [*OPTIONS, "--horizon", "6", "--future", "few.csv", *SMALL]
    assert main(["forecast", "codes.csv", *options, "--save", "model"]) == 0
    model = LSTMForecaster(6, **MODEL).fit(table.drop(columns="note"), **NAMES)
    expected = model.predict(known=FUTURE.assign(promo=codes[0]))["forecast"]
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    np.testing.assert_allclose(found["forecast"], expected, rtol=1e-12)
    few = table.assign(promo=codes[0])
    few.to_csv("newer.csv", index=False)
    assert main(["forecast", "newer.csv", "--horizon", "6", "--future", "few.csv", "--load", "model"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    context = few.drop(columns="note")
    expected = model.predict(context=context, known=FUTURE.assign(promo=codes[0]))["forecast"]
    np.testing.assert_allclose(found["forecast"], expected, rtol=1e-12)


def test_a_text_among_numbers_of_a_sheet_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    sales = [*TABLE["sales"][:80].round(2), "1.250", *TABLE["sales"][81:90]]
    pd.DataFrame({"day": TABLE["day"][:90], "sales": sales}).to_excel("book.xlsx", index=False)
    assert main(["forecast", "book.xlsx", "--time", "day", "--target", "sales", "--horizon", "6", *SMALL]) == 1
    assert "got the text '1.250' (line 82) among them; make it a number in the sheet" in capsys.readouterr().err


def test_weights_are_a_column_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    weighted = TABLE.assign(importance=np.linspace(0, 1, len(TABLE)))
    weighted.to_csv("shops.csv", index=False)
    options = ["--weights", "importance", "--future", "plan.csv", "--save", "model.safetensors"]
    assert _forecast(*options) == 0
    model = LSTMForecaster(6, **MODEL).fit(weighted.drop(columns="note"), **NAMES, weights="importance")
    assert_frame_equal(_read(capsys.readouterr().out), model.predict(known=FUTURE), check_dtype=False, rtol=1e-12)
    # a trained model needs none, in the arguments and in the file
    TABLE.to_csv("shops.csv", index=False)
    loaded = ["forecast", "shops.csv", "--horizon", "6", "--load", "model.safetensors", "--future", "plan.csv"]
    assert main([*loaded, *OPTIONS]) == 0
    assert_frame_equal(_read(capsys.readouterr().out), model.predict(known=FUTURE), check_dtype=False, rtol=1e-12)
    weighted.assign(importance=-1).to_csv("shops.csv", index=False)
    assert _forecast(*options) == 1
    assert "expected --weights importance to be finite and 0 or more, got -1 at " in capsys.readouterr().err
