"""Exported files under ONNX Runtime against the forecaster they came from, with every switch."""

import json

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from onnxruntime.quantization import QuantType, quantize_dynamic
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MinMaxScaler as TheirScaler
from tests.parity.test_forecaster_switches import (
    COUNTS,
    LOSSES,
    STATIC,
    N,
    _covariates,
    _covariates_with_gaps,
    _fit,
    _hours,
    _panel,
    _windows,
    _with_gaps,
    lowest_of,
    model_log,
)
from tests.parity.test_variant_switches import ARCHITECTURES, TRANSFORMERS

import lstmforecast
from lstmforecast import Attention, LSTMForecaster, Quantiles, _core
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.roll import ends_of, first_inputs

NETWORKS = {
    "lstm": {"architecture__bidirectional": True, "num_layers": 2},
    "linear": {"architecture": "linear"},
    **ARCHITECTURES,
    **TRANSFORMERS,
}


@pytest.fixture
def session(tmp_path):
    def of(model, dtype="float64"):
        model.to_onnx(tmp_path / "model.onnx", dtype=dtype)
        return onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])

    return of


def _ask(session, model, windows, scales=None):
    """Outputs by name, of windows as `to_torch` takes them: with the rows of the horizon where something is known."""
    size, n_known = model.window_size_, model.model_.config["n_known"]
    given = {"windows": windows[:, :size], "future": windows[:, size:, windows.shape[2] - n_known :], "scales": scales}
    names = [each.name for each in session.get_outputs()]
    wanted = {each.name: given[each.name] for each in session.get_inputs()}
    return dict(zip(names, session.run(None, wanted), strict=True))


def _assert_agrees(session, model, windows, scales=None):
    """``windows`` in the core's units, which are logarithms where there are some."""
    found = _ask(session, model, model_log(model, windows), scales)
    distribution = model.model_.config["distribution"]
    parameters = model.model_.forecast(windows, None, scales)
    parameters = parameters if distribution else parameters[..., None]
    undo, lowest = model.fitted_.dataset.undo, lowest_of(model, windows)
    # single precision on both sides, sums in another order, numbers of size 1 to 10
    near = {"rtol": 1e-5, "atol": 1e-5}
    assert_allclose(found.pop("forecast"), undo(np.maximum(mean(distribution, parameters), lowest)), **near)
    if isinstance(distribution, dict) and "quantiles" in distribution:
        parameters = np.maximum(parameters, lowest[..., np.newaxis])
    if distribution is not None:
        assert_allclose(found.popitem()[1], undo(parameters), **near)
    assert not found


