"""The JavaScript of the page on exports forecasts as `predict` does, under ONNX Runtime for the web."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, Calendar, LSTMForecaster, Sampling
from lstmforecast.calendar import calendar_features

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "onnx_forecast.mjs"
PACKAGE = "onnxruntime-web@1.30.0"
FAST = {
    "window_size": 12, "hidden_size": 8, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=5), "random_state": 0,
    "n_threads": 1,
}  # fmt: skip
HORIZON = 4
TIMES = pd.date_range("2026-01-01", periods=64, freq="h")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script beside the package that it imports, whose own scripts aren't run."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("javascript")
    shutil.copy(SCRIPT, folder)
    install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip(f"needs {PACKAGE}, which npm could not install: {done.stderr.strip()[-200:]}")
    return folder


def run(folder: Path, model: LSTMForecaster, given: dict[str, Any], dtype: str = "float32") -> Any:
    """What the script prints; its error, if it ends with one."""
    model.to_onnx(folder / "model.onnx", dtype=dtype)
    (folder / "rows.json").write_text(json.dumps(given))
    command = ["node", SCRIPT.name, "model.onnx", "rows.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def assert_near(found: Any, expected: Any) -> None:
    # single precision on both sides, numbers of size 10
    np.testing.assert_allclose(found, np.asarray(expected).ravel(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"architecture": "linear"},
        {"architecture": LSTM(bidirectional=True), "loss": "quantile", "normalize": "window"},
        {"architecture": LSTM(head="recursive"), "transform": "log"},
        {"loss": "student_t", "missing": "mask", "n_estimators": 2},
    ],
    ids=str,
)
def test_one_series(folder: Path, parameters: dict[str, Any], dtype: str) -> None:
    y = pd.DataFrame({"a": 10 + np.sin(np.arange(64) / 3), "b": 10 + np.cos(np.arange(64) / 3)}, TIMES)
    if "missing" in parameters:
        y.iloc[::9] = np.nan
    model = LSTMForecaster(HORIZON, **FAST, **parameters).fit(y)
    rows = y.tail(12).astype(object).where(y.notna(), None).to_dict("list")
    found = run(folder, model, {"rows": rows}, dtype)
    for name in y:
        assert_near(found[name], model.predict()[name])


def shops() -> pd.DataFrame:
    """One of two shops has no more than 9 rows."""
    rng, shops = np.random.default_rng(0), []
    for shop, kind, times in (("north", "large", TIMES), ("south", "small", TIMES[51:])):
        n = len(times)
        columns = {
            "sales": rng.normal(10, 1, n),
            "promo": np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 2, n)),
            "weather": rng.choice(np.array(["rain", "sun", None], object), n),
            "visitors": rng.normal(5, 1, n),
            "kind": kind,
        }
        shops.append(pd.DataFrame({"shop": shop, "time": times, **columns}))
    return pd.concat(shops, ignore_index=True)


@pytest.mark.parametrize("normalize", ["last", "window", None])
def test_series_with_words_gaps_and_calendar(folder: Path, normalize: str | None) -> None:
    table = shops()
    is_ahead = table["time"] >= TIMES[60]
    history, ahead = table[~is_ahead], table[is_ahead]
    options = {"missing": "mask", "normalize": normalize, "calendar": Calendar(["time_of_day"])}
    roles = {"known": ["promo", "weather"], "past": ["visitors"], "static": ["kind"]}
    model = LSTMForecaster(HORIZON, **FAST, **options)
    model.fit(history, target="sales", series="shop", time="time", **roles, unknown="ignore")
    ahead = ahead.assign(weather=ahead["weather"].where(ahead["time"] > TIMES[60], "snow"))
    expected = model.predict(known=ahead[["shop", "time", "promo", "weather"]])

    def columns(rows: pd.DataFrame) -> dict[str, Any]:
        calendar = calendar_features(pd.DatetimeIndex(rows["time"]), "h", ["time_of_day"])
        plain = rows.drop(columns=["shop", "time", "kind"]).astype(object)
        return plain.where(plain.notna(), None).to_dict("list") | calendar.to_dict("list")

    for shop, kind in (("north", "large"), ("south", "small")):
        own, later = (part[part["shop"] == shop] for part in (history.groupby("shop").tail(12), ahead))
        given = {"series": shop, "rows": columns(own) | {"kind": kind}, "future": columns(later)}
        assert_near(run(folder, model, given)["sales"], expected.loc[expected["shop"] == shop, "forecast"])


def test_what_it_cannot_read_it_names(folder: Path) -> None:
    y = pd.DataFrame({"a": np.sin(np.arange(64) / 3)}, TIMES)
    model = LSTMForecaster(HORIZON, **FAST).fit(y)
    assert "expected 12 rows, got 11" in run(folder, model, {"rows": {"a": [1.0] * 11}})
    assert "expected a column a" in run(folder, model, {"rows": {"b": [1.0] * 12}})
    assert "expected no missing values in a" in run(folder, model, {"rows": {"a": [1.0] * 11 + [None]}})
    assert "expected numbers in a, got " in run(folder, model, {"rows": {"a": [1.0] * 11 + [""]}})
    assert "expected 12 rows, got 0" in run(folder, model, {})
    # more than the largest number of float32
    assert "can't forecast from these values" in run(folder, model, {"rows": {"a": [1.0] * 11 + [1e40]}})
