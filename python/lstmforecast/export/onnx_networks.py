"""The layers of each network as ONNX nodes, as `lstmforecast.export.pytorch_networks` has them for PyTorch.

For each architecture, a function computes the input of the head (n, state_size) from the steps of windows
(n, steps, input_size), with weights under the names of the state dict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast.export.onnx_graph import Graph

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """The graph to which layers are added, their weights and their configuration.

    Attributes
    ----------
    graph : Graph
        Gets the nodes.
    weights : mapping of str to ndarray
        Under the names of the state dict.
    prefix : str
        Prefix of the weights' names in the file, different for each member of an ensemble.
    config : mapping
        The model's.
    n_steps : int
        Steps of the network.
    """

    graph: Graph
    weights: Mapping[str, Array]
    prefix: str
    config: Mapping[str, Any]
    n_steps: int

    def linear(self, x: str, name: str) -> str:
        """The ``torch.nn.Linear`` of this name."""
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        return self.graph.linear(x, weight, bias, self.prefix + name)

    def norm(self, x: str, name: str) -> str:
        """The ``torch.nn.LayerNorm`` of this name."""
        weight, bias = (self.constant(self.weights[f"{name}.{part}"], f"{name}.{part}") for part in ("weight", "bias"))
        return self.graph.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=1e-5)

    def constant(self, array: Array, name: str) -> str:
        """Add an array to the file under a name."""
        return self.graph.constant(array, self.prefix + name)

    def lstm(self, steps: str) -> tuple[str, str]:
        """All layers, of steps (steps, n, size): outputs (steps, directions, n, hidden_size) and last hidden states
        (directions, n, hidden_size) of the last layer.
        """
        directions = ["", "_reverse"] if self.config["bidirectional"] else [""]
        x, outputs, states = steps, "", ""
        for layer in range(self.config["num_layers"]):
            if layer:
                side_by_side = self.graph.transpose(outputs, 0, 2, 1, 3)
                x = self.graph.reshape(side_by_side, self.n_steps, -1, self.config["hidden_size"] * len(directions))
            outputs, states = self._lstm_layer(x, layer, directions)
        return outputs, states

    def _lstm_layer(self, x: str, layer: int, directions: list[str]) -> tuple[str, str]:
        def stacked(*kinds: str) -> Array:
            rows = [
                np.concatenate([reordered(self.weights[f"lstm.{kind}_l{layer}{direction}"]) for kind in kinds])
                for direction in directions
            ]
            return np.stack(rows)

        names = {"weight_ih": ("weight_ih",), "weight_hh": ("weight_hh",), "bias": ("bias_ih", "bias_hh")}
        constants = [self.constant(stacked(*kinds), f"lstm.{name}_l{layer}") for name, kinds in names.items()]
        direction = "bidirectional" if len(directions) == 2 else "forward"
        size = self.config["hidden_size"]
        outputs, states = self.graph.add_many("LSTM", 2, x, *constants, direction=direction, hidden_size=size)
        return outputs, states

    def attention(self, queries: str, n_queries: int, x: str, name: str, n_heads: int, mask: Array | None) -> str:
        """``torch.nn.MultiheadAttention`` of queries (n, n_queries, size) over steps (n, steps, size)."""
        graph, weight = self.graph, self.weights[f"{name}.in_proj_weight"]
        bias, size = self.weights[f"{name}.in_proj_bias"], weight.shape[1]
        parts = zip(("query", "key", "value"), (queries, x, x), np.split(weight, 3), np.split(bias, 3), strict=True)
        query, key, value = (graph.linear(source, w, b, f"{self.prefix}{name}.{part}") for part, source, w, b in parts)
        query = graph.transpose(graph.reshape(query, -1, n_queries, n_heads, size // n_heads), 0, 2, 1, 3)
        key = graph.transpose(graph.reshape(key, -1, self.n_steps, n_heads, size // n_heads), 0, 2, 3, 1)
        value = graph.transpose(graph.reshape(value, -1, self.n_steps, n_heads, size // n_heads), 0, 2, 1, 3)
        scores = graph.add("Div", graph.add("MatMul", query, key), np.float32(np.sqrt(size // n_heads)))
        if mask is not None:
            scores = graph.add("Add", scores, mask)
        attended = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
        return self.linear(
            graph.reshape(graph.transpose(attended, 0, 2, 1, 3), -1, n_queries, size), f"{name}.out_proj"
        )


def reordered(gates: Array) -> Array:
    """Reorder rows from PyTorch's gates (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    i, f, g, o = np.split(gates, 4)
    return np.concatenate([i, o, f, g])


