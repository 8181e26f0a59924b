"""Files with float32 inputs and outputs, the default, against `predict`, relative to the scale of the data."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from tests.parity.test_forecaster_switches import (
    FROM_ZERO,
    LOSSES,
    STATIC,
    _covariates,
    _fit,
    _hours,
    _panel,
    _with_gaps,
)
from tests.parity.test_onnx import NETWORKS

from lstmforecast import LSTMClassifier, LSTMForecaster, LSTMRegressor
from lstmforecast.fitting.roll import ends_of

FAST = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
HALF_A_STEP = 2.0**-24


@pytest.fixture
def forecast(tmp_path):
    """What the file forecasts from the ends of all series."""

    def of(model, X=None):
        model.to_onnx(tmp_path / "model.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
        dataset, n_known = model.fitted_.dataset, model.model_.config["n_known"]
        windows, future, _ = ends_of(model.model_, dataset, model.horizon, X)
        k = dataset.observations.n_columns
        windows[:, :, :k] = dataset.undo(windows[:, :, :k])
        given = {"windows": windows, "future": future[:, :, future.shape[2] - n_known :], "scales": dataset.scales}
        wanted = {each.name: given[each.name].astype(np.float32) for each in session.get_inputs()}
        [found] = session.run(["forecast"], wanted)
        assert found.dtype == np.float32
        return found

    return of


def assert_near(found, expected, scale, level):
    """Networks in single precision on both sides differ by some 1e-6 of the scale (1e-5 allowed). Inputs and outputs
    are rounded, each by half a step at their level, and the network makes a little more of that (3 allowed).
    """
    allowed = 1e-5 * np.asarray(scale) + 3 * HALF_A_STEP * np.asarray(level)
    assert (np.abs(found - np.reshape(expected, found.shape)) <= allowed).all()


@pytest.mark.parametrize("level", [0, 100, 10_000])
@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("architecture", NETWORKS.values(), ids=NETWORKS)
def test_networks_at_any_level(forecast, architecture, normalize, level):
    y, X = _with_gaps(_hours()) + level, _covariates()
    for channels in ("independent", "together"):
        model = _fit(y, X, missing="mask", normalize=normalize, channels=channels, loss="quantile", **architecture)
        assert_near(forecast(model, X), model.predict(X=X), y.std().min(), y.abs().max().max())


@pytest.mark.parametrize("transform", [None, "log"])
@pytest.mark.parametrize("head", ["direct", "recursive"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(forecast, loss, head, transform):
    y = (np.exp(_hours()) * 100).round()
    if loss in FROM_ZERO and transform:
        return
    model = _fit(y, loss=loss, transform=transform, architecture__head=head)
    assert_near(forecast(model), model.predict(), y.std().min(), y.max().max())


@pytest.mark.parametrize("normalize", ["last", "window", None])
def test_each_series_of_a_panel_at_its_own_scale(forecast, normalize):
    y = _panel(gaps=True)
    times = [pd.date_range(y.loc[key].index[-1], periods=6, freq="h")[1:] for key in "abcd"]
    index = pd.MultiIndex.from_tuples([(key, time) for key, each in zip("abcd", times, strict=True) for time in each])
    X = pd.DataFrame({"price": np.random.default_rng(3).normal(size=len(y) + 20)}, index=y.index.append(index))
    model = _fit(y, X, None, STATIC, missing="mask", normalize=normalize)
    by_series = y.groupby(level=0)
    scale, level = by_series.std().min(axis=1), by_series.max().max(axis=1)
    assert scale.max() > 10 * scale.min()
    each = {"scale": scale.to_numpy()[:, None, None], "level": level.to_numpy()[:, None, None]}
    assert_near(forecast(model, X), model.predict(X=X), **each)


def test_a_level_that_hides_the_variation_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    y = _hours().add([3, 1e6])
    model = _fit(y)
    message = (
        r"expected data whose variation float32 can show, got 'b' with values near 1e\+06 that vary by 0\.\d+, where "
        r"float32 has steps of 0\.06; write the file with dtype='float64'"
    )
    with pytest.raises(ValueError, match=message):
        model.to_onnx(path)
    assert not path.exists()
    model.to_onnx(path, dtype="float64")
    with pytest.raises(ValueError, match="got 'b' with values near"):
        _fit(y, scaler=None).to_onnx(path)
    with pytest.raises(ValueError, match="got 'b' with values near"):
        _fit(y, transform="log").to_onnx(path)
    with pytest.raises(ValueError, match="got 'price' with values near"):
        _fit(_hours(), _covariates().add([1e6, 0])).to_onnx(path)
    panel = _panel(gaps=False)
    panel.loc["c"] = panel.loc["c"].to_numpy() + 1e8
    with pytest.raises(ValueError, match="got 'y' of series 'c' with values near"):
        _fit(panel).to_onnx(path)


def test_a_column_that_is_constant_loses_nothing(tmp_path):
    y, X = _hours().assign(b=5e6), _covariates().assign(price=3e7)
    _fit(y, X).to_onnx(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="got 'b' with values near"):
        _fit(y.assign(b=5e6 + 0.1), X).to_onnx(tmp_path / "model.onnx")


def test_what_is_seen_of_the_level_after_loading_is_the_same(tmp_path):
    model = _fit(_hours() + 1e6, early_stopping=5)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="variation float32 can show"):
        LSTMForecaster.load(tmp_path / "model.safetensors").to_onnx(tmp_path / "model.onnx")


def test_rows(tmp_path):
    X = np.random.default_rng(0).normal(5, 2, size=(60, 6, 2))
    far = np.add(X, [0, 1e6])
    path = tmp_path / "model.onnx"
    for model, y in ((LSTMRegressor(**FAST), X[:, -1, 0]), (LSTMClassifier(**FAST), X[:, -1, 0] > 5)):
        model.fit(X, y).to_onnx(path)
        outputs = onnxruntime.InferenceSession(path).run(None, {"X": X.astype(np.float32)})
        expected = model.predict(X) if len(outputs) == 1 else model.predict_proba(X)
        assert_near(outputs[-1], expected, 1, 10)
        assert outputs[-1].dtype == np.float32
        with pytest.raises(ValueError, match="got feature 1 of X with values near"):
            model.fit(far, y).to_onnx(path)
    with pytest.raises(ValueError, match="got column 0 of y with values near"):
        LSTMRegressor(**FAST).fit(X, X[:, -1, 0] + 1e6).to_onnx(path)
