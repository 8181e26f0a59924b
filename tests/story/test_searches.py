"""Scikit-learn's searches find parameters of a regressor on windows in time order."""

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, TimeSeriesSplit

from lstmforecast import LSTMRegressor, windows

Y = np.sin(np.arange(220) / 4) + np.random.default_rng(0).normal(size=220) / 10


@pytest.mark.parametrize("resource", ["n_samples", "max_epochs"])
def test_halving_keeps_the_better_half(resource):
    inputs, targets = windows(Y[:, np.newaxis], window_size=16)
    space = {"learning_rate": [1e-6, 1e-2], "hidden_size": [4, 8]}
    limits = {} if resource == "n_samples" else {"max_resources": 12}
    search = HalvingRandomSearchCV(
        LSTMRegressor(max_epochs=12, n_threads=1, random_state=0),
        space,
        n_candidates=4,
        factor=2,
        resource=resource,
        min_resources=3 if resource == "max_epochs" else 60,
        cv=TimeSeriesSplit(n_splits=3, gap=1),
        scoring="neg_mean_squared_error",
        random_state=0,
        **limits,
    ).fit(inputs[:, :, 0], targets[:, 0, 0])
    results = search.cv_results_
    assert len(search.n_candidates_) > 1
    # a rate of a millionth learns nothing in twelve epochs
    assert search.best_params_["learning_rate"] == 1e-2
    last = results["iter"] == results["iter"].max()
    assert last.sum() < 4
    assert search.best_estimator_.predict(inputs[:2, :, 0]).shape == (2,)
