"""`LSTMForecaster` with sktime's interface: for its pipelines, its grid searches and its `evaluate`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
import pandas as pd

import lstmforecast
from lstmforecast.contract.parameter_group import groups_of
from lstmforecast.data.index import match_index
from lstmforecast.fitting.architecture import ARCHITECTURE, Linear
from lstmforecast.fitting.distribution import possible
from lstmforecast.fitting.training_parameters import EARLY_STOPPING, EarlyStopping

try:
    from sktime.forecasting.base import BaseForecaster, ForecastingHorizon
except ImportError as error:
    raise ImportError('lstmforecast.sktime needs sktime: pip install "lstmforecast[sktime]"') from error


def _same_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Give a constructor the parameters of `lstmforecast.LSTMForecaster`, with ``horizon=None``."""
    signature = inspect.signature(lstmforecast.LSTMForecaster.__init__)
    parameters = [
        each.replace(default=None) if each.name == "horizon" else each for each in signature.parameters.values()
    ]
    vars(init)["__signature__"] = signature.replace(parameters=parameters)
    return init


class LSTMForecaster(BaseForecaster):
    """Forecast series, panels and hierarchies in sktime with an LSTM network.

    All series of a panel or hierarchy are forecast by one network, which learns from all of them.

    Parameters
    ----------
    horizon : int or None, default=None
        Steps that the network forecasts at once. None: up to the last of the ``fh`` of `fit`. A number: any ``fh`` can
        be forecast; steps beyond the horizon are forecast from forecasts, without intervals.
    **parameters
        Those of `lstmforecast.LSTMForecaster`, with the same defaults.

    Attributes
    ----------
    estimator_ : lstmforecast.LSTMForecaster
        The fitted estimator. The series of a hierarchy are numbered: their names in it are these numbers.
    pretrained_estimator_ : lstmforecast.LSTMForecaster
        The estimator fitted by `pretrain`, from whose weights `fit` starts.

    Notes
    -----
    `update` appends newer rows, which also updates the intervals. The weights stay the same, also with
    ``update_params=True``; use `sktime.forecasting.stream.UpdateRefitsEvery` to train again. ``X`` must be known in
    advance: `predict` needs it for whole multiples of the horizon. Intervals and quantiles are those of
    `lstmforecast.LSTMForecaster`. Levels for which too few rows were held out are extrapolated from the outermost
    possible level by a normal distribution.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from lstmforecast.sktime import LSTMForecaster
    >>> months = pd.period_range("2020-01", periods=72, freq="M")
    >>> sales = pd.Series(np.sin(np.arange(72) * np.pi / 6), index=months, name="sales")
    >>> forecaster = LSTMForecaster(hidden_size=8, max_epochs=2, random_state=0).fit(sales, fh=[1, 2, 3])
    >>> forecaster.predict().index[0]
    Period('2026-01', 'M')
    >>> forecaster.predict_interval(coverage=0.5).shape
    (3, 2)
    """

    _tags: ClassVar[dict[str, Any]] = {
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "requires-fh-in-fit": True,
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:categorical_in_X": False,
        "capability:non_contiguous_X": False,
        "capability:missing_values": True,
        "capability:unequal_length": True,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:update": True,
        "capability:pretrain": True,
        "pretrain:fitted_params": ["pretrained_estimator_"],
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }
    # the estimator remembers the data; sktime reads the two attributes all the same
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}
    _y: Any = None
    _X: Any = None

    @_same_parameters
    def __init__(self, *args: Any, **parameters: Any) -> None:
        given = inspect.signature(type(self).__init__).bind(self, *args, **parameters)
        given.apply_defaults()
        for name, value in given.arguments.items():
            if name != "self":
                setattr(self, name, value)
        super().__init__()

    def __dynamic_tags__(self) -> None:
        """Set the tags that depend on parameters; called by sktime."""
        self.set_tags(
            **{
                "requires-fh-in-fit": self.horizon is None,
                "capability:missing_values": self.missing != "error",
                "capability:pred_int": EARLY_STOPPING.flat(self.early_stopping)["patience"] is not None,
            }
        )

    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: ForecastingHorizon | None) -> LSTMForecaster:
        self.estimator_ = self._trained(y, X, fh)
        return self

    def _pretrain(
        self, y: pd.DataFrame, X: pd.DataFrame | None = None, fh: ForecastingHorizon | None = None
    ) -> LSTMForecaster:
        # what is frozen, and what must fit, is for the fit that follows
        changes = {"pretrained__freeze": None, "pretrained__strict": False}
        self.pretrained_estimator_ = self._trained(y, X, fh, **changes)
        return self

    def _trained(
        self, y: pd.DataFrame, X: pd.DataFrame | None, fh: ForecastingHorizon | None, **changes: Any
    ) -> lstmforecast.LSTMForecaster:
        """The estimator, fitted from the weights of the pretrained one if there is one."""
        # series of a hierarchy have several names, those of a panel one: they are numbered
        self._series = _names_of(y).unique() if y.index.nlevels > 2 else None
        y, X = self._numbered(y), self._numbered(X)
        source = getattr(self, "pretrained_estimator_", None)
        if source is not None:
            # with these the network takes all weights of the other one
            changes |= {"pretrained__weights": source, "window_size": source.window_size_}
            if not isinstance(ARCHITECTURE.object_of(self.architecture), Linear):
                changes["architecture__segment_length"] = source.model_.config["segment_length"]
        if self.horizon is None and fh is not None:
            changes["horizon"] = self._steps(fh, _ends_of(y.index))
        elif self.horizon is None:
            if source is None:
                raise ValueError("expected fh, or a forecaster with a horizon, to pretrain it, got neither")
            changes["horizon"] = source.horizon
        return self._as_ours().set_params(**changes).fit(y, X)

    def _as_ours(self) -> lstmforecast.LSTMForecaster:
        """Our estimator with the same parameters."""
        return lstmforecast.LSTMForecaster(**self.get_params(deep=False))

    def set_params(self, **params: Any) -> LSTMForecaster:
        """Set parameters, and with ``__`` in the name those of an object, as `lstmforecast.LSTMForecaster` does.

        Parameters
        ----------
        **params
            By name, such as ``hidden_size=32`` or ``architecture__num_heads=8``.

        Returns
        -------
        LSTMForecaster
            Itself, not fitted.
        """
        outer = {key.partition("__")[0] for key in params if "__" in key} & {*groups_of(lstmforecast.LSTMForecaster)}
        inside = {key: params.pop(key) for key in [*params] if key.partition("__")[0] in outer}
        changed = self._as_ours().set_params(**inside)
        super().set_params(**params, **{name: vars(changed)[name] for name in outer})
        return self

    def _predict(self, fh: ForecastingHorizon, X: pd.DataFrame | None) -> pd.DataFrame:
        return self._chosen(self.estimator_.predict(self._steps(fh), X=self._numbered(X)), fh)

    def _predict_quantiles(self, fh: ForecastingHorizon, X: pd.DataFrame | None, alpha: list[float]) -> pd.DataFrame:
        return self._chosen(_quantiles(self.estimator_, alpha, self._steps(fh), self._numbered(X)), fh)

    def _update(self, y: pd.DataFrame, X: pd.DataFrame | None, update_params: bool = True) -> LSTMForecaster:
        if self._series is not None:
            self._series = self._series.append(_names_of(y).unique().difference(self._series, sort=False))
        y, ends = self._numbered(y), self._ends()
        first = self.estimator_.fitted_.dataset.observations.times(np.zeros(1, np.int64))
        match_index(first, y.index.get_level_values(-1))
        # sktime passes overlapping windows; new series have no end yet
        ends_of = ends.reindex(y.index.get_level_values(0)).array if y.index.nlevels > 1 else ends.iloc[0]
        newer = y[~(y.index.get_level_values(-1) <= ends_of)]
        if len(newer):
            self.estimator_.update(newer, self._numbered(X))
        elif self.cutoff[0] < ends.max():
            raise ValueError(f"expected y with rows after {ends.max()}, got {self.cutoff[0]} as the last")
        return self

    def _get_fitted_params(self) -> dict[str, Any]:
        names = ("window_size_", "best_epoch_", "n_epochs_", "stop_reason_", "history_")
        return {name.removesuffix("_"): getattr(self.estimator_, name) for name in names}

    def _ends(self) -> pd.Series:
        """The last time of each series."""
        ends = self.estimator_.cutoff_
        return ends if isinstance(ends, pd.Series) else pd.Series([ends])

    def _steps(self, fh: ForecastingHorizon, ends: pd.Series | None = None) -> int:
        """How many steps after the ends of all series reach the last of ``fh``."""
        cutoff = self.cutoff
        if not fh.is_relative:
            # sktime's cutoff is the end of the series that ends last
            cutoff = pd.Index([(self._ends() if ends is None else ends).min()])
        return int(fh.to_indexer(cutoff).max()) + 1

    def _chosen(self, forecast: pd.DataFrame, fh: ForecastingHorizon) -> pd.DataFrame:
        """The rows of ``fh`` among all steps of each series, with the names of the series in sktime."""
        index = forecast.index
        if fh.is_relative or index.nlevels == 1:
            steps = fh.to_indexer(self.cutoff)
            n_series = 1 if index.nlevels == 1 else len(index.get_level_values(0).unique())
            chosen = np.isin(np.arange(len(index)) % (len(index) // n_series), steps)
        else:
            chosen = index.get_level_values(-1).isin(fh.to_absolute_index(self.cutoff))
        forecast = forecast[chosen]
        if self._series is not None:
            names = self._series[forecast.index.get_level_values(0)]
            times = forecast.index.get_level_values(1)
            forecast.index = pd.MultiIndex.from_arrays(
                [*(names.get_level_values(i) for i in range(names.nlevels)), times], names=[*names.names, times.name]
            )
        return forecast

    def _numbered(self, table: Any) -> Any:
        """With the number of each series in place of its names, if it has several."""
        if table is None or self._series is None:
            return table
        numbers = self._series.get_indexer(_names_of(table))
        index = pd.MultiIndex.from_arrays([numbers, table.index.get_level_values(-1)])
        return table.set_axis(index)[numbers >= 0]

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Get parameters of small networks, which sktime's tests train in milliseconds.

        Parameters
        ----------
        parameter_set : str
            Ignored.

        Returns
        -------
        list of dict
        """
        small: dict[str, Any] = {"window_size": 2, "hidden_size": 4, "max_epochs": 1, "random_state": 0}
        small["early_stopping"] = EarlyStopping(validation_fraction=0.5)
        return [small, small | {"channels": "together", "loss": "quantile", "missing": "mask"}]


def _names_of(table: pd.DataFrame) -> Any:
    """The names of the series of each row, without the time."""
    index: Any = table.index
    return index.droplevel(-1)


def _ends_of(index: pd.Index) -> pd.Series:
    """The last time of each series of an index."""
    if index.nlevels == 1:
        return pd.Series([index[-1]])
    return pd.Series(index.get_level_values(1)).groupby(index.get_level_values(0)).max()


def _quantiles(
    estimator: lstmforecast.LSTMForecaster, alpha: list[float], steps: int, X: pd.DataFrame | None
) -> pd.DataFrame:
    """Quantiles of these levels; beyond the outermost level that the held-out errors allow, those of the normal
    distribution through that quantile and the median.
    """
    n = estimator.fitted_.n_errors
    outermost = n / (n + 1)
    if estimator.fitted_.dataset.observations.is_panel:
        # in a panel, errors are used without their sign
        outermost = (1 + outermost) / 2
    allowed = [min(max(level, 1 - outermost), outermost) for level in alpha]
    if n < 2 or allowed == alpha:
        return estimator.predict_quantiles(alpha, steps, X=X)
    known = estimator.predict_quantiles(sorted({*allowed, 0.5}), steps, X=X)
    far = NormalDist().inv_cdf
    columns = {}
    for variable in known.columns.unique(0):
        median = known[variable, 0.5]
        for level, nearest in zip(alpha, allowed, strict=True):
            times = 1.0 if level == nearest else far(level) / far(nearest)
            columns[variable, level] = median + times * (known[variable, nearest] - median)
    table = pd.DataFrame(columns)
    # such as counts, none of which is below 0
    table[:] = possible(estimator.model_.config["distribution"], table.to_numpy())
    return table
