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

from lstmforecast import LSTM, FormatError, LSTMClassifier, LSTMForecaster, LSTMRegressor, StandardScaler, load

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
