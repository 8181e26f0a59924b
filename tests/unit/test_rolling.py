"""Each fit sees the rows that it should, and no other; scikit-learn splits alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from lstmforecast.rolling import folds_of, rolling_origins


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("train_size", [None, 20])
def test_folds_are_those_of_scikit_learn(gap, train_size):
    splitter = TimeSeriesSplit(n_splits=5, max_train_size=train_size, test_size=4, gap=gap)
    origins = rolling_origins(60, test_size=20, horizon=4, stride=4)
    folds = folds_of(origins, True, "expanding" if train_size is None else "sliding", train_size, gap)
    splits = list(splitter.split(np.zeros(60)))
    assert len(folds) == len(splits)
    for fold, (train, test) in zip(folds, splits, strict=True):
        np.testing.assert_array_equal(np.arange(fold.start, fold.stop), train)
        assert fold.origins.tolist() == [test[0]]


@given(
    n_test=st.integers(3, 60),
    stride=st.integers(1, 9),
    refit=st.one_of(st.booleans(), st.integers(1, 50)),
    gap=st.integers(0, 30),
    train_size=st.integers(1, 10),
)
def test_each_origin_comes_once_after_the_rows_fitted_on(n_test, stride, refit, gap, train_size):
    origins = rolling_origins(100, n_test, 3, stride)
    folds = folds_of(origins, refit, "sliding", train_size, gap)
    np.testing.assert_array_equal(np.concatenate([fold.origins for fold in folds]), origins)
    assert all(fold.stop + gap == fold.origins[0] for fold in folds)
    assert all(fold.stop - fold.start == train_size for fold in folds)
    assert max(len(fold.origins) for fold in folds) <= (int(refit) or len(origins))


def test_a_sliding_window_is_as_long_as_what_the_first_fit_has():
    folds = folds_of(np.array([50, 52, 54]), True, "sliding", None, 10)
    assert [(fold.start, fold.stop) for fold in folds] == [(0, 40), (2, 42), (4, 44)]


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
    with pytest.raises(error, match=words):
        folds_of(np.array([50, 52, 54]), False, *options)
