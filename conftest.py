"""What is for sktime is collected where sktime is installed: `make test-sktime`."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("sktime") else ["python/lstmforecast/sktime.py", "tests/sktime"]
