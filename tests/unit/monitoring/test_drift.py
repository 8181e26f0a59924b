"""`DriftMonitor` and its tests against slow twins, published results and their rates of false alarms."""

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from scipy import stats
from sklearn.exceptions import NotFittedError

from lstmforecast import DriftMonitor, LSTMForecaster, plot
from lstmforecast.monitoring.change import Adwin, PageHinkley
from lstmforecast.monitoring.drift_errors import ErrorTests
from lstmforecast.monitoring.drift_inputs import N_CELLS, Reference
from lstmforecast.uncertainty.errors import calibration_origins


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_distances_compare_the_window_with_the_whole_reference(rng: np.random.Generator) -> None:
    values = rng.normal(size=(1000, 2))
    new = rng.normal(0.3, 1.2, size=(150, 2))
    reference = Reference(values, 60)
    for row in reference.cells(new):
        reference.push(row)
    distances = reference.distances()
    for i in range(2):
        window = new[-60:, i]
        # both distribution functions, at the quantiles only: never more than SciPy's, less by a cell's share at most
        ks = stats.ks_2samp(window, values[:, i]).statistic
        assert ks - 1 / N_CELLS - 1e-9 <= distances.ks[i] <= ks + 1e-9
        edges = np.r_[-np.inf, np.quantile(values[:, i], np.arange(1, 10) / 10), np.inf]
        shares = [np.histogram(part, edges)[0] for part in (window, values[:, i])]
        p, q = ((np.r_[share + 0.5, 0.1]) / (share.sum() + 5.1) for share in shares)
        # the same sums, but for rounding
        assert distances.psi[i] == pytest.approx(((p - q) * np.log(p / q)).sum(), rel=1e-9)


def test_thresholds_of_independent_rows_are_kolmogorovs(rng: np.random.Generator) -> None:
    reference = Reference(rng.normal(size=(40_000, 1)), 200)
    ks, psi = reference.thresholds(0.001)
    exact = stats.ksone.isf(0.0005, 200)
    # a window may count for a little less than its rows: its worth is estimated from 200 of them, with caution
    assert exact <= ks[0] < 1.15 * exact
    # Yurdakul (2018): PSI (1/n + 1/m)^-1 is chi-squared with bins - 1 degrees
    assert psi[0] == pytest.approx(stats.chi2.isf(0.001, 9) * (1 / 200 + 1 / 40_000), rel=0.3)


def test_autocorrelated_rows_count_for_less(rng: np.random.Generator) -> None:
    values = rng.normal(size=(8000, 1))
    for i in range(1, 8000):
        values[i] += 0.9 * values[i - 1]
    n_ks = Reference(values, 200).n_ks[0]
    # (1 - r) / (1 + r) of 200 rows are 10.5 for the mean; for distribution functions somewhat more
    assert 6 < n_ks < 35


def naive_adwin(values: list[float], delta: float, least: int) -> list[int]:
    """The window cut wherever the bound of Bifet and Gavaldà is exceeded, over all cuts, without buckets."""
    window: list[float] = []
    found = []
    for i, value in enumerate(values):
        window.append(value)
        cut = True
        while cut and len(window) >= 2 * least:
            n, total, variance = len(window), np.array(window), np.var(window)
            doubt = math.log(2 * math.log(n) / delta)
            cut = False
            for k in range(least, n - least + 1):
                m = 1 / (1 / k + 1 / (n - k))
                bound = math.sqrt(2 / m * variance * doubt) + 2 / (3 * m) * doubt
                if abs(total[:k].mean() - total[k:].mean()) > bound:
                    cut = True
            if cut:
                found.append(i)
                window.pop(0)
    return sorted(set(found))


def test_adwin_finds_what_its_slow_twin_finds(rng: np.random.Generator) -> None:
    values = np.r_[rng.uniform(0, 0.6, 120), rng.uniform(0.4, 1.0, 80)].tolist()
    slow = naive_adwin(values, 0.002, 5)
    adwin = Adwin(clock=1)
    fast = [i for i, value in enumerate(values) if adwin.update(value)]
    # cuts only between buckets: a change is found some values later at most
    assert slow[0] <= fast[0] <= slow[0] + 10
    assert adwin.change > 0
    # the greater part of what came before the change is forgotten
    assert adwin.n < 80 + 60
    assert adwin.mean == pytest.approx(np.mean(values[-adwin.n :]))


