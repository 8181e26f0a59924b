"""A classifier with scikit-learn's interface: one row of X is one window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin

from lstmforecast import _core
from lstmforecast.augment import Augmentation
from lstmforecast.contract.fit_tasks import FitTasks, with_callbacks
from lstmforecast.estimators.labels import check_class_weight, read_labels, weigh_classes
from lstmforecast.estimators.parameter_docs import with_shared_parameters
from lstmforecast.estimators.tabular import WindowEstimator, outputs_of, remember_columns, weigh_rows
from lstmforecast.estimators.temperature import fit_temperature
from lstmforecast.estimators.training_run import keep_network
from lstmforecast.export.file_checks import check_classes
from lstmforecast.fitting.architecture import Architecture
from lstmforecast.fitting.checkpoint import Checkpoint
from lstmforecast.fitting.training_parameters import Adam, AdamW, Device, EarlyStopping, Plateau, Sampling

if TYPE_CHECKING:
    from lstmforecast.export.onnx_export import GraphFile


@with_shared_parameters
class LSTMClassifier(ClassifierMixin, WindowEstimator):
    """Classification of windows with an LSTM network, for scikit-learn's pipelines and searches.

    A row of ``X`` is one window, flat as (n, window * features), step after step, or as (n, window, features).
    The loss is the cross entropy. ``class_weight`` changes which class is predicted, but not the probabilities, which
    are those of the data.
    Weights are exact: a row of weight 2 has the effect of the row given twice, one of weight 0 the effect of no row.

    Parameters
    ----------
    {n_features_per_step}
    {hidden_size}
    {num_layers}
    class_weight : dict of label to weight, "balanced" or None, default=None
        Weight of the rows of each class, besides their ``sample_weight``, in training and in the decision of `predict`;
        ``"balanced"``: all classes have the same weight. `predict_proba` gives the frequencies of the data in any case.
    {learning_rate}
    {batch_size}
    {max_epochs}
    {early_stopping}
    {random_state}
    scaler : {"standard", "minmax", "robust"}, scaler object or None, default="standard"
        How ``X`` (each feature over rows and steps) is scaled, learned from the training rows. None: data as given.
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
    calibration : {"temperature", None}, default="temperature"
        ``"temperature"``: probabilities are calibrated by a temperature fitted to the held-out rows, with
        ``early_stopping`` (Guo et al. 2017).
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
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    class_weight_ : ndarray of shape (n_classes,)
        Weight of each class.
    temperature_ : float
        Divisor of the logits: above 1 for an overconfident network, 1 without calibration.
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
    >>> from lstmforecast import LSTMClassifier, windows
    >>> X, y = windows(np.sin(np.arange(200) / 5), window_size=12)
    >>> model = LSTMClassifier(max_epochs=5, random_state=0).fit(X, np.where(y[:, 0, 0] > 0, "up", "down"))
    >>> model.predict_proba(X[:3]).shape
    (3, 2)
    """

    _loss_units = "nats"
    _calibrations: ClassVar[tuple[str | None, ...]] = (None, "temperature")

    def __init__(
        self,
        *,
        n_features_per_step: int = 1,
        hidden_size: int = 64,
        num_layers: int = 1,
        class_weight: Mapping[Any, float] | str | None = None,
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
        calibration: str | None = "temperature",
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
        self.class_weight = class_weight
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
        self.calibration = calibration
        self.warm_start = warm_start
        self.pretrained = pretrained
        self.device = device
        self.n_threads = n_threads
        self.verbose = verbose
        self.callbacks = callbacks
        self.checkpoint = checkpoint

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LSTMClassifier:
        """Train on labelled windows.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)
            Windows; in time order with ``early_stopping``.
        y : array-like of shape (n,)
            Labels: numbers, strings or booleans of at least two classes.
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
        windows, labels, weights = weigh_rows(windows, read_labels(y, len(windows)), sample_weight)
        classes, codes = np.unique(labels, return_inverse=True)
        if classes.dtype.kind in "mM":
            raise TypeError(
                f"expected numbers, strings or booleans in y, got {classes.dtype}, which cannot be saved: name classes "
                "by strings, such as those of y.astype(str)"
            )
        if len(classes) < 2:
            raise ValueError(f"expected y with at least 2 classes, got 1 class: {classes.tolist()[0]!r}")
        class_weight = weigh_classes(self.class_weight, classes, codes, weights)
        targets = codes.astype(np.float64).reshape(-1, 1)
        total = weights
        if self.class_weight is not None:
            total = class_weight[codes] if weights is None else weights * class_weight[codes]

        def learn(fitted: LSTMClassifier, model: _core.Model, outcome: Mapping[str, Any]) -> None:
            temperature = fitted._calibrate(model, class_weight, windows, codes, weights)
            remember_columns(fitted, X, windows)
            fitted.classes_, fitted.class_weight_, fitted.temperature_ = classes, class_weight, temperature
            keep_network(fitted, model, outcome)

        tasks = FitTasks(self, X, y, sample_weight, n_epochs=self.max_epochs)
        self._train(windows, targets, total, len(classes), learn, tasks, loss="cross_entropy")
        return self

    def _check_values(self) -> None:
        super()._check_values()
        check_class_weight(self.class_weight)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most likely label of each window, or with ``class_weight`` that of most probability times weight.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)

        Returns
        -------
        ndarray of shape (n,)
        """
        # from the probabilities, so that both methods agree where rounding makes two of them equal
        codes = (self.predict_proba(X) * self.class_weight_).argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict each class's probability.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)

        Returns
        -------
        ndarray of shape (n, n_classes)
            Columns in the order of ``classes_``; rows sum to 1.
        """
        return np.asarray(softmax(outputs_of(self, X), axis=1))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the natural logarithm of each class's probability.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)

        Returns
        -------
        ndarray of shape (n, n_classes)
        """
        return np.asarray(log_softmax(outputs_of(self, X), axis=1))

    def _calibrate(
        self,
        model: _core.Model,
        class_weight: NDArray[np.float64],
        windows: NDArray[np.float64],
        codes: NDArray[np.intp],
        weights: NDArray[np.float64] | None,
    ) -> float:
        """Subtract the logarithms of class weights from the logits, and divide by the temperature, which is returned.

        Both are stored in the scaler of the outputs, so that files and exports contain them.
        """
        shift, temperature = -np.log(class_weight), 1.0
        if self.calibration is not None and self._holds_rows_out():
            held = slice(_core.time_split(len(windows), self._stopping()["validation_fraction"])[1], None)
            logits = model.forecast(windows[held], self.n_threads)[:, 0, :] + shift
            temperature = fit_temperature(logits, codes[held], None if weights is None else weights[held])
        scale = {"output_center": shift / temperature, "output_scale": np.full(len(shift), 1 / temperature)}
        model.load_scalers(model.scalers() | scale)
        return temperature

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        tensors, values = super()._fitted_state()
        classes = {"classes": self.classes_.tolist(), "classes_dtype": self.classes_.dtype.str}
        return tensors, values | classes | {"weights": self.class_weight_.tolist(), "temperature": self.temperature_}

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        super()._restore_fitted_state(tensors, values)
        self.classes_ = np.array(values["classes"], dtype=values["classes_dtype"])
        # older files don't have them
        self.class_weight_ = np.array(values.get("weights", [1.0] * len(self.classes_)))
        self.temperature_ = float(values.get("temperature", 1.0))

    def _check_restored(self) -> None:
        self._check_rows(len(self.classes_))
        check_classes(self.classes_, self.class_weight_, self.temperature_)

    def _write_graph(self, file: GraphFile) -> None:
        from lstmforecast.export.onnx_export import write_classifier

        write_classifier(file, self._rows(), self.classes_, self.class_weight_)
