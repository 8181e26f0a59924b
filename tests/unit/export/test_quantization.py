"""Quantised estimators: what is rounded, what stays, and that files and copies of them are the same."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from sklearn.base import clone

from lstmforecast import (
    LSTM,
    Attention,
    FormatError,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    _core,
    load,
    quantization_report,
)
from lstmforecast.export.quantization import (
    from_bfloat16,
    pack,
    pack_state,
    scales_of,
    to_bfloat16,
    to_integers,
    unpack,
    unpack_state,
)

FAST = {"hidden_size": 8, "max_epochs": 2, "random_state": 0, "n_threads": 1}
DTYPES = ["int8", "bf16"]
WEIGHTS = arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.floats(-1e4, 1e4, width=32)
)  # fmt: skip


def _series(n=240):
    hours = pd.date_range("2026-01-01", periods=n, freq="h", name="time")
    noise = np.random.default_rng(0).normal(0, 0.2, (n, 2))
    return pd.DataFrame(np.sin(np.arange(n) * np.pi / 12)[:, None] + noise, hours, columns=["a", "b"])


def _fit(**parameters):
    return LSTMForecaster(3, window_size=24, **(FAST | parameters)).fit(_series())


@given(weight=WEIGHTS)
def test_integers_are_within_half_a_step_and_stay_when_rounded_again(weight):
    scale = scales_of(weight)
    integers = to_integers(weight, scale, diffuse=False)
    back = unpack({"w": integers, "w.scale": scale})["w"]
    # a scale of 16 bits may be a 65,000th too small for the largest weight, 127 steps from zero
    assert (np.abs(back.astype(np.float64) - weight) <= 0.503 * scale[:, None]).all()
    again = pack({"w": back}, "int8")
    assert_array_equal(unpack(again)["w"], back)


@given(weight=WEIGHTS)
def test_spread_errors_of_no_sum_from_the_first_on_are_larger_than_half_a_step(weight):
    scale = scales_of(weight)
    integers = to_integers(weight, scale, diffuse=True)
    sums = np.cumsum(integers * scale[:, None].astype(np.float64) - weight, axis=1)
    # except where the largest weights leave no room for what was carried on to them
    free = np.abs(integers).max(axis=1) < 127
    assert (np.abs(sums) <= 0.51 * scale[:, None])[free].all()


@given(values=arrays(np.float32, st.integers(1, 20), elements=st.floats(width=32, allow_infinity=False)))
def test_bfloat16_is_that_of_torch(values):
    torch = pytest.importorskip("torch")
    expected = torch.from_numpy(values).to(torch.bfloat16).float().numpy()
    assert_array_equal(from_bfloat16(to_bfloat16(values)), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_errors_come_back_nearly_with_their_gaps(dtype):
    errors = np.random.default_rng(0).standard_t(3, (100, 4, 2)).astype(np.float32)
    errors[3, 1], errors[:, 2, 0] = np.nan, 0.0
    back = unpack_state(pack_state({"truth": errors}, dtype, None))["truth"]
    assert back.dtype == np.float32
    # half a step of the square root, twice that at the largest
    most = np.nanmax(np.abs(errors), axis=0) / (127 if dtype == "int8" else 256)
    assert (np.abs(back - errors) <= most)[~np.isnan(errors)].all()
    assert_array_equal(np.isnan(back), np.isnan(errors))
    assert_array_equal(unpack_state(pack_state({"truth": back}, dtype, None))["truth"], back)


@pytest.mark.parametrize("dtype", ["int8", "bf16"])
@pytest.mark.parametrize("distribution", [None, {"quantiles": [0.1, 0.5, 0.9]}])
def test_errors_of_small_series_are_kept_beside_those_of_large_ones(dtype, distribution):
    rng = np.random.default_rng(0)
    spreads = 10.0 ** rng.uniform(-6, 6, (200, 1))
    errors = (spreads[:, np.newaxis] * rng.normal(size=(200, 3, 1))).astype(np.float32)
    tensors = {"truth": errors, "spreads": spreads}
    if distribution is not None:
        tensors |= {"truth": np.zeros_like(errors), "parameters": -errors[..., np.newaxis] * np.ones(3, np.float32)}
    back = unpack_state(pack_state(tensors, dtype, distribution))
    found = back["truth"] if distribution is None else back["truth"] - back["parameters"][..., 1]
    # off by less than a hundredth of the largest of all, some three, in units of each series
    np.testing.assert_allclose(found / spreads[:, np.newaxis], errors / spreads[:, np.newaxis], atol=0.04)
    again = unpack_state(pack_state(back, dtype, distribution))
    for name, values in back.items():
        assert_array_equal(again[name], values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_quantiles_the_distances_from_the_truth_come_back(dtype):
    rng = np.random.default_rng(0)
    truth = rng.normal(1e4, 1, (100, 4, 2)).astype(np.float32)
    parameters = np.sort(rng.normal(1e4, 1, (100, 4, 2, 3)), axis=-1).astype(np.float32)
    truth[3, 1] = np.nan
    distribution = {"quantiles": [0.1, 0.5, 0.9]}
    back = unpack_state(pack_state({"truth": truth, "parameters": parameters}, dtype, distribution))
    expected, found = (each["truth"][..., None] - each["parameters"] for each in (
        {"truth": truth, "parameters": parameters}, back
    ))  # fmt: skip
    most = np.nanmax(np.abs(expected), axis=(0, 3), keepdims=True) / (127 if dtype == "int8" else 256)
    known = ~np.isnan(expected)
    assert_array_equal(np.isnan(found), ~known)
    assert (np.abs(found - expected) <= most)[known].all()
    assert (np.diff(back["parameters"]) >= 0).all()


@pytest.mark.parametrize("loss", ["normal", "student_t", "poisson", "tweedie"])
def test_other_distributions_keep_their_errors(loss):
    rows = (10 * _series()).abs().round() if loss in ("poisson", "tweedie") else _series()
    model = LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(rows)
    small = model.quantize()
    assert_array_equal(small.fitted_.calibration.parameters, model.fitted_.calibration.parameters)
    assert_array_equal(small.fitted_.calibration.truth, model.fitted_.calibration.truth)


def test_intervals_and_paths_are_nearly_those_of_before():
    for loss in ("huber", "quantile"):
        model = _fit(loss=loss)
        before, after = (each.predict_interval(0.8) for each in (model, model.quantize()))
        # of values of size 1, with errors of up to 0.8
        assert_allclose(after, before, atol=0.05)
        assert model.quantize().predict_samples(20).notna().all(axis=None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "switches",
    [{}, {"n_estimators": 2}, {"architecture": "cnn_lstm"}, {"architecture": "transformer"}, {"loss": "quantile"}],
    ids=str,
)
def test_files_and_copies_are_the_same(tmp_path, dtype, switches):
    model = _fit(**switches)
    before = model.predict()
    small = model.quantize(dtype)
    assert (model.quantized_, small.quantized_) == (None, dtype)
    assert_array_equal(model.predict(), before)
    # weights up to about 1 are off by 1/254, or 1/512 of themselves; values are of size 1
    assert_allclose(small.predict(), before, atol=0.05)
    assert (small.predict() != before).any(axis=None)
    small.save(tmp_path / "small")
    for other in (load(tmp_path / "small"), pickle.loads(pickle.dumps(small)), small.quantize(dtype)):
        assert other.quantized_ == dtype
        pd.testing.assert_frame_equal(other.predict(), small.predict())
        pd.testing.assert_frame_equal(other.predict_interval(0.8), small.predict_interval(0.8))
    load(tmp_path / "small").save(tmp_path / "again")
    (again, _), (tensors, _) = (_core.read_file(tmp_path / name) for name in ("again", "small"))
    assert sorted(again) == sorted(tensors)
    for name, tensor in tensors.items():
        assert_array_equal(again[name], tensor, err_msg=name, strict=True)


def test_the_file_holds_integers_and_scales(tmp_path):
    model = _fit(hidden_size=64, early_stopping=None)
    for dtype in (None, *DTYPES):
        (model if dtype is None else model.quantize(dtype)).save(tmp_path / str(dtype))
    with safe_open(tmp_path / "int8", framework="np") as file:
        assert file.get_tensor("lstm.weight_hh_l0").dtype == np.int8
        assert file.get_tensor("lstm.weight_hh_l0.scale").shape == (256,)
        assert file.get_tensor("lstm.bias_hh_l0").dtype == np.float32
    sizes = {name: (tmp_path / name).stat().st_size for name in ("None", *DTYPES)}
    # one or two bytes of four, and what isn't a matrix
    assert sizes["int8"] < 0.4 * sizes["None"]
    assert sizes["bf16"] < 0.6 * sizes["None"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_regressors_and_classifiers(tmp_path, dtype):
    X = np.random.default_rng(0).normal(size=(60, 6))
    for model in (LSTMRegressor(**FAST).fit(X, X[:, -1]), LSTMClassifier(**FAST).fit(X, X[:, -1] > 0)):
        small = model.quantize(dtype)
        small.save(tmp_path / "small")
        assert_array_equal(load(tmp_path / "small").predict(X), small.predict(X))
        report = quantization_report(model, X, X[:, -1] if isinstance(model, LSTMRegressor) else X[:, -1] > 0)
        assert list(report.index) == ["float32", "int8", "bf16"]
        assert_allclose(report["error"], report["error"].iloc[0], rtol=0.05)
        assert (report > 0).all(axis=None)


def test_what_changes_the_weights_ends_the_quantisation():
    pytest.importorskip("torch")
    small = _fit().quantize()
    assert not hasattr(clone(small), "quantized_")
    assert small.load_state_dict(small.state_dict()).quantized_ is None
    assert _fit().quantize().fit(_series()).quantized_ is None


@pytest.mark.parametrize(
    ("architecture", "num_layers"),
    [
        (LSTM(segment_length=1, linear_skip=False), 1),
        (Attention(segment_length=1, linear_skip=False), 1),
        (LSTM(segment_length=1, linear_skip=False, bidirectional=True), 2),
    ],
    ids=["switches0", "switches1", "switches2"],
)
def test_integers_say_what_the_rounded_weights_say_to_two_digits(tmp_path, architecture, num_layers):
    pytest.importorskip("torch")
    model = _fit(hidden_size=96, max_epochs=5, architecture=architecture, num_layers=num_layers)
    small = model.quantize()
    single = copy.deepcopy(small)
    single.load_state_dict(small.state_dict())  # the same weights, of which nobody says that they are integers
    windows = np.random.default_rng(0).normal(size=(9, 24, 2))
    found, expected = (each.model_.forecast(windows) for each in (small, single))
    # states have 254 steps from -1 to 1: sums of 96 are off by some thousandths of what they say, 24 times in a row
    assert np.sqrt(((found - expected) ** 2).mean()) < 0.01 * expected.std()
    if isinstance(architecture, LSTM):
        # one alone, and beside others: integers have one sum only
        assert_array_equal(small.model_.forecast(windows[3:4]), found[3:4])
    small.save(tmp_path / "small")
    for other in (load(tmp_path / "small"), pickle.loads(pickle.dumps(small)), copy.deepcopy(small)):
        assert_array_equal(other.model_.forecast(windows), found)


def test_pretrained_weights_may_be_quantised(tmp_path):
    small = _fit().quantize()
    small.save(tmp_path / "small")
    other = _fit(pretrained=tmp_path / "small", max_epochs=1, learning_rate=1e-9)
    name = "lstm.weight_hh_l0"
    assert_allclose(other.model_.parameters()[name], small.model_.parameters()[name], atol=1e-6)


def test_the_report_of_a_forecaster():
    model = _fit()
    report = quantization_report(model, _series(120), dtypes=["int8"])
    assert list(report.columns) == ["file_bytes", "one_us", "batch_us", "error"]
    y, size = _series(120), 24
    forecasts = [model.predict(context=y.iloc[:at]).to_numpy() for at in range(size, 118)]
    truth = np.stack([y.iloc[at : at + 3].to_numpy() for at in range(size, 118)])
    expected = ((truth - forecasts) ** 2 / y.to_numpy().var(axis=0)).mean()
    assert report.loc["float32", "error"] == pytest.approx(expected, rel=1e-6)


def test_errors(tmp_path):
    model = _fit()
    with pytest.raises(ValueError, match=r"expected dtype='int8' or 'bf16', got 'int4'"):
        model.quantize("int4")
    with pytest.raises(ValueError, match=r"expected an estimator that isn't quantised, got one of bf16"):
        quantization_report(model.quantize("bf16"), _series())
    with pytest.raises(ValueError, match=r"expected y with at least 27 rows, a window and a horizon, got 26"):
        quantization_report(model, _series(26))
    regressor = LSTMRegressor(**FAST).fit(np.eye(4), np.arange(4.0))
    with pytest.raises(ValueError, match=r"expected y with 4 rows as X has, got 3"):
        quantization_report(regressor, np.eye(4), np.arange(3.0))
    small = model.quantize()
    small.save(tmp_path / "small")
    tensors, metadata = _core.read_file(tmp_path / "small")
    del tensors["lstm.weight_hh_l0.scale"]
    kept = {name: text for name, text in metadata.items() if not name.startswith("format")}
    _core.write_file(tmp_path / "damaged", tensors, kept)
    with pytest.raises(FormatError, match=r"lstm\.weight_hh_l0\.scale"):
        load(tmp_path / "damaged")
