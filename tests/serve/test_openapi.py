"""Answers follow the OpenAPI: schemathesis finds no contradiction, and the examples work."""

import html
import re
import shlex
import warnings

import hypothesis
import pytest
from tests.serve.client import Client, posted
from tests.serve.conftest import SMALL, wave

from lstmforecast import DriftMonitor, LSTMForecaster
from lstmforecast.ab import ForecastLog
from lstmforecast.serve import create_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis

SETTINGS = hypothesis.settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module")
def beside() -> LSTMForecaster:
    """Of arrays, with covariates in arrays."""
    return LSTMForecaster(horizon=3, window_size=8, **SMALL).fit(wave(), X=wave()[::-1], X_past=wave() ** 2)


def test_the_examples_work(hourly, pair, panel, shops, beside):
    client = Client(create_app({"hourly": hourly, "pair": pair, "panel": panel, "shops": shops, "beside": beside}))
    operation = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"hourly", "pair", "panel", "shops", "beside"}
    (window,) = examples["shops"]["value"]["windows"]
    assert window["static"] == {"region": "N", "area": 5}
    assert [len(window[role][name]) for role, name in (("known", "kind"), ("past", "visitors"))] == [14 + 4, 14]
    for example in examples.values():
        response = client.predict(example["value"])
        assert response.status_code == 200, response.text
        assert len(response.json()["forecasts"]) == 1


def test_the_page_of_all_paths_has_working_examples_and_loads_nothing_from_other_hosts(hourly, shops):
    """Each example is a command: its body is taken from the shell's words."""
    with ForecastLog("sqlite://") as log:
        client = Client(create_app({"it's": hourly, "<shops>": shops}, log=log))
        page = client.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert [word for word in ("<script", "src=", "//cdn", "<shops>") if word in page.text] == []
        assert re.findall('href="([^"]+)"', page.text) == ["page.css", "openapi.json", "./"]
        assert {*re.findall("<h2>(.+?)</h2>", page.text)} >= {"POST /predict", "POST /actuals", "GET /compare"}
        commands = [shlex.split(html.unescape(each)) for each in re.findall("<pre>(.+?)</pre>", page.text, re.S)]
        assert len(commands) == 3
        for command in commands:
            path = command[1].removeprefix("http://localhost:8000")
            assert client.together(posted(path, command[-1].encode()))[0].status_code == 200


def test_models_are_described(client):
    found = {model["name"]: model for model in client.get("/models").json()["models"]}
    assert found["hourly"]["window_size"] == 24
    assert found["hourly"]["freq"] == "h"
    assert found["pair"]["times"] == "none"
    assert found["panel"]["is_panel"]
    assert found["panel"]["variables"] == ["sales"]


def statuses_of(operation, mode, excluded, **options) -> set[int]:
    """Of requests that the schema allows, or doesn't; an AssertionError if an answer contradicts it."""
    statuses = set()

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @SETTINGS
    def check(case):
        statuses.add(case.call_and_validate(excluded_checks=excluded, **options).status_code)

    check()
    return statuses


def operations_of(app) -> list:
    return [result.ok() for result in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations()]


def positive_data() -> list:
    """That whatever the schema allows is answered: checks are known once a schema was read."""
    return [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]


NEGATIVE = schemathesis.GenerationMode.NEGATIVE


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["pair", "hourly", "shops", "beside", "all"])
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_schemathesis_finds_no_failure(name, mode, request):
    """With every check for a model of rows without times; a schema can't say that times ascend at a constant step."""
    names = ["hourly", "pair", "panel", "shops"] if name == "all" else [name]
    app = create_app({each: request.getfixturevalue(each) for each in names}, api_key="s3cret")
    operations, statuses = operations_of(app), set()
    excluded = [] if name == "pair" else positive_data()
    for operation in operations:
        # without parameters and bodies there is nothing that could be wrong
        if mode is not NEGATIVE or operation.method != "get":
            statuses |= statuses_of(operation, mode, excluded, headers={"X-API-Key": "s3cret"})
    assert (422 if mode is NEGATIVE else 200) in statuses


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(300)
def test_schemathesis_finds_no_failure_in_requests_about_the_log(hourly):
    """A comparison needs forecasts that came true, which no schema can say."""
    monitor, statuses = DriftMonitor.from_forecaster(hourly, wave()), {}
    with ForecastLog("sqlite://") as log:
        app = create_app({"a": hourly, "b": hourly}, split={"a": 1, "b": 1}, log=log, monitors={"a": monitor})
        for operation in operations_of(app):
            if operation.path in ("/actuals", "/compare", "/drift"):
                modes = list(schemathesis.GenerationMode)[: 1 if operation.path == "/drift" else 2]
                each = [statuses_of(operation, mode, positive_data()) for mode in modes]
                statuses[operation.path] = set().union(*each)
    assert statuses == {"/actuals": {200, 422}, "/compare": {422}, "/drift": {200}}
