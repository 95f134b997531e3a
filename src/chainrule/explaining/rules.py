"""Which rule a layer, loss or penalty is explained by: its own, one written by hand, or what a trace of its pair says.

A layer of yours may carry its own as a class attribute, `rule = Rule(...)`, or as a method `rule(training)` that
returns one. Without it the pair is traced; where that is not possible its local derivatives are shown as numbers.
"""

from __future__ import annotations

from ..errors import DefinitionError
from ..pair import Pair
from .derivatives import NOTES, STEPS
from .rule import Rule
from .tables import RULES
from .traced import traced_rule

__all__ = ["Rule", "rule_of"]


def rule_of(pair: Pair, training: bool = True, parts: int = 1) -> Rule | None:
    """The rule of a layer, loss or penalty, or None.

    `parts` is how many inputs a join receives. Raises `DefinitionError` where the attribute `rule` is no rule.

    >>> from chainrule import ReLU
    >>> print(rule_of(ReLU()))
    out = max(x, 0)
    ∂out/∂x = 1 if x > 0 else 0
    """
    own = getattr(pair, "rule", None)
    if own is not None:
        made = own(training) if callable(own) else own
        if not isinstance(made, Rule):
            raise DefinitionError(f"{type(pair).__name__}.rule must be a Rule, or a method that returns one.")
        return made
    written = _class_of_the_pair(type(pair))
    if written in RULES:
        return RULES[written](pair, training, parts)
    steps = STEPS.get(written, ())
    shown = steps(pair, training) if callable(steps) else steps
    return traced_rule(pair, training, parts, shown, NOTES.get(written, ""))


def _class_of_the_pair(cls: type) -> type:
    """The nearest class that writes a half of the pair: what is said of it holds for its subclasses that do not."""
    for each in cls.__mro__:
        if "pure_forward" in vars(each) or "pure_backward" in vars(each):
            return each
    return cls
