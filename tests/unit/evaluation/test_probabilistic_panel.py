"""Intervals and quantiles in a backtest of many series are those of each fit, in units of each series."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_pinball_loss

from lstmforecast import Folds, LSTMForecaster, Sampling, backtest, metrics
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.evaluation import probabilistic
from lstmforecast.fitting.held_out import HeldOut

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=4), "random_state": 0, "n_threads": 1}
HOURS = pd.date_range("2026-01-01", periods=400, freq="h")
# of different sizes and ends; the last two are too short for a season, and for an origin
LENGTHS = {"b": 150, "a": 90, "great": 120, "little": 40, "late": 18}
SEASON, TEST, STRIDE = 24, 18, 3


def _series(i, key):
    values = 5 + np.random.default_rng(i).normal(size=(LENGTHS[key], 2)).cumsum(axis=0) / 4
    size = 1000.0 if key == "great" else 1.0
    return pd.DataFrame(size * values, HOURS[7 * i : 7 * i + LENGTHS[key]], columns=["load", "heat"])


PANEL = pd.concat({key: _series(i, key) for i, key in enumerate(LENGTHS)}, names=["shop", "hour"])


def small(**parameters):
    return LSTMForecaster(**({"horizon": 4, "window_size": 12} | FAST | parameters))


def cut(panel, back):
    """The panel without the last ``back`` rows of each series."""
    return pd.concat([part.iloc[: max(len(part) - back, 0)] for _, part in panel.groupby(level=0, sort=False)])


def series_of(panel, key):
    return panel.loc[[key]]


def _naive(values, origin, season):
    known = list(values[:origin])
    for _ in range(4):
        known.append(known[-season])
    return np.array(known[origin:])


PROBABLE = {"folds": Folds(TEST, stride=STRIDE, refit=3), "season_length": SEASON}
COVERAGES, LEVELS = [0.5, 0.8], [0.1, 0.5, 0.7]


@pytest.fixture(scope="module")
def probable():
    return backtest(small(), PANEL, coverage=COVERAGES, levels=LEVELS, **PROBABLE)


@pytest.fixture(scope="module")
def fits():
    """The forecasters of the first three origins, and of the last two."""
    return [small().fit(cut(PANEL, back)) for back in (18, 9)]


def _places(result):
    """Each window's series, origin, rows before, and number of the fit."""
    for i, origin in zip(result.which, result.origins, strict=True):
        key = list(LENGTHS)[i]
        yield key, origin, series_of(PANEL, key).iloc[:origin], int(LENGTHS[key] - origin < 10)


def test_intervals_are_those_of_predict_interval(probable, fits):
    table = probable.intervals
    assert list(table.columns) == ["series", "cutoff", "time", "step", "variable", "coverage", "lower", "upper"]
    assert len(table) == len(probable.origins) * 4 * 2 * 2
    held, widths = [], []
    for key, origin, context, which in _places(probable):
        rows = table[(table.series == key) & (table.cutoff == context.index[-1][1])]
        expected = fits[which].predict_interval(COVERAGES, context=context)
        assert list(rows.time[::4]) == list(expected.index.get_level_values(1))
        for coverage in COVERAGES:
            for side in ("lower", "upper"):
                got = rows[rows.coverage == coverage][side].to_numpy().reshape(4, 2)
                want = expected.xs((coverage, side), axis=1, level=(1, 2)).to_numpy()
                # one call for all windows or one for each: float32 before it is scaled back
                np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
        lower, upper = (expected.xs((0.8, side), axis=1, level=(1, 2)).to_numpy() for side in ("lower", "upper"))
        truth = series_of(PANEL, key).to_numpy()[origin : origin + 4]
        held.append((lower <= truth) & (truth <= upper))
        widths.append(upper - lower)
    scores = probable.interval_scores.loc["LSTMForecaster", 0.8]
    assert scores["coverage"] == pytest.approx(np.mean(held))
    assert scores["width"] == pytest.approx(np.mean(widths), rel=1e-5)


