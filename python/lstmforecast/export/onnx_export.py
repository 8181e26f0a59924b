"""Fitted estimators as ONNX files, which need neither this package nor Python; importing this module imports onnx."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, checker, helper

import lstmforecast
from lstmforecast import _core
from lstmforecast.data.dataset import Dataset
from lstmforecast.export.onnx_checks import before_the_series, check_rows, check_series, trouble
from lstmforecast.export.onnx_columns import columns_of
from lstmforecast.export.onnx_forecast import ForecastGraph, Inputs
from lstmforecast.export.onnx_graph import IR_VERSION, OPSET, Graph
from lstmforecast.fitting.distribution import mean, n_parameters, name_of
from lstmforecast.fitting.ensemble import Ensemble

Shape = list[int | str]
# the dimension of the windows, of any length
N = "n"


class GraphFile:
    """A graph with its inputs, outputs and metadata.

    Parameters
    ----------
    estimator : str
        The name of the estimator's class.
    model : Model or Ensemble
        Its network.
    dtype : {"float32", "float64"}
        The type of inputs and outputs. Scaling is in double precision, the network in single precision.
    """

    def __init__(self, estimator: str, model: _core.Model | Ensemble, dtype: str) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"expected dtype='float32' or 'float64', got {dtype!r}")
        self.graph, self.model = Graph(), model
        self.dtype: type[np.generic] = np.float64 if dtype == "float64" else np.float32
        self.config = model.config
        self.properties: dict[str, Any] = {
            "estimator": estimator,
            "version": lstmforecast.__version__,
            "window_size": self.config["window_size"],
            "inputs": {},
            "outputs": {},
        }

    @property
    def is_single(self) -> bool:
        """Whether inputs and outputs are in single precision."""
        return self.dtype is np.float32

    def input(self, name: str, shape: Shape, what: str, **told: Any) -> str:
        """Declare an input, of which the metadata tell what is given; returns it in double precision."""
        self.graph.inputs.append(_declared(name, self.dtype, shape, what))
        self.properties["inputs"][name] = _described(self.dtype, shape, what) | told
        return self.graph.cast(name, np.float64) if self.is_single else name

    def output(self, name: str, x: str, shape: Shape, what: str, dtype: Any = None) -> None:
        """Declare an output; of the file's type if none is given."""
        if dtype is None and self.is_single:
            x = self.graph.cast(x, self.dtype)
        self.graph.outputs.append(_declared(name, dtype or self.dtype, shape, what))
        self.properties["outputs"][name] = _described(dtype or self.dtype, shape, what)
        self.graph.nodes.append(helper.make_node("Identity", [x], [name], name))

    def write(self, path: str | Path) -> None:
        """Write the file, in place of an existing one."""
        _core.replace_file(path, self.to_proto().SerializeToString())

    def to_proto(self) -> ModelProto:
        """The contents of the file, checked."""
        versions = {"opset_imports": [helper.make_opsetid("", OPSET)], "ir_version": IR_VERSION}
        model = helper.make_model(self.graph.to_proto("lstmforecast"), **versions)
        model.producer_name, model.producer_version = "lstmforecast", lstmforecast.__version__
        metadata = {name: text if isinstance(text, str) else json.dumps(text) for name, text in self.properties.items()}
        helper.set_model_props(model, metadata)
        checker.check_model(model, full_check=True)
        return model


def _declared(name: str, dtype: Any, shape: Shape, what: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape, what)


def _described(dtype: Any, shape: Shape, what: str) -> dict[str, Any]:
    kind = np.dtype(dtype)
    return {"dtype": "string" if kind.kind == "O" else kind.name, "shape": shape, "description": what}


class Rows(NamedTuple):
    """The ``X`` of a regressor or classifier at `fit`.

    Parameters
    ----------
    n_columns : int
        Columns of a flat ``X``, or features of each step.
    names : list of str or None
        Of the columns.
    """

    n_columns: int
    names: list[str] | None


