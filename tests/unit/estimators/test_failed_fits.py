"""A fit, an update or a load that fails leaves an estimator as it was, bit for bit; Ctrl-C keeps the best weights."""

import numpy as np
import pandas as pd
import pytest
from tests.learned import learned

from lstmforecast import (
    LSTM,
    Adam,
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
from lstmforecast.uncertainty.fitted_series import FittedSeries

FAST = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}
SERIES = FAST | {"window_size": 12}
Y = np.sin(np.arange(150) * 0.3)
HOURS = pd.Series(Y, pd.date_range("2026-01-01", periods=150, freq="h"), name="load")
PANEL = pd.DataFrame({"unique_id": ["a"] * 150 + ["b"] * 150, "ds": [*HOURS.index] * 2, "y": np.r_[Y, 2 * Y]})
X, TEXT = np.random.default_rng(0).normal(size=(40, 8)), "to be, or not to be, that is the question: " * 20
DIVERGES = {"learning_rate": 1e38, "optimizer": Adam(clip_grad_norm=None)}

FITS = {
    "series": (lambda: LSTMForecaster(3, **SERIES), (HOURS,), (HOURS * 9,)),
    "panel": (lambda: LSTMForecaster(3, **SERIES), (PANEL,), (PANEL.assign(y=PANEL.y * 9),)),
    "quantiles": (lambda: LSTMForecaster(3, loss="quantile", **SERIES), (Y,), (9 * Y,)),
    "ensemble": (lambda: LSTMForecaster(3, n_estimators=2, **SERIES), (Y,), (9 * Y,)),
    "warm start": (lambda: LSTMForecaster(3, warm_start=True, **SERIES), (Y,), (9 * Y,)),
    "scaler object": (lambda: LSTMForecaster(3, scaler=StandardScaler(), **SERIES), (Y,), (9 * Y,)),
    "regressor": (lambda: LSTMRegressor(**FAST), (X, X[:, 0]), (9 * X, X[:, :2])),
    "frame": (lambda: LSTMRegressor(**FAST), (pd.DataFrame(X).add_prefix("c"), X[:, 0]), (9 * X, X[:, 0])),
    "classifier": (lambda: LSTMClassifier(early_stopping=2, **FAST), (X, X[:, 0] > 0), (9 * X, X[:, 0] > 1)),
    "text": (lambda: CharLSTM(**FAST, sequence_length=8), (TEXT,), (TEXT.replace("question", "Q"),)),
}


def _raise(error):
    def callback(record):
        if record["epoch"] == 2:
            raise error

    return callback


@pytest.mark.parametrize("error", [RuntimeError("disk full"), MemoryError(), SystemExit(1)], ids=repr)
@pytest.mark.parametrize("kind", FITS)
def test_what_a_callback_raises_leaves_the_former_model(kind, error):
    new, first, second = FITS[kind]
    model = new().fit(*first)
    before = learned(model)
    with pytest.raises(type(error)):
        model.set_params(callbacks=[_raise(error)]).fit(*second)
    assert learned(model) == before
    unfitted = new().set_params(callbacks=[_raise(error)])
    with pytest.raises(type(error)):
        unfitted.fit(*second)
    assert not learned(unfitted)


@pytest.mark.parametrize("kind", FITS)
def test_a_divergence_leaves_the_former_model(kind):
    new, first, second = FITS[kind]
    model = new().fit(*first)
    before, changes = learned(model), DIVERGES | {"batch_size": 8, "max_epochs": 5}
    if isinstance(model, LSTMForecaster) and kind != "warm start":
        # nothing but an LSTM, whose weights overflow
        changes["architecture__linear_skip"] = False
    with pytest.raises(FloatingPointError):
        model.set_params(**changes).fit(*second)
    assert learned(model) == before


@pytest.mark.parametrize("kind", FITS)
def test_data_that_cannot_be_trained_on_leave_the_former_model(kind):
    new, first, _ = FITS[kind]
    model = new().fit(*first)
    before = learned(model)
    bad = ([1.0, np.nan] * 40,) if len(first) == 1 else (first[0], [np.nan] * 40)
    with pytest.raises((TypeError, ValueError)):
        model.fit(*bad)
    assert learned(model) == before


@pytest.mark.parametrize("kind", FITS)
def test_ctrl_c_keeps_the_best_weights(kind):
    new, first, second = FITS[kind]
    model = new().fit(*first)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=[_raise(KeyboardInterrupt())]).fit(*second)
    assert model.stop_reason_ == "interrupted"
    assert model.n_epochs_ == (1 if kind == "ensemble" else 2)


