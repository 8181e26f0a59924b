"""Parameters as objects: what stands for them, how they are set, compared, copied and shown, and what is refused."""

import copy
import inspect
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from lstmforecast import (
    CNNLSTM,
    LSTM,
    Adam,
    AdamW,
    Attention,
    CharLSTM,
    Device,
    EarlyStopping,
    Linear,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Plateau,
    Quantiles,
    Sampling,
    Transformer,
    Tweedie,
    _core,
)
from lstmforecast.calendar import Calendar
from lstmforecast.contract.parameter_group import constructor_parameters, flat_parameters, groups_of, names_of
from lstmforecast.transfer import Pretrained

ESTIMATORS = [LSTMForecaster, LSTMRegressor, LSTMClassifier, CharLSTM]
OF_WINDOWS = [LSTMRegressor, LSTMClassifier]
SERIES = pd.Series(np.sin(np.arange(80) * 0.3), pd.date_range("2026-01-01", periods=80, freq="h"))
X = np.random.default_rng(0).normal(size=(60, 8))
FAST = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
FILES = Path(__file__).parents[1] / "export" / "files_of_0_1"
# Some values of each parameter, by its name in files; the first is the default.
VALUES = {
    "head": ["direct", "recursive"],
    "segment_length": [None, 1, 4],
    "linear_skip": [None, True, False],
    "embed": [12, None, 3],
    "mix_naive": [True, False],
    "bidirectional": [False, True],
    "tbptt": [None, 5],
    "supervision": ["last", "every"],
    "num_heads": [4, 2],
    "kernel_size": [5, 3, [3, 2]],
    "out_channels": [None, 8],
    "dim_feedforward": [None, 8],
    "causal": [False, True],
    "weight_decay": [0.0, 0.1],
    "clip_grad_norm": [1.0, None, 0.5],
    "clip_grad_value": [None, 0.5],
    "accumulate_grad_batches": [1, 2],
    "lr_patience": [5, None, 3],
    "lr_factor": [0.5, 0.1],
    "patience": [10, None, 3],
    "min_delta": [0.0, 0.1],
    "validation_fraction": [None, 0.2, 0.3],
    "steps_per_epoch": ["auto", None, 20],
    "stride": [1, 2],
    "quantiles": [None, [0.1, 0.5]],
    "tweedie_power": [1.5, 1.2],
    "pretrained": [None, "model.safetensors"],
    "freeze": [None, "lstm.*"],
    "learning_rates": [None, {"lstm.*": 1e-4}],
    "strict": [False, True],
    "device": ["cpu", "cuda"],
    "backend": ["auto", "torch"],
    "precision": ["float32", "bfloat16"],
    "layer_devices": [None, ["cpu"]],
    "distributed": [False, True],
    "distributed_timeout": [600.0, 5.0],
    "calendar": [None, "auto", ["month"]],
    "holidays": [None, "DE"],
    "yearly": ["auto", True, False],
}
STAND_FOR = [
    *[(kind.word, "architecture", kind()) for kind in (LSTM, Linear, Attention, CNNLSTM, Transformer)],
    *[(kind.word, "optimizer", kind()) for kind in (Adam, AdamW)],
    ("plateau", "lr_schedule", Plateau()),
    ("quantile", "loss", Quantiles()),
    ("tweedie", "loss", Tweedie()),
    ("cpu", "device", Device()),
    ("cuda:1", "device", Device("cuda:1")),
    (10, "early_stopping", EarlyStopping()),
    (7, "early_stopping", EarlyStopping(7)),
    (None, "early_stopping", EarlyStopping(None)),
    (None, "sampling", Sampling()),
    (None, "calendar", Calendar()),
    ("auto", "calendar", Calendar("auto")),
    (["month"], "calendar", Calendar(["month"])),
    (None, "pretrained", Pretrained()),
    ("model.safetensors", "pretrained", Pretrained("model.safetensors")),
]


# Names that these classes did not have in version 0.1.
OF_FORECASTERS = {"head", "linear_skip", "embed", "mix_naive", "supervision", "stride"}
LATER = {
    LSTMForecaster: {"embed", "mix_naive", "calibration", "tweedie_power", "yearly", "non_negative"},
    LSTMRegressor: OF_FORECASTERS,
    LSTMClassifier: OF_FORECASTERS,
    CharLSTM: {"clip_grad_value", "accumulate_grad_batches"},
}


def _kinds(estimator):
    return [(name, kind) for name, group in groups_of(estimator).items() for kind in group.kinds]


def _ids(value):
    return getattr(value, "__name__", None) or repr(value)


