"""Forecasts that are not below 0, in ONNX files and PyTorch modules."""

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lstmforecast import Linear, LSTMForecaster

DAYS = pd.date_range("2026-01-05", periods=100, freq="D")
# A linear forecast of the first goes below 0, that of the second is there, that of the third never is.
TABLE = pd.DataFrame(
    {"load": np.arange(99.0, -1, -1), "change": np.arange(79.0, -21, -1), "size": np.full(100, 5.0)}, DAYS
)


def _fit(y, **parameters):
    options = {"architecture": "linear", "window_size": 14, "n_threads": 1, "random_state": 0, "max_epochs": 1}
    return LSTMForecaster(3, **options | parameters).fit(y)


def _run(model, path, **inputs):
    model.to_onnx(path, dtype="float64")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True)), session


def _windows(y):
    """The last window, an earlier one, and the last one 6 lower."""
    rows = y.to_numpy()
    windows = np.stack([rows[end - 14 : end] for end in (100, 90)])
    return np.concatenate([windows, windows[:1] - 6])


def _expected(model, windows):
    contexts = [pd.DataFrame(window, DAYS[:14], model.feature_names_in_) for window in windows]
    return np.stack([model.predict(context=each).to_numpy() for each in contexts])


@pytest.mark.parametrize(
    "parameters",
    [{}, {"architecture": Linear(head="recursive")}, {"transform": "log"}, {"non_negative": False}],
    ids=["direct", "recursive", "log", "free"],
)
def test_onnx_files(parameters, tmp_path):
    y = TABLE[["load", "size"]] if "transform" in parameters else TABLE
    model = _fit(y, **parameters)
    windows = _windows(y)
    windows = np.maximum(windows, -0.9) if "transform" in parameters else windows
    found, _ = _run(model, tmp_path / "model.onnx", windows=windows)
    expected = _expected(model, windows)
    # single precision, values up to 100
    assert_allclose(found["forecast"], expected, rtol=1e-5, atol=1e-4)
    assert (found["forecast"][0, :, 0] == 0).all() == (parameters != {"non_negative": False})
    assert (found["forecast"][2, :, 0] < 0).all()


def test_a_window_that_cannot_be_read_stays_nan(tmp_path):
    windows = _windows(TABLE)
    windows[0, 3, 0] = np.nan
    found, _ = _run(_fit(TABLE), tmp_path / "model.onnx", windows=windows)
    assert np.isnan(found["forecast"][0]).all()


def test_predicted_quantiles_of_files(tmp_path):
    y = pd.DataFrame({"load": np.random.default_rng(0).poisson(0.5, 100).astype(float)}, DAYS)
    parameters = {"loss": "quantile", "architecture": "lstm", "hidden_size": 4}
    free, _ = _run(_fit(y, non_negative=False, **parameters), tmp_path / "free.onnx", windows=y.to_numpy()[None, -14:])
    found, _ = _run(_fit(y, **parameters), tmp_path / "model.onnx", windows=y.to_numpy()[None, -14:])
    assert (free["quantiles"] < 0).any()
    for name, values in free.items():
        assert_array_equal(found[name], np.maximum(values, 0))


def test_the_file_of_a_panel_asks_which_series_are_never_negative(tmp_path):
    panel = pd.concat({name: TABLE[name].rename("y") for name in TABLE}, names=["unique_id", "ds"])
    model = _fit(panel)
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    told = {key: json.loads(session.get_modelmeta().custom_metadata_map[key]) for key in ("scales", "non_negative")}
    assert told["non_negative"] == {"load": [1], "change": [0], "size": [1]}
    inputs = {key: np.array(list(each.values()), np.float64) for key, each in told.items()}
    windows = TABLE.to_numpy().T[:, -14:, np.newaxis]
    found, _ = _run(model, tmp_path / "model.onnx", windows=windows, **inputs)
    assert_allclose(found["forecast"].ravel(), model.predict(), rtol=1e-5, atol=1e-4)
    assert (found["forecast"][0] == 0).all()
    # where all series are alike, there is nothing to ask
    _, session = _run(_fit(panel[["load", "size"]]), tmp_path / "model.onnx", windows=windows, scales=inputs["scales"])
    assert [each.name for each in session.get_inputs()] == ["windows", "scales"]


class TestTorch:
    @pytest.mark.parametrize("parameters", [{}, {"transform": "log"}, {"n_estimators": 2, "architecture": "lstm"}])
    def test_modules(self, parameters):
        torch = pytest.importorskip("torch")
        y = TABLE[["load", "size"]] if "transform" in parameters else TABLE
        model = _fit(y, **parameters)
        windows = _windows(y)
        windows = np.maximum(windows, -0.9) if "transform" in parameters else windows
        with torch.no_grad():
            found = model.to_torch()(torch.from_numpy(windows)).numpy()
        assert_allclose(found, _expected(model, windows), rtol=1e-5, atol=1e-4)

    def test_quantiles(self):
        torch = pytest.importorskip("torch")
        y = np.random.default_rng(0).poisson(0.5, 100).astype(float)
        parameters = {"loss": "quantile", "architecture": "lstm", "hidden_size": 4}
        window = torch.from_numpy(y[None, -14:, None])
        with torch.no_grad():
            found, free = (_fit(y, non_negative=each, **parameters).to_torch()(window) for each in ("auto", False))
        assert (free < 0).any()
        assert torch.equal(found, free.clamp(min=0))

    def test_panels_of_both_kinds_are_refused(self):
        panel = pd.concat({name: TABLE[name].rename("y") for name in TABLE}, names=["unique_id", "ds"])
        model = _fit(panel, normalize="window")
        with pytest.raises(ValueError, match="expected all series to have negative values, or none, for to_torch"):
            model.to_torch()
