"""The command ``lstmforecast``: from a table file to a forecast, to a score, to an ONNX file or to a server.

Exit codes: 0 done; 1 something is wrong with the data, the model or a file (standard error says what, in one line);
2 wrong usage; 130 interrupted with Ctrl-C. Heavy libraries are imported by the functions that need them, so that
``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from lstmforecast.command import backtest, explain, export, forecast, serve, tune
from lstmforecast.command.messages import in_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

__all__ = ["main"]

DESCRIPTION = "Forecast time series with LSTM networks, from CSV, Excel or Parquet to CSV."

OVERVIEW = """\
Start with a score. The last fifth of the rows is held back, and two naive forecasts are scored beside the network:

  lstmforecast backtest data.csv --time date --target OT --horizon 24

Then forecast the rows after the last:

  lstmforecast forecast data.csv --time date --target OT --horizon 24 --output forecast.csv --plot forecast.png

Search better parameters, and save the best model:

  lstmforecast tune data.csv --time date --target OT --horizon 24 --save model.safetensors

Say what the forecasts are made of:

  lstmforecast explain data.csv --time date --target OT --horizon 24 --load model.safetensors

Answer requests for forecasts over HTTP, with a saved model:

  lstmforecast serve model.safetensors

`lstmforecast COMMAND --help` lists the options of a command.
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
        with warnings.catch_warnings():
            warnings.showwarning = _show
            args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("lstmforecast: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has closed its end; without this the interpreter prints an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TypeError, KeyError, OSError, RuntimeError, ArithmeticError, ImportError, MemoryError) as error:
        print(f"lstmforecast: error: {_sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning of the package in the words of the command; others as Python does."""
    text = warnings.formatwarning(message, category, filename, lineno, line)
    if category is UserWarning:
        text = f"lstmforecast: warning: {in_options(' '.join(str(message).split()))}\n"
    print(text, end="", file=file or sys.stderr)


def _sentence(error: BaseException) -> str:
    """What is wrong, on one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"can't open {error.filename}: {error.strerror}"
    return in_options(" ".join(str(error).split())) or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    style: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = _Parser("lstmforecast", description=DESCRIPTION, epilog=OVERVIEW, **style)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (forecast, backtest, tune, explain, export, serve):
        command.add_parser(commands, style)
    return parser


class _Parser(argparse.ArgumentParser):
    """Refuses an option that takes one value and is given twice."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("action", None, _Once)


class _Once(argparse.Action):
    is_given = False

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        if self.is_given and option is not None:
            parser.error(f"expected {option} once, got {getattr(namespace, self.dest)} and {values}")
        self.is_given = True
        setattr(namespace, self.dest, values)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from lstmforecast import __version__

        print(f"lstmforecast {__version__}")
        parser.exit(0)
