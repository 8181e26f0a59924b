"""Columns of categories that are read as learned vectors, against ``torch.nn.Embedding``: both backends and files."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.parity.networks import Plain, randomised
from tests.parity.test_forecaster_switches import _assert_both_backends_agree, _assert_to_torch_agrees, _fit, _hours
from tests.parity.variants import CONFIG, PlainVariant
from torch import nn

import lstmforecast
from lstmforecast import LSTM, LSTMForecaster, _core
from lstmforecast.fitting.roll import ends_of, first_inputs

# the categories of one column are 3, 5, 6; those of another 7, 2; the columns 0, 1 and 4 are numbers
EMBEDDINGS = [{"columns": [3, 5, 6], "size": 2}, {"columns": [7, 2], "size": 3}]
WIDTH = 8
ATTENTION = {"attention": {"num_heads": 4}}
CNN = {"cnn_lstm": {"kernel_sizes": [3, 4], "out_channels": 6}}
TRANSFORMER = {"transformer": {"num_heads": 4, "dim_feedforward": 24, "causal": False}}
NETWORKS = [
    ("lstm", {}),
    ("lstm", {"num_layers": 2, "bidirectional": True, "hidden_size": 5}),
    ("lstm", {"segment_length": 3, "linear_skip": True}),
    (ATTENTION, {}),
    (CNN, {"segment_length": 2}),
    (TRANSFORMER, {"segment_length": 3}),
]
CASES = [
    pytest.param(architecture, changes, backend, id=f"{architecture}-{changes}-{backend}")
    for architecture, changes in NETWORKS
    for backend in ("fused", "torch")
    if backend == "torch" or architecture != TRANSFORMER
]


class Embedded(nn.Module):
    """``nn.Embedding`` of the place of the 1 among the columns of each, beside the other columns."""

    def __init__(self, config):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(len(each["columns"]), each["size"]) for each in EMBEDDINGS)
        plain = Plain if config["architecture"] == "lstm" else PlainVariant
        body = plain(config | {"n_features": 3 + sum(each["size"] for each in EMBEDDINGS)})
        for name, module in body.named_children():
            self.add_module(name, module)
        self.body = [body]

    def forward(self, windows):
        parts = [windows[..., [0, 1, 4]]]
        for each, table in zip(EMBEDDINGS, self.embeddings, strict=True):
            parts.append(table(windows[..., each["columns"]].argmax(-1)))
        return self.body[0](torch.cat(parts, dim=-1))


def _pair(architecture, backend, changes):
    config = CONFIG | {"architecture": architecture, "backend": backend, "n_features": WIDTH} | changes
    model, module = _core.Model(config | {"embeddings": EMBEDDINGS}), Embedded(config)
    randomised(model)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.parameters().items()}, strict=True)
    return model, module


def _windows(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, CONFIG["window_size"], WIDTH))
    for each in EMBEDDINGS:
        k = len(each["columns"])
        X[..., each["columns"]] = np.eye(k)[rng.integers(k, size=X.shape[:2])]
    return X, rng.normal(size=(n, CONFIG["horizon"] * CONFIG["n_targets"]))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize(("architecture", "changes", "backend"), CASES)
def test_forecasts_and_gradients_are_pytorchs(architecture, changes, backend):
    model, module = _pair(architecture, backend, changes)
    X, y = _windows(21)
    outputs = module(torch.from_numpy(X).float())
    # single precision, sums of some hundred terms of size 1
    assert_allclose(model.forecast(X).reshape(outputs.shape), outputs.detach().numpy(), atol=2e-6)
    expected = nn.MSELoss()(outputs, torch.from_numpy(y).float())
    expected.backward()
    value, gradients = model.gradients(X, y, "mse")
    assert value == pytest.approx(expected.item(), rel=1e-6)
    assert list(gradients) == [name for name, _ in module.named_parameters()]
    for name, parameter in module.named_parameters():
        # as those of the other networks' gradients
        assert_allclose(gradients[name], parameter.grad.numpy(), rtol=1e-4, atol=3e-6, err_msg=name)
    assert (np.abs(gradients["embeddings.1.weight"]) > 1e-6).all()


CATEGORIES = [f"event {i}" for i in range(15)]


def _covariates(n=160):
    rng = np.random.default_rng(1)
    index = pd.date_range("2026-01-01", periods=n, freq="h")
    words = np.concatenate([CATEGORIES, rng.choice(CATEGORIES, n - 15)])
    return pd.DataFrame({"price": rng.normal(size=n), "event": words, "day": rng.choice(["a", "b"], n)}, index=index)


def _parts(model, X):
    return first_inputs(model.model_, ends_of(model.model_, model.fitted_.dataset, model.horizon, X))


@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_a_forecaster_on_both_backends_and_everywhere_else(channels, linear_skip, tmp_path):
    y, X = _hours(), _covariates()
    model = _assert_both_backends_agree(
        y, X, X[["event"]].rename(columns={"event": "seen"}), channels=channels, architecture__linear_skip=linear_skip
    )
    assert model.model_.config["embeddings"] == [
        {"columns": list(range(2, 17)), "size": 4},
        {"columns": list(range(18, 33)), "size": 4},
    ]
    _assert_to_torch_agrees(model, _parts(model, X))
    model.save(tmp_path / "model")
    restored = lstmforecast.load(tmp_path / "model")
    assert_array_equal(restored.predict(X=X), model.predict(X=X))
    assert restored.architecture == model.architecture
    model.to_onnx(tmp_path / "model.onnx", dtype="float64")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    windows, size, n_known = _parts(model, X), model.window_size_, model.model_.config["n_known"]
    found = session.run(["forecast"], {"windows": windows[:, :size], "future": windows[:, size:, -n_known:]})[0]
    # single precision on both sides
    assert_allclose(found[0], model.predict(X=X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "switches", [{"tbptt": 2}, {"supervision": "every"}, {"supervision": "every", "tbptt": 2}], ids=str
)
def test_gradients_through_a_part_of_the_steps(switches):
    past = _covariates()[["event"]]
    switches = {f"architecture__{name}": value for name, value in switches.items()}
    model = _assert_both_backends_agree(_hours(), None, past, batch_size=100, **switches)
    assert [each["size"] for each in model.model_.config["embeddings"]] == [4]


def test_quantised_weights_update_and_explanation():
    y, X = _hours(160), _covariates(170)
    model = _fit(y[:140], X)
    model.update(y[140:], X)
    assert_allclose(model.quantize("bf16").predict(X=X), model.predict(X=X), rtol=0.05, atol=0.05)
    explanation = model.explain(X=X)
    assert {"price", "event", "day"} <= set(explanation.features)
    explained = explanation.contributions.sum(axis=(-2, -1))
    # of the range of the forecast, the error of the quadrature
    assert_allclose(explained, explanation.forecast - explanation.baseline, atol=5e-3)


def test_only_columns_of_many_categories_are_embedded():
    y, X = _hours(), _covariates()
    assert "embeddings" not in _fit(y, X[["price", "day"]]).model_.config
    assert "embeddings" not in _fit(y, X, architecture__embed=None).model_.config
    assert "embeddings" not in _fit(y, X, architecture__embed=16).model_.config
    assert "embeddings" not in _fit(y, X, architecture="linear").model_.config
    assert [each["size"] for each in _fit(y, X, architecture__embed=2).model_.config["embeddings"]] == [4, 1]


def test_static_features_and_unknown_categories():
    """A panel of a dozen series whose levels come from their kind; a kind that no series had counts as none."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2026-01-01", periods=60, freq="D")
    parts = [
        pd.DataFrame({"shop": f"s{i}", "day": times, "sales": rng.normal(size=60), "kind": f"k{i}"}) for i in range(13)
    ]
    table = pd.concat(parts, ignore_index=True)
    names = {"target": "sales", "series": "shop", "time": "day", "static": "kind", "unknown": "ignore"}
    model = LSTMForecaster(2, window_size=8, hidden_size=6, max_epochs=2, random_state=0).fit(table, **names)
    assert model.model_.config["embeddings"] == [{"columns": list(range(1, 14)), "size": 4}]
    other = table[table["shop"] == "s0"].assign(kind="of none")
    assert np.isfinite(model.predict(context=other)["forecast"]).all()


