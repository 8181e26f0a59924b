"""Messages of the package in the words of the command: options in place of parameters, no advice in Python.

A message is written once, for Python. Here is one table of words, which all commands share: a new option that sets a
parameter gets a line in `OPTIONS`.
"""

from __future__ import annotations

import ast
import re

# The option that sets a parameter of the package.
OPTIONS = {
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            *("window_size", "hidden_size", "num_layers", "batch_size", "n_estimators", "max_epochs", "patience"),
            *("learning_rate", "loss", "n_threads", "freq", "missing", "horizon", "coverage", "test_size", "stride"),
            *("season_length", "target", "series", "time", "known", "past", "static", "calendar", "holidays", "metric"),
            *("yearly", "unknown", "dtype", "weights", "transform", "non_negative"),
        )
    },
    "early_stopping": "--patience",
    "window_size_": "--window-size",
    "n_trials": "--trials",
    "random_state": "--seed",
    "seed": "--seed",
    "X": "--known",
    "X_past": "--past",
}
# The rows of the file: what follows these words in a message tells them from a column of this name.
_DATA = r"\b(expected|of|in|for|from|with|after|to|resample|give) (?:y|context)(?=[ ,;:]|$)"
# Code of Python: a call of a method or a function of a library, and a column of a table.
_ARGUMENTS = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_CODE = rf"(?:\b\w+(?:\[[^\]]*\])?(?:\.\w+)+{_ARGUMENTS}|\b\w+\['[^']*'\]|(?<![\w.])\.\w+\(\)|\bset_index\b)"
# Advice that holds code, up to the next part of the sentence.
_ADVICE = re.compile(rf"[;,](?: and| or| e\.g\.)?(?: [^;,]*?)?(?<![\w.]){_CODE}(?:\.\w+{_ARGUMENTS})*[^;,]*")
_QUOTED = "'[^']*'"
# Phrases that say in Python what the command says otherwise.
_PHRASES = (
    (r", or name the columns in target=, series= and time=", ""),
    (r", or, where clocks were put back", "; where clocks were put back"),
    (
        r"where clocks were put back, (?:keep both|give the times a zone)[^;]*",
        "where clocks were put back, write each time with its offset from UTC",
    ),
    (r"; (?:drop the zone of the local times|say that these are times of that zone) with [^;]*", ""),
    (r"a DatetimeIndex or PeriodIndex|a DatetimeIndex|a time index", "times (--time)"),
    (r"a RangeIndex|no index|an array(?=$|[,;])", "numbered rows"),
    (r", or drop them with df\.drop\(.*", ", or leave them out"),
    (r"; pass data to forecast from as context=|: pass data to forecast from as context=", ""),
    (r"\bX or known, which is another name of it\b", "--known once"),
    (r"\bX_past and static with context only\b", "--past and --static with rows only"),
    (r" and validation_fraction=([\d.]+)", r" with a fraction of \1 held out"),
    (r"\bin EarlyStopping with ", "with "),
    (rf"\(({_QUOTED}|[-\w.]+), Timestamp\(({_QUOTED})[^)]*\)\)", r"series \1 at \2"),
    (rf"\bTimestamp\(({_QUOTED})[^)]*\)", r"\1"),
    (r"\b(?:at|by) fit\b", "in training"),
    (r"\bfit with\b", "train with"),
    (r", or make categories with astype\('category'\)", ""),
    (r"\bof fit\b", "of the training"),
    (r"\bof known \(", "of --known ("),
    (r"\(freq is '([^']*)'\)", r"(--freq \1)"),
    (r"\bfor panels\b", "for several series"),
    (r", or hold out more rows with early_stopping=EarlyStopping\(validation_fraction=\.\.\.\)", ", or give more rows"),
    (r"; calibration='exact' makes this an error", ""),
    (r"\bNone, (?=['\w])| or None\b", ""),
    (r"\byearly=True\b", "--yearly yes"),
    (r"\bas fit was\b", "as training was"),
    (r"\bthat fit has\b", "that training has"),
    (r"\bgot None\b", "got none"),
)
# What to do about errors whose messages contain these words.
_WAYS = {
    "expected numbers in every column": "correct the file, or choose columns with --target",
    "columns as in training": "choose columns with --target",
    "the columns in training": "choose columns with --target",
}
_NAMES = "|".join(sorted(OPTIONS, key=len, reverse=True))
_VALUE = r"'[^']*'|\[[^\]]*\]|[\w.]*"
_ASSIGNED = re.compile(rf"(?<![-\w.])(?P<name>{_NAMES})=(?P<value>{_VALUE})")
# Names that are no words of a sentence, and those that are where a rule of values begins.
_NO_WORDS = "|".join(name for name in OPTIONS if "_" in name or name == "X")
_ALONE = re.compile(rf"(?<![-\w'.=/])(?P<name>{_NO_WORDS})(?![\w'=/]|\.\w)")
_RULED = re.compile(rf"\bexpected (?P<name>{_NAMES}) (?=to be\b|to name\b|of at\b|below\b|as\b|for\b|with\b|without\b)")


def in_options(message: str) -> str:
    """Rewrite a message of the package for the command: options in place of parameters, without advice in Python.

    Examples
    --------
    >>> in_options("mend them with missing='ffill' or give another freq=; sort with y.sort_index()")
    'mend them with --missing ffill or give another --freq'
    >>> in_options("expected y with a DatetimeIndex or PeriodIndex for calendar='auto', got no index")
    'expected the data with times (--time) for --calendar auto, got numbered rows'
    """
    for pattern, words in _PHRASES:
        message = re.sub(pattern, words, message)
    message = _ADVICE.sub("", message)
    message = re.sub(_DATA, r"\1 the data", message)
    message = _RULED.sub(lambda found: f"expected {OPTIONS[found['name']]} ", message)
    message += next((f"; {way}" for words, way in _WAYS.items() if words in message), "")
    message = _ASSIGNED.sub(_option, message)
    return _ALONE.sub(lambda found: OPTIONS[found["name"]], message)


def _option(found: re.Match[str]) -> str:
    value = found["value"]
    if value.startswith("["):
        try:
            value = " ".join(map(str, ast.literal_eval(value)))
        except (ValueError, SyntaxError):
            value = value.strip("[]")
    value = "none" if value == "None" else value.strip("'")
    return f"{OPTIONS[found['name']]} {value}".rstrip()
