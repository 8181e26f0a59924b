"""What all tests share: hypothesis' profiles, a matplotlib without windows, GPUs where there are any."""

import os

import hypothesis
import pytest
from tests.needs_torch import needs_torch

from lstmforecast import _core

# Before anything imports matplotlib: tests run where there is no display.
os.environ.setdefault("MPLBACKEND", "Agg")

# The same examples each time: whether a change is at fault must not depend on chance. The slow profile looks further.
hypothesis.settings.register_profile("fast", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("slow", max_examples=500, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if not _core.HAS_TORCH and (item.get_closest_marker("torch") or needs_torch(parameters)):
        pytest.skip("the installed core has no libtorch")
    if item.get_closest_marker("cuda"):
        import torch

        if not torch.cuda.device_count():
            pytest.skip("torch finds no CUDA device")
