"""Without libtorch: what needs it is refused in one sentence, and the default path runs with no torch to import."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lstmforecast import (
    CNNLSTM,
    Attention,
    Device,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Transformer,
    _core,
    backtest,
    load,
    tune,
)

# As where neither lstmforecast-torch nor torch is installed.
WITHOUT_TORCH = """
import sys
from importlib.machinery import PathFinder
sys.modules["lstmforecast_torch"] = None
find = PathFinder.find_spec
PathFinder.find_spec = classmethod(lambda kind, name, *rest: None if name == "torch" else find(name, *rest))
"""
# This file under the core without libtorch, where the other one is installed.
AGAIN = """
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", sys.argv[1]]))
"""
FILES = Path(__file__).parents[1] / "unit" / "export" / "files_of_0_1"
SMALL = pytest.mark.skipif(_core.HAS_TORCH, reason="runs in a process of its own, without libtorch")

FAST = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
Y = np.sin(np.arange(120) / 5)
X = np.random.default_rng(0).normal(size=(40, 8))
OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"architecture": "attention"}, "architecture='attention'"),
    ({"architecture": Attention(num_heads=2)}, "architecture='attention'"),
    ({"architecture": "cnn_lstm"}, "architecture='cnn_lstm'"),
    ({"architecture": CNNLSTM(3)}, "architecture='cnn_lstm'"),
    ({"architecture": "transformer"}, "architecture='transformer'"),
    ({"architecture": Transformer(num_heads=2)}, "architecture='transformer'"),
    ({"device": "cuda"}, "device='cuda'"),
    ({"device": Device("cuda:1")}, "device='cuda:1'"),
    ({"device": Device(backend="torch")}, "backend='torch'"),
    ({"device": Device(precision="bfloat16")}, "precision='bfloat16'"),
    ({"device": Device(layer_devices=["cpu"])}, "layer_devices"),
]
REFUSED = [
    pytest.param(kind, options, option, id=f"{kind.__name__}-{option}-{number}")
    for kind in (LSTMForecaster, LSTMRegressor, LSTMClassifier, LSTMAnomalyDetector)
    for number, (options, option) in enumerate(OPTIONS)
]
SPACES: list[tuple[dict[str, Any], str]] = [
    ({"architecture": ["lstm", "attention"]}, "architecture='attention'"),
    ({"architecture": ["lstm", Attention(num_heads=2)]}, "architecture='attention'"),
    ({"device": ["cpu", Device("cuda:1")]}, "device='cuda:1'"),
    ({"device__backend": ["auto", "torch"]}, "backend='torch'"),
    ({"device__precision": ["float32", "bfloat16"]}, "precision='bfloat16'"),
]


def _data(kind: type) -> tuple[Any, ...]:
    targets = {LSTMRegressor: (X, X[:, 0]), LSTMClassifier: (X, (X[:, 0] > 0).astype(int))}
    return targets.get(kind, (Y[:, np.newaxis] if kind is LSTMAnomalyDetector else Y,))


def _made(kind: type, **options: Any) -> Any:
    if kind is LSTMForecaster:
        return kind(3, window_size=12, **FAST | options)
    if kind is LSTMAnomalyDetector:
        return kind(_made(LSTMForecaster, **options))
    return kind(**FAST | options)


def _says(model: Any) -> np.ndarray[Any, Any]:
    if isinstance(model, LSTMAnomalyDetector):
        return model.score_samples(Y[:, np.newaxis])
    return np.asarray(model.predict() if isinstance(model, LSTMForecaster) else model.predict(X))


def _sentence(option: str) -> str:
    return f'{option} needs libtorch: pip install "lstmforecast[torch]"'


@pytest.mark.alone
@pytest.mark.skipif(not _core.HAS_TORCH, reason="this is the core without libtorch")
def test_all_of_this_holds_where_torch_can_not_be_imported() -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH + AGAIN, __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(REFUSED) + len(SPACES) + 5} passed, 1 skipped" in done.stdout


@SMALL
@pytest.mark.parametrize("case", [*range(len(REFUSED))], ids=[each.id for each in REFUSED])
def test_what_needs_libtorch_is_refused_and_nothing_changes(case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, options, option = REFUSED[case].values
    fitted = _made(kind).fit(*_data(kind))
    before, attributes = _says(fitted), {*vars(fitted)}
    refused = _made(kind, **options)
    changes = {"forecaster": refused.forecaster} if kind is LSTMAnomalyDetector else options
    fitted.set_params(**changes)
    with monkeypatch.context() as patch:
        patch.setattr(_core, "Model", None)  # before any network is made
        for model in (refused, fitted):
            with pytest.raises(ImportError) as caught:
                model.fit(*_data(kind))
            assert str(caught.value) == _sentence(option)
    assert not refused.__sklearn_is_fitted__()
    assert {*vars(fitted)} == attributes
    assert_array_equal(_says(fitted), before)


@SMALL
def test_a_search_and_a_backtest_refuse_it_before_they_begin() -> None:
    forecaster = _made(LSTMForecaster, architecture="attention")
    with pytest.raises(ImportError) as caught:
        backtest(forecaster, Y)
    assert str(caught.value) == _sentence("architecture='attention'")
    with pytest.raises(ImportError) as caught:
        tune(forecaster, Y, space={"hidden_size": [2, 4]}, n_trials=1)
    assert str(caught.value) == _sentence("architecture='attention'")


@SMALL
@pytest.mark.parametrize("case", [*range(len(SPACES))], ids=[option for _, option in SPACES])
def test_a_search_refuses_a_choice_before_its_first_trial(case: int) -> None:
    space, option = SPACES[case]
    trained: list[Any] = []
    with pytest.raises(ImportError) as caught:
        tune(_made(LSTMForecaster, callbacks=[trained.append]), Y, space=space, n_trials=1)
    assert str(caught.value) == _sentence(option)
    assert not trained


@SMALL
def test_a_trial_that_needs_libtorch_fails_and_the_search_goes_on() -> None:
    def space(trial: Any) -> dict[str, Any]:
        return {"architecture": "attention" if trial.number == 2 else "lstm", "hidden_size": 2 + trial.number}

    trials = tune(_made(LSTMForecaster), Y, space=space, n_trials=4).trials_
    assert list(trials["state"]) == ["complete", "complete", "fail", "complete"]
    assert trials["error"].tolist()[2] == _sentence("architecture='attention'")


@SMALL
def test_a_file_that_needs_libtorch_is_not_called_damaged() -> None:
    for kind in ("attention", "cnn_lstm", "transformer"):
        with pytest.raises(ImportError) as caught:
            load(FILES / f"{kind}.safetensors")
        sentence = _sentence(f"architecture={kind!r}")
        assert str(caught.value) == f"{FILES / kind}.safetensors: {sentence}"


@SMALL
def test_what_needs_pytorch_as_a_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    model = _made(LSTMForecaster).fit(Y)
    before = model.predict()
    for what, ask in (
        ("to_torch", model.to_torch),
        ("state_dict", model.state_dict),
        ("Device(distributed=True)", lambda: model.set_params(device__distributed=True).fit(Y)),
    ):
        with pytest.raises(ImportError) as caught:
            ask()
        assert str(caught.value) == f"{what} needs PyTorch: pip install torch"
    assert_array_equal(model.predict(), before)


DEFAULT_PATH = """
import pickle, tempfile
import numpy as np
from lstmforecast import *
from lstmforecast import _core

