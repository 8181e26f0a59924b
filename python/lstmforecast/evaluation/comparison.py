"""Compare two models by their losses at the same times: tests and confidence bounds of the mean difference."""

from __future__ import annotations

import html
import numbers
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast.contract.rules import Choice, Number
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.evaluation.backtest_result import BacktestResult
from lstmforecast.evaluation.bootstrap import block_length, resampled_means
from lstmforecast.evaluation.diebold_mariano import cosine_test, diebold_mariano
from lstmforecast.evaluation.losses import Loss, read_losses
from lstmforecast.evaluation.scoring import MODEL
from lstmforecast.evaluation.sequential import confidence_sequence
from lstmforecast.fitting.parameters import check_count

__all__ = ["Comparison", "compare"]

N_RESAMPLES = 1000
LEAST_ROWS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The result of `compare`. Differences are losses of the first model minus those of the second: below 0, it wins.

    Attributes
    ----------
    names : tuple of str
        Names of the models.
    mean_losses : tuple of float
        Their mean losses.
    mean_difference : float
        The first minus the second.
    dm_statistic, p_value : float
        Of the test of Diebold and Mariano, corrected by Harvey, Leybourne and Newbold; valid for one test, at a time
        fixed beforehand.
    robust_p_value : float
        Of a test for differences that are autocorrelated for longer than the horizon explains (cosine coefficients,
        Lazarus et al. 2018). If it is far above ``p_value``, trust this one.
    interval : tuple of float
        Bounds of the mean difference by a circular block bootstrap; valid for one look, as ``p_value``.
    block_length : int
        Rows in its blocks.
    verdict : str
        The name of the better model, or ``"undecided"``. You may look at it after every new row: the probability that
        it ever names one of two equally good models is at most ``1 - level``.
    decided_at : int or None
        The number of rows after which it was decided.
    sequence : DataFrame with columns n, mean, lower, upper
        Confidence bounds of the mean after each batch of rows, on which the verdict rests; with probability ``level``
        all of them hold at once.
    differences : Series of shape (n,)
        The loss differences, indexed by time.
    n, horizon : int
        Rows, and the horizon of the test.
    loss, alternative : str
        The arguments; for a function its name.
    level : float
        Confidence level of interval and verdict.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import compare
    >>> truth = np.sin(np.arange(200) / 5)
    >>> noise = np.random.default_rng(0).normal(size=(2, 200))
    >>> result = compare(truth + 0.1 * noise[0], truth + noise[1], truth, names=("new", "old"), random_state=0)
    >>> result.verdict, bool(result.mean_losses[0] < result.mean_losses[1])
    ('new', True)
    """

    names: tuple[str, str]
    mean_losses: tuple[float, float]
    mean_difference: float
    dm_statistic: float
    p_value: float
    robust_p_value: float
    interval: tuple[float, float]
    block_length: int
    verdict: str
    decided_at: int | None
    n: int
    horizon: int
    loss: str
    alternative: str
    level: float
    sequence: pd.DataFrame = field(repr=False)
    differences: pd.Series = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """All numbers in one row, to join several comparisons into a table.

        Returns
        -------
        DataFrame of shape (1, 11)
            Its label is ``"a - b"``, with the names of the models.
        """
        (mean_a, mean_b), (lower, upper) = self.mean_losses, self.interval
        row = {
            "n": self.n,
            "loss a": mean_a,
            "loss b": mean_b,
            "difference": self.mean_difference,
            "lower": lower,
            "upper": upper,
            "DM": self.dm_statistic,
            "p": self.p_value,
            "robust p": self.robust_p_value,
            "verdict": self.verdict,
            "decided at": self.decided_at,
        }
        return pd.DataFrame([row], index=[" - ".join(self.names)]).astype({"decided at": "Int64"})

    def __str__(self) -> str:
        (first, second), (mean_a, mean_b), (lower, upper) = self.names, self.mean_losses, self.interval
        percent = f"{100 * self.level:g} %"
        decided = f" (since row {self.decided_at})" if self.decided_at else ""
        better = self.verdict if self.decided_at is None else f"{self.verdict} is better"
        bounds = f"{percent} interval {lower:.4g} to {upper:.4g} (blocks of {self.block_length})"
        tests = f"p = {self.p_value:.2g} ({self.alternative}; robust p = {self.robust_p_value:.2g})"
        return "\n".join(
            [
                f"Comparison of {first} and {second}: {self.n} rows, {self.loss} loss, horizon {self.horizon}",
                f"mean loss          {first} {mean_a:.4g}, {second} {mean_b:.4g}",
                f"difference         {self.mean_difference:.4g}, {bounds}",
                f"Diebold-Mariano    {self.dm_statistic:.3f}, {tests}",
                f"at any time        {better}{decided}, level {percent}",
            ]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def compare(
    a: Any,
    b: Any,
    truth: Any = None,
    *,
    horizon: int | None = None,
    loss: Loss = "squared",
    alternative: str = "two-sided",
    level: float = 0.95,
    names: tuple[str, str] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Comparison:
    """Compare two models by their losses at the same times.

    Parameters
    ----------
    a, b : array-like, Series, DataFrame or BacktestResult; b also str
        With ``truth``: forecasts in time order, (n,), (n, k) or (n, horizon, k); the loss of a row is the mean over the
        other axes. Without ``truth``: losses of the same shapes. Or two results of `lstmforecast.backtest` on the same
        data: the loss of a cutoff is the mean over steps, variables and series, in the data's units. ``b`` may be the
        name of another method of the result ``a``, such as ``"seasonal-naive"`` or one of its ``others``.
    truth : as ``a`` and ``b``, default=None
        Observed values. Values missing in one of the three are left out of all.
    horizon : int or None, default=None
        Steps ahead of the forecasts, in rows: differences fewer rows apart share errors. None: 1; for backtests the
        number of cutoffs that share steps.
    loss : {"squared", "absolute"} or callable, default="squared"
        Loss of forecasts and backtests. A function takes truth and forecast, arrays of one shape, and returns losses
        of that shape.
    alternative : {"two-sided", "less", "greater"}, default="two-sided"
        Of ``p_value`` and ``robust_p_value``; ``"less"``: ``a`` has the smaller losses.
    level : float, default=0.95
        Confidence level of interval and verdict, which are two-sided always.
    names : tuple of two str or None, default=None
        Names of the models in the result. None: ``("a", "b")``, or the names of the methods where ``b`` is one.
    random_state : int, RandomState or None, default=None
        Seed of the bootstrap.

    Returns
    -------
    Comparison
        Prints as a few lines.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, shapes, columns or indices differ, a value is infinite, or fewer than 8 rows or
        two horizons are known.

    References
    ----------
    Diebold and Mariano (1995), Comparing predictive accuracy. Harvey, Leybourne and Newbold (1997), Testing the
    equality of prediction mean squared errors. Politis and White (2004), Automatic block-length selection for the
    dependent bootstrap. Waudby-Smith et al. (2024), Time-uniform central limit theory and asymptotic confidence
    sequences. Wang and Ramdas (2025), Anytime-valid t-tests.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=300)
    >>> result = compare(truth + rng.normal(0, 1, 300), truth + rng.normal(0, 2, 300), truth, random_state=0)
    >>> result.verdict, result.p_value < 0.001
    ('a', True)
    """
    Choice(("two-sided", "less", "greater")).check("alternative", alternative)
    level = Number(numbers.Real, 0, 1, low_included=False).check("level", level)
    losses = read_losses(a, b, truth, loss)
    usual = (MODEL, b) if isinstance(a, BacktestResult) and isinstance(b, str) else ("a", "b")
    labels = _names(usual if names is None else names)
    horizon = losses.overlap if horizon is None else check_count("horizon", horizon)
    differences, n = losses.a - losses.b, len(losses.a)
    if n < max(LEAST_ROWS, 2 * horizon):
        least = f"{LEAST_ROWS} rows" if 2 * horizon <= LEAST_ROWS else f"{2 * horizon} rows, two horizons of {horizon},"
        raise ValueError(f"expected at least {least} of which both losses are known, got {n}")
    # with blocks of one horizon, a third of the variance of overlapping errors would be missing
    length = max(2 * horizon if horizon > 1 else 1, block_length(differences))
    test = diebold_mariano(differences, horizon, alternative)
    sequence = confidence_sequence(differences, horizon, level)
    decided = sequence.decided
    return Comparison(
        names=labels,
        mean_losses=(float(losses.a.mean()), float(losses.b.mean())),
        mean_difference=float(differences.mean()),
        dm_statistic=test.statistic,
        p_value=test.p_value,
        robust_p_value=cosine_test(differences, horizon, alternative).p_value,
        interval=_interval(differences, length, level, random_state),
        block_length=length,
        verdict="undecided" if decided is None else labels[int(sequence.mean[decided] > 0)],
        decided_at=None if decided is None else int(sequence.n[decided]),
        n=n,
        horizon=horizon,
        loss=loss if isinstance(loss, str) else getattr(loss, "__name__", "own"),
        alternative=alternative,
        level=float(level),
        sequence=pd.DataFrame(sequence._asdict()),
        differences=pd.Series(differences, losses.times, name=" - ".join(labels)),
    )


def _names(names: Any) -> tuple[str, str]:
    if isinstance(names, str) or len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise TypeError(f"expected names to be two strings, got {names!r}")
    if names[0] == names[1] or "undecided" in names:
        raise ValueError(f'expected two different names, none of them "undecided", got {names!r}')
    return names[0], names[1]


def _interval(differences: Any, length: int, level: float, random_state: Any) -> tuple[float, float]:
    """Quantiles of the resampled means, widened as Student's t is wider than the normal distribution."""
    from scipy import stats

    means = resampled_means(differences, length, N_RESAMPLES, np.random.default_rng(draw_seed(random_state)))
    centre = float(differences.mean())
    tails = (1 - level) / 2
    # a variance estimated from n_blocks blocks has n_blocks - 1 degrees of freedom
    n_blocks = max(len(differences) / length, 2.0)
    factor = stats.t.ppf(1 - tails, n_blocks - 1) / stats.norm.ppf(1 - tails) * np.sqrt(n_blocks / (n_blocks - 1))
    lower, upper = centre + factor * (np.quantile(means, [tails, 1 - tails]) - centre)
    return float(lower), float(upper)
