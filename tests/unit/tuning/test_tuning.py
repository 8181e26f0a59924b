"""Hyper-parameter search: which rows trials see, how they are scored and pruned, storages, results."""

import logging
import subprocess
import sys

import numpy as np
import optuna
import pandas as pd
import pytest

from lstmforecast import (
    LSTM,
    AdamW,
    Attention,
    Device,
    EarlyStopping,
    Folds,
    LSTMForecaster,
    LSTMRegressor,
    Plateau,
    Pretrained,
    Quantiles,
    Sampling,
    backtest,
    tune,
)
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.tuning.study import task_of
from lstmforecast.tuning.trial import UNITS, SameUnitsPruner, Stop, Validation, evaluate, units_of

HOURS = pd.date_range("2024-01-01", periods=200, freq="h")
Y = pd.Series(np.sin(np.arange(200) / 4) + np.random.default_rng(0).normal(size=200) / 5, HOURS, name="load")
SPACE = {"learning_rate": ("log", 1e-3, 1e-1), "hidden_size": [4, 8], "normalize": ["last", "window", None]}
SMALL = {"window_size": 12, "normalize": "last", "hidden_size": 8, "max_epochs": 3, "n_threads": 1}


def small(**parameters):
    return LSTMForecaster(**({"horizon": 4} | SMALL | parameters))


def search(y=Y, estimator=None, **options):
    options = {"space": SPACE, "n_trials": 4, "random_state": 0} | options
    return tune(small() if estimator is None else estimator, y, **options)


@pytest.fixture(scope="module")
def result():
    return search(n_trials=8)


def test_the_first_trial_is_the_estimator_as_given(result):
    first = result.trials_.iloc[0]
    assert (first.learning_rate, first.hidden_size, first.normalize) == (3e-3, 8, "last")
    assert first.value == result.scores_.loc["as given", "MSE"]
    assert result.best_value_ <= first.value


def test_a_value_is_the_error_of_a_backtest_in_deviations_of_the_rows_before(result):
    best = small(**result.best_params_, random_state=result.best_estimator_.random_state)
    scores = backtest(best, Y, folds=0.2).scores / Y[:160].std(ddof=0) ** 2
    # The same numbers, divided before or after they are summed.
    assert result.best_value_ == pytest.approx(scores.loc["LSTMForecaster", "MSE"], rel=1e-9)
    for naive in ("repeat-last", "seasonal-naive"):
        assert result.scores_.loc[naive, "MSE"] == pytest.approx(scores.loc[naive, "MSE"], rel=1e-9)


def test_the_units_of_a_value_are_those_of_the_data_whatever_a_trial_scales_with(result):
    space = {
        "scaler": ["standard", "minmax", None],
        "early_stopping__validation_fraction": [0.2, 0.4],
        "loss": ["mse", "mae"],
    }
    other = search(space=space, n_trials=5)
    naive = ["repeat-last", "seasonal-naive"]
    pd.testing.assert_frame_equal(other.scores_.loc[naive], result.scores_.loc[naive])
    # a loss on values between 0 and 1, or of other rows, is much smaller than an error in deviations
    assert other.trials_["value"].between(0.01, 2).all()


def test_no_fit_sees_the_validation_rows():
    changed = Y.copy()
    changed.iloc[160:] += 1000 * np.arange(40)
    # what is learned before is the same, as is what is reported of it; scores aren't
    before, after = search().study_.trials, search(changed).study_.trials
    assert [trial.intermediate_values for trial in before] == [trial.intermediate_values for trial in after]
    assert before[0].value != after[0].value


def test_the_best_is_fitted_again_on_all_rows(result):
    expected = small(**result.best_params_, random_state=result.best_estimator_.random_state).fit(Y)
    pd.testing.assert_series_equal(result.best_estimator_.predict(), expected.predict())
    assert result.best_estimator_.cutoff_ == HOURS[-1]
    assert result.best_estimator_.callbacks is None


def test_same_seed_same_trials(result):
    again = search(n_trials=8)
    pd.testing.assert_frame_equal(again.trials_.drop(columns="seconds"), result.trials_.drop(columns="seconds"))
    assert list(search(random_state=1).trials_["learning_rate"])[1:] != list(again.trials_["learning_rate"])[1:4]


