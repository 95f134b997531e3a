"""`explain_prediction`: why the network said what it said, from one output back to the inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..display import Html, article, folded, fragment, page, scrolled, table, tag
from ..display.palette import shade
from ..display.spelling import printable
from ..display.svg import picture
from ..errors import DataError
from ..nodes import INPUTS, parts_of
from ..traces import trace
from .answer import explain
from .explanation import Explanation
from .labels import readable_name
from .notation import number
from .render.page import as_fragment
from .render.spans import Span, wrapped
from .units import columns_of
from .upstream import Upstream
from .words import counted

__all__ = ["InputShare", "PredictionExplanation", "explain_prediction"]

SHOWN = 8  # inputs to each side
PIXEL = 22.0


@dataclass(frozen=True)
class InputShare:
    """One input: its value, the slope of the output by it, and their product."""

    place: int
    name: str
    value: float
    slope: float
    original: float | None = None  # the number in the table, before it was scaled

    @property
    def share(self) -> float:
        """value · slope: what the output would lose, to first order, if this input were 0."""
        return self.value * self.slope


@dataclass(frozen=True)
class PredictionExplanation:
    """What each input did for one output, with the chain of the weightiest of them in `chain`."""

    said: str
    output: str  # the name of the output that is explained
    score: float
    outputs: tuple[tuple[str, float], ...]  # every class with its probability, or every value
    inputs: tuple[InputShare, ...]
    shape: tuple[int, int] | None  # of an image
    chain: Explanation
    before: str = ""  # what becomes of the score: a probability, a number of the table

    @property
    def up(self) -> tuple[InputShare, ...]:
        """The inputs that raise the output, the largest share first."""
        return tuple(sorted((one for one in self.inputs if one.share > 0), key=lambda one: -one.share))

    @property
    def down(self) -> tuple[InputShare, ...]:
        """The inputs that lower it, the largest share first."""
        return tuple(sorted((one for one in self.inputs if one.share < 0), key=lambda one: one.share))

    def __str__(self) -> str:
        return printable("\n".join(self._lines(100)))

    def to_text(self, width: int = 100) -> str:
        """As plain text, with the chain of the weightiest input."""
        return "\n".join([*self._lines(width), "", self.chain.to_text(width)])

    @property
    def _asked(self) -> str:
        """What is explained, and what a share is."""
        return (
            f"The network's score for {self.output}{self.before} is {number(self.score)}. An input's share is its "
            "value times the slope of the score by it: about what the score would lose if the input were 0."
        )

    def _lines(self, width: int) -> Iterator[str]:
        listed = sorted(self.outputs, key=lambda one: -one[1])[:3]
        said = "  " + ", ".join(f"{name} {number(value, 4)}" for name, value in listed)
        for whole in (f"Why did the network say {self.said}?", said, f"  {self._asked}"):
            yield from _wrapped(whole, width)
        if self.shape is not None:
            yield ""
            yield from (f"  {line}" for line in self._image(width - 2))
        for line in self._sides():
            yield from _wrapped(line, width)

    @property
    def _nothing(self) -> str:
        """Why no input has a share; empty where one has."""
        if any(one.share for one in self.inputs):
            return ""
        if not any(one.value for one in self.inputs):
            return "Every input is 0, so none has a share: the score is what the biases make of it."
        return f"No input has a share. {self.chain.answer}"

    def _sides(self) -> Iterator[str]:
        if self._nothing:
            yield ""
            yield f"  {self._nothing}"
            return
        for way, side in (("raise", self.up), ("lower", self.down)):
            yield ""
            yield f"  {_moving(way, side)}"
            for one in side[:SHOWN]:
                told = "" if one.original is None else f" ({number(one.original, 4)} in the table)"
                factors = " · ".join(_factor(number(factor, 4)) for factor in (one.value, one.slope))
                yield f"    {one.name}{told}: {factors} = {number(one.share, 4)}"

    def _image(self, width: int) -> Iterator[str]:
        """The picture in characters, and beside it, or below, where the shares lie: + raises, - lowers."""
        assert self.shape is not None
        rows, columns = self.shape
        brightest = max((abs(one.value) for one in self.inputs), default=0.0) or 1.0
        largest = max((abs(one.share) for one in self.inputs), default=0.0) or 1.0
        lines = [self.inputs[row * columns : (row + 1) * columns] for row in range(rows)]
        drawn = ["".join(" ░▒▓█"[min(4, round(4 * abs(one.value) / brightest))] * 2 for one in line) for line in lines]
        shares = ["".join(_mark(one.share / largest) for one in line) for line in lines]
        if 4 * columns + 3 <= width:
            yield from (f"{seen}   {marked}".rstrip() for seen, marked in zip(drawn, shares, strict=True))
        else:
            yield from (line.rstrip() for line in (*drawn, "", *shares))

    def _repr_html_(self) -> str:
        return fragment(article(*self._sections())) + as_fragment(self.chain)

    def to_html(self) -> str:
        """A page that needs no network and no script: the picture, the shares, the chain of the weightiest input."""
        chain = Html(as_fragment(self.chain))
        return page(f"Why did the network say {self.said}?", article(*self._sections()), chain)

    def _sections(self) -> Iterator[Html]:
        yield tag("h1", f"Why did the network say {self.said}?")
        rows = [(name, number(value, 4)) for name, value in sorted(self.outputs, key=lambda one: -one[1])]
        yield table((), rows[:3], numeric=[1])
        yield tag("p", self._asked)
        if self.shape is not None:
            seen = tag("div", tag("p", "What the network saw"), self._picture(False))
            up, down = tag("span", "orange raises", cls="up"), tag("span", "blue lowers", cls="down")
            words = tag("p", up, f" the output for {self.output}, ", down, " it")
            marked = tag("div", words, self._picture(True))
            yield scrolled(tag("div", seen, marked, cls="sides"))
        if self._nothing:
            yield tag("p", self._nothing)
            return
        for way, side in (("raise", self.up), ("lower", self.down)):
            if not side:
                yield tag("p", _moving(way, side), cls="soft")
                continue
            yield folded(_moving(way, side), self._table(side[:SHOWN]))

    def _table(self, side: Sequence[InputShare]) -> Html:
        """Inputs with their numbers; in the table's own units as well, where they are scaled."""
        columns = ["input", "value", "slope", "share"]
        rows = [[one.name, *(number(n, 4) for n in (one.value, one.slope, one.share))] for one in side]
        if any(one.original is not None for one in self.inputs):
            columns[1:2] = ["in the table", "scaled"]
            for row, one in zip(rows, side, strict=True):
                row.insert(1, "" if one.original is None else number(one.original, 4))
        return table(columns, rows, numeric=range(1, len(columns)))

    def _picture(self, shares: bool) -> Html:
        assert self.shape is not None
        rows, columns = self.shape
        numbers = [one.share if shares else one.value for one in self.inputs]
        largest = max(map(abs, numbers), default=0.0) or 1.0
        squares = [
            tag(
                "rect",
                tag("title", f"{one.name}: {number(one.value, 4)}, share {number(one.share, 4)}"),
                x=PIXEL * (one.place % columns),
                y=PIXEL * (one.place // columns),
                width=PIXEL,
                height=PIXEL,
                fill=shade(value, largest),
            )
            for one, value in zip(self.inputs, numbers, strict=True)
        ]
        frame = tag("rect", x=0, y=0, width=PIXEL * columns, height=PIXEL * rows, cls="axis", fill="none")
        label = "The share of each pixel: orange raises, blue lowers" if shares else "The picture that the network saw"
        return picture(PIXEL * columns, PIXEL * rows, *squares, frame, label=label)


def _factor(shown: str) -> str:
    return f"({shown})" if shown.startswith("-") else shown


def _mark(part: float) -> str:
    """Two characters for a share between -1 and 1."""
    size = abs(part)
    sign = "+" if part > 0 else "-"
    return sign * 2 if size > 0.5 else f"{sign} " if size > 0.1 else "· " if size > 0 else "  "


def _moving(way: str, side: Sequence[InputShare]) -> str:
    """How many inputs raise or lower the output, and by how much."""
    if not side:
        return f"No input {way}s it"
    verb = way if len(side) > 1 else f"{way}s"
    return f"{counted(len(side), 'input')} {verb} it, together {number(sum(one.share for one in side))}"


def _wrapped(line: str, width: int) -> Iterator[str]:
    for spans in wrapped([Span(line)], width, 2):
        yield "".join(span.text for span in spans).rstrip()


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
    known = features if len(features) == len(flat) else tuple(f"input {i}" for i in range(len(flat)))
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
    return PredictionExplanation(
        said, names[place], score, listed, shares, _image_shape(sample.shape[1:]), chain, before
    )


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
