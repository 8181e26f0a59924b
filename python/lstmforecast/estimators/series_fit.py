"""The fit of a forecaster to data that were read: sizes, network, options, training, fitted attributes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.contract.core_options import Loss
from lstmforecast.contract.fit_tasks import FitTasks
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.gaps import regular_gap
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.scalers import fit_columns
from lstmforecast.data.season import season_length
from lstmforecast.estimators.automatic import resolve
from lstmforecast.estimators.long_season import long_season
from lstmforecast.estimators.shares import with_shares
from lstmforecast.estimators.training_run import Outcome, TrainingRun, keep_network
from lstmforecast.estimators.yearly import with_yearly
from lstmforecast.fitting.distribution import FROM_ZERO, name_of
from lstmforecast.fitting.embedding import check_same_words, embeddings, words_of_vectors
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.finite import require_squares
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.objective import core_loss, distribution_of, require_options, require_values
from lstmforecast.fitting.options import fit_seed, new_network, training_options
from lstmforecast.fitting.sizing import Sizes, default_steps, default_steps_of_series
from lstmforecast.uncertainty.errors import calibrate
from lstmforecast.uncertainty.fitted_series import FittedSeries

# An `LSTMForecaster`. Its module imports this one, so an import here, for type checkers too, would be circular.
Forecaster = Any


def read_series(forecaster: Forecaster, *data: Any, unknown: str = "error") -> Dataset:
    """Check the data of a fit, ``y, X, X_past, static, weights``, and align them; errors are `LSTMForecaster.fit`'s."""
    names = ("freq", "missing", "calendar", "holidays", "scaler", "transform", "non_negative")
    flat = flat_parameters(forecaster)
    dataset = Dataset.read(*data, unknown=unknown, **{name: flat[name] for name in names})
    if flat["head"] == "recursive" and forecaster.horizon > 1 and dataset.covariates.past is not None:
        raise ValueError(
            "expected horizon=1 or head='direct' with X_past, which is not known beyond a step, got "
            f"{forecaster.horizon}"
        )
    require_squares(dataset)
    return dataset


def fit_series(forecaster: Forecaster, dataset: Dataset, tasks: FitTasks | None = None) -> None:
    """Fit a forecaster to data that were read; the errors are those of `LSTMForecaster.fit`."""
    dataset, normalize = resolve(forecaster, dataset, fit_series)
    observations, parameters = dataset.observations, flat_parameters(forecaster) | {"normalize": normalize}
    panel = observations if isinstance(observations, Panel) else None
    distribution = distribution_of(parameters)
    require_options(distribution, dataset.transform, forecaster.augment)
    require_values(distribution, observations)
    _check_savable(dataset)
    held_out, horizon = HeldOut.of(forecaster), forecaster.horizon
    dataset = with_yearly(forecaster, dataset, held_out, fit_series)
    # what is kept forecasts, for which weights don't count
    weights, dataset = dataset.weights, replace(dataset, weights=None).with_signs(parameters["non_negative"])
    found = long_season(forecaster, dataset, held_out, fit_series)
    season = max(season_length(observations.freq), found.season)
    sizes = Sizes(horizon, found.window_size, parameters["segment_length"], season_length(observations.freq))
    if panel is not None:
        dataset = dataset.with_statistics(held_out.training_lengths(panel))
        window_size, segment_length = sizes.of_panel(panel.lengths, held_out.fraction(panel))
    else:
        window_size, segment_length = sizes.resolve(len(observations), held_out.fraction(len(observations)))
    seed = fit_seed(parameters)
    model = _new_network(parameters, getattr(forecaster, "model_", None), dataset, window_size, segment_length, seed)
    if forecaster.warm_start and hasattr(forecaster, "fitted_"):
        check_same_words(forecaster.fitted_.dataset.covariates, dataset.covariates)
    loss = core_loss(parameters, observations)
    options = training_options(
        parameters,
        seed,
        loss=loss,
        validation_fraction=float(held_out.fraction(len(observations) if panel is None else panel)),
        steps_per_epoch=_steps_per_epoch(parameters, observations),
        season=sizes.season,
        filled_gaps=regular_gap(observations) if model.config.get("interpolate_gaps", False) else 0,
    )
    if forecaster.scaler is not None and not isinstance(forecaster.scaler, str):
        model.load_scalers(_fitted_scaler(forecaster.scaler, dataset, held_out))
        options["scaler"] = "loaded"
    table, starts, weights = replace(dataset, weights=weights).training_rows(window_size)
    data = {"series": table, "starts": starts, "scales": dataset.scales, "weights": weights}
    learn = partial(_learn, dataset=dataset, window_size=window_size, season=season, loss=loss)
    words = words_of_vectors(model.config, dataset.covariates)
    TrainingRun(forecaster, model, model.fit_series, data, options, learn, tasks, words).run()


