"""What an explanation is: plain data, which can be printed, stored as JSON and read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ..jsontext import parse_json, to_json
from ..registry import build, describe, record
from .formula import derivative_symbol, symbol

__all__ = ["Batch", "Explanation", "Line", "Node", "Path", "Paths", "Quantity", "Step", "StepLine", "Term", "Witness"]

Place = tuple[int, ...]


class Data:
    """A frozen dataclass that JSON can hold."""

    def __init_subclass__(cls) -> None:
        record(cls)

    def to_dict(self) -> dict[str, Any]:
        """The fields as dicts, lists, numbers and text."""
        return describe(self)  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        return build(stored, cls)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Quantity(Data):
    """One number of the network: an entry of a parameter, of the inputs, or of a node's output."""

    name: str
    place: Place

    @property
    def gradient(self) -> str:
        """dL/d(this) as a formula."""
        return derivative_symbol(self.name, self.place)

    def __str__(self) -> str:
        return f"{self.name}[{','.join(map(str, self.place))}]"


@dataclass(frozen=True)
class Term(Data):
    """One term of a sum: what arrives at an entry of a layer's output, times the local derivative there."""

    node: str  # the layer that it passes through
    upstream: Quantity | None  # None where nothing arrives: a penalty, a share of the loss
    arriving: float  # dL/d(upstream); 1 where there is none
    local: float  # ∂upstream/∂(the line's quantity), from the layer's own backward
    formula: str  # the rule's formula for it, "" without a rule
    numbers: str  # the same with numbers in the place of symbols
    product: float  # arriving · local

    @property
    def shown(self) -> str:
        """The term with its numbers, as a formula."""
        local = self.numbers or repr(self.local)
        return f"{self.arriving!r}*({local})" if self.upstream is not None else local


@dataclass(frozen=True)
class Line(Data):
    """One quantity: its symbol, the rule's formula, the formula with numbers, its value.

    `value` is the sum of the terms' products and of `rest_sum`, which `rest_count` further terms add up to; `zeros`
    terms are 0.
    """

    quantity: Quantity
    nodes: tuple[str, ...]  # the layers whose rules are used
    kinds: tuple[str, ...]  # their classes
    formula: str
    terms: tuple[Term, ...]
    rest_count: int
    rest_sum: float
    zeros: int
    value: float

    @property
    def numbers(self) -> str:
        """The right-hand side with its numbers in full precision: a line of Python that gives the value."""
        parts = [term.shown for term in self.terms]
        if self.rest_count:
            parts.append(repr(self.rest_sum))
        return " + ".join(parts) or "0"

    @property
    def is_loss(self) -> bool:
        """Whether this is the line of the loss itself, not of a derivative."""
        return self.quantity.name == "L"

    @property
    def symbol(self) -> str:
        """The left-hand side, as a formula."""
        return "L" if self.is_loss else self.quantity.gradient


@dataclass(frozen=True)
class Witness(Data):
    """One way in which the gradient was found."""

    name: str
    value: float | None  # None where this way cannot be gone; the note says why
    error: float | None = None  # what it may be off by
    agrees: bool | None = None  # with the backward pass
    note: str = ""


@dataclass(frozen=True)
class Batch(Data):
    """The gradient as a sum over the samples: contributions by sample, and what the penalties add."""

    contributions: tuple[float, ...]
    penalty: float
    mixed: bool  # whether samples take part in each other's output, so that a contribution is that of a loss

    @property
    def up(self) -> tuple[int, ...]:
        """The samples with a contribution above 0, the largest first."""
        return tuple(
            sorted((i for i, c in enumerate(self.contributions) if c > 0), key=lambda i: -self.contributions[i])
        )

    @property
    def down(self) -> tuple[int, ...]:
        """The samples with a contribution below 0, the largest first."""
        return tuple(
            sorted((i for i, c in enumerate(self.contributions) if c < 0), key=lambda i: self.contributions[i])
        )


@dataclass(frozen=True)
class StepLine(Data):
    """One number on the way from the gradient to the new weight."""

    name: str  # its symbol, as a formula
    formula: str
    numbers: str
    value: float
    note: str = ""


@dataclass(frozen=True)
class Step(Data):
    """What one step of the optimizer would do to this weight, and what to the loss."""

    optimizer: str
    lines: tuple[StepLine, ...]
    before: float
    after: float
    predicted: float  # gradient · change, for this weight alone
    measured: float
    predicted_whole: float  # the same for the whole step
    measured_whole: float
    note: str = ""


@dataclass(frozen=True)
class Path(Data):
    """One way from the quantity up to the loss: the quantities on it and the local derivatives between them."""

    through: tuple[Quantity, ...]
    factors: tuple[float, ...]  # from the loss down
    product: float


@dataclass(frozen=True)
class Paths(Data):
    """All paths, the largest products first, or only how many there would be."""

    count: int
    paths: tuple[Path, ...]
    total: float | None  # the sum of their products, None where they are too many
    note: str = ""


@dataclass(frozen=True)
class Node(Data):
    """One layer of the diagram, with the entries of its output that the derivation passes."""

    name: str
    kind: str
    reads: tuple[str, ...]
    shape: tuple[int, ...]  # of one sample
    entries: tuple[Quantity, ...]
    values: tuple[float, ...]
    gradients: tuple[float, ...]
    rule: tuple[tuple[str, str], ...]  # what the layer computes: (left, right) of each equation


@dataclass(frozen=True)
class Explanation(Data):
    """Why a gradient is this number: the chain rule from the loss down, with numbers, and the proof that it is right.

    Print it, or call `to_text()`, `to_latex()`, `to_html()`, `to_json()`; in a notebook it shows itself. `value` is the
    gradient, `lines` the derivation, `witnesses` the independent ways to the same number, `batch` the sum over samples,
    `step` what the optimizer would do, `paths` the ways from the weight to the loss.
    """

    quantity: Quantity
    kind: str  # "parameter", "inputs" or "output"
    today: float  # the quantity's own value
    value: float  # dL/d(quantity)
    loss: float
    samples: int
    sample: int | None
    training: bool
    lines: tuple[Line, ...]
    witnesses: tuple[Witness, ...]
    batch: Batch | None
    step: Step | None
    paths: Paths
    along: tuple[tuple[float, float], ...]  # (value of the quantity, loss)
    nodes: tuple[Node, ...]
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether every witness that could speak agrees with the backward pass."""
        return all(w.agrees is not False for w in self.witnesses)

    @property
    def name(self) -> str:
        """The quantity as it is written: dense_0.weights[20,5]."""
        return str(self.quantity)

    def to_json(self) -> str:
        """The whole explanation as JSON; `from_json` reads it back."""
        return to_json({"symbol": symbol(self.quantity.name, self.quantity.place), **self.to_dict()})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        stored = parse_json(text)
        stored.pop("symbol", None)
        return cls.from_dict(stored)

    def to_text(self, width: int = 100) -> str:
        """As plain text, in lines of at most `width` characters where that is possible."""
        from .render.plain import as_text

        return as_text(self, width)

    def __str__(self) -> str:
        return self.to_text()

    def to_latex(self) -> str:
        """The derivation as an align* environment."""
        from .render.tex import as_latex

        return as_latex(self)

    def to_html(self) -> str:
        """The whole explanation as a page that needs no network and no script."""
        from .render.page import as_page

        return as_page(self)

    def __rich__(self) -> Any:
        from .render.terminal import OnTerminal

        return OnTerminal(self)

    def _repr_html_(self) -> str:
        from .render.page import as_fragment

        return as_fragment(self)

    def _repr_latex_(self) -> str:
        return self.to_latex()
