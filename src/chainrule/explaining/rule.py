"""Rule: what a layer or loss computes and its derivatives, as formulas, and how they are derived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..display.spelling import printable
from ..errors import DefinitionError
from .formula import index_sizes, parse, pattern

__all__ = ["Rule", "Steps"]

Steps = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rule:
    """What a layer computes and its local derivatives, as formulas.

    - `output` names an entry of the output, `arrays` an entry of each array that the formulas read: the inputs, the
      parameters, state, what forward keeps, `noise`, `targets` (several inputs are `inputs.0`, `inputs.1`).
    - `forward` is that entry of the output; `derivatives` are ∂output/∂entry by the name of the array. An index that
      output and entry share must be equal, else the derivative is 0.
    - `where` defines further symbols, `settings` names attributes of the layer.
    - `kinks` are formulas at whose change of sign the derivative jumps.
    - `clipped` are formulas above 0 where forward is held at a constant, by clipping, and the derivative is not 0.
    - `steps` derive a derivative, each step (why, formula) equal to the one before; the last is the derivative.

    A layer that computes out = a·x² carries it so, and `explain` shows formula and numbers, checked by its backward:

    >>> rule = Rule("out[b,n]", "a[0,n]*x[b,n]**2", {"inputs": "x[b,n]", "scale": "a[0,n]"},
    ...             {"inputs": "2*a[0,n]*x[b,n]", "scale": "x[b,n]**2"})
    >>> print(rule)
    out[b,n] = a[0,n]·x[b,n]²
    ∂out[b,n]/∂x[b,n] = 2·a[0,n]·x[b,n]
    ∂out[b,n]/∂a[0,n] = x[b,n]²

    Raises `DefinitionError` for a formula that cannot be read.
    """

    output: str
    forward: str
    arrays: Mapping[str, str]
    derivatives: Mapping[str, str]
    where: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    kinks: tuple[str, ...] = ()
    clipped: tuple[str, ...] = ()
    steps: Mapping[str, Steps] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        for formula in (*self.derivatives.values(), *self.where.values(), *self.kinks, *self.clipped):
            parse(formula)
        if self.forward:
            parse(self.forward)
        for entry in (self.output, *self.arrays.values(), *self.where):
            pattern(entry)
        for name in self.derivatives:
            if name not in self.arrays:
                raise DefinitionError(f"The rule has a derivative by {name!r}: name an entry of it in `arrays`.")

    @property
    def placed(self) -> bool:
        """Whether the indices of the output say which entries of it an entry of a source moves."""
        return bool(pattern(self.output)[1])

    def fits(self, axes: int) -> bool:
        """Whether the output's entry is written with an index for each of so many axes, or with `...`, or with none."""
        letters = pattern(self.output)[1]
        return not letters or "..." in letters or len(letters) == axes

    def statements(self) -> Iterator[tuple[str, str]]:
        """(left, right) of every equation: the forward formula, what its symbols mean, the derivatives."""
        if self.forward:
            yield self.output, self.forward
        yield from self.where.items()
        for name, formula in self.derivatives.items():
            yield f"D({self.output}, {self.arrays[name]})", formula

    def sizes(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
        """How far each index letter of the formulas runs, for symbols of these shapes."""
        steps = [formula for each in self.steps.values() for _, formula in each]
        forward = (self.forward,) if self.forward else ()
        entries = (self.output, *self.arrays.values())
        formulas = (*entries, *forward, *self.where.values(), *self.derivatives.values(), *steps)
        return index_sizes(formulas, shapes)

    def __str__(self) -> str:
        from .notation import text

        return printable("\n".join(f"{text(left)} = {text(right)}" for left, right in self.statements()))
