"""A loss at every step, against a plain PyTorch module whose windows, levels and losses are written out one by one."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.parity.networks import CONFIG, TRAINING
from torch import nn

from lstmforecast import _core

HORIZON, WINDOW, SEGMENT, BATCH = 3, 8, 2, 16
EVERY = {"supervision": "every", "horizon": HORIZON, "window_size": WINDOW, "segment_length": SEGMENT}


def make_rows(n=46, k=2, gaps=True):
    rng = np.random.default_rng(0)
    rows = 5 + rng.normal(size=(n, k)).cumsum(axis=0)
    if gaps:
        rows[rng.random((n, k)) < 0.15] = np.nan
        rows[:5, 0] = np.nan  # the first windows know nothing at their first step
    return rows


def _level(known, normalize):
    """Center and scale of the rows so far; without a scaler, 0 and 1 stand for what they don't tell."""
    known = known[~np.isnan(known)]
    if normalize is None or not len(known):
        return 0.0, 1.0
    if normalize == "last":
        return known[-1], 1.0
    return known.mean(), known.std() or 1.0


def _sample(column, origin, normalize):
    """One column's input, and for each step the level and the targets of the rows that follow."""
    window = column[origin - WINDOW : origin]
    center, scale = _level(window[:SEGMENT], normalize)
    first = window[:SEGMENT][~np.isnan(window[:SEGMENT])]
    shown = first[0] if len(first) else center
    inputs, targets, levels = [], [], []
    for value in window:
        shown = shown if np.isnan(value) else value
        inputs.append((shown - center) / scale)
    for end in range(SEGMENT, WINDOW + 1, SEGMENT):
        level = _level(window[:end], normalize)
        after = column[origin - WINDOW + end : origin - WINDOW + end + HORIZON]
        targets.append((after - level[0]) / level[1])
        levels.append(level)
    return np.array(inputs), np.array(targets), np.array(levels)


def samples_of(rows, normalize, channels):
    """Inputs (n, WINDOW, columns), targets (n, steps, HORIZON, columns), levels (n, steps, 2, columns)."""
    origins = range(WINDOW, len(rows) - HORIZON + 1)
    columns = [[_sample(column, origin, normalize) for origin in origins] for column in rows.T]
    if channels == "independent":
        each = [sample for column in columns for sample in column]
        return [torch.from_numpy(np.stack(part))[..., None] for part in zip(*each, strict=True)]
    parts = [[np.stack(part) for part in zip(*column, strict=True)] for column in columns]
    return [torch.from_numpy(np.stack(part, axis=-1)) for part in zip(*parts, strict=True)]


class EveryStep(nn.Module):
    """``nn.LSTM``, and ``nn.Linear`` on the state after each step."""

    def __init__(self, n_inputs, config, n_outputs):
        super().__init__()
        self.lstm = nn.LSTM(n_inputs, config["hidden_size"], config["num_layers"], batch_first=True)
        self.fc = nn.Linear(config["hidden_size"], n_outputs)

    def forward(self, windows):
        states, _ = self.lstm(windows.reshape(len(windows), -1, self.lstm.input_size))
        return self.fc(states)


def _mse(outputs, targets, _levels):
    return (outputs[..., 0] - targets) ** 2


def _normal(outputs, targets, _levels):
    deviation = nn.functional.softplus(outputs[..., 1]) + 1e-4
    return -torch.distributions.Normal(outputs[..., 0], deviation).log_prob(targets)


def _negative_binomial(outputs, targets, levels):
    """The level is part of the distribution: the mean is counted from 0."""
    center, scale = levels[:, :, :1], levels[:, :, 1:]
    counts = targets * scale + center
    mean = nn.functional.softplus(outputs[..., 0] + center / scale) * scale + 1e-6
    alpha = nn.functional.softplus(outputs[..., 1]) + 1e-6
    n = 1 / alpha
    constant = torch.lgamma(counts + 1) + torch.lgamma(n) - torch.lgamma(n + counts)
    return constant + (n + counts) * torch.log1p(alpha * mean) - counts * torch.log(alpha * mean)


