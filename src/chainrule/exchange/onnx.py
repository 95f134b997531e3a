"""A network as one ONNX file: preprocessing in front, the network, and what its outputs mean behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import Preprocessing
from ..datasets.target import Targets
from ..errors import ConfigurationError
from ..graph import Graph
from ..layer import Shape, format_shape
from ..loss import Loss
from ..losses import BinaryCrossentropy, CategoricalCrossentropy, SigmoidCrossentropy, SoftmaxCrossentropy
from .onnxcolumns import write_preprocessing
from .onnxlayers import write_network
from .writer import BATCH, Writer

__all__ = ["PROBABILITIES", "Exported", "exported", "to_onnx"]

# What makes probabilities of a network's outputs, by the loss that it was trained with.
PROBABILITIES: dict[type, Callable[[Writer, str], str]] = {
    BinaryCrossentropy: lambda write, outputs: outputs,
    CategoricalCrossentropy: lambda write, outputs: outputs,
    SigmoidCrossentropy: lambda write, outputs: write.op("Sigmoid", outputs),
    SoftmaxCrossentropy: lambda write, outputs: write.op("Softmax", outputs, axis=1),
}
_OF_CLASSES = (CategoricalCrossentropy, SoftmaxCrossentropy)  # one of C; the others answer yes or no


@dataclass(frozen=True)
class Exported:
    """What goes into a file: the members of an ensemble, or one network, and what its inputs and outputs mean.

    `labels` are the classes in order, (C,), text or numbers. `center` and `scale`, (O,), take values back to their
    unit. `features` name the inputs. `shape` is that of one sample, where the network does not fix it.
    """

    networks: Sequence[Graph]
    loss: Loss
    dtype: Any
    preprocessing: Preprocessing | None = None
    labels: NDArray[Any] = field(default_factory=lambda: np.array([]))
    center: Any = 0.0
    scale: Any = 1.0
    features: Sequence[str] = ()
    shape: Shape | None = None

    def output_shape(self) -> Shape:
        """The shape of one sample of the outputs."""
        return self.networks[0].output_shape(self.input_shape())

    def input_shape(self) -> Shape:
        """The shape of one sample of the inputs. Raises `ConfigurationError` where nothing says it."""
        fixed = self.networks[0].input_shape()
        if self.preprocessing is not None:
            fixed = (len(self.preprocessing.feature_names),)
        if fixed is None and self.shape is None:
            raise ConfigurationError(
                "The network does not say what shape its inputs have; pass that of one sample, such as shape=(28, 28)."
            )
        if fixed is not None and self.shape not in (None, fixed):
            raise ConfigurationError(
                f"shape={self.shape} does not fit: the network reads {format_shape(fixed)}; leave shape out."
            )
        return fixed or self.shape or ()


def exported(
    network: Graph,
    loss: Loss,
    dtype: Any,
    preprocessing: Preprocessing | None,
    names: Sequence[str],
    shape: Shape | None,
) -> Exported:
    """What goes into the file of a model."""
    units: dict[str, Any] = {}
    if preprocessing is not None and not loss.classifies:
        outcome = preprocessing.outcome
        targets = outcome.targets if isinstance(outcome, Targets) else (outcome,)
        units = {"center": [each.center for each in targets], "scale": [each.scale for each in targets]}
    return Exported((network,), loss, dtype, preprocessing, np.array(names, dtype=str), shape=shape, **units)


def to_onnx(exported: Exported, *, logits: bool = False) -> bytes:
    """The bytes of the file, checked in full by `onnx.checker`.

    Classes come out as `class` (B,) and `probabilities` (B, C), values as `values` (B, O) in their unit; with `logits`
    only the network's own outputs, (B, C) or (B, O). Raises `ConfigurationError` for what ONNX cannot express here.
    """
    if logits and len(exported.networks) > 1:
        raise ConfigurationError("Several networks have no common logits; export their probabilities or values.")
    write = Writer(exported.dtype)
    inputs, refused = _write_inputs(write, exported)
    several = len(exported.networks) > 1
    results = []
    for i, network in enumerate(exported.networks):
        prefix = f"member_{i}." if several else ""
        outputs = write_network(write, network.flat, network.values(), inputs, prefix)
        results.append(outputs if refused is None else write.op("Add", outputs, refused))
    if logits:
        shape = exported.output_shape()
        write.output(results[0], "logits", write.dtype, [BATCH, *shape], "the network's own outputs")
    elif exported.loss.classifies:
        _write_classes(write, exported, results, refused)
    else:
        _write_values(write, exported, results)
    return write.file("chainrule", _facts(exported))


def _write_inputs(write: Writer, exported: Exported) -> tuple[str, str | None]:
    """The name of the network's inputs, (B, ...), and of (B, 1) that is NaN for rows that cannot be used."""
    if exported.preprocessing is not None:
        return write_preprocessing(write, exported.preprocessing)
    return write.input("inputs", write.dtype, [BATCH, *exported.input_shape()], "as the network reads them"), None


