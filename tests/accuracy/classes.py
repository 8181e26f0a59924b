"""Where the wind in Beijing will come from, told from the hours before: NE, NW, SE, or calm and variable ("cv").

python -m tests.accuracy.classes     # what the settings were chosen by: 1 h ahead, fit to 2010 to 2012, scored on 2013
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.accuracy.scoring import THREADS
from tests.accuracy.series import OPEN_DATA
from tests.bench.report import Table

from lstmforecast import LSTM, AdamW, LSTMClassifier, Sampling, windows

HOURS = 24  # that are seen
AHEADS = (1, 6)
CLASSES = ["NE", "NW", "SE", "cv"]
BALANCED = {"class_weight": "balanced"}
# The settings that `choose` prints as best.
CHOSEN: dict[str, Any] = {"num_layers": 2, "dropout": 0.2, "batch_size": 256, "max_epochs": 60}
CHOSEN |= {"sampling": Sampling(steps_per_epoch=20), "early_stopping": 10, **BALANCED}
C = 0.01

Make = Callable[[int], Any]


def lstm(**changes: Any) -> Make:
    """An LSTM of each seed."""
    return lambda seed: LSTMClassifier(random_state=seed, n_threads=THREADS, **CHOSEN | changes)


def flat(estimator: Any) -> Any:
    """What takes rows of numbers, on the same windows."""
    return make_pipeline(StandardScaler(), estimator)


def logistic(**changes: Any) -> Make:
    """A logistic regression on all numbers of a window, which has no seed."""
    return lambda _: flat(LogisticRegression(**{"C": C, "max_iter": 200, "tol": 1e-3} | changes))


def boosting(**changes: Any) -> Make:
    """Trees on all numbers of a window."""
    return lambda seed: HistGradientBoostingClassifier(random_state=seed, **{"max_iter": 60} | changes)


METHODS: dict[str, Make] = {
    "most frequent class": lambda _: DummyClassifier(strategy="prior"),
    "logistic regression": logistic(),
    "logistic regression, balanced": logistic(**BALANCED),
    "gradient boosting, balanced": boosting(**BALANCED),
    "LSTMClassifier": lstm(class_weight=None),
    "LSTMClassifier, balanced": lstm(),
}
CHOICES: dict[str, Make] = {
    **{f"logistic regression, C={c}": logistic(C=c, **BALANCED) for c in (0.001, 0.01, 0.1)},
    **{f"gradient boosting, max_iter={n}": boosting(max_iter=n, **BALANCED) for n in (30, 60, 120)},
    "LSTM": lstm(),
    "LSTM, learning_rate=1e-3": lstm(learning_rate=1e-3),
    "LSTM, hidden_size=128": lstm(hidden_size=128),
    "LSTM, dropout=0, num_layers=1": lstm(dropout=0.0, num_layers=1),
    "LSTM, segment_length=3": lstm(architecture=LSTM(segment_length=3)),
    "LSTM, weight_decay=0.1, adamw": lstm(optimizer=AdamW(weight_decay=0.1)),
    "LSTM, augment=['jitter']": lstm(augment=["jitter"]),
}


class Hours(NamedTuple):
    """Windows (n, HOURS, 14), the class that came some hours after each, the last one seen, and the year."""

    X: np.ndarray
    y: np.ndarray
    last: np.ndarray
    year: np.ndarray

    def where(self, rows: np.ndarray) -> Hours:
        """Some of the rows."""
        return Hours(*(part[rows] for part in self))


def read(ahead: int) -> Hours:
    """Weather, wind, time of day and of year of each hour; words of the wind as four columns of 0 and 1."""
    table = pd.read_csv(OPEN_DATA / "weather/beijing_pm25_hourly.csv")
    times = pd.DatetimeIndex(pd.to_datetime(table[["year", "month", "day", "hour"]]))
    wind = table["cbwd"].to_numpy(str)
    turns = (times.hour / 24, times.day_of_year / 365.25)
    circles = [wave(2 * np.pi * turn) for turn in turns for wave in (np.sin, np.cos)]
    # wind speeds and hours of snow and rain are sums since it began: a few of them are huge
    sums = [np.log1p(table[name]) for name in ("Iws", "Is", "Ir")]
    numbers = np.column_stack([table[["DEWP", "TEMP", "PRES"]], *sums, *circles, *(wind == name for name in CLASSES)])
    X, _ = windows(numbers.astype(float), HOURS, ahead)
    target = np.arange(len(X)) + HOURS + ahead - 1
    return Hours(X, wind[target], wind[target - ahead], times.year.to_numpy()[target])


def parts(data: Hours, test_year: int, stride: int = 1) -> tuple[Hours, Hours]:
    """The years before, and the year that is scored; every ``stride``-th hour."""
    some = np.arange(len(data.y)) % stride == 0
    return data.where(some & (data.year < test_year)), data.where(some & (data.year == test_year))


def calibration_error(probabilities: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017): how far confidence is from accuracy, over bins of confidence."""
    confidence = probabilities.max(axis=1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, right - confidence)).sum() / len(right))


