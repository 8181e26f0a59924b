"""The object that says which rows a backtest fits on: what it takes, how it prints, what it refuses."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from lstmforecast import Folds, LSTMForecaster, backtest
from lstmforecast.evaluation.folds import read_folds


def test_it_prints_as_the_call_that_makes_it():
    folds = Folds(90, stride=3, refit=5, window="sliding", train_size=200, gap=1)
    assert repr(folds) == "Folds(test_size=90, stride=3, refit=5, window='sliding', train_size=200, gap=1)"
    assert eval(repr(folds)) == folds
    assert pickle.loads(pickle.dumps(folds)) == folds


def test_it_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Folds().gap = 3
    assert len({Folds(30), Folds(np.int64(30)), Folds(40)}) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, Folds(0.2)),
        (40, Folds(40)),
        (np.float32(0.25), Folds(0.25)),
        (np.array(40), Folds(40)),
        (Folds(40, gap=2), Folds(40, gap=2)),
    ],
)
def test_a_number_is_the_size_of_the_test_set(given, expected):
    assert read_folds(given) == expected


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"test_size": 0}, ValueError, "expected test_size to be a number of rows from 1 or a fraction .*, got 0"),
        ({"test_size": 1.0}, ValueError, "expected test_size .*, got 1.0"),
        ({"test_size": -0.1}, ValueError, "expected test_size .*, got -0.1"),
        ({"test_size": float("nan")}, ValueError, "expected test_size .*, got nan"),
        ({"test_size": "half"}, TypeError, "expected test_size to be a number of rows or a fraction, got 'half'"),
        ({"test_size": True}, TypeError, "expected test_size to be a number of rows or a fraction, got True"),
        ({"stride": 0}, ValueError, "expected stride to be at least 1, got 0"),
        ({"stride": True}, TypeError, "expected stride to be an integer, got True"),
        ({"refit": -1}, ValueError, "expected refit to be at least 1, got -1"),
        ({"refit": 0}, ValueError, "expected refit to be at least 1, got 0"),
        ({"refit": "yes"}, TypeError, "expected refit to be an integer, got 'yes'"),
        ({"window": "growing"}, ValueError, "expected window to be 'expanding' or 'sliding', got 'growing'"),
        ({"window": 7}, ValueError, "expected window to be 'expanding' or 'sliding', got 7"),
        ({"train_size": 20}, ValueError, "expected train_size=None for window='expanding', got 20"),
        ({"window": "sliding", "train_size": 0}, ValueError, "expected train_size to be at least 1, got 0"),
        ({"window": "sliding", "train_size": 0.5}, TypeError, "expected train_size to be an integer, got 0.5"),
        ({"window": "sliding"}, ValueError, "expected refit or train_size for window='sliding', .*, got neither"),
        ({"gap": -1}, ValueError, "expected gap to be at least 0, got -1"),
        ({"gap": "a day"}, TypeError, "expected gap to be an integer, got 'a day'"),
    ],
)
def test_options_are_checked_at_once(options, error, words):
    with pytest.raises(error, match=words):
        Folds(**options)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"folds": 20, "stride": 6}, r"Folds\(test_size=20, stride=6\)"),
        ({"folds": Folds(20, gap=3), "refit": True}, r"Folds\(test_size=20, gap=3, refit=True\)"),
        ({"test_size": np.int64(20)}, r"Folds\(test_size=20\)"),
    ],
)
def test_options_outside_are_refused_and_what_was_given_inside_is_kept(options, advice):
    with pytest.raises(TypeError, match=rf"^expected folds=lstmforecast.{advice}, got \w+ in backtest itself$"):
        backtest(LSTMForecaster(), np.zeros(100), **options)