class TestFlatParameters:
    @pytest.mark.parametrize(
        ("kind", "value", "name", "group"),
        [(kind, *case) for kind in ESTIMATORS for case in STAND_FOR if (case[1], type(case[2])) in _kinds(kind)],
        ids=_ids,
    )
    def test_a_word_or_a_value_stands_for_an_object(self, kind, value, name, group):
        flat = flat_parameters(kind(**{name: value}))
        assert flat == flat_parameters(kind(**{name: group}))
        # and files give the short form back
        default = flat_parameters(kind(**{name: None})) if name in ("early_stopping", "sampling") else None
        assert constructor_parameters(kind, flat).get(name) == (None if flat == default else value)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_all_have_the_names_of_files(self, kind):
        file = {
            LSTMForecaster: "forecaster",
            LSTMRegressor: "regressor",
            LSTMClassifier: "classifier",
            CharLSTM: "text",
        }
        _, words = _core.read_file(FILES / f"{file[kind]}.safetensors")
        saved = json.loads(words["parameters"]).keys()
        flat = flat_parameters(kind()).keys()
        # `clip_grad_value`, `accumulate_grad_batches` and some of `LATER` came after these files
        later = LATER.get(kind, set()) | {"clip_grad_value", "accumulate_grad_batches"}
        assert saved <= flat
        assert flat - saved <= later | {"callbacks", "checkpoint", "pretrained", "strict"}

    def test_each_parameter_of_an_object_comes_under_its_name(self):
        forecaster = LSTMForecaster(
            architecture=CNNLSTM([3, 2], 8, bidirectional=True, segment_length=4, head="recursive"),
            optimizer=AdamW(weight_decay=0.1, clip_grad_norm=None),
            lr_schedule=Plateau(3, 0.1),
            loss=Quantiles([0.1, 0.5]),
            early_stopping=EarlyStopping(7, min_delta=0.01, validation_fraction=0.3),
            sampling=Sampling(steps_per_epoch=20, stride=2),
            calendar=Calendar(["month"], holidays="DE"),
            pretrained=Pretrained("model.safetensors", freeze="lstm.*", learning_rates={"fc.*": 0.1}),
            device=Device("cuda", backend="torch", precision="bfloat16", layer_devices=["cuda"], timeout=5.0),
        )
        changed = {
            "architecture": "cnn_lstm", "kernel_size": [3, 2], "out_channels": 8, "bidirectional": True,
            "segment_length": 4, "head": "recursive", "optimizer": "adamw", "weight_decay": 0.1, "clip_grad_norm": None,
            "lr_schedule": "plateau", "lr_patience": 3, "lr_factor": 0.1, "loss": "quantile", "quantiles": [0.1, 0.5],
            "patience": 7, "min_delta": 0.01, "validation_fraction": 0.3, "steps_per_epoch": 20, "stride": 2,
            "calendar": ["month"], "holidays": "DE", "pretrained": "model.safetensors", "freeze": "lstm.*",
            "learning_rates": {"fc.*": 0.1}, "device": "cuda", "backend": "torch", "precision": "bfloat16",
            "layer_devices": ["cuda"], "distributed_timeout": 5.0,
        }  # fmt: skip
        assert flat_parameters(forecaster) == flat_parameters(LSTMForecaster()) | changed

    @pytest.mark.parametrize("kind", OF_WINDOWS)
    def test_none_means_something_else_for_rows(self, kind):
        flat = flat_parameters(kind())
        rows = {"segment_length": 1, "steps_per_epoch": None, "validation_fraction": 0.2, "patience": None}
        assert {name: flat[name] for name in rows} == rows

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_every_parameter_is_tried_below(self, kind):
        for _, of in _kinds(kind):
            for name, flat in names_of(of).items():
                assert getattr(of(), name) == VALUES[flat][0]

    @given(data=st.data())
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_constructor_parameters_are_the_inverse(self, kind, data):
        parameters = {}
        for name, group in groups_of(kind).items():
            of = data.draw(st.sampled_from([None, *group.kinds, *group.words]))
            if isinstance(of, str):
                parameters[name] = of
            elif of is not None:
                values = {key: data.draw(st.sampled_from(VALUES[flat])) for key, flat in names_of(of).items()}
                if of is EarlyStopping and values["patience"] is None:
                    # they are refused
                    values |= {"min_delta": 0.0, "validation_fraction": None}
                parameters[name] = of(**values)
        estimator = kind(**parameters)
        flat = flat_parameters(estimator)
        # as files keep them
        again = constructor_parameters(kind, json.loads(json.dumps(flat)))
        assert flat_parameters(kind(**again)) == flat
        for name in parameters:
            value = again.get(name)
            # words and bare values where they say as much
            if not isinstance(value, str) and isinstance(value, groups_of(kind)[name].kinds):
                assert flat_parameters(kind(**again | {name: value.word})) != flat or value.word is None


