"""What each input did for one output: the answer of `explain_prediction`, as text and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..display import Html, article, folded, fragment, page, scrolled, table, tag
from ..display.palette import ink, shade
from ..display.spelling import printable
from ..display.svg import picture
from ..display.terminal import columns as columns_of_terminal
from .explanation import Explanation
from .notation import counted, number
from .render.page import as_fragment
from .render.spans import Span, wrapped

__all__ = ["InputShare", "PredictionExplanation"]

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
        return printable("\n".join(self._lines(columns_of_terminal(100))))

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
        largest, least = max(map(abs, numbers), default=0.0) or 1.0, min(numbers, default=0.0)
        squares = [
            tag(
                "rect",
                tag("title", f"{one.name}: {number(one.value, 4)}, share {number(one.share, 4)}"),
                x=PIXEL * (one.place % columns),
                y=PIXEL * (one.place // columns),
                width=PIXEL,
                height=PIXEL,
                fill=shade(value, largest) if shares or least < 0 else ink(value, largest),
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
