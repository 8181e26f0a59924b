"""The HTML of estimators in notebooks: scikit-learn's diagram, links to the documentation, a learning curve."""

from __future__ import annotations

import html
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Where the documentation is published; nothing else names the address.
DOCUMENTATION = "https://lstmforecast.readthedocs.io/en/latest/"

WIDTH, HEIGHT, MARGIN = 380, 110, 6
# Pixels to the right of the curves for their names, and from one name to the next.
NAMES, LINE = 62, 12
Array = NDArray[np.float64]


class DocLinkMixin:
    """Links scikit-learn's diagram to the page of the reference that ``_doc_page`` names."""

    _doc_link_module = "lstmforecast"
    _doc_link_template = DOCUMENTATION + "reference/{page}.html#lstmforecast.{name}"
    _doc_page: ClassVar[str]

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"page": self._doc_page, "name": type(self).__name__}


class LearningCurveMixin(DocLinkMixin):
    """Adds the learning curve of a fitted estimator to scikit-learn's diagram."""

    _loss_units: ClassVar[str] = "scaled units"
    history_: pd.DataFrame
    best_epoch_: int
    stop_reason_: str

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) + self._learning_curve()  # type: ignore[misc]

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] += self._learning_curve()
        return bundle

    def _learning_curve(self) -> str:
        return learning_curve(self) if hasattr(self, "history_") else ""


def learning_curve(estimator: Any) -> str:
    """A small SVG picture of the losses of all epochs, with a caption; it needs no script and no style sheet.

    Lines and text have the colour of the surrounding text, so that they are visible on light and dark backgrounds.

    Parameters
    ----------
    estimator : LSTMForecaster, LSTMRegressor, LSTMClassifier or CharLSTM
        Fitted.

    Returns
    -------
    str
        A ``figure`` element.
    """
    history = estimator.history_
    sentence = html.escape(_sentence(estimator))
    style = "margin:0.6em 0 0.2em;font:12px/1.4 sans-serif;color:inherit"
    if len(history) < 2 or not np.isfinite(history[["train_loss", "val_loss"]]).any(axis=None):
        return f'<figure style="{style}"><figcaption>{sentence}</figcaption></figure>'
    curves = {
        "training": (history["train_loss"].to_numpy(float), 'stroke-dasharray="4 3" opacity="0.65"'),
        "validation": (history["val_loss"].to_numpy(float), ""),
    }
    curves = {name: curve for name, curve in curves.items() if np.isfinite(curve[0]).any()}
    place = _Places(history["epoch"].to_numpy(float), np.concatenate([values for values, _ in curves.values()]))
    lines = "".join(place.line(values, look) for values, look in curves.values())
    names = place.names({name: values for name, (values, _) in curves.items()})
    judged, _ = list(curves.values())[-1]
    x, y = place.of(np.array([estimator.best_epoch_]), judged[[estimator.best_epoch_ - 1]])[0]
    best = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#D55E00"/>' if np.isfinite(y) else ""
    return (
        f'<figure style="{style}"><svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" fill="none" stroke-width="1.6" style="max-width:100%">'
        f"<title>Learning curve: loss of {' and '.join(curves)}</title>"
        f'<path d="M{MARGIN} 1V{HEIGHT - 1}H{WIDTH - NAMES}" stroke="currentColor" stroke-width="1" opacity="0.4"/>'
        f"{lines}{best}{names}</svg><figcaption>{sentence}</figcaption></figure>"
    )


def _sentence(estimator: Any) -> str:
    """The caption: epochs, the reason why training ended, and the losses of the best epoch."""
    history, best = estimator.history_, estimator.best_epoch_
    epochs = f"{len(history)} epoch" if len(history) == 1 else f"{len(history)} epochs"
    if hasattr(estimator, "loss_"):
        epochs += f" with loss={estimator.loss_!r}"
    words = [f"Learning curve: {epochs}, ended by {estimator.stop_reason_.replace('_', ' ')}"]
    kept = history[history["epoch"] == best]
    if len(kept):
        losses = {"training loss": kept["train_loss"].iloc[0], "validation loss": kept["val_loss"].iloc[0]}
        known = [f"{name} {value:.4g}" for name, value in losses.items() if np.isfinite(value)]
        words.append(f"weights of epoch {best} kept ({', '.join(known)}, {estimator._loss_units})")
    return "; ".join(words) + "."


class _Places:
    """The coordinates of numbers in the picture; the loss axis is logarithmic if losses differ by a factor of 10."""

    def __init__(self, epochs: Array, losses: Array) -> None:
        self.epochs = epochs
        losses = losses[np.isfinite(losses)]
        self.logarithmic = bool(losses.min() > 0 and losses.max() > 10 * losses.min())
        scaled = np.log(losses) if self.logarithmic else losses
        self.low, self.span = scaled.min(), np.ptp(scaled) or 1.0

    def of(self, epochs: Array, losses: Array) -> Array:
        """Points (n, 2) in pixels."""
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = np.log(losses) if self.logarithmic else losses
        across = (epochs - self.epochs[0]) / (self.epochs[-1] - self.epochs[0])
        down = 1 - (scaled - self.low) / self.span
        x = 2 * MARGIN + across * (WIDTH - NAMES - 4 * MARGIN)
        return np.column_stack([x, MARGIN + down * (HEIGHT - 4 * MARGIN)])

    def names(self, curves: dict[str, Array]) -> str:
        """The name of each curve at its end, without overlap."""
        ends = {name: np.nan_to_num(self.of(self.epochs, values)[-1, 1], nan=MARGIN) for name, values in curves.items()}
        from_the_top = sorted(ends, key=lambda name: ends[name])
        heights = np.array([ends[name] for name in from_the_top])
        if len(heights) == 2 and heights[1] - heights[0] < LINE:
            heights = heights.mean() + np.array([-LINE / 2, LINE / 2])
        style = 'fill="currentColor" stroke="none" font-size="11" dominant-baseline="middle"'
        return "".join(
            f'<text x="{WIDTH - NAMES}" y="{y:.1f}" {style}>{name}</text>'
            for name, y in zip(from_the_top, heights, strict=True)
        )

    def line(self, losses: Array, look: str) -> str:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in self.of(self.epochs, losses) if np.isfinite(y))
        return f'<polyline points="{points}" stroke="currentColor" {look}/>'
