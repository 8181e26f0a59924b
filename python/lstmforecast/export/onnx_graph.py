"""Builds a graph of ONNX operators, node by node; importing this module imports onnx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

# ONNX Runtime reads both from release 1.14 on.
OPSET, IR_VERSION = 18, 8


class Graph:
    """Nodes in the order of computation; values are referred to by name.

    Parameters
    ----------
    outer : Graph or None
        For the body of a loop: the graph around it, whose values and constants it reads.
    """

    def __init__(self, outer: Graph | None = None) -> None:
        self.nodes: list[NodeProto] = []
        self.inputs: list[ValueInfoProto] = []
        self.outputs: list[ValueInfoProto] = []
        self.constants: dict[str, TensorProto] = {} if outer is None else outer.constants
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {} if outer is None else outer._known
        self._counts: dict[str, int] = {} if outer is None else outer._counts

    def name(self, prefix: str) -> str:
        """A new name."""
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}_{self._counts[prefix]}"

    def add(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """Append a node with one output; returns its name. Inputs that aren't names are constants."""
        [output] = self.add_many(operator, 1, *inputs, **attributes)
        return output

    def add_many(self, operator: str, n_outputs: int, *inputs: Any, **attributes: Any) -> list[str]:
        """Append a node with several outputs; returns their names."""
        name = self.name(operator)
        outputs = [name if i == 0 else f"{name}:{i}" for i in range(n_outputs)]
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, names, outputs, name, **attributes))
        return outputs

    def constant(self, values: ArrayLike, name: str | None = None) -> str:
        """Add an array to the file, equal ones only once; returns its name."""
        array: NDArray[Any] = np.asarray(values)
        array = array.astype(object) if array.dtype.kind == "U" else array
        content = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
        key = (str(array.dtype), array.shape, content)
        if key not in self._known:
            self._known[key] = name or self.name("constant")
            self.constants[self._known[key]] = numpy_helper.from_array(array, self._known[key])
        return self._known[key]

    def cast(self, x: str, dtype: type[np.generic]) -> str:
        """Convert to another type."""
        return self.add("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape; -1 stands for the remaining dimension."""
        return self.add("Reshape", x, np.array(shape))

    def transpose(self, x: str, *axes: int) -> str:
        """Permute the axes."""
        return self.add("Transpose", x, perm=axes)

    def part(self, x: str, axis: int, start: int, end: int) -> str:
        """Slice from ``start`` up to ``end`` along an axis."""
        return self.add("Slice", x, np.array([start]), np.array([end]), np.array([axis]))

    def concat(self, values: Sequence[str], axis: int) -> str:
        """Concatenate along an axis."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=axis)

    def pad(self, x: str, before: Sequence[int], after: Sequence[int], value: Any) -> str:
        """Pad with a constant."""
        return self.add("Pad", x, np.array([*before, *after]), value) if any([*before, *after]) else x

    def total(self, values: Sequence[str]) -> str:
        """Add several values."""
        result = values[0]
        for value in values[1:]:
            result = self.add("Add", result, value)
        return result

    def linear(self, x: str, weight: NDArray[Any], bias: NDArray[Any] | None, name: str) -> str:
        """``torch.nn.Linear`` along the last axis, its ``weight`` of shape (out, in)."""
        product = self.add("MatMul", x, self.constant(np.ascontiguousarray(weight.T), f"{name}.weight"))
        return product if bias is None else self.add("Add", product, self.constant(bias, f"{name}.bias"))

    def to_proto(self, name: str) -> GraphProto:
        """The graph with its constants; those of a loop's body are in the graph around it."""
        constants = list(self.constants.values()) if name != "body" else []
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, constants)