def write_regressor(file: GraphFile, rows: Rows, n_outputs: int, *, flat_targets: bool) -> None:
    """Write a graph from ``X`` to ``prediction``, with the shape of `predict`."""
    config = file.config
    outputs = _outputs_of_rows(file, rows, n_outputs)
    shape: Shape = [N] if flat_targets else [N, n_outputs]
    x = file.graph.reshape(outputs, *(-1 if each == N else int(each) for each in shape))
    file.properties |= {"n_features": config["n_features"], "n_outputs": n_outputs}
    file.output("prediction", x, shape, "as predict gives it, in the units of the y of fit")


def write_classifier(file: GraphFile, rows: Rows, classes: NDArray[Any], class_weight: NDArray[np.float64]) -> None:
    """Write a graph from ``X`` to ``label`` and ``probabilities``."""
    graph = file.graph
    probabilities = graph.add("Softmax", _outputs_of_rows(file, rows, len(classes)), axis=1)
    # as in predict: class weights change the label, but not the probabilities
    decisive = graph.add("Mul", probabilities, class_weight.astype(np.float64))
    best = graph.add("ArgMax", decisive, axis=1, keepdims=0)
    kinds: dict[str, Any] = {"i": np.int64, "u": np.int64, "b": np.bool_, "f": np.float64, "U": np.object_}
    if classes.dtype.kind == "O" and all(isinstance(label, str) for label in classes):
        classes = classes.astype(str)
    if classes.dtype.kind not in kinds:
        raise ValueError(f"expected labels that are numbers, booleans or strings for to_onnx, got {classes[0]!r}")
    kind = kinds[classes.dtype.kind]
    file.properties |= {"n_features": file.config["n_features"], "classes": classes.tolist()}
    file.output("label", graph.add("Gather", classes.astype(kind), best), [N], "the most likely class", kind)
    file.output("probabilities", probabilities, [N, len(classes)], "of each class, in the order of the classes")


def _outputs_of_rows(file: GraphFile, rows: Rows, n_outputs: int) -> str:
    """Declare ``X``, with the shape of `fit`; returns the network's outputs (n, n_outputs)."""
    size, n_features = file.model.window_shape
    names = list(range(rows.n_columns)) if rows.names is None else rows.names
    if file.is_single:
        check_rows(file.model.scalers())
    flat = rows.n_columns == size * n_features
    shape: Shape = [N, size * n_features] if flat else [N, size, n_features]
    file.properties["features"] = names
    what = "as X of fit, in its units; a row with a value that is not finite has outputs of NaN"
    windows = file.graph.reshape(file.input("X", shape, what, columns=names), -1, size, n_features)
    outputs = _forecast(file.graph, file.model, Inputs(windows), gaps=False)
    zero = file.graph.reshape(trouble(file.graph, windows), -1, 1)
    return file.graph.add("Add", file.graph.reshape(outputs, -1, n_outputs), zero)


def _forecast(graph: Graph, model: Any, inputs: Inputs, gaps: bool) -> str:
    """The parameters (n, horizon, n_targets, p) of forecasts, their mean over the members of an ensemble."""
    forecasts = ForecastGraph(graph, model.config, model.scalers(), gaps)
    columns = forecasts.columns(inputs)
    if not isinstance(model, Ensemble):
        return forecasts.outputs(model, columns, "")
    each = [forecasts.outputs(member, columns, f"members.{i}.") for i, member in enumerate(model.members)]
    return graph.add("Div", graph.total(each), np.float64(len(each)))


