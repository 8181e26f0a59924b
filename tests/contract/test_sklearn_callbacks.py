"""scikit-learn's callbacks: what they are told of a fit, alone, in pipelines and in searches."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from lstmforecast import (
    CharLSTM,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    MinMaxScaler,
    Pretrained,
    RobustScaler,
    StandardScaler,
    windows,
)
from lstmforecast.transfer import GradualUnfreezing

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")

FAST: dict[str, Any] = {"hidden_size": 8, "max_epochs": 5, "n_threads": 1, "random_state": 0}
WAVE = 10 + np.sin(np.arange(260) / 4) + np.random.default_rng(0).normal(0, 0.1, 260)
WINDOWS, NEXT = windows(WAVE, window_size=12)
X, Y = WINDOWS[:, :, 0], NEXT[:, 0, 0]
LABELS = np.where(Y > 10, "high", "low")
WEIGHTS = np.linspace(0.5, 1.5, len(Y))


@pytest.fixture
def monitor() -> Any:
    return callback.ScoringMonitor(scoring="r2")


class Recorder:
    """Records what it is called with; stops after an epoch if it is told to."""

    def __init__(self, stop_after: int | None = None, fail_after: int | None = None) -> None:
        self.stop_after, self.fail_after = stop_after, fail_after
        self.heard: list[tuple[Any, ...]] = []

    def setup(self, estimator, context):
        self.heard.append(("setup",))

    def teardown(self, estimator, context):
        self.heard.append(("teardown",))

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", context.task_name, context.task_id, context.max_subtasks))

    def on_fit_task_end(self, estimator, context):
        self.heard.append(("end", context.task_name, context.task_id, context.max_subtasks))
        if context.task_name == "epoch" and context.task_id + 1 == self.fail_after:
            raise ValueError("enough")
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


class Observer(Recorder):
    """Keeps the estimators and the data that it is shown."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.fitted: list[Any] = []
        self.data: list[Any] = []

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.fitted.append(fitted_estimator)
        self.data.append((X, y, metadata))
        return super().on_fit_task_end(estimator, context)


def regressor(**options) -> LSTMRegressor:
    return LSTMRegressor(**FAST | options)


def test_a_fit_is_a_task_and_its_epochs_are_tasks_in_it() -> None:
    recorder = Recorder()
    model = regressor(max_epochs=2).set_callbacks(recorder).fit(X, Y)
    epochs = [(word, "epoch", i, 0) for i in range(2) for word in ("begin", "end")]
    assert recorder.heard == [("setup",), ("begin", "fit", 0, 2), *epochs, ("end", "fit", 0, 2), ("teardown",)]
    assert not hasattr(model, "_callback_fit_ctx")


def test_a_callback_ends_the_training() -> None:
    for kind in (Recorder, Observer):
        model = regressor().set_callbacks(kind(stop_after=3)).fit(X, Y)
        assert (model.n_epochs_, model.stop_reason_) == (3, "callback")


def test_what_a_callback_raises_is_raised_and_nothing_is_learned() -> None:
    for kind in (Recorder, Observer):
        recorder = kind(fail_after=2)
        model = regressor().set_callbacks(recorder)
        with pytest.raises(ValueError, match="enough"):
            model.fit(X, Y)
        assert recorder.heard[-1] == ("teardown",)
        assert not hasattr(model, "model_")


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (regressor(dropout=0.2), Y),
        (regressor(early_stopping=2, scaler=None, lr_schedule="cosine"), np.column_stack([Y, -Y])),
        (regressor(scaler=StandardScaler(), augment=["jitter"]), Y),
        (regressor(architecture="transformer"), Y),
        (LSTMClassifier(class_weight="balanced", early_stopping=10, **FAST), LABELS),
    ],
    ids=["dropout", "patience", "scaler", "transformer", "classifier"],
)
def test_callbacks_see_the_estimator_that_a_shorter_fit_would_give(model: Any, target: np.ndarray) -> None:
    plain = clone(model).fit(X, target, sample_weight=WEIGHTS)
    observer = Observer()
    watched = clone(model).set_callbacks(observer).fit(X, target, sample_weight=WEIGHTS)
    # the bits are those of a fit that nobody watches
    np.testing.assert_array_equal(watched.predict(X), plain.predict(X))
    columns = ["epoch", "train_loss", "val_loss", "learning_rate", "grad_norm"]
    np.testing.assert_array_equal(watched.history_[columns], plain.history_[columns])
    assert watched.stop_reason_ == plain.stop_reason_
    assert len(observer.fitted) == plain.n_epochs_ + 1
    for epoch, seen in enumerate(observer.fitted[:-1], 1):
        # stopped by itself, as another max_epochs would change the schedule
        short = clone(model).set_params(callbacks=[lambda record, last=epoch: record["epoch"] == last])
        short.fit(X, target, sample_weight=WEIGHTS)
        np.testing.assert_array_equal(seen.predict(X), short.predict(X))
        assert seen.n_epochs_ == epoch
    np.testing.assert_array_equal(observer.fitted[-1].predict(X), plain.predict(X))
    assert all(data[0] is X and data[1] is target for data in observer.data)
    assert all(data[2]["sample_weight"] is WEIGHTS for data in observer.data)


def test_the_checkpoints_of_the_user_stay_theirs(tmp_path) -> None:
    plain = regressor().fit(X, Y)
    observer = Observer(stop_after=2)
    regressor(checkpoint=tmp_path).set_callbacks(observer).fit(X, Y)
    resumed = regressor(checkpoint=tmp_path).set_callbacks(Observer()).fit(X, Y)
    np.testing.assert_array_equal(resumed.predict(X), plain.predict(X))


