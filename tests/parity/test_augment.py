"""The five augmentations next to slow twins in NumPy and SciPy, which are fed with the same random numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import CubicSpline
from tests.parity.networks import CONFIG, TRAINING

from lstmforecast import _core, augment

METHODS = [
    {"method": "jitter", "sigma": 0.3},
    {"method": "scale", "sigma": 0.5},
    *({"method": "magnitude_warp", "knots": knots, "sigma": 0.4} for knots in (1, 2, 3, 7)),
    *({"method": "time_warp", "knots": knots, "sigma": sigma} for knots, sigma in ((1, 0.2), (2, 0.4), (4, 2.0))),
    {"method": "window_slice", "size": 0.4},
]
ALL = [METHODS[0], METHODS[1], METHODS[3], METHODS[7], METHODS[9]]
LEAST_SPEED = 0.1


class Stream:
    """The random numbers of one augmentation of one sample, as the stub describes them."""

    def __init__(self, seed, step, sample, place):
        self.uniform = iter(_core.augment_draws(seed, step, sample, place, 4000))
        self.spare = None

    def normal(self):
        if self.spare is not None:
            spare, self.spare = self.spare, None
            return spare
        u, v = next(self.uniform), next(self.uniform)
        radius = np.sqrt(-2 * np.log(1 - u))
        self.spare = radius * np.sin(2 * np.pi * v)
        return radius * np.cos(2 * np.pi * v)

    def curve(self, knots, sigma, n):
        heights = [1 + sigma * self.normal() for _ in range(knots + 2)]
        if n == 1:
            return np.array(heights[:1])
        return CubicSpline(np.linspace(0, n - 1, knots + 2), heights)(np.arange(n))


class Twin:
    """One sample as a table of window and horizon; what the network doesn't see of a row is not there (masked)."""

    def __init__(self, window, horizon, n_known=0, indicator=False):
        self.n_targets = window.shape[1] if horizon is None else horizon.shape[1]
        n_rows = len(window) - (len(horizon) if n_known else 0)
        self.n_values = window.shape[1] - self.n_targets * indicator
        self.n_window, self.n_horizon = n_rows, 0 if horizon is None else len(horizon)
        self.table = np.ma.masked_all((self.n_window + self.n_horizon, window.shape[1]))
        self.table[:n_rows] = window[:n_rows]
        if horizon is not None:
            self.table[n_rows:, : self.n_targets] = horizon
        known = slice(self.n_values - n_known, self.n_values)
        self.table[n_rows:, known] = window[n_rows:, known] if n_known else np.ma.masked
        self.inputs = window.copy()
        self.known = known

    def apply(self, options, stream):
        options = dict(options)
        if next(stream.uniform) < options.pop("probability"):
            getattr(self, options.pop("method"))(stream, **options)

    def jitter(self, stream, sigma):
        for row in range(len(self.table)):
            first = 0 if row < self.n_window else self.known.start
            for column in range(first, self.n_values):
                if not self.table.mask[row, column]:
                    self.table[row, column] += sigma * stream.normal()

    def scale(self, stream, sigma):
        for column in range(self.n_targets):
            self.table[:, column] *= 1 + sigma * stream.normal()

    def magnitude_warp(self, stream, knots, sigma):
        for column in range(self.n_targets):
            self.table[:, column] *= stream.curve(knots, sigma, len(self.table))

    def time_warp(self, stream, knots, sigma):
        times = np.cumsum(np.maximum(stream.curve(knots, sigma, len(self.table)), LEAST_SPEED))
        times -= times[0]
        last = self.n_window - 1
        warped = np.arange(len(times), dtype=float)
        if last:
            warped[:last] = times[:last] * last / times[last]
        if self.n_horizon:
            after = times[last:] - times[last]
            warped[last:] = last + after * self.n_horizon / after[-1]
        self.show(np.minimum(warped, len(times) - 1))

    def window_slice(self, stream, size):
        rows, last, chance = np.arange(len(self.table)), self.n_window - 1, next(stream.uniform)
        if self.n_horizon:
            self.show(last + (rows - last) * (1 - chance * (1 - size)))
        else:
            self.show(chance * (1 - size) * last + rows * size)

    def show(self, times):
        last = self.n_window - 1
        old = self.table.copy()
        if self.n_values < old.shape[1]:
            # what was filled in is no observation to forecast from
            gaps = old[last, self.n_values :] > 0.5
            origin = np.where(gaps, np.nan, old[last, : self.n_targets])
        else:
            origin = old[last, : self.n_targets]
        for row, time in enumerate(times):
            for column in range(self.n_values):
                if self.table.mask[row, column]:
                    continue
                below, above = int(np.floor(time)), int(np.ceil(time))
                left, right = old[below, column], old[above, column]
                if row > last and column < self.n_targets and below == last and time > last:
                    left = origin[column]
                self.table[row, column] = left if below == above else left + (time - below) * (right - left)
            if row <= last:
                self.table[row, self.n_values :] = old[int(np.floor(time + 0.5)), self.n_values :]

    def result(self):
        window, n = self.inputs, self.n_window
        window[:n] = self.table[:n]
        if len(window) > n:
            window[n:, self.known] = self.table[n:, self.known]
        return window, self.table[n:, : self.n_targets].filled(np.nan)


