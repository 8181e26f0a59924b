"""``lstmforecast serve``: load saved models and answer requests over HTTP until a signal stops the server."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmforecast.command.options import add_writing, count, writing

if TYPE_CHECKING:
    from lstmforecast.data.table_files import TableFormat
    from lstmforecast.estimators.forecaster import LSTMForecaster
    from lstmforecast.monitoring.drift import DriftMonitor

KEY_VARIABLE = "LSTMFORECAST_API_KEY"
LEVELS = ("debug", "info", "warning", "error", "off")

EXAMPLES = """\
examples:
  one model, on this machine; open http://127.0.0.1:8000/ to try it
    lstmforecast serve model.safetensors

  two named models, for every client that sends the API key
    LSTMFORECAST_API_KEY=... lstmforecast serve load=model.safetensors price=other.safetensors --host 0.0.0.0

  an A/B test: the new model answers a tenth of the keys, and the log keeps the forecasts of both for /compare
    lstmforecast serve old.safetensors new.safetensors --split old=9,new=1 --log forecasts.db

  the same, with a check whether the data in requests still resemble those of a file
    lstmforecast serve old.safetensors new.safetensors --split old=9,new=1 --log forecasts.db --reference year.csv

  a request for a forecast with 90 % prediction intervals
    curl localhost:8000/predict -H "Content-Type: application/json" \\
      -d '{"windows": [{"values": [1.5, 1.7, ...]}], "coverage": 0.9}'

/docs shows all requests, with an example for each model, covariates included; /openapi.json describes them. /metrics is
for Prometheus. After SIGTERM or Ctrl-C the server answers the requests that it has received, then stops. It logs
requests on standard error, as JSON.
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser("serve", help="answer requests for forecasts over HTTP", epilog=EXAMPLES, **style)
    parser.add_argument(
        "models",
        nargs="+",
        metavar="[NAME=]FILE",
        help="models saved by forecast --save; requests call them by NAME (default: that of the file, without suffix)",
    )
    _add_access(parser.add_argument_group("address and access"))
    _add_monitoring(parser.add_argument_group("comparing and monitoring models"))
    add_writing(parser.add_argument_group("how the file of --reference is written (default: found in the file)"))
    _add_limits(parser.add_argument_group("limits"))
    parser.add_argument(
        "--log-level", choices=LEVELS, default="info", help="least severe messages to log (default info)"
    )
    parser.set_defaults(run=run, refuse=parser.error)


def _add_access(group: Any) -> None:
    group.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1: only this machine can connect)"
    )
    group.add_argument("--port", type=_port, default=8000, metavar="N", help="port (default 8000; 0: any free one)")
    group.add_argument(
        "--allowed-hosts",
        metavar="NAME,...",
        type=_names,
        help="host names that requests may use besides localhost, such as that of a proxy (default: any, but at "
        "127.0.0.1 and ::1 only localhost)",
    )
    group.add_argument(
        "--api-key-file",
        metavar="FILE",
        help=f"file with the API key that requests must send (default: the environment variable {KEY_VARIABLE}; "
        "without it, no key is needed)",
    )


def _add_monitoring(group: Any) -> None:
    group.add_argument(
        "--split",
        metavar="NAME=WEIGHT,...",
        type=_weights,
        help="divide requests that name no model between these models; the same key always goes to the same model",
    )
    group.add_argument(
        "--log",
        metavar="FILE or URL",
        help="save forecasts, and the actual values posted to /actuals, for /compare; an SQLite file, or a URL of "
        "SQLAlchemy",
    )
    group.add_argument(
        "--log-keep-days", type=count, default=90, metavar="N", help="days that the log keeps a row (default 90)"
    )
    group.add_argument(
        "--log-max-rows",
        type=count,
        default=1_000_000,
        metavar="N",
        help="most forecasts, and most actual values, in the log; the oldest are deleted (default 1000000)",
    )
    group.add_argument(
        "--no-shadow", action="store_true", help="log only the model that answers, not the other models of --split"
    )
    group.add_argument(
        "--reference",
        metavar="TABLE",
        help="normal data (CSV, Excel or Parquet), with the columns of the models; /drift tells whether requests "
        "differ from them",
    )


def _add_limits(group: Any) -> None:
    for name, default, text in (
        ("max-body", 4 * 2**20, "bytes in the body of a request"),
        ("max-windows", 1024, "windows in a request"),
        ("max-horizon", 1000, "steps ahead"),
        ("max-waiting", 256, "requests in the queue; one more is answered with 503 and Retry-After"),
        ("max-batch", 256, "windows that are forecast together"),
        ("max-numbers", 2_000_000, "numbers in an answer: windows times steps, variables and bounds"),
        ("max-header", 2**15, "bytes before the body of a request"),
        ("max-seconds", 30, "seconds to receive a request, and to send its answer"),
        ("max-connections", 512, "connections; for one more, the longest idle is closed"),
        ("n-threads", 1, "processor threads of the network"),
    ):
        group.add_argument(f"--{name}", type=count, default=default, metavar="N", help=f"{text} (default {default})")


