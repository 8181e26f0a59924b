"""The model of a command, trained or loaded, and the rows that it forecasts from."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple

from lstmforecast.command.files import listed, named_columns, read_data, read_named
from lstmforecast.command.options import OF_TRAINING, new_model

if TYPE_CHECKING:
    import pandas as pd

    from lstmforecast.estimators.forecaster import LSTMForecaster


class Rows(NamedTuple):
    """What was read.

    Parameters
    ----------
    table : DataFrame
        The data.
    context, known : DataFrame or None
        As `LSTMForecaster.predict` takes them.
    """

    table: pd.DataFrame
    context: pd.DataFrame | None
    known: pd.DataFrame | None


def add_trained(group: Any) -> None:
    """Add the options of `trained` to a group of a parser."""
    group.add_argument("--future", metavar="TABLE", help="the file of the rows ahead, with the columns of --known")
    group.add_argument("--save", metavar="FILE", help="save the trained model, as one safetensors file")
    group.add_argument(
        "--unknown",
        choices=["error", "ignore"],
        help="what is done later with words in covariates that training had not (default: an error)",
    )
    group.add_argument("--load", metavar="FILE", help="use a model that --save wrote, without training")


def trained(args: argparse.Namespace) -> tuple[LSTMForecaster, Rows]:
    """Train on the data, or load the model of --load; errors are those of the package."""
    names, model = named_columns(args), None
    if args.load:
        _check_loading(args)
        model = _loaded(args)
    if names is not None or (model is not None and model.fitted_.dataset.columns is not None):
        return _of_named(args, names, model)
    if args.future is not None:
        args.refuse("expected --known with --future, got --future without")
    y = read_data(args)
    if model is not None:
        _check_times(model, y, args.time)
    else:
        model = _fitted(args, y)
    return model, Rows(y, y, None)


def _of_named(
    args: argparse.Namespace, names: dict[str, Any] | None, model: LSTMForecaster | None
) -> tuple[LSTMForecaster, Rows]:
    from lstmforecast.data.category import holds_words

    series = None
    if model is not None:
        names = _names_of(args, names, model)
        series = model.fitted_.dataset.observations.series_keys if names["series"] else None
    assert names is not None
    if names["known"] and args.future is None:
        args.refuse("expected --future CSV with the columns of --known for the rows ahead, got none")
    if not names["known"] and args.future is not None:
        args.refuse("expected --known with --future, got --future without")
    words = [] if model is None else _words_of_model(model)
    table, known = read_named(args, args.data, listed(names), names, like=series, words=words), None
    if names["known"]:
        apart = {*names["target"], *names["past"], *names["static"], names.get("weights")}
        ahead = [name for name in listed(names) if name not in apart]
        like = table[names["series"]] if names["series"] else None
        words = words or [name for name in names["known"] if holds_words(table[name])]
        known = read_named(args, args.future, ahead, names, like=like, words=[name for name in words if name in ahead])
    if model is not None:
        return model, Rows(table, table, known)
    return _fitted(args, table, **names), Rows(table, None, known)


def _words_of_model(model: LSTMForecaster) -> list[Any]:
    """The columns that the model knows as words."""
    dataset = model.fitted_.dataset
    assert dataset.columns is not None
    static = [column.name for column in dataset.covariates.static_columns or () if column.categories is not None]
    return [*(category.name for category in dataset.columns.categories), *static]


def _fitted(args: argparse.Namespace, table: pd.DataFrame, **names: Any) -> LSTMForecaster:
    unknown = {} if args.unknown is None else {"unknown": args.unknown}
    return new_model(args).fit(table, **names, **unknown)


def _names_of(args: argparse.Namespace, names: dict[str, Any] | None, model: LSTMForecaster) -> dict[str, Any]:
    """The columns of a saved model; a ValueError if the arguments name others."""
    columns = model.fitted_.dataset.columns
    if columns is None:
        raise ValueError(f"expected only --time and --target, as {args.load} was trained without names, got others")
    known: dict[str, Any] = {name: list(getattr(columns, name)) for name in ("target", "known", "past", "static")}
    known |= {"series": columns.series, "time": columns.time}
    given = names or {"target": args.target, "time": args.time}
    for name, value in given.items():
        if value and value != known[name]:
            raise ValueError(
                f"expected --{name} {_words(known[name])}, as {args.load} was trained, got {_words(value)}"
            )
    return known


def _words(names: Any) -> str:
    """One name or several, as on the command line; "none" for no name."""
    return " ".join(map(str, names if isinstance(names, list) else [names] * (names is not None))) or "none"


def _check_loading(args: argparse.Namespace) -> None:
    given = [name for name in OF_TRAINING if getattr(args, name) is not None] + ["verbose"] * args.verbose
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        args.refuse(f"not allowed with --load, which uses a trained model: {named}")


def _loaded(args: argparse.Namespace) -> LSTMForecaster:
    """The model of --load, with the options that say how data are read and how many threads compute."""
    from lstmforecast.data.index import parse_frequency
    from lstmforecast.estimators.forecaster import LSTMForecaster

    model: LSTMForecaster = LSTMForecaster.load(args.load)
    if args.freq is not None:
        known = model.freq_
        if not isinstance(known, str) or parse_frequency(args.freq) != parse_frequency(known):
            of_model = f"--freq {known}" if isinstance(known, str) else "no --freq"
            raise ValueError(f"expected {of_model}, as {args.load} was trained, got --freq {args.freq}")
    if args.missing == "mask" and not model.model_.config["indicator"]:
        raise ValueError(
            f"expected --missing ffill or --missing interpolate, as {args.load} was trained without --missing mask, "
            "got --missing mask"
        )
    given = {name: value for name in ("missing", "n_threads") if (value := getattr(args, name)) is not None}
    model.set_params(**given).check_parameters()
    return model


def _check_times(model: LSTMForecaster, y: pd.DataFrame, time: str | None) -> None:
    """Raise a ValueError if only one of model and data has times, or a time zone."""
    import pandas as pd

    known = model.fitted_.dataset.observations.index
    if not isinstance(known, pd.DatetimeIndex):
        return
    if time is None or not isinstance(y.index, pd.DatetimeIndex):
        raise ValueError("expected --time COLUMN, as the model was trained on times, got none: rows are numbered")
    if (known.tz is None) == (y.index.tz is None):
        return
    got = f"got {y.index[0].isoformat()}"
    if known.tz is None:
        raise ValueError(
            f"expected times without an offset from UTC in column {time!r}, as the model has no time zone, {got}"
        )
    raise ValueError(
        f"expected times with their offset from UTC, such as 2026-01-31T12:00:00+01:00, in column {time!r}, as the "
        f"model's times are in {known.tz}, {got}"
    )
