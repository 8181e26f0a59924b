"""``lstmforecast backtest``: score the model on rows that it hasn't seen."""

from __future__ import annotations

import argparse
from typing import Any

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
from lstmforecast.command.options import add_coverage, add_data, add_model, count, new_model, size

BACKTEST_EXAMPLES = """\
examples:
  hold back the last fifth, forecast 24 rows ahead from every row of it
    lstmforecast backtest data.csv --time date --target OT --horizon 24

  hold back the last 500 rows, one forecast a day from hourly data, the season given
    lstmforecast backtest data.csv --time date --target OT --horizon 24 --test-size 500 --stride 24 --season-length 24

  several series in one file, with a covariate known in advance
    lstmforecast backtest shops.csv --time day --series shop --target sales --known promo --horizon 7

How to read the table: repeat-last repeats the last value, seasonal-naive repeats the last season. If the errors of the
network are above theirs, use the naive forecast. MASE is the MAE divided by that of the seasonal-naive forecast on the
training rows, so it can be compared between series.
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser(
        "backtest", help="score the model on rows that it hasn't seen", epilog=BACKTEST_EXAMPLES, **style
    )
    add_data(parser)
    split = parser.add_argument_group("evaluation")
    split.add_argument(
        "--test-size", type=size, default=0.2, metavar="N", help="rows held back, a number or a fraction (default 0.2)"
    )
    split.add_argument("--stride", type=count, default=1, help="rows between two forecasts (default 1)")
    split.add_argument("--season-length", type=count, metavar="N", help="rows in a season (default: from the times)")
    add_coverage(split, "score intervals that contain the truth with probability P")
    split.add_argument("--output", metavar="CSV", help="write every forecast beside the truth to this file")
    split.add_argument("--plot", metavar="PNG", help="draw the last forecasts over the truth (needs matplotlib)")
    add_model(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    """Print scores, and write what the arguments ask for; errors are those of the package."""
    from lstmforecast.evaluation.backtesting import backtest
    from lstmforecast.evaluation.folds import Folds

    check_writable(args.data, args.output, args.plot)
    check_matplotlib_for(args.plot)
    folds = Folds(args.test_size, stride=args.stride)
    names = named_columns(args)
    y = read_data(args) if names is None else read_named(args, args.data, listed(names), names)
    options = {"folds": folds, "season_length": args.season_length, "coverage": args.coverage}
    result = backtest(new_model(args), y, **names or {}, **options)
    print(result)
    if args.output:
        write_table(result.forecasts, args.output, index=False)
    if args.plot:
        from lstmforecast import plot

        save_picture(plot.backtest(result), args.plot)
