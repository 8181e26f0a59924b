"""PyTorch as a library, which is needed for its modules, tensors and processes alone."""

import importlib.util


def require_pytorch(what: str) -> None:
    """Raise an ImportError, in one sentence, for something that needs PyTorch where it is missing or too old."""
    if importlib.util.find_spec("torch") is None:
        raise ImportError(f"{what} needs PyTorch: pip install torch")
    import torch

    if torch.__version__ < (2, 4):
        raise ImportError(f"{what} needs PyTorch 2.4 or later, got {torch.__version__}: pip install --upgrade torch")
