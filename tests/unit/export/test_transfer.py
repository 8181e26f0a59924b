"""Transfer learning in all three estimators: what is taken, frozen, slowed down and unfrozen, and what is refused."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lstmforecast
from lstmforecast import (
    CNNLSTM,
    LSTM,
    Attention,
    Device,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Pretrained,
    Transformer,
)
from lstmforecast.transfer import GradualUnfreezing, Unfreeze

KINDS = [LSTMForecaster, LSTMRegressor, LSTMClassifier]
VARIANTS = [
    {},
    {"architecture": LSTM(bidirectional=True), "num_layers": 2},
    {"architecture": Attention(num_heads=2)},
    {"architecture": CNNLSTM(kernel_size=3, out_channels=4)},
    {"architecture": Transformer(num_heads=2, dim_feedforward=5)},
]
FAST = {"hidden_size": 8, "max_epochs": 2, "random_state": 0, "n_threads": 1}
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 12)), RNG.normal(size=40)
SERIES = pd.Series(np.sin(np.arange(120) / 5), pd.date_range("2026-01-01", periods=120, freq="h"), name="load")
OF_LSTM = ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"]


def _new(kind, **parameters):
    own = {"horizon": 4, "window_size": 12, "architecture__segment_length": 3} if kind is LSTMForecaster else {}
    return kind().set_params(**(own | FAST | parameters))


def _fit(model, shift=0.0):
    if isinstance(model, LSTMForecaster):
        return model.fit(SERIES + shift)
    return model.fit(X + shift, Y if isinstance(model, LSTMRegressor) else Y > 0)


def _weights(model):
    return model.model_.parameters()


def _same(model, other, names=None):
    a, b = _weights(model), _weights(other)
    return {name: a[name].tobytes() == b[name].tobytes() for name in names or a}


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
class TestEveryNetwork:
    def test_a_warm_start_goes_on(self, kind, variant):
        line = {"architecture__linear_skip": False} if kind is LSTMForecaster else {}
        model = _fit(_new(kind, **line, **variant))
        before = copy.deepcopy(model)
        # a step of 1e-12 is lost in rounding of weights of 0.1
        _fit(model.set_params(warm_start=True, learning_rate=1e-12), shift=1.0)
        for name, value in _weights(before).items():
            np.testing.assert_allclose(_weights(model)[name], value, atol=1e-7, err_msg=name)

    def test_all_is_taken_and_what_is_frozen_keeps_its_bits(self, kind, variant):
        source = _fit(_new(kind, **variant))
        names = list(_weights(source))
        frozen = [name for name in names if ".bias" in name]
        model = _fit(
            _new(kind, random_state=1, pretrained=Pretrained(freeze="*.bias*"), **variant).load_pretrained(source),
            shift=1.0,
        )
        assert (model.pretrained_, model.frozen_) == ({"taken": names, "left": []}, frozen)
        same = _same(model, source)
        assert all(same[name] == (name in frozen) for name in names if "in_proj" not in name), same

    def test_everything_frozen_is_the_source(self, kind, variant):
        source = _fit(_new(kind, **variant))
        model = _fit(_new(kind, random_state=1, **variant).load_pretrained(source, freeze="*"), shift=1.0)
        assert all(_same(model, source).values())
        # the scalers are those of the new data
        centers = [each.model_.scalers()["input_center"] for each in (model, source)]
        np.testing.assert_allclose(centers[0] - centers[1], 1.0)


class TestWhatIsTaken:
    @pytest.mark.parametrize("backend", ["fused", pytest.param("torch", marks=pytest.mark.torch)])
    def test_other_horizons_and_features_start_fresh(self, backend):
        source = _fit(_new(LSTMForecaster))
        model = (
            _new(LSTMForecaster, horizon=2, device=Device(backend=backend), random_state=1)
            .load_pretrained(source)
            .fit(SERIES)
        )
        assert model.pretrained_["taken"] == OF_LSTM
        assert model.pretrained_["left"] == ["fc.weight", "fc.bias", "skip.weight", "skip.bias"]
        model = _new(LSTMForecaster, architecture__segment_length=2, device=Device(backend=backend)).load_pretrained(
            source, freeze="lstm.*"
        )
        with pytest.warns(
            UserWarning, match=r"7 of its 8 are taken, others are initialised; of another shape: lstm\.weight_ih_l0 "
        ):
            model.fit(SERIES)
        assert model.pretrained_["left"] == ["lstm.weight_ih_l0"]
        # what isn't there can't be kept
        assert model.frozen_ == OF_LSTM[1:]
        assert _same(model, source, OF_LSTM) == dict.fromkeys(OF_LSTM, True) | {OF_LSTM[0]: False}

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            (
                {"hidden_size": 5},
                r"1 of its 6 are taken, .*: lstm\.weight_ih_l0 \(32, 1\) in place of \(20, 1\), lstm\.weight_hh",
            ),
            (
                {"num_layers": 2},
                r"6 of its 10 are taken, .*; missing: lstm\.weight_ih_l1, .*, lstm\.bias_hh_l1\. Sizes",
            ),
            ({"architecture": LSTM(bidirectional=True)}, r"lstm.weight_ih_l0_reverse"),
            (
                {"n_features_per_step": 2},
                r"of another shape: lstm\.weight_ih_l0 \(32, 1\) in place of \(32, 2\)\. Sizes",
            ),
        ],
        ids=str,
    )
    def test_a_layer_that_fits_in_part_is_told(self, changes, match):
        source = _fit(_new(LSTMRegressor))
        with pytest.warns(UserWarning, match=match):
            _fit(_new(LSTMRegressor, **changes).load_pretrained(source))

    def test_a_layer_of_the_source_that_is_left_out_is_told(self):
        source = _fit(_new(LSTMRegressor, num_layers=2))
        with pytest.warns(UserWarning, match=r"unexpected: lstm\.weight_ih_l1, .*, lstm\.bias_hh_l1\. Sizes"):
            _fit(_new(LSTMRegressor).load_pretrained(source))

    @pytest.mark.torch
    def test_a_layer_that_the_source_lacks_is_told(self):
        source = _weights(_fit(_new(LSTMRegressor)))
        with pytest.warns(UserWarning, match=r"missing: embedding\.weight, embedding\.bias, .*; unexpected: lstm\."):
            _fit(_new(LSTMRegressor, architecture=Transformer(num_heads=2), pretrained=source))

    def test_with_strict_all_must_fit(self):
        source = _fit(_new(LSTMForecaster))
        strict = Pretrained(source, strict=True)
        assert _fit(_new(LSTMForecaster, pretrained=strict)).pretrained_["left"] == []
        message = (
            r"expected pretrained weights that all fit the network with strict=True; of another shape: fc\.weight .*"
            r"skip\.bias \(\d+,\) in place of \(2,\); with strict=False those that fit are taken"
        )
        model = _new(LSTMForecaster, horizon=2, pretrained=strict)
        with pytest.raises(ValueError, match=message):
            _fit(model)
        # also where the weights come later
        model.set_params(pretrained=Pretrained(strict=True)).load_pretrained(source)
        with pytest.raises(ValueError, match=message):
            _fit(model)
        with pytest.raises(ValueError, match=r"with strict=True; missing: members|with strict=True; of another shape"):
            _fit(_new(LSTMForecaster, horizon=2, n_estimators=2, pretrained=strict))

    def test_strict_without_weights_has_no_effect_and_is_refused(self):
        with pytest.raises(ValueError, match="expected weights in Pretrained with strict=True, got None"):
            _fit(_new(LSTMRegressor, pretrained=Pretrained(strict=True)))
        with pytest.raises(ValueError, match="expected strict"):
            _fit(_new(LSTMRegressor, pretrained=Pretrained({}, strict="yes")))

    def test_a_saved_estimator_is_fitted_again_without_them(self, tmp_path):
        source = _fit(_new(LSTMRegressor))
        _fit(_new(LSTMRegressor, pretrained=Pretrained(source, strict=True))).save(tmp_path / "model")
        _fit(lstmforecast.load(tmp_path / "model"))

    def test_from_one_kind_of_estimator_to_another(self):
        source = _fit(_new(LSTMRegressor))
        model = _fit(_new(LSTMClassifier, pretrained=Pretrained(freeze=["lstm.*"])).load_pretrained(source))
        assert (model.frozen_, model.pretrained_["taken"]) == (OF_LSTM, OF_LSTM)
        assert all(_same(model, source, OF_LSTM).values())

    def test_file_estimator_module_and_state_dict_say_the_same(self, tmp_path):
        torch = pytest.importorskip("torch")
        source = _fit(_new(LSTMRegressor))
        source.save(tmp_path / "model")
        module = torch.nn.Module()
        module.lstm, module.fc = torch.nn.LSTM(1, 8, batch_first=True), torch.nn.Linear(8, 1)
        module.load_state_dict(source.state_dict())
        forms = [
            tmp_path / "model",
            str(tmp_path / "model"),
            source,
            FrozenEstimator(source),
            source.state_dict(),
            module,
        ]
        for form in [*forms, _weights(source)]:
            model = _fit(_new(LSTMRegressor, pretrained=Pretrained(form, freeze="*")))
            assert all(_same(model, source).values()), form

    def test_members_of_an_ensemble_begin_alike_or_in_turn(self):
        source = _fit(_new(LSTMForecaster, n_estimators=2))
        model = _fit(
            _new(LSTMForecaster, n_estimators=3, pretrained=Pretrained(freeze="lstm.*")).load_pretrained(source)
        )
        for i, j in enumerate((0, 1, 0)):
            for name in OF_LSTM:
                assert np.array_equal(_weights(model)[f"members.{i}.{name}"], _weights(source)[f"members.{j}.{name}"])
        alone = _fit(_new(LSTMForecaster, pretrained=Pretrained(freeze="lstm.*")).load_pretrained(source))
        assert np.array_equal(_weights(alone)[OF_LSTM[0]], _weights(source)[f"members.0.{OF_LSTM[0]}"])

    def test_a_second_warm_fit_goes_on_from_the_first(self):
        source = _fit(_new(LSTMRegressor))
        model = _fit(_new(LSTMRegressor, warm_start=True).load_pretrained(source))
        first = copy.deepcopy(model)
        _fit(model.set_params(pretrained__freeze="*"))
        assert all(_same(model, first).values())
        assert model.pretrained_ == first.pretrained_

    def test_nothing_that_fits_is_an_error(self):
        source = _fit(_new(LSTMRegressor))
        model = _new(LSTMRegressor, hidden_size=5).load_pretrained({"fc.weight": np.zeros((1, 8))})
        with pytest.raises(
            ValueError, match=r"fit the network's in name and shape, lstm.*fc\.weight \(1, 5\).*got fc\."
        ):
            _fit(model)
        assert not hasattr(model, "model_")
        with pytest.raises(ValueError, match="got none"):
            _fit(_new(LSTMRegressor, pretrained={}))
        with pytest.warns(UserWarning, match="1 of its 6 are taken"):
            model = _fit(_new(LSTMRegressor, hidden_size=5).load_pretrained(source))
        assert model.pretrained_["taken"] == ["fc.bias"]


class TestLine:
    """The linear way is solved on the new data, shrunk towards the weights taken."""

    def test_a_line_that_fits_stays_near_and_a_foreign_one_is_left(self):
        rng = np.random.default_rng(0)
        y = np.sin(np.arange(600) / 5) + rng.normal(0, 0.1, 600)
        linear = {"architecture": "linear", "window_size": 12}
        scratch = LSTMForecaster(4, **linear).fit(y)
        for sign in (1, -1):
            weights = {name: sign * value for name, value in _weights(scratch).items()}
            model = LSTMForecaster(4, **linear, pretrained=weights).fit(y)
            # by the loss held out: as good as a regression that knew nothing, to a twentieth
            assert model.history_["val_loss"].iloc[0] < 1.05 * scratch.history_["val_loss"].iloc[0]
        frozen = LSTMForecaster(4, pretrained=Pretrained(weights, freeze="skip.weight"), **linear).fit(y)
        assert frozen.history_["val_loss"].iloc[0] > 2 * scratch.history_["val_loss"].iloc[0]

    def test_the_regression_on_what_is_known_starts_anew(self):
        X_known = pd.DataFrame({"x": np.cos(np.arange(124))}, pd.date_range("2026-01-01", periods=124, freq="h"))
        # windows less their last value have an effect in place of the weight
        source = _new(LSTMForecaster, normalize=None).fit(SERIES, X_known)
        model = _new(LSTMForecaster, normalize=None).load_pretrained(source).fit(SERIES, X_known)
        assert model.pretrained_["left"] == ["known.weight"]
        model = _new(LSTMForecaster, normalize=None).load_pretrained(source, freeze="known.*").fit(SERIES, X_known)
        assert _same(model, source, ["known.weight"]) == {"known.weight": True}


class TestUnfreezing:
    @pytest.mark.parametrize("variant", VARIANTS, ids=str)
    @pytest.mark.parametrize("kind", KINDS)
    def test_epoch_by_epoch(self, kind, variant):
        source = _fit(_new(kind, **variant))
        names = [name for name in _weights(source) if name.endswith("weight") or "weight_" in name]
        parameters = {"max_epochs": 6, "callbacks": [GradualUnfreezing({2: names[-1], 4: [names[0]]})]}
        shift = np.arange(120) ** 1.5 if kind is LSTMForecaster else 1.0
        model = _fit(_new(kind, **variant, **parameters).load_pretrained(source, freeze="*"), shift)
        assert list(model.history_["grad_norm"] > 0) == [False, False, True, True, True, True]
        # the best epoch's weights are kept, and have moved if they were trained before its end
        moved = {name for name, epoch in ((names[-1], 2), (names[0], 4)) if epoch < model.best_epoch_}
        assert {name for name, same in _same(model, source).items() if not same} == moved

    def test_by_what_a_callback_sees(self):
        seen = []

        def late(record):
            seen.append(record["grad_norm"])
            return Unfreeze("fc.*") if record["epoch"] == 2 else False

        _fit(_new(LSTMRegressor, pretrained=Pretrained(freeze="*"), max_epochs=4, callbacks=[late, seen.count]))
        assert seen[:2] == [0, 0]
        assert min(seen[2:]) > 0

    def test_of_all_members_of_an_ensemble(self):
        parameters = {
            "n_estimators": 2,
            "max_epochs": 3,
            "early_stopping": None,
            "callbacks": [GradualUnfreezing({1: "lstm.*"})],
        }
        source = _fit(_new(LSTMForecaster, n_estimators=2))
        model = _fit(
            _new(LSTMForecaster, **parameters).load_pretrained(source, freeze="*"), shift=np.arange(120) ** 1.5
        )
        assert list(model.history_["grad_norm"] > 0) == [False, True, True]

    def test_a_pattern_that_matches_nothing_ends_the_training(self):
        model = _new(LSTMRegressor, pretrained=Pretrained(freeze="*"), callbacks=[GradualUnfreezing({1: "gru.*"})])
        with pytest.raises(ValueError, match=r"in Unfreeze, got 'gru\.\*', which matches none of lstm\.weight_ih_l0"):
            _fit(model)

    @pytest.mark.parametrize("schedule", [["lstm.*"], {"a": "b"}, {1: 2}, {True: "x"}, {0: "x"}], ids=str)
    def test_schedules_are_checked(self, schedule):
        with pytest.raises((TypeError, ValueError), match="expected"):
            GradualUnfreezing(schedule)


class TestRates:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_tiny_rate_hardly_moves(self, kind):
        source = _fit(_new(kind))
        model = _fit(
            _new(kind, pretrained=Pretrained(learning_rates={"lstm.*": 1e-9, "*": 1e-2})).load_pretrained(source),
            shift=1.0,
        )
        for name in OF_LSTM:
            # a few dozen steps of at most 3 * 1e-9 are lost in float32
            np.testing.assert_allclose(_weights(model)[name], _weights(source)[name], atol=1e-6)
        assert not any(_same(model, source, ["fc.weight", "fc.bias"]).values())

    def test_the_same_rate_is_no_rate(self):
        plain, same = (
            _fit(_new(LSTMRegressor, pretrained=Pretrained(learning_rates=rates))) for rates in (None, {"*": 3e-3})
        )
        assert all(_same(plain, same).values())


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            (
                {"pretrained": Pretrained(freeze="gru.*")},
                ValueError,
                r"in freeze, got 'gru\.\*', which matches none of lstm\.weight_ih_l0, .*fc",
            ),
            ({"pretrained": Pretrained(freeze=3)}, TypeError, "expected freeze to have a pattern"),
            ({"pretrained": Pretrained(freeze=[3])}, TypeError, "expected freeze to have a pattern"),
            ({"pretrained": Pretrained(learning_rates=["lstm.*"])}, TypeError, "expected learning_rates to be a dict"),
            (
                {"pretrained": Pretrained(learning_rates={"gru.*": 1.0})},
                ValueError,
                r"in learning_rates, got 'gru\.\*'",
            ),
            (
                {"pretrained": Pretrained(learning_rates={"lstm.*": 0.0})},
                ValueError,
                "expected rates above 0 in learning_rates, got 0.0",
            ),
            (
                {"pretrained": Pretrained(learning_rates={"lstm.*": "x"})},
                TypeError,
                "expected numbers in learning_rates, got 'x'",
            ),
            ({"pretrained": 3}, TypeError, "expected pretrained to be a path"),
            ({"pretrained": LSTMRegressor()}, ValueError, "isn't fitted"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_makes_no_sense_is_refused(self, kind, parameters, error, message):
        model = _new(kind, **parameters)
        with pytest.raises(error, match=message):
            _fit(model)
        assert not hasattr(model, "model_")

    def test_files_that_are_none(self, tmp_path):
        (tmp_path / "text").write_text("text")
        with pytest.raises(lstmforecast.FormatError):
            _new(LSTMRegressor).load_pretrained(tmp_path / "text")
        with pytest.raises(FileNotFoundError):
            _new(LSTMRegressor).load_pretrained(tmp_path / "nothing")

    def test_clones_pickles_and_searches_keep_what_is_loaded(self):
        source = _fit(_new(LSTMRegressor))
        model = _new(LSTMRegressor, pretrained=Pretrained(freeze="lstm.*")).load_pretrained(source)
        for other in (clone(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert all(_same(_fit(other), source, OF_LSTM).values())
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model), {"lstmregressor__pretrained__freeze": ["lstm.*", "*"]}, cv=2
        )
        best = search.fit(X, Y).best_estimator_[-1]
        assert all(_same(best, source, OF_LSTM).values())
        with pytest.raises(ValueError, match="isn't fitted"):
            _fit(clone(_new(LSTMRegressor, pretrained=source)))

    def test_files_and_pickles_keep_what_was_learned(self, tmp_path):
        _fit(_new(LSTMForecaster)).save(tmp_path / "source")
        rates = {"fc.*": np.float32(0.25)}
        model = _fit(
            _new(LSTMForecaster, pretrained=Pretrained(tmp_path / "source", freeze=["lstm.*"], learning_rates=rates))
        )
        model.save(tmp_path / "model")
        for other in (lstmforecast.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
            assert (other.pretrained_, other.frozen_) == (model.pretrained_, OF_LSTM)
            assert (other.pretrained.freeze, other.pretrained.learning_rates) == (["lstm.*"], rates)
        # a file names no other
        assert lstmforecast.load(tmp_path / "model").pretrained.weights is None
        assert str(pickle.loads(pickle.dumps(model)).pretrained.weights) == str(tmp_path / "source")
        _fit(model.load_pretrained(tmp_path / "source")).save(tmp_path / "model")
        assert lstmforecast.load(tmp_path / "model").pretrained.weights is None

    def test_weights_that_are_no_numbers_are_refused_by_name(self):
        with pytest.raises(ValueError, match=r"expected finite pretrained weights, got NaN or infinity in fc\.bias"):
            _new(LSTMForecaster).load_pretrained({"fc.weight": np.ones((4, 8)), "fc.bias": np.full(4, np.nan)})


def test_weights_are_printed_as_a_short_summary():
    source = _fit(_new(LSTMRegressor))
    model = _new(LSTMRegressor).load_pretrained(source)
    for text in (repr(model), repr(make_pipeline(StandardScaler(), clone(model))), model._repr_html_()):
        assert "6 weights of 361 numbers" in text
        assert "array(" not in text
