"""Messages about data name the value at fault, and its row: by its label, and as it was passed."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstmforecast import DriftMonitor, LSTMAnomalyDetector, LSTMForecaster, Sampling
from lstmforecast.ab import ForecastLog

SMALL = {
    "window_size": 6,
    "hidden_size": 4,
    "max_epochs": 1,
    "sampling": Sampling(steps_per_epoch=3),
    "random_state": 0,
    "n_threads": 1,
}
DAYS = pd.date_range("2024-01-01", periods=60, freq="D")
LOAD = pd.Series(np.arange(60.0), DAYS, name="load")
FRAME = pd.DataFrame({"load": np.arange(60.0), "heat": np.arange(60.0)}, DAYS)
LONG = pd.concat(
    [pd.DataFrame({"unique_id": name, "ds": DAYS, "y": np.arange(60.0)}) for name in (3, 7)], ignore_index=True
)
LATE = pd.DatetimeIndex(["2024-02-20 05:00"])


def model(**options: Any) -> LSTMForecaster:
    return LSTMForecaster(**{"horizon": 2} | SMALL | options)


def changed(data: Any, row: int, value: Any, column: int = -1) -> Any:
    """With another value in a row of the last column."""
    data = data.astype(object) if isinstance(value, str) else data.copy()
    if isinstance(data, pd.Series):
        data.iloc[row] = value
    else:
        data.isetitem(column, data.iloc[:, column].astype(object if isinstance(value, str) else float))
        data.iloc[row, column] = value
    return data


def shuffled(long: pd.DataFrame) -> pd.DataFrame:
    """Series by turns, each in order."""
    return long.sort_values("ds", kind="stable", ignore_index=True)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a dash in a series": (
        lambda: model().fit(changed(LOAD, 40, "-")),
        "got 'load' (object, such as '-' at 2024-02-10 00:00:00 (row 40))",
    ),
    "a dash in a column": (
        lambda: model().fit(changed(FRAME, 41, "-")),
        "got 'heat' (object, such as '-' at 2024-02-11 00:00:00 (row 41))",
    ),
    "a dash among texts": (
        lambda: model().fit(changed(LOAD.astype(str), 40, "1,5")),
        "such as '1,5' at 2024-02-10 00:00:00 (row 40))",
    ),
    "a dash in a list": (lambda: model().fit([1.0] * 30 + ["-"] + [2.0] * 9), "such as '-' at row 30)"),
    "a dash in a panel": (
        lambda: model().fit(changed(shuffled(LONG), 81, "-")),
        "such as '-' at 2024-02-10 00:00:00 of series 7 (row 81))",
    ),
    "infinity in a panel": (
        lambda: model().fit(changed(shuffled(LONG), 81, np.inf)),
        "got 1 infinite, the first in column 'y' at 2024-02-10 00:00:00 of series 7 (row 81)",
    ),
    "infinity in X": (
        lambda: model().fit(LOAD[:50], changed(FRAME[::-1], 29, np.inf)),
        "values in X, got 1 infinite, the first in column 'heat' at 2024-01-31 00:00:00 (row 29)",
    ),
    "infinity in X_past of a panel": (
        lambda: model().fit(LONG, X_past=changed(shuffled(LONG), 81, np.nan)),
        "in X_past, got 1 NaN, the first in column 'y' at 2024-02-10 00:00:00 of series 7 (row 81)",
    ),
    "twice in X": (
        lambda: model().fit(LOAD[:50], pd.concat([FRAME, FRAME[7:9]])),
        "expected every time of X once, got 2024-01-08 00:00:00 (row 60) more than once",
    ),
    "a dash in X": (
        lambda: model().fit(LOAD[:50], changed(FRAME, 29, "-")),
        "in column 'heat', got '-' at 2024-01-30 00:00:00 (row 29) among numbers",
    ),
    "no count": (
        lambda: model(loss="negative_binomial").fit(changed(FRAME, 40, 2.5)),
        "got 2.5 in column 'heat' at 2024-02-10 00:00:00 (row 40)",
    ),
    "no count in a panel": (
        lambda: model(loss="negative_binomial").fit(changed(LONG, 100, -1)),
        "got -1 at 2024-02-10 00:00:00 of series 7 (row 100)",
    ),
    "no logarithm": (
        lambda: model(transform="log").fit(changed(LOAD, 40, -2)),
        "got -2 at 2024-02-10 00:00:00 (row 40)",
    ),
    "infinity for a detector": (
        lambda: LSTMAnomalyDetector(model()).fit(changed(FRAME, 40, np.inf)),
        "got 1, the first in column 'heat' at 2024-02-10 00:00:00 (row 40)",
    ),
    "a dash for a detector": (
        lambda: LSTMAnomalyDetector(model()).fit(changed(FRAME, 40, "-")),
        "got 'heat' (object, such as '-' at 2024-02-10 00:00:00 (row 40))",
    ),
    "infinity for a monitor": (
        lambda: DriftMonitor(window=8).fit(changed(FRAME, 40, -np.inf)),
        "got 1 infinite ones, the first in row 40 of column 1",
    ),
    "infinity for a log": (
        lambda: ForecastLog("sqlite://").add("m", "k", DAYS[0], [1.0, np.nan], times=DAYS[1:3]),
        "got 1 that are not, the first for 2024-01-03T00:00:00",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_value_and_its_row_are_named(name):
    call, words = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        call()


@pytest.mark.parametrize("missing", ["error", "mask", "ffill", "interpolate"])
@pytest.mark.parametrize("n_rows", [1, 3])
def test_rows_of_an_update_are_counted_as_they_were_passed(missing, n_rows):
    fitted = model(missing=missing).fit(LOAD[:50])
    late = pd.Series(1.0, pd.date_range(LATE[0], periods=n_rows, freq="D"), name="load")
    with pytest.raises(ValueError, match=r"got 2024-02-20 05:00:00 \(row 0\), .* comes 2024-02-20 00"):
        fitted.update(late)
    with pytest.raises(ValueError, match=r"infinite, the first in 2024-02-21 00:00:00 \(row 1\)"):
        fitted.update(pd.Series([1.0, np.inf], DAYS[50:52], name="load"))
    fitted = model(missing=missing).fit(LONG)
    times = pd.date_range("2024-03-01", periods=n_rows, freq="D")
    newer = pd.DataFrame(
        {"unique_id": np.repeat([3, 7], n_rows), "ds": [*times, *(times + pd.Timedelta("5h"))], "y": 1.0}
    )
    with pytest.raises(ValueError, match=r"series 7 of y at a constant step .* got 2024-03-01 05:00:00 \(row 0\)"):
        fitted.update(newer)


def test_a_late_row_among_others_is_counted_as_it_was_passed():
    fitted = model(missing="ffill").fit(LOAD[:50])
    times = pd.DatetimeIndex([*DAYS[50:53], DAYS[53] + pd.Timedelta("3h"), *DAYS[54:56]])
    with pytest.raises(ValueError, match=r"got 2024-02-23 03:00:00 \(row 3\), which does not lie on that grid"):
        fitted.update(pd.Series(1.0, times, name="load"))
