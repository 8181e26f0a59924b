"""What a user does with the other networks: train, look, save, load, forecast, hand over to PyTorch, leave no trace."""

import numpy as np
import pandas as pd
import pytest

import lstmforecast
from lstmforecast import (
    CNNLSTM,
    Attention,
    Device,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Transformer,
    backtest,
)

NETWORKS = {
    "attention": {"architecture": Attention(num_heads=2)},
    "cnn_lstm": {"architecture": CNNLSTM(kernel_size=3)},
    "transformer": {"architecture": Transformer(num_heads=2, causal=True)},
}
FAST = {"hidden_size": 16, "random_state": 0, "dropout": 0.1, "num_layers": 2}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request):
    return request.param


def _load(hours=24 * 60):
    """Load of a day and a week, with some noise."""
    index = pd.date_range("2026-01-01", periods=hours, freq="h")
    daily, weekly = (np.sin(np.arange(hours) * 2 * np.pi / n) for n in (24, 168))
    noise = np.random.default_rng(0).normal(0, 0.1, hours)
    return pd.DataFrame({"load": 10 + daily + weekly + noise, "sun": daily - noise}, index=index)


def test_a_forecaster_is_trained_saved_loaded_and_asked(network, tmp_path):
    y = _load()
    model = LSTMForecaster(24, max_epochs=5, calendar="auto", **FAST, **network).fit(y)
    model.save(tmp_path / "load.lstm")
    again = lstmforecast.load(tmp_path / "load.lstm")
    forecast = again.predict()
    pd.testing.assert_frame_equal(forecast, model.predict())
    assert forecast.index[0] == y.index[-1] + pd.Timedelta("1h")
    lower, upper = (again.predict_interval(coverage=0.9).xs(side, axis=1, level=-1) for side in ("lower", "upper"))
    assert (lower < upper).all(axis=None)
    scores = backtest(again, y, folds=48).scores["MSE"]
    assert scores["LSTMForecaster"] < scores["repeat-last"]


def test_a_regressor_finds_what_a_network_is_good_at(network):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 20))
    y = X[:, -3] + 0.5 * X[:, -1]
    model = LSTMRegressor(max_epochs=25, learning_rate=5e-3, **FAST | {"dropout": 0.0}, **network).fit(X, y)
    assert model.score(rng.normal(size=(200, 20)), y[:200]) < 0.5  # another's targets
    assert model.score(X, y) > 0.8


def test_a_classifier_tells_rising_from_falling(network):
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=300)
    X = slopes[:, np.newaxis] * np.linspace(0, 1, 16) + 0.1 * rng.normal(size=(300, 16))
    model = LSTMClassifier(max_epochs=20, **FAST).set_params(**network, architecture__segment_length=4)
    model.fit(X[:200], slopes[:200] > 0)
    assert model.score(X[200:], slopes[200:] > 0) > 0.85


@pytest.mark.parametrize("n_estimators", [1, 3])
def test_nothing_global_is_touched(network, n_estimators, capfd):
    torch = pytest.importorskip("torch")
    before = torch.get_rng_state(), torch.get_num_threads(), np.random.get_state()[1].copy()
    for backend in ("auto", "torch"):
        model = LSTMForecaster(
            6, window_size=24, max_epochs=2, n_estimators=n_estimators, device=Device(backend=backend), **FAST
        )
        model.set_params(**network).fit(_load(200)).predict()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2])
    assert capfd.readouterr() == ("", "")


# by nn.LSTM, of its own lists
@pytest.mark.filterwarnings("ignore:The tensor attributes self.lstm._flat_weights:UserWarning")
def test_the_module_in_pytorch_can_be_traced(network):
    """As an export to ONNX does: nothing in it depends on the values of a window."""
    torch = pytest.importorskip("torch")
    y = _load(200)
    model = LSTMForecaster(6, window_size=24, max_epochs=1, **FAST, **network).fit(y)
    module, windows = model.to_torch(), torch.from_numpy(np.stack([y.to_numpy()[i : i + 24] for i in (0, 9, 50)]))
    program = torch.export.export(module, (windows,))
    other = windows.flip(0) + 1.0
    with torch.no_grad():
        torch.testing.assert_close(program.module()(other), module(other))
