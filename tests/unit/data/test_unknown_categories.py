"""Categories that no row had at `fit`: an error that says the way out, or ignored."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster, Sampling, load

SMALL = {"window_size": 6, "hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=4), "n_threads": 1}
NAMES = {"target": "sales", "series": "shop", "time": "day", "known": "event", "static": "area"}
DAYS = pd.date_range("2026-01-01", periods=60)


def table(shop, area, event):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"shop": shop, "day": DAYS, "sales": rng.normal(size=60), "event": event, "area": area})


FIT = pd.concat([table("a", "north", ["fair", "none"] * 30), table("b", "south", ["none", "fair"] * 30)])
AHEAD = pd.DataFrame({"shop": ["a", "a", "b", "b"], "day": [*pd.date_range("2026-03-02", periods=2)] * 2})


def model():
    return LSTMForecaster(2, random_state=0, **SMALL)


def features_of(fitted, context):
    return fitted.fitted_.from_context(context, "error", None, None, None)[0].dataset.features


def test_the_error_says_the_way_out():
    fitted = model().fit(FIT, **NAMES)
    with pytest.raises(ValueError, match=r"'event' of known \('fair', 'none'\), got 'strike'.*unknown='ignore'"):
        fitted.predict(known=AHEAD.assign(event="strike"))
    with pytest.raises(ValueError, match=r"'area' of static \('north', 'south'\), got 'west' .*unknown='ignore'"):
        fitted.predict(context=table("c", "west", "none"), known=AHEAD[:2].assign(shop="c", event="none"))


def test_ignored_categories_are_zero_in_every_feature(tmp_path):
    fitted = model().fit(FIT, **NAMES, unknown="ignore")
    fitted.save(tmp_path / "model.safetensors")
    for each in (fitted, load(tmp_path / "model.safetensors")):
        context = table("c", "west", ["strike", "fair"] * 30)
        np.testing.assert_array_equal(features_of(each, context)[-2:], [[0, 0, 0, 0], [0, 0, 1, 0]])
        assert np.isfinite(each.predict(known=AHEAD.assign(event="strike"))["forecast"]).all()
        found = each.predict(context=context, known=AHEAD[:2].assign(shop="c", event="strike"))
        assert np.isfinite(found["forecast"]).all()


def test_static_tables_apart_are_ignored_alike():
    y = FIT.set_index(["shop", "day"])["sales"]
    static = pd.DataFrame({"area": ["north", "south", "west"]}, index=["a", "b", "c"])
    newer = table("c", "west", "none").set_index(["shop", "day"])["sales"]
    with pytest.raises(ValueError, match=r"categories that series of y had at fit, got 'area_west'"):
        model().fit(y, static=static).predict(context=newer)
    fitted = model().fit(y, static=static, unknown="ignore")
    np.testing.assert_array_equal(features_of(fitted, newer), 0.0)
    east = pd.DataFrame({"area": ["east"]}, index=["c"])
    np.testing.assert_array_equal(fitted.predict(context=newer, static=east), fitted.predict(context=newer))


def test_the_argument_is_a_word_that_has_an_effect():
    with pytest.raises(ValueError, match=r"expected unknown to be 'error' or 'ignore', got 'drop'"):
        model().fit(FIT, **NAMES, unknown="drop")
    with pytest.raises(ValueError, match=r"feature of words for unknown='ignore', got none"):
        model().fit(np.zeros(60), unknown="ignore")
