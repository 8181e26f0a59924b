"""A short, seeded run of each target, and that the fuzzer itself sees what is wrong."""

import json
import struct

import pytest

from tests.fuzz.campaign import run
from tests.fuzz.outcome import check_message
from tests.fuzz.safetensors_file import METADATA, Parts
from tests.fuzz.worker import Worker

EXAMPLES = {"model_files": 500, "checkpoints": 60}


@pytest.mark.parametrize("target", EXAMPLES)
def test_mutants_are_refused_in_a_sentence_or_work(target, tmp_path):
    tally = run(target, examples=EXAMPLES[target], keep=tmp_path)
    assert tally.n == EXAMPLES[target]
    assert tally.n_bad == 0, "\n".join(tally.findings)
    # mutants that get past the checksum, and some past all checks
    assert tally.count("refused") > 0
    assert tally.count("works") > 0


@pytest.fixture(scope="module")
def worker():
    worker = Worker("model_files")
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def model_file():
    from tests.fuzz.kinds import KINDS
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        KINDS["forecaster"]().save(path)
        return path.read_bytes()
