"""The score of NAB on cases worked by hand."""

import math

import numpy as np
import pytest
from tests.accuracy.nab_scoring import Window, detection_weight, probation, rows_of, score

# 1,000 rows, of which the first 150 count for nothing, and two windows of 101 rows.
WINDOWS = [Window(300, 400), Window(700, 800)]


def sigmoid(x: float) -> float:
    return 2 / (1 + math.exp(-x)) - 1


def test_probation_is_15_percent_but_at_most_750_rows() -> None:
    assert (probation(1000), probation(4032), probation(5000), probation(22695)) == (150, 604, 750, 750)


def test_no_detection_costs_a_point_for_each_window() -> None:
    assert score([], WINDOWS, 1000) == -2


def test_the_first_row_of_a_window_is_worth_a_point() -> None:
    assert detection_weight(300, WINDOWS) == pytest.approx(1.0, abs=1e-15)
    assert score([300, 700], WINDOWS, 1000) == pytest.approx(2.0, abs=1e-15)


def test_the_earliest_in_a_window_counts_alone() -> None:
    # row 350: 51 rows of 101 are left, itself included
    expected = sigmoid(5 * 51 / 101) / sigmoid(5) - 1
    assert score([350, 351, 352, 400], WINDOWS, 1000) == pytest.approx(expected, abs=1e-15)


def test_a_detection_before_any_window_costs_its_full_price() -> None:
    assert score([200, 201], WINDOWS, 1000) == pytest.approx(-2 - 2 * 0.11, abs=1e-15)


def test_one_behind_a_window_costs_the_more_the_farther() -> None:
    # 50 rows behind a window of 101 rows: half its width, which counts one row less
    near, far = 0.11 * sigmoid(-2.5), -0.11
    assert score([450], WINDOWS, 1000) == pytest.approx(-2 + near, abs=1e-15)
    assert score([699], WINDOWS, 1000) == pytest.approx(-2 + 0.11 * sigmoid(-5 * 2.99), abs=1e-15)
    # three widths behind the last, it is all
    assert score([450, 1100], WINDOWS, 1200) == pytest.approx(-2 + near + far, abs=1e-15)


def test_the_first_rows_are_not_scored() -> None:
    assert score([0, 100, 149], WINDOWS, 1000) == -2
    assert score([150], WINDOWS, 1000) == pytest.approx(-2.11)


def test_flagging_every_row_finds_all_windows_and_pays_for_the_rest() -> None:
    # 1 for each window, and for the rest what its rows cost
    rows = np.arange(1000)
    costs = sum(detection_weight(int(row), WINDOWS) for row in rows[150:] if not any(a <= row <= b for a, b in WINDOWS))
    assert score(rows, WINDOWS, 1000) == pytest.approx(2 + costs)
    assert costs < -0.11 * 450


def test_windows_are_found_by_their_times() -> None:
    times = np.array(["2014-01-01T00:00", "2014-01-01T01:00", "2014-01-01T01:00", "2014-01-01T02:00"], "datetime64[ns]")
    assert rows_of(times, [("2014-01-01 01:00:00", "2014-01-01 02:00:00")]) == [Window(1, 3)]
