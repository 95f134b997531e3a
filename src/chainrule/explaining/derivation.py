"""What an explanation holds: plain data, which can be stored and read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ..registry import build, describe, record
from .formula import derivative_symbol

__all__ = [
    "AxisNames",
    "Batch",
    "Derivation",
    "DiagramNode",
    "Line",
    "OptimizerStep",
    "Path",
    "Paths",
    "Quantity",
    "ReadingStep",
    "StepLine",
    "Term",
    "Witness",
]

Index = tuple[int, ...]


class Data:
    """A frozen dataclass that JSON can hold."""

    def __init_subclass__(cls) -> None:
        record(cls)

    def to_dict(self) -> dict[str, Any]:
        """The fields as dicts, lists, numbers and text."""
        return describe(self)  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The object that `to_dict` described."""
        return build(stored, cls)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Quantity(Data):
    """One number of the network: an entry of a parameter, of the inputs, or of a node's output."""

    name: str
    index: Index

    @property
    def gradient(self) -> str:
        """dL/d(this) as a formula."""
        return derivative_symbol(self.name, self.index)

    def __str__(self) -> str:
        return f"{self.name}[{','.join(map(str, self.index))}]"


@dataclass(frozen=True)
class Term(Data):
    """One term of a sum: the upstream gradient at an entry of a layer's output, times the local derivative."""

    node: str  # the layer that it passes through
    upstream: Quantity | None  # None for a penalty and for a share of the loss
    upstream_gradient: float  # dL/d(upstream); 1 where there is none
    local: float  # ∂upstream/∂(the line's quantity), from the layer's own backward
    formula: str  # the rule's formula for it, "" without a rule
    numbers: str  # the same with numbers in the place of symbols
    product: float  # upstream_gradient · local
    named: str = ""  # the product as a formula, with the names of columns and classes

    @property
    def shown(self) -> str:
        """The term with its numbers, as a formula."""
        local = self.numbers or repr(self.local)
        if self.upstream is None:
            return local
        one, over, below = local.partition("/")
        if one == "1" and below.isdigit():
            return f"{self.upstream_gradient!r}{over}{below}"
        return f"{self.upstream_gradient!r}*({local})"


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
class ReadingStep(Data):
    """One step as a reader follows it, forward or backward: a sentence, the formula, the numbers, the value.

    `id` names the step for good: part, array and index. `value` is the sum of the terms' products and of `rest_sum`,
    which `rest_count` further terms add up to; `zeros` terms are 0. A `folded` step multiplies by one.
    """

    id: str
    part: str  # "forward", "loss" or "backward"
    title: str
    node: str  # the layer
    kind: str  # its class
    sentence: str
    symbol: str  # the left-hand side, a formula
    formula: str  # the right-hand side
    numpy: str  # the line of NumPy that computes the whole array
    terms: tuple[Term, ...]
    rest_count: int = 0
    rest_sum: float = 0.0
    zeros: int = 0
    value: float = 0.0
    folded: bool = False
    nodes: tuple[str, ...] = ()  # of a gradient that comes back from several layers: all of them
    joined: bool = False  # whether the layer reads several arrays, so that `dinputs` alone does not say which


@dataclass(frozen=True)
class AxisNames(Data):
    """What the entries of an axis, counted from the last, are called."""

    array: str
    axis: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Witness(Data):
    """One way in which the gradient was found."""

    name: str
    value: float | None  # None where this method does not apply; the note says why
    error: float | None = None  # its error bound
    agrees: bool | None = None  # with the backward pass
    note: str = ""


@dataclass(frozen=True)
class Batch(Data):
    """The gradient as a sum over the samples: contributions by sample, and what the penalties add."""

    contributions: tuple[float, ...]
    penalty: float
    mixed: bool  # whether samples depend on each other; a contribution is then that of one sample's loss

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
class OptimizerStep(Data):
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
    note: str = ""  # empty too where the paths were not asked for


@dataclass(frozen=True)
class DiagramNode(Data):
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
class Derivation(Data):
    """One gradient from the loss down, as data. `explanation.Explanation` is this, with the ways to print it."""

    quantity: Quantity
    kind: str  # "parameter", "inputs" or "output"
    current: float  # the quantity's own value
    value: float  # dL/d(quantity)
    loss: float
    samples: int
    sample: int | None
    training: bool
    lines: tuple[Line, ...]
    witnesses: tuple[Witness, ...]
    batch: Batch | None
    step: OptimizerStep | None
    paths: Paths
    loss_curve: tuple[tuple[float, float], ...]  # (value of the quantity, loss)
    nodes: tuple[DiagramNode, ...]
    notes: tuple[str, ...]
    steps: tuple[ReadingStep, ...] = ()
    labels: tuple[AxisNames, ...] = ()
    answer: str = ""  # why the gradient is 0, or nearly so; empty where it is not
    objective: str = "the loss"  # what L is
    modes: bool = False  # whether a layer does something else while the network trains

    @property
    def goal(self) -> str:
        """What the chain leads to, in a word: a sum of given gradients has no name but L."""
        return "L" if self.objective.startswith("Σ") else self.objective

    @property
    def agrees(self) -> bool:
        """Whether every witness with a verdict agrees with the backward pass."""
        return all(w.agrees is not False for w in self.witnesses)

    @property
    def name(self) -> str:
        """The quantity as it is written: dense_0.weights[20,5]."""
        return str(self.quantity)

    def written(self, quantity: Quantity) -> str:
        """A quantity with the names of columns and classes: dense_0.weights[petal length,5]."""
        known = {(one.array, one.axis): one.names for one in self.labels}
        parts = []
        for place, entry in enumerate(quantity.index):
            names = known.get((quantity.name, place - len(quantity.index)))
            parts.append(str(entry) if names is None else names[entry])
        return f"{quantity.name}[{','.join(parts)}]"

    @property
    def title(self) -> str:
        """The quantity that is asked for, with the names of columns and classes."""
        return self.written(self.quantity)
