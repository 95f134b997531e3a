"""Writer: an ONNX graph in the making. Every value has a name, that of the layer or column it belongs to in front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from .needs import needed

__all__ = ["BATCH", "Parameter", "Writer"]

BATCH = "batch"  # the name of the axis that is as long as there are samples
_OPSET, _TABLES_OPSET, _IR = 17, 3, 8  # the oldest with all that is used, so that old programs read the files
_TABLES = "ai.onnx.ml"  # the domain of operators on text
_LARGEST = 2**31 - 2**20  # bytes in a protobuf file, with some left for the graph


class Parameter(NamedTuple):
    """An array of a layer under its full name, such as "dense_0.weights"."""

    name: str
    value: NDArray[Any]


class Writer:
    """Nodes, constants, inputs and outputs; a value is known by its name, a text.

    `dtype` is what the network computes in.
    """

    def __init__(self, dtype: Any) -> None:
        self.onnx = needed("onnx", "Export to ONNX", '"chainrule[onnx]"')
        self.dtype = np.dtype(dtype)
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._taken: set[str] = set()
        self._place = ""

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Names begin with this place."""
        before, self._place = self._place, place
        yield
        self._place = before

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node; returns the name of its output."""
        name = self._free(f"{self._place}/{kind}" if self._place else kind)
        self._nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], name, domain=domain, **attributes))
        return name

    def lookup(self, text: str, keys: Sequence[str], otherwise: int) -> str:
        """The place of each text among the keys, int64."""
        places = list(range(len(keys)))
        options: dict[str, Any] = {"keys_strings": list(keys), "values_int64s": places, "default_int64": otherwise}
        return self.op("LabelEncoder", text, domain=_TABLES, **options)

    def constant(self, value: Any, name: str = "constant") -> str:
        """An array that is part of the file, as it is; text too."""
        array = np.asarray(value)
        name = self._free(f"{self._place}/{name}" if self._place else name)
        self._constants[name] = self._tensor(array, name)
        return name

    def number(self, value: float) -> str:
        """A constant in the network's dtype."""
        return self.constant(np.array(value, dtype=self.dtype))

    def stored(self, parameter: Parameter, *, flat: bool = False) -> str:
        """A parameter: once in the file, however often it is read. `flat` makes (1, N) to (N,)."""
        name = f"{parameter.name} (flat)" if flat and parameter.name in self._constants else parameter.name
        if name not in self._constants:
            self._taken.add(name)
            self._constants[name] = self._tensor(parameter.value.reshape(-1) if flat else parameter.value, name)
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """The value in another dtype."""
        return self.op("Cast", value, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def input(self, name: str, dtype: Any, shape: Sequence[Any], meaning: str) -> str:
        """What is passed to the file, (B, ...)."""
        self._taken.add(name)
        self._inputs.append(self._info(name, dtype, shape, meaning))
        return name

    def output(self, value: str, name: str, dtype: Any, shape: Sequence[Any], meaning: str) -> None:
        """What comes out, (B, ...), under this name, or one like it where an input has it."""
        free = self._free(name)
        self._nodes.append(self.onnx.helper.make_node("Identity", [value], [free], f"{free}/Identity"))
        self._outputs.append(self._info(free, dtype, shape, meaning))

    def file(self, name: str, facts: dict[str, str]) -> bytes:
        """The whole as the bytes of a file, checked. Raises `ConfigurationError` where it is too large for one."""
        size = sum(tensor.ByteSize() for tensor in self._constants.values())
        if size > _LARGEST:
            raise ConfigurationError(f"An ONNX file holds at most 2 GiB; this network has {size / 2**30:.1f} GiB.")
        helper = self.onnx.helper
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, list(self._constants.values()))
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_TABLES, _TABLES_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="chainrule")
        helper.set_model_props(model, facts)
        self.onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

    def _info(self, name: str, dtype: Any, shape: Sequence[Any], meaning: str) -> Any:
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.onnx.helper.make_tensor_value_info(name, kind, list(shape), meaning)

    def _tensor(self, array: NDArray[Any], name: str) -> Any:
        return self.onnx.numpy_helper.from_array(
            array.astype(object) if array.dtype.kind == "U" else np.ascontiguousarray(array), name
        )

    def _free(self, name: str) -> str:
        """This name, or the first of name_2, name_3, ... that nothing has."""
        free, count = name, 1
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free
