"""Ensembles: networks with different seeds, whose forecasts are averaged."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from joblib.parallel import get_active_backend
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from lstmforecast import _core
from lstmforecast.contract.core_options import EpochRecord, History, ModelConfig, Outcome, TrainingOptions
from lstmforecast.fitting.checkpoint import of_member

if TYPE_CHECKING:
    import torch

    from lstmforecast.distributed import Processes

Array = NDArray[np.float64]
OnEpoch = Callable[[EpochRecord], bool | list[str]]
PREFIX = "members."


class Ensemble:
    """Several networks with the methods of one `_core.Model`.

    Parameters
    ----------
    members : list of _core.Model
        Their configurations differ in the seed only. Their weights are named ``members.0.``, ``members.1.``, ...
    """

    def __init__(self, members: list[_core.Model]) -> None:
        self.members = members

    @classmethod
    def build(cls, config: ModelConfig, n_members: int) -> Ensemble:
        """Initialise each network with its own seed."""
        return cls([_core.Model(config | {"seed": config["seed"] + i}) for i in range(n_members)])

    @classmethod
    def restore(
        cls, config: ModelConfig, parameters: Mapping[str, Any], scalers: Mapping[str, Array], int8: bool = False
    ) -> Ensemble:
        """Build trained networks from their weights; see `_core.Model.restore`."""
        each = enumerate(members_of(parameters))
        restored = _core.Model.restore
        return cls([restored(config | {"seed": config["seed"] + i}, own, scalers, int8) for i, own in each])

    @property
    def config(self) -> ModelConfig:
        """The configuration of the first network."""
        return self.members[0].config

    @property
    def refusal(self) -> str | None:
        """See `_core.Model.refusal`."""
        return self.members[0].refusal

    @property
    def window_shape(self) -> tuple[int, int]:
        """Rows and columns of a window."""
        return self.members[0].window_shape

    def fit_series(
        self,
        series: Array,
        training: TrainingOptions,
        on_epoch: OnEpoch | None = None,
        starts: NDArray[np.int64] | None = None,
        scales: Array | None = None,
        processes: Processes | None = None,
        weights: Array | None = None,
    ) -> Outcome:
        """Train all networks in parallel, each with its own order of batches; see `_core.Model.fit_series`.

        The history is the mean over the networks. The record that ``on_epoch`` gets names the network (``estimator``);
        a true value that it returns ends all trainings. ``processes`` must be None: the messages of several trainings
        at once can't be told apart. With a process backend of `joblib.parallel_config`, networks train in its
        processes, unless there is an ``on_epoch``.
        """
        assert processes is None
        run = _Run(on_epoch)
        n, n_threads = len(self.members), _core.n_threads(training["n_threads"])
        options = [
            training
            | {"seed": training["seed"] + i, "n_threads": max(1, n_threads // n)}
            | {"checkpoint": of_member(training.get("checkpoint"), i)}
            for i in range(n)
        ]
        if on_epoch is None and _in_processes():
            each = zip(self.members, options, strict=True)
            trained: list[Any] = Parallel()(
                delayed(_trained)(model, series, own, starts, scales, weights) for model, own in each
            )
            self.members = [member for member, _ in trained]
            return _mean_outcome([told for _, told in trained], None)
        with ThreadPoolExecutor(min(n, n_threads)) as pool:
            trainings = [
                pool.submit(model.fit_series, series, options[i], run.watch(i), starts, scales, None, weights)
                for i, model in enumerate(self.members)
            ]
            interrupt = run.wait_for(trainings)
            pool.shutdown(cancel_futures=True)
        done = [i for i, training in enumerate(trainings) if not training.cancelled()]
        outcomes = [trainings[i].result() for i in done]
        # trainings that an interrupt cancelled before they began are left out
        self.members = [self.members[i] for i in done]
        return _mean_outcome(outcomes, interrupt)

    def forecast(self, windows: Array, n_threads: int | None = None, scales: Array | None = None) -> Array:
        """See `_core.Model.forecast`; parameters of distributions are averaged too."""
        return self._mean(lambda model: model.forecast(windows, n_threads, scales))

    def forecast_series(
        self,
        series: Array,
        origins: NDArray[np.int64],
        n_threads: int | None = None,
        starts: NDArray[np.int64] | None = None,
        scales: Array | None = None,
        which: NDArray[np.int64] | None = None,
    ) -> Array:
        """See `_core.Model.forecast_series`."""
        return self._mean(lambda model: model.forecast_series(series, origins, n_threads, starts, scales, which))

    def attention_weights(
        self, windows: Array, n_threads: int | None = None, scales: Array | None = None
    ) -> NDArray[np.float32]:
        """See `_core.Model.attention_weights`."""
        return self._mean(lambda model: model.attention_weights(windows, n_threads, scales))

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """All weights."""
        return self._named(lambda model: model.parameters())

    def load_parameters(self, parameters: Mapping[str, Any], int8: bool = False) -> None:
        """Replace all weights by those of the same names; none is changed unless all fit. See `_core.Model`."""
        self._replace(parameters, lambda model, own: model.load_parameters(own, int8))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All weights as torch tensors."""
        return self._named(lambda model: model.state_dict())

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """See `load_parameters`."""
        self._replace(state_dict, lambda model, own: model.load_state_dict(own))

    def scalers(self) -> dict[str, Array]:
        """The scalers, equal for all networks."""
        return self.members[0].scalers()

    def load_scalers(self, scalers: Mapping[str, Array]) -> None:
        """Replace the scalers of all networks."""
        for model in self.members:
            model.load_scalers(dict(scalers))

    def _mean(self, forecast: Callable[[_core.Model], NDArray[Any]]) -> NDArray[Any]:
        total = forecast(self.members[0])
        for model in self.members[1:]:
            total += forecast(model)
        return total / len(self.members)

    def _named(self, values: Callable[[_core.Model], dict[str, Any]]) -> dict[str, Any]:
        each = enumerate(self.members)
        return {f"{PREFIX}{i}.{name}": value for i, model in each for name, value in values(model).items()}

    def _replace(self, named: Mapping[str, Any], load: Callable[[_core.Model, dict[str, Any]], None]) -> None:
        members = copy.deepcopy(self.members)
        for model, own in zip(members, self._split(named), strict=True):
            load(model, own)
        self.members = members

    def _split(self, named: Mapping[str, Any]) -> list[dict[str, Any]]:
        n = n_members(named)
        if n != len(self.members):
            raise ValueError(f"expected the parameters of {len(self.members)} networks, got those of {n}")
        return members_of(named)


