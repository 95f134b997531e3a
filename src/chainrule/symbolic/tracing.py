"""Tracing: a pure function is called once with expressions instead of arrays, and gives the expression it computes.

`trace_pair` takes a layer, loss or penalty, `trace_update` an optimizer. What cannot be traced gives `NotTraceable`
with the reason. Before a trace is handed out it is compared with the function itself at random points, so that one that
took a wrong turn (a branch on a type, an array that another library made) is refused too: never a wrong formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..pair import Pair
from .calculus import evaluate, replaced, sizes_of
from .expression import Expression, leaf, number
from .locals import recorded
from .namespace import Namespace

__all__ = ["NotTraceable", "Traced", "trace_pair", "trace_update"]

SAMPLES, FEATURES = 3, 4  # the shape of the random arrays at which a trace is compared
CLOSE = 1e-9


@dataclass(frozen=True)
class NotTraceable:
    """The answer for a function that no expression describes; false, and it says why.

    >>> bool(NotTraceable("it sorts its inputs"))
    False
    """

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Traced:
    """What a function computes: `forward` and, for a pair, `backward` by the name of each source.

    A source that is a tuple of arrays appears as `inputs.0`, `inputs.1`; `kept` are further results by name, such as
    the arrays that backward reads or an optimizer's next slots. In `backward` the array `dvalues` is dL/d(result).
    `variables` are the function's own local variables that hold expressions, by name, in the order of their assignment.
    """

    forward: Expression
    backward: Mapping[str, Expression] = field(default_factory=dict)
    kept: Mapping[str, Expression] = field(default_factory=dict)
    variables: Mapping[str, Expression] = field(default_factory=dict)

    def local(self, source: str) -> Expression:
        """∂result/∂source of one entry: backward for `dvalues` = 1, a parameter's without its sums over the batch."""
        one = self.with_unit_gradient(self.backward[source])
        while source.partition(".")[0] != "inputs" and one.operation.startswith("sum_"):
            one = one.operands[0]
        return one

    @staticmethod
    def with_unit_gradient(part: Expression) -> Expression:
        """A part of backward for `dvalues` = 1."""
        return replaced(part, {leaf("name", "dvalues"): number(1)})


def named_settings(owner: Any) -> Any:
    """A copy of a layer, loss or optimizer whose numbers are settings with names."""
    made = object.__new__(type(owner))
    own = {name: getattr(owner, name) for name in getattr(type(owner), "__dataclass_fields__", ())} | vars(owner)
    settings = {n: leaf("setting", (n, value)) for n, value in own.items() if _is_finite_number(value)}
    vars(made).update({**vars(owner), **settings})
    return made