def write_forecaster(file: GraphFile, dataset: Dataset, horizon: int, *, missing: str, normalize: str | None) -> None:
    """Write a graph from ``windows``, and ``future`` and ``scales`` if needed, to ``forecast`` and a distribution.

    ``horizon`` steps are forecast, for series such as those of ``dataset``; the others are the forecaster's parameters.
    """
    graph, config = file.graph, file.config
    inputs, zero = _forecaster_inputs(file, dataset, horizon, missing=missing, normalize=normalize)
    lowest = _lowest(file, dataset, inputs.windows)
    gaps = missing == "mask" or dataset.observations.is_panel
    if horizon == config["horizon"]:
        parameters = _forecast(graph, file.model, inputs, gaps)
    else:
        parameters = _roll(graph, file.model, inputs, horizon, gaps, dataset.covariates.n_static, lowest)
    parameters = graph.add("Add", parameters, graph.reshape(zero, -1, 1, 1, 1))
    distribution, k, undo = config["distribution"], config["n_targets"], _undo(dataset.transform, graph)
    forecast = undo(_raised(graph, _mean(graph, distribution, parameters), lowest))
    file.output("forecast", forecast, [N, horizon, k], "as predict gives it, in the units of the targets")
    shape: Shape = [N, horizon, k, n_parameters(distribution)]
    if isinstance(distribution, dict) and "quantiles" in distribution:
        file.properties["quantiles"] = distribution["quantiles"]
        each = None if lowest is None else graph.reshape(lowest, -1, 1, k, 1)
        file.output(
            "quantiles", undo(_raised(graph, parameters, each)), shape, "the network's, ascending in the last dimension"
        )
    elif distribution is not None and dataset.transform is None:
        file.properties["distribution"] = distribution
        file.output("parameters", parameters, shape, f"of {name_of(distribution)} distributions")


def _forecaster_inputs(
    file: GraphFile, dataset: Dataset, horizon: int, *, missing: str, normalize: str | None
) -> tuple[Inputs, str]:
    """Declare the inputs; returns them, and what makes outputs NaN for windows that can't be read: (n, 1, 1)."""
    config, graph = file.config, file.graph
    size, k, n_known = config["window_size"], config["n_targets"], config["n_known"]
    columns = columns_of(dataset, k, masked=missing == "mask")
    names = [column["name"] for column in columns]
    if file.is_single:
        check_series(dataset, file.model.scalers(), names)
    known = columns[len(columns) - n_known :]
    file.properties |= {"horizon": horizon, "targets": names[:k], "features": names}
    file.properties["future_features"] = [column["name"] for column in known]
    if dataset.observations.freq is not None:
        file.properties["freq"] = str(dataset.observations.freq)
    what = "the last rows, in the units of the data: targets, then covariates, in the order of columns"
    shorter = {"before_the_series": "NaN"} if dataset.observations.is_panel else {}
    windows = file.input("windows", [N, size, config["n_features"]], what, columns=columns, **shorter)
    if dataset.transform == "log":
        windows = _logarithms(graph, windows, k, config["n_features"])
    may_lack: Any = np.array([column["nan"] == "missing" for column in columns])
    if shorter:
        may_lack = graph.add("Or", before_the_series(graph, windows), may_lack)
    zero = trouble(graph, windows, may_lack)
    future = scales = None
    if n_known:
        what = "covariates of the steps ahead, in the units of the data, in the order of columns"
        future = file.input("future", [N, horizon, n_known], what, columns=known)
        zero = graph.add("Add", zero, trouble(graph, future, np.array([each["nan"] == "missing" for each in known])))
    if dataset.scales is not None and normalize != "window":
        keys = [str(key) for key in dataset.observations.series_keys]
        file.properties["scales"] = dict(zip(keys, dataset.scales.tolist(), strict=True))
        parts = [f"{part} of {name}" for part in ("center", "scale") for name in names[:k]]
        what = "centers, then scales, of the targets of each window's series; scales in the metadata has those of fit"
        scales = file.input("scales", [N, 2 * k], what, columns=parts)
    return Inputs(windows, future, scales), zero


def _logarithms(graph: Graph, windows: str, k: int, n_features: int) -> str:
    """Windows with the logarithm of 1 plus targets: NaN where it is, -inf where there is no logarithm."""
    raised = graph.add("Add", graph.part(windows, 2, 0, k), np.float64(1))
    raised = graph.add("Where", graph.add("Less", raised, np.float64(0)), np.float64(0), raised)
    others = [graph.part(windows, 2, k, n_features)] if n_features > k else []
    return graph.concat([graph.add("Log", raised), *others], 2)


