"""Files written by version 0.1, one of each kind, are read, and say what they said."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.fuzz.kinds import outputs

from lstmforecast import _core, load

FOLDER = Path(__file__).parent / "files_of_0_1"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_file_of_before_forecasts_what_it_did(kind):
    found = outputs(load(FOLDER / f"{kind}.safetensors"))
    assert set(found) == set(EXPECTED[kind])
    for name, values in EXPECTED[kind].items():
        # to the bit on the processor that wrote them; others sum in another order, in single precision
        np.testing.assert_allclose(found[name], np.array(values), rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_file_of_before_has_the_parameters_that_it_had(kind, tmp_path):
    model = load(FOLDER / f"{kind}.safetensors")
    model.save(tmp_path / "m")
    before, now = (_core.read_file(path)[1] for path in (FOLDER / f"{kind}.safetensors", tmp_path / "m"))
    expected = json.loads(before["parameters"])
    if expected.get("architecture") == "linear":
        # which a linear forecast doesn't have
        expected["segment_length"] = None
    assert json.loads(now["parameters"]) == expected
    assert now.get("detector") == before.get("detector")


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_file_of_before_is_saved_as_one_of_now(kind, tmp_path):
    model = load(FOLDER / f"{kind}.safetensors")
    model.save(tmp_path / "m")
    again = outputs(load(tmp_path / "m"))
    before = outputs(load(FOLDER / f"{kind}.safetensors"))
    for name, values in before.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


def test_a_checkpoint_of_before_is_read():
    # the drawn seed of the training that wrote it
    assert _core.checkpoint_seed(FOLDER / "checkpoint") == 327741615
