"""Each parameter of an object of training has an effect of its own, or is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from lstmforecast import LSTM, Adam, AdamW, Device, EarlyStopping, LSTMForecaster, LSTMRegressor, Plateau, Sampling
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.training_parameters import DEVICE, EARLY_STOPPING, LR_SCHEDULE, OPTIMIZER, SAMPLING

Y = np.sin(np.arange(120) / 4) + np.random.default_rng(0).normal(0, 0.1, 120)
# every step of a pass over all windows, nothing held out
PLAIN = {
    "horizon": 2,
    "window_size": 6,
    "hidden_size": 4,
    "architecture": LSTM(segment_length=1, linear_skip=False),
    "loss": "mse",
    "scaler": None,
    "learning_rate": 0.01,
    "batch_size": 8,
    "max_epochs": 3,
    "early_stopping": None,
    "sampling": Sampling(steps_per_epoch=None),
    "n_threads": 1,
    "random_state": 0,
}
ADAM = {"weight_decay": 0.0, "clip_grad_norm": 1.0, "clip_grad_value": None, "accumulate_grad_batches": 1}
PLATEAU = {"lr_patience": 5, "lr_factor": 0.5}
STOPPING = {"patience": 10, "min_delta": 0.0, "validation_fraction": None}
CPU = {
    "device": "cpu", "backend": "auto", "precision": "float32", "layer_devices": None, "distributed": False,
    "distributed_timeout": 600.0,
}  # fmt: skip


def fit(y=Y, **parameters):
    return LSTMForecaster(**PLAIN | parameters).fit(y)


def weights(model):
    return np.concatenate([values.ravel() for values in model.model_.parameters().values()])


@pytest.fixture(scope="module")
def start():
    """The weights before the first step."""
    return weights(fit(learning_rate=1e-30))


@pytest.mark.parametrize(
    ("group", "values", "flat"),
    [
        (OPTIMIZER, ["adam", Adam()], {"optimizer": "adam"} | ADAM),
        (OPTIMIZER, ["adamw", AdamW()], {"optimizer": "adamw"} | ADAM),
        (LR_SCHEDULE, ["plateau", Plateau()], {"lr_schedule": "plateau"} | PLATEAU),
        (LR_SCHEDULE, ["cosine"], {"lr_schedule": "cosine"} | PLATEAU),
        (EARLY_STOPPING, [10, EarlyStopping()], STOPPING),
        (EARLY_STOPPING, [None, EarlyStopping(None)], STOPPING | {"patience": None}),
        (SAMPLING, [None, Sampling()], {"steps_per_epoch": "auto", "stride": 1}),
        (DEVICE, ["cpu", Device()], CPU),
        (DEVICE, ["cuda", Device("cuda")], CPU | {"device": "cuda"}),
    ],
    ids=lambda value: value.name if hasattr(value, "flat") else "",
)
def test_words_and_objects_have_the_same_flat_parameters(group, values, flat):
    assert [group.flat(value) for value in values] == [flat] * len(values)
    # and these parameters make the first of the values again
    assert group.grouped(flat) == values[0]


@pytest.mark.parametrize(
    ("name", "value", "flat"),
    [
        ("optimizer", Adam(weight_decay=0.5), {"weight_decay": 0.5}),
        ("optimizer", Adam(clip_grad_norm=0.5), {"clip_grad_norm": 0.5}),
        ("optimizer", AdamW(clip_grad_value=0.5), {"optimizer": "adamw", "clip_grad_value": 0.5}),
        ("optimizer", Adam(accumulate_grad_batches=2), {"accumulate_grad_batches": 2}),
        ("lr_schedule", Plateau(2, 0.1), {"lr_schedule": "plateau", "lr_patience": 2, "lr_factor": 0.1}),
        ("early_stopping", EarlyStopping(3, min_delta=0.1), {"patience": 3, "min_delta": 0.1}),
        ("early_stopping", EarlyStopping(validation_fraction=0.3), {"patience": 10, "validation_fraction": 0.3}),
        ("sampling", Sampling(steps_per_epoch=7, stride=3), {"steps_per_epoch": 7, "stride": 3}),
        ("device", Device("cuda:1", backend="torch"), {"device": "cuda:1", "backend": "torch"}),
        ("device", Device(precision="bfloat16"), {"precision": "bfloat16"}),
        ("device", Device(layer_devices=["cpu", "cuda"]), {"layer_devices": ["cpu", "cuda"]}),
        ("device", Device(distributed=True, timeout=9.0), {"distributed": True, "distributed_timeout": 9.0}),
    ],
    ids=str,
)
def test_what_is_set_is_all_that_differs(name, value, flat):
    default = LSTMForecaster()
    changed = clone(default).set_params(**{name: value})
    assert flat_parameters(changed) == flat_parameters(default) | flat
    # the same, one by one
    nested = {f"{name}__{inner}": each for inner, each in value.get_params().items()}
    one_by_one = clone(default).set_params(**({name: value.word} if value.word else {}) | nested)
    assert flat_parameters(one_by_one) == flat_parameters(changed)


def test_regressors_hold_nothing_out_and_pass_over_all_windows():
    flat = flat_parameters(LSTMRegressor())
    assert [flat[name] for name in ("patience", "steps_per_epoch", "stride")] == [None, None, 1]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("optimizer", Plateau(), r"^expected optimizer to be 'adam', 'adamw'.* an object such as AdamW\(.*, got Plat"),
        ("optimizer", Adam, r"^expected optimizer to be .*, got <class .*Adam'>$"),
        ("sampling", 20, r"^expected sampling to be .*an object such as Sampling\(steps_per_epoch=20\), got 20$"),
        ("device", Sampling(), r"^expected device to be .*an object such as Device\(.*, got Sampling\(\)$"),
    ],
)
def test_another_object_is_refused(name, value, message):
    with pytest.raises(TypeError, match=message):
        fit(**{name: value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Adam(weight_decay=-1), "^expected weight_decay to be a number of at least 0, got -1$"),
        (Adam(clip_grad_norm=0), "^expected clip_grad_norm to be .*above 0.*, got 0$"),
        (AdamW(clip_grad_value=0), "^expected clip_grad_value to be .*above 0.*, got 0$"),
        (Adam(accumulate_grad_batches=0), "^expected accumulate_grad_batches to be an integer of at least 1, got 0$"),
        (Plateau(-1), "^expected patience of Plateau to be an integer of at least 0 or None, got -1$"),
        (Plateau(factor=1.0), "^expected factor of Plateau to be .*below 1, got 1.0$"),
        (EarlyStopping(0), "^expected patience to be an integer of at least 1 or None, got 0$"),
        (EarlyStopping(min_delta=-1), "^expected min_delta to be a number of at least 0, got -1$"),
        (EarlyStopping(validation_fraction=1.0), "^expected validation_fraction to be .*below 1 or None, got 1.0$"),
        (
            EarlyStopping(None, validation_fraction=0.3),
            "^expected validation_fraction=None in EarlyStopping with patience=None, .*, got 0.3$",
        ),
        (Sampling(steps_per_epoch=0), "^expected steps_per_epoch to be .*integer of at least 1, 'auto' or None, got 0"),
        (Sampling(stride=0), "^expected stride to be an integer of at least 1, got 0$"),
        (Device("tpu"), "^expected name of Device to be .*, got 'tpu'$"),
        (Device(backend="numpy"), "^expected backend to be 'auto', 'fused' or 'torch', got 'numpy'$"),
        (Device(precision="float16"), "^expected precision to be 'float32' or 'bfloat16', got 'float16'$"),
        (Device(precision="bfloat16"), "^expected backend='torch' or a GPU with precision='bfloat16', got our own"),
        (Device(backend="fused", layer_devices=["cpu"]), "^expected backend 'torch' or 'auto' with layer_devices, got"),
        (Device(layer_devices=["cpu", "cpu"]), "^expected a device for each of num_layers=1 with layer_devices, got 2"),
        (Device(timeout=0), "^expected timeout of Device to be .*above 0.*, got 0$"),
    ],
    ids=str,
)
def test_wrong_values_are_refused(value, message):
    groups = (OPTIMIZER, LR_SCHEDULE, EARLY_STOPPING, SAMPLING, DEVICE)
    [name] = [group.name for group in groups if isinstance(value, group.kinds)]
    with pytest.raises(ValueError, match=message):
        fit(**{name: value})


@pytest.mark.parametrize("optimizer", [Adam, AdamW])
def test_gradients_cut_to_nothing_move_nothing(optimizer, start):
    assert np.abs(weights(fit(optimizer=optimizer())) - start).max() > 0.1
    for cut in ({"clip_grad_norm": 1e-12}, {"clip_grad_norm": None, "clip_grad_value": 1e-12}):
        assert np.abs(weights(fit(optimizer=optimizer(**cut))) - start).max() < 1e-4


def test_weights_decay():
    plain, penalty, decoupled = (
        weights(fit(optimizer=each)) for each in ("adam", Adam(weight_decay=0.1), AdamW(weight_decay=0.1))
    )
    assert_array_equal(weights(fit(optimizer="adamw")), plain)
    assert np.linalg.norm(penalty) < 0.9 * np.linalg.norm(plain)
    # each step takes a part of the weights, learning rate times decay: some 40 steps of 0.001 and less
    assert 0.95 < np.linalg.norm(decoupled) / np.linalg.norm(plain) < 0.99


def test_accumulated_batches_are_one_larger_batch():
    accumulated = weights(fit(optimizer=Adam(accumulate_grad_batches=2)))
    assert_allclose(accumulated, weights(fit(batch_size=16)), atol=1e-6)
    assert np.abs(accumulated - weights(fit())).max() > 0.01


def rates(**plateau):
    """Of a training whose validation loss rises now and then."""
    history = fit(lr_schedule=Plateau(**plateau), max_epochs=12, learning_rate=0.1, early_stopping=99).history_
    return history["val_loss"].to_numpy(), history["learning_rate"].to_numpy()


@pytest.mark.parametrize(("patience", "factor"), [(0, 0.5), (0, 0.9), (1, 0.5)])
def test_a_plateau_reduces_the_rate(patience, factor):
    losses, found = rates(patience=patience, factor=factor)
    expected, best, waited = [0.1], np.inf, 0
    for loss in losses[:-1]:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        reduce = waited > patience
        expected.append(expected[-1] * factor if reduce else expected[-1])
        waited = 0 if reduce else waited
    assert expected[-1] < 0.1
    assert_allclose(found, expected)


def test_a_plateau_without_patience_never_reduces_the_rate():
    assert (rates(patience=None)[1] == 0.1).all()


@pytest.mark.parametrize("patience", [1, 4])
def test_training_ends_after_epochs_without_an_improvement(patience):
    stopped = fit(early_stopping=EarlyStopping(patience, min_delta=1e9), max_epochs=50)
    # the first epoch has nothing to improve on
    assert (stopped.n_epochs_, stopped.stop_reason_) == (1 + patience, "patience")
    assert fit(early_stopping=EarlyStopping(patience), max_epochs=10).n_epochs_ > 1 + patience


@pytest.mark.parametrize(("fraction", "n_rows"), [(None, 96), (0.25, 90), (0.5, 60)])
def test_held_out_rows_train_nothing(fraction, n_rows):
    stopping = EarlyStopping(99, validation_fraction=fraction)
    assert HeldOut.of(LSTMForecaster(early_stopping=stopping)).training_rows(len(Y)) == n_rows
    losses = {changed: _with_row(changed, stopping).history_["train_loss"] for changed in (None, n_rows - 1, n_rows)}
    assert_array_equal(losses[n_rows], losses[None])
    assert (losses[n_rows - 1] != losses[None]).all()


def _with_row(changed, stopping):
    y = Y.copy()
    if changed is not None:
        y[changed] = 9.0
    return fit(y, early_stopping=stopping)


@pytest.mark.parametrize("n", [1, 5])
def test_an_epoch_has_so_many_steps(n, start):
    """With gradients' directions alone, a step of Adam moves each weight by its rate at first."""
    one = {"sampling": Sampling(steps_per_epoch=n), "max_epochs": 1, "lr_schedule": "constant", "learning_rate": 1e-4}
    farthest = np.abs(weights(fit(**one)) - start).max()
    assert (n - 1) * 1e-4 < farthest < (n + 0.01) * 1e-4


