"""Weights of rows: aligned with the rows of the targets, whatever holds both, and refused where they make no sense."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from lstmforecast.data.dataset import read_observations
from lstmforecast.data.row_weights import read_weights

DAYS = pd.date_range("2026-01-01", periods=6, freq="D")
Y = pd.Series([3.0, 1.0, 4.0, 1.0, 5.0, 9.0], DAYS)
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 1.5])
# two series, whose rows are mixed
LONG = pd.DataFrame(
    {"unique_id": ["b", "a", "b", "a"], "ds": DAYS[[1, 0, 0, 1]], "y": [2.0, 3.0, 1.0, 4.0], "w": [0.2, 0.3, 0.1, 0.4]}
)


def read(weights, y, missing="error", **options):
    return read_weights(weights, y, read_observations(y, missing=missing, **options), missing)


@pytest.mark.parametrize("y", [Y, Y.to_frame("load"), Y.to_numpy(), list(Y), pl.DataFrame({"day": DAYS, "load": Y})])
@pytest.mark.parametrize(
    "weights", [WEIGHTS, list(WEIGHTS), WEIGHTS[:, np.newaxis], pl.Series(WEIGHTS), WEIGHTS.astype(np.float32)]
)
def test_numbers_without_labels_are_those_of_the_rows(weights, y):
    assert_array_equal(read(weights, y), WEIGHTS)


@pytest.mark.parametrize("shape", [pd.Series, pd.DataFrame])
def test_labels_say_whose_weight_it_is(shape):
    more = pd.date_range("2025-12-30", periods=10, freq="D")
    weights = shape(np.arange(10.0), more).sample(frac=1, random_state=0)
    assert_array_equal(read(weights, Y), np.arange(2.0, 8.0))


def test_rows_of_a_panel_have_their_weights_in_any_order():
    panel = LONG.set_index(["unique_id", "ds"])
    # the series in the order of their first rows, in each the rows by time
    expected = [0.1, 0.2, 0.3, 0.4]
    long = LONG.drop(columns="w")
    for weights in (LONG["w"].to_numpy(), LONG["w"], LONG.drop(columns="y"), panel["w"].sort_index()):
        assert_array_equal(read(weights, long, freq="D"), expected)
    in_order = panel[["y"]].sort_index()
    assert_array_equal(read(panel["w"], in_order, freq="D"), [0.3, 0.4, 0.1, 0.2])


def test_truth_values_count_or_do_not():
    assert_array_equal(read(WEIGHTS > 1, Y), [0, 0, 1, 0, 1, 1])


@pytest.mark.parametrize(("missing", "expected"), [("mask", 0.0), ("ffill", 1.0), ("interpolate", 2.0)])
@pytest.mark.parametrize("labelled", [False, True])
def test_a_time_that_is_missing_is_weighted_as_it_is_filled(missing, expected, labelled):
    y, weights = Y.drop(DAYS[2]), pd.Series([5.0, 1.0, 3.0, 2.0, 4.0], DAYS.delete(2))
    got = read(weights if labelled else weights.to_numpy(), y, missing, freq="D")
    assert_array_equal(got, [5.0, 1.0, expected, 3.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (WEIGHTS[:5], "expected weights with one number for each of the 6 rows of y, got the shape (5,)"),
        (np.ones((6, 2)), "expected weights with one number for each of the 6 rows of y, got the shape (6, 2)"),
        (-WEIGHTS, "expected weights to be finite and 0 or more, got -1 at 2026-01-01 00:00:00 (row 0)"),
        (
            np.where(WEIGHTS > 2, np.nan, WEIGHTS),
            "expected weights to be finite and 0 or more, got nan at 2026-01-05 00:00:00 (row 4)",
        ),
        (
            np.where(WEIGHTS > 2, np.inf, WEIGHTS),
            "expected weights to be finite and 0 or more, got inf at 2026-01-05 00:00:00 (row 4)",
        ),
        (0 * WEIGHTS, "expected weights above 0 for at least one row, got zeros only"),
        (
            pd.Series(WEIGHTS[:5], DAYS[:5]),
            "expected weights with a row for each of the rows of y, got none for 2026-01-06 00:00:00",
        ),
        (
            pd.DataFrame({"load": WEIGHTS, "wind": WEIGHTS}, DAYS),
            "expected weights with one number for each row of y, which counts for all of its columns, got 2 columns",
        ),
        (pd.Series(WEIGHTS), "expected weights with a DatetimeIndex, as y, got a RangeIndex"),
        (["high"] * 6, "expected numbers in every column of weights"),
        (
            [1, 1, 1, 1, 0, 1e50],
            "expected weights within a ratio of 1e+37, or 0, got from 1 to 1e+50; give rows that hardly count",
        ),
    ],
)
def test_what_are_no_weights_is_refused(weights, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        read(weights, Y)


@pytest.mark.parametrize("index", [range(5, -1, -1), range(1, 7), DAYS])
def test_an_index_that_y_lacks_is_refused(index):
    message = "expected weights with the index 0 to 5 in order, as y has no index, got one that begins with "
    with pytest.raises(ValueError, match=re.escape(message)):
        read(pd.Series(WEIGHTS, index), Y.to_numpy())
    assert_array_equal(read(pd.Series(WEIGHTS), Y.to_numpy()), WEIGHTS)


def test_the_greatest_ratio_counts_in_single_precision():
    weights = np.array([1e-37, 1, 1, 1, 1, 1])
    assert np.float32(read(weights, Y)[0] / weights.mean()) > np.finfo(np.float32).tiny