def _mean_and_counts(outputs, targets, levels):
    center, scale = levels[:, :, :1], levels[:, :, 1:]
    mean = nn.functional.softplus(outputs[..., 0] + center / scale) * scale + 1e-6
    return mean, (targets * scale + center).round().clamp(min=0)


def _poisson(outputs, targets, levels):
    mean, counts = _mean_and_counts(outputs, targets, levels)
    return -torch.distributions.Poisson(mean).log_prob(counts)


def _zero_inflated(outputs, targets, levels):
    mean, counts = _mean_and_counts(outputs, targets, levels)
    alpha = nn.functional.softplus(outputs[..., 1]) + 1e-6
    extra = 0.999 * torch.sigmoid(outputs[..., 2])
    own = torch.distributions.NegativeBinomial(1 / alpha, alpha * mean / (1 - extra) / (1 + alpha * mean / (1 - extra)))
    return -torch.log(extra * (counts == 0) + (1 - extra) * own.log_prob(counts).exp())


def _lognormal(outputs, targets, levels):
    center, scale = levels[:, :, :1], levels[:, :, 1:]
    mean = nn.functional.softplus(outputs[..., 0] + center / scale) + 1e-6
    sigma = nn.functional.softplus(outputs[..., 1]) + 1e-4
    values = (targets + center / scale).clamp(min=1e-6)
    return -torch.distributions.LogNormal(mean.log() - sigma**2 / 2, sigma).log_prob(values)


def _tweedie(outputs, targets, levels):
    """Of power 1.5: a mixture of gamma distributions, whose shape is their number."""
    center, scale = levels[:, :, :1], levels[:, :, 1:]
    mean = (nn.functional.softplus(outputs[..., 0] + center / scale) + 1e-6)[..., None]
    phi = (nn.functional.softplus(outputs[..., 1]) + 1e-6)[..., None]
    values = (targets + center / scale)[..., None]
    values = torch.where(values < 1e-5, 0.0, values)
    n = torch.arange(1.0, 100.0, dtype=values.dtype)
    number = torch.distributions.Poisson(mean.sqrt() / (0.5 * phi))
    each = torch.distributions.Gamma(n, 1 / (0.5 * phi * mean.sqrt())).log_prob(torch.where(values > 0, values, 1.0))
    above = torch.logsumexp(number.log_prob(n) + each, dim=-1)
    return torch.where(values[..., 0] > 0, -above, number.rate[..., 0])


LOSSES = {
    "mse": (_mse, 1),
    "normal": (_normal, 2),
    "negative_binomial": (_negative_binomial, 2),
    "poisson": (_poisson, 1),
    "zero_inflated_negative_binomial": (_zero_inflated, 3),
    "lognormal": (_lognormal, 2),
    "tweedie": (_tweedie, 2),
}
# as the core names it
NAMES = {"tweedie": {"tweedie": 1.5}}


def _loss(outputs, targets, levels, of_each):
    """The mean over windows and steps of the mean over what is known of each step's targets."""
    known = ~targets.isnan()
    losses = of_each(outputs, targets.nan_to_num(), levels) * known
    return (losses.sum(dim=(2, 3)) / known.sum(dim=(2, 3)).clamp(min=1)).mean()


def _pair(loss="mse", channels="together", **changes):
    """An untrained model, the options to train it, and a twin in double precision with its weights."""
    n_outputs = LOSSES[loss][1]
    distribution = None if loss == "mse" else NAMES.get(loss, loss)
    config = CONFIG | EVERY | {"channels": channels, "distribution": distribution} | changes
    model = _core.Model(config)
    n_columns = 1 if channels == "independent" else 2
    twin = EveryStep(SEGMENT * n_columns, config, HORIZON * n_columns * n_outputs)
    twin.load_state_dict({name: torch.from_numpy(array) for name, array in model.parameters().items()})
    core_loss = loss if loss == "mse" else {"distribution": distribution}
    return model, twin.double(), TRAINING | {"loss": core_loss, "batch_size": BATCH}


