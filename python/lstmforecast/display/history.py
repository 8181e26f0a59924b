"""The display of a training: losses and learning rate by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmforecast.display.colors import DASHED, look_of
from lstmforecast.display.scale import limit, mark_outside, top_of
from lstmforecast.display.style import Display, axes_for, count_by_whole_numbers, finish, scale_logarithmically
from lstmforecast.display.words import note, say_none

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from typing_extensions import Self


class HistoryDisplay(Display):
    """Learning curves with the best epoch, and below them the learning rate.

    Make it with `from_estimator`.

    Parameters
    ----------
    history : DataFrame
        A row for each epoch: ``epoch``, ``train_loss``, ``val_loss`` and, for the second panel, ``learning_rate``.
    best_epoch : int
        The epoch whose weights were kept.
    units : str, default="scaled units"
        Units of the losses.

    Attributes
    ----------
    history, best_epoch, units
        The data.
    ax_, axes_, figure_
        The first axes, all of them, and their figure, once drawn.
    lines_ : dict of str to matplotlib.lines.Line2D
        By column of the history.
    best_ : matplotlib.lines.Line2D
        The mark of the best epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import HistoryDisplay, LSTMForecaster
    >>> model = LSTMForecaster(hidden_size=8, max_epochs=3, random_state=0).fit(np.sin(np.arange(200) / 5))
    >>> display = HistoryDisplay.from_estimator(model)
    >>> list(display.lines_)
    ['train_loss', 'val_loss', 'learning_rate']
    """

    def __init__(self, history: pd.DataFrame, best_epoch: int, *, units: str = "scaled units") -> None:
        self.history, self.best_epoch, self.units = history, best_epoch, units

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : LSTMForecaster, LSTMRegressor, LSTMClassifier or CharLSTM
            Fitted; its ``history_`` and ``best_epoch_`` are drawn.
        ax, **kwargs
            As in `plot`.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        sklearn.exceptions.NotFittedError
            If the estimator wasn't fitted.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(estimator, ["history_", "best_epoch_"])
        units = getattr(estimator, "_loss_units", "scaled units")
        return cls(estimator.history_, estimator.best_epoch_, units=units).plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, learning_rate: bool = True, **kwargs: Any) -> Self:
        """Draw it, on a logarithmic scale if losses differ by more than a factor of 10.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or two of them, optional
            Axes of the losses, and of the learning rate if there are two. None: those of a new figure.
        learning_rate : bool, default=True
            Whether a new figure has a panel for the learning rate.
        **kwargs
            Style of the lines of the losses, as in `matplotlib.axes.Axes.plot`.

        Returns
        -------
        HistoryDisplay
            Itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If more than two axes are given.
        """
        two = (learning_rate and "learning_rate" in self.history) if ax is None else np.size(ax) > 1
        ratios: dict[str, Any] = {"height_ratios": (5, 2)} if two else {}
        axes = axes_for(ax, 2 if two else 1, height=3.8 if two else 3.2, sharex=True, **ratios)
        self.lines_: dict[str, Any] = {}
        self._draw_losses(axes[0], **kwargs)
        if two:
            self._draw_rates(axes[1])
        axes[-1].set_xlabel("epoch")
        if len(self.history) == 1:
            note(axes[-1], "one epoch: points in place of curves")
        self._keep(axes)
        return self

    def _draw_rates(self, ax: Axes) -> None:
        look, rates = look_of(ax), self.history["learning_rate"]
        style: dict[str, Any] = {"color": look.colors[2], "linewidth": 1.6, "marker": "o" if len(rates) == 1 else None}
        [self.lines_["learning_rate"]] = ax.plot(self.history["epoch"], rates, **style)
        ax.axvline(self.best_epoch, color=look.colors[1], linewidth=0.8, linestyle="--", zorder=0)
        ax.set_ylabel("learning\nrate")
        ax.set_ylim(bottom=0)
        if not rates.notna().any():
            say_none(ax, "no learning rates")
        finish(ax)

    def _draw_losses(self, ax: Axes, **kwargs: Any) -> None:
        history, look = self.history, look_of(ax)
        styles: dict[str, dict[str, Any]] = {
            "train_loss": {"label": "training", "color": look.ink, "linestyle": DASHED},
            "val_loss": {"label": "validation", "color": look.colors[0]},
        }
        for column, style in styles.items():
            if history[column].notna().any():
                style = {"linewidth": 1.6, "marker": "o" if len(history) == 1 else None} | style | kwargs
                [self.lines_[column]] = ax.plot(history["epoch"], history[column], **style)
        judged = "val_loss" if "val_loss" in self.lines_ else "train_loss"
        ax.axvline(self.best_epoch, color=look.colors[1], linewidth=0.8, linestyle="--", zorder=0)
        best = history.loc[history["epoch"] == self.best_epoch, judged].to_numpy()
        mark: dict[str, Any] = {"color": look.colors[1], "markersize": 6, "zorder": 4}
        at = [self.best_epoch] * len(best)
        [self.best_] = ax.plot(at, best, "o", **mark, label=f"best epoch {self.best_epoch}")
        self._limit(ax)
        ax.set_ylabel(f"loss ({self.units})")
        count_by_whole_numbers(ax)
        finish(ax)

    def _limit(self, ax: Axes) -> None:
        losses = self.history[["train_loss", "val_loss"]].to_numpy(float)
        known = losses[np.isfinite(losses)]
        if not len(known):
            say_none(ax, "no losses: all are missing" if len(losses) else "no epochs")
        # with a smaller range, a logarithmic axis has no round numbers to label
        elif known.min() > 0:
            if known.max() > 10 * known.min():
                scale_logarithmically(ax)
        else:
            lowest = float(known.min())
            limit(ax, lowest, top_of(losses.T, lowest))
            epochs = self.history["epoch"]
            lines = [(epochs, line.get_ydata(), line.get_color()) for line in self.lines_.values()]
            mark_outside(ax, lines, look_of(ax).ink)
