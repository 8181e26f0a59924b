"""Options that commands share: of the data, of their files, of the model."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmforecast.data.table_files import TableFormat
    from lstmforecast.estimators.forecaster import LSTMForecaster

# Options of training alone: --load refuses them.
OF_TRAINING = (
    *("window_size", "hidden_size", "num_layers", "batch_size", "n_estimators", "max_epochs", "patience"),
    *("learning_rate", "loss", "seed", "transform", "non_negative", "calendar", "holidays", "yearly"),
    *("unknown", "weights"),
)

# Here, as reading them from the package would slow --help.
LOSSES = [
    *("mse", "mae", "huber", "quantile", "normal", "student_t", "negative_binomial", "poisson"),
    *("zero_inflated_negative_binomial", "lognormal", "tweedie"),
]
# The values of --yearly.
YEARLY: dict[str, str | bool] = {"auto": "auto", "yes": True, "no": False}


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options of the data."""
    parser.add_argument(
        "data", metavar="data.csv", help='a file of CSV, Excel or Parquet with a header, "-" for standard input'
    )
    group = parser.add_argument_group("data")
    group.add_argument("--time", metavar="COLUMN", help="the column of times (default: rows are numbered from 0)")
    group.add_argument(
        "--target", action="append", metavar="COLUMN", help="a column to forecast; repeat for several (default: all)"
    )
    group.add_argument("--series", metavar="COLUMN", help="the column of the names of series, for a file of several")
    for name, text in (
        ("known", "a covariate known in advance"),
        ("past", "a covariate known for the past only"),
        ("static", "a column that is constant within a series"),
    ):
        group.add_argument(f"--{name}", action="append", metavar="COLUMN", help=f"{text}; repeat for several")
    group.add_argument("--weights", metavar="COLUMN", help="the column of how much each row counts in training")
    group.add_argument("--horizon", type=count, required=True, metavar="N", help="how many rows to forecast")
    group.add_argument("--freq", help='the step from row to row, such as "h" or "MS" (default: found in the times)')
    group.add_argument(
        "--missing",
        choices=["error", "mask", "ffill", "interpolate"],
        help="how missing times and values are handled (default: an error)",
    )
    written = parser.add_argument_group("how files are written (default: found in the file)")
    add_writing(written)
    written.add_argument(
        "--time-format",
        metavar="FORMAT",
        help='the format of the times, such as %%d.%%m.%%Y; "seconds" or "milliseconds": since 1970',
    )
    written.add_argument("--day-first", action="store_true", help="dates such as 03/04/2026 begin with the day")


def add_writing(group: Any) -> None:
    """Add the options that say how columns and numbers of a text file are written."""
    group.add_argument(
        "--separator",
        type=separator,
        metavar="CHAR",
        help='the character between columns, "\\t" for tabs, "\\s+" for white space',
    )
    group.add_argument("--decimal", choices=[".", ","], metavar="SIGN", help='the decimal sign of numbers, "." or ","')
    group.add_argument(
        "--thousands",
        choices=[",", ".", " ", "'"],
        metavar="SIGN",
        help="the sign between groups of three digits, such as '.' (default: any but the decimal sign)",
    )
    group.add_argument("--encoding", metavar="NAME", help="the encoding of the text, such as cp1250 or utf-16")


