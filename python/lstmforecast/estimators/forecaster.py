"""The forecaster: it forecasts the steps after the end of a time series, in the container of the data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

import lstmforecast
from lstmforecast.augment import Augmentation
from lstmforecast.calendar import CALENDAR, Calendar
from lstmforecast.contract.aside import aside
from lstmforecast.contract.fit_tasks import FitTasks, with_callbacks
from lstmforecast.contract.parameter_group import GroupedParameter, flat_parameters
from lstmforecast.contract.seeds import as_generator
from lstmforecast.data.columns import FORECAST, NamedTable
from lstmforecast.data.index import Frequency
from lstmforecast.data.non_negative import same_of_all
from lstmforecast.data.observations import Missing
from lstmforecast.estimators.automatic import saved_transform
from lstmforecast.estimators.estimator import LSTMEstimator, require_fitted
from lstmforecast.estimators.fitted_attributes import FittedAttributes
from lstmforecast.estimators.newer_rows import NewerRows
from lstmforecast.estimators.older_pickles import of_older_pickle
from lstmforecast.estimators.parameter_docs import with_shared_parameters
from lstmforecast.estimators.series_fit import fit_series, keep_series, read_series
from lstmforecast.estimators.shares import check_shares
from lstmforecast.export.file_checks import check_series
from lstmforecast.fitting.architecture import ARCHITECTURE, Architecture, require_attention
from lstmforecast.fitting.checkpoint import Checkpoint
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.objective import DISTRIBUTIONS, LOSS, Quantiles, Tweedie, check_loss, distribution_of
from lstmforecast.fitting.parameters import MOST_STEPS, check_count
from lstmforecast.fitting.roll import ends_of, first_inputs, forecast
from lstmforecast.fitting.training_parameters import Adam, AdamW, Device, EarlyStopping, Plateau, Sampling
from lstmforecast.uncertainty.calibration import (
    SIDES,
    Calibration,
    check_probabilities,
    interval_columns,
    levels_of,
    quantile_columns,
)
from lstmforecast.uncertainty.fitted_series import FittedSeries
from lstmforecast.uncertainty.samples import draw_paths, raised_to_zero

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from lstmforecast.export.onnx_export import GraphFile

Array = NDArray[np.float64]


@with_shared_parameters
class LSTMForecaster(FittedAttributes, LSTMEstimator):
    """Forecast one time series or many with an LSTM network that maps a window of past rows to a whole horizon.

    Parameters
    ----------
    horizon : int, default=1
        Steps that the network forecasts at once. `predict` can forecast more: it then uses its own forecasts as data.
    window_size : int or None, default=None
        Past rows that the network reads. None: chosen by the number of rows and the season.
    {hidden_size}
    {num_layers}
    loss : str, Quantiles, Tweedie or None, default=None
        Training loss, on scaled values: ``"mse"``, ``"mae"``, ``"huber"``, or a distribution. None: ``"huber"`` for up
        to four seasons ahead, ``"mse"`` beyond, ``"mae"`` for a panel, where some series are always more volatile than
        others; but ``"mse"`` where a tenth of the series or variables is intermittent: never negative, and 0 so often
        that values above 0 are 1.32 steps apart or more (Syntetos and Boylan 2005). ``"mse"`` forecasts means, which
        add up to what is sold; medians, which the other two forecast, are then often 0. ``loss_`` says what was chosen.
        ``"quantile"`` forecasts quantiles that never cross, whose levels `Quantiles` sets. The others forecast
        parameters by maximum likelihood: ``"normal"``, ``"student_t"``; ``"poisson"``, ``"negative_binomial"`` and
        ``"zero_inflated_negative_binomial"`` for counts; ``"lognormal"`` for values above 0; ``"tweedie"`` for values
        from 0 on, many of which are 0, with the power that `Tweedie` sets.
    {learning_rate}
    {batch_size}
    {max_epochs}
    {early_stopping}
    {random_state}
    scaler : {"standard", "minmax", "robust", None} or a scaler object, default="standard"
        How each column is scaled; fitted on the training rows only.
    normalize : {"auto", "last", "window", None}, default="auto"
        ``"last"`` subtracts the last value of each window and adds it to the forecast, so that levels outside of the
        training data are forecast well; ``"window"`` scales each window to mean 0 and standard deviation 1.
        ``"auto"``: ``"last"``, or for a panel of 100 series or more, without covariates known in advance, ``"window"``
        if a linear forecast then has clearly smaller errors on the held-out rows (``normalize_``).
    transform : {"auto", "log", None}, default=None
        ``"log"``: the logarithm of 1 + y is forecast, for series that grow or vary by percents; forecasts are
        transformed back, and values of -1 or less are refused. ``"auto"``: ``"log"`` if no value is negative and a
        linear forecast of logarithms has clearly smaller errors on the held-out rows, in the data's units; otherwise
        None, as where nothing is held out, and with distributions other than quantiles (``transform_``).
    non_negative : {"auto", True, False}, default="auto"
        Whether forecasts, quantiles, intervals and samples below 0 become 0. ``"auto"``: those of a variable, in a
        panel of a series, that was never negative at `fit`, unless it is in the rows that the network reads. True: of
        all, and values below 0 are refused, at `fit` and later. False: of none.
    channels : {"independent", "together"}, default="independent"
        ``"independent"``: the network forecasts one variable from the past of this variable, and is trained on all
        variables. ``"together"``: it reads and forecasts all variables at once.
    missing : {"error", "mask", "ffill", "interpolate"}, default="error"
        What is done with missing values and missing times. ``"error"``: they are refused, and the message names them.
        ``"mask"``: the network gets a mask of them, and the loss leaves them out, but for regular gaps, such as every
        second row, which are interpolated. ``"ffill"``, ``"interpolate"``: they are filled.
    freq : str, offset or None, default=None
        Frequency of the index, as pandas names it (``"h"``, ``"MS"``). None: inferred from the index.
    calendar : "auto", list of str, Calendar or None, default=None
        Calendar features, known in advance. ``"auto"``: those that the frequency resolves, such as time of day, day of
        week and day of year for hours. A list names them; see `lstmforecast.calendar.calendar_features`. None: none
        but what the day of the year adds, where held-out rows are forecast better with it. `Calendar` decides on that,
        and also has public holidays.
    architecture : {"lstm", "linear", "attention", "cnn_lstm", "transformer"} or object, default="lstm"
        Kind of network; an object, such as ``Attention(num_heads=8)``, also has the network's own parameters: `LSTM`,
        `Linear`, `Attention`, `CNNLSTM` or `Transformer`. All but ``"linear"`` add a linear forecast, unless
        ``linear_skip=False``, and read ``segment_length`` rows as one step. ``"linear"``, a baseline, is that linear
        forecast alone. It is solved by least squares whatever the loss, so the parameters of layers, optimiser, epochs,
        augmentation and seed have no effect, and the networks of ``n_estimators`` are equal.
        ``"attention"``: multi-head self-attention over the LSTM's states; ``"cnn_lstm"``: convolutions over the steps
        before the LSTM; ``"transformer"``: an encoder with ``num_layers`` layers in place of the LSTM, for which
        segments are patches (PatchTST).
    {dropout}
    n_estimators : int, default=1
        Networks with different seeds whose forecasts are averaged: one or two percent more accurate.
    {optimizer}
    {lr_schedule}
    {sampling}
    {augment}
    {warm_start}
    {pretrained}
    adaptation_rate : float, default=0.0
        How fast the levels of intervals adapt to the errors since `update` (gamma of Gibbs and Candès 2021, who
        use 0.005). 0: levels stay; new errors replace the oldest.
    calibration : {"auto", "exact"}, default="auto"
        What happens with levels of intervals and quantiles for which too few windows were held out. ``"auto"``: they go
        on from the outermost level that the errors can promise, as Student's t distribution does, with a warning.
        ``"exact"``: an error.
    {device}
    {n_threads}
    {verbose}
    {callbacks}
    {checkpoint}

    Attributes
    ----------
    fitted_ : FittedSeries
        Network, last rows and errors on held-out rows: what forecasts are computed from.
    window_size_ : int
        Rows that the network reads.
    context_ : array, Series or DataFrame of shape (window_size_, k)
        The last rows (of each series), from which `predict` forecasts, in the container that was given to `fit`.
    cutoff_ : label, int or Series
        Index label of the last row; its number for arrays, a Series of times by series for a panel.
    freq_ : str, int, offset or None
        Frequency of the index; the step of an integer index.
    n_features_in_ : int
        Number of variables.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Column names, if all of them are strings.
    loss_ : str
        The loss of the training: `loss`, or what was chosen where it is None.
    shares_ : dict of str to float, or None
        The shares of ``"network"``, ``"line"``, ``"seasonal_naive"`` and ``"repeat_last"`` in forecasts, which are part
        of the network's weights; see ``mix_naive`` of `LSTM`. None: forecasts are the network's alone.
    yearly_ : YearlyProfile or None
        What each day of the year adds, a feature that is known in advance: ``yearly_.at(times)`` gives its values, in
        the standard deviations of the series. None: there is no such feature; see ``yearly`` of
        `lstmforecast.calendar.Calendar`.
    transform_ : {"log", None}
        The transform of the fit.
    normalize_ : {"last", "window", None}
        The normalisation of the fit.
    history_ : DataFrame
        One row for each epoch: ``train_loss``, ``val_loss``, ``learning_rate``, ``grad_norm``, ``seconds``.
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

    _doc_page = "forecaster"
    _groups: ClassVar[Mapping[str, GroupedParameter]] = {
        **LSTMEstimator._groups,
        "architecture": ARCHITECTURE,
        "loss": LOSS,
        "calendar": CALENDAR,
    }
    _losses: ClassVar[tuple[str | None, ...]] = (None, "mse", "mae", "huber", "quantile", *DISTRIBUTIONS)
    _calibrations: ClassVar[tuple[str | None, ...]] = ("auto", "exact")
    feature_names_in_: NDArray[Any]
    n_features_in_: int
    freq_: Any
    shares_: dict[str, float] | None
    loss_: str

    def __init__(
        self,
        horizon: int = 1,
        *,
        window_size: int | None = None,
        hidden_size: int = 64,
        num_layers: int = 1,
        loss: str | Quantiles | Tweedie | None = None,
        learning_rate: float = 3e-3,
        batch_size: int = 512,
        max_epochs: int = 20,
        early_stopping: int | EarlyStopping | None = 10,
        random_state: Any = None,
        scaler: Any = "standard",
        normalize: str | None = "auto",
        transform: str | None = None,
        non_negative: str | bool = "auto",
        channels: str = "independent",
        missing: Missing = "error",
        freq: Frequency = None,
        calendar: str | Sequence[str] | Calendar | None = None,
        architecture: str | Architecture = "lstm",
        dropout: float = 0.0,
        n_estimators: int = 1,
        optimizer: str | Adam | AdamW = "adam",
        lr_schedule: str | Plateau = "cosine",
        sampling: Sampling | None = None,
        augment: Sequence[str | Augmentation] | None = None,
        warm_start: bool = False,
        pretrained: Any = None,
        adaptation_rate: float = 0.0,
        calibration: str = "auto",
        device: str | Device = "cpu",
        n_threads: int | None = None,
        verbose: int = 0,
        callbacks: list[Callable[[dict[str, Any]], object]] | None = None,
        checkpoint: str | PathLike[str] | Checkpoint | None = None,
    ) -> None:
        self.horizon = horizon
        self.window_size = window_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.loss = loss
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.random_state = random_state
        self.scaler = scaler
        self.normalize = normalize
        self.transform = transform
        self.non_negative = non_negative
        self.channels = channels
        self.missing = missing
        self.freq = freq
        self.calendar = calendar
        self.architecture = architecture
        self.dropout = dropout
        self.n_estimators = n_estimators
        self.optimizer = optimizer
        self.lr_schedule = lr_schedule
        self.sampling = sampling
        self.augment = augment
        self.warm_start = warm_start
        self.pretrained = pretrained
        self.adaptation_rate = adaptation_rate
        self.calibration = calibration
        self.device = device
        self.n_threads = n_threads
        self.verbose = verbose
        self.callbacks = callbacks
        self.checkpoint = checkpoint

    @with_callbacks
    def fit(
        self,
        y: Any,
        X: Any = None,
        X_past: Any = None,
        static: Any = None,
        *,
        target: Any = None,
        series: Any = None,
        time: Any = None,
        known: Any = None,
        past: Any = None,
        unknown: str = "error",
        weights: Any = None,
    ) -> LSTMForecaster:
        """Train on one time-ordered series, or on a panel of many.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, k), Series or DataFrame
            Observations in time order; every column is forecast. A pandas index must be a DatetimeIndex, PeriodIndex
            or regular integers. A panel has a MultiIndex (series, time), or columns ``unique_id``, ``ds`` and values;
            its series may have different lengths, and one network learns from all of them. In a polars or pyarrow frame
            the only column of dates or times is the index, here and in covariates.
        X : array-like of shape (n, m), Series or DataFrame, or None, default=None
            Covariates that are known in advance, such as prices or plans; `predict` needs them for the steps ahead. A
            pandas container is aligned by its index, and may have more rows.
        X_past : array-like of shape (n, m), Series or DataFrame, or None, default=None
            Covariates that are known for the past only, such as measurements.
        static : DataFrame, label, list of labels or None, default=None
            Static features of the series of a panel: one row for each, by its index or a column ``unique_id``.
            Strings are categories (see ``embed`` of `LSTM`). Later tables must have the same columns. Labels name
            columns of ``y``, whose values are constant within each series.
        target, known, past : label, list of labels or None, default=None
            Names of columns of ``y``, a table of pandas, polars or pyarrow: what is forecast (None: ``"y"``),
            covariates known in advance, and covariates known for the past only. Truth values count as 0 and 1, strings
            are categories (see ``embed`` of `LSTM`). With any name given, every column needs a role; rows may be in any
            order.
        series, time : label or None, default=None
            Names of the columns of the names of series and of times; None: ``unique_id`` and ``ds`` where they are
            columns, else the index. Without ``series``, the table is one series. Text is read as times where day and
            month are unambiguous. Results are flat tables under these names, and later calls take tables with these
            columns.
        unknown : {"error", "ignore"}, default="error"
            What later calls do with categories that no row had at `fit`: an error, or 0 in the features of all
            categories, as `sklearn.preprocessing.OneHotEncoder` does.
        weights : label, array-like of shape (n,), Series or None, default=None
            How much the values of each row count as targets in the training and validation loss: finite numbers of 0
            or more. Only their ratios matter, at most 1e37. A row of weight 0 is still read as past. A label names a
            column of ``y``, which later calls don't need; a pandas container is aligned by its index, for a panel
            (series, time). A time that ``y`` lacks has the weight 0 with ``missing="mask"``, else weights are filled as
            values are. Levels, scalers and intervals are not weighted.

        Returns
        -------
        LSTMForecaster
            Itself. After a KeyboardInterrupt, or when another process of ``Device(distributed=True)`` is lost, it is
            fitted with the best weights so far; after any other error it is unchanged.

        Raises
        ------
        TypeError
            If a column is not numeric, or the index has another type.
        ValueError
            If a parameter is out of range, or the data are too short, not sorted, with gaps, or not finite. The message
            names the time of a missing row of a covariate.
        """
        self.check_parameters()
        names = {"target": target, "series": series, "time": time, "known": known, "past": past, "weights": weights}
        data = NamedTable.of(y, X, X_past, static, **names)
        dataset, y = read_series(self, *data, unknown=unknown), data[0]
        # scikit-learn's callbacks get the series as X and as y
        fit_series(self, dataset, FitTasks(self, y, y, n_epochs=self.max_epochs * self.n_estimators))
        return self

    def predict(
        self,
        horizon: int | None = None,
        *,
        X: Any = None,
        X_past: Any = None,
        context: Any = None,
        static: Any = None,
        known: Any = None,
    ) -> Any:
        """Forecast the steps after the end of the data.

        Parameters
        ----------
        horizon : int or None, default=None
            Number of steps. None: as many as in `fit`. For more, the network forecasts again with its own forecasts as
            data.
        X : array-like, Series, DataFrame or None, default=None
            Covariates known in advance for these steps, with the columns of `fit`; with ``context``, an array begins
            with the rows of the context. The network reads ``X`` of all steps that it forecasts at once, so the rows
            must cover whole multiples of the horizon of `fit`; the first forecasts are then the same for every
            ``horizon``.
        X_past, static : array-like, Series, DataFrame or None, default=None
            Covariates of `fit` for the rows and series of ``context``.
        context : array-like, Series, DataFrame or None, default=None
            Data to forecast from in place of those of `fit` and `update`: at least ``window_size_`` rows (the last ones
            are used), with the columns and frequency of `fit`. For a panel any series, new ones too, of any length.
            Times are converted to the time zone of `fit`.
        known : DataFrame or None, default=None
            Another name of ``X``. Where columns were named at `fit`: a table of the steps ahead, with series, times and
            the columns of ``known``.

        Returns
        -------
        array, Series or DataFrame of shape (horizon,) or (horizon, k)
            In the container of the data, with the index continued; for a panel the steps of each series. Where columns
            were named at `fit`, a flat table: series, time and ``forecast`` (for several targets ``load-forecast``).

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also if ``context`` is too short or has other columns, ``X`` lacks rows for steps that the
            network forecasts at once, or a value is so large that the forecast in single precision would be infinite.
        """
        fitted, parameters = self._forecast(horizon, X, X_past, context, static, known)
        lowest = fitted.dataset.lowest(fitted.window_size)
        values = fitted.dataset.undo(mean(fitted.model.config["distribution"], parameters), lowest)
        fitted.require_finite(values)
        observations = fitted.dataset.observations
        if fitted.dataset.columns is None:
            return observations.continued(values)
        values = values.astype(observations.form.dtype, copy=False)
        return fitted.labelled(values[..., np.newaxis], [FORECAST], pd.MultiIndex.from_arrays([[]]))

    def predict_interval(
        self,
        coverage: float | Sequence[float] = 0.9,
        horizon: int | None = None,
        *,
        X: Any = None,
        X_past: Any = None,
        context: Any = None,
        static: Any = None,
        known: Any = None,
    ) -> pd.DataFrame:
        """Forecast intervals that contain the true value with a given probability.

        Split conformal prediction: bounds are the forecast plus errors of forecasts on the rows that `fit` held out,
        for each step and variable. The coverage holds if the future is like those rows, whatever the distribution. The
        same rows selected the best epoch, which makes intervals from few rows a little too narrow. In a panel, errors
        are measured in seasonal-naive errors of their series and count in both directions, because what all series had
        in common in the held-out weeks will not be repeated. A series that did not vary before these weeks, or whose
        errors are ten times or a fifth of those of the others, gets intervals from its own errors.
        With a distribution, its quantiles are corrected in the same way (Romano et al. 2019). With an
        ``adaptation_rate``, levels adapt after `update` (Gibbs and Candès 2021).

        Parameters
        ----------
        coverage : float or list of float, default=0.9
            Probability that a value is between the lower and the upper bound.
        horizon : int or None, default=None
            Number of steps, at most as many as in `fit`. None: all of them.
        X, X_past, context, static, known
            As in `predict`.

        Returns
        -------
        DataFrame of shape (horizon, k * n_coverages * 2)
            Columns as in sktime: variable, coverage, ``"lower"`` or ``"upper"``. For polars and pyarrow one name, such
            as ``load_0.9_lower``. Where columns were named at `fit`: series, time, ``lo-90``, ``hi-90``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also if no rows were held out, or, with ``calibration="exact"``, too few for the coverage.

        Warns
        -----
        UserWarning
            If too few rows were held out to promise the coverage; see ``calibration``.

        Examples
        --------
        >>> from lstmforecast import LSTMForecaster
        >>> rng = np.random.default_rng(0)
        >>> model = LSTMForecaster(horizon=3, hidden_size=8, max_epochs=1, random_state=0).fit(rng.normal(size=500))
        >>> interval = model.predict_interval(coverage=0.8)
        >>> list(interval.columns)
        [(0, 0.8, 'lower'), (0, 0.8, 'upper')]
        >>> bool((interval[0, 0.8, "lower"] < interval[0, 0.8, "upper"]).all())
        True
        """
        coverages = check_probabilities("coverage", coverage)
        levels = [level for each in coverages for level in levels_of(each)]
        wanted = [f"coverage={each:g}" for each in coverages for _ in SIDES]
        columns = partial(interval_columns, coverages=coverages)
        forecast = self._forecast(horizon, X, X_past, context, static, known)
        names = [f"{side}-{100 * each:g}" for each in coverages for side in ("lo", "hi")]
        return self._quantiles(levels, wanted, columns, names, forecast)

    def predict_quantiles(
        self,
        alpha: float | Sequence[float] = (0.1, 0.5, 0.9),
        horizon: int | None = None,
        *,
        X: Any = None,
        X_past: Any = None,
        context: Any = None,
        static: Any = None,
        known: Any = None,
    ) -> pd.DataFrame:
        """Forecast quantiles, from the same errors as `predict_interval`; they never cross.

        Parameters
        ----------
        alpha : float or list of float, default=(0.1, 0.5, 0.9)
            Probabilities that the value is at most the quantile.
        horizon, X, X_past, context, static, known
            As in `predict_interval`.

        Returns
        -------
        DataFrame of shape (horizon, k * n_levels)
            Columns as in sktime: variable, alpha. For polars and pyarrow one name, such as ``load_0.5``. Where columns
            were named at `fit`: series, time, ``q-0.1``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict_interval`.
        """
        levels = check_probabilities("alpha", alpha)
        wanted = [f"alpha={level:g}" for level in levels]
        columns = partial(quantile_columns, levels=levels)
        forecast = self._forecast(horizon, X, X_past, context, static, known)
        return self._quantiles(levels, wanted, columns, [f"q-{level:g}" for level in levels], forecast)

    def predict_samples(
        self,
        n_samples: int = 100,
        horizon: int | None = None,
        *,
        X: Any = None,
        X_past: Any = None,
        context: Any = None,
        static: Any = None,
        known: Any = None,
        random_state: Any = None,
    ) -> pd.DataFrame:
        """Draw sample paths of the future, for sums, peaks and runs, which quantiles of single steps don't contain.

        A path is the forecast plus the errors of one held-out window, of all its steps and variables, so that their
        dependence is kept. With a distribution, the probabilities of the true values of the window replace
        its errors (an empirical copula: Clark et al. 2004, the Schaake shuffle), and the path consists of the quantiles
        of the new forecast at these levels; with ``loss="quantile"`` no value is beyond the outermost quantile. Where
        forecasts are not below 0 (``non_negative``), all paths are lowered at a step before values below 0 become 0, so
        that their mean, and that of sums, stays the same.

        Parameters
        ----------
        n_samples : int, default=100
            Number of paths. Windows are drawn with replacement, in a panel the same ones for all series.
        horizon : int or None, default=None
            Number of steps, at most as many as in `fit`. None: all of them.
        X, X_past, context, static, known
            As in `predict`.
        random_state : int, RandomState, Generator or None, default=None
            The same seed gives the same samples.

        Returns
        -------
        DataFrame of shape (horizon, k * n_samples)
            Columns: variable, sample (from 0). The index is that of `predict_interval`. Where columns were named at
            `fit`: series, time, ``sample-0``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also if no rows were held out.

        Examples
        --------
        >>> from lstmforecast import LSTMForecaster
        >>> rng = np.random.default_rng(0)
        >>> model = LSTMForecaster(horizon=3, hidden_size=8, max_epochs=1, random_state=0).fit(rng.normal(size=500))
        >>> samples = model.predict_samples(200, random_state=0)
        >>> samples.shape
        (3, 200)
        >>> peaks = samples[0].max()
        >>> bool(peaks.quantile(0.5) > samples[0].median(axis=1).max())
        True
        """
        n_samples = check_count("n_samples", n_samples, most=MOST_STEPS)
        generator = as_generator(random_state)
        fitted, parameters = self._forecast(horizon, X, X_past, context, static, known)
        fitted.require_errors([], [], parameters.shape[1], HeldOut.of(self), self.calibration)
        assert fitted.calibration is not None
        drawn = generator.randint(fitted.n_errors, size=n_samples)
        scale = fitted.dataset.error_scale
        paths = draw_paths(fitted.calibration, drawn, parameters, scale, generator, fitted.when)
        values = raised_to_zero(fitted.dataset.undo(paths), fitted.dataset.lowest(fitted.window_size))
        values = np.moveaxis(values, 0, -1)
        fitted.require_finite(values)
        names = fitted.dataset.observations.form.variables(values.shape[2])
        columns = quantile_columns(names, list(range(n_samples))).set_names(["variable", "sample"])
        return fitted.labelled(values, [f"sample-{number}" for number in range(n_samples)], columns)

    def update(self, y: Any, X: Any = None, X_past: Any = None, static: Any = None) -> Self:
        """Append newer observations, from which `predict` then forecasts; the weights stay as they are.

        Intervals are updated: the errors of the forecasts that can now be compared with the truth replace the oldest
        errors (in a panel, of at most 200 series at each step), and with an ``adaptation_rate`` levels adapt.

        Parameters
        ----------
        y : array-like, Series or DataFrame
            Rows after the last ones, with the columns of `fit`. Rows of an array follow without an index; a panel may
            contain new series.
        X, X_past, static
            Covariates of `fit` for these rows.

        Returns
        -------
        LSTMForecaster
            Itself; after an error it is unchanged.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also if ``y`` overlaps with the data so far, or leaves a gap with ``missing="error"``.
        """
        check_is_fitted(self)
        fitted = self.fitted_.updated(y, X, X_past, static, missing=self.missing, n_threads=self.n_threads)
        with aside(self) as updated:
            keep_series(updated, fitted)
        return self

    def backtest(
        self, y: Any, X: Any = None, X_past: Any = None, static: Any = None, **options: Any
    ) -> lstmforecast.BacktestResult:
        """Fit a clone on the rows before a test set and score its forecasts.

        Parameters
        ----------
        y, X, X_past, static
            As in `fit`: the whole series, the test set included.
        **options
            Those of `lstmforecast.backtest`, which this calls: ``folds``, ``coverage`` and others.

        Returns
        -------
        BacktestResult
            Scores of it and of two naive forecasts, and all forecasts with the truth. This forecaster doesn't change.

        Raises
        ------
        TypeError, ValueError
            As `lstmforecast.backtest`.
        """
        return lstmforecast.backtest(self, y, X, X_past, static, **options)

    def explain(
        self, *, X: Any = None, X_past: Any = None, context: Any = None, static: Any = None, known: Any = None
    ) -> lstmforecast.Explanation:
        """Explain the forecasts that `predict` makes of the same arguments: what each covariate and lag contributes.

        `lstmforecast.permutation_importance` measures what matters for errors on held-out rows.

        Parameters
        ----------
        X, X_past, context, static, known
            As in `predict`.

        Returns
        -------
        Explanation
            Contributions by feature, lag and step, in the data's units; see `lstmforecast.explain`, which this calls.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As `predict`.
        """
        return lstmforecast.explain(self, X=X, X_past=X_past, context=context, static=static, known=known)

    def score(self, X: Any, y: Any = None, *, X_past: Any = None, static: Any = None) -> float:
        """Compute R² of the forecasts of newer rows, as scikit-learn's regressors do.

        Parameters
        ----------
        X : array-like, Series or DataFrame
            With ``y``, the covariates known in advance, so that `sklearn.inspection.permutation_importance` and others
            can call ``score(X, y)``; without it, the series, or a table with all columns of `fit`. At least
            ``window_size_`` rows and a horizon.
        y : array-like, Series or DataFrame, or None, default=None
            The series.
        X_past, static
            Covariates of `fit` for these rows and series.

        Returns
        -------
        float
            1 minus the squared errors of the forecasts of a whole horizon, from up to 2,000 origins that are evenly
            spread, divided by the squared deviations of what came true from its mean; the mean over targets. 1 is best;
            a forecast of the mean has 0.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`, or if there are too few rows.
        """
        require_fitted(self)
        series, known = (X, None) if y is None else (y, X)
        rows = NewerRows.read(self.fitted_, series, known, X_past, static, missing=self.missing)
        truth = rows.truth
        squared = np.nansum((truth - rows.forecast(n_threads=self.n_threads)) ** 2, axis=(0, 1))
        spread = np.nansum((truth - np.nanmean(truth, axis=(0, 1))) ** 2, axis=(0, 1))
        # as scikit-learn: of a constant, an exact forecast has 1, any other 0
        unexplained = np.divide(squared, spread, out=(squared > 0).astype(float), where=spread > 0)
        return float(1 - unexplained.mean())

    def attention_weights(
        self, *, X: Any = None, X_past: Any = None, context: Any = None, static: Any = None
    ) -> NDArray[np.float32]:
        """Attention weights of the windows that `predict` reads, with ``architecture="attention"``.

        Parameters
        ----------
        X, X_past, context, static
            As in `predict`.

        Returns
        -------
        ndarray of shape (n, num_heads, steps, steps), float32
            One matrix for each window and head, whose rows sum to 1; the forecast is computed from the last row. There
            is one window for each series, with ``channels="independent"`` one for each of its variables. Steps are
            those of the LSTM: segments of ``segment_length`` rows, of the horizon too if covariates are known in
            advance. The mean over ``n_estimators`` networks.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also for another architecture.
        """
        require_fitted(self)
        require_attention(self.fitted_.model.config)
        fitted, X = self.fitted_.from_context(context, self.missing, X, X_past, static)
        fitted.read_steps(None)
        seen = ends_of(fitted.model, fitted.dataset, fitted.model.config["horizon"], X)
        inputs = first_inputs(fitted.model, seen)
        return fitted.model.attention_weights(inputs, self.n_threads, fitted.dataset.scales)

    def to_torch(self) -> torch.nn.Module:
        """Convert the network to a ``torch.nn.Module`` that maps windows to forecasts, both in the data's units.

        Its input has the shape (n, window_size, n_features). With covariates known in advance, windows have ``horizon``
        more rows, with targets of NaN.

        Returns
        -------
        torch.nn.Module
            With the weights of `state_dict`; scaler, normalisation and ``non_negative`` are part of ``forward``.
            Forecasts have the shape (n, horizon, n_targets), distributions (n, horizon, n_targets, n_parameters);
            parameters of distributions are the network's, whatever ``non_negative`` is.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For a panel whose series have their own scales, or of which only some were ever negative, unless
            ``non_negative=False``; and for ``transform="log"`` with a distribution other than quantiles.
        """
        check_is_fitted(self)
        dataset = self.fitted_.dataset
        if dataset.statistics is not None and self.normalize_ != "window":
            raise ValueError(
                "expected one series, or normalize='window', for to_torch, got a panel, scaled series by series"
            )
        never, module = same_of_all(dataset.never_negative), super().to_torch()
        if never is None:
            return module
        from lstmforecast.export.pytorch import not_below_zero

        return not_below_zero(module, self.model_.config, never)

    def _forecast(
        self, horizon: int | None, X: Any, X_past: Any, context: Any, static: Any, known: Any
    ) -> tuple[FittedSeries, Array]:
        """The series to forecast from, and the forecast parameters (n_series, steps, k, p)."""
        require_fitted(self)
        X = known_in_advance(X, known)
        steps = self.fitted_.read_steps(horizon)
        fitted, X = self.fitted_.from_context(context, self.missing, X, X_past, static)
        return fitted, forecast(fitted.model, fitted.dataset, steps, X, self.n_threads)

    def _quantiles(
        self,
        levels: list[float],
        wanted: list[str],
        columns: Callable[[pd.Index], pd.MultiIndex],
        names: Sequence[str],
        forecast: tuple[FittedSeries, Array],
    ) -> pd.DataFrame:
        """Quantiles of these levels, grouped by variable; ``wanted`` names the argument of each level in messages,
        ``names`` its column in a flat table.
        """
        fitted, parameters = forecast
        told = fitted.require_errors(levels, wanted, parameters.shape[1], HeldOut.of(self), self.calibration)
        if told is not None:
            # the caller of `predict_interval` or `predict_quantiles`
            warnings.warn(told, UserWarning, stacklevel=3)
        values = np.moveaxis(fitted.quantiles(parameters, levels), 0, -1)
        fitted.require_finite(values)
        observations = fitted.dataset.observations
        return fitted.labelled(values, names, columns(observations.form.variables(observations.n_columns)))

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        tensors, values = self.fitted_.pack()
        if self.transform == "auto":
            values = values | {"transform": self.transform_}
        values |= {"loss": self.loss_}
        return tensors, values if self.shares_ is None else values | {"shares": self.shares_}

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        flat = flat_parameters(self)
        distribution = distribution_of(flat)
        fitted = FittedSeries.unpack(
            self.model_,
            tensors,
            values,
            calibration=Calibration.unpack(tensors, distribution, float(self.adaptation_rate)),
            horizon=self.model_.config["horizon"] if flat["head"] == "direct" else self.horizon,
            scaler=self.scaler,
            transform=saved_transform(self.transform, values),
            non_negative=self.non_negative,
        )
        keep_series(self, fitted)
        self.shares_ = check_shares(values.get("shares"))
        self.loss_ = check_loss(values.get("loss"), flat["loss"], self.horizon, fitted.dataset.observations)

    def _check_restored(self) -> None:
        flat = flat_parameters(self)
        distribution = distribution_of(flat)
        check_series(self.fitted_, distribution, **{name: flat[name] for name in ("head", "calendar", "holidays")})

    def _write_graph(self, file: GraphFile) -> None:
        from lstmforecast.export.onnx_export import write_forecaster

        fitted = self.fitted_
        write_forecaster(file, fitted.dataset, fitted.horizon, missing=self.missing, normalize=self.normalize_)

    @staticmethod
    def _of_this_version(state: dict[str, Any]) -> dict[str, Any]:
        return of_older_pickle(state)


def known_in_advance(X: Any, known: Any) -> Any:
    """The covariates of later steps, which have two names; a ValueError if both are given."""
    if X is not None and known is not None:
        raise ValueError("expected X or known, which is another name of it, got both")
    return X if known is None else known
