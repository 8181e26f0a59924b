"""Holidays of a country for each series: the name of a static column in place of a country code."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import Calendar, LSTMForecaster, Sampling, backtest, load
from lstmforecast.calendar import calendar_features

SMALL = {"window_size": 8, "hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=4), "n_threads": 1}
DAYS = pd.date_range("2026-04-01", periods=60)
NAMES = {"target": "sales", "series": "shop", "time": "day", "static": "country"}


def table(**countries):
    rng = np.random.default_rng(0)
    rows = {"day": DAYS, "sales": rng.normal(size=60)}
    return pd.concat([pd.DataFrame(rows).assign(shop=shop, country=code) for shop, code in countries.items()])


def model(holidays="country"):
    return LSTMForecaster(30, calendar=Calendar(holidays=holidays), random_state=0, **SMALL)


def test_each_series_has_the_holidays_of_its_country(tmp_path):
    df = table(a="DE", b="US-CA", c="DE")
    fitted = model().fit(df, **NAMES)
    fitted.save(tmp_path / "model.safetensors")
    for each in (fitted, load(tmp_path / "model.safetensors")):
        dataset = each.fitted_.dataset
        assert dataset.covariates.names == ["country_DE", "country_US-CA", "holiday"]
        ahead = pd.date_range("2026-05-31", periods=30)
        expected = [calendar_features(ahead, "D", None, code).to_numpy()[:, 0] for code in ("DE", "US-CA", "DE")]
        # Juneteenth, but for Germany
        assert [part.sum() for part in expected] == [0.0, 1.0, 0.0]
        np.testing.assert_array_equal(dataset.features_ahead(30)[:, :, 2], expected)
        kept = dataset.observations.index
        for i, code in enumerate(("DE", "US-CA", "DE")):
            rows = kept.get_loc("abc"[i])
            days = kept[rows].get_level_values(1)
            np.testing.assert_array_equal(
                dataset.features[rows, 2], calendar_features(days, "D", None, code)["holiday"]
            )
    newer = table(d="US-CA")
    known = fitted.fitted_.from_context(newer, "error", None, None, None)[0].dataset
    np.testing.assert_array_equal(known.features_ahead(30)[0, :, 2], expected[1])
    assert np.isfinite(fitted.predict(context=newer)["forecast"]).all()


def test_it_is_that_of_one_country_where_all_are_there():
    df = table(a="DE", b="DE")
    by_series, alike = (model(holidays).fit(df, **NAMES).predict() for holidays in ("country", "DE"))
    pd.testing.assert_frame_equal(by_series, alike)
    folds = [
        backtest(model(holidays).set_params(horizon=5), df, **NAMES, folds=20).values for holidays in ("country", "DE")
    ]
    np.testing.assert_array_equal(*folds)


def test_tables_of_their_own_work_too():
    df = table(a="DE", b="US-CA")
    y = df.set_index(["shop", "day"])["sales"]
    static = pd.DataFrame({"country": ["DE", "US-CA"]}, index=["a", "b"])
    found = model().fit(y, static=static).predict()
    np.testing.assert_array_equal(found, model().fit(df, **NAMES).predict()["forecast"])


def test_unknown_countries_are_refused():
    with pytest.raises(ValueError, match="or a static column of such countries, got 'land'"):
        model("land").fit(table(a="DE", b="US-CA"), **NAMES)
    with pytest.raises(ValueError, match=r"expected holidays to be a country .*, got 'Bavaria'"):
        model().fit(table(a="DE", b="Bavaria"), **NAMES)
    fitted = model().fit(table(a="DE", b="US-CA"), **NAMES, unknown="ignore")
    with pytest.raises(ValueError, match=r"expected a country of fit in column 'country'.*got another"):
        fitted.predict(context=table(c="FR"))
