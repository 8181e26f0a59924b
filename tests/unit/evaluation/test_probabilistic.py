"""Intervals and quantiles of a backtest are those that a user would have got at each origin, and are scored as such."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss

from lstmforecast import metrics
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.evaluation import probabilistic
from lstmforecast.evaluation.backtesting import BacktestResult, backtest
from lstmforecast.evaluation.folds import Folds
from lstmforecast.evaluation.scoring import METHODS

SMALL = {"horizon": 3, "window_size": 8, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
HOURS = pd.date_range("2026-01-01", periods=260, freq="h")
VALUES = np.random.default_rng(0).normal(size=(260, 2)).cumsum(axis=0)
FRAME = pd.DataFrame(VALUES, index=HOURS, columns=["load", "heat"])
COVERAGES, LEVELS = [0.5, 0.8], [0.1, 0.5, 0.7]
OPTIONS = {"folds": Folds(20, stride=3, refit=3, gap=2), "season_length": 5}


def small(**parameters: object) -> LSTMForecaster:
    return LSTMForecaster(**(SMALL | parameters))


def fits(result: BacktestResult) -> list[tuple[int, LSTMForecaster]]:
    """The obvious twin of what `result` forecast with: each origin, and the forecaster fitted as it was then."""
    fitted = [small().fit(FRAME[: origin - 2]) for origin in result.origins[::3]]
    return [(int(origin), fitted[i // 3]) for i, origin in enumerate(result.origins)]


def naive_quantiles(origin: int, last_fit: int, season: int, levels: list[float]) -> np.ndarray:
    """The obvious twin: errors of the naive forecast on each window held out, sorted, (n_levels, 3, 2)."""

    def forecast(at: int) -> np.ndarray:
        known = [list(row) for row in VALUES[:at]]
        for _ in range(3):
            known.append(known[-season])
        return np.array(known[at:])

    n = last_fit - 2
    held_out = range(round(0.8 * n), n - 3 + 1)
    errors = np.sort([VALUES[at : at + 3] - forecast(at) for at in held_out], axis=0)
    # of n, the ceil((n + 1) * level)-th, and below one half its mirror image
    ranks = [np.ceil(round((len(errors) + 1) * max(level, 1 - level), 9)) for level in levels]
    places = [int(r) - 1 if level >= 0.5 else len(errors) - int(r) for r, level in zip(ranks, levels, strict=True)]
    return forecast(origin) + errors[places]


@pytest.fixture(scope="module")
def result():
    return backtest(small(), FRAME, coverage=COVERAGES, levels=LEVELS, **OPTIONS)


@pytest.fixture(scope="module")
def truth(result):
    return np.array([VALUES[origin : origin + 3] for origin in result.origins])


def test_intervals_are_those_of_predict_interval_at_each_origin(result):
    table = result.intervals
    assert list(table.columns) == ["cutoff", "time", "step", "variable", "coverage", "lower", "upper"]
    assert len(table) == len(result.origins) * 3 * 2 * 2
    for origin, fitted in fits(result):
        rows = table[table.cutoff == HOURS[origin - 1]]
        expected = fitted.predict_interval(COVERAGES, context=FRAME[:origin])
        assert list(rows.time[::4]) == list(expected.index)
        assert list(rows.step[::4]) == [1, 2, 3]
        for coverage in COVERAGES:
            for side in ("lower", "upper"):
                ours = rows[rows.coverage == coverage].pivot_table(side, "time", "variable", observed=True)
                # One call for all windows, or one for each, in float32.
                np.testing.assert_allclose(
                    ours[["load", "heat"]], expected.xs((coverage, side), axis=1, level=[1, 2]), rtol=1e-5, atol=1e-5
                )


def test_interval_scores_are_those_of_the_metrics(result, truth):
    last_fits = np.repeat(result.origins[::3], 3)[: len(result.origins)]
    for c, coverage in enumerate(COVERAGES):
        levels = [(1 - coverage) / 2, (1 + coverage) / 2]
        bounds = {"LSTMForecaster": result.bounds[2 * c : 2 * c + 2]}
        for name, season in (("repeat-last", 1), ("seasonal-naive", 5)):
            each = [naive_quantiles(o, fit, season, levels) for o, fit in zip(result.origins, last_fits, strict=True)]
            bounds[name] = np.stack(each, axis=1)
        for method, (lower, upper) in bounds.items():
            scores = result.interval_scores.loc[(method, coverage)]
            by_step = result.interval_scores_by_step.xs((method, coverage), axis=1, level=[1, 2])
            # Errors are remembered in single precision.
            assert scores["width"] == pytest.approx((upper - lower).mean(), rel=1e-6)
            assert scores["coverage"] == pytest.approx(metrics.coverage(truth, lower, upper))
            score = metrics.interval_score(truth, lower, upper, coverage)
            assert scores["interval score"] == pytest.approx(score, rel=1e-6)
            held = [metrics.coverage(truth[:, i], lower[:, i], upper[:, i]) for i in range(3)]
            assert scores["least coverage of a step"] == pytest.approx(min(held))
            assert by_step["coverage"].tolist() == pytest.approx(held)
            assert by_step["width"].mean() == pytest.approx(scores["width"])
            assert by_step["interval score"].mean() == pytest.approx(scores["interval score"])


def test_quantile_scores_are_those_of_the_metrics(result, truth):
    table = result.quantile_scores
    assert list(table.columns) == [*LEVELS, "CRPS"]
    assert list(table.index) == list(METHODS)
    predicted = [
        fitted.predict_quantiles(LEVELS, context=FRAME[:origin]).to_numpy().reshape(3, 2, 3)
        for origin, fitted in fits(result)
    ]
    last_fits = np.repeat(result.origins[::3], 3)[: len(result.origins)]
    quantiles = {"LSTMForecaster": np.array(predicted)}
    for name, season in (("repeat-last", 1), ("seasonal-naive", 5)):
        each = [naive_quantiles(o, fit, season, LEVELS) for o, fit in zip(result.origins, last_fits, strict=True)]
        quantiles[name] = np.moveaxis(each, 1, -1)
    for method, values in quantiles.items():
        for i, level in enumerate(LEVELS):
            expected = mean_pinball_loss(truth.ravel(), values[..., i].ravel(), alpha=level)
            assert table.loc[method, level] == pytest.approx(expected, rel=1e-5)
        assert table.loc[method, "CRPS"] == pytest.approx(metrics.crps(truth, values, LEVELS), rel=1e-5)


def test_a_window_at_a_time_gives_the_same_scores(result, monkeypatch):
    monkeypatch.setattr(probabilistic, "MOST_VALUES", 1)
    again = backtest(small(), FRAME, coverage=COVERAGES, levels=LEVELS, **OPTIONS)
    np.testing.assert_array_equal(again.bounds, result.bounds)
    # Sums in another order.
    for name in ("interval_scores", "interval_scores_by_step", "quantile_scores"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name), rtol=1e-12)


def test_intervals_of_independent_values_hold_as_often_as_promised():
    y = np.random.default_rng(1).normal(size=3000)
    result = backtest(small(horizon=2), y, folds=1000, coverage=[0.5, 0.8, 0.95])
    for method in METHODS:
        for coverage in (0.5, 0.8, 0.95):
            # Binomial noise of the 1,000 values tested and of the 399 errors: 3 standard deviations.
            noise = 3 * np.sqrt(coverage * (1 - coverage) * (1 / 1000 + 1 / 399))
            assert result.interval_scores.loc[(method, coverage), "coverage"] == pytest.approx(coverage, abs=noise)
    # Errors of the last value are normal with a variance of 2: their width and, 5 % above it, their CRPS.
    assert result.interval_scores.loc[("repeat-last", 0.8), "width"] == pytest.approx(2 * 1.2816 * 2**0.5, rel=0.1)
    assert result.quantile_scores.loc["repeat-last", "CRPS"] == pytest.approx(1.05 * (2 / np.pi) ** 0.5, rel=0.1)


WIDE = backtest(small(), FRAME, folds=20, coverage=[round(0.1 * i, 1) for i in range(1, 10)])


@given(a=st.integers(1, 9), b=st.integers(1, 9))
def test_a_greater_coverage_widens_intervals(a, b):
    a, b = sorted((a, b))
    narrow, wide = (WIDE.intervals[WIDE.intervals.coverage == each / 10] for each in (a, b))
    assert (wide.lower.to_numpy() <= narrow.lower.to_numpy()).all()
    assert (wide.upper.to_numpy() >= narrow.upper.to_numpy()).all()
    for score in ("coverage", "width", "least coverage of a step"):
        table = WIDE.interval_scores[score].unstack()
        assert (table[b / 10] >= table[a / 10]).all()


def test_scaled_widths_and_losses_are_of_standardised_values(result):
    y = FRAME[["load"]]
    plain, scaled = (backtest(small(), y, folds=20, coverage=0.5, scaled=each) for each in (False, True))
    deviation = VALUES[:192, 0].std()  # 240 rows before the test set, of which the last fifth is held out
    for score, unit in [("coverage", 1), ("width", deviation), ("interval score", deviation)]:
        np.testing.assert_allclose(plain.interval_scores[score], unit * scaled.interval_scores[score], rtol=1e-12)
    np.testing.assert_allclose(plain.quantile_scores, deviation * scaled.quantile_scores, rtol=1e-12)


def test_made_up_values_neither_calibrate_nor_count():
    gappy = FRAME[["load"]].copy()
    gappy.iloc[[210, 211, 245]] = np.nan
    result = backtest(small(missing="interpolate"), gappy, folds=20, coverage=0.5, levels=0.5)
    # windows of three steps that begin two rows before the gap to its last row
    assert len(result.forecaster.fitted_.calibration.errors) == 240 - 192 - 3 + 1 - 4
    table = result.intervals.assign(truth=result.forecasts.truth)
    table = table[table.truth.notna()]
    assert len(table) == 3 * 18 - 3
    scores = result.interval_scores.loc[("LSTMForecaster", 0.5)]
    assert scores["coverage"] == pytest.approx(metrics.coverage(table.truth, table.lower, table.upper))
    assert scores["width"] == pytest.approx((table.upper - table.lower).mean())


def test_levels_are_added_where_the_rows_held_out_suffice():
    many, few = (backtest(small(), FRAME[:n], folds=20, coverage=0.5) for n in (260, 100))
    assert list(many.quantile_scores.columns[:-1]) == [round(0.05 * i, 2) for i in range(1, 20)]
    assert few.quantile_scores is None
    assert few.interval_scores is not None


def test_levels_alone_make_no_intervals():
    result = backtest(small(), FRAME, folds=20, levels=[0.3])
    assert result.intervals is None
    assert result.interval_scores is None
    assert list(result.quantile_scores.columns) == [0.3, "CRPS"]


def test_shorter_horizons_have_the_intervals_of_their_steps():
    short = backtest(small(), FRAME, folds=20, horizon=2, coverage=0.5)
    whole = backtest(small(), FRAME, folds=20, coverage=0.5)
    np.testing.assert_array_equal(short.bounds[:, :18], whole.bounds[:, :, :2])


def test_nothing_is_scored_that_was_not_asked_for():
    result = backtest(small(), FRAME, folds=20)
    assert result.intervals is None
    assert result.interval_scores is None
    assert result.quantile_scores is None


def test_the_result_prints_with_its_intervals(result):
    assert "least coverage of a step" in repr(result)
    assert result._repr_html_().count("<table") == 2


EXACT = {"calibration": "exact"}


@pytest.mark.parametrize(
    ("parameters", "options", "error", "words"),
    [
        ({}, {"coverage": 80}, ValueError, "expected coverage between 0 and 1, got 80"),
        ({}, {"coverage": "all"}, TypeError, "expected coverage to be a number or a list of numbers, got 'all'"),
        ({}, {"levels": [0.5, 0.5]}, ValueError, r"expected each levels once, got \[0.5, 0.5\]"),
        (EXACT, {"coverage": 0.99}, ValueError, "expected at least 199 windows held out for coverage=0.99, got 46"),
        (EXACT, {"levels": [0.5, 0.01]}, ValueError, "expected at least 99 windows held out for level=0.01, got 46"),
        # 60 rows, of which 12 are held out: the first fit has the fewest
        (
            EXACT,
            {"coverage": 0.9, "folds": Folds(200, refit=50)},
            ValueError,
            "expected at least 19 windows .*, got 10",
        ),
        ({}, {"coverage": 0.5, "horizon": 4}, ValueError, "expected a horizon of at most 3, as trained for, got 4"),
        ({"early_stopping": None}, {"coverage": 0.5}, ValueError, "expected rows held out by fit"),
        ({}, {"coverage": 0.5, "season_length": 200}, ValueError, "expected season_length of at most 192, .*got 200"),
    ],
)
def test_what_cannot_be_promised_is_said_before_anything_is_fitted(parameters, options, error, words):
    def refuse(record):
        raise AssertionError("fitted")

    with pytest.raises(error, match=words):
        backtest(small(callbacks=[refuse], **parameters), FRAME, **({"folds": 20} | options))
