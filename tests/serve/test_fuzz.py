"""Damaged requests are answered with a forecast or one sentence, never with a server error."""

import pytest
from tests.fuzz import http
from tests.serve.fuzz import malformed


@pytest.mark.parametrize("kind", ["body", "request"])
def test_damaged_requests_are_answered_with_a_forecast_or_a_sentence(kind):
    """A number that takes two seconds."""
    seeds, run = (http.seeds(), http.run_one) if kind == "body" else (http.raw_seeds(), http.run_one_raw)
    for data in [*seeds, *malformed(seeds, 500)]:
        run(data)
