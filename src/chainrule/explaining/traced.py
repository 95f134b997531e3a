"""The rule of a pair as its trace says it: forward formula, derivatives, kinks, and parts with a name of their own."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import DefinitionError
from ..layer import Layer
from ..loss import Loss
from ..pair import Pair
from ..symbolic import Expression, Traced, apply, trace_pair
from ..symbolic.calculus import names_of, settings_of, sizes_of
from ..symbolic.formulas import formula, kinks, times_used, with_named_parts
from ..symbolic.readable import readable
from .rule import Rule, Steps

__all__ = ["DERIVATIVE", "FORWARD", "traced_rule"]

FORWARD, DERIVATIVE = "{forward}", "{derivative}"  # in steps that are written by hand: the traced formulas
_ARRAYS = {"inputs": "x", "output": "out", "noise": "u", "predictions": "p", "targets": "y", "parameter": "w"}
_RESERVED = {"D", "delta", "sum", "x", "y", "out", "u", "p", "w", "b", "n", "o", "k", "ell", "pi", "if", "else", "max"}


@dataclass(frozen=True)
class _Roots:
    """What a rule says, as expressions: one entry of the result and its derivatives."""

    output: str
    index: str  # of arrays without a shape of their own: "[...]", "[b,n]" or "[b,o]"
    forward: Expression
    derivatives: Mapping[str, Expression]
    shapes: Mapping[str, Sequence[int]]  # of the layer's parameters and state


def traced_rule(pair: Pair, training: bool, parts: int, steps: Steps = (), note: str = "") -> Rule | None:
    """The rule that a trace of the pair gives, None where it cannot be traced or is no function of one entry.

    `steps` derive the first derivative by hand; `{forward}` and `{derivative}` in them are the traced formulas.

    >>> from chainrule import Layer
    >>> class Swish(Layer):
    ...     def pure_forward(self, xp, inputs): return inputs / (1 + xp.exp(-inputs))
    ...     def pure_backward(self, xp, dvalues, inputs):
    ...         s = 1 / (1 + xp.exp(-inputs))
    ...         return dict(dinputs=dvalues * (s + inputs * s * (1 - s)))
    >>> print(traced_rule(Swish(), True, 1))
    out = x / (1 + exp(-x))
    s = 1 / (1 + exp(-x))
    ∂out/∂x = s + x·s·(1 - s)
    """
    traced = trace_pair(pair, training=training)
    if not traced and isinstance(pair, Layer):
        traced = trace_pair(pair, training=training, parts=parts)  # a join takes its inputs apart
    roots = _roots(pair, traced) if isinstance(traced, Traced) else None
    if roots is None or not isinstance(traced, Traced):
        return None
    try:
        return _rule(pair, traced, roots, steps, note)
    except (DefinitionError, KeyError):  # an operation that the language of formulas lacks
        return None


def _roots(pair: Pair, traced: Traced) -> _Roots | None:
    derivatives = {name: traced.local(name) for name in traced.backward}
    if isinstance(pair, Layer):
        if sizes_of(traced.forward, *derivatives.values()):
            return None
        shapes = {**pair.parameter_shapes(), **pair.state_shapes()}
        index = "[b,n]" if shapes else "[...]"
        return _Roots(f"out{index}", index, traced.forward, derivatives, shapes)
    if isinstance(pair, Loss):
        sums = {node.operation for node in sizes_of(traced.forward, *derivatives.values())}
        return None if sums - {"size", "sum_features"} else _Roots("ell[b]", "[b,o]", traced.forward, derivatives, {})
    entry = _of_one_entry(traced.forward)
    if entry is None or sizes_of(entry, *derivatives.values()):
        return None
    return _Roots("out", "[...]", entry, derivatives, {})


def _of_one_entry(penalty: Expression) -> Expression | None:
    """What one entry adds to a penalty: c·Σf(w) without its sum."""
    if penalty.operation == "sum_all":
        return penalty.operands[0]
    if penalty.operation not in ("mul", "div"):
        return None
    first, second = penalty.operands
    if second.known() is not None:
        inner = _of_one_entry(first)
        return None if inner is None else apply(penalty.operation, inner, second)
    inner = _of_one_entry(second) if penalty.operation == "mul" and first.known() is not None else None
    return None if inner is None else first * inner


def _rule(pair: Pair, traced: Traced, roots: _Roots, steps: Steps, note: str) -> Rule | None:
    everything, variables = _readable(traced, roots)
    arrays = _arrays(pair, traced, roots, names_of(*everything))
    settings = _settings(pair, everything)
    if arrays is None or settings is None:
        return None
    names = {**arrays, pair.result: roots.output, **{own: letter for letter, own in settings.items()}}
    forward, by, where = _formulas(everything, names, variables, roots, settings)
    derivatives = dict(zip(roots.derivatives, by, strict=True))
    first = next(iter(derivatives), "")
    filled = tuple((why, s.replace(FORWARD, forward).replace(DERIVATIVE, derivatives[first])) for why, s in steps)
    return Rule(
        output=roots.output,
        forward=forward,
        arrays=arrays,
        derivatives=derivatives,
        where=where,
        settings=settings,
        kinks=tuple(formula(k, names) for k in kinks(*everything) if set(names_of(k)) & set(derivatives)),
        steps={first: filled} if filled else {},
        note=note,
    )


def _readable(traced: Traced, roots: _Roots) -> tuple[list[Expression], dict[str, Expression]]:
    """Forward and the derivatives as a person would write them, and the author's local variables likewise."""
    everything = [roots.forward, *roots.derivatives.values()]
    uses = times_used(everything)
    variables = {name: traced.with_unit_gradient(value) for name, value in traced.variables.items()}
    whole = [value for value in variables.values() if uses.get(value, 0) > 1]
    shown = [readable(root, whole) for root in everything]
    return shown, {name: readable(value, whole) for name, value in variables.items()}


