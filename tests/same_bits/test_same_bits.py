"""Every estimator computes what it computed when the digests were recorded, to the last bit."""

import json
from pathlib import Path

import pytest
from tests.same_bits.digests import NAMES, of_kind
from tests.same_bits.machine import machine

RECORD = Path(__file__).with_name("digests.json")


def recorded():
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


@pytest.mark.parametrize("name", NAMES)
def test_same_bits(name):
    of_machine = recorded().get(machine())
    if of_machine is None:
        pytest.skip(f"no digests were recorded for {machine()}")
    assert of_kind(name) == of_machine[name]