def test_a_trial_with_worse_losses_than_the_median_is_pruned():
    worst = {"learning_rate": ("log", 1e-9, 1e-8), "architecture__linear_skip": [False]}
    estimator = small(architecture=LSTM(linear_skip=False), max_epochs=6, learning_rate=1e-2)
    result = search(estimator=estimator, space=worst, pruner=optuna.pruners.MedianPruner(1, n_warmup_steps=3))
    assert list(result.trials_["state"]) == ["complete", "pruned", "pruned", "pruned"]
    assert list(result.trials_["epochs"]) == [6, 3, 3, 3]
    assert result.trials_["value"].isna().tolist() == [False, True, True, True]
    # the learning rate as given lies outside of the space
    assert result.best_params_ == {"architecture__linear_skip": False}


def test_the_estimator_as_given_is_never_pruned():
    class Always(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return True

    result = search(pruner=Always(), n_trials=3)
    assert list(result.trials_["state"]) == ["complete", "pruned", "pruned"]
    assert list(result.trials_["epochs"]) == [3, 1, 1]


def test_losses_are_compared_in_the_same_units_only():
    study = optuna.create_study(pruner=SameUnitsPruner(optuna.pruners.MedianPruner(1, 0)))
    for units, loss in [("a", 1.0), ("b", 100.0)]:
        trial = study.ask()
        trial.set_user_attr("units", units)
        trial.report(loss, 1)
        study.tell(trial, loss)
    pruned = {}
    for units in "ab":
        trial = study.ask()
        trial.set_user_attr("units", units)
        trial.report(50.0, 1)
        pruned[units] = trial.should_prune()
    assert pruned == {"a": True, "b": False}
    assert units_of(small()) != units_of(small(normalize="window"))
    assert set(UNITS) <= set(flat_parameters(LSTMForecaster()))


def test_a_search_goes_on_from_its_storage(tmp_path):
    path = tmp_path / "trials.db"
    first = search(storage=path, n_trials=3)
    second = search(storage=path, n_trials=7)
    pd.testing.assert_frame_equal(second.trials_.iloc[:3], first.trials_, check_dtype=False)
    assert len(second.trials_) == 7
    # nothing is drawn twice, and nothing is left to do
    assert second.trials_["learning_rate"].nunique() == 7
    third = search(storage=f"sqlite:///{path}", n_trials=5)
    assert len(third.trials_) == 7
    assert third.best_value_ == second.best_value_


def test_a_storage_of_another_task_is_refused(tmp_path):
    path = tmp_path / "trials.db"
    search(storage=path, n_trials=1)
    others = [{"y": Y + 1}, {"estimator": small(batch_size=64)}, {"metric": "MAE"}]
    for other in (*others, {"folds": 0.3}, {"folds": Folds(stride=2)}, {"folds": Folds(gap=1)}):
        with pytest.raises(ValueError, match="expected study 'lstmforecast' of the storage"):
            search(**({"storage": path} | other))
    assert len(search(storage=path, n_trials=1, study_name="other", metric="MAE").trials_) == 1


@pytest.mark.parametrize(
    ("parameters", "task"),
    [
        ({}, "65fd7495862feab7d3e5e840be7ae197"),
        (
            {"architecture": Attention(8, segment_length=3, linear_skip=False, bidirectional=True)},
            "88436c72b41cbef824f59b6db3d00920",
        ),
        (
            {
                "loss": Quantiles([0.1, 0.9]),
                "optimizer": AdamW(weight_decay=0.1),
                "early_stopping": EarlyStopping(5, validation_fraction=0.3, min_delta=0.1),
                "lr_schedule": Plateau(2),
                "sampling": Sampling(stride=3, steps_per_epoch=7),
                "device": Device(backend="torch", timeout=5.0),
                "pretrained": Pretrained(freeze="lstm.*"),
            },
            "149b9c3399dff25fb957f9bd459f729f",
        ),
    ],
)
def test_a_storage_of_version_0_1_is_one_of_the_same_task(parameters, task):
    forecaster = LSTMForecaster(4, window_size=12, **parameters)
    assert task_of(forecaster, read_series(forecaster, np.arange(40.0)), 0.2, 1, "MSE") == task


def test_a_study_has_the_parameters_of_objects_as_version_0_1_named_them(tmp_path):
    path = tmp_path / "trials.db"
    space = {"learning_rate": [1e-2, 1e-3], "optimizer__weight_decay": [0.0, 0.1], "device__name": ["cpu"]}
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="lstmforecast")
    seen = read_series(small(), Y)
    study.set_user_attr("task", task_of(small(), seen, 0.2, 1, "MSE"))
    choices = {"learning_rate": [1e-2, 1e-3], "weight_decay": [0.0, 0.1], "device__name": ["cpu"]}
    values = {"learning_rate": 1e-2, "weight_decay": 0.1, "device__name": "cpu"}
    lists = {name: optuna.distributions.CategoricalDistribution(each) for name, each in choices.items()}
    naive = {"repeat-last": {"MSE": 1.0}, "seasonal-naive": {"MSE": 1.0}}
    study.set_user_attr("naive", naive)
    # better than any that follows
    best = optuna.trial.create_trial(params=values, distributions=lists, value=0.0, user_attrs={"scores": {"MSE": 0.0}})
    study.add_trial(best)
    result = search(storage=path, space=space, n_trials=3)
    assert result.study_.best_trial.number == 0
    assert result.best_params_ == {"learning_rate": 1e-2, "optimizer__weight_decay": 0.1, "device__name": "cpu"}
    assert result.best_estimator_.optimizer.weight_decay == 0.1
    assert {"learning_rate", "optimizer__weight_decay", "device__name"} < set(result.trials_)
    assert "weight_decay" not in result.trials_
    assert all(trial.params.keys() <= choices.keys() for trial in result.study_.trials)