def run(args: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises
    ------
    ImportError
        Without the extra ``serve``.
    OSError, FormatError, ValueError, TypeError
        If a file can't be read or served, or the port is taken.
    """
    from lstmforecast.ab import ForecastLog
    from lstmforecast.serve import Limits, create_app
    from lstmforecast.serve.app import SERVED_LOG
    from lstmforecast.serve.listening import listen, serve

    if args.no_shadow and not (args.split and args.log):
        raise ValueError("expected --split and --log with --no-shadow, got --no-shadow without them")
    written = writing(args)
    if args.reference is None and (said := [name for name, value in vars(written).items() if value]):
        args.refuse(f"expected --reference with --{said[0]}, got --{said[0]} without")
    limits = Limits(
        body_bytes=args.max_body,
        windows=args.max_windows,
        horizon=args.max_horizon,
        waiting=args.max_waiting,
        batch=args.max_batch,
        numbers=args.max_numbers,
        header_bytes=args.max_header,
        seconds=args.max_seconds,
        connections=args.max_connections,
    )
    models, log = read_models(args.models), None
    if args.log is not None:
        url = args.log if "://" in args.log else f"sqlite:///{args.log}"
        log = ForecastLog(url, **SERVED_LOG | {"keep_days": args.log_keep_days, "max_rows": args.log_max_rows})
    app = create_app(
        models,
        api_key=_key(args),
        limits=limits,
        n_threads=args.n_threads,
        split=args.split,
        shadow=not args.no_shadow,
        log=log,
        monitors=None if args.reference is None else read_monitors(args.reference, models, written),
        allowed_hosts=args.allowed_hosts,
    )
    _log(args.log_level)
    listening = listen(args.host, args.port)
    # objects of the libraries stay until the end: without this, each collection would go through them (0.2 s)
    gc.collect()
    gc.freeze()
    serve(app, listening, limits, log)


def read_models(given: list[str]) -> dict[str, LSTMForecaster]:
    """Load files, named by what stands before ``=``, or by the file's name without its suffix."""
    from lstmforecast.estimators.forecaster import LSTMForecaster

    models: dict[str, LSTMForecaster] = {}
    for each in given:
        name, _, path = each.rpartition("=") if not Path(each).exists() else ("", "", each)
        name = name or Path(path).stem
        if name in models:
            raise ValueError(f"expected a different name for each model, got {name!r} twice: write NAME=FILE")
        models[name] = LSTMForecaster.load(path)
    return models


def read_monitors(
    path: str, models: dict[str, LSTMForecaster], written: TableFormat | None = None
) -> dict[str, DriftMonitor]:
    """A monitor for each model, fitted to its columns in a table file; to the only column if they have no names."""
    from lstmforecast.data.table_files import read_series
    from lstmforecast.monitoring.drift import DriftMonitor

    monitors = {}
    for name, model in models.items():
        form = model.fitted_.dataset.observations.form
        columns = None if form.columns is None or form.columns[0] is None else [str(each) for each in form.columns]
        monitors[name] = DriftMonitor.from_forecaster(model, read_series(path, None, columns, written).to_numpy())
    return monitors


def _key(args: argparse.Namespace) -> str | None:
    key = Path(args.api_key_file).read_text(encoding="utf-8") if args.api_key_file else os.environ.get(KEY_VARIABLE)
    return None if key is None else key.strip()


def _log(level: str) -> None:
    """Log to standard error as JSON: the server's messages, and uvicorn's."""
    from lstmforecast.serve.telemetry import JSONFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter())
    for name in ("lstmforecast.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.CRITICAL + 1 if level == "off" else level.upper())


def _weights(text: str) -> dict[str, float]:
    parts = [part.rpartition("=") for part in text.split(",")]
    try:
        weights = {name.strip(): float(weight) for name, _, weight in parts}
    except ValueError:
        weights = {}
    if "" in weights or len(weights) < len(parts):
        raise argparse.ArgumentTypeError(f"expected NAME=WEIGHT,NAME=WEIGHT, each name once, got {text}")
    return weights


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names) or any("/" in name for name in names):
        raise argparse.ArgumentTypeError(f"expected NAME,NAME such as forecasts.example.com, got {text}")
    return names


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text}")
    return number


# argparse names a type by its function in "invalid ... value".
_port.__name__ = "port"
