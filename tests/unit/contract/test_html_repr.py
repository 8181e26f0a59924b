"""How estimators look in a notebook: links, and a learning curve that needs no script."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

from lstmforecast import (
    CharLSTM,
    DriftMonitor,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from lstmforecast.contract.html_repr import DOCUMENTATION, HEIGHT, WIDTH, learning_curve

WAVE = np.sin(np.arange(120) / 4)


@pytest.fixture
def model() -> LSTMForecaster:
    return LSTMForecaster(2, window_size=12, hidden_size=4, max_epochs=4, random_state=0).fit(WAVE)


class Closed(HTMLParser):
    """Collects the elements that are left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open += [] if tag in ("input", "br", "circle", "path", "polyline") else [tag]

    def handle_endtag(self, tag):
        if tag not in ("input", "br", "circle", "path", "polyline"):
            assert self.open.pop() == tag


def picture(model) -> ElementTree.Element:
    """The figure, which is XML too."""
    return ElementTree.fromstring(learning_curve(model))


@pytest.mark.parametrize(
    ("estimator", "page"),
    [
        (LSTMForecaster(), "forecaster"),
        (LSTMRegressor(), "rows"),
        (LSTMClassifier(), "rows"),
        (StandardScaler(), "windows"),
        (MinMaxScaler(), "windows"),
        (RobustScaler(), "windows"),
        (LSTMAnomalyDetector(), "anomalies"),
        (DriftMonitor(), "monitoring"),
        (CharLSTM(), "text"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_each_estimator_links_to_its_place_in_the_reference(estimator, page):
    link = f"{DOCUMENTATION}reference/{page}.html#lstmforecast.{type(estimator).__name__}"
    assert f'href="{link}"' in estimator_html_repr(estimator)
    assert f'href="{link}"' in estimator_html_repr(make_pipeline(estimator))
    assert "<figure" not in estimator._repr_html_()


def test_a_fitted_one_shows_its_learning_curve_below_the_diagram(model):
    assert model._repr_html_().endswith(learning_curve(model))
    assert model._repr_mimebundle_()["text/html"].endswith(learning_curve(model))
    assert "<script" not in learning_curve(model)
    Closed().feed(learning_curve(model))
    with config_context(display="text"):
        assert set(model._repr_mimebundle_()) == {"text/plain"}
        assert not hasattr(model, "_repr_html_")


def test_losses_are_drawn_to_scale(model):
    model.history_ = pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "val_loss": [2.0, 1.5, 1.75], "learning_rate": 0.1}
    )
    model.best_epoch_ = 2
    svg = picture(model).find("{http://www.w3.org/2000/svg}svg")
    training, validation = (
        np.array([point.split(",") for point in line.get("points").split()], float)
        for line in svg.iter("{http://www.w3.org/2000/svg}polyline")
    )
    np.testing.assert_allclose(np.diff(training, n=2, axis=0), 0, atol=0.11)  # a line; pixels have one decimal
    scale = (training[2, 1] - training[0, 1]) / 2
    np.testing.assert_allclose(validation[:, 1], training[0, 1] + scale * (3 - np.array([2, 1.5, 1.75])), atol=0.1)
    assert training.min() >= 0
    assert (np.vstack([training, validation]) <= [WIDTH, HEIGHT]).all()
    [best] = svg.iter("{http://www.w3.org/2000/svg}circle")
    assert [float(best.get("cx")), float(best.get("cy"))] == validation[1].tolist()


@pytest.mark.parametrize(
    "losses",
    [[1.0], [np.nan, np.nan], [1.0, 1.0], [1e-9, 1e9], [0.0, -1.0, np.nan], [np.inf, 1.0]],
    ids=str,
)
def test_any_history_is_drawn(model, losses):
    n = len(losses)
    model.history_ = pd.DataFrame({"epoch": range(1, n + 1), "train_loss": losses, "val_loss": np.nan})
    model.best_epoch_ = n
    html = learning_curve(model)
    ElementTree.fromstring(html)
    assert not re.search(r'(points|cx|cy)="[^"]*(nan|inf)', html)


def test_words_are_escaped_and_say_what_was_kept(model):
    model.stop_reason_ = "<b>&patience"
    figure = picture(model)
    words = figure.find("figcaption").text
    assert words.startswith("Learning curve: 4 epochs with loss='huber', ended by <b>&patience; weights of epoch")
    assert "scaled units" in words
    labels = np.where(WAVE > 0, "up", "down")
    classifier = LSTMClassifier(hidden_size=2, max_epochs=1, random_state=0).fit(WAVE.reshape(-1, 1), labels)
    assert "1 epoch, ended by max epochs; weights of epoch 1 kept (training loss" in learning_curve(classifier)
    assert ", nats)" in learning_curve(classifier)
