"""Static features are read at every door as at `fit`: what means the same gives the same bits, the rest is refused."""

import json
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstmforecast import LSTMForecaster, Sampling, _core, quantization_report

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=5), "random_state": 0, "n_threads": 1}
SERIES = ["a", "b", "c", "d"]


def _long(ids, n=60):
    times = pd.date_range("2026-01-01", periods=n, freq="D")
    waves = [10 * (i + 1) + np.sin(np.arange(n) * 2 * np.pi / 7) for i in range(len(ids))]
    return pd.DataFrame({"unique_id": np.repeat(ids, n), "ds": np.tile(times, len(ids)), "y": np.concatenate(waves)})


Y, NEW = _long(SERIES), _long(["n"])
STATIC = pd.DataFrame(
    {"kind": ["shop", "web", "shop", "web"], "area": [1.0, 2.0, 3.0, 4.0], "open": [True, False] * 2, "grade": 3},
    index=SERIES,
).astype({"grade": pd.CategoricalDtype([1, 3, 4])})
ROW = pd.DataFrame({"kind": ["web"], "area": [2.0], "open": [False], "grade": [3]}, index=["n"])


def _fit(static=STATIC):
    return LSTMForecaster(3, **FAST).fit(Y, static=static)


@pytest.fixture(scope="module")
def fitted():
    return _fit()


def _older(model, folder):
    """The model as a file of before has it, in which only the names of features stand."""
    path = folder / "model.safetensors"
    model.save(path)
    tensors, metadata = _core.read_file(path)
    state = json.loads(metadata["state"])
    del state["covariates"]["static"]["read_from"]
    _core.write_file(path, tensors, metadata | {"state": json.dumps(state)})
    return LSTMForecaster.load(path)


def _saved(model, folder):
    model.save(folder / "model.safetensors")
    return LSTMForecaster.load(folder / "model.safetensors")


def _pickled_before(model, _):
    again = pickle.loads(pickle.dumps(model))
    del again.fitted_.dataset.covariates.__dict__["static_columns"]
    return again


KEPT = {"in memory": lambda model, _: model, "file": _saved, "older file": _older, "older pickle": _pickled_before}
SAME = {
    "reordered": ROW[["grade", "open", "kind", "area"]],
    "categorical": ROW.astype({"kind": "category", "grade": "category", "area": "category"}),
    "string": ROW.astype({"kind": "string"}),
    "integer": ROW.astype({"area": "int8"}),
    "nullable": ROW.astype({"area": "Float32", "open": "boolean", "grade": "Int64"}),
    "boolean as number": ROW.astype({"open": float}),
    "category as real number": ROW.astype({"grade": float}),
    "category as words": ROW.assign(grade="3"),
    "objects": ROW.astype(object),
    "decimal": ROW.assign(area=Decimal(2)),
    "more rows": pd.concat([ROW.rename({"n": "m"}).assign(kind="kiosk", area=np.nan), ROW]),
    "ids in a column": ROW.rename_axis("unique_id").reset_index(),
    "polars": pl.from_pandas(ROW.rename_axis("unique_id").reset_index()),
    "polars categorical": pl.from_pandas(ROW.rename_axis("unique_id").reset_index()).cast({"kind": pl.Categorical}),
}


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("same", SAME.values(), ids=SAME)
def test_the_same_in_another_way_forecasts_the_same_bits(same, kept, fitted, tmp_path):
    expected = fitted.predict(context=NEW, static=ROW)
    pd.testing.assert_frame_equal(kept(fitted, tmp_path).predict(context=NEW, static=same), expected)


