"""A forecaster of distributions: wider where the noise is larger, calibrated, in the form of every other forecast."""

import pickle

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from lstmforecast import LSTM, EarlyStopping, LSTMForecaster, Quantiles, Sampling, Tweedie, backtest
from lstmforecast.fitting.distribution import COUNTS, FROM_ZERO, quantile
from lstmforecast.fitting.objective import LOSS, QUANTILES
from lstmforecast.fitting.roll import forecast
from lstmforecast.serve.served_model import ServedModel, Window

FAST = {"hidden_size": 6, "max_epochs": 2, "sampling": Sampling(steps_per_epoch=20), "random_state": 0, "n_threads": 1}
CONTINUOUS = ["quantile", "normal", "student_t"]
FLAT = {"quantiles": None, "tweedie_power": 1.5}
LOSSES = [*CONTINUOUS, *FROM_ZERO]


def _hours(n=500, k=2):
    index = pd.date_range("2026-01-01", periods=n, freq="h")
    # above 0, for logarithms
    values = 1 + np.random.default_rng(0).poisson(6 + 5 * np.sin(np.arange(n) * np.pi / 12)[:, None], (n, k))
    return pd.DataFrame(values.astype(float), index=index, columns=list("ab"[:k]))


def _day_and_night(n):
    """Noise of deviation 4 by day and 1 by night."""
    by_day = np.arange(n) % 24 < 12
    return np.random.default_rng(1).normal(size=n) * np.where(by_day, 4.0, 1.0)


@pytest.mark.parametrize("panel", [False, True])
@pytest.mark.parametrize("loss", [None, *CONTINUOUS])
def test_intervals_hold_at_levels_far_above_the_variation(loss, panel):
    index = pd.date_range("2026-01-01", periods=1240, freq="h")
    noise = np.sin(np.arange(len(index)) * np.pi / 12) + np.random.default_rng(0).normal(0, 0.5, len(index))
    scores = []
    for level in (0.0, 1e7, 1e9):
        y = pd.Series(level + noise, index)
        y = pd.concat({"a": y, "b": 2 * y[:900]}, names=["unique_id", "ds"]) if panel else y
        result = backtest(LSTMForecaster(2, window_size=24, loss=loss, **FAST), y, folds=240, coverage=0.8)
        scores.append(result.interval_scores.loc[("LSTMForecaster", 0.8)])
    # three standard errors of 200 errors held out and 240 of the test: 0.4 * sqrt(1 / 200 + 1 / 240) = 0.038
    assert abs(scores[0]["coverage"] - 0.8) < 0.12
    for score in scores[1:]:
        # double precision has 1e-7 of a unit left at 1e9, so that a few of 480 truths are on the other side of a bound
        assert score["coverage"] == pytest.approx(scores[0]["coverage"], abs=0.02)
        assert score["width"] == pytest.approx(scores[0]["width"], rel=1e-2)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_form_is_that_of_any_forecast(loss):
    y = _hours()
    model = LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(y)
    forecast = model.predict()
    assert type(forecast) is pd.DataFrame
    assert forecast.columns.tolist() == ["a", "b"]
    assert np.isfinite(forecast).all(axis=None)
    assert len(model.predict(7)) == 7
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    quantiles = model.predict_quantiles(levels)
    assert quantiles.columns.tolist() == [(name, level) for name in "ab" for level in levels]
    for name in "ab":
        assert (np.diff(quantiles[name], axis=1) >= 0).all()
    interval = model.predict_interval(0.9)
    np.testing.assert_array_equal(interval["a", 0.9, "upper"], quantiles["a", 0.95])
    single = LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(y["a"])
    assert type(single.predict()) is pd.Series


