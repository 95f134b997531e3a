"""`explain_rule`: how the derivative of a layer or loss is derived, step by step."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from .. import layers
from ..display import article, fragment, table, tag
from ..errors import ConfigurationError, UnknownNameError
from ..pair import Pair
from ..symbolic import trace_pair
from .derivation import Data
from .notation import latex, text
from .render.formulas import equation
from .rules import Rule, rule_of
from .tables import RULES, STEPS

__all__ = ["DerivativeSteps", "RuleDerivation", "explain_rule"]


@dataclass(frozen=True)
class DerivativeSteps(Data):
    """One derivative: what it is of and by, and the steps, (why, formula), each equal to the one before."""

    symbol: str
    steps: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class RuleDerivation(Data):
    """The derivation of a rule; prints as text, as LaTeX, and shows itself in a notebook."""

    name: str
    forward: tuple[tuple[str, ...], ...]
    derivatives: tuple[DerivativeSteps, ...]
    note: str

    def __str__(self) -> str:
        lines = [self.name, *(f"  {text(left)} = {text(right)}" for left, right in self.forward)]
        if self.note:
            lines.append(f"  {self.note}")
        for by in self.derivatives:
            lines += ["", text(by.symbol)]
            shown = [f"  = {text(formula)}" for _, formula in by.steps]
            wide = min(max(map(len, shown)), 64)
            lines += [f"{line:<{wide}}   {why}" for line, (why, _) in zip(shown, by.steps, strict=True)]
        return "\n".join(lines)

    def to_latex(self) -> str:
        """An align* environment with the reason beside each step."""
        rows = [f"{latex(left)} &= {latex(right)}" for left, right in self.forward]
        for by in self.derivatives:
            rows += [
                f"{latex(by.symbol) if i == 0 else ''} &= {latex(formula)}" for i, (_, formula) in enumerate(by.steps)
            ]
        return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"

    def _repr_latex_(self) -> str:
        return self.to_latex()

    def _repr_html_(self) -> str:
        rows: list[tuple[object, str]] = [(equation(left, right), "") for left, right in self.forward]
        for by in self.derivatives:
            rows += [(equation(by.symbol if i == 0 else "", formula), why) for i, (why, formula) in enumerate(by.steps)]
        return fragment(article(tag("h2", self.name), tag("p", self.note) if self.note else "", table((), rows)))


def explain_rule(layer: Any, *, training: bool = True) -> RuleDerivation:
    """How the derivatives of a layer or loss are derived, step by step with the reason for each.

    `layer` is a class, an object, or a name such as "Softmax"; `training` matters where the two modes differ. Raises
    `ConfigurationError` with the reason for a layer that has no formulas: it may carry its own, see `Rule`;
    `UnknownNameError` for anything else.

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
    pair = an_object(layer)
    rule = rule_of(pair, training, 2) if isinstance(pair, Pair) else None
    name = getattr(layer, "__name__", type(layer).__name__)
    if rule is None and isinstance(pair, Pair):
        reason = getattr(trace_pair(pair, training=training), "reason", f"{name}: its entries depend on each other")
        raise ConfigurationError(f"explain_rule: no formulas can be read off {reason}. Give it rule = Rule(...).")
    if rule is None:
        raise UnknownNameError("layer or loss with a rule", name, [cls.__name__ for cls in (*RULES, *STEPS)])
    forward = ((rule.output, rule.forward), *rule.where.items()) if rule.forward else ()
    derivatives = tuple(_derived(rule, source) for source in rule.derivatives)
    return RuleDerivation(name, forward, derivatives, rule.note)


def _by_name(name: str) -> type:
    """The layer, loss or penalty of that name."""
    known = {cls.__name__: cls for cls in (*RULES, *STEPS, layers.Add, layers.Multiply)}
    if name not in known:
        raise UnknownNameError("layer or loss with a rule", name, known)
    return known[name]


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
