"""The default window, and the rows that a series needs, as the core itself sees it."""

import numpy as np
import pytest

from lstmforecast import EarlyStopping, LSTMForecaster
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.options import new_network, training_options
from lstmforecast.fitting.sizing import Sizes, default_segment_length, default_window_size


@pytest.mark.parametrize(
    ("n_rows", "horizon", "season", "window_size"),
    [
        (10_000, 1, 1, 48),
        (10_000, 24, 1, 96),
        (10_000, 720, 1, 336),
        (10_000, 1, 24, 336),
        (10_000, 1, 7, 98),
        (10_000, 26, 52, 312),  # whole seasons
        (10_000, 1, 1440, 336),  # longer than a window may be
        (200, 12, 12, 48),
        (80, 24, 24, 20),  # too few rows for two seasons
        (2, 24, 1, 1),
    ],
)
def test_the_default_window_has_seasons_or_horizons_and_shrinks_with_the_data(n_rows, horizon, season, window_size):
    assert default_window_size(n_rows, horizon, season) == window_size


@pytest.mark.parametrize(
    ("window_size", "season", "length"),
    [(336, 24, 24), (96, 1, 4), (24, 1, 1), (20, 24, 1), (337, 24, 1), (3, 1, 1), (312, 52, 52)],
)
def test_the_default_segment_is_a_season_or_leaves_few_steps(window_size, season, length):
    assert default_segment_length(window_size, season) == length
    assert window_size % length == 0


def test_a_window_is_made_of_whole_segments():
    assert Sizes(24, segment_length=5, season=24).resolve(10_000, 0.2) == (335, 5)
    assert Sizes(24, window_size=48).resolve(10_000, 0.2) == (48, 2)
    with pytest.raises(ValueError, match="expected window_size to be a multiple of segment_length=5, got 48"):
        Sizes(24, window_size=48, segment_length=5).resolve(10_000, 0.2)


@pytest.mark.parametrize(
    ("window_size", "horizon", "fraction", "needed"),
    [
        (12, 4, 0.2, 20),  # 16 rows to train, 4 held out
        (12, 4, 0.0, 16),
        (12, 4, 0.4, 26),  # 15.6 rounds to 16
        (None, 1, 0.2, 2),  # a window of one row and its horizon; a fifth of two rows rounds to none held out
        (None, 24, 0.0, 31),  # a window of 7 rows
    ],
)
def test_the_rows_that_the_message_names_suffice_and_one_less_does_not(window_size, horizon, fraction, needed):
    size, _ = Sizes(horizon, window_size).resolve(needed, fraction)
    with pytest.raises(ValueError, match=rf"at least {needed} rows for window_size={size}, .*got {needed - 1}"):
        Sizes(horizon, window_size).resolve(needed - 1, fraction)
    model = LSTMForecaster(
        horizon,
        window_size=size,
        early_stopping=EarlyStopping(validation_fraction=fraction),
        hidden_size=4,
        max_epochs=1,
        n_threads=1,
    )
    model.fit(np.arange(float(needed)))
    # The core's own check, which speaks of its parts, agrees.
    parameters = flat_parameters(model)
    sizes = {"window_size": size, "horizon": horizon, "n_features": 1, "n_targets": 1}
    core = new_network(parameters, None, **sizes, seed=0)
    held_out = HeldOut.of(model).fraction(needed - 1)
    with pytest.raises(ValueError, match="expected at least"):
        core.fit_series(
            np.arange(needed - 1.0)[:, np.newaxis],
            training_options(parameters, 0, loss="mse", steps_per_epoch=20, validation_fraction=held_out),
        )


def test_holding_nothing_out_is_offered():
    with pytest.raises(ValueError, match=r"validation_fraction=0.2, got 18; early_stopping=None holds nothing out"):
        Sizes(4, 12).resolve(18, 0.2)
    assert Sizes(4, 12).resolve(18, 0.0) == (12, 1)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5])
@pytest.mark.parametrize(
    "sizes",
    [Sizes(10_000), Sizes(700, season=24), Sizes(3, 20_000), Sizes(1, None, 5_000), Sizes(200, None, 7, 12)],
    ids=str,
)
def test_the_rows_wanted_are_the_fewest_however_many_they_are(sizes, fraction):
    with pytest.raises(ValueError, match="expected at least") as refused:
        sizes.resolve(30, fraction)
    needed = int(str(refused.value).split()[3])
    # one by one near it, and now and then as far down as where the default window grows no more
    fewer = [*range(max(31, needed - 3000), needed - 5, 97), *range(max(31, needed - 5), needed)]
    assert [n for n in [*fewer, needed] if _suffices(sizes, n, fraction)] == [needed]


def _suffices(sizes, n_rows, fraction):
    try:
        sizes.resolve(n_rows, fraction)
    except ValueError as error:
        return "rows for window_size" not in str(error)
    return True