class TestSetParams:
    @pytest.mark.parametrize(("value", "name", "group"), STAND_FOR, ids=_ids)
    def test_a_word_or_a_value_becomes_its_object(self, value, name, group):
        for parameter, flat in names_of(type(group)).items():
            other = VALUES[flat][-1]
            forecaster = LSTMForecaster(**{name: value})
            assert forecaster.set_params(**{f"{name}__{parameter}": other}) is forecaster
            assert getattr(forecaster, name) == copy.copy(group).set_params(**{parameter: other})

    def test_several_at_once_in_any_order(self):
        model = LSTMRegressor(architecture="lstm")
        model.set_params(architecture__num_heads=2, hidden_size=8, architecture="attention", architecture__tbptt=3)
        assert (model.architecture, model.hidden_size) == (Attention(2, tbptt=3), 8)
        model.set_params(architecture__num_heads=4)
        assert model.architecture == Attention(4, tbptt=3)

    def test_an_object_of_two_estimators_is_changed_for_one(self):
        network = Attention(num_heads=2)
        one, other = LSTMForecaster(architecture=network), LSTMRegressor(architecture=network)
        one.set_params(architecture__num_heads=8)
        other.set_params(architecture=network, architecture__head="recursive")
        assert one.architecture == Attention(num_heads=8)
        assert other.architecture == Attention(num_heads=2, head="recursive")
        assert network == Attention(num_heads=2)

    def test_a_scaler_object_is_set_as_ever(self):
        model = LSTMRegressor(scaler=StandardScaler()).set_params(scaler__with_mean=False)
        assert model.scaler.with_mean is False

    def test_those_of_a_step_or_a_forecaster_in_a_detector_are_set_as_ever(self):
        pipeline = Pipeline([("scale", StandardScaler()), ("lstm", LSTMRegressor())])
        pipeline.set_params(lstm__architecture="attention", lstm__architecture__num_heads=2)
        assert pipeline["lstm"].architecture == Attention(2)
        detector = LSTMAnomalyDetector(LSTMForecaster()).set_params(forecaster__device__backend="torch")
        assert detector.get_params()["forecaster__device__backend"] == "torch"
        assert detector.forecaster.device == Device(backend="torch")

    def test_all_parameters_can_be_given_back(self):
        fitted = LSTMForecaster(2, window_size=8, **FAST).fit(SERIES)
        for pretrained in (fitted, Pretrained(fitted, freeze="lstm.*")):
            model = LSTMForecaster(architecture=Attention(2), scaler=StandardScaler(), pretrained=pretrained)
            before = model.get_params()
            assert model.set_params(**before) is model
            assert model.get_params() == before

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({"color": 1}, ValueError, "Invalid parameter 'color' for estimator LSTMForecaster"),
            ({"color__tone": 1}, ValueError, "Invalid parameter 'color' for estimator LSTMForecaster"),
            (
                {"architecture__color": 1},
                ValueError,
                r"expected a parameter of LSTM \(head, .*, supervision\) in architecture__color, got 'color'$",
            ),
            ({"architecture__": 1}, ValueError, r"expected a parameter of LSTM .* in architecture__, got ''$"),
            (
                {"architecture__num_heads": 8},
                ValueError,
                r"expected architecture to be Attention or Transformer for architecture__num_heads, got LSTM$",
            ),
            (
                {"architecture": Linear(), "architecture__tbptt": 8},
                ValueError,
                r"expected architecture to be LSTM, Attention or CNNLSTM for architecture__tbptt, got Linear$",
            ),
            (
                {"architecture": "gru", "architecture__num_heads": 8},
                ValueError,
                r"expected architecture to be an object such as Attention.* for architecture__num_heads, got 'gru'$",
            ),
            (
                {"loss__levels": [0.5]},
                ValueError,
                r"expected loss to be an object such as Quantiles\(\[0.1, 0.5, 0.9\]\) for loss__levels, got None$",
            ),
            (
                {"architecture": Attention, "architecture__num_heads": 8},
                TypeError,
                "expected architecture to be .* or an object such as .*, got <class '.*Attention'>$",
            ),
            (
                {"hidden_size__x": 1},
                ValueError,
                "expected hidden_size to be an object with parameters for hidden_size__x",
            ),
            (
                {"num_heads": 8},
                ValueError,
                "expected architecture__num_heads, a parameter of Attention or Transformer, got num_heads$",
            ),
            (
                {"lr_patience": 8},
                ValueError,
                "expected lr_schedule__patience, a parameter of Plateau, got lr_patience$",
            ),
            ({"quantiles": [0.5]}, ValueError, "expected loss__levels, a parameter of Quantiles, got quantiles$"),
            (
                {"patience": 8},
                ValueError,
                "expected early_stopping__patience, a parameter of EarlyStopping, got patience$",
            ),
            ({"scaler__color": 1}, ValueError, "Invalid parameter 'color' for estimator StandardScaler"),
        ],
        ids=str,
    )
    def test_what_does_not_exist_changes_nothing(self, parameters, error, message):
        model = LSTMForecaster(architecture="lstm", scaler=StandardScaler())
        before = vars(model).copy()
        with pytest.raises(error, match=message):
            model.set_params(hidden_size=8, device__backend="torch", **parameters)
        assert {name: value for name, value in vars(model).items() if value is not before[name]} == {}
        assert vars(model).keys() == before.keys()

    def test_a_text_model_keeps_its_own_patience(self):
        model = CharLSTM().set_params(patience=3, optimizer__weight_decay=0.1)
        assert (model.patience, model.optimizer) == (3, Adam(weight_decay=0.1))