def test_a_warm_start_keeps_vectors_and_refuses_another_size():
    y, X = _hours(), _covariates()
    model = _fit(y, X, warm_start=True)
    vectors = model.state_dict()["embeddings.0.weight"].clone()
    assert vectors.shape == (15, 4)
    model.set_params(learning_rate=1e-9).fit(y, X)
    # a step of Adam is at most the learning rate
    assert_allclose(model.state_dict()["embeddings.0.weight"], vectors, atol=1e-6)
    with pytest.raises(ValueError, match=r"expected embeddings=.* as before, got \[\]"):
        model.set_params(architecture__embed=None).fit(y, X)


def test_columns_of_embedded_categories_are_not_scaled():
    model = _fit(_hours(), _covariates(), architecture=LSTM())
    scales, centres = (model.model_.scalers()[name] for name in ("input_scale", "input_center"))
    assert_array_equal(scales[3:18], np.ones(15))
    assert_array_equal(centres[3:18], np.zeros(15))
    assert (scales[[2, 18, 19]] != 1).all()


def test_what_makes_no_sense_is_refused():
    for columns, size in ([1], 2), ([8], 2), ([2, 2], 2), ([], 2), ([3], 0):
        with pytest.raises(ValueError, match="embeddings"):
            _core.Model(CONFIG | {"n_features": WIDTH, "embeddings": [{"columns": columns, "size": size}]})
    with pytest.raises(ValueError, match=r"expected .*embed to be an integer of at least 2 or None, got 1"):
        _fit(_hours(), _covariates(), architecture__embed=1)
