"""Any network that can be configured gives the same numbers under ONNX Runtime."""

import warnings

import numpy as np
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from tests.needs_torch import needs_torch

from lstmforecast import CNNLSTM, LSTM, Attention, Linear, LSTMForecaster, Sampling, Transformer, _core

ALL_NETWORKS = [LSTM(), Linear(), Attention(2), CNNLSTM(2), Transformer(2)]
NETWORKS = [network for network in ALL_NETWORKS if _core.HAS_TORCH or not needs_torch(network)]


@settings(max_examples=40)  # each trains a network
@given(
    n_segments=st.integers(1, 5),
    segment_length=st.integers(1, 6),
    horizon=st.integers(1, 9),
    k=st.integers(1, 3),
    architecture=st.sampled_from(NETWORKS),
    num_layers=st.integers(1, 2),
    bidirectional=st.booleans(),
    channels=st.sampled_from(["independent", "together"]),
    supervision=st.sampled_from(["last", "every"]),
    head=st.sampled_from(["direct", "recursive"]),
    n_estimators=st.integers(1, 2),
    n_known=st.integers(0, 2),
    n_past=st.integers(0, 1),
    normalize=st.sampled_from(["last", "window", None]),
    missing=st.sampled_from(["mask", "error"]),
    loss=st.sampled_from(["mse", "quantile", "student_t"]),
    transform=st.sampled_from([None, "log"]),
)
def test_every_shape_crosses_to_onnx(
    tmp_path_factory, n_segments, segment_length, horizon, k, n_known, n_past, missing, architecture, bidirectional,
    supervision, head, **switches
):  # fmt: skip
    if supervision == "every":  # without what it can't have
        n_known, bidirectional, architecture = 0, False, LSTM()
        switches["normalize"] = switches["normalize"] and "last"
    nested = {
        "segment_length": segment_length, "bidirectional": bidirectional, "supervision": supervision, "head": head
    }  # fmt: skip
    own = {name: value for name, value in nested.items() if hasattr(architecture, name)}
    n_past = n_past if head == "direct" else 0
    rng = np.random.default_rng(0)
    y = rng.normal(10, 1, size=(80, k))
    if missing == "mask":
        y[rng.random(y.shape) < 0.1] = np.nan
    X = rng.normal(size=(80 + horizon, n_known)) if n_known else None
    X_past = rng.normal(size=(80, n_past)) if n_past else None
    size = n_segments * segment_length
    model = LSTMForecaster(
        horizon, window_size=size, architecture=clone(architecture).set_params(**own), missing=missing, hidden_size=4,
        max_epochs=1, sampling=Sampling(steps_per_epoch=2), random_state=0, n_threads=1, **switches,
    ).fit(y, None if X is None else X[:80], X_past)  # fmt: skip
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.to_onnx(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    table = np.hstack([part[80 - size : 80] for part in (y, X_past, X) if part is not None])
    given_to = {"windows": table[None]} | ({} if X is None else {"future": X[None, 80:]})
    given_to = {name: values.astype(np.float32) for name, values in given_to.items()}
    [forecast] = session.run(["forecast"], given_to)
    # single precision on both sides, numbers of size 10; a recursive head goes on from what was rounded
    np.testing.assert_allclose(forecast[0], model.predict(X=None if X is None else X[80:]), rtol=1e-5, atol=1e-4)