def n_members(named: Mapping[str, Any]) -> int:
    """The number of networks in an ensemble with these weights; 0 for the weights of a single network."""
    return len({name.split(".")[1] for name in named if name.startswith(PREFIX)})


def members_of(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The weights of each network of an ensemble, or of a single network, under the network's own names."""
    starts = [f"{PREFIX}{i}." for i in range(n_members(named))] or [""]
    unknown = [name for name in named if not name.startswith(tuple(starts))]
    if unknown:
        raise ValueError(f"expected the parameters of {len(starts)} networks, got also {unknown[0]!r}")
    return [{name.removeprefix(s): value for name, value in named.items() if name.startswith(s)} for s in starts]


def _in_processes() -> bool:
    """Whether the user has chosen a process backend of joblib, and this isn't one of its processes."""
    backend, _ = get_active_backend(prefer="threads")
    return not getattr(backend, "supports_sharedmem", False) and not backend.nesting_level


def _trained(
    model: _core.Model,
    series: Array,
    options: TrainingOptions,
    starts: NDArray[np.int64] | None,
    scales: Array | None,
    weights: Array | None,
) -> tuple[_core.Model, Outcome]:
    outcome = model.fit_series(series, options, None, starts, scales, None, weights)
    return model, outcome


class _Run:
    """Trainings in parallel: only one at a time calls ``on_epoch``, and all end together."""

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        self._on_epoch = on_epoch
        self._lock = threading.Lock()
        self._ended = False

    def watch(self, estimator: int) -> OnEpoch:
        def on_epoch(record: EpochRecord) -> bool | list[str]:
            with self._lock:
                if self._ended or self._on_epoch is None:
                    return self._ended
                # an exception ends the other trainings too
                self._ended = True
                answer = self._on_epoch({**record, "estimator": estimator})
                self._ended = answer is True
                return answer

        return on_epoch

    def wait_for(self, trainings: list[Future[Outcome]]) -> KeyboardInterrupt | None:
        """Wait for all trainings; after Ctrl-C, only until their current epochs end."""
        try:
            wait(trainings)
        except KeyboardInterrupt as interrupt:
            self._ended = True
            return interrupt
        return None


def _mean_outcome(outcomes: list[Outcome], interrupt: KeyboardInterrupt | None) -> Outcome:
    # all trainings ended for the reason of the first that failed
    first = next((outcome for outcome in outcomes if outcome["error"] is not None), outcomes[0])
    n_epochs = min(outcome["n_epochs"] for outcome in outcomes)
    columns: list[dict[str, Any]] = [dict(outcome["history"]) for outcome in outcomes]
    mean = {name: np.mean([each[name][:n_epochs] for each in columns], axis=0) for name in columns[0]}
    history = cast("History", mean | {"epoch": np.arange(1, n_epochs + 1)})
    losses = np.where(np.isnan(history["val_loss"]), history["train_loss"], history["val_loss"])
    return {
        "history": history,
        "best_epoch": int(np.argmin(losses)) + 1 if n_epochs else 0,
        "n_epochs": n_epochs,
        "stop_reason": first["stop_reason"] if interrupt is None else "interrupted",
        "error": interrupt or first["error"],
    }
