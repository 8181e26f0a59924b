"""CharLSTM: what it learns, what it writes, what it refuses."""

import itertools
import os
import pickle
import re
import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from lstmforecast import Adam, CharLSTM, FormatError, LSTMRegressor, load, plot

TEXT = "to be, or not to be: that is the question.\n" * 40
FAST = {"hidden_size": 24, "embedding_size": 8, "sequence_length": 16, "batch_size": 8, "n_threads": 1}
QUICK = FAST | {"max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return CharLSTM(**FAST, max_epochs=60, learning_rate=1e-2, random_state=0).fit(TEXT)


def _weights(model):
    return model.model_.parameters()


def _assert_same(one, other):
    for name, array in _weights(one).items():
        assert_array_equal(array, _weights(other)[name], err_msg=name)


def test_it_learns_by_heart(model):
    assert model.generate("to be, or ", 33, temperature=0) == "not to be: that is the question.\n"
    assert model.score(TEXT) < 0.1
    assert model.vocabulary_ == "".join(sorted(set(TEXT)))
    assert list(model.history_) == ["epoch", "train_loss", "val_loss", "learning_rate", "grad_norm", "seconds"]
    assert len(model.history_) == model.n_epochs_ == 60


def test_the_validation_loss_is_the_score_of_what_was_held_out(model):
    held_out = TEXT[round(0.9 * len(TEXT)) :]
    best = model.history_["val_loss"][model.best_epoch_ - 1]
    assert best == model.history_["val_loss"].min()
    # the same sums in the same order
    assert model.score(held_out) == best


def test_several_texts(model):
    texts = ["to be", "x", "or not to be: that", ""]
    model = clone(model).set_params(unknown="skip")
    model.fit(TEXT)
    scores = [model.score(text) for text in (texts[0], texts[2])]
    assert model.score(texts) == pytest.approx(np.average(scores, weights=[4, 17]), rel=1e-6)


@pytest.mark.parametrize(("fraction", "first"), [(0.03, 3), (0.2, 2), (0.25, 1)])
def test_the_last_texts_are_held_out(fraction, first):
    """The fewest that have as many of the 104 characters."""
    texts = ["ab" * 30, "ba" * 10, "abba" * 5, "aa" * 2]
    model = CharLSTM(**QUICK | {"validation_fraction": fraction}).fit(texts)
    scores = [model.score(texts[i:]) for i in range(4)]
    assert scores.index(model.history_["val_loss"].min()) == first


def test_short_texts_are_read_by_themselves():
    names = ["anna", "hanna", "johanna", "susanna"] * 20
    model = CharLSTM(**FAST, max_epochs=30, learning_rate=1e-2, random_state=0).fit(names)
    assert model.score(["hanna"]) < model.score(["ahnna"])


def test_a_seed_gives_the_same_bits():
    one, other = (CharLSTM(**QUICK, dropout=0.2).fit(TEXT) for _ in range(2))
    _assert_same(one, other)
    assert not np.array_equal(
        _weights(one)["fc.bias"], _weights(clone(one).set_params(random_state=1).fit(TEXT))["fc.bias"]
    )


def test_threads_change_rounding_only():
    losses = [
        CharLSTM(**QUICK | {"n_threads": n}, dropout=0.2, num_layers=2).fit(TEXT).history_["train_loss"] for n in (1, 2)
    ]
    # sums over rows in another order, which each step of Adam makes a little larger
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_nothing_held_out():
    model = CharLSTM(**QUICK | {"validation_fraction": 0.0}).fit(TEXT)
    assert model.history_["val_loss"].isna().all()
    assert model.best_epoch_ == 2


def test_early_stopping_and_callbacks():
    records = []
    model = CharLSTM(**FAST, max_epochs=9, callbacks=[records.append, lambda r: r["epoch"] == 2]).fit(TEXT)
    assert (model.stop_reason_, len(records)) == ("callback", 2)
    impatient = CharLSTM(**FAST, max_epochs=50, learning_rate=0.3, lr_schedule="constant", patience=1, random_state=0)
    impatient.fit("".join(np.random.default_rng(0).permutation(list("abcd" * 300))))
    assert impatient.stop_reason_ == "patience"
    assert impatient.best_epoch_ < impatient.n_epochs_


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.9, "temperature": 1.5}, {"temperature": 0}],
    ids=str,
)
def test_a_stream_is_what_is_generated(model, options):
    text = model.generate("that ", 100, random_state=3, **options)
    assert len(text) == 100
    assert set(text) <= set(model.vocabulary_)
    stream = model.stream("that ", random_state=3, **options)
    assert "".join(itertools.islice(stream, 100)) == text
    assert "".join(model.stream("that ", 50, random_state=3, **options)) == text[:50]


