"""The dictionaries that the compiled core takes and gives: their keys and the types of their values."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict, final

import numpy as np
from numpy.typing import NDArray


class AttentionSizes(TypedDict):
    """Sizes of self-attention over the outputs of the LSTM; ``num_heads`` divides ``hidden_size``."""

    num_heads: int


class CnnLstmSizes(TypedDict):
    """Sizes of the convolutions before the LSTM, one after the other."""

    kernel_sizes: list[int]
    out_channels: int


class TransformerSizes(TypedDict):
    """Sizes of the encoder of a Transformer, and whether a step reads only the steps up to its own."""

    num_heads: int
    dim_feedforward: int
    causal: bool


class AttentionArchitecture(TypedDict):
    """An LSTM with self-attention."""

    attention: AttentionSizes


class CnnLstmArchitecture(TypedDict):
    """Convolutions before an LSTM."""

    cnn_lstm: CnnLstmSizes


class TransformerArchitecture(TypedDict):
    """The encoder of a Transformer."""

    transformer: TransformerSizes


Architecture: TypeAlias = (
    Literal["lstm", "linear"] | AttentionArchitecture | CnnLstmArchitecture | TransformerArchitecture
)


@final
class Quantiles(TypedDict):
    """Levels of quantiles between 0 and 1, ascending."""

    quantiles: list[float]


@final
class TweedieDistribution(TypedDict):
    """The power between 1 and 2 of Tweedie's distribution."""

    tweedie: float


Distribution: TypeAlias = (
    Literal["normal", "student_t", "negative_binomial", "poisson", "zero_inflated_negative_binomial", "lognormal"]
    | Quantiles
    | TweedieDistribution
)


class PinballLoss(TypedDict):
    """The loss of a quantile of this level."""

    pinball: float


class DistributionLoss(TypedDict):
    """The loss of a distribution: its negative log-likelihood, or the mean pinball loss of its quantiles."""

    distribution: Distribution


Loss: TypeAlias = Literal["mse", "mae", "huber", "cross_entropy"] | PinballLoss | DistributionLoss


class Embedding(TypedDict):
    """A column of categories, read as vectors: the features of the categories, and the size of a vector."""

    columns: list[int]
    size: int


class ModelDefaults(TypedDict, total=False):
    """The keys of a `ModelConfig` that have a default in the core."""

    segment_length: int
    linear_skip: bool
    channels: Literal["together", "independent"]
    n_known: int
    known_effect: bool
    embeddings: list[Embedding]
    indicator: bool
    interpolate_gaps: bool
    distribution: Distribution | None
    normalize: Literal["last", "window"] | None
    supervision: Literal["last", "every"]
    tbptt: int | None
    layer_devices: list[str] | None


class ModelConfig(ModelDefaults):
    """The configuration of `_core.Model`.

    ``segment_length``: rows of a window in one step of the LSTM. ``linear_skip``: whether a linear forecast is added.
    ``channels``: whether the network sees all targets together, or one at a time. ``n_known``: how many features, the
    last ones, are known in advance. ``known_effect``: whether a function of these is subtracted from the targets;
    absent where none is. ``embeddings``: features that are read as learned vectors; absent where there are none.
    ``indicator``: whether a column for each target marks missing values. ``interpolate_gaps``: whether missing targets
    between two known ones are interpolated, rather than carried; absent where not.
    ``distribution``: None for a point forecast. ``normalize``: how each window is scaled. ``supervision``: whether the
    loss is that of the last step, or of every step. ``tbptt``: steps of backpropagation through time; None for all.
    ``layer_devices``: a device for each layer of the LSTM. The targets are the first ``n_targets`` of ``n_features``.
    """

    architecture: Architecture
    hidden_size: int
    num_layers: int
    bidirectional: bool
    dropout: float
    window_size: int
    horizon: int
    n_features: int
    n_targets: int
    backend: Literal["auto", "fused", "torch"]
    device: str
    seed: int


class _CheckpointDefaults(TypedDict, total=False):
    """What has a default in the core."""

    every_n_epochs: int | None
    every_n_minutes: float | None


class CheckpointOptions(_CheckpointDefaults):
    """The fields of `lstmforecast.Checkpoint`; ``folder`` is a path."""

    folder: str
    keep: int
    resume: bool


class TransferOptions(TypedDict, total=False):
    """How parameters taken from another model are trained.

    ``learning_rates``: those of single parameters, by name. ``frozen``: names of parameters that get no update.
    ``adapt_line``: whether a linear skip connection whose weights are not zero is fitted again, starting from them.
    """

    learning_rates: dict[str, float]
    frozen: list[str]
    adapt_line: bool


class NoiseOptions(TypedDict):
    """`lstmforecast.augment.jitter` and `scale`."""

    method: Literal["jitter", "scale"]
    probability: float
    sigma: float


class WarpOptions(TypedDict):
    """`lstmforecast.augment.magnitude_warp` and `time_warp`."""

    method: Literal["magnitude_warp", "time_warp"]
    probability: float
    knots: int
    sigma: float


class SliceOptions(TypedDict):
    """`lstmforecast.augment.window_slice`."""

    method: Literal["window_slice"]
    probability: float
    size: float


