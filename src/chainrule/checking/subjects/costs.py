"""A forward pass and the loss beside it as one function: what a backward pass that takes the targets belongs to."""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .names import TARGETS
from .objects import copied
from .signatures import parameters_of, required_of, returned_names, source_of

__all__ = [
    "Loss",
    "WithCost",
    "behind_activation",
    "cost_among",
    "methods_of",
    "slope_among",
    "target_of",
    "usual_losses",
]

_NODES = 12  # of the rule that integrates a derivative
_SLOPE = re.compile(
    r"(?i)(cost|loss|error|objective)s?_?(deriv|prime|grad|slope)|^_?d_?(cost|loss|error)|^(delta|derivative)_of"
)
_COST = re.compile(r"(?i)(^|_)(cost|loss|objective|criterion|error|cross_?entropy|nll|mse|bce)")
_NOT_A_COST = re.compile(
    r"(?i)numeric|check|plot|train|back|grad|deriv|prime|accuracy|update|history|total|print|delta"
)


class Loss(NamedTuple):
    """A loss that is written nowhere: the one whose derivative stands beside the passes, or one that is usual."""

    called: str
    slope: str = ""  # the name of its derivative, a function of the output and the targets
    value: Callable[[Any, Any], Any] | None = None

    def of(self, slope: Callable[..., Any] | None, target: str) -> Callable[..., Any]:
        """The loss as a function of the output and the targets."""
        if slope is None:
            assert self.value is not None
            return self.value
        names = required_of(slope)
        first = bool(names) and (names[0] == target or names[0].lower() in TARGETS)

        def cost(output: Any, targets: Any) -> Any:
            """The integral of the slope along the line from outputs of one half."""
            steps, shares = np.polynomial.legendre.leggauss(_NODES)
            way = np.asarray(output) - 0.5
            total: Any = 0.0
            for step, share in zip((steps + 1) / 2, shares / 2, strict=True):
                there = 0.5 + step * way
                total = total + share * np.sum(way * (slope(targets, there) if first else slope(there, targets)))
            return total

        return cost


def _squares(output: Any, targets: Any) -> Any:
    return np.sum((output - targets) ** 2)


def _answers(output: Any, targets: Any) -> Any:
    return -np.sum(targets * np.log(output) + (1 - targets) * np.log(1 - output))


def _shares(output: Any, targets: Any) -> Any:
    return -np.sum(targets * np.log(output))


def _chosen(output: Any, targets: Any) -> Any:
    """The cross-entropy of class numbers: the samples are columns where these sum to 1."""
    shares = output.T if np.allclose(np.sum(output, axis=0), 1) else output
    known = targets.as_index(shares.shape[-1]) if hasattr(targets, "as_index") else targets
    return -np.mean(np.log(shares[np.arange(len(shares)), known]))


# What a backward pass that takes class numbers, and names no loss, may be of.
OF_CLASSES = (
    Loss("the mean of the cross-entropy over the samples", value=_chosen),
    Loss("the cross-entropy", value=lambda o, t: _chosen(o, t) * np.size(t)),
)
# What a backward pass that begins with output - target, and names no loss, may be of: the likeliest first.
USUAL = (
    Loss("half of the squared error", value=lambda o, t: _squares(o, t) / 2),
    Loss("the mean of the cross-entropy over the samples", value=lambda o, t: _shares(o, t) / len(o)),
    Loss("the mean of the binary cross-entropy over the samples", value=lambda o, t: _answers(o, t) / len(o)),
    Loss("the mean of half the squared error over the samples", value=lambda o, t: _squares(o, t) / 2 / len(o)),
    Loss("the binary cross-entropy, its mean over columns", value=lambda o, t: _answers(o, t) / np.shape(o)[-1]),
    Loss("the cross-entropy, its mean over columns", value=lambda o, t: _shares(o, t) / np.shape(o)[-1]),
    Loss("half the squared error, its mean over columns", value=lambda o, t: _squares(o, t) / 2 / np.shape(o)[-1]),
    Loss("the squared error", value=_squares),
    Loss("the mean of the squared error", value=lambda o, t: _squares(o, t) / np.size(o)),
    Loss("the mean of the squared error over the samples", value=lambda o, t: _squares(o, t) / len(o)),
    Loss("the binary cross-entropy", value=_answers),
    Loss("the cross-entropy", value=_shares),
)


