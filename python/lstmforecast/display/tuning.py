"""Plots of a hyper-parameter search: the importance of parameters, and the scores of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmforecast.display.style import COLORS, INK, axes_for, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lstmforecast.tuning.tuning_result import TuneResult


def draw_importance(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw the importance of each parameter; see `lstmforecast.plot.importance`."""
    found = _importances(result)
    panel: Axes = axes_for(ax)[0]
    names = sorted(found, key=lambda name: found[name])
    panel.barh(names, [found[name] for name in names], color=COLORS[0], height=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_xlim(left=0)
    panel.set_xlabel(f"importance for {result.metric_}")
    return panel


def draw_trials(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw the scores of trials; see `lstmforecast.plot.trials`."""
    panel: Axes = axes_for(ax)[0]
    done = result.trials_[result.trials_["state"] == "complete"]
    lines = result.scores_[result.metric_].drop("best")
    top = 1.05 * lines.max()
    panel.plot(done["number"], np.minimum(done["value"], top), "o", color=COLORS[5], markersize=4, label="trial")
    panel.step(
        done["number"], done["value"].cummin(), where="post", color=COLORS[0], linewidth=2.0, label="best so far"
    )
    styles = ("-", "--", ":")
    for (name, value), style in zip(lines.items(), styles, strict=True):
        panel.axhline(value, color=INK, linewidth=1.0, linestyle=style, label=name)
    panel.set_ylim(top=1.02 * top)
    panel.set_xlabel("trial")
    panel.set_ylabel(f"{result.metric_} on the validation rows")
    finish(panel)
    return panel


def _importances(result: TuneResult) -> dict[str, float]:
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    complete = [trial for trial in result.study_.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    names = sorted({name for trial in complete for name in trial.params})
    alike = [trial for trial in complete if set(names) <= set(trial.params)]
    if not names or len({trial.value for trial in alike}) < 2:
        raise ValueError(
            f"expected two trials or more that have all parameters, with different scores, got {len(alike)}"
        )
    # parameters with one value in all trials, such as an architecture, explain nothing
    names = [name for name in names if len({str(trial.params[name]) for trial in alike}) > 1]
    return dict(get_param_importances(result.study_, evaluator=FanovaImportanceEvaluator(seed=0), params=names))