WRONG = {
    "renamed": (ROW.rename(columns={"area": "Area"}), ValueError, r"got \['Area'\] in place of \['area'\]"),
    "left out": (ROW.drop(columns="area"), ValueError, r"got none named \['area'\]"),
    "words left out": (ROW.drop(columns="kind"), ValueError, r"got none named \['kind('|_shop', 'kind_web')"),
    "added": (ROW.assign(size=5.0), ValueError, r"got \['size'\] as well"),
    "text": (ROW.assign(area="2"), TypeError, "numbers as at fit in column 'area' of static, got '2' for series 'n'"),
    "object": (ROW.assign(area=[[2.0]]), TypeError, r"column 'area' of static, got \[2.0\] for series 'n'"),
    "time": (ROW.assign(area=pd.Timestamp("2026-01-01")), TypeError, "numbers as at fit in column 'area' of static"),
    "missing": (ROW.assign(area=np.nan), ValueError, "got nan in column 'area' for series 'n'"),
    "missing word": (ROW.assign(kind=None), ValueError, "in column 'kind' for series 'n'"),
    "infinite": (ROW.assign(area=np.inf), ValueError, "got inf for series 'n'"),
    "unseen": (ROW.assign(kind="kiosk"), ValueError, r"'kind' of static \('shop', 'web'\), got 'kiosk' for series 'n'"),
    "unseen number": (ROW.assign(grade=2), ValueError, "'grade' of static .*, got 2 for series 'n'"),
    "other series": (ROW.set_axis(["z"]), ValueError, "for series 'n', got rows of other series only"),
    "twice": (pd.concat([ROW, ROW]), ValueError, "one row for each series, got 'n' twice"),
    "two columns": (ROW[["kind", "area", "open", "grade", "area"]], ValueError, "every column once, got 'area' twice"),
    "no table": (ROW.to_numpy(), TypeError, "to be a DataFrame with a row for each series, got ndarray"),
}


@pytest.mark.parametrize("kept", [KEPT["in memory"], KEPT["older file"]], ids=["in memory", "older file"])
@pytest.mark.parametrize(("static", "kind", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_as_at_fit_is_refused_by_name(static, kind, message, kept, fitted, tmp_path):
    with pytest.raises(kind, match=message):
        kept(fitted, tmp_path).predict(context=NEW, static=static)


@pytest.mark.parametrize(
    "door",
    [
        lambda model, static: model.predict_interval(0.5, context=NEW, static=static),
        lambda model, static: model.predict_quantiles([0.5], context=NEW, static=static),
        lambda model, static: model.predict_samples(2, context=NEW, static=static),
        lambda model, static: model.update(NEW, static=static),
        lambda model, static: quantization_report(model, NEW, None, None, static),
    ],
    ids=["interval", "quantiles", "samples", "update", "quantization"],
)
def test_every_door_refuses(door, fitted):
    with pytest.raises(ValueError, match=r"got \['Area'\] in place of \['area'\]"):
        door(fitted, ROW.rename(columns={"area": "Area"}))


def test_a_category_that_no_series_had_is_refused(fitted):
    """Three grades are categories of the column, one was seen."""
    with pytest.raises(ValueError, match=r"in column 'grade' of static \('3'\), got 4 for series 'n'"):
        fitted.predict(context=NEW, static=ROW.assign(grade=4))
    model = _fit(pd.concat([STATIC.astype({"grade": int}), ROW.assign(kind="kiosk")]))
    with pytest.raises(ValueError, match=r"categories that series of y had at fit, got 'kind_kiosk' .* for series 'n'"):
        model.predict(context=NEW)


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"area": pd.Timestamp("2026-01-01")}, TypeError, "numbers or words in column 'area' of static, got Timestamp"),
        (
            {"area": [[1], [2], [3], [4]]},
            TypeError,
            r"numbers or words in column 'area' of static, got \[1\] for .* 'a'",
        ),
        ({"area": 1j}, TypeError, "numbers or words in column 'area' of static, got 1j for series 'a'"),
        (
            {"area": [1.0, np.inf, 2.0, 3.0]},
            ValueError,
            "finite numbers in column 'area' of static, got inf for .* 'b'",
        ),
        ({"kind": ["shop", None, "web", "web"]}, ValueError, "in column 'kind' for series 'b'"),
        ({"kind_web": 1.0}, ValueError, "without two features named 'kind_web'"),
    ],
)
def test_fit_refuses_what_is_no_feature(changed, kind, message):
    with pytest.raises(kind, match=message):
        _fit(STATIC.assign(**changed))


def test_decimals_are_numbers():
    with_decimals = _fit(STATIC.assign(area=[Decimal(i) for i in range(1, 5)]))
    pd.testing.assert_frame_equal(with_decimals.predict(), _fit().predict())


def test_words_of_arrow_are_words():
    whole = _fit(STATIC.drop(columns="grade")).predict()
    for kind in ("string[pyarrow]", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))):
        static = STATIC.drop(columns="grade").astype({"kind": kind})
        pd.testing.assert_frame_equal(_fit(static).predict(), whole)
    arrow = STATIC.drop(columns="grade").convert_dtypes(dtype_backend="pyarrow")
    pd.testing.assert_frame_equal(_fit(arrow).predict(), whole)


def test_a_table_without_features_is_refused():
    with pytest.raises(ValueError, match="expected static with a column of features, got none"):
        _fit(STATIC[[]])
