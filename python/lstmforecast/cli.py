"""The command ``lstmforecast``: from a CSV file to a forecast, or to a score, in one line.

Exit codes: 0 done; 1 something is wrong with the data, the model or a file (one line on standard error says what);
2 wrong usage; 130 interrupted with Ctrl-C. Heavy libraries are imported by the functions that need them, so that
``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmforecast.command import serve as serve_command
from lstmforecast.command.options import OF_TRAINING, add_data, add_model, count, in_options, probability, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lstmforecast.estimators.forecaster import LSTMForecaster

__all__ = ["main"]

DESCRIPTION = "Forecast time series with LSTM networks, from CSV to CSV."

OVERVIEW = """\
Start with a score (the last fifth of the rows is held back, and two naive forecasts stand beside it):

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
        print(f"lstmforecast: error: {_sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _sentence(error: BaseException) -> str:
    """What is wrong, on one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"can't open {error.filename}: {error.strerror}"
    return in_options(" ".join(str(error).split())) or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    style: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = argparse.ArgumentParser("lstmforecast", description=DESCRIPTION, epilog=OVERVIEW, **style)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    forecast = commands.add_parser(
        "forecast", help="train on a CSV file and forecast the rows after its last", epilog=FORECAST_EXAMPLES, **style
    )
    add_data(forecast)
    files = forecast.add_argument_group("results")
    files.add_argument("--output", metavar="CSV", help="write the forecast here instead of standard output")
    files.add_argument(
        "--coverage",
        type=probability,
        metavar="P",
        help='add columns "... lower" and "... upper", between which the truth lies with this probability, such as 0.9',
    )
    files.add_argument("--plot", metavar="PNG", help="draw the end of the data and the forecast (needs matplotlib)")
    files.add_argument("--save", metavar="FILE", help="keep the trained model, one safetensors file")
    files.add_argument("--load", metavar="FILE", help="use a model kept with --save instead of training one")
    add_model(forecast)
    forecast.set_defaults(run=_forecast, refuse=forecast.error)

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
    add_data(backtest)
    split = backtest.add_argument_group("evaluation")
    split.add_argument(
        "--test-size",
        type=size,
        default=0.2,
        metavar="N",
        help="rows held back, a number or a fraction (default 0.2)",
    )
    split.add_argument("--stride", type=count, default=1, help="rows between two forecasts (default 1)")
    split.add_argument("--season-length", type=count, metavar="N", help="rows in a season (default: from the times)")
    split.add_argument("--output", metavar="CSV", help="write every forecast beside the truth")
    split.add_argument("--plot", metavar="PNG", help="draw forecasts over the truth (needs matplotlib)")
    add_model(backtest)
    backtest.set_defaults(run=_backtest, refuse=backtest.error)
    serve_command.add_parser(commands, style)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from lstmforecast import __version__

        print(f"lstmforecast {__version__}")
        parser.exit(0)


def _forecast(args: argparse.Namespace) -> None:
    _check_writable(args.data, args.output, args.plot, args.save)
    _check_plots(args.plot)
    if args.load:
        _check_loading(args)
        y = _read(args)
        model = _loaded(args)
        _check_times(model, y, args.time)
    else:
        y = _read(args)
        model = _model(args).fit(y)
    forecast = model.predict(args.horizon, context=y)
    if args.save:
        model.save(args.save)
    interval = model.predict_interval(args.coverage, args.horizon, context=y) if args.coverage else None
    _write_table(_beside(forecast, interval), args.output or sys.stdout, index_label=args.time or "row")
    if args.plot:
        from lstmforecast import plot

        _save_picture(plot.forecast(y.iloc[-max(5 * args.horizon, 48) :], forecast, interval=interval), args.plot)


def _check_loading(args: argparse.Namespace) -> None:
    given = [name for name in OF_TRAINING if getattr(args, name) is not None] + ["verbose"] * args.verbose
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        args.refuse(f"not allowed with --load, whose model is trained: {named}")


def _loaded(args: argparse.Namespace) -> LSTMForecaster:
    """A model kept with --save, and what the options say about the data and the processor."""
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
    """Refuse times with an offset from UTC for a model without a time zone, the reverse, and none at all."""
    import pandas as pd

    known = model.fitted_.seen.observations.index
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


def _export(args: argparse.Namespace) -> None:
    from lstmforecast.export.saving import load

    _check_writable(args.model, args.output)
    model = load(args.model)
    if not hasattr(model, "to_onnx"):
        raise TypeError(f"expected a forecaster, regressor or classifier to export, got a {type(model).__name__}")
    model.to_onnx(args.output, dtype=args.dtype)


def _beside(forecast: pd.DataFrame, interval: pd.DataFrame | None) -> pd.DataFrame:
    """Each column of the forecast with its bounds after it."""
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


def _backtest(args: argparse.Namespace) -> None:
    from lstmforecast.evaluation.backtesting import backtest

    _check_writable(args.data, args.output, args.plot)
    _check_plots(args.plot)
    options = {"test_size": args.test_size, "stride": args.stride, "season_length": args.season_length}
    result = backtest(_model(args), _read(args), **options)
    print(result)
    if args.output:
        _write_table(result.forecasts, args.output, index=False)
    if args.plot:
        from lstmforecast import plot

        _save_picture(plot.backtest(result), args.plot)


def _model(args: argparse.Namespace) -> LSTMForecaster:
    from lstmforecast.estimators.forecaster import LSTMForecaster

    names = ["window_size", "hidden_size", "num_layers", "n_estimators", "batch_size", "max_epochs", "patience"]
    names += ["learning_rate", "n_threads", "loss", "freq", "missing"]
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    if args.patience == "none":
        given["patience"] = None
    verbose = int(args.verbose or (not args.quiet and sys.stderr.isatty()))
    return LSTMForecaster(args.horizon, **given, random_state=args.seed or 0, verbose=verbose)


def _read(args: argparse.Namespace) -> pd.DataFrame:
    from lstmforecast.data.csvfile import read_series

    if args.time_format is not None and args.time is None:
        args.refuse("expected --time with --time-format, got rows that are numbered")
    # bytes where there are, so that input that is no text is reported as a file that is none
    source = getattr(sys.stdin, "buffer", sys.stdin) if args.data == "-" else args.data
    return read_series(source, args.time, args.target, separator=args.separator, time_format=args.time_format)


def _check_writable(data: str, *paths: str | None) -> None:
    """Refuse before training what would fail after it, or take the place of the data."""
    for path in filter(None, paths):
        if Path(path).is_file() and Path(data).is_file() and Path(path).samefile(data):
            raise ValueError(f"expected another file to write than that of the data, got {path} for both")
        folder = Path(path).resolve().parent
        if not folder.is_dir():
            raise OSError(f"can't write {path}: there is no folder {folder}")
        if Path(path).is_dir() or not os.access(path if Path(path).exists() else folder, os.W_OK):
            raise OSError(f"can't write {path}: permission denied, or it is a folder")


def _check_plots(path: str | None) -> None:
    if path:
        from lstmforecast.display.style import check_matplotlib

        check_matplotlib()


def _write_table(table: pd.DataFrame, target: Any, **options: Any) -> None:
    """As CSV to standard output, or to a file whole or not at all."""
    if target is sys.stdout:
        table.to_csv(target, **options)
        return
    from lstmforecast._core import replace_file

    replace_file(target, table.to_csv(**options).encode())


def _save_picture(ax: Any, path: str) -> None:
    from lstmforecast._core import replace_file

    picture = io.BytesIO()
    ax.figure.savefig(picture, dpi=150, format=Path(path).suffix[1:] or "png")
    replace_file(path, picture.getvalue())
