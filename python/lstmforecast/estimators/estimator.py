"""Shared by forecaster, regressor and classifier: checks of parameters, weights, files, and exports."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from lstmforecast import _core, transfer
from lstmforecast.augment import resolve
from lstmforecast.contract.fit_tasks import CallbackSupportMixin
from lstmforecast.contract.html_repr import LearningCurveMixin
from lstmforecast.contract.parameter_group import (
    GroupedParameter,
    GroupedParameters,
    constructor_parameters,
    flat_group,
    flat_parameters,
    names_in_messages,
)
from lstmforecast.contract.plain import own_kind
from lstmforecast.contract.pytorch import require_pytorch
from lstmforecast.estimators.training_run import keep_network
from lstmforecast.export.persistence import ModelFile, begin_file
from lstmforecast.export.quantization import pack_state, quantized, unpack_state
from lstmforecast.export.saving import Saved, warn_of_kernel
from lstmforecast.fitting.architecture import ARCHITECTURE_OF_WINDOWS
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.matching_weights import loaded
from lstmforecast.fitting.parameters import check_installed, check_parameters
from lstmforecast.fitting.training_parameters import DEVICE, EARLY_STOPPING, LR_SCHEDULE, OPTIMIZER, SAMPLING

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from lstmforecast.export.onnx_export import GraphFile


class LSTMEstimator(Saved, GroupedParameters, LearningCurveMixin, CallbackSupportMixin, BaseEstimator):
    """The base class of estimators with an LSTM network; not for use on its own."""

    _losses: ClassVar[tuple[str | None, ...]] = ("mse", "mae", "huber")
    # words of the parameter `calibration`, where there is one
    _calibrations: ClassVar[tuple[str | None, ...]] = ()
    _groups: ClassVar[Mapping[str, GroupedParameter]] = {
        group.name: group
        for group in (
            ARCHITECTURE_OF_WINDOWS,
            OPTIMIZER,
            LR_SCHEDULE,
            EARLY_STOPPING,
            SAMPLING,
            transfer.PRETRAINED,
            DEVICE,
        )
    }
    # flat parameters that this kind of estimator must not change, and their values
    _of_forecasters: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    augment: Any
    early_stopping: Any
    pretrained: Any
    model_: _core.Model | Ensemble
    n_epochs_: int
    pretrained_: dict[str, list[str]] | None
    frozen_: list[str]
    quantized_: str | None

    def check_parameters(self) -> None:
        """Check the parameters, as `fit` does before it reads data.

        Raises
        ------
        TypeError, ValueError
            For the first invalid parameter, in one sentence.
        ImportError
            For a parameter that needs libtorch, where it is missing.
        """
        self._check_values()
        check_installed(flat_parameters(self))

    def _check_values(self) -> None:
        """Check the parameters of an estimator that was perhaps fitted elsewhere."""
        flat = flat_parameters(self)
        architectures = tuple(self._groups["architecture"].by_word)
        words = {"losses": self._losses, "architectures": architectures, "calibrations": self._calibrations}
        check_parameters(flat, names_in_messages(self), **words)
        resolve(self.augment)
        transfer.check_pretrained(flat["pretrained"])
        transfer.check_patterns(flat["freeze"], flat["learning_rates"])
        if flat["strict"] and flat["pretrained"] is None:
            raise ValueError("expected weights in Pretrained with strict=True, got None")
        stopping, default = EARLY_STOPPING.flat(self.early_stopping), EARLY_STOPPING.defaults
        for name in ("min_delta", "validation_fraction"):
            if stopping["patience"] is None and stopping[name] and stopping[name] != default[name]:
                raise ValueError(
                    f"expected {name}={default[name]} in EarlyStopping with patience=None, which holds nothing out, "
                    f"got {stopping[name]!r}"
                )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Get the network's weights as torch tensors under PyTorch's names.

        A module with an ``nn.LSTM`` (``batch_first=True``) named ``lstm`` and an ``nn.Linear`` named ``fc`` loads them
        with ``strict=True``; the layers of the other networks have the names of `torch.nn`. The network reads scaled
        windows: `to_torch` gives a module for data in their own units.

        Returns
        -------
        dict of str to torch.Tensor
            ``lstm.weight_ih_l0`` of shape (4 * hidden_size, n_features), ..., ``fc.bias`` of shape (outputs,); copies.
        """
        check_is_fitted(self)
        require_pytorch("state_dict")
        return self.model_.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Self:
        """Replace the weights by those of a PyTorch module.

        Parameters
        ----------
        state_dict : mapping of str to torch.Tensor, or of str to array
            Under PyTorch's names, as `state_dict` gives them.
        strict : bool, default=True
            Whether all weights must fit, as in `torch.nn.Module.load_state_dict`. If not, those that fit in name and
            shape are loaded, and one warning names the others.

        Returns
        -------
        self
            With the same scaler as before: train the other module on windows that are scaled in the same way.

        Raises
        ------
        ValueError
            With ``strict=True``, if a weight is missing, unexpected or of another shape; with ``strict=False``, if none
            fits. No weight is changed then.
        """
        check_is_fitted(self)
        self.model_.load_parameters(loaded(self.model_.parameters(), state_dict, strict=strict))
        self.quantized_ = None
        return self

    def load_pretrained(self, pretrained: Any, freeze: str | Sequence[str] | None = None) -> Self:
        """Set the parameter ``pretrained``, so that `fit` starts from the weights of another network.

        Parameters
        ----------
        pretrained : str, Path, fitted estimator, torch.nn.Module or state dict
            A file of `save`, an estimator of any kind, or weights under PyTorch's names, read now. Weights whose name
            and shape match the network are taken, the others are initialised as usual: `fit` lists both in
            ``pretrained_``.
        freeze : str, list of str or None, default=None
            Patterns of parameter names, such as ``"lstm.*"``, that are not trained. None: those of the present
            ``pretrained``.

        Returns
        -------
        self
            With the weights as parameter ``pretrained``, which clones, pickles and searches copy.

        Raises
        ------
        TypeError, ValueError
            If it has no weights, or patterns are not strings.
        FormatError, OSError
            If a file has other contents, or can't be read.
        """
        transfer.check_patterns(freeze, None)
        weights, present = transfer.weights_of(pretrained), flat_group(self, "pretrained")
        group = transfer.Pretrained(
            weights,
            freeze=present["freeze"] if freeze is None else freeze,
            learning_rates=present["learning_rates"],
            strict=present["strict"],
        )
        self.pretrained = weights if group == transfer.Pretrained(weights) else group
        return self

    def to_torch(self) -> torch.nn.Module:
        """Convert the network to a ``torch.nn.Module`` that maps windows to forecasts, both in the data's units.

        Its input has the shape (n, window_size, n_features).

        Returns
        -------
        torch.nn.Module
            With the weights of `state_dict`; the scaler is part of ``forward``. For a classifier the outputs are logits
            of shape (n, 1, n_classes), else forecasts of shape (n, horizon, n_targets).

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        require_pytorch("to_torch")
        from lstmforecast.export.pytorch import to_torch

        return to_torch(self.model_, getattr(self, "transform_", None))

    def quantize(self, dtype: str = "int8") -> Self:
        """Get a copy with rounded weights: forecasts equal to two or three digits, a file a quarter or half as large.

        Matrices of weights, and the errors for intervals of points and quantiles, are rounded to 8-bit integers with a
        scale for each row, or to bfloat16; biases and scalers are not. With 8 bits, states of LSTMs become integers
        too, and are multiplied as integers where that is faster (processors with AVX-512 VNNI, from 96 units on);
        otherwise, and with bfloat16, forecasts take as long as before. `lstmforecast.quantization_report` measures the
        loss of accuracy on your data.

        Parameters
        ----------
        dtype : {"int8", "bf16"}, default="int8"
            The type that weights are rounded to.

        Returns
        -------
        LSTMForecaster, LSTMRegressor or LSTMClassifier
            A fitted copy that predicts, saves, loads and exports; ``quantized_`` is the type. `fit` gives it a network
            of single precision again. This estimator is unchanged.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For another ``dtype``.

        Examples
        --------
        >>> import numpy as np
        >>> from lstmforecast import LSTMForecaster
        >>> y = np.sin(np.arange(200) / 5)
        >>> forecaster = LSTMForecaster(3, window_size=20, hidden_size=8, max_epochs=1, random_state=0).fit(y)
        >>> small = forecaster.quantize("int8")
        >>> small.quantized_, bool(np.allclose(small.predict(), forecaster.predict(), atol=0.05))
        ('int8', True)
        """
        check_is_fitted(self)
        other = copy.copy(self)
        other.model_, other.quantized_ = quantized(self.model_, dtype), dtype
        tensors, values = self._fitted_state()
        distribution = self.model_.config["distribution"]
        other._restore_fitted_state(unpack_state(pack_state(tensors, dtype, distribution)), values)
        return other

    def to_onnx(self, path: str | Path, dtype: str = "float32") -> None:
        """Write the fitted estimator to an ONNX file that maps windows to the output of `predict`, in the data's units.

        Scalers, transforms and normalisation are part of the graph; ``n`` is any number of windows from 1. A forecaster
        maps ``windows`` (n, window_size, features) to ``forecast`` (n, horizon, n_targets) and to the network's
        ``quantiles`` or ``parameters`` of distributions; intervals need held-out errors, which the file doesn't have. A
        regressor maps ``X``, of the shape that it had in `fit`, to ``prediction``; a classifier maps it to ``label``
        and ``probabilities``.

        Parameters
        ----------
        path : str or Path
            Where to; a file that is there is replaced.
        dtype : {"float32", "float64"}, default="float32"
            Type of inputs and outputs. Both compute the same: the network in single precision, relative to the level
            of the window, and levels in double precision. Forecasts of ``"float32"`` differ from `predict` by less than
            1e-5 of the scale of the data, plus three times the rounding of a value at its level.

        Raises
        ------
        ImportError
            Without the extra ``onnx``.
        OSError
            If the file can't be written; a file that was there before is left as it was.
        ValueError
            For labels of a classifier for which ONNX has no type, and with ``"float32"`` for data whose level is so
            large that a rounded value loses more than a thousandth of their scale.

        Notes
        -----
        The metadata of the file describe every input and output in ``inputs`` and ``outputs``: types, shapes, and the
        columns in their order, with categories, marks of missing values, and where NaN may be. See the guide "Saving,
        PyTorch and ONNX export". A window with NaN elsewhere, or with an infinite value, has a forecast of NaN.

        Opset 18 needs ONNX Runtime 1.14 or newer, which can also convert the file to 8-bit weights:
        ``onnxruntime.quantization.quantize_dynamic("model.onnx", "int8.onnx", weight_type=QuantType.QInt8)``.

        The ``windows`` of a forecaster are the last ``window_size`` rows: targets, then static features, those of
        ``X_past``, those of ``X`` and of the calendar. NaN is a missing value, with ``missing="mask"`` in targets and
        in covariates with gaps at `fit`, or in the rows before a series of a panel begins. The features known in
        advance continue in ``future`` (n, horizon, n_known). Series of a panel, except with ``normalize="window"``,
        need ``scales`` (n, 2 * n_targets); the metadata contain them for the series of `fit`. The steps of a recursive
        head are a loop in the graph, which ``quantize_dynamic`` does not change. With ``transform="log"`` and a
        distribution other than quantiles, only the forecast is written.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np, onnxruntime
        >>> from lstmforecast import LSTMForecaster
        >>> y = np.sin(np.arange(200) / 5)
        >>> forecaster = LSTMForecaster(3, window_size=20, hidden_size=8, max_epochs=1, random_state=0).fit(y)
        >>> path = tempfile.mkdtemp() + "/model.onnx"
        >>> forecaster.to_onnx(path)
        >>> session = onnxruntime.InferenceSession(path)
        >>> [forecast] = session.run(["forecast"], {"windows": y[None, -20:, None].astype(np.float32)})
        >>> forecast.shape, bool(np.allclose(forecast[0, :, 0], forecaster.predict(), atol=1e-5))
        ((1, 3, 1), True)
        """
        try:
            from lstmforecast.export.onnx_export import GraphFile
        except ModuleNotFoundError as error:
            if error.name != "onnx":
                raise
            raise ImportError('to_onnx needs onnx: pip install "lstmforecast[onnx]"') from error

        check_is_fitted(self)
        file = GraphFile(type(self).__name__, self.model_, dtype)
        self._write_graph(file)
        file.write(path)

    def _write_graph(self, file: GraphFile) -> None:
        """Add the graph of the estimator to an ONNX file."""
        raise NotImplementedError

    def _pack(self) -> ModelFile:
        names = ("best_epoch", "n_epochs", "stop_reason", "pretrained", "frozen")
        training = {name: getattr(self, f"{name}_") for name in names}
        flat = {name: each for name, each in flat_parameters(self).items() if name not in self._of_forecasters}
        file = begin_file(own_kind(self).__name__, flat, self.history_, training)
        return file.with_network(self.model_, self.quantized_, *self._fitted_state())

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(self._of_this_version(state))
        # the caller of pickle, or of another that restores objects
        warn_of_kernel(self, stacklevel=3)

    @staticmethod
    def _of_this_version(state: dict[str, Any]) -> dict[str, Any]:
        """The attributes in a pickle, also in one of an older version."""
        return state

    @classmethod
    def _unpack(cls, file: ModelFile) -> Self:
        estimator = cls(**constructor_parameters(cls, file.parameters()))
        estimator._check_values()
        keep_network(estimator, file.network(), file.training())
        estimator.quantized_ = file.quantized
        estimator._restore_fitted_state(*file.state())
        estimator._check_restored()
        return estimator

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays, and values for JSON, that were learned besides the network."""
        raise NotImplementedError

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """The inverse of `_fitted_state`."""
        raise NotImplementedError

    def _check_restored(self) -> None:
        """Raise a ValueError if what was read from a file doesn't go together."""
        raise NotImplementedError


def require_fitted(estimator: LSTMEstimator) -> None:
    """scikit-learn's `check_is_fitted`, called only to raise its error, as it takes as long as a small network."""
    if not estimator.__sklearn_is_fitted__():
        check_is_fitted(estimator)
