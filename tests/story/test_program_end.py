"""A program ends as it should while daemon threads still compute: none of them is killed in the midst of the core."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.alone

SCRIPT = """
    import sys, threading, time
    import numpy as np
    from lstmforecast import Device, LSTMForecaster, Sampling

    y = np.sin(np.arange(300) / 5)
    options = {"horizon": 3, "hidden_size": 8, "max_epochs": 2, "n_threads": 1}
    options["sampling"] = Sampling(steps_per_epoch=2)
    model = LSTMForecaster(**options).fit(y)
    begun = threading.Event()

    def never_ends(record):
        begun.set()
        while True:
            pass

    def compute():
        while True:
            match sys.argv[1]:
                case "forecasts":
                    model.predict()
                case "fits":
                    LSTMForecaster(**options).fit(y)
                case "long fits":
                    LSTMForecaster(**options | {"max_epochs": 100_000, "early_stopping": None}).fit(y)
                case "fits of torch":
                    LSTMForecaster(**options, device=Device(backend="torch")).fit(y)
                case "callbacks":
                    LSTMForecaster(**options, callbacks=[never_ends]).fit(y)
            begun.set()

    for _ in range(3):
        threading.Thread(target=compute, daemon=True).start()
    begun.wait(0.2 if sys.argv[1] == "long fits" else None)
"""


FITS_OF_TORCH = pytest.param("fits of torch", marks=pytest.mark.torch)


@pytest.mark.parametrize("what", ["forecasts", "fits", "long fits", FITS_OF_TORCH, "callbacks"])
def test_daemon_threads_don_t_kill_a_program_that_ends(what):
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_thread_that_ends_the_program_still_forecasts():
    script = """
        import atexit
        atexit.register(lambda: print(model.predict().shape))  # runs after what was registered later
        import numpy as np
        from lstmforecast import LSTMForecaster
        model = LSTMForecaster(3, hidden_size=8, max_epochs=1, n_threads=1).fit(np.sin(np.arange(300) / 5))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(3,)\n", "")


def test_an_interpreter_inside_of_the_program_ends_with_it():
    script = """
        import sys
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        code = "import sys; sys.path[:] = {!r}; import lstmforecast._core".format(sys.path)
        interpreters.run_string(interpreters.create(), code)
        print("done", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
