"""Both backends are held against PyTorch, not only against each other."""

import pytest


@pytest.fixture(params=["fused", "torch"])
def backend(request):
    return request.param