assert not _core.HAS_TORCH
folder = tempfile.mkdtemp()
fast = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}
y, X = np.sin(np.arange(120) / 5), np.random.default_rng(0).normal(size=(40, 8))

def same(model, says, onnx=True):
    expected = says(model)
    model.save(f"{folder}/model")
    for other in (load(f"{folder}/model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(says(other), expected)
    if onnx:
        model.to_onnx(f"{folder}/model.onnx")

def checkpointed(kind, parameters, data, says):
    first, again = (kind(**parameters, checkpoint=Checkpoint(f"{folder}/{kind.__name__}")).fit(*data) for _ in "12")
    np.testing.assert_array_equal(says(again), says(first))

for options in ({}, {"architecture": "linear"}, {"architecture": Linear(head="recursive")}, {"n_estimators": 2}):
    model = LSTMForecaster(3, window_size=12, **fast, **options).fit(y)
    same(model, lambda model: model.predict())
    same(model.quantize("int8"), lambda model: model.predict())
    model.predict_interval(0.5), model.predict_samples(3, random_state=0)
    model.update(y[:3])
    assert np.isfinite(model.predict()).all()
    assert np.isfinite(backtest(model, y, folds=12).scores.to_numpy(float)).any()
checkpointed(LSTMForecaster, fast | {"horizon": 3, "window_size": 12}, (y,), lambda model: model.predict())
for kind, target in ((LSTMRegressor, X[:, 0]), (LSTMClassifier, (X[:, 0] > 0).astype(int))):
    model = kind(**fast).fit(X, target)
    same(model, lambda model: model.predict(X))
    same(model.quantize("bf16"), lambda model: model.predict(X))
    checkpointed(kind, fast, (X, target), lambda model: model.predict(X))
rows = y[:, np.newaxis]
detector = LSTMAnomalyDetector(LSTMForecaster(2, window_size=12, **fast)).fit(rows)
same(detector, lambda model: model.score_samples(rows), onnx=False)
assert len(detector.update(rows[:3])) == 3
text = "to be, or not to be, that is the question: " * 9
small = fast | {"embedding_size": 4, "sequence_length": 8}
same(CharLSTM(**small).fit(text), lambda model: model.score(text), onnx=False)
checkpointed(CharLSTM, small, (text,), lambda model: model.score(text))
print("all of it")
"""


@pytest.mark.alone
def test_the_default_path_runs_where_torch_can_not_be_imported() -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH + DEFAULT_PATH]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all of it\n"), done.stderr
