"""The loss that is chosen by default."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster, Quantiles, load

FAST = {"hidden_size": 8, "max_epochs": 4, "random_state": 0, "n_threads": 1}
DAYS = pd.date_range("2026-01-05", periods=200, freq="D")


def _panel(values):
    index = pd.MultiIndex.from_product([range(len(values)), DAYS], names=["unique_id", "ds"])
    return pd.Series(np.asarray(values, float).ravel(), index)


def _sold(n, seed=0):
    return np.random.default_rng(seed).poisson(0.3, (n, len(DAYS)))


def _waves(n):
    return 20 + np.sin(np.arange(len(DAYS)) * 2 * np.pi / 7 + np.arange(n)[:, np.newaxis])


def test_totals_of_an_intermittent_panel_are_right():
    sold = _sold(60)
    model = LSTMForecaster(14, **FAST).fit(_panel(sold))
    assert model.loss_ == "mse"
    mean = sold[:, :-40].mean()
    # the fit sees the mean of 160 days; its error in 9,600 values is 2 %
    assert model.predict().mean() == pytest.approx(mean, rel=0.1)
    medians = LSTMForecaster(14, loss="mae", **FAST).fit(_panel(sold))
    assert medians.loss_ == "mae"
    assert medians.predict().mean() < 0.6 * mean


@pytest.mark.parametrize(("n", "expected"), [(0, "mae"), (1, "mae"), (2, "mse")])
def test_a_tenth_of_the_series_is_enough(n, expected):
    y = _panel(np.vstack([_sold(n), _waves(18)]))
    assert LSTMForecaster(2, hidden_size=4, max_epochs=1, random_state=0, n_threads=1).fit(y).loss_ == expected


def test_single_series_and_variables_count_too():
    one = LSTMForecaster(2, **FAST).fit(pd.Series(_sold(1)[0].astype(float), DAYS))
    assert one.loss_ == "mse"
    assert LSTMForecaster(2, **FAST).fit(pd.DataFrame(np.vstack([_sold(1), _waves(2)]).T, DAYS)).loss_ == "mse"
    assert LSTMForecaster(2, **FAST).fit(pd.DataFrame(_waves(2).T, DAYS)).loss_ == "huber"


@pytest.mark.parametrize(
    ("loss", "word"), [(None, "mse"), ("huber", "huber"), ("poisson", "poisson"), (Quantiles([0.5]), "quantile")]
)
def test_the_loss_is_shown_and_kept(loss, word, tmp_path):
    model = LSTMForecaster(2, loss=loss, **FAST).fit(pd.Series(_sold(1)[0].astype(float), DAYS))
    assert model.loss_ == word
    assert f"with loss=&#x27;{word}&#x27;" in model._repr_html_()
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").loss_ == word


def test_a_file_without_it_has_what_its_version_chose(tmp_path, monkeypatch):
    model = LSTMForecaster(2, **FAST).fit(_panel(_waves(3)))
    del model.loss_
    monkeypatch.setattr(LSTMForecaster, "loss_", None, raising=False)
    model.save(tmp_path / "model")
    monkeypatch.undo()
    assert load(tmp_path / "model").loss_ == "mae"
