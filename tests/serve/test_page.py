"""The page in headless Chromium: rows pasted or dropped, the forecast with its interval, errors."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.serve.browser import MISSING, browser
from tests.serve.client import running
from tests.serve.conftest import table_of_shops, wave

pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=f"{MISSING} isn't installed"),
    pytest.mark.timeout(180),
]
PASTE = "document.getElementById('csv').value = arguments[0]; document.querySelector('button').click()"
DROP = """
const files = new DataTransfer();
files.items.add(new File([arguments[0]], "load.csv", {type: "text/csv"}));
document.getElementById("csv").dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true}));
"""
BAND = "document.querySelector('svg polygon.band') && document.querySelector('svg polygon.band').getAttribute('points')"


@pytest.fixture(scope="module")
def page(hourly, pair, shops, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models = {"hourly": hourly, "pair": pair, "shops": shops}
    for name, model in models.items():
        model.save(folder / f"{name}.safetensors")
    arguments = [*(folder / f"{name}.safetensors" for name in models), "--log-level", "info"]
    with running(*arguments, env=os.environ | {"LSTMFORECAST_API_KEY": "s3cret"}) as (_, address), browser() as window:
        window.open(address)
        # the list of models is refused without a key, which the page then asks for
        window.wait("!document.getElementById('key-label').hidden")
        window.run(
            "const key = document.getElementById('key'); key.value = 's3cret'; key.dispatchEvent(new Event('change'))"
        )
        window.wait("document.querySelectorAll('#model option').length === 3")
        yield window


def choose(page, model: str) -> None:
    script = "const m = document.getElementById('model'); m.value = arguments[0]; m.dispatchEvent(new Event('change'))"
    page.run(f"{script}; document.getElementById('charts').replaceChildren()", model)


def series(n: int = 40) -> pd.Series:
    return pd.Series(wave(n), pd.date_range("2026-05-01", periods=n, freq="h", name="date"), name="load")


@pytest.mark.parametrize("script", [PASTE, DROP])
def test_rows_pasted_or_dropped_are_forecast_with_an_interval(page, hourly, script):
    choose(page, "hourly")
    page.run(script, series().to_csv())
    points = page.wait(BAND).split()
    assert len(points) == 2 * 6
    numbers = page.run("return document.getElementById('table').textContent").splitlines()
    assert numbers[0] == "time,load,load lower,load upper"
    found = np.array([line.split(",")[1:] for line in numbers[1:]], float)
    context = series().round(20)
    np.testing.assert_allclose(found[:, 0], hourly.predict(context=context), rtol=1e-12)  # a CSV keeps 16 digits
    assert numbers[1].startswith("2026-05-02T16:00:00,")
    # the band, from its upper edge and back along its lower, encloses the line
    heights = [float(point.split(",")[1]) for point in points]
    assert all(upper < lower for upper, lower in zip(heights[:6], heights[:5:-1], strict=True))
    if picture := os.environ.get("LSTMFORECAST_PAGE_PICTURE"):
        page.picture(Path(picture))


def test_two_columns_are_two_charts_and_other_csv_dialects_are_read(page):
    choose(page, "pair")
    rows = "\r\n".join(f'"{str(a).replace(".", ",")}";{b}' for a, b in zip(wave(20).round(3), range(20), strict=True))
    page.run(PASTE, f"first;second\r\n{rows}\r\n")
    page.wait("document.querySelectorAll('svg path.ahead').length === 2")


def test_a_table_with_covariates_is_read_by_its_names_as_a_spreadsheet_writes_it(page, shops):
    """Of the last rows only the known columns are there; days come first, commas are decimal."""
    table = table_of_shops(64)
    ahead = table["day"] > table["day"].max() - pd.Timedelta(days=4)
    known = table.loc[ahead & (table["shop"] == "south"), ["shop", "day", "promo", "kind"]]
    expected = shops.predict(context=table[~ahead & (table["shop"] == "south")], known=known)
    table.loc[ahead, ["sales", "visitors"]] = np.nan
    choose(page, "shops")
    page.run("document.getElementById('series').value = 'south'")
    page.run(PASTE, "\ufeff" + table.to_csv(index=False, sep=";", decimal=",", date_format="%d.%m.%Y"))
    assert len(page.wait(BAND).split()) == 2 * 4
    numbers = page.run("return document.getElementById('table').textContent").splitlines()
    found = np.array([line.split(",")[1] for line in numbers[1:]], float)
    np.testing.assert_allclose(found, expected["forecast"], rtol=1e-12)  # a CSV keeps 16 digits


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("date,load\n2026-01-01,x\n", 'expected a number in row 1, column load, got "x"'),
        (series(5).to_csv(), "expected windows[0].values with at least 24 rows, got 5"),
        ("", "expected rows of a CSV file, got none"),
        ("a,b,c\n1,2,3\n", "expected columns named load, got a, b, c"),
    ],
)
def test_what_is_wrong_is_said(page, rows, words):
    choose(page, "hourly")
    page.run(PASTE, rows)
    assert (
        page.wait("document.querySelector('#message.wrong') && document.querySelector('#message.wrong').textContent")
        == words
    )
    page.run("document.getElementById('message').className = ''")


def test_text_of_a_csv_file_is_not_markup(page):
    choose(page, "hourly")
    page.run(PASTE, 'date,load\n1,"<img src=x onerror=alert(1)>"\n')
    page.wait("document.querySelector('#message.wrong')")
    assert page.run("return document.querySelectorAll('img').length") == 0


def test_the_console_shows_only_error_answers(page):
    assert [each for each in page.complaints() if "status of 4" not in each and "favicon" not in each] == []
