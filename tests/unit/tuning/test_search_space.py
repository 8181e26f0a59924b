"""Search spaces: short-hands for distributions, what is refused, and the default space."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lstmforecast import (
    CNNLSTM,
    LSTM,
    Attention,
    EarlyStopping,
    Linear,
    LSTMForecaster,
    Plateau,
    Quantiles,
    Transformer,
    _core,
)
from lstmforecast.tuning.search_space import (
    FIXED,
    check_space,
    default_space,
    distribution,
    stored_names,
    suggest,
    values_inside,
)


def chosen(space, values, **parameters):
    """What a trial with these values chooses."""
    return suggest(optuna.trial.FixedTrial(values), space, LSTMForecaster(**parameters))


def inside(space, **parameters):
    return values_inside(space, LSTMForecaster(**parameters))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", None, 2, True], CategoricalDistribution(["a", None, 2, True])),
        ([[3, 5], [7]], CategoricalDistribution(["[3, 5]", "[7]"])),
        (["lstm", Attention(8), LSTM()], CategoricalDistribution(["lstm", "Attention(num_heads=8)", "LSTM()"])),
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
        check_space({"hidden_size": values}, LSTMForecaster())


@pytest.mark.parametrize("values", [(3, 2), ("log", 0, 1)])
def test_bounds_that_hold_nothing_are_refused(values):
    with pytest.raises(ValueError, match="expected hidden_size in space to go from low"):
        check_space({"hidden_size": values}, LSTMForecaster())


def test_only_parameters_that_can_be_searched_may_be_named():
    for name in ("hidden_sise", "horizon", "n_threads", "architecture__num_head", "device__distributed"):
        with pytest.raises(ValueError, match=f"can be searched, got '{name}'$"):
            check_space({name: (1, 2)}, LSTMForecaster())
    with pytest.raises(TypeError, match="expected space to be a dict, a function"):
        check_space(["hidden_size"], LSTMForecaster())
    assert set(FIXED) <= set(stored_names(LSTMForecaster()))


@pytest.mark.torch
@pytest.mark.parametrize(
    ("flat", "nested"), [("num_heads", "architecture__num_heads"), ("patience", "early_stopping__patience")]
)
def test_a_parameter_of_an_object_without_its_object_is_told_its_name(flat, nested):
    with pytest.raises(ValueError, match=f"got '{flat}', which is '{nested}' in a space$"):
        check_space({flat: [1, 2]}, LSTMForecaster(architecture="attention"))
    check_space({nested: [1, 2]}, LSTMForecaster(architecture="attention"))


@pytest.mark.parametrize(
    ("space", "parameters", "message"),
    [
        ({"architecture__num_heads": [4, 8]}, {}, "got 'architecture__num_heads' with architecture from \\['lstm'\\]$"),
        ({"architecture__num_heads": [4, 8], "architecture": ["lstm", Linear()]}, {}, r"\['lstm', Linear\(\)\]$"),
        (
            {"hidden_size": [4, 8]},
            {"architecture": "linear"},
            "got 'hidden_size' with architecture from \\['linear'\\]$",
        ),
        ({"lr_schedule__patience": (1, 3)}, {}, "got 'lr_schedule__patience' with lr_schedule from"),
        ({"loss__levels": [[0.5]], "loss": ["mse", "mae"]}, {}, "got 'loss__levels' with loss from"),
    ],
)
def test_a_parameter_that_no_object_has_is_refused(space, parameters, message):
    with pytest.raises(ValueError, match=message):
        check_space(space, LSTMForecaster(**parameters))


@pytest.mark.parametrize("values", [["lstm", "atention"], CategoricalDistribution(["lstm", "atention"])])
def test_a_misspelt_word_is_refused_before_any_trial(values):
    message = r"^expected architecture to be 'lstm', .* or an object such as .*, got 'atention'$"
    with pytest.raises(ValueError, match=message):
        check_space({"architecture": values}, LSTMForecaster())
    check_space({"pretrained": ["year.safetensors", None], "calendar": ["auto", None]}, LSTMForecaster())


@pytest.mark.parametrize(
    ("space", "parameters"),
    [
        ({"architecture__num_heads": [4, 8], "architecture": ["lstm", "attention"]}, {}),
        ({"architecture__num_heads": [4, 8]}, {"architecture": Transformer()}),
        ({"hidden_size": [4, 8], "architecture": ["lstm", "linear"]}, {"architecture": "linear"}),
        ({"lr_schedule__patience": (1, 3), "lr_schedule": ["plateau", "cosine"]}, {}),
        ({"early_stopping__min_delta": (0.0, 0.1), "early_stopping": (5, 20)}, {}),
        ({"sampling__stride": (1, 3), "early_stopping__patience": (1, 3)}, {"early_stopping": None}),
        ({"loss__levels": [[0.5]], "loss": CategoricalDistribution(["mse", "quantile"])}, {}),
    ],
)
def test_a_parameter_that_some_object_has_is_searched(space, parameters):
    check_space(space, LSTMForecaster(**parameters))


def test_choices_that_no_storage_keeps_come_back_as_they_were():
    space = {"architecture__kernel_size": [[3, 5], 7]}
    assert chosen(space, {"kernel_size": "[3, 5]"}, architecture="cnn_lstm") == {"architecture__kernel_size": [3, 5]}
    assert inside(space, architecture=CNNLSTM([3, 5])) == {"kernel_size": "[3, 5]"}


def test_objects_are_kept_by_all_their_parameters():
    levels = [round(0.01 * i, 2) for i in range(1, 100)]
    space = {"loss": ["mae", Quantiles(levels), Quantiles([*levels[:-1], 0.995])]}
    labels = distribution("loss", space["loss"]).choices
    assert len(set(labels)) == 3
    assert chosen(space, {"loss": labels[2]}) == {"loss": space["loss"][2]}
    assert inside(space, loss=Quantiles(levels)) == {"loss": labels[1]}


def test_a_trial_changes_no_object_of_the_space():
    space = {"architecture": ["lstm", Attention(8)], "architecture__segment_length": [2, 3]}
    values = {"architecture": "Attention(num_heads=8)", "segment_length": 3}
    found = chosen(space, values)
    assert found == {"architecture": Attention(8), "architecture__segment_length": 3}
    assert found["architecture"] is not space["architecture"][1]
    forecaster = LSTMForecaster().set_params(**found)
    assert forecaster.architecture == Attention(8, segment_length=3)
    forecaster.architecture.num_heads = 2
    assert (space["architecture"][1], found["architecture"]) == (Attention(8), Attention(8))


@pytest.mark.parametrize("in_front", [True, False])
def test_objects_are_chosen_before_their_parameters(in_front):
    choices = {"architecture": ["lstm", "attention"], "lr_schedule": ["cosine", Plateau()]}
    nested = {"architecture__num_heads": [2, 4], "lr_schedule__factor": (0.1, 0.5)}
    space = choices | nested if in_front else nested | choices
    words = {"architecture": "lstm", "lr_schedule": "cosine"}
    assert chosen(space, words) == words
    values = {"architecture": "attention", "lr_schedule": "Plateau()", "num_heads": 2, "lr_factor": 0.2}
    assert chosen(space, values) == {
        "architecture": "attention",
        "lr_schedule": Plateau(),
        "architecture__num_heads": 2,
        "lr_schedule__factor": 0.2,
    }


def test_a_linear_forecast_has_no_hidden_units():
    space = {
        "hidden_size": [8, 16],
        "window_size": (4, 8),
        "architecture": ["lstm", "linear"],
        "architecture__linear_skip": [None, False],
    }
    fixed = {"hidden_size": 8, "window_size": 5}
    line = chosen(space, fixed | {"architecture": "linear", "linear_skip": False})
    assert line == {"architecture": "linear", "window_size": 5}
    network = chosen(space, fixed | {"architecture": "lstm", "linear_skip": False})
    assert network == fixed | {"architecture": "lstm", "architecture__linear_skip": False}


def test_an_own_value_outside_of_the_space_is_left_out():
    space = {
        "hidden_size": (8, 32),
        "dropout": [0.0, 0.5],
        "normalize": [None, "last"],
        "architecture__bidirectional": [1, 0],
    }
    own = {"hidden_size": 64, "dropout": 0.5, "normalize": None, "architecture": LSTM(bidirectional=True)}
    assert inside(space, **own) == {"dropout": 0.5, "normalize": None}
    steps = {"hidden_size": IntDistribution(4, 64, step=4), "dropout": FloatDistribution(0.0, 0.3, step=0.1)}
    assert inside(steps, hidden_size=12, dropout=0.2) == {"hidden_size": 12, "dropout": 0.2}
    assert inside(steps, hidden_size=10, dropout=0.25) == {}
    # what the own object doesn't have is not outside of this one
    assert inside({"early_stopping": (5, 20), "architecture__num_heads": [4, 8]}) == {"early_stopping": 10}
    assert inside({"early_stopping": (5, 20)}, early_stopping=EarlyStopping(10, min_delta=0.1)) == {}


@pytest.mark.parametrize("season", [1, 24])
@pytest.mark.parametrize("n_rows", [60, 20_000])
def test_the_space_by_default_contains_the_forecaster_and_fits_the_data(season, n_rows):
    forecaster = LSTMForecaster(6, learning_rate=0.1, hidden_size=48, window_size=10)
    space = default_space(forecaster, n_rows, season, n_columns=2)
    check_space(space, forecaster)
    assert set(values_inside(space, forecaster)) == {stored_names(forecaster)[name] for name in space}
    assert all(size % season == 0 and size <= n_rows // 4 for size in space["window_size"][1:])
    assert len(space["window_size"]) > 2 or n_rows == 60


def test_variables_are_a_choice_where_there_are_several_and_windows_where_no_segment_is_set():
    assert "channels" not in default_space(LSTMForecaster(), 1000, 1, n_columns=1)
    assert default_space(LSTMForecaster(architecture=LSTM(segment_length=5)), 1000, 24, 1)["window_size"] == [None]


def test_other_networks_of_the_space_by_default_share_parameters_with_the_own_one():
    own = Attention(8, segment_length=6, bidirectional=True)
    forecaster = LSTMForecaster(6, architecture=own)
    space = default_space(forecaster, 1000, 24, n_columns=1)
    assert space["architecture"] == [own, LSTM(segment_length=6, bidirectional=True), "linear"]
    assert values_inside(space, forecaster).keys() == {stored_names(forecaster)[name] for name in space}
    words = default_space(LSTMForecaster(6, architecture=LSTM()), 1000, 24, n_columns=1)["architecture"]
    assert words == [LSTM(), "linear", *(["attention"] if _core.HAS_TORCH else [])]
