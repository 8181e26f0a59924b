"""What messages about data recommend is tried: it works."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import Panel

RNG = np.random.default_rng(0)
HOURS = pd.date_range("2024-01-01", periods=48, freq="h")
MONTHS = pd.date_range("2018-09-01", periods=40, freq="MS")
# Local times of Berlin around 27 October 2024, when 02:00 came twice.
LOCAL = pd.date_range("2024-10-26 20:00", periods=12, freq="h", tz="Europe/Berlin").tz_localize(None)
HALVES = pd.date_range("2024-10-26 20:00", periods=24, freq="30min", tz="Europe/Berlin").tz_localize(None)


def of(index: Any) -> pd.Series:
    return pd.Series(np.arange(len(index), dtype=float), index, name="load")


def later(index: pd.DatetimeIndex, least: int, most: int, unit: str) -> pd.DatetimeIndex:
    return index + pd.to_timedelta(RNG.integers(least, most, len(index)), unit)


def at_random(n: int, most: int, unit: str) -> pd.DatetimeIndex:
    return HOURS[0] + pd.to_timedelta(np.sort(RNG.choice(most, n, replace=False)), unit)


def values(*at_the_end: Any) -> pd.Series:
    return pd.Series([*np.arange(20.0).tolist(), *at_the_end], HOURS[: 20 + len(at_the_end)], dtype=object, name="load")


FRAME = pd.DataFrame({"load": np.arange(48.0), "heat": np.arange(48.0)}, HOURS)
# Data, options, and how many ways out the message names.
CASES: dict[str, tuple[Any, dict[str, Any], int]] = {
    "seconds late": (of(later(HOURS, 0, 9, "s")), {}, 1),
    "seconds early or late": (of(later(HOURS, -9, 9, "s")), {}, 1),
    "milliseconds late": (of(later(HOURS, 0, 900, "ms")), {}, 1),
    "minutes late": (of(later(HOURS, 0, 20, "min")), {}, 1),
    "seconds late, in a zone": (of(later(HOURS, 0, 9, "s").tz_localize("Africa/Cairo")), {}, 1),
    "seconds late, with gaps": (of(later(HOURS.delete([5, 6, 20]), 0, 9, "s")), {"missing": "ffill"}, 1),
    "hours late, in days": (of(later(pd.date_range("2024-01-01", periods=48), 0, 11, "h")), {}, 1),
    "days late, in months": (of(later(MONTHS, 0, 5, "D")), {}, 1),
    "random seconds": (of(at_random(90, 10**6, "s")), {}, 1),
    "random days": (of(at_random(90, 2000, "D")), {}, 1),
    "random days in a zone": (of(at_random(90, 2000, "D").tz_localize("Europe/Berlin")), {}, 1),
    "far apart": (of(pd.DatetimeIndex(["2000-01-01", "2000-01-01 00:00:01", "2010-06-01", "2024-01-01"])), {}, 1),
    "the middle of months as their start": (of(MONTHS + pd.Timedelta(days=14)), {"freq": "MS"}, 1),
    "weeks on another day": (of(pd.date_range("2024-01-01", periods=40, freq="W-MON")), {"freq": "W-SUN"}, 1),
    "numbers beside each other's step": (of([0, 2, 4, 5, 6, 9, 11, 13]), {}, 1),
    "texts of times": (of(HOURS.astype(str)), {}, 2),
    "dates": (of(pd.date_range("2024-01-01", periods=20).date), {}, 2),
    "words": (of(list("abcdef")), {}, 1),
    "parts of numbers": (of(np.arange(9) / 2), {}, 1),
    "spans of time": (of(pd.timedelta_range("1h", periods=9, freq="h")), {}, 1),
    "a time is missing": (of(pd.DatetimeIndex([*HOURS[:9], None])), {}, 1),
    "backwards": (of(HOURS[::-1]), {}, 1),
    "twice": (of(HOURS.append(HOURS[:9]).sort_values()), {}, 1),
    "clocks put back": (of(LOCAL), {}, 2),
    "clocks put back, half hours": (of(HALVES), {}, 2),
    "gaps": (of(HOURS.delete([5, 6])), {}, 3),
    "missing values": (of(HOURS).where(of(HOURS) != 7), {}, 3),
    "a dash": (values("-"), {"missing": "ffill"}, 1),
    "numbers as text": (values().astype(str), {}, 1),
    "a dash in a frame": (FRAME.astype(object).assign(load=[*range(47), "-"]), {"missing": "ffill"}, 1),
    "words beside numbers": (FRAME.assign(site="A", ok=True), {}, 1),
    "times as a column": (FRAME.rename_axis("ds").reset_index(), {}, 1),
}


def ways_out(message: str) -> list[str]:
    """Code and options that a message names."""
    advice = message.partition("; ")[2]
    code = re.findall(r"\b(?:y|pd)(?:\.|\[)[\w.\[\]()'=, /*{}:-]*?[)\]](?=$|, (?:or|leave)|;)", advice)
    return code + re.findall(r"missing='\w+'", advice)


def follow(way: str, y: Any, options: dict[str, Any], read: Callable[..., Observations]) -> Observations:
    if way.startswith("missing="):
        return read(y, **options | {"missing": way.removeprefix("missing=").strip("'")})
    return read(eval(way, {"y": y, "pd": pd}), **options)


@pytest.mark.parametrize("name", CASES)
def test_every_way_out_that_a_message_names_leads_out(name):
    y, options, n_ways = CASES[name]
    with pytest.raises((ValueError, TypeError)) as caught:
        Observations.read(y, **{"missing": "error"} | ({"freq": options["freq"]} if "freq" in options else {}))
    ways = ways_out(str(caught.value))
    assert len(ways) == n_ways, str(caught.value)
    for way in ways:
        read = follow(way, y, options, Observations.read)
        assert len(read) >= 4


def test_the_ways_out_of_a_long_frame_keep_its_names():
    long = panel(HOURS).assign(load=[*range(95), "-"])
    with pytest.raises(TypeError, match="of series 'b'") as caught:
        Panel.read(long)
    (way,) = ways_out(str(caught.value))
    assert len(follow(way, long, {"missing": "ffill"}, Panel.read)) == 96


def panel(index: pd.Index) -> pd.DataFrame:
    parts = [of(HOURS).rename_axis("ds").reset_index(), of(index).rename_axis("ds").reset_index()]
    return pd.concat(parts, keys=["a", "b"], names=["unique_id", None]).reset_index("unique_id").reset_index(drop=True)


@pytest.mark.parametrize(
    ("y", "n_ways"), [(panel(HOURS.delete([5, 6])), 3), (panel(HOURS).assign(load=[*range(90), *[np.nan] * 6]), 3)]
)
def test_the_ways_out_of_panels_lead_out(y, n_ways):
    with pytest.raises(ValueError, match="series 'b' of y") as caught:
        Panel.read(y)
    ways = ways_out(str(caught.value))
    assert len(ways) == n_ways
    for way in ways:
        assert len(follow(way, y, {}, Panel.read)) == 96


@pytest.mark.parametrize("day", [10, 15, 28, 29, 30, 31])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("freq", [None, pd.DateOffset(months=1)])
def test_months_by_any_day_have_a_frequency(day, zone, freq):
    ends = np.minimum(day, MONTHS.days_in_month)
    index = (MONTHS + pd.to_timedelta(ends - 1, "D")).tz_localize(zone)
    for known in (9, 25, 38):
        read = Observations.read(of(index[:known]), freq=freq)
        assert list(read.future_index(2)) == list(index[known : known + 2])
    gappy = of(index.delete([7, 20, 21]))
    assert list(Observations.read(gappy, freq=freq, missing="interpolate").index) == list(index)


LAST_FRIDAYS = pd.offsets.LastWeekOfMonth(weekday=4)


@pytest.mark.parametrize("freq", ["SMS", "SME", "SMS-10", LAST_FRIDAYS, "WOM-2TUE", "QS-FEB", "2MS"], ids=str)
def test_what_pandas_names_is_found(freq):
    index = pd.DatetimeIndex(pd.date_range("2020-01-01", periods=60, freq=freq), freq=None)
    read = Observations.read(of(index[:50]))
    assert list(read.future_index(10)) == list(index[50:])
    mended = Observations.read(of(index.delete([30, 31, 41])), missing="interpolate")
    assert list(mended.index) == list(index)


def test_years_that_begin_on_the_last_of_february_keep_it():
    leap = pd.DatetimeIndex([pd.Timestamp(2000 + i, 2, 29 if i % 4 == 0 else 28) for i in range(20)])
    for freq in (None, pd.DateOffset(years=1)):
        assert list(Observations.read(of(leap[:15]), freq=freq).future_index(5)) == list(leap[15:])


@pytest.mark.parametrize("gappy", [FRAME.drop(HOURS[45]), FRAME.mask(FRAME == 45.0)], ids=["a row", "a value"])
@pytest.mark.parametrize("kind", [Observations, Panel])
def test_after_a_fit_nothing_is_left_out_of_the_training(kind, gappy):
    def as_kind(frame: pd.DataFrame) -> pd.DataFrame:
        return frame if kind is Observations else pd.concat({"a": frame})

    fitted = kind.read(as_kind(FRAME))
    with pytest.raises(ValueError, match=r"missing='interpolate'.*, .*leave them out of the training"):
        kind.read(as_kind(gappy))
    with pytest.raises(ValueError, match=r"fill them with missing='ffill' or missing='interpolate'$"):
        kind.read(as_kind(gappy), like=fitted, name="context")


def test_missing_may_be_set_after_a_fit_to_what_the_network_can_do():
    model = LSTMForecaster(3, max_epochs=1, hidden_size=4, window_size=8, random_state=0, n_threads=1).fit(
        FRAME["load"]
    )
    gappy, newer = FRAME["load"].drop(HOURS[45]), pd.Series([48.0, np.nan], HOURS[-1] + pd.to_timedelta([1, 2], "h"))
    whole = model.predict(context=FRAME["load"])
    pd.testing.assert_series_equal(model.set_params(missing="interpolate").predict(context=gappy), whole)
    for missing, words in (("mask", "expected missing='ffill' or .*, got 'mask'"), ("fill", "missing to be .*'fill'")):
        model.set_params(missing=missing)
        with pytest.raises(ValueError, match=words):
            model.predict(context=gappy)
        with pytest.raises(ValueError, match=words):
            model.update(newer.rename("load"))