def last_state(network: Network, steps: str) -> str:
    """The last hidden state of the last layer, in each direction."""
    return _state_of(network, network.graph.transpose(steps, 1, 0, 2))


def _state_of(network: Network, steps_first: str) -> str:
    _, states = network.lstm(steps_first)
    return network.graph.reshape(network.graph.transpose(states, 1, 0, 2), -1, _state_size(network))


def _state_size(network: Network) -> int:
    return int(network.config["hidden_size"] * (1 + network.config["bidirectional"]))


def attended_state(network: Network, steps: str, num_heads: int) -> str:
    """The last step of the attention layer's output."""
    graph, size = network.graph, _state_size(network)
    outputs, _ = network.lstm(graph.transpose(steps, 1, 0, 2))
    outputs = graph.reshape(graph.transpose(outputs, 2, 0, 1, 3), -1, network.n_steps, size)
    last = graph.part(outputs, 1, network.n_steps - 1, network.n_steps)
    attended = network.attention(last, 1, outputs, "attention", num_heads, None)
    return graph.reshape(network.norm(graph.add("Add", last, attended), "norm"), -1, size)


def convolved_state(network: Network, steps: str, kernel_sizes: list[int], out_channels: int) -> str:
    """The last hidden state of the LSTM after the convolutions."""
    graph = network.graph
    x = graph.transpose(steps, 0, 2, 1)
    for i, size in enumerate(kernel_sizes):
        parts = (f"conv.{i}.weight", f"conv.{i}.bias")
        weight, bias = (network.constant(network.weights[name], name) for name in parts)
        pads = [(size - 1) // 2, size - 1 - (size - 1) // 2]
        x = graph.add("Relu", graph.add("Conv", x, weight, bias, kernel_shape=[size], pads=pads))
    return _state_of(network, graph.transpose(x, 2, 0, 1))


def encoded_state(network: Network, steps: str, num_heads: int, dim_feedforward: int, causal: bool) -> str:
    """The encoder's output at the last step."""
    graph, n_steps, size = network.graph, network.n_steps, network.config["hidden_size"]
    x = graph.add("Add", network.linear(steps, "embedding"), positions(n_steps, size))
    mask = np.triu(np.full((n_steps, n_steps), -np.inf, np.float32), 1) if causal else None
    for layer in range(network.config["num_layers"]):
        name = f"encoder.layers.{layer}"
        normed = network.norm(x, f"{name}.norm1")
        attended = network.attention(normed, n_steps, normed, f"{name}.self_attn", num_heads, mask)
        x = graph.add("Add", x, attended)
        inner = graph.add("Relu", network.linear(network.norm(x, f"{name}.norm2"), f"{name}.linear1"))
        x = graph.add("Add", x, network.linear(inner, f"{name}.linear2"))
    last = network.norm(graph.part(x, 1, n_steps - 1, n_steps), "encoder.norm")
    return graph.reshape(last, -1, size)


def positions(steps: int, size: int) -> Array:
    """Positional encoding: sines at even and cosines at odd positions (Vaswani et al. 2017): (steps, size)."""
    units = np.arange(size)
    powers = (units // 2 * 2 / size).astype(np.float32).astype(np.float64)
    angles = np.arange(steps, dtype=np.float64)[:, None] / 10_000**powers
    return np.where(units % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32)


NETWORKS: dict[str, Callable[..., str]] = {
    "lstm": last_state,
    "attention": attended_state,
    "cnn_lstm": convolved_state,
    "transformer": encoded_state,
}
