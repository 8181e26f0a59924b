"""The forecaster: a time-ordered series in, the steps after its end out, in the same container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lstmforecast.container import Fill, Observations
from lstmforecast.estimator import LSTMEstimator
from lstmforecast.index import Frequency, season_length
from lstmforecast.intervals import ConformalIntervals
from lstmforecast.parameters import check_count
from lstmforecast.scalers import fit_affine
from lstmforecast.sizing import Sizes, training_rows

if TYPE_CHECKING:
    from lstmforecast.backtesting import BacktestResult


class LSTMForecaster(ConformalIntervals, LSTMEstimator):
    """Forecast one or many time series at once with an LSTM network that maps a window to a whole horizon.

    Parameters
    ----------
    horizon : int, default=1
        Steps that the network forecasts at once; `predict` rolls on for longer ones.
    window_size : int or None, default=None
        Rows that the network sees before it forecasts; None: chosen by `default_window_size`.
    segment_length : int or None, default=None
        Rows that the LSTM reads as one step, as in SegRNN; a divisor of the window. None: a season where the window has
        several, so that an hourly series is read day by day.
    linear_skip : bool, default=True
        Whether a linear forecast from the window (NLinear, one for all variables) is added to the LSTM's, which then
        learns what the line leaves.
    channels : {"independent", "together"}, default="independent"
        Whether one network forecasts each variable from its own past, trained on all of them, or all variables at once.
    normalize : {"last", None}, default="last"
        ``"last"`` subtracts the last row of each window from it and adds it to the forecast again, so that levels never
        seen in training are no obstacle.
    loss : {"mse", "mae", "huber"}, default="mse"
        What training minimises, on scaled values.
    n_estimators : int, default=1
        Networks that differ in their seeds and are trained side by side; their forecasts are averaged, which makes them
        better by a percent or two.
    stride : int, default=1
        Rows from the start of one training window to that of the next.
    freq : str, offset or None, default=None
        Frequency of the times in pandas' words (``"h"``, ``"MS"``); None: found from the index.
    fill : {None, "ffill", "interpolate"}, default=None
        How missing values and missing times are mended; None: they are an error that names them.
    architecture : {"lstm", "linear"}, default="lstm"
        Kind of network; ``"linear"`` is the linear forecast of ``linear_skip`` alone, which an LSTM has to beat.
    hidden_size, num_layers, bidirectional, dropout
        Width and depth of the network, as in `torch.nn.LSTM`.
    scaler : {"standard", "minmax", "robust", None} or a scaler object, default="standard"
        How each column is scaled; fitted on the training rows only.
    optimizer, learning_rate, weight_decay, batch_size, clip_grad_norm
        How the weights are fitted, as in `torch.optim`.
    max_epochs, steps_per_epoch : int, int or None, default=20 and 20
        Looks at the held-out rows, and optimiser steps before each; None: a pass over all windows. Where steps are
        counted, a look takes in some 4,000 windows, evenly spread.
    patience, min_delta : int or None, float
        Training ends after ``patience`` epochs without a validation loss better by ``min_delta``, and the best weights
        are restored; ``patience=None``: nothing is held out.
    lr_schedule : {"cosine", "onecycle", "plateau", "constant"}, default="cosine"
        How the rate goes on: along the curve of ``CosineAnnealingLR`` or ``OneCycleLR`` of `torch.optim.lr_scheduler`
        over all steps, cut when the validation loss stops falling, or unchanged.
    lr_patience, lr_factor : int or None, float
        With ``"plateau"``, the rate shrinks by ``lr_factor`` after ``lr_patience`` epochs without progress; None:
        never.
    validation_fraction : float, default=0.2
        The part of the rows, the last ones, that is held out to judge each epoch.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the fit before.
    backend : {"auto", "fused", "torch"}, default="auto"
        Who computes: our own kernel (``"fused"``, CPUs only) or libtorch; ``"auto"`` takes the kernel on CPUs.
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"
        Where the computation runs.
    n_threads : int or None, default=None
        Threads; None: as many as ``OMP_NUM_THREADS`` (joblib sets it in its workers) or else the machine allows.
    random_state : int, RandomState, Generator or None, default=None
        Same seed, same bits.
    verbose : int, default=0
        1 shows a bar with the losses; 0 prints nothing.
    callbacks : list of callables or None, default=None
        Called with each epoch's record; training ends when one returns something true.

    Attributes
    ----------
    window_size_ : int
        Rows that the network sees.
    context_ : array, Series or DataFrame of shape (window_size_, k)
        The last rows seen, from which `predict` goes on, in the container that was given to `fit`.
    cutoff_ : label or int
        Index label of the last row seen; the row's number for arrays.
    freq_ : str, int, offset or None
        Frequency of the index; the step of an integer one.
    n_features_in_ : int
        How many variables.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Column names, if all of them are strings.
    history_ : DataFrame
        One row for each epoch: ``train_loss``, ``val_loss``, ``learning_rate``, ``grad_norm``, ``seconds``.
    best_epoch_, n_epochs_ : int
        The epoch (from 1) whose weights are kept, and how many there were.
    stop_reason_ : str
        Why training ended.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> hours = pd.date_range("2024-01-01", periods=240, freq="h")
    >>> load = pd.Series(np.sin(np.arange(240) * np.pi / 12), index=hours, name="load")
    >>> forecaster = LSTMForecaster(horizon=3, hidden_size=8, max_epochs=2, random_state=0).fit(load)
    >>> forecast = forecaster.predict()
    >>> print(forecast.index[0], forecast.name, len(forecast))
    2024-01-11 00:00:00 load 3
    >>> len(forecaster.predict(horizon=5))
    5
    """

    _architectures = ("lstm", "linear")
    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        horizon: int = 1,
        *,
        window_size: int | None = None,
        segment_length: int | None = None,
        linear_skip: bool = True,
        channels: str = "independent",
        normalize: str | None = "last",
        loss: str = "mse",
        n_estimators: int = 1,
        stride: int = 1,
        freq: Frequency = None,
        fill: Fill = None,
        architecture: str = "lstm",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        scaler: Any = "standard",
        optimizer: str = "adam",
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        batch_size: int = 512,
        max_epochs: int = 20,
        steps_per_epoch: int | None = 20,
        patience: int | None = 10,
        min_delta: float = 0.0,
        lr_schedule: str = "cosine",
        lr_patience: int | None = 5,
        lr_factor: float = 0.5,
        clip_grad_norm: float | None = 1.0,
        validation_fraction: float = 0.2,
        warm_start: bool = False,
        backend: str = "auto",
        device: str = "cpu",
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callbacks: list[Callable[[dict[str, Any]], object]] | None = None,
    ) -> None:
        self.horizon = horizon
        self.window_size = window_size
        self.segment_length = segment_length
        self.linear_skip = linear_skip
        self.channels = channels
        self.normalize = normalize
        self.loss = loss
        self.n_estimators = n_estimators
        self.stride = stride
        self.freq = freq
        self.fill = fill
        self.architecture = architecture
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.scaler = scaler
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.steps_per_epoch = steps_per_epoch
        self.patience = patience
        self.min_delta = min_delta
        self.lr_schedule = lr_schedule
        self.lr_patience = lr_patience
        self.lr_factor = lr_factor
        self.clip_grad_norm = clip_grad_norm
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.backend = backend
        self.device = device
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks

    def fit(self, y: Any) -> LSTMForecaster:
        """Train on a time-ordered series.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, k), Series or DataFrame
            Observations in time order, all columns to be forecast. A pandas index must be a DatetimeIndex, PeriodIndex
            or regular integers.

        Returns
        -------
        LSTMForecaster
            Itself. After a KeyboardInterrupt it is fitted with the best weights so far; after any other error it is
            what it was before.

        Raises
        ------
        TypeError
            If a column holds no numbers, or the index no times.
        ValueError
            If a parameter is out of range, or the data too short, unsorted, with gaps, or not finite.
        """
        self._validate_parameters()
        return self._fit(Observations.read(y, freq=self.freq, fill=self.fill))

    def _fit(self, observations: Observations) -> LSTMForecaster:
        sizes = Sizes(self.horizon, self.window_size, self.segment_length, season_length(observations.freq))
        window_size, segment_length = sizes.resolve(len(observations), self._held_out())
        seed = self._seed()
        width = observations.n_columns
        model = self._new_model(
            window_size=window_size,
            horizon=self.horizon,
            n_features=width,
            n_targets=width,
            seed=seed,
            normalize=self.normalize,
            segment_length=segment_length,
            linear_skip=bool(self.linear_skip),
            channels=self.channels,
        )
        training = self._training(seed, stride=self.stride)
        if self.scaler is not None and not isinstance(self.scaler, str):
            model.load_scalers(self._fit_scaler_object(observations.values))
            training["scaler"] = "loaded"
        outcome = self._run(lambda on_epoch: model.fit_series(observations.values, training, on_epoch))
        self._remember(observations, window_size, n_rows=len(observations))
        self._calibrate(model, observations)
        self._keep(model, outcome)
        return self

    def predict(self, horizon: int | None = None, context: Any = None) -> Any:
        """Forecast the steps after the end of the data.

        Parameters
        ----------
        horizon : int or None, default=None
            How many steps; None: as many as trained for. For more, forecasts are appended to the data and the network
            is asked again.
        context : array-like, Series, DataFrame or None, default=None
            Data to forecast from, of at least ``window_size_`` rows (the last are used), with the columns and frequency
            of `fit`; None: the data of `fit` and `update`.

        Returns
        -------
        array, Series or DataFrame of shape (horizon,) or (horizon, k)
            In the container of the data, its index continued.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also if ``context`` is too short or has other columns.
        """
        seen, values = self._predict(horizon, context)
        return seen.continued(values)

    def update(self, y: Any) -> LSTMForecaster:
        """Append newer observations, from which `predict` then goes on; the weights stay as they are.

        Intervals follow: the errors of the forecasts that can now be judged take the place of the oldest ones.

        Parameters
        ----------
        y : array-like, Series or DataFrame
            Rows that follow the last ones seen, with the columns of `fit`. An array's rows simply follow.

        Returns
        -------
        LSTMForecaster
            Itself.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also if ``y`` overlaps with what was seen, or leaves a gap after it and ``fill`` is None.
        """
        check_is_fitted(self)
        seen = self._context.extended(y, fill=self.fill)
        n_new = len(seen) - len(self._context)
        self._learn_errors(seen.rows(len(self._context), len(seen)))
        self._remember(seen, self.window_size_, n_rows=self._n_rows + n_new)
        return self

    def backtest(self, y: Any, **options: Any) -> BacktestResult:
        """Fit a clone on the rows before a test part and score its forecasts: see `lstmforecast.backtest`."""
        from lstmforecast.backtesting import backtest

        return backtest(self, y, **options)

    @property
    def context_(self) -> Any:
        """The last ``window_size_`` rows seen, in the container that was given to `fit`."""
        check_is_fitted(self)
        return self._context.container()

    @property
    def cutoff_(self) -> Any:
        """Index label of the last row seen; the row's number for arrays."""
        check_is_fitted(self)
        return self._n_rows - 1 if self._context.index is None else self._context.index[-1]

    def _predict(self, horizon: int | None, context: Any) -> tuple[Observations, NDArray[np.float64]]:
        """What is forecast from, and the forecast (steps, k)."""
        self._check_is_fitted()
        steps = None if horizon is None else check_count("horizon", horizon)
        seen = self._context
        if context is not None:
            seen = Observations.read(context, fill=self.fill, like=self._context, name="context")
        if len(seen) < self.window_size_:
            raise ValueError(f"expected context of at least {self.window_size_} rows (window_size_), got {len(seen)}")
        return seen, self._roll(seen.values[np.newaxis, -self.window_size_ :], steps)[0]

    def _training_rows(self, n_rows: int) -> int:
        return training_rows(n_rows, self._held_out())

    def _held_out(self) -> float:
        return 0.0 if self.patience is None else self.validation_fraction

    def _fit_scaler_object(self, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        center, scale = fit_affine(self.scaler, values[: self._training_rows(len(values))])
        return {"input_center": center, "input_scale": scale, "output_center": center, "output_scale": scale}

    def _remember(self, seen: Observations, window_size: int, n_rows: int) -> None:
        self._context = seen.rows(max(0, len(seen) - window_size), len(seen))
        self._n_rows = n_rows
        self.window_size_ = window_size
        self.freq_ = seen.freq
        self.n_features_in_ = seen.n_columns
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        names = () if seen.form.columns is None else seen.form.columns
        if len(names) and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)

    def _roll(self, windows: NDArray[np.float64], steps: int | None) -> NDArray[np.float64]:
        """Forecast ``steps``, or as many as trained for, from windows (n, window_size_, k): (n, steps, k)."""
        parts = [self.model_.forecast(np.ascontiguousarray(windows), self.n_threads)]
        while steps is not None and sum(part.shape[1] for part in parts) < steps:
            windows = np.concatenate([windows, parts[-1]], axis=1)[:, -self.window_size_ :]
            parts.append(self.model_.forecast(np.ascontiguousarray(windows), self.n_threads))
        return np.concatenate(parts, axis=1)[:, :steps]

    def _forecast_origins(
        self, values: NDArray[np.float64], origins: NDArray[np.int64], steps: int
    ) -> NDArray[np.float64]:
        """Forecast ``steps`` from the rows of ``values`` (n, k) before each origin: (n_origins, steps, k)."""
        if steps <= self.model_.config["horizon"]:
            return self.model_.forecast_series(values, origins, self.n_threads)[:, :steps]
        rows = origins[:, np.newaxis] + np.arange(-self.window_size_, 0)
        return self._roll(values[rows], steps)

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        tensors, values = self._context.pack()
        return (
            {f"context_{name}": tensor for name, tensor in tensors.items()} | self._interval_tensors(),
            {"context": values, "n_rows": self._n_rows, "window_size": self.window_size_},
        )

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        self._restore_interval_tensors(tensors)
        saved = {name.removeprefix("context_"): tensor for name, tensor in tensors.items() if "context_" in name}
        try:
            context = Observations.unpack(saved, values["context"])
        except (ArithmeticError, IndexError) as error:
            raise ValueError(f"a context that cannot be read: {error}") from error
        if context.values.shape[:1] != (values["window_size"],):
            raise ValueError(f"a context of {values['window_size']} rows, got shape {context.values.shape}")
        self._remember(context, values["window_size"], values["n_rows"])