def test_an_interrupt_while_errors_are_calibrated_leaves_the_former_model(monkeypatch):
    model = LSTMForecaster(3, **SERIES).fit(Y)
    before = learned(model)

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FittedSeries, "of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(9 * Y)
        with pytest.raises(KeyboardInterrupt):
            model.update(Y[:10])
    assert learned(model) == before


@pytest.mark.parametrize(
    "rows", [["x"] * 3, [np.nan] * 3, np.ones((3, 2)), HOURS[:3]], ids=["words", "nan", "columns", "overlap"]
)
def test_an_update_that_fails_leaves_a_forecaster_as_it_was(rows):
    model = LSTMForecaster(3, **SERIES).fit(HOURS)
    before = learned(model)
    with pytest.raises((TypeError, ValueError)):
        model.update(rows)
    assert learned(model) == before


@pytest.mark.parametrize("kind", ["series", "ensemble", "regressor", "text"])
def test_weights_that_do_not_fit_leave_all_as_they_were(kind):
    new, first, _ = FITS[kind]
    model = new().fit(*first)
    before, weights = learned(model), model.model_.parameters()
    *_, last = weights
    fewer = {name: value for name, value in weights.items() if name != last}
    for wrong in (weights | {last: np.zeros((2, 2), np.float32)}, fewer):
        with pytest.raises(ValueError, match=last.split(".")[-1]):
            model.load_state_dict(wrong)
        assert learned(model) == before


class TestDetector:
    def _fitted(self, **parameters):
        forecaster = LSTMForecaster(3, **SERIES)
        return LSTMAnomalyDetector(forecaster, **parameters).fit(HOURS.to_frame())

    @pytest.mark.parametrize(
        "changes", [{"callbacks": [_raise(RuntimeError())]}, DIVERGES | {"architecture": LSTM(linear_skip=False)}]
    )
    def test_a_fit_that_fails_leaves_it_as_it_was(self, changes):
        detector = self._fitted()
        before = learned(detector)
        detector.set_params(forecaster=LSTMForecaster(3, **SERIES | changes, batch_size=8))
        with pytest.raises((RuntimeError, FloatingPointError)):
            detector.fit(pd.DataFrame({"other": 9 * Y, "more": Y}))
        assert learned(detector) == before

    def test_rows_that_cannot_be_judged_leave_it_as_it_was(self):
        detector = LSTMAnomalyDetector(LSTMForecaster(3, transform="log", **SERIES)).fit(HOURS + 2)
        before = learned(detector)
        late = pd.Series([-5.0], pd.DatetimeIndex(["2026-01-10"]), name="load")
        with pytest.raises(ValueError, match="above -1"):
            detector.update(late)
        assert learned(detector) == before

    def test_a_refit_that_fails_in_an_update_leaves_it_as_it_was(self):
        detector = self._fitted(refit_every=5, memory=100)
        detector.update(HOURS[-3:].set_axis(HOURS.index[-3:] + pd.Timedelta(hours=3)).to_frame())
        before = learned(detector)
        detector.set_params(forecaster__callbacks=[_raise(RuntimeError("no"))])
        newer = HOURS[-3:].set_axis(HOURS.index[-3:] + pd.Timedelta(hours=6)).to_frame()
        with pytest.raises(RuntimeError, match="no"):
            detector.update(newer)
        assert learned(detector) == before


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()], ids=repr)
def test_a_scaler_stays_as_it_was(scaler, monkeypatch):
    scaler.fit(X)
    before = learned(scaler)
    with pytest.raises(ValueError, match="infinity"):
        scaler.fit(np.full((3, 2), np.inf))

    def out_of_memory(*args, **options):
        raise MemoryError

    monkeypatch.setattr("lstmforecast.data.scalers._core.fit_scaler", out_of_memory)
    with pytest.raises(MemoryError):
        scaler.fit(X[:, :3])
    assert learned(scaler) == before


@pytest.mark.parametrize("bad", [(X[:20, :2],), (np.c_[X, np.full(40, np.nan)],), (X, [1.0])])
def test_a_drift_monitor_stays_as_it_was(bad):
    monitor = DriftMonitor(window=8).fit(X)
    before = learned(monitor)
    with pytest.raises(ValueError, match="expected"):
        monitor.fit(*bad)
    assert learned(monitor) == before
