"""Forecasts every series of a CSV file with a saved model, as a batch job without a server.

    python notebooks/batch_scoring.py model.safetensors readings.csv forecasts.csv

The file has the columns `series`, `time` and `value`, the rows of a series in time order. The model was fitted to one
series of the same frequency. The output has the columns `series`, `time`, `forecast`, `lower` and `upper`, an interval
of 90 %. A series that can't be forecast is named on standard error; the others are forecast.
"""

import sys

import pandas as pd

from lstmforecast import load

COVERAGE = 0.9


def forecast_series(model, name, rows: pd.DataFrame) -> pd.DataFrame:
    """The steps after the last of these rows."""
    context = pd.Series(rows["value"].to_numpy(), pd.DatetimeIndex(rows["time"]))
    forecast = model.predict(context=context)
    interval = model.predict_interval(COVERAGE, context=context).to_numpy()
    columns = {"series": name, "time": forecast.index, "forecast": forecast.to_numpy()}
    return pd.DataFrame(columns | {"lower": interval[:, 0], "upper": interval[:, 1]})


def main(model_path: str, data: str, output: str) -> int:
    """The number of series that couldn't be forecast."""
    model, parts, failed = load(model_path), [], 0
    for name, rows in pd.read_csv(data, parse_dates=["time"]).groupby("series", sort=False):
        try:
            parts.append(forecast_series(model, name, rows))
        except ValueError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed += 1
    if parts:
        pd.concat(parts).to_csv(output, index=False)
    return failed


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} MODEL READINGS.csv FORECASTS.csv")
    sys.exit(min(main(*sys.argv[1:]), 1))
