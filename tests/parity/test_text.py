"""Texts against plain PyTorch: embedding, LSTM, linear head, states carried from sequence to sequence."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from lstmforecast import CharLSTM, _core

TEXT = "".join(np.random.default_rng(0).choice(list("abc dé\n"), 433))
SIZES = [
    {"embedding_size": 5, "hidden_size": 20, "num_layers": 1},
    {"embedding_size": 3, "hidden_size": 9, "num_layers": 3},
]
LENGTH, ROWS = 12, 4


class Plain(nn.Module):
    """What a tutorial writes."""

    def __init__(self, n, embedding_size, hidden_size, num_layers):
        super().__init__()
        self.embedding = nn.Embedding(n, embedding_size)
        self.lstm = nn.LSTM(embedding_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, n)

    def forward(self, symbols, state=None):
        outputs, state = self.lstm(self.embedding(symbols), state)
        return self.fc(outputs), state


def _pair(size, text=TEXT):
    characters, counts = _core.count_characters([text])
    model = _core.CharModel({"characters": characters, "counts": counts, "dropout": 0.0, "seed": 0, **size})
    module = Plain(len(characters), **size)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.parameters().items()}, strict=True)
    return model, module


def _encode(model, text):
    return torch.tensor([model.config["characters"].index(c) for c in text])


def _steps(symbols):
    """Inputs and targets of each step: rows of equal length, side by side, LENGTH characters at a time."""
    n_steps = (len(symbols) - 1) // (LENGTH * ROWS)
    assert n_steps * LENGTH * ROWS == len(symbols) - 1
    inputs, targets = (part.reshape(ROWS, n_steps, LENGTH) for part in (symbols[:-1], symbols[1:]))
    return [(inputs[:, step], targets[:, step]) for step in range(n_steps)]


def _loss(module, inputs, targets, state):
    logits, state = module(inputs, state)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    return loss, tuple(tensor.detach() for tensor in state)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_losses_and_gradients_with_carried_states(size):
    model, module = _pair(size)
    state = None
    for number, (inputs, targets) in enumerate(_steps(_encode(model, TEXT))):
        expected, state = _loss(module, inputs, targets, state)
        module.zero_grad()
        expected.backward()
        loss, gradients = model.gradients([TEXT], LENGTH, ROWS, number)
        # single precision on both sides
        assert loss == pytest.approx(expected.item(), rel=1e-6)
        for name, parameter in module.named_parameters():
            assert_allclose(gradients[name], parameter.grad, rtol=1e-4, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_training_is_pytorchs(size, optimizer):
    model, module = _pair(size)
    training = {
        "loss": "cross_entropy",
        "optimizer": optimizer,
        "learning_rate": 1e-2,
        "weight_decay": 0.01,
        "batch_size": ROWS,
        "max_epochs": 3,
        "patience": None,
        "min_delta": 0.0,
        "lr_schedule": "constant",
        "lr_patience": None,
        "lr_factor": 0.5,
        "clip_grad_norm": 0.5,
        "shuffle": False,
        "seed": 0,
        "n_threads": 1,
        "sequence_length": LENGTH,
        "validation_fraction": 0.0,
    }
    history = model.fit([TEXT], training)["history"]
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    steps, expected = _steps(_encode(model, TEXT)), []
    optimiser = kind(module.parameters(), lr=1e-2, weight_decay=0.01)
    for _ in range(3):
        state, losses = None, []
        for inputs, targets in steps:
            optimiser.zero_grad()
            loss, state = _loss(module, inputs, targets, state)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 0.5)
            optimiser.step()
            losses.append(loss.item())
        expected.append(np.mean(losses))
    # rounding errors that each of 27 steps of Adam makes a little larger
    assert_allclose(history["train_loss"], expected, rtol=1e-5)
    for name, parameter in module.named_parameters():
        assert_allclose(model.parameters()[name], parameter.detach(), atol=2e-4, err_msg=name)


def test_texts_begin_from_zero():
    texts = ["abcabcab", "cab", "a", "bcabcabc"]
    model, module = _pair(SIZES[0], "".join(texts))
    total = n = 0
    with torch.no_grad():
        for text in texts:
            symbols = _encode(model, text)
            if len(symbols) > 1:
                logits, _ = module(symbols[None, :-1])
                total += nn.functional.cross_entropy(logits[0], symbols[1:], reduction="sum").item()
                n += len(symbols) - 1
    # float32 sums beside float64 ones
    assert model.score(texts) == pytest.approx(total / n, rel=1e-6)
    loss, _ = model.gradients(texts, 7, 4)
    assert loss == pytest.approx(total / n, rel=1e-6)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scores_carry_states_on(size):
    """Over the 2,048 characters that are read in one go, too, where parts are warmed up on those before them."""
    text = TEXT * 12
    model, module = _pair(size)
    symbols = _encode(model, text)
    with torch.no_grad():
        logits, _ = module(symbols[None, :-1])
    for n in (2, 65, 2049, len(text)):
        expected = nn.functional.cross_entropy(logits[0, : n - 1], symbols[1:n]).item()
        # what an untrained network remembers of more than 256 characters ago is nothing
        assert model.score([text[:n]]) == pytest.approx(expected, rel=2e-6)


def test_a_module_continues_as_the_model_does():
    model = CharLSTM(hidden_size=24, num_layers=2, sequence_length=8, max_epochs=3, random_state=0).fit(TEXT)
    module, places = model.to_torch(), {c: i for i, c in enumerate(model.vocabulary_)}
    written, state = "", None
    symbols = torch.tensor([[places[c] for c in "abc"]])
    with torch.no_grad():
        for _ in range(30):
            logits, state = module(symbols, state)
            symbols = logits[:, -1:].argmax(-1)
            written += model.vocabulary_[symbols.item()]
    assert model.generate("abc", 30, temperature=0) == written
    assert set(model.state_dict()) == set(module.state_dict())


def test_weights_come_from_pytorch():
    model = CharLSTM(hidden_size=8, sequence_length=8, max_epochs=1, random_state=0).fit(TEXT)
    torch.manual_seed(0)
    module = Plain(len(model.vocabulary_), 64, 8, 1)
    model.load_state_dict(module.state_dict())
    symbols = torch.tensor([[model.vocabulary_.index(c) for c in TEXT]])
    with torch.no_grad():
        logits, _ = module(symbols[:, :-1])
    expected = nn.functional.cross_entropy(logits[0], symbols[0, 1:]).item()
    assert model.score(TEXT) == pytest.approx(expected, rel=1e-6)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, module.state_dict()[name])