def test_quantiles_of_all_methods_are_scored_on_the_rows_held_out(probable, fits):
    predicted = [fits[which].predict_quantiles(LEVELS, context=context) for _, _, context, which in _places(probable)]
    truth = np.array([series_of(PANEL, key).to_numpy()[o : o + 4] for key, o, _, _ in _places(probable)])
    quantiles = {"LSTMForecaster": np.array([each.to_numpy().reshape(4, 2, 3) for each in predicted])}
    for method, season in (("repeat-last", 1), ("seasonal-naive", SEASON)):
        errors = [_naive_errors(back, season) for back in (18, 9)]
        quantiles[method] = np.array([_naive_quantiles(*place, season, errors) for place in _places(probable)])
    for method, values in quantiles.items():
        for i, level in enumerate(LEVELS):
            expected = mean_pinball_loss(truth.ravel(), values[..., i].ravel(), alpha=level)
            # errors are kept in float32
            assert probable.quantile_scores.loc[method, level] == pytest.approx(expected, rel=1e-5)
        assert probable.quantile_scores.loc[method, "CRPS"] == pytest.approx(
            metrics.crps(truth, values, LEVELS), rel=1e-5
        )


def _unit(key, back):
    """Mean absolute seasonal difference of the rows that a fit trains on, or of neighbours in a short series."""
    part = cut(PANEL, back)
    keys = [key for key in LENGTHS if LENGTHS[key] > back]
    lengths = HeldOut.of(small()).training_lengths(read_series(small(), part).observations)
    values = series_of(PANEL, key).to_numpy()[: dict(zip(keys, lengths, strict=True))[key]]
    # the usual season of hours
    lag = 24 if len(values) > 24 else 1
    return np.abs(values[lag:] - values[:-lag]).mean(axis=0)


def _naive_errors(back, season):
    part = cut(PANEL, back)
    observations = read_series(small(), part).observations
    keys = [key for key in LENGTHS if LENGTHS[key] > back]
    errors = []
    for i, split in enumerate(HeldOut.of(small()).training_lengths(observations)):
        values = series_of(PANEL, keys[i]).to_numpy()[: LENGTHS[keys[i]] - back]
        for at in range(split, len(values) - 3):
            forecast = _naive(values, at, season if at >= season else 1)
            errors.append(np.abs(values[at : at + 4] - forecast) / _unit(keys[i], back))
    return np.sort(errors, axis=0)


def _naive_quantiles(key, origin, context, which, season, errors):
    errors, n = errors[which], len(errors[which])
    forecast, unit = _naive(context.to_numpy(), origin, season if origin >= season else 1), _unit(key, (18, 9)[which])
    quantiles = []
    for level in LEVELS:
        rank = int(np.ceil(round((n + 1) * abs(2 * level - 1), 9)))
        correction = errors[rank - 1] if rank else 0
        quantiles.append(forecast + np.sign(level - 0.5) * correction * unit)
    return np.stack(quantiles, axis=-1)


def test_a_window_at_a_time_and_fits_side_by_side_give_the_same(probable, monkeypatch):
    monkeypatch.setattr(probabilistic, "MOST_VALUES", 1)
    again = backtest(small(), PANEL, coverage=COVERAGES, levels=LEVELS, n_jobs=2, **PROBABLE)
    np.testing.assert_array_equal(again.values, probable.values)
    np.testing.assert_array_equal(again.bounds, probable.bounds)
    for name in ("interval_scores", "interval_scores_by_step", "quantile_scores"):
        # sums in another order
        pd.testing.assert_frame_equal(getattr(again, name), getattr(probable, name), rtol=1e-12)


def test_a_sliding_window_has_the_intervals_of_a_panel_that_begins_with_it():
    keys = ["b", "a", "great"]
    long = PANEL[PANEL.index.get_level_values(0).isin(keys)]
    short = pd.concat([part.iloc[-60 - TEST :] for _, part in long.groupby(level=0, sort=False)])
    options = {"season_length": SEASON, "coverage": 0.5, "levels": LEVELS}
    window = {"window": "sliding", "train_size": 60}
    sliding = backtest(small(), long, folds=Folds(TEST, stride=STRIDE, **window), **options)
    expanding = backtest(small(), short, folds=Folds(TEST, stride=STRIDE), **options)
    np.testing.assert_allclose(sliding.bounds, expanding.bounds, rtol=1e-5)
    for name in ("interval_scores", "interval_scores_by_step", "quantile_scores"):
        pd.testing.assert_frame_equal(getattr(sliding, name), getattr(expanding, name), rtol=1e-5)
