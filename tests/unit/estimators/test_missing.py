"""Missing values that are left out: they reach no loss, mislead nobody, and are no truth."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, EarlyStopping, Folds, LSTMForecaster, Sampling
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.fitting.held_out import HeldOut

FAST = {
    "hidden_size": 4,
    "max_epochs": 2,
    "sampling": Sampling(steps_per_epoch=10),
    "random_state": 0,
    "n_threads": 1,
    "missing": "mask",
}
HOURS = pd.date_range("2026-01-01", periods=600, freq="h")


def _waves(n=600, k=2):
    wave = np.sin(np.arange(n) * np.pi / 12)[:, None] * [1.0, 3.0][:k] + 10
    values = wave + np.random.default_rng(0).normal(0, 0.1, (n, k))
    return pd.DataFrame(values, index=HOURS[:n], columns=["a", "b"][:k])


def _with_gaps():
    """Scattered values, what comes before the first and after the last, a week without any."""
    y = _waves()
    y = y.mask(np.random.default_rng(1).random(y.shape) < 0.05)
    y.iloc[:10, 0] = np.nan
    y.iloc[-5:, 1] = np.nan
    y.iloc[200:368] = np.nan
    return y


@pytest.mark.parametrize("loss", ["mse", "mae", "quantile", "normal", "student_t"])
@pytest.mark.parametrize("normalize", ["last", "window", None])
def test_no_gap_reaches_a_loss_or_a_forecast(loss, normalize):
    model = LSTMForecaster(6, window_size=24, loss=loss, normalize=normalize, **FAST).fit(_with_gaps())
    assert np.isfinite(model.history_[["train_loss", "val_loss", "grad_norm"]]).all(axis=None)
    assert np.isfinite(model.predict()).all(axis=None)
    assert np.isfinite(model.predict(30)).all(axis=None)


def test_missing_times_are_missing_values():
    y = _with_gaps()
    model = LSTMForecaster(6, window_size=24, **FAST).fit(y)
    dropped = LSTMForecaster(6, window_size=24, **FAST).fit(y.dropna(how="all"))
    pd.testing.assert_frame_equal(model.predict(), dropped.predict())
    pd.testing.assert_frame_equal(model.history_.drop(columns="seconds"), dropped.history_.drop(columns="seconds"))


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", None])
def test_nothing_is_learned_from_what_stood_where_values_are_masked(scaler):
    y, gone = _waves(), _with_gaps().isna()
    models = [
        LSTMForecaster(6, window_size=24, scaler=scaler, **FAST).fit((y + 1000 * size).where(gone, y).mask(gone))
        for size in (0, 1)
    ]
    pd.testing.assert_frame_equal(models[0].predict(), models[1].predict())


@pytest.mark.parametrize("normalize", ["last", "window", None])
def test_a_window_of_which_nothing_is_known(normalize):
    y = _waves()
    model = LSTMForecaster(6, window_size=24, normalize=normalize, **FAST).fit(y.mask(_with_gaps().isna()))
    silent = y[-30:].assign(b=np.nan)
    forecast = model.predict(context=silent)
    assert np.isfinite(forecast).all(axis=None)
    # without anything to go by, something like the mean
    assert forecast["b"].to_numpy() == pytest.approx(10, abs=3)
    later = y[:30].set_axis(pd.date_range(HOURS[-1] + pd.Timedelta("1h"), periods=30, freq="h")) * np.nan
    for rows in (later[:1], later[1:]):
        model.update(rows)
    assert np.isfinite(model.predict()).all(axis=None)
    assert model.cutoff_ == later.index[-1]


def test_a_column_of_gaps_alone_is_refused():
    with pytest.raises(ValueError, match="expected values in every column of y, got none in 'b'"):
        LSTMForecaster(**FAST).fit(_waves().assign(b=np.nan))
    with pytest.raises(ValueError, match="expected values in every column of y, got none in 0"):
        LSTMForecaster(**FAST).fit(np.full(100, np.nan))


def test_a_column_whose_values_begin_after_the_training_rows():
    y = _waves()
    y.iloc[:500, 1] = np.nan
    model = LSTMForecaster(6, window_size=24, **FAST).fit(y)
    assert np.isfinite(model.history_[["train_loss", "val_loss"]]).all(axis=None)
    # a column that no training row has is not scaled, and its forecast goes on from its last rows
    assert model.model_.scalers()["output_scale"].tolist() == [pytest.approx(y["a"][:480].std(ddof=0)), 1.0]
    expected = 10 + np.sin(np.arange(600, 606) * np.pi / 12)[:, None] * [1.0, 3.0]
    # noise of 0.1, and two epochs of training; the columns' own deviations are 0.7 and 2.1
    np.testing.assert_allclose(model.predict(), expected, atol=0.5)


def test_carried_values_mislead_where_masked_ones_do_not():
    # a sensor that is silent whenever the level falls: carried on, it says that levels last
    y = _waves(k=1)["a"]
    falling = (np.arange(600) % 24 > 6) & (np.arange(600) % 24 < 18)
    gone = falling & (np.random.default_rng(2).random(600) < 0.9)
    errors = {}
    # held-out rows are known where the level rises, and can't judge shares of a whole day
    network = LSTM(mix_naive=False)
    for missing in ("mask", "ffill"):
        options = FAST | {"missing": missing, "max_epochs": 10, "architecture": network}
        model = LSTMForecaster(12, window_size=48, **options).fit(y[:540].mask(gone[:540]))
        origins = range(510, 580, 5)
        truth = np.stack([y.iloc[at : at + 12] for at in origins])
        forecasts = np.stack([model.predict(context=y.mask(gone)[:at]) for at in origins])
        errors[missing] = np.abs(truth - forecasts).mean()
    assert errors["mask"] < 0.8 * errors["ffill"]


@pytest.mark.parametrize("missing", ["mask", "ffill", "interpolate"])
def test_intervals_are_calibrated_on_what_was_seen(missing):
    y = _waves()
    y.iloc[550, 0] = np.nan
    options = FAST | {"missing": missing}
    model = LSTMForecaster(6, window_size=24, **options).fit(y)
    # 480 to 594, but for the six windows with row 550
    assert len(model.fitted_.calibration) == 115 - 6
    assert np.isfinite(model.fitted_.calibration.errors).all()
    panel = pd.concat({"s": y, "t": y.iloc[:, ::-1].set_axis(["a", "b"], axis=1)})
    model = LSTMForecaster(6, window_size=24, early_stopping=EarlyStopping(validation_fraction=0.2), **options).fit(
        panel
    )
    splits = HeldOut.of(model).first_rows(read_series(model, panel).observations)
    n_windows = sum(600 - split - 6 + 1 for split in splits)
    assert len(model.fitted_.calibration) == n_windows - 12


@pytest.mark.parametrize("missing", ["mask", "ffill"])
@pytest.mark.parametrize("through_a_file", [False, True])
def test_values_made_up_before_are_no_truth_after_an_update(missing, through_a_file, tmp_path):
    y = _waves()
    y.iloc[496, 0] = np.nan
    model = LSTMForecaster(6, window_size=24, **(FAST | {"missing": missing})).fit(y[:500])
    n = len(model.fitted_.calibration)
    if through_a_file:
        model.save(tmp_path / "model.safetensors")
        model = LSTMForecaster.load(tmp_path / "model.safetensors")
    model.update(y[500:505])
    # the windows that begin after row 496 and end with rows 502 to 504
    assert len(model.fitted_.calibration) == n + 3


def test_update_takes_gaps_and_times_that_are_missing():
    y = _with_gaps()
    model = LSTMForecaster(6, window_size=24, **FAST).fit(y[:500])
    at_once = LSTMForecaster(6, window_size=24, **FAST).fit(y[:500]).update(y[500:])
    for rows in (y[500:501], y[501:530], y[530:600].dropna(how="all")):
        model.update(rows)
    pd.testing.assert_frame_equal(model.predict(), at_once.predict())
    pd.testing.assert_frame_equal(model.predict_interval(), at_once.predict_interval())


@pytest.mark.parametrize("missing", ["mask", "ffill"])
def test_a_panel_goes_on_with_a_gap(missing):
    y = pd.concat({"s": _waves()[:100], "t": _waves()[:80] * 5})
    model = LSTMForecaster(3, window_size=12, **(FAST | {"missing": missing})).fit(y)
    newer = pd.concat({"s": _waves()[100:101] * np.nan, "t": _waves()[80:83] * 5})
    forecast = model.update(newer).predict()
    assert np.isfinite(forecast).all(axis=None)
    assert forecast.loc["s"].index[0] == HOURS[101]


def test_a_backtest_scores_what_was_seen():
    y = _with_gaps()
    result = LSTMForecaster(3, window_size=24, **FAST).backtest(
        y, folds=Folds(60, stride=2), coverage=0.8, season_length=24, scaled=True
    )
    truth = result.forecasts["truth"].to_numpy()
    assert np.isnan(truth).sum() == y[-60:].isna().to_numpy()[result.origins[:, None] - 540 + np.arange(3)].sum() > 0
    assert np.isfinite(result.forecasts["forecast"]).all()
    assert np.isfinite(result.scores).all(axis=None)
    assert np.isfinite(result.interval_scores).all(axis=None)
    # standardised by the deviation of the known training values, 2.1 for the wider of the waves
    plain = LSTMForecaster(3, window_size=24, **FAST).backtest(y, folds=Folds(60, stride=2), season_length=24)
    assert result.scores["MAE"].iloc[0] < plain.scores["MAE"].iloc[0] * 1.5
    assert not result.scores["MAE"].equals(plain.scores["MAE"])


def _patterns():
    rng = np.random.default_rng(3)
    hours, holes = np.arange(700), np.zeros(700, bool)
    for at in rng.integers(0, 676, 7):
        holes[at : at + 24] = True
    at_random = {f"{part:.0%} at random": rng.random(700) < part for part in (0.1, 0.3, 0.5, 0.7)}
    return {"every second": hours % 2 == 1, "two of three": hours % 3 > 0, **at_random, "days": holes}


PATTERNS = _patterns()


@pytest.mark.parametrize("name", PATTERNS)
def test_a_mask_is_at_least_as_good_as_interpolation(name):
    wave = 10 + np.sin(np.arange(700) * np.pi / 12)
    hours = pd.date_range("2026-01-01", periods=700, freq="h")
    y = pd.Series(wave + np.random.default_rng(0).normal(0, 0.05, 700), hours)
    gone = PATTERNS[name].copy()
    gone[0] = False
    errors = {}
    for missing in ("mask", "interpolate"):
        options = FAST | {"missing": missing, "max_epochs": 6, "hidden_size": 8}
        model = LSTMForecaster(12, window_size=48, **options).fit(y[:560].mask(gone[:560]))
        origins = range(560, 688, 3)
        forecasts = np.stack([model.predict(context=y.mask(gone)[:at]) for at in origins])
        errors[missing] = np.abs(np.stack([wave[at : at + 12] for at in origins]) - forecasts).mean()
    # two seeds differ by some percent
    assert errors["mask"] < 1.1 * errors["interpolate"], errors
    # with every second value gone it was 0.35 of the amplitude, where interpolation had a third of that
    if name == "every second":
        assert errors["mask"] < 0.13, errors


def test_shares_are_chosen_where_no_two_neighbours_are_known():
    y = _waves(k=1)
    for data in (y, pd.concat({"s": y, "t": 2 * y}, names=["unique_id", "ds"])):
        data = data.mask((np.arange(len(data)) % 2 == 1)[:, None])
        model = LSTMForecaster(6, window_size=24, **FAST).fit(data)
        # without errors to choose by, they are those of `PRIOR`
        assert model.shares_["repeat_last"] < 0.25
        # no whole horizon is known, and intervals say so
        with pytest.raises(ValueError, match="expected 6 rows in a row without missing values"):
            model.predict_interval(0.8)