def train_twin(twin, samples, loss, n_epochs):
    """Each epoch's mean loss under Adam, batches in order."""
    of_each, n_outputs = LOSSES[loss]
    optimizer = torch.optim.Adam(twin.parameters(), lr=1e-2)
    inputs, targets, levels = samples
    epochs = []
    for _ in range(n_epochs):
        total = 0.0
        for x, y, level in zip(inputs.split(BATCH), targets.split(BATCH), levels.split(BATCH), strict=True):
            optimizer.zero_grad()
            value = _loss(twin(x).reshape(*y.shape, n_outputs), y, level, of_each)
            value.backward()
            optimizer.step()
            total += value.item() * len(x)
        epochs.append(total / len(inputs))
    return epochs


def _assert_trains_as_its_twin(rows, backend, loss="mse", normalize="last", channels="together", **changes):
    model, twin, training = _pair(loss, channels, normalize=normalize, backend=backend, **changes)
    history = model.fit_series(rows, training | {"max_epochs": 3})["history"]
    expected = train_twin(twin, samples_of(rows, normalize, channels), loss, n_epochs=3)
    # single precision beside double: rounding grows over some ten steps of Adam; a step's targets or level mistaken for
    # another's would be worth 1e-2 and more
    assert_allclose(history["train_loss"], expected, rtol=1e-4)
    weights = model.parameters()
    for name, weight in twin.named_parameters():
        assert_allclose(weights[name], weight.detach().numpy(), atol=1e-4, err_msg=name)


@pytest.mark.parametrize("normalize", ["last", None])
@pytest.mark.parametrize("channels", ["together", "independent"])
def test_weights_after_some_steps(normalize, channels, backend):
    _assert_trains_as_its_twin(make_rows(), backend, normalize=normalize, channels=channels)


@pytest.mark.parametrize("changes", [{"num_layers": 2}, {"segment_length": 4}, {"window_size": 6, "horizon": 7}])
def test_weights_of_other_sizes(changes, backend, monkeypatch):
    for name, constant in {"segment_length": "SEGMENT", "window_size": "WINDOW", "horizon": "HORIZON"}.items():
        if name in changes:
            monkeypatch.setattr(f"{__name__}.{constant}", changes[name])
    _assert_trains_as_its_twin(make_rows(), backend, **changes)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "mse"])
@pytest.mark.parametrize("channels", ["together", "independent"])
def test_weights_under_distributions(loss, channels, backend):
    rows = make_rows()
    if loss != "normal":
        # some are 0, but for the logarithm
        rows = np.abs(rows).round() + (loss == "lognormal")
    _assert_trains_as_its_twin(rows, backend, loss, channels=channels)


@pytest.mark.parametrize("normalize", ["last", None])
def test_gradients(normalize, backend):
    """Clipped to far below Adam's epsilon of 1e-8, a gradient moves the weights in proportion to itself."""
    rows = make_rows()
    model, twin, training = _pair(normalize=normalize, backend=backend)
    before = model.parameters()
    samples = samples_of(rows, normalize, "together")
    options = {"batch_size": len(samples[0]), "clip_grad_norm": 1e-11, "learning_rate": 1e3}
    history = model.fit_series(rows, training | options)["history"]
    x, y, level = samples
    _loss(twin(x).reshape(*y.shape, 1), y, level, _mse).backward()
    norm = torch.stack([weight.grad.norm() for weight in twin.parameters()]).norm().item()
    assert history["grad_norm"][0] == pytest.approx(norm, rel=1e-5)
    after = model.parameters()
    for name, weight in twin.named_parameters():
        # 1e3 * (1e-11 * g / norm) / (1e-8 + 1e-11 * |g| / norm): up to 1 per mille less, in single precision
        moved = before[name] - after[name]
        assert_allclose(moved, weight.grad.numpy() / norm, atol=1e-5, rtol=1e-3, err_msg=name)


def test_a_table_has_targets_of_whole_windows_only(backend):
    model, _, training = _pair(backend=backend)
    X, y = np.zeros((4, WINDOW, 2)), np.zeros((4, HORIZON * 2))
    for call in (lambda: model.fit_windows(X, y, None, training), lambda: model.gradients(X, y, "mse")):
        with pytest.raises(ValueError, match=r"supervision of the last step .* for a table of windows, got others"):
            call()
