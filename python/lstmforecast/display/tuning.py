"""Plots of a hyper-parameter search: the importance of parameters, and the scores of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmforecast.display.colors import look_of
from lstmforecast.display.scale import mark_outside
from lstmforecast.display.style import axes_for, count_by_whole_numbers, draw_bars, finish, mend
from lstmforecast.display.words import note, say_none

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lstmforecast.tuning.tuning_result import TuneResult

# The scale shows lines up to so many times the middle one.
MOST_LINE = 3.0


def draw_importance(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw the importance of each parameter; see `lstmforecast.plot.importance`."""
    found = _importances(result)
    axes = axes_for(ax)
    panel: Axes = axes[0]
    names = sorted(found, key=lambda name: found[name])
    draw_bars(panel, names, [found[name] for name in names])
    panel.set_xlabel(f"importance for {result.metric_}")
    mend(axes)
    return panel


def draw_trials(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw the scores of trials; see `lstmforecast.plot.trials`."""
    axes = axes_for(ax)
    panel: Axes = axes[0]
    look, trials = look_of(panel), result.trials_
    done = trials[(trials["state"] == "complete") & np.isfinite(trials["value"].astype(float))]
    lines = result.scores_[result.metric_].drop("best")
    best = done["value"].cummin()
    # the largest of the lines, unless it would flatten the others
    top = 1.05 * min(float(lines.max()), MOST_LINE * float(lines.median()))
    top = max(top, 1.05 * float(done["value"].min())) if len(done) else top
    numbers, values = done["number"], np.minimum(done["value"], top)
    panel.plot(numbers, values, "o", color=look.soft(), markersize=4, label="trial")
    panel.step(numbers, best, where="post", color=look.colors[0], linewidth=2.0, label="best so far")
    for (name, value), style in zip(lines.items(), ("-", "--", ":"), strict=True):
        label = name if value <= top else f"{name} ({value:,.4g}, above)"
        panel.axhline(value, color=look.ink, linewidth=1.0, linestyle=style, label=label)
    low = min(float(lines.min()), float(done["value"].min())) if len(done) else float(lines.min())
    panel.set_ylim(low - 0.05 * (top - low), top)
    mark_outside(panel, [(numbers, done["value"], look.colors[1])], look.colors[1])
    panel.set_ylim(top=1.02 * top)
    if not len(done):
        say_none(panel, "no trial was completed")
    states = ", ".join(f"{n} {state}" for state, n in trials["state"].value_counts().items())
    panel.set_xlabel("trial")
    note(panel, f"{len(trials)} trials: {states}" if states else "no trials")
    count_by_whole_numbers(panel)
    panel.set_ylabel(f"{result.metric_} on the validation rows")
    finish(panel)
    mend(axes)
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