def test_adwin_finds_the_change_that_river_documents() -> None:
    # river 0.26's docstring of ADWIN: this stream, a change at index 1023
    import random

    rng = random.Random(12345)
    values = rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)
    adwin = Adwin()
    assert [i for i, value in enumerate(values) if adwin.update(value)] == [1023]


def test_adwin_keeps_few_buckets(rng: np.random.Generator) -> None:
    adwin = Adwin()
    for value in rng.uniform(size=5000):
        adwin.update(value)
    assert adwin.n <= 5000
    assert len(adwin._buckets) <= 5 * math.log2(5000)


def test_page_hinkley_has_the_run_length_of_its_threshold(rng: np.random.Generator) -> None:
    runs = []
    for _ in range(200):
        test, n = PageHinkley.of_run_length(200, 0.25), 0
        while not test.update(rng.standard_normal()):
            n += 1
        runs.append(n)
    # 200 runs, nearly exponential: a standard error of 7 %; Siegmund's approximation errs by a few percent
    assert np.mean(runs) == pytest.approx(200, rel=0.25)


def test_ranks_are_shares_of_smaller_errors() -> None:
    tests = ErrorTests(np.arange(50.0), 20, 0.01)
    np.testing.assert_allclose(tests.ranks(np.array([-1.0, 0.0, 24.5, 99.0])), [0, 0.01, 0.5, 1])


def test_changes_are_found_and_named(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(2000, 3)), columns=["load", "oil", "wind"])
    errors = rng.normal(size=2000)
    monitor = DriftMonitor(window=100).fit(frame[:1500], errors[:1500])
    assert monitor.update(frame[1500:], errors[1500:]) == "ok"
    assert monitor.reason_ == ""
    before = copy.deepcopy(monitor)
    moved = frame[:100].assign(oil=frame["oil"][:100] + 1.5)
    assert monitor.update(moved) == "drift"
    assert "oil: KS" in monitor.reason_
    assert "load" not in monitor.reason_
    assert before.update(frame[:300], 3 * errors[:300]) == "drift"
    assert before.reason_.startswith("errors: Page-Hinkley")
    # inputs that are as they were end the alarm
    assert monitor.update(frame[:200]) == "ok"


def test_a_shallow_copy_is_updated_alone(rng: np.random.Generator) -> None:
    x, errors = rng.normal(size=(2, 500))
    monitor = DriftMonitor(window=50).fit(x, errors)
    copied = copy.copy(monitor)
    assert copied.update(x[:200] + 3, 9 * errors[:200]) == "drift"
    pd.testing.assert_frame_equal(monitor.report(), DriftMonitor(window=50).fit(x, errors).report())
    assert monitor.update(x[:200], errors[:200]) == "ok"


def test_missing_values_are_a_drift(rng: np.random.Generator) -> None:
    x = rng.normal(size=2000)
    monitor = DriftMonitor(window=100).fit(x)
    gaps = np.where(rng.uniform(size=200) < 0.5, np.nan, x[:200])
    assert monitor.update(gaps) == "drift"
    assert DriftMonitor(window=100).fit(gaps[:0].tolist() + x.tolist()).update(x[:200]) == "ok"


def test_small_errors_are_no_drift(rng: np.random.Generator) -> None:
    monitor = DriftMonitor(window=50).fit(rng.normal(size=500), rng.normal(size=500))
    for _ in range(4):
        monitor.update([], 0.1 * rng.normal(size=100))
    assert monitor.state_ == "ok"


def test_row_by_row_is_the_same_and_memory_constant(rng: np.random.Generator) -> None:
    x, e = rng.normal(size=(900, 2)), rng.normal(size=900)
    whole, single = (DriftMonitor(window=40).fit(x[:400], e[:400]) for _ in range(2))
    whole.update(x[400:], e[400:])
    for row, error in zip(x[400:], e[400:], strict=True):
        single.update(row, error)
    pd.testing.assert_frame_equal(whole.report(), single.report())
    assert pickle.loads(pickle.dumps(single)).report().equals(single.report())
    size = len(pickle.dumps(single._inputs))
    single.update(x, e)
    assert len(pickle.dumps(single._inputs)) == size