class TestGetParams:
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_defaults_have_no_nested_parameters(self, kind):
        assert kind().get_params() == kind().get_params(deep=False)

    def test_those_of_objects_are_deep(self):
        network = Attention(num_heads=2)
        model = LSTMForecaster(architecture=network, early_stopping=EarlyStopping(3))
        shallow, deep = model.get_params(deep=False), model.get_params()
        assert shallow["architecture"] is network
        assert deep.keys() - shallow.keys() == {
            *(f"architecture__{name}" for name in names_of(Attention)),
            *(f"early_stopping__{name}" for name in names_of(EarlyStopping)),
        }
        assert (deep["architecture__num_heads"], deep["early_stopping__patience"]) == (2, 3)
        assert network.get_params() == network.get_params(deep=False) == vars(network)

    @pytest.mark.torch
    def test_numbers_of_numpy_are_given_back_and_used(self):
        heads, patience, levels = np.int64(2), np.int64(3), np.array([0.1, 0.5])
        options = {"architecture": Attention(num_heads=heads), "loss": Quantiles(levels)}
        model = LSTMForecaster(2, window_size=8, early_stopping=EarlyStopping(patience), **options, **FAST)
        assert clone(model).get_params()["architecture__num_heads"] == heads
        flat = flat_parameters(model.fit(SERIES))
        assert [(flat[name], type(flat[name])) for name in ("num_heads", "patience")] == [(2, int), (3, int)]
        assert flat["quantiles"] == [0.1, 0.5]
        deep = model.get_params()
        assert deep["architecture__num_heads"] is heads
        assert deep["early_stopping__patience"] is patience
        assert deep["loss__levels"] is levels
        plain = {"architecture": Attention(num_heads=2), "loss": Quantiles([0.1, 0.5])}
        same = LSTMForecaster(2, window_size=8, early_stopping=EarlyStopping(3), **plain, **FAST).fit(SERIES)
        np.testing.assert_array_equal(model.predict(), same.predict())


class TestObjects:
    @pytest.mark.parametrize("kind", [kind for _, kind in _kinds(LSTMForecaster)])
    def test_they_are_copied_pickled_and_shown(self, kind):
        whole = kind(**{name: VALUES[flat][-1] for name, flat in names_of(kind).items()})
        assert whole != kind()
        for same in (clone(whole), copy.deepcopy(whole), pickle.loads(pickle.dumps(whole)), eval(repr(whole))):
            assert same == whole
            assert same is not whole
        assert repr(kind()) == f"{kind.__name__}()"

    def test_equal_are_those_of_one_class_with_equal_parameters(self):
        assert Attention(2) == Attention(np.int64(2))
        assert Attention() != Attention(2)
        assert Attention() != Transformer()
        assert Adam() != AdamW()
        assert Attention() != "attention"
        levels = [0.1, 0.5]
        assert Quantiles(levels) == Quantiles(np.array(levels)) == Quantiles(pd.Series(levels))
        assert Quantiles(np.array(levels)) != Quantiles(np.array([0.1, 0.5, 0.9]))
        assert Quantiles(np.array(levels)) != Quantiles()
        weights = {"fc.bias": np.ones(2)}
        assert Pretrained(weights) == Pretrained({"fc.bias": np.ones(2)})
        assert Pretrained(weights) != Pretrained({"fc.bias": np.zeros(2)})
        assert Pretrained(weights) != Pretrained({"fc.weight": np.ones(2)})
        assert Pretrained(weights) != Pretrained()
        # they can be changed
        with pytest.raises(TypeError, match="unhashable"):
            hash(Attention())

    def test_notebooks_show_them_as_text_and_in_one_line_of_an_estimator(self):
        assert Attention(2)._repr_html_ is None
        assert Attention(2)._repr_mimebundle_ is None
        model = LSTMForecaster(architecture=Attention(2), loss=Quantiles(np.array([0.1, 0.5])), scaler=StandardScaler())
        for shown in (model, model.set_params(scaler="standard"), Pipeline([("forecaster", model)])):
            html = shown._repr_html_()
            assert "Attention(num_heads=2)" in html
            assert "architecture__" not in html

    def test_an_estimator_is_shown_with_what_its_objects_change(self):
        model = LSTMRegressor(architecture=Attention(2), early_stopping=EarlyStopping(5, min_delta=0.1))
        assert eval(repr(model)).get_params() == model.get_params()

    @pytest.mark.torch
    def test_a_subclass_of_a_user_may_have_more_parameters(self, tmp_path):
        model = LSTMForecaster(2, window_size=8, architecture=Heads(3, 2), **FAST).fit(SERIES)
        assert (clone(model).architecture.heads, flat_parameters(model)["num_heads"]) == (3, 2)
        model.save(tmp_path / "model.safetensors")
        assert LSTMForecaster.load(tmp_path / "model.safetensors").architecture == Attention(2)

    def test_a_clone_has_objects_of_its_own(self):
        model = LSTMForecaster(architecture=Attention(2), optimizer=AdamW(weight_decay=0.1))
        same = clone(model)
        assert same.get_params() == model.get_params()
        assert same.architecture is not model.architecture
        same.set_params(architecture__num_heads=4)
        assert model.architecture == Attention(2)

    def test_a_clone_keeps_weights_but_not_what_an_estimator_learned(self):
        fitted = LSTMForecaster(2, window_size=8, **FAST).fit(SERIES)
        weights = dict(fitted.model_.parameters())
        for value in (weights, FrozenEstimator(fitted)):
            model = clone(LSTMForecaster(2, window_size=8, pretrained=Pretrained(value, freeze="lstm.*"), **FAST))
            assert model.fit(SERIES).frozen_ == [name for name in weights if name.startswith("lstm.")]
            for name in model.frozen_:
                np.testing.assert_array_equal(model.model_.parameters()[name], weights[name])
        given = LSTMForecaster(2, window_size=8, pretrained=Pretrained(fitted, freeze="lstm.*"), **FAST)
        assert "lstm.bias_hh_l0" in given.fit(SERIES).pretrained_["taken"]
        assert fitted.model_.parameters().keys() == weights.keys()
        with pytest.raises(
            ValueError, match="expected a fitted estimator as pretrained, got LSTMForecaster that isn't"
        ):
            clone(given).fit(SERIES)


