"""Both builds of the core compute the same, and read each other's files, pickles and checkpoints.

The tests run on the core that computes with libtorch, and call the small one in another process.
"""

import copy
import json
import pickle
import re
import warnings

import numpy as np
import pytest
from tests.fuzz import kinds
from tests.fuzz.kinds import outputs
from tests.same_bits import digests
from tests.small_core import on_small_core

import lstmforecast
from lstmforecast import (
    LSTM,
    CharLSTM,
    Device,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Quantiles,
    _core,
)

pytestmark = [pytest.mark.torch, pytest.mark.alone]

NETWORKS = ("attention", "cnn_lstm", "transformer")
INSTALL = 'pip install "lstmforecast[torch]"'
SERIES = np.sin(np.arange(120) / 5) + np.random.default_rng(0).normal(0, 0.1, 120)
WINDOWS = np.random.default_rng(1).normal(size=(40, 8))
CLASSES = (WINDOWS.sum(1) > 0).astype(int)
TEXT = "to be or not to be " * 20
SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}
BY_TORCH = Device(backend="torch")


def _of_all_kinds():
    return {name: digests.of_kind(name) for name in digests.NAMES if name not in NETWORKS}


def _of_two_threads():
    options = {"hidden_size": 32, "max_epochs": 2, "random_state": 0, "n_threads": 2}
    models = [
        LSTMForecaster(3, **options).fit(SERIES),
        LSTMForecaster(3, n_estimators=2, architecture=LSTM(bidirectional=True), **options).fit(SERIES),
        LSTMRegressor(**options).fit(WINDOWS, WINDOWS.sum(1)),
        LSTMClassifier(**options).fit(WINDOWS, CLASSES),
        CharLSTM(**options, embedding_size=8).fit(TEXT),
    ]
    return [{name: digests.digest(each) for name, each in model.model_.parameters().items()} for model in models]


@pytest.mark.parametrize("work", [_of_all_kinds, _of_two_threads])
def test_all_that_needs_no_libtorch_has_the_same_bits(work):
    assert on_small_core(work) == work()


def _save_all(makers, folder):
    """Fit and save one of each kind, as a file and as a pickle, and what each forecasts."""
    folder.mkdir()
    found = {}
    for name, make in makers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = make()
            pickle.loads(pickle.dumps(model)).save(folder / name)
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model))
        found[name] = outputs(model)
    return found


def _load_all(folder):
    """What the estimators of all files and pickles forecast, the warnings, and what a fit is refused with."""
    found, told = {}, {}
    for path in sorted(folder.iterdir()):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = pickle.loads(path.read_bytes()) if path.suffix == ".pickle" else lstmforecast.load(path)
        told[path.name] = [(str(each.message), each.category, each.filename) for each in caught]
        found[path.name] = outputs(model)
    return found, told


def _kernel_kinds():
    return {name: make for name, make in kinds.KINDS.items() if name not in NETWORKS}


def _save_kernel_kinds(folder):
    return _save_all(_kernel_kinds(), folder)


def _assert_same(got, expected, **tolerance):
    assert got.keys() == {*expected, *(f"{name}.pickle" for name in expected)}
    for name, found in got.items():
        wanted = expected[name.removesuffix(".pickle")]
        assert found.keys() == wanted.keys()
        for part, numbers in found.items():
            np.testing.assert_allclose(numbers, wanted[part], **{"rtol": 0, "atol": 0} | tolerance, err_msg=name)


def test_files_and_pickles_of_what_the_kernel_computes_cross_with_all_bits(tmp_path):
    expected = _save_kernel_kinds(tmp_path / "torch")
    found, told = on_small_core(_load_all, tmp_path / "torch")
    _assert_same(found, expected)
    assert not any(told.values())
    expected = on_small_core(_save_kernel_kinds, tmp_path / "small")
    found, told = _load_all(tmp_path / "small")
    _assert_same(found, expected)
    assert not any(told.values())


OPTIONS = {
    "backend": (BY_TORCH, "backend='torch'"),
    "bfloat16": (Device(backend="torch", precision="bfloat16"), "backend='torch'"),
    "layers": (Device(layer_devices=["cpu"]), "layer_devices"),
}
OF_TORCH = {
    name: lambda device=device: LSTMForecaster(3, **SMALL, device=device).fit(SERIES)
    for name, (device, _) in OPTIONS.items()
} | {
    "linear": lambda: LSTMForecaster(3, architecture="linear", random_state=0, device=BY_TORCH).fit(SERIES),
    "ensemble": lambda: LSTMForecaster(3, n_estimators=2, **SMALL, device=BY_TORCH).fit(SERIES),
    "quantiles": lambda: LSTMForecaster(3, loss=Quantiles([0.1, 0.5]), **SMALL, device=BY_TORCH).fit(SERIES),
    "int8": lambda: OF_TORCH["backend"]().quantize(),
    "regressor": lambda: LSTMRegressor(**SMALL, device=BY_TORCH).fit(WINDOWS, WINDOWS.sum(1)),
    "classifier": lambda: LSTMClassifier(**SMALL, device=BY_TORCH).fit(WINDOWS, CLASSES),
    "detector": lambda: LSTMAnomalyDetector(LSTMForecaster(2, **SMALL, device=BY_TORCH)).fit(SERIES),
}