def test_what_is_drawn_depends_on_its_seed_alone(model):
    text = model.generate("", 200, temperature=2.0, random_state=0)
    assert model.generate("", 200, temperature=2.0, random_state=0) == text
    assert model.generate("", 200, temperature=2.0, random_state=1) != text
    two = clone(model).set_params(n_threads=2, hidden_size=128, max_epochs=1).fit(TEXT)
    one = clone(two).set_params(n_threads=1)
    one.model_ = two.model_
    assert one.generate("to", 300, random_state=5) == two.generate("to", 300, random_state=5)
    assert model.generate("to", 0) == ""


def test_the_first_character_comes_as_often_as_in_the_text(model):
    first = [model.generate(length=1, random_state=seed) for seed in range(400)]
    # binomial: 27 of 43 are no blank and no "t"; the standard deviation of a share of 400 is at most 0.025
    for c in " t":
        assert np.mean([f == c for f in first]) == pytest.approx(TEXT.count(c) / len(TEXT), abs=0.1)
    assert {model.generate(length=1, temperature=0) for _ in range(3)} == {" "}


def test_a_stream_goes_on_while_the_model_is_fitted_anew(model):
    model = clone(model).set_params(max_epochs=2).fit(TEXT)
    expected = model.generate("to ", 60, random_state=0)
    stream = model.stream("to ", random_state=0)
    begin = "".join(itertools.islice(stream, 20))
    model.fit(TEXT[::-1])
    assert begin + "".join(itertools.islice(stream, 40)) == expected


def test_unknown_characters(model):
    message = "expected characters of the text that was fitted, got 'é', '€': unknown='skip' leaves them out"
    for call in (model.generate, model.score, model.stream):
        with pytest.raises(ValueError, match=re.escape(message)):
            call("to bé €é")
    tolerant = clone(model).set_params(unknown="skip")
    tolerant.model_ = model.model_
    assert tolerant.generate("tôo é", 20, random_state=0) == tolerant.generate("to ", 20, random_state=0)
    assert tolerant.score("tôo be") == model.score("to be")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.fit(""), ValueError, "expected a text to train on, got an empty one"),
        (lambda m: m.fit([]), ValueError, "expected a text to train on, got an empty one"),
        (lambda m: m.fit("ab" * 8), ValueError, "expected more characters to train on than sequence_length=16, got 14"),
        (lambda m: m.fit(["a", "b"]), ValueError, "expected texts of at least 2 characters to train on and, for vali"),
        (lambda m: m.fit(3), TypeError, "expected text to be a string or several, got int"),
        (lambda m: m.fit(b"abc"), TypeError, "expected text to be a string or several, got bytes"),
        (lambda m: m.fit(["abc", None]), TypeError, "expected each text to be a string, got NoneType"),
        (
            lambda m: m.fit("a\ud800b"),
            ValueError,
            r"expected text to be Unicode, got half of a surrogate pair, '\ud800",
        ),
        (lambda m: m.score("t"), ValueError, "expected a text of at least 2 known characters, got none"),
        (lambda m: m.generate(3), TypeError, "expected prompt to be a string, got int"),
        (lambda m: m.generate("to", -1), ValueError, "expected length to be at least 0, got -1"),
        (lambda m: m.generate("to", 2.5), TypeError, "expected length to be an integer, got 2.5"),
        (lambda m: m.generate("to", temperature=-1), ValueError, "expected temperature to be a number of at least 0"),
        (lambda m: m.generate("to", top_k=0), ValueError, "expected top_k to be an integer of at least 1 or None, got"),
        (lambda m: m.stream("to", top_p=0), ValueError, "expected top_p to be a number above 0 and at most 1 or None"),
        (lambda m: m.stream("to", -1), ValueError, "expected length to be at least 0, got -1"),
    ],
)
def test_bad_input_is_answered_in_a_sentence(model, call, error, message):
    copy = clone(model)
    copy.model_ = model.model_
    with pytest.raises(error, match=re.escape(message)):
        call(copy)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_size", 0),
        ("sequence_length", 0),
        ("learning_rate", 0),
        ("dropout", 1.0),
        ("validation_fraction", 1.0),
        ("unknown", "ignore"),
        ("lr_schedule", "plateau"),
        ("patience", 0),
    ],
)
def test_parameters_are_checked_by_fit(parameter, value):
    with pytest.raises(ValueError, match=f"expected {parameter} "):
        CharLSTM(**{parameter: value}).fit(TEXT)


def test_what_is_not_fitted_says_so():
    for call in ("generate", "score", "stream"):
        with pytest.raises(NotFittedError):
            getattr(CharLSTM(), call)("to be")


