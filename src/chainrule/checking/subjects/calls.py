"""Which of the methods of an object, or of the functions of a file, belong together: the value and its gradients."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .costs import WithCost
from .pairing import methods_together, pairs_together
from .plans import Passes
from .signatures import parameters_of, returned_names, source_of
from .stepping import steps_of

__all__ = [
    "called_by",
    "calls_of",
    "is_loss_with_gradient",
    "is_written",
    "loss_place",
    "pair_of",
    "pairs_in",
    "whole_source",
]

_NOTHING = compile("", "", "exec")

# The value and its gradient, the likeliest first; None where the value returns its gradients itself.
_METHODS: tuple[tuple[str, str | None], ...] = (
    ("forward", "backward"),
    ("forward_pass", "backward_pass"),
    ("forward_propagation", "backward_propagation"),
    ("forward_propagate", "backward_propagate"),
    ("forward_prop", "backward_prop"),
    ("forward", "backward_pass"),
    ("forward_pass", "backward"),
    ("forward", "backprop"),
    ("forward", "backpropagate"),
    ("forward", "back_propagate"),
    ("fprop", "bprop"),
    ("feed_forward", "back_propagate"),
    ("feedforward", "backprop"),
    ("feed_forward", "backward"),
    ("__call__", "backward"),
    *((value, gradient) for value in ("loss", "cost", "calculate", "compute", "__call__", "fn", "function", "func", "f",
                                      "activate", "activation", "apply", "evaluate", "value", "error", "forward",
                                      "call", "compute_loss", "calc", "cost_function", "loss_function")
      for gradient in ("gradient", "gradients", "grad", "derivative", "prime", "deriv", "df", "backward", "d",
                       "compute_gradient", "compute_gradients", "gradient_wrt_output", "loss_gradient", "f_prime",
                       "loss_grad", "delta", "derivate", "der", "diff", "gradient_function", "derivation", "d_loss",
                       "loss_derivative", "cost_derivative", "numeric", "activation_derivative", "prime_loss", "dfn",
                       "activate_derivative", "compute_derivative", "d_activation", "loss_prime", "backprop")),
    ("loss", None),
    ("cost", None),
    ("compute_loss", None),
    ("loss_and_grad", None),
    ("loss_and_gradients", None),
    ("loss_grads", None),
    ("forward_backward", None),
)  # fmt: skip


# Other names that say the same.
_VALUE = re.compile(r"(?i)^_?(forward|feed_?forward|fwd|f_?prop|propagate|activate|predict)(_\w+)?$")
_COST = re.compile(r"(?i)^_?(compute|calc(ulate)?|get|eval(uate)?)_?(the_)?(total_)?(loss|cost|error|objective)\w*$")
_GRADIENT = re.compile(r"(?i)^_?(back|bwd|b_?prop|(compute|calc(ulate)?|get)_?(the_)?(input_)?(grad|deriv))\w*$")


def calls_of(item: Any) -> Iterator[Passes]:
    """Every pair of methods of an object, or of static methods of a class, the likeliest first."""
    kind = item if isinstance(item, type) else type(item)
    own = {name for base in kind.__mro__[:-1] for name in vars(base) if _is_own(kind, name)}
    for value, gradient in _METHODS:
        names = {name for name in (value, gradient) if name is not None}
        if names <= own and (gradient is not None or _returns_gradients(kind, value)):
            call = Passes(kind.__name__, item, value, gradient)
            box = box_of(kind) if (value, gradient) == ("forward", "backward") else None
            yield from [call] if box is None else [call._replace(box=box), call]
    yield from _of_held_data(item, kind, own)
    known = {pair for pair in _METHODS if pair[1] is not None}
    methods = [name for base in kind.__mro__[:-1] for name in vars(base) if name in own]
    found = bool({(value, gradient) for value, gradient in known if {value, gradient} <= own})
    for value in (*filter(_COST.match, methods), *filter(_VALUE.match, methods)):
        for gradient in filter(_GRADIENT.match, methods):
            if (value, gradient) not in known and _takes_arguments(getattr(kind, gradient)):
                found = True
                known.add((value, gradient))
                yield Passes(kind.__name__, item, value, gradient)
    for pair in methods_together(kind, own):
        if pair not in known:
            found = True
            yield Passes(kind.__name__, item, *pair)
    if not found:
        yield from steps_of(kind, item, methods)


def _of_held_data(item: Any, kind: type, own: set[str]) -> Iterator[Passes]:
    """Forward, a loss of what it stored, and backward, none of which takes anything: the object holds its data."""
    free = {name for name in own if _takes_nothing(kind, name)}
    costs = [name for name in ("loss", "cost", "compute_loss", "compute_cost") if name in free]
    for value, gradient in _METHODS if costs else ():
        if gradient is not None and {value, gradient} <= free:
            for cost in (each for each in costs if each != value):
                yield Passes(kind.__name__, item, WithCost(value, cost, ""), gradient)


def _takes_nothing(kind: type, name: str) -> bool:
    method = getattr(kind, name)
    return inspect.isfunction(method) and list(parameters_of(method)) == ["self"]


def box_of(kind: type) -> type | None:
    """The class of the boxes that `__call__` hands to forward, as in a tape of functions of variables; or None."""
    calling = next((vars(base)["__call__"] for base in kind.__mro__[:-1] if "__call__" in vars(base)), None)
    text = source_of(calling) if calling is not None else ""
    if ".data" not in text or "self.forward(" not in text:
        return None
    known = getattr(calling, "__globals__", {})
    names = [node.func.id for node in ast.walk(ast.parse(text))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]  # fmt: skip
    return next((known[n] for n in names if isinstance(known.get(n), type) and n[:1].isupper()), None)


def _is_own(kind: type, name: str) -> bool:
    found = any(name in vars(base) for base in kind.__mro__[:-1])
    return found and callable(getattr(kind, name, None)) and not _is_empty(getattr(kind, name))


def _is_empty(method: Callable[..., Any]) -> bool:
    """Whether the method only says that it is not written."""
    text = source_of(method)
    try:
        body = ast.parse(text).body[0].body if text else []  # type: ignore[attr-defined]
    except (SyntaxError, AttributeError, IndexError):
        return False
    body = [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return bool(text) and all(isinstance(node, ast.Pass) or _raises_not_written(node) for node in body)


def _raises_not_written(node: ast.stmt) -> bool:
    return isinstance(node, ast.Raise) and "NotImplemented" in ast.unparse(node)


def _returns_gradients(kind: type, name: str) -> bool:
    return len(returned_names(getattr(kind, name))) > 1


def is_static(item: Any, call: Passes) -> bool:
    """Whether a class can be called as it is: its methods are static, or take a context."""
    names = [name for name in (call.value, call.gradient) if name is not None]
    methods = [inspect.getattr_static(item, name) if isinstance(name, str) else name for name in names]
    return all(isinstance(method, staticmethod | classmethod) for method in methods)


def is_written(item: Any) -> bool:
    """Whether an object or a class has a forward and a backward pass of any kind."""
    try:
        return next(calls_of(item), None) is not None
    except (TypeError, ValueError):
        return False


# Functions


def pair_of(forward: Callable[..., Any], backward: Callable[..., Any] | None = None) -> Passes:
    """A pair of functions, or a function that returns a loss and its gradients."""
    name = getattr(forward, "__name__", "the function")
    if backward is None and returns_backward(forward):
        return Passes(name, None, forward, _by_the_returned)
    return Passes(name, None, forward, backward)


def _by_the_returned(dout: Any, cache: Any) -> Any:
    return cache(dout)


def returns_backward(function: Callable[..., Any]) -> bool:
    """Whether a function returns its value and, made inside, the function that gives the gradients.

    >>> def twice(x):
    ...     def backward(dout): return 2 * dout
    ...     return 2 * x, backward
    >>> returns_backward(twice), returns_backward(len)
    (True, False)
    """
    names = returned_names(function)
    if len(names) != 2 or not _takes_arguments(function):
        return False
    inside = [node.name for node in ast.walk(ast.parse(source_of(function))) if isinstance(node, ast.FunctionDef)]
    return names[1] in inside[1:] and re.search(r"(?i)back|grad|vjp|pull|bwd|bprop", names[1]) is not None


_SUFFIXES = ("backward", "prime", "derivative", "deriv", "grad", "gradient", "derivate", "back", "bwd", "d", "der",
             "backprop", "gradients", "diff", "vjp", "dx", "derv", "derivation")  # fmt: skip
_FORWARD = re.compile(r"_?(forward_pass|forward_propagation|forward_prop|forward|fwd)_?")
_OPPOSITE = {"forward": ("backward", "backprop", "back"), "fwd": ("bwd",), "forward_prop": ("back_prop", "backprop"),
             "forward_pass": ("backward_pass",), "forward_propagation": ("backward_propagation", "back_propagation",
                                                                         "backpropagation")}  # fmt: skip


def partners(name: str) -> Iterator[str]:
    """What the backward function of a forward function may be called.

    >>> list(partners("relu"))[:2], next(partners("conv_forward"))
    (['relu_backward', 'relu_prime'], 'conv_backward')
    """
    if re.search(r"backward|_prime$|_bwd$", name):
        return
    for word, others in _OPPOSITE.items():
        if word in name:
            yield from (name.replace(word, other) for other in others)
    yield from (f"{name}_{suffix}" for suffix in _SUFFIXES)
    yield from (f"{prefix}{name}" for prefix in ("backward_", "d_", "d", "grad_", "deriv_", "der_", "gradient_"))
    yield from (f"{prefix}_of_{name}" for prefix in ("derivative", "gradient"))
    yield from (f"{prefix}_{name}" for prefix in ("derivative", "backprop", "prime"))


def pairs_in(functions: Mapping[str, Callable[..., Any]]) -> Iterator[tuple[str, Passes]]:
    """The pairs among functions, and the functions that return a loss with its gradients, each under its name."""
    taken = set()
    for name, function in functions.items():
        partner = next((other for other in partners(name) if other in functions and other != name), None)
        if partner is not None and _takes_arguments(function) and _takes_arguments(functions[partner]):
            taken |= {name, partner}
            yield _FORWARD.sub("", name) or "forward and backward", pair_of(function, functions[partner])
    for name, partner in pairs_together(functions, taken):
        if not {name, partner} & taken:
            taken |= {name, partner}
            yield name, pair_of(functions[name], functions[partner])
    for name, function in functions.items():
        if name not in taken and returns_backward(function):
            yield name, Passes(name, None, function, _by_the_returned)
        elif name not in taken and is_loss_with_gradient(function):
            yield name, pair_of(function)


def _takes_arguments(function: Callable[..., Any]) -> bool:
    try:
        return bool(parameters_of(function))
    except (TypeError, ValueError):
        return False


_LOSS = re.compile(
    r"(?i)loss|cost|objective|energy|criterion|cross_?entropy|mse|nll|^j$|^l$|^e$|error|svm|softmax|huber|hinge|diverg|"
    r"elbo|triplet|contrastive|(^|_)(ce|bce|kl|kld|mae|focal|dice|propagate)(_|$)"
)
_GRADS = re.compile(r"(?i)^(d_?\w+|g|g_\w+|grads?\w*|gradients?\w*|\w+_grads?|\w+_gradients?|delta\w*|nabla\w*)$")


def is_loss_with_gradient(function: Callable[..., Any]) -> bool:
    """Whether a function returns a loss and then gradients, by its name and by what it returns.

    >>> def square_loss(p, y): return ((p - y) ** 2).sum(), 2 * (p - y)
    >>> is_loss_with_gradient(square_loss), is_loss_with_gradient(len)
    (True, False)
    """
    names = returned_names(function)
    if len(names) < 2 or not _takes_arguments(function):
        return False
    if re.search(r"(?i)numeric|check|plot|train|predict|accuracy|load|split|batch|forward", function.__name__):
        return False
    if loss_place(names):
        return True
    gives = any(not name or _GRADS.match(name) for name in names[1:])
    return bool(_LOSS.search(function.__name__) and gives) or bool(_LOSS.search(names[0]) and _GRADS.match(names[1]))


def loss_place(names: Sequence[str]) -> int:
    """Where the loss lies among what is returned: behind its gradients where the names say so, or else first.

    >>> loss_place(("loss", "dW")), loss_place(("grads", "cost"))
    (0, 1)
    """
    behind = len(names) == 2 and _GRADS.match(names[0]) and _LOSS.search(names[1]) and not _GRADS.match(names[1])
    return int(bool(behind))


def whole_source(call: Passes) -> str:
    """The source of an object's class, or of the function and the functions that it calls."""
    if not call.functions:
        kind = call.item if isinstance(call.item, type) else type(call.item)
        return "\n".join(source_of(base) for base in kind.__mro__[:-1])
    value = call.of(call.value, call.item)
    parts = getattr(value, "parts", (value,))
    parts = tuple(getattr(part, "__wrapped__", part) for part in parts)
    return "\n".join(source_of(function) for function in (*parts, *called_by(*parts)) if callable(function))


def called_by(*functions: Callable[..., Any]) -> list[Any]:
    """What functions, or methods, name among the globals of their file: the functions that they call."""
    known = getattr(functions[0], "__globals__", {})
    return [known[n] for each in functions for n in getattr(each, "__code__", _NOTHING).co_names if n in known]
