"""What the smoke test runs with every Python: import, fit, predict, save, load.

Its argument is the core that must be in use: ``small``, where importing torch must fail, or ``torch``.
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

import numpy as np

import lstmforecast
from lstmforecast import Attention, Device, LSTMForecaster, _core

HAS_TORCH = sys.argv[1] == "torch"
assert "torch" not in sys.modules, "importing the package imported torch"
assert HAS_TORCH == _core.HAS_TORCH == (importlib.util.find_spec("torch") is not None)
steps = np.arange(400)
y = 10 + np.sin(2 * np.pi * steps / 20) + 0.01 * steps
model = LSTMForecaster(horizon=5, window_size=20, hidden_size=8, max_epochs=3, random_state=0).fit(y)
forecast = model.predict()
assert forecast.shape == (5,), forecast.shape
assert np.isfinite(forecast).all(), forecast
with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / "model.safetensors")
    again = lstmforecast.load(Path(folder) / "model.safetensors")
np.testing.assert_array_equal(again.predict(), forecast)
if HAS_TORCH:
    for other in {"device": Device(backend="torch")}, {"architecture": Attention(num_heads=2)}:
        forecast = model.set_params(**other).fit(y).predict()
        assert np.isfinite(forecast).all(), forecast
