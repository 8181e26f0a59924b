"""Numbers of every type and layout are read from every container; what holds none is named."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lstmforecast.data.container import read_table

HOURS = pd.date_range("2024-01-01", periods=6, freq="h", name="time")
NUMBERS = np.arange(12.0).reshape(6, 2)
FRAME = pd.DataFrame(NUMBERS, index=HOURS, columns=["a", "b"])
READ_ONLY = NUMBERS.copy()
READ_ONLY.flags.writeable = False
WIDE = np.zeros((12, 5))
WIDE[::2, 1::2] = NUMBERS


@pytest.mark.parametrize(
    "y",
    [
        NUMBERS,
        NUMBERS.tolist(),
        NUMBERS.astype(int),
        NUMBERS.astype("uint8"),
        NUMBERS.astype("float16"),
        NUMBERS.astype("float32"),
        NUMBERS.astype("longdouble"),
        NUMBERS.astype(">f8"),
        NUMBERS.astype(object),
        [[Decimal(a), b] for a, b in NUMBERS.astype(int).tolist()],
        np.asfortranarray(NUMBERS),
        WIDE[::2, 1::2],
        NUMBERS[::-1][::-1],
        READ_ONLY,
        np.ma.array(NUMBERS),
        NUMBERS.view(np.matrix),
        FRAME,
        FRAME.astype("Int64"),
        FRAME.astype("Float32"),
        FRAME.astype({"a": "Int8", "b": "float32"}),
        FRAME.astype(object),
        FRAME.astype(pd.SparseDtype("float64", 0.0)),
    ],
    ids=lambda y: type(y).__name__,
)
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_numbers_of_every_type_and_layout_are_read(y):
    values, _ = read_table(y)
    assert values.dtype == np.float64
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, NUMBERS)


def test_pyarrow_columns_are_read():
    pytest.importorskip("pyarrow")
    np.testing.assert_array_equal(read_table(FRAME.astype("float64[pyarrow]"))[0], NUMBERS)


@pytest.mark.parametrize(
    "y", [[], np.zeros((0, 3)), np.zeros((3, 0)), pd.Series([], dtype=float), FRAME.iloc[:0], FRAME[[]]]
)
def test_empty_data_is_an_error(y):
    with pytest.raises(ValueError, match="expected y with at least one row and one column, got shape"):
        read_table(y)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (FRAME.assign(site="A", ok=True), r"got 'site' \((str|object), such as 'A'\), 'ok' \(bool, such as .*True"),
        (FRAME.reset_index(), r"got 'time' \(datetime64.*make a column of times the index with y.set_index"),
        (FRAME.assign(b=1j), r"got 'b' \(complex128"),
        (["1.5", "2.5"], "expected numbers in every column of y, got 0"),
        ([True, False], r"got 0 \(bool"),
        ([[1.0, "x"]], "expected numbers in every column of y"),
        (np.array(["2024-01-01"], dtype="datetime64[s]"), r"got 0 \(datetime64"),
        (sparse.csr_array(NUMBERS), "expected y as a dense array, got a sparse csr_array; convert it with .toarray()"),
        ("data.csv", "expected y as array, list, Series or DataFrame, got str"),
        ({"a": [1, 2]}, "got dict"),
        (None, "got NoneType"),
        (3.5, "got float"),
    ],
)
def test_what_holds_no_series_of_numbers_is_refused(y, words):
    with pytest.raises(TypeError, match=words):
        read_table(y)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.zeros((2, 3, 4)), r"expected y of shape \(n,\) or \(n, k\), got \(2, 3, 4\)"),
        ([[1.0, 2.0], [3.0]], "expected all rows of y to have the same length"),
        (FRAME.set_axis(["a", "a"], axis=1), r"every column name of y once, got \['a'\] more than once"),
    ],
)
def test_what_has_a_wrong_shape_is_refused(y, words):
    with pytest.raises(ValueError, match=words):
        read_table(y)
