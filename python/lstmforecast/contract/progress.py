"""One progress bar, where the user asks for it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class ProgressBar:
    """A tqdm bar over epochs with losses and learning rate; nothing at all when not ``shown``."""

    def __init__(self, max_epochs: int, *, shown: bool) -> None:
        self._bar = None
        if shown:
            self._bar = kind_of_bar()(total=max_epochs, unit="epoch")

    def update(self, record: dict[str, Any]) -> None:
        """Show one more epoch."""
        if self._bar is not None:
            names = {"train_loss": "loss", "val_loss": "val_loss", "learning_rate": "lr"}
            shown = {short: f"{record[name]:.4g}" for name, short in names.items() if record[name] == record[name]}
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def kind_of_bar() -> Any:
    """A widget in a notebook that can show one, else a line of text."""
    if importlib.util.find_spec("ipywidgets") is None:
        # tqdm.auto would warn in a notebook
        from tqdm import tqdm
    else:
        from tqdm.auto import tqdm
    return tqdm
