"""The command ``lstmforecast``: from a CSV file to a forecast, or to an honest score, in one line.

Exit codes: 0 done; 1 something is wrong with the data, the model or a file (one line on standard error says what);
2 wrong usage; 130 interrupted with Ctrl-C. Heavy libraries are imported by the functions that need them, so that
``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmforecast import serve_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lstmforecast.forecaster import LSTMForecaster

__all__ = ["main"]

DESCRIPTION = "Forecast time series with LSTM networks, from CSV to CSV."

OVERVIEW = """\
Start with an honest score (the last fifth of the rows is held back, and two naive forecasts stand beside it):

  lstmforecast backtest data.csv --time date --target OT --horizon 24

Then forecast what comes after the last row:

  lstmforecast forecast data.csv --time date --target OT --horizon 24 --output forecast.csv --plot forecast.png

Or keep the model (--save) and answer requests for forecasts over HTTP:

  lstmforecast serve model.safetensors

`lstmforecast COMMAND --help` lists the options of a command.
"""

FORECAST_EXAMPLES = """\
examples:
  the next 24 rows of one column, as CSV on standard output
    lstmforecast forecast data.csv --time date --target OT --horizon 24

  two columns at once, to a file, with a picture
    lstmforecast forecast data.csv --time date --target OT --target HUFL --horizon 24 \\
      --output forecast.csv --plot forecast.png

  train once and keep the model; later forecast from newer rows without training
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --save model.safetensors
    lstmforecast forecast newer.csv --time date --target OT --horizon 24 --load model.safetensors

  how sure that is: bounds that hold the truth nine times of ten
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --coverage 0.9 --plot forecast.png

  rows are missing from the file: fill the gaps
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --missing interpolate

The network sees the last WINDOW_SIZE rows. The last fifth of the data is held out to judge each epoch, and the best
weights are kept. The same command on the same data gives the same numbers (--seed).
"""

BACKTEST_EXAMPLES = """\
examples:
  hold back the last fifth, forecast 24 rows ahead from every row of it
    lstmforecast backtest data.csv --time date --target OT --horizon 24

  hold back the last 500 rows, one forecast a day from hourly data, the season given
    lstmforecast backtest data.csv --time date --target OT --horizon 24 --test-size 500 --stride 24 --season-length 24

Reading the table: an error below those of repeat-last (the last value goes on) and seasonal-naive (the last season
comes again) means that the network learned something; above them, use the naive forecast. MASE is the MAE in units of
what the seasonal-naive forecast costs on the training rows: it can be compared from series to series.
"""


EXPORT_EXAMPLES = """\
example:
  lstmforecast forecast data.csv --time date --target OT --horizon 24 --save model.safetensors
  lstmforecast export model.safetensors model.onnx

