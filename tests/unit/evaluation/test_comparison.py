"""`compare` against textbook formulas, slow twins and an independent implementation; what it refuses."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lstmforecast import Folds, LSTMForecaster, backtest, compare
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.evaluation.bootstrap import block_length, resampled_means
from lstmforecast.evaluation.diebold_mariano import cosine_test, diebold_mariano
from lstmforecast.evaluation.sequential import LEAST_BATCHES, confidence_sequence, t_boundary


@pytest.fixture
def losses() -> np.ndarray:
    """Differences that overlap: moving averages of four shocks."""
    rng = np.random.default_rng(0)
    return np.convolve(rng.standard_normal(123), np.ones(4), "valid") + 0.6


def textbook(d: np.ndarray, h: int) -> tuple[float, float]:
    """Diebold and Mariano (1995), equation on page 254; Harvey, Leybourne and Newbold (1997), equation 9."""
    n, mean = len(d), sum(d) / len(d)
    variance = 0.0
    for lag in range(-(h - 1), h):
        variance += sum((d[t] - mean) * (d[t - abs(lag)] - mean) for t in range(abs(lag), n)) / n
    statistic = mean / math.sqrt(variance / n)
    statistic *= math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    return statistic, 2 * stats.t(n - 1).sf(abs(statistic))


@pytest.mark.parametrize("horizon", [1, 4, 7])
def test_diebold_mariano_is_the_textbooks(losses: np.ndarray, horizon: int) -> None:
    test = diebold_mariano(losses, horizon, "two-sided")
    # the same sums in another order
    assert (test.statistic, test.p_value) == pytest.approx(textbook(losses, horizon), rel=1e-10)


@pytest.mark.parametrize("horizon", [1, 4])
def test_diebold_mariano_agrees_with_another_implementation(horizon: int) -> None:
    other = pytest.importorskip("dieboldmariano")
    rng = np.random.default_rng(1)
    truth, a, b = rng.normal(size=(3, 60))
    statistic, p_value = other.dm_test(truth.tolist(), a.tolist(), b.tolist(), h=horizon)
    result = compare(a, b, truth, horizon=horizon)
    # its p-value comes from a continued fraction that ends at 1e-10
    assert (result.dm_statistic, result.p_value) == pytest.approx((statistic, p_value), rel=1e-8)


def test_diebold_mariano_keeps_the_numbers_that_another_implementation_printed() -> None:
    # dieboldmariano 1.1.0: dm_test(V, A, B, h=2), squared errors
    truth = [1.0, 2.0, 3.0, 2.0, 1.0, 0.0, 1.0, 2.0, 4.0, 3.0]
    a = [1.5, 1.0, 2.0, 2.5, 2.0, 0.5, 0.0, 2.5, 3.0, 2.0]
    b = [1.0, 2.5, 3.0, 2.0, 0.0, 0.0, 1.5, 2.0, 3.5, 3.5]
    result = compare(a, b, truth, horizon=2)
    assert (result.dm_statistic, result.p_value) == pytest.approx((4.0, 0.003110428310373929), rel=1e-8)


def test_a_negative_variance_falls_back_on_bartletts_weights() -> None:
    d = np.tile([1.0, -1.0], 10) + np.linspace(0, 0.1, 20)
    gamma = [((d - d.mean())[k:] * (d - d.mean())[: 20 - k]).sum() / 20 for k in range(2)]
    assert gamma[0] + 2 * gamma[1] < 0
    correction = math.sqrt((20 + 1 - 4 + 2 / 20) / 20)
    expected = d.mean() / math.sqrt((gamma[0] + gamma[1]) / 20) * correction
    assert diebold_mariano(d, 2, "two-sided").statistic == pytest.approx(expected, rel=1e-10)


def test_sides_add_up(losses: np.ndarray) -> None:
    for test in (lambda side: diebold_mariano(losses, 4, side), lambda side: cosine_test(losses, 4, side)):
        less, greater, both = (test(side).p_value for side in ("less", "greater", "two-sided"))
        assert less + greater == pytest.approx(1)
        assert both == pytest.approx(2 * min(less, greater))
        assert greater < 0.5


def test_cosine_test_is_a_t_test_of_the_cosine_transform(losses: np.ndarray) -> None:
    from scipy.fft import dct

    n_cosines = min(int(0.4 * 120 ** (2 / 3)), 120 // 16)
    coefficients = dct(losses, norm="ortho")[1 : n_cosines + 1]
    statistic = losses.mean() / math.sqrt((coefficients**2).mean() / 120)
    assert cosine_test(losses, 4, "two-sided").statistic == pytest.approx(statistic, rel=1e-10)


def test_resampled_means_are_those_of_blocks_put_together() -> None:
    values, length = np.random.default_rng(0).normal(size=23), 5
    fast = resampled_means(values, length, 50, np.random.default_rng(3))
    starts = np.random.default_rng(3).integers(0, 23, (50, 5))
    for mean, row in zip(fast, starts, strict=True):
        whole = np.concatenate([values[(start + np.arange(length)) % 23] for start in row])
        assert mean == pytest.approx(whole[:23].mean(), abs=1e-12)


def test_block_length_grows_with_resemblance() -> None:
    rng = np.random.default_rng(0)
    shocks = rng.standard_normal(2000)
    lengths = []
    for persistence in (0.0, 0.5, 0.9):
        values = shocks.copy()
        for i in range(1, 2000):
            values[i] += persistence * values[i - 1]
        lengths.append(block_length(values))
    # theory for an autoregression: (6 r^2 / (1 - r^2)^2 n)^(1/3), 0, 17 and 60, plus what is estimated
    assert lengths[0] <= 6
    assert 10 <= lengths[1] <= 30
    assert 40 <= lengths[2] <= 110
    assert block_length(np.ones(50)) == 1


def mixed_ratio(t: float, count: int, g: float) -> float:
    """The likelihood ratio of a t-statistic, mixed over effects ~ N(0, g), by numerical integration."""
    effects = np.linspace(-12, 12, 4001) * math.sqrt(g)
    weights = stats.norm.pdf(effects, scale=math.sqrt(g)) * (effects[1] - effects[0])
    alternative = stats.nct.pdf(t, count - 1, effects * math.sqrt(count))
    return float((np.nan_to_num(alternative) * weights).sum() / stats.t.pdf(t, count - 1))


@pytest.mark.parametrize("count", [10, 30])
def test_the_boundary_is_where_the_mixed_likelihood_ratio_is_twenty(count: int) -> None:
    doubled = 2 * math.log(20)
    g = (doubled + math.log1p(doubled)) / 200
    [boundary] = t_boundary(np.array([count]), 1, 0.05)
    if math.isinf(boundary):  # no statistic is enough: the ratio's limit for a great one
        limit = (1 + count * g) ** ((count - 1) / 2)
        assert limit < 20
    else:
        # the integral is a sum over 4,001 effects
        assert mixed_ratio(boundary, count, g) == pytest.approx(20, rel=1e-3)


def test_bounds_are_those_of_the_first_values(losses: np.ndarray) -> None:
    sequence = confidence_sequence(losses, 4, 0.95)
    assert sequence.n.tolist() == [84, 91, 98, 105, 112, 119]
    np.testing.assert_allclose(sequence.mean - sequence.lower, sequence.upper - sequence.mean, rtol=1e-10)
    for n, mean, upper in zip(sequence.n, sequence.mean, sequence.upper, strict=True):
        start = LEAST_BATCHES * 2 ** int(np.log2(n / LEAST_BATCHES))
        length = max(4, block_length(losses[:start]), math.ceil(start ** (1 / 3)))
        batches = losses[:n].reshape(-1, length).mean(axis=1)
        count = len(batches)
        apart = batches - batches.mean()
        deviation = math.sqrt(((apart**2).sum() + 2 * max((apart[1:] * apart[:-1]).sum(), 0)) / (count - 1))
        assert mean == pytest.approx(batches.mean(), rel=1e-10)
        radius = t_boundary(np.array([count]), length, 0.05)[0] * deviation / math.sqrt(count)
        assert upper == pytest.approx(mean + radius, rel=1e-8)


def test_what_was_decided_stays_decided() -> None:
    d = np.random.default_rng(0).normal(0.4, 1, 1000)
    zero = np.zeros(1000)
    whole = compare(d, zero)
    assert whole.verdict == "b"
    assert whole.decided_at is not None
    for n in (whole.decided_at, whole.decided_at + 13, 900):
        assert compare(d[:n], zero[:n]).decided_at == whole.decided_at
    assert compare(d[: whole.decided_at - 1], zero[: whole.decided_at - 1]).verdict == "undecided"


def test_equal_models_are_undecided() -> None:
    same = compare(np.ones(50), np.ones(50))
    assert math.isnan(same.dm_statistic)
    assert (same.p_value, same.verdict, same.interval) == (1.0, "undecided", (0.0, 0.0))
    apart = compare(np.ones(50), np.zeros(50))
    assert (apart.dm_statistic, apart.p_value, apart.verdict) == (math.inf, 0.0, "b")


def test_each_number_of_a_comparison_comes_from_its_method() -> None:
    truth, a, b = np.random.default_rng(4).normal(size=(3, 60))
    result = compare(a, b, truth, horizon=3, alternative="less", level=0.8, random_state=7)
    d = (a - truth) ** 2 - (b - truth) ** 2
    assert result.mean_difference == pytest.approx(d.mean())
    assert result.p_value == diebold_mariano(d, 3, "less").p_value
    assert result.robust_p_value == cosine_test(d, 3, "less").p_value
    assert result.block_length == max(6, block_length(d))
    n_blocks = 60 / result.block_length
    means = resampled_means(d, result.block_length, 1000, np.random.default_rng(draw_seed(7)))
    t, normal = stats.t(n_blocks - 1).ppf(0.9), stats.norm.ppf(0.9)
    factor = t / normal * math.sqrt(n_blocks / (n_blocks - 1))
    expected = [d.mean() + factor * (np.quantile(means, tail) - d.mean()) for tail in (0.1, 0.9)]
    assert result.interval == pytest.approx(tuple(expected))
    assert result.sequence["upper"].tolist() == confidence_sequence(d, 3, 0.8).upper.tolist()


def test_units_and_order_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    truth, a, b = rng.normal(size=(3, 90))
    one = compare(a, b, truth, random_state=0)
    other = compare(1e6 * a, 1e6 * b, 1e6 * truth, random_state=0)
    back = compare(b, a, truth, random_state=0)
    assert other.dm_statistic == pytest.approx(one.dm_statistic, rel=1e-8)
    assert other.interval == pytest.approx(tuple(1e12 * bound for bound in one.interval), rel=1e-8)
    assert back.dm_statistic == pytest.approx(-one.dm_statistic, rel=1e-8)


def test_missing_rows_are_left_out_and_labels_kept() -> None:
    times = pd.date_range("2026-01-01", periods=40, freq="h")
    truth = pd.Series(np.arange(40.0), times)
    truth.iloc[3] = np.nan
    result = compare(truth + 1, truth - 2, truth, loss="absolute", names=("old", "new"))
    assert result.n == 39
    assert times[3] not in result.differences.index
    assert result.mean_losses == (1.0, 2.0)
    assert result.verdict == "old"
    assert "old 1, new 2" in str(result)
    assert result.to_frame().loc["old - new", "n"] == 39


def test_losses_of_a_row_are_averaged_and_may_be_anything() -> None:
    truth, a = np.zeros((20, 3, 2)), np.ones((20, 3, 2))
    a[0, 1, 1] = np.nan
    result = compare(a, 3 * a, truth, loss=lambda y, f: np.abs(f - y) ** 3)
    assert result.mean_losses == (1.0, 27.0)


def test_backtests_are_compared_by_cutoff() -> None:
    y = pd.Series(np.sin(np.arange(300) / 4), pd.date_range("2026-01-01", periods=300, freq="h"))
    y += np.random.default_rng(0).normal(0, 0.1, 300)
    options = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
    a = backtest(LSTMForecaster(6, **options), y, folds=Folds(60, stride=4))
    b = backtest(LSTMForecaster(6, **options, architecture="linear"), y, folds=Folds(60, stride=4))
    result = compare(a, b)
    # forecasts of six steps, four rows apart: each shares steps with the next one
    assert (result.n, result.horizon) == (14, 2)
    frame = a.forecasts
    squares = ((frame["truth"] - frame["forecast"]) ** 2).groupby(frame["cutoff"]).mean()
    assert result.mean_losses[0] == pytest.approx(squares.mean())
    assert list(result.differences.index) == list(squares.index)
    with pytest.raises(TypeError, match="expected two results of backtest, got BacktestResult and ndarray"):
        compare(a, np.ones(14))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones(9), np.ones(8)), {}, r"expected b of the shape of a, \(9,\), got \(8,\)"),
        ((np.ones(5), np.ones(5)), {}, "expected at least 8 rows of which both losses are known, got 5"),
        ((np.ones(9), np.ones(9)), {"horizon": 6}, "expected at least 12 rows, two horizons of 6"),
        ((np.ones(9), np.ones(9)), {"loss": "cubic"}, "expected loss to be one of .* got 'cubic'"),
        ((np.ones(9), np.ones(9)), {"level": 95}, "expected level to be a number above 0 and below 1, got 95"),
        ((np.ones(9), np.ones(9)), {"alternative": "two"}, "expected alternative to be .* got 'two'"),
        ((np.ones(9), np.ones(9)), {"names": ("a", "a")}, "expected two different names"),
        ((np.full(9, np.inf), np.ones(9)), {}, "expected finite or missing values in a, got 9 infinite ones"),
        ((1.0, 2.0), {}, "expected a of shape .* got a single number"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(*arguments, **options)


def test_other_labels_are_refused() -> None:
    a = pd.Series(np.ones(9))
    with pytest.raises(ValueError, match="expected b with the index of a"):
        compare(a, a.set_axis(range(1, 10)))


def test_a_loss_function_needs_the_truth():
    losses = np.random.default_rng(0).uniform(size=(2, 50))
    with pytest.raises(ValueError, match="expected truth with loss='absolute', as a and b are losses without it"):
        compare(*losses, loss="absolute")
