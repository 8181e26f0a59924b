"""Options that ``lstmforecast forecast`` and ``backtest`` share, and messages of the package with options' names."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmforecast.estimators.forecaster import LSTMForecaster

# Options of training alone: --load refuses them.
OF_TRAINING = (
    *("window_size", "hidden_size", "num_layers", "batch_size", "n_estimators", "max_epochs", "patience"),
    *("learning_rate", "loss", "seed"),
)
# The parentheses of a call, with calls in them up to two deep.
_ARGUMENTS = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
NAMES = (*OF_TRAINING, "n_threads", "freq", "missing", "horizon", "coverage", "test_size", "stride", "season_length")

# What to do about errors whose messages contain these words.
_WAYS = {
    "expected numbers in every column": "correct the file, or choose columns with --target",
    "columns as at fit": "choose columns with --target",
    "the columns at fit": "choose columns with --target",
}


def in_options(message: str) -> str:
    """Rewrite a message of the package for the command: options in place of parameters, without advice in Python.

    Examples
    --------
    >>> in_options("mend them with missing='ffill' or give another freq=; sort with y.sort_index()")
    'mend them with --missing ffill or give another --freq'
    """
    # the option is a number alone, and has its name
    message = message.replace("early_stopping", "patience")
    message = message.replace(", or name the columns in target=, series= and time=", "")
    message = re.sub(rf"[;,](?: and| e\.g\.)? [^;,]*\b(?:y|context)(?:\.\w+{_ARGUMENTS})+", "", message)
    message = re.sub(r"\b(expected|of|in|for) (?:y|context)(?=[ ,;:]|$)", r"\1 the data", message)
    message = re.sub(
        rf"\bexpected ({'|'.join(NAMES)}) to be\b", lambda it: f"expected --{it[1].replace('_', '-')} to be", message
    )

    message += next((f"; {way}" for words, way in _WAYS.items() if words in message), "")

    def option(found: re.Match[str]) -> str:
        value = "none" if found["value"] == "None" else found["word"] or found["value"]
        return f"--{found['name'].replace('_', '-')} {value or ''}".rstrip()

    return re.sub(rf"\b(?P<name>{'|'.join(NAMES)})=(?:'(?P<word>[^']*)'|(?P<value>[\w.]*))", option, message)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options of the data."""
    parser.add_argument("data", metavar="data.csv", help='a CSV file with a header, "-" for standard input')
    group = parser.add_argument_group("data")
    group.add_argument("--time", metavar="COLUMN", help="the column of times (default: rows are numbered from 0)")
    group.add_argument("--time-format", metavar="FORMAT", help="the format of the times, such as %%d.%%m.%%Y")
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
    group.add_argument("--horizon", type=count, required=True, metavar="N", help="how many rows to forecast")
    group.add_argument("--freq", help='the step from row to row, such as "h" or "MS" (default: found in the times)')
    group.add_argument(
        "--missing",
        choices=["error", "mask", "ffill", "interpolate"],
        help="how missing times and values are handled (default: an error)",
    )
    group.add_argument(
        "--separator",
        type=separator,
        default=",",
        metavar="CHAR",
        help='the character between columns, "\\t" for tabs (default ",")',
    )


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
        choices=["mse", "mae", "huber", "quantile", "normal", "student_t"],
        help="the loss to minimise",
    )
    group.add_argument("--seed", type=int, metavar="N", help="random seed (default 0)")
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("--quiet", action="store_true", help="no progress bar (the default without a terminal)")
    talk.add_argument("--verbose", action="store_true", help="always show a progress bar")


def new_model(args: argparse.Namespace) -> LSTMForecaster:
    """An unfitted forecaster with the parameters of the arguments."""
    from lstmforecast.estimators.forecaster import LSTMForecaster

    names = ["window_size", "hidden_size", "num_layers", "n_estimators", "batch_size", "max_epochs", "patience"]
    names += ["learning_rate", "n_threads", "loss", "freq", "missing"]
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    if "patience" in given:
        patience = given.pop("patience")
        given["early_stopping"] = None if patience == "none" else patience
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


def separator(text: str) -> str:
    """One character, a tab also in its written form; or the pattern for any white space."""
    text = "\t" if text == "\\t" else text
    if len(text) != 1 and text != r"\s+":
        raise argparse.ArgumentTypeError(f"expected one character, got {text!r}")
    return text


def size(text: str) -> int | float:
    """A number of rows, or a fraction of them."""
    number = float(text)
    if 0 < number < 1:
        return number
    if number >= 1 and number.is_integer():
        return int(number)
    raise argparse.ArgumentTypeError(f"expected a number of rows or a fraction below 1, got {text}")


def probability(text: str) -> float:
    """A number between 0 and 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"expected a probability between 0 and 1, got {text}")
    return number


# argparse names a type by its function in "invalid ... value".
count.__name__ = "whole number"
size.__name__ = "size"
probability.__name__ = "probability"
count_or_none.__name__ = "whole number"
