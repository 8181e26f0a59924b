"""The metadata of an ONNX file say what each number of the inputs is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from lstmforecast import LSTM, Calendar, LSTMClassifier, LSTMForecaster, LSTMRegressor, Sampling

FAST = {
    "window_size": 8, "hidden_size": 2, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=2), "random_state": 0,
    "n_threads": 1,
}  # fmt: skip
Told = dict[str, Any]


def table(n: int = 60) -> pd.DataFrame:
    """Two shops, with words and gaps in their covariates."""
    shops = []
    for shop, kind in (("north", "large"), ("south", "small")):
        rng = np.random.default_rng(len(shops))
        columns = {
            "sales": rng.normal(10, 1, n),
            "promo": rng.integers(0, 2, n).astype(float),
            "weather": np.array(["rain", "sun", None], object)[np.arange(n) % 3],
            "visitors": rng.normal(50, 5, n),
            "kind": kind,
            "area": 100.0 + len(shops),
        }
        shops.append(pd.DataFrame({"shop": shop, "day": pd.date_range("2026-01-01", periods=n), **columns}))
    both = pd.concat(shops, ignore_index=True)
    both.loc[::5, "promo"] = np.nan
    return both


def told(model: Any, path: Path) -> tuple[Told, onnxruntime.InferenceSession]:
    model.to_onnx(path)
    session = onnxruntime.InferenceSession(path)
    return session.get_modelmeta().custom_metadata_map, session


def shops(**parameters: Any) -> LSTMForecaster:
    model = LSTMForecaster(2, calendar=Calendar(["day_of_week"]), missing="mask", **FAST).set_params(**parameters)
    roles = {"known": ["promo", "weather"], "past": ["visitors"], "static": ["kind", "area"]}
    return model.fit(table(), target="sales", series="shop", time="day", **roles, unknown="ignore")


def test_the_columns_of_a_panel(tmp_path: Path) -> None:
    model = shops()
    found, session = told(model, tmp_path / "model.onnx")
    inputs = json.loads(found["inputs"])
    assert list(inputs) == ["windows", "future", "scales"] == [each.name for each in session.get_inputs()]
    weather = {"source": "weather", "unknown": "ignore"}
    kind = {"source": "kind", "unknown": "ignore"}
    known = [
        {"name": "promo", "role": "known", "nan": "missing"},
        {"name": "weather_rain", "role": "known", "nan": "missing", "category": "rain", **weather},
        {"name": "weather_sun", "role": "known", "nan": "missing", "category": "sun", **weather},
        {"name": "promo_missing", "role": "known", "nan": "refused", "marks": "promo"},
        {"name": "weather_missing", "role": "known", "nan": "refused", "marks": "weather"},
        {"name": "day_of_week_sin", "role": "calendar", "nan": "refused"},
        {"name": "day_of_week_cos", "role": "calendar", "nan": "refused"},
        {"name": "weekend", "role": "calendar", "nan": "refused"},
    ]
    assert inputs["future"]["columns"] == known
    static = {
        "kind_large": {"name": "kind_large", "role": "static", "nan": "refused", "category": "large", **kind},
        "kind_small": {"name": "kind_small", "role": "static", "nan": "refused", "category": "small", **kind},
        "area": {"name": "area", "role": "static", "nan": "refused"},
    }
    others = inputs["windows"]["columns"]
    assert others[0] == {"name": "sales", "role": "target", "nan": "missing"}
    assert {each["name"]: each for each in others[1:4]} == static
    assert others[4:] == [{"name": "visitors", "role": "past", "nan": "refused"}, *known]
    assert [each["name"] for each in others] == json.loads(found["features"])
    assert inputs["windows"]["before_the_series"] == "NaN"
    assert inputs["scales"]["columns"] == ["center of sales", "scale of sales"]
    assert list(json.loads(found["scales"])) == ["north", "south"]
    assert (found["freq"], found["horizon"]) == ("D", "2")


def test_a_category_that_no_series_had_is_0(tmp_path: Path) -> None:
    y = pd.concat({key: pd.DataFrame({"y": np.sin(np.arange(60.0))}) for key in "ab"})
    static = pd.DataFrame({"kind": ["s", "t", "u"]}, index=list("abc"))
    found, _ = told(LSTMForecaster(2, **FAST).fit(y, static=static), tmp_path / "model.onnx")
    columns = json.loads(found["inputs"])["windows"]["columns"]
    assert [each.get("category") for each in columns] == [None, "s", "t", None]
    assert columns[-1] == {"name": "kind_u", "role": "static", "nan": "refused", "constant": 0}


def test_shapes_types_and_descriptions_are_those_of_the_graph(tmp_path: Path) -> None:
    for dtype in ("float32", "float64"):
        model = shops(loss="quantile")
        model.to_onnx(tmp_path / "model.onnx", dtype=dtype)
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
        metadata = session.get_modelmeta().custom_metadata_map
        for what, nodes in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            described = json.loads(metadata[what])
            assert {each.name: each.shape for each in nodes} == {name: of["shape"] for name, of in described.items()}
            assert {of["dtype"] for of in described.values()} == {dtype}
            assert all(of["description"] for of in described.values())
        assert {each.type for each in session.get_inputs()} == {
            "tensor(float)" if dtype == "float32" else "tensor(double)"
        }


def test_the_columns_of_one_series(tmp_path: Path) -> None:
    y = np.random.default_rng(0).normal(size=(60, 2))
    model = LSTMForecaster(2, **FAST).fit(y, X_past=y[:, :1])
    found, _ = told(model, tmp_path / "model.onnx")
    inputs = json.loads(found["inputs"])
    assert list(inputs) == ["windows"]
    assert [(each["name"], each["role"]) for each in inputs["windows"]["columns"]] == [
        ("0", "target"),
        ("1", "target"),
        ("0", "past"),
    ]
    assert "before_the_series" not in inputs["windows"]


def test_rows(tmp_path: Path) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=["a", "b", "c"])
    options = {"hidden_size": 2, "max_epochs": 1, "random_state": 0}
    found, _ = told(LSTMRegressor(**options).fit(X, X["a"]), tmp_path / "model.onnx")
    assert json.loads(found["inputs"])["X"]["columns"] == ["a", "b", "c"]
    found, session = told(LSTMClassifier(**options).fit(X, np.where(X["a"] > 0, "up", "down")), tmp_path / "model.onnx")
    assert json.loads(found["outputs"])["label"] | {"description": ""} == {
        "dtype": "string",
        "shape": ["n"],
        "description": "",
    }
    _, probabilities = session.run(None, {"X": np.float32([[0, np.nan, 0], [0, 0, 0]])})
    assert np.isnan(probabilities).all(axis=1).tolist() == [True, False]


class TestWhatCannotBeReadIsNaN:
    """The graph can't raise an error: where `predict` does, the forecast is NaN."""

    def _ends(self, model: LSTMForecaster, path: Path) -> tuple[Any, dict[str, Any]]:
        found, session = told(model, path)
        rng = np.random.default_rng(0)
        given = {
            each.name: rng.normal(5, 1, [1 if side == "n" else side for side in each.shape]).astype(np.float32)
            for each in session.get_inputs()
        }
        columns = json.loads(found["inputs"])["windows"]["columns"]

        def forecast(**changed: Any) -> bool:
            """Whether the forecast is finite, with NaN or another value in a place."""
            values = {name: value.copy() for name, value in given.items()}
            for name, (place, value) in changed.items():
                values[name][place] = value
            outputs = session.run(None, values)
            finite = [np.isfinite(each).any() for each in outputs]
            # all or nothing
            assert finite == [np.isfinite(each).all() for each in outputs]
            assert len({*finite}) == 1
            return bool(finite[0])

        return forecast, {each["name"]: i for i, each in enumerate(columns)}

    @pytest.mark.parametrize("linear_skip", [True, False])
    def test_without_missing(self, tmp_path: Path, linear_skip: bool) -> None:
        rng = np.random.default_rng(0)
        model = LSTMForecaster(2, loss="quantile", architecture=LSTM(linear_skip=linear_skip), **FAST)
        model.fit(rng.normal(size=60), rng.normal(size=(60, 2)), rng.normal(size=60))
        forecast, _ = self._ends(model, tmp_path / "model.onnx")
        assert forecast()
        for value in (np.nan, np.inf):
            for column in range(4):
                assert not forecast(windows=((0, 3, column), value))
            assert not forecast(future=((0, 1, 1), value))

    def test_where_no_gap_was_marked(self, tmp_path: Path) -> None:
        forecast, place = self._ends(shops(), tmp_path / "model.onnx")
        assert forecast(windows=((0, 3, place["sales"]), np.nan))
        assert forecast(windows=((0, 3, place["promo"]), np.nan))
        assert forecast(future=((0, 1, 0), np.nan))
        for name in ("visitors", "area", "promo_missing", "day_of_week_sin"):
            assert not forecast(windows=((0, 3, place[name]), np.nan))
        assert not forecast(future=((0, 1, 3), np.nan))
        assert not forecast(windows=((0, 3, place["sales"]), np.inf))

    @pytest.mark.parametrize("missing", ["mask", "error"])
    def test_rows_before_a_series_and_within(self, tmp_path: Path, missing: str) -> None:
        y = pd.concat({key: pd.DataFrame({"y": np.sin(np.arange(60.0))}) for key in "ab"})
        model = LSTMForecaster(2, missing=missing, **FAST).fit(y, pd.DataFrame({"x": np.cos(np.arange(120))}, y.index))
        forecast, _ = self._ends(model, tmp_path / "model.onnx")
        assert forecast(windows=((0, slice(3)), np.nan))
        assert not forecast(windows=((0, slice(3, 5)), np.nan))
        assert not forecast(windows=((0, slice(3), 1), np.nan))
        assert forecast(windows=((0, slice(3), 0), np.nan)) == (missing == "mask")

    def test_what_has_no_logarithm(self, tmp_path: Path) -> None:
        y = np.exp(np.random.default_rng(0).normal(size=60))
        for missing in ("mask", "error"):
            model = LSTMForecaster(2, missing=missing, transform="log", **FAST).fit(y)
            forecast, _ = self._ends(model, tmp_path / "model.onnx")
            assert forecast(windows=((0, 3, 0), -0.5))
            assert not forecast(windows=((0, 3, 0), -1))
            assert not forecast(windows=((0, 3, 0), -2))
            assert forecast(windows=((0, 3, 0), np.nan)) == (missing == "mask")
