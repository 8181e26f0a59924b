"""``lstmforecast explain``: what the forecasts are made of."""

from __future__ import annotations

import argparse
from typing import Any

from lstmforecast.command.files import check_writable, write_table
from lstmforecast.command.options import add_data, add_model
from lstmforecast.command.trained import add_trained, trained

EXPLAIN_EXAMPLES = """\
examples:
  what a saved model forecasts from
    lstmforecast explain shops.csv --horizon 7 --load model.safetensors --future plan.csv

  train, and write the contribution of each feature, lag and step to a file
    lstmforecast explain shops.csv --time day --series shop --target sales --known promo --horizon 7 \\
      --future plan.csv --output contributions.csv

A contribution is in the units of the target. All contributions to a forecast add up to its difference from the forecast
of a window in which the target stays at its last value and the covariates at their means (integrated gradients). Lag 1
is the last row of the file; 0, -1, ... are the rows ahead.
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser(
        "explain", help="say what forecasts are made of, by column, lag and step", epilog=EXPLAIN_EXAMPLES, **style
    )
    add_data(parser)
    files = parser.add_argument_group("results")
    files.add_argument("--output", metavar="CSV", help="write every contribution to this file")
    add_trained(files)
    add_model(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    """Print the importance of each feature, and write what the arguments ask for; errors are those of the package."""
    check_writable(args.data, args.output, args.save)
    model, rows = trained(args)
    if args.horizon != model.horizon:
        args.refuse(f"expected --horizon {model.horizon}, as {args.load} was trained, got --horizon {args.horizon}")
    explanation = model.explain(context=rows.context, known=rows.known)
    if args.save:
        model.save(args.save)
    print(explanation)
    if args.output:
        write_table(explanation.to_frame(), args.output, index=False)