@pytest.mark.parametrize("stride", [8, 10])
def test_rows_between_windows_train_nothing(stride):
    """A window and its horizon have 8 rows: with a larger stride some rows belong to none."""
    y = Y.copy()
    between = np.arange(len(Y)) % stride >= 8
    y[between] = 99.0
    sampling = Sampling(steps_per_epoch=None, stride=stride)
    assert_array_equal(weights(fit(y, sampling=sampling)), weights(fit(sampling=sampling)))
    assert (weights(fit(y)) == weights(fit())).all() == (not between.any())
    assert (weights(fit(sampling=sampling)) != weights(fit())).any()


@pytest.mark.torch
def test_libtorch_computes_what_our_kernel_does_not():
    model, ours = fit(device=Device(backend="torch")), fit()
    assert (model.model_.config["backend"], ours.model_.config["backend"]) == ("torch", "auto")
    # the same numbers, summed in another order
    assert_allclose(weights(model), weights(ours), atol=1e-4)
    assert (weights(model) != weights(ours)).any()
    layers = fit(device=Device(layer_devices=["cpu"]))
    assert layers.model_.config["layer_devices"] == ["cpu"]
    assert_array_equal(weights(layers), weights(model))
    # numbers with three digits
    coarse = np.abs(weights(fit(device=Device(backend="torch", precision="bfloat16"))) - weights(model)).max()
    assert 1e-4 < coarse < 0.05


def test_processes_are_those_that_torchrun_started(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(RuntimeError, match=r"^expected RANK, .* for Device\(distributed=True\), got no RANK"):
        fit(device=Device(distributed=True))