def _is_finite_number(value: Any) -> bool:
    """Whether a setting is a number that a formula can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _operations(variables: Mapping[str, Any]) -> dict[str, Expression]:
    """The local variables that hold the result of an operation."""
    return {name: v for name, v in variables.items() if isinstance(v, Expression) and v.operands}


def trace_pair(pair: Pair, *, training: bool = True, parts: int = 0, expand: bool = False) -> Traced | NotTraceable:
    """The expressions of a layer, loss or penalty; a join is traced for `parts` inputs.

    Arrays have the names of the pair (`inputs`, `output`, `dvalues`, a parameter's), settings those of the attributes.
    With `expand=True` the functions of `chainrule.special` appear as the arithmetic that they consist of.

    >>> from chainrule import LeakyReLU, Softmax
    >>> traced = trace_pair(LeakyReLU(0.1))
    >>> traced.forward, traced.local("inputs")
    (where(gt(inputs, 0), inputs, mul(slope, inputs)), where(gt(inputs, 0), 1, slope))
    >>> trace_pair(Softmax())
    NotTraceable(reason='Softmax: xp.max is not a function of one entry at a time')
    """
    try:
        traced = _traced(named_settings(pair), training, parts, Namespace(expand))
        difference = _difference(pair, traced, training, parts)
    except Exception as error:
        return NotTraceable(f"{type(pair).__name__}: {error}")
    return NotTraceable(f"{type(pair).__name__}: {difference}") if difference else traced


def _traced(pair: Pair, training: bool, parts: int, xp: Namespace) -> Traced:
    names = {name for name in (*pair.forward_reads, *pair.backward_reads) if name != "training"}
    arrays: dict[str, Any] = {name: leaf("name", name) for name in names} | {"training": training}
    arrays |= {} if training else {"noise": None}
    if parts:
        arrays[pair.sources[0]] = tuple(leaf("name", f"{pair.sources[0]}.{i}") for i in range(parts))
    forward, variables = recorded(type(pair).pure_forward, pair, xp, *[arrays[n] for n in pair.forward_reads])
    value, extra = forward if pair.extras() else (forward, {})
    backward, further = recorded(
        type(pair).pure_backward, pair, xp, leaf("name", "dvalues"), *[arrays[n] for n in pair.backward_reads]
    )
    found = {name[1:]: gradient for name, gradient in _flat(backward).items()}
    kept = {name: number(array) for name, array in extra.items()}
    return Traced(number(value), found, kept, _operations({**further, **variables}))


def _flat(gradients: Mapping[str, Any]) -> dict[str, Expression]:
    """The gradients by name, those in a tuple as `dinputs.0`, `dinputs.1`."""
    flat: dict[str, Expression] = {}
    for name, gradient in gradients.items():
        each = {f"{name}.{i}": g for i, g in enumerate(gradient)} if isinstance(gradient, tuple) else {name: gradient}
        flat |= {key: number(value) for key, value in each.items()}
    return flat


# Comparing a trace with its function


def _difference(pair: Any, traced: Traced, training: bool, parts: int) -> str:
    """Where the trace gives other numbers than the pair itself; "" where it does not."""
    with np.errstate(all="ignore"):
        for arrays, dvalues in _points(pair, training, parts):
            value, extra = pair.run_forward(np, arrays)
            available = {**arrays, pair.result: value, **extra}
            gradients = pair.pure_backward(np, dvalues, *[available[name] for name in pair.backward_reads])
            expected = {"d" + n: g for n, g in _flat_arrays(gradients)} | {"": value} | extra
            by_name = {**_spread(arrays, pair.sources[0]), "dvalues": dvalues}
            by_name |= {pair.result: value, **extra}
            roots = {"": traced.forward, **traced.kept, **{f"dd{n}": g for n, g in traced.backward.items()}}
            for name, root in roots.items():
                if not _equal(evaluate(root, by_name), expected[name], sizes_of(root)):
                    what = "pure_forward" if not name.startswith("dd") else "pure_backward"
                    return f"the trace of {what} gives other numbers than {what} itself"
    return ""


def _flat_arrays(gradients: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (f"{name}.{i}" if isinstance(gradient, tuple) else name, array)
        for name, gradient in gradients.items()
        for i, array in enumerate(gradient if isinstance(gradient, tuple) else (gradient,))
    ]


def _spread(arrays: Mapping[str, Any], source: str) -> dict[str, Any]:
    if not isinstance(arrays[source], tuple):
        return dict(arrays)
    return {**arrays, **{f"{source}.{i}": array for i, array in enumerate(arrays[source])}}


def _equal(found: Any, expected: Any, reduced: list[Expression]) -> bool:
    """A sum keeps its axis in a trace, so that a loss for each sample is a column there."""
    expected = np.asarray(expected)
    found = np.asarray(found)
    if reduced and found.size == expected.size:
        found = found.reshape(expected.shape)
    try:
        found = np.broadcast_to(found, expected.shape)
    except ValueError:
        return False
    return bool(np.allclose(found, expected, rtol=CLOSE, atol=1e-12, equal_nan=True))


def _points(pair: Any, training: bool, parts: int) -> list[tuple[dict[str, Any], Any]]:
    """Random arrays that the pair reads, with random upstream gradients: of both signs, large, and within (0, 1)."""
    rng = np.random.default_rng(0)
    shape = (SAMPLES, *((pair.input_shape() or (FEATURES,)) if hasattr(pair, "input_shape") else (FEATURES,)))
    parameters = pair.parameter_shapes() | pair.state_shapes() if hasattr(pair, "parameter_shapes") else {}
    points = []
    draws: tuple[Callable[[Any], Any], ...] = (
        lambda size: rng.normal(size=size),
        lambda size: rng.normal(size=size) * 30,
        lambda size: rng.uniform(0.1, 0.9, size),
    )
    for draw in draws:
        arrays: dict[str, Any] = {name: draw(size) for name, size in parameters.items()}
        arrays |= {name: draw(shape) for name in (*pair.sources, "targets")}
        arrays |= {"training": training, "noise": draw(shape) if training else None}
        if parts:
            arrays[pair.sources[0]] = tuple(draw(shape) for _ in range(parts))
        result = {"losses": (SAMPLES, 1), "penalty": ()}.get(pair.result, shape)
        points.append((arrays, rng.normal(size=result)))
    return points


def trace_update(optimizer: Any) -> Traced | NotTraceable:
    """The update rule of an optimizer, its own weight decay included: `forward` is the next parameter.

    It reads `parameter`, `gradient`, `step`, `rate` and the slots; `kept` are the next slots. Where weight decay
    changes the parameter or the gradient, they are among the `variables`: `decayed_parameter`, `decayed_gradient`.

    >>> from chainrule import SGD
    >>> traced = trace_update(SGD(0.1, momentum=0.9))
    >>> traced.forward, traced.kept["velocity"]
    (sub(parameter, mul(rate, add(mul(momentum, velocity), gradient))), add(mul(momentum, velocity), gradient))
    """
    try:
        traced = _traced_update(named_settings(optimizer))
        difference = _update_difference(optimizer, traced)
    except Exception as error:
        return NotTraceable(f"{type(optimizer).__name__}: {error}")
    return NotTraceable(f"{type(optimizer).__name__}: {difference}") if difference else traced


def _traced_update(optimizer: Any) -> Traced:
    names = ("step", "rate", "parameter", "gradient", *optimizer.carried())
    step, rate, parameter, gradient, *slots = (leaf("name", name) for name in names)
    decayed = tuple(map(number, optimizer._decayed(rate, parameter, gradient)))
    pairs = zip(("decayed_parameter", "decayed_gradient"), decayed, (parameter, gradient), strict=True)
    changed = {name: new for name, new, old in pairs if new is not old}
    (following, moved), variables = recorded(
        type(optimizer).pure_update, optimizer, Namespace(), step, rate, *decayed, *slots
    )
    return Traced(
        number(following), {}, {n: number(s) for n, s in moved.items()}, {**changed, **_operations(variables)}
    )


def _update_difference(optimizer: Any, traced: Traced) -> str:
    rng = np.random.default_rng(0)
    for step in (0, 3):
        arrays = {"parameter": rng.normal(size=5), "gradient": rng.normal(size=5), "rate": 0.1, "step": step}
        slots = {name: rng.uniform(0.1, 2, 5) for name in optimizer.carried()}
        decayed = optimizer._decayed(0.1, arrays["parameter"], arrays["gradient"])
        following, moved = optimizer.pure_update(np, step, 0.1, *decayed, *slots.values())
        for found, expected in ((traced.forward, following), *((traced.kept[n], moved[n]) for n in moved)):
            if not np.allclose(evaluate(found, arrays | slots), expected, rtol=CLOSE):
                return "the trace of pure_update gives other numbers than pure_update itself"
    return ""
