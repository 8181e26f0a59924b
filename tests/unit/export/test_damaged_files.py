"""Model files in which something is wrong: damage, or sizes, numbers and words that make no sense, with a checksum."""

import contextlib
import json
import zlib

import numpy as np
import pytest
from tests.fuzz.kinds import KINDS
from tests.fuzz.safetensors_file import METADATA, Parts, checksum
from tests.fuzz.worker import Worker
from tests.needs_torch import needs_torch

from lstmforecast import FormatError, LSTMForecaster, Sampling, _core, load


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of some kinds, by name."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("forecaster", "panel", "linear", "classifier", "detector", "text", "cnn_lstm", "regressor"):
        if needs_torch(name) and not _core.HAS_TORCH:
            continue
        KINDS[name]().save(folder / name)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def worker():
    """A process that loads files, which what is wrong with them may kill."""
    worker = Worker("model_files")
    yield worker
    worker.close()


def _changed(file, key, **changes):
    """A file with other values in what is JSON in its metadata, signed anew; ``a__b`` is b within a."""
    parts = Parts.of(file)
    tree = json.loads(parts.header[METADATA][key])
    for name, value in changes.items():
        *path, last = name.split("__")
        where = tree
        for step in path:
            where = where[step]
        where[last] = value
    parts.header[METADATA][key] = json.dumps(tree)
    parts.sign()
    return parts.file()


def _refusal(file, tmp_path):
    (tmp_path / "m").write_bytes(file)
    with pytest.raises(FormatError) as caught:
        load(tmp_path / "m")
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("forecaster", {"hidden_size": 1_000_000}),
        ("forecaster", {"hidden_size": 2**62 + 4}),
        ("forecaster", {"num_layers": 2**40}),
        ("forecaster", {"num_layers": 2**62}),
        ("forecaster", {"window_size": 2**31}),
        ("forecaster", {"horizon": 2**32}),
        ("linear", {"n_features": 2**63, "n_targets": 2**63}),
        ("cnn_lstm", {"architecture": {"cnn_lstm": {"kernel_sizes": [10**9], "out_channels": 3}}}),
        ("text", {"embedding_size": 10**9}),
        ("text", {"num_layers": 2**62}),
        ("regressor", {"segment_length": 2**31 - 1, "window_size": 2**31 - 1}),
    ],
    ids=str,
)
def test_sizes_that_the_weights_do_not_have_kill_nobody(kind, changes, files, worker):
    assert worker.run(_changed(files[kind], "model", **changes)) == "refused"


def test_every_changed_byte_is_noticed(files, tmp_path):
    file = files["forecaster"]
    dice = np.random.default_rng(0)
    for at in dice.choice(len(file), 400, replace=False):
        changed = bytearray(file)
        changed[at] ^= 1 << dice.integers(8)
        with contextlib.suppress(KeyError, ValueError):
            if Parts.of(bytes(changed)) == Parts.of(file):
                continue  # a space of the padding after the header
        _refusal(bytes(changed), tmp_path)


def test_the_checksum_is_that_which_the_documentation_tells_of(files):
    parts = Parts.of(files["forecaster"])
    assert parts.header[METADATA]["checksum"] == f"{checksum(parts.header, parts.data):08x}"
    assert zlib.crc32(b"123456789") == 0xCBF43926  # the check value of CRC-32


def test_a_file_without_its_checksum_is_refused_and_one_of_version_1_is_not(files, tmp_path):
    parts = Parts.of(files["forecaster"])
    del parts.header[METADATA]["checksum"]
    assert "checksum" in _refusal(parts.file(), tmp_path)
    parts.header[METADATA]["format_version"] = "1"
    (tmp_path / "m").write_bytes(parts.file())
    assert np.isfinite(load(tmp_path / "m").predict()).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("forecaster", "lstm.weight_hh_l0"),
        ("forecaster", "scaler.input_center"),
        ("forecaster", "scaler.output_scale"),
        ("forecaster", "state.truth"),
        ("forecaster", "state.context_values"),
        ("panel", "state.context_sizes"),
        ("panel", "state.context_features"),
        ("panel", "state.spreads"),
        ("text", "embedding.weight"),
    ],
)
def test_numbers_that_are_not_finite_are_refused(kind, name, value, files, tmp_path):
    parts = Parts.of(files[kind])
    tensor = parts.header[name]
    code = {"F32": "<f4", "F64": "<f8"}[tensor["dtype"]]
    numbers = np.frombuffer(parts.data, code, offset=tensor["data_offsets"][0], count=1)
    start = tensor["data_offsets"][0]
    parts.data[start : start + numbers.itemsize] = np.array(value, code).tobytes()
    parts.sign()
    assert "finite" in _refusal(parts.file(), tmp_path)


