"""Files that commands read and write: the data, tables, pictures."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmforecast.command.options import writing

if TYPE_CHECKING:
    import pandas as pd


def read_data(args: argparse.Namespace) -> pd.DataFrame:
    """Read the series of the arguments, from a file or from standard input."""
    from lstmforecast.data.table_files import read_series

    return read_series(_source(args.data), args.time, args.target, writing(args, args.time))


def _source(path: str) -> Any:
    # bytes, where there are any, so that input that is not text gets the same message as such a file
    return getattr(sys.stdin, "buffer", sys.stdin) if path == "-" else path


def named_columns(args: argparse.Namespace) -> dict[str, Any] | None:
    """The columns that the arguments name, as for `LSTMForecaster.fit`; None for one series without covariates."""
    given = {name: getattr(args, name) for name in ("series", "known", "past", "static", "weights")}
    if not any(given.values()):
        return None
    if args.time is None or args.target is None:
        named = next(name for name, value in given.items() if value)
        args.refuse(f"expected --time and --target with --{named}, got --{named} without")
    several = {name: given[name] or [] for name in ("known", "past", "static")}
    return {"target": args.target, "series": args.series, "time": args.time, "weights": args.weights, **several}


def read_named(
    args: argparse.Namespace,
    path: str,
    columns: list[Any],
    names: dict[str, Any],
    like: pd.Index | pd.Series[Any] | None = None,
    words: Sequence[Any] = (),
) -> pd.DataFrame:
    """Read columns of a file, or of standard input; those of `named_columns` have the roles of ``names``.

    The names of series are text or numbers as those of ``like``, which are known from a model or another file; so are
    the columns of ``words``, which are text though this file may have codes of digits only.
    """
    import pandas as pd

    from lstmforecast.data.table_files import read_columns

    as_text = None if like is None else not pd.api.types.is_integer_dtype(like.dtype)
    labels = dict.fromkeys(words, True) | ({names["series"]: as_text} if names["series"] else {})
    return read_columns(_source(path), names["time"], columns, writing(args, names["time"]), labels=labels)


def listed(names: dict[str, Any]) -> list[str]:
    """All columns of `named_columns`."""
    several = [name for role in ("target", "known", "past", "static") for name in names[role]]
    # a model that is loaded needs no weights
    one = [names[role] for role in ("series", "time", "weights") if names.get(role)]
    return [*one, *several]


def check_writable(data: str, *paths: str | None) -> None:
    """Raise an error before training for files that could not be written after it, or would replace the data."""
    for path in filter(None, paths):
        if Path(path).is_file() and Path(data).is_file() and Path(path).samefile(data):
            raise ValueError(f"expected another file to write than that of the data, got {path} for both")
        folder = Path(path).resolve().parent
        if not folder.is_dir():
            raise OSError(f"can't write {path}: there is no folder {folder}")
        if Path(path).is_dir() or not os.access(path if Path(path).exists() else folder, os.W_OK):
            raise OSError(f"can't write {path}: permission denied, or it is a folder")


def check_matplotlib_for(plot: str | None) -> None:
    """Raise an ImportError before training if a picture is asked for without matplotlib."""
    if plot:
        from lstmforecast.display.style import check_matplotlib

        check_matplotlib()


def write_table(table: pd.DataFrame, target: Any, **options: Any) -> None:
    """Write CSV to standard output, or to a file, whole or not at all."""
    if target is sys.stdout:
        table.to_csv(target, **options)
        return
    from lstmforecast._core import replace_file

    replace_file(target, table.to_csv(**options).encode())


def save_picture(ax: Any, path: str) -> None:
    """Write the figure of ``ax`` in the format that the name ends in, whole or not at all."""
    from lstmforecast._core import replace_file

    picture = io.BytesIO()
    ax.figure.savefig(picture, dpi=150, format=Path(path).suffix[1:] or "png")
    replace_file(path, picture.getvalue())
