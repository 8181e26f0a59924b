"""Table files: read as the command line and a forecaster read them, and forecast from where that is possible."""

import gzip
import os
import random
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from lstmforecast import LSTMForecaster
from lstmforecast.data.index import continue_index
from lstmforecast.data.observations import Observations
from lstmforecast.data.table_files import read_series

__all__ = ["mutate", "run_one", "seeds"]

MOST_CHARACTERS = 500
HOURS = pd.date_range("2024-03-30 20:00", periods=60, freq="h")
DAYS = pd.date_range("2024-01-25", periods=40, freq="D")
FORMS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d/%m/%y %H:%M"),
    *("%d-%b-%Y %H:%M", "%Y%m%d%H%M", "%B %d, %Y %H:%M:%S.%f"),
)
# What may stand where a time or a number did.
FIELDS = (
    *("", "NA", "nan", "now", "24:00", "2024-02-30", "03/04/2024", "31.12.99", "9999-12-31", "0001-01-01", "1e999"),
    *("-1", "1704067200", "45292.5", "202401", "2024Q1", "Jan-24", "1,5", '"', "0x10", "9" * 400, "x" * 5000, "\x00"),
    *("1.234", "1,234", "1.234,5", "1 234", "-1'234.5", "5 %", "€ 3", ";", "|", "\t", "#", "2034010510", "1e5", "007"),
    *("\uff12024-01-01", "2024-03-31 02:30+01:00", "2024-03-31 24:00", "13:00 PM", "true", "日", "1_000", " 5 "),
)


def seeds() -> list[bytes]:
    """A file of each way of writing times and numbers; with gaps, from last to first, with titles, compressed."""
    hours = [_text(HOURS.strftime(form)) for form in FORMS]
    local = HOURS.tz_localize("UTC").tz_convert("Europe/Berlin")
    others = [
        _text([time.isoformat() for time in local]),
        # an hour by its end
        _text([f"{time:%d.%m.%Y} {time.hour + 1:02d}:00" for time in HOURS]),
        _text(HOURS.delete([20, 21, 40]).astype(str)),
        _text(DAYS[::-1].strftime("%d/%m/%Y")),
        _text(DAYS.strftime("%d.%m.%y")),
        _text(pd.date_range("2010-01-01", periods=60, freq="MS").strftime("%b %Y")),
        _text(pd.period_range("2010Q1", periods=30, freq="Q").astype(str)),
        "\ufeff" + _text(HOURS.astype(str)).replace(",", ";"),
        # other separators and decimal signs, titles above the names, seconds since 1970
        _text(HOURS.astype(str)).replace(",", ";").replace(".5", ",5"),
        _text(HOURS.astype(str)).replace(",", "\t").replace(".5", ".500"),
        "# by a program\nReport\n\n" + _text(DAYS.strftime("%Y-%m-%d")).replace(",", "|"),
        _text(DAYS.strftime("%Y-%m-%d")).replace(",", "  "),
        _text([f"{int(time.timestamp())}" for time in HOURS]),
    ]
    packed = [_text(HOURS.astype(str)).encode("utf-16"), gzip.compress(_text(HOURS.astype(str)).encode(), mtime=0)]
    return [text.encode() for text in hours + others] + packed


def _text(times: Sequence[str]) -> str:
    rows = [f'"{time}",{i % 7}.5,{i}' if "," in time else f"{time},{i % 7}.5,{i}" for i, time in enumerate(times)]
    return "\n".join(["date,load,other", *rows, ""])


def mutate(seeds: Sequence[bytes], dice: random.Random) -> bytes:
    """A seed with other bytes, fields, or rows: gone, twice, exchanged, or of another seed."""
    rows = dice.choice(seeds).split(b"\n")
    for _ in range(dice.choice([1, 1, 2, 3])):
        at, how = dice.randrange(len(rows)), dice.randrange(6)
        if how == 0:
            rows[at : at + dice.randint(1, 3)] = []
        elif how == 1:
            rows[at:at] = rows[at : at + dice.randint(1, 3)]
        elif how == 2:
            rows[at] = dice.choice(dice.choice(seeds).split(b"\n"))
        elif how == 3 and rows[at]:
            changed = bytearray(rows[at])
            changed[dice.randrange(len(changed))] = dice.randrange(256)
            rows[at] = bytes(changed)
        else:
            fields = rows[at].split(b",")
            fields[dice.randrange(len(fields))] = dice.choice(FIELDS).encode()
            rows[at] = b",".join(fields)
        rows = rows or [b""]
    return b"\n".join(rows)


def run_one(data: bytes) -> str:
    """Read and forecast; an AssertionError for anything but one sentence or labels and numbers that make sense."""
    path = _path()
    path.write_bytes(data)
    try:
        frame = read_series(path, "date", ["load"])
        assert type(frame.index) is pd.DatetimeIndex, f"an index of {type(frame.index)}"
        assert not frame.index.hasnans, "a row without a time"
        observations = Observations.read(frame, missing="ffill")
    except (ValueError, OSError, TypeError) as error:
        _check_sentence(str(error).replace(str(path), ""))
        return "refused"
    index = observations.index
    assert index is not None
    assert index.is_monotonic_increasing, "times that don't ascend"
    assert index.is_unique, "a time that stands twice"
    assert frame.index.isin(index).all(), "times that are not on the grid"
    assert np.isfinite(observations.values).all(), "numbers that are none"
    if observations.freq == "h" and index.tz is None and len(index) >= _model().window_size_:
        forecast = _model().predict(context=frame)
        assert list(forecast.index) == list(continue_index(index, "h", 3)), "a forecast of other times"
        # a model of single precision: numbers beyond it may be infinite
        assert (np.abs(observations.values) > 1e30).any() or np.isfinite(forecast.to_numpy()).all(), "no number"
        return "forecast"
    return "read"


def _check_sentence(text: str) -> None:
    assert text, "no message"
    assert "\n" not in text.strip(), f"a message of several lines: {text[:200]!r}"
    assert len(text) < MOST_CHARACTERS, f"a message of {len(text)} characters: {text[:200]!r}"
    assert "Traceback" not in text, f"a message with a traceback: {text[:200]!r}"


@cache
def _model() -> LSTMForecaster:
    y = pd.DataFrame({"load": np.arange(len(HOURS)) % 7 + 0.5}, HOURS)
    return LSTMForecaster(3, window_size=12, architecture="linear", missing="ffill", n_threads=1).fit(y)


@cache
def _path() -> Path:
    # in memory where that is possible: a file for each mutant
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return Path(tempfile.mkdtemp(dir=folder)) / "data.csv"
