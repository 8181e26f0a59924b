"""Checkpoints: when they are written, what they are gone on from, and what they refuse."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from lstmforecast import (
    LSTM,
    Adam,
    Attention,
    Checkpoint,
    Device,
    FormatError,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Pretrained,
    Sampling,
    load,
)
from lstmforecast.transfer import GradualUnfreezing

SERIES = np.sin(np.arange(200) / 5) + np.random.default_rng(0).normal(0, 0.1, 200)
FAST = {
    "horizon": 3,
    "window_size": 12,
    "hidden_size": 4,
    "max_epochs": 6,
    "sampling": Sampling(steps_per_epoch=3),
    "n_threads": 1,
}
STEADY = {"lr_schedule": "plateau"}


def _fit(checkpoint=None, y=SERIES, **changes):
    return LSTMForecaster(**(FAST | {"random_state": 0} | changes), checkpoint=checkpoint).fit(y)


def _stop_after(n):
    return [lambda record: record["epoch"] == n]


def _epochs(folder):
    return sorted(int(path.stem.removeprefix("epoch_")) for path in folder.glob("epoch_*.safetensors"))


def _assert_same(one, other):
    for name, array in one.model_.parameters().items():
        assert_array_equal(array, other.model_.parameters()[name], err_msg=name)
    pd.testing.assert_frame_equal(
        one.history_.drop(columns="seconds"), other.history_.drop(columns="seconds"), check_exact=True
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [6]),
        ({"keep": 3}, [4, 5, 6]),
        ({"every_n_epochs": 4, "keep": 9}, [4, 6]),
        ({"every_n_minutes": 0, "keep": 9}, [1, 2, 3, 4, 5, 6]),
        ({"every_n_minutes": 1e6, "keep": 9}, [6]),
        ({"every_n_minutes": 1e6, "every_n_epochs": 2, "keep": 9}, [2, 4, 6]),
    ],
    ids=str,
)
def test_files_are_written_when_it_is_time_and_at_the_end(options, expected, tmp_path):
    _fit(Checkpoint(tmp_path, **options))
    assert _epochs(tmp_path) == expected
    assert len(list(tmp_path.iterdir())) == len(expected)


def test_there_are_no_files_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _fit()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("checkpoint", [str, lambda path: path, Checkpoint], ids=["str", "path", "object"])
def test_a_folder_is_made_and_gone_on_from(checkpoint, tmp_path):
    folder = checkpoint(tmp_path / "of" / "mine")
    stopped = _fit(folder, callbacks=_stop_after(2))
    assert (stopped.n_epochs_, stopped.stop_reason_) == (2, "callback")
    assert _epochs(tmp_path / "of" / "mine") == [2]
    _assert_same(_fit(folder), _fit())


def test_a_checkpoint_stands_by_itself_as_a_parameter(tmp_path):
    checkpoint = Checkpoint(tmp_path, keep=2)
    model = LSTMForecaster(checkpoint=checkpoint)
    assert clone(model).checkpoint == checkpoint
    assert pickle.loads(pickle.dumps(model)).get_params()["checkpoint"] == checkpoint


def test_what_was_finished_is_not_begun_again(tmp_path):
    first, seen = _fit(tmp_path), []
    again = _fit(tmp_path, callbacks=[seen.append])
    assert not seen
    assert again.stop_reason_ == first.stop_reason_ == "max_epochs"
    pd.testing.assert_frame_equal(again.history_, first.history_, check_exact=True)
    _assert_same(again, first)


def test_what_patience_ended_stays_ended(tmp_path):
    options = {"early_stopping": 1, "max_epochs": 50, "learning_rate": 0.1} | STEADY
    first, seen = _fit(tmp_path, **options), []
    again = _fit(tmp_path, callbacks=[seen.append], **options)
    assert not seen
    assert again.stop_reason_ == first.stop_reason_ == "patience"
    _assert_same(again, first)


def test_more_epochs_go_on_where_no_curve_runs_over_them(tmp_path):
    _fit(tmp_path, **STEADY)
    _assert_same(_fit(tmp_path, max_epochs=9, **STEADY), _fit(max_epochs=9, **STEADY))
    _fit(tmp_path / "cosine")
    with pytest.raises(ValueError, match=r"expected max_epochs 6 as in the checkpoint .*, got 9: name another folder"):
        _fit(tmp_path / "cosine", max_epochs=9)


def test_no_seed_is_that_of_the_checkpoint(tmp_path):
    first = _fit(tmp_path, random_state=None, callbacks=_stop_after(3))
    resumed = _fit(tmp_path, random_state=None)
    assert resumed.n_epochs_ == 6
    pd.testing.assert_frame_equal(resumed.history_[:3], first.history_, check_exact=True)
    two = _fit(tmp_path / "two", random_state=None, n_estimators=2)
    _assert_same(_fit(tmp_path / "two", random_state=None, n_estimators=2), two)
    # which is drawn where one begins anew
    assert not _fit(Checkpoint(tmp_path, resume=False), random_state=None).history_.equals(resumed.history_)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"hidden_size": 5}, "expected hidden_size 4 as in the checkpoint PATH, got 5"),
        ({"learning_rate": 0.01}, "expected learning_rate 0.003 as in the checkpoint PATH, got 0.01"),
        ({"optimizer": Adam(clip_grad_norm=None)}, "expected clip_grad_norm 1.0 as in the checkpoint PATH, got None"),
        ({"augment": ["jitter"]}, r"expected augment \[\] as in the checkpoint PATH, got \[\{.*jitter.*"),
        ({"random_state": 1}, r"expected seed \d+ as in the checkpoint PATH, got \d+"),
        ({"y": SERIES[1:]}, r"expected data \(200, 1\) .* as in the checkpoint PATH, got \(199, 1\) in 1 series .*"),
        ({"y": -SERIES}, r"expected data \(200, 1\) .* as in the checkpoint PATH, got \(200, 1\) in 1 series .*"),
    ],
    ids=str,
)
def test_another_training_is_refused(changes, text, tmp_path):
    fitted = _fit(tmp_path, callbacks=_stop_after(2))
    path = re.escape(str(tmp_path / "epoch_000002.safetensors"))
    text = text.replace("PATH", path) + ": name another folder, or begin anew with resume=False$"
    before = fitted.history_
    with pytest.raises(ValueError, match=text):
        fitted.set_params(**{name: value for name, value in changes.items() if name != "y"}).fit(
            changes.get("y", SERIES)
        )
    assert fitted.history_ is before
    assert _epochs(tmp_path) == [2]
    anew = _fit(Checkpoint(tmp_path, resume=False), **changes)
    _assert_same(anew, _fit(**changes))


def test_a_scaler_of_another_kind_and_a_warm_start_are_other_trainings(tmp_path):
    fitted = _fit(tmp_path)
    with pytest.raises(ValueError, match="expected scaler 'standard' as in the checkpoint"):
        _fit(tmp_path, scaler="robust")
    with pytest.raises(ValueError, match=r"expected initial weights and scalers [0-9a-f]{16} as in the checkpoint"):
        fitted.set_params(warm_start=True).fit(SERIES)


def test_rows_and_weights_of_a_table_are_compared(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 6))
    network = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "checkpoint": tmp_path, "early_stopping": 2}
    LSTMRegressor(**network).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"expected data \(40, 6\) with the digest .*, got \(40, 6\) with the digest"):
        LSTMRegressor(**network).fit(X, X[:, 1])
    with pytest.raises(ValueError, match="expected data"):
        LSTMRegressor(**network).fit(X, X[:, 0], sample_weight=np.arange(1, 41))
    with pytest.raises(ValueError, match=r"expected n_targets 1 as in the checkpoint .*, got 2"):
        LSTMClassifier(**network).fit(X, np.arange(40) % 2)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_one_is_named_and_the_one_before_serves(damage, tmp_path):
    """Nothing is skipped in silence: what was trained since may be hours."""
    folder = tmp_path / "checkpoints"
    checkpoint = Checkpoint(folder, keep=2)
    fitted = _fit(checkpoint, callbacks=_stop_after(4))
    newest = folder / "epoch_000004.safetensors"
    data = newest.read_bytes()
    if damage == "foreign":
        fitted.save(newest)
    else:
        flipped = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
        newest.write_bytes({"truncated": data[: len(data) // 2], "flipped": flipped, "empty": b""}[damage])
    for random_state in (0, None):
        text = rf"^{re.escape(str(newest))}: expected .*: delete it to go on from the one before it, or to begin anew$"
        with pytest.raises(FormatError, match=text):
            _fit(checkpoint, random_state=random_state)
    newest.unlink()
    seen = []
    _assert_same(_fit(checkpoint, callbacks=[lambda record: seen.append(record["epoch"])]), _fit())
    assert seen == [4, 5, 6]


def test_half_a_file_is_taken_away_and_others_are_left(tmp_path):
    unfinished, other = tmp_path / ".epoch_000002.safetensors.x1Yz", tmp_path / "notes.txt"
    unfinished.write_bytes(b"half")
    other.write_text("mine")
    _fit(tmp_path)
    _fit(Checkpoint(tmp_path, resume=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_000006.safetensors", "notes.txt"]


def test_members_have_folders_of_their_own(tmp_path):
    fitted = _fit(tmp_path, n_estimators=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["member_0", "member_1", "member_2"]
    # one of them is trained anew, the others are there
    (tmp_path / "member_1" / "epoch_000006.safetensors").unlink()
    seen = []
    _assert_same(_fit(tmp_path, n_estimators=3, callbacks=[lambda record: seen.append(record["estimator"])]), fitted)
    assert seen == [1] * 6


def test_backtests_and_model_files_leave_it_out(tmp_path):
    folder = tmp_path / "checkpoints"
    model = LSTMForecaster(**FAST, random_state=0, checkpoint=folder)
    model.backtest(SERIES, folds=20)
    assert not folder.exists()
    model.fit(SERIES).save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").checkpoint is None
    with pytest.raises(FormatError, match="expected the contents of a fitted estimator"):
        load(folder / "epoch_000006.safetensors")


def test_a_folder_that_cannot_be_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file"):
        _fit(tmp_path / "file")


@pytest.mark.parametrize(
    ("checkpoint", "error", "text"),
    [
        (3, TypeError, "expected checkpoint to be a folder, a Checkpoint of a folder or None, got 3"),
        (Checkpoint(None), TypeError, "expected checkpoint to be a folder, a Checkpoint of a folder or None, got"),
        (Checkpoint("x", 0), ValueError, "expected every_n_epochs to be an integer of at least 1 or None, got 0"),
        (Checkpoint("x", 1.5), TypeError, "expected every_n_epochs to be an integer of at least 1 or None, got 1.5"),
        (
            Checkpoint("x", every_n_minutes=-1),
            ValueError,
            "expected every_n_minutes to be a number of at least 0 and at most 1e+09 or None, got -1",
        ),
        (
            Checkpoint("x", every_n_minutes=float("nan")),
            ValueError,
            "expected every_n_minutes to be a number of at least 0 and at most 1e+09 or None, got nan",
        ),
        (Checkpoint("x", keep=0), ValueError, "expected keep to be an integer of at least 1, got 0"),
        (Checkpoint("x", keep=True), TypeError, "expected keep to be an integer of at least 1, got True"),
        (Checkpoint("x", resume="auto"), TypeError, "expected resume to be True or False, got 'auto'"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(checkpoint, error, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=re.escape(text)):
        _fit(checkpoint)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "network",
    [
        {"architecture": LSTM(linear_skip=False)},
        {"architecture": LSTM(linear_skip=False), "device": Device(backend="torch")},
        {"architecture": Attention(linear_skip=False)},
    ],
    ids=["lstm", "torch", "attention"],
)
def test_what_was_frozen_and_unfrozen_stays_so(network, tmp_path):
    """Parameters that begin late count steps of their own; an epoch's unfreezing belongs to its checkpoint."""
    source = _fit(y=np.random.default_rng(1).normal(size=100), **network)
    unfreezing = GradualUnfreezing({2: "fc.*", 4: "*"})
    options = {"pretrained": Pretrained(source, freeze="*", learning_rates={"fc.*": 0.01})} | network
    whole = _fit(Checkpoint(tmp_path, keep=9), callbacks=[unfreezing], **options)
    assert whole.best_epoch_ > 4
    for epoch in (5, 4, 3, 2, 1):
        for later in range(epoch + 1, 7):
            (tmp_path / f"epoch_{later:06}.safetensors").unlink()
        _assert_same(_fit(Checkpoint(tmp_path, keep=9), callbacks=[unfreezing], **options), whole)
        assert _epochs(tmp_path) == [1, 2, 3, 4, 5, 6]
