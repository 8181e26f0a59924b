"""The display of a training: losses and learning rate by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmforecast.display.style import (
    COLORS,
    DASHED,
    INK,
    Display,
    axes_for,
    count_by_whole_numbers,
    finish,
    scale_logarithmically,
)

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
            [line] = axes[1].plot(self.history["epoch"], self.history["learning_rate"], color=COLORS[2], linewidth=1.6)
            self.lines_["learning_rate"] = line
            axes[1].axvline(self.best_epoch, color=COLORS[1], linewidth=0.8, linestyle="--", zorder=0)
            axes[1].set_ylabel("learning\nrate")
            axes[1].set_ylim(bottom=0)
            finish(axes[1])
        axes[-1].set_xlabel("epoch")
        self._keep(axes)
        return self

    def _draw_losses(self, ax: Axes, **kwargs: Any) -> None:
        history = self.history
        styles: dict[str, dict[str, Any]] = {
            "train_loss": {"label": "training", "color": INK, "linestyle": DASHED},
            "val_loss": {"label": "validation", "color": COLORS[0]},
        }
        for column, style in styles.items():
            if history[column].notna().any():
                style = {"linewidth": 1.6} | style | kwargs
                [self.lines_[column]] = ax.plot(history["epoch"], history[column], **style)
        judged = "val_loss" if "val_loss" in self.lines_ else "train_loss"
        ax.axvline(self.best_epoch, color=COLORS[1], linewidth=0.8, linestyle="--", zorder=0)
        best = history.loc[history["epoch"] == self.best_epoch, judged].to_numpy()
        mark: dict[str, Any] = {
            "color": COLORS[1],
            "markersize": 6,
            "zorder": 4,
            "label": f"best epoch {self.best_epoch}",
        }
        [self.best_] = ax.plot([self.best_epoch], best, "o", **mark)
        losses = history[["train_loss", "val_loss"]].to_numpy(float)
        # with a smaller range, a logarithmic axis has no round numbers to label
        if np.nanmin(losses) > 0 and np.nanmax(losses) > 10 * np.nanmin(losses):
            scale_logarithmically(ax)
        ax.set_ylabel(f"loss ({self.units})")
        count_by_whole_numbers(ax)
        finish(ax)
