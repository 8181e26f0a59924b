"""ONNX nodes that compute forecasts from windows, both in the data's units, as `pytorch` does in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.export.onnx_graph import Graph
from lstmforecast.export.onnx_networks import NETWORKS, Network
from lstmforecast.fitting.architecture import of_core
from lstmforecast.fitting.distribution import COUNTS, FROM_ZERO, n_parameters, name_of
from lstmforecast.fitting.effect import KnownEffect
from lstmforecast.fitting.embedding import InputColumns

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """Values of the graph, in double precision.

    Attributes
    ----------
    windows : str
        (n, window_size, n_features)
    future : str or None
        Covariates of the steps ahead that are known in advance: (n, horizon, n_known).
    scales : str or None
        Centres, then scales, of the series of each window: (n, 2 * n_targets).
    """

    windows: str
    future: str | None = None
    scales: str | None = None


@dataclass(frozen=True)
class Columns:
    """Inputs of networks, in single precision, and the scale that converts outputs back to the data's units.

    Attributes
    ----------
    targets, features, indicator : str or None
        (n, rows, columns of each); None: none.
    n_rows : int
        Rows of the window, and of the horizon if covariates are known in advance.
    center, scale : str or ndarray
        Broadcast against (n, horizon, n_targets).
    """

    targets: str
    features: str | None
    indicator: str | None
    n_rows: int
    center: Any
    scale: Any


class ForecastGraph:
    """Computes the network's inputs from windows, and forecasts from its outputs.

    Parameters
    ----------
    graph : Graph
        Gets the nodes.
    config : mapping
        The model's.
    scalers : mapping of str to ndarray
        The model's.
    gaps : bool
        Whether targets may be missing, and features before a series begins.
    """

    def __init__(self, graph: Graph, config: Mapping[str, Any], scalers: Mapping[str, Array], gaps: bool) -> None:
        self.graph, self.config, self.scalers, self.gaps = graph, config, scalers, gaps
        self.n_targets = min(config["n_targets"], config["n_features"])

    def columns(self, inputs: Inputs) -> Columns:
        """Targets scaled by the level of their window, features by their scaler, and which targets are known."""
        graph, size, n_targets = self.graph, self.config["window_size"], self.n_targets
        length = self.config["segment_length"]
        n_after = -(-self.config["horizon"] // length) * length if self.config["n_known"] else 0
        raw = graph.part(inputs.windows, 2, 0, n_targets)
        features, of_all = self._features(inputs, n_after), self._levels_of_all(inputs)
        effect = self._effect(features, of_all[1])
        raw = raw if effect is None else graph.add("Sub", raw, graph.part(effect, 1, 0, size))
        missing = graph.add("IsNaN", raw) if self.gaps else None
        levels = _Levels(graph, self.config, of_all, raw, missing)
        center, scale = levels.of(size)
        if effect is not None:
            center = graph.add("Add", center, graph.part(effect, 1, size, size + self.config["horizon"]))
        targets = graph.pad(self._scaled_targets(levels, inputs), [0, 0, 0], [0, n_after, 0], np.float32(0))
        return Columns(targets, features, self._indicator(raw, missing, n_after), size + n_after, center, scale)

    def _levels_of_all(self, inputs: Inputs) -> tuple[Any, Any]:
        """Centre and scale for windows without their own: those of the series, or of all data."""
        if inputs.scales is None:
            return self.scalers["output_center"], self.scalers["output_scale"]
        n = self.n_targets
        parts = (self.graph.part(inputs.scales, 1, at, at + n) for at in (0, n))
        center, scale = (self.graph.reshape(part, -1, 1, n) for part in parts)
        return center, scale

    def _scaled_targets(self, levels: _Levels, inputs: Inputs) -> str:
        graph, size = self.graph, self.config["window_size"]
        n_first = self.config["segment_length"] if self.config["supervision"] == "every" else size
        if self.config["normalize"] is None and inputs.scales is None:
            own = (self.scalers["input_center"][: self.n_targets], self.scalers["input_scale"][: self.n_targets])
        else:
            own = levels.of(n_first)
        scaled = graph.add("Div", graph.add("Sub", levels.shown, own[0]), own[1])
        if levels.first is not None:
            # rows before the first known value get that value, if it is among the rows of the level, or else the centre
            before = graph.add("Less", np.arange(size)[:, None], levels.first)
            late = graph.add("GreaterOrEqual", levels.first, np.int64(n_first))
            scaled = graph.add("Where", graph.add("And", before, late), np.float64(0), scaled)
        return graph.cast(scaled, np.float32)

    def _features(self, inputs: Inputs, n_after: int) -> str | None:
        graph, n_targets, n_known = self.graph, self.n_targets, self.config["n_known"]
        n_features = self.config["n_features"] - n_targets
        if not n_features:
            return None
        of_window = self._scaled_features(graph.part(inputs.windows, 2, n_targets, n_targets + n_features), n_features)
        if inputs.future is None:
            return of_window
        of_future = self._scaled_features(inputs.future, n_known)
        n_left = n_after - self.config["horizon"]
        of_future = graph.pad(of_future, [0, 0, n_features - n_known], [0, n_left, 0], np.float32(0))
        return graph.concat([of_window, of_future], 1)

    def _effect(self, features: str | None, scale: Any) -> str | None:
        """What known features add to targets (n, window_size + horizon, n_targets), in the data's units, or None."""
        graph, config = self.graph, self.config
        effect = KnownEffect.of(self.scalers, config["n_known"])
        if effect is None or features is None:
            return None
        n_rows, n_features = config["window_size"] + config["horizon"], config["n_features"] - self.n_targets
        known = graph.part(features, 2, n_features - config["n_known"], n_features)
        known = graph.cast(graph.part(known, 1, 0, n_rows), np.float64)
        hinges = graph.add("Sub", graph.add("MatMul", known, effect.hinges.T.copy()), effect.thresholds)
        parts = [
            graph.add("MatMul", known, effect.linear[0].T.copy()),
            graph.add("MatMul", graph.add("Max", hinges, np.float64(0)), effect.bent.T.copy()),
        ]
        for weight, mean in zip(effect.linear[1:], effect.means(n_rows), strict=True):
            parts.append(graph.add("MatMul", mean, graph.add("MatMul", known, weight.T.copy())))
        return graph.add("Mul", graph.total(parts), scale)

    def _scaled_features(self, features: str, n: int) -> str:
        """Scale ``features``, the last ``n`` of all."""
        graph = self.graph
        center, scale = (self.scalers[name][-n:] for name in ("input_center", "input_scale"))
        scaled = graph.cast(graph.add("Div", graph.add("Sub", features, center), scale), np.float32)
        return graph.add("Where", graph.add("IsNaN", scaled), np.float32(0), scaled) if self.gaps else scaled

    def _indicator(self, raw: str, missing: str | None, n_after: int) -> str | None:
        graph = self.graph
        if not self.config["indicator"] and not self.config["n_known"]:
            return None
        if missing is not None:
            return graph.pad(graph.cast(missing, np.float32), [0, 0, 0], [0, n_after, 0], np.float32(1))
        rows = np.repeat(np.array([0, 1], np.float32), [self.config["window_size"], n_after])
        n = graph.add("Concat", graph.add("Shape", raw, start=0, end=1), np.array([1, self.n_targets]), axis=0)
        return graph.add("Expand", rows[None, :, None], n)

    def outputs(self, model: _core.Model, columns: Columns, prefix: str) -> str:
        """Parameters (n, horizon, n_targets, p) that a network forecasts, for each target alone or all together."""
        graph, config = self.graph, self.config
        p, horizon, k = n_parameters(config["distribution"]), config["horizon"], config["n_targets"]
        if config["channels"] == "independent":
            y = self._network_and_skip(model, self._each_target(columns), columns.n_rows, 1, prefix)
            y = graph.transpose(graph.reshape(y, -1, k, horizon, p), 0, 2, 1, 3)
        else:
            parts = [columns.targets, columns.features, columns.indicator]
            x = graph.concat([part for part in parts if part is not None], 2)
            y = self._network_and_skip(model, x, columns.n_rows, k, prefix)
        return self._parameters(graph.cast(y, np.float64), columns.center, columns.scale)

    def _each_target(self, columns: Columns) -> str:
        """A row for each target: (n * n_targets, rows, columns)."""
        graph, k, n_rows = self.graph, self.n_targets, columns.n_rows
        parts = [graph.reshape(graph.transpose(columns.targets, 0, 2, 1), -1, n_rows, 1)]
        if columns.features is not None:
            m = self.config["n_features"] - k
            repeated = graph.add("Expand", graph.reshape(columns.features, -1, 1, n_rows, m), np.array([1, k, 1, 1]))
            parts.append(graph.reshape(repeated, -1, n_rows, m))
        if columns.indicator is not None:
            parts.append(graph.reshape(graph.transpose(columns.indicator, 0, 2, 1), -1, n_rows, 1))
        return graph.concat(parts, 2)

    def _network_and_skip(self, model: _core.Model, x: str, n_rows: int, k: int, prefix: str) -> str:
        """Network and linear skip connection: (n, horizon, k, p), scaled."""
        graph, config, weights = self.graph, self.config, model.parameters()
        p, horizon = n_parameters(config["distribution"]), config["horizon"]
        architecture, options = of_core(config)
        network, parts = Network(graph, weights, prefix, config, n_rows // config["segment_length"]), []
        if architecture in NETWORKS:
            read, n_columns = self._embedded(network, x, k)
            steps = graph.reshape(read, -1, network.n_steps, config["segment_length"] * n_columns)
            state = NETWORKS[architecture](network, steps, **options)
            parts.append(graph.reshape(network.linear(state, "fc"), -1, horizon, k, p))
        if config["linear_skip"]:
            skip = graph.reshape(self._linear_skip(network, x, k), -1, horizon, k, 1)
            parts.append(graph.pad(skip, [0] * 4, [0, 0, 0, p - 1], np.float32(0)))
        return graph.total(parts)

    def _embedded(self, network: Network, x: str, k: int) -> tuple[str, int]:
        """Inputs (n, rows, columns) with vectors in place of the columns of categories, and the number of columns."""
        columns = InputColumns.of(self.config, self._width(k), k)
        if not columns.embedded:
            return x, self._width(k)
        tables = [network.weights[f"embeddings.{i}.weight"] for i in range(len(columns.embedded))]
        matrix = np.zeros((self._width(k), len(columns.kept) + sum(table.shape[1] for table in tables)), np.float32)
        matrix[columns.kept, np.arange(len(columns.kept))] = 1
        end = len(columns.kept)
        for each, table in zip(columns.embedded, tables, strict=True):
            matrix[each, end : end + table.shape[1]] = table
            end += table.shape[1]
        return self.graph.add("MatMul", x, network.constant(matrix, "embeddings")), matrix.shape[1]

    def _width(self, k: int) -> int:
        """The number of columns of an input with ``k`` targets."""
        shown = min(k, self.config["n_features"])
        indicator = self.config["indicator"] or self.config["n_known"] > 0
        return int(self.config["n_features"] - self.n_targets + shown * (2 if indicator else 1))

    def _linear_skip(self, network: Network, x: str, k: int) -> str:
        """The linear forecast (n, horizon, k), with the effect of covariates that are known in advance."""
        graph, size, n_known = self.graph, self.config["window_size"], self.config["n_known"]
        targets = graph.part(graph.part(x, 1, 0, size), 2, 0, k)
        effect = None
        if n_known and not self.config.get("known_effect"):
            end = self._width(k) - k
            known = graph.part(x, 2, end - n_known, end)
            change = graph.add("Sub", known, graph.part(known, 1, size - 1, size))
            effect = network.linear(change, "known")
            targets = graph.add("Sub", targets, graph.part(effect, 1, 0, size))
        skip = graph.transpose(network.linear(graph.transpose(targets, 0, 2, 1), "skip"), 0, 2, 1)
        if effect is not None:
            skip = graph.add("Add", skip, graph.part(effect, 1, size, size + self.config["horizon"]))
        return skip

    def _parameters(self, y: str, center: Any, scale: Any) -> str:
        """Convert outputs (n, horizon, k, p) to parameters in the data's units, of the same shape."""
        graph, distribution = self.graph, self.config["distribution"]
        p = n_parameters(distribution)
        # one more axis, that of the parameters
        center, scale = (
            graph.add("Unsqueeze", each, np.array([3])) if isinstance(each, str) else each[:, None]
            for each in (center, scale)
        )
        first = graph.part(y, 3, 0, 1)
        positive = graph.add("Softplus", graph.part(y, 3, 1, p)) if p > 1 else ""
        if name_of(distribution) in FROM_ZERO:
            return self._from_zero(y, first, positive, center, scale)
        if isinstance(distribution, dict):
            first = self._ascending(first, positive, p)
        location = graph.add("Add", graph.add("Mul", first, scale), center)
        if distribution is None or isinstance(distribution, dict):
            return location
        deviation = graph.add("Mul", graph.add("Add", graph.part(positive, 3, 0, 1), np.float64(1e-4)), scale)
        parts = [location, deviation]
        if distribution == "student_t":
            parts.append(graph.add("Add", graph.part(positive, 3, 1, 2), np.float64(2)))
        return graph.concat(parts, 3)

    def _from_zero(self, y: str, first: str, positive: str, center: Any, scale: Any) -> str:
        """A mean counted from 0, and what else distributions of counts and of values from 0 on have."""
        graph, distribution = self.graph, self.config["distribution"]
        name = name_of(distribution)
        mean = graph.add("Softplus", graph.add("Add", first, graph.add("Div", center, scale)))
        if name in COUNTS:
            parts = [graph.add("Add", graph.add("Mul", mean, scale), np.float64(1e-6))]
        else:
            parts = [graph.add("Mul", graph.add("Add", mean, np.float64(1e-6)), scale)]
        if name != "poisson":
            least = 1e-4 if name == "lognormal" else 1e-6
            parts.append(graph.add("Add", graph.part(positive, 3, 0, 1), np.float64(least)))
        if name == "tweedie":
            unit = graph.add("Pow", scale, np.float64(2 - distribution["tweedie"]))
            parts[1] = graph.add("Mul", parts[1], unit)
        if name == "zero_inflated_negative_binomial":
            extra = graph.add("Sigmoid", graph.part(y, 3, 2, 3))
            parts.append(graph.add("Mul", extra, np.float64(0.999)))
        return graph.concat(parts, 3)

    def _ascending(self, first: str, steps: str, p: int) -> str:
        """Quantiles: the middle one, and positive differences from one to the next."""
        graph, middle, axis = self.graph, p // 2, np.int64(3)
        parts = [first]
        if middle:
            below = graph.add("CumSum", graph.part(steps, 3, 0, middle), axis, reverse=1)
            parts.insert(0, graph.add("Sub", first, below))
        if p - 1 > middle:
            above = graph.add("CumSum", graph.part(steps, 3, middle, p - 1), axis)
            parts.append(graph.add("Add", first, above))
        return graph.concat(parts, 3)


class _Levels:
    """Targets (n, window_size, k) without gaps, and their levels.

    Attributes
    ----------
    shown : str
        Missing values are replaced by the last known value before, or else the first one; 0 if none is known. With
        ``interpolate_gaps`` those between two known values are on the straight line.
    first : str or None
        The row of the first known value, or window_size: (n, 1, k). None: no value is missing.
    """

    def __init__(
        self, graph: Graph, config: Mapping[str, Any], of_all: tuple[Any, Any], raw: str, missing: str | None
    ) -> None:
        self.graph, self.config, self.of_all, self.missing = graph, config, of_all, missing
        self.shown, self.first = raw, None
        if missing is not None:
            self.shown, self.first = self._carried(raw, missing)

    def _carried(self, raw: str, missing: str) -> tuple[str, str]:
        graph, size = self.graph, self.config["window_size"]
        rows = np.arange(size)[:, None]
        last, reach = graph.add("Where", missing, np.int64(-1), rows), 1
        while reach < size:
            # the maximum over twice as many rows up to each row
            earlier = graph.pad(graph.part(last, 1, 0, size - reach), [0, reach, 0], [0, 0, 0], np.int64(-1))
            last, reach = graph.add("Max", last, earlier), 2 * reach
        none_yet = graph.add("Less", last, np.int64(0))
        first = graph.add("ReduceMin", graph.add("Where", missing, np.int64(size), rows), np.array([1]))
        row = graph.add("Min", graph.add("Where", none_yet, first, last), np.int64(size - 1))
        shown = graph.add("GatherElements", raw, row, axis=1)
        shown = graph.add("Where", graph.add("IsNaN", shown), np.float64(0), shown)
        if self.config.get("interpolate_gaps", False):
            shown = self._interpolated(raw, missing, last, shown)
        return shown, first

    def _interpolated(self, raw: str, missing: str, last: str, shown: str) -> str:
        """Carried values, and those of the straight line where a known one follows."""
        graph, size = self.graph, self.config["window_size"]
        rows = np.arange(size)[:, None]
        later, reach = graph.add("Where", missing, np.int64(size), rows), 1
        while reach < size:
            # the minimum over twice as many rows from each row on
            after = graph.pad(graph.part(later, 1, reach, size), [0, 0, 0], [0, reach, 0], np.int64(size))
            later, reach = graph.add("Min", later, after), 2 * reach
        to = graph.add("GatherElements", raw, graph.add("Min", later, np.int64(size - 1)), axis=1)
        gone = graph.cast(graph.add("Sub", rows, last), np.float64)
        length = graph.cast(graph.add("Sub", later, last), np.float64)
        # on a known row both are 0
        part = graph.add("Div", gone, graph.add("Max", length, np.float64(1)))
        line = graph.add("Add", shown, graph.add("Mul", graph.add("Sub", to, shown), part))
        there = graph.add("GreaterOrEqual", last, np.int64(0))
        there = graph.add("And", there, graph.add("Less", later, np.int64(size)))
        return graph.add("Where", graph.add("And", missing, there), line, shown)

    def of(self, n_rows: int) -> tuple[Any, Any]:
        """Centre and scale of the first ``n_rows`` rows."""
        graph, (center, scale) = self.graph, self.of_all
        if self.config["normalize"] is None:
            return center, scale
        shown = graph.part(self.shown, 1, 0, n_rows)
        if self.config["normalize"] == "last":
            last = graph.part(shown, 1, n_rows - 1, n_rows)
            return self._where_known(n_rows, last, center), scale
        mean = self._mean(shown, n_rows)
        squares = graph.add("Mul", *[graph.add("Sub", shown, mean)] * 2)
        deviation = graph.add("Sqrt", self._mean(squares, n_rows))
        varies = graph.add("Greater", deviation, graph.add("Mul", graph.add("Abs", mean), np.float64(1e-12)))
        found = graph.add("Where", varies, deviation, scale)
        return self._where_known(n_rows, mean, center), self._where_known(n_rows, found, scale)

    def _mean(self, values: str, n_rows: int) -> str:
        graph = self.graph
        if self.missing is None:
            return graph.add("ReduceMean", values, np.array([1]))
        gaps = graph.part(self.missing, 1, 0, n_rows)
        count = graph.add("ReduceSum", graph.cast(graph.add("Not", gaps), np.float64), np.array([1]))
        total = graph.add("ReduceSum", graph.add("Where", gaps, np.float64(0), values), np.array([1]))
        return graph.add("Div", total, graph.add("Max", count, np.float64(1)))

    def _where_known(self, n_rows: int, value: str, otherwise: Any) -> str:
        if self.first is None:
            return value
        return self.graph.add("Where", self.graph.add("Less", self.first, np.int64(n_rows)), value, otherwise)
