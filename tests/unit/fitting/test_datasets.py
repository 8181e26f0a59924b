"""The simulated tables have the troubles that their docstrings promise, and are the same each time."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from lstmforecast import datasets


def test_shops_have_the_troubles_of_real_ones() -> None:
    sales, _ = datasets.retail(n_shops=60)
    assert (sales["day"].min(), sales["day"].max()) == (pd.Timestamp("2023-06-01"), pd.Timestamp("2025-05-31"))
    assert sales["shop"].nunique() == 60
    begins, rows = sales.groupby("shop")["day"].min(), sales.groupby("shop").size()
    assert 3 <= (begins > "2023-09-01").sum() <= 20  # one in six
    assert (rows < 731).all()
    closed = sales[~sales["open"]]
    assert (closed["sales"] == 0).all()
    assert 15 <= closed["shop"].nunique() <= 45  # half report closed days
    assert not sales.loc[sales["holiday"], "open"].any()
    by_promo = sales[sales["open"]].groupby(["shop", "promo"])["sales"].mean().unstack()
    assert (by_promo[True] > by_promo[False]).mean() > 0.95
    assert sales["price"].between(1, 10).all()
    assert sales.groupby("shop")["region"].nunique().eq(1).all()
    assert not sales.isna().any().any()


def test_the_plan_continues_every_shop() -> None:
    sales, plan = datasets.retail(n_shops=5, n_days=200, n_ahead=10)
    assert list(plan) == [name for name in sales if name != "sales"]
    assert plan.groupby("shop").size().tolist() == [10] * 5
    assert plan["day"].min() == sales["day"].max() + pd.Timedelta(days=1)
    assert (sales.groupby("shop")["day"].max() == sales["day"].max()).all()
    assert (plan.groupby("shop")["region"].first() == sales.groupby("shop")["region"].first()).all()


def test_holidays_are_those_of_germany() -> None:
    """Dates of 2024, https://www.gesetze-im-internet.de and the tables of Easter."""
    sales, _ = datasets.retail(n_shops=20)
    found = sales.loc[sales["holiday"] & (sales["day"].dt.year == 2024), "day"].dt.strftime("%m-%d").unique()
    assert sorted(found) == ["01-01", "03-29", "04-01", "05-01", "05-09", "05-20", "10-03", "12-25", "12-26"]


def test_load_has_every_hour_of_local_time() -> None:
    load, weather = datasets.energy(n_days=366)
    assert len(load) == 366 * 24  # the clocks were put back and forward once
    assert (load["time"].diff().dropna() == pd.Timedelta(hours=1)).all()
    assert load["time"].dt.tz is not None
    assert load["time"].iloc[-1] + pd.Timedelta(hours=1) == weather["time"].iloc[0]
    assert len(weather) == 24
    hours = load.groupby(load["time"].dt.hour)["load"].mean()
    assert hours[12] > 1.3 * hours[3]
    noon = load[load["time"].dt.hour == 12].set_index("time")
    assert noon.loc["2023-12-25", "load"].item() < 0.9 * noon.loc["2023-12-18", "load"].item()
    cold, mild = (noon[noon["temperature"].between(*each)]["load"].median() for each in ((-10, 3), (14, 19)))
    assert cold > 1.05 * mild


def test_the_same_seed_gives_the_same_tables() -> None:
    for make in (partial(datasets.retail, 3, 60), partial(datasets.energy, 30)):
        for first, second in zip(make(random_state=1), make(random_state=1), strict=True):
            pd.testing.assert_frame_equal(first, second)
        assert not make(random_state=1)[0].equals(make(random_state=2)[0])


@pytest.mark.parametrize("n_days", [1, 2, 9])
def test_few_days(n_days: int) -> None:
    sales, plan = datasets.retail(2, n_days, n_ahead=1)
    load, weather = datasets.energy(n_days, n_ahead=1)
    assert (len(plan), len(load), len(weather)) == (2, 24 * n_days, 1)
    assert sales["shop"].nunique() == 2
    assert np.isfinite(load["load"]).all()


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected n_shops to be at least 1, got 0"):
        datasets.retail(0)
    with pytest.raises(TypeError, match=r"expected n_days to be an integer, got 2\.5"):
        datasets.energy(2.5)
