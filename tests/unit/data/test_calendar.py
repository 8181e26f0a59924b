"""Features of time are worked by hand here: neighbours in time lie close, and a cycle comes back to where it began."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmforecast.calendar import CALENDAR, Calendar, calendar_features, calendar_names
from lstmforecast.data.index import regular_grid

CYCLES = ["time_of_day", "day_of_week", "day_of_month", "day_of_year", "month", "quarter"]


def at(stamps, calendar, **options) -> pd.DataFrame:
    return calendar_features(pd.DatetimeIndex(stamps), "h", calendar, **options)


def waves(cycle) -> list[str]:
    return [f"{cycle}_sin", f"{cycle}_cos"]


def circle(part) -> list[float]:
    return [np.sin(2 * np.pi * part), np.cos(2 * np.pi * part)]


def distance(stamps, cycle) -> float:
    one, other = at(stamps, [cycle])[waves(cycle)].to_numpy()
    return float(np.linalg.norm(one - other))


@pytest.mark.parametrize(
    ("cycle", "stamp", "part"),
    [
        ("time_of_day", "2024-05-06 00:00", 0),
        ("time_of_day", "2024-05-06 06:00", 1 / 4),
        ("time_of_day", "2024-05-06 12:00", 1 / 2),
        ("time_of_day", "2024-05-06 23:59:59", 86399 / 86400),
        ("day_of_week", "2024-05-06 23:00", 0),
        ("day_of_week", "2024-05-12", 6 / 7),
        ("day_of_month", "2024-02-01", 0),
        ("day_of_month", "2024-02-29", 28 / 29),
        ("day_of_month", "2023-02-28", 27 / 28),
        ("day_of_month", "2024-04-16", 1 / 2),
        ("day_of_year", "2024-01-01", 0),
        ("day_of_year", "2023-12-31", 364 / 365),
        ("day_of_year", "2024-12-31", 365 / 366),
        # 183 days lie before 2 July in a leap year, 182 in another.
        ("day_of_year", "2024-07-02", 1 / 2),
        ("day_of_year", "2023-07-02", 182 / 365),
        # 1900 was no leap year, 2000 was one.
        ("day_of_year", "1900-03-01", 59 / 365),
        ("day_of_year", "2000-03-01", 60 / 366),
        ("month", "2024-01-31", 0),
        ("month", "2024-07-15", 1 / 2),
        ("quarter", "2024-03-31", 0),
        ("quarter", "2024-12-01", 3 / 4),
    ],
)
def test_a_cycle_is_as_far_as_counted_by_hand(cycle, stamp, part):
    row = at([stamp], [cycle])[waves(cycle)].to_numpy()[0]
    assert row == pytest.approx(circle(part), abs=1e-12)


def test_midnight_is_at_zero_and_one_and_noon_opposite():
    midnight, noon = at(["2024-05-06 00:00", "2024-05-06 12:00"], ["time_of_day"]).to_numpy()
    assert list(midnight) == [0, 1]
    assert noon == pytest.approx([0, -1], abs=1e-12)


def test_weekend_is_saturday_and_sunday():
    week = pd.date_range("2024-05-06", periods=7, freq="D")
    assert list(calendar_features(week, "D", ["day_of_week"])["weekend"]) == [0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("cycle", "across", "within"),
    [
        ("time_of_day", ["2024-05-06 23:00", "2024-05-07 00:00"], ["2024-05-06 09:00", "2024-05-06 10:00"]),
        ("day_of_week", ["2024-05-05", "2024-05-06"], ["2024-05-08", "2024-05-09"]),
        ("day_of_month", ["2024-04-30", "2024-05-01"], ["2024-04-14", "2024-04-15"]),
        ("day_of_year", ["2023-12-31", "2024-01-01"], ["2023-06-14", "2023-06-15"]),
        ("month", ["2023-12-31", "2024-01-01"], ["2024-05-31", "2024-06-01"]),
        ("quarter", ["2023-12-31", "2024-01-01"], ["2024-06-30", "2024-07-01"]),
    ],
)
def test_the_end_of_a_cycle_lies_beside_its_beginning(cycle, across, within):
    assert distance(across, cycle) == pytest.approx(distance(within, cycle))


DAY = [*waves("time_of_day"), *waves("day_of_week"), "weekend", *waves("day_of_year")]


@pytest.mark.parametrize(
    ("freq", "names"),
    [
        ("h", DAY), ("30min", DAY), ("s", DAY), ("12h", DAY), ("bh", DAY), ("H", DAY),
        ("D", DAY[2:]), ("24h", DAY[2:]), ("36h", DAY[2:]), ("2D", DAY[2:]), ("B", DAY[2:]), ("C", DAY[2:]),
        (pd.offsets.BusinessDay(offset=pd.Timedelta(hours=9)), DAY[2:]),
        ("W", waves("day_of_year")), ("2W-FRI", waves("day_of_year")), ("7D", waves("day_of_year")),
        ("168h", waves("day_of_year")), ("5B", waves("day_of_year")), ("SME", waves("day_of_year")),
        ("SMS", waves("day_of_year")),
        ("MS", waves("month")), ("ME", waves("month")), ("M", waves("month")), ("BME", waves("month")),
        ("2MS", waves("month")), ("WOM-1MON", waves("month")),
        ("QS", waves("quarter")), ("QE-NOV", waves("quarter")), ("Q-DEC", waves("quarter")), ("2QS", waves("quarter")),
        ("YS", []), ("YE-MAR", []), ("BYE", []), ("Y-DEC", []), ("12MS", []), ("4QE", []),
        (pd.DateOffset(months=1), waves("month")), (pd.DateOffset(months=1, day=15), waves("month")),
        (pd.DateOffset(days=1), DAY[2:]), (pd.DateOffset(hours=2), DAY), (pd.DateOffset(years=1), []),
        (pd.DateOffset(months=1, days=3), []),
    ],
)  # fmt: skip
def test_auto_takes_what_the_frequency_shows(freq, names):
    assert calendar_names(freq, "auto", None) == names
    assert calendar_names(freq, "auto", "DE") == [*names, "holiday"]


@pytest.mark.parametrize("freq", ["h", "30min", "D", "B", "W-SUN", "SME", "MS", "ME", "QS-JAN", "YS-JAN"])
@pytest.mark.parametrize("calendar", [None, "auto", CYCLES, ("month",), []])
@pytest.mark.parametrize("holidays", [None, "US"])
def test_the_columns_are_those_named(freq, calendar, holidays):
    index, freq = regular_grid(pd.date_range("2024-01-01", periods=40, freq=freq, name="time"))
    features = calendar_features(index, freq, calendar, holidays)
    assert list(features.columns) == calendar_names(freq, calendar, holidays)
    assert features.shape == (40, len(features.columns))
    assert features.index.equals(index)
    assert features.index.name == "time"
    assert (features.dtypes == np.float64).all()
    assert np.isfinite(features.to_numpy()).all()


# Business days have no weekend: a constant that is kept, so that a name brings the same columns at any frequency.
@pytest.mark.parametrize("freq", ["h", "D", "W-SUN", "SMS", "MS", "2MS", "QS-JAN", "2QS-JAN"])
def test_auto_takes_nothing_that_stands_still(freq):
    features = calendar_features(pd.date_range("2020-01-01", periods=400, freq=freq), freq, "auto")
    assert (features.nunique() > 1).all()


def test_a_list_is_taken_in_its_order_and_each_name_once():
    assert calendar_names("h", ["month", "day_of_week", "month"]) == [
        *waves("month"), *waves("day_of_week"), "weekend",
    ]  # fmt: skip


@pytest.mark.parametrize(("calendar", "got"), [(["month", "week"], "'week'"), ("month", "'month'"), (3, "3")])
def test_an_unknown_name_is_an_error_that_lists_those_known(calendar, got):
    known = "'time_of_day', 'day_of_week', 'day_of_month', 'day_of_year', 'month', 'quarter'"
    with pytest.raises(ValueError, match=f"^expected calendar to be None, 'auto' or a list of {known}, got {got}$"):
        calendar_names("h", calendar)


@pytest.mark.parametrize(
    ("index", "freq", "got"),
    [
        (pd.RangeIndex(5), 1, "integers"),
        (pd.Index([0, 2, 4]), 2, "integers"),
        (pd.RangeIndex(5), None, "no index"),
        (pd.RangeIndex(5), "h", "RangeIndex"),
    ],
)
def test_an_index_without_times_is_an_error(index, freq, got):
    message = "^expected y with a DatetimeIndex or PeriodIndex for {}, got {}$"
    with pytest.raises(ValueError, match=message.format("calendar='auto'", got)):
        calendar_features(index, freq, "auto")
    with pytest.raises(ValueError, match=message.format("holidays='DE'", got)):
        calendar_features(index, freq, None, "DE")


def test_nothing_asked_for_is_no_column():
    assert calendar_names(None, None) == []
    features = calendar_features(pd.RangeIndex(5), 1, None)
    assert features.shape == (5, 0)
    assert features.index.equals(pd.RangeIndex(5))


def test_an_empty_index_has_the_columns():
    features = calendar_features(pd.DatetimeIndex([]), "h", "auto", "DE")
    assert features.shape == (0, 8)
    assert (features.dtypes == np.float64).all()


def test_the_local_clock_counts():
    utc = pd.date_range("2024-05-06 18:00", periods=48, freq="h", tz="UTC")
    local = utc.tz_convert("America/New_York")
    features = calendar_features(local, "h", CYCLES)
    assert features.index is local
    naive = calendar_features(local.tz_localize(None), "h", CYCLES)
    np.testing.assert_array_equal(features, naive)
    assert list(features.loc["2024-05-07 00:00-04:00", waves("time_of_day")]) == [0, 1]


def test_the_hour_that_summer_time_ends_with_comes_twice_and_that_it_begins_with_never():
    autumn = pd.date_range("2024-10-27", periods=5, freq="h", tz="Europe/Berlin")
    spring = pd.date_range("2024-03-31", periods=4, freq="h", tz="Europe/Berlin")
    for index, hours in [(autumn, [0, 1, 2, 2, 3]), (spring, [0, 1, 3, 4])]:
        features = calendar_features(index, "h", ["time_of_day"])
        assert features.to_numpy() == pytest.approx(np.array([circle(hour / 24) for hour in hours]), abs=1e-12)


@pytest.mark.parametrize(
    ("periods", "freq"), [("h", "h"), ("2h", "2h"), ("D", "D"), ("W-SUN", "7D"), ("M", "MS"), ("Q-DEC", "QS-OCT")]
)
def test_periods_have_the_features_of_their_start(periods, freq):
    index = pd.period_range("2024-01-01", periods=30, freq=periods)
    starts = pd.date_range("2024-01-01", periods=30, freq=freq)
    for calendar in ("auto", CYCLES):
        features = calendar_features(index, regular_grid(index)[1], calendar, "DE")
        expected = calendar_features(starts, freq, calendar, "DE")
        assert features.index.equals(index)
        pd.testing.assert_frame_equal(features.reset_index(drop=True), expected.reset_index(drop=True))


moments = st.datetimes(min_value=pd.Timestamp("1900-01-01"), max_value=pd.Timestamp("2200-01-01"))


@given(st.lists(moments, min_size=1, max_size=20))
def test_every_cycle_lies_on_the_unit_circle(stamps):
    features = at(stamps, CYCLES)
    for cycle in CYCLES:
        # Two squares below 1, each rounded to 1e-16.
        np.testing.assert_allclose((features[waves(cycle)] ** 2).sum(axis=1), 1, rtol=1e-14)


# Within these years every fourth is a leap year.
@given(st.datetimes(min_value=pd.Timestamp("1901-01-01"), max_value=pd.Timestamp("2095-01-01")), st.integers(1, 100))
def test_cycles_come_back(moment, count):
    stamp = pd.Timestamp(moment)
    repeats = {
        "time_of_day": stamp + pd.Timedelta(days=count),
        "day_of_week": stamp + pd.Timedelta(weeks=count),
        "day_of_year": stamp + pd.DateOffset(years=4),
        "month": stamp + pd.DateOffset(months=12),
        "quarter": stamp + pd.DateOffset(months=12),
    }
    for cycle, later in repeats.items():
        one, other = at([stamp, later], [cycle]).to_numpy()
        np.testing.assert_array_equal(one, other)


@given(st.lists(moments, min_size=2, max_size=20), st.integers(0, 19))
def test_a_row_depends_on_its_own_time_alone(stamps, row):
    stamps = stamps[row % len(stamps) :]
    alone = at(stamps[:1], CYCLES, holidays="US")
    pd.testing.assert_frame_equal(at(stamps, CYCLES, holidays="US")[:1], alone)


def test_christmas_day_is_a_holiday_in_germany_for_all_its_hours():
    index = pd.date_range("2024-12-24 22:00", "2024-12-27 01:00", freq="h")
    holiday = calendar_features(index, "h", None, "DE")["holiday"]
    assert list(holiday) == [0] * 2 + [1] * 48 + [0] * 2


# Germany, 2024: 1 January, 29 March (Friday), 1 April (Monday), 1, 9 and 20 May, 3 October, 25 and 26 December.
SHARES = {
    "W-SUN": ("2024-12-22", [0 / 7, 2 / 7, 1 / 7]),  # to 22 and 29 December, 5 January
    "W-WED": ("2024-12-18", [0 / 7, 1 / 7, 2 / 7]),  # to 18 and 25 December, 1 January
    "2W-SUN": ("2024-12-22", [0 / 14, 3 / 14]),
    "7D": ("2024-12-18", [0 / 7, 2 / 7, 1 / 7]),  # from 18 and 25 December, 1 January
    "168h": ("2024-12-18 06:00", [0 / 7, 2 / 7, 1 / 7]),
    "36h": ("2024-12-24 00:00", [0 / 1, 2 / 2]),  # a day belongs to the step that it begins in
    "2D": ("2024-12-24", [1 / 2, 1 / 2]),
    "5B": ("2024-12-23", [2 / 7, 1 / 7]),  # from Monday to before Monday
    "MS": ("2024-12-01", [2 / 31, 1 / 31, 0 / 28]),
    "ME": ("2024-12-31", [2 / 31, 1 / 31, 0 / 28]),
    "BME": ("2024-11-29", [0 / 30, 2 / 31, 1 / 31]),
    "BMS": ("2024-12-02", [2 / 31, 1 / 31, 0 / 28]),
    "WOM-2MON": ("2024-12-09", [2 / 31, 1 / 31]),
    "2MS": ("2024-04-01", [4 / 61, 0 / 61]),
    "2ME": ("2024-05-31", [4 / 61, 0 / 61]),
    "SMS": ("2024-12-01", [0 / 14, 2 / 17, 1 / 14]),
    "SME": ("2024-12-15", [0 / 15, 2 / 16, 1 / 15]),
    "QS": ("2024-01-01", [2 / 91, 4 / 91, 0 / 92, 3 / 92]),
    "QE": ("2024-03-31", [2 / 91, 4 / 91, 0 / 92, 3 / 92]),
    "QS-FEB": ("2024-02-01", [2 / 90, 3 / 92]),
    "QE-NOV": ("2024-05-31", [5 / 92, 0 / 92, 1 / 91]),
    "YS": ("2024-01-01", [9 / 366]),
    "YE": ("2024-12-31", [9 / 366]),
    "YE-MAR": ("2025-03-31", [8 / 365]),
    pd.DateOffset(months=1, day=15): ("2024-12-15", [3 / 31, 0 / 31]),
    pd.DateOffset(weeks=1): ("2024-12-18", [0 / 7, 2 / 7, 1 / 7]),
}
HOLIDAYS = [
    "2024-01-01", "2024-03-29", "2024-04-01", "2024-05-01", "2024-05-09", "2024-05-20", "2024-10-03", "2024-12-25",
    "2024-12-26", "2025-01-01",
]  # fmt: skip


@pytest.mark.parametrize("freq", SHARES, ids=str)
def test_the_holidays_of_a_step_are_a_share_of_its_days(freq):
    start, shares = SHARES[freq]
    index = pd.date_range(start, periods=len(shares), freq=freq)
    assert str(index[0]).startswith(start[:10])
    for each in (index, index.tz_localize("Europe/Berlin")):
        features = calendar_features(each, freq, None, "DE")["holiday"]
        np.testing.assert_allclose(features, shares, rtol=1e-15)


@pytest.mark.parametrize("freq", ["2D", "W-SUN", "W-THU", "2W-FRI", "M", "2M", "Q-DEC", "Q-JAN", "Y-DEC", "Y-JUN"])
def test_the_days_of_a_period_are_its_own(freq):
    index = pd.period_range("2024-01-05", "2024-12-20", freq=freq)
    features = calendar_features(index, freq, ["day_of_week"], "DE")
    for period, holiday, weekend in zip(index, features["holiday"], features["weekend"], strict=True):
        days = pd.date_range(period.start_time, period.end_time, freq="D")
        among = pd.DatetimeIndex(HOLIDAYS)
        # the list above ends with 2024
        if days[0] >= among[0] and days[-1] <= among[-1]:
            assert holiday == pytest.approx(days.isin(among).sum() / len(days), rel=1e-15)
        assert weekend == pytest.approx((days.day_of_week >= 5).mean(), rel=1e-15)


@pytest.mark.parametrize("freq", ["h", "12h", "24h", "D", "B", "C", "bh", pd.DateOffset(hours=6)])
def test_days_and_what_is_shorter_have_the_day_of_their_label(freq):
    index = pd.date_range("2024-12-23 22:00", periods=40, freq=freq)
    features = calendar_features(index, freq, ["day_of_week"], "DE")
    assert list(features["holiday"]) == list(index.normalize().isin(pd.DatetimeIndex(HOLIDAYS)))
    assert list(features["weekend"]) == list(index.day_of_week >= 5)


def test_weekends_of_months_are_a_share_of_their_days():
    index = pd.date_range("2024-06-01", periods=2, freq="MS")
    # June 2024 began on a Saturday and ended on a Sunday
    assert list(calendar_features(index, "MS", ["day_of_week"])["weekend"]) == [10 / 30, 8 / 31]


def test_the_label_alone_counts_where_it_did_before():
    index = pd.date_range("2024-12-01", periods=5, freq="W-SUN")
    assert list(calendar_features(index, "W-SUN", None, "DE", version=1)["holiday"]) == [0] * 5
    assert calendar_names(pd.DateOffset(months=1), "auto", version=1) == []
    months = pd.date_range("2024-12-01", periods=2, freq="MS")
    assert list(calendar_features(months, "MS", None, "DE", version=1)["holiday"]) == [0, 1]


def test_a_holiday_is_one_of_the_local_date():
    utc = pd.DatetimeIndex(["2024-12-24 22:30", "2024-12-24 23:30", "2024-12-26 23:30"], tz="UTC")
    assert list(at(utc, None, holidays="DE")["holiday"]) == [0, 0, 1]
    assert list(at(utc.tz_convert("Europe/Berlin"), None, holidays="DE")["holiday"]) == [0, 1, 0]


def test_a_subdivision_has_holidays_of_its_own():
    days = ["2025-03-31", "2025-07-04"]
    assert list(at(days, None, holidays="US")["holiday"]) == [0, 1]
    assert list(at(days, None, holidays="US-CA")["holiday"]) == [1, 1]


@pytest.mark.parametrize("features", [None, "auto", ["month", "quarter"]])
def test_features_stand_for_a_calendar_without_holidays(features):
    flat = {"calendar": features, "holidays": None, "yearly": "auto"}
    assert CALENDAR.flat(features) == CALENDAR.flat(Calendar(features)) == flat
    assert CALENDAR.grouped(flat) == features
    with_holidays = Calendar(features, holidays="DE")
    assert CALENDAR.flat(with_holidays) == flat | {"holidays": "DE"}
    assert CALENDAR.grouped(flat | {"holidays": "DE"}) == with_holidays != Calendar(features)


@pytest.mark.parametrize("code", ["XX", "US-XX", "de", ""])
def test_an_unknown_country_is_an_error(code):
    message = f"^expected holidays to be a country of the holidays package, .* such as 'US-CA', or .*, got '{code}'$"
    with pytest.raises(ValueError, match=message):
        at(["2024-12-25"], None, holidays=code)


def test_a_missing_package_is_named_when_it_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    message = r"^expected the holidays package for holidays='DE', got none: pip install \"lstmforecast\[holidays\]\"$"
    with pytest.raises(ImportError, match=message):
        at(["2024-12-25"], None, holidays="DE")
    assert at(["2024-12-25"], "auto").shape == (1, 7)
    assert calendar_names("h", None, "DE") == ["holiday"]


def test_the_index_is_left_as_it_was():
    index = pd.date_range("2024-10-26", periods=60, freq="h", tz="Europe/Berlin", name="time")
    before = index.copy(deep=True)
    calendar = ["month", "month"]
    first = calendar_features(index, "h", calendar, "DE")
    pd.testing.assert_index_equal(index, before)
    assert index.freq == before.freq
    assert calendar == ["month", "month"]
    first.iloc[:] = 7
    assert calendar_features(index, "h", calendar, "DE").to_numpy().max() <= 1
