"""Indicators against values worked by hand, in exact fractions where a mean needs them, and their contract."""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.accuracy.series import OPEN_DATA

from lstmforecast import indicators

NAN = float("nan")
# Five bars small enough for a pencil.
BARS = pd.DataFrame(
    {
        "Open": [10.0, 11.0, 12.0, 11.0, 13.0],
        "High": [12.0, 13.0, 13.0, 12.0, 15.0],
        "Low": [9.0, 10.0, 11.0, 8.0, 12.0],
        "Close": [10.0, 12.0, 11.0, 11.0, 14.0],
        "Volume": [100.0, 200.0, 300.0, 50.0, 150.0],
    },
    index=pd.date_range("2024-01-01", periods=5, freq="B", name="day"),
)
# Each row: the call, and what a pencil makes of it.
BY_HAND: list[tuple[str, tuple[Any, ...], list[list[float]]]] = [
    ("returns", (1,), [[NAN, 0.2, -1 / 12, 0, 3 / 11]]),
    ("returns", (2,), [[NAN, NAN, 0.1, -1 / 12, 3 / 11]]),
    ("log_returns", (1,), [[NAN, np.log(1.2), np.log(11 / 12), 0, np.log(14 / 11)]]),
    # Of two numbers: their distance by the root of 2.
    ("volatility", (2,), [[NAN, NAN, np.log(14.4 / 11) / 2**0.5, np.log(12 / 11) / 2**0.5, np.log(14 / 11) / 2**0.5]]),
    ("sma", (3,), [[NAN, NAN, 11, 34 / 3, 12]]),
    # Begins with the mean 11 of three, then halfway to each close.
    ("ema", (3,), [[NAN, NAN, 11, 11, 12.5]]),
    # Changes +2 -1 0 +3: means of two (1, 1/2), then (1/2, 1/4), then (7/4, 1/8).
    ("rsi", (2,), [[NAN, NAN, 100 * 2 / 3, 100 * 2 / 3, 100 * 14 / 15]]),
    # Fast ema of 2 begins with (12 + 11) / 2 at bar 2, goes two thirds of the way: 67/6, 235/18. Slow ema of 3: above.
    # Their differences 1/2, 1/6, 5/9; the signal of 2 begins with 1/3 and goes two thirds of the way: 13/27.
    ("macd", (2, 3, 2), [[NAN] * 3 + [1 / 6, 5 / 9], [NAN] * 3 + [1 / 3, 13 / 27], [NAN] * 3 + [-1 / 6, 2 / 27]]),
    # Of two numbers: half their distance from the middle.
    ("bollinger", (2, 1), [[NAN, 10, 11, 11, 11], [NAN, 11, 11.5, 11, 12.5], [NAN, 12, 12, 11, 14]]),
    # True ranges from bar 1: 3, 2, 4, 4: the mean 5/2 of two, then halfway to each.
    ("atr", (2,), [[NAN, NAN, 2.5, 3.25, 3.625]]),
    ("obv", (), [[100, 300, 0, 0, 150]]),
    # Typical prices 31/3, 35/3, 35/3, 31/3, 41/3 times volumes: 3100/3, 7000/3, 10500/3, 1550/3, 6150/3.
    ("vwap", (2,), [[NAN, 10100 / 900, 17500 / 1500, 12050 / 1050, 7700 / 600]]),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), BY_HAND, ids=lambda value: str(value)[:20])
def test_by_hand(name: str, arguments: tuple[Any, ...], expected: list[list[float]]) -> None:
    found = pd.DataFrame(getattr(indicators, name)(BARS, *arguments))
    # A dozen roundings of numbers up to 300, which running sums leave behind.
    np.testing.assert_allclose(found.to_numpy().T, expected, rtol=1e-12, atol=1e-12)
    pd.testing.assert_index_equal(found.index, BARS.index)


