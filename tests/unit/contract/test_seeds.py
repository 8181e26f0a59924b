"""What is random draws from a generator of its own: NumPy's global one stays where it is."""

import numpy as np
import pytest

from lstmforecast import (
    CharLSTM,
    Folds,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    augment,
    backtest,
    compare,
    tune,
)
from lstmforecast.contract.seeds import as_generator, draw_seed

FAST = {"hidden_size": 4, "max_epochs": 1, "n_threads": 1}
Y, X = np.sin(np.arange(80) * 0.3), np.random.default_rng(0).normal(size=(30, 8))
FORECASTER, TEXT = LSTMForecaster(2, window_size=8, **FAST), "to be, or not to be " * 20
FITTED = LSTMForecaster(2, window_size=8, **FAST).fit(Y)
WORK = {
    "forecaster": lambda: LSTMForecaster(2, window_size=8, **FAST).fit(Y).predict(),
    "ensemble": lambda: LSTMForecaster(2, window_size=8, n_estimators=2, **FAST).fit(Y).predict(),
    "regressor": lambda: LSTMRegressor(**FAST).fit(X, X[:, 0]).predict(X),
    "classifier": lambda: LSTMClassifier(**FAST).fit(X, X[:, 0] > 0).predict(X),
    "detector": lambda: LSTMAnomalyDetector(FORECASTER).fit(Y).update(Y),
    "text": lambda: CharLSTM(**FAST).fit(TEXT).generate("to", 5),
    "samples": lambda: FITTED.predict_samples(5),
    "augment": lambda: augment.jitter()(np.ones((2, 3, 1))),
    "backtest": lambda: backtest(FORECASTER, Y, folds=Folds(20, refit=10)),
    "compare": lambda: compare(X[:, 0], X[:, 1], X[:, 2]),
    "tune": lambda: tune(FORECASTER, Y, space={"hidden_size": [2, 4]}, n_trials=2),
}


@pytest.mark.parametrize("work", WORK)
def test_without_a_seed_the_global_generator_is_left_alone(work):
    np.random.seed(3)
    before = np.random.get_state()[1].tobytes(), np.random.get_state()[2]
    WORK[work]()
    assert (np.random.get_state()[1].tobytes(), np.random.get_state()[2]) == before


def test_without_a_seed_two_fits_differ_even_where_the_global_generator_is_seeded():
    seeds = set()
    for _ in range(3):
        np.random.seed(3)
        seeds.add(draw_seed(None))
    # three draws of 31 bits: equal ones come once in 700 million runs
    assert len(seeds) == 3


def test_a_seed_of_any_type_gives_what_scikit_learn_draws_from_it():
    expected = np.random.RandomState(7).randint(2**31 - 1)
    for seed in (7, np.int64(7), np.array(7), np.random.RandomState(7)):
        assert draw_seed(seed) == expected
    generator = np.random.RandomState(0)
    assert as_generator(generator) is generator
    assert draw_seed(np.random.default_rng(1)) == draw_seed(np.random.default_rng(1)) != draw_seed(7)


@pytest.mark.parametrize("seed", ["a", -1, 2**64, 1.5])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match=r"seed|Seed"):
        LSTMForecaster(2, random_state=seed).fit(Y)
