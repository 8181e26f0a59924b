"""``lstmforecast forecast``: train on a CSV file, or load a model, and forecast the rows after the last."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from lstmforecast.command.files import (
    check_matplotlib_for,
    check_writable,
    listed,
    named_columns,
    read_data,
    read_named,
    save_picture,
    write_table,
)
from lstmforecast.command.options import OF_TRAINING, add_data, add_model, new_model, probability

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

  rows are missing from the file: fill the gaps
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --missing interpolate

The network reads the last WINDOW_SIZE rows. The last fifth of the data is held out to validate each epoch, and the
weights of the best epoch are kept. The same command on the same data gives the same numbers (--seed).
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser(
        "forecast", help="train on a CSV file and forecast the rows after the last", epilog=FORECAST_EXAMPLES, **style
    )
    add_data(parser)
    files = parser.add_argument_group("results")
    files.add_argument("--output", metavar="CSV", help="write the forecast to this file instead of standard output")
    files.add_argument(
        "--coverage",
        type=probability,
        metavar="P",
        help='add a prediction interval, columns "... lower" and "... upper" that contain the truth with probability P',
    )
    files.add_argument("--plot", metavar="PNG", help="draw the last rows and the forecast (needs matplotlib)")
    files.add_argument("--future", metavar="CSV", help="the file of the rows ahead, with the columns of --known")
    files.add_argument("--save", metavar="FILE", help="save the trained model, as one safetensors file")
    files.add_argument("--load", metavar="FILE", help="use a model that --save wrote, without training")
    add_model(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    """Forecast, and write what the arguments ask for; errors are those of the package."""
    check_writable(args.data, args.output, args.plot, args.save)
    check_matplotlib_for(args.plot)
    names, model = named_columns(args), None
    if args.load:
        _check_loading(args)
        model = _loaded(args)
    if names is not None or (model is not None and model.fitted_.dataset.columns is not None):
        _forecast_named(args, names, model)
        return
    if args.future is not None:
        args.refuse("expected --known with --future, got --future without")
    if model is not None:
        y = read_data(args)
        _check_times(model, y, args.time)
    else:
        y = read_data(args)
        model = new_model(args).fit(y)
    forecast = model.predict(args.horizon, context=y)
    if args.save:
        model.save(args.save)
    interval = model.predict_interval(args.coverage, args.horizon, context=y) if args.coverage else None
    write_table(_beside(forecast, interval), args.output or sys.stdout, index_label=args.time or "row")
    if args.plot:
        from lstmforecast.display.forecast import ForecastDisplay

        shown = y.iloc[-max(5 * args.horizon, 48) :]
        save_picture(ForecastDisplay.from_predictions(shown, forecast, interval=interval).ax_, args.plot)


def _forecast_named(args: argparse.Namespace, names: dict[str, Any] | None, model: LSTMForecaster | None) -> None:
    """Forecast a table with named columns: a flat table, series after series."""
    from lstmforecast.display.forecast import ForecastDisplay

    context = None
    if model is not None:
        names = _names_of(args, names, model)
        context = read_named(args, args.data, listed(names), names["time"])
    assert names is not None
    known = None
    if names["known"]:
        if args.future is None:
            args.refuse("expected --future CSV with the columns of --known for the rows ahead, got none")
        ahead = [name for name in listed(names) if name not in {*names["target"], *names["past"], *names["static"]}]
        known = read_named(args, args.future, ahead, names["time"])
    elif args.future is not None:
        args.refuse("expected --known with --future, got --future without")
    if model is None:
        model = new_model(args).fit(read_named(args, args.data, listed(names), names["time"]), **names)
    forecast = model.predict(args.horizon, known=known, context=context)
    if args.save:
        model.save(args.save)
    if args.coverage:
        interval = model.predict_interval(args.coverage, args.horizon, known=known, context=context)
        for name in interval.columns.difference(forecast.columns, sort=False):
            forecast[name] = interval[name]
    write_table(forecast, args.output or sys.stdout, index=False)
    if args.plot:
        given = {"context": context, "X": known, "horizon": args.horizon, "coverage": args.coverage or None}
        save_picture(ForecastDisplay.from_estimator(model, **given).axes_[0], args.plot)


def _names_of(args: argparse.Namespace, names: dict[str, Any] | None, model: LSTMForecaster) -> dict[str, Any]:
    """The columns of a saved model; a ValueError if the arguments name others."""
    columns = model.fitted_.dataset.columns
    if columns is None:
        raise ValueError(f"expected only --time and --target, as {args.load} was trained without names, got others")
    known: dict[str, Any] = {name: list(getattr(columns, name)) for name in ("target", "known", "past", "static")}
    known |= {"series": columns.series, "time": columns.time}
    given = names or {"target": args.target, "time": args.time}
    for name, value in given.items():
        if value and value != known[name]:
            raise ValueError(f"expected --{name} {known[name]}, as {args.load} was trained, got {value}")
    return known


def _check_loading(args: argparse.Namespace) -> None:
    given = [name for name in OF_TRAINING if getattr(args, name) is not None] + ["verbose"] * args.verbose
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        args.refuse(f"not allowed with --load, which uses a trained model: {named}")


def _loaded(args: argparse.Namespace) -> LSTMForecaster:
    """The model of --load, with the options that say how data are read and how many threads compute."""
    from lstmforecast.data.index import parse_frequency
    from lstmforecast.estimators.forecaster import LSTMForecaster

    model: LSTMForecaster = LSTMForecaster.load(args.load)
    if args.freq is not None:
        known = model.freq_
        if not isinstance(known, str) or parse_frequency(args.freq) != parse_frequency(known):
            of_model = f"--freq {known}" if isinstance(known, str) else "no --freq"
            raise ValueError(f"expected {of_model}, as {args.load} was trained, got --freq {args.freq}")
    if args.missing == "mask" and not model.model_.config["indicator"]:
        raise ValueError(
            f"expected --missing ffill or --missing interpolate, as {args.load} was trained without --missing mask, "
            "got --missing mask"
        )
    given = {name: value for name in ("missing", "n_threads") if (value := getattr(args, name)) is not None}
    model.set_params(**given)
    return model


def _check_times(model: LSTMForecaster, y: pd.DataFrame, time: str | None) -> None:
    """Raise a ValueError if only one of model and data has times, or a time zone."""
    import pandas as pd

    known = model.fitted_.dataset.observations.index
    if not isinstance(known, pd.DatetimeIndex):
        return
    if time is None or not isinstance(y.index, pd.DatetimeIndex):
        raise ValueError("expected --time COLUMN, as the model was trained on times, got none: rows are numbered")
    if (known.tz is None) == (y.index.tz is None):
        return
    got = f"got {y.index[0].isoformat()}"
    if known.tz is None:
        raise ValueError(
            f"expected times without an offset from UTC in column {time!r}, as the model has no time zone, {got}"
        )
    raise ValueError(
        f"expected times with their offset from UTC, such as 2026-01-31T12:00:00+01:00, in column {time!r}, as the "
        f"model's times are in {known.tz}, {got}"
    )


def _beside(forecast: pd.DataFrame, interval: pd.DataFrame | None) -> pd.DataFrame:
    """Each column of the forecast, followed by the bounds of its interval."""
    if interval is None:
        return forecast
    import pandas as pd

    from lstmforecast.uncertainty.calibration import SIDES

    table: dict[Any, pd.Series] = {}
    for i, variable in enumerate(forecast):
        table[variable] = forecast[variable]
        for place, side in enumerate(SIDES):
            table[f"{variable} {side}"] = interval.iloc[:, 2 * i + place]
    return pd.DataFrame(table)
