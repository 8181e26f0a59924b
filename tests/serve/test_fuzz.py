"""Bytes that are nearly requests are answered with a forecast or one sentence, never with an error of the server's."""

import pytest
from tests.fuzz import http
from tests.serve.fuzz import malformed


@pytest.mark.parametrize("kind", ["body", "request"])
def test_nearly_good_bytes_are_answered_by_a_forecast_or_a_sentence(kind):
    """As many as take two seconds."""
    seeds, run = (http.seeds(), http.run_one) if kind == "body" else (http.raw_seeds(), http.run_one_raw)
    for data in [*seeds, *malformed(seeds, 500)]:
        run(data)
