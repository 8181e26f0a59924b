"""Splits, and logs of forecasts joined with actual values."""

import sqlite3
import threading
import time
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmforecast import compare
from lstmforecast.ab import ForecastLog, Split
from lstmforecast.monitoring.ab_store import forecast_row, write_label

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


def test_a_growing_share_keeps_its_keys() -> None:
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


def test_logging_again_replaces_the_first_value(log: ForecastLog) -> None:
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


def test_a_file_is_opened_again(tmp_path: Path) -> None:
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


def test_invalid_arguments_are_refused() -> None:
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


def old_file(path: Path, n: int) -> None:
    """A log as earlier versions wrote it: a row for each step, and actuals without a time of their own."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE lstmforecast_forecasts (series VARCHAR(200) NOT NULL, model VARCHAR(200) NOT NULL, "
            "origin VARCHAR(40) NOT NULL, step INTEGER NOT NULL, time VARCHAR(40) NOT NULL, value DOUBLE PRECISION "
            "NOT NULL, PRIMARY KEY (series, model, origin, step))"
        )
        database.execute("CREATE INDEX lstmforecast_by_time ON lstmforecast_forecasts (series, time)")
        database.execute(
            "CREATE TABLE lstmforecast_actuals (series VARCHAR(200) NOT NULL, time VARCHAR(40) NOT NULL, "
            "value DOUBLE PRECISION NOT NULL, PRIMARY KEY (series, time))"
        )
        steps = [
            ("x", model, TIMES[i].isoformat(), step, TIMES[i + step].isoformat(), i + step / 3)
            for model in ("a", "b")
            for i in range(n)
            for step in (1, 2, 3)
        ]
        database.executemany("INSERT INTO lstmforecast_forecasts VALUES (?, ?, ?, ?, ?, ?)", steps)
        actuals = [("x", time.isoformat(), 7.25) for time in TIMES[:20]]
        database.executemany("INSERT INTO lstmforecast_actuals VALUES (?, ?, ?)", actuals)


def test_a_log_of_earlier_versions_is_read(tmp_path: Path) -> None:
    """Three pages of rows, and steps of one forecast on two of them."""
    old_file(tmp_path / "log.db", 150)
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lstmforecast.monitoring.ab_store.ROWS_PER_MOVE", 400)
            log = ForecastLog(f"sqlite:///{tmp_path}/log.db")
        with log:
            frame = log.join()
            assert len(frame) == 2 * 150 * 3
            assert frame["forecast"].tolist() == [i + step / 3 for i in range(150) for _ in "ab" for step in (1, 2, 3)]
            assert frame["time"].tolist() == [TIMES[i + step] for i in range(150) for _ in "ab" for step in (1, 2, 3)]
            assert frame["actual"].notna().sum() == 2 * (17 * 3 + 2 + 1)
            assert log.compare("a", "b").n == 19


def test_the_newest_are_kept(tmp_path: Path) -> None:
    with ForecastLog(f"sqlite:///{tmp_path}/log.db", max_rows=100) as log:
        for i in range(300):
            log.add("a", "x", i, [1.0, 2.0])
            log.add_actuals("x", [1.0], [i])
        origins = sorted(set(log.join()["origin"]))
        assert origins == list(range(300 - len(origins), 300))
        # a hundredth more until the oldest are deleted
        assert 100 <= len(origins) <= 102
        assert 100 <= len(log.store.actuals()) <= 102


def test_rows_older_than_the_limit_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, days = time.time(), 86_400
    monkeypatch.setattr("lstmforecast.monitoring.ab_store.time.time", lambda: now)
    with ForecastLog(f"sqlite:///{tmp_path}/log.db", keep_days=2) as log:
        for _ in range(5):
            log.add("a", "x", int(now), [1.0])
            log.add_actuals("x", [1.0], [int(now)])
            now += days
        assert len(log.join()) == len(log.store.actuals()) == 3
    with ForecastLog(f"sqlite:///{tmp_path}/log.db", keep_days=0.5) as log:
        assert log.join().empty


def test_a_locked_file_is_waited_for_until_the_timeout(tmp_path: Path) -> None:
    with (
        ForecastLog(f"sqlite:///{tmp_path}/log.db", timeout=0.1) as log,
        closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match=r"can't use the log .*log\.db: database is locked"):
            log.add("a", "x", 0, [1.0])
        assert log.join().empty
        other.execute("ROLLBACK")
        log.add("a", "x", 0, [1.0])
        assert len(log.join()) == 1


def test_a_comparison_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A series on several pages gives the same numbers as on one."""
    log = ForecastLog("sqlite://")
    fill(log)
    whole = log.compare("a", "b", random_state=0)
    asked = []
    query = log.store.database.query
    monkeypatch.setattr("lstmforecast.monitoring.ab_store.PAGE", 70)
    monkeypatch.setattr(
        log.store.database, "query", lambda *arguments: asked.append(found := query(*arguments)) or found
    )
    paged = log.compare("a", "b", random_state=0)
    assert paged.n == whole.n == 150
    assert paged.dm_statistic == whole.dm_statistic
    # of 70 origins, the last of which is forecast 3 steps ahead
    assert max(map(len, asked)) <= 72
    assert sum(map(len, asked)) > 300
    log.close()


def test_a_comparison_needs_less_memory_than_the_log(tmp_path: Path) -> None:
    """Of forecasts for 24 steps of 150 series from 20 origins, 6 MB of text; a page is what a series has."""
    with ForecastLog(f"sqlite:///{tmp_path}/log.db") as log:
        values = np.random.default_rng(0).normal(size=24)
        labels = [write_label(stamp) for stamp in TIMES]
        rows = [
            forecast_row(f"shop {i}", model, labels[j], labels[j + 1 : j + 25], (values + size).tolist())
            for i in range(150)
            for j in range(20)
            for model, size in (("a", 0.1), ("b", 0.2))
        ]
        log.store.put_forecasts(rows)
        del rows
        known = [
            (f"shop {i}", label, float(value)) for i in range(150) for label, value in zip(labels, values, strict=False)
        ]
        log.store.put_actuals(known)
        del known
        tracemalloc.start()
        try:
            assert log.compare("a", "b").n == 20
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # all pairs at once took 4 times as much; a page is 20 pairs here, and a comparison draws its bootstrap
    assert most < 4e6
