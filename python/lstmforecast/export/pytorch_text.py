"""The network over characters as a module of PyTorch; importing this module imports torch."""

from __future__ import annotations

from torch import Tensor, nn

from lstmforecast import _core
from lstmforecast.contract.core_options import TextModelConfig


class CharModule(nn.Module):
    """``nn.Embedding`` named ``embedding``, ``nn.LSTM`` named ``lstm`` and ``nn.Linear`` named ``fc``.

    Parameters
    ----------
    config : dict
        A text model's configuration.
    """

    def __init__(self, config: TextModelConfig) -> None:
        super().__init__()
        n, hidden = len(config["characters"]), config["hidden_size"]
        dropout = config["dropout"] if config["num_layers"] > 1 else 0.0
        self.embedding = nn.Embedding(n, config["embedding_size"])
        self.lstm = nn.LSTM(config["embedding_size"], hidden, config["num_layers"], batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(config["dropout"])
        self.fc = nn.Linear(hidden, n)

    def forward(
        self, symbols: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute logits (n, steps, n_characters) and the new state from indices into the vocabulary (n, steps)."""
        outputs, state = self.lstm(self.embedding(symbols), state)
        return self.fc(self.dropout(outputs)), state


def to_torch(model: _core.CharModel) -> nn.Module:
    """A module that computes the same as the model."""
    module = CharModule(model.config)
    module.load_state_dict(model.state_dict())
    return module.eval()
