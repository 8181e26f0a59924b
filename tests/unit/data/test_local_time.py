"""Daily data go on at the same local time, whether it exists on a day, exists twice, or neither."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster, Sampling
from lstmforecast.data.index import continue_index, parse_frequency, regular_grid
from lstmforecast.data.local_time import elapsed, localize, nominal
from lstmforecast.data.observations import Observations

SMALL = {
    "window_size": 7,
    "hidden_size": 4,
    "max_epochs": 1,
    "sampling": Sampling(steps_per_epoch=3),
    "random_state": 0,
    "n_threads": 1,
}


def in_berlin(*times: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.Timestamp(time).tz_convert("Europe/Berlin") for time in times])


# Summer time began on 31 March 2024 at 02:00, and ended on 27 October at 03:00.
SPRING = {
    # as clocks are read at the first instant after, as they were before, and where a program read UTC
    "02:00": ["2024-03-29T02:00+01:00", "2024-03-30T02:00+01:00", "2024-03-31T03:00+02:00", "2024-04-01T02:00+02:00"],
    "02:30, first after": [
        "2024-03-29T02:30+01:00", "2024-03-30T02:30+01:00", "2024-03-31T03:00+02:00", "2024-04-01T02:30+02:00",
    ],
    "02:30, clock of before": [
        "2024-03-29T02:30+01:00", "2024-03-30T02:30+01:00", "2024-03-31T03:30+02:00", "2024-04-01T02:30+02:00",
    ],
    "twice, the first": [
        "2024-10-25T02:00+02:00", "2024-10-26T02:00+02:00", "2024-10-27T02:00+02:00", "2024-10-28T02:00+01:00",
    ],
    "twice, the second": [
        "2024-10-25T02:00+02:00", "2024-10-26T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-28T02:00+01:00",
    ],
}  # fmt: skip


@pytest.mark.parametrize("times", SPRING.values(), ids=SPRING)
def test_a_daily_job_keeps_its_local_time_over_changes_of_the_clocks(times):
    index = in_berlin(*times)
    last = index[-1]
    for part in (index, index[:3], index[1:]):
        for freq in ("D", None):
            grid, found = regular_grid(part, freq)
            assert (grid is part, found) == (True, "D")
            assert continue_index(part, found, 2)[-1].time() == last.time()
    assert continue_index(index[:3], "D", 1)[0] == last
    gappy = Observations.read(pd.Series([1.0, 3.0, 4.0], index[[0, 2, 3]]), freq="D", missing="interpolate")
    assert list(gappy.index) == list(index)


def test_a_job_that_ran_in_both_hours_is_refused_by_its_second_time():
    index = in_berlin("2024-10-26T02:00+02:00", "2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00")
    with pytest.raises(ValueError, match=r"got 2024-10-27 02:00:00\+01:00 \(row 2\), which does not lie on that grid"):
        regular_grid(index, "D")


@pytest.mark.parametrize("n_rows", [1, 2, 3, 40])
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Africa/Cairo", "2024-04-26"), ("Asia/Beirut", "2024-03-31"), ("America/Santiago", "2024-09-08"),
        ("America/Havana", "2024-03-10"),
    ],
)  # fmt: skip
def test_days_that_begin_at_one_are_days(zone, day, n_rows):
    days = pd.date_range(end=day, periods=n_rows, freq="D").tz_localize(zone, nonexistent="shift_forward")
    expected = pd.date_range(day, periods=4, freq="D")[1:].tz_localize(zone)
    y = pd.Series(np.arange(float(n_rows)), days)
    assert list(Observations.read(y, freq="D").future_index(3)) == list(expected)
    if n_rows >= 3:
        read = Observations.read(y)
        assert read.freq == "D"
        assert list(read.future_index(3)) == list(expected)


def test_a_forecast_from_the_day_without_midnight_has_the_right_days():
    days = pd.date_range(end="2024-04-26", periods=90).tz_localize("Africa/Cairo", nonexistent="shift_forward")
    long = pd.DataFrame({"unique_id": "a", "ds": days, "y": np.arange(90.0)})
    expected = [f"2024-04-{day} 00:00:00+03:00" for day in (27, 28, 29)]
    for freq in ("D", None):
        model = LSTMForecaster(3, freq=freq, **SMALL).fit(long.set_index("ds")["y"])
        assert list(map(str, model.predict().index)) == expected
        model.update(pd.Series([90.0, 91.0], days[-1:].append(days[-1:]) + pd.to_timedelta(["23h", "47h"]), name="y"))
        assert str(model.predict().index[0]) == "2024-04-29 00:00:00+03:00"
        assert list(map(str, LSTMForecaster(3, freq=freq, **SMALL).fit(long).predict()["ds"])) == expected


def test_hours_keep_elapsed_time_in_days_without_midnight():
    hours = pd.date_range("2024-04-25", periods=60, freq="h", tz="Africa/Cairo")
    for offset in ("h", pd.DateOffset(hours=1)):
        assert list(continue_index(hours[:24], offset, 36)) == list(hours[24:])
        assert len(regular_grid(hours, offset)[0]) == 60
    assert elapsed(parse_frequency("90min")) == parse_frequency("90min")
    assert elapsed(pd.DateOffset(hours=1, minutes=30)) == parse_frequency("90min")
    assert elapsed(pd.DateOffset(days=1)) is None


def test_times_that_dont_exist_are_the_first_after_them():
    # Lord Howe Island puts its clocks forward by half an hour, Samoa by a day
    for zone, time, first, by_clock_of_before in (
        ("Europe/Berlin", "2024-03-31 02:30", "03:00:00+02:00", "03:30:00+02:00"),
        ("Australia/Lord_Howe", "2024-10-06 02:10", "02:30:00+11:00", "02:40:00+11:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "00:00:00+14:00", "12:00:00+14:00"),
    ):
        for unit in ("s", "us", "ns"):
            wall = pd.DatetimeIndex([time]).as_unit(unit)
            assert str(localize(wall, zone)[0]).endswith(first)
            assert str(localize(wall, zone, second=True)[0]).endswith(by_clock_of_before)


def test_labels_stand_for_the_time_that_most_of_them_can_stand_for():
    # 1 April began at 01:00 in Damascus in most of these years
    years = pd.date_range("1999-04-01", periods=9, freq="YS-APR").tz_localize(
        "Asia/Damascus", nonexistent="shift_forward"
    )
    assert (years.hour == 1).sum() > 4
    assert list(nominal(years)) == list(pd.date_range("1999-04-01", periods=9, freq="YS-APR"))
    at_one = pd.date_range("2024-04-20 01:00", periods=10, freq="D", tz="Africa/Cairo")
    assert list(nominal(at_one)) == list(at_one.tz_localize(None))
