"""`explain_rule`: how the derivative of a layer or loss is derived step by step, and what an optimizer does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from .. import layers, losses, optimizers, penalties, schedules
from ..display import article, fragment, table, tag
from ..display.spelling import printable
from ..display.terminal import columns
from ..errors import ConfigurationError, UnknownNameError
from ..graph import Graph
from ..optimizers import Optimizer
from ..pair import Pair
from ..symbolic import Traced, trace_pair, trace_update
from .derivation import Data
from .notation import latex, text
from .render.formulas import equation
from .render.spans import Span, cells, pad, wrapped
from .rules import Rule, rule_of
from .stepping import update_formulas

__all__ = ["DerivativeSteps", "RuleDerivation", "explain_rule"]

WIDTH = 100


@dataclass(frozen=True)
class DerivativeSteps(Data):
    """One derivative: what it is of and by, and the steps, (why, formula), each equal to the one before."""

    symbol: str
    steps: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class RuleDerivation(Data):
    """The derivation of a rule; prints as text, as LaTeX, and shows itself in a notebook."""

    name: str
    forward: tuple[tuple[str, ...], ...]  # (left, right) of each equation, and what is said of it
    derivatives: tuple[DerivativeSteps, ...]
    note: str

    def __str__(self) -> str:
        return printable(self.to_text(columns(WIDTH)))

    def to_text(self, width: int = WIDTH) -> str:
        """As plain text, in lines of at most `width` characters."""
        equations = [(f"  {text(left)} = {text(right)}", "".join(why)) for left, right, *why in self.forward]
        lines = [self.name, *_beside(equations, width)]
        if self.note:
            lines += _wrapped(f"  {self.note}", width)
        for by in self.derivatives:
            lines += ["", text(by.symbol)]
            lines += _beside([(f"  = {text(formula)}", why) for why, formula in by.steps], width)
        return "\n".join(lines)

    def to_latex(self) -> str:
        """An align* environment with the reason beside each step."""
        rows = [f"{latex(left)} &= {latex(right)}" for left, right, *_ in self.forward]
        for by in self.derivatives:
            rows += [
                f"{latex(by.symbol) if i == 0 else ''} &= {latex(formula)}" for i, (_, formula) in enumerate(by.steps)
            ]
        return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"

    def _repr_latex_(self) -> str:
        return self.to_latex()

    def _repr_html_(self) -> str:
        rows: list[tuple[object, str]] = [(equation(left, right), "".join(why)) for left, right, *why in self.forward]
        for by in self.derivatives:
            rows += [(equation(by.symbol if i == 0 else "", formula), why) for i, (why, formula) in enumerate(by.steps)]
        return fragment(article(tag("h2", self.name), tag("p", self.note) if self.note else "", table((), rows)))


def explain_rule(layer: Any, *, training: bool = True) -> RuleDerivation:
    """How the derivatives of a layer, loss or penalty are derived, step by step with the reason for each.

    `layer` is a class, an object, or a name such as "Softmax"; `training` matters where the two modes differ. Of an
    optimizer it says what one step does to a weight w with the gradient g. Raises `ConfigurationError` with the reason
    and what to write for a layer that has no formulas (it may carry its own, see `Rule`), for a learning rate's
    schedule and for a whole network; `UnknownNameError` for a name that does not exist.

    >>> from chainrule import MeanSquaredError
    >>> print(explain_rule(MeanSquaredError))
    MeanSquaredError
      ℓ[b] = (Σ_o (y[b,o] - p[b,o])²) / O
    <BLANKLINE>
    ∂ℓ[b]/∂p[b,o]
      = ∂((Σ_k (y[b,k] - p[b,k])²) / O)/∂p[b,o]   a mean over the O outputs
      = ∂((y[b,o] - p[b,o])²)/∂p[b,o] / O         only the term k = o holds this prediction
      = (-2)·(y[b,o] - p[b,o]) / O                the chain rule: the inside gives -1
      = 2·(p[b,o] - y[b,o]) / O                   turn the difference
    """
    layer = _by_name(layer) if isinstance(layer, str) else layer
    if isinstance(layer, Optimizer) or (isinstance(layer, type) and issubclass(layer, Optimizer)):
        return _update(layer)
    _refuse(layer)
    pair = an_object(layer)
    rule = rule_of(pair, training, 2)
    name = getattr(layer, "__name__", type(layer).__name__)
    if rule is None:
        reason = getattr(trace_pair(pair, training=training), "reason", f"{name}: its entries depend on each other")
        raise ConfigurationError(f"explain_rule: no formulas can be read off {reason}. Give it rule = Rule(...).")
    forward = ((rule.output, rule.forward), *rule.where.items()) if rule.forward else ()
    derivatives = tuple(_derived(rule, source) for source in rule.derivatives)
    return RuleDerivation(name, forward, derivatives, rule.note)


def _by_name(name: str) -> type:
    """The layer, loss, penalty, optimizer or schedule of that name."""
    modules = (layers, losses, penalties, optimizers, schedules)
    found = ((each, getattr(module, each)) for module in modules for each in module.__all__)
    known = {each: cls for each, cls in found if isinstance(cls, type)}
    if name not in known:
        raise UnknownNameError("layer, loss, penalty or optimizer", name, known)
    return known[name]


def _refuse(layer: Any) -> None:
    """Raises `ConfigurationError` with what to write for something that has no rule of its own."""
    kind = layer if isinstance(layer, type) else type(layer)
    name = kind.__name__
    if isinstance(layer, Graph):
        raise ConfigurationError(
            "explain_rule: a network has no rule of its own. Write explain_rule(network['dense_0']) for a layer, or "
            "explain(network, loss, X, y, 'dense_0.weights[0,0]') for a gradient."
        )
    if kind.__module__ == schedules.__name__:
        formula = (kind.__doc__ or "").partition("\n")[0]
        raise ConfigurationError(
            f"explain_rule: {name} is a learning rate by the step. {formula} It has no derivative: call it for the "
            "rate of a step, as in ConstantRate(0.1)(5)."
        )
    if not issubclass(kind, Pair):
        raise ConfigurationError(
            "explain_rule: write a layer, a loss, a penalty or an optimizer, as a class, an object or a name such as "
            f"'Softmax', not {layer!r}."
        )


def _update(optimizer: Any) -> RuleDerivation:
    """What one step of an optimizer does to a weight."""
    made = optimizer() if isinstance(optimizer, type) else optimizer
    traced, name = trace_update(made), type(made).__name__
    if not isinstance(traced, Traced):
        raise ConfigurationError(f"explain_rule: no formulas can be read off {name}.pure_update: {traced.reason}.")
    note = "Of each weight w with the gradient g, at the learning rate η; a prime marks what is new, t counts from 1."
    if isinstance(optimizer, type):
        note += f" Settings as {name}() has them: give an object for others."
    return RuleDerivation(name, update_formulas(made, traced), (), note)


def _beside(rows: list[tuple[str, str]], width: int) -> list[str]:
    """Equations with the reason beside each; on a line of its own where there is no room."""
    wide = min(max(cells(line) for line, _ in rows), width * 2 // 3) if rows else 0
    found = []
    for line, why in rows:
        beside = f"{pad(line, wide)}   {why}".rstrip()
        if cells(beside) <= width:
            found.append(beside)
        else:
            found += _wrapped(line, width, 6)
            found += _wrapped(f"      {why}", width, 6) if why else []
    return found


def _wrapped(line: str, width: int, indent: int = 2) -> list[str]:
    return ["".join(span.text for span in spans).rstrip() for spans in wrapped([Span(line)], width, indent)]


def _derived(rule: Rule, source: str) -> DerivativeSteps:
    symbol = f"D({rule.output}, {rule.arrays[source]})"
    return DerivativeSteps(symbol, rule.steps.get(source, (("read off the formula", rule.derivatives[source]),)))


def an_object(layer: Any) -> Any:
    """An object of the class; a setting without a default has a number, because formulas show its letter."""
    if not (isinstance(layer, type) and issubclass(layer, Pair)):
        return layer
    made: Any = object.__new__(layer)
    for name, field in getattr(layer, "__dataclass_fields__", {}).items():
        if not hasattr(layer, name) and field.default is dataclasses.MISSING:
            vars(made)[name] = 0.5
    return made