@pytest.mark.parametrize("loss", LOSSES)
def test_a_forecast_is_the_mean_and_of_quantiles_the_median(loss):
    model = LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(_hours())
    parameters = forecast(model.model_, model.fitted_.dataset, 3)
    distribution = model.model_.config["distribution"]
    if loss == "quantile":
        expected = quantile(distribution, parameters, 0.5)
    else:
        # the mean of many quantiles; a t of few degrees of freedom has 1e-3 of its size beyond them
        expected = np.mean([quantile(distribution, parameters, (i + 0.5) / 1000) for i in range(1000)], axis=0)
    np.testing.assert_allclose(model.predict(), expected[0], rtol=2e-3, atol=0.02)


@pytest.mark.parametrize("n_estimators", [1, 2])
@pytest.mark.parametrize("loss", LOSSES)
def test_saved_pickled_and_updated(loss, n_estimators, tmp_path):
    y = _hours()
    model = LSTMForecaster(3, window_size=24, loss=loss, n_estimators=n_estimators, **FAST).fit(y[:450])
    n = len(model.fitted_.calibration)
    model.update(y[450:470])
    assert len(model.fitted_.calibration) == n + 20
    model.save(tmp_path / "model.safetensors")
    for other in (LSTMForecaster.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert other.loss == loss
        pd.testing.assert_frame_equal(other.predict(), model.predict())
        pd.testing.assert_frame_equal(other.predict_interval(), model.predict_interval())
        other.update(y[470:480])
        assert len(other.fitted_.calibration) == n + 30


def test_own_quantiles_never_cross():
    levels = [0.01, 0.2, 0.5, 0.55, 0.99]
    model = LSTMForecaster(4, window_size=24, loss=Quantiles(levels), **FAST).fit(_hours())
    parameters = forecast(model.model_, model.fitted_.dataset, 4)
    assert parameters.shape == (1, 4, 2, 5)
    assert (np.diff(parameters, axis=-1) > 0).all()
    np.testing.assert_array_equal(model.predict(), parameters[0, ..., 2])


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"loss": Quantiles([])}, ValueError, "in ascending order, got "),
        ({"loss": Quantiles([0.9, 0.1])}, ValueError, "in ascending order, got "),
        ({"loss": Quantiles([0.1, 0.1])}, ValueError, "in ascending order, got "),
        ({"loss": Quantiles([0.5, 1.0])}, ValueError, "expected levels of Quantiles between 0 and 1"),
        ({"loss": Quantiles("0.5")}, TypeError, "expected levels of Quantiles to be a list of numbers"),
        ({"loss": "pinball"}, ValueError, "expected loss to be .*'tweedie', got 'pinball'"),
        *(
            ({"loss": loss, "transform": "log"}, ValueError, f"expected transform=None for loss='{loss}', got 'log'")
            for loss in FROM_ZERO
        ),
        ({"loss": Tweedie(2)}, ValueError, "expected power of Tweedie to be .* at most 1.95, got 2"),
        ({"loss": Tweedie("1.5")}, TypeError, "expected power of Tweedie to be a number of .*, got '1.5'"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters, error, words):
    with pytest.raises(error, match=words):
        LSTMForecaster(3, window_size=24, **(FAST | parameters)).fit(_hours())


def test_the_word_stands_for_seven_levels():
    assert LOSS.flat("quantile") == LOSS.flat(Quantiles()) == FLAT | {"loss": "quantile"}
    assert LOSS.flat(Quantiles([0.5])) == FLAT | {"loss": "quantile", "quantiles": [0.5]}
    assert LOSS.flat("mse") == FLAT | {"loss": "mse"}
    word, levels = (
        LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(_hours())
        for loss in ("quantile", Quantiles(QUANTILES))
    )
    pd.testing.assert_frame_equal(word.predict(), levels.predict())
    assert word.model_.config["distribution"] == {"quantiles": list(QUANTILES)}


@pytest.mark.parametrize("loss", [None, "mse", "normal"])
def test_only_the_quantile_loss_has_levels(loss):
    message = rf"^expected loss to be an object such as Quantiles\(.*\) for loss__levels, got {loss!r}$"
    with pytest.raises(ValueError, match=message):
        LSTMForecaster(3, loss=loss).set_params(loss__levels=[0.5])
    assert LSTMForecaster(3, loss="quantile").set_params(loss__levels=[0.5]).loss == Quantiles([0.5])


