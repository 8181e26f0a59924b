"""A short, seeded run of each target, and that the fuzzer sees what there is to see."""

import random

import pytest
from tests.fuzz import faulty, model_files, mutators
from tests.fuzz.campaign import run
from tests.fuzz.outcome import check_message
from tests.fuzz.safetensors_file import METADATA, Parts, checksum
from tests.fuzz.worker import Worker

pytestmark = pytest.mark.alone

EXAMPLES = {"model_files": 500, "checkpoints": 60}


@pytest.mark.parametrize("target", EXAMPLES)
def test_mutants_are_refused_in_a_sentence_or_work(target, tmp_path):
    tally = run(target, examples=EXAMPLES[target], keep=tmp_path)
    assert tally.n == EXAMPLES[target]
    assert tally.n_bad == 0, "\n".join(tally.findings)
    # the seeds at least
    assert tally.count("refused") > 0
    assert tally.count("works") > 0


def test_the_fuzzer_sees_every_fault():
    worker = Worker("faulty", patience=1.0)
    try:
        answers = [worker.run(data) for data in faulty.seeds()]
    finally:
        worker.close()
    assert [answer.split(":")[0] for answer in answers] == ["killed", "hung", "other", "other", "refused", "passed"]
    assert "MemoryError" in answers[2]
    assert "a finding" in answers[3]


def test_findings_are_kept_with_what_they_did(tmp_path, monkeypatch):
    monkeypatch.setattr(faulty, "seeds", lambda: [b"\x03", b"\x03", b"\x00"])
    tally = run("faulty", examples=3, keep=tmp_path)
    assert (tally.count("other"), tally.count("killed"), tally.n_bad) == (2, 1, 3)
    kept = sorted(path.read_bytes() for path in tmp_path.iterdir() if not path.suffix)
    assert kept == [b"\x00", b"\x03"]


def test_most_mutants_are_signed():
    """What is refused for its checksum alone tells nothing of the checks behind."""
    seeds, dice = model_files.seeds(), random.Random(0)
    mutants = [model_files.mutate(seeds, dice) for _ in range(300)]
    # the same small change, such as an empty list for an option, is drawn twice now and then: 2 to 13 times in 300
    assert len(set(mutants)) > 270
    n_signed = 0
    for mutant in mutants:
        try:
            parts = Parts.of(mutant)
            n_signed += parts.header[METADATA]["checksum"] == f"{checksum(parts.header, parts.data):08x}"
        except Exception:
            continue
    assert n_signed > 150


def test_trees_deeper_than_json_writes_are_changed_otherwise(monkeypatch):
    def too_deep(parts, dice):
        tree = []
        for _ in range(100_000):
            tree = [tree]
        parts.header["x"] = tree

    monkeypatch.setattr(mutators, "change_header", too_deep)
    monkeypatch.setattr(mutators, "change_text", too_deep)
    monkeypatch.setattr(mutators, "change_numbers", too_deep)
    file = Parts({METADATA: {}}, bytearray(8)).file()
    assert all(mutators.change_file([file], random.Random(seed)) for seed in range(5))


@pytest.mark.parametrize("text", ["", "x" * 101, "a\nb", "a bug in lstmforecast: thread panicked", "word " * 120])
def test_what_is_no_sentence_is_a_finding(text):
    with pytest.raises(AssertionError):
        check_message(text)