def test_report_and_pictures(rng: np.random.Generator) -> None:
    monitor = DriftMonitor(window=50).fit(rng.normal(size=(500, 2)), rng.normal(size=500))
    assert np.isnan(monitor.report().loc[("x0", "KS"), "statistic"])
    monitor.update(rng.normal(size=(200, 2)), rng.normal(size=200))
    report = monitor.report()
    assert list(report.index.unique("feature")) == ["x0", "x1", "errors"]
    ax = plot.drift(monitor)
    assert ax.get_legend_handles_labels()[1] == ["KS", "PSI", "Page-Hinkley", "ADWIN", "alarm"]
    top = max(line.get_ydata()[-1] for line in ax.get_lines()[:1])
    ks = report.xs("KS", level="test")
    assert top == pytest.approx((ks["statistic"] / ks["threshold"]).max())
    pyplot.close("all")


def test_invalid_arguments_are_refused(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 2))
    with pytest.raises(ValueError, match="expected at least 4 windows of 60 rows, got 200 rows"):
        DriftMonitor(window=60).fit(x)
    with pytest.raises(ValueError, match="expected at least 40 known errors, got 3"):
        DriftMonitor().fit(x, [1.0, 2.0, 3.0, np.nan])
    with pytest.raises(ValueError, match="expected a value in each column, got none in 'x1'"):
        DriftMonitor().fit(np.c_[x[:, 0], np.full(200, np.nan)])
    with pytest.raises(TypeError, match=r"expected window to be an integer of at least 8 or None, got 10\.5"):
        DriftMonitor(window=10.5).fit(x)
    with pytest.raises(NotFittedError):
        DriftMonitor().update(x)
    monitor = DriftMonitor().fit(x)
    with pytest.raises(ValueError, match="expected 2 features, got 3"):
        monitor.update(np.zeros(3))
    with pytest.raises(ValueError, match="expected no error, as fit was given none"):
        monitor.update(x[0], 1.0)
    with pytest.raises(ValueError, match=r"expected finite or missing inputs, got 1 infinite ones"):
        monitor.update([1.0, np.inf])


class TestFromForecaster:
    def test_errors_are_those_of_the_windows_held_out(self, rng: np.random.Generator) -> None:
        y = pd.DataFrame(rng.normal(size=(400, 2)), pd.date_range("2026-01-01", periods=400), ["a", "b"])
        model = LSTMForecaster(2, window_size=8, hidden_size=4, max_epochs=1, n_threads=1, random_state=0).fit(y)
        found = DriftMonitor.from_forecaster(model, y, window=30)
        origins = calibration_origins(320, 400, 2)
        errors = [
            np.abs(model.predict(context=y[:origin]).to_numpy() - y.to_numpy()[origin : origin + 2]).mean()
            for origin in origins
        ]
        by_hand = DriftMonitor(window=30).fit(y, errors)
        assert list(found.feature_names_in_) == ["a", "b"]
        # errors are kept in single precision, and their ranks count: those of a thousandth may be tied
        for monitor in (found, by_hand):
            monitor.update(y.to_numpy()[:100], np.abs(rng.normal(size=100)) * 0 + 0.8)
        pd.testing.assert_frame_equal(found.report(), by_hand.report(), rtol=1e-3)

    def test_without_errors_in_the_units_of_the_data_only_rows_are_tested(self) -> None:
        y = np.exp(np.sin(np.arange(300) / 5))
        options = {"window_size": 8, "hidden_size": 4, "max_epochs": 1, "n_threads": 1, "random_state": 0}
        assert DriftMonitor.from_forecaster(LSTMForecaster(**options).fit(y), y).tests_errors
        assert not DriftMonitor.from_forecaster(LSTMForecaster(transform="log", **options).fit(y), y).tests_errors

    def test_panels_and_other_columns_are_refused(self) -> None:
        index = pd.MultiIndex.from_product([["a", "b"], pd.date_range("2026-01-01", periods=60)])
        options = {"window_size": 8, "hidden_size": 4, "max_epochs": 1, "n_threads": 1, "random_state": 0}
        y = pd.Series(np.sin(np.arange(120.0)), index)
        with pytest.raises(ValueError, match="expected a forecaster of one series, got one of a panel"):
            DriftMonitor.from_forecaster(LSTMForecaster(**options).fit(y), y)
        with pytest.raises(ValueError, match="expected y with 1 columns as at fit, got 2"):
            DriftMonitor.from_forecaster(LSTMForecaster(**options).fit(y.to_numpy()), np.ones((100, 2)))