def test_other_choices_than_those_of_the_storage_are_refused(tmp_path):
    path = tmp_path / "trials.db"
    search(storage=path, space={"hidden_size": [4, 8], "dropout": (0.0, 0.1)}, n_trials=1)
    with pytest.raises(
        ValueError, match=r"expected hidden_size in space to be .*\(4, 8\).*, got .*; give another study"
    ):
        search(storage=path, space={"hidden_size": [4, 8, 16], "dropout": (0.0, 0.1)}, n_trials=2)
    assert len(search(storage=path, space={"hidden_size": [4, 8], "dropout": (0.0, 0.2)}, n_trials=2).trials_) == 2


def test_a_space_may_grow_from_call_to_call_but_not_lose_parameters(tmp_path):
    path, space = tmp_path / "trials.db", {"learning_rate": ("log", 1e-3, 1e-1)}
    # fewer units are worse: the best trial is one of the first
    alone = small(hidden_size=16, architecture=LSTM(mix_naive=False))
    first = search(storage=path, space=space, n_trials=3, estimator=alone)
    more = {**space, "hidden_size": [1]}
    second = search(storage=path, space=more, n_trials=4, estimator=alone)
    assert second.study_.best_trial.number < 3
    assert second.best_params_ == first.best_params_
    assert second.best_estimator_.hidden_size == 16
    with pytest.raises(
        ValueError, match=r"expected space to have all .*, got none for \['hidden_size'\]; give another"
    ):
        search(storage=path, space=space, n_trials=5, estimator=alone)


@pytest.mark.torch
def test_objects_are_choices_and_their_parameters_are_those_of_the_chosen_one():
    own, other = LSTM(segment_length=3), Attention(num_heads=2)
    space = {
        "architecture": [own, other, "linear"],
        "architecture__num_heads": [2, 4],
        "architecture__supervision": ["last", "every"],
        "architecture__segment_length": [3, 4],
    }
    result = search(estimator=small(architecture=own), space=space, n_trials=12)
    assert (own, other) == (LSTM(segment_length=3), Attention(num_heads=2))
    table = result.trials_
    assert table["architecture"].iloc[0] == "LSTM(segment_length=3)"
    assert set(table["architecture"]) == {"LSTM(segment_length=3)", "Attention(num_heads=2)", "linear"}
    kinds = table["architecture"].str.partition("(")[0]
    assert (table["architecture__num_heads"].notna() == (kinds == "Attention")).all()
    assert (table["architecture__supervision"].notna() == (kinds == "LSTM")).all()
    assert (table["architecture__segment_length"].notna() == (kinds != "linear")).all()
    expected = small(architecture=own).set_params(**result.best_params_)
    assert result.best_estimator_.architecture == expected.architecture
    assert set(table["state"]) <= {"complete", "pruned"}


