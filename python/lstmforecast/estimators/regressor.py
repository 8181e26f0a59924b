"""A regressor with scikit-learn's interface: one row of X is one window."""

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
from lstmforecast.estimators.parameter_docs import with_shared_parameters
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
from lstmforecast.fitting.architecture import Architecture
from lstmforecast.fitting.checkpoint import Checkpoint
from lstmforecast.fitting.training_parameters import Adam, AdamW, Device, EarlyStopping, Plateau, Sampling

if TYPE_CHECKING:
    from lstmforecast.export.onnx_export import GraphFile


@with_shared_parameters
class LSTMRegressor(RegressorMixin, WindowEstimator):
    """Regression on windows with an LSTM network, for scikit-learn's pipelines and searches.

    A row of ``X`` is one window, flat as (n, window * features), step after step, or as (n, window, features).
    Weights are exact: a row of weight 2 has the effect of the row given twice, one of weight 0 the effect of no row.

    Parameters
    ----------
    {n_features_per_step}
    {hidden_size}
    {num_layers}
    loss : {"mse", "mae", "huber"}, default="mse"
        Loss on the scaled targets.
    {learning_rate}
    {batch_size}
    {max_epochs}
    {early_stopping}
    {random_state}
    scaler : {"standard", "minmax", "robust"}, scaler object or None, default="standard"
        How ``X`` (each feature over rows and steps) and ``y`` (each target) are scaled, fitted on the training rows;
        predictions have the units of ``y``. None: not at all.
    architecture : {"lstm", "attention", "cnn_lstm", "transformer"} or object, default="lstm"
        ``"lstm"``: the output layer reads the last state of the LSTM. ``"attention"``: multi-head self-attention over
        the states of all steps; ``"cnn_lstm"``: convolutions over the steps before the LSTM; ``"transformer"``: an
        encoder with ``num_layers`` layers in place of the LSTM. An object, such as ``Attention(num_heads=8)``, also has
        the network's own parameters: `LSTM`, `Attention`, `CNNLSTM` or `Transformer`.
    {dropout}
    {optimizer}
    {lr_schedule}
    {sampling}
    {augment}
    {warm_start}
    {pretrained}
    {device}
    {n_threads}
    {verbose}
    {callbacks}
    {checkpoint}

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
        Names of the parameters that ``freeze`` of `Pretrained` matched when training began.
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
        hidden_size: int = 64,
        num_layers: int = 1,
        loss: str = "mse",
        learning_rate: float = 3e-3,
        batch_size: int = 32,
        max_epochs: int = 100,
        early_stopping: int | EarlyStopping | None = None,
        random_state: Any = None,
        scaler: Any = "standard",
        architecture: str | Architecture = "lstm",
        dropout: float = 0.0,
        optimizer: str | Adam | AdamW = "adam",
        lr_schedule: str | Plateau = "plateau",
        sampling: Sampling | None = None,
        augment: Sequence[str | Augmentation] | None = None,
        warm_start: bool = False,
        pretrained: Any = None,
        device: str | Device = "cpu",
        n_threads: int | None = None,
        verbose: int = 0,
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        checkpoint: str | PathLike[str] | Checkpoint | None = None,
    ) -> None:
        self.n_features_per_step = n_features_per_step
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.loss = loss
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.random_state = random_state
        self.scaler = scaler
        self.architecture = architecture
        self.dropout = dropout
        self.optimizer = optimizer
        self.lr_schedule = lr_schedule
        self.sampling = sampling
        self.augment = augment
        self.warm_start = warm_start
        self.pretrained = pretrained
        self.device = device
        self.n_threads = n_threads
        self.verbose = verbose
        self.callbacks = callbacks
        self.checkpoint = checkpoint

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LSTMRegressor:
        """Train on windows.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)
            Windows; in time order with ``early_stopping``.
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
            With ``Device(distributed=True)``, another process was lost; the best weights so far are kept.
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
