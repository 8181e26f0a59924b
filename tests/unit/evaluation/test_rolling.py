"""Each fit sees the rows that it should, and no other; scikit-learn splits alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from lstmforecast.evaluation.rolling import Rolling


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("train_size", [None, 20])
def test_folds_are_those_of_scikit_learn(gap, train_size):
    splitter = TimeSeriesSplit(n_splits=5, max_train_size=train_size, test_size=4, gap=gap)
    rolling = Rolling.of([60], test_size=20, horizon=4, stride=4, gap=gap)
    folds = rolling.folds(True, "expanding" if train_size is None else "sliding", train_size)
    splits = list(splitter.split(np.zeros(60)))
    assert len(folds) == len(splits)
    for fold, (train, test) in zip(folds, splits, strict=True):
        np.testing.assert_array_equal(np.arange(fold.start[0], fold.stop[0]), train)
        assert rolling.windows.origins[fold.windows].tolist() == [test[0]]


@given(
    n_test=st.integers(3, 60),
    stride=st.integers(1, 9),
    refit=st.one_of(st.booleans(), st.integers(1, 50)),
    gap=st.integers(0, 30),
    train_size=st.integers(1, 10),
)
def test_each_origin_comes_once_after_the_rows_fitted_on(n_test, stride, refit, gap, train_size):
    rolling = Rolling.of([100], n_test, 3, stride, gap)
    folds, origins = rolling.folds(refit, "sliding", train_size), rolling.windows.origins
    np.testing.assert_array_equal(origins, np.arange(100 - n_test, 98, stride))
    np.testing.assert_array_equal(np.concatenate([fold.windows for fold in folds]), np.arange(len(origins)))
    assert all(fold.stop[0] + gap == origins[fold.windows[0]] for fold in folds)
    assert all(fold.stop - fold.start == train_size for fold in folds)
    assert max(len(fold.windows) for fold in folds) <= (int(refit) or len(origins))


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

    def split(lengths):
        rolling = Rolling.of(lengths, test_size, horizon, stride, gap)
        return rolling.windows, rolling.folds(refit, window, train_size)

    try:
        windows, folds = split(lengths)
    except ValueError:
        return
    covered = np.concatenate([fold.windows for fold in folds])
    np.testing.assert_array_equal(np.sort(covered), np.arange(len(windows)))
    for i, n in enumerate(lengths):
        own = np.flatnonzero(windows.which == i)
        try:
            alone, folds_alone = split([n])
        except ValueError:
            # too short for a window of its own, or for this training part: never beyond what others are cut by
            assert all(fold.start[i] <= fold.stop[i] <= n for fold in folds)
            continue
        np.testing.assert_array_equal(windows.origins[own], alone.origins)
        for fold, expected in zip(folds, folds_alone, strict=False):
            assert (fold.start[i], fold.stop[i]) == (expected.start[0], expected.stop[0])
            np.testing.assert_array_equal(fold.windows[windows.which[fold.windows] == i] - own[0], expected.windows)
        # nothing is fitted on that is forecast with that fit
        for fold in folds[: len(folds_alone)]:
            assert fold.stop[i] + gap <= windows.origins[fold.windows[windows.which[fold.windows] == i]].min()


def test_short_series_are_cut_by_as_many_rows_and_left_out_of_the_test():
    rolling = Rolling.of([50, 12, 9, 3], test_size=10, horizon=4, stride=2, gap=1)
    np.testing.assert_array_equal(rolling.n_origins, [4, 4, 0, 0])
    stops = [fold.stop.tolist() for fold in rolling.folds(True)]
    assert stops == [[39, 1, 0, 0], [41, 3, 0, 0], [43, 5, 2, 0], [45, 7, 4, 0]]
    shares = Rolling.of([50, 3], test_size=0.2, horizon=4, stride=2)
    # a fifth of three rows holds no window: what lies before it is fitted on
    np.testing.assert_array_equal(shares.n_origins, [4, 0])
    assert [fold.stop.tolist() for fold in shares.folds(True)] == [[40, 2], [42, 2], [44, 2], [46, 2]]


def test_a_sliding_window_is_as_long_as_what_the_first_fit_has():
    folds = Rolling.of([57, 17], 7, 3, 2, gap=5).folds(True, "sliding")
    assert [list(zip(fold.start, fold.stop, strict=True)) for fold in folds] == [
        [(0, 45), (0, 5)],
        [(2, 47), (2, 7)],
        [(4, 49), (4, 9)],
    ]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (("growing", None, 0), ValueError, "expected window to be 'expanding' or 'sliding', got 'growing'"),
        ((7, None, 0), ValueError, "expected window to be 'expanding' or 'sliding', got 7"),
        (("expanding", 20, 0), ValueError, "expected train_size=None for window='expanding', got 20"),
        (("sliding", 0, 0), ValueError, "expected train_size to be at least 1, got 0"),
        (("sliding", 0.5, 0), TypeError, "expected train_size to be an integer, got 0.5"),
        (("sliding", 41, 10), ValueError, "expected train_size of at most 40, the rows before the first origin and"),
        (("expanding", None, -1), ValueError, "expected gap to be at least 0, got -1"),
        (("expanding", None, 50), ValueError, "expected gap to be below the 50 rows before the test part, got 50"),
        (("expanding", None, "a day"), TypeError, "expected gap to be an integer, got 'a day'"),
    ],
)
def test_bad_options_get_one_clear_sentence(options, error, words):
    window, train_size, gap = options
    with pytest.raises(error, match=words):
        Rolling.of([57], 7, 3, 2, gap).folds(False, window, train_size)


def test_series_that_are_all_too_short_get_one_clear_sentence():
    with pytest.raises(ValueError, match=r"from 1 to 11, one less than the longest series has, or a .*, got 12"):
        Rolling.of([12, 5], 12, 3, 2)