def test_the_kernel_forecasts_what_libtorch_trained_and_one_warning_says_so(tmp_path):
    expected = _save_all(OF_TORCH, tmp_path / "torch")
    found, told = on_small_core(_load_all, tmp_path / "torch")
    _assert_same(found, expected, rtol=1e-5, atol=1e-5)
    for name, caught in told.items():
        [(text, kind, place)] = caught
        option = OPTIONS.get(name.removesuffix(".pickle"), OPTIONS["backend"])[1]
        assert text == f"the kernel computes this model's forecasts, as {option} needs libtorch: {INSTALL}"
        assert kind is UserWarning
        assert place == __file__
    # and the other way round: the small core says what libtorch is to compute again
    on_small_core(_save_again, tmp_path / "torch", tmp_path / "small")
    found, told = _load_all(tmp_path / "small")
    _assert_same(found, expected, rtol=1e-9, atol=1e-9)
    assert not any(told.values())


def _save_again(folder, other):
    other.mkdir()
    for path in folder.glob("*.pickle"):
        with pytest.warns(UserWarning, match="the kernel computes"):
            model = pickle.loads(path.read_bytes())
        # without a warning: neither is a load
        model.save(other / path.stem)
        (other / path.name).write_bytes(pickle.dumps(model))
        if hasattr(model, "quantize"):
            model.quantize()


def _refusals(folder):
    """What fits of loaded estimators are refused with, by name."""
    found = {}
    for path in sorted(folder.glob("*.pickle")):
        with pytest.warns(UserWarning, match="the kernel computes"):
            model = pickle.loads(path.read_bytes())
        before = outputs(copy.copy(model))
        of_windows = {LSTMRegressor: (WINDOWS, WINDOWS.sum(1)), LSTMClassifier: (WINDOWS, CLASSES)}
        data = of_windows.get(type(model), (SERIES,))
        with pytest.raises(ImportError, match="needs libtorch") as error:
            model.fit(*data)
        found[path.stem] = str(error.value)
        for part, numbers in outputs(model).items():
            np.testing.assert_array_equal(numbers, before[part])
    return found


def test_without_libtorch_a_new_fit_of_what_it_trained_is_refused(tmp_path):
    _save_all(OF_TORCH, tmp_path / "torch")
    found = on_small_core(_refusals, tmp_path / "torch")
    assert found.keys() == OF_TORCH.keys()
    for name, text in found.items():
        assert text == f"{OPTIONS.get(name, OPTIONS['backend'])[1]} needs libtorch: {INSTALL}"


def _as_of_gpu(path, device):
    """Change a file to that of a model on a GPU."""
    tensors, words = _core.read_file(path)
    words = {key: value for key, value in words.items() if key not in ("checksum", "format", "version")}
    for part in ("model", "parameters"):
        words[part] = json.dumps(json.loads(words[part]) | {"device": device})
    _core.write_file(path, tensors, words)


def _load_of_gpu(path):
    expected = f"the kernel computes this model's forecasts, as device='cuda:99' needs libtorch: {INSTALL}"
    with pytest.warns(UserWarning, match=re.escape(expected)):
        model = LSTMForecaster.load(path)
    with pytest.raises(ImportError, match=re.escape(f"device='cuda:99' needs libtorch: {INSTALL}")):
        model.fit(SERIES)
    with pytest.warns(UserWarning, match=re.escape(expected)):
        again = pickle.loads(pickle.dumps(model))
    return model.predict(), again.predict()


def test_a_file_of_a_gpu_forecasts_on_the_kernel_where_there_is_no_libtorch(tmp_path):
    path = tmp_path / "model"
    model = LSTMForecaster(3, **SMALL).fit(SERIES)
    model.save(path)
    _as_of_gpu(path, "cuda:99")
    for forecast in on_small_core(_load_of_gpu, path):
        np.testing.assert_array_equal(forecast, model.predict())
    # where there is libtorch, its device must be there
    with pytest.raises(RuntimeError, match="expected a device that is there, got 'cuda:99' with"):
        lstmforecast.load(path)