def _formulas(
    everything: list[Expression],
    names: dict[str, str],
    variables: Mapping[str, Expression],
    roots: _Roots,
    settings: Mapping[str, str],
) -> tuple[str, list[str], dict[str, str]]:
    """The forward formula, the derivatives, and the definitions of the names that they use."""
    left, parts = with_named_parts(everything, names, variables, _RESERVED | set(settings))
    names = dict(names)
    for name, part in parts.items():
        names[name] = name + (roots.index if _has_an_entry(part, names) else "[b]")
    over = "k" if roots.index == "[b,o]" else "o"
    where = {names[name]: formula(part, names, over) for name, part in parts.items()}
    forward, derivatives = formula(left[0], names), [formula(one, names, over) for one in left[1:]]
    if any("pi" in names_in(text) for text in (forward, *where.values(), *derivatives)):
        where["pi"] = "3.141592653589793"
    return forward, derivatives, where


def _has_an_entry(part: Expression, names: Mapping[str, str]) -> bool:
    """Whether the part belongs to one entry, and not only to the sample, as a sum over the features does."""
    if part.operation == "name":
        return "," in names[part.value] or "..." in names[part.value]
    return part.operation != "sum_features" and any(_has_an_entry(operand, names) for operand in part.operands)


def names_in(text: str) -> set[str]:
    """The words of a formula."""
    return {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}


def _arrays(pair: Pair, traced: Traced, roots: _Roots, read: Sequence[str]) -> dict[str, str] | None:
    """How an entry of each array is written that the formulas read or differentiate by; None for two of one name."""
    symbols: dict[str, str] = {}
    for name in dict.fromkeys([*traced.backward, *read]):
        if name == pair.result:
            continue
        base, _, part = name.partition(".")
        letter = pair.letters.get(base, _ARRAYS.get(base, base)) + part
        index = _index(roots.shapes[name]) if name in roots.shapes else roots.index
        if index is None:
            return None
        symbols[name] = letter + index
    letters = {s.partition("[")[0] for s in symbols.values()} - {roots.output.partition("[")[0]}
    return symbols if len(letters) == len(symbols) else None


def _index(shape: Sequence[int]) -> str | None:
    """The entry of a parameter that belongs to feature n: one for all, or one for each."""
    if len(shape) != 2 or shape[0] != 1:
        return None
    return "[0,0]" if shape[1] == 1 else "[0,n]"


def _settings(pair: Pair, roots: Sequence[Expression]) -> dict[str, str] | None:
    """The letters of the settings that the formulas read, each with its attribute; None for two of one letter."""
    letters = {name: pair.letters.get(name, name) for name in settings_of(*roots)}
    for name, letter in letters.items():
        if letter in _RESERVED or (len(letter) == 1 and letter.isupper()):  # N would be a size
            letters[name] = f"{letter}_"
    if len(set(letters.values())) < len(letters):
        return None
    return {letter: name for name, letter in letters.items()}
