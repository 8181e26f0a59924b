"""Windows of thousands of rows: what they take of memory, and what the line sees of them."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from lstmforecast import CNNLSTM, LSTM, LSTMForecaster

# 512 windows of 10,000 steps at once would take 2.3 GB between the way forwards and the way back.
TRAIN = """
import sys
import numpy as np
from lstmforecast import CNNLSTM, LSTM, LSTMForecaster, Sampling

def status(name):
    return [int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name)][0]

options = dict(architecture=eval(sys.argv[1]), max_epochs=1, sampling=Sampling(steps_per_epoch=1), hidden_size=16,
    early_stopping=None, n_threads=2)
LSTMForecaster(1, window_size=9, **options).fit(np.zeros(200))
y = np.sin(np.arange(20_000) / 7)
# the peak so far is forgotten
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
LSTMForecaster(1, window_size=10_000, **options).fit(y)
print(status("VmHWM") - before)
"""


@pytest.mark.parametrize(
    ("network", "most_mb"),
    [
        # 1024 MB for the step, the rest for 1,000 windows whose errors are kept: up to 256 MB
        (LSTM(), 1400),
        # convolutions are libtorch's, and keep a few numbers of each row of the windows
        (CNNLSTM(out_channels=4), 2000),
        # 23 MB for 100 steps, 20 MB for the windows
        (LSTM(tbptt=100), 150),
    ],
)
def test_a_batch_of_long_windows_finds_room(network, most_mb):
    network = clone(network).set_params(segment_length=1, linear_skip=False)
    done = subprocess.run([sys.executable, "-c", TRAIN, repr(network)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < most_mb


def test_the_line_looks_at_the_last_rows_of_a_long_window():
    y = np.sin(np.arange(2500) * 2 * np.pi / 50)
    model = LSTMForecaster(
        3, architecture="linear", window_size=2060, normalize=None, scaler=None, early_stopping=None
    ).fit(y)
    weight = model.model_.parameters()["skip.weight"]
    assert weight.shape == (3, 2060)
    assert not weight[:, :12].any()
    assert weight[:, 12:].any(axis=0).all()
    # the ridge takes 3 % of the mean square of 2,048 directions, of which the sine has two
    assert_allclose(model.predict(), np.sin(np.arange(2500, 2503) * 2 * np.pi / 50), atol=1e-3)
