"""What is fitted can be saved, whatever names, times and frequencies it has; what can't is refused before training."""

import datetime as dt
import enum
import uuid
from decimal import Decimal

import dateutil.tz
import numpy as np
import pandas as pd
import pytest
from pandas.tseries import offsets

import lstmforecast
from lstmforecast import LSTMAnomalyDetector, LSTMClassifier, LSTMForecaster
from lstmforecast.data.saved_labels import pack_label, unpack_index, unpack_label

FAST = {"window_size": 8, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
Y = np.sin(np.arange(60) * 0.3)
DAYS = pd.date_range("2026-01-01", periods=60, freq="D")


class Plant(enum.Enum):
    NORTH = 1


class Word(str, enum.Enum):
    SOUTH = "south"


FREQUENCIES = [
    offsets.DateOffset(months=1),
    offsets.DateOffset(months=1, days=2),
    offsets.DateOffset(2, weeks=1),
    offsets.CustomBusinessDay(holidays=["2026-01-06", "2026-04-03"], weekmask="Mon Tue Wed Thu"),
    offsets.CustomBusinessMonthEnd(holidays=["2026-01-30"]),
    offsets.CustomBusinessHour(start="09:30", holidays=["2026-01-06"]),
    offsets.BusinessHour(start=["09:00", "14:00"], end=["12:00", "17:00"]),
    offsets.MonthEnd(normalize=True),
    offsets.Easter(),
    offsets.FY5253(weekday=4, startingMonth=3),
    offsets.LastWeekOfMonth(weekday=2),
]
LABELS = [
    "load", 7, 2.5, True, None, float("nan"), float("inf"), b"\x00\xff", Word.SOUTH, Decimal("1.10"), ("a", 1, None),
    dt.date(2026, 1, 1), dt.time(9, 30), dt.datetime(2026, 1, 1, 9), dt.timedelta(hours=3), uuid.UUID(int=3),
    dt.datetime(2026, 1, 1, 9, tzinfo=dt.timezone(dt.timedelta(hours=1))), np.datetime64("2026-01-01"), np.int64(3),
    pd.Timestamp("2026-01-01", tz="Europe/Berlin"), pd.Timestamp("2026-01-01").as_unit("s"), pd.Timedelta(3, "h"),
    pd.Timestamp("2025-10-26 00:30", tz="UTC").tz_convert("Europe/Berlin"), pd.Period("2026-01", "M"),
    pd.Timestamp("2025-10-26 01:30", tz="UTC").tz_convert("Europe/Berlin"), (pd.Timestamp("2026-01-01"), ("b", 2.5)),
]  # fmt: skip
ZONES = [
    dateutil.tz.gettz("Europe/Berlin"),
    dateutil.tz.tzutc(),
    dateutil.tz.tzoffset("plant", -12600),
    dt.timezone.utc,
    dt.timezone(dt.timedelta(hours=1), "CET"),
    "America/St_Johns",
]


def _saved(estimator, path):
    estimator.save(path / "model")
    return lstmforecast.load(path / "model")


@pytest.mark.parametrize("freq", FREQUENCIES, ids=lambda each: type(each).__name__)
def test_a_frequency_without_an_alias_is_saved(freq, tmp_path):
    times = pd.date_range("2000-01-03", periods=60, freq=freq)
    y = pd.Series(Y[: len(times)], times)
    for given in (None, freq):
        model = LSTMForecaster(2, **FAST, freq=given).fit(y)
        loaded = _saved(model, tmp_path)
        pd.testing.assert_series_equal(loaded.predict(3), model.predict(3))
        assert loaded.predict(1).index[0] == y.index[-1] + freq
        if given is not None:
            loaded.fit(y)
            assert loaded.predict(1).index[0] == y.index[-1] + freq


@pytest.mark.parametrize("label", LABELS, ids=repr)
def test_any_name_is_found_again(label):
    found = unpack_label(pack_label(label))
    assert found == label or (found != found and label != label)
    assert str(found) == (str(label) if not isinstance(label, Word) else "south")


@pytest.mark.parametrize("label", [each for each in LABELS if each is not None and each == each], ids=repr)
def test_columns_and_series_of_any_name_are_saved(label, tmp_path):
    frame = pd.DataFrame(Y, DAYS, pd.Index([label], tupleize_cols=False))
    model = LSTMForecaster(2, **FAST).fit(frame)
    assert list(_saved(model, tmp_path).predict()) == list(model.predict()) == list(frame)
    keys = pd.Index([label] * 60, tupleize_cols=False)
    panel = pd.Series(Y, pd.MultiIndex.from_arrays([keys, DAYS]), name=label)
    model = LSTMForecaster(2, **FAST).fit(panel)
    loaded = _saved(model, tmp_path).predict()
    assert list(loaded.index) == list(model.predict().index)
    assert loaded.name == label


@pytest.mark.parametrize(
    "keys", [DAYS[:3], DAYS[:3].tz_localize("Europe/Berlin"), DAYS[:3].to_period("D"), DAYS[:3].date]
)
def test_series_and_columns_that_are_dates_are_saved(keys, tmp_path):
    keys = pd.Index(keys)
    panel = pd.Series(np.tile(Y, 3), pd.MultiIndex.from_arrays([keys.repeat(60), DAYS.append([DAYS, DAYS])]))
    model = LSTMForecaster(2, **FAST).fit(panel)
    pd.testing.assert_series_equal(_saved(model, tmp_path).predict(), model.predict(), check_freq=False)
    frame = pd.DataFrame(np.c_[Y, 2 * Y, 3 * Y], DAYS, keys)
    model = LSTMForecaster(2, **FAST).fit(frame)
    pd.testing.assert_frame_equal(
        _saved(model, tmp_path).predict(), model.predict(), check_column_type=False, check_freq=False
    )
    detector = LSTMAnomalyDetector(LSTMForecaster(2, **FAST)).fit(frame)
    loaded = _saved(detector, tmp_path)
    pd.testing.assert_frame_equal(loaded.trace(frame), detector.trace(frame), check_freq=False)


@pytest.mark.parametrize("zone", ZONES, ids=repr)
def test_times_of_any_zone_are_saved(zone, tmp_path):
    y = pd.Series(Y, DAYS.tz_localize(zone))
    model = LSTMForecaster(2, **FAST).fit(y)
    loaded = _saved(model, tmp_path).predict(200)
    # the zone may be another object of the same name: every label is the same instant at the same time of day
    assert list(loaded.index) == list(model.predict(200).index)
    assert list(loaded.index.tz_localize(None)) == list(model.predict(200).index.tz_localize(None))
    np.testing.assert_array_equal(loaded, model.predict(200))


class TestRefusedBeforeTraining:
    def _refused(self, y, match, **parameters):
        heard = []
        for model in (
            LSTMForecaster(2, **FAST, callbacks=[heard.append], **parameters),
            LSTMAnomalyDetector(LSTMForecaster(2, **FAST, callbacks=[heard.append])),
        ):
            with pytest.raises(ValueError, match=match):
                model.fit(y)
            assert not heard
            assert not model.__sklearn_is_fitted__()

    def test_names_that_are_objects(self):
        self._refused(
            pd.DataFrame({Plant.NORTH: Y}, DAYS), r"got <Plant.NORTH: 1> \(Plant\), which cannot be saved: name"
        )
        self._refused(pd.DataFrame(Y, DAYS, [pd.Interval(0, 1)]), r"got Interval.*which cannot be saved: name it by a")

    def test_the_zone_of_this_machine(self):
        zone = dateutil.tz.tzlocal()
        self._refused(
            pd.DataFrame(Y, DAYS.tz_localize(zone)), r"got tzlocal\(\), which cannot be saved: convert the times"
        )


@pytest.mark.parametrize("labels", [["a", "b"], [True, False], [1.0, 2.0], np.array([1, 2], np.uint8)])
def test_classes_of_any_type_are_saved(labels, tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 4))
    model = LSTMClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(
        X, np.array(labels)[(X[:, 0] > 0).astype(int)]
    )
    loaded = _saved(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.dtype == model.classes_.dtype


def test_a_zone_of_a_file_has_a_name_that_a_file_can_have():
    for name in ("x" * 5000, "../etc", "/etc", ""):
        with pytest.raises(ValueError, match="a time zone without a name"):
            unpack_index(np.zeros(1, np.int64), {"kind": "datetime", "unit": "ns", "tz": name, "name": None})