def _write_classes(write: Writer, exported: Exported, results: Sequence[str], refused: str | None) -> None:
    loss = type(exported.loss)
    if loss not in PROBABILITIES:
        raise ConfigurationError(f"{loss.__name__} has no probabilities in ONNX; export the logits, logits=True.")
    chances = _mean(write, [PROBABILITIES[loss](write, one) for one in results])  # (B,C)
    outputs = exported.output_shape()[-1]
    shape: list[Any]
    if loss in _OF_CLASSES:
        chosen, shape = write.op("ArgMax", chances, axis=1, keepdims=0), [BATCH]  # (B,)
    else:
        yes = write.cast(write.op("Greater", chances, write.number(0.5)), np.int64)  # (B,O)
        alone = outputs == 1
        chosen = write.op("Squeeze", yes, write.constant(np.array([1]))) if alone else yes
        shape = [BATCH] if alone else [BATCH, outputs]
    labels = exported.labels
    kind: Any = np.int64
    if len(labels) and len(shape) == 1:
        kind = str if labels.dtype.kind in "UO" else labels.dtype
        chosen = write.op("Gather", write.constant(labels), chosen)
    if refused is not None:
        none = "" if kind is str else np.array(-1, dtype=kind)
        flag = write.op("IsNaN", refused)  # (B,1)
        flag = flag if len(shape) == 2 else write.op("Squeeze", flag, write.constant(np.array([1])))
        chosen = write.op("Where", flag, write.constant(none), chosen)
    write.output(chosen, "class", kind, shape, "the most likely class, or 1 for yes")
    write.output(chances, "probabilities", write.dtype, [BATCH, outputs], "of each class, or of yes")


def _write_values(write: Writer, exported: Exported, results: Sequence[str]) -> None:
    standardized = write.cast(_mean(write, results), np.float64)  # (B,O)
    scaled = write.op("Mul", standardized, write.constant(np.asarray(exported.scale, dtype=np.float64)))
    values = write.op("Add", scaled, write.constant(np.asarray(exported.center, dtype=np.float64)))
    write.output(values, "values", np.float64, [BATCH, *exported.output_shape()], "in the unit of the target")


def _mean(write: Writer, results: Sequence[str]) -> str:
    if len(results) == 1:
        return results[0]
    return write.op("Div", write.op("Sum", *results), write.number(len(results)))


def _facts(exported: Exported) -> dict[str, str]:
    """What a reader of the file may want to know, as text."""
    known: dict[str, Sequence[str]] = {"classes": exported.labels.tolist(), "features": exported.features}
    if exported.preprocessing is not None:
        known |= {"targets": exported.preprocessing.targets, "features": exported.preprocessing.feature_names}
    return {name: json.dumps(values) for name, values in known.items() if len(values)}
