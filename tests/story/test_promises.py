"""What a user is promised of every fit: it can be stopped, it repeats, it leaves no trace, no other thread waits."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmforecast import EarlyStopping, LSTMForecaster, backtest

pytestmark = pytest.mark.alone

ETTH1 = Path(__file__).parents[2] / "notebooks" / "data" / "ETTh1.csv"
FAST = {"window_size": 24, "hidden_size": 8, "max_epochs": 3, "random_state": 0}
WAVE = np.sin(np.arange(300) / 5)


def _python(code):
    script = textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_ctrl_c_stops_at_once_and_leaves_a_fitted_model():
    done = _python(
        f"""
        import os, signal, threading, time
        import numpy as np
        from lstmforecast import LSTMForecaster

        y = np.sin(np.arange(20_000) / 5)
        model = LSTMForecaster(6, window_size=48, hidden_size=32, max_epochs=10_000, random_state=0)
        # some time after the first epoch, wherever the fit is then
        epochs, sent = [], []
        def interrupt(record):
            def send():
                sent.append(time.perf_counter())
                os.kill(os.getpid(), {int(signal.SIGINT)})
            epochs.append(record["epoch"])
            threading.Timer(0.3, send).start() if record["epoch"] == 1 else None
        try:
            model.set_params(callbacks=[interrupt]).fit(y)
        except KeyboardInterrupt:
            # the last epoch's callback may be what was interrupted
            lost = max(0, len(epochs) - model.n_epochs_)
            print(f"{{time.perf_counter() - sent[0]:.3f}}", model.stop_reason_, lost, model.predict().shape)
        """
    )
    seconds, *rest = done.stdout.split(maxsplit=1)
    assert rest == ["interrupted 0 (6,)\n"], done.stderr
    assert float(seconds) < 2  # a batch of these takes milliseconds; an epoch, seconds


def test_the_same_seed_gives_the_same_bits_in_another_process():
    code = f"""
    import numpy as np
    from lstmforecast import LSTMForecaster
    model = LSTMForecaster(6, dropout=0.2, num_layers=2, **{FAST}).fit(np.sin(np.arange(300) / 5))
    print(model.predict().tobytes().hex())
    """
    first, second = _python(code), _python(code)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_nothing_global_is_touched(tmp_path, monkeypatch, capfd):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    before = (torch.get_rng_state(), torch.get_num_threads(), np.random.get_state()[1].copy(), list(warnings.filters))
    LSTMForecaster(6, dropout=0.2, num_layers=2, n_threads=1, **FAST).fit(WAVE).predict()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2])
    assert list(warnings.filters) == before[3]
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_one_bar_is_shown_where_it_is_asked_for(capfd):
    LSTMForecaster(6, verbose=1, **FAST).fit(WAVE)
    out, err = capfd.readouterr()
    assert out == ""
    assert "3/3" in err
    assert "val_loss=" in err
    assert "lr=" in err


def test_other_threads_go_on_during_a_fit():
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.wait(0.001):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    LSTMForecaster(6, **(FAST | {"max_epochs": 20, "hidden_size": 192})).fit(WAVE)
    seconds = time.perf_counter() - start
    stop.set()
    thread.join()
    during = sum(start < tick < start + seconds for tick in ticks)
    # a thread that had to wait for the fit would tick about once for each epoch, when the record is handed over;
    # an epoch takes tens of milliseconds
    assert during > 3 * 20, (during, seconds)


def test_a_callback_may_stop_the_training():
    model = LSTMForecaster(6, callbacks=[lambda record: record["epoch"] == 2], **FAST).fit(WAVE)
    assert (model.n_epochs_, model.stop_reason_) == (2, "callback")


def test_an_error_in_a_callback_is_raised_and_the_former_fit_is_kept():
    def fail(record):
        raise LookupError("of the user's own")

    model = LSTMForecaster(6, **FAST).fit(WAVE)
    before = model.predict()
    with pytest.raises(LookupError, match="of the user's own"):
        model.set_params(callbacks=[fail]).fit(WAVE + 1.0)
    np.testing.assert_array_equal(model.predict(), before)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_two_hundred_fits_leave_no_memory_behind():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for i in range(200):
        LSTMForecaster(6, **(FAST | {"max_epochs": 1})).fit(WAVE).predict()
        if i == 20:
            warm = resident()
    # each fit allocates about half a megabyte; 180 leaks of one tensor of 10 kB would show
    assert resident() - warm < 2e6


def test_defaults_beat_both_naive_forecasts_on_etth1():
    """The published protocol; four epochs instead of all, which `make demo` runs."""
    y = pd.read_csv(ETTH1, index_col="date", parse_dates=True)["OT"][:14_400]
    model = LSTMForecaster(24, early_stopping=EarlyStopping(validation_fraction=0.25), max_epochs=4, random_state=0)
    scores = backtest(model, y, folds=2880, scaled=True).scores["MSE"].round(3)
    assert (scores["repeat-last"], scores["seasonal-naive"]) == (0.034, 0.046)
    assert scores["LSTMForecaster"] < 0.033