def test_what_was_found_before_an_interrupt_is_kept(tmp_path):
    path, seen = tmp_path / "trials.db", []

    def interrupt(record):
        seen.append(record)
        if len(seen) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(estimator=small(callbacks=[interrupt]), storage=path)
    states = [
        trial.state.name for trial in optuna.load_study(study_name="lstmforecast", storage=f"sqlite:///{path}").trials
    ]
    assert states == ["COMPLETE", "COMPLETE", "FAIL"]
    assert list(search(storage=path).trials_["state"]) == ["complete", "complete", "fail", "complete"]


def test_parameters_that_exclude_each_other_fail_in_their_trial_only():
    result = search(space={"window_size": [12, 1000]}, n_trials=6)
    failed = result.trials_[result.trials_["state"] == "fail"]
    assert len(failed)
    assert failed["error"].str.startswith("expected at least").all()
    assert result.trials_["error"].notna().sum() == len(failed)


def test_an_estimator_that_cannot_be_fitted_is_an_error():
    with pytest.raises(ValueError, match=r"expected at least \d+ rows for window_size=1000"):
        search(estimator=small(window_size=1000))


def test_a_function_may_choose():
    def choose(trial):
        size = trial.suggest_int("size", 2, 5)
        return {"hidden_size": 2**size, "dropout": 0.1 if size > 3 else 0.0}

    result = search(space=choose)
    best = result.study_.best_trial
    assert result.best_params_.get("hidden_size") == (2 ** best.params["size"] if best.params else None)
    assert result.trials_["size"].isna().tolist() == [True, False, False, False]


def test_several_trials_at_a_time_are_as_good_as_one():
    found = [search(n_jobs=n_jobs, sampler=optuna.samplers.RandomSampler(seed=0), n_trials=6) for n_jobs in (1, 2)]
    # whichever ends first, the same points, and on one thread each the same bits
    pd.testing.assert_frame_equal(*(each.trials_.drop(columns="seconds") for each in found))


def test_time_ends_a_search():
    storage = optuna.storages.InMemoryStorage()
    result = search(n_trials=None, timeout=0.5, storage=storage)
    starts = [trial.datetime_start.timestamp() for trial in result.study_.trials]
    # no trial begins after the time is over, those that have begun are finished
    assert max(starts) - min(starts) < 0.5
    assert set(result.trials_["state"]) <= {"complete", "pruned"}
    assert result.trials_["state"].iloc[0] == "complete"
    assert len(search(n_trials=None, timeout=0, storage=storage).trials_) == len(result.trials_)


def test_a_panel_is_tuned_on_the_end_of_each_series():
    times = pd.MultiIndex.from_product([["a", "b", "c"], HOURS[:80]], names=["unique_id", "ds"])
    panel = pd.DataFrame({"y": np.tile(Y[:80], 3) * np.repeat([1.0, 10.0, 100.0], 80)}, times)
    result = search(panel, metric="RMSSE", n_trials=2)
    assert list(result.scores_.columns) == ["MAE", "MSE", "RMSE", "sMAPE", "MASE", "RMSSE"]
    # the series differ in scale alone, of which deviations know nothing
    one = search(Y[:80], n_trials=1)
    assert result.scores_.loc["repeat-last", "MSE"] == pytest.approx(one.scores_.loc["repeat-last", "MSE"], rel=1e-9)


def test_neither_trials_nor_the_best_write_or_read_checkpoints(tmp_path):
    folder = tmp_path / "checkpoints"
    result = search(estimator=small(checkpoint=folder, warm_start=True), n_trials=2)
    assert not folder.exists()
    assert (result.best_estimator_.checkpoint, result.best_estimator_.warm_start) == (None, False)


def test_none_that_a_trial_chose_is_none_in_the_table(result):
    chosen = [trial.params["normalize"] for trial in result.study_.trials]
    assert None in chosen
    assert result.trials_["normalize"].tolist() == chosen


def test_a_series_without_rows_before_the_validation_rows_is_left_out():
    times = pd.MultiIndex.from_product([["a", "b"], HOURS[:80]], names=["unique_id", "ds"])
    panel = pd.DataFrame({"y": np.tile(Y[:80], 2)}, times)
    short = pd.concat([panel, panel.loc[["a"]].iloc[:15].rename({"a": "c"}, level=0)])
    one, other = (search(y, n_trials=1, folds=20).scores_ for y in (panel, short))
    pd.testing.assert_frame_equal(one, other)


