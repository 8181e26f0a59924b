"""Parameters of a training that belong together: optimiser, learning rate, early stopping, sampling, device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from lstmforecast.contract.parameter_group import GroupedParameter, ParameterGroup


@dataclass(eq=False, repr=False)
class Adam(ParameterGroup):
    """The optimiser Adam (Kingma and Ba 2015), as `torch.optim.Adam`, and what is done with gradients before a step.

    Parameters
    ----------
    weight_decay : float, default=0.0
        L2 penalty.
    clip_grad_norm : float or None, default=1.0
        Largest global norm of the gradients, as `torch.nn.utils.clip_grad_norm_`. None: not clipped.
    clip_grad_value : float or None, default=None
        Largest magnitude of an element of the gradients, after their norm was clipped. None: not clipped.
    accumulate_grad_batches : int, default=1
        Batches whose gradients are averaged for one optimiser step: a larger batch in the memory of one.

    Examples
    --------
    >>> from lstmforecast import Adam, LSTMForecaster
    >>> LSTMForecaster(optimizer=Adam(clip_grad_norm=0.5))
    LSTMForecaster(optimizer=Adam(clip_grad_norm=0.5))
    """

    word: ClassVar[str] = "adam"
    _: KW_ONLY
    weight_decay: float = 0.0
    clip_grad_norm: float | None = 1.0
    clip_grad_value: float | None = None
    accumulate_grad_batches: int = 1


@dataclass(eq=False, repr=False)
class AdamW(Adam):
    """The optimiser AdamW (Loshchilov and Hutter 2019), as `torch.optim.AdamW`.

    Parameters
    ----------
    weight_decay : float, default=0.0
        Decay of the weights, decoupled from the gradients.
    clip_grad_norm, clip_grad_value, accumulate_grad_batches
        As in `Adam`.

    Examples
    --------
    >>> from lstmforecast import AdamW, LSTMForecaster
    >>> LSTMForecaster(optimizer=AdamW(weight_decay=0.01))
    LSTMForecaster(optimizer=AdamW(weight_decay=0.01))
    """

    word: ClassVar[str] = "adamw"


@dataclass(eq=False, repr=False)
class Plateau(ParameterGroup):
    """Reduce the learning rate when the validation loss, or without held-out rows the training loss, stops improving.

    As PyTorch's ``ReduceLROnPlateau``.

    Parameters
    ----------
    patience : int or None, default=5
        Epochs without improvement before the rate is reduced. None: it never is.
    factor : float, default=0.5
        The rate is multiplied by it at each reduction.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster, Plateau
    >>> LSTMForecaster(lr_schedule=Plateau(patience=3))
    LSTMForecaster(lr_schedule=Plateau(patience=3))
    """

    word: ClassVar[str] = "plateau"
    flat_names: ClassVar[dict[str, str]] = {"patience": "lr_patience", "factor": "lr_factor"}
    patience: int | None = 5
    factor: float = 0.5


@dataclass(eq=False, repr=False)
class EarlyStopping(ParameterGroup):
    """When a training ends, and the rows that are held out to decide it.

    Parameters
    ----------
    patience : int or None, default=10
        Training stops after so many epochs in which the validation loss has not improved; the best weights are
        restored. None: no rows are held out.
    min_delta : float, default=0.0
        The smallest decrease of the validation loss that counts as an improvement.
    validation_fraction : float or None, default=None
        The last part of the rows (of each series), held out to score epochs and to measure the errors for intervals.
        None: 0.2, or less for a panel: two horizons, and at least about 500 windows. 0: no rows are held out, and the
        training loss takes the place of the validation loss.

    Examples
    --------
    >>> from lstmforecast import EarlyStopping, LSTMForecaster
    >>> LSTMForecaster(early_stopping=EarlyStopping(patience=5, validation_fraction=0.3))
    LSTMForecaster(early_stopping=EarlyStopping(patience=5,
                                                validation_fraction=0.3))
    """

    bare: ClassVar[str] = "patience"
    patience: int | None = 10
    _: KW_ONLY
    min_delta: float = 0.0
    validation_fraction: float | None = None


@dataclass(eq=False, repr=False)
class Sampling(ParameterGroup):
    """Which training windows an epoch reads.

    Parameters
    ----------
    steps_per_epoch : int, "auto" or None, default="auto"
        Optimiser steps of an epoch; after each epoch the held-out rows are scored. ``"auto"``: 20 steps, up to 40 for
        a series of more than 20,000 rows, so that training reads each row about ten times, and up to 200 for a panel,
        so that it reads each window about 15 times; for regressors and classifiers as None. None: a
        pass over all windows. With a number of steps, the held-out score is that of some 4,000 windows, evenly spaced.
    stride : int, default=1
        Rows from the start of one training window to the start of the next. For `LSTMForecaster` only.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster, Sampling
    >>> LSTMForecaster(sampling=Sampling(steps_per_epoch=None))
    LSTMForecaster(sampling=Sampling(steps_per_epoch=None))
    """

    _: KW_ONLY
    steps_per_epoch: int | str | None = "auto"
    stride: int = 1


@dataclass(eq=False, repr=False)
class Device(ParameterGroup):
    """Where the network is computed, with which precision, and by how many processes together.

    Parameters
    ----------
    name : {"cpu", "cuda", "cuda:N"}, default="cpu"
        As in `torch.device`.
    backend : {"auto", "fused", "torch"}, default="auto"
        Our own kernel (``"fused"``, CPUs only) or libtorch. ``"auto"``: the kernel on CPUs.
    precision : {"float32", "bfloat16"}, default="float32"
        ``"bfloat16"``: mixed precision as `torch.autocast`, for GPUs (``backend="torch"``). Weights, losses, optimiser,
        validation and forecasts stay in single precision.
    layer_devices : list of str or None, default=None
        A device for each layer of the LSTM, the rest on the device of ``name``: for networks larger than the memory of
        one GPU. Computed by libtorch. None: all on one.
    distributed : bool, default=False
        The processes that torchrun started train one network together, each on its share of every batch; see
        `lstmforecast.distributed`.
    timeout : float, default=600.0
        Seconds to wait for another process. For ``distributed`` only.

    Examples
    --------
    >>> from lstmforecast import Device, LSTMForecaster
    >>> forecaster = LSTMForecaster(device=Device("cuda", precision="bfloat16"))
    """

    bare: ClassVar[str] = "name"
    flat_names: ClassVar[dict[str, str]] = {"name": "device", "timeout": "distributed_timeout"}
    name: str = "cpu"
    _: KW_ONLY
    backend: str = "auto"
    precision: str = "float32"
    layer_devices: Sequence[str] | None = None
    distributed: bool = False
    timeout: float = 600.0


class _EarlyStoppingParameter(GroupedParameter):
    def grouped(self, flat: Mapping[str, Any]) -> Any:
        """As of all, but without what had no effect in version 0.1, and is refused since."""
        unused = ("min_delta", "validation_fraction") if flat.get("patience", 10) is None else ()
        return super().grouped({name: value for name, value in flat.items() if name not in unused})


OPTIMIZER = GroupedParameter("optimizer", Adam, AdamW, example="AdamW(weight_decay=0.01)")
LR_SCHEDULE = GroupedParameter(
    "lr_schedule", Plateau, words=("cosine", "onecycle", "constant"), example="Plateau(patience=5)"
)
EARLY_STOPPING = _EarlyStoppingParameter("early_stopping", EarlyStopping, example="EarlyStopping(patience=10)")
SAMPLING = GroupedParameter("sampling", Sampling, example="Sampling(steps_per_epoch=20)")
DEVICE = GroupedParameter("device", Device, example='Device("cuda", precision="bfloat16")')
