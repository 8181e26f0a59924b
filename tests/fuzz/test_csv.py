"""CSV files in which something is wrong, the same ones each time."""

import random

from tests.fuzz import csv


def test_every_file_is_read_rightly_or_refused_in_a_sentence() -> None:
    seeds, dice = csv.seeds(), random.Random(0)
    assert {csv.run_one(data) for data in seeds} == {"refused", "read", "forecast"}
    found = {csv.run_one(csv.mutate(seeds, dice)) for _ in range(300)}
    assert found == {"refused", "read", "forecast"}
