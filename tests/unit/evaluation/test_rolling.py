"""Each fit sees the rows that it should, and no other; scikit-learn splits alike."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from lstmforecast.evaluation.folds import Folds
from lstmforecast.evaluation.rolling import RollingOrigins


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("train_size", [None, 20])
def test_folds_are_those_of_scikit_learn(gap, train_size):
    splitter = TimeSeriesSplit(n_splits=5, max_train_size=train_size, test_size=4, gap=gap)
    window = "expanding" if train_size is None else "sliding"
    rolling = RollingOrigins.of([60], Folds(20, stride=4, refit=True, window=window, train_size=train_size, gap=gap), 4)
    folds = rolling.folds()
    splits = list(splitter.split(np.zeros(60)))
    assert len(folds) == len(splits)
    for fold, (train, test) in zip(folds, splits, strict=True):
        np.testing.assert_array_equal(np.arange(fold.start[0], fold.stop[0]), train)
        assert rolling.origins.rows[fold.origins].tolist() == [test[0]]


@given(
    n_test=st.integers(3, 60),
    stride=st.integers(1, 9),
    refit=st.one_of(st.booleans(), st.integers(1, 50)),
    gap=st.integers(0, 30),
    train_size=st.integers(1, 10),
)
def test_each_origin_comes_once_after_the_rows_fitted_on(n_test, stride, refit, gap, train_size):
    options = Folds(n_test, stride=stride, refit=refit, window="sliding", train_size=train_size, gap=gap)
    rolling = RollingOrigins.of([100], options, 3)
    folds, origins = rolling.folds(), rolling.origins.rows
    np.testing.assert_array_equal(origins, np.arange(100 - n_test, 98, stride))
    np.testing.assert_array_equal(np.concatenate([fold.origins for fold in folds]), np.arange(len(origins)))
    assert all(fold.stop[0] + gap == origins[fold.origins[0]] for fold in folds)
    assert all(fold.stop - fold.start == train_size for fold in folds)
    assert max(len(fold.origins) for fold in folds) <= (int(refit) or len(origins))


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    test_size=st.one_of(st.integers(1, 30), st.floats(0.05, 0.95)),
    horizon=st.integers(1, 5),
    stride=st.integers(1, 9),
    refit=st.one_of(st.booleans(), st.integers(1, 9)),
    gap=st.integers(0, 9),
    train_size=st.one_of(st.none(), st.integers(1, 4)),
    window=st.sampled_from(["expanding", "sliding"]),
)
def test_each_series_of_a_panel_is_split_as_if_alone(
    lengths, test_size, horizon, stride, refit, gap, train_size, window
):
    train_size = train_size if window == "sliding" else None
    # what slides, slides by one of them
    assume(window == "expanding" or refit or train_size)
    options = Folds(test_size, stride=stride, refit=refit, window=window, train_size=train_size, gap=gap)

    def split(lengths):
        rolling = RollingOrigins.of(lengths, options, horizon)
        return rolling.origins, rolling.folds()

    try:
        origins, folds = split(lengths)
    except ValueError:
        return
    covered = np.concatenate([fold.origins for fold in folds])
    np.testing.assert_array_equal(np.sort(covered), np.arange(len(origins)))
    for i, n in enumerate(lengths):
        own = np.flatnonzero(origins.series == i)
        try:
            alone, folds_alone = split([n])
        except ValueError:
            # too short for a window of its own, or for this training part: never beyond what others are cut by
            assert all(fold.start[i] <= fold.stop[i] <= n for fold in folds)
            continue
        np.testing.assert_array_equal(origins.rows[own], alone.rows)
        for fold, expected in zip(folds, folds_alone, strict=False):
            assert (fold.start[i], fold.stop[i]) == (expected.start[0], expected.stop[0])
            np.testing.assert_array_equal(fold.origins[origins.series[fold.origins] == i] - own[0], expected.origins)
        # nothing is fitted on that is forecast with that fit
        for fold in folds[: len(folds_alone)]:
            assert fold.stop[i] + gap <= origins.rows[fold.origins[origins.series[fold.origins] == i]].min()


def test_short_series_are_cut_by_as_many_rows_and_left_out_of_the_test():
    rolling = RollingOrigins.of([50, 12, 11, 9, 3], Folds(10, stride=2, refit=True, gap=1), 4)
    # of eleven rows, the one before the test set lies in the gap
    np.testing.assert_array_equal(rolling.n_origins, [4, 4, 0, 0, 0])
    stops = [fold.stop.tolist() for fold in rolling.folds()]
    assert stops == [[39, 1, 0, 0, 0], [41, 3, 2, 0, 0], [43, 5, 4, 2, 0], [45, 7, 6, 4, 0]]
    shares = RollingOrigins.of([50, 3], Folds(0.2, stride=2, refit=True), 4)
    # a fifth of three rows holds no origin: what lies before it is fitted on
    np.testing.assert_array_equal(shares.n_origins, [4, 0])
    assert [fold.stop.tolist() for fold in shares.folds()] == [[40, 2], [42, 2], [44, 2], [46, 2]]
    # a test set of four rows has one origin, and its gap stays while the other series goes on
    gaps = RollingOrigins.of([50, 20], Folds(0.2, stride=2, refit=True, gap=1), 4)
    assert [fold.stop.tolist() for fold in gaps.folds()] == [[39, 15], [41, 15], [43, 15], [45, 15]]


def test_a_sliding_window_is_as_long_as_what_the_first_fit_has():
    folds = RollingOrigins.of([57, 17], Folds(7, stride=2, refit=True, window="sliding", gap=5), 3).folds()
    assert [list(zip(fold.start, fold.stop, strict=True)) for fold in folds] == [
        [(0, 45), (0, 5)],
        [(2, 47), (2, 7)],
        [(4, 49), (4, 9)],
    ]


def test_origins_leave_room_for_the_rows_that_a_forecast_reads():
    rolling = RollingOrigins.of([60, 14], Folds(10, refit=2), horizon=3, n_read=8)
    np.testing.assert_array_equal(rolling.origins.rows, [50, 51, 52, 4, 5, 6])
    assert [fold.stop.tolist() for fold in rolling.folds()] == [[50, 4], [52, 6]]
    with pytest.raises(ValueError, match=r"at least 12 rows for horizon=3 and the 12 rows of X .* at once, got 10"):
        RollingOrigins.of([60], Folds(10), horizon=3, n_read=12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": "sliding", "train_size": 41, "gap": 10}, "expected train_size of at most 40, the rows before the"),
        ({"gap": 50}, "expected gap to be below the 50 rows before the test set, got 50"),
    ],
)
def test_what_is_longer_than_the_series_gets_one_clear_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        RollingOrigins.of([57], Folds(7, stride=2, **options), 3)


def test_series_that_are_all_too_short_get_one_clear_sentence():
    with pytest.raises(ValueError, match="at most 11 rows, one less than the longest series has, got 12"):
        RollingOrigins.of([12, 5], Folds(12, stride=2), 3)
