"""The progress bar of a training."""

from __future__ import annotations

import importlib.util
import math
from typing import TYPE_CHECKING, Any

from lstmforecast.contract.core_options import EpochRecord

if TYPE_CHECKING:
    from typing_extensions import Self


class ProgressBar:
    """A tqdm bar of epochs with losses and the learning rate; without effect if not ``shown``."""

    def __init__(self, max_epochs: int, *, shown: bool) -> None:
        self._bar = None
        if shown:
            self._bar = kind_of_bar()(total=max_epochs, unit="epoch")

    def update(self, record: EpochRecord) -> None:
        """Show the next epoch."""
        if self._bar is not None:
            values = {"loss": record["train_loss"], "val_loss": record["val_loss"], "lr": record["learning_rate"]}
            shown = {name: f"{value:.4g}" for name, value in values.items() if not math.isnan(value)}
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def kind_of_bar() -> Any:
    """The class of the bar: a widget in notebooks with ipywidgets, else a line of text."""
    if importlib.util.find_spec("ipywidgets") is None:
        # tqdm.auto would warn in a notebook
        from tqdm import tqdm
    else:
        from tqdm.auto import tqdm
    return tqdm
