"""Plots of a hyper-parameter search."""

from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib import pyplot

from lstmforecast import plot
from lstmforecast.tuning.tuning_result import trials_of


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def result_of(values, pruned=()):
    """What `lstmforecast.tune` returns, of trials in which x says all, y nothing, and lines have no y."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for i, value in enumerate(values):
        trial = study.ask()
        kind = trial.suggest_categorical("architecture", ["lstm", "linear"])
        x = trial.suggest_float("x", 0, 1)
        if kind == "lstm":
            trial.suggest_float("y", 0, 1)
        trial.report(x, 1)
        study.tell(trial, None if i in pruned else x + value, optuna.trial.TrialState.PRUNED if i in pruned else None)
    index = ["best", "as given", "repeat-last", "seasonal-naive"]
    scores = pd.DataFrame({"MSE": [0.0, 1.0, 3.0, 2.0]}, index)
    return SimpleNamespace(study_=study, trials_=trials_of(study, {}), scores_=scores, metric_="MSE")


def test_importances_are_those_of_trials_that_have_all_parameters():
    ax = plot.importance(result_of(np.zeros(40)))
    names = [label.get_text() for label in ax.get_yticklabels()]
    widths = [bar.get_width() for bar in ax.patches]
    # all of them are LSTMs, so that the architecture explains nothing
    assert names == ["y", "x"]
    assert sum(widths) == pytest.approx(1)
    assert widths[1] > 0.8
    assert ax.get_xlabel() == "importance for MSE"


def test_importances_need_trials():
    with pytest.raises(ValueError, match="expected two trials or more that have all parameters"):
        plot.importance(result_of([0.0]))


def test_trials_are_drawn_with_the_best_so_far_within_the_axes():
    values = [1.0, 100.0, -0.5, 1.0]
    result = result_of(values, pruned=[3])
    ax = plot.trials(result)
    drawn = {line.get_label(): line for line in ax.get_lines()}
    assert set(drawn) == {"trial", "best so far", "as given", "repeat-last", "seasonal-naive"}
    done = result.trials_["value"][:3]
    np.testing.assert_array_equal(drawn["best so far"].get_ydata(), done.cummin())
    np.testing.assert_array_equal(drawn["trial"].get_xdata(), [0, 1, 2])
    assert max(drawn["trial"].get_ydata()) == pytest.approx(1.05 * 3.0)
    assert max(drawn["trial"].get_ydata()) < ax.get_ylim()[1]
