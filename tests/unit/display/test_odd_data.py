"""Wild values don't flatten a picture, and none is hidden without a word; empty pictures say what there is none of."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from tests.unit.display.gallery import HOURS, WAVE, anomaly, backtests, explanation, figure_of, intervals_around, search

from lstmforecast import (
    AnomalyDisplay,
    BacktestDisplay,
    ComparisonDisplay,
    DriftDisplay,
    ForecastDisplay,
    HistoryDisplay,
    IntervalDisplay,
    compare,
    plot,
)
from lstmforecast.display.scale import top_of

NAN = np.nan
SIDES = (("lower", -1), ("upper", 1))
Y = WAVE.to_frame("load")
WILD_TABLE = backtests("load", 3, wild=30.0)
WILD_RESIDUALS = backtests("load", 2)
WILD_RESIDUALS.loc[[100, 200], "load_0"] += [1000, -500]
INTERVALS = backtests("load", 1).assign(step=np.tile(np.arange(1, 6), 90), coverage=0.8, lower=9.0, upper=11.0)
TRACE = pd.DataFrame(
    {("x", "KS"): np.linspace(0.2, 1.5, 50), ("x", "PSI"): np.linspace(0.3, 80, 50)}, pd.RangeIndex(50)
).rename_axis(columns=["feature", "test"])
RNG = np.random.default_rng(0)
COMPARISON = compare(RNG.gamma(1, size=300), RNG.gamma(1, size=300), random_state=0)


def bands() -> pd.DataFrame:
    interval = intervals_around(Y[120:])
    interval["load", 0.95, "upper"] *= 1e9
    return interval


def epochs(n: int = 1, **losses: Any) -> HistoryDisplay:
    history = {"epoch": [1], "train_loss": [0.5], "val_loss": [0.4], "learning_rate": [0.01]} | losses
    return HistoryDisplay(pd.DataFrame(history)[:n], 1).plot()


def losses_below_zero() -> HistoryDisplay:
    falling = 3 - np.arange(29) / 5
    losses = {"train_loss": np.r_[1e5, falling], "val_loss": np.r_[50, falling + 0.1]}
    return HistoryDisplay(pd.DataFrame({"epoch": np.arange(1, 31)} | losses), 30).plot()


def trace(values: Any) -> AnomalyDisplay:
    columns = {("value", "load"): values, ("forecast", "load"): values, ("score", ""): values, ("threshold", ""): 2.0}
    table = pd.DataFrame(columns | {("anomaly", ""): np.zeros(len(values), bool)}, HOURS[: len(values)])
    return AnomalyDisplay.from_predictions(table)


def failed() -> Any:
    result = SimpleNamespace(**vars(search("x")))
    result.trials_ = result.trials_.assign(state="failed", value=NAN)
    return plot.trials(result)


def backtest(table: pd.DataFrame, kind: str = "horizon") -> BacktestDisplay:
    return BacktestDisplay.from_predictions(table, kind=kind)


# The picture, the axes with the wild values, and the line that must be seen.
WILD: dict[str, tuple[Callable[[], Any], int, str]] = {
    "intervals of a forecast": (
        lambda: ForecastDisplay.from_predictions(Y[:120], Y[120:], interval=bands()),
        0,
        "history",
    ),
    "errors by step": (lambda: backtest(WILD_TABLE), 0, "load_1"),
    "errors by cutoff": (lambda: backtest(WILD_TABLE, "cutoff"), 0, "load_1"),
    "first losses": (losses_below_zero, 0, "training"),
    "scores of anomalies": (lambda: anomaly("load", None, 500.0), 1, "threshold"),
    "one drift test of two": (lambda: DriftDisplay.from_predictions(TRACE), 0, "KS"),
    "widths": (
        lambda: IntervalDisplay.from_predictions(pd.concat([INTERVALS, INTERVALS.assign(coverage=0.95, upper=1e9)])),
        1,
        "80 % interval",
    ),
    "a trial": (lambda: plot.trials(search("x", 1e6)), 0, "best so far"),
}
EMPTY: dict[str, tuple[Callable[[], Any], str]] = {
    "forecast": (
        lambda: ForecastDisplay.from_predictions(Y[:120], Y[120:] * NAN, truth=Y[120:] * NAN),
        "no forecast and no truth: all values are missing",
    ),
    "explanation": (
        lambda: explanation("feature", still=True)("load", None),
        "nothing differs from the baseline",
    ),
    "forecast of nothing": (
        lambda: plot.forecast(Y[:120] * NAN, Y[120:] * NAN),
        "no history and no forecast: all values are missing",
    ),
    "one epoch": (epochs, "epoch\none epoch: points in place of curves"),
    "no epochs": (lambda: epochs(0), "no epochs"),
    "no losses": (lambda: epochs(train_loss=[NAN], val_loss=[NAN]), "no losses: all are missing"),
    "no rates": (lambda: epochs(learning_rate=[NAN]), "no learning rates"),
    "errors": (lambda: backtest(WILD_TABLE.assign(truth=NAN)), "no errors: no true value is known"),
    "windows": (lambda: backtest(WILD_TABLE.assign(truth=NAN), "forecasts"), "no truth: all values are missing"),
    "intervals": (
        lambda: IntervalDisplay.from_predictions(INTERVALS.assign(truth=NAN)),
        "no interval\nwhose truth is known",
    ),
    "values": (lambda: trace(np.full(9, NAN)), "no values: all are missing"),
    "rows": (lambda: trace(np.full(0, NAN)), "no rows"),
    "scores": (lambda: trace(np.full(9, NAN)), "no scores"),
    "anomalies": (lambda: trace(np.ones(9)), "no anomaly"),
    "drift": (lambda: DriftDisplay.from_predictions(TRACE[:0]), "no tests yet: the monitor needs more rows"),
    "bounds": (
        lambda: ComparisonDisplay.from_result(
            replace(COMPARISON, sequence=COMPARISON.sequence.assign(lower=-np.inf, upper=np.inf))
        ),
        "rows\nno bounds yet: too few rows",
    ),
    "comparison": (
        lambda: ComparisonDisplay.from_result(compare(RNG.gamma(1, size=8), RNG.gamma(1, size=8), random_state=0)),
        "no bounds yet: 8 rows are too few",
    ),
    "trials": (failed, "no trial was completed"),
    "states of trials": (failed, "trial\n20 trials: 20 failed"),
}


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def words_of(figure: Any) -> list[str]:
    return [text.get_text().strip() for text in figure.findobj(Text) if text.get_visible()]


def outside_by_legend(ax: Any) -> int:
    """How many values the legend says to lie outside."""
    labels = [text.get_text().replace("\n", " ") for text in ax.get_legend().get_texts()]
    found = [re.match(r"([\d,]+) (above|below) \S+ (up|down) to \S+$", label) for label in labels]
    return sum(int(each[1].replace(",", "")) for each in found if each)


@pytest.mark.parametrize("name", WILD)
def test_wild_values_flatten_nothing_and_are_counted(name: str) -> None:
    draw, i, seen = WILD[name]
    ax = figure_of(draw()).axes[i]
    low, high = ax.get_ylim()
    lines = {line.get_label(): line for line in ax.get_lines()}
    values = np.asarray(lines[seen].get_ydata(), float)
    inside = values[(values >= low) & (values <= high)]
    # a tenth of the height: a line that never changes counts from the lower edge
    height = inside.max() - (low if np.ptp(inside) == 0 else inside.min())
    assert height > 0.1 * (high - low)
    assert np.mean((values >= low) & (values <= high)) > 0.9
    marks = [each for each in ax.collections if isinstance(each, PathCollection)]
    assert outside_by_legend(ax) == sum(len(each.get_offsets()) for each in marks) > 0


def test_wild_residuals_are_marked_and_counted() -> None:
    display = BacktestDisplay.from_predictions(WILD_RESIDUALS, kind="residuals")
    over_time, histogram = display.axes_[:2]
    low, high = over_time.get_ylim()
    assert -2 < low < -0.1
    assert 0.1 < high < 2
    assert outside_by_legend(over_time) == 2
    assert "2 wild in the outer bars" in words_of(display.figure_)
    # nine in ten points of the Q-Q plot fill more than a tenth of it
    quantiles = display.axes_[3]
    low, high = quantiles.get_ylim()
    drawn = quantiles.get_lines()[-1].get_ydata()
    assert np.ptp(np.quantile(drawn, [0.05, 0.95])) > 0.1 * (high - low)
    assert [ax.get_xlabel().split("\n")[-1] for ax in display.axes_[2:]] == ["2 wild values clipped"] * 2
    assert display.residuals().max() > 400
    # all are in the bars: their areas are 1
    assert sum(bar.get_width() * bar.get_height() for bar in histogram.patches) == pytest.approx(1)


def test_usual_values_are_not_cut() -> None:
    for table in (backtests("load"), backtests("load", 2)):
        for kind in ("horizon", "cutoff", "residuals"):
            display = BacktestDisplay.from_predictions(table, kind=kind)
            assert not any(re.search("above|below|wild", words) for words in words_of(display.figure_))
    assert top_of([[NAN], []]) != top_of([[NAN], []])
    assert top_of([[0.0, 0.0], [1.0, 2.0]]) == 2.0


def test_lines_of_scores_that_lie_outside_are_named() -> None:
    ax = plot.trials(search("x", 1.0, 500.0))
    assert ax.get_ylim()[1] < 20
    assert "as given (500, above)" in words_of(ax.figure)


@pytest.mark.parametrize("name", EMPTY)
def test_empty_pictures_say_what_there_is_none_of(name: str) -> None:
    draw, words = EMPTY[name]
    figure = figure_of(draw())
    assert words in words_of(figure)
    figure.draw_without_rendering()


def test_an_empty_table_of_forecasts_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one forecast or more, got an empty table"):
        BacktestDisplay.from_predictions(WILD_TABLE[:0])
    assert pyplot.get_fignums() == []


def test_many_bands_are_all_drawn() -> None:
    interval = pd.DataFrame(
        {("load", i / 10, side): Y["load"][120:] + sign * i / 10 for i in range(1, 10) for side, sign in SIDES}
    )
    display = ForecastDisplay.from_predictions(Y[:120], Y[120:], interval=interval)
    assert len(display.bands_) == 9
    assert len({tuple(band.get_facecolor()[0]) for band in display.bands_}) == 9


@pytest.mark.parametrize("name", ["_x", "", "a $b_c$", r"$\\foo$", "$x_{$"])
def test_names_are_no_syntax_of_matplotlib(name: str) -> None:
    for draw in (explanation("step"), explanation("feature")):
        drawn = draw(name, None)
        drawn.figure.draw_without_rendering()
    methods = backtests("load", 2).rename(columns={"load_1": name})
    display = BacktestDisplay.from_predictions(methods, kind="horizon")
    display.figure_.draw_without_rendering()
    assert any(words.strip() == name for words in words_of(display.figure_) if name) or not name
    assert len(display.ax_.get_legend().get_texts()) == 2


def test_what_is_no_explanation_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected the result of LSTMForecaster\.explain, got DataFrame"):
        plot.explanation(WILD_TABLE)