def test_a_file_brings_everything_back(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    for back in (load(tmp_path / "m.safetensors"), CharLSTM.load(tmp_path / "m.safetensors")):
        assert back.get_params() == model.get_params()
        assert back.generate("to", 50, random_state=0) == model.generate("to", 50, random_state=0)
        assert back.generate("", 50, random_state=0) == model.generate("", 50, random_state=0)
        assert (back.best_epoch_, back.stop_reason_) == (model.best_epoch_, model.stop_reason_)
        assert back.history_.equals(model.history_)
        _assert_same(back, model)
    with pytest.raises(FormatError, match="expected a file of LSTMRegressor, got one of CharLSTM"):
        LSTMRegressor.load(tmp_path / "m.safetensors")


def test_a_file_of_another_kind_is_refused(tmp_path):
    LSTMRegressor(hidden_size=2, max_epochs=1).fit(np.ones((9, 3)), np.ones(9)).save(tmp_path / "r.safetensors")
    with pytest.raises(FormatError, match="expected a file of CharLSTM, got one of LSTMRegressor"):
        CharLSTM.load(tmp_path / "r.safetensors")


def test_clone_and_pickle(model):
    assert clone(model).get_params() == model.get_params()
    back = pickle.loads(pickle.dumps(model))
    _assert_same(back, model)
    assert back.generate("to", 50, random_state=0) == model.generate("to", 50, random_state=0)


def test_a_search():
    texts = ["abcab" * 5, "bcabc" * 5, "cabca" * 5, "abcab" * 4]

    def nats(model, text, y=None):
        return -model.score(text)

    grid = {"learning_rate": [1e-9, 1e-2]}
    options = FAST | {"validation_fraction": 0.0, "max_epochs": 20}
    search = GridSearchCV(CharLSTM(**options), grid, scoring=nats, cv=2, error_score="raise").fit(texts)
    assert search.best_params_ == {"learning_rate": 1e-2}


def test_the_learning_curve_is_drawn(model):
    lines = {line.get_label(): line for line in plot.history(model).lines}
    for label, column in (("training", "train_loss"), ("validation", "val_loss")):
        assert_array_equal(lines[label].get_xdata(), model.history_["epoch"])
        assert_array_equal(lines[label].get_ydata(), model.history_[column])
    best = lines[f"best epoch {model.best_epoch_}"]
    assert best.get_ydata()[0] == model.history_["val_loss"].min()


@pytest.mark.parametrize(("n_characters", "expected"), [(500, 80), (60, 100), (20_000, 5)])
def test_epochs_make_two_thousand_steps(n_characters, expected):
    """Of 20 characters each: 500 make 25 of them."""
    options = FAST | {"hidden_size": 1, "validation_fraction": 0.0, "batch_size": 2, "sequence_length": 10}
    model = CharLSTM(**options).fit(["ab" * (n_characters // 2)])
    assert len(model.history_) == expected


def _assert_resumed(tmp_path, **changes):
    options = FAST | {"max_epochs": 4, "random_state": 0, "dropout": 0.1} | changes
    whole = CharLSTM(**options).fit(TEXT)
    CharLSTM(**options, checkpoint=tmp_path, callbacks=[lambda record: record["epoch"] == 2]).fit(TEXT)
    resumed = CharLSTM(**options, checkpoint=tmp_path).fit(TEXT)
    _assert_same(resumed, whole)
    columns = ["train_loss", "val_loss", "grad_norm"]
    assert_array_equal(resumed.history_[columns], whole.history_[columns])


@pytest.mark.parametrize("lr_schedule", ["onecycle", "constant"])
def test_a_fit_goes_on_from_a_checkpoint_with_the_same_bits(tmp_path, lr_schedule):
    _assert_resumed(tmp_path, lr_schedule=lr_schedule)


def test_a_checkpoint_of_another_text_is_refused(tmp_path):
    CharLSTM(**QUICK, checkpoint=tmp_path).fit(TEXT)
    with pytest.raises(ValueError, match="expected text with the digest"):
        CharLSTM(**QUICK, checkpoint=tmp_path).fit(TEXT.replace("question", "qeustion"))
    with pytest.raises(ValueError, match="expected sequence_length 16 as in the checkpoint"):
        CharLSTM(**QUICK | {"sequence_length": 8}, checkpoint=tmp_path).fit(TEXT)


def test_a_diverged_loss_is_an_error():
    model = CharLSTM(**FAST, learning_rate=1e38, optimizer=Adam(clip_grad_norm=None), max_epochs=3)
    with pytest.raises(FloatingPointError, match="try a lower learning_rate"):
        model.fit(TEXT)


@pytest.mark.parametrize("call", ["generate", "fit"])
def test_ctrl_c(model, call):
    """Within a second, where the whole would take minutes."""
    if call == "fit":
        model = clone(model).set_params(max_epochs=10**6)
    work = {"generate": lambda: model.generate("", 10**9), "fit": lambda: model.fit(TEXT)}[call]
    # a shell's background job begins with the signal ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    # far below what it would take, and far above what a loaded machine may need
    assert time.monotonic() - start < 30
