"""The page's reader of CSV text (table.js), in Node: separators, decimal commas, times, covariates by their names."""

import json
import shutil
import subprocess
from importlib import resources

import pandas as pd
import pytest

from lstmforecast.data.time_parsing import read_times

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node isn't installed")
# Reads calls, an array of [function, arguments], and writes what each returns, or the message of its error.
PROGRAM = """
const vm = require("vm"), fs = require("fs");
vm.runInThisContext(fs.readFileSync(process.argv[1], "utf8"));
const answer = ([name, given]) => {
  try { return { found: vm.runInThisContext(name)(...given) }; } catch (error) { return { refused: error.message }; }
};
process.stdout.write(JSON.stringify(JSON.parse(fs.readFileSync(0, "utf8")).map(answer)));
"""
NO_COVARIATES: dict = {"known": [], "past": [], "static": []}
MODEL = {
    "name": "m",
    "variables": ["load"],
    "times": "datetime",
    "time_name": None,
    "series_name": None,
    "is_panel": False,
    "window_size": 2,
    "missing": "error",
    "covariates": NO_COVARIATES,
    "known_steps": None,
}


def column(name: str, kind: str = "number") -> dict:
    return {"name": name, "kind": kind, "categories": None}


SHOPS = MODEL | {
    "variables": ["sales"],
    "time_name": "day",
    "series_name": "shop",
    "is_panel": True,
    "covariates": {
        "known": [column("promo"), column("kind", "category")],
        "past": [column("visitors")],
        "static": [column("region", "category")],
    },
    "known_steps": 2,
}


def call(name: str, *arguments) -> dict:
    script = resources.files("lstmforecast.serve") / "page" / "table.js"
    done = subprocess.run(
        ["node", "-e", PROGRAM, str(script)],
        input=json.dumps([[name, arguments]]),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)[0]


def window(text: str, model: dict = MODEL, steps: int = 2, series: str = "") -> dict:
    found = call("toWindow", text, model, steps, series)
    assert "found" in found, found
    return found["found"]["window"]


def refusal(text: str, model: dict = MODEL, steps: int = 2, series: str = "") -> str:
    found = call("toWindow", text, model, steps, series)
    assert "refused" in found, found
    return found["refused"]


@pytest.mark.parametrize(
    "text",
    [
        "date,load\n2026-01-01,1.5\n2026-01-02,-2e3\n",
        "\ufeffdate,load\r\n2026-01-01,1.5\r\n2026-01-02,-2000\r\n",
        "date;load\n2026-01-01;1,5\n2026-01-02;-2000\n",
        "date\tload\n2026-01-01\t1,5\n2026-01-02\t-2000,0\n",
        "date;load\n2026-01-01;1.5\n2026-01-02;-2000\n",
        '"date","load"\n"2026-01-01","1.5"\n"2026-01-02","-2000"',
        "load,date\n1.5,2026-01-01\n-2000,2026-01-02\n",
        "2026-01-01,1.5\n2026-01-02,-2000\n",
    ],
)
def test_every_dialect_gives_the_same_window(text):
    assert window(text) == {"values": [[1.5], [-2000]], "times": ["2026-01-01", "2026-01-02"]}


def test_missing_values_are_those_of_pandas():
    assert window("date,load\n2026-01-01,NA\n2026-01-02,\n2026-01-03,1\n")["values"] == [[None], [None], [1]]
    assert 'got "-"' in refusal("date,load\n2026-01-01,-\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('date,load\n2026-01-01,"1,5"\n', 'got "1,5" which could be thousands'),
        ("date;load\n2026-01-01;1,5\n2026-01-02;1.5\n", 'got "1,5" and "1.5"'),
        ("date\tload\n2026-01-01\t1,500\n", 'got "1,500" which could be thousands'),
        ("date;load\n2026-01-01;1.500,5\n", 'expected a number in row 1, column load, got "1.500,5"'),
        ("date,load\n2026-01-01,0x10\n", 'got "0x10"'),
        ("date,load\n2026-01-01,1,2\n", "expected at most 2 fields in every row, as in the header, got 3 in row 1"),
        ('date,load\n2026-01-01,"1\n', "expected a quote at the end"),
        ("a,b,c\nx,y,z\n", "expected columns named load, got a, b, c"),
        ("date,load\n03/04/2026,1\n", 'got "03/04/2026", which is 2026-04-03 or 2026-03-04'),
        ("date,load\n31/01/2026,1\n01/31/2026,2\n", "in one order of day and month"),
    ],
)
def test_what_is_unclear_is_refused(text, words):
    assert words in refusal(text)


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2026-01-01", periods=5, freq="D").strftime("%d.%m.%Y"),
        pd.date_range("2026-01-28", periods=20, freq="D").strftime("%m/%d/%Y"),
        pd.date_range("2026-01-01", periods=30, freq="h").strftime("%d/%m/%Y %H:%M"),
        pd.date_range("2026-01-31", periods=6, freq="ME").strftime("%d-%m-%Y"),
        pd.date_range("2026-01-01", periods=6, freq="MS").strftime("%m/%d/%Y"),
        pd.date_range("2026-01-01", periods=6, freq="D").strftime("%Y/%m/%d %H:%M:%S"),
        ["3.4.2026", "4.4.2026"],
        ["1.1.2026", "2.2.2026"],
        ["31.02.2026", "1.3.2026"],
        ["30.01.2026", "02/28/2026"],
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_command_line(times):
    found = call("readTimes", list(times), "datetime", "column date")
    try:
        expected = read_times(pd.Series(list(times), name="date"), None, "the file")
    except ValueError:
        # what isn't known here is left as it is, and refused by the server
        assert "refused" in found or found["found"] == list(times)
    else:
        assert pd.DatetimeIndex(found["found"]).equals(expected.rename(None))


