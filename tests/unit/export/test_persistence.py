"""Model files: what comes back, and what happens to files that are none."""

import contextlib
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from safetensors import safe_open
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tests.fuzz.safetensors_file import METADATA, Parts

from lstmforecast import (
    CNNLSTM,
    LSTM,
    Adam,
    AdamW,
    Attention,
    Calendar,
    CharLSTM,
    Device,
    EarlyStopping,
    FormatError,
    Linear,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Plateau,
    Pretrained,
    Quantiles,
    Sampling,
    StandardScaler,
    Transformer,
    _core,
    load,
)
from lstmforecast.contract.parameter_group import flat_parameters, groups_of

FAST = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}


def _series(n=80):
    return pd.Series(np.sin(np.arange(n) / 3), pd.date_range("2024-01-01", periods=n, freq="h"), name="load")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    LSTMForecaster(2, window_size=8, **FAST).fit(_series()).save(path)
    return path


def test_a_forecaster_comes_back_whole(tmp_path):
    forecaster = LSTMForecaster(2, window_size=8, freq="h", **FAST).fit(_series())
    forecaster.save(tmp_path / "m.safetensors")
    back = LSTMForecaster.load(tmp_path / "m.safetensors")
    pd.testing.assert_series_equal(back.predict(5), forecaster.predict(5))
    pd.testing.assert_frame_equal(back.history_, forecaster.history_)
    assert back.get_params() == forecaster.get_params()
    assert (back.best_epoch_, back.n_epochs_, back.stop_reason_) == (
        forecaster.best_epoch_,
        forecaster.n_epochs_,
        forecaster.stop_reason_,
    )


def test_regressor_and_classifier_come_back(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 6))
    for estimator, y in [(LSTMRegressor(**FAST), X[:, :2]), (LSTMClassifier(**FAST), np.where(X[:, 0] > 0, "a", "b"))]:
        path = tmp_path / type(estimator).__name__
        estimator.fit(X, y).save(path)
        assert_array_equal(load(path).predict(X), estimator.predict(X))
        assert type(load(path)) is type(estimator)


TRAININGS = {
    "optimizer": AdamW(weight_decay=0.1, clip_grad_norm=None, clip_grad_value=0.5, accumulate_grad_batches=2),
    "lr_schedule": Plateau(patience=1, factor=0.25),
    "early_stopping": EarlyStopping(patience=3, min_delta=0.01, validation_fraction=0.3),
    "pretrained": Pretrained(freeze=["lstm.bias*"], learning_rates={"fc.*": 0.5}),
    "device": Device(backend="torch", layer_devices=["cpu"], timeout=3.0)
    if _core.HAS_TORCH
    else Device(backend="fused", timeout=3.0),
}
NETWORKS = [
    LSTM(bidirectional=True, segment_length=2, linear_skip=False, head="recursive"),
    LSTM(segment_length=2, tbptt=2, supervision="every"),
    Attention(num_heads=2, bidirectional=True, segment_length=2, linear_skip=False),
    CNNLSTM(kernel_size=[2, 3], out_channels=3, segment_length=2, tbptt=2, linear_skip=False),
    Transformer(num_heads=2, dim_feedforward=6, causal=True, segment_length=2, linear_skip=False),
    Linear(head="recursive"),
]


def objects_of(estimator):
    """The parameters of an estimator that are objects or stand for one."""
    return {name: getattr(estimator, name) for name in groups_of(estimator)}


def fitted_and_loaded(estimator, tmp_path, *data):
    estimator.fit(*data).save(tmp_path / "m")
    return load(tmp_path / "m")


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_a_forecaster_comes_back_with_the_network_that_it_had(tmp_path, network):
    forecaster = LSTMForecaster(2, window_size=8, architecture=network, **FAST)
    assert fitted_and_loaded(forecaster, tmp_path, _series()).architecture == network


def test_a_forecaster_comes_back_with_all_objects_that_it_had(tmp_path):
    others = {
        "architecture": LSTM(linear_skip=False),
        "sampling": Sampling(steps_per_epoch=3, stride=2),
        "loss": Quantiles([0.1, 0.5, 0.9]),
        "calendar": Calendar(["time_of_day"], holidays="DE"),
    }
    forecaster = LSTMForecaster(2, window_size=8, **TRAININGS, **others, **FAST)
    back = fitted_and_loaded(forecaster, tmp_path, _series())
    assert objects_of(back) == TRAININGS | others
    assert flat_parameters(back) == flat_parameters(forecaster)


@pytest.mark.parametrize("kind", [LSTMRegressor, LSTMClassifier])
def test_regressor_and_classifier_come_back_with_all_objects_that_they_had(tmp_path, kind):
    others = {"architecture": LSTM(bidirectional=True, segment_length=2), "sampling": Sampling(steps_per_epoch=3)}
    X = np.random.default_rng(0).normal(size=(40, 6))
    estimator = kind(**TRAININGS, **others, **FAST)
    back = fitted_and_loaded(estimator, tmp_path, X, X[:, 0] > 0)
    assert objects_of(back) == TRAININGS | others
    assert flat_parameters(back) == flat_parameters(estimator)


