"""A language model of characters: it predicts the next character, scores texts and generates them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, cast

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from lstmforecast import _core
from lstmforecast.contract.aside import aside
from lstmforecast.contract.core_options import EpochRecord, SamplingOptions, TextModelConfig, TextTrainingOptions
from lstmforecast.contract.fit_tasks import CallbackSupportMixin, FitTasks, with_callbacks
from lstmforecast.contract.html_repr import LearningCurveMixin
from lstmforecast.contract.parameter_group import (
    GroupedParameter,
    GroupedParameters,
    constructor_parameters,
    flat_parameters,
    names_in_messages,
)
from lstmforecast.contract.plain import own_kind, plain
from lstmforecast.contract.progress import ProgressBar
from lstmforecast.contract.pytorch import require_pytorch
from lstmforecast.contract.rules import N_THREADS, Choice, Number
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.estimators.parameter_docs import with_shared_parameters
from lstmforecast.estimators.training_run import KEPT, keep_training
from lstmforecast.export.persistence import ModelFile, begin_file
from lstmforecast.export.saving import Saved
from lstmforecast.fitting.checkpoint import Checkpoint, as_options, check_checkpoint, saved_seed
from lstmforecast.fitting.matching_weights import loaded
from lstmforecast.fitting.parameters import check_callbacks, check_count
from lstmforecast.fitting.training_parameters import OPTIMIZER, Adam, AdamW

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

# Characters that one call of the core draws for `stream`.
_AT_ONCE = 16
# Steps of the optimiser that `max_epochs="auto"` means, and the fewest and the most epochs.
_AUTO_STEPS, _AUTO_EPOCHS = 2000, (5, 100)
_INTEGER, _REAL = numbers.Integral, numbers.Real
_TEMPERATURE, _TOP_K = Number(_REAL, 0), Number(_INTEGER, 1, none=True)
_TOP_P = Number(_REAL, 0, 1, low_included=False, high_included=True, none=True)
_RULES: dict[str, Number | Choice] = {
    "hidden_size": Number(_INTEGER, 1),
    "num_layers": Number(_INTEGER, 1, 1000, high_included=True),
    "embedding_size": Number(_INTEGER, 1),
    "dropout": Number(_REAL, 0, 1),
    "sequence_length": Number(_INTEGER, 1),
    "batch_size": Number(_INTEGER, 1),
    "optimizer": Choice(("adam", "adamw")),
    "learning_rate": Number(_REAL, 0, low_included=False),
    "weight_decay": Number(_REAL, 0),
    "lr_schedule": Choice(("constant", "cosine", "onecycle")),
    "max_epochs": Number(_INTEGER, 1, word="auto"),
    "patience": Number(_INTEGER, 1, none=True),
    "clip_grad_norm": Number(_REAL, 0, low_included=False, none=True),
    "clip_grad_value": Choice((None,)),
    "accumulate_grad_batches": Choice((1,)),
    "validation_fraction": Number(_REAL, 0, 1),
    "unknown": Choice(("error", "skip")),
    "n_threads": N_THREADS,
    "verbose": Number(_INTEGER, 0),
}


@with_shared_parameters
class CharLSTM(Saved, GroupedParameters, LearningCurveMixin, CallbackSupportMixin, BaseEstimator):
    """A language model of characters: an embedding, LSTM layers and a prediction of the next character.

    It is trained by truncated backpropagation through time (Williams & Peng 1990; for characters: Graves 2013): the
    text is cut into ``batch_size`` rows that are read in parallel, ``sequence_length`` characters in a step. Gradients
    are computed within a step; states continue from one step to the next. Losses are in nats per character: the mean
    negative natural logarithm of the probability of the next character.

    Parameters
    ----------
    hidden_size : int, default=512
        Units of each LSTM layer.
    num_layers : int, default=1
        Stacked layers.
    embedding_size : int, default=64
        Size of the vector of a character.
    dropout : float, default=0.0
        Probability that a value between two layers, or before the last, is set to 0 in training.
    sequence_length : int, default=64
        Characters over which gradients are computed.
    batch_size : int, default=32
        Rows that are read in parallel.
    optimizer : {"adam", "adamw"}, Adam or AdamW, default="adam"
        Optimiser, as in `torch.optim`. `Adam` and `AdamW` also have the weight decay and the largest norm of the
        gradients, ``clip_grad_norm``; their other parameters are not for texts.
    learning_rate : float, default=5e-3
        The largest learning rate of the schedule.
    lr_schedule : {"onecycle", "cosine", "constant"}, default="onecycle"
        Learning rate over all steps: as ``OneCycleLR`` or ``CosineAnnealingLR`` of `torch.optim.lr_scheduler`, or
        constant.
    max_epochs : int or "auto", default="auto"
        The largest number of passes over the text; each begins with states of zero. ``"auto"``: as many as have 2,000
        steps, but from 5 to 100.
    patience : int or None, default=None
        Epochs without a better validation loss after which training stops. None: it doesn't.
    validation_fraction : float, default=0.1
        The end of the text, or the last of several texts, as a fraction of the characters, that is held out: the
        weights of the epoch that predicts it best are kept. 0: nothing is held out, and the training loss decides.
    unknown : {"error", "skip"}, default="error"
        Characters of a prompt or a scored text that are not in the fitted text are an error or skipped.
    n_threads : int or None, default=None
        Threads, at most 1024. None: ``OMP_NUM_THREADS`` (set in joblib's workers), or else the number of processors.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights and dropout.
    {verbose}
    {callbacks}
    {checkpoint}

    Attributes
    ----------
    vocabulary_ : str
        The characters of the fitted text, in the order of their code points.
    history_ : DataFrame
        One row for each epoch: ``train_loss`` and ``val_loss`` in nats per character, learning rate, gradient norm,
        seconds.
    best_epoch_, n_epochs_ : int
        The epoch (from 1) whose weights are kept, and the number of epochs.
    stop_reason_ : str
        Why training ended.

    Examples
    --------
    >>> from lstmforecast import CharLSTM
    >>> text = "to be, or not to be, that is the question: " * 20
    >>> model = CharLSTM(hidden_size=32, sequence_length=16, batch_size=4, max_epochs=40, random_state=0).fit(text)
    >>> model.generate("to be, or ", length=9, temperature=0)
    'not to be'
    """

    _groups: ClassVar[Mapping[str, GroupedParameter]] = {"optimizer": OPTIMIZER}
    _doc_page = "text"
    _loss_units = "nats per character"

    model_: _core.CharModel

    def __init__(
        self,
        *,
        hidden_size: int = 512,
        num_layers: int = 1,
        embedding_size: int = 64,
        dropout: float = 0.0,
        sequence_length: int = 64,
        batch_size: int = 32,
        optimizer: str | Adam | AdamW = "adam",
        learning_rate: float = 5e-3,
        lr_schedule: str = "onecycle",
        max_epochs: int | str = "auto",
        patience: int | None = None,
        validation_fraction: float = 0.1,
        unknown: str = "error",
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        checkpoint: str | PathLike[str] | Checkpoint | None = None,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.embedding_size = embedding_size
        self.dropout = dropout
        self.sequence_length = sequence_length
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.unknown = unknown
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.checkpoint = checkpoint

    @with_callbacks
    def fit(self, text: str | Iterable[str], y: object = None) -> Self:
        """Train on a text, or on several.

        Parameters
        ----------
        text : str or iterable of str
            Several texts are independent: each begins with states of zero and a new sequence, so for short texts
            ``sequence_length`` should be near their length.
        y : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a parameter or the text is invalid, or the text is too short.
        FloatingPointError
            If the loss became infinite or NaN.
        MemoryError
            If there is not enough memory for the network or a step of its training.
        KeyboardInterrupt
            Ctrl-C; the best weights so far are kept. After any other error, the model is unchanged.
        """
        self.check_parameters()
        texts, seed = _as_texts(text), self._seed()
        characters, counts = _core.count_characters(texts)
        if not characters:
            raise ValueError("expected a text to train on, got an empty one")
        config: TextModelConfig = {
            "characters": characters,
            "counts": counts,
            "embedding_size": int(self.embedding_size),
            "hidden_size": int(self.hidden_size),
            "num_layers": int(self.num_layers),
            "dropout": float(self.dropout),
            "seed": seed,
        }
        model = _core.CharModel(config)
        callbacks, training = list(self.callbacks or ()), self._training(sum(map(len, texts)), seed)
        tasks = FitTasks(self, texts, y, n_epochs=training["max_epochs"])
        with ProgressBar(training["max_epochs"], shown=self.verbose > 0) as bar:

            def on_epoch(record: EpochRecord) -> bool:
                bar.update(record)
                answers = [callback(dict(record)) for callback in callbacks]
                return tasks.epoch() or any(answers)

            outcome = model.fit(texts, training, on_epoch)
        if outcome["error"] is None or outcome["stop_reason"] in KEPT:
            with aside(self) as fitted:
                fitted._keep(model, outcome)
        if outcome["error"] is not None:
            raise outcome["error"]
        tasks.end()
        return self

    def check_parameters(self) -> None:
        """Check the parameters, as `fit` does before it reads the text.

        Raises
        ------
        TypeError, ValueError
            For the first invalid parameter, in one sentence.
        """
        flat, names = flat_parameters(self), names_in_messages(self)
        for name, rule in _RULES.items():
            rule.check(names.get(name, name), flat[name])
        check_callbacks(self.callbacks)
        check_checkpoint(self.checkpoint)

    def _seed(self) -> int:
        """The seed of this fit: without ``random_state``, that of the checkpoint from which the fit continues."""
        saved = saved_seed(self.checkpoint, 1) if self.random_state is None else None
        return draw_seed(self.random_state) if saved is None else saved

    def _training(self, n_characters: int, seed: int) -> TextTrainingOptions:
        """The core's training options."""
        flat = flat_parameters(self)
        if isinstance(self.max_epochs, str):
            n_steps = (1 - self.validation_fraction) * n_characters / (self.sequence_length * self.batch_size)
            fewest, most = _AUTO_EPOCHS
            max_epochs = min(max(math.ceil(_AUTO_STEPS / max(n_steps, 1)), fewest), most)
        else:
            max_epochs = int(self.max_epochs)
        return {
            "loss": "cross_entropy",
            "optimizer": flat["optimizer"],
            "learning_rate": float(self.learning_rate),
            "weight_decay": float(flat["weight_decay"]),
            "batch_size": int(self.batch_size),
            "sequence_length": int(self.sequence_length),
            "max_epochs": max_epochs,
            "patience": None if self.patience is None else int(self.patience),
            "min_delta": 0.0,
            "lr_schedule": cast(Any, self.lr_schedule),
            "lr_patience": None,
            "lr_factor": 0.5,
            "clip_grad_norm": None if flat["clip_grad_norm"] is None else float(flat["clip_grad_norm"]),
            "validation_fraction": float(self.validation_fraction),
            "shuffle": False,
            "seed": seed,
            "n_threads": None if self.n_threads is None else int(self.n_threads),
            "checkpoint": as_options(self.checkpoint),
        }

    def _keep(self, model: _core.CharModel, outcome: Mapping[str, Any]) -> None:
        """Set the fitted attributes."""
        keep_training(self, model, outcome)
        self.vocabulary_: str = model.config["characters"]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def score(self, text: str | Iterable[str], y: object = None) -> float:
        """The loss of the network on a text, in nats per character: lower is better.

        The mean over all characters but the first of each text, with states that begin with the text. Texts of more
        than 2,048 characters are read in parts of that length, each after the 256 characters before it.

        Parameters
        ----------
        text : str or iterable of str
            Several texts are independent.
        y : ignored
            For scikit-learn, whose searches maximise the score: pass
            ``scoring=lambda model, text, y=None: -model.score(text)`` to them.

        Returns
        -------
        float
            Divided by ``log(2)``: bits per character; its exponential: the perplexity.

        Raises
        ------
        ValueError
            For unknown characters, unless ``unknown="skip"``, or texts of less than two characters.
        """
        check_is_fitted(self)
        return self.model_.score(_as_texts(text), self.unknown, self.n_threads)

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> str:
        """Continue a text.

        Parameters
        ----------
        prompt : str, default=""
            Text that the network reads first. Without one, the first character is drawn by the frequencies of `fit`.
        length : int, default=200
            Number of characters.
        temperature : float, default=1.0
            Divides the logits: below 1, probable characters become more probable. 0: always the most probable one.
        top_k : int or None, default=None
            Draw from this many of the most probable characters only.
        top_p : float or None, default=None
            Draw from the most probable characters that together have this probability only (Holtzman et al. 2020),
            after ``top_k``.
        random_state : int, RandomState, Generator or None, default=None
            Seed of the draws.

        Returns
        -------
        str
            The ``length`` characters after the prompt. Weights are read in half precision (11 binary digits).

        Raises
        ------
        TypeError, ValueError
            If a parameter is invalid, or the prompt has unknown characters, unless ``unknown="skip"``.
        """
        n = check_count("length", length, 0)
        return self._generator(prompt, temperature, top_k, top_p, random_state).take(n)

    def stream(
        self,
        prompt: str = "",
        length: int | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> Iterator[str]:
        """Yield the characters of `generate` one by one, as they are drawn.

        Parameters
        ----------
        prompt, temperature, top_k, top_p, random_state
            As for `generate`.
        length : int or None, default=None
            Number of characters. None: no limit.

        Yields
        ------
        str
            One character. A fit in the meantime has no effect.

        Raises
        ------
        TypeError, ValueError
            As for `generate`, when it is called.
        """
        n = None if length is None else check_count("length", length, 0)
        return _characters(self._generator(prompt, temperature, top_k, top_p, random_state), n)

    def _generator(
        self, prompt: str, temperature: float, top_k: int | None, top_p: float | None, random_state: Any
    ) -> _core.CharGenerator:
        check_is_fitted(self)
        sampling = {"temperature": plain(temperature), "top_k": plain(top_k), "top_p": plain(top_p)}
        for (name, value), rule in zip(sampling.items(), (_TEMPERATURE, _TOP_K, _TOP_P), strict=True):
            rule.check(name, value)
        options: SamplingOptions = {
            "temperature": float(sampling["temperature"]),
            "top_k": None if sampling["top_k"] is None else int(sampling["top_k"]),
            "top_p": None if sampling["top_p"] is None else float(sampling["top_p"]),
            "seed": draw_seed(random_state),
            "unknown": cast(Any, self.unknown),
            "n_threads": None if self.n_threads is None else int(self.n_threads),
        }
        return self.model_.generator(_check_text("prompt", prompt), options)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The weights as torch tensors under PyTorch's names.

        Returns
        -------
        dict of str to torch.Tensor
            ``embedding.weight`` of shape (n_characters, embedding_size), ``lstm.weight_ih_l0`` of shape
            (4 * hidden_size, embedding_size), ..., ``fc.bias`` of shape (n_characters,); copies.
        """
        check_is_fitted(self)
        require_pytorch("state_dict")
        return self.model_.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Self:
        """Replace the weights by those of a PyTorch module over the same characters.

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

        Raises
        ------
        ValueError
            With ``strict=True``, if a weight is missing, unexpected or of another shape; with ``strict=False``, if none
            fits. No weight is changed then.
        """
        check_is_fitted(self)
        self.model_.load_parameters(loaded(self.model_.parameters(), state_dict, strict=strict))
        return self

    def to_torch(self) -> torch.nn.Module:
        """A ``torch.nn.Module`` of ``nn.Embedding``, ``nn.LSTM`` and ``nn.Linear`` with the same weights.

        Returns
        -------
        torch.nn.Module
            It maps indices into ``vocabulary_`` (n, steps), and optionally a state, to logits (n, steps, n_characters)
            and a state.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        require_pytorch("to_torch")
        from lstmforecast.export.pytorch_text import to_torch

        return to_torch(self.model_)

    def _pack(self) -> ModelFile:
        training = {name: getattr(self, f"{name}_") for name in ("best_epoch", "n_epochs", "stop_reason")}
        fixed = ("clip_grad_value", "accumulate_grad_batches")
        flat = {name: value for name, value in flat_parameters(self).items() if name not in fixed}
        file = begin_file(own_kind(self).__name__, flat, self.history_, training)
        return file.with_character_network(self.model_)

    @classmethod
    def _unpack(cls, file: ModelFile) -> Self:
        estimator = cls(**constructor_parameters(cls, file.parameters()))
        estimator.check_parameters()
        estimator._keep(file.character_network(), file.training())
        return estimator


def _characters(generator: _core.CharGenerator, length: int | None) -> Iterator[str]:
    """The characters of a generator."""
    while length is None or length > 0:
        n = _AT_ONCE if length is None else min(_AT_ONCE, length)
        yield from generator.take(n)
        length = None if length is None else length - n


def _as_texts(text: Any) -> list[str]:
    if isinstance(text, str):
        return [_check_text("text", text)]
    if not isinstance(text, Iterable) or isinstance(text, bytes):
        raise TypeError(f"expected text to be a string or several, got {type(text).__name__}")
    return [_check_text("each text", each) for each in text]


def _check_text(name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"expected {name} to be a string, got {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"expected {name} to be Unicode, got half of a surrogate pair, {text[error.start]!r}, at {error.start}"
        ) from None
    return str(text)
