"""``lstmforecast export``: write a saved model as an ONNX file."""

from __future__ import annotations

import argparse
from typing import Any

from lstmforecast.command.files import check_writable

EXPORT_EXAMPLES = """\
example:
  lstmforecast forecast data.csv --time date --target OT --horizon 24 --save model.safetensors
  lstmforecast export model.safetensors model.onnx

Any ONNX runtime can run the file: it reads windows and returns forecasts, both in the units of the data. Its metadata
describe every column. Needs the pip extra "onnx".
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser("export", help="write a saved model as an ONNX file", epilog=EXPORT_EXAMPLES, **style)
    parser.add_argument(
        "model", metavar="model.safetensors", help="a file of forecast --save, or of an estimator's save()"
    )
    parser.add_argument("output", metavar="model.onnx", help="the file to write")
    parser.add_argument(
        "--dtype",
        choices=["float32", "float64"],
        default="float32",
        help="of inputs and outputs (default float32)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the file; errors are those of the package."""
    from lstmforecast.export.saving import load

    check_writable(args.model, args.output)
    model = load(args.model)
    if not hasattr(model, "to_onnx"):
        raise TypeError(f"expected a forecaster, regressor or classifier to export, got a {type(model).__name__}")
    model.to_onnx(args.output, dtype=args.dtype)
