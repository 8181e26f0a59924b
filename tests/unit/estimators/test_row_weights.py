"""Forecasters whose rows count by weights: fits, files, backtests and searches, by an array or by a column."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lstmforecast import Folds, LSTMForecaster, backtest, tune
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.fitting.checkpoint import Checkpoint
from lstmforecast.tuning.study import task_of

N = 160
HOURS = pd.date_range("2026-01-01", periods=N, freq="h")
RNG = np.random.default_rng(0)
Y = pd.Series(np.sin(np.arange(N) / 3) + RNG.normal(0, 0.2, N), HOURS, name="load")
WEIGHTS = RNG.uniform(0, 2, N)
TABLE = pd.DataFrame({"hour": HOURS, "load": Y.to_numpy(), "importance": WEIGHTS})
NAMES = {"target": "load", "time": "hour", "weights": "importance"}


def small(**parameters):
    return LSTMForecaster(
        **{"horizon": 4, "window_size": 12, "hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}
        | parameters
    )


def assert_same(first, second):
    for name, values in first.model_.parameters().items():
        assert_array_equal(second.model_.parameters()[name], values)
    pd.testing.assert_frame_equal(first.history_.drop(columns="seconds"), second.history_.drop(columns="seconds"))


def differ(first, second):
    parameters = second.model_.parameters()
    return any((values != parameters[name]).any() for name, values in first.model_.parameters().items())


@pytest.mark.parametrize("weight", [1, 2.0, 0.3, 1e-300])
def test_equal_weights_are_the_fit_without(weight):
    assert_same(small().fit(Y), small().fit(Y, weights=np.full(N, weight)))


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-9, 1e9))
def test_the_scale_of_weights_does_not_matter(scale):
    expected, got = (small().fit(Y, weights=weights).model_ for weights in (WEIGHTS, scale * WEIGHTS))
    for name, values in expected.parameters().items():
        # a scale that is no power of 2 changes the last bit of a weight in single precision, and of Adam's few steps
        assert_allclose(got.parameters()[name], values, atol=1e-4)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"loss": "quantile"},
        {"architecture": "linear"},
        {"n_estimators": 2},
        {"early_stopping": None},
        {"architecture__supervision": "every"},
    ],
    ids=str,
)
def test_every_fit_is_weighted(parameters):
    nested = {name: parameters.pop(name) for name in [*parameters] if "__" in name}
    if nested:
        parameters["architecture"] = "lstm"
    models = [small(**parameters).set_params(**nested) for _ in range(2)]
    assert differ(models[0].fit(Y), models[1].fit(Y, weights=WEIGHTS))


@pytest.mark.parametrize("architecture", ["lstm", "linear"])
@pytest.mark.parametrize("loss", ["mse", "huber", "normal"])
def test_a_weight_of_zero_is_a_missing_target(loss, architecture):
    # the last rows are in no window, so that only as targets they matter
    options = {"missing": "mask", "early_stopping": None, "scaler": None, "loss": loss, "architecture": architecture}
    y, weights = Y.copy(), np.ones(N)
    # one gap in both, as otherwise only one of them has values missing
    y.iloc[40] = np.nan
    weights[-4:] = 0
    lacking = y.copy()
    lacking.iloc[-4:] = np.nan
    corrupted = y.copy()
    corrupted.iloc[-4:] = 1e3
    expected = small(**options).fit(lacking)
    assert_same(expected, small(**options).fit(y, weights=weights))
    assert_same(expected, small(**options).fit(corrupted, weights=weights))
    assert differ(expected, small(**options).fit(y))


def test_a_known_covariate_of_rows_that_do_not_count_has_no_effect():
    n, rng = 800, np.random.default_rng(0)
    hours, promo = pd.date_range("2026-01-01", periods=n, freq="h"), rng.normal(size=n)
    y = pd.Series(np.cumsum(promo) + rng.normal(0, 0.3, n), hours)
    wrong, weights = y.copy(), np.ones(n)
    wrong.iloc[400:430] += 50 * promo[400:430]
    weights[400:430] = 0

    def effect(y, **options):
        model = small(architecture="linear", early_stopping=None, scaler=None, normalize=None)
        model.fit(y, X=pd.Series(promo, hours), **options)
        return float(model.model_.parameters()["known.weight"][0, 0])

    # windows that read the wrong rows count, hence not the same: .003 with and .19 without weights
    assert abs(effect(wrong, weights=weights) - effect(y)) < 0.05 < abs(effect(wrong) - effect(y))


def test_a_column_of_a_table_has_the_weights():
    expected = small().fit(Y, weights=WEIGHTS)
    mixed = TABLE.sample(frac=1, random_state=0)
    model = small().fit(mixed, **NAMES)
    assert_same(expected, model)
    # neither a target nor a covariate
    assert (list(model.context_), model.model_.config["n_features"]) == (["hour", "load"], 1)


def test_a_panel_has_a_weight_for_each_row():
    panel = pd.concat({"b": Y, "a": Y.iloc[:120] + 3}, names=["shop", "hour"])
    weights = pd.Series(RNG.uniform(0, 2, len(panel)), panel.index)
    expected = small().fit(panel, weights=weights.to_numpy())
    assert_same(expected, small().fit(panel, weights=weights.sample(frac=1, random_state=0)))
    assert differ(expected, small().fit(panel))
    table = panel.rename("load").reset_index().assign(importance=weights.to_numpy()).sample(frac=1, random_state=0)
    # series are in the order of their first rows
    table = pd.concat([table[table["shop"] == shop] for shop in ("b", "a")])
    assert_same(expected, small().fit(table, series="shop", **NAMES))


def test_names_are_kept_in_files_and_later_rows_need_no_weights(tmp_path):
    model = small().fit(TABLE, **NAMES)
    model.save(tmp_path / "model")
    loaded = LSTMForecaster.load(tmp_path / "model")
    later = pd.DataFrame({"hour": HOURS[-1:] + HOURS.freq, "load": [0.5]})
    for rows in (later, later.assign(importance=2.0)):
        forecasts = [each.predict(context=pd.concat([TABLE, rows])) for each in (model, loaded)]
        pd.testing.assert_frame_equal(*forecasts)
    assert loaded.update(later).fitted_.dataset.columns.weights == "importance"
    scores = backtest(loaded, TABLE, folds=20).scores
    pd.testing.assert_frame_equal(scores, backtest(small(), TABLE, **NAMES, folds=20).scores)
    with pytest.raises(ValueError, match=re.escape("expected weights to name columns of the table, ['hour', 'load']")):
        backtest(loaded, TABLE[["hour", "load"]], folds=20)


def test_folds_of_a_backtest_are_fitted_with_their_weights():
    result = backtest(small(), Y, weights=WEIGHTS, folds=Folds(20, refit=10), others={"other": small()})
    assert_array_equal(result.others["other"], result.values)
    first = small().fit(Y.iloc[:140], weights=WEIGHTS[:140])
    assert_array_equal(result.values[0, :, 0], first.predict())
    # no fold sees later weights
    later = np.where(np.arange(N) < 140, WEIGHTS, 5.0)
    assert_array_equal(backtest(small(), Y, weights=later, folds=Folds(20)).values[0, :, 0], first.predict())


def test_a_search_fits_with_weights():
    options = {"space": {"hidden_size": [4]}, "n_trials": 1, "folds": 20, "random_state": 0}
    result = tune(small(), Y, weights=WEIGHTS, **options)
    assert_same(result.best_estimator_, small().fit(Y, weights=WEIGHTS))
    expected = backtest(small(), Y, weights=WEIGHTS, folds=20).scores["MAE"].iloc[0]
    # divided by the deviation of the rows before
    assert_allclose(result.scores_.loc["best", "MAE"] * Y.iloc[:140].std(ddof=0), expected, rtol=1e-9)
    assert_same(result.best_estimator_, tune(small(), TABLE, **NAMES, **options).best_estimator_)
    tasks = [task_of(small(), read_series(small(), Y, None, None, None, weights)) for weights in (None, WEIGHTS)]
    assert tasks[0] != tasks[1]
    # only ratios matter
    assert task_of(small(), read_series(small(), Y, None, None, None, 3 * WEIGHTS)) == tasks[1]
    assert task_of(small(), read_series(small(), Y, None, None, None, WEIGHTS[::-1])) != tasks[1]


def test_a_checkpoint_of_other_weights_is_not_resumed(tmp_path):
    checkpoint = Checkpoint(tmp_path, resume=True)
    small(checkpoint=checkpoint).fit(Y, weights=WEIGHTS)
    small(checkpoint=checkpoint).fit(Y, weights=2 * WEIGHTS)
    for other in ({"weights": WEIGHTS[::-1]}, {}):
        with pytest.raises(ValueError, match=r"expected data .* as in the checkpoint"):
            small(checkpoint=checkpoint).fit(Y, **other)


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        (
            {"augment": ["jitter", "time_warp"]},
            {"weights": WEIGHTS},
            "expected no time_warp or window_slice in augment with weights, as they move rows in time, got one",
        ),
        (
            {},
            {"weights": np.arange(N) < 100},
            "expected weights above 0 for targets of the validation part, got zeros only",
        ),
        (
            {},
            {"weights": np.arange(N) > 140},
            "expected weights above 0 for targets of the training part, got zeros only",
        ),
    ],
)
def test_what_weights_cannot_do_is_refused(parameters, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        small(**parameters).fit(Y, **arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"weights": WEIGHTS},
            (
                "expected weights to name a column of the table, where columns are named, got ndarray; join them with "
                "the table"
            ),
        ),
        ({"weights": "importanc"}, "got 'importanc'; did you mean 'importance'?"),
        (
            {"weights": ["importance", "load"]},
            "to name one column of the table, got ['importance', 'load']",
        ),
        ({"weights": "load"}, "expected one role for each column, got 'load' in target= and weights="),
        ({"weights": None}, "expected a role for every column of the table, got none for ['importance']"),
    ],
)
def test_the_name_of_weights_is_checked(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        small().fit(TABLE, **NAMES | changes)


def test_a_column_of_wrong_weights_is_named():
    message = "expected weights='importance' to be finite and 0 or more, got -1 at 2026-01-01 05:00:00 (row 5)"
    with pytest.raises(ValueError, match=re.escape(message)):
        small().fit(TABLE.assign(importance=np.where(np.arange(N) == 5, -1, 1)), **NAMES)


@pytest.mark.parametrize("weights", [1.0, True, iter(WEIGHTS), {"a": 1.0}], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("y", [Y, Y.to_numpy()], ids=["series", "array"])
def test_what_is_no_name_is_called_no_numbers(y, weights):
    with pytest.raises(TypeError, match=r"^expected weights with one number for each row of y, got "):
        small().fit(y, weights=weights)


@pytest.mark.parametrize(("weights", "got"), [("balanced", "'balanced'"), (["w"], "['w']")])
def test_a_name_needs_a_table(weights, got):
    message = (
        "expected weights to be numbers, one for each row, or the name of a column of a table with named columns, "
        f"got {got}"
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        small().fit(Y, weights=weights)


@pytest.mark.parametrize("label", ["importance", ("how", "much")])
def test_a_list_of_one_name_is_that_name(label):
    table = TABLE.set_axis(pd.Index(["hour", "load", label], tupleize_cols=False), axis=1)
    assert_same(small().fit(TABLE, **NAMES), small().fit(table, target="load", time="hour", weights=[label]))


def test_words_for_weights_are_refused_at_fit_and_not_read_later():
    words = TABLE.assign(importance="high")
    message = "in column 'importance' of the table, for weights='importance', got 'high'; convert it with pd.to_numeric"
    with pytest.raises(TypeError, match=re.escape(message)):
        small().fit(words, **NAMES)
    model = small().fit(TABLE, **NAMES)
    pd.testing.assert_frame_equal(model.predict(context=words), model.predict(context=TABLE))
    later = words.assign(hour=HOURS + N * HOURS.freq)
    assert model.update(later).cutoff_ == later["hour"].iloc[-1]


@pytest.mark.parametrize("n_zeros", [140, 138])
def test_a_fold_without_weights_is_named(n_zeros):
    # the second fold sees weights
    weights = np.where(np.arange(N) < n_zeros, 0.0, 1.0)
    message = (
        "got zeros only, in the fit on the rows from 2026-01-01 00:00:00 to 2026-01-06 19:00:00; give some of these "
        "rows a weight above 0, or choose folds that fit on more rows"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        backtest(small(), Y, weights=weights, folds=Folds(20, refit=10))
    with pytest.raises(ValueError, match="in the fit on the rows from 0 to 139; give"):
        backtest(small(), Y.to_numpy(), weights=weights, folds=Folds(20, refit=10))


def test_a_fitted_forecaster_takes_all_names_or_none():
    model = small().fit(TABLE.drop(columns="importance"), target="load", time="hour")
    message = (
        "expected names for all roles of columns, or for none, which takes those of the fitted forecaster, got "
        "weights='importance' alone; name target=, time= and the others too"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        backtest(model, TABLE, weights="importance", folds=20)