class Patient(LSTMForecaster):
    def __init__(self, patience: int = 5, head: int = 1, hidden_size: int = 4) -> None:
        super().__init__(early_stopping=patience, architecture=Attention(head), hidden_size=hidden_size)
        self.patience, self.head = patience, head


class Heads(Attention):
    def __init__(self, heads: int = 2, num_heads: int = 4) -> None:
        super().__init__(num_heads)
        self.heads = heads
        self._calls = 0


NETWORKS = r"'lstm', 'linear', 'attention', 'cnn_lstm', 'transformer' or an object such as Attention\(num_heads=8\)"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("architecture", NETWORKS),
            ("optimizer", r"'adam', 'adamw' or an object such as AdamW\(weight_decay=0.01\)"),
            ("lr_schedule", r"'plateau', 'cosine', 'onecycle', 'constant' or an object such as Plateau\(patience=5\)"),
            ("loss", r"'quantile', 'tweedie', .*, 'lognormal' or an object such as Quantiles\(\[0.1, 0.5, 0.9\]\)"),
            ("device", r'the name or an object such as Device\("cuda", precision="bfloat16"\)'),
            ("early_stopping", r"the patience or an object such as EarlyStopping\(patience=10\)"),
            ("sampling", r"None or an object such as Sampling\(steps_per_epoch=20\)"),
            ("calendar", r'the features or an object such as Calendar\("auto", holidays="DE"\)'),
            ("pretrained", r'the weights or an object such as Pretrained\("model.safetensors", freeze="lstm.\*"\)'),
        ],
    )
    def test_an_object_of_another_kind_or_a_class(self, name, words):
        others = [kind for other, kind in _kinds(LSTMForecaster) if other != name]
        own = [kind for other, kind in _kinds(LSTMForecaster) if other == name]
        for value in (*(kind() for kind in others), *others, *own):
            with pytest.raises(TypeError, match=f"^expected {name} to be {words}, got ") as caught:
                LSTMForecaster(**{name: value}).fit(SERIES)
            assert str(caught.value).endswith(repr(value))

    @pytest.mark.parametrize("kind", OF_WINDOWS)
    def test_a_class_for_windows_names_its_own_networks(self, kind):
        message = r"^expected architecture to be 'lstm', 'attention', 'cnn_lstm', 'transformer' or an object .*, got "
        for value in (Linear(), Adam(), Attention):
            with pytest.raises(TypeError, match=message):
                kind(architecture=value).check_parameters()
        with pytest.raises(ValueError, match="'attention', 'cnn_lstm' or 'transformer', got 'linear'"):
            kind(architecture="linear").check_parameters()
        with pytest.raises(ValueError, match=r"expected architecture to be an object .* got 'linear'"):
            kind(architecture="linear").set_params(architecture__head="direct")

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({"architecture": None}, ValueError, "architecture to be 'lstm', .* or 'transformer', got None"),
            (
                {"architecture": {"num_heads": 8}},
                TypeError,
                r"architecture to be .* or an object such as Attention\(num_heads=8\), got {'num_heads': 8}$",
            ),
            ({"optimizer": 0.1}, TypeError, r"optimizer to be 'adam', .* object such as AdamW\(.*\), got 0.1$"),
            ({"architecture": Attention(0)}, ValueError, "num_heads to be an integer of at least 1, got 0"),
            ({"architecture": Transformer("4")}, TypeError, "num_heads to be an integer of at least 1, got '4'"),
            ({"architecture": Transformer(causal=2)}, ValueError, "causal to be False or True, got 2"),
            ({"architecture": CNNLSTM("5")}, TypeError, "kernel_size to be an integer or a list of integers, got '5'"),
            ({"architecture": LSTM(tbptt=0)}, ValueError, "tbptt to be an integer of at least 1 or None, got 0"),
            ({"architecture": LSTM(segment_length=0)}, ValueError, "segment_length to be an integer of at least 1 or"),
            (
                {"architecture": LSTM(segment_length="auto")},
                TypeError,
                "segment_length to be an integer of at least 1 or",
            ),
            ({"architecture": LSTM(bidirectional=1)}, ValueError, "bidirectional to be False or True, got 1"),
            ({"architecture": LSTM(linear_skip=1)}, ValueError, "linear_skip to be None, False or True, got 1"),
            ({"architecture": LSTM(supervision="all")}, ValueError, "supervision to be 'last' or 'every', got 'all'"),
            ({"architecture": LSTM(head=3)}, ValueError, "head to be 'direct' or 'recursive', got 3"),
            ({"optimizer": "sgd"}, ValueError, "optimizer to be 'adam' or 'adamw', got 'sgd'"),
            ({"optimizer": Adam(weight_decay=-1)}, ValueError, "weight_decay to be a number of at least 0, got -1"),
            (
                {"optimizer": AdamW(clip_grad_norm=0)},
                ValueError,
                "clip_grad_norm to be a number above 0 or None, got 0",
            ),
            (
                {"optimizer": Adam(clip_grad_value="1")},
                TypeError,
                "clip_grad_value to be a number above 0 or None, got",
            ),
            ({"optimizer": Adam(accumulate_grad_batches=0)}, ValueError, "accumulate_grad_batches to be an integer of"),
            ({"lr_schedule": None}, ValueError, "lr_schedule to be 'constant', .* or 'onecycle', got None"),
            (
                {"lr_schedule": Plateau(-1)},
                ValueError,
                "patience of Plateau to be an integer of at least 0 or None, got -1",
            ),
            (
                {"lr_schedule": Plateau(factor=1)},
                ValueError,
                "factor of Plateau to be a number above 0 and below 1, got 1",
            ),
            ({"early_stopping": 0}, ValueError, "early_stopping to be an integer of at least 1 or None, got 0"),
            (
                {"early_stopping": "auto"},
                TypeError,
                "early_stopping to be an integer of at least 1 or None, got 'auto'",
            ),
            ({"early_stopping": True}, TypeError, "early_stopping to be an integer of at least 1 or None, got True"),
            (
                {"early_stopping": EarlyStopping(0)},
                ValueError,
                "patience to be an integer of at least 1 or None, got 0",
            ),
            (
                {"early_stopping": EarlyStopping(min_delta=-1)},
                ValueError,
                "min_delta to be a number of at least 0, got -1",
            ),
            (
                {"early_stopping": EarlyStopping(validation_fraction=1)},
                ValueError,
                "validation_fraction to be a number of at least 0 and below 1 or None, got 1",
            ),
            (
                {"early_stopping": EarlyStopping(None, validation_fraction=0.3)},
                ValueError,
                "validation_fraction=None in EarlyStopping with patience=None, which holds nothing out, got 0.3",
            ),
            (
                {"early_stopping": EarlyStopping(None, min_delta=0.1)},
                ValueError,
                "min_delta=0.0 in EarlyStopping with patience=None, which holds nothing out, got 0.1",
            ),
            (
                {"early_stopping": EarlyStopping(validation_fraction="auto")},
                TypeError,
                "validation_fraction to be a number of at least 0 and below 1 or None, got 'auto'",
            ),
            ({"sampling": 5}, TypeError, "sampling to be None or an object such as .*, got 5"),
            (
                {"sampling": Sampling(steps_per_epoch=0)},
                ValueError,
                "steps_per_epoch to be an integer of at least 1, 'auto'",
            ),
            ({"sampling": Sampling(stride=0)}, ValueError, "stride to be an integer of at least 1, got 0"),
            ({"device": None}, ValueError, r"device to be 'cpu', 'cuda' or 'cuda:N', got None"),
            ({"device": Device("tpu")}, ValueError, "name of Device to be 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
            ({"device": Device(backend="cpu")}, ValueError, "backend to be 'auto', 'fused' or 'torch', got 'cpu'"),
            ({"device": Device(precision=16)}, ValueError, "precision to be 'float32' or 'bfloat16', got 16"),
            (
                {"device": Device(layer_devices="cpu")},
                TypeError,
                "layer_devices to be a list of devices or None, got 'cpu'",
            ),
            ({"device": Device(distributed=1)}, ValueError, "distributed to be False or True, got 1"),
            ({"device": Device(timeout=0)}, ValueError, "timeout of Device to be a number above 0 and at most 1e"),
            ({"pretrained": 3}, TypeError, "pretrained to be a path, a fitted estimator, a state dict or None, got 3"),
            ({"pretrained": Pretrained(freeze=3)}, TypeError, "freeze to have a pattern or a list of patterns"),
            (
                {"pretrained": Pretrained(learning_rates=3)},
                TypeError,
                "learning_rates to be a dict of patterns and rates",
            ),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", [LSTMForecaster, LSTMRegressor, LSTMClassifier])
    def test_values_that_make_no_sense(self, kind, parameters, error, message):
        model = kind(**parameters)
        with pytest.raises(error, match=f"^expected {message}"):
            model.check_parameters()

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            (
                {"loss": Quantiles([2])},
                ValueError,
                r"levels of Quantiles between 0 and 1 in ascending order, got \[2\]",
            ),
            ({"loss": Quantiles([])}, ValueError, r"levels of Quantiles between 0 and 1 in ascending order, got \[\]"),
            ({"loss": Quantiles(0.5)}, TypeError, "levels of Quantiles to be a list of numbers or None, got 0.5"),
            ({"architecture": Linear(head=3)}, ValueError, "head to be 'direct' or 'recursive', got 3"),
            ({"loss": "mape"}, ValueError, "loss to be None, 'mse', .* or 'tweedie', got 'mape'"),
            ({"loss": [0.1, 0.5]}, TypeError, r"loss to be .* object such as Quantiles\(.*\), got \[0.1, 0.5\]$"),
            ({"calendar": Calendar(holidays=3)}, TypeError, "holidays to be a country code or None, got 3"),
            ({"calendar": Calendar("week")}, ValueError, "calendar to be None, 'auto' or a list of .*, got 'week'"),
        ],
        ids=str,
    )
    def test_values_of_a_forecaster_that_make_no_sense(self, parameters, error, message):
        with pytest.raises(error, match=f"^expected {message}"):
            LSTMForecaster(**parameters).fit(SERIES)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"architecture": LSTM(head="recursive")}, "expected head='direct', as .* rows of X .*, got 'recursive'"),
            (
                {"architecture": Attention(head="recursive")},
                "expected head='direct', as .* rows of X .*, got 'recursive'",
            ),
            ({"architecture": CNNLSTM(linear_skip=True)}, "expected linear_skip=None, as .* rows of X .*, got True"),
            (
                {"architecture": LSTM(supervision="every")},
                "expected supervision='last', as .* rows of X .*, got 'every'",
            ),
            ({"sampling": Sampling(stride=2)}, "expected stride=1, as .* rows of X .*, got 2"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", OF_WINDOWS)
    def test_what_only_a_forecaster_has(self, kind, parameters, message):
        with pytest.raises(ValueError, match=message.replace("as .*", f"as {kind.__name__} reads")):
            kind(**parameters).fit(X, X[:, 0] > 0)
        LSTMForecaster(**parameters).check_parameters()

    @pytest.mark.parametrize(
        ("optimizer", "message"),
        [
            (Adam(clip_grad_value=0.5), "expected clip_grad_value to be None, got 0.5"),
            (AdamW(accumulate_grad_batches=2), "expected accumulate_grad_batches to be 1, got 2"),
            (Adam(weight_decay=-1), "expected weight_decay to be a number of at least 0, got -1"),
        ],
    )
    def test_what_a_text_model_does_not_have(self, optimizer, message):
        with pytest.raises(ValueError, match=message):
            CharLSTM(optimizer=optimizer).check_parameters()

    @pytest.mark.parametrize(
        ("kind", "name", "expected"),
        [
            (
                LSTMForecaster,
                "num_heads",
                "architecture=Attention(num_heads=...) or architecture=Transformer(num_heads=...)",
            ),
            (LSTMRegressor, "patience", "early_stopping=EarlyStopping(patience=...)"),
            (LSTMClassifier, "lr_factor", "lr_schedule=Plateau(factor=...)"),
            (LSTMForecaster, "distributed_timeout", "device=Device(timeout=...)"),
            (CharLSTM, "weight_decay", "optimizer=Adam(weight_decay=...) or optimizer=AdamW(weight_decay=...)"),
        ],
    )
    def test_a_constructor_says_which_object_has_a_parameter_of_0_1(self, kind, name, expected):
        message = f"expected {expected}, got an unexpected keyword argument '{name}'"
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            kind(**{name: 1})
        with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'color'$"):
            kind(color=1)
        assert [*inspect.signature(kind).parameters] == [*inspect.signature(kind.__init__).parameters][1:]

    @pytest.mark.parametrize("kind", [kind for _, kind in _kinds(LSTMForecaster)])
    def test_attributes_of_objects_that_are_no_parameters(self, kind):
        group = kind()
        with pytest.raises(AttributeError, match=rf"^expected a parameter of {kind.__name__} \(.*\), got 'color'$"):
            group.color = 1
        assert group == kind()
        name = next(iter(names_of(kind)))
        setattr(group, name, 7)
        assert group.get_params()[name] == 7

    def test_a_parameter_of_a_detector_without_a_forecaster(self):
        detector = LSTMAnomalyDetector()
        message = "^expected forecaster to be an object with parameters for forecaster__horizon, got None$"
        with pytest.raises(ValueError, match=message):
            detector.set_params(clip=3, forecaster__horizon=2)
        assert detector.clip is None

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_the_flat_names_are_no_arguments(self, kind):
        own = kind().get_params(deep=False)
        for name in flat_parameters(kind()).keys() - own.keys():
            with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
                kind(**{name: None})
            with pytest.raises(ValueError, match=f"^expected {'|'.join(groups_of(kind))}__.*, got {name}$"):
                kind().set_params(**{name: None})


@pytest.mark.torch
def test_a_search_over_words_objects_and_their_parameters():
    model = LSTMRegressor(early_stopping=3, **FAST)
    network = Transformer(num_heads=2, dim_feedforward=5)
    grid = {
        "lstm__architecture": ["attention", network],
        "lstm__architecture__num_heads": [1, 4],
        "lstm__early_stopping__validation_fraction": [0.2, 0.4],
    }
    pipeline = Pipeline([("scale", StandardScaler()), ("lstm", model)])
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, X[:, 0])
    assert len(search.cv_results_["params"]) == 8
    best = search.best_params_
    found = search.best_estimator_["lstm"]
    assert found.architecture.num_heads == best["lstm__architecture__num_heads"]
    assert found.early_stopping == EarlyStopping(
        3, validation_fraction=best["lstm__early_stopping__validation_fraction"]
    )
    assert (model.architecture, model.early_stopping) == ("lstm", 3)
    assert network == Transformer(num_heads=2, dim_feedforward=5)
    assert len({str(candidate) for candidate in search.cv_results_["params"]}) == 8