def bars_of(n: int, seed: int = 0) -> pd.DataFrame:
    """A random walk with bars around it, such as they come: integers as volume."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    spread = close * rng.uniform(0.001, 0.02, (2, n))
    columns = {"Open": close, "High": close + spread[0], "Low": close - spread[1], "Close": close}
    return pd.DataFrame(columns | {"Volume": rng.integers(1, 10**7, n)}, pd.bdate_range("2020-01-01", periods=n))


def slow_twin(bars: pd.DataFrame) -> dict[str, list[float]]:
    """The recursive ones once more, step by step from their definitions."""
    close, high, low = (bars[name].tolist() for name in ("Close", "High", "Low"))

    def smooth(values: list[float], window: int, weight: float, first: int) -> list[float]:
        found = [NAN] * len(values)
        found[first] = sum(values[first - window + 1 : first + 1]) / window
        for t in range(first + 1, len(values)):
            found[t] = found[t - 1] + weight * (values[t] - found[t - 1])
        return found

    changes = [0.0] + [after - before for before, after in itertools.pairwise(close)]
    rises, falls = ([max(sign * change, 0.0) for change in changes] for sign in (1, -1))
    ranges = [high[0] - low[0]]
    ranges += [max(h, c) - min(w, c) for h, w, c in zip(high[1:], low[1:], close, strict=False)]
    rise, fall = smooth(rises, 14, 1 / 14, 14), smooth(falls, 14, 1 / 14, 14)
    line = [a - b for a, b in zip(smooth(close, 12, 2 / 13, 25), smooth(close, 26, 2 / 27, 25), strict=True)]
    signal = [NAN] * 25 + smooth(line[25:], 9, 2 / 10, 8)
    return {
        "ema_20": smooth(close, 20, 2 / 21, 19),
        "rsi_14": [100 * up / (up + down) for up, down in zip(rise, fall, strict=True)],
        "atr_14": smooth(ranges, 14, 1 / 14, 14),
        "macd_signal_12_26_9": signal,
    }


def test_it_agrees_with_the_definitions_step_by_step() -> None:
    bars = bars_of(300)
    found = indicators.table(bars)
    for name, values in slow_twin(bars).items():
        # 300 steps of rounding, which smoothing forgets again; MACD is a small difference of large numbers.
        np.testing.assert_allclose(found[name], values, rtol=1e-11, atol=1e-11, err_msg=name)


def test_windows_agree_with_numpy() -> None:
    bars = bars_of(60)
    found = indicators.table(bars)
    windows = np.lib.stride_tricks.sliding_window_view(bars["Close"].to_numpy(), 20)
    middle, deviation = windows.mean(axis=1), windows.std(axis=1)
    # Running sums of squares of numbers near 100 keep some 1e-12 of them.
    np.testing.assert_allclose(found["bollinger_upper_20_2"][19:], middle + 2 * deviation, rtol=1e-11)
    np.testing.assert_allclose(found["bollinger_lower_20_2"][19:], middle - 2 * deviation, rtol=1e-11)
    np.testing.assert_allclose(found["sma_20"][19:], middle, rtol=1e-12)
    steps = np.lib.stride_tricks.sliding_window_view(np.diff(np.log(bars["Close"])), 20)
    np.testing.assert_allclose(found["volatility_20"][20:], steps.std(axis=1, ddof=1), rtol=1e-9)


def test_bands_of_tiny_prices() -> None:
    found = indicators.bollinger(bars_of(60) * 1e-10)
    assert (found["bollinger_upper_20_2"] > found["bollinger_lower_20_2"])[19:].all()


@pytest.mark.parametrize("name", indicators.__all__)
def test_the_future_changes_nothing(name: str) -> None:
    bars, other = bars_of(120), bars_of(120, seed=1)
    function = getattr(indicators, name)
    for known in (1, 25, 60, 119):
        later = pd.concat([bars[:known], other[known:]])
        # To the bit: a value that knew of what follows would differ.
        pd.testing.assert_frame_equal(
            pd.DataFrame(function(later))[:known], pd.DataFrame(function(bars))[:known], check_exact=True
        )
        pd.testing.assert_frame_equal(
            pd.DataFrame(function(bars[:known])),
            pd.DataFrame(function(bars))[:known],
            check_exact=True,
            check_freq=False,
        )


def test_warm_up_is_as_long_as_told() -> None:
    missing = indicators.table(bars_of(60)).isna().sum()
    assert missing.to_dict() == {
        "returns_1": 1,
        "log_returns_1": 1,
        "volatility_20": 20,
        "sma_20": 19,
        "ema_20": 19,
        "rsi_14": 14,
        "macd_12_26_9": 33,
        "macd_signal_12_26_9": 33,
        "macd_histogram_12_26_9": 33,
        "bollinger_lower_20_2": 19,
        "bollinger_middle_20_2": 19,
        "bollinger_upper_20_2": 19,
        "atr_14": 14,
        "obv": 0,
        "vwap_20": 19,
    }


@pytest.mark.parametrize("n", [0, 1, 5])
def test_few_bars_are_all_warm_up(n: int) -> None:
    found = indicators.table(bars_of(10)[:n])
    assert found.shape == (n, 15)
    assert found.drop(columns=["obv", "returns_1", "log_returns_1"]).isna().all().all()


def test_each_series_of_a_panel_by_itself() -> None:
    parts = {"b": bars_of(60), "a": bars_of(50, seed=1)}
    panel = pd.concat(parts, names=["stock", "day"])
    found = indicators.table(panel)
    pd.testing.assert_index_equal(found.index, panel.index)
    for name, bars in parts.items():
        pd.testing.assert_frame_equal(found.loc[name], indicators.table(bars), check_freq=False, check_names=False)
    # Rows of the series among each other, as a database gives them.
    mixed = panel.sort_index(level=1, kind="stable")
    pd.testing.assert_frame_equal(indicators.table(mixed).loc[panel.index], found)


def test_rows_without_a_price_are_no_bars() -> None:
    bars = bars_of(60)
    holidays = bars.index[[0, 7, 40]]
    holed = bars.astype(float)
    holed.loc[holidays[:2]] = NAN
    holed.loc[holidays[2], "Low"] = NAN
    found = indicators.atr(holed)
    assert found[holidays].isna().all()
    pd.testing.assert_series_equal(found.drop(holidays), indicators.atr(bars.drop(holidays)), check_freq=False)
    # The low is nothing to the close.
    assert np.isfinite(indicators.sma(holed)[holidays[2]])


def test_columns_in_any_case_and_others_beside_them() -> None:
    other = BARS.rename(columns=str.upper).assign(Adj_Close=1.0, Note="x")
    pd.testing.assert_frame_equal(indicators.table(other), indicators.table(BARS))
    pd.testing.assert_frame_equal(indicators.table(BARS.convert_dtypes()), indicators.table(BARS))


def test_a_series_of_prices_is_the_close() -> None:
    pd.testing.assert_series_equal(indicators.rsi(BARS["Open"], 2), indicators.rsi(BARS.assign(Close=BARS["Open"]), 2))


def test_bars_stay_as_they_are() -> None:
    before = BARS.copy(deep=True)
    found = indicators.table(BARS)
    found[:] = 0.0
    pd.testing.assert_frame_equal(BARS, before)


def test_a_table_of_choice() -> None:
    found = indicators.table(BARS, {"sma": [2, 3], "macd": (2, 3, 2), "obv": None})
    assert list(found)[:3] == ["sma_2", "sma_3", "macd_2_3_2"]
    pd.testing.assert_series_equal(found["sma_3"], indicators.sma(BARS, 3))
    assert list(indicators.table(BARS, ["returns", "obv"])) == ["returns_1", "obv"]
    assert list(indicators.table(BARS, "obv")) == ["obv"]


def test_nothing_traded_has_no_average_price() -> None:
    found = indicators.vwap(BARS.assign(Volume=[1e9, 0.0, 0.0, 0.0, 5.0]), 2)
    # Exactly nothing, though a running sum had the first volume in it.
    assert found.isna().tolist() == [True, False, True, True, False]


DOUBLED = BARS.assign(close=1.0)
PANEL = pd.concat({"x": BARS}, names=["unique_id", "ds"])
WRONG: list[tuple[Any, str, tuple[Any, ...], type[Exception], str]] = [
    (BARS[["Open", "High"]], "sma", (), ValueError, r"one column 'close' \(in any case\), got Open, High"),
    (BARS.drop(columns="Volume"), "obv", (), ValueError, "one column 'volume' .*, got Open, High, Low, Close"),
    (DOUBLED, "sma", (), ValueError, "one column 'close' .*, got several of them"),
    (BARS["Close"], "atr", (), TypeError, "expected a DataFrame with columns high, low, close, got a Series"),
    (BARS.to_numpy(), "sma", (), TypeError, "expected bars as a DataFrame or a Series of prices, got ndarray"),
    (BARS.astype(str), "sma", (), TypeError, "expected numbers in column 'Close' of bars, got str"),
    (
        BARS[::-1],
        "sma",
        (),
        ValueError,
        "times of bars in ascending order, each once, got 2024-01-04 .* after",
    ),
    (pd.concat([BARS, BARS[-1:]]), "sma", (), ValueError, "each once, got 2024-01-05 .* after 2024-01-05"),
    (PANEL[::-1], "sma", (), ValueError, "the times of series 'x' of bars in ascending order"),
    (PANEL.reset_index(), "sma", (), ValueError, r"columns unique_id and ds: bars.set_index\("),
    (
        BARS.replace(14.0, np.inf),
        "sma",
        (),
        ValueError,
        r"no infinite values in bars, got one at 2024-01-05 .*\(row 4\)",
    ),
    (BARS.replace(14.0, 0.0), "log_returns", (), ValueError, "prices above zero for log returns, got 0"),
    (BARS, "sma", (1,), ValueError, "expected window to be an integer of at least 2 and at most 100000, got 1"),
    (BARS, "sma", (2.5,), TypeError, "expected window to be an integer"),
    (BARS, "returns", (0,), ValueError, "expected periods to be an integer of at least 1"),
    (BARS, "macd", (12, 12), ValueError, "expected slow to be above fast=12, got 12"),
    (BARS, "bollinger", (20, 0), ValueError, "expected deviations to be a number above 0, got 0"),
    (BARS, "table", (["sma", "adx"],), ValueError, "expected indicators among returns, .*, got 'adx'"),
    (BARS, "table", ({},), ValueError, "expected at least one indicator, got none"),
]


@pytest.mark.parametrize(("bars", "name", "arguments", "error", "message"), WRONG)
def test_bad_input(bars: Any, name: str, arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(indicators, name)(bars, *arguments)


def test_without_talib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", None)
    with pytest.raises(ImportError, match=r"pip install 'lstmforecast\[finance\]'"):
        indicators.sma(BARS)
    assert len(indicators.volatility(BARS)) == 5


@pytest.mark.skipif(not OPEN_DATA.exists(), reason="needs the prices of four stocks")
def test_stocks() -> None:
    paths: list[Path] = sorted((OPEN_DATA / "finance").glob("*.csv"))
    found = indicators.table(pd.concat({p.stem: pd.read_csv(p, index_col="Date", parse_dates=True) for p in paths}))
    assert found.dropna().groupby(level=0).size().eq(1259 - 33).all()
    assert found["rsi_14"].dropna().between(0, 100).all()
    assert found["macd_histogram_12_26_9"].isna().sum() == 4 * 33
