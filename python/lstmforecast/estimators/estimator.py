"""What the three LSTM estimators share: their parameters, one training run, weights in and out, files."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from lstmforecast import _core, transfer
from lstmforecast.augment import as_options, resolve
from lstmforecast.contract.aside import aside
from lstmforecast.contract.core_options import EpochRecord, ModelConfig, Outcome, TrainingOptions
from lstmforecast.contract.fit_tasks import CallbackSupportMixin, FitTasks
from lstmforecast.contract.html_repr import LearningCurveMixin
from lstmforecast.contract.plain import PlainParameters, plain_parameters
from lstmforecast.contract.progress import ProgressBar
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.distributed import Processes, join, local_device, threads_of_process
from lstmforecast.fitting import checkpoint
from lstmforecast.fitting.architecture import to_core
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.parameters import check_parameters
from lstmforecast.fitting.pauses import fit_with_pauses, fitted_attributes

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

OnEpoch = Callable[[EpochRecord], bool | list[str]]
Fit = Callable[[TrainingOptions, OnEpoch | None, Processes | None], Outcome]
# Sets what an estimator learns of a trained model and its outcome, on a copy of the estimator.
Learn = Callable[[Any, Any, Mapping[str, Any]], None]
# Ends of a training that come from outside, after which the best weights so far are as good as any.
KEPT = ("interrupted", "process_lost")


class LSTMEstimator(PlainParameters, LearningCurveMixin, CallbackSupportMixin, BaseEstimator):
    """An LSTM network with a scikit-learn face; not for use on its own."""

    _losses: ClassVar[tuple[str | None, ...]] = ("mse", "mae", "huber")
    _architectures: ClassVar[tuple[str, ...]] = ("lstm", "attention", "cnn_lstm", "transformer")
    n_estimators: int = 1
    distributed: bool = False
    distributed_timeout: float = 600.0
    pretrained: Any
    freeze: str | Sequence[str] | None
    learning_rates: Mapping[str, float] | None
    model_: _core.Model | Ensemble

    def _validate_parameters(self) -> None:
        """Raise TypeError or ValueError, with one sentence, for the first parameter that makes no sense."""
        check_parameters(plain_parameters(self), losses=self._losses, architectures=self._architectures)
        resolve(self.augment)
        transfer.check_pretrained(self.pretrained)
        transfer.check_patterns(self.freeze, self.learning_rates)

    def _seed(self) -> int:
        """A seed for this fit; an int gives the same one each time."""
        if (
            self.random_state is None
            and (saved := checkpoint.saved_seed(self.checkpoint, self.n_estimators)) is not None
        ):
            return saved
        return draw_seed(self.random_state)

    def _new_model(
        self,
        *,
        window_size: int,
        horizon: int,
        n_features: int,
        n_targets: int,
        seed: int,
        **network: Any,
    ) -> _core.Model | Ensemble:
        """An untrained model, or with ``warm_start`` one that goes on with the present weights."""
        names = ("hidden_size", "num_layers", "bidirectional", "dropout", "backend", "device", "tbptt")
        config = {name: getattr(self, name) for name in names}
        config["layer_devices"] = None if self.layer_devices is None else list(self.layer_devices)
        config |= {"window_size": window_size, "horizon": horizon, "n_features": n_features, "n_targets": n_targets}
        config |= {"normalize": None, "seed": seed, "architecture": to_core(plain_parameters(self))} | network
        if self.distributed:
            config["device"] = local_device(self.device)
        whole = cast("ModelConfig", config)
        model = _core.Model(whole) if self.n_estimators == 1 else Ensemble.build(whole, self.n_estimators)
        if self.warm_start and hasattr(self, "model_"):
            n_before = len(self.model_.members) if isinstance(self.model_, Ensemble) else 1
            present = self.model_.config | {"n_estimators": n_before}
            _check_same_sizes(present, config | {"n_estimators": self.n_estimators})
            model.load_parameters(self.model_.parameters())
        return model

    def _training(self, seed: int, **overrides: Any) -> TrainingOptions:
        """The core's training options."""
        counts = ("batch_size", "accumulate_grad_batches", "max_epochs", "steps_per_epoch", "n_threads")
        integers, limits = (*counts, "patience", "lr_patience"), ("clip_grad_norm", "clip_grad_value")
        floats = ("learning_rate", "weight_decay", "min_delta", "lr_factor", "validation_fraction", *limits)
        options: dict[str, Any] = {"loss": getattr(self, "loss", "cross_entropy"), "optimizer": self.optimizer}
        options |= {"lr_schedule": self.lr_schedule, "precision": self.precision}
        given = {name: getattr(self, name) for name in (*integers, *floats) if name not in overrides}
        options |= {name: _cast(int if name in integers else float, value) for name, value in given.items()}
        options["augment"] = as_options(self.augment)
        options["checkpoint"] = checkpoint.as_options(self.checkpoint)
        options |= {"scaler": self.scaler, "gap": 0, "stride": 1, "shuffle": True, "seed": seed}
        return cast("TrainingOptions", options | overrides)

    def _run(
        self,
        model: _core.Model | Ensemble,
        training: TrainingOptions,
        fit: Fit,
        learn: Learn,
        tasks: FitTasks | None,
    ) -> None:
        """Train a model and learn it; an error that ended the training is raised, and what was learned before stays."""
        outcome = self._train_together(model, training, fit, learn, tasks)
        if outcome["error"] is None or outcome["stop_reason"] in KEPT:
            with aside(self) as fitted:
                learn(fitted, model, outcome)
        if outcome["error"] is not None:
            raise outcome["error"]
        if tasks is not None:
            tasks.end()

    def _train_together(
        self,
        model: _core.Model | Ensemble,
        training: TrainingOptions,
        fit: Fit,
        learn: Learn,
        tasks: FitTasks | None,
    ) -> dict[str, Any]:
        """Train a model, alone or together with other processes, which agree on the options first."""
        options = training.copy()
        if not self.distributed:
            return self._watch(model, options, fit, learn, tasks, None)
        with join(self.device, float(self.distributed_timeout)) as processes:
            options["seed"] = processes.of_first(options["seed"])
            options["n_threads"] = threads_of_process(options["n_threads"])
            return processes.share_end(self._watch(model, options, fit, learn, tasks, processes))

    def _watch(
        self,
        model: _core.Model | Ensemble,
        training: TrainingOptions,
        fit: Fit,
        learn: Learn,
        tasks: FitTasks | None,
        processes: Processes | None,
    ) -> dict[str, Any]:
        """Train, from pretrained weights where there are, with the progress bar and all callbacks."""
        goes_on = self.warm_start and hasattr(self, "model_")
        plan = transfer.prepare(
            model,
            pretrained=None if goes_on else self.pretrained,
            freeze=self.freeze,
            learning_rates=self.learning_rates,
        )
        speaks = processes is None or processes.rank == 0
        callbacks = list(self.callbacks or ()) if speaks else []
        tasks = tasks if speaks else None
        training["transfer"] = plan.options

        def whole(outcome: Outcome) -> dict[str, Any]:
            return {"pretrained": self.pretrained_ if goes_on else None, **outcome} | plan.outcome()

        pauses = tasks is not None and tasks.ask_for_estimators and isinstance(model, _core.Model) and processes is None

        def pause(outcome: Outcome) -> bool:
            assert tasks is not None
            return tasks.epoch(fitted_attributes(self, learn, model, whole(outcome)))

        with ProgressBar(self.max_epochs * self.n_estimators, shown=self.verbose > 0 and speaks) as bar:

            def on_epoch(record: EpochRecord) -> bool | list[str]:
                bar.update(record)
                answer = plan.answer(callback(dict(record)) for callback in callbacks)
                pauses_now = pauses and not isinstance(answer, list)
                return answer if tasks is None or pauses_now else tasks.epoch() or answer

            # with nobody to tell, networks of an ensemble may be trained elsewhere
            told = on_epoch if callbacks or self.verbose or (tasks is not None and tasks.are_heard) else None
            if pauses:
                outcome = fit_with_pauses(model, training, fit, on_epoch, pause)
            else:
                outcome = fit(training, told, processes)
        return whole(outcome)

    def _keep(self, model: _core.Model | Ensemble, outcome: Mapping[str, Any]) -> None:
        """Keep what was learned."""
        self.model_ = model
        self.history_ = pd.DataFrame(outcome["history"])
        self.best_epoch_: int = outcome["best_epoch"]
        self.n_epochs_: int = outcome["n_epochs"]
        self.stop_reason_: str = outcome["stop_reason"]
        self.pretrained_: dict[str, list[str]] | None = outcome["pretrained"]
        self.frozen_: list[str] = outcome["frozen"]
        self.quantized_: str | None = None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _check_is_fitted(self) -> None:
        """scikit-learn's `check_is_fitted`, which takes as long as a small network: only where it has a word to say."""
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The network's weights as torch tensors under PyTorch's names.

        A plain module with an ``nn.LSTM`` (``batch_first=True``) named ``lstm`` and an ``nn.Linear`` named ``fc`` loads
        them with ``strict=True``; the other networks name their layers as `torch.nn` does. It works on scaled windows:
        `to_torch` gives a module that takes the data's units.

        Returns
        -------
        dict of str to torch.Tensor
            ``lstm.weight_ih_l0`` of shape (4 * hidden_size, n_features), ..., ``fc.bias`` of shape (outputs,); copies.
        """
        check_is_fitted(self)
        return self.model_.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Self:
        """Replace the weights by those of a PyTorch module.

        Parameters
        ----------
        state_dict : mapping of str to torch.Tensor, or of str to array
            Under PyTorch's names, as `state_dict` gives them.

        Returns
        -------
        self
            With the scaler of before: train the other module on windows scaled alike.

        Raises
        ------
        ValueError
            If a weight is missing, unexpected or of another shape; no weight is changed then.
        """
        check_is_fitted(self)
        if all(hasattr(value, "detach") for value in state_dict.values()):
            self.model_.load_state_dict(dict(state_dict))
        else:
            self.model_.load_parameters({name: np.asarray(value, np.float32) for name, value in state_dict.items()})
        self.quantized_ = None
        return self

    def load_pretrained(self, pretrained: Any, freeze: str | Sequence[str] | None = None) -> Self:
        """Let `fit` start from the weights of another network: sets the parameters ``pretrained`` and ``freeze``.

        Parameters
        ----------
        pretrained : str, Path, fitted estimator, torch.nn.Module or state dict
            A file of `save`, an estimator of any kind, or weights under PyTorch's names, read now. Those that fit the
            network in name and shape are taken, the others start fresh: `fit` tells them apart in ``pretrained_``.
        freeze : str, list of str or None, default=None
            Patterns of names of parameters that get no update, such as ``"lstm.*"``; None: ``freeze`` stays what it is.

        Returns
        -------
        self
            With the weights as parameter ``pretrained``, which clones, pickles and searches keep.

        Raises
        ------
        TypeError, ValueError
            If it holds no weights, or patterns are no strings.
        FormatError, OSError
            If a file holds something else, or can't be read.
        """
        transfer.check_patterns(freeze, None)
        self.pretrained = transfer.weights_of(pretrained)
        if freeze is not None:
            self.freeze = freeze
        return self

    def to_torch(self) -> torch.nn.Module:
        """A ``torch.nn.Module`` that maps windows (n, window_size, n_features) to forecasts, both in the data's units.

        Returns
        -------
        torch.nn.Module
            Its ``state_dict`` is that of `state_dict`; the scaler is part of ``forward``. For a classifier the outputs
            are logits of shape (n, 1, n_classes), else forecasts of shape (n, horizon, n_targets).

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        from lstmforecast.export.pytorch import to_torch

        check_is_fitted(self)
        return to_torch(self.model_, getattr(self, "transform", None))

    def quantize(self, dtype: str = "int8") -> Self:
        """An estimator with the same forecasts to two or three digits, whose file is a quarter or half as large.

        Matrices of weights are rounded to 8-bit integers with a scale for each row, or to bfloat16; biases and scalers
        stay. So are the errors that intervals of points and quantiles are made of. With 8 bits, states of LSTMs become
        integers as well, and are multiplied as such, where the processor is faster so (AVX-512 VNNI, from 96 units
        on); else, and with bfloat16, forecasts take as long as before.
        `lstmforecast.quantization_report` tells what it costs on your data.

        Parameters
        ----------
        dtype : {"int8", "bf16"}, default="int8"
            What weights are rounded to.

        Returns
        -------
        LSTMForecaster, LSTMRegressor or LSTMClassifier
            Another one, fitted, that saves, loads, exports and predicts; ``quantized_`` says what it is. `fit` makes a
            network of single precision of it again. This one is left as it is.

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
        from lstmforecast.export.quantization import quantize

        check_is_fitted(self)
        return quantize(self, dtype)

    def to_onnx(self, path: str | Path, dtype: str = "float64") -> None:
        """Write the fitted estimator to an ONNX file, which maps windows to what `predict` says, in the data's units.

        Scalers, transforms and normalisation are part of the graph, and ``n`` is any number of windows from 1. A
        forecaster's ``windows`` (n, window_size, features) give ``forecast`` (n, horizon, n_targets), and with them
        ``quantiles`` or ``parameters`` of its distributions, as the network says them: only the forecaster knows the
        errors that intervals are made of. A regressor's ``X``, of the shape that it had at `fit`, gives ``prediction``;
        a classifier's gives ``label`` and ``probabilities``.

        Parameters
        ----------
        path : str or Path
            Where to; a file that is there is replaced.
        dtype : {"float64", "float32"}, default="float64"
            Of the numbers that go in and come out; the network computes in single precision either way, around the
            level of the window. Choose ``"float32"``, which has seven digits, only where the level isn't far above
            the variation.

        Raises
        ------
        ImportError
            Without the extra ``onnx``.
        OSError
            If the file can't be written; a file that was there before is left as it was.
        ValueError
            For labels of a classifier that ONNX has no type for.

        Notes
        -----
        The file's metadata tell ``estimator``, ``version``, ``window_size``, ``features`` (the columns of the windows)
        and, of each kind, what else one has to know: ``horizon``, ``targets``, ``freq``, ``future_features``,
        ``quantiles``, ``classes``; lists are JSON. It needs opset 18: ONNX Runtime 1.14 or newer, which also makes a
        file of 8-bit weights of it:
        ``onnxruntime.quantization.quantize_dynamic("model.onnx", "int8.onnx", weight_type=QuantType.QInt8)``.

        A forecaster's ``windows`` are the last ``window_size`` rows: targets, then features that never change, those of
        ``X_past``, those of ``X`` and of the calendar; NaN is a missing value, where ``missing="mask"`` or a series of
        a panel is shorter. The features known in advance go on in ``future`` (n, horizon, n_known). Series of a panel,
        except with ``normalize="window"``, bring ``scales`` (n, 2 * n_targets), which the metadata have for those of
        `fit`. A recursive head's steps are a loop in the graph, which ``quantize_dynamic`` passes over. Of other
        distributions of logarithms than quantiles there is the forecast alone.

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
        >>> [forecast] = session.run(["forecast"], {"windows": y[None, -20:, None]})
        >>> forecast.shape, bool(np.allclose(forecast[0, :, 0], forecaster.predict(), atol=1e-5))
        ((1, 3, 1), True)
        """
        try:
            from lstmforecast.export.onnx_export import to_onnx
        except ModuleNotFoundError as error:
            if error.name != "onnx":
                raise
            raise ImportError('to_onnx needs onnx: pip install "lstmforecast[onnx]"') from error

        check_is_fitted(self)
        to_onnx(self, path, dtype)

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one safetensors file: weights, scaler, parameters and what `predict` needs.

        Parameters
        ----------
        path : str or Path
            Where to; a file that is there is replaced, also through a link, and a pipe or device is written to.

        Raises
        ------
        OSError
            If the file can't be written; a file that was there before is left as it was.
        """
        from lstmforecast.export.persistence import save

        save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        LSTMForecaster, LSTMRegressor or LSTMClassifier
            Fitted, of the class that `load` is called on.

        Raises
        ------
        FormatError
            If the file is damaged, foreign, newer than this version, or holds another kind of estimator.
        OSError
            If it can't be read.
        """
        from lstmforecast.export.persistence import load

        estimator = load(path)
        if not isinstance(estimator, cls):
            raise _core.FormatError(f"{path}: expected a file of {cls.__name__}, got one of {type(estimator).__name__}")
        return estimator

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What was learned besides the model: arrays, and values that JSON can hold."""
        raise NotImplementedError

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """The inverse of `_fitted_state`."""
        raise NotImplementedError

    def _check_restored(self) -> None:
        """Raise a ValueError if what was read from a file doesn't go together."""
        raise NotImplementedError


def _cast(kind: type, value: numbers.Real | None) -> Any:
    return None if value is None else kind(value)


def _check_same_sizes(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    names = [
        "n_estimators",
        "architecture",
        "hidden_size",
        "num_layers",
        "bidirectional",
        "horizon",
        "n_features",
        "n_targets",
    ]
    names += [name for name in ("segment_length", "linear_skip", "channels") if name in wanted]
    if present["linear_skip"]:
        names.append("window_size")
    for name in names:
        if present[name] != wanted[name]:
            raise ValueError(
                f"warm_start=True goes on with the present weights: expected {name}={present[name]!r} as before, "
                f"got {wanted[name]!r}"
            )
