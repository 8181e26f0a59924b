"""``lstmforecast tune``: search better parameters of the model, and save the best one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lstmforecast.command.files import check_writable, listed, named_columns, read_data, read_named, write_table
from lstmforecast.command.messages import OPTIONS
from lstmforecast.command.options import add_data, add_model, count, new_model, seconds, size

if TYPE_CHECKING:
    from lstmforecast.tuning.tuning_result import TuneResult

METRICS = ("MSE", "MAE", "RMSE", "sMAPE", "MASE", "RMSSE")
TUNE_EXAMPLES = """\
examples:
  try twenty sets of parameters, and save the best model
    lstmforecast tune data.csv --time date --target OT --horizon 24 --save model.safetensors
    lstmforecast forecast data.csv --time date --target OT --horizon 24 --load model.safetensors

  search for five minutes, by the mean absolute error on the last 500 rows
    lstmforecast tune data.csv --time date --target OT --horizon 24 --trials 1000 --timeout 300 --metric MAE \\
      --test-size 500

Each trial is trained on the rows before the last fifth, and scored on that fifth. The first trial has the parameters of
the options, so the best is never worse than these. The score of the best is too good, as that of the best of many: keep
other rows for a final test. The model that is saved is trained on all rows. Needs the pip extra "tune".
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser(
        "tune", help="search better parameters of the model, and save the best", epilog=TUNE_EXAMPLES, **style
    )
    add_data(parser)
    search = parser.add_argument_group("search")
    search.add_argument("--trials", type=count, default=20, metavar="N", help="sets of parameters to try (default 20)")
    search.add_argument("--timeout", type=seconds, metavar="SECONDS", help="begin no trial after this time")
    search.add_argument(
        "--metric", choices=METRICS, default="MSE", help="the score to minimise (default MSE; RMSSE: of several series)"
    )
    search.add_argument(
        "--test-size",
        type=size,
        default=0.2,
        metavar="N",
        help="rows to score on, a number or a fraction (default 0.2)",
    )
    search.add_argument("--stride", type=count, default=1, help="rows between two forecasts (default 1)")
    search.add_argument("--save", metavar="FILE", help="save the best model, as one safetensors file")
    search.add_argument("--output", metavar="CSV", help="write a row for each trial to this file")
    add_model(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    """Print scores and the best parameters, and write what the arguments ask for; errors are those of the package."""
    from lstmforecast.evaluation.folds import Folds
    from lstmforecast.tuning.tuning import tune

    check_writable(args.data, args.save, args.output)
    names = named_columns(args)
    y = read_data(args) if names is None else read_named(args, args.data, listed(names), names)
    result = tune(
        new_model(args),
        y,
        **names or {},
        n_trials=args.trials,
        timeout=args.timeout,
        folds=Folds(args.test_size, stride=args.stride),
        metric=args.metric,
        random_state=args.seed or 0,
    )
    print(report(result))
    if args.save:
        result.best_estimator_.save(args.save)
    if args.output:
        write_table(result.trials_, args.output, index=False)


def report(result: TuneResult) -> str:
    """The scores, and a line for each parameter of the best trial: its option where the command has one."""
    title = repr(result).splitlines()[0]
    named = {
        OPTIONS.get(name, name.replace("__", " ").replace("_", " ")): value
        for name, value in result.best_params_.items()
    }
    width = max(map(len, named), default=0)
    lines = [f"  {name:<{width}}  {'default' if value is None else value}" for name, value in named.items()]
    return "\n".join([title, result.scores_.to_string(float_format="{:.4g}".format), "best parameters:", *lines])
