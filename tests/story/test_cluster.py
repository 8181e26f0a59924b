"""Work on two worker processes, one of which is killed in the middle: what comes back is what one process would say."""

import logging
import os
import signal

import dask.dataframe as dd
import joblib
import numpy as np
import optuna
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster

import lstmforecast.dask
from lstmforecast import LSTM, Folds, LSTMForecaster, backtest, tune

pytestmark = [pytest.mark.slow, pytest.mark.alone]

Y = np.sin(np.arange(400) / 4) + np.random.default_rng(0).normal(size=400) / 5
# Bits depend on the number of threads, of which workers have others.
SMALL = {"horizon": 4, "window_size": 24, "hidden_size": 8, "max_epochs": 3, "random_state": 0, "n_threads": 1}
REFITS = {"folds": Folds(40, refit=10), "coverage": 0.9}
SPACE = {"hidden_size": (4, 16), "normalize": ["last", "window"]}


@pytest.fixture(scope="module")
def client():
    options = {"processes": True, "n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1"}
    with (
        LocalCluster(**options, dashboard_address=":0", silence_logs=logging.CRITICAL) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def cluster(client):
    # one that was killed comes back; with a single worker joblib would take this process
    client.wait_for_workers(2, timeout=300)


def small(**parameters):
    return LSTMForecaster(**(SMALL | parameters))


def dying_once(path):
    """A callback that kills the worker process in which it is called first."""
    tests = os.getpid()

    def die(record):
        if os.getpid() != tests and record["epoch"] == 2 and not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def same_backtest(found, expected):
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.bounds, expected.bounds)
    pd.testing.assert_frame_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.forecaster.predict(), expected.forecaster.predict())


def search_in_any_order(forecaster, n_trials):
    """Whose points don't depend on which trial ends first."""
    sampler, pruner = optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()
    return tune(forecaster, Y, space=SPACE, n_trials=n_trials, sampler=sampler, pruner=pruner)


def trials_of(result):
    return result.trials_.drop(columns="seconds")


@pytest.fixture(scope="module")
def expected():
    return backtest(small(), Y, **REFITS)


def test_a_backtest_survives_the_death_of_a_worker(cluster, expected, tmp_path):
    died = tmp_path / "died"
    with joblib.parallel_config("dask"):
        found = backtest(small(callbacks=[dying_once(died)]), Y, **REFITS)
    assert died.exists()
    same_backtest(found, expected)


def test_a_search_survives_the_death_of_a_worker(cluster, tmp_path):
    died = tmp_path / "died"

    with joblib.parallel_config("dask"):
        here = search_in_any_order(small(callbacks=[dying_once(died)]), n_trials=5)
    assert died.exists()
    there = search_in_any_order(small(), n_trials=5)
    pd.testing.assert_frame_equal(trials_of(here), trials_of(there))
    np.testing.assert_array_equal(here.best_estimator_.predict(), there.best_estimator_.predict())


def test_a_search_on_two_workers_prunes_and_fills_a_storage(cluster, tmp_path):
    storage = f"sqlite:///{tmp_path / 'trials.db'}"
    space = {"learning_rate": ("log", 1e-9, 1e-8), "architecture__linear_skip": [False]}
    given = small(architecture=LSTM(linear_skip=False), max_epochs=8, learning_rate=1e-2)
    with joblib.parallel_config("dask"):
        result = tune(given, Y, space=space, n_trials=10, storage=storage, random_state=0)
    states = result.trials_["state"]
    assert len(states) == 10
    assert set(states) == {"complete", "pruned"}
    epochs = result.trials_.set_index("state")["epochs"]
    assert (epochs["complete"] == 8).all()
    # a trial is compared after its last epoch, too, if the other worker's came to an end meanwhile
    assert epochs["pruned"].min() < 8


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_other_backends_say_the_same(backend, expected, tmp_path):
    def note(record):
        (tmp_path / str(os.getpid())).touch()

    with joblib.parallel_config(backend, n_jobs=2):
        found = backtest(small(callbacks=[note]), Y, **REFITS)
        trials = trials_of(search_in_any_order(small(), n_trials=4))
    same_backtest(found, expected)
    pd.testing.assert_frame_equal(trials, trials_of(search_in_any_order(small(), n_trials=4)))
    here, processes = str(os.getpid()), {path.name for path in tmp_path.iterdir()}
    assert processes == {here} if backend == "threading" else processes - {here}


@pytest.mark.parametrize("backend", ["dask", "loky"])
def test_networks_of_an_ensemble_are_trained_by_workers(backend, cluster):
    expected = small(n_estimators=3).fit(Y)
    with joblib.parallel_config(backend, n_jobs=2):
        found = small(n_estimators=3).fit(Y)
        told = []
        small(n_estimators=3, callbacks=[told.append]).fit(Y)
    np.testing.assert_array_equal(found.predict(), expected.predict())
    pd.testing.assert_frame_equal(found.history_.drop(columns="seconds"), expected.history_.drop(columns="seconds"))
    # who wants to be told of epochs is, by threads of this process
    assert len(told) == 9


# Dask's own way of reading, which pandas 3.1 frowns on
@pytest.mark.filterwarnings("ignore:(?s).*inplace keyword in DataFrame:DeprecationWarning")
def test_a_panel_is_forecast_from_files_to_files_by_two_workers(cluster, tmp_path):
    times = pd.date_range("2026-01-01", periods=60, freq="D")
    ids = np.repeat([f"series {i}" for i in range(8)], 60)
    panel = pd.DataFrame({"unique_id": ids, "ds": np.tile(times, 8), "y": Y[:60].repeat(8).reshape(60, 8).T.ravel()})
    dd.from_pandas(panel.set_index("unique_id"), npartitions=4).reset_index().to_parquet(tmp_path / "in")
    model = small().fit(lstmforecast.dask.sample(dd.read_parquet(tmp_path / "in"), 4, random_state=0))
    lstmforecast.dask.forecast(dd.read_parquet(tmp_path / "in"), model).to_parquet(tmp_path / "out")
    found = pd.read_parquet(tmp_path / "out").sort_values(["unique_id", "ds"], ignore_index=True)
    np.testing.assert_array_equal(found["y"], model.predict(context=panel)["y"])


def test_a_panel_split_by_series_is_forecast_in_parts(cluster):
    index = pd.MultiIndex.from_product([list("abcdef"), range(60)])
    panel = pd.Series(np.tile(Y[:60], 6) * np.arange(1, 7).repeat(60), index)
    model = small().fit(panel)
    parts = [panel.loc[list(keys)] for keys in np.array_split(list("abcdef"), 3)]
    with joblib.parallel_config("dask"):
        found = joblib.Parallel()(joblib.delayed(model.predict)(context=part) for part in parts)
    pd.testing.assert_series_equal(pd.concat(found), model.predict())
