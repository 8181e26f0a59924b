"""PyTorch as a library, which is needed for its modules, tensors and processes alone."""

import importlib.util


def require_pytorch(what: str) -> None:
    """Raise an ImportError, in one sentence, for something that needs PyTorch where it isn't installed."""
    if importlib.util.find_spec("torch") is None:
        raise ImportError(f"{what} needs PyTorch: pip install torch")
