"""Runs of anomalies as events."""

import numpy as np
import pandas as pd

from lstmforecast.monitoring.events import events_frame, find_runs


def test_runs_near_each_other_are_one() -> None:
    severity = np.array([0, 2, 0, 0, 3, 0, 0, 0, 2.5])
    assert [tuple(run) for run in find_runs(severity, 1.0, min_gap=2)] == [(1, 4, 4), (8, 8, 8)]
    assert [tuple(run) for run in find_runs(severity, 1.0, min_gap=1)] == [(1, 1, 1), (4, 4, 4), (8, 8, 8)]
    assert [tuple(run) for run in find_runs(severity, 1.0, min_gap=3)] == [(1, 8, 4)]


def test_rows_in_a_run_are_one_without_any_gap_allowed() -> None:
    assert [tuple(run) for run in find_runs(np.array([2.0, 2.0, 0.0, 2.0]), 1.0, min_gap=0)] == [(0, 1, 0), (3, 3, 3)]


def test_a_severity_at_the_level_is_normal() -> None:
    assert find_runs(np.array([1.0, 0.5]), 1.0, 3) == []


def test_variables_are_those_of_half_the_greatest_error_worst_first() -> None:
    severity = np.array([0.0, 2.0, 4.0])
    errors = np.array([[1.0, 1.0, 1.0], [1.0, 9.0, 1.0], [4.0, 1.0, 8.0]])
    labels = pd.date_range("2026-01-01", periods=3)
    frame = events_frame(find_runs(severity, 1.0, 0), severity, errors, labels, ["a", "b", "c"])
    assert frame.loc[0, ["start", "end", "peak"]].tolist() == [labels[1], labels[2], labels[2]]
    assert frame.loc[0, "severity"] == 4.0
    assert frame.loc[0, "variables"] == ["c", "a"]
