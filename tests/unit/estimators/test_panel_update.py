"""Intervals of a panel follow what update brings, as if every forecast had been judged when its last row came."""

import pickle

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, LSTMForecaster, Sampling
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.roll import forecast
from lstmforecast.uncertainty import calibration, errors
from lstmforecast.uncertainty.errors import held_out_places

FAST = {
    "window_size": 12,
    "hidden_size": 4,
    "max_epochs": 1,
    "sampling": Sampling(steps_per_epoch=4),
    "random_state": 0,
    "n_threads": 1,
}
HOURS = pd.date_range("2026-01-01", periods=300, freq="h")
# the last is shorter than window and horizon together
LENGTHS = {"b": 120, "a": 90, "short": 9}
HORIZON = 3


def _model(**parameters):
    return LSTMForecaster(**({"horizon": HORIZON} | FAST | parameters))


def _panel(lengths=None, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    lengths = lengths or LENGTHS
    parts = {
        key: pd.Series(5 + rng.normal(0, noise, n), HOURS[i : i + n], name="y")
        for i, (key, n) in enumerate(lengths.items())
    }
    return pd.concat(parts, names=["unique_id", "ds"]).rename("y")


def _split(panel, lengths):
    """The first so many rows of each series, and the rest."""
    number = panel.groupby(level=0).cumcount()
    first = number.to_numpy() < panel.index.get_level_values(0).map(lengths).to_numpy()
    return panel[first], panel[~first]


@pytest.fixture(scope="module")
def grown():
    """A panel of which each series goes on for another 10, 6 or 8 rows."""
    rest = {"b": 10, "a": 6, "short": 8}
    return _panel({key: n + rest[key] for key, n in LENGTHS.items()}, noise=0.5)


def test_intervals_widen_when_errors_grow_and_narrow_when_they_shrink():
    fitted = _model().fit(_panel(noise=1.0))
    wild, calm = (_panel({key: n + 90 for key, n in LENGTHS.items()}, seed=1, noise=noise) for noise in (5.0, 0.01))

    def width(model):
        bounds = model.predict_interval(0.8, context=_panel()).to_numpy()
        return (bounds[:, 1] - bounds[:, 0]).mean()

    before = width(fitted)
    updated = [pickle.loads(pickle.dumps(fitted)).update(_split(y, LENGTHS)[1]) for y in (wild, calm)]
    assert width(updated[0]) > 1.5 * before
    assert width(updated[1]) < before


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"loss": "quantile"},
        {"transform": "log"},
        {"architecture": LSTM(head="recursive")},
        {"adaptation_rate": 0.05},
        {"normalize": "window", "n_estimators": 2},
    ],
    ids=str,
)
def test_errors_are_those_of_forecasts_made_one_by_one(grown, parameters):
    first, rest = _split(grown, LENGTHS)
    fitted = _model(**parameters).fit(first)
    before = fitted.fitted_.calibration
    by_rows = pickle.loads(pickle.dumps(fitted))
    at_once = pickle.loads(pickle.dumps(fitted)).update(rest)
    expected = []
    for step in range(10):
        for i, key in enumerate(LENGTHS):
            part = grown.loc[[key]]
            end = LENGTHS[key] + step + 1
            if end > len(part):
                continue
            # the forecast of which row `end - 1` is the last step, from the rows before its first
            now, _ = fitted.fitted_.with_context(part.iloc[: end - HORIZON], fitted.missing)
            found = forecast(fitted.model_, now.dataset, HORIZON)
            truth = part.to_numpy()[end - HORIZON : end, np.newaxis]
            truth = np.log1p(truth) if fitted.transform == "log" else truth
            expected.append((truth, found[0], fitted.fitted_.dataset.error_scale.scale[i]))
        newest = pd.concat([part.iloc[step : step + 1] for _, part in rest.groupby(level=0, sort=False)])
        by_rows.update(newest)
    # `short` has its first forecast from one row on: all have windows
    assert len(expected) == 24
    for model in (at_once, by_rows):
        found = model.fitted_.calibration
        assert found.n_learned == 24
        assert len(found) == len(before) + 24
        np.testing.assert_array_equal(found.truth[:-24], before.truth)
        np.testing.assert_array_equal(found.spreads, np.concatenate([before.spreads, [each[2] for each in expected]]))
        if found.parameters is None:
            errors = [truth - forecast[..., 0] for truth, forecast, _ in expected]
        else:
            middles = [forecast[..., forecast.shape[-1] // 2] for _, forecast, _ in expected]
            errors = [truth - middle for (truth, _, _), middle in zip(expected, middles, strict=True)]
            around = [each[1] - middle[..., np.newaxis] for each, middle in zip(expected, middles, strict=True)]
            np.testing.assert_allclose(found.parameters[-24:], around, rtol=1e-4, atol=1e-5)
        # kept in float32
        np.testing.assert_allclose(found.truth[-24:], errors, rtol=1e-4, atol=1e-5)
    pd.testing.assert_frame_equal(at_once.predict_interval(0.5), by_rows.predict_interval(0.5))


def test_quantiles_are_those_of_all_errors_in_units_of_their_series(grown):
    first, rest = _split(grown, LENGTHS)
    fitted = _model().fit(first).update(rest)
    found = fitted.fitted_.calibration
    # errors of a panel have no sign
    units = np.sort(np.abs(found.truth[..., 0] / found.spreads), axis=0)
    rank = int(np.ceil(round((len(units) + 1) * 0.8, 9)))
    upper = fitted.predict_interval(0.8)["y", 0.8, "upper"]
    for i, key in enumerate(LENGTHS):
        expected = fitted.predict()[key].to_numpy() + units[rank - 1] * fitted.fitted_.dataset.error_scale.scale[i]
        np.testing.assert_allclose(upper[key], expected, rtol=1e-5)


def test_a_new_series_is_judged_from_its_second_portion_on(grown):
    fitted = _model().fit(_panel({"b": 120, "a": 90}))
    n = len(fitted.fitted_.calibration)
    new = grown.loc[["short"]]
    fitted.update(new.iloc[:9])
    assert len(fitted.fitted_.calibration) == n
    fitted.update(new.iloc[9:])
    assert len(fitted.fitted_.calibration) == n + 8
    np.testing.assert_array_equal(
        fitted.fitted_.calibration.spreads[-8:], np.repeat(fitted.fitted_.dataset.error_scale.scale[2:], 8, axis=0)
    )


@pytest.mark.parametrize("missing", ["mask", "ffill"])
def test_missing_values_are_no_truth(grown, missing):
    first, rest = _split(grown, LENGTHS)
    gone = rest.copy()
    gone.loc[("b", HOURS[124])] = np.nan
    fitted = _model(missing=missing).fit(first)
    n = len(fitted.fitted_.calibration)
    at_once, in_two = (pickle.loads(pickle.dumps(fitted)) for _ in range(2))
    at_once.update(gone)
    # three windows hold the fifth of the rows
    assert len(at_once.fitted_.calibration) == n + 24 - 3
    times = gone.index.get_level_values(1)
    # what was filled by the first portion is no truth in the second
    in_two.update(gone[times < HOURS[125]]).update(gone[times >= HOURS[125]])
    assert len(in_two.fitted_.calibration) == n + 24 - 3
    pd.testing.assert_series_equal(in_two.predict(), at_once.predict())


def test_the_oldest_are_forgotten_whatever_their_series(monkeypatch, grown):
    first, rest = _split(grown, LENGTHS)
    fitted = _model().fit(first)
    before = fitted.fitted_.calibration
    monkeypatch.setattr(calibration, "MOST_OF_PANEL", 20)
    fitted.update(rest)
    assert len(fitted.fitted_.calibration) == fitted.fitted_.calibration.n_learned == 20
    # each step has three windows, then two, then one: of 24, the first four are gone
    a, b = (fitted.fitted_.dataset.error_scale.scale[i] for i in (1, 0))
    np.testing.assert_array_equal(
        fitted.fitted_.calibration.spreads[:2], [a, fitted.fitted_.dataset.error_scale.scale[2]]
    )
    np.testing.assert_array_equal(fitted.fitted_.calibration.spreads[-2:], [b, b])
    # those of the fit were in the order of time, too
    n_errors = before.truth.shape[0]
    assert n_errors > 20
    places, origins = held_out_places(HeldOut.of(fitted), read_series(fitted, first).observations)
    backs = origins - np.array(list(LENGTHS.values()))[places]
    assert (np.diff(backs) >= 0).all()


def test_of_one_step_a_part_is_learned(monkeypatch):
    monkeypatch.setattr(errors, "MOST_OF_A_STEP", 4)
    lengths = dict.fromkeys(range(9), 40)
    panel = _panel({key: n + 2 for key, n in lengths.items()})
    first, rest = _split(panel, lengths)
    fitted = _model().fit(first)
    fitted.update(rest)
    assert fitted.fitted_.calibration.n_learned == 8
    chosen = fitted.fitted_.dataset.error_scale.scale[[0, 3, 5, 8]]
    np.testing.assert_array_equal(fitted.fitted_.calibration.spreads[-8:], np.concatenate([chosen, chosen]))


def test_what_was_learned_is_saved(grown, tmp_path):
    first, rest = _split(grown, LENGTHS)
    fitted = _model(adaptation_rate=0.1).fit(first).update(rest)
    fitted.save(tmp_path / "panel.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "panel.safetensors")
    pd.testing.assert_frame_equal(loaded.predict_interval(0.5), fitted.predict_interval(0.5))
    more = _panel({key: n + 12 for key, n in LENGTHS.items()})
    more = more[~more.index.isin(grown.index)]
    both = [model.update(more).predict_interval(0.5) for model in (loaded, fitted)]
    pd.testing.assert_frame_equal(*both)


@pytest.mark.parametrize("value", [-1.0, 0.5])
def test_newer_counts_are_checked_as_those_of_fit(value):
    counts = np.random.default_rng(0).poisson(3.0, 60).astype(float)
    one = _model(loss="negative_binomial").fit(counts)
    panel = pd.concat({"a": pd.Series(counts), "b": pd.Series(counts)})
    many = _model(loss="negative_binomial").fit(panel)
    later = pd.concat({"a": pd.Series([3.0, value], [60, 61])})
    for model, newer in ((one, np.array([3.0, value])), (many, later)):
        before = model.predict()
        with pytest.raises(ValueError, match=f"expected counts, whole numbers from 0, .*, got {value:g}"):
            model.update(newer)
        np.testing.assert_array_equal(model.predict(), before)
    with pytest.raises(ValueError, match="expected counts"):
        one.predict(context=np.append(counts, value))
