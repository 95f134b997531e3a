"""`explain_prediction`: why the network said what it said, from one output back to the inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..nodes import INPUTS, parts_of
from ..traces import trace
from .answer import explain
from .labels import readable_name
from .notation import number
from .shares import InputShare, PredictionExplanation
from .units import columns_of
from .upstream import Upstream

__all__ = ["explain_prediction"]


def explain_prediction(
    model: Any, x: ArrayLike, output: int | str | None = None, *, feature_names: Sequence[str] = ()
) -> PredictionExplanation:
    """Why the network said what it said about one sample: the chain rule from an output to every input.

    `x` is one sample, alone or as a batch of one; `output` is a class by name or number, the one that was said where it
    is left out; a network with one output for two classes has it for the second. The slope of a score is taken where
    the last layer gives scores. A network of 64 or 784 inputs is taken to look at an image. Raises `DataError` for more
    than one sample or an output that does not exist.

    >>> from chainrule import Dense, MeanSquaredError, Model
    >>> model = Model([Dense(2, 1)], loss=MeanSquaredError())
    >>> model.parameters = {"dense_0.weights": [[2.0], [-3.0]], "dense_0.biases": [[1.0]]}
    >>> why = explain_prediction(model, [10.0, 1.0])              # 10·2 + 1·(-3) + 1
    >>> why.score, [one.share for one in why.inputs]
    (18.0, [20.0, -3.0])
    """
    array = model.inputs(x)
    shape = model.network.input_shape()
    sample = array[None] if shape is not None and array.shape == shape else array
    if len(sample) != 1:
        raise DataError(f"explain_prediction: give one sample, not {len(sample)}.")
    names = _output_names(model, sample)
    scores = np.asarray(model.logits(sample), dtype=float)[0]  # (O,)
    place = int(np.argmax(scores)) if output is None else _place(output, names)
    chosen = np.zeros((1, len(scores)))  # (1,O)
    chosen[0, place] = 1.0
    features = feature_names or (model.preprocessing.feature_names if model.preprocessing is not None else ())
    flat = sample.reshape(-1)
    image = _image_shape(sample.shape[1:])
    known = features if len(features) == len(flat) else _input_names(len(flat), image)
    asked = Upstream(
        reduction="sum",
        objective=names[place] if names[place] == f"output {place}" else f"the output for {names[place]}",
        said="The slope of an output by itself is 1, by any other output 0: this is where the way back begins.",
    )
    gradient = _slopes(model, asked, sample, chosen)
    columns = columns_of(model.preprocessing) if sample.ndim == 2 else {}
    originals = [columns[i].original(float(flat[i])) if i in columns else None for i in range(len(flat))]
    shares = tuple(
        InputShare(i, readable_name(str(known[i])), float(flat[i]), float(gradient[i]), originals[i])
        for i in range(len(flat))
    )
    weightiest = max(shares, key=lambda one: abs(one.share)).place
    chain = explain(
        model.network,
        asked,
        sample,
        chosen,
        INPUTS,
        (0, *map(int, np.unravel_index(weightiest, sample.shape[1:]))),
        parameters=model.parameters,
        state=model.state,
        feature_names=features,
        class_names=model.class_names,
        preprocessing=model.preprocessing,
    )
    said, listed = _said(model, sample, names, scores, place)
    score, shown = float(scores[place]), dict(listed).get(names[place])
    becomes = "before it becomes a probability" if model.loss.classifies else "in the scale that the network learned"
    before = "" if shown is None or math.isclose(shown, score, rel_tol=1e-6) else f", {becomes},"
    return PredictionExplanation(said, names[place], score, listed, shares, image, chain, before)


def _said(
    model: Any, sample: NDArray[Any], names: Sequence[str], scores: NDArray[Any], place: int
) -> tuple[str, tuple[tuple[str, float], ...]]:
    """What the network answers, and every class with its probability or every value, in the table's own units."""
    if not model.loss.classifies:
        values = scores if model.preprocessing is None else model.preprocessing.decode_target(scores[None])
        values = np.asarray(values, dtype=float).reshape(-1)
        return number(float(values[place])), tuple(zip(names, map(float, values), strict=True))
    likely = np.asarray(model.predict_proba(sample), dtype=float).reshape(-1)  # (C,), or (1,) for yes
    if len(scores) == 1:
        no, yes = _two_classes(model)
        return (yes if likely[-1] > 0.5 else no), ((yes, float(likely[-1])), (no, 1 - float(likely[-1])))
    decided = np.asarray(model.predict(sample))[0]
    listed = tuple(zip(names, map(float, likely), strict=True))
    if np.ndim(decided):  # each output answers for itself
        return ", ".join(n for n, yes in zip(names, decided, strict=True) if yes) or "none of the classes", listed
    return names[int(decided)], listed


def _two_classes(model: Any) -> tuple[str, str]:
    return tuple(model.class_names) if len(model.class_names) == 2 else ("class 0", "class 1")


def _slopes(model: Any, asked: Upstream, sample: NDArray[Any], chosen: NDArray[Any]) -> NDArray[Any]:
    """d(output)/d(input) in float64, (I,)."""
    values = {name: np.asarray(array, dtype=np.float64) for name, array in model.parameters.items()}
    one = trace(
        model.network,
        asked,
        values,
        sample.astype(np.float64),
        chosen,
        state={name: np.asarray(array, dtype=np.float64) for name, array in model.state.items()},
        training=False,
    )
    found = np.zeros(sample.shape)
    for leaf in model.network.flat:
        for source, (_, gradient) in zip(leaf.sources, parts_of(one[leaf.name].dinputs), strict=True):
            if source == INPUTS:
                found = found + gradient
    return found.reshape(-1)


def _output_names(model: Any, sample: NDArray[Any]) -> tuple[str, ...]:
    outputs = int(model.network.output_shape(sample.shape[1:])[-1])
    if len(model.class_names) == outputs:
        return tuple(model.class_names)
    if model.loss.classifies and outputs == 1:
        return _two_classes(model)[1:]
    if not model.loss.classifies and model.preprocessing is not None and len(model.preprocessing.targets) == outputs:
        return tuple(map(readable_name, model.preprocessing.targets))
    word = "class" if model.loss.classifies else "output"
    return tuple(f"{word} {i}" for i in range(outputs))


def _input_names(inputs: int, image: tuple[int, int] | None) -> tuple[str, ...]:
    """Pixels by row and column, as the data set of digits has them."""
    if image is None:
        return tuple(f"input {i}" for i in range(inputs))
    return tuple(f"pixel {i // image[1]} {i % image[1]}" for i in range(inputs))


def _place(output: int | str, names: Sequence[str]) -> int:
    if isinstance(output, str) and output in names:
        return names.index(output)
    if isinstance(output, int | np.integer) and not isinstance(output, bool) and 0 <= output < len(names):
        return int(output)
    raise DataError(f"explain_prediction: there is no output {output!r}; they are {', '.join(names)}.")


def _image_shape(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows and columns of what looks like an image: 8 x 8 or 28 x 28 in a row, or two axes."""
    if len(shape) == 2:
        return shape[0], shape[1]
    side = round(float(shape[0]) ** 0.5) if len(shape) == 1 else 0
    return (side, side) if side >= 8 and side * side == shape[0] else None
