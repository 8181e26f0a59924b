"""``lstmforecast forecast``: train on a table file, or load a model, and forecast the rows after the last."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from lstmforecast.command.files import check_matplotlib_for, check_writable, save_picture, write_table
from lstmforecast.command.options import add_coverage, add_data, add_model
from lstmforecast.command.trained import Rows, add_trained, trained

if TYPE_CHECKING:
    import pandas as pd

    from lstmforecast.estimators.forecaster import LSTMForecaster

FORECAST_EXAMPLES = """\
examples:
  the next 24 rows of one column, as CSV on standard output
    lstmforecast forecast data.csv --time date --target OT --horizon 24

  two columns at once, to a file, with a picture
    lstmforecast forecast data.csv --time date --target OT --target HUFL --horizon 24 \\
      --output forecast.csv --plot forecast.png

  train once and save the model; later forecast from newer rows without training
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --save model.safetensors
    lstmforecast forecast newer.csv --time date --target OT --horizon 24 --load model.safetensors

  a prediction interval: the truth lies between its bounds with a probability of 0.9
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --coverage 0.9 --plot forecast.png

  several series in one file, with a covariate known in advance, whose values ahead are in another file
    lstmforecast forecast shops.csv --time day --series shop --target sales --known promo --horizon 7 --future plan.csv

  decimal commas and dates that are uncertain: say how the file is written
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --decimal , --day-first

  rows are missing from the file: fill the gaps
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --missing interpolate

The network reads the last WINDOW_SIZE rows. The last fifth of the data is held out to validate each epoch, and the
weights of the best epoch are kept. The same command on the same data gives the same numbers (--seed).
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser(
        "forecast", help="train on a table file and forecast the rows after the last", epilog=FORECAST_EXAMPLES, **style
    )
    add_data(parser)
    files = parser.add_argument_group("results")
    files.add_argument("--output", metavar="CSV", help="write the forecast to this file instead of standard output")
    add_coverage(
        files, "add a prediction interval, columns lo-90 and hi-90 for 0.9, that contains the truth with probability P"
    )
    files.add_argument("--plot", metavar="PNG", help="draw the last rows and the forecast (needs matplotlib)")
    add_trained(files)
    add_model(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    """Forecast, and write what the arguments ask for; errors are those of the package."""
    check_writable(args.data, args.output, args.plot, args.save)
    check_matplotlib_for(args.plot)
    model, rows = trained(args)
    forecast = model.predict(args.horizon, context=rows.context, known=rows.known)
    if args.save:
        model.save(args.save)
    interval = None
    if args.coverage:
        interval = model.predict_interval(args.coverage, args.horizon, context=rows.context, known=rows.known)
    output = args.output or sys.stdout
    if model.fitted_.dataset.columns is not None:
        if interval is not None:
            for name in interval.columns.difference(forecast.columns, sort=False):
                forecast[name] = interval[name]
        write_table(forecast, output, index=False)
    else:
        write_table(_beside(forecast, interval, args.coverage), output, index_label=args.time or "row")
    if args.plot:
        save_picture(_picture(args, model, rows, forecast, interval), args.plot)


def _picture(args: argparse.Namespace, model: LSTMForecaster, rows: Rows, forecast: Any, interval: Any) -> Any:
    from lstmforecast.display.forecast import ForecastDisplay

    if model.fitted_.dataset.columns is None:
        shown = rows.table.iloc[-max(5 * args.horizon, 48) :]
        return ForecastDisplay.from_predictions(shown, forecast, interval=interval).ax_
    given = {"context": rows.context, "X": rows.known, "horizon": args.horizon, "coverage": args.coverage or None}
    return ForecastDisplay.from_estimator(model, **given).axes_[0]


def _beside(forecast: pd.DataFrame, interval: pd.DataFrame | None, coverage: float | None) -> pd.DataFrame:
    """Each column of the forecast, followed by the bounds of its interval, which are called ``load-lo-80``."""
    if interval is None or coverage is None:
        return forecast
    import pandas as pd

    table: dict[Any, pd.Series] = {variable: forecast[variable] for variable in forecast}
    made: dict[Any, pd.Series] = {}
    for i, variable in enumerate(forecast):
        made[variable] = table[variable]
        for place, side in enumerate(("lo", "hi")):
            name = f"{variable}-{side}-{100 * coverage:g}"
            if name in table:
                raise ValueError(f"expected columns whose names differ from those of results, got {name!r}; rename it")
            made[name] = interval.iloc[:, 2 * i + place]
    return pd.DataFrame(made)
