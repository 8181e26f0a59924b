"""The OpenAPI is true: schemathesis finds nothing that contradicts it, and its examples work."""

import warnings

import hypothesis
import pytest

from lstmforecast.serve import create_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis


def test_the_examples_work(client):
    operation = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"hourly", "pair", "panel"}
    for example in examples.values():
        response = client.predict(example["value"])
        assert response.status_code == 200, response.text
        assert len(response.json()["forecasts"]) == 1


def test_models_are_described(client):
    found = {model["name"]: model for model in client.get("/models").json()["models"]}
    assert found["hourly"]["window_size"] == 24
    assert found["hourly"]["freq"] == "h"
    assert found["pair"]["times"] == "none"
    assert found["panel"]["is_panel"]
    assert found["panel"]["variables"] == ["sales"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["pair", "hourly", "all"])
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_schemathesis_finds_no_failure(name, mode, request):
    """With every check for a model of rows without times; a schema can't say that times ascend at a constant step."""
    names = ["hourly", "pair", "panel"] if name == "all" else [name]
    app = create_app({each: request.getfixturevalue(each) for each in names}, api_key="s3cret")
    excluded = [] if name == "pair" else [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    settings = hypothesis.settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    statuses = set()
    operations = [result.ok() for result in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations()]
    for operation in operations:
        # without parameters and bodies there is nothing that could be wrong
        if mode is schemathesis.GenerationMode.NEGATIVE and operation.method == "get":
            continue

        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        @settings
        def check(case):
            answer = case.call_and_validate(headers={"X-API-Key": "s3cret"}, excluded_checks=excluded)
            statuses.add(answer.status_code)

        check()
    assert (422 if mode is schemathesis.GenerationMode.NEGATIVE else 200) in statuses
