"""The anomaly detector: events, irregular data, streams, files."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import lstmforecast
from lstmforecast import FormatError, LSTMAnomalyDetector, LSTMForecaster, plot
from lstmforecast.thresholds import EWMAThreshold

FAST = LSTMForecaster(3, window_size=24, hidden_size=8, max_epochs=5, n_threads=1, random_state=0)

# For spikes in little noise. A day later they are in the windows, and spoil a forecast again: that is one event.
SHARP = {"smoothing": 1, "threshold": EWMAThreshold(n_sigmas=6)}


def series(n: int = 400, spike: int | None = None) -> pd.Series:
    hours = pd.date_range("2026-01-01", periods=n, freq="h")
    values = np.sin(np.arange(n) * np.pi / 12) + np.random.default_rng(0).normal(0, 0.05, n)
    if spike is not None:
        values[spike] += 2
    return pd.Series(values, hours, name="load")


@pytest.fixture(scope="module")
def detector() -> LSTMAnomalyDetector:
    """Fitted to 300 hours; tests that update it take a copy."""
    return LSTMAnomalyDetector(FAST, **SHARP).fit(series()[:300])


def test_a_spike_is_an_event_with_its_time_and_variable(detector) -> None:
    y = series(spike=350)
    events = detector.detect(y[300:])
    assert len(events) == 1
    event = events.iloc[0]
    assert event["start"] == event["peak"] == y.index[350]
    assert event["severity"] > 3
    assert event["variables"] == ["load"]


def burst(n: int = 500) -> pd.Series:
    """Five strange hours."""
    y = series(n)
    y.iloc[400:405] += 3
    return y


def test_with_clip_events_end_when_the_anomaly_ends() -> None:
    y, events = burst(), {}
    for clip in (None, 4.0):
        detector = LSTMAnomalyDetector(FAST, clip=clip, **SHARP).fit(y[:300])
        [events[clip]] = detector.detect(y[300:]).to_dict("records")
        assert events[clip]["start"] == y.index[400]
    # a forecaster of three hours: none of those made within the burst is of a row later than this
    assert events[4.0]["end"] <= y.index[407]
    # the same hours of the next day, which are forecast from the burst
    assert events[None]["end"] > y.index[420]


def test_clipped_rows_in_a_batch_equal_those_of_a_slow_twin() -> None:
    """The slow twin reads one row at a time, and replaces it by the clipped value."""
    y = burst()
    clipping = LSTMAnomalyDetector(FAST, clip=4.0, **SHARP).fit(y[:300])
    plain = LSTMAnomalyDetector(FAST, **SHARP).fit(y[:300])
    state = clipping.stream_.monitor.state()
    spread = state["scorer"]["spreads"][0]
    forecasts, n = clipping.trace(y[300:])["forecast", "load"], state["scorer"]["n_errors"]
    seen, twins = y[300:].to_numpy(), []
    window = y[:300].to_numpy()
    for value in seen:
        forecast = plain.forecaster_.predict(1, context=pd.Series(window, y.index[: len(window)])).iloc[0]
        twins.append(forecast)
        limit, error = 4.0 * spread, value - forecast
        window = np.append(window, forecast + np.clip(error, -limit, limit))
        n = min(n + 1, 10_000)
        spread += max((abs(error) - spread) / n, -0.5 * spread)
    # the same network on the same windows
    np.testing.assert_allclose(forecasts, twins, rtol=1e-6, atol=1e-6)
    assert np.abs(seen - window[300:]).max() > 1


def test_the_anomalous_variable_is_named() -> None:
    y = series(400)
    frame = pd.DataFrame({"a": y, "b": y.shift(3, fill_value=0.0), "c": np.cos(np.arange(400) * np.pi / 12)})
    frame.iloc[360, 1] -= 2
    detector = LSTMAnomalyDetector(FAST, **SHARP).fit(frame[:300])
    events = detector.detect(frame[300:])
    assert events["variables"].tolist() == [["b"]]
    assert events["peak"].tolist() == [frame.index[360]]


def test_without_anomalies_there_are_no_events(detector) -> None:
    events = detector.detect(series()[300:340])
    assert len(events) == 0
    assert list(events.columns) == ["start", "end", "peak", "severity", "variables"]


def test_arrays_series_and_frames_have_the_same_scores(detector) -> None:
    y = series(spike=350)
    scores = detector.score_samples(y[250:])  # overlaps with the rows seen: a series of its own
    assert (scores[:24] == 0).all()
    array = LSTMAnomalyDetector(FAST.set_params(freq=None), smoothing=1).fit(y[:300].to_numpy())
    np.testing.assert_array_equal(array.score_samples(y[250:].to_numpy()), array.score_samples(y[250:].to_list()))
    assert scores.argmin() == array.score_samples(y[250:].to_numpy()).argmin() == 100


def test_rows_that_continue_the_stream_need_no_window(detector) -> None:
    y = series(spike=302)
    assert detector.predict(y[300:310])[2] == -1
    trace = detector.trace(y[300:310])
    assert trace["score"].notna().all()
    assert trace["anomaly"].tolist() == (detector.predict(y[300:310]) == -1).tolist()


def test_a_stream_has_the_scores_of_a_batch(detector) -> None:
    y = series(spike=350)
    batch = detector.decision_function(y[300:])
    one_call, one_by_one, arrays = (copy.deepcopy(detector) for _ in range(3))
    # one row at a time is forecast by the same sums as many: the same bits
    np.testing.assert_array_equal(one_call.update(y[300:]), batch)
    np.testing.assert_array_equal(np.concatenate([one_by_one.update(y[i : i + 1]) for i in range(300, 400)]), batch)
    np.testing.assert_array_equal(np.concatenate([arrays.update([value]) for value in y[300:]]), batch)


def test_a_shallow_copy_learns_alone(detector) -> None:
    y = series()
    before, report = detector.decision_function(y[300:]), detector.report_
    copied = copy.copy(detector)
    copied.update(y[300:350].drop(y.index[320]))
    np.testing.assert_array_equal(detector.decision_function(y[300:]), before)
    pd.testing.assert_frame_equal(detector.report_, report)
    assert len(copied.report_) == len(report) + 1
    assert copied.get_params(deep=False) == detector.get_params(deep=False)


def test_detect_learns_nothing(detector) -> None:
    y = series(spike=350)
    first = detector.detect(y[300:])
    pd.testing.assert_frame_equal(detector.detect(y[300:]), first)


def test_later_rows_do_not_change_a_score(detector) -> None:
    y = series()
    changed = y.copy()
    changed.iloc[351:] += 5
    np.testing.assert_array_equal(detector.score_samples(y[300:])[:51], detector.score_samples(changed[300:])[:51])


def test_errors_are_those_of_all_steps_ahead(detector) -> None:
    """The slow twin of the core: forecasts one by one, means, a score and its threshold, from the written formulas."""
    y = series(spike=350)
    model, state = detector.forecaster_.model_, detector.stream_.monitor.state()
    values = y.to_numpy()
    made = {o: model.forecast(values[o - 24 : o].reshape(1, 24, 1))[0, :, 0] for o in range(290, 400)}
    spreads, n = np.array(state["scorer"]["spreads"]), state["scorer"]["n_errors"]
    slow = []
    for t in range(300, 400):
        errors = np.array([abs(values[t] - made[t - lead][lead]) for lead in range(3)])
        slow.append((errors / spreads).mean())
        n = min(n + 1, 10_000)
        spreads = spreads + (errors - spreads) / n
    # single precision in the network's forecasts, which are the same; the order of a mean's sums is another
    np.testing.assert_allclose(detector.trace(y[300:])["score"].to_numpy().ravel(), slow, rtol=1e-9)


def test_gaps_duplicates_and_clocks_set_back_are_reported(detector) -> None:
    y = series()
    times = y.index.to_list()
    times[320:] = [time + pd.Timedelta("5h") for time in times[320:]]  # five hours are missing
    times[340] = times[339]  # twice
    times[360:] = [time - pd.Timedelta("2h") for time in times[360:]]  # set back
    messy = pd.Series(y.to_numpy(), pd.DatetimeIndex(times))
    messy.iloc[380] = np.nan
    with pytest.warns(UserWarning, match=r"1 duplicate time stamps.*1 steps back in time.*1 missing values"):
        detector.detect(messy[300:])
    streaming = copy.deepcopy(detector)
    decisions = streaming.update(messy[300:])
    assert len(decisions) == 100
    report = streaming.report_
    assert report["count"].to_dict() == {"gap": 2, "duplicate": 1, "backward": 1, "missing value": 1}
    # the hour after the duplicate is missing as well
    assert report.loc["gap", "rows"] == 6
    assert report.loc["gap", "first"] == str(times[320])
    assert decisions[380 - 300] == 1  # nothing is known of what is missing


def test_warnings_point_at_the_call(detector) -> None:
    y = series()
    y.iloc[[100, 320]] = np.nan
    unfitted = LSTMAnomalyDetector(FAST, **SHARP)
    for method, rows in ((unfitted.fit, y[:300]), (detector.detect, y[300:])):
        with pytest.warns(UserWarning, match="1 missing values") as warned:
            method(rows)
        assert [warning.filename for warning in warned] == [__file__]


def test_an_update_that_fails_learns_nothing() -> None:
    y = series(400)
    detector = LSTMAnomalyDetector(copy.deepcopy(FAST), refit_every=30, memory=100, **SHARP).fit(y[:300])
    untouched = copy.deepcopy(detector)
    # times that go back are found before any row is scored
    with pytest.raises(ValueError, match="ascending order"):
        detector.update(y[300:].iloc[::-1])
    # a refit to a forecaster that can't be fitted, after rows that were scored
    detector.set_params(forecaster__learning_rate=-1.0)
    with pytest.raises(ValueError, match="learning_rate"):
        detector.update(y[300:])
    detector.set_params(forecaster__learning_rate=FAST.learning_rate)
    np.testing.assert_array_equal(detector.update(y[300:]), untouched.update(y[300:]))
    pd.testing.assert_frame_equal(detector.report_, untouched.report_)


def test_clean_data_are_reported_empty(detector) -> None:
    assert detector.report_.empty


def test_unsorted_rows_are_refused(detector) -> None:
    shuffled = series()[300:].sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match=r"in ascending order, except where a clock is set back, got .*sort with"):
        detector.detect(shuffled)


def test_refits_follow_a_new_normal() -> None:
    y = series(700)
    y.iloc[400:] = np.tile([3.0, 5.0, 4.0, 5.0], 75) + y.to_numpy()[400:] / 20
    still = LSTMAnomalyDetector(FAST, smoothing=1).fit(y[:300])
    refitted = LSTMAnomalyDetector(FAST, smoothing=1, refit_every=100, memory=200).fit(y[:300])
    before = refitted.forecaster_
    still.update(y[300:])
    refitted.update(y[300:])
    assert refitted.forecaster_ is not before
    windows = np.stack([y.to_numpy()[row - 24 : row, np.newaxis] for row in range(620, 690)])
    errors = [
        np.abs(each.forecaster_.model_.forecast(windows)[:, 0, 0] - y.to_numpy()[620:690]).mean()
        for each in (still, refitted)
    ]
    assert errors[1] < errors[0] / 2


def test_memory_stays_the_same_however_long_the_stream(detector) -> None:
    streaming = copy.deepcopy(detector)
    sizes = []
    for _ in range(3):
        streaming.update(np.tile(series().to_numpy(), 20))
        sizes.append(len(pickle.dumps(streaming)))
    # numbers of nine bytes, some of which become shorter or longer words in a pickle
    assert max(sizes) - min(sizes) < 200


@pytest.mark.parametrize("threshold", ["ewma", "dynamic", "quantile", "pot"])
def test_loaded_and_pickled_detectors_continue_with_the_same_bits(threshold, tmp_path) -> None:
    y = series(spike=350)
    detector = LSTMAnomalyDetector(FAST, threshold=threshold, smoothing=2, contamination=0.01, refit_every=90).fit(
        y[:300]
    )
    detector.update(y[300:320])
    detector.save(tmp_path / "detector.safetensors")
    loaded = lstmforecast.load(tmp_path / "detector.safetensors")
    assert isinstance(loaded, LSTMAnomalyDetector)
    copies = [loaded, pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)]
    expected = detector.update(y[320:])  # a refit is among them
    for each in copies:
        np.testing.assert_array_equal(each.update(y[320:]), expected)
        assert each.offset_ == detector.offset_
        pd.testing.assert_frame_equal(each.report_, detector.report_)


def test_files_of_other_estimators_are_refused(detector, tmp_path) -> None:
    detector.save(tmp_path / "detector")
    detector.forecaster_.save(tmp_path / "forecaster")
    with pytest.raises(FormatError, match="expected a file of LSTMForecaster, got one of LSTMAnomalyDetector"):
        LSTMForecaster.load(tmp_path / "detector")
    with pytest.raises(FormatError, match="expected a file of LSTMAnomalyDetector, got one of LSTMForecaster"):
        LSTMAnomalyDetector.load(tmp_path / "forecaster")
    assert LSTMAnomalyDetector.load(tmp_path / "detector").window_size_ == 24


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"smoothing": 0.5}, ValueError, "expected smoothing to be a number of at least 1, got 0.5"),
        ({"threshold": "sigma"}, ValueError, "expected threshold to be one of 'dynamic', 'ewma', 'pot', 'quantile'"),
        ({"threshold": 3}, TypeError, "expected threshold to be a name or an object of lstmforecast.thresholds, got 3"),
        ({"contamination": 0.6}, ValueError, "expected contamination to be a number above 0 and at most 0.5, 'auto'"),
        ({"forecaster": "lstm"}, TypeError, "expected forecaster to be an LSTMForecaster or None, got 'lstm'"),
        ({"forecaster": LSTMForecaster(calendar="auto")}, ValueError, "expected a forecaster with calendar=None"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message) -> None:
    with pytest.raises(error, match=message):
        LSTMAnomalyDetector(**parameters).fit(series())


def test_bad_data_are_named(detector) -> None:
    with pytest.raises(ValueError, match="X has 2 features, but LSTMAnomalyDetector is expecting 1"):
        LSTMAnomalyDetector(FAST).fit(series()[:100].to_numpy()).score_samples(np.zeros((50, 2)))
    with pytest.raises(ValueError, match="infinity"):
        detector.update(series()[:1] / 0)
    with pytest.raises(ValueError, match="expected values in every column of X, got none in 'b'"):
        LSTMAnomalyDetector(FAST).fit(series().to_frame("a").assign(b=np.nan))


def test_a_constant_series_has_no_anomaly_until_it_moves() -> None:
    flat = np.full(100, 5.0)
    detector = LSTMAnomalyDetector(random_state=0, smoothing=1).fit(flat)
    assert (detector.update(flat) > 0).all()
    assert detector.update(np.array([5.5]))[0] < 0


def test_the_plot_shows_series_score_and_events(detector) -> None:
    y = series(spike=350)
    axes = plot.anomalies(detector.trace(y[300:]), detector.detect(y[300:]))
    labels = [ax.get_legend_handles_labels()[1] for ax in axes]
    assert labels[0] == ["series", "forecast", "anomaly"]
    # the scale leaves out the score of the spike
    assert labels[1][:2] == ["score", "threshold"]
    assert labels[1][2].startswith("1 above ")
    assert all(len(ax.patches) == 1 for ax in axes)
    with pytest.raises(ValueError, match=r"expected variable to be one of \['load'\], got 'x'"):
        plot.anomalies(detector.trace(y[300:]), variable="x")


def test_regular_rows_raise_no_warning(detector) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.detect(series()[300:])