AugmentOptions: TypeAlias = NoiseOptions | WarpOptions | SliceOptions


class _OptimizerDefaults(TypedDict, total=False):
    """What has a default in the core."""

    accumulate_grad_batches: int
    season: int | None
    steps_per_epoch: int | None
    patience: int | None
    lr_schedule: Literal["constant", "plateau", "cosine", "onecycle"]
    lr_patience: int | None
    clip_grad_norm: float | None
    clip_grad_value: float | None
    precision: Literal["float32", "bfloat16"]
    n_threads: int | None
    checkpoint: CheckpointOptions | None
    transfer: TransferOptions


class _OptimizerOptions(_OptimizerDefaults):
    """What trainings on series, windows and texts have in common."""

    loss: Loss
    optimizer: Literal["adam", "adamw"]
    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    min_delta: float
    lr_factor: float
    shuffle: bool
    seed: int


class _DataDefaults(TypedDict, total=False):
    """What has a default in the core."""

    scaler: Literal["standard", "minmax", "robust", "loaded"] | None
    filled_gaps: int
    augment: list[AugmentOptions]


class TrainingOptions(_OptimizerOptions, _DataDefaults):
    """The options of `_core.Model.fit_series` and `fit_windows`.

    ``accumulate_grad_batches``: batches in one step. ``steps_per_epoch``: None for a pass over the data. ``patience``:
    None where nothing is held out. ``scaler``: ``"loaded"`` keeps the scalers of `_core.Model.load_scalers`.
    ``filled_gaps``: missing targets in gaps of at most so many rows are learned as if they lay on the straight line.
    """

    validation_fraction: float
    gap: int
    stride: int


class TrainingOverrides(TypedDict, total=False):
    """Options of a training that an estimator derives from its data.

    ``season``: its steps, 1 where none is known; the linear forecast of few windows is then shrunk towards smoothed
    values. None: towards zero.
    """

    loss: Loss
    scaler: Literal["standard", "minmax", "robust", "loaded"] | None
    filled_gaps: int
    stride: int
    steps_per_epoch: int | None
    season: int | None
    validation_fraction: float


class TextTrainingOptions(_OptimizerOptions):
    """The options of `_core.CharModel.fit`; ``sequence_length`` characters are one row of a batch."""

    sequence_length: int
    validation_fraction: float


class _OfEnsemble(TypedDict, total=False):
    """What only ensembles add."""

    estimator: int


class EpochRecord(_OfEnsemble):
    """One epoch of a training, of the network number ``estimator`` of an ensemble.

    ``val_loss`` is NaN without validation.
    """

    epoch: int
    train_loss: float
    val_loss: float
    learning_rate: float
    grad_norm: float
    seconds: float


class History(TypedDict):
    """The same for all epochs: a column of shape (n_epochs,) for each."""

    epoch: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    val_loss: NDArray[np.float64]
    learning_rate: NDArray[np.float64]
    grad_norm: NDArray[np.float64]
    seconds: NDArray[np.float64]


StopReason: TypeAlias = Literal["max_epochs", "patience", "callback", "interrupted", "diverged", "process_lost"]


class Outcome(TypedDict):
    """The result of a training.

    ``best_epoch`` counts from 1. ``error`` is the exception that ended the training (KeyboardInterrupt, one of the
    function called after each epoch, FloatingPointError, RuntimeError), to be raised by the caller once the state is
    kept, or None. The best weights are in place in every case.
    """

    history: History
    best_epoch: int
    n_epochs: int
    stop_reason: StopReason
    error: BaseException | None


class DynamicOptions(TypedDict):
    """`lstmforecast.thresholds.DynamicThreshold`."""

    window: int
    every: int
    pruning: float


class QuantileOptions(TypedDict):
    """`lstmforecast.thresholds.QuantileThreshold`."""

    window: int
    level: float
    factor: float


class EwmaOptions(TypedDict):
    """`lstmforecast.thresholds.EWMAThreshold`."""

    span: float
    n_sigmas: float


class PotOptions(TypedDict):
    """`lstmforecast.thresholds.POTThreshold`."""

    risk: float
    level: float
    n_peaks: int


class ThresholdOptions(TypedDict, total=False):
    """A threshold of a monitor: exactly one of these."""

    dynamic: DynamicOptions
    quantile: QuantileOptions
    ewma: EwmaOptions
    pot: PotOptions


class _MonitorDefaults(TypedDict, total=False):
    """What has a default in the core."""

    clip: float | None


class MonitorOptions(_MonitorDefaults):
    """The options of `_core.Monitor`: ``smoothing`` is a span in rows, ``clip`` a number of usual errors."""

    smoothing: float
    threshold: ThresholdOptions


class TextModelConfig(TypedDict):
    """The configuration of `_core.CharModel`: ``counts`` are the frequencies of ``characters``."""

    characters: str
    counts: list[int]
    embedding_size: int
    hidden_size: int
    num_layers: int
    dropout: float
    seed: int


class _SamplingDefaults(TypedDict, total=False):
    """What has a default in the core."""

    top_k: int | None
    top_p: float | None
    n_threads: int | None


class SamplingOptions(_SamplingDefaults):
    """The options of `_core.CharModel.generator`."""

    temperature: float
    seed: int
    unknown: Literal["error", "skip"]
