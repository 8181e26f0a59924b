"""One table within sktime and by our own estimator: the same numbers (other doors: tests/story/test_doors.py)."""

import numpy as np
import pandas as pd

import lstmforecast
from lstmforecast import Sampling
from lstmforecast.sktime import LSTMForecaster

SMALL = {"window_size": 12, "hidden_size": 4, "max_epochs": 2, "sampling": Sampling(steps_per_epoch=4), "n_threads": 1}
N, HORIZON = 90, 4


def test_a_panel_with_covariates() -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2026-01-01", periods=N + HORIZON)
    parts = []
    for shop in ("a", "b"):
        promo = (rng.random(N + HORIZON) < 0.3).astype(float)
        sales = 20 + 5 * promo + rng.normal(size=N + HORIZON)
        parts.append(pd.DataFrame({"shop": shop, "day": days, "promo": promo, "sales": sales}))
    table = pd.concat(parts, ignore_index=True)
    before, ahead = table[table["day"] < days[N]], table[table["day"] >= days[N]]
    names = {"target": "sales", "series": "shop", "time": "day", "known": "promo"}
    ours = lstmforecast.LSTMForecaster(HORIZON, random_state=0, **SMALL).fit(before, **names)
    expected = ours.predict(known=ahead[["shop", "day", "promo"]])
    expected = expected.merge(ours.predict_interval(0.8, known=ahead[["shop", "day", "promo"]]))

    first, later = (each.set_index(["shop", "day"]) for each in (before, ahead))
    theirs = LSTMForecaster(horizon=HORIZON, random_state=0, **SMALL)
    theirs.fit(first[["sales"]], X=first[["promo"]], fh=[1, 2, 3, 4])
    np.testing.assert_array_equal(theirs.predict(X=later[["promo"]])["sales"], expected["forecast"])
    interval = theirs.predict_interval(X=later[["promo"]], coverage=0.8)
    np.testing.assert_array_equal(interval, expected[["lo-80", "hi-80"]])