def test_a_file_has_no_parameter_that_its_estimator_can_not_change(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 6))
    CharLSTM(hidden_size=4, embedding_size=3, sequence_length=8, max_epochs=1).fit("to be or not " * 9).save(
        tmp_path / "text"
    )
    LSTMRegressor(**FAST).fit(X, X[:, 0]).save(tmp_path / "regressor")
    for kind, names in [
        ("text", ["clip_grad_value", "accumulate_grad_batches"]),
        ("regressor", ["head", "linear_skip", "supervision", "stride"]),
    ]:
        with safe_open(tmp_path / kind, framework="numpy") as file:
            assert json.loads(file.metadata()["parameters"]).keys().isdisjoint(names)


def test_a_text_model_comes_back_with_its_optimizer(tmp_path):
    optimizer = Adam(weight_decay=0.1, clip_grad_norm=0.5)
    model = CharLSTM(hidden_size=4, embedding_size=3, sequence_length=8, max_epochs=1, optimizer=optimizer)
    assert fitted_and_loaded(model, tmp_path, "to be or not to be " * 9).optimizer == optimizer


@pytest.mark.parametrize("word", ["lstm", "attention", "cnn_lstm", "transformer", "linear"])
def test_words_come_back_as_words(tmp_path, word):
    forecaster = LSTMForecaster(2, window_size=8, architecture=word, lr_schedule="plateau", early_stopping=5, **FAST)
    back = fitted_and_loaded(forecaster, tmp_path, _series())
    assert objects_of(back) == objects_of(forecaster)


def test_a_scaler_object_is_kept_by_what_it_does(tmp_path):
    forecaster = LSTMForecaster(2, window_size=8, scaler=StandardScaler(), **FAST).fit(_series())
    forecaster.save(tmp_path / "m")
    pd.testing.assert_series_equal(load(tmp_path / "m").predict(), forecaster.predict())


def test_other_parameters_survive_in_plain_form(tmp_path):
    forecaster = LSTMForecaster(
        np.int64(2), window_size=8, freq=pd.offsets.Hour(), callbacks=[print], **(FAST | {"max_epochs": 1})
    )
    forecaster.set_params(callbacks=[lambda record: None], random_state=np.random.default_rng(0))
    forecaster.fit(_series()).save(tmp_path / "m")
    back = load(tmp_path / "m")
    assert (back.horizon, back.freq, back.callbacks, back.random_state) == (2, "h", None, None)


def test_the_file_is_plain_safetensors(model_file):
    with safe_open(model_file, framework="numpy") as file:
        assert "lstm.weight_ih_l0" in file.keys()  # noqa: SIM118 - not a dictionary
        assert file.metadata()["format_version"] == "2"
        assert json.loads(file.metadata()["parameters"])["window_size"] == 8


def test_an_unfitted_estimator_has_nothing_to_save(tmp_path):
    with pytest.raises(NotFittedError):
        LSTMForecaster().save(tmp_path / "m")


@pytest.mark.parametrize(
    "changed", [{"loss": "quantile"}, {"architecture": LSTM(head="recursive"), "horizon": 500}, {"missing": "maks"}]
)
def test_parameters_changed_since_fit_so_that_no_file_would_load_are_refused(tmp_path, changed):
    forecaster = LSTMForecaster(2, window_size=8, **FAST).fit(_series()).set_params(**changed)
    with pytest.raises(ValueError, match=r"changed since .*: fit again before save"):
        forecaster.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_the_wrong_kind_is_named(tmp_path, model_file):
    with pytest.raises(FormatError, match="expected a file of LSTMRegressor, got one of LSTMForecaster"):
        LSTMRegressor.load(model_file)


def test_a_missing_file_is_pythons_own_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file"):
        load(tmp_path / "none")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_path_that_cannot_be_written(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        LSTMForecaster(2, window_size=8, **FAST).fit(_series()).save(folder / "m")


def test_a_failed_write_keeps_the_old_file(tmp_path, model_file):
    forecaster = load(model_file)
    folder = tmp_path / "m"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        forecaster.save(folder)
    with pytest.raises(FileNotFoundError):
        forecaster.save(tmp_path / "no folder" / "m")
    assert list(tmp_path.iterdir()) == [folder]  # no temporary file is left


def test_every_truncation_is_a_format_error(tmp_path, model_file):
    data, path = model_file.read_bytes(), tmp_path / "short"
    for n in [0, 1, 7, 8, 9, 100, len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:n])
        with pytest.raises(FormatError, match="expected"):
            load(path)


def test_a_foreign_file_is_a_format_error(tmp_path):
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3)}, tmp_path / "foreign")
    with pytest.raises(FormatError, match="another origin"):
        load(tmp_path / "foreign")
    (tmp_path / "text").write_text("date,OT\n2024-01-01,3\n")
    with pytest.raises(FormatError, match="foreign"):
        load(tmp_path / "text")


def test_a_newer_file_says_so(tmp_path, model_file):
    path = tmp_path / "newer"
    parts = Parts.of(model_file.read_bytes())
    parts.header[METADATA]["format_version"] = "3"
    path.write_bytes(parts.file())
    with pytest.raises(FormatError, match=r"version 2 or older, got 3: upgrade"):
        load(path)


@given(data=st.data())
def test_no_bytes_crash(model_file, tmp_path_factory, data):
    """Any change of some bytes gives a model or a FormatError, never anything else."""
    content = bytearray(model_file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "m"
    path.write_bytes(content)
    with contextlib.suppress(FormatError):
        load(path)


def test_clones_are_unfitted(model_file):
    assert not hasattr(clone(load(model_file)), "model_")