def row_of(name: str, make: Make, train: Hours, test: Hours, seeds: int) -> dict[str, Any]:
    """Mean scores over seeds, half the range of balanced accuracy, median seconds of a fit."""
    scores, seconds = [], []
    for seed in range(seeds):
        model = make(seed)
        takes_windows = isinstance(model, LSTMClassifier)
        X, X_test = (part.X if takes_windows else part.X.reshape(len(part.X), -1) for part in (train, test))
        begin = time.perf_counter()
        model.fit(X, train.y)
        seconds.append(time.perf_counter() - begin)
        probabilities, predicted = model.predict_proba(X_test), model.predict(X_test)
        right = model.classes_[probabilities.argmax(axis=1)] == test.y
        loss = log_loss(test.y, probabilities, labels=model.classes_)
        balanced = balanced_accuracy_score(test.y, predicted)
        scores.append(
            [100 * balanced, 100 * np.mean(predicted == test.y), loss, calibration_error(probabilities, right)]
        )
    means = dict(zip(("balanced", "accuracy", "log loss", "ECE"), np.mean(scores, axis=0), strict=True))
    return {"forecast": name} | means | {"+-": float(np.ptp(np.array(scores)[:, 0]) / 2), "s": np.median(seconds)}


def last_row(test: Hours) -> dict[str, Any]:
    """Scores of the class seen last, which knows no probabilities."""
    balanced = 100 * balanced_accuracy_score(test.y, test.last)
    return {"forecast": "class seen last", "balanced": balanced, "accuracy": 100 * np.mean(test.y == test.last)}


def run(*, once: bool) -> list[Table]:
    """Score all on 2014, where the data are there."""
    if not OPEN_DATA.exists():
        return [Table("Classes of wind", "The data are not there.", [{"forecast": "-"}])]
    methods = METHODS
    if once:
        short = lstm(max_epochs=1, sampling=Sampling(steps_per_epoch=2))
        methods = {"prior": METHODS["most frequent class"], "LSTM": short}
    tables = []
    for ahead in AHEADS[:1] if once else AHEADS:
        train, test = parts(read(ahead), 2014, 100 if once else 1)
        rows = [row_of(name, make, train, test, 1 if once else 3) for name, make in methods.items()]
        note = (
            f"From {HOURS} hours before; fit to 2010 to 2013, scored on every hour of 2014. Percents; log loss in\n"
            "nats; ECE: expected calibration error of the likeliest class. Means over 3 seeds, with half the range\n"
            f"of balanced accuracy (+-); seconds of a fit. LSTM: {CHOSEN}, last fifth held out."
        )
        tables.append(Table(f"Class of wind, {ahead} h ahead", note, [last_row(test), *rows]))
    return tables


def choose() -> None:
    """Print the scores of several settings on 2013."""
    train, test = parts(read(AHEADS[0]), 2013)
    rows = [row_of(name, make, train, test, 2 if "LSTM" in name else 1) for name, make in CHOICES.items()]
    print(Table(f"Class of wind in 2013, {AHEADS[0]} h ahead", "One seed, LSTMs two.", [last_row(test), *rows]))


if __name__ == "__main__":
    choose()