@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("architecture", NETWORKS.values(), ids=NETWORKS)
def test_networks_with_covariates_and_gaps(session, architecture, normalize, channels):
    y, X, past = _with_gaps(_hours()), _covariates(), _covariates()[["plan"]] ** 2
    model = _fit(y, X, past, missing="mask", normalize=normalize, channels=channels, loss="quantile", **architecture)
    windows = _windows(model, y, X, past)
    # of one column nothing is known in the first
    assert np.isnan(windows[0, :12, 1]).all()
    of = session(model)
    _assert_agrees(of, model, windows)
    assert_allclose(_ask(of, model, windows)["forecast"][-1], model.predict(X=X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("architecture", [NETWORKS["lstm"], NETWORKS["linear"]], ids=["lstm", "linear"])
def test_gaps_in_covariates(session, architecture):
    X, past = _covariates_with_gaps()
    model = _fit(_with_gaps(_hours()), X, past, missing="mask", **architecture)
    windows = first_inputs(model.model_, ends_of(model.model_, model.fitted_.dataset, model.horizon, X))
    assert np.isnan(windows[:, :, 2:]).any()
    of = session(model)
    _assert_agrees(of, model, windows)
    assert_allclose(_ask(of, model, windows)["forecast"][-1], model.predict(X=X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_losses(session, loss, channels, linear_skip):
    y, X = np.exp(_hours()), _covariates()
    y = y.round() if loss in COUNTS else y
    model = _fit(y, X, loss=loss, channels=channels, architecture__linear_skip=linear_skip)
    _assert_agrees(session(model), model, _windows(model, y, X))


def test_own_quantiles_and_a_single_one(session):
    y = _hours()
    for quantiles in ([0.3], [0.05, 0.5], [0.1, 0.4, 0.6, 0.9], [0.6, 0.7]):
        model = _fit(y, loss=Quantiles(quantiles))
        of = session(model)
        _assert_agrees(of, model, _windows(model, y))
        assert json.loads(of.get_modelmeta().custom_metadata_map["quantiles"]) == quantiles


@pytest.mark.parametrize("normalize", ["last", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
def test_supervision_of_every_step(session, normalize, channels):
    y, past = _with_gaps(_hours()), _covariates()
    y.iloc[40:44, 0] = np.nan
    switches = {"normalize": normalize, "channels": channels, "missing": "mask"}
    model = _fit(y, None, past, architecture__supervision="every", **switches)
    windows = _windows(model, y, X_past=past, origins=(12, 40, 52, 83, N))
    assert np.isnan(windows[2, :4, 0]).all()
    _assert_agrees(session(model), model, windows)


@pytest.mark.parametrize("loss", ["mse", "quantile"])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_logarithms_and_ensembles(session, loss, n_estimators):
    y, X = _with_gaps(np.exp(_hours())), _covariates()
    model = _fit(y, X, transform="log", missing="mask", loss=loss, n_estimators=n_estimators)
    _assert_agrees(session(model), model, _windows(model, np.log1p(y), X))


@pytest.mark.parametrize("loss", ["normal", "student_t"])
def test_of_the_logarithm_of_another_distribution_there_is_the_forecast(session, loss):
    y = np.exp(_hours())
    model = _fit(y, transform="log", loss=loss)
    found = _ask(session(model), model, y.to_numpy()[None, -12:])
    assert list(found) == ["forecast"]
    assert_allclose(found["forecast"][0], model.predict(), rtol=1e-5)


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", None, TheirScaler(), lstmforecast.RobustScaler()])
@pytest.mark.parametrize("normalize", ["last", None])
def test_scalers(session, scaler, normalize):
    y = _hours() * 10 + 100
    model = _fit(y, scaler=scaler, normalize=normalize)
    found = _ask(session(model), model, y.to_numpy()[None, -12:])["forecast"][0]
    # as above; without a scaler the network's sums are of numbers of size 100
    assert_allclose(found, model.predict(), rtol=1e-5)


@pytest.mark.parametrize("switches", [{}, {"loss": "normal"}, {"loss": "quantile", "transform": "log"}], ids=str)
@pytest.mark.parametrize("known", [False, True])
def test_a_recursive_head_goes_on_from_its_own_forecasts(session, switches, known):
    y, X = np.exp(_hours()), _covariates() if known else None
    model = _fit(y, X, architecture__head="recursive", **switches)
    windows = _windows(model, y, X)[-1:]
    found = _ask(session(model), model, windows)
    assert found["forecast"].shape == (1, 5, 2)
    assert_allclose(found["forecast"][0], model.predict(X=X), rtol=1e-5, atol=1e-5)
    if "loss" in switches:
        assert found.popitem()[1].shape == (1, 5, 2, 2 if switches["loss"] == "normal" else 7)


@pytest.mark.parametrize("normalize", ["last", "window", None])
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("head", ["direct", "recursive"])
def test_panels(session, normalize, channels, head):
    """With series shorter than the window; those that have scales of their own tell them beside the windows."""
    y = _panel(gaps=True)
    X = pd.DataFrame({"price": np.random.default_rng(3).normal(size=len(y))}, index=y.index)
    times = [pd.date_range(y.loc[key].index[-1], periods=6, freq="h")[1:] for key in "abcd"]
    index = pd.MultiIndex.from_tuples([(key, time) for key, each in zip("abcd", times, strict=True) for time in each])
    X = pd.concat([X, pd.DataFrame({"price": np.random.default_rng(4).normal(size=20)}, index=index)])
    model = _fit(y, X, None, STATIC, missing="mask", normalize=normalize, channels=channels, architecture__head=head)
    windows, future, _ = ends_of(model.model_, model.fitted_.dataset, 5, X)
    of = session(model)
    told = of.get_modelmeta().custom_metadata_map
    given = {"windows": windows, "future": future[:, :, -1:]}
    assert json.loads(told["features"]) == ["x", "y", "area", "kind_s", "kind_t", "price"]
    if normalize != "window":
        given["scales"] = np.array([json.loads(told["scales"])[key] for key in "abcd"])
    found = of.run(["forecast"], given)[0].reshape(20, 2)
    # values of up to 500 in series of their own size
    assert_allclose(found, model.predict(X=X), rtol=2e-5, atol=1e-5)


@pytest.mark.torch
def test_any_number_of_windows_gives_the_same(session):
    y = _hours()
    model = _fit(y, architecture=Attention(2, segment_length=3))
    of, windows = session(model), np.stack([y.to_numpy()[i : i + 12] for i in range(100)])
    together = of.run(None, {"windows": windows})[0]
    for at in (0, 50, 99):
        # batches of another size are added up in another order
        assert_allclose(of.run(None, {"windows": windows[[at]]})[0][0], together[at], rtol=1e-6, atol=1e-6)


def test_what_the_file_tells(session):
    y, X, past = _hours(), _covariates(), _covariates()[["plan"]].rename(columns={"plan": "wind"})
    model = _fit(y, X, past, calendar=["time_of_day"])
    of = session(model)
    told = of.get_modelmeta().custom_metadata_map
    assert told["estimator"] == "LSTMForecaster"
    assert told["version"] == lstmforecast.__version__
    features = json.loads(told["features"])
    assert features[:5] == ["a", "b", "wind", "price", "plan"]
    assert json.loads(told["future_features"]) == features[3:]
    assert (json.loads(told["window_size"]), json.loads(told["horizon"]), told["freq"]) == (12, 5, "h")
    assert [each.shape for each in of.get_inputs()] == [["n", 12, len(features)], ["n", 5, len(features) - 3]]
    assert [each.shape for each in of.get_outputs()] == [["n", 5, 2]]


def test_the_file_passes_the_checker_and_is_for_older_runtimes(tmp_path):
    model = _fit(_hours())
    model.to_onnx(str(tmp_path / "model.onnx"))
    proto = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(proto, full_check=True)
    # ONNX Runtime 1.14 reads these, ours of today more
    assert (proto.ir_version, [(each.domain, each.version) for each in proto.opset_import]) == (8, [("", 18)])
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


def test_errors(tmp_path):
    with pytest.raises(NotFittedError):
        LSTMForecaster().to_onnx(tmp_path / "model.onnx")
    model = _fit(_hours())
    with pytest.raises(ValueError, match=r"expected dtype='float32' or 'float64', got 'float16'"):
        model.to_onnx(tmp_path / "model.onnx", dtype="float16")
    with pytest.raises(FileNotFoundError):
        model.to_onnx(tmp_path / "nowhere" / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("architecture", [{}, NETWORKS["attention"], NETWORKS["transformer"]], ids=str)
def test_onnx_runtime_quantises_the_file(tmp_path, architecture):
    y = _hours(n=400)
    model = _fit(y, hidden_size=64, channels="together", **architecture)
    model.to_onnx(tmp_path / "model.onnx")
    quantize_dynamic(tmp_path / "model.onnx", tmp_path / "int8.onnx", weight_type=QuantType.QInt8)
    sizes = [(tmp_path / name).stat().st_size for name in ("int8.onnx", "model.onnx")]
    # weights of a byte, and what describes the graph
    assert sizes[0] < 0.45 * sizes[1]
    before, after = (
        onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"]).run(
            None, {"windows": np.stack([y.to_numpy(np.float32)[i : i + 12] for i in range(0, 380, 20)])}
        )[0]
        for name in ("model.onnx", "int8.onnx")
    )
    # a matrix has one scale of 1/127 of its largest weight; forecasts are of size 1
    assert_allclose(after, before, atol=0.05)
    assert (after != before).any()


def test_a_network_of_before_sees_the_last_known_value(session):
    model = _fit(_with_gaps(_hours()), missing="mask")
    windows = _windows(model, _with_gaps(_hours()))
    newer = model.model_
    config = {key: value for key, value in newer.config.items() if key != "interpolate_gaps"}
    model.model_ = _core.Model.restore(config, newer.parameters(), newer.scalers())
    assert "interpolate_gaps" not in model.model_.config
    _assert_agrees(session(model), model, windows)
    # a gap after the last known value is the same for both, one before it is not
    for at, is_same in ((slice(-2, None), True), (slice(-6, -3), False)):
        gap = windows[-1:].copy()
        gap[0] = np.arange(gap.shape[1])[:, np.newaxis]
        gap[0, at] = np.nan
        assert (newer.forecast(gap) == model.model_.forecast(gap)).all() == is_same
