"""Draws the picture of README.md: `python docs/draw_forecast.py` writes docs/forecast.png.

Passengers of New York's taxis, two days ahead, beside what came true.
"""

from pathlib import Path

import matplotlib as mpl
import pandas as pd

from lstmforecast import LSTMForecaster, plot

ROOT = Path(__file__).parents[1]
ORIGIN, HORIZON, SHOWN = pd.Timestamp("2014-10-07"), 96, 4 * 48


def main() -> None:
    data = pd.read_csv(ROOT / "notebooks/data/nyc_taxi.csv", index_col="timestamp", parse_dates=True).asfreq("30min")
    y = data["value"].rename("passengers per half hour")
    known, later = y[y.index < ORIGIN], y[y.index >= ORIGIN][:HORIZON]

    model = LSTMForecaster(horizon=HORIZON, transform="log", random_state=0).fit(known)
    forecast, interval = model.predict(), model.predict_interval(coverage=[0.5, 0.9])

    mpl.use("agg")
    ax = plot.forecast(known[-SHOWN:], forecast, later, interval=interval)
    ax.set_title("Taxi passengers in New York: the forecast of two days, and what came true", loc="left")
    ax.figure.set_size_inches(9, 4)
    ax.figure.savefig(ROOT / "docs/forecast.png", dpi=110)


if __name__ == "__main__":
    main()
