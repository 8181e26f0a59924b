"""Two processes with half of each batch against one process with all of it; what becomes of them when one is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch.distributed as dist
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from tests.needs_torch import needs_torch
from tests.parity import together

from lstmforecast import Device, LSTMForecaster, LSTMRegressor, backtest
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.distributed import join, threads_of_process

pytestmark = pytest.mark.alone


def _cases(names):
    """Marked where only the core with libtorch can fit them."""
    return [pytest.param(name, marks=pytest.mark.torch if needs_torch(together.CASES[name]) else ()) for name in names]


EXAMPLE = Path(__file__).parents[2] / "notebooks" / "train_distributed.py"


def _torchrun(script, *arguments):
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    # a C++ thread that looks for interfaces may find none that others can reach
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [*run, str(script), *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=100
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    done = _torchrun(together.__file__, folder, "fit")
    assert done.returncode == 0, done.stderr
    return folder


def _ends(folder):
    return [json.loads((folder / f"ends{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("name", _cases(together.CASES))
def test_losses_are_those_of_one_process(folder, name):
    alone = together.fit(name).history_.drop(columns="seconds")
    with np.load(folder / "losses0.npz") as first, np.load(folder / "losses1.npz") as second:
        assert_array_equal(first[name], second[name])
        # sums of single-precision gradients in another order, through three epochs of Adam
        assert_allclose(first[name], alone.to_numpy(), rtol=1e-5, atol=1e-5)


def test_all_end_with_the_same_weights_bit_for_bit(folder):
    with np.load(folder / "weights0.npz") as first, np.load(folder / "weights1.npz") as second:
        assert sorted(first.files) == sorted(second.files)
        assert any(name.startswith("unseeded") for name in first.files)
        for name in first.files:
            assert_array_equal(first[name].view(np.uint32), second[name].view(np.uint32), err_msg=name)


def test_the_callbacks_of_the_first_process_end_all(folder):
    first, second = _ends(folder)
    assert first["content"] == second["content"] == ["callback", None, 2]
    assert first["angry"] == [None, "LookupError: epoch 1", None]
    assert second["angry"] == [
        None,
        "RuntimeError: process 0 of 2 ended the training with LookupError('epoch 1')",
        None,
    ]


def test_ctrl_c_in_one_process_ends_all(folder):
    first, second = (ends["interrupted"] for ends in _ends(folder))
    assert (second[0], second[1]) == ("interrupted", "KeyboardInterrupt: ")
    assert first[1] == "RuntimeError: process 1 of 2 ended the training with KeyboardInterrupt()"
    assert (first[0], first[2]) == (second[0], second[2])


def test_other_data_in_one_process_are_refused_by_all(folder):
    first, second = (ends["other data"] for ends in _ends(folder))
    # of 300 and 310 rows a fifth is held out; a window needs 12 rows before and 3 after its origin
    assert "got 226 training and 58 validation windows in process 0 and others elsewhere" in first
    assert "got 234 training and 60 validation windows in process 1 and others elsewhere" in second


def test_who_waits_too_long_gives_up_and_keeps_what_it_has(folder):
    first, second = (ends["late"] for ends in _ends(folder))
    assert second[1].startswith("RuntimeError: process 1 of 2 lost another one, which ended or did not answer in time")
    # the second waited for the first one's word after the second epoch
    assert (second[0], second[2]) == (first[0], first[2]) == ("process_lost", 2)


def test_the_best_weights_outlive_a_process_that_is_killed(tmp_path):
    assert _torchrun(together.__file__, tmp_path, "die").returncode != 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["stop_reason"] == "process_lost"
    assert found["error"].startswith("process 0 of 2 lost another one, which ended or did not answer in time")
    model = LSTMForecaster.load(tmp_path / "model.safetensors")
    assert len(model.history_) >= 3
    # the same epochs again, by one process
    again = together.endless(None, device__distributed=False, max_epochs=found["best_epoch"]).fit(together.series())
    assert again.best_epoch_ == found["best_epoch"]
    assert_allclose(model.history_["val_loss"][: len(again.history_)], again.history_["val_loss"], rtol=1e-4)
    for name, weight in again.model_.parameters().items():
        assert_allclose(model.model_.parameters()[name], weight, atol=1e-3)
    assert_allclose(model.predict(), again.predict(), atol=1e-3)
    # one process can go on where two have ended
    checkpoint, seen = tmp_path / "checkpoints0", []
    n_epochs = len(model.history_)
    going_on = {"device__distributed": False, "max_epochs": n_epochs + 2, "checkpoint": checkpoint}
    together.endless([seen.append], **going_on).fit(together.series())
    assert [record["epoch"] for record in seen][-2:] == [n_epochs + 1, n_epochs + 2]
    assert seen[0]["epoch"] >= 3
    assert not (tmp_path / "checkpoints1").exists()


def test_a_training_that_was_broken_off_goes_on_in_all_processes(tmp_path):
    done = _torchrun(together.__file__, tmp_path, "resume")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "weights0.npz") as first, np.load(tmp_path / "weights1.npz") as second:
        assert any(name.startswith("resumed unfrozen") for name in first.files)
        for name in first.files:
            assert_array_equal(first[name], second[name], err_msg=name)
            assert_array_equal(first[name], first[name.replace("resumed", "whole")], err_msg=name)
    assert not list(tmp_path.glob("*of process 1"))
    assert (tmp_path / "refused0.txt").read_text().startswith("ValueError: expected hidden_size 6 as in the checkpoint")
    assert (tmp_path / "refused1.txt").read_text().startswith("RuntimeError: process 0 can't go on")


def test_the_example_runs_and_only_the_first_process_speaks(tmp_path):
    done = _torchrun(EXAMPLE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Wrote") == 1
    assert len(LSTMForecaster.load(tmp_path / "model.safetensors").predict()) == 24


@pytest.fixture
def group(tmp_path):
    """A group of one process, made by the user."""
    dist.init_process_group("cpu:gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("name", _cases(["fused", "torch", "hybrid", "regressor"]))
def test_a_group_of_the_user_is_taken_and_left(name):
    together_alone, alone = together.fit(name, device__distributed=True), together.fit(name)
    assert dist.is_initialized()
    assert_array_equal(together_alone.history_["val_loss"], alone.history_["val_loss"])


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize(
    ("error", "stop_reason", "text"),
    [
        (KeyboardInterrupt(), "interrupted", None),
        (RuntimeError("closed"), "process_lost", "process 0 of 1 lost another one at the end of the training .closed."),
    ],
)
def test_what_goes_wrong_at_the_end_costs_nothing(monkeypatch, error, stop_reason, text):
    def fail(*_):
        raise error

    monkeypatch.setattr(dist, "all_gather_object", fail)
    model = LSTMForecaster(3, window_size=12, max_epochs=1, device=Device(distributed=True))
    with pytest.raises(type(error), match=text):
        model.fit(together.series())
    assert (model.stop_reason_, model.n_epochs_) == (stop_reason, 1)
    assert model.predict().shape == (3, 2)


@pytest.mark.usefixtures("group")
def test_a_group_that_cannot_serve_the_device_is_refused():
    message = "expected a process group for device='cuda:0', got one of backends cpu:gloo"
    with pytest.raises(RuntimeError, match=message), join("cuda:0", 1.0):
        pass


def test_without_torchrun_there_is_a_clear_error(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(RuntimeError, match=r"for Device\(distributed=True\), got no WORLD_SIZE: start with torchrun"):
        together.fit("fused", device__distributed=True)
    assert not dist.is_initialized()


def test_what_does_not_go_together_is_refused():
    y = together.series()
    with pytest.raises(ValueError, match=r"expected n_estimators=1 with Device\(distributed=True\).*got 2"):
        LSTMForecaster(device=Device(distributed=True), n_estimators=2).fit(y)
    with pytest.raises(ValueError, match="expected distributed to be False or True, got 'auto'"):
        LSTMRegressor(device=Device(distributed="auto")).fit(y, y[:, 0])
    with pytest.raises(ValueError, match=r"expected timeout of Device to be a number above 0 and .*, got 0"):
        LSTMForecaster(device=Device(timeout=0)).fit(y)
    with pytest.raises(ValueError, match=r"expected n_jobs=None for Device\(distributed=True\)"):
        backtest(LSTMForecaster(device=Device(distributed=True)), y, n_jobs=2, folds=20)


def test_parameters_are_cloned_and_off_unless_asked_for():
    forecaster = LSTMForecaster(device=Device(distributed=True, timeout=5.0))
    assert clone(forecaster).get_params()["device__timeout"] == 5.0
    assert flat_parameters(LSTMForecaster())["distributed"] is False


def test_each_process_takes_its_share_of_the_threads(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert (threads_of_process(None), threads_of_process(3)) == (1, 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads_of_process(None) is None  # the core takes OMP_NUM_THREADS