def _lowest(file: GraphFile, dataset: Dataset, windows: str) -> str | None:
    """The lowest forecasts (n, 1, k) from windows, as `Dataset.lowest`; declares an input where series differ."""
    never, graph, k = dataset.never_negative, file.graph, file.config["n_targets"]
    if never is None or not never.any():
        return None
    chosen: Any = never[0]
    if (never != chosen).any():
        keys = [str(key) for key in dataset.observations.series_keys]
        file.properties["non_negative"] = dict(zip(keys, never.astype(int).tolist(), strict=True))
        what = (
            "1 for targets of each window's series that are not forecast below 0, else 0; non_negative in the metadata "
            "has those of fit"
        )
        given = file.input("non_negative", [N, k], what, columns=file.properties["targets"])
        chosen = graph.add("Greater", graph.reshape(given, -1, 1, k), np.float64(0))
    negative = graph.cast(graph.add("Less", graph.part(windows, 2, 0, k), np.float64(0)), np.int32)
    chosen = graph.add("And", graph.add("Equal", graph.add("ReduceMax", negative, np.array([1])), np.int32(0)), chosen)
    return graph.add("Where", chosen, np.float64(0), np.float64(-np.inf))


def _raised(graph: Graph, values: str, lowest: str | None) -> str:
    """Values, those below the lowest raised to it; NaN, which says what can't be forecast, stays."""
    return values if lowest is None else graph.add("Where", graph.add("Less", values, lowest), lowest, values)


def _roll(graph: Graph, model: Any, inputs: Inputs, steps: int, gaps: bool, n_static: int, lowest: str | None) -> str:
    """Forecast step by step, each from a window with the forecasts before it: parameters (n, steps, n_targets, p)."""
    config, body = model.config, Graph(graph)
    size, k = config["window_size"], config["n_targets"]
    step, go_on, windows = (body.name(name) for name in ("step", "go_on", "windows"))
    of_windows: Shape = [N, size, config["n_features"]]
    body.inputs = [_declared(step, np.int64, [], ""), _declared(go_on, np.bool_, [], "")]
    body.inputs.append(_declared(windows, np.float64, of_windows, ""))
    known = None
    if inputs.future is not None:
        first = body.reshape(step, 1)
        known = body.add("Slice", inputs.future, first, body.add("Add", first, np.array([1])), np.array([1]))
    parameters = _forecast(body, model, Inputs(windows, known, inputs.scales), gaps)
    row = [_raised(body, _mean(body, config["distribution"], parameters), lowest)]
    if n_static:
        row.append(body.part(body.part(windows, 1, size - 1, size), 2, k, k + n_static))
    row += [] if known is None else [known]
    longer = body.concat([windows, body.concat(row, 2)], 1)
    p = n_parameters(config["distribution"])
    for x, dtype, shape in (
        (body.add("Identity", go_on), np.bool_, []),
        (body.part(longer, 1, 1, size + 1), np.float64, of_windows),
        (parameters, np.float64, [N, 1, k, p]),
    ):
        body.outputs.append(_declared(x, dtype, shape, ""))
    loop = graph.add_many("Loop", 2, np.int64(steps), np.True_, inputs.windows, body=body.to_proto("body"))
    return graph.reshape(graph.transpose(loop[1], 1, 0, 2, 3, 4), -1, steps, k, p)


def _mean(graph: Graph, distribution: Any, parameters: str) -> str:
    """The forecast of `predict`: a linear function of the parameters, such as the interpolated median of quantiles."""
    # the forecast for parameters (0, ..., 0, 1, ..., 1) is the sum of the last weights
    sums: NDArray[np.float64] = mean(distribution, np.triu(np.ones([n_parameters(distribution)] * 2)))
    weights = sums - np.append(sums[1:], 0)
    return graph.add("ReduceSum", graph.add("Mul", parameters, weights), np.array([3]), keepdims=0)


def _undo(transform: str | None, graph: Graph) -> Callable[[str], str]:
    if transform != "log":
        return lambda x: x
    return lambda x: graph.add("Sub", graph.add("Exp", x), np.float64(1))
