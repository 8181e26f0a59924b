"""Intervals by phase of the season: where errors depend on the hour or the weekday, and where they don't."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, LSTMForecaster, Sampling, backtest, load
from lstmforecast.data.season import season_length, steps_of
from lstmforecast.uncertainty.calibration import Calibration, levels_of
from lstmforecast.uncertainty.errors import spread_places
from lstmforecast.uncertainty.intervals import corrected_quantiles
from lstmforecast.uncertainty.phases import LEAST_EVIDENCE, LEAST_FACTOR, spread_by_phase
from lstmforecast.uncertainty.samples import draw_paths

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=5), "random_state": 0, "n_threads": 1}
# The deviation of errors by hour: calm nights, a restless evening, a jump at midnight.
BY_HOUR = np.r_[4.0, np.full(6, 0.3), np.full(10, 1.0), np.full(4, 2.0), np.full(3, 0.6)]


def _errors(n, horizon, spread, seed=0, k=1):
    """Errors of windows that begin one after the other, and the numbers of their first rows."""
    season, steps = len(spread), np.arange(n)[:, np.newaxis] + np.arange(horizon)
    normal = np.random.default_rng(seed).normal(size=(n, horizon, k))
    return normal * spread[steps % season][..., np.newaxis], np.arange(n)


def _hours(n=600, k=1, freq="h"):
    index = pd.date_range("2026-01-01", periods=n, freq=freq)
    hours = index.hour.to_numpy()
    noise = np.random.default_rng(0).normal(size=(n, k)) * BY_HOUR[hours][:, np.newaxis]
    return pd.DataFrame(10 * np.sin(hours * np.pi / 12)[:, np.newaxis] + noise, index, [f"v{i}" for i in range(k)])


def _slow_spread(sizes, when, season):
    """As `spread_by_phase`, one number at a time."""
    n, horizon, k = sizes.shape
    table, of_windows = np.ones((horizon, season, k)), np.ones(sizes.shape)
    relative = sizes / sizes.mean(axis=0)
    for j in range(k):
        cells = {}
        for h in range(horizon):
            each = {p: [i for i in range(n) if (when[i] + h) % season == p] for p in range(season)}
            mean = {p: relative[rows, h, j].mean() if rows else 0.0 for p, rows in each.items()}
            within = sum((relative[i, h, j] - mean[p]) ** 2 for p, rows in each.items() for i in rows)
            freedom = sum(max(len(rows) - 1, 0) for rows in each.values())
            cells |= {(h, p): (rows, within / freedom / max(len(rows), 1)) for p, rows in each.items()}
        several = [(h, p) for (h, p), (rows, _) in cells.items() if len(rows) > 1]
        means = {(h, p): relative[rows, h, j].mean() if rows else 1.0 for (h, p), (rows, _) in cells.items()}
        differences = sum((means[cell] - 1) ** 2 for cell in several)
        chance = sum(cells[cell][1] for cell in several)
        if differences <= LEAST_EVIDENCE * chance:
            continue
        between = (differences - chance) / len(several)
        for (h, p), (rows, noise) in cells.items():
            weight = between / (between + noise) if rows else 0.0
            table[h, p, j] = max(1 + weight * (means[h, p] - 1), LEAST_FACTOR)
            for i in rows if len(rows) > 1 else []:
                others = np.mean([relative[o, h, j] for o in rows if o != i])
                of_windows[i, h, j] = max(1 + weight * (others - 1), LEAST_FACTOR)
    return table, of_windows


@pytest.mark.parametrize("n", [75, 130])
def test_the_spread_is_that_of_its_slow_twin(n):
    errors, when = _errors(n, 5, BY_HOUR, k=2)
    errors[..., 1] = np.random.default_rng(1).normal(size=(n, 5))
    # some cells of one window or none
    kept = np.flatnonzero((when % 24 != 3) | (np.arange(n) < 24))
    found = spread_by_phase(np.abs(errors[kept]), when[kept], (24,))
    table, of_windows = _slow_spread(np.abs(errors[kept]), when[kept], 24)
    np.testing.assert_allclose(found.table, table, rtol=1e-12)
    np.testing.assert_allclose(found.of_windows, of_windows, rtol=1e-12)
    assert (found.table[..., 1] == 1).all()
    ahead = found.at(np.array([22, 0]), 4)
    np.testing.assert_array_equal(ahead[0], found.table[np.arange(4), [22, 23, 0, 1]])
    np.testing.assert_array_equal(ahead[1], found.table[np.arange(4), np.arange(4)])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("n", "seasons"), [(100, (24,)), (500, (24,)), (1000, (48,)), (200, (7,)), (60, (12,)), (100, (24, 168))]
)
def test_errors_that_are_alike_at_all_phases_cost_nothing(n, seasons, seed):
    errors, when = _errors(n, 6, np.ones(seasons[0]), seed)
    assert spread_by_phase(np.abs(errors), when, seasons) is None


def test_chance_is_seldom_taken_for_a_week():
    # 7 days are of few parts: by chance one in some twenty exceeds two standard deviations, and little is made of it
    found = []
    for seed in range(40):
        errors, when = _errors(1000, 6, np.ones(24), seed)
        spread = spread_by_phase(np.abs(errors), when, (24, 168))
        found.append(0.0 if spread is None else np.abs(spread.table - 1).mean())
    assert np.count_nonzero(found) <= 6
    assert max(found) < 0.05


# Saturday and Sunday, the days 2 and 3 from Thursday on, are restless in the morning.
BY_HOUR_OF_WEEK = np.tile(BY_HOUR, 7)
BY_HOUR_OF_WEEK[2 * 24 + 6 : 2 * 24 + 12] *= 4
BY_HOUR_OF_WEEK[3 * 24 + 6 : 3 * 24 + 12] *= 4


def test_the_hours_of_a_week_are_found_where_they_differ():
    errors, when = _errors(1000, 6, BY_HOUR_OF_WEEK)
    calibration = Calibration.of(errors, np.zeros(errors.shape), when=when, season=24, longer_seasons=(168,))
    truth, later = _errors(168 * 100, 6, BY_HOUR_OF_WEEK, seed=1)
    of_week = (later[:, np.newaxis] + np.arange(6)) % 168
    is_restless = np.isin(of_week // 24, (2, 3)) & (of_week % 24 >= 6) & (of_week % 24 < 12)
    held = {}
    for seasons, each in (((24,), replace(calibration, longer_seasons=())), ((24, 168), calibration)):
        levels = levels_of(0.8)
        lower, upper = corrected_quantiles(each, np.zeros((*truth.shape, 1)), levels, when=later)
        inside = ((lower <= truth) & (truth <= upper))[..., 0]
        held[seasons] = inside[is_restless].mean(), inside[~is_restless].mean()
    # by the hours of a day alone, those mornings are those of Mondays
    assert held[(24,)][0] < 0.6
    # six weeks of errors, and shrinkage, leave a difference of a few points
    assert abs(held[(24, 168)][0] - 0.8) < 0.06
    assert abs(held[(24, 168)][1] - 0.8) < 0.03


def test_an_error_is_not_measured_by_itself():
    errors, when = _errors(700, 2, BY_HOUR_OF_WEEK)
    before = spread_by_phase(np.abs(errors), when, (24, 168)).of_windows
    # windows 300 and 299 are the only ones of row 300: their divisors there know nothing of its error
    errors[300, 0] *= 50
    errors[299, 1] *= 50
    after = spread_by_phase(np.abs(errors), when, (24, 168)).of_windows
    assert after[300, 0] < 2 * before[300, 0]
    assert after[299, 1] < 2 * before[299, 1]
    # those of the same hour of other weeks do
    assert after[300 + 168, 0] > 2 * before[300 + 168, 0]


def test_what_all_series_of_a_panel_have_in_common_is_no_phase():
    # twenty series with the same errors say as much as one
    errors, when = _errors(130, 5, BY_HOUR)
    one = spread_by_phase(np.abs(errors), when, (24,))
    many = spread_by_phase(np.abs(errors).repeat(20, axis=0), when.repeat(20), (24,))
    np.testing.assert_allclose(many.table, one.table)
    np.testing.assert_allclose(many.of_windows, one.of_windows.repeat(20, axis=0))
    # a storm in all twenty on one Wednesday of three
    days = np.arange(16)[:, np.newaxis] + np.arange(7)
    storm = (
        np.random.default_rng(0).normal(size=(16, 20, 7, 1)) * np.where(days == 9, 5, 1)[:, np.newaxis, :, np.newaxis]
    )
    assert spread_by_phase(np.abs(storm).reshape(-1, 7, 1), np.arange(16).repeat(20), (7,)) is None


def test_few_windows_and_exact_forecasts_have_no_phases():
    errors, when = _errors(47, 5, BY_HOUR)
    assert spread_by_phase(np.abs(errors), when, (24,)) is None
    assert spread_by_phase(np.zeros((200, 5, 1)), np.arange(200), (24,)) is None


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_intervals_hold_at_every_phase(coverage):
    errors, when = _errors(1000, 3, BY_HOUR)
    calibration = Calibration.of(errors, np.zeros(errors.shape), when=when, season=24)
    truth, later = _errors(48_000, 3, BY_HOUR, seed=1)
    zero = np.zeros((*truth.shape, 1))
    held = {}
    for name, known in {"by phase": later, "of all": None}.items():
        lower, upper = corrected_quantiles(calibration, zero, levels_of(coverage), when=known)
        inside = (lower <= truth) & (truth <= upper)
        rows = (later[:, np.newaxis] + np.arange(3)) % 24
        held[name] = np.array([inside[rows == phase].mean() for phase in range(24)])
    # a factor from 42 normal errors is off by a tenth, which is 4 points of coverage at 80 %; three of these make 0.12
    assert np.abs(held["by phase"] - coverage).max() < 0.12
    assert np.abs(held["by phase"] - coverage).mean() < 0.04
    assert abs(held["by phase"].mean() - coverage) < 0.02
    # without phases, midnight is rarely inside and the night always
    assert held["of all"].min() < coverage - 0.3
    assert held["of all"].max() > 0.999


@pytest.mark.parametrize("loss", [None, "quantile", "normal"])
def test_the_wide_hours_of_a_series_get_wide_intervals(loss):
    y = _hours(1500)
    model = LSTMForecaster(4, loss=loss, **FAST).fit(y)
    # the last hour is 11; a context ends where it may
    wide, calm = (model.predict_interval(0.8, context=y[: 1500 - 12 - back]) for back in (1, 12))
    assert [wide.index[0].hour, calm.index[0].hour] == [23, 12]
    width = {name: np.diff(each.to_numpy(), axis=1)[:, 0] for name, each in {"wide": wide, "calm": calm}.items()}
    # midnight beside one o'clock and noon: errors differ 13-fold and 4-fold, and the network adds the same to all
    assert width["wide"][1] > 1.5 * width["wide"][2]
    assert width["wide"][1] > 1.5 * width["calm"][1]
    assert (wide.iloc[:, 0] < wide.iloc[:, 1]).all()


def test_points_and_errors_stay_as_they_were():
    y = _hours(800)
    model = LSTMForecaster(3, **FAST).fit(y)
    calibration = model.fitted_.calibration
    np.testing.assert_array_equal(calibration.when % 24, y.index.hour[640:798])
    arrays = LSTMForecaster(3, window_size=model.window_size_, architecture=_segments(model), **FAST).fit(y.to_numpy())
    assert arrays.fitted_.calibration.when is None
    np.testing.assert_array_equal(arrays.fitted_.calibration.errors, calibration.errors)
    np.testing.assert_array_equal(arrays.predict(), model.predict())


def _segments(model):
    from lstmforecast import LSTM

    return LSTM(segment_length=model.model_.config["segment_length"])


def test_files_pickles_and_updates_keep_the_phases(tmp_path):
    y = _hours(900, k=2)
    model = LSTMForecaster(3, **FAST).fit(y[:800])
    assert model.fitted_.calibration.by_phase is not None
    model.save(tmp_path / "m")
    for other in (load(tmp_path / "m"), pickle.loads(pickle.dumps(model))):
        pd.testing.assert_frame_equal(other.predict_interval(0.8), model.predict_interval(0.8))
        np.testing.assert_array_equal(
            other.predict_samples(5, random_state=0), model.predict_samples(5, random_state=0)
        )
        other.update(y[800:])
        np.testing.assert_array_equal(other.fitted_.calibration.when[-1] % 24, y.index[897].hour)
    in_portions = load(tmp_path / "m").update(y[800:803]).update(y[803:])
    pd.testing.assert_frame_equal(in_portions.predict_interval(0.8), other.predict_interval(0.8))


def test_an_older_calibration_goes_on_without_phases(tmp_path):
    y = _hours(900)
    model = LSTMForecaster(3, **FAST).fit(y[:800])
    arrays = {name: each for name, each in model.fitted_.calibration.pack().items() if name not in ("when", "season")}
    older = Calibration.unpack(arrays, None, 0.0)
    assert older.when is None
    assert older.by_phase is None
    now = model.fitted_.calibration
    np.testing.assert_array_equal(older.quantile(0.9, ""), now.quantile(0.9, ""))
    extended = older.extended(np.zeros((4, 3, 1)), np.zeros((4, 3, 1)), None, None)
    assert extended.when is None


def test_a_backtest_forecasts_the_same_intervals():
    y = _hours(800)
    result = backtest(LSTMForecaster(3, **FAST), y, folds=30, coverage=0.8)
    fitted = LSTMForecaster(3, **FAST).fit(y[:770])
    for origin in (770, 784, 797):
        expected = fitted.predict_interval(0.8, context=y[:origin]).to_numpy()
        found = result.intervals[result.intervals["cutoff"] == y.index[origin - 1]]
        np.testing.assert_allclose(found[["lower", "upper"]], expected, rtol=1e-12)


def test_samples_have_the_spread_of_their_phase():
    errors, when = _errors(960, 3, BY_HOUR)
    calibration = Calibration.of(errors, np.zeros(errors.shape), when=when, season=24)
    drawn = np.random.default_rng(0).integers(960, size=20_000)
    generator = np.random.RandomState(0)
    paths = draw_paths(calibration, drawn, np.zeros((2, 3, 1, 1)), None, generator, np.array([22, 3]))
    lower, upper = corrected_quantiles(calibration, np.zeros((2, 3, 1, 1)), (0.1, 0.9), when=np.array([22, 3]))
    # the same errors, as paths and as quantiles: 20,000 draws of 960
    for side, level in ((lower, 0.1), (upper, 0.9)):
        np.testing.assert_allclose(np.quantile(paths, level, axis=0), side, rtol=0.1)
    assert (upper[0, 2] > 4 * upper[1]).all()


def test_series_of_a_panel_have_phases_of_their_own_times():
    y = _hours(400)["v0"]
    late = y[9:].copy()
    panel = pd.concat({"a": y, "b": 10 * late[:-5]}, names=["unique_id", "ds"])
    model = LSTMForecaster(3, **FAST, architecture=LSTM(mix_naive=False)).fit(panel)
    assert (model.fitted_.when % 24).tolist() == [16, 11]
    assert model.fitted_.calibration.by_phase is not None
    assert np.isfinite(model.predict_interval(0.8).to_numpy()).all()
    assert model.predict_samples(3, random_state=0).shape == (6, 3)


@pytest.mark.parametrize(
    ("times", "freq", "expected"),
    [
        (pd.date_range("2026-03-28 22:00", periods=6, freq="h", tz="Europe/Berlin"), "h", [22, 23, 0, 1, 3, 4]),
        (pd.date_range("2026-01-01", periods=3, freq="30min"), "30min", [0, 1, 2]),
        (pd.date_range("2026-01-01 00:00:58", periods=3, freq="s"), "s", [58, 59, 0]),
        (pd.date_range("2026-01-01", periods=3, freq="D"), "D", [0, 1, 2]),
        (pd.date_range("2026-01-01", periods=3, freq="B"), "B", [0, 1, 2]),
        (pd.period_range("2026-11", periods=3, freq="M"), "M", [10, 11, 0]),
        (pd.period_range("2026-01-01 06:00", periods=3, freq="6h"), "6h", [1, 2, 3]),
        (pd.date_range("2026-02-01", periods=3, freq="QS-FEB"), "QS-FEB", [0, 1, 2]),
        (pd.date_range("2026-01-01", periods=3, freq="2MS"), "2MS", [0, 1, 2]),
        (pd.date_range("2026-01-01", periods=3, freq="W"), "W", None),
        (pd.date_range("2026-01-01", periods=3, freq="YS"), "YS", None),
        (pd.RangeIndex(3), 1, None),
    ],
)
def test_the_phase_of_times(times, freq, expected):
    found = steps_of(times, freq)
    assert (found if found is None else (found % season_length(freq)).tolist()) == expected


def test_windows_are_spread_over_all_phases():
    for n in (24_000, 12_000, 48_000):
        places = spread_places(n, 1000, season=24)
        assert len(np.unique(places)) == 1000
        assert places[-1] < n
        # 41.7 of each phase
        assert np.bincount(places % 24).min() >= 30
    np.testing.assert_array_equal(spread_places(500, 1000, season=24), np.arange(500))
