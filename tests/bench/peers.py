"""A whole fit against the peers: the same network, data and number of steps, each peer in an environment of its own.

The first run installs the peers into ``.venv-bench/``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.networks import Size
from tests.bench.report import Table
from tests.bench.timing import alternate, medians

ENVIRONMENTS = Path(".venv-bench").resolve()
RIVALS = Path(__file__).parent / "rivals"
LEARNING_RATE, THREADS = 1e-3, 2
SIZES = [Size(2000, 10, 1, 64, 2, 32), Size(2000, 96, 1, 64, 2, 32)]
# The version that ours is built on, so that nobody's LSTM is an older one.
TORCH = "torch==2.13.*"


class Contestant(NamedTuple):
    """A file of ``rivals/``, and what pip installs for it; nothing for ours, which runs where this runs."""

    script: str
    requirements: tuple[str, ...] = ()


OURS = {"lstmforecast": Contestant("ours")}
PEERS = {
    "neuralforecast": Contestant("neuralforecast_lstm", ("neuralforecast==3.3.*", TORCH)),
    "darts": Contestant("darts_block_rnn", ("darts[torch]==0.48.*", TORCH)),
    "skorch": Contestant("skorch_net", ("skorch==1.4.*", TORCH)),
    "keras": Contestant("keras_sequential", ("keras==3.15.*", "tensorflow-cpu==2.21.*")),
}


def interpreter(name: str, requirements: tuple[str, ...]) -> Path:
    """The Python of a contestant's environment, which is made unless it is there with these requirements."""
    if not requirements:
        return Path(sys.executable)
    folder = ENVIRONMENTS / name
    stamp, python = folder / "requirements.txt", folder / "bin" / "python"
    if stamp.exists() and stamp.read_text().splitlines() == list(requirements):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"installing {name} ...", file=sys.stderr, flush=True)
    for command in ([sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "--quiet", *requirements]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            # half an environment would look like a whole one to `startup`
            shutil.rmtree(folder, ignore_errors=True)
            raise RuntimeError(f"not installed: {last_line(done.stderr)}")
    stamp.write_text("\n".join(requirements))
    return python


def last_line(text: str) -> str:
    """What an error says at its end, short enough for a table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:100] if lines else "ended without a word"


class Worker:
    """The process of a contestant that prepares, then fits when asked; what fails is kept as a reason, not raised."""

    def __init__(self, python: Path, script: str, settings: dict[str, Any], folder: Path) -> None:
        self.log = folder / f"{script}.log"
        self.failure = ""
        self.fits: list[dict[str, Any]] = []
        with self.log.open("w") as errors:
            # Whatever a library may write, it writes into the folder.
            self.process = subprocess.Popen(
                [python, RIVALS / "worker.py", script, json.dumps(settings)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder,
                env=os.environ | {"OMP_NUM_THREADS": str(settings["threads"])},
            )  # fmt: skip
        self.version = self._answer().get("version")

    def fit(self) -> None:
        """Let it fit for one epoch, then for all."""
        if not self.failure:
            with suppress(BrokenPipeError):
                print("go", file=self.process.stdin, flush=True)
            self.fits.append(self._answer())

    def row(self) -> dict[str, Any]:
        """What the table says of it, but for the first fits, which warmed it up."""
        if self.failure:
            return {"failed": self.failure}
        # The worker's own clock: nobody pays for the pipe.
        seconds = medians({length: [fit[length]["seconds"] for fit in self.fits[1:]] for length in ("one", "all")})
        one, all_ = self.fits[-1]["one"], self.fits[-1]["all"]
        return {
            "version": self.version,
            "weights": all_["weights"],
            "steps": all_["steps"],
            "ms a step": 1e3 * seconds["all"] / all_["steps"],
            "ms a further step": 1e3 * (seconds["all"] - seconds["one"]) / (all_["steps"] - one["steps"]),
        }

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            self.process.wait()
            self.failure = last_line(self.log.read_text())
        return json.loads(line or "{}")

    def close(self) -> None:
        """End it."""
        self.process.communicate()


def measure(size: Size, epochs: int, rounds: int, contestants: dict[str, Contestant]) -> list[dict[str, Any]]:
    """A row for each contestant, ours first."""
    settings = {"n": size.n, "window": size.window, "hidden": size.hidden, "layers": size.layers, "batch": size.batch}
    settings |= {"learning_rate": LEARNING_RATE, "threads": THREADS, "epochs": epochs}
    workers: dict[str, Worker] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        for name, (script, requirements) in contestants.items():
            try:
                workers[name] = Worker(interpreter(name, requirements), script, settings, Path(folder))
                ends.callback(workers[name].close)
            except RuntimeError as error:
                failures[name] = str(error)
        # a fit takes longer than a cache needs to fill: once in a row is enough
        alternate({name: worker.fit for name, worker in workers.items()}, rounds, times=1)
    results = {name: worker.row() for name, worker in workers.items()}
    results |= {name: {"failed": failure} for name, failure in failures.items()}
    first = {"n,T,F,H,L,B": ",".join(map(str, size))}
    return [first | {"peer": name} | compared(results[name], results["lstmforecast"]) for name in contestants]


def compared(row: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """The row with a quotient after each time that both have."""
    ratios = {"ms a step": "step / ours", "ms a further step": "further step / ours"}
    quotients = {ratio: row[time] / ours[time] for time, ratio in ratios.items() if time in row and time in ours}
    return row | quotients


def run(*, once: bool) -> list[Table]:
    """Measure fits of a short window and a long one; once: ours alone, so that nothing is installed."""
    if once:
        rows = measure(Size(40, 10, 1, 8, 2, 32), 2, 1, OURS)
    else:
        rows = [row for size in SIZES for row in measure(size, 5, 5, OURS | PEERS)]
    note = (
        f"Milliseconds a gradient step over a whole fit of five epochs, windowing and set-up included, {THREADS}\n"
        "threads; a further step: without set-up, from what five epochs take more than one. Medians of fits in\n"
        "turn. Adam, MSE, shuffled batches, horizon 1; no validation, logs or checkpoints. Each in a process and\n"
        f"an environment of its own, set as in tests/bench/rivals.{' Once: ours alone.' if once else ''}"
    )
    return [Table("A whole fit", note, rows)]
