"""Search spaces: short-hands for distributions, what is refused, and the default space."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lstmforecast import CNNLSTM, LSTM, LSTMForecaster
from lstmforecast.tuning.search_space import FIXED, check_space, default_space, distribution, suggest, values_inside


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", None, 2, True], CategoricalDistribution(["a", None, 2, True])),
        ([[3, 5], [7]], CategoricalDistribution(["[3, 5]", "[7]"])),
        ((2, 8), IntDistribution(2, 8)),
        ((0, 0.5), FloatDistribution(0.0, 0.5)),
        (("log", 16, 256), IntDistribution(16, 256, log=True)),
        (("log", 1e-4, 1e-1), FloatDistribution(1e-4, 1e-1, log=True)),
        (IntDistribution(4, 64, step=4), IntDistribution(4, 64, step=4)),
    ],
)
def test_every_way_of_writing_is_a_distribution(values, expected):
    assert distribution("name", values) == expected


@pytest.mark.parametrize("values", [[], 3, "lstm", ("log", 1), (1, 2, 3), (False, True), {"low": 1}, ("a", "b")])
def test_what_is_no_space_is_refused(values):
    with pytest.raises(TypeError, match="expected hidden_size in space to be a list"):
        check_space({"hidden_size": values}, ["hidden_size"])


@pytest.mark.parametrize("values", [(3, 2), ("log", 0, 1)])
def test_bounds_that_hold_nothing_are_refused(values):
    with pytest.raises(ValueError, match="expected hidden_size in space to go from low"):
        check_space({"hidden_size": values}, ["hidden_size"])


def test_only_parameters_that_can_be_searched_may_be_named():
    for name in ("hidden_sise", "horizon", "n_threads"):
        with pytest.raises(ValueError, match=name):
            check_space({name: (1, 2)}, LSTMForecaster().get_params())
    with pytest.raises(TypeError, match="expected space to be a dict, a function"):
        check_space(["hidden_size"], [])
    assert set(FIXED) <= set(LSTMForecaster().get_params())


def test_choices_that_no_storage_keeps_come_back_as_they_were():
    space = {"architecture": CNNLSTM(kernel_size=[[3, 5], 7])}
    assert suggest(optuna.trial.FixedTrial({"architecture": CNNLSTM(kernel_size="[3, 5]")}), space) == {
        "architecture": CNNLSTM(kernel_size=[3, 5])
    }
    assert values_inside(space, {"architecture": CNNLSTM(kernel_size=[3, 5])}) == {
        "architecture": CNNLSTM(kernel_size="[3, 5]")
    }


def test_a_linear_forecast_has_no_hidden_units():
    space = {"hidden_size": [8, 16], "window_size": (4, 8), "architecture": ["lstm", "linear"]}
    fixed = {"hidden_size": 8, "window_size": 5}
    line = suggest(optuna.trial.FixedTrial(fixed | {"architecture": "linear"}), space)
    assert line == {"architecture": "linear", "window_size": 5}
    network = suggest(optuna.trial.FixedTrial(fixed | {"architecture": "lstm"}), space)
    assert network == fixed | {"architecture": "lstm"}


def test_an_own_value_outside_of_the_space_is_left_out():
    space = {
        "hidden_size": (8, 32),
        "dropout": [0.0, 0.5],
        "normalize": [None, "last"],
        "architecture": LSTM(bidirectional=[1, 0]),
    }
    own = {"hidden_size": 64, "dropout": 0.5, "normalize": None, "architecture": LSTM(bidirectional=True)}
    assert values_inside(space, own) == {"dropout": 0.5, "normalize": None}
    steps = {"hidden_size": IntDistribution(4, 64, step=4), "dropout": FloatDistribution(0.0, 0.3, step=0.1)}
    assert values_inside(steps, {"hidden_size": 12, "dropout": 0.2}) == {"hidden_size": 12, "dropout": 0.2}
    assert values_inside(steps, {"hidden_size": 10, "dropout": 0.25}) == {}


@pytest.mark.parametrize("season", [1, 24])
@pytest.mark.parametrize("n_rows", [60, 20_000])
def test_the_space_by_default_contains_the_forecaster_and_fits_the_data(season, n_rows):
    forecaster = LSTMForecaster(6, learning_rate=0.1, hidden_size=48, window_size=10)
    space = default_space(forecaster, n_rows, season, n_columns=2)
    check_space(space, forecaster.get_params())
    assert set(values_inside(space, forecaster.get_params())) == set(space)
    assert all(size % season == 0 and size <= n_rows // 4 for size in space["window_size"][1:])
    assert len(space["window_size"]) > 2 or n_rows == 60


def test_variables_are_a_choice_where_there_are_several_and_windows_where_no_segment_is_set():
    assert "channels" not in default_space(LSTMForecaster(), 1000, 1, n_columns=1)
    assert default_space(LSTMForecaster(architecture=LSTM(segment_length=5)), 1000, 24, 1)["window_size"] == [None]
