"""Regular gaps are told from gaps at random."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast.data.dataset import read_observations
from lstmforecast.data.gaps import regular_gap


def gap_of(*known: np.ndarray, panel: bool = False) -> int:
    index = pd.date_range("2026-01-01", periods=len(known[0]), freq="h")
    columns = {name: np.where(each, 1.0, np.nan) for name, each in zip("abc", known, strict=False)}
    if panel:
        y = pd.concat({name: pd.Series(values, index) for name, values in columns.items()}, names=["unique_id", "ds"])
    else:
        y = pd.DataFrame(columns, index)
    return regular_gap(read_observations(y, missing="mask"))


HOURS = np.arange(480)
AT_RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("every", [2, 3, 4])
@pytest.mark.parametrize("panel", [False, True])
def test_rows_known_every_few_steps(every, panel):
    known = HOURS % every == 0
    assert gap_of(known, known, panel=panel) == every - 1
    # few more of them gone, or known
    assert gap_of(known & (AT_RANDOM.random(480) < 0.9), panel=panel) == every - 1
    assert gap_of(known | (HOURS == 101), panel=panel) == every - 1


@pytest.mark.parametrize("panel", [False, True])
def test_a_variable_and_a_series_count_for_themselves(panel):
    regular, at_random = HOURS % 2 == 0, np.random.default_rng(2).random(480) < 0.7
    assert gap_of(regular, np.ones(480, bool), panel=panel) == 1
    assert gap_of(regular, at_random, panel=panel) == 1


@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9])
def test_gaps_at_random_are_not_regular(part):
    known = np.random.default_rng(1).random(480) < part
    known[0] = True
    assert gap_of(known) == 0


@pytest.mark.parametrize(
    "known",
    [HOURS % 24 < 12, HOURS // 24 % 7 < 5, HOURS > 300, (HOURS < 100) | (HOURS > 300)],
    ids=["by day", "working days", "late", "a hole"],
)
def test_long_gaps_are_not_regular(known):
    assert gap_of(known) == 0
