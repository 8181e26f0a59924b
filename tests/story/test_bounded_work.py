"""Whatever number a parameter is given, the answer comes at once and takes no memory: a refusal, or a model."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.alone

# Each program's values are tried one after the other in a process of its own, with 4 GB of memory and 8 seconds.
BEGIN = """
import resource, warnings
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
import numpy as np, pandas as pd
from lstmforecast import *
from lstmforecast import metrics
NET = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
SMALL = NET | {"window_size": 8, "horizon": 2}
Y, X = np.sin(np.arange(80) * 0.3), np.random.default_rng(0).normal(size=(30, 8))
HUGE = (10**9, 10**12, 2**63, 2**64, 10**400, 1e300, 1e-320)
def tries(call, values=HUGE):
    for value in values:
        try:
            call(value)
        except (TypeError, ValueError, FloatingPointError) as error:
            assert str(error).startswith("expected ") or "try a lower learning_rate" in str(error), error
"""
PROGRAMS = {
    "sizes of a forecaster": """
for name in ("horizon", "window_size", "architecture__segment_length", "architecture__tbptt", "n_estimators",
             "num_layers", "sampling__stride"):
    for panel in (False, True):
        y = pd.DataFrame({"unique_id": ["a"] * 80, "ds": pd.date_range("2026", periods=80, freq="h"), "y": Y})
        small = SMALL | ({"architecture__segment_length": 1} if name == "window_size" else {})
        tries(lambda v: LSTMForecaster().set_params(**small | {name: v}).fit(y if panel else Y))
tries(lambda v: LSTMForecaster(v).fit(Y))
tries(lambda v: LSTMForecaster(2, early_stopping=EarlyStopping(validation_fraction=1 - 1e-16), window_size=v).fit(Y))
""",
    "numbers of a training": """
for name in ("batch_size", "optimizer__accumulate_grad_batches", "early_stopping", "verbose", "learning_rate",
             "optimizer__weight_decay", "early_stopping__min_delta", "optimizer__clip_grad_norm",
             "optimizer__clip_grad_value", "dropout", "early_stopping__validation_fraction", "adaptation_rate",
             "device__timeout"):
    tries(lambda v: LSTMForecaster(**SMALL).set_params(**{name: v}).fit(Y))
tries(lambda v: LSTMForecaster(**SMALL, lr_schedule=Plateau(patience=v)).fit(Y))
tries(lambda v: LSTMForecaster(**SMALL, lr_schedule=Plateau(factor=v)).fit(Y))
tries(lambda v: LSTMForecaster(**SMALL, pretrained=Pretrained(learning_rates={"lstm.*": v})).fit(Y))
tries(lambda v: LSTMForecaster(**SMALL, max_epochs=v).fit(Y) if v > 10**9 or v < 1 else None)
""".replace("**SMALL, max_epochs=v", "**SMALL | {'max_epochs': v}"),
    "other estimators": """
for name in ("n_features_per_step", "architecture__segment_length", "batch_size", "early_stopping__patience",
             "learning_rate", "optimizer__weight_decay"):
    tries(lambda v: LSTMRegressor(**NET).set_params(**{name: v}).fit(X, X[:, 0]))
for name in ("sequence_length", "num_layers", "batch_size", "patience", "learning_rate", "optimizer__weight_decay"):
    tries(lambda v: CharLSTM(**NET).set_params(**{name: v}).fit("to be, or not to be " * 20))
for name in ("smoothing", "clip", "contamination", "min_gap", "refit_every", "memory"):
    tries(lambda v: LSTMAnomalyDetector(LSTMForecaster(**SMALL), **{name: v}).fit(Y))
for kind in (thresholds.DynamicThreshold, thresholds.EWMAThreshold, thresholds.POTThreshold):
    for name in kind().get_params():
        tries(lambda v: kind(**{name: v}).follow(Y[40:], Y[:40]))
tries(lambda v: DriftMonitor(v).fit(Y))
tries(lambda v: DriftMonitor(8, v).fit(Y))
""",
    "arguments of a fitted one": """
model = LSTMForecaster(**SMALL).fit(Y)
tries(model.predict)
tries(lambda v: model.predict_interval(0.5, v))
tries(lambda v: model.predict_interval(v))
tries(model.predict_samples)
for name in ("test_size", "stride", "refit", "gap"):
    tries(lambda v: backtest(model, Y, folds=Folds(**{"test_size": 20, name: v})))
for name in ("folds", "horizon", "season_length", "n_jobs"):
    tries(lambda v: backtest(model, Y, **{"folds": 20, name: v}))
tries(lambda v: backtest(model, Y, folds=Folds(20, refit=True), n_jobs=v))
tries(lambda v: backtest(model, Y, folds=Folds(window="sliding", train_size=v)))
tries(lambda v: model.predict(context=[v] * 20) if abs(v) > 1e9 else None)
text = CharLSTM(**NET).fit("to be, or not to be " * 20)
tries(lambda v: text.generate("to", v), HUGE[1:])
tries(lambda v: text.generate("to", 3, top_k=v, temperature=v))
""",
    "data": """
tries(lambda v: LSTMForecaster(**SMALL).fit([v] * 50))
tries(lambda v: LSTMForecaster(**SMALL).fit([*Y, v]))
tries(lambda v: LSTMRegressor(**NET).fit([[v] * 4] * 30, X[:, 0]))
tries(lambda v: LSTMRegressor(**NET).fit(X, [v] * 30))
tries(lambda v: LSTMRegressor(**NET).fit(X, X[:, 0], sample_weight=[v] * 30))
tries(lambda v: LSTMClassifier(**NET, class_weight={0: v}).fit(X, [0, 1] * 15))
tries(lambda v: LSTMForecaster(**SMALL, missing="ffill").fit(pd.Series(Y, [*range(79), v])), HUGE[:3])
tries(lambda v: LSTMForecaster(**SMALL, freq=f"{v}ns").fit(pd.Series(Y, pd.date_range("2026", periods=80, freq="h"))))
""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_huge_number_is_answered_at_once(program):
    # the children compute on one thread, so that their address space is that of the data
    environment = {"OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", BEGIN + PROGRAMS[program]],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
