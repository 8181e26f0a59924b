"""What it costs to start: imports, and a program that loads a model and forecasts once."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.bench.report import Table

from lstmforecast import LSTM, LSTMForecaster

# What a process says of itself last; VmHWM counts from its own start, unlike the maximum that the parent is told.
PEAK = """
import json, time
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
print(json.dumps({"seconds": time.perf_counter() - begin, "megabytes": int(peak) / 1024}))
"""
# As where lstmforecast-torch isn't installed.
SMALL = "import sys; sys.modules['lstmforecast_torch'] = None"
# Everybody's users have these.
GROUND = "import numpy, pandas, sklearn.base, sklearn.utils.validation"

OURS = """
from lstmforecast import LSTMForecaster
model = LSTMForecaster.load({folder!r} + "/model.safetensors")
model.predict()
"""
PLAIN = """
import numpy, torch
class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(1, 64, 2, batch_first=True)
        self.fc = torch.nn.Linear(64, 24)
    def forward(self, windows):
        return self.fc(self.lstm(windows)[0][:, -1])
module = Plain()
module.load_state_dict(torch.load({folder!r} + "/model.pt"))
with torch.inference_mode():
    module(torch.from_numpy(numpy.load({folder!r} + "/window.npy"))).numpy()
"""


def program(code: str, ground: str = "") -> str:
    """A script that times ``code`` after ``ground``."""
    return f"{ground}\nimport time\nbegin = time.perf_counter()\n{code}\n{PEAK}"


def run_once(python: str, script: str) -> dict[str, float]:
    """Run a script in a process of its own."""
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def prepare(folder: Path) -> None:
    """The same network as both programs find it."""
    y = np.sin(np.arange(200) / 4)
    plain: dict[str, Any] = {"architecture": LSTM(segment_length=1, linear_skip=False), "num_layers": 2}
    model = LSTMForecaster(24, window_size=96, max_epochs=1, early_stopping=None, **plain)
    model.fit(y).save(folder / "model.safetensors")
    torch.save(model.state_dict(), folder / "model.pt")
    np.save(folder / "window.npy", y[-96:].astype(np.float32).reshape(1, 96, 1))


def measure(scripts: dict[str, tuple[str, str]], rounds: int) -> list[dict[str, Any]]:
    """Seconds and peak memory of each script, in turn, medians."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in scripts}
    for _ in range(rounds):
        for name, (python, script) in scripts.items():
            results[name].append(run_once(python, script))
    return [
        {"program": name, **{key: statistics.median(r[key] for r in each) for key in ("seconds", "megabytes")}}
        for name, each in results.items()
    ]


def run(*, once: bool) -> list[Table]:
    """Measure imports and cold starts."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        ours, us = "from lstmforecast import LSTMForecaster", sys.executable
        scripts = {
            "numpy, pandas, scikit-learn": (us, program(GROUND)),
            "on top of them: LSTMForecaster": (us, program(ours, f"{SMALL}\n{GROUND}")),
            "on top of them: LSTMForecaster with lstmforecast-torch": (us, program(ours, GROUND)),
            "on top of them: torch": (us, program("import torch", GROUND)),
            "LSTMForecaster": (us, program(ours, SMALL)),
            "torch": (us, program("import torch")),
            "load a model, forecast once": (us, program(OURS.format(folder=folder), SMALL)),
            "the same with lstmforecast-torch": (us, program(OURS.format(folder=folder))),
            "the same in PyTorch": (us, program(PLAIN.format(folder=folder))),
        }
        if not once:
            scripts |= rivals()
        rows = measure(scripts, 1 if once else 9)
    note = (
        "Seconds from the start of the program (on top of: from the end of the first imports), and the greatest\n"
        "resident memory of the whole process; each in a process of its own, median of several in turn, files cached."
    )
    return [Table("Start-up", note, rows)]


def rivals() -> dict[str, tuple[str, str]]:
    """The imports of those peers whose environments are there (`python -m tests.bench peers` makes them)."""
    statements = {
        "neuralforecast": "from neuralforecast import NeuralForecast; from neuralforecast.models import LSTM",
        "darts": "from darts.models import BlockRNNModel",
        "skorch": "from skorch import NeuralNetRegressor",
        "keras": "import keras; keras.layers.LSTM",
    }
    pythons = {name: Path(f".venv-bench/{name}/bin/python") for name in statements}
    return {name: (str(python), program(statements[name])) for name, python in pythons.items() if python.exists()}
