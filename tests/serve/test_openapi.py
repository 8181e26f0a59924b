"""The OpenAPI is true: schemathesis finds nothing that contradicts it, and its examples work."""

import warnings

import hypothesis
import pytest

from lstmforecast.serve import create_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis


def described(app):
    return schemathesis.openapi.from_asgi("/openapi.json", app)


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
@pytest.mark.parametrize("name", ["pair", "hourly"])
def test_schemathesis_finds_no_failure(name, request):
    """Every check, for a model of rows without times; a schema can't say that times ascend at a constant step."""
    app = create_app({name: request.getfixturevalue(name)}, api_key="s3cret")
    schema = described(app)
    excluded = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")] if name == "hourly" else []
    settings = hypothesis.settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.given(case=operation.as_strategy())
        @settings
        def check(case):
            case.call_and_validate(headers={"X-API-Key": "s3cret"}, excluded_checks=excluded)

        check()