def usual_losses(source: str, classes: bool) -> tuple[Loss, ...]:
    """The usual losses that go with the last activation of a source, or with class numbers; the likeliest first."""
    if classes:
        return OF_CLASSES
    shares = "softmax" in source.lower() or ("exp(" in source and re.search(r"\bsum\(", source))
    answers = re.search(r"(?i)sigmoid|sigma|logistic|1(\.0?)? ?/ ?\(1(\.0?)? ?\+ ?np\.exp", source)
    kinds = [*("entropy of shares",) * bool(shares), *("binary",) * bool(answers), "squared"]
    kinds += ["entropy of shares", "binary"] * (not shares and not answers)
    return tuple(loss for kind in kinds for loss in USUAL if _kind(loss) == kind)


def _kind(loss: Loss) -> str:
    return next((word for word in ("squared", "binary") if word in loss.called), "entropy of shares")


_SCORES = re.compile(r"(?i)^(z\w?|zs|net|scores?|logits?|pre_?act\w*)$")
_ACTIVATIONS = ("sigmoid", "softmax", "logistic", "sigma", "tanh", "relu")


def behind_activation(kind: type, value: str, gradient: str) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
    """A loss and its gradient by the scores: of static fn(a, y) and delta(z, a, y), with a = sigmoid(z) of their file.

    None where they are no such pair.
    """
    loss, delta = (inspect.getattr_static(kind, name, None) for name in (value, gradient))
    if not (isinstance(loss, staticmethod) and isinstance(delta, staticmethod)):
        return None
    known, wanted = required_of(loss.__func__), required_of(delta.__func__)
    scores = [name for name in wanted if name not in known]
    known_functions = getattr(delta.__func__, "__globals__", {})
    activation = next((known_functions[n] for n in _ACTIVATIONS if callable(known_functions.get(n))), None)
    if len(known) != 2 or len(scores) != 1 or not _SCORES.match(scores[0]) or activation is None:
        return None
    (z,), (a, y) = scores, known

    def of_scores(scores: Any, targets: Any) -> Any:
        return loss.__func__(activation(scores), targets)

    def by_scores(scores: Any, targets: Any) -> Any:
        given = {z: scores, a: activation(scores), y: targets}
        return delta.__func__(*(given[name] for name in wanted))

    kinds = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in (z, y)]
    for function, name, own in ((of_scores, value, loss), (by_scores, gradient, delta)):
        function.__name__ = f"{kind.__name__}.{name}"
        function.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
        function.__wrapped__ = own.__func__  # type: ignore[attr-defined]
    return of_scores, by_scores


