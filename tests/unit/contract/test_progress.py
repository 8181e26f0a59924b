"""The progress bar: where it is shown, and that it says nothing else."""

import sys
import types
from importlib.machinery import ModuleSpec

import pytest
import tqdm
import tqdm.auto

from lstmforecast.contract.progress import ProgressBar, kind_of_bar

RECORD = {"train_loss": 0.12345, "val_loss": float("nan"), "learning_rate": 1e-3}


def test_losses_that_are_known_stand_in_the_bar(capsys):
    with ProgressBar(3, shown=True) as bar:
        for _ in range(3):
            bar.update(RECORD)
    written = capsys.readouterr()
    assert "3/3" in written.err
    assert "loss=0.1235, lr=0.001" in written.err
    assert "val_loss" not in written.err
    assert written.out == ""


def test_nothing_is_written_unless_it_is_asked_for(capsys):
    with ProgressBar(3, shown=False) as bar:
        bar.update(RECORD)
    assert capsys.readouterr() == ("", "")


def test_text_where_there_are_no_widgets(monkeypatch: pytest.MonkeyPatch):
    # in a notebook without ipywidgets tqdm.auto warns, at its first import
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert kind_of_bar() is tqdm.tqdm
    widgets = types.ModuleType("ipywidgets")
    widgets.__spec__ = ModuleSpec("ipywidgets", None)
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    assert kind_of_bar() is tqdm.auto.tqdm
