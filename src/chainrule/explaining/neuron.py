"""`explain_neuron`: one neuron by itself, forward and backward in a line each, in the words of the book."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..display import article, fragment, table
from ..display.spelling import printable
from ..display.terminal import columns
from ..errors import ConfigurationError, DataError, NonFiniteError, ShapeError
from ..graph import snake_case
from ..layer import Layer
from .derivation import Data
from .formula import Scope, evaluate, pattern, substituted
from .notation import number, text
from .rules import Rule, rule_of

__all__ = ["NeuronExplanation", "NeuronLine", "explain_neuron"]


@dataclass(frozen=True)
class NeuronLine(Data):
    """One step: the names of what it gives, the formula, the formula with its numbers, the values."""

    names: tuple[str, ...]
    formula: str
    numbers: str
    values: tuple[float, ...]

    @property
    def text(self) -> str:
        """The line as it is printed."""
        values = ", ".join(number(value) for value in self.values)
        parts = dict.fromkeys([", ".join(self.names), self.formula, self.numbers, values])
        return " = ".join(parts)

    def __str__(self) -> str:
        return printable(self.text)


@dataclass(frozen=True)
class NeuronExplanation(Data):
    """The lines of one neuron. Print it; a notebook shows it as a table. `gradients` has the derivatives by name."""

    lines: tuple[NeuronLine, ...]

    @property
    def gradients(self) -> dict[str, float]:
        """Every derivative by its name, such as "drelu_dw0"."""
        named = ((n, v) for line in self.lines for n, v in zip(line.names, line.values, strict=True))
        return {name: value for name, value in named if name.startswith("d")}

    def to_text(self, width: int = 120) -> str:
        """As plain text, a line for each step where it fits into `width` characters."""
        wrapped = (textwrap.wrap(line.text, width, subsequent_indent="    ") for line in self.lines)
        return "\n".join("\n".join(lines) for lines in wrapped)

    def __str__(self) -> str:
        return printable(self.to_text(columns(120)))

    def _repr_html_(self) -> str:
        rows = [
            (", ".join(line.names), line.formula, line.numbers, ", ".join(number(value) for value in line.values))
            for line in self.lines
        ]
        return fragment(article(table(("", "formula", "with its numbers", "value"), rows)))


def explain_neuron(
    inputs: Sequence[float],
    weights: Sequence[float],
    bias: float = 0.0,
    activation: Layer | None = None,
    *,
    dvalue: float = 1.0,
) -> NeuronExplanation:
    """One neuron, forward and backward: z = Σ_i x_i·w_i + b, y = activation(z), and the derivatives by x, w and b.

    `dvalue` is the gradient that arrives from the next layer. Raises `ShapeError` for other than one weight for each
    input, `NonFiniteError` and `DataError` for what is no finite number, `ConfigurationError` for an activation that is
    no function of one number.

    >>> from chainrule import ReLU
    >>> print(explain_neuron([1.0, -2.0, 3.0], [-3.0, -1.0, 2.0], 1.0, ReLU()))
    z = x0·w0 + x1·w1 + x2·w2 + b = 1·(-3) + (-2)·(-1) + 3·2 + 1 = 6
    y = max(z, 0) = max(6, 0) = 6
    drelu_dz = dvalue·(1 if z > 0 else 0) = 1·(1 if 6 > 0 else 0) = 1
    drelu_dx0, drelu_dx1, drelu_dx2 = drelu_dz·(w0, w1, w2) = 1·(-3, -1, 2) = -3, -1, 2
    drelu_dw0, drelu_dw1, drelu_dw2, drelu_db = drelu_dz·(x0, x1, x2, 1) = 1·(1, -2, 3, 1) = 1, -2, 3, 1

    Source: Kinsley and Kukieła (2020), chapter 9.
    """
    x, w = _row("inputs", inputs), _row("weights", weights)
    b, d = _row("bias", [bias])[0], _row("dvalue", [dvalue])[0]
    if len(x) != len(w):
        raise ShapeError(f"explain_neuron: {len(x)} inputs and {len(w)} weights; write one weight for each input.")
    places = range(len(x))
    z = math.fsum([*(x[i] * w[i] for i in places), b])
    formula = " + ".join([*(f"x{i}*w{i}" for i in places), "b"])
    products = " + ".join([*(f"{_in_product(x[i])}*{_in_product(w[i])}" for i in places), repr(b)])
    first = NeuronLine(("z",), text(formula), text(products), (z,))
    if activation is None:
        lines, word, slope = [first], "dsum", d
        lines.append(NeuronLine(("dsum_dz",), "dvalue", number(d), (d,)))
    else:
        passed, word = _through(activation, z, d), f"d{snake_case(type(activation).__name__)}"
        lines, slope = [first, *passed], passed[-1].values[0]
    for by, other, factors, last in (("x", "w", w, ()), ("w", "x", x, (1.0,))):
        names = [f"{word}_d{by}{i}" for i in places] + [f"{word}_db"] * len(last)
        symbols = ", ".join([*(f"{other}{i}" for i in places), *map(number, last)])
        numbers = ", ".join(number(factor) for factor in (*factors, *last))
        values = tuple(slope * factor for factor in (*factors, *last))
        given = f"{_shown(slope)}·({numbers})"
        lines.append(NeuronLine(tuple(names), f"{word}_dz·({symbols})", given, values))
    return NeuronExplanation(tuple(lines))


def _through(activation: Layer, z: float, dvalue: float) -> list[NeuronLine]:
    """y and its derivative by z times what arrives, by the activation's own rule."""
    rule = rule_of(activation) if isinstance(activation, Layer) else None
    if rule is None or not rule.forward or "inputs" not in rule.derivatives or {*pattern(rule.output)[1]} - {"..."}:
        raise ConfigurationError(
            f"explain_neuron: the activation must be a function of one number, such as ReLU(), not {activation!r}."
        )
    forward, slope = (_of_z(formula, rule) for formula in (rule.forward, rule.derivatives["inputs"]))
    known = {"z": z, **{symbol: float(getattr(activation, name)) for symbol, name in rule.settings.items()}}

    def scope() -> Scope:
        return Scope(lambda name, index: known[name], {}, {})

    known["y"] = y = float(evaluate(forward, scope()))
    local = float(evaluate(slope, scope()))
    inside = substituted(slope, scope())
    return [
        NeuronLine(("y",), text(forward), text(substituted(forward, scope())), (y,)),
        NeuronLine(
            (f"d{snake_case(type(activation).__name__)}_dz",),
            text(f"dvalue*({slope})"),
            text(f"{dvalue!r}*({inside})"),
            (dvalue * local,),
        ),
    ]


def _of_z(formula: str, rule: Rule) -> str:
    """A formula of the rule with z for the input and y for the output."""
    for entry, word in ((rule.arrays["inputs"], "z"), (rule.output, "y")):
        formula = re.sub(rf"\b{pattern(entry)[0]}\b(\[[^\]]*\])?", word, formula)
    return formula


def _row(name: str, numbers: Sequence[float]) -> list[float]:
    try:
        row = [float(value) for value in np.asarray(numbers, dtype=np.float64).reshape(-1)]
    except (TypeError, ValueError):
        raise DataError(f"explain_neuron: {name} must be numbers, not {numbers!r}.") from None
    if not all(map(math.isfinite, row)):
        raise NonFiniteError(f"explain_neuron: {name} must be finite, not {numbers!r}.")
    return row


def _in_product(value: float) -> str:
    return f"({value!r})" if value < 0 else repr(value)


def _shown(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)
