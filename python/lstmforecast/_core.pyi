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
    "HAS_TORCH",
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
    "require_torch",
    "scale_columns",
    "set_torch_advice",
    "time_split",
    "unscale_columns",
    "write_file",
]
__version__: str
HAS_TORCH: bool
"""Whether this core computes with libtorch, too: see `lstmforecast._load_core`."""

class FormatError(ValueError):
    """A file that is not a model of this package, is damaged, or comes from a newer version."""

@final
class Model:
    """A network with its scalers.

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
        """Build a trained model from the results of ``config``, ``parameters`` and ``scalers``.

        No random weights are drawn, and weights and scalers are checked against the configuration before memory is
        allocated. ``int8`` as for `load_parameters`.

        Raises
        ------
        ValueError
            If the configuration is invalid, or weights or scalers don't match it or aren't finite.
        ImportError
            If the network needs libtorch, and this core has none.
        """
    @property
    def refusal(self) -> str | None:
        """What a training is refused with, as it needs libtorch and this core has none; None: it isn't."""
    @property
    def config(self) -> ModelConfig:
        """The configuration, with all keys."""
    @property
    def window_shape(self) -> tuple[int, int]:
        """``(window_size, n_features)``."""
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the network's weights under PyTorch's names (``lstm.weight_ih_l0``, ..., ``fc.bias``)."""
    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]], int8: bool = False) -> None:
        """Replace all weights; if one is missing, unexpected or of the wrong shape, none is changed.

        With ``int8`` weights are multiples, up to 127, of a scale for each row, and forecasts may use integer products.
        """
    def state_dict(self) -> dict[str, torch.Tensor]:
        """Copies of the weights as tensors of Python's torch, which is imported."""
    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor]) -> None:
        """`load_parameters` from tensors of Python's torch."""
    def scalers(self) -> dict[str, NDArray[np.float64]]:
        """``input_center``, ``input_scale`` (n_features,), ``output_center``, ``output_scale`` (n_targets,).

        Where a fit has found an effect of known features, also ``effect_rates``, ``effect_hinges``,
        ``effect_thresholds`` and ``effect_weight``, flat; see `lstmforecast.fitting.effect`.
        """
    def load_scalers(self, scalers: Mapping[str, NDArray[np.float64]]) -> None:
        """Replace the scalers, and the effect of known features where ``scalers`` has one."""
    def fit_series(
        self,
        series: NDArray[np.float64],
        training: TrainingOptions,
        on_epoch: Callable[[EpochRecord], object] | None = None,
        starts: NDArray[np.int64] | None = None,
        scales: NDArray[np.float64] | None = None,
        processes: Processes | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> Outcome:
        """Split in time order, fit the scaler on the training rows, train on windows of ``series`` (n, n_features).

        The columns are targets, then past features, then ``n_known`` features known in advance; NaN is a missing value.
        With ``starts`` (n_series + 1,) the rows are those of several series, one after the other, and the last rows of
        each are held out. ``scales`` (n_series, 2 * n_targets) are the centre, then the scale, of the targets of each
        series. ``weights`` (n,) say how much the targets of each row count in the losses; only their ratios matter.

        ``on_epoch`` is called with the record of each epoch. A list that it returns names frozen parameters that are
        trained from then on; any other true value ends the training. With ``processes`` several processes train
        together and call this with the same data. It has ``rank``, ``world_size``, ``device`` (None, or that of
        the only tensors it can sum) and ``all_reduce(tensors)``, which starts to sum the one tensor of a list in
        place and returns an object with ``wait()``.
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

        For ``loss="cross_entropy"`` ``y`` are class indices (n, 1). With ``patience`` the last rows are held out.
        """
    def gradients(
        self, X: NDArray[np.float64], y: NDArray[np.float64], loss: Loss
    ) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """The loss of all rows as one batch, without dropout, and its gradient for each parameter."""
    def forecast(
        self,
        windows: NDArray[np.float64],
        n_threads: int | None = None,
        scales: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Forecast (n, horizon, n_targets) from windows (n, window_size, n_features), both in the data's units.

        With features known in advance, windows are followed by the rows of the horizon. The parameters of a
        distribution are a fourth dimension. ``scales`` (n, 2 * n_targets) as for `fit_series`, one row for each window.
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
        """Forecast (n_origins, horizon, n_targets) from the ``window_size`` rows before each origin.

        With ``starts``, origins are rows of the series ``which`` (n_origins,).
        """
    def attention_weights(
        self,
        windows: NDArray[np.float64],
        n_threads: int | None = None,
        scales: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """Attention weights (n * channels, num_heads, steps, steps) of windows as `forecast` takes them.

        The channels are the targets if the network reads one target at a time, else there is one channel.
        """
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Monitor:
    """Scores the rows of a series by the errors of a model's forecasts, with a threshold, in constant memory.

    Results for rows (n, k) are four flat arrays: the scores (n,), NaN where no value is known; the threshold of each
    score (n,); the smoothed errors (n * k,), relative to the usual errors; the forecasts one step ahead (n * k,).

    Parameters
    ----------
    state : mapping
        The result of `state`.
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
        """Fit to the rows (n, k) of a point forecaster; its weights were trained on the first ``n_train`` of them.

        The first window has no NaN. Results begin after it.
        """
    def run(
        self, model: Model, rows: NDArray[np.float64], n_threads: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Score the next rows (n, k); NaN is a missing value, which is replaced by its forecast."""
    def moved(self, model: Model, window: NDArray[np.float64]) -> Monitor:
        """Copy with the same scores and threshold, at the end of another window (window_size, k) without NaN."""
    def with_scores_of(self, other: Monitor) -> Monitor:
        """Copy with the position of this monitor, and the smoothed errors and threshold of another."""
    def copy(self) -> Monitor: ...
    def state(self) -> dict[str, Any]:
        """The whole state, as plain values."""
    def check(self, model: Model) -> None:
        """Raise a ValueError if the monitor doesn't match a model."""
    def __reduce__(self) -> tuple[Any, ...]: ...

def follow_scores(
    config: ThresholdOptions, first: NDArray[np.float64], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The threshold of each of ``scores`` (n,), after ``first`` (m,)."""

@final
class CharModel:
    """A network that predicts characters, with its vocabulary.

    Parameters
    ----------
    config : TextModelConfig
    """

    def __new__(cls, config: TextModelConfig) -> CharModel: ...
    @staticmethod
    def restore(config: TextModelConfig, parameters: dict[str, NDArray[np.float32]]) -> CharModel:
        """Build a trained model from the results of ``config`` and ``parameters``, as `Model.restore`."""
    @property
    def config(self) -> TextModelConfig: ...
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the weights under PyTorch's names (``embedding.weight``, ``lstm.weight_ih_l0``, ...)."""
    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Replace all weights; if one is missing, unexpected or of the wrong shape, none is changed."""
    def state_dict(self) -> dict[str, torch.Tensor]:
        """Copies of the weights as tensors of Python's torch, which is imported."""
    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor]) -> None:
        """`load_parameters` from tensors of Python's torch."""
    def fit(
        self,
        texts: Sequence[str],
        training: TextTrainingOptions,
        on_epoch: Callable[[EpochRecord], object] | None = None,
    ) -> Outcome:
        """Train on texts; the last ``validation_fraction`` of their characters are held out.

        Losses are in nats. ``on_epoch`` as for `Model.fit_series`.
        """
    def gradients(
        self, texts: Sequence[str], sequence_length: int, batch_size: int, step: int = 0
    ) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """The loss and gradients of a training step, with the present weights."""
    def score(self, texts: Sequence[str], unknown: str = "error", n_threads: int | None = None) -> float:
        """Mean loss in nats of all characters except the first of each text."""
    def generator(self, prompt: str, sampling: SamplingOptions) -> CharGenerator:
        """Read a prompt, to generate the text after it."""
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class CharGenerator:
    """Generates text; later training of the model has no effect on it."""

    def take(self, n: int) -> str:
        """The next ``n`` characters."""

def count_characters(texts: Sequence[str]) -> tuple[str, list[int]]:
    """The distinct characters of texts, in the order of their code points, and the count of each."""

def augment_windows(
    X: NDArray[Any],
    y: NDArray[Any] | None,
    augment: Sequence[AugmentOptions],
    seed: int,
    step: int = 0,
    n_known: int = 0,
    indicator: bool = False,
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Augment windows ``X`` (n, rows, features) and their horizons ``y`` (n, rows, targets), float32 or float64.

    A training with this ``seed`` augments its samples 0 to n - 1 in the same way in the optimiser step ``step``.

    The features are targets, then others, of which the last ``n_known`` are known in advance, then an indicator of
    missing values for each target. With features known in advance ``X`` has the rows of the horizon too.
    """

def augment_draws(seed: int, step: int, sample: int, augmentation: int, n: int) -> NDArray[np.float64]:
    """The first ``n`` uniform random numbers of an augmentation, which determine everything that is random in it.

    The augmentation is applied if the first is below ``probability``. A slice uses the second one. The others are used
    in pairs ``u, v`` for two normal numbers, ``sqrt(-2 log(1 - u))`` times the cosine and the sine of ``2 pi v``. For
    `jitter` there is one for each number of the window, row by row, then of the known features of the horizon; for
    `scale` one for each column; for the warps the knots from first to last, column by column.
    """

def after_fork() -> None:
    """Limit libtorch to one thread, as in every forked child, where its other threads don't exist."""

def require_torch(option: str) -> None:
    """Raise an ImportError for an option that needs libtorch, unless this core has it."""

def set_torch_advice(text: str) -> None:
    """Set what errors say of an option that needs libtorch, in place of how to install it; the first call counts."""

def n_threads(asked: int | None = None) -> int:
    """The number of threads: ``asked``, or else ``OMP_NUM_THREADS``, or else the number that the machine allows."""

def time_split(n_rows: int, validation_fraction: float, gap: int = 0) -> tuple[int, int]:
    """Split rows in time order: the number of training rows, and the first row of the validation part."""

def panel_split(n_rows: int, validation_fraction: float, horizon: int) -> tuple[int, int]:
    """`time_split` of a series of a panel: at least ``horizon`` rows are held out, or none of a short series."""

def fit_scaler(
    kind: str,
    data: NDArray[Any],
    feature_range: tuple[float, float] = ...,
    quantile_range: tuple[float, float] = ...,
    with_centering: bool = True,
    with_scaling: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Statistics of each column of ``data`` (n, n_features), float32 or float64; NaN is ignored.

    They have scikit-learn's names. ``"standard"``: ``mean``, ``var``, ``scale``. ``"minmax"``: ``data_min``,
    ``data_max``, ``data_range``, ``scale``, ``min``. ``"robust"``: ``center``, ``scale``.
    """

def scale_columns(data: NDArray[Any], center: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[Any]:
    """``(data - center) / scale`` for each column, in the type of ``data`` (float32 or float64)."""

def unscale_columns(data: NDArray[Any], center: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[Any]:
    """``data * scale + center`` for each column: the inverse of `scale_columns`."""

def reduce_lr_on_plateau(losses: Sequence[float], learning_rate: float, patience: int, factor: float) -> list[float]:
    """The learning rate after the loss of each epoch, as by ``torch.optim.lr_scheduler.ReduceLROnPlateau``."""

def write_file(path: str | PathLike[str], tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file (float32, float64, int64, int8, or bfloat16 as uint16), by renaming a temporary one."""

def replace_file(path: str | PathLike[str], contents: bytes) -> None:
    """Write bytes to a path, completely or not at all, also through links and into pipes and devices."""

def read_file(path: str | PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read tensors and metadata of a file of `write_file`; raise a FormatError for other files."""

def checkpoint_seed(folder: str | PathLike[str]) -> int | None:
    """The seed of the training whose checkpoints are in a folder; None if there are none."""

def metrics(truth: NDArray[np.float64], forecast: NDArray[np.float64]) -> dict[str, float]:
    """``mae``, ``mse``, ``rmse``, ``smape`` (percent, mean of 200|y-f|/(|y|+|f|)) of two arrays of the same length."""
