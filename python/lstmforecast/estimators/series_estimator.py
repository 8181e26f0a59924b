"""What an estimator over time-ordered series does with them: reads, fits, remembers, forecasts from any row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.augment import magnitude_warp, resolve, scale
from lstmforecast.contract.fit_tasks import FitTasks
from lstmforecast.data.covariates import Covariates
from lstmforecast.data.dataset import BATCH, Seen, forecast, parameters_of, read_observations, roll, steps_read
from lstmforecast.data.frames import to_pandas
from lstmforecast.data.index import Frequency
from lstmforecast.data.observations import Missing, Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.scalers import fit_columns
from lstmforecast.data.season import season_length
from lstmforecast.distributed import Processes
from lstmforecast.estimators.estimator import LSTMEstimator, OnEpoch
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.finite import require_finite_forecasts, require_squares
from lstmforecast.fitting.parameters import MOST_STEPS, check_count, check_missing
from lstmforecast.fitting.sizing import (
    VALIDATION_FRACTION,
    Sizes,
    default_loss,
    default_steps,
    held_out_of_panel,
    training_rows,
)
from lstmforecast.uncertainty.samples import SamplePaths

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

Array = NDArray[np.float64]
DISTRIBUTIONS = ("normal", "student_t", "negative_binomial")
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


class SeriesEstimator(SamplePaths, LSTMEstimator):
    """The inner works of `LSTMForecaster`; not for use on its own."""

    _losses: ClassVar[tuple[str | None, ...]] = (None, "mse", "mae", "huber", "quantile", *DISTRIBUTIONS)
    _architectures = ("lstm", "linear", "attention", "cnn_lstm", "transformer")
    feature_names_in_: NDArray[Any]
    window_size: int | None
    segment_length: int | None
    linear_skip: bool | None
    supervision: str
    loss: str | None
    quantiles: list[float] | None
    head: str
    normalize: str | None
    transform: str | None
    freq: Frequency
    missing: Missing
    calendar: str | Sequence[str] | None
    holidays: str | None
    _seen: Seen
    _n_rows: int

    def _validate_parameters(self) -> None:
        super()._validate_parameters()
        if self.patience is None and self.validation_fraction:
            raise ValueError(
                f"expected validation_fraction=None with patience=None, which holds nothing out, got "
                f"{self.validation_fraction!r}"
            )

    def _read(self, y: Any, X: Any, X_past: Any, static: Any) -> Seen:
        """Check the data, and align what stands beside them."""
        observations = read_observations(y, freq=self.freq, missing=self.missing)
        covariates = Covariates.at_fit(observations, X, X_past, static, self.calendar, self.holidays)
        features = covariates.of(observations, X, X_past)
        if self.head == "recursive" and self.horizon > 1 and covariates.past is not None:
            raise ValueError(
                f"expected horizon=1 or head='direct' with X_past, which is not known beyond a step, got {self.horizon}"
            )
        seen = Seen(observations, features, covariates, scaler=self.scaler, transform=self.transform)
        require_squares(seen)
        return seen

    def _fit(self, seen: Seen, tasks: FitTasks | None = None) -> Self:
        observations = seen.observations
        panel = observations if isinstance(observations, Panel) else None
        self._check_counts(observations)
        _check_savable(seen)
        sizes = Sizes(self.horizon, self.window_size, self.segment_length, season_length(observations.freq))
        if panel is not None:
            seen = seen.sized(self._training_lengths(panel))
            window_size, segment_length = sizes.of_panel(panel.lengths, self._held_out(panel))
        else:
            window_size, segment_length = sizes.resolve(len(observations), self._held_out())
        seed = self._seed()
        model = self._new_network(seen, window_size, segment_length, seed)
        training = self._training(
            seed,
            stride=self.stride,
            loss=self._core_loss(seen),
            validation_fraction=float(self._held_out(panel)),
            steps_per_epoch=self._steps_per_epoch(panel),
        )
        if self.scaler is not None and not isinstance(self.scaler, str):
            model.load_scalers(self._fit_scaler_object(seen))
            training["scaler"] = "loaded"

        def fit(options: dict[str, Any], on_epoch: OnEpoch | None, processes: Processes | None) -> dict[str, Any]:
            return model.fit_series(seen.table, options, on_epoch, seen.starts, seen.scales, processes)

        def learn(fitted: Self, model: _core.Model | Ensemble, outcome: Mapping[str, Any]) -> None:
            fitted._calibration, in_units = fitted._calibrated(model, seen)
            fitted._remember(in_units, window_size, n_rows=len(observations))
            fitted._keep(model, outcome)

        self._run(model, training, fit, learn, tasks)
        return self

    def _new_network(self, seen: Seen, window_size: int, segment_length: int, seed: int) -> _core.Model | Ensemble:
        width = seen.observations.n_columns
        return self._new_model(
            window_size=window_size,
            horizon=self.horizon if self.head == "direct" else 1,
            n_features=width + seen.features.shape[1],
            n_targets=width,
            seed=seed,
            segment_length=segment_length,
            linear_skip=self.supervision != "every" if self.linear_skip is None else bool(self.linear_skip),
            n_known=seen.covariates.n_known,
            indicator=self.missing == "mask",
            distribution=self._distribution(),
            **{name: getattr(self, name) for name in ("normalize", "channels", "supervision")},
        )

    def _steps_per_epoch(self, panel: Panel | None) -> int | None:
        if self.steps_per_epoch != "auto":
            return None if self.steps_per_epoch is None else int(self.steps_per_epoch)
        n_windows = 0 if panel is None else len(panel) * panel.n_columns // self.stride
        return default_steps(n_windows, self.batch_size * self.accumulate_grad_batches)

    def _distribution(self) -> Any:
        """What the network forecasts the parameters of, as the core names it; None: a point."""
        if self.loss == "quantile":
            return {"quantiles": [float(level) for level in self.quantiles or QUANTILES]}
        if self.quantiles is not None:
            raise ValueError(f"expected quantiles=None without loss='quantile', got loss={self.loss!r}")
        return self.loss if self.loss in DISTRIBUTIONS else None

    def _core_loss(self, seen: Seen) -> Any:
        distribution = self._distribution()
        if distribution is not None:
            return {"distribution": distribution}
        if seen.observations.is_panel:
            return self.loss or "mae"
        return self.loss or default_loss(self.horizon, season_length(seen.observations.freq))

    def _check_counts(self, observations: Observations) -> None:
        if self.loss != "negative_binomial":
            return
        if self.transform is not None:
            raise ValueError(f"expected transform=None for loss='negative_binomial', got {self.transform!r}")
        for method in resolve(self.augment):
            if isinstance(method, (scale, magnitude_warp)):
                raise ValueError(
                    f"expected augment to keep counts above 0 for loss='negative_binomial', got {method!r}"
                )
        # a missing value compares as false
        wrong = (observations.values < 0) | (observations.values % 1 > 0)
        if wrong.any():
            got = observations.first_of(wrong)
            raise ValueError(f"expected counts, whole numbers from 0, for loss='negative_binomial', got {got}")

    def _predict(self, horizon: int | None, X: Any, context: Any, X_past: Any, static: Any) -> tuple[Seen, Array]:
        self._check_is_fitted()
        steps = self._steps(horizon)
        seen, X = self._seen_from(steps, X, context, X_past, static)
        return seen, forecast(self.model_, seen, steps, X, self.n_threads)

    def _seen_from(self, steps: int, X: Any, context: Any, X_past: Any, static: Any) -> tuple[Seen, Any]:
        """What is forecast from, and the covariates of the steps after it."""
        if context is not None:
            return self._read_context(context, steps, X, X_past, static)
        if X_past is not None or static is not None:
            raise ValueError("expected X_past and static with context only, got them without")
        return self._seen, X

    def _steps(self, horizon: int | None) -> int:
        trained: int = self.model_.config["horizon"] if self.head == "direct" else self.horizon
        if isinstance(horizon, list) or getattr(horizon, "shape", None):
            got = type(horizon).__name__
            raise TypeError(f"expected horizon to be an integer, got {got}: pass data to forecast from as context=")
        steps = trained if horizon is None else check_count("horizon", horizon, most=MOST_STEPS)
        if steps > self.model_.config["horizon"] and self._seen.covariates.past is not None:
            raise ValueError(
                f"expected horizon of at most {self.model_.config['horizon']} with X_past, which is not known beyond, "
                f"got {steps}"
            )
        return steps

    def _missing_now(self) -> Missing:
        """What becomes of missing values of newer data, which may have been set since `fit`.

        Raises
        ------
        ValueError
            If it is none of the ways, or left to a network that isn't shown which values are missing.
        """
        check_missing(self.missing)
        if self.missing == "mask" and not self.model_.config["indicator"]:
            raise ValueError(
                "expected missing='ffill' or missing='interpolate', as fit was without missing='mask', got 'mask'"
            )
        return self.missing

    def _read_context(self, context: Any, steps: int, X: Any, X_past: Any, static: Any) -> tuple[Seen, Any]:
        """Data to forecast from in place of those of `fit`, and the covariates of the steps after them."""
        like = self._seen.observations
        observations = read_observations(context, missing=self._missing_now(), like=like, name="context")
        if len(observations) < self.window_size_ and not observations.is_panel:
            raise ValueError(
                f"expected context of at least {self.window_size_} rows (window_size_), got {len(observations)}"
            )
        self._check_counts(observations)
        part = observations.take(observations.last_rows(self.window_size_))
        if observations.index is None:
            X, X_past = (to_pandas(each)[0] for each in (X, X_past))
            n = len(observations)
            if X_past is not None and len(X_past) != n:
                raise ValueError(f"expected X_past with {n} rows, for the rows of context, got {len(X_past)}")
            X_past = _some_rows(X_past, n - len(part), n)
            before, X = _some_rows(X, n - len(part), n), _some_rows(X, n, None)
        else:
            before = X
        covariates = self._seen.covariates
        seen = replace(self._seen, observations=part, features=covariates.of(part, before, X_past, static))
        whole = replace(seen, observations=observations, sizes=None).sized(like=self._seen)
        return replace(seen, sizes=whole.sizes), X

    def _forecast_origins(
        self,
        model: _core.Model | Ensemble,
        seen: Seen,
        origins: NDArray[np.int64],
        steps: int,
        which: NDArray[np.int64] | None = None,
    ) -> Array:
        """Forecast ``steps`` from the rows before each origin of one series, or of those ``which`` of a panel: the
        parameters (n_origins, steps, k, p).
        """
        horizon = model.config["horizon"]
        if steps == horizon or (steps < horizon and not seen.covariates.n_known):
            which = which if seen.starts is not None else None
            found = model.forecast_series(seen.table, origins, self.n_threads, seen.starts, seen.scales, which)
            found = parameters_of(found)[:, :steps]
            places = np.zeros(len(origins), np.int64) if which is None else which
            require_finite_forecasts(found, model, seen, (places, origins))
            return found
        which = np.zeros(len(origins), np.int64) if which is None else which
        n_read = steps_read(model.config, steps)
        after = seen.covariates.of_future(seen.observations, n_read - steps, None) if n_read > steps else None
        parts = []
        for start in range(0, len(origins), BATCH):
            each = slice(start, start + BATCH)
            windows, future = seen.around(which[each], origins[each], model.config["window_size"], n_read, after)
            scales = None if seen.scales is None else seen.scales[which[each]]
            found = roll(model, windows, future, self.n_threads, scales)[:, :steps]
            require_finite_forecasts(found, model, seen, (which[each], origins[each]), future)
            parts.append(found)
        return np.concatenate(parts)

    def to_torch(self) -> torch.nn.Module:
        """A ``torch.nn.Module`` that maps windows (n, window_size, n_features) to forecasts, both in the data's units.

        Where something is known in advance, windows have ``horizon`` rows more, with targets of NaN.

        Returns
        -------
        torch.nn.Module
            Its ``state_dict`` is that of `state_dict`; scaler and normalisation are part of ``forward``. Forecasts have
            the shape (n, horizon, n_targets), distributions (n, horizon, n_targets, n_parameters).

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For a panel whose series have scales of their own, and for a logarithm of other distributions than
            quantiles.
        """
        if hasattr(self, "_seen") and self._seen.sizes is not None and self.normalize != "window":
            raise ValueError(
                "expected one series, or normalize='window', for to_torch, got a panel, scaled series by series"
            )
        return super().to_torch()

    def _training_rows(self, n_rows: int) -> int:
        return training_rows(n_rows, self._held_out())

    def _held_out(self, panel: Panel | None = None) -> float:
        if self.patience is None:
            return 0.0
        if self.validation_fraction is not None:
            return float(self.validation_fraction)
        return VALIDATION_FRACTION if panel is None else held_out_of_panel(panel.lengths, self.horizon)

    def _training_lengths(self, observations: Observations) -> NDArray[np.int64]:
        """The rows of each series that are trained on: (n_series,)."""
        if isinstance(observations, Panel):
            return np.array(self._panel_splits(observations))
        return np.array([self._training_rows(len(observations))])

    def _panel_splits(self, panel: Panel) -> list[int]:
        """The first row held out of each series."""
        return [_core.panel_split(int(n), self._held_out(panel), self.horizon)[1] for n in panel.lengths]

    def _fit_scaler_object(self, seen: Seen) -> dict[str, Array]:
        """Centers and scales of the columns, the features standardised."""
        rows = seen.table[: self._training_rows(len(seen.observations))]
        width = seen.observations.n_columns
        pairs = [fit_columns(self.scaler, rows[:, :width]), fit_columns("standard", rows[:, width:])]
        center, scale = (np.concatenate(each) for each in zip(*pairs, strict=True))
        targets = {"output_center": center[:width], "output_scale": scale[:width]}
        return {"input_center": center, "input_scale": scale} | targets

    def _remember(self, seen: Seen, window_size: int, n_rows: int) -> None:
        # forecasts that end in the newest row can be judged when the next one comes
        self._seen = seen.tail(window_size + self.horizon - 1)
        self._n_rows = n_rows
        self.window_size_ = window_size
        self.freq_ = seen.observations.freq
        self.n_features_in_ = seen.observations.n_columns
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        columns = seen.observations.form.columns
        names = () if columns is None else columns
        if len(names) and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)

    def _check_restored(self) -> None:
        from lstmforecast.export.file_checks import check_forecaster

        check_forecaster(self)

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        tensors, values = self._seen.observations.pack()
        tensors |= {"features": self._seen.features}
        if self._seen.sizes is not None:
            tensors["sizes"] = self._seen.sizes
        return (
            {f"context_{name}": tensor for name, tensor in tensors.items()} | self._interval_tensors(),
            {
                "context": values,
                "covariates": self._seen.covariates.pack(),
                "n_rows": self._n_rows,
                "window_size": self.window_size_,
            },
        )

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        self._restore_interval_tensors(tensors, self._distribution())
        saved = {name.removeprefix("context_"): tensor for name, tensor in tensors.items() if "context_" in name}
        try:
            context = Panel.unpack(saved, values["context"])
        except (ArithmeticError, IndexError) as error:
            raise ValueError(f"a context that cannot be read: {error}") from error
        covariates = Covariates.unpack(values["covariates"])
        seen = Seen(context, saved["features"], covariates, saved.get("sizes"), self.scaler, self.transform)
        if saved["features"].shape != (len(context), covariates.n_features):
            raise ValueError(f"features of {len(context)} rows, got shape {saved['features'].shape}")
        if not context.is_panel and len(context) < values["window_size"]:
            raise ValueError(f"a context of {values['window_size']} rows, got shape {context.values.shape}")
        self._remember(seen, values["window_size"], values["n_rows"])


def _some_rows(table: Any, start: int, stop: int | None) -> Any:
    """Rows of an array, or of a frame with its columns' names."""
    if table is None or isinstance(table, pd.DataFrame | pd.Series):
        return table if table is None else table.iloc[start:stop]
    return np.asarray(table)[start:stop]


def _check_savable(seen: Seen) -> None:
    """Raise a ValueError for names, times and frequencies that no file could keep, before anything is trained."""
    last = seen.tail(1)
    last.observations.pack()
    last.covariates.pack()
