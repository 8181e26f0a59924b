"""Refits of a backtest by Ray's workers, where Ray is installed: it is large, and nothing here needs it."""

import numpy as np
import pytest
from joblib import parallel_config

from lstmforecast import Folds, LSTMForecaster, backtest

pytestmark = pytest.mark.slow

ray = pytest.importorskip("ray", reason="ray isn't installed")


@pytest.mark.filterwarnings("ignore")  # of Ray's own
@pytest.mark.timeout(300)
def test_a_backtest_is_the_same_on_ray() -> None:
    from ray.util.joblib import register_ray

    y = np.sin(np.arange(400) / 4) + np.random.default_rng(0).normal(size=400) / 5
    forecaster = LSTMForecaster(4, window_size=24, hidden_size=8, max_epochs=3, random_state=0, n_threads=1)
    options = {"folds": Folds(40, refit=10), "coverage": 0.9}
    memory = 100 * 2**20
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error", object_store_memory=memory
    )
    try:
        register_ray()
        with parallel_config("ray", n_jobs=2):
            found = backtest(forecaster, y, **options)
    finally:
        ray.shutdown()
    expected = backtest(forecaster, y, **options)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.bounds, expected.bounds)
