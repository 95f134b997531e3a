"""Functions in the manner of C: they return nothing, and write into arrays that they are handed, with their sizes.

`matmul_forward(out, inp, weight, B, T, C)` and `matmul_backward(dinp, dweight, dout, inp, weight, B, T, C)` become a
pair that takes `inp` and `weight`, and gives `out` and the two gradients.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .names import is_gradient_name, same_stem
from .signatures import parameters_of, source_of
from .touched import ReadArray, WrittenArray
from .world import Choices, Shape

__all__ = ["InPlace", "buffers_of", "in_place"]

_USUAL = {"NH": 2, "C": 4, "B": 3, "T": 5, "OC": 7, "V": 6, "Vp": 6, "N": 6}  # sizes that no other size equals,
_OTHERS = (5, 3, 7, 4, 6, 8, 9, 11)  # but what is divided into heads is a multiple of their number
_SIZE = re.compile(r"^[A-Z][A-Za-z]?\d?$|(?i:^(n|num|len|size|rows|cols)(_\w+)?$)")
_RUNS = 300


def in_place(forward: Callable[..., Any], backward: Callable[..., Any] | None) -> InPlace | None:
    """The pair as it is meant; None where the functions return what they compute, or where nothing is found to run."""
    if not inspect.isfunction(forward) or not inspect.isfunction(backward):
        return None
    if _returns(forward) or _returns(backward):
        return None
    given, wanted = list(parameters_of(forward)), list(parameters_of(backward))
    written, gradients = _written(forward), _written(backward)
    if not written or not any(is_gradient_name(name) for name in gradients):
        return None
    sizes = [n for n in dict.fromkeys([*given, *wanted]) if _is_size(n, forward, backward)]
    made = InPlace(forward, backward, [n for n in given if n not in (*written, *sizes)], written, sizes, gradients)
    strange = [n for n in wanted if made.meaning(n) == ""]
    return made if made.inputs and not strange and made.found() else None


def buffers_of(backward: Callable[..., Any]) -> list[str]:
    """The arguments into which a function adds its gradients, where it returns nothing."""
    plain = getattr(backward, "__func__", backward)
    return [] if not inspect.isfunction(plain) or _returns(plain) else _written(plain)


def _returns(function: Callable[..., Any]) -> bool:
    tree = _tree(function)
    return tree is None or any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(tree))


def _tree(function: Callable[..., Any]) -> ast.AST | None:
    try:
        return ast.parse(source_of(function)).body[0]
    except (SyntaxError, IndexError):
        return None


def _written(function: Callable[..., Any]) -> list[str]:
    """The arguments that a function writes into."""
    found, known = [], parameters_of(function)
    for node in ast.walk(_tree(function) or ast.Pass()):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets if isinstance(node, ast.Assign | ast.AugAssign) else ():
            whole = isinstance(node, ast.AugAssign) and isinstance(target, ast.Name)
            base: Any = target
            while isinstance(base, ast.Subscript):
                base = base.value
            if isinstance(base, ast.Name) and base.id in known and (whole or base is not target):
                found.append(base.id)
    return [name for name in known if name in found]


def _is_size(name: str, *functions: Callable[..., Any]) -> bool:
    """Whether an argument is a number of rounds, or called like a size and never indexed."""
    source = "\n".join(map(source_of, functions))
    if re.search(rf"\b{name}\s*\[", source) or re.search(rf"\b{name}\.", source):
        return False
    return _SIZE.match(name) is not None or re.search(rf"range\([^)]*\b{name}\b", source) is not None


class InPlace:
    """A pair of functions in the manner of C, as functions that return what they compute."""

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        inputs: list[str],
        outputs: list[str],
        sizes: list[str],
        gradients: list[str],
    ) -> None:
        self.functions = forward, backward
        self.inputs, self.outputs, self.sizes = inputs, outputs, sizes
        gradients = [n for n in gradients if not _is_of(n, outputs) or _is_of(n, inputs)]  # dout may be overwritten
        self.gradients = gradients
        self.wanted = list(parameters_of(backward))
        ups = [n for n in self.wanted if n not in gradients and is_gradient_name(n)]
        main = next((out for out in outputs for up in ups if same_stem(up, out)), outputs[0])
        self.outputs = [main, *(out for out in outputs if out != main)]
        source = "".join(map(source_of, self.functions))
        self.idle = [name for name in sizes if len(re.findall(rf"\b{name}\b", source)) < 3]  # handed over, and not read
        self.shapes: dict[str, Shape] = {}
        self.whole: dict[str, int] = {}  # the arguments of whole numbers, and below what these are
        self.written: dict[tuple[Shape, ...], list[Shape]] = {}

    def meaning(self, name: str) -> str:
        """What an argument of backward is: the name of an argument of forward, or of what one is the gradient of."""
        if name in (*self.inputs, *self.outputs, *self.sizes):
            return name
        return next((each for each in (*self.inputs, *self.outputs) if same_stem(name, each)), "")

    # Shapes

    def found(self) -> bool:
        """Whether the functions run on arrays of some shapes, which are kept."""
        lengths = self._lengths()
        choices = Choices()
        for _ in range(_RUNS):
            read = {name: ReadArray(name, tuple(dict.fromkeys(lengths.values())), choices) for name in self.inputs}
            made = {name: WrittenArray() for name in self.outputs}
            try:
                self._call(0, {**read, **made, **lengths})
                self.shapes = {name: each.shape_of_all() for name, each in read.items()}
                self.whole = {name: each.below or 2 for name, each in read.items() if each.whole}
                self._require_lengths(lengths)
                values = self.drawn(np.random.default_rng(1))
                self.backward(np.ones(np.shape(self.forward(*values.values())[0])), self.kept)
            except Exception:  # the code is not ours: anything may come
                if not choices.next():
                    return False
                continue
            return True
        return False

    def _require_lengths(self, lengths: Mapping[str, int]) -> None:
        """Raises ValueError where a size is that of no axis, nor of a part of one."""
        axes = [length for shape in self.shapes.values() for length in shape]
        if any(all(axis % length for axis in axes) for name, length in lengths.items() if name not in self.idle):
            raise ValueError("a size is that of no array")

    def _lengths(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for name in self.sizes:
            free = [each for each in (_USUAL.get(name, 0), *_OTHERS) if each and each not in found.values()]
            found[name] = free[0]
        return found

    def drawn(self, rng: np.random.Generator) -> dict[str, Any]:
        """Arguments of the shapes that were found."""
        positive = "log" in source_of(self.functions[0])
        return {
            self.called(name): rng.integers(0, self.whole[name], shape) if name in self.whole
            else rng.uniform(0.1, 0.9, shape) if positive else rng.normal(size=shape)
            for name, shape in self.shapes.items()
        }  # fmt: skip

    def _sizes_of(self, values: Mapping[str, Any]) -> dict[str, int]:
        """The sizes that go with arrays of these shapes; raises ValueError where they go together with none."""
        usual = self._lengths()
        found: dict[int, int] = {}
        for name, shape in self.shapes.items():
            if np.ndim(values[name]) != len(shape):
                raise ValueError(f"{name} must have {len(shape)} axes")
            for length, now in zip(shape, np.shape(values[name]), strict=True):
                if found.setdefault(length, now) != now or (length not in usual.values() and length != now):
                    raise ValueError("the sizes of the arrays do not go together")
        return {name: found.get(length, length) for name, length in usual.items()}

    # The pair

    def called(self, name: str) -> str:
        """The name of an argument; whole numbers are indices here, and no targets of a loss."""
        return f"{name}_ids" if name in self.whole else name

    def _call(self, which: int, known: Mapping[str, Any]) -> None:
        function = self.functions[which]
        function(*(known[name] for name in parameters_of(function)))

    def forward(self, *arrays: Any) -> tuple[Any, ...]:
        """What forward writes: the output, then what it keeps for backward."""
        values = dict(zip(self.inputs, arrays, strict=True))
        known = {**values, **self._sizes_of(values)}
        key = tuple(np.shape(array) for array in arrays)
        if key not in self.written:
            made = {name: WrittenArray() for name in self.outputs}
            self._call(0, {**known, **made})
            self.written[key] = [made[name].shape for name in self.outputs]
        dtype = np.result_type(*[v for v in values.values() if np.asarray(v).dtype.kind in "fc"] or [np.float64])
        outputs = {n: np.zeros(s, dtype) for n, s in zip(self.outputs, self.written[key], strict=True)}
        self._call(0, {**known, **outputs})
        self.kept = {**known, **outputs}
        return outputs[self.outputs[0]], self.kept

    def backward(self, dvalues: Any, kept: Mapping[str, Any]) -> tuple[Any, ...]:
        """What backward adds to arrays of zeros, for each array of floats that forward takes."""
        given = {}
        for name in self.wanted:
            own = self.meaning(name)
            if own == name:
                given[name] = np.array(kept[name]) if isinstance(kept[name], np.ndarray) else kept[name]
            elif own == self.outputs[0] and name not in self.gradients:
                given[name] = np.array(dvalues)
            else:
                given[name] = np.zeros_like(kept[own], dtype=np.asarray(dvalues).dtype)
        self._call(1, given)
        found = {self.meaning(name): given[name] for name in self.gradients}
        return tuple(found.get(name) for name in self.inputs if name not in self.whole)

    def pair(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Both as plain functions with the names of the user's."""

        def forward(*arrays: Any) -> tuple[Any, ...]:
            return self.forward(*arrays)

        def backward(dvalues: Any, cache: Any) -> tuple[Any, ...]:
            return self.backward(dvalues, cache)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        up = next((n for n in self.wanted if n not in self.gradients and is_gradient_name(n)), "dout")
        floats = [name for name in self.inputs if name not in self.whole]
        described: list[tuple[Any, Any, list[str], tuple[str, ...]]] = [
            (forward, self.functions[0], self.inputs, (self.outputs[0], "cache")),
            (backward, self.functions[1], [up, "cache"], tuple(f"d{name}" for name in floats)),
        ]
        for function, own, names, returns in described:
            function.__name__ = own.__name__
            known = [inspect.Parameter(self.called(n), kind) for n in names]
            function.__signature__ = inspect.Signature(known)
            function.__wrapped__ = own
            function.returns = returns
        return forward, backward


def _is_of(gradient: str, names: Sequence[str]) -> bool:
    return any(same_stem(gradient, name) for name in names)
