"""Tables in any notation are read as they were written, or refused: never as other numbers."""

import csv
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lstmforecast.data.table_files import TableFormat, read_series

# The decimal sign and the sign between thousands.
NOTATIONS = [(".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (",", "\u00a0"), (".", "'")]


def written(value: float, places: int, notation: tuple[str, str]) -> str:
    decimal, thousands = notation
    return f"{value:,.{places}f}".translate(str.maketrans({",": thousands, ".": decimal}))


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, np.ndarray, tuple[str, str]]:
    """A text, its numbers, and their notation, which is the same in all columns."""
    notation, separator = draw(st.sampled_from(NOTATIONS)), draw(st.sampled_from(",;\t|"))
    n_rows, places = draw(st.integers(1, 8)), draw(st.lists(st.integers(0, 4), min_size=2, max_size=3))
    size = draw(st.sampled_from([10, 1000, 50_000, 5_000_000]))
    columns = [
        np.round(draw(st.lists(st.floats(-size, size), min_size=n_rows, max_size=n_rows)), each) for each in places
    ]
    text = io.StringIO()
    # points of thousands in a file of commas without quotes are read as decimals: a convention, see the docs
    quoted = separator == "," and notation == (",", ".")
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    for _ in range(draw(st.integers(0, 2))):
        text.write(draw(st.sampled_from(["# a comment\n", "A title\n", "\n"])))
    writer.writerow([f"column {i}" for i in range(len(columns))])
    for row in zip(*columns, strict=True):
        writer.writerow([written(value, each, notation) for value, each in zip(row, places, strict=True)])
    return text.getvalue(), np.array(columns).T, notation


@given(tables())
def test_numbers_are_right_or_refused(table):
    text, expected, _ = table
    try:
        found = read_series(io.StringIO(text))
    except ValueError as error:
        refused = str(error)
    else:
        np.testing.assert_array_equal(found.to_numpy(float), expected + 0.0)
        return
    assert "--decimal" in refused


@given(tables())
def test_the_decimal_sign_makes_every_table_certain(table):
    text, expected, (decimal, _) = table
    found = read_series(io.StringIO(text), written=TableFormat(decimal=decimal))
    np.testing.assert_array_equal(found.to_numpy(float), expected + 0.0)
