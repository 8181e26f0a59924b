"""Networks as modules of PyTorch; importing this module imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lstmforecast import _core
from lstmforecast.contract.core_options import ModelConfig
from lstmforecast.export.pytorch_networks import NETWORKS
from lstmforecast.fitting.architecture import of_core
from lstmforecast.fitting.distribution import COUNTS, FROM_ZERO, n_parameters, name_of
from lstmforecast.fitting.effect import KnownEffect
from lstmforecast.fitting.embedding import InputColumns
from lstmforecast.fitting.ensemble import Ensemble


def to_torch(model: _core.Model | Ensemble, transform: str | None = None) -> nn.Module:
    """A module that computes the same as the model, in the data's units."""
    if transform == "log":
        return logarithmic(to_torch(model), model.config)
    if isinstance(model, Ensemble):
        return Mean(to_torch(member) for member in model.members).eval()
    module = LSTMModule(model.config, model.scalers())
    module.load_state_dict(model.state_dict())
    return module.eval()


class Mean(nn.Module):
    """The mean of several modules' outputs."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, windows: Tensor) -> Tensor:
        """Average the outputs."""
        return torch.stack([member(windows) for member in self.members]).mean(0)


def logarithmic(module: nn.Module, config: ModelConfig) -> nn.Module:
    """Apply the logarithm of 1 plus targets before a module and its inverse after it; the state dict stays the same.

    Raises
    ------
    ValueError
        For a distribution whose parameters can't be transformed back.
    """
    if name_of(config["distribution"]) not in (None, "quantiles"):
        raise ValueError(
            f"expected a point forecast or quantiles for to_torch with transform='log', got {config['distribution']!r}"
        )
    module.register_forward_pre_hook(partial(_take_logarithm, config["n_targets"]))
    module.register_forward_hook(_undo_logarithm)
    return module


def _take_logarithm(n_targets: int, _module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    targets, features = inputs[0][..., :n_targets], inputs[0][..., n_targets:]
    return torch.cat([torch.log1p(targets), features], dim=-1)


def _undo_logarithm(_module: nn.Module, _inputs: tuple[Tensor], forecast: Tensor) -> Tensor:
    return torch.expm1(forecast)


def not_below_zero(module: nn.Module, config: ModelConfig, never_negative: NDArray[np.bool_]) -> nn.Module:
    """Raise forecasts, or quantiles, below 0 to it, of targets (k,) that were never negative and are not in the window;
    the parameters of other distributions, and the state dict, stay the same.
    """
    if name_of(config["distribution"]) in (None, "quantiles"):
        size = config["window_size"]
        module.register_forward_hook(partial(_raise_to_zero, torch.from_numpy(never_negative), size))
    return module


def _raise_to_zero(
    never_negative: Tensor, size: int, _module: nn.Module, inputs: tuple[Tensor], forecast: Tensor
) -> Tensor:
    windows = inputs[0][:, :size, : len(never_negative)]
    chosen = never_negative.to(windows.device) & ~(windows < 0).any(dim=1)
    chosen = chosen.reshape(len(chosen), 1, -1, *[1] * (forecast.ndim - 3))
    return torch.where(chosen, forecast.clamp(min=0), forecast)


class LSTMModule(nn.Module):
    """The network with its scalers: layers of `pytorch_networks` and an ``nn.Linear`` named ``fc``, except for
    ``"linear"``; with ``linear_skip`` an ``nn.Linear`` named ``skip`` and, for known features, one named ``known``;
    an ``nn.Embedding`` in ``embeddings`` for each column of categories that is read as vectors.

    Parameters
    ----------
    config : dict
        A model's configuration.
    scalers : dict
        A model's scalers, which become buffers that are not in the state dict.
    """

    def __init__(self, config: ModelConfig, scalers: dict[str, NDArray[Any]]) -> None:
        super().__init__()
        self.config = config
        self.independent = config["channels"] == "independent"
        self.indicator = config["indicator"] or config["n_known"] > 0
        n_targets = 1 if self.independent else config["n_targets"]
        n_outputs = n_parameters(config["distribution"])
        n_features = config["n_features"] - config["n_targets"] + n_targets * (2 if self.indicator else 1)
        self.fc: nn.Linear | None = None
        self.skip: nn.Linear | None = None
        self.known: nn.Linear | None = None
        self.architecture, options = of_core(config)
        sizes = [(len(each["columns"]), each["size"]) for each in config.get("embeddings", ())]
        self.embeddings = nn.ModuleList(nn.Embedding(*size) for size in sizes)
        self.columns = InputColumns.of(config, n_features, n_targets)
        n_read = len(self.columns.kept) + sum(size for _, size in sizes)
        self.input_size = config["segment_length"] * n_read
        if self.architecture in NETWORKS:
            add, _ = NETWORKS[self.architecture]
            n_states = add(self, config, self.input_size, **options)
            self.fc = nn.Linear(n_states, config["horizon"] * n_targets * n_outputs)
        if config["linear_skip"]:
            self.skip = nn.Linear(config["window_size"], config["horizon"])
            if config["n_known"] and not config.get("known_effect"):
                self.known = nn.Linear(config["n_known"], n_targets, bias=False)
        self.effect = KnownEffect.of(scalers, config["n_known"])
        for name, values in scalers.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Forecast (n, horizon, n_targets) from windows (n, window_size, n_features); for a classifier, logits.

        If features are known in advance, the rows of the horizon follow those of the window. The parameters of a
        distribution are a fourth dimension. NaN is a missing value.
        """
        n_targets, size = self.config["n_targets"], self.config["window_size"]
        n_first = self.config["segment_length"] if self.config["supervision"] == "every" else size
        features = windows[..., n_targets:]
        features = ((features - self.input_center[n_targets:]) / self.input_scale[n_targets:]).float().nan_to_num()
        values = windows[:, :size, : min(n_targets, windows.shape[-1])]
        effect = None if self.effect is None else self.effects(features[..., -self.config["n_known"] :])
        values = values if effect is None else values - effect[:, :size]
        shown, missing, first = carried(values, interpolate=self.config.get("interpolate_gaps", False))
        center, scale = self.level(shown, missing)
        own = (self.input_center[:n_targets], self.input_scale[:n_targets])
        if self.config["normalize"] is not None:
            own = self.level(shown[:, :n_first], missing[:, :n_first])
        # rows before the first known value get that value, if it is among the rows of the level, or else the centre
        rows = torch.arange(size, device=windows.device)[:, None]
        targets = torch.where((rows < first) & (first >= n_first), 0.0, (shown - own[0]) / own[1]).float()
        columns = [targets, features, missing.float()] if self.indicator else [targets, features]
        inputs = self.padded(columns)
        if self.independent:
            y = torch.cat([self.network(self.channel(inputs, at), 1) for at in range(n_targets)], dim=2)
        else:
            y = self.network(torch.cat(inputs, dim=-1), n_targets)
        center = center if effect is None else center + effect[:, size:]
        return parameters(y.double(), self.config["distribution"], center, scale)

    def effects(self, known: Tensor) -> Tensor:
        """What scaled known features (n, rows, n_known) add to targets: (n, rows, n_targets), in the data's units."""
        assert self.effect is not None
        hinges, thresholds, linear, bent, means = (
            torch.as_tensor(array, device=known.device)
            for array in (
                self.effect.hinges,
                self.effect.thresholds,
                self.effect.linear,
                self.effect.bent,
                self.effect.means(known.shape[1]),
            )
        )
        known = known.double()
        effect = known @ linear[0].T + (known @ hinges.T - thresholds).clamp(min=0) @ bent.T
        for weight, mean in zip(linear[1:], means, strict=True):
            effect = effect + mean @ (known @ weight.T)
        return effect * self.output_scale

    def level(self, shown: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
        """Centers and scales of the targets of windows: (n, 1, n_targets), or (n_targets,) for all windows."""
        center, scale = self.output_center, self.output_scale
        if self.config["normalize"] == "last":
            return torch.where(missing.all(1, keepdim=True), center, shown[:, -1:]), scale
        if self.config["normalize"] == "window":
            count = (~missing).sum(1, keepdim=True)
            mean = torch.where(missing, 0.0, shown).sum(1, keepdim=True) / count
            deviation = (torch.where(missing, 0.0, (shown - mean) ** 2).sum(1, keepdim=True) / count).sqrt()
            known = count > 0
            scale = torch.where(known & (deviation > 1e-12 * mean.abs()), deviation, scale)
            return torch.where(known, mean, center), scale
        return center, scale

    def padded(self, columns: list[Tensor]) -> list[Tensor]:
        """Add rows of the horizon, up to whole segments: targets are missing, features 0 unless known in advance."""
        if not self.config["n_known"]:
            return columns
        length = self.config["segment_length"]
        n_rows = self.config["window_size"] + -(-self.config["horizon"] // length) * length
        fill = [0.0, 0.0, 1.0]
        n_past = columns[1].shape[-1] - self.config["n_known"]
        columns[1][:, self.config["window_size"] :, :n_past] = 0.0
        return [
            nn.functional.pad(column, (0, 0, 0, n_rows - column.shape[1]), value=value)
            for column, value in zip(columns, fill, strict=True)
        ]

    def channel(self, inputs: list[Tensor], at: int) -> Tensor:
        """The columns of one target, and all features."""
        return torch.cat([x if i == 1 else x[..., at : at + 1] for i, x in enumerate(inputs)], dim=-1)

    def network(self, x: Tensor, n_targets: int) -> Tensor:
        """Compute scaled outputs (n, horizon, n_targets, n_parameters) from scaled inputs (n, rows, columns)."""
        outputs = []
        if self.fc is not None:
            _, read = NETWORKS[self.architecture]
            state = read(self, self.embedded(x).reshape(len(x), -1, self.input_size))
            outputs.append(self.fc(state).reshape(len(x), self.config["horizon"], n_targets, -1))
        if self.skip is not None:
            n_outputs = n_parameters(self.config["distribution"])
            outputs.append(nn.functional.pad(self.linear_skip(x, n_targets)[..., None], (0, n_outputs - 1)))
        return torch.stack(outputs).sum(0)

    def embedded(self, x: Tensor) -> Tensor:
        """Inputs (n, rows, columns) with vectors in place of the columns of categories."""
        if not self.embeddings:
            return x
        tables = zip(self.columns.embedded, self.embeddings, strict=True)
        vectors = [x[..., columns] @ table.weight for columns, table in tables]
        return torch.cat([x[..., self.columns.kept], *vectors], dim=-1)

    def linear_skip(self, x: Tensor, n_targets: int) -> Tensor:
        """The linear forecast (n, horizon, n_targets), with the effect of features that are known in advance."""
        assert self.skip is not None
        size, horizon = self.config["window_size"], self.config["horizon"]
        targets = x[:, :size, :n_targets]
        if self.known is None:
            return self.skip(targets.transpose(1, 2)).transpose(1, 2)
        end = x.shape[-1] - n_targets
        known = x[..., end - self.config["n_known"] : end]
        effect = self.known(known - known[:, size - 1 : size])
        left = self.skip((targets - effect[:, :size]).transpose(1, 2)).transpose(1, 2)
        return left + effect[:, size : size + horizon]


def carried(targets: Tensor, interpolate: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Replace missing values in targets (n, window_size, k) by the last known value before, or else the first one; with
    ``interpolate``, those between two known values by the straight line.

    Also returns which values were missing, and the row of the first known value (n, 1, k), or window_size.
    """
    missing, size = targets.isnan(), targets.shape[1]
    rows = torch.arange(size, device=targets.device)[:, None].expand_as(targets)
    last = torch.where(missing, -1, rows).cummax(dim=1).values
    first = missing.float().argmin(dim=1, keepdim=True)
    shown = targets.gather(1, torch.where(last < 0, first, last)).nan_to_num()
    if interpolate:
        later = torch.where(missing, size, rows).flip(1).cummin(dim=1).values.flip(1)
        to = targets.gather(1, later.clamp(max=size - 1))
        between = missing & (last >= 0) & (later < size)
        shown = torch.where(between, shown + (to - shown) * ((rows - last) / (later - last)), shown)
    return shown, missing, torch.where(missing.all(1, keepdim=True), size, first)


def parameters(y: Tensor, distribution: Any, center: Tensor, scale: Tensor) -> Tensor:
    """Convert outputs (n, horizon, k, n_parameters) to the data's units; points lose the last dimension."""
    first = y[..., 0]
    positive = nn.functional.softplus(y[..., 1:], threshold=40)
    if distribution is None:
        return first * scale + center
    if name_of(distribution) in FROM_ZERO:
        return _from_zero(y, distribution, center, scale)
    if isinstance(distribution, dict):
        middle = len(distribution["quantiles"]) // 2
        below = positive[..., :middle].flip(-1).cumsum(-1).flip(-1)
        above = positive[..., middle:].cumsum(-1)
        quantiles = torch.cat([first[..., None] - below, first[..., None], first[..., None] + above], dim=-1)
        return quantiles * scale[..., None] + center[..., None]
    deviation = (positive[..., 0] + 1e-4) * scale
    others = [positive[..., 1] + 2.0] if distribution == "student_t" else []
    return torch.stack([first * scale + center, deviation, *others], dim=-1)


def _from_zero(y: Tensor, distribution: Any, center: Tensor, scale: Tensor) -> Tensor:
    """A mean counted from 0, and what else distributions of counts and of values from 0 on have."""
    name = name_of(distribution)
    mean = nn.functional.softplus(y[..., 0] + center / scale, threshold=40)
    parts = [scale * mean + 1e-6 if name in COUNTS else (mean + 1e-6) * scale]
    if name != "poisson":
        parts.append(nn.functional.softplus(y[..., 1], threshold=40) + (1e-4 if name == "lognormal" else 1e-6))
    if name == "tweedie":
        parts[1] = parts[1] * scale ** (2 - distribution["tweedie"])
    if name == "zero_inflated_negative_binomial":
        parts.append(torch.sigmoid(y[..., 2]) * 0.999)
    return torch.stack(parts, dim=-1)
