"""Sticky splits, and logs of forecasts that are joined with what came true."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmforecast import compare
from lstmforecast.ab import ForecastLog, Split

TIMES = pd.date_range("2026-01-01", periods=200, freq="h")


def test_split_is_sticky_and_keeps_its_shares() -> None:
    split = Split({"old": 3, "new": 1}, salt="spring")
    keys = [f"shop {i}" for i in range(4000)]
    models = [split(key) for key in keys]
    assert models == [Split({"old": 3, "new": 1}, salt="spring")(key) for key in keys]
    # a binomial share: standard error 0.7 %
    assert models.count("new") / 4000 == pytest.approx(0.25, abs=0.03)
    # SHA-256 doesn't change from process to process, as Python's hash does
    assert [split(key) for key in keys[:4]] == ["old", "old", "old", "old"]
    assert models != [Split({"old": 3, "new": 1}, salt="autumn")(key) for key in keys]


def test_a_share_that_grows_takes_no_key_from_its_model() -> None:
    before, after = Split({"old": 9, "new": 1}), Split({"old": 5, "new": 5})
    assert all(after(key) == "new" for key in range(500) if before(key) == "new")


def test_fixed_keys_and_zero_weights() -> None:
    split = Split({"old": 1, "new": 0}, fixed={7: "new"})
    assert {split(key) for key in range(100)} == {"old", "new"}
    assert [key for key in range(100) if split(key) == "new"] == [7]
    with pytest.raises(ValueError, match="expected fixed models of"):
        Split({"old": 1}, fixed={7: "new"})
    with pytest.raises(ValueError, match="expected weights of at least 0, one of them above"):
        Split({"old": 0})
    with pytest.raises(TypeError, match="expected weights to be numbers"):
        Split({"old": "1"})


@pytest.fixture(params=["memory", "file", "sqlalchemy"])
def log(request: pytest.FixtureRequest, tmp_path: Path):
    kind = request.param
    if kind == "sqlalchemy":
        pytest.importorskip("sqlalchemy")
    url = {
        "memory": "sqlite://",
        "file": f"sqlite:///{tmp_path}/log.db",
        "sqlalchemy": f"sqlite+pysqlite:///{tmp_path}/alchemy.db",
    }[kind]
    with ForecastLog(url) as opened:
        yield opened


def fill(log: ForecastLog, horizon: int = 3) -> pd.Series:
    """Two models, two series, an origin each hour; the second one's errors are twice as large."""
    rng = np.random.default_rng(0)
    truth = pd.Series(rng.normal(size=200), TIMES)
    for key in ("x", "y"):
        for i in range(150):
            target = truth.iloc[i + 1 : i + 1 + horizon]
            for model, size in (("a", 1.0), ("b", 2.0)):
                log.add(model, key, TIMES[i], target + rng.normal(0, size, horizon))
        log.add_actuals(key, truth)
    return truth


def test_forecasts_are_joined_with_actuals_that_come_later(log: ForecastLog) -> None:
    zone = TIMES[:5].tz_localize("Europe/Berlin")
    log.add("a", 7, zone[0], pd.Series([1.0, 2.0], zone[1:3]))
    assert log.join()["actual"].isna().all()
    log.add_actuals(7, [1.5, np.nan, 9.0], zone[[1, 2, 4]].tz_convert("UTC"))
    frame = log.join()
    assert frame["key"].tolist() == ["7", "7"]
    assert frame["step"].tolist() == [1, 2]
    assert frame["time"].tolist() == list(zone[1:3])
    np.testing.assert_array_equal(frame["actual"], [1.5, np.nan])


def test_what_is_logged_again_replaces_what_was_there(log: ForecastLog) -> None:
    log.add("a", "x", 10, [1.0, 2.0, 3.0])
    log.add("a", "x", 10, [4.0, 5.0])
    log.add_actuals("x", [7.0, 8.0], [11, 11])
    frame = log.join("a")
    assert frame["forecast"].tolist() == [4.0, 5.0]
    assert frame["time"].tolist() == [11, 12]
    assert frame["actual"].iloc[0] == 8.0
    assert log.join("b").empty


def test_models_are_compared_by_origin(log: ForecastLog) -> None:
    fill(log)
    result = log.compare("a", "b", random_state=0)
    assert (result.n, result.horizon, result.names, result.verdict) == (150, 3, ("a", "b"), "a")
    frame = log.join()
    squares = ((frame["forecast"] - frame["actual"]) ** 2).groupby([frame["model"], frame["origin"]]).mean()
    twin = compare(squares["a"], squares["b"], horizon=3, random_state=0)
    assert result.dm_statistic == pytest.approx(twin.dm_statistic, rel=1e-10)
    assert result.interval == pytest.approx(twin.interval, rel=1e-10)
    with pytest.raises(ValueError, match="expected steps that 'a' and 'c' both forecast"):
        log.compare("a", "c")


def test_a_file_is_there_the_next_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with ForecastLog(url) as log:
        log.add("a", "x'; DROP TABLE lstmforecast_forecasts; --", 0, [1.0])
    with ForecastLog(url) as log:
        assert log.join()["key"].tolist() == ["x'; DROP TABLE lstmforecast_forecasts; --"]


def test_threads_may_log_at_the_same_time(tmp_path: Path) -> None:
    with ForecastLog(f"sqlite:///{tmp_path}/log.db") as log:

        def work(name: int) -> None:
            for i in range(30):
                log.add(f"m{name}", "x", i, [1.0, 2.0])

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(log.join()) == 4 * 30 * 2


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a URL such as"):
        ForecastLog("forecasts.db")
    with ForecastLog("sqlite://") as log:
        with pytest.raises(ValueError, match="expected finite forecasts, got 1 that are not"):
            log.add("a", "x", 0, [np.nan])
        with pytest.raises(ValueError, match="expected times of the forecast"):
            log.add("a", "x", TIMES[0], [1.0])
        with pytest.raises(ValueError, match="expected 2 times, one for each value of actuals, got 1"):
            log.add_actuals("x", [1.0, 2.0], [1])
        with pytest.raises(TypeError, match=r"expected a time or an integer, got 1\.5"):
            log.add("a", "x", 1.5, [1.0], [1])
        with pytest.raises(ValueError, match=r"expected forecast of shape \(n,\), got \(1, 1\)"):
            log.add("a", "x", 0, [[1.0]])
