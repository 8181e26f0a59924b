"""A regressor with scikit-learn's contract: one row of X is one window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from lstmforecast import _core
from lstmforecast.augment import Augmentation
from lstmforecast.contract.fit_tasks import FitTasks, with_callbacks
from lstmforecast.estimators.tabular import (
    Array,
    WindowEstimator,
    as_floats,
    outputs_of,
    remember_columns,
    require_finite,
    require_rows,
    weigh_rows,
)
from lstmforecast.estimators.training_run import keep_network
from lstmforecast.fitting.checkpoint import Checkpoint

if TYPE_CHECKING:
    from lstmforecast.export.onnx_export import GraphFile


class LSTMRegressor(RegressorMixin, WindowEstimator):
    """Regression on windows with an LSTM network, for scikit-learn's pipelines and searches.

    A row of ``X`` is one window, flat as (n, window * features), step after step, or as (n, window, features).
    Weights are exact: a row of weight 2 has the effect of the row given twice, one of weight 0 the effect of no row.

    Parameters
    ----------
    n_features_per_step : int, default=1
        Features of each step in a flat row: 24 columns are 24 steps of 1 feature, or 12 steps of 2.
    segment_length : int, default=1
        Steps of a window that the network reads side by side as one; a divisor of the window. It shortens long windows
        for the network (patches, for ``"transformer"``).
    tbptt : int or None, default=None
        Truncated backpropagation through time: the LSTM reads whole windows, but gradients are computed for its last
        ``tbptt`` steps (segments) only, which saves memory. None: all steps.
    architecture : {"lstm", "attention", "cnn_lstm", "transformer"}, default="lstm"
        ``"lstm"``: the head reads the last state of the LSTM. ``"attention"``: multi-head self-attention over the
        states of all steps; ``"cnn_lstm"``: convolutions over the steps before the LSTM; ``"transformer"``: an encoder
        with ``num_layers`` layers in place of the LSTM.
    hidden_size : int, default=64
        Units of each layer.
    num_layers : int, default=1
        Stacked layers.
    bidirectional : bool, default=False
        Read each window in both directions.
    dropout : float, default=0.0
        Probability that a value between two layers is set to 0 in training; ``"lstm"`` uses it only with ``num_layers``
        above 1.
    num_heads : int, default=4
        Attention heads, a divisor of ``hidden_size``. For ``"attention"`` and ``"transformer"`` only.
    kernel_size : int or list of int, default=5
        Steps that a convolution reads; a list has one number for each convolution. For ``"cnn_lstm"`` only.
    out_channels : int or None, default=None
        Output channels of each convolution. None: ``hidden_size``. For ``"cnn_lstm"`` only.
    dim_feedforward : int or None, default=None
        Width of the feed-forward layers. None: four times ``hidden_size``. For ``"transformer"`` only.
    causal : bool, default=False
        Each step attends to itself and earlier steps only. For ``"transformer"`` only.
    scaler : {"standard", "minmax", "robust"}, scaler object or None, default="standard"
        How ``X`` (each feature over rows and steps) and ``y`` (each target) are scaled, fitted on the training rows;
        predictions have the units of ``y``. None: not at all.
    loss : {"mse", "mae", "huber"}, default="mse"
        Loss on the scaled targets.
    optimizer : {"adam", "adamw"}, default="adam"
        Optimiser.
    learning_rate : float, default=3e-3
        Initial learning rate.
    weight_decay : float, default=0.0
        L2 penalty (adam) or decoupled decay (adamw).
    batch_size : int, default=32
        Windows in a batch.
    accumulate_grad_batches : int, default=1
        Batches whose gradients are averaged for one optimiser step: a larger batch in the memory of one.
    max_epochs : int, default=100
        The largest number of passes over the training rows.
    steps_per_epoch : int or None, default=None
        Optimiser steps in an epoch. None: a pass over all rows.
    patience : int or None, default=None
        Epochs without a better validation loss after which training stops. None: no rows are held out.
    min_delta : float, default=0.0
        The smallest decrease of the validation loss that counts as better. For ``patience`` only.
    lr_schedule : {"plateau", "constant", "cosine", "onecycle"}, default="plateau"
        Learning rate over all steps: reduced when the loss stops improving (``lr_patience``, ``lr_factor``), constant,
        or as ``CosineAnnealingLR`` or ``OneCycleLR`` of `torch.optim.lr_scheduler`.
    lr_patience : int or None, default=5
        Epochs without a better loss before the learning rate is reduced. None: never. For ``"plateau"`` only.
    lr_factor : float, default=0.5
        The rate is multiplied by it at each reduction. For ``"plateau"`` only.
    clip_grad_norm : float or None, default=1.0
        Largest global norm of the gradients.
    clip_grad_value : float or None, default=None
        Largest magnitude of an element of the gradients, after their norm was clipped.
    validation_fraction : float, default=0.2
        The last part of the rows, held out if ``patience`` is set.
    augment : list of str or objects of `lstmforecast.augment`, or None, default=None
        Random changes of training windows, one after the other, new each time a window is read: ``"jitter"``,
        ``"scale"``, ``"magnitude_warp"``, ``"time_warp"``, ``"window_slice"``. Targets are not changed.
    warm_start : bool, default=False
        `fit` continues from the weights of the previous fit.
    pretrained : path, fitted estimator, torch.nn.Module, state dict or None, default=None
        Initial weights: those whose name and shape match the network are taken, the others are initialised as usual;
        ``pretrained_`` lists both. A warning names a layer, other than the last, of which only a part matches. Scalers
        are fitted to the new data. A clone keeps a path or a state dict, but not what an estimator has learned: see
        `load_pretrained`. With ``warm_start``, for the first fit only.
    freeze : str, list of str or None, default=None
        Patterns of parameter names, such as ``"lstm.*"``, that are not trained; of pretrained weights, those that were
        taken. `lstmforecast.transfer.GradualUnfreezing` trains them later.
    learning_rates : dict of str to float or None, default=None
        Learning rates by patterns of parameter names, ``{"lstm.*": 1e-4}``, in place of ``learning_rate``. The first
        pattern that matches counts; ``lr_schedule`` applies to all.
    backend : {"auto", "fused", "torch"}, default="auto"
        Our own kernel (``"fused"``, CPUs only) or libtorch. ``"auto"``: the kernel on CPUs.
    precision : {"float32", "bfloat16"}, default="float32"
        ``"bfloat16"``: mixed precision as `torch.autocast`, for GPUs (``backend="torch"``). Weights, losses, optimiser,
        validation and forecasts stay in single precision.
    device : {"cpu", "cuda"}, default="cpu"
        Where the network is computed.
    layer_devices : list of str or None, default=None
        A device for each layer of the LSTM, the rest on ``device``: for networks larger than the memory of one GPU.
        Computed by libtorch. None: all on ``device``.
    n_threads : int or None, default=None
        Threads, at most 1024. None: ``OMP_NUM_THREADS`` (joblib sets it in its workers), or else what the machine has.
    distributed : bool, default=False
        The processes that torchrun started train one network together, each on its share of every batch; see
        `lstmforecast.distributed`.
    distributed_timeout : float, default=600.0
        Seconds to wait for another process. For ``distributed`` only.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, order and dropout: the same seed gives the same bits.
    verbose : int, default=0
        1: a progress bar.
    callbacks : sequence of callables or None, default=None
        Called with the record of each epoch; training stops when one returns a true value.
    checkpoint : str, path, Checkpoint or None, default=None
        A folder of checkpoints from which `fit`, with the same data and parameters, continues after its process was
        killed; `lstmforecast.Checkpoint` sets how often they are written. None: none.

    Attributes
    ----------
    n_features_in_ : int
        Columns of a flat ``X``, or features of each step.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, after a fit on a DataFrame.
    n_outputs_ : int
        Number of targets.
    history_ : DataFrame
        One row for each epoch: losses, learning rate, gradient norm, seconds.
    best_epoch_, n_epochs_ : int
        The epoch (from 1) whose weights are kept, and the number of epochs.
    stop_reason_ : str
        Why training ended.
    pretrained_ : dict of str to list of str, or None
        Names of the weights of ``pretrained`` that were ``taken``, and of those ``left`` to their initial values.
    frozen_ : list of str
        Names of the parameters that ``freeze`` matched when training began.
    quantized_ : {"int8", "bf16"} or None
        The type that `quantize` rounded the weights to.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMRegressor, windows
    >>> X, y = windows(np.sin(np.arange(200) / 5), window_size=12)
    >>> model = LSTMRegressor(max_epochs=5, random_state=0).fit(X, y[:, 0, 0])
    >>> model.predict(X[:3]).shape
    (3,)
    """

    def __init__(
        self,
        *,
        n_features_per_step: int = 1,
        segment_length: int = 1,
        tbptt: int | None = None,
        architecture: str = "lstm",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        num_heads: int = 4,
        kernel_size: int | Sequence[int] = 5,
        out_channels: int | None = None,
        dim_feedforward: int | None = None,
        causal: bool = False,
        scaler: Any = "standard",
        loss: str = "mse",
        optimizer: str = "adam",
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        batch_size: int = 32,
        accumulate_grad_batches: int = 1,
        max_epochs: int = 100,
        steps_per_epoch: int | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        lr_schedule: str = "plateau",
        lr_patience: int | None = 5,
        lr_factor: float = 0.5,
        clip_grad_norm: float | None = 1.0,
        clip_grad_value: float | None = None,
        validation_fraction: float = 0.2,
        augment: Sequence[str | Augmentation] | None = None,
        warm_start: bool = False,
        pretrained: Any = None,
        freeze: str | Sequence[str] | None = None,
        learning_rates: Mapping[str, float] | None = None,
        backend: str = "auto",
        precision: str = "float32",
        device: str = "cpu",
        layer_devices: Sequence[str] | None = None,
        n_threads: int | None = None,
        distributed: bool = False,
        distributed_timeout: float = 600.0,
        random_state: Any = None,
        verbose: int = 0,
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        checkpoint: str | PathLike[str] | Checkpoint | None = None,
    ) -> None:
        self.n_features_per_step = n_features_per_step
        self.segment_length = segment_length
        self.tbptt = tbptt
        self.architecture = architecture
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.num_heads = num_heads
        self.kernel_size = kernel_size
        self.out_channels = out_channels
        self.dim_feedforward = dim_feedforward
        self.causal = causal
        self.scaler = scaler
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.accumulate_grad_batches = accumulate_grad_batches
        self.max_epochs = max_epochs
        self.steps_per_epoch = steps_per_epoch
        self.patience = patience
        self.min_delta = min_delta
        self.lr_schedule = lr_schedule
        self.lr_patience = lr_patience
        self.lr_factor = lr_factor
        self.clip_grad_norm = clip_grad_norm
        self.clip_grad_value = clip_grad_value
        self.validation_fraction = validation_fraction
        self.augment = augment
        self.warm_start = warm_start
        self.pretrained = pretrained
        self.freeze = freeze
        self.learning_rates = learning_rates
        self.backend = backend
        self.precision = precision
        self.device = device
        self.layer_devices = layer_devices
        self.n_threads = n_threads
        self.distributed = distributed
        self.distributed_timeout = distributed_timeout
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.checkpoint = checkpoint

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LSTMRegressor:
        """Train on windows.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)
            Windows; in time order if ``patience`` is set.
        y : array-like of shape (n,) or (n, outputs)
            Targets.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.

        Returns
        -------
        self : the fitted estimator

        Raises
        ------
        ValueError, TypeError
            Unusable data or parameters; the result of an earlier fit is kept.
        FloatingPointError
            The loss diverged; the result of an earlier fit is kept, as after an error of a callback.
        MemoryError
            There is not enough memory for the network or a step of its training.
        KeyboardInterrupt
            Ctrl-C; the best weights so far are kept.
        RuntimeError
            With ``distributed=True``, another process was lost; the best weights so far are kept.
        """
        self.check_parameters()
        windows = self._windows_to_fit(X)
        windows, targets, weights = weigh_rows(windows, _read_targets(y, len(windows)), sample_weight)
        columns = targets.reshape(len(targets), -1)

        def learn(fitted: LSTMRegressor, model: _core.Model, outcome: Mapping[str, Any]) -> None:
            remember_columns(fitted, X, windows)
            fitted.n_outputs_ = columns.shape[1]
            fitted._flat_targets = targets.ndim == 1
            keep_network(fitted, model, outcome)

        tasks = FitTasks(self, X, y, sample_weight, n_epochs=self.max_epochs)
        self._train(windows, columns, weights, columns.shape[1], learn, tasks, loss=self.loss)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the targets of windows.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)

        Returns
        -------
        ndarray of shape (n,) or (n, outputs)
            In the units and the shape of the ``y`` of fit.
        """
        outputs = outputs_of(self, X)
        return outputs.ravel() if self._flat_targets else outputs

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        tensors, values = super()._fitted_state()
        return tensors, values | {"n_outputs": self.n_outputs_, "flat_targets": self._flat_targets}

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        super()._restore_fitted_state(tensors, values)
        self.n_outputs_ = int(values["n_outputs"])
        self._flat_targets = bool(values["flat_targets"])

    def _check_restored(self) -> None:
        self._check_rows(self.n_outputs_)

    def _write_graph(self, file: GraphFile) -> None:
        from lstmforecast.export.onnx_export import write_regressor

        write_regressor(file, self._rows(), self.n_outputs_, flat_targets=self._flat_targets)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _read_targets(y: Any, n_rows: int) -> Array:
    if y is None:
        raise ValueError("LSTMRegressor requires y to be passed, but the target y is None")
    targets: Array = as_floats(y, "y", ensure_2d=False)
    if targets.ndim > 2 or 0 in targets.shape:
        raise ValueError(f"expected y of shape (n,) or (n, outputs), got {targets.shape}")
    require_rows("y", targets, n_rows)
    require_finite("y", targets, ("row", "output")[: targets.ndim])
    return targets