def test_a_trial_ends_when_the_search_has_ended():
    study, stop = optuna.create_study(), Stop()
    validation = Validation.of(read_series(small(), Y), (Y, None, None, None, None), Folds(), 4)
    stop.now = True
    outcome = evaluate(study.ask(), small(), validation, stop)
    assert (outcome.scores, outcome.error, outcome.losses) == (None, None, {})


def test_it_prints_nothing_and_keeps_the_verbosity_of_optuna(capfd):
    search(n_trials=2)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert logging.getLogger("optuna").level == logging.INFO
    assert capfd.readouterr() == ("", "")


def test_a_result_prints_scores_and_best_parameters(result):
    text = repr(result)
    for word in ("8 trials", "MSE", "as given", "repeat-last", "seasonal-naive", "learning_rate="):
        assert word in text
        assert word in result._repr_html_()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": None}, "expected n_trials or timeout"),
        ({"n_trials": 0}, "expected n_trials to be at least 1"),
        ({"timeout": -1}, "expected timeout to be a number of seconds"),
        ({"metric": "RMSSE"}, "expected metric to be one of"),
        ({"folds": 300}, "^expected a test set of at most 199 rows, got 300$"),
        ({"folds": Folds(refit=20)}, "expected folds with refit=False, as a trial is one fit, got refit=20"),
        ({"estimator": small(device=Device(distributed=True))}, "expected distributed=False in Device"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        search(**options)
    with pytest.raises(TypeError, match="expected estimator to be an LSTMForecaster, got LSTMRegressor"):
        search(estimator=LSTMRegressor())


@pytest.mark.parametrize("space", [SPACE, lambda trial: {}])
def test_a_space_in_the_place_of_covariates_is_refused(space):
    with pytest.raises(
        TypeError, match=r"^expected X as a table of covariates, got .*; pass a search space as space=$"
    ):
        tune(small(), Y, space)


def test_arguments_that_are_options_of_folds_are_refused():
    with pytest.raises(TypeError, match=r"^expected folds=lstmforecast.Folds\(test_size=0.3, stride=2\), got valid"):
        search(validation_size=0.3, stride=2)


def test_missing_values_of_the_validation_rows_are_no_truth():
    y = Y.copy()
    y.iloc[[50, 170, 171]] = np.nan
    result = search(y, estimator=small(missing="interpolate"), n_trials=1)
    seen = read_series(small(missing="ffill"), y)
    validation = Validation.of(seen, (y, None, None, None), Folds(), 4)
    assert validation.n_before == 160
    scores = backtest(small(missing="interpolate"), y, folds=0.2).scores
    # the deviation is that of the rows before, where the gap is filled with the value before it
    expected = scores.loc["repeat-last", "MSE"] / y[:160].ffill().std(ddof=0) ** 2
    assert result.scores_.loc["repeat-last", "MSE"] == pytest.approx(expected, rel=1e-9)


def test_folds_are_those_of_the_backtest():
    folds = Folds(40, stride=3, gap=5, window="sliding", train_size=100)
    result = search(folds=folds, n_trials=1)
    scores = backtest(small(random_state=result.best_estimator_.random_state), Y, folds=folds).scores
    assert result.best_value_ == pytest.approx(scores.loc["LSTMForecaster", "MSE"] / Y[:160].std(ddof=0) ** 2, rel=1e-9)
    seen = read_series(small(), Y)
    sizes = [Validation.of(seen, (Y, None, None, None), each, 4).n_before for each in (folds, Folds(40, gap=5))]
    assert sizes == [100, 155]


def test_without_optuna_it_says_how_to_install_it():
    code = (
        "import sys; sys.modules['optuna'] = None\nfrom lstmforecast import LSTMForecaster, tune\n"
        "try:\n    tune(LSTMForecaster(), [1.0, 2.0])\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'tune needs Optuna: pip install "lstmforecast[tune]"'


def test_losses_of_an_ensemble_are_told_once():
    result = search(estimator=small(n_estimators=2), n_trials=1)
    assert result.trials_["epochs"].iloc[0] == 3
    assert result.trials_["state"].iloc[0] == "complete"
