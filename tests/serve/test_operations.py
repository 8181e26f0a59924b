"""Splits, the log of forecasts and actual values, comparison and drift."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from tests.serve.client import Client, posted, sentence
from tests.serve.conftest import SMALL, wave
from tests.serve.fuzz import malformed

from lstmforecast import DriftMonitor, LSTMForecaster, compare
from lstmforecast.ab import ForecastLog, Split
from lstmforecast.serve import Limits, create_app

TIMES = pd.date_range("2026-01-01", periods=600, freq="h")
LOAD = pd.Series(wave(600), TIMES, name="load")


@pytest.fixture(scope="module")
def models() -> dict[str, LSTMForecaster]:
    """Two models of the same series: a trained one, and one with a longer window."""
    return {
        "old": LSTMForecaster(horizon=3, window_size=24, **SMALL).fit(LOAD[:240]),
        "new": LSTMForecaster(horizon=3, window_size=30, architecture="linear", n_threads=1).fit(LOAD[:240]),
    }


def request(end: int, key: str | None = "shop", n: int = 30, **more) -> dict:
    part = LOAD.iloc[end - n : end]
    window = {"values": part.tolist(), "times": [time.isoformat() for time in part.index]}
    return {"windows": [window]} | ({} if key is None else {"key": key}) | more


def actuals(begin: int, end: int, key: str = "shop") -> dict:
    part = LOAD.iloc[begin:end]
    return {"actuals": [{"key": key, "values": part.tolist(), "times": [str(time) for time in part.index]}]}


def post(client: Client, body: dict):
    return client.together(("POST", "/actuals", {"json": body}))[0]


class TestSplit:
    def test_a_key_always_gets_the_same_model(self, models):
        client = Client(create_app(models, split={"old": 1, "new": 1}))
        split = Split({"old": 1, "new": 1})
        keys = [f"shop {i}" for i in range(12)]
        for _ in range(2):
            found = [client.predict(request(100, key)).json()["model"] for key in keys]
            assert found == [split(key) for key in keys]
        assert set(found) == {"old", "new"}

    def test_without_a_key_the_weights_decide(self, models):
        client = Client(create_app(models, split={"old": 0, "new": 1}))
        assert {client.predict(request(100, None)).json()["model"] for _ in range(5)} == {"new"}

    def test_a_model_may_still_be_named(self, models):
        client = Client(create_app(models, split={"old": 0, "new": 1}))
        named = client.predict(request(100, model="old")).json()
        assert named["model"] == "old"
        forecast = models["old"].predict(context=LOAD[:100])
        assert named["forecasts"][0]["values"] == forecast.tolist()

    def test_windows_must_be_long_enough_for_all_models(self, models):
        client = Client(create_app(models, split={"old": 1, "new": 0}))
        words = sentence(client.predict(request(100, n=24)))
        assert words == "expected windows[0].values with at least 30 rows, got 24"
        assert client.predict(request(100, n=24, model="old")).status_code == 200

    def test_the_example_works(self, models):
        client = Client(create_app(models, split={"old": 1, "new": 1}))
        content = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]
        examples = content["application/json"]["examples"]
        assert set(examples) == {"old", "new", "split"}
        for example in examples.values():
            assert client.predict(example["value"]).status_code == 200

    def test_models_that_differ_are_refused(self, models, pair, hourly):
        with pytest.raises(ValueError, match="same horizon, got 3 of 'old' and 6 of 'hourly'"):
            create_app({**models, "hourly": hourly}, split={"old": 1, "hourly": 1})
        with pytest.raises(ValueError, match="same variables"):
            create_app({**models, "pair": pair}, split={"old": 1, "pair": 1})
        with pytest.raises(ValueError, match=r"models that are served, .* got 'other'"):
            create_app(models, split={"old": 1, "other": 1})

    @pytest.mark.parametrize("key", [3, None, "x" * 101])
    def test_a_key_is_a_short_string(self, models, key):
        client = Client(create_app(models, split={"old": 1, "new": 1}))
        assert sentence(client.predict(request(100) | {"key": key})).startswith(
            "expected key to be a string of at most"
        )


class TestLog:
    def test_all_models_of_the_split_are_logged_from_the_same_windows(self, models):
        with ForecastLog("sqlite://") as log:
            client = Client(create_app(models, split={"old": 1, "new": 1}, log=log))
            for end in (100, 101):
                assert client.predict(request(end)).status_code == 200
            assert post(client, actuals(100, 102)).json() == {"stored": 2}
            found = log.join()
        assert found.groupby("model").size().to_dict() == {"new": 6, "old": 6}
        assert set(found["key"]) == {"shop"}
        assert sorted(set(found["origin"])) == list(TIMES[[99, 100]])
        for name, end in (("old", 100), ("new", 101)):
            rows = found[(found["model"] == name) & (found["origin"] == TIMES[end - 1])]
            forecast = models[name].predict(context=LOAD[:end])
            assert rows["forecast"].tolist() == forecast.tolist()
            assert rows["time"].tolist() == list(forecast.index)
        known = found.dropna(subset="actual")
        assert known["actual"].tolist() == LOAD[known["time"]].tolist()
        assert len(known) == 6

    def test_without_shadow_only_returned_forecasts_are_logged(self, models):
        with ForecastLog("sqlite://") as log:
            client = Client(create_app(models, split={"old": 1, "new": 0}, log=log, shadow=False))
            client.predict(request(100))
            post(client, actuals(100, 101))
            assert set(log.join()["model"]) == {"old"}

    def test_variables_and_series_are_logged_by_name(self, pair, panel):
        rows = np.column_stack([wave(20), wave(20)])
        days = [str(day.date()) for day in pd.date_range("2026-03-01", periods=20)]
        with ForecastLog("sqlite://") as log:
            two = LSTMForecaster(horizon=1, window_size=8, **SMALL).fit(
                pd.DataFrame(np.column_stack([wave(), wave()]), pd.date_range("2026-01-01", periods=240), ["a", "b"])
            )
            client = Client(create_app({"two": two, "panel": panel}, log=log))
            client.predict({"model": "two", "key": "k", "windows": [{"values": rows.tolist(), "times": days}]})
            panel_window = {"values": rows[:, 0].tolist(), "times": days, "series": "b"}
            client.predict({"model": "panel", "windows": [panel_window], "horizon": 1})
            part = {"key": "k", "values": [[1.5, None]], "times": ["2026-03-21"]}
            assert post(client, {"model": "two", "actuals": [part]}).json() == {"stored": 1}
            part = {"series": "b", "values": [2.5], "times": ["2026-03-21"]}
            assert post(client, {"model": "panel", "actuals": [part]}).json() == {"stored": 1}
            found = log.join()
        assert found[["key", "actual"]].fillna(-1).values.tolist() == [["b", 2.5], ["k/a", 1.5], ["k/b", -1]]

    def test_windows_without_times_are_answered_and_counted(self, models):
        with ForecastLog("sqlite://") as log:
            client = Client(create_app({"old": models["old"]}, log=log))
            assert client.predict({"windows": [{"values": LOAD[:24].tolist()}]}).status_code == 200
            post(client, actuals(100, 101))
            assert log.join().empty
            text = client.get("/metrics").text
        assert 'lstmforecast_unlogged_windows_total{model="old",reason="no times or a long name"} 1.0' in text

    def test_requests_are_answered_when_the_log_fails(self, models, caplog):
        log = ForecastLog("sqlite://")
        client = Client(create_app({"old": models["old"]}, log=log, monitors={}))
        log.close()
        assert client.predict(request(100)).status_code == 200
        with pytest.raises(OSError, match="can't use the log :memory:: Cannot operate on a closed database"):
            log.join()
        # whatever comes next waits for the failed writing
        assert "expected a log that is free within 3 seconds" in sentence(post(client, actuals(100, 101)), 503)
        assert "recording failed" in caplog.text
        assert 'lstmforecast_unlogged_windows_total{model="old",reason="error"} 1.0' in client.get("/metrics").text

    def test_a_full_queue_leaves_out_whole_requests_and_counts_them(self, models, monkeypatch):
        """The queue has room for the first two of 20 forecasts, and for more only once these are written."""
        monkeypatch.setattr("lstmforecast.serve.recording.MOST_WAITING", 2)
        go = threading.Event()
        with ForecastLog("sqlite://") as log:
            put = log.store.put_forecasts
            monkeypatch.setattr(log.store, "put_forecasts", lambda rows: go.wait(60) and put(rows))
            # no two requests in a batch
            app = create_app(models, split={"old": 1, "new": 1}, log=log, limits=Limits(batch=1))
            client = Client(app)
            statuses = [client.predict(request(end)).status_code for end in range(300, 320)]
            go.set()
            post(client, actuals(300, 330))
            found = log.join().groupby("origin")["model"].agg(set)
            text = client.get("/metrics").text
        assert statuses == [200] * 20
        assert 1 <= len(found) <= 2
        assert all(each == {"old", "new"} for each in found)
        reason = f'reason="the queue is full"}} {20 - len(found)}.0'
        assert [f'lstmforecast_unlogged_windows_total{{model="{name}",{reason}' in text for name in models] == [
            True
        ] * 2


@pytest.fixture
def locked(models, tmp_path):
    """A client of a server whose log is a file, and a connection that locks the file like another process."""
    app = create_app(models, split={"old": 1, "new": 1}, log=f"sqlite:///{tmp_path}/log.db")
    client = Client(app)
    assert client.predict(request(100)).status_code == 200
    assert post(client, actuals(100, 101)).json() == {"stored": 1}
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        yield client, other


class TestLockedLog:
    def test_forecasts_are_answered_and_requests_for_the_log_get_retry_after(self, locked):
        client, other = locked
        other.execute("BEGIN EXCLUSIVE")
        assert client.predict(request(101)).status_code == 200
        response = post(client, actuals(101, 102))
        assert sentence(response, 503) == (
            "expected a log that is free within 3 seconds, got one that is locked, full or too slow; try again later"
        )
        assert response.headers["retry-after"] == "5"
        assert client.predict(request(102)).status_code == 200
        other.execute("ROLLBACK")
        assert post(client, actuals(101, 102)).json() == {"stored": 1}

    def test_only_some_requests_wait_for_the_log(self, locked, monkeypatch):
        monkeypatch.setattr("lstmforecast.serve.recording.MOST_ASKING", 2)
        client, other = locked
        other.execute("BEGIN EXCLUSIVE")
        asked = [posted("/actuals", actuals(101, 102)) for _ in range(8)]
        assert {each.status_code for each in client.together(*asked)} == {503}

    def test_all_answers_are_logged_before_the_server_stops(self, models, tmp_path):
        """The server closes its log after the queued answers are written."""

        async def session():
            app = create_app(models, split={"old": 1, "new": 1}, log=f"sqlite:///{tmp_path}/all.db")
            async with app.router.lifespan_context(app):
                client = Client(app)
                bodies = [posted("/predict", request(300, f"shop {i}")) for i in range(50)]
                return [each.status_code for each in await client.gather(tuple(bodies))]

        assert asyncio.run(session()) == [200] * 50
        with ForecastLog(f"sqlite:///{tmp_path}/all.db") as log:
            assert len(log.join()) == 50 * 2 * 3


class TestCompare:
    def test_it_compares_the_forecasts_of_both(self, models):
        with ForecastLog("sqlite://") as log:
            client = Client(create_app(models, split={"old": 1, "new": 1}, log=log))
            for end in range(300, 340):
                client.predict(request(end))
            assert sentence(client.get("/compare")).startswith("expected steps that 'old' and 'new' both forecast")
            post(client, actuals(300, 345))
            found = client.get("/compare", params={"loss": "absolute"}).json()
            wanted = log.compare("old", "new", loss="absolute", random_state=0)
            turned = client.get("/compare", params={"a": "new", "b": "old"}).json()
        assert found["names"] == ["old", "new"]
        assert found["n"] == 40
        assert found["horizon"] == 3
        assert found["dm_statistic"] == wanted.dm_statistic
        assert found["interval"] == list(wanted.interval)
        assert found["verdict"] == wanted.verdict
        assert turned["names"] == ["new", "old"]
        # the same again from backtests by hand: the log lost nothing
        errors = {
            name: [
                np.mean(np.abs(model.predict(context=LOAD[:end]).to_numpy() - LOAD[end : end + 3].to_numpy()))
                for end in range(300, 340)
            ]
            for name, model in models.items()
        }
        by_hand = compare(errors["old"], errors["new"], horizon=3, random_state=0)
        np.testing.assert_allclose(found["mean_difference"], by_hand.mean_difference, rtol=1e-12)
        np.testing.assert_allclose(found["p_value"], by_hand.p_value, rtol=1e-9)

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"a": "old", "b": "old"}, "expected a and b to be two models of"),
            ({"a": "other"}, "expected a to be one of 'old', 'new', got 'other'"),
            ({"loss": "cubed"}, "expected loss to be one of 'squared', 'absolute', got 'cubed'"),
            ({"level": "nan"}, "expected level between 0 and 1, got 'nan'"),
            ({"c": "1"}, "expected parameters of a, b, loss, alternative, level, got 'c'"),
        ],
    )
    def test_what_is_wrong_is_said(self, models, query, words):
        with ForecastLog("sqlite://") as log:
            client = Client(create_app(models, log=log))
            assert sentence(client.get("/compare", params=query)).startswith(words)


class TestDrift:
    def test_each_row_is_counted_once_and_a_shift_is_drift(self, models):
        monitor = DriftMonitor.from_forecaster(models["old"], LOAD[:240], window=24)
        client = Client(create_app({"old": models["old"]}, monitors={"old": monitor}))
        for end in range(300, 340):
            client.predict(request(end))
        found = client.get("/drift").json()["models"][0]
        # the first window's 30 rows, and one of each later one
        assert found["rows"] == 30 + 39
        assert found["state"] == "ok"
        assert {test["test"] for test in found["tests"]} >= {"KS", "PSI"}
        assert 'lstmforecast_drift{model="old"} 0.0' in client.get("/metrics").text
        shifted = request(370)
        shifted["windows"][0]["values"] = [value + 5 for value in shifted["windows"][0]["values"]]
        client.predict(shifted)
        found = client.get("/drift").json()["models"][0]
        assert found["state"] == "drift"
        assert found["reason"].startswith("load: KS")
        assert 'lstmforecast_drift{model="old"} 2.0' in client.get("/metrics").text

    def test_keys_are_separate_and_without_times_the_newest_row_counts(self, models):
        monitor = DriftMonitor.from_forecaster(models["old"], LOAD[:240], window=24)
        client = Client(create_app({"old": models["old"]}, monitors={"old": monitor}))
        for key in ("a", "b", "a"):
            client.predict(request(300, key))
        for _ in range(2):
            client.predict({"windows": [{"values": LOAD[:24].tolist()}]})
        assert client.get("/drift").json()["models"][0]["rows"] == 62

    def test_errors_are_counted_once_when_the_last_actual_value_is_posted(self, models, monkeypatch):
        pushed = []
        monitor = DriftMonitor.from_forecaster(models["old"], LOAD[:240], window=24)
        assert monitor.tests_errors
        update = monitor.update
        monkeypatch.setattr(monitor, "update", lambda X, error=None: pushed.append(error) or update(X, error))
        with ForecastLog("sqlite://") as log:
            client = Client(create_app({"old": models["old"]}, log=log, monitors={"old": monitor}))
            for end in (300, 301):
                client.predict(request(end))
            client.get("/drift")
            pushed.clear()
            for begin, end, n in ((300, 302, 0), (302, 303, 1), (302, 303, 1), (303, 306, 2)):
                post(client, actuals(begin, end))
                assert len(pushed) == n
        for end, error in zip((300, 301), pushed, strict=True):
            forecast = models["old"].predict(context=LOAD[:end])
            np.testing.assert_allclose(error, np.abs(forecast - LOAD[end : end + 3]).mean(), rtol=1e-12)

    def test_a_monitor_of_other_columns_is_refused(self, models):
        with pytest.raises(ValueError, match="fitted to 1 columns, as the model, got 2"):
            create_app(models, monitors={"old": DriftMonitor(10).fit(np.random.default_rng(0).normal(size=(100, 2)))})
        with pytest.raises(ValueError, match="expected monitors of"):
            create_app(models, monitors={"other": DriftMonitor()})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "expected the body with the field actuals, got none"),
        ({"actuals": []}, "expected actuals to be an array of 1 to 1024 objects, got 0"),
        ({"actuals": [{"values": [1]}]}, "expected actuals[0] with the field times, got none"),
        ({"actuals": [{"times": ["2026-01-01"]}]}, "expected actuals[0] with the field values, got none"),
        (
            {"actuals": [{"values": [1], "times": []}]},
            "expected actuals[0].times with one time for each of 1 rows, got 0",
        ),
        *[
            (
                {"actuals": [{"values": [1], "times": [time]}]},
                "actuals[0]: expected times such as 2026-01-31T12:00:00, got ",
            )
            for time in (
                "now",
                "today",
                "2026",
                "2026-01",
                "12:00",
                "20260101",
                " 2026-01-01",
                "2026-01-01T00:00\n",
                "",
            )
        ],
        ({"actuals": [{"values": [1], "times": ["2026-02-31"]}]}, "actuals[0]: expected dates and times that exist, "),
        (
            {"actuals": [{"values": [1], "times": ["9999-12-31"]}]},
            "actuals[0]: expected times, and steps ahead, of ",
        ),
        (
            {"actuals": [{"values": [1], "times": ["2026-01-01"], "key": "a\x00b"}]},
            "expected actuals[0].key without control characters, got 'a\\x00b'",
        ),
        (
            {"actuals": [{"values": [1], "times": ["2026-01-01"], "series": "a"}]},
            "expected actuals[0].series to be absent",
        ),
        ({"actuals": [{"values": [1], "times": ["2026-01-01"], "key": 1}]}, "expected actuals[0].key to be a string"),
        ({"model": "x", "actuals": []}, "expected model to be one of 'old', 'new', got 'x'"),
    ],
)
def test_invalid_actuals_are_answered_with_one_sentence(models, body, words):
    with ForecastLog("sqlite://") as log:
        client = Client(create_app(models, log=log, split={"old": 1, "new": 1}))
        assert sentence(post(client, body)).startswith(words)


def test_every_path_needs_the_key(models):
    monitor = DriftMonitor.from_forecaster(models["old"], LOAD[:240])
    with ForecastLog("sqlite://") as log:
        client = Client(create_app(models, log=log, monitors={"old": monitor}, api_key="s3cret"))
        for path in ("/compare", "/drift"):
            assert client.get(path).status_code == 401
        assert post(client, actuals(0, 1)).status_code == 401


def test_paths_of_the_log_exist_only_with_a_log(models):
    client = Client(create_app(models))
    assert [client.get(path).status_code for path in ("/compare", "/drift")] == [404, 404]


def test_malformed_bodies_are_never_a_server_error_nor_logged(models, caplog):
    monitor = DriftMonitor.from_forecaster(models["old"], LOAD[:240])
    with ForecastLog("sqlite://") as log:
        app = create_app(models, split={"old": 1, "new": 1}, log=log, monitors={"old": monitor})
        client, statuses = Client(app), {"/predict": set(), "/actuals": set()}
        good = {"/predict": request(100), "/actuals": actuals(100, 140)}
        for path, body in good.items():
            for each in malformed([json.dumps(body).encode()], 300):
                (answer,) = client.together(posted(path, each))
                statuses[path].add(answer.status_code)
    assert statuses == {"/predict": {200, 422}, "/actuals": {200, 422}}
    assert "recording failed" not in caplog.text


def test_one_invalid_actual_stores_none(models):
    with ForecastLog("sqlite://") as log:
        client = Client(create_app({"old": models["old"]}, log=log))
        body = actuals(100, 102)
        body["actuals"].append({"values": [1], "times": ["now"]})
        assert sentence(post(client, body)).startswith("actuals[1]: ")
        assert log.store.actuals() == []
