"""An exported forecaster whose feature is the day of the year forecasts the same from windows and that feature."""

import json

import numpy as np
import onnxruntime
import pandas as pd

from lstmforecast import LSTMForecaster
from lstmforecast.calendar import Calendar
from lstmforecast.data.yearly import YearlyProfile


def test_onnx_runtime_forecasts_from_the_profile_of_the_file(tmp_path):
    days = pd.date_range("2010-01-01", periods=1200, freq="D")
    noise = np.random.default_rng(0).normal(size=len(days))
    y = pd.Series(10 + np.sin(2 * np.pi * days.day_of_year.to_numpy() / 365) + noise, days)
    options = {"hidden_size": 4, "max_epochs": 1, "window_size": 28, "random_state": 0, "n_threads": 1}
    model = LSTMForecaster(5, calendar=Calendar(yearly=True), **options).fit(y)
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = json.loads(session.get_modelmeta().custom_metadata_map["inputs"])
    (column,) = inputs["future"]["columns"]
    assert (column["name"], column["role"]) == ("yearly", "calendar")
    profile = YearlyProfile.unpack(column["profile"])
    ahead = model.predict()
    window = np.column_stack([y[-28:], profile.at(days[-28:])])[np.newaxis]
    future = profile.at(ahead.index)[np.newaxis, :, np.newaxis]
    # as the other exports, in single precision: some 1e-7 of values of ten
    found = session.run(None, {"windows": window.astype(np.float32), "future": future.astype(np.float32)})[0]
    np.testing.assert_allclose(found.ravel(), ahead, rtol=1e-5)