The file takes windows and gives forecasts in the units of the data, under any runtime for ONNX; its metadata name the
columns. The pip extra "onnx" is needed to write it.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of the process if not given.

    Returns
    -------
    int
        The exit code: 0, 1 or 130. Wrong usage raises SystemExit(2), as argparse does.
    """
    args = _parser().parse_args(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("lstmforecast: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; without this the interpreter complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TypeError, KeyError, OSError, RuntimeError, ArithmeticError, ImportError, MemoryError) as error:
        print(f"lstmforecast: error: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    style: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = argparse.ArgumentParser("lstmforecast", description=DESCRIPTION, epilog=OVERVIEW, **style)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    forecast = commands.add_parser(
        "forecast", help="train on a CSV file and forecast the rows after its last", epilog=FORECAST_EXAMPLES, **style
    )
    _add_data(forecast)
    files = forecast.add_argument_group("results")
    files.add_argument("--output", metavar="CSV", help="write the forecast here instead of standard output")
    files.add_argument(
        "--coverage",
        type=_probability,
        metavar="P",
        help='add columns "... lower" and "... upper", between which the truth lies with this probability, such as 0.9',
    )
    files.add_argument("--plot", metavar="PNG", help="draw the end of the data and the forecast (needs matplotlib)")
    files.add_argument("--save", metavar="FILE", help="keep the trained model, one safetensors file")
    files.add_argument("--load", metavar="FILE", help="use a model kept with --save instead of training one")
    _add_model(forecast)
    forecast.set_defaults(run=_forecast)

    export = commands.add_parser(
        "export", help="write a model kept with --save as an ONNX file", epilog=EXPORT_EXAMPLES, **style
    )
    export.add_argument("model", metavar="model.safetensors", help="a file of forecast --save, or of an estimator")
    export.add_argument("output", metavar="model.onnx", help="where to write")
    export.add_argument(
        "--dtype", choices=["float64", "float32"], default="float64", help="of the numbers that go in and come out"
    )
    export.set_defaults(run=_export)

    backtest = commands.add_parser(
        "backtest", help="score the model on rows that it hasn't seen", epilog=BACKTEST_EXAMPLES, **style
    )
    _add_data(backtest)
    split = backtest.add_argument_group("evaluation")
    split.add_argument(
        "--test-size",
        type=_size,
        default=0.2,
        metavar="N",
        help="rows held back, a number or a fraction (default 0.2)",
    )
    split.add_argument("--stride", type=_count, default=1, help="rows between two forecasts (default 1)")
    split.add_argument("--season-length", type=_count, metavar="N", help="rows in a season (default: from the times)")
    split.add_argument("--output", metavar="CSV", help="write every forecast beside the truth")
    split.add_argument("--plot", metavar="PNG", help="draw forecasts over the truth (needs matplotlib)")
    _add_model(backtest)
    backtest.set_defaults(run=_backtest)
    serve_command.add_parser(commands, style)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="data.csv", help='a CSV file with a header, "-" for standard input')
    group = parser.add_argument_group("data")
    group.add_argument("--time", metavar="COLUMN", help="the column of times (default: rows are numbered)")
    group.add_argument("--time-format", metavar="FORMAT", help="how times are written, such as %%d.%%m.%%Y")
    group.add_argument(
        "--target", action="append", metavar="COLUMN", help="a column to forecast; may be given again (default: all)"
    )
    group.add_argument("--horizon", type=_count, required=True, metavar="N", help="how many rows ahead")
    group.add_argument("--freq", help='the step from row to row, such as "h" or "MS" (default: found in the times)')
    group.add_argument(
        "--missing",
        choices=["error", "mask", "ffill", "interpolate"],
        help="what becomes of missing times and values (default: an error)",
    )
    group.add_argument("--separator", default=",", metavar="CHAR", help='between columns (default ",")')


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model (defaults: those of lstmforecast.LSTMForecaster)")
    for name, kind, text in (
        ("window-size", _count, "rows that the network sees before it forecasts"),
        ("hidden-size", _count, "units of each LSTM layer"),
        ("num-layers", _count, "LSTM layers"),
        ("batch-size", _count, "windows in each optimiser step"),
        ("n-estimators", _count, "networks whose forecasts are averaged"),
        ("max-epochs", _count, "epochs, each of twenty optimiser steps, at the most"),
        ("patience", _count, "epochs without improvement before training stops"),
        ("learning-rate", float, "step size of the optimiser"),
        ("n-threads", _count, "processor threads"),
    ):
        group.add_argument(f"--{name}", type=kind, metavar="N", help=text)
    group.add_argument(
        "--loss", choices=["mse", "mae", "huber", "quantile", "normal", "student_t"], help="what training minimises"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of all randomness (default 0)")
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("--quiet", action="store_true", help="no progress bar (as when standard error is no terminal)")
    talk.add_argument("--verbose", action="store_true", help="a progress bar in any case")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return number


def _size(text: str) -> int | float:
    number = float(text)
    if 0 < number < 1:
        return number
    if number >= 1 and number.is_integer():
        return int(number)
    raise argparse.ArgumentTypeError(f"expected a number of rows or a fraction below 1, got {text}")


def _probability(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"expected a probability between 0 and 1, got {text}")
    return number


# argparse names a type by its function in "invalid ... value".
_count.__name__ = "whole number"
_size.__name__ = "size"
_probability.__name__ = "probability"


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from lstmforecast import __version__

        print(f"lstmforecast {__version__}")
        parser.exit(0)


def _forecast(args: argparse.Namespace) -> None:
    _check_writable(args.output, args.plot, args.save)
    _check_plots(args.plot)
    y = _read(args)
    if args.load:
        from lstmforecast.forecaster import LSTMForecaster

        model = LSTMForecaster.load(args.load)
        _check_times(model, y, args.time)
    else:
        model = _model(args).fit(y)
    forecast = model.predict(args.horizon, context=y)
    if args.save:
        model.save(args.save)
    interval = model.predict_interval(args.coverage, args.horizon, context=y) if args.coverage else None
    _beside(forecast, interval).to_csv(args.output or sys.stdout, index_label=args.time or "row")
    if args.plot:
        from lstmforecast import plot

        _save_picture(plot.forecast(y.iloc[-max(5 * args.horizon, 48) :], forecast, interval=interval), args.plot)


def _check_times(model: LSTMForecaster, y: pd.DataFrame, time: str | None) -> None:
    """Refuse times with an offset from UTC for a model without a time zone, the reverse, and none at all."""
    import pandas as pd

    known = model._seen.observations.index
    if not isinstance(known, pd.DatetimeIndex):
        return
    if time is None or not isinstance(y.index, pd.DatetimeIndex):
        raise ValueError("expected --time COLUMN, as the model knows times, got none: rows are numbered")
    if (known.tz is None) == (y.index.tz is None):
        return
    got = f"got {y.index[0].isoformat()}"
    if known.tz is None:
        raise ValueError(f"expected times without an offset from UTC in column {time!r}, as the model's, {got}")
    raise ValueError(
        f"expected times with their offset from UTC, such as 2026-01-31T12:00:00+01:00, in column {time!r}, as the "
        f"model's times are in {known.tz}, {got}"
    )


def _export(args: argparse.Namespace) -> None:
    from lstmforecast.persistence import load

    _check_writable(args.output)
    model = load(args.model)
    if not hasattr(model, "to_onnx"):
        raise TypeError(f"expected a forecaster, regressor or classifier to export, got a {type(model).__name__}")
    model.to_onnx(args.output, dtype=args.dtype)


def _beside(forecast: pd.DataFrame, interval: pd.DataFrame | None) -> pd.DataFrame:
    """Each column of the forecast with its bounds after it."""
    if interval is None:
        return forecast
    import pandas as pd

    from lstmforecast.calibration import SIDES

    table: dict[Any, pd.Series] = {}
    for i, variable in enumerate(forecast):
        table[variable] = forecast[variable]
        for place, side in enumerate(SIDES):
            table[f"{variable} {side}"] = interval.iloc[:, 2 * i + place]
    return pd.DataFrame(table)


def _backtest(args: argparse.Namespace) -> None:
    from lstmforecast.backtesting import backtest

    _check_writable(args.output, args.plot)
    _check_plots(args.plot)
    options = {"test_size": args.test_size, "stride": args.stride, "season_length": args.season_length}
    result = backtest(_model(args), _read(args), **options)
    print(result)
    if args.output:
        result.forecasts.to_csv(args.output, index=False)
    if args.plot:
        from lstmforecast import plot

        _save_picture(plot.backtest(result), args.plot)


def _model(args: argparse.Namespace) -> LSTMForecaster:
    from lstmforecast.forecaster import LSTMForecaster

    names = ["window_size", "hidden_size", "num_layers", "n_estimators", "batch_size", "max_epochs", "patience"]
    names += ["learning_rate", "n_threads", "loss", "freq", "missing"]
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    verbose = int(args.verbose or (not args.quiet and sys.stderr.isatty()))
    return LSTMForecaster(args.horizon, **given, random_state=args.seed, verbose=verbose)


def _read(args: argparse.Namespace) -> pd.DataFrame:
    from lstmforecast.csvfile import read_series

    source = sys.stdin if args.data == "-" else args.data
    return read_series(source, args.time, args.target, separator=args.separator, time_format=args.time_format)


def _check_writable(*paths: str | None) -> None:
    """Refuse before training what would fail after it."""
    for path in filter(None, paths):
        folder = Path(path).resolve().parent
        if not folder.is_dir():
            raise OSError(f"can't write {path}: there is no folder {folder}")
        if Path(path).is_dir() or not os.access(path if Path(path).exists() else folder, os.W_OK):
            raise OSError(f"can't write {path}: permission denied, or it is a folder")


def _check_plots(path: str | None) -> None:
    if path:
        from lstmforecast.display.style import check_matplotlib

        check_matplotlib()


def _save_picture(ax: Any, path: str) -> None:
    ax.figure.savefig(path, dpi=150)