class TestPicklesOf01:
    """Of a version in which each parameter of an object was an attribute of the estimator."""

    def _older(self, model):
        """The state that version 0.1 pickled."""
        state = {name: value for name, value in vars(model).items() if name not in groups_of(model)} | flat_parameters(
            model
        )
        return {name: value for name, value in state.items() if name not in LATER.get(type(model), ())}

    def _read(self, state, kind):
        model = kind.__new__(kind)
        model.__setstate__(copy.deepcopy(state))
        return model

    @pytest.mark.parametrize(
        "model",
        [
            LSTMForecaster(),
            LSTMForecaster(
                2, hidden_size=3, architecture=Attention(2, linear_skip=False), optimizer=AdamW(weight_decay=0.1),
                lr_schedule=Plateau(3), loss=Quantiles([0.1, 0.5]), early_stopping=EarlyStopping(7, min_delta=0.1),
                sampling=Sampling(steps_per_epoch=None), calendar=Calendar(["month"], holidays="DE"),
                pretrained=Pretrained({"fc.bias": np.ones(2)}, freeze="lstm.*"), device=Device("cuda", timeout=5.0),
            ),
            LSTMForecaster(loss="student_t", lr_schedule="constant", early_stopping=None, calendar="auto"),
            LSTMRegressor(),
            LSTMRegressor(architecture=Transformer(causal=True)),
            LSTMRegressor(early_stopping=EarlyStopping(4, validation_fraction=0.3)),
            LSTMClassifier(sampling=Sampling(steps_per_epoch=9), device=Device(backend="torch")),
            CharLSTM(),
            CharLSTM(optimizer=AdamW(weight_decay=0.1, clip_grad_norm=None), patience=4, validation_fraction=0.2),
        ],
        ids=repr,
    )  # fmt: skip
    def test_parameters_become_objects(self, model):
        found = self._read(self._older(model), type(model))
        if isinstance(model, LSTMForecaster):
            model = clone(model).set_params(non_negative=False)
        assert vars(found).keys() == vars(model).keys()
        assert repr(found) == repr(model)
        assert clone(found).get_params().keys() == model.get_params().keys()
        assert [getattr(found, name) for name in groups_of(model)] == [
            getattr(model, name) for name in groups_of(model)
        ]

    def test_arrays_and_numbers_of_numpy_are_read(self):
        state = self._older(LSTMForecaster(loss=Quantiles([0.1, 0.5])))
        state |= {"quantiles": np.array([0.1, 0.5]), "num_heads": np.int64(8), "architecture": np.str_("attention")}
        found = self._read(state, LSTMForecaster)
        assert found.loss == Quantiles([0.1, 0.5])
        assert found.architecture == Attention(8)

    def test_what_had_no_effect_is_no_error(self, tmp_path):
        model = LSTMRegressor(**FAST).fit(X, X[:, 0])
        model.save(tmp_path / "model")
        tensors, words = _core.read_file(tmp_path / "model")
        parameters = json.loads(words["parameters"]) | {"validation_fraction": 0.3, "min_delta": 0.1}
        _core.write_file(tmp_path / "older", tensors, words | {"parameters": json.dumps(parameters)})
        pickled = self._older(model) | {"validation_fraction": 0.3, "min_delta": 0.1}
        for older in (LSTMRegressor.load(tmp_path / "older"), self._read(pickled, LSTMRegressor)):
            assert older.early_stopping is None
            np.testing.assert_array_equal(older.predict(X), model.predict(X))
            np.testing.assert_array_equal(older.fit(X, X[:, 0]).predict(X), model.predict(X))

    def test_a_subclass_may_have_parameters_of_the_same_names(self):
        model = Patient(patience=3, head=np.int64(2)).set_params(hidden_size=8)
        for same in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), clone(model)):
            assert vars(same) == vars(model)
        assert model.set_params(patience=4).get_params() == {"patience": 4, "head": 2, "hidden_size": 8}
        with pytest.raises(ValueError, match="Invalid parameter 'architecture' for estimator Patient"):
            model.set_params(architecture__num_heads=8)

    @pytest.mark.parametrize("name", ["calendar", "panel", "quantiles", "int8", "regressor", "classifier", "text"])
    def test_what_was_pickled_then_has_no_other_attributes(self, name):
        pickled, _ = pickle.loads((FILES / "pickles.pkl").read_bytes())[name]
        found = pickle.loads(pickled)
        parameters = type(found)().get_params(deep=False).keys()
        fitted = {attribute for attribute in vars(found) if attribute.endswith("_") or attribute.startswith("_")}
        assert vars(found).keys() - fitted == parameters
        found.check_parameters()