@pytest.mark.parametrize(
    ("loss", "wrong", "words"),
    [
        *((loss, wrong, "counts, whole numbers from 0,") for loss in COUNTS for wrong in (-1.0, 2.5)),
        ("lognormal", 0.0, "values above 0"),
        ("lognormal", -1.0, "values above 0"),
        ("tweedie", -0.5, "values from 0 on"),
    ],
)
def test_values_that_the_distribution_cannot_have_are_refused(loss, wrong, words):
    y = _hours()
    model = LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(y)
    y.iloc[-1, 1] = wrong
    message = rf"^expected {words} for loss='{loss}', got {wrong:g} .*'b'"
    with pytest.raises(ValueError, match=message):
        model.fit(y)
    with pytest.raises(ValueError, match=message):
        model.predict(context=y)
    # what fit leaves out, or is missing, is no such value
    y.iloc[-1, 1] = np.nan
    model.set_params(missing="mask").fit(y)


@pytest.mark.parametrize("loss", FROM_ZERO)
def test_nothing_below_zero_is_forecast(loss):
    """Nearly all values are near 0, and corrections are as large as they are."""
    rng = np.random.default_rng(0)
    y = pd.Series(np.where(rng.random(600) < 0.2, rng.poisson(5, 600), 0).astype(float), _hours(600).index)
    y = y + 1e-3 if loss == "lognormal" else y
    panel = pd.concat({"s": y, "t": 100 * y})
    for data in (y, panel):
        model = LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(data)
        assert (model.predict() >= 0).all(axis=None)
        assert (model.predict_quantiles([0.05, 0.25, 0.5]) >= 0).all(axis=None)
        assert (model.predict_samples(200, random_state=0) >= 0).all(axis=None)


def test_the_power_is_kept(tmp_path):
    y = _hours()["a"]
    model = LSTMForecaster(3, window_size=24, loss=Tweedie(1.2), **FAST).fit(y)
    assert model.model_.config["distribution"] == {"tweedie": 1.2}
    model.save(tmp_path / "model.safetensors")
    other = LSTMForecaster.load(tmp_path / "model.safetensors")
    assert other.loss == Tweedie(1.2)
    pd.testing.assert_frame_equal(other.predict_interval(), model.predict_interval())
    # as a word, the file has no power
    model.set_params(loss="tweedie").fit(y).save(tmp_path / "word.safetensors")
    assert b"tweedie_power" not in (tmp_path / "word.safetensors").read_bytes()
    assert LSTMForecaster.load(tmp_path / "word.safetensors").loss == "tweedie"
    assert LOSS.flat("tweedie") == LOSS.flat(Tweedie(1.5)) == FLAT | {"loss": "tweedie"}


@pytest.mark.parametrize("loss", COUNTS)
@pytest.mark.parametrize("as_panel", [False, True])
def test_quantiles_of_counts_are_counts(as_panel, loss):
    y = pd.DataFrame({"n": np.random.default_rng(0).poisson(0.8, 600).astype(float)}, _hours(600).index)
    y = pd.concat({"s": y, "t": 10 * y}) if as_panel else y
    model = LSTMForecaster(
        3, window_size=24, loss=loss, early_stopping=EarlyStopping(validation_fraction=0.2), **FAST
    ).fit(y)
    quantiles = model.predict_quantiles([0.05, 0.5, 0.95])
    assert (quantiles >= 0).all(axis=None)
    assert (quantiles == quantiles.round()).all(axis=None)


