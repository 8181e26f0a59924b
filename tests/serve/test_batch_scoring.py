"""The example of batch scoring works as documented."""

import runpy
from pathlib import Path

import pandas as pd
from tests.serve.conftest import wave

SCRIPT = Path(__file__).resolve().parents[2] / "notebooks" / "batch_scoring.py"


def test_every_series_is_forecast_and_an_error_names_its_series(hourly, tmp_path, capsys):
    hourly.save(tmp_path / "model.safetensors")
    hours = pd.date_range("2026-05-01", periods=30, freq="h")
    series = {"north": wave(30), "short": wave(5), "south": 2 * wave(30)}
    parts = [pd.DataFrame({"series": name, "time": hours[: len(y)], "value": y}) for name, y in series.items()]
    pd.concat(parts).to_csv(tmp_path / "readings.csv", index=False)
    files = [str(tmp_path / name) for name in ("model.safetensors", "readings.csv", "forecasts.csv")]
    assert runpy.run_path(str(SCRIPT))["main"](*files) == 1
    assert capsys.readouterr().err.startswith("short: expected context of at least 24 rows")
    found = pd.read_csv(tmp_path / "forecasts.csv", parse_dates=["time"])
    assert list(found["series"].unique()) == ["north", "south"]
    expected = hourly.predict(context=pd.Series(wave(30), hours))
    north = found[found["series"] == "north"].set_index("time")["forecast"]
    # a CSV keeps 16 to 17 digits
    pd.testing.assert_series_equal(north, expected, check_names=False, check_freq=False, rtol=1e-12)
    assert (found["lower"] < found["forecast"]).all()
    assert (found["forecast"] < found["upper"]).all()