def test_layers_thaw_as_without_a_callback() -> None:
    options = {"pretrained": Pretrained(freeze="lstm.*"), "callbacks": [GradualUnfreezing({2: "lstm.*"})]}
    plain = regressor(**options).fit(X, Y)
    observer = Observer()
    watched = regressor(**options).set_callbacks(observer).fit(X, Y)
    np.testing.assert_array_equal(watched.predict(X), plain.predict(X))
    # nothing is shown after the one epoch that names what is to thaw
    assert [seen is None for seen in observer.fitted].count(True) == 1


def test_a_forecaster_is_watched() -> None:
    observer = Observer()
    model = LSTMForecaster(4, window_size=12, **FAST)
    plain = clone(model).fit(WAVE)
    watched = clone(model).set_callbacks(observer).fit(WAVE)
    np.testing.assert_array_equal(watched.predict(), plain.predict())
    assert len(observer.fitted) == plain.n_epochs_ + 1
    assert all(seen.predict(context=WAVE[:100]).shape == (4,) for seen in observer.fitted)
    assert all(len(seen.predict_interval(0.5)) == 4 for seen in observer.fitted)
    monitor = callback.ScoringMonitor(scoring=lambda forecaster, y, _: {"best": -forecaster.history_["val_loss"].min()})
    clone(model).set_callbacks(monitor).fit(WAVE)
    assert monitor.get_logs().data[-1]["best"] == pytest.approx(-plain.history_["val_loss"].min())


def test_of_several_networks_callbacks_see_the_mean_at_the_end() -> None:
    observer = Observer()
    model = LSTMForecaster(4, window_size=12, n_estimators=2, **FAST).set_callbacks(observer).fit(WAVE)
    assert [seen is None for seen in observer.fitted] == [True] * 2 * model.n_epochs_ + [False]


def test_scoring_monitor_scores_each_epoch(monitor) -> None:
    model = regressor().set_callbacks(monitor).fit(X, Y)
    log = monitor.get_logs().data_as_pandas
    assert log["task_name"].tolist() == ["fit"] + ["epoch"] * 5
    assert log["r2"].iloc[0] == log["r2"].iloc[model.best_epoch_] == pytest.approx(model.score(X, Y))


def test_scoring_monitor_goes_into_pipelines_and_searches(monitor) -> None:
    pipeline = make_pipeline(StandardScaler(), regressor(max_epochs=2).set_callbacks(monitor))
    search = GridSearchCV(pipeline, {"lstmregressor__hidden_size": [2, 4]}, cv=TimeSeriesSplit(2)).fit(X, Y)
    log = monitor.get_logs().data_as_pandas
    # four fits of the search and the last one, of two epochs each, and a row for each fit
    assert log["task_name"].value_counts().to_dict()["epoch"] == 10
    assert len(log) == 15
    assert log["r2"].iloc[-1] <= 1
    assert search.best_estimator_[-1].n_epochs_ == 2


def test_scoring_monitor_listens_to_other_processes(monitor) -> None:
    search = GridSearchCV(
        regressor(max_epochs=2).set_callbacks(monitor), {"hidden_size": [2, 4]}, cv=TimeSeriesSplit(2), n_jobs=2
    )
    search.fit(X, Y)
    assert (monitor.get_logs().data_as_pandas["task_name"] == "epoch").sum() == 10


def test_progress_bars_show_epochs_below_a_search(capsys) -> None:
    pytest.importorskip("rich")
    search = GridSearchCV(regressor(max_epochs=3), {"hidden_size": [2, 4]}, cv=TimeSeriesSplit(2))
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, Y)
    shown = capsys.readouterr().out
    assert "LSTMRegressor - fit" in shown
    assert "100%" in shown


def test_all_estimators_take_callbacks() -> None:
    """Those that don't are warned of wherever a bar goes through a pipeline or a search."""
    series = WAVE[:100]
    detector = LSTMAnomalyDetector(LSTMForecaster(2, window_size=12, **FAST))
    for estimator, data in [(StandardScaler(), X), (MinMaxScaler(), X), (RobustScaler(), X), (detector, series)]:
        recorder = Recorder()
        estimator.set_callbacks(recorder).fit(data)
        assert recorder.heard == [("setup",), ("begin", "fit", 0, 0), ("end", "fit", 0, 0), ("teardown",)]
    recorder = Recorder(stop_after=2)
    text = CharLSTM(hidden_size=4, max_epochs=3, n_threads=1).set_callbacks(recorder).fit("to be or not to be " * 30)
    assert text.n_epochs_ == 2
    assert recorder.heard[1] == ("begin", "fit", 0, 3)


def test_a_bar_goes_through_a_pipeline(capsys) -> None:
    pytest.importorskip("rich")
    pipeline = make_pipeline(StandardScaler(), regressor(max_epochs=3)).set_callbacks(callback.ProgressBar())
    pipeline.fit(X, Y)
    assert "LSTMRegressor - fit" in capsys.readouterr().out


def test_callbacks_are_kept_by_copies_and_leave_files_alone(tmp_path) -> None:
    model = regressor().set_callbacks(Recorder()).fit(X, Y)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
    model.save(tmp_path / "model.safetensors")
    assert not hasattr(LSTMRegressor.load(tmp_path / "model.safetensors"), "_skl_callbacks")