def _load_networks(folder):
    for path in sorted(folder.iterdir()):
        text = f"architecture='{path.stem}' needs libtorch: {INSTALL}"
        if path.suffix == ".pickle":
            with pytest.raises(ImportError, match=f"^{re.escape(text)}$"):
                pickle.loads(path.read_bytes())
        else:
            with pytest.raises(ImportError, match=f"^{re.escape(f'{path}: {text}')}$"):
                LSTMForecaster.load(path)


def test_a_network_that_needs_libtorch_is_refused_with_a_sentence(tmp_path):
    _save_all({name: kinds.KINDS[name] for name in NETWORKS}, tmp_path / "torch")
    on_small_core(_load_networks, tmp_path / "torch")


def _checkpointed(name, checkpoint, max_epochs):
    options = SMALL | {"max_epochs": max_epochs, "lr_schedule": "constant", "checkpoint": checkpoint}
    match name:
        case "regressor":
            return LSTMRegressor(**options).fit(WINDOWS, WINDOWS.sum(1))
        case "classifier":
            return LSTMClassifier(**options).fit(WINDOWS, CLASSES)
        case "text":
            return CharLSTM(**options, embedding_size=3).fit(TEXT)
        case "linear":
            return LSTMForecaster(3, architecture="linear", random_state=0, checkpoint=checkpoint).fit(SERIES)
        case "ensemble":
            return LSTMForecaster(3, n_estimators=2, **options).fit(SERIES)
    return LSTMForecaster(3, **options).fit(SERIES)


CHECKPOINTED = ("forecaster", "ensemble", "linear", "regressor", "classifier", "text")


def _train_all(folder, max_epochs):
    """Train one of each kind, from its checkpoint if there is one."""
    trained = {}
    for name in CHECKPOINTED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _checkpointed(name, folder / name if folder else None, max_epochs)
        trained[name] = model.model_.parameters() | {"train_loss": model.history_["train_loss"].to_numpy()}
    return trained


def test_checkpoints_cross_with_all_bits(tmp_path):
    whole = _train_all(None, 4)
    on_small_core(_train_all, tmp_path / "small", 2)
    _train_all(tmp_path / "torch", 2)
    for resumed in (_train_all(tmp_path / "small", 4), on_small_core(_train_all, tmp_path / "torch", 4)):
        for name, parts in whole.items():
            assert resumed[name].keys() == parts.keys()
            for part, numbers in parts.items():
                np.testing.assert_array_equal(resumed[name][part], numbers, err_msg=f"{name} {part}")


def _resume(folder):
    for name, options, expected in (
        ("torch", {"device": BY_TORCH}, f"backend='torch' needs libtorch: {INSTALL}"),
        ("torch", {}, "expected backend 'torch' as in the checkpoint"),
        ("attention", {"architecture": "attention"}, f"architecture='attention' needs libtorch: {INSTALL}"),
    ):
        before = {path: path.read_bytes() for path in folder.rglob("epoch*")}
        with pytest.raises((ImportError, ValueError), match=re.escape(expected)):
            LSTMForecaster(3, **SMALL, checkpoint=folder / name, **options).fit(SERIES)
        assert {path: path.read_bytes() for path in folder.rglob("epoch*")} == before


def test_a_checkpoint_of_what_libtorch_trains_is_refused(tmp_path):
    for name, options in (("torch", {"device": BY_TORCH}), ("attention", {"architecture": "attention"})):
        LSTMForecaster(3, **SMALL, checkpoint=tmp_path / name, **options).fit(SERIES)
    on_small_core(_resume, tmp_path)


def _transferred(folder):
    """What a training from the weights of each file gives, as a parameter and read before."""
    found = {}
    for path in sorted(folder.iterdir()):
        for way in ("pretrained", "load_pretrained"):
            new = LSTMForecaster(3, **SMALL)
            new = new.set_params(pretrained=path) if way == "pretrained" else new.load_pretrained(path)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "pretrained weights fit this network in part")
                found[path.name, way] = new.fit(SERIES).predict(), new.pretrained_["taken"]
    return found


def test_weights_of_all_files_begin_a_training(tmp_path):
    """Whatever network they are of: only the new one is computed."""
    for name, options in (("torch", {"device": BY_TORCH}), ("attention", {"architecture": "attention"})):
        LSTMForecaster(3, **SMALL, **options).fit(SERIES).save(tmp_path / name)
    expected, found = _transferred(tmp_path), on_small_core(_transferred, tmp_path)
    assert found.keys() == expected.keys()
    for key, (forecast, taken) in expected.items():
        assert found[key][1] == taken
        assert "lstm.weight_ih_l0" in taken
        np.testing.assert_array_equal(found[key][0], forecast)