def _new_network(
    parameters: dict[str, Any],
    present: _core.Model | Ensemble | None,
    dataset: Dataset,
    window_size: int,
    segment_length: int,
    seed: int,
) -> _core.Model | Ensemble:
    width, skip = dataset.observations.n_columns, parameters["linear_skip"]
    masked, every = parameters["missing"] == "mask", parameters["supervision"] == "every"
    skip = not every if skip is None else bool(skip)
    distribution, n_known = distribution_of(parameters), dataset.covariates.n_known
    # older networks go on as they began
    is_new = present is None or not parameters["warm_start"] or present.config.get("known_effect", False)
    adds_up = skip and parameters["normalize"] == "last" and name_of(distribution) not in FROM_ZERO
    least = None if parameters["architecture"] == "linear" else parameters["embed"]
    return new_network(
        parameters,
        present,
        window_size=window_size,
        horizon=parameters["horizon"] if parameters["head"] == "direct" else 1,
        n_features=width + dataset.features.shape[1],
        n_targets=width,
        seed=seed,
        segment_length=segment_length,
        linear_skip=skip,
        n_known=n_known,
        known_effect=bool(n_known and adds_up and is_new),
        embeddings=embeddings(dataset.covariates.categories, least, width),
        indicator=masked,
        # a line to the next known value would show an earlier step of the LSTM what comes after it
        interpolate_gaps=masked and not every,
        distribution=distribution,
        normalize=parameters["normalize"],
        channels=parameters["channels"],
        supervision=parameters["supervision"],
    )


def _steps_per_epoch(parameters: dict[str, Any], observations: Observations) -> int | None:
    steps = parameters["steps_per_epoch"]
    if not isinstance(steps, str):
        return None if steps is None else int(steps)
    n_rows, batch_size = len(observations), parameters["batch_size"] * parameters["accumulate_grad_batches"]
    if isinstance(observations, Panel):
        return default_steps(n_rows * observations.n_columns // parameters["stride"], batch_size)
    return default_steps_of_series(n_rows // parameters["stride"], batch_size)


def _fitted_scaler(scaler: Any, dataset: Dataset, held_out: HeldOut) -> dict[str, NDArray[np.float64]]:
    """Centres and scales of the targets by a scaler object; features are standardised."""
    rows = dataset.table[: held_out.training_rows(len(dataset.observations))]
    width = dataset.observations.n_columns
    pairs = [fit_columns(scaler, rows[:, :width]), fit_columns("standard", rows[:, width:])]
    center, scale = (np.concatenate(each) for each in zip(*pairs, strict=True))
    targets = {"output_center": center[:width], "output_scale": scale[:width]}
    return {"input_center": center, "input_scale": scale} | targets


def _learn(
    fitted: Forecaster,
    model: _core.Model | Ensemble,
    outcome: Outcome,
    *,
    dataset: Dataset,
    window_size: int,
    season: int,
    loss: Loss,
) -> None:
    """Calibrate a trained network on the held-out rows, and set both as attributes."""
    held_out, rate = HeldOut.of(fitted), float(fitted.adaptation_rate)
    is_free = not any(name.split(".")[-2] in ("fc", "skip") for name in outcome["frozen"])
    fitted.shares_ = None
    flat = flat_parameters(fitted)
    fitted.loss_ = flat["loss"] or loss
    if flat.get("mix_naive") and is_free:
        squared = loss in ("mse", {"distribution": "normal"})
        model, fitted.shares_ = with_shares(
            model, dataset, held_out, season, squared=squared, n_threads=fitted.n_threads
        )
    calibration, in_units = calibrate(model, dataset, held_out, rate, fitted.n_threads)
    n_rows = len(dataset.observations)
    keep_series(fitted, FittedSeries.of(model, in_units, calibration, window_size, fitted.horizon, n_rows))
    keep_network(fitted, model, outcome)


def keep_series(forecaster: Forecaster, fitted: FittedSeries) -> None:
    """Set the fitted series, and the names and frequency of its data, as attributes of a forecaster."""
    forecaster.fitted_ = fitted
    observations = fitted.dataset.observations
    forecaster.freq_, forecaster.yearly_ = observations.freq, fitted.dataset.covariates.yearly
    forecaster.n_features_in_ = observations.n_columns
    if hasattr(forecaster, "feature_names_in_"):
        del forecaster.feature_names_in_
    columns = observations.form.columns
    names = () if columns is None else columns
    if len(names) and all(isinstance(name, str) for name in names):
        forecaster.feature_names_in_ = np.array(names, dtype=object)


def _check_savable(dataset: Dataset) -> None:
    """Raise a ValueError for names, times and frequencies that a file can't keep, before training."""
    last = dataset.tail(1)
    last.observations.pack()
    last.covariates.pack()
