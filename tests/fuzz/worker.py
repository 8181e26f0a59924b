"""A process in which targets run: with limited memory, watched, and started anew when it dies."""

import contextlib
import importlib
import os
import resource
import select
import struct
import subprocess
import sys
import traceback
from pathlib import Path

MEMORY = 4 * 2**30
PATIENCE = 8.0


class Worker:
    """A child process that runs one input after the other."""

    def __init__(self, target: str, patience: float = PATIENCE) -> None:
        self._target, self._patience = target, patience
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, data: bytes) -> str:
        """What became of an input: a word, or ``"killed"``, ``"hung"`` or a text that begins with ``"other: "``."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(struct.pack("<Q", len(data)) + data)
            process.stdin.flush()
            answer = _read(process.stdout.fileno(), self._patience)
        except (BrokenPipeError, EOFError):
            return f"killed: exit status {self._end()}"
        if answer is None:
            self._end()
            return f"hung: no answer for {self._patience:g} s"
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-m", "tests.fuzz.worker", self._target]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "RUST_BACKTRACE": "0"}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=Path(__file__).parents[2],
            )
            assert self._process.stdout is not None
            # importing libraries may take long on a busy machine
            with contextlib.suppress(EOFError):
                _read(self._process.stdout.fileno(), 120.0)
        return self._process

    def _end(self) -> int:
        assert self._process is not None
        process, self._process = self._process, None
        if process.poll() is None and process.stdin is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        return process.wait()


def _read(file: int, seconds: float) -> str | None:
    """The next answer; None if it takes longer."""
    if not select.select([file], [], [], seconds)[0]:
        return None
    (n,) = struct.unpack("<Q", _bytes(file, 8))
    return _bytes(file, n).decode(errors="replace")


def _bytes(file: int, n: int) -> bytes:
    found = b""
    while len(found) < n:
        part = os.read(file, n - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _serve(target: str) -> None:
    """Answer on standard output, which nothing else may write to."""
    answers = os.dup(1)
    os.dup2(2, 1)
    module = importlib.import_module(f"tests.fuzz.{target}")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def answer(text: str) -> None:
        data = text.encode(errors="replace")
        os.write(answers, struct.pack("<Q", len(data)) + data)

    answer("ready")
    while True:
        try:
            (n,) = struct.unpack("<Q", _bytes(0, 8))
        except EOFError:
            return
        answer(_outcome(module.run_one, _bytes(0, n)))


def _outcome(run_one: object, data: bytes) -> str:
    assert callable(run_one)
    try:
        return run_one(data) or "passed"
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((f for f in reversed(frames) if "lstmforecast" in f.filename), frames[-1])
        where = f"{Path(place.filename).name}:{place.lineno}"
        return f"other: {type(error).__name__} at {where}: {str(error)[:300]}"


if __name__ == "__main__":
    _serve(sys.argv[1])