class WithCost(NamedTuple):
    """The loss of what forward gives, with all that forward returned behind it; each by its name in an object."""

    forward: str
    cost: str | Loss
    target: str
    output: str = ""  # which of the things that forward returns the loss is of; the first where it is not known
    without: tuple[str, ...] = ()  # the strengths of penalties that were set to 0

    def on(self, item: Any) -> Callable[..., Any]:
        """The function of one object: the arguments of forward, then the targets."""
        forward = getattr(item, self.forward)
        own = self.cost if isinstance(self.cost, str) else self.cost.slope
        beside: Any = operator.attrgetter(own)(item) if own else None
        cost: Callable[..., Any] = beside if isinstance(self.cost, str) else self.cost.of(beside, self.target)
        known = list(inspect.signature(forward).parameters.values())
        plain = [p for p in known if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        names = [p.name for p in plain]
        returned = returned_names(forward)
        if not self.target:  # it holds its targets
            return _one_after_the_other(forward, cost)

        def loss(*arguments: Any) -> tuple[Any, ...]:
            *inputs, target = arguments
            found = forward(*inputs)
            several, output = self._output(found, returned)
            if not isinstance(self.cost, str) and _turned(inputs, output, self.on_more(item)):
                output = np.reshape(output, -1) if np.ndim(inputs[0]) == 1 else np.transpose(output)
            if hasattr(target, "world"):  # targets whose shape is not known yet
                target.world.compared = np.shape(output)
            given = {**dict(zip(names, inputs, strict=True)), **dict(zip(returned, several, strict=False))}
            return cost(*self._handed(cost, given, output, target)), *several

        loss.__name__ = self.forward
        loss.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*plain, inspect.Parameter(self.target, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        )
        loss.parts = (forward, beside) if beside else (forward,)  # type: ignore[attr-defined]
        loss.returns = ("", *(returned or ("",)))  # type: ignore[attr-defined]
        return loss

    def _output(self, found: Any, returned: tuple[str, ...]) -> tuple[Any, Any]:
        """All that forward gave, and the output among it: of a list of activations, one of each layer, the last."""
        listed = isinstance(found, list) and len(returned) == 1
        several = found if isinstance(found, tuple | list) and not listed else (found,)
        output = several[returned.index(self.output) if self.output in returned[: len(several)] else 0]
        return several, output[-1] if isinstance(output, list) and np.ndim(output[-1]) else output

    def on_more(self, item: Any) -> Callable[..., Any]:
        """The output of a copy of an object."""

        def output(*inputs: Any) -> Any:
            forward = getattr(copied(item), self.forward)
            return self._output(forward(*inputs), returned_names(forward))[1]

        return output

    def _handed(self, cost: Any, given: dict[str, Any], output: Any, target: Any) -> Iterable[Any]:
        """What the loss is handed: the targets, what it names as forward does, and else the output."""
        for name in required_of(cost):
            if name == self.target or (name.lower() in TARGETS and name not in given):
                yield target
            else:
                yield given.get(name, output)


def _turned(inputs: list[Any], output: Any, again: Callable[..., Any]) -> bool:
    """Whether a network turns its samples, the rows of its inputs or one flat sample, into columns."""
    given: tuple[int, ...] = np.shape(inputs[0]) if inputs else ()
    made: tuple[int, ...] = np.shape(output)
    if len(made) != 2 or len(given) not in (1, 2) or made[1] != (given[0] if len(given) == 2 else 1):
        return False
    if len(given) == 1 or given[0] != made[0]:
        return True
    more = np.concatenate([inputs[0], inputs[0][:1]])  # as many samples as outputs: one more tells which they are
    return bool(np.shape(again(more, *inputs[1:]))[0] == made[0])


def _one_after_the_other(forward: Callable[..., Any], cost: Callable[..., Any]) -> Callable[..., Any]:
    def loss() -> Any:
        forward()
        return cost()

    loss.__name__ = forward.__name__
    loss.parts = (forward, cost)  # type: ignore[attr-defined]
    return loss


def slope_among(functions: dict[str, Callable[..., Any]], target: str) -> Loss | None:
    """The loss of which a function is the derivative: called so, and taking the output and targets alone."""
    for name, function in functions.items():
        if _SLOPE.search(name) and "back" not in name.lower():
            try:
                wanted = required_of(function)
            except (TypeError, ValueError):
                continue
            if len(wanted) == 2 and any(n == target or n.lower() in TARGETS for n in wanted):
                return Loss(f"the loss whose derivative {name} is", name)
    return None


def methods_of(item: Any, forward: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The functions beside forward, by name: the methods of an object, or the functions of a file."""
    names = getattr(forward, "__globals__", {}) if item is None else {n: getattr(item, n, None) for n in dir(item)}
    for held, value in [*names.items()] if item is not None else []:
        own = getattr(value if isinstance(value, type) else type(value), "__module__", "") == type(item).__module__
        for name in ("fn", "loss", "cost", "forward", "__call__", "compute") if own and _COST.search(held) else ():
            static = not isinstance(value, type) or isinstance(inspect.getattr_static(value, name, None), staticmethod)
            names |= {f"{held}.{name}": getattr(value, name, None)} if static else {}
    return {name: each for name, each in names.items() if inspect.isfunction(each) or inspect.ismethod(each)}


def target_of(forward: Callable[..., Any], backward: Callable[..., Any]) -> str:
    """The targets that backward takes and forward neither takes nor returns; "" without any."""
    known = {*parameters_of(forward), *returned_names(forward)}
    return next((n for n in required_of(backward) if n.lower() in TARGETS and n not in known), "")


def cost_among(functions: dict[str, Callable[..., Any]], forward: str, backward: str, target: str) -> str:
    """The name of the loss among functions: called so, and taking targets; "" where there is none."""
    for name, function in functions.items():
        if name in (forward, backward) or not _COST.search(name) or _NOT_A_COST.search(name):
            continue
        try:
            wanted = required_of(function)
        except (TypeError, ValueError):
            continue
        enough = len(wanted) > 1 or (
            inspect.ismethod(function) and "." not in name and "np." in source_of(function)
        )  # it reads the output from self
        if enough and any(n == target or n.lower() in TARGETS for n in wanted):
            return name
    return ""
