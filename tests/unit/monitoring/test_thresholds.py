"""Thresholds against slow twins: written from the papers' formulas, over all scores so far, anew at each step."""

import math

import numpy as np
import pytest
from scipy import stats

from lstmforecast import LSTMAnomalyDetector
from lstmforecast.thresholds import DynamicThreshold, EWMAThreshold, POTThreshold, QuantileThreshold

ALL = [DynamicThreshold(), EWMAThreshold(), POTThreshold(), QuantileThreshold()]


@pytest.fixture
def scores() -> np.ndarray:
    """Skewed, with spikes, and a new level in the middle."""
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, 0.5, 600)
    values[[150, 151, 290, 420]] += [6, 4, 9, 5]
    values[300:] *= 1.5
    return values


def epsilon(window: np.ndarray) -> float:
    """Hundman et al. 2018, equation 5: argmax over z of the falls in mean and deviation for the anomalies made."""
    mean, deviation = window.mean(), window.std()
    best, most = mean + 12 * deviation, -math.inf
    for z in np.arange(2.5, 12.25, 0.5):
        threshold = mean + z * deviation
        above = window > threshold
        if not above.any():
            break
        below = window[~above]
        n_runs = int(above[0]) + int((np.diff(above.astype(int)) == 1).sum())
        falls = (mean - below.mean()) / mean + (deviation - below.std()) / deviation
        merit = falls / (above.sum() + n_runs**2)
        if merit >= most:
            best, most = threshold, merit
    return best


def kept_peaks(window: np.ndarray, threshold: float, pruning: float) -> list[float]:
    """Section 3.3: the greatest errors of the runs, of which those that no fall of more than ``pruning`` follows go."""
    runs = np.split(window, np.flatnonzero(np.diff(window > threshold)) + 1)
    peaks = sorted((run.max() for run in runs if run[0] > threshold), reverse=True)
    ladder = [*peaks, window[window <= threshold].max()]
    kept = 0
    for i in range(1, len(ladder)):
        if (ladder[i - 1] - ladder[i]) / ladder[i - 1] > pruning:
            kept = i
    return peaks[:kept]


def test_dynamic_threshold_is_that_of_the_paper(scores: np.ndarray) -> None:
    first, window, every, pruning = scores[:100], 200, 7, 0.13
    levels = DynamicThreshold(window=window, every=every, pruning=pruning).follow(scores[100:], first)
    checked = 0
    for i, level in enumerate(levels):
        if i % every == 0:
            seen = scores[: 100 + i][-window:]
            base = epsilon(seen)
        # a run of one more score, just above and just below the level, with epsilon as it is
        above = kept_peaks(np.append(seen, [0.0, level * (1 + 1e-9)]), base, pruning)
        below = kept_peaks(np.append(seen, [0.0, level * (1 - 1e-9)]), base, pruning)
        assert level * (1 + 1e-9) in above
        assert level * (1 - 1e-9) not in below
        checked += level > base * (1 + 1e-6)
    assert checked  # pruning raised some


def test_rolling_quantile_is_that_of_numpy(scores: np.ndarray) -> None:
    levels = QuantileThreshold(window=120, level=0.97, factor=1.3).follow(scores[50:], scores[:50])
    slow = [1.3 * np.quantile(scores[: 50 + i][-120:], 0.97) for i in range(len(levels))]
    np.testing.assert_allclose(levels, slow, rtol=1e-12)  # the same two products and sums, in another order


def test_ewma_band_is_that_of_weights_written_out(scores: np.ndarray) -> None:
    span, n_sigmas = 40, 3.0
    levels = EWMAThreshold(span=span, n_sigmas=n_sigmas).follow(scores[60:], scores[:60])
    alpha = 2 / (span + 1)
    start_mean, start_square = scores[:span].mean(), (scores[:span] ** 2).mean()
    learned: list[float] = []

    def level() -> float:
        weights = alpha * (1 - alpha) ** np.arange(len(learned))[::-1]
        rest = (1 - alpha) ** len(learned)
        mean = weights @ learned + rest * start_mean
        square = weights @ np.square(learned) + rest * start_square
        return mean + n_sigmas * math.sqrt(square - mean**2)

    for score in scores[span:60]:
        learned.append(min(score, level()))
    slow = []
    for score in scores[60:]:
        slow.append(level())
        learned.append(min(score, slow[-1]))
    # a difference of squares loses some digits of sixteen
    np.testing.assert_allclose(levels, slow, rtol=1e-9)


def test_peaks_over_threshold_are_fitted_as_well_as_by_scipy(scores: np.ndarray) -> None:
    risk, base_level, n_first = 1e-3, 0.9, 300
    levels = POTThreshold(risk=risk, level=base_level, n_peaks=1000).follow(scores[n_first:], scores[:n_first])
    ordered = np.sort(scores[:n_first])
    base = ordered[int(base_level * (n_first - 1))]
    excesses, n = [score - base for score in scores[:n_first] if score > base], n_first

    def slow_level() -> float:
        shape, _, scale = stats.genpareto.fit(excesses, floc=0)
        return base + stats.genpareto.isf(risk * n / len(excesses), shape, scale=scale)

    for i, level in enumerate(levels):
        if i % 60 == 0:
            # scipy's simplex ends where the likelihood changes by some 1e-4, which moves the far quantile by this
            assert level == pytest.approx(slow_level(), rel=2e-3)
        if scores[n_first + i] <= level:
            n += 1
            if scores[n_first + i] > base:
                excesses.append(scores[n_first + i] - base)


@pytest.mark.parametrize("threshold", ALL, ids=lambda threshold: type(threshold).__name__)
def test_a_threshold_depends_on_earlier_scores_only(threshold, scores: np.ndarray) -> None:
    levels = threshold.follow(scores[200:], scores[:200])
    changed = scores[200:].copy()
    changed[250:] = 50.0
    np.testing.assert_array_equal(threshold.follow(changed, scores[:200])[:251], levels[:251])


@pytest.mark.parametrize("threshold", ALL, ids=lambda threshold: type(threshold).__name__)
def test_a_spike_is_above_and_most_else_is_below(threshold, scores: np.ndarray) -> None:
    steady = scores[:290]
    levels = threshold.follow([25.0], steady)
    assert levels[0] < 25.0
    assert (steady > levels[0]).mean() < 0.03


def test_missing_scores_change_nothing(scores: np.ndarray) -> None:
    for threshold in ALL:
        gaps = np.insert(scores[100:200], 50, np.nan)
        levels = np.delete(threshold.follow(gaps, scores[:100]), 50)
        np.testing.assert_array_equal(levels, threshold.follow(scores[100:200], scores[:100]))


@pytest.mark.parametrize(
    ("threshold", "error", "message"),
    [
        (EWMAThreshold(n_sigmas=0), ValueError, "expected n_sigmas to be a number above 0, got 0"),
        (QuantileThreshold(level=1.0), ValueError, "expected level to be a number above 0 and below 1, got 1.0"),
        (DynamicThreshold(window="long"), TypeError, "expected window to be an integer of at least 1, got 'long'"),
    ],
)
def test_bad_parameters_are_named(threshold, error, message) -> None:
    with pytest.raises(error, match=message):
        threshold.follow([1.0], [1.0])
    with pytest.raises(error, match=message):
        LSTMAnomalyDetector(threshold=threshold).fit(np.arange(50.0))


def test_a_threshold_needs_a_score() -> None:
    with pytest.raises(ValueError, match="expected at least 1 score for a threshold, got none"):
        POTThreshold().follow([1.0], [np.nan])
