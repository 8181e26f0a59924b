"""How well defaults forecast: `python -m tests.accuracy`."""
