"""Pictures of a search: what its parameters matter, and how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmforecast.plot import COLORS, INK, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lstmforecast.tuning_result import TuneResult


def importance(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw which part of the differences between trials each parameter explains, by functional analysis of variance.

    Parameters
    ----------
    result : TuneResult
        From `lstmforecast.tune`, with trials of more than one value.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on: a bar for each parameter, the most important on top; all add up to 1. Trials without one of
        the parameters, such as those of linear forecasts, are left out.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If fewer than two trials that have all parameters were completed.

    References
    ----------
    Hutter et al. (2014), An efficient approach for assessing hyperparameter importance.
    """
    ax = new_axes(ax)
    found = _importances(result)
    names = sorted(found, key=lambda name: found[name])
    ax.barh(names, [found[name] for name in names], color=COLORS[0], height=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"importance for {result.metric_}")
    return ax


def trials(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw the score of each trial, the best so far, and the scores of the estimator as given and of naive forecasts.

    Parameters
    ----------
    result : TuneResult
        From `lstmforecast.tune`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on: the number of the trial to the right. Scores above the worse naive forecast's lie at the top
        edge.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    ax = new_axes(ax)
    done = result.trials_[result.trials_["state"] == "complete"]
    lines = result.scores_[result.metric_].drop("best")
    top = 1.05 * lines.max()
    ax.plot(done["number"], np.minimum(done["value"], top), "o", color=COLORS[5], markersize=4, label="trial")
    ax.step(done["number"], done["value"].cummin(), where="post", color=COLORS[0], linewidth=2.0, label="best so far")
    styles = ("-", "--", ":")
    for (name, value), style in zip(lines.items(), styles, strict=True):
        ax.axhline(value, color=INK, linewidth=1.0, linestyle=style, label=name)
    ax.set_ylim(top=1.02 * top)
    ax.set_xlabel("trial")
    ax.set_ylabel(f"{result.metric_} on the validation rows")
    return finish(ax, outside=True)


def _importances(result: TuneResult) -> dict[str, float]:
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    complete = [trial for trial in result.study_.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    names = sorted({name for trial in complete for name in trial.params})
    alike = [trial for trial in complete if set(names) <= set(trial.params)]
    if not names or len({trial.value for trial in alike}) < 2:
        raise ValueError(
            f"expected two trials or more that have all parameters, with different scores, got {len(alike)}"
        )
    # what is the same in all of them, such as the architecture where others have fewer parameters, explains nothing
    names = [name for name in names if len({str(trial.params[name]) for trial in alike}) > 1]
    return dict(get_param_importances(result.study_, evaluator=FanovaImportanceEvaluator(seed=0), params=names))