def twins(X, y, options, seed, step=0, **columns):
    found = []
    for sample, window in enumerate(X):
        twin = Twin(window, None if y is None else y[sample], **columns)
        for place, one in enumerate(options):
            twin.apply(one, Stream(seed, step, sample, place))
        found.append(twin.result())
    return tuple(np.stack(part) for part in zip(*found, strict=True))


def assert_agrees(X, y, options, seed=0, step=0, **columns):
    found, horizons = _core.augment_windows(X, y, options, seed, step, **columns)
    expected, expected_horizons = twins(X, y, options, seed, step, **columns)
    # double precision, numbers of size 1 to 10, times up to 32; one that is rounded to the other side of a row shows
    # the same there
    assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    if y is not None:
        assert_allclose(horizons, expected_horizons, rtol=1e-11, atol=1e-11)
    return found


def _always(options, probability=1.0):
    return [one | {"probability": probability} for one in options]


@pytest.mark.parametrize("options", METHODS, ids=str)
@pytest.mark.parametrize(("n_rows", "horizon"), [(24, None), (24, 8), (2, 1), (1, 3), (1, None)])
@pytest.mark.parametrize("n_features", [1, 3])
def test_windows_and_horizons(options, n_rows, horizon, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, n_rows, n_features))
    y = None if horizon is None else rng.normal(size=(5, horizon, 1 + n_features // 2))
    found = assert_agrees(X, y, _always([options]), seed=1)
    # rows that stay where they are can only be shown as they are
    n_fixed = {"time_warp": 2, "window_slice": 1}.get(options["method"], 0)
    assert (found != X).any() == (n_rows > n_fixed)


@pytest.mark.parametrize("options", METHODS, ids=str)
@pytest.mark.parametrize("n_known", [0, 2])
def test_covariates_gaps_and_missing_targets(options, n_known):
    rng = np.random.default_rng(2)
    n_targets, horizon, n_rows = 2, 6, 12
    X = rng.normal(size=(20, n_rows + (horizon if n_known else 0), n_targets + 1 + n_known + n_targets))
    X[..., -n_targets:] = rng.random((*X.shape[:2], n_targets)) < 0.4
    y = rng.normal(size=(20, horizon, n_targets))
    y[rng.random(y.shape) < 0.2] = np.nan
    found = assert_agrees(X, y, _always([options]), n_known=n_known, indicator=True)
    assert np.isfinite(found).all()
    assert_array_equal(np.unique(found[:, :n_rows, -n_targets:]), [0, 1])


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_one_after_the_other(probability):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(20, 24, 3)), rng.normal(size=(20, 8, 2))
    found = assert_agrees(X, y, _always(ALL, probability), seed=4, step=5)
    unchanged = (found == X).all(axis=(1, 2)).mean()
    assert unchanged == 1 - probability if probability != 0.5 else 0 < unchanged < 0.2


def test_single_precision_is_double_precision_rounded():
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(9, 24, 2)).astype(np.float32), rng.normal(size=(9, 8, 1)).astype(np.float32)
    for options in METHODS:
        found = _core.augment_windows(X, y, _always([options]), 6)
        wide = _core.augment_windows(X.astype(np.float64), y.astype(np.float64), _always([options]), 6)
        for part, expected in zip(found, wide, strict=True):
            assert part.dtype == np.float32
            assert_array_equal(part, expected.astype(np.float32))


@pytest.mark.parametrize("backend", ["fused", "torch"])
@pytest.mark.parametrize("kind", ["table", "series"])
def test_a_training_sees_what_the_array_function_shows(backend, kind):
    """Three steps of eight windows train the same weights, bit for bit, as on windows changed beforehand."""
    rng = np.random.default_rng(7)
    series = rng.normal(size=(24 + 12 + 3 - 1, 2)).astype(np.float32).astype(np.float64)
    X = np.lib.stride_tricks.sliding_window_view(series, 15, axis=0).transpose(0, 2, 1).astype(np.float32)
    X, y = X[:, :12], X[:, 12:]
    options, training = _always(ALL, 0.7), TRAINING | {"batch_size": 8, "seed": 11, "n_threads": 1}
    changed = X.copy(), y.copy()
    for step in range(3):
        rows = slice(8 * step, 8 * step + 8)
        found = _core.augment_windows(X, y if kind == "series" else None, options, 11, step)
        for part, values in zip(changed, found, strict=True):
            if values is not None:
                part[rows] = values[rows]
    models = [_core.Model(CONFIG | {"backend": backend}) for _ in range(2)]
    if kind == "series":
        models[0].fit_series(series, training | {"augment": options})
    else:
        models[0].fit_windows(X.astype(float), y.reshape(24, -1).astype(float), None, training | {"augment": options})
    wide = [part.astype(np.float64) for part in changed]
    models[1].fit_windows(wide[0], wide[1].reshape(24, -1), None, training)
    weights = models[1].parameters()
    for name, weight in models[0].parameters().items():
        assert_array_equal(weight, weights[name], err_msg=name)
    assert not np.array_equal(changed[0], X)


def test_objects_draw_from_the_core():
    X = np.random.default_rng(8).normal(size=(5, 12, 2))
    seed = int(np.random.RandomState(9).randint(np.iinfo(np.int32).max))
    method = augment.time_warp(knots=3, sigma=0.3, probability=0.8)
    options = [{"method": "time_warp", "knots": 3, "sigma": 0.3, "probability": 0.8}]
    assert_array_equal(method(X, random_state=9), _core.augment_windows(X, None, options, seed)[0])