def writing(args: argparse.Namespace, time: str | None = None) -> TableFormat:
    """How files are written, as far as the arguments say it; ``time`` is the column of times."""
    from lstmforecast.data.table_files import TableFormat

    if args.decimal is not None and args.decimal == args.thousands:
        args.refuse(f"expected another sign for --thousands than for --decimal, got {args.decimal} for both")
    options = {name: getattr(args, name) for name in ("separator", "decimal", "thousands", "encoding")}
    if not hasattr(args, "day_first"):
        return TableFormat(**options)
    for option in ("time_format", "day_first"):
        if getattr(args, option) and time is None:
            given = f"--{option.replace('_', '-')}"
            args.refuse(f"expected --time with {given}, got rows that are numbered")
    if args.time_format is not None and args.day_first:
        args.refuse("expected --time-format or --day-first, got both")
    return TableFormat(**options, time_format=args.time_format, day_first=args.day_first)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options of the model and its training."""
    group = parser.add_argument_group("model (defaults: those of lstmforecast.LSTMForecaster)")
    for name, kind, text in (
        ("window-size", count, "rows that the network reads for a forecast"),
        ("hidden-size", count, "units of each LSTM layer"),
        ("num-layers", count, "LSTM layers"),
        ("batch-size", count, "windows in each optimiser step"),
        ("n-estimators", count, "networks whose forecasts are averaged"),
        ("max-epochs", count, "most epochs, of twenty optimiser steps each"),
        (
            "patience",
            count_or_none,
            'epochs without improvement before training stops; "none": never, no rows are held out',
        ),
        ("learning-rate", float, "step size of the optimiser"),
        ("n-threads", count, "processor threads"),
    ):
        group.add_argument(f"--{name}", type=kind, metavar="N", help=text)
    group.add_argument(
        "--loss",
        choices=LOSSES,
        help="the loss to minimise",
    )
    group.add_argument(
        "--transform",
        choices=["auto", "log", "none"],
        help='"log": the logarithm of 1 + y is forecast; "auto": if held-out rows say so (default: none)',
    )
    group.add_argument(
        "--non-negative",
        type=signs,
        metavar="auto|true|false",
        help="true: refuse values below 0; false: let forecasts be below 0, also of columns that never were",
    )
    group.add_argument(
        "--calendar",
        action="append",
        metavar="FEATURE",
        help='a feature of the times, such as time_of_day, day_of_week or month, or "auto"; repeat for several',
    )
    group.add_argument(
        "--holidays", metavar="COUNTRY", help='public holidays of a country as a feature, such as DE (needs "holidays")'
    )
    group.add_argument(
        "--yearly",
        choices=list(YEARLY),
        help='what each day of the year adds, as a feature; "auto": where held-out rows are forecast better (default)',
    )
    group.add_argument("--seed", type=seed, metavar="N", help="random seed (default 0)")
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("--quiet", action="store_true", help="no progress bar (the default without a terminal)")
    talk.add_argument("--verbose", action="store_true", help="always show a progress bar")


def new_model(args: argparse.Namespace) -> LSTMForecaster:
    """An unfitted forecaster with the parameters of the arguments."""
    from lstmforecast.estimators.forecaster import LSTMForecaster

    names = ["window_size", "hidden_size", "num_layers", "n_estimators", "batch_size", "max_epochs", "patience"]
    names += ["learning_rate", "n_threads", "loss", "freq", "missing", "non_negative"]
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    if "patience" in given:
        patience = given.pop("patience")
        given["early_stopping"] = None if patience == "none" else patience
    if args.calendar is not None or args.holidays is not None or args.yearly is not None:
        from lstmforecast.calendar import Calendar

        if args.calendar is not None and "auto" in args.calendar[:-1] + args.calendar[1:]:
            args.refuse("expected --calendar auto alone, got other features with it")
        features = args.calendar[0] if args.calendar == ["auto"] else args.calendar
        given["calendar"] = Calendar(features, holidays=args.holidays, yearly=YEARLY[args.yearly or "auto"])
    if args.transform is not None:
        given["transform"] = None if args.transform == "none" else args.transform
    verbose = int(args.verbose or (not args.quiet and sys.stderr.isatty()))
    return LSTMForecaster(args.horizon, **given, random_state=args.seed or 0, verbose=verbose)


def count(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return number


def count_or_none(text: str) -> int | str:
    """A whole number from 1, or ``none``."""
    return text if text == "none" else count(text)


def signs(text: str) -> str | bool:
    """``auto``, ``true`` or ``false``."""
    values: dict[str, str | bool] = {"auto": "auto", "true": True, "false": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"expected auto, true or false, got {text}")
    return values[text.lower()]


def seed(text: str) -> int:
    """A whole number that random generators begin with."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {2**32 - 1}, got {text}")
    return number


def separator(text: str) -> str:
    """One character, a tab also in its written form; or the pattern for any white space."""
    text = "\t" if text == "\\t" else text
    if (len(text) != 1 or text in '"\r\n') and text != r"\s+":
        raise argparse.ArgumentTypeError(f"expected one character, no quote and no end of line, got {text!r}")
    return text


def size(text: str) -> int | float:
    """A number of rows, or a fraction of them."""
    number = float(text)
    if 0 < number < 1:
        return number
    if number >= 1 and number.is_integer():
        return int(number)
    raise argparse.ArgumentTypeError(f"expected a number of rows or a fraction below 1, got {text}")


def seconds(text: str) -> float:
    """A number of seconds from 0."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds from 0, got {text}")
    return number


def probability(text: str) -> float:
    """A number between 0 and 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"expected a probability between 0 and 1, got {text}")
    return number


def add_coverage(group: Any, text: str) -> None:
    """Add ``--coverage``, which ``--interval`` is another name of."""
    group.add_argument("--coverage", "--interval", type=probability, metavar="P", help=text)


# argparse names a type by its function in "invalid ... value".
count.__name__ = "whole number"
size.__name__ = "size"
probability.__name__ = "probability"
seconds.__name__ = "number of seconds"
count_or_none.__name__ = "whole number"
seed.__name__ = "whole number"
