"""The compiled core: networks, training, scaling and model files in Rust.

Arrays are C-contiguous NumPy arrays of the stated dtype, options are dictionaries of plain values, which
`lstmforecast.contract.core_options` describes. Every call that computes releases the GIL. Bad shapes and values raise
`ValueError`, wrong types `TypeError`, files `OSError` or `FormatError`, libtorch and devices `RuntimeError`.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from lstmforecast.contract.core_options import (
    AugmentOptions,
    EpochRecord,
    Loss,
    ModelConfig,
    MonitorOptions,
    Outcome,
    SamplingOptions,
    TextModelConfig,
    TextTrainingOptions,
    ThresholdOptions,
    TrainingOptions,
)
from lstmforecast.distributed import Processes

__all__ = [
    "CharGenerator",
    "CharModel",
    "FormatError",
    "Model",
    "Monitor",
    "__version__",
    "after_fork",
    "augment_draws",
    "augment_windows",
    "checkpoint_seed",
    "count_characters",
    "fit_scaler",
    "follow_scores",
    "metrics",
    "n_threads",
    "panel_split",
    "read_file",
    "reduce_lr_on_plateau",
    "replace_file",
    "scale_columns",
    "time_split",
    "unscale_columns",
    "write_file",
]
__version__: str

class FormatError(ValueError):
    """A file that is not a model of this package, is damaged, or comes from a newer version."""

@final
class Model:
    """A network with its scalers: the thing that is trained, kept and asked for forecasts.

    Parameters
    ----------
    config : ModelConfig
    """

    def __new__(cls, config: ModelConfig) -> Model: ...
    @staticmethod
    def restore(
        config: ModelConfig,
        parameters: dict[str, NDArray[np.float32]],
        scalers: Mapping[str, NDArray[np.float64]],
        int8: bool = False,
    ) -> Model:
        """Build a trained model again of what ``config``, ``parameters`` and ``scalers`` gave.

        No weights are drawn, and nothing is allocated before weights and scalers are known to be the configuration's.
        ``int8`` as of `load_parameters`.

        Raises
        ------
        ValueError
            For a configuration that makes no sense, weights or scalers of another one, and those that aren't finite.
        """
    @property
    def config(self) -> ModelConfig:
        """The configuration, with all keys."""
    @property
    def window_shape(self) -> tuple[int, int]:
        """``(window_size, n_features)``."""
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the network's weights under PyTorch's names (``lstm.weight_ih_l0``, ..., ``fc.bias``)."""
    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]], int8: bool = False) -> None:
        """Replace all weights; a missing, unexpected or wrongly shaped one is named and nothing is changed.

        With ``int8`` they are multiples of a scale for each row, at most 127: forecasts may multiply them as integers.
        """
    def state_dict(self) -> dict[str, torch.Tensor]:
        """Copies of the weights as tensors of Python's torch, which is imported for it."""
    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor]) -> None:
        """`load_parameters` from tensors of Python's torch."""
    def scalers(self) -> dict[str, NDArray[np.float64]]:
        """``input_center``, ``input_scale`` (n_features,), ``output_center``, ``output_scale`` (n_targets,)."""
    def load_scalers(self, scalers: Mapping[str, NDArray[np.float64]]) -> None: ...
    def fit_series(
        self,
        series: NDArray[np.float64],
        training: TrainingOptions,
        on_epoch: Callable[[EpochRecord], object] | None = None,
        starts: NDArray[np.int64] | None = None,
        scales: NDArray[np.float64] | None = None,
        processes: Processes | None = None,
    ) -> Outcome:
        """Split in time order, fit the scaler on the training rows, train on windows of ``series`` (n, n_features).

        The columns are targets, then features known so far, then ``n_known`` known in advance; NaN is a missing value.
        With ``starts`` (n_series + 1,) the rows are those of several series below each other, of which the last of each
        are held out; with ``scales`` (n_series, 2 * n_targets), centres then scales, the targets of each are scaled by
        its own.

        ``on_epoch`` gets each epoch's record. It ends the training when it returns something true, save a list: the
        names of frozen parameters that are trained from then on. ``processes`` (with ``rank``, ``world_size`` and
        ``all_reduce(tensor)``, which begins to sum a tensor in place and returns a work to ``wait()`` for) train
        together: all call this with the same data.
        """
    def fit_windows(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        sample_weight: NDArray[np.float64] | None,
        training: TrainingOptions,
        on_epoch: Callable[[EpochRecord], object] | None = None,
        processes: Processes | None = None,
    ) -> Outcome:
        """Train on windows ``X`` (n, window_size, n_features) and ``y`` (n, horizon * n_targets).

        For ``loss="cross_entropy"`` ``y`` holds (n, 1) class indices. The last rows are held out when ``patience`` is
        set. Returns what `fit_series` returns.
        """
    def gradients(
        self, X: NDArray[np.float64], y: NDArray[np.float64], loss: Loss
    ) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """The loss of all rows in one batch, dropout off, and its gradient for each parameter."""
    def forecast(
        self,
        windows: NDArray[np.float64],
        n_threads: int | None = None,
        scales: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Windows (n, window_size, n_features) in the data's units -> forecasts (n, horizon, n_targets), same units.

        Where something is known in advance, the rows of the horizon follow those of the window. A distribution's
        parameters are a fourth dimension. ``scales`` (n, 2 * n_targets) as in `fit_series`, one row for each window.
        """
    def forecast_series(
        self,
        series: NDArray[np.float64],
        origins: NDArray[np.int64],
        n_threads: int | None = None,
        starts: NDArray[np.int64] | None = None,
        scales: NDArray[np.float64] | None = None,
        which: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Forecasts (n_origins, horizon, n_targets), each from the ``window_size`` rows before row ``origin``.

        With ``starts``, origins are rows of the series ``which`` (n_origins,).
        """
    def attention_weights(
        self,
        windows: NDArray[np.float64],
        n_threads: int | None = None,
        scales: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """Attention weights (n * channels, num_heads, steps, steps) of windows as `forecast` takes them.

        Channels are the targets where the network sees them one at a time.
        """
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Monitor:
    """Watches a series beside the model that forecasts it: errors, smoothed scores, a threshold. Constant in size.

    What it finds of rows (n, k) comes as four flat arrays: scores (n,), NaN where nothing is known; the thresholds (n,)
    that they are held against; the smoothed errors (n * k,), in units of their usual sizes; the forecasts (n * k,) one
    step ahead.

    Parameters
    ----------
    state : mapping
        What `state` gave.
    """

    def __new__(cls, state: Mapping[str, Any]) -> Monitor: ...
    @staticmethod
    def fit(
        model: Model,
        rows: NDArray[np.float64],
        config: MonitorOptions,
        n_train: int,
        n_threads: int | None = None,
    ) -> tuple[Monitor, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
        """Learn from the rows (n, k) that a model of points was fitted to, the first ``n_train`` with its weights.

        The first window has no NaN. What is found begins after it.
        """
    def run(
        self, model: Model, rows: NDArray[np.float64], n_threads: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Take the next rows (n, k) in; NaN is a missing value, which its forecast fills."""
    def moved(self, model: Model, window: NDArray[np.float64]) -> Monitor:
        """Scores and thresholds of this one, at the end of another window (window_size, k) without NaN."""
    def with_scores_of(self, other: Monitor) -> Monitor:
        """The place and model of this one, the smoothed errors and the threshold of another."""
    def copy(self) -> Monitor: ...
    def state(self) -> dict[str, Any]:
        """All of it, in plain values."""
    def check(self, model: Model) -> None:
        """Raise ValueError unless it goes with a model."""
    def __reduce__(self) -> tuple[Any, ...]: ...

def follow_scores(
    config: ThresholdOptions, first: NDArray[np.float64], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a threshold, of ``config`` as in `Monitor.fit`, holds ``scores`` (n,) against, after ``first`` (m,)."""

@final
class CharModel:
    """A network over characters with its vocabulary.

    Parameters
    ----------
    config : TextModelConfig
    """

    def __new__(cls, config: TextModelConfig) -> CharModel: ...
    @staticmethod
    def restore(config: TextModelConfig, parameters: dict[str, NDArray[np.float32]]) -> CharModel:
        """Build a trained model again of what ``config`` and ``parameters`` gave, as `Model.restore` does."""
    @property
    def config(self) -> TextModelConfig: ...
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the weights under PyTorch's names (``embedding.weight``, ``lstm.weight_ih_l0``, ...)."""
    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Replace all weights; a missing, unexpected or wrongly shaped one is named and nothing is changed."""
    def state_dict(self) -> dict[str, torch.Tensor]:
        """Copies of the weights as tensors of Python's torch, which is imported for it."""
    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor]) -> None:
        """`load_parameters` from tensors of Python's torch."""
    def fit(
        self,
        texts: Sequence[str],
        training: TextTrainingOptions,
        on_epoch: Callable[[EpochRecord], object] | None = None,
    ) -> Outcome:
        """Train on texts, the last ``validation_fraction`` of whose characters are held out.

        Losses are in nats. ``on_epoch`` as of `Model.fit_series`.
        """
    def gradients(
        self, texts: Sequence[str], sequence_length: int, batch_size: int, step: int = 0
    ) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """The loss of a training's step and its gradient for each parameter, if no step before moved a weight."""
    def score(self, texts: Sequence[str], unknown: str = "error", n_threads: int | None = None) -> float:
        """Mean nats of all characters but the first of each text."""
    def generator(self, prompt: str, sampling: SamplingOptions) -> CharGenerator:
        """Read a prompt, to generate the text after it."""
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class CharGenerator:
    """A text in the making; the model may be trained in the meantime."""

    def take(self, n: int) -> str:
        """The next ``n`` characters."""

def count_characters(texts: Sequence[str]) -> tuple[str, list[int]]:
    """The different characters of texts in the order of their code points, and how often each comes."""

def augment_windows(
    X: NDArray[Any],
    y: NDArray[Any] | None,
    augment: Sequence[AugmentOptions],
    seed: int,
    step: int = 0,
    n_known: int = 0,
    indicator: bool = False,
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Change windows ``X`` (n, rows, features) and the horizons ``y`` (n, rows, targets) after them, as a training with
    this ``seed`` does with its samples 0 to n - 1 in an optimiser step; float32 or float64.

    The features are targets, then others, of which the last ``n_known`` are known in advance, then an indicator of
    missing values for each target. With features known in advance ``X`` has the rows of the horizon too.
    """

def augment_draws(seed: int, step: int, sample: int, augmentation: int, n: int) -> NDArray[np.float64]:
    """The first ``n`` uniform numbers of one augmentation's stream, from which all that is random in it is made.

    The first decides whether it is applied: if it is below ``probability``. A slice takes the second. The others are
    taken in pairs ``u, v`` for two normal numbers, ``sqrt(-2 log(1 - u))`` times the cosine and the sine of ``2 pi v``:
    for `jitter` one for each number of the window, row after row, then of what is known of the horizon; one for each
    column that `scale` changes; heights from first to last, column after column, for the warps.
    """

def after_fork() -> None:
    """Keep libtorch to one thread, as is done in every forked child: its other threads stayed in the parent."""

def n_threads(asked: int | None = None) -> int:
    """Threads to use: as many as asked for, else as ``OMP_NUM_THREADS`` or else the machine allows."""

def time_split(n_rows: int, validation_fraction: float, gap: int = 0) -> tuple[int, int]:
    """(rows of the training part, first row of the validation part) of a split in time order."""

def panel_split(n_rows: int, validation_fraction: float, horizon: int) -> tuple[int, int]:
    """`time_split` of a series of a panel: at least ``horizon`` rows are held out, or none where it is short."""

def fit_scaler(
    kind: str,
    data: NDArray[Any],
    feature_range: tuple[float, float] = ...,
    quantile_range: tuple[float, float] = ...,
    with_centering: bool = True,
    with_scaling: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Statistics of each column of ``data`` (n, n_features; float32 or float64; NaN is passed over).

    Under scikit-learn's names: ``"standard"``: ``mean``, ``var``, ``scale``; ``"minmax"``: ``data_min``, ``data_max``,
    ``data_range``, ``scale``, ``min``; ``"robust"``: ``center``, ``scale``.
    """

def scale_columns(data: NDArray[Any], center: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[Any]:
    """``(data - center) / scale`` for each column; float32 in, float32 out; float64 in, float64 out."""

def unscale_columns(data: NDArray[Any], center: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[Any]:
    """``data * scale + center`` for each column: the inverse of `scale_columns`."""

def reduce_lr_on_plateau(losses: Sequence[float], learning_rate: float, patience: int, factor: float) -> list[float]:
    """The learning rate after each epoch's loss, as ``torch.optim.lr_scheduler.ReduceLROnPlateau`` sets it."""

def write_file(path: str | PathLike[str], tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write one safetensors file (float32, float64, int64, int8, or bfloat16 as uint16); a temporary one is renamed."""

def replace_file(path: str | PathLike[str], contents: bytes) -> None:
    """Put bytes at a path: a file whole or not at all, through links, into pipes and devices; else OSError."""

def read_file(path: str | PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of a file written by `write_file`; FormatError for any other bytes."""

def checkpoint_seed(folder: str | PathLike[str]) -> int | None:
    """The seed of the training whose checkpoints lie in a folder; None where there are none."""

def metrics(truth: NDArray[np.float64], forecast: NDArray[np.float64]) -> dict[str, float]:
    """``mae``, ``mse``, ``rmse``, ``smape`` (percent, mean of 200|y-f|/(|y|+|f|)) of two arrays of the same length."""
