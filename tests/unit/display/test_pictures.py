"""What the displays look like, beside pictures that were looked at.

`python tests/unit/display/test_pictures.py` draws these anew; look at them before you commit them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text

from lstmforecast import (
    AnomalyDisplay,
    BacktestDisplay,
    DriftDisplay,
    ForecastDisplay,
    HistoryDisplay,
    IntervalDisplay,
)
from lstmforecast.display.style import Display

PICTURES = Path(__file__).parent / "pictures"
# Root mean square of the differences of pixels, of 255. The smallest thing that could go missing, a thin dashed line,
# makes 3.3 (the last test); versions of matplotlib differ in the edges of lines only, by less than 1.
TOLERANCE = 2.0

STEPS = np.arange(24)
WAVE = pd.Series(np.sin(np.arange(120) / 4), pd.date_range("2026-01-01", periods=120, freq="h"), name="load")


def forecast(**options) -> Display:
    columns = pd.MultiIndex.from_tuples([("load", c, side) for c in (0.5, 0.9) for side in ("lower", "upper")])
    widths = np.array([-0.1, 0.1, -0.25, 0.25]) * np.sqrt(1 + STEPS)[:, np.newaxis]
    future = WAVE[96:] * 0.8
    interval = pd.DataFrame(future.to_numpy()[:, np.newaxis] + widths, future.index, columns)
    return ForecastDisplay.from_predictions(
        WAVE[:96], future, **{"truth": WAVE[96:] + np.cos(STEPS) / 5, "interval": interval} | options
    )


def forecast_of_two() -> Display:
    both = pd.DataFrame({"load": WAVE, "heat": -2 * WAVE})
    return ForecastDisplay.from_predictions(both[:96], both[96:] / 2, truth=both[96:])


def history() -> Display:
    epochs = np.arange(1, 21)
    losses = {"train_loss": 1 / epochs, "val_loss": 1.2 / epochs + epochs**2 / 2000}
    rates = {"learning_rate": 3e-3 * np.cos(epochs / 15)}
    return HistoryDisplay(pd.DataFrame({"epoch": epochs} | losses | rates), best_epoch=8).plot()


def backtests() -> pd.DataFrame:
    rows = np.repeat(np.arange(60, 110), 5)
    steps = np.tile(np.arange(5), 50)
    truth = WAVE.to_numpy()[rows + steps] + np.sin(rows**2) / 3
    return pd.DataFrame(
        {
            "cutoff": WAVE.index[rows - 1],
            "time": WAVE.index[rows + steps],
            "truth": truth,
            "ours": WAVE.to_numpy()[rows + steps] * 0.9,
            "repeat-last": WAVE.to_numpy()[rows - 1],
        }
    )


def interval() -> Display:
    frame = backtests()
    frame["step"] = np.tile(np.arange(1, 6), 50)
    parts = [
        frame.assign(coverage=level, lower=frame["ours"] - half, upper=frame["ours"] + half)
        for level, half in ((0.5, 0.16), (0.9, 0.3))
    ]
    return IntervalDisplay.from_predictions(pd.concat(parts))


def anomaly() -> Display:
    score = 1 + np.abs(np.sin(np.arange(120)))
    score[60:66] += 3
    columns = {
        ("value", "load"): WAVE,
        ("forecast", "load"): WAVE * 0.9,
        ("score", ""): score,
        ("threshold", ""): 2.5,
        ("anomaly", ""): score > 2.5,
    }
    events = pd.DataFrame({"start": [WAVE.index[60]], "end": [WAVE.index[65]]})
    return AnomalyDisplay.from_predictions(pd.DataFrame(columns, WAVE.index), events)


def drift() -> Display:
    rows = pd.Index(np.arange(100), name="row")
    names = pd.MultiIndex.from_tuples([("x", "KS"), ("y", "KS"), ("x", "PSI")], names=["feature", "test"])
    values = np.stack([rows / 50, np.full(100, 0.4), np.sin(rows / 20) ** 2], axis=1)
    return DriftDisplay.from_predictions(pd.DataFrame(values, rows, names))


DRAWN: dict[str, Callable[[], Display]] = {
    "forecast": forecast,
    "forecast_of_two": forecast_of_two,
    "history": history,
    "backtest_forecasts": lambda: BacktestDisplay.from_predictions(backtests()),
    "backtest_horizon": lambda: BacktestDisplay.from_predictions(backtests(), kind="horizon"),
    "backtest_cutoff": lambda: BacktestDisplay.from_predictions(backtests(), kind="cutoff"),
    "backtest_residuals": lambda: BacktestDisplay.from_predictions(backtests(), kind="residuals"),
    "interval": interval,
    "anomaly": anomaly,
    "drift": drift,
}


def save(draw: Callable[[], Display], path: Path) -> None:
    """Draw without words, ticks and grid, and without a layout that makes room for them: fonts differ."""
    with mpl.style.context("default"):
        figure = draw().figure_
        figure.set_layout_engine(None)
        figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.98, hspace=0.1, wspace=0.1)
        for ax in figure.axes:
            ax.grid(visible=False, which="both")
            ax.tick_params(which="both", length=0)
            if ax.get_legend() is not None:
                ax.get_legend().remove()
        for text in figure.findobj(Text):
            text.set_visible(False)
        # metadata would name the version of matplotlib
        figure.savefig(path, dpi=50, metadata={"Software": None})
        pyplot.close(figure)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.mark.parametrize("name", DRAWN)
def test_it_looks_like_the_reference(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.png"
    save(DRAWN[name], path)
    assert compare_images(str(PICTURES / path.name), str(path), tol=TOLERANCE) is None


def test_a_missing_element_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "forecast.png"
    save(lambda: forecast(truth=None), path)
    assert "RMS" in compare_images(str(PICTURES / path.name), str(path), tol=TOLERANCE)


if __name__ == "__main__":
    for each, draw in DRAWN.items():
        save(draw, PICTURES / f"{each}.png")
