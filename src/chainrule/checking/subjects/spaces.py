"""Functions that share the globals of their file, as one object: its attributes are the globals, its methods they."""

from __future__ import annotations

import builtins
import copy
import dis
import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .objects import arrays_of

__all__ = ["Space", "space_of"]

_Function = types.FunctionType


class Space:
    """The globals that functions use, each an attribute, and the functions, which see these and no others.

    >>> W = 2.0
    >>> def scaled(x): return W * x
    >>> space = Space([scaled], {"W": W})
    >>> space.W = 5.0
    >>> space.scaled(3.0), scaled(3.0)
    (15.0, 6.0)
    """

    def __init__(self, functions: Sequence[_Function], held: Mapping[str, Any]) -> None:
        vars(self).update(held, __builtins__=builtins)
        for function in functions:
            setattr(self, function.__name__, _moved(function, vars(self)))
        self.functions_ = tuple(functions)

    def __deepcopy__(self, memo: dict[int, Any]) -> Space:
        return Space(self.functions_, {name: _copied(value, memo) for name, value in vars(self).items()})


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    return value if inspect.isroutine(value) or inspect.isclass(value) else _deeply(value, memo)


def _deeply(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # a module, a lock, an open file: anything may be a global
        return value


def _moved(function: _Function, names: dict[str, Any]) -> _Function:
    new = _Function(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    new.__kwdefaults__, new.__qualname__ = function.__kwdefaults__, function.__qualname__
    new.__doc__, new.__module__ = function.__doc__, function.__module__
    new.__dict__.update(function.__dict__)
    return new


def space_of(functions: Sequence[Callable[..., Any]], always: bool = False) -> Space | None:
    """The space of functions that read arrays, or write anything, among the globals of their file; or else None.

    None as well where a class of the file reads the same arrays: it would go on reading the file's.
    """
    own = [function for function in functions if isinstance(function, _Function)]
    if len(own) < len(functions) or len({function.__name__ for function in own}) < len(own):
        return None
    names = own[0].__globals__
    if any(function.__globals__ is not names for function in own):
        return None
    held: dict[str, Any] = {}
    written: set[str] = set()
    waiting, reached = list(own), dict[str, _Function]()
    while waiting:
        function = waiting.pop()
        reached.setdefault(function.__name__, function)
        written |= set(_globals_in(function.__code__, "STORE_GLOBAL"))
        for name in _globals_in(function.__code__, "LOAD_GLOBAL"):
            value = names.get(name)
            if isinstance(value, _Function) and value.__globals__ is names and value.__name__ == name:
                if name not in reached and value not in waiting:
                    waiting.append(value)
            elif name in names:
                held[name] = value
    held |= {name: names[name] for name in written if name in names}
    arrays = {path.split(".")[0].split("[")[0] for path, value in arrays_of(held_by(held)) if value.dtype.kind == "f"}
    if not (arrays or written or always) or _read_by_classes(held, names) & (arrays | written):
        return None
    return Space(list(reached.values()), held)


def held_by(names: Mapping[str, Any]) -> types.SimpleNamespace:
    """What can hold arrays among names: no modules, classes and functions."""
    closed = types.ModuleType | type
    return types.SimpleNamespace(**{
        name: value for name, value in names.items() if not isinstance(value, closed) and not inspect.isroutine(value)
    })  # fmt: skip


def _globals_in(code: types.CodeType, kind: str) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == kind or (kind == "LOAD_GLOBAL" and instruction.opname == "LOAD_NAME"):
            yield str(instruction.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _globals_in(inner, kind)


def _read_by_classes(held: Mapping[str, Any], names: dict[str, Any]) -> set[str]:
    kinds = [value if isinstance(value, type) else type(value) for value in held.values()]
    methods = [each for kind in kinds for each in vars(kind).values() if isinstance(each, _Function)]
    return {n for m in methods if m.__globals__ is names for n in _globals_in(m.__code__, "LOAD_GLOBAL")}
