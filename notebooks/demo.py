"""Trains on two years of hourly transformer data, measures the error on test rows, and forecasts the next day.

The published protocol of the ETT data, univariate: of the first 14,400 hours of the oil temperature 8,640 train,
2,880 validate and 2,880 test; errors in units of the training hours' standard deviation. Writes forecast.csv and
forecast.png into the current folder.
"""

import time
from pathlib import Path

import pandas as pd

from lstmforecast import EarlyStopping, LSTMForecaster, backtest, plot

DATA = Path(__file__).parent / "data" / "ETTh1.csv"
HORIZON = 24
PROTOCOL_ROWS, TEST_ROWS = 14_400, 2_880


def main() -> None:
    start = time.perf_counter()
    y = pd.read_csv(DATA, index_col="date", parse_dates=True)["OT"]
    print(f"{DATA.name}: {len(y):,} hours of the oil temperature, {y.index[0]} to {y.index[-1]}")
    print(f"Training on 8,640 hours, validating on 2,880, testing on {TEST_ROWS:,}, {HORIZON} hours ahead ...")

    # A quarter of the 11,520 rows before the test part are the 2,880 that the protocol validates on.
    model = LSTMForecaster(
        horizon=HORIZON, early_stopping=EarlyStopping(validation_fraction=0.25), random_state=0, verbose=1
    )
    result = backtest(model, y[:PROTOCOL_ROWS], folds=TEST_ROWS, season_length=24, scaled=True)
    fitted = result.forecaster
    print(f"\n{result.scores[['MSE', 'MAE']].to_string(float_format='{:.4f}'.format)}")
    print(f"(best of {fitted.n_epochs_} epochs: {fitted.best_epoch_}; lower is better)\n")

    forecast = fitted.predict(context=y)
    forecast.to_csv("forecast.csv")
    interval = fitted.predict_interval([0.5, 0.8, 0.95], context=y)
    name = "oil temperature (°C)"
    ax = plot.forecast(y[-7 * HORIZON :].rename(name), forecast.rename(name), interval=interval)
    ax.set_title("Oil of a power transformer: the last seven days, and the forecast of the next 24 hours", loc="left")
    ax.figure.set_size_inches(9, 4)
    ax.figure.savefig("forecast.png", dpi=150)
    print(f"Wrote forecast.csv and forecast.png: {forecast.index[0]} to {forecast.index[-1]}.")
    print(f"{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    main()