@pytest.mark.parametrize(
    ("kind", "key", "changes"),
    [
        ("forecaster", "parameters", {"nonsense": 1}),
        ("forecaster", "parameters", {"horizon": "three"}),
        ("forecaster", "parameters", {"hidden_size": [4]}),
        ("forecaster", "parameters", {"calendar": 7}),
        ("forecaster", "parameters", {"learning_rate": float("nan")}),
        ("forecaster", "parameters", {"random_state": "0"}),
        ("forecaster", "model", {"hidden_size": -3}),
        ("forecaster", "model", {"nonsense": 1}),
        ("forecaster", "model", {"n_known": 1}),
        ("forecaster", "model", {"device": "../cuda"}),
        ("forecaster", "state", {"window_size": 7}),
        ("forecaster", "state", {"window_size": 8.0}),
        ("forecaster", "state", {"n_rows": "many"}),
        ("forecaster", "state", {"context": 3}),
        ("forecaster", "state", {"context__freq": "0h"}),
        ("forecaster", "state", {"context__form__dtype": "object"}),
        ("forecaster", "state", {"context__form__kind": "vector"}),
        ("forecaster", "state", {"context__form__columns": ["a", "b"]}),
        ("forecaster", "state", {"context__index__tz": "dateutil//etc/localtime"}),
        ("forecaster", "training", {"n_epochs": 10**9}),
        ("forecaster", "training", {"stop_reason": None}),
        ("panel", "state", {"context__keys__labels": ["a", "b", "b"]}),
        ("panel", "state", {"covariates__static__keys__labels": ["a", "b", "d"]}),
        ("linear", "parameters", {"horizon": 2**40}),
        ("classifier", "state", {"classes": ["up", "up"]}),
        ("classifier", "state", {"weights": [1.0, 0.0]}),
        ("classifier", "state", {"temperature": 0.0}),
        ("classifier", "state", {"n_features_in": 10**12}),
        ("classifier", "parameters", {"class_weight": [["up", 0.0]]}),
        ("detector", "detector", {"smoothing": None}),
        ("detector", "detector", {"random_state": "now"}),
        ("detector", "detector", {"threshold": {"ewma": {"span": 0, "n_sigmas": 1}}}),
        ("detector", "detector_state", {"offset": 0.0}),
        ("detector", "detector_state", {"ahead": 5}),
        ("detector", "detector_state", {"monitor__feed__window": []}),
        ("detector", "detector_state", {"monitor__scorer__span": float("inf")}),
        ("detector", "detector_state", {"monitor__clip": -1.0}),
        ("text", "parameters", {"unknown": "perhaps"}),
        ("text", "model", {"characters": "aa"}),
        ("text", "model", {"counts": []}),
    ],
    ids=str,
)
def test_words_and_numbers_that_make_no_sense_are_refused(kind, key, changes, files, tmp_path):
    text = _refusal(_changed(files[kind], key, **changes), tmp_path)
    assert len(text) < 500
    assert "\n" not in text


@pytest.mark.parametrize("key", ["parameters", "model", "training", "state"])
def test_json_of_any_depth_is_refused(key, files, tmp_path):
    parts = Parts.of(files["forecaster"])
    parts.header[METADATA][key] = "[" * 100_000
    parts.sign()
    assert len(_refusal(parts.file(), tmp_path)) < 500


@pytest.mark.parametrize("name", ["checkpoint", "pretrained", "callbacks"])
def test_a_file_names_no_other_place(name, files, tmp_path):
    (tmp_path / "m").write_bytes(_changed(files["forecaster"], "parameters", **{name: str(tmp_path / "other")}))
    model = load(tmp_path / "m")
    assert getattr(model, name) is None
    model.fit(np.sin(np.arange(60) / 3))
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_what_names_a_place_is_not_saved(tmp_path):
    fast = {
        "hidden_size": 4,
        "max_epochs": 1,
        "sampling": Sampling(steps_per_epoch=2),
        "n_threads": 1,
        "window_size": 8,
    }
    y = np.sin(np.arange(60) / 3)
    LSTMForecaster(3, **fast).fit(y).save(tmp_path / "source")
    model = LSTMForecaster(3, **fast, pretrained=tmp_path / "source", checkpoint=tmp_path / "checkpoints").fit(y)
    model.save(tmp_path / "m")
    assert str(tmp_path).encode() not in (tmp_path / "m").read_bytes()
    assert load(tmp_path / "m").pretrained_["taken"] == model.pretrained_["taken"]