@pytest.mark.parametrize("loss", ["mse", *LOSSES])
def test_coverage_is_as_promised(loss):
    y = 1 + np.random.default_rng(2).poisson(8, 3000).astype(float)
    result = LSTMForecaster(2, window_size=12, loss=loss, **FAST).backtest(y, folds=1000, coverage=[0.5, 0.9])
    scores = result.interval_scores.loc["LSTMForecaster"]
    # Standard errors of 400 windows held out and 1000 of the test: sqrt(0.25 * (1 / 400 + 1 / 1000)) = 0.03. A count's
    # interval holds more, by up to the probability of a bound, 0.13.
    assert scores.loc[0.5, "coverage"] == pytest.approx(0.56, abs=0.15)
    assert scores.loc[0.9, "coverage"] == pytest.approx(0.92, abs=0.06)


@pytest.mark.parametrize("loss", CONTINUOUS)
def test_intervals_are_wider_where_the_noise_is_larger(loss):
    y = _day_and_night(3000)
    options = FAST | {
        "max_epochs": 10,
        "sampling": Sampling(steps_per_epoch=40),
        "hidden_size": 16,
        "learning_rate": 0.02,
    }
    result = LSTMForecaster(
        1, window_size=24, architecture=LSTM(segment_length=1), normalize=None, loss=loss, **options
    ).backtest(y, folds=480, coverage=0.9)
    intervals = result.intervals.assign(by_day=result.intervals["time"] % 24 < 12, truth=result.forecasts["truth"])
    width = (intervals["upper"] - intervals["lower"]).groupby(intervals["by_day"]).mean()
    assert width[True] > 2 * width[False]
    held = (intervals["lower"] <= intervals["truth"]) & (intervals["truth"] <= intervals["upper"])
    assert held.mean() == pytest.approx(0.9, abs=0.06)
    # split conformal intervals of points, all of one width, hold 99 % by night and 80 % by day
    assert held.groupby(intervals["by_day"]).mean().min() > 0.82


def _walks(level):
    """An AR(1) and a random walk that grows by about 1: meter readings."""
    noise = np.random.default_rng(2).normal(size=(600, 2))
    ar = noise[:, 0].copy()
    for row in range(1, 600):
        ar[row] += 0.8 * ar[row - 1]
    index = pd.date_range("2026-01-01", periods=600, freq="h")
    return pd.DataFrame({"ar": level + ar, "meter": level + np.cumsum(1 + 0.5 * noise[:, 1])}, index)


@pytest.mark.parametrize("loss", [None, *CONTINUOUS])
def test_every_door_keeps_a_level_far_above_the_variation(loss, tmp_path):
    found = []
    for level in (0.0, 1e9):
        y = _walks(level)
        model = LSTMForecaster(3, window_size=24, loss=loss, **FAST).fit(y[:560])
        model.save(tmp_path / "model.safetensors")
        again = LSTMForecaster.load(tmp_path / "model.safetensors")
        for each in (model, again):
            each.update(y[560:])
        bounds, parts = model.predict_interval(0.8), model.predict_samples(20, random_state=0)
        pd.testing.assert_frame_equal(again.predict_interval(0.8), bounds)
        served = ServedModel("walks", model)
        times = [str(time) for time in y.index[-24:]]
        points, sides = served.forecast(served.prepare(Window(y[-24:].to_numpy(), times), 3), (0.8,))
        np.testing.assert_allclose(points[0], model.predict(), rtol=1e-12)
        np.testing.assert_allclose(np.moveaxis(sides[:, 0], 0, -1).reshape(3, -1), bounds, rtol=1e-12)
        found.append([each.to_numpy() - level for each in (model.predict(), bounds, parts)])
    for low, high in zip(*found, strict=True):
        # double precision has 1e-7 left at 1e9; the rounded data train another network, in the last bits
        np.testing.assert_allclose(high, low, atol=1e-3)
    with pytest.raises(ValueError, match=r"float32 has steps of 6e\+01; write the file with dtype='float64'"):
        model.to_onnx(tmp_path / "model.onnx")
    model.to_onnx(tmp_path / "model.onnx", dtype="float64")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    forecast = session.run(["forecast"], {"windows": y[-24:].to_numpy()[np.newaxis]})[0][0]
    np.testing.assert_allclose(forecast - 1e9, model.predict().to_numpy() - 1e9, atol=1e-3)