TABLE = """shop,day,sales,promo,kind,visitors,region
north,2026-01-01,1,true,a,5,N
north,2026-01-02,2,0,b,6,N
south,2026-01-01,7,1,a,8,S
south,2026-01-02,8,False,b,9,S
south,2026-01-03,,True,a,,S
south,2026-01-04,,1,b,,S
"""


def test_covariates_are_read_by_their_names_and_rows_ahead_have_no_target():
    found = call("toWindow", TABLE, SHOPS, 2, "south")["found"]
    assert found["window"] == {
        "values": [[7], [8]],
        "times": ["2026-01-01", "2026-01-02"],
        "series": "south",
        "known": {"promo": [1, False, True, 1], "kind": ["a", "b", "a", "b"]},
        "past": {"visitors": [8, 9]},
        "static": {"region": "S"},
    }
    assert found["ahead"] == ["2026-01-03", "2026-01-04"]


@pytest.mark.parametrize(
    ("text", "series", "words"),
    [
        (TABLE, "north", "expected 2 rows ahead, with promo, kind and without sales, got 0"),
        (TABLE, "", 'expected the name of a series of the table (north, south), got ""'),
        (TABLE.replace("visitors", "guests"), "south", "expected columns named sales, promo, kind, visitors, region"),
        (TABLE.replace("8,False,b,9,S", "8,False,b,9,N"), "south", "expected one value in column region"),
        (TABLE.replace("False", "no"), "south", 'expected a number in row 2, column promo, got "no"'),
    ],
)
def test_tables_that_lack_something_are_refused(text, series, words):
    assert words in refusal(text, SHOPS, 2, series)


def test_more_rows_ahead_are_left_out_unless_they_could_be_missing_ones():
    assert len(window(TABLE, SHOPS | {"known_steps": 1}, 1, "south")["known"]["promo"]) == 3
    assert "expected 1 row ahead" in refusal(TABLE, SHOPS | {"known_steps": 1, "missing": "mask"}, 1, "south")


@pytest.mark.parametrize(
    ("time", "answered", "kind", "same"),
    [
        ("2026-01-01", "2026-01-01T00:00:00", "datetime", True),
        ("2026-01-01", "2026-01-01T05:00:00", "datetime", False),
        ("2026-01-01 05:00", "2026-01-01T05:00:00+02:00", "datetime", True),
        ("2026-01-01T03:00Z", "2026-01-01T05:00:00+02:00", "datetime", True),
        ("2026-01-01T05:00Z", "2026-01-01T05:00:00+02:00", "datetime", False),
        ("2026-01-01", "2026-01", "period", True),
        ("2026-Q2", "2026Q2", "period", True),
        ("2026-02", "2026-01", "period", False),
        (7, 7, "integer", True),
    ],
)
def test_times_of_rows_ahead_are_compared_with_those_of_the_answer(time, answered, kind, same):
    assert call("isSameTime", time, answered, kind)["found"] is same


def test_only_the_last_rows_are_sent_but_all_of_a_panel():
    rows = {"values": list(range(20)), "past": {"x": list(range(20))}, "known": {"y": list(range(23))}}
    found = call("lastRows", rows, MODEL)["found"]
    assert (len(found["values"]), len(found["past"]["x"]), len(found["known"]["y"])) == (8, 8, 11)
    assert call("lastRows", rows, SHOPS)["found"] == rows
