"""Pickles of forecasters by earlier versions."""

from __future__ import annotations

from typing import Any

from lstmforecast.fitting.objective import LOSS, check_loss
from lstmforecast.uncertainty.fitted_series import FittedSeries


def of_older_pickle(state: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a forecaster in a pickle of any version; what it doesn't have is as it was then."""
    before: dict[str, Any] = {"calibration": "auto", "non_negative": False}
    state = before | ({"shares_": None, "yearly_": None} if "model_" in state else {}) | state
    state = _of_version_0_1(state) if "_seen" in state else state
    if "fitted_" in state and "loss_" not in state:
        observations = state["fitted_"].dataset.observations
        state["loss_"] = check_loss(None, LOSS.flat(state["loss"])["loss"], state["horizon"], observations)
    return state


def _of_version_0_1(state: dict[str, Any]) -> dict[str, Any]:
    """Convert the attributes of a pickle of version 0.1, which has rows and errors as separate attributes."""
    old = {name: state[name] for name in ("_seen", "_calibration", "_n_rows", "window_size_")}
    model = state["model_"]
    horizon = model.config["horizon"] if state["head"] == "direct" else state["horizon"]
    fitted = FittedSeries(model, old["_seen"], old["_calibration"], old["window_size_"], horizon, old["_n_rows"])
    return {name: value for name, value in state.items() if name not in old} | {"fitted_": fitted}
