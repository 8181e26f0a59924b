"""The command ``lstmforecast serve``: files of models in, a server that runs until it is told to stop."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmforecast.estimators.forecaster import LSTMForecaster
    from lstmforecast.monitoring.drift import DriftMonitor

KEY_VARIABLE = "LSTMFORECAST_API_KEY"
LEVELS = ("debug", "info", "warning", "error", "off")

EXAMPLES = """\
examples:
  one model, for this machine; a page to try it at http://127.0.0.1:8000/
    lstmforecast serve model.safetensors

  two, under names of their own, for everybody who has the key
    LSTMFORECAST_API_KEY=... lstmforecast serve load=model.safetensors price=other.safetensors --host 0.0.0.0

  two behind one endpoint, a tenth of the keys for the newer; all forecasts are kept, of both, to be compared
    lstmforecast serve old.safetensors new.safetensors --split old=9,new=1 --log forecasts.db

  the same, and an eye on whether the data are still those of a file
    lstmforecast serve old.safetensors new.safetensors --split old=9,new=1 --log forecasts.db --reference year.csv

  a forecast for the steps after some rows, with bounds that hold the truth nine times of ten
    curl localhost:8000/predict -H "Content-Type: application/json" \\
      -d '{"windows": [{"values": [1.5, 1.7, ...]}], "coverage": 0.9}'

/openapi.json describes what can be asked, with an example for each model; /metrics is for Prometheus. SIGTERM and
Ctrl-C finish what is in flight first. The log is a line of JSON for each request, on standard error.
"""


def add_parser(commands: Any, style: dict[str, Any]) -> None:
    """Add the command to those of ``lstmforecast``."""
    parser = commands.add_parser("serve", help="answer requests for forecasts over HTTP", epilog=EXAMPLES, **style)
    parser.add_argument(
        "models", nargs="+", metavar="[NAME=]FILE", help="models kept with --save; named by their files"
    )
    where = parser.add_argument_group("where, and for whom")
    where.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1: this machine only)"
    )
    where.add_argument("--port", type=_port, default=8000, metavar="N", help="port (default 8000; 0: a free one)")
    where.add_argument(
        "--allowed-hosts",
        metavar="NAME,...",
        type=_names,
        help="names under which the server may be asked, such as that of a proxy before it, beside localhost (default: "
        "what arrives at 127.0.0.1 or ::1 has to name it, elsewhere any name will do)",
    )
    where.add_argument(
        "--api-key-file",
        metavar="FILE",
        help=f"a file that holds the key requests need; else ${KEY_VARIABLE}, else none",
    )
    judged = parser.add_argument_group("judging models in use")
    judged.add_argument(
        "--split",
        metavar="NAME=WEIGHT,...",
        type=_weights,
        help="models that answer requests which name none: each key is answered by the same one",
    )
    judged.add_argument(
        "--log",
        metavar="FILE or URL",
        help="keep all forecasts from windows with times, and what is posted to /actuals; /compare (SQLite, or what "
        "SQLAlchemy connects to)",
    )
    judged.add_argument(
        "--log-keep-days", type=_count, default=90, metavar="N", help="how long the log keeps a row (default 90)"
    )
    judged.add_argument(
        "--log-max-rows",
        type=_count,
        default=1_000_000,
        metavar="N",
        help="forecasts, and actuals, that the log keeps: the newest (default 1000000)",
    )
    judged.add_argument("--no-shadow", action="store_true", help="don't log what other models of the split would say")
    judged.add_argument(
        "--reference", metavar="CSV", help="rows that are normal, with the models' columns; /drift tells of others"
    )
    most = parser.add_argument_group("limits")
    for name, default, text in (
        ("max-body", 4 * 2**20, "bytes of a request"),
        ("max-windows", 1024, "windows of a request"),
        ("max-horizon", 1000, "steps ahead"),
        ("max-waiting", 256, "requests that wait; the next gets 503 and Retry-After"),
        ("max-batch", 256, "windows of several requests that share a call of the network"),
        ("max-numbers", 2_000_000, "numbers in an answer: windows, times steps, variables and bounds"),
        ("max-header", 2**15, "bytes of a request before its body"),
        ("max-seconds", 30, "seconds for a request to arrive, and for its answer to be taken"),
        ("max-connections", 512, "connections; the longest idle is closed for one more"),
        ("n-threads", 1, "processor threads of the network"),
    ):
        most.add_argument(f"--{name}", type=_count, default=default, metavar="N", help=f"{text} (default {default})")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="what is logged (default info)")
    parser.set_defaults(run=run)


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
        raise ValueError("expected --split and --log with --no-shadow, without which no model forecasts for the log")
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
        monitors=None if args.reference is None else read_monitors(args.reference, models),
        allowed_hosts=args.allowed_hosts,
    )
    _log(args.log_level)
    listening = listen(args.host, args.port)
    # What the libraries have made stays until the end: the collector would go through it (0.2 s) again and again.
    gc.collect()
    gc.freeze()
    serve(app, listening, limits, log)


def read_models(given: list[str]) -> dict[str, LSTMForecaster]:
    """Load files, each under the name before its ``=``, or under its own without the suffix."""
    from lstmforecast.estimators.forecaster import LSTMForecaster

    models: dict[str, LSTMForecaster] = {}
    for each in given:
        name, _, path = each.rpartition("=") if not Path(each).exists() else ("", "", each)
        name = name or Path(path).stem
        if name in models:
            raise ValueError(f"expected a name of its own for every model, got {name!r} twice: write NAME=FILE")
        models[name] = LSTMForecaster.load(path)
    return models


def read_monitors(path: str, models: dict[str, LSTMForecaster]) -> dict[str, DriftMonitor]:
    """A monitor for each model, of its columns in a CSV file; of one without names, of the file's only column."""
    from lstmforecast.data.csvfile import read_series
    from lstmforecast.monitoring.drift import DriftMonitor

    monitors = {}
    for name, model in models.items():
        form = model.fitted_.seen.observations.form
        columns = None if form.columns is None or form.columns[0] is None else [str(each) for each in form.columns]
        monitors[name] = DriftMonitor.from_forecaster(model, read_series(path, None, columns).to_numpy())
    return monitors


def _key(args: argparse.Namespace) -> str | None:
    key = Path(args.api_key_file).read_text(encoding="utf-8") if args.api_key_file else os.environ.get(KEY_VARIABLE)
    return None if key is None else key.strip()


def _log(level: str) -> None:
    """Send the server's log, and uvicorn's, to standard error as JSON."""
    from lstmforecast.serve.telemetry import JSONFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter())
    for name in ("lstmforecast.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.CRITICAL + 1 if level == "off" else level.upper())


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return number


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
_count.__name__ = "whole number"
_port.__name__ = "port"
