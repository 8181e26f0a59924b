"""Shared by regressor and classifier: rows of X are windows; they are checked, trained on and predicted from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, validate_data

from lstmforecast import _core
from lstmforecast.contract.fit_tasks import FitTasks
from lstmforecast.contract.parameter_group import flat_group, flat_parameters
from lstmforecast.contract.plain import own_kind
from lstmforecast.data.container import MOST_VALUE
from lstmforecast.data.scalers import fit_affine
from lstmforecast.estimators.estimator import LSTMEstimator, require_fitted
from lstmforecast.estimators.training_run import Outcome, TrainingRun
from lstmforecast.export.file_checks import check_rows
from lstmforecast.fitting.architecture import require_attention
from lstmforecast.fitting.finite import are_within, require_finite_rows
from lstmforecast.fitting.options import fit_seed, new_network, training_options
from lstmforecast.fitting.sizing import VALIDATION_FRACTION

if TYPE_CHECKING:
    from lstmforecast.export.onnx_export import Rows

Array = NDArray[np.float64]
# the one object that arrays of this machine's byte order have: compared faster than by value
_DOUBLE = np.dtype(np.float64)


class WindowEstimator(LSTMEstimator):
    """An estimator for which a row of X is a window: (n, window * features) or (n, window, features)."""

    _doc_page = "rows"
    _own_defaults: ClassVar[dict[str, tuple[Any, Any]]] = {
        "segment_length": (None, 1),
        "steps_per_epoch": ("auto", None),
        "validation_fraction": (None, VALIDATION_FRACTION),
    }
    _of_forecasters: ClassVar[dict[str, tuple[Any, ...]]] = {
        "head": ("direct",),
        "linear_skip": (None, False),
        "embed": (12,),
        "mix_naive": (True,),
        "supervision": ("last",),
        "stride": (1,),
    }
    n_features_per_step: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def _check_values(self) -> None:
        super()._check_values()
        flat = flat_parameters(self)
        for name, values in self._of_forecasters.items():
            if flat[name] not in values:
                raise ValueError(
                    f"expected {name}={values[0]!r}, as {own_kind(self).__name__} reads rows of X as windows, "
                    f"got {flat[name]!r}"
                )

    def _train(
        self,
        windows: Array,
        targets: Array,
        weights: Array | None,
        n_targets: int,
        learn: Callable[[Any, Any, Outcome], None],
        tasks: FitTasks,
        **training: Any,
    ) -> None:
        """Train a new network; ``learn`` keeps the result."""
        if not self._holds_rows_out():
            windows, targets, weights = distinct_rows(windows, targets, weights)
        parameters = flat_parameters(self)
        seed = fit_seed(parameters)
        _, window_size, n_features = windows.shape
        model = new_network(
            parameters,
            getattr(self, "model_", None),
            window_size=window_size,
            horizon=1,
            n_features=n_features,
            n_targets=n_targets,
            seed=seed,
            segment_length=int(parameters["segment_length"]),
        )
        assert isinstance(model, _core.Model)  # ensembles are the forecaster's
        if self.scaler is not None and not isinstance(self.scaler, str):
            model.load_scalers(self._fit_scaler_object(windows, targets, n_targets))
            training["scaler"] = "loaded"
        data = {"X": windows, "y": targets, "sample_weight": weights}
        options = training_options(parameters, seed, **training)
        TrainingRun(self, model, model.fit_windows, data, options, learn, tasks).run()

    def _holds_rows_out(self) -> bool:
        stopping = self._stopping()
        return stopping["patience"] is not None and stopping["validation_fraction"] > 0

    def _stopping(self) -> dict[str, Any]:
        """``patience``, ``min_delta`` and ``validation_fraction``."""
        return flat_group(self, "early_stopping")

    def _fit_scaler_object(self, windows: Array, targets: Array, n_targets: int) -> dict[str, Array]:
        rows = len(windows)
        if self._holds_rows_out():
            rows = _core.time_split(rows, self._stopping()["validation_fraction"])[0]
        center, scale = fit_affine(self.scaler, windows[:rows].reshape(-1, windows.shape[2]))
        scalers = {"input_center": center, "input_scale": scale}
        if is_classifier(self):
            return scalers | {"output_center": np.zeros(n_targets), "output_scale": np.ones(n_targets)}
        center, scale = fit_affine(self.scaler, targets[:rows])
        return scalers | {"output_center": center, "output_scale": scale}

    def attention_weights(self, X: Any) -> NDArray[np.float32]:
        """Attention weights of windows, with ``architecture="attention"``.

        Parameters
        ----------
        X : array-like of shape (n, window * features) or (n, window, features)

        Returns
        -------
        ndarray of shape (n, num_heads, steps, steps), float32
            One matrix for each window and head, whose rows sum to 1; the prediction is computed from the last row.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also for another architecture.
        """
        require_fitted(self)
        require_attention(self.model_.config)
        return self.model_.attention_weights(windows_to_predict(self, X), self.n_threads)

    def _windows_to_fit(self, X: Any) -> Array:
        """Check X before a fit, without a change of the estimator."""
        values, per_step = self._read(X), self.n_features_per_step
        _require_finite_rows(values)
        if values.ndim == 2:
            if values.shape[1] % per_step:
                raise ValueError(
                    f"expected X of shape (n, window * {per_step}) as n_features_per_step={per_step}, "
                    f"got {values.shape}"
                )
            return values.reshape(len(values), -1, per_step)
        if 0 in values.shape or per_step not in (1, values.shape[2]):
            features = "features" if per_step == 1 else per_step
            raise ValueError(f"expected X of shape (n, window, {features}), got {values.shape}")
        return values

    def _is_ready(self, X: Any, window_size: int, n_features: int) -> bool:
        """Whether scikit-learn's checks, which take longer than the network, would all pass."""
        if type(X) is not np.ndarray or X.dtype is not _DOUBLE or not X.flags.c_contiguous or not len(X):
            return False
        if X.ndim == 3:
            return bool(X.shape[1:] == (window_size, n_features))
        named = hasattr(self, "feature_names_in_")
        return bool(X.ndim == 2 and not named and X.shape[1] == self.n_features_in_ == window_size * n_features)

    def _read(self, X: Any) -> Array:
        values: Array = as_floats(X, "X", estimator=self)
        if values.ndim > 3:
            raise ValueError(f"expected X of shape (n, window * features) or (n, window, features), got {values.shape}")
        return values

    def _fitted_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        names = getattr(self, "feature_names_in_", None)
        values = {"n_features_in": self.n_features_in_, "feature_names_in": None if names is None else names.tolist()}
        return {}, values

    def _restore_fitted_state(self, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        self.n_features_in_ = int(values["n_features_in"])
        if values["feature_names_in"] is not None:
            self.feature_names_in_ = np.array(values["feature_names_in"], dtype=object)

    def _check_rows(self, n_outputs: Any) -> None:
        """Raise a ValueError if values from a file don't fit the network."""
        check_rows(self.model_, n_outputs, self.n_features_in_, getattr(self, "feature_names_in_", None))

    def _rows(self) -> Rows:
        """The description of ``X`` for an ONNX file."""
        from lstmforecast.export.onnx_export import Rows

        names = getattr(self, "feature_names_in_", None)
        return Rows(self.n_features_in_, None if names is None else names.tolist())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def outputs_of(estimator: WindowEstimator, X: Any) -> Array:
    """The network's outputs, of shape (n, n_targets), in the targets' units."""
    require_fitted(estimator)
    windows = windows_to_predict(estimator, X)
    outputs: Array = estimator.model_.forecast(windows, estimator.n_threads)[:, 0, :]
    require_finite_rows(outputs, windows, estimator.model_)
    return outputs


def windows_to_predict(estimator: WindowEstimator, X: Any) -> Array:
    """Check X against the fit, and convert it to windows (n, window_size, n_features)."""
    window_size, n_features = estimator.model_.window_shape
    width = window_size * n_features
    if estimator._is_ready(X, window_size, n_features):
        values: Array = X
    else:
        values = estimator._read(X)
        if values.ndim == 2 and estimator.n_features_in_ == width:
            # scikit-learn's own comparison of columns and names, with its messages.
            validate_data(estimator, X if hasattr(X, "columns") else values, reset=False, skip_check_array=True)
        if values.shape[1:] not in ((width,), (window_size, n_features)):
            raise ValueError(
                f"expected X of shape (n, {width}) or (n, {window_size}, {n_features}), got {_shape_text(values)}"
            )
    # Checked last: where names differ, pandas inserts missing values, and the error about names is more helpful.
    _require_finite_rows(values)
    return values.reshape(-1, window_size, n_features)


def remember_columns(estimator: WindowEstimator, X: Any, windows: Array) -> None:
    """Set ``n_features_in_`` and, for a DataFrame, ``feature_names_in_``."""
    if (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) == 2:
        validate_data(estimator, X, skip_check_array=True)
        return
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    estimator.n_features_in_ = windows.shape[2]


def weigh_rows(windows: Array, targets: NDArray[Any], sample_weight: Any) -> tuple[Array, NDArray[Any], Array | None]:
    """Check the weights of the rows, and remove rows with a weight of 0.

    Parameters
    ----------
    windows : ndarray of shape (n, window, features)
    targets : ndarray of n rows
    sample_weight : array-like of shape (n,), number or None

    Returns
    -------
    windows, targets, weights
        Of the rows with a weight above zero; weights are None if none were given.

    Raises
    ------
    ValueError
        Another shape, a negative or not finite weight, or zeros alone.
    """
    if sample_weight is None:
        return windows, targets, None
    weights = _read_weights(sample_weight, len(windows))
    kept = weights > 0
    if not kept.any():
        raise ValueError("expected a sample_weight above zero for at least one row, got zeros only")
    return (windows, targets, weights) if kept.all() else (windows[kept], targets[kept], weights[kept])


def distinct_rows(windows: Array, targets: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Merge equal rows, adding their weights, and sort them by content.

    A row given twice and a row of weight 2 then train the same network, bit for bit: scalers and batches are the same.

    Parameters
    ----------
    windows : ndarray of shape (n, window, features)
    targets : ndarray of shape (n, outputs)
    weights : ndarray of shape (n,) or None

    Returns
    -------
    windows, targets, weights
        Of the distinct rows.
    """
    # Adding 0.0 makes -0.0 equal to 0.0 in bytes too, and bytes are compared far faster than rows of numbers.
    rows = np.hstack([windows.reshape(len(windows), -1), targets]) + 0.0
    keys = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, places = np.unique(keys, return_index=True, return_inverse=True)
    return windows[first], targets[first], np.bincount(places, weights).astype(np.float64)


def _read_weights(sample_weight: Any, n_rows: int) -> Array:
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight)
    weights: Array = as_floats(sample_weight, "sample_weight", ensure_2d=False)
    if weights.shape != (n_rows,):
        raise ValueError(f"expected sample_weight of shape ({n_rows},), got {weights.shape}")
    require_finite("sample_weight", weights, ("row",))
    if weights.min() < 0:
        raise ValueError(f"expected no negative sample_weight, got {weights.min()} in row {weights.argmin()}")
    return weights


def as_floats(values: Any, name: str, **options: Any) -> Array:
    """scikit-learn's `check_array`, which here allows missing and infinite numbers.

    Raises
    ------
    TypeError, ValueError
        For anything but an array of numbers, or integers beyond the range of double precision.
    """
    try:
        floats: Array = check_array(
            values, dtype=np.float64, order="C", allow_nd=True, ensure_all_finite=False, input_name=name, **options
        )
    except OverflowError as error:
        raise ValueError(f"expected values of a size up to {MOST_VALUE:g} in {name}, got a greater integer") from error
    return floats


def require_finite(name: str, values: NDArray[Any], axes: tuple[str, ...]) -> None:
    """Raise an error for the first NaN or infinity, with its position.

    Parameters
    ----------
    name : str
        The name of the values in the message.
    values : ndarray of floats
    axes : tuple of str
        The name of a position along each axis.

    Raises
    ------
    ValueError
        A value that is not finite, or beyond 1e100.
    """
    if are_within(values, MOST_VALUE):
        return
    position = tuple(int(index) for index in np.argwhere(~(np.abs(values) <= MOST_VALUE))[0])
    where = ", ".join(f"{axis} {index}" for axis, index in zip(axes, position, strict=True))
    if np.isfinite(values[position]):
        raise ValueError(
            f"expected values of a size up to {MOST_VALUE:g} in {name}, got {values[position]:g} in {where}"
        )
    value = "NaN" if np.isnan(values[position]) else "inf" if values[position] > 0 else "-inf"
    raise ValueError(f"expected finite values in {name}, got {value} in {where}")


def require_rows(name: str, values: NDArray[Any], n_rows: int) -> None:
    """Raise unless there is one value for each row of X.

    Raises
    ------
    ValueError
        Another number of rows.
    """
    if len(values) != n_rows:
        raise ValueError(f"expected {name} with {n_rows} rows as X has, got {len(values)}")


def _require_finite_rows(values: Array) -> None:
    require_finite("X", values, ("row", "column") if values.ndim == 2 else ("row", "step", "feature"))


def _shape_text(values: NDArray[Any]) -> str:
    return "(" + ", ".join(["n", *map(str, values.shape[1:])]) + ")"
