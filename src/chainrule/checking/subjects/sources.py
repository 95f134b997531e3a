"""What the source of a function says before it runs: ranks, names of what is returned, remarks."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

from .names import role_of
from .world import tells_sides

__all__ = [
    "axes_in",
    "indexes_with",
    "inside",
    "layered_in",
    "mentions",
    "parameters_of",
    "ranks_in",
    "ranks_told",
    "remark_in",
    "required_of",
    "returned_names",
    "role_in",
    "rows_in",
    "small_in_logarithm",
    "source_of",
    "subtracted_in",
    "words_for",
]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The positional parameters, each with its default or `inspect.Parameter.empty`; raises what `signature` raises.

    Where there is nothing but `*arguments`, that is one parameter.
    """
    every = inspect.signature(inside(function)).parameters.values()
    any_number = [p for p in every if p.kind is inspect.Parameter.VAR_POSITIONAL]
    named = {p.name: p.default for p in every if p.kind in _POSITIONAL}
    return named or {p.name: inspect.Parameter.empty for p in any_number}


def inside(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a decorator that does not say so has wrapped: the one function that it keeps and hands everything to.

    >>> def timed(function):
    ...     def wrap(*args, **kwargs): return function(*args, **kwargs)
    ...     return wrap
    >>> @timed
    ... def double(x): return 2 * x
    >>> inside(double).__name__, inside(len).__name__
    ('double', 'len')
    """
    plain = getattr(function, "__func__", function)
    code, cells = getattr(plain, "__code__", None), getattr(plain, "__closure__", None) or ()
    if code is None or code.co_argcount or not code.co_flags & inspect.CO_VARARGS or hasattr(plain, "__wrapped__"):
        return function
    kept = [held for held in map(_held_in, cells) if isinstance(held, FunctionType)]
    bound = getattr(function, "__self__", None)
    if len(kept) != 1:
        return function
    return inside(kept[0] if bound is None else MethodType(kept[0], bound))


def _held_in(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return None


def required_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """The positional parameters without a default."""
    return tuple(n for n, default in parameters_of(function).items() if default is inspect.Parameter.empty)


def source_of(function: Callable[..., Any]) -> str:
    """The source, without indentation; empty where there is none."""
    plain = getattr(inside(function), "__func__", inside(function))
    if not isinstance(plain, FunctionType | type):
        return _read(function)
    if plain not in _KNOWN:
        _KNOWN[plain] = _read(plain)
    return _KNOWN[plain]


_KNOWN: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # hundreds of readings ask for the same few


def _read(item: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(item))
    except (OSError, TypeError, IndentationError):
        return ""


@lru_cache(maxsize=64)
def _parsed(source: str) -> ast.AST | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def ranks_in(*functions: Callable[..., Any]) -> dict[str, int]:
    """The number of axes of the arrays of a name, where the source unpacks a shape or indexes by several axes."""
    exact: dict[str, int] = {}
    least: dict[str, int] = {}
    for function in functions:
        tree = _parsed(source_of(function))
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                _unpacked(node, exact)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
                name = _name(node.value)
                if not any(isinstance(e, ast.Constant) and e.value in (None, ...) for e in node.slice.elts):
                    least[name] = max(least.get(name, 0), len(node.slice.elts))
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "transpose" and len(node.args) > 1:
                exact.setdefault(_name(getattr(node.func, "value", node)), len(node.args))
    return {name: rank for name, rank in {**least, **exact}.items() if name}


def _unpacked(node: ast.Assign, exact: dict[str, int]) -> None:
    targets, values = node.targets[0], node.value
    assert isinstance(targets, ast.Tuple)
    starred = any(isinstance(each, ast.Starred) for each in targets.elts)
    if isinstance(values, ast.Attribute) and values.attr == "shape" and not starred:
        exact[_name(values.value)] = len(targets.elts)


def axes_in(names: Iterable[str], *functions: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    """How the source calls the axes of arguments of more than two, where two of these axes have one name.

    >>> def forward(x, w):
    ...     n, high, wide, c_in = x.shape
    ...     k, k, c_in, c_out = w.shape
    >>> axes_in(["x", "w"], forward)
    {'x': ('n', 'high', 'wide', 'c_in'), 'w': ('k', 'k', 'c_in', 'c_out')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for node in (node for each in functions for node in ast.walk(_parsed(source_of(each)) or ast.Pass())):
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)):
            continue
        entries = node.targets[0].elts
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            axes = tuple(e.id for e in entries if isinstance(e, ast.Name))
            if len(axes) == len(entries) > 2 and _name(node.value.value) in names:
                found.setdefault(_name(node.value.value), axes)
    every = [axis for axes in found.values() for axis in axes if axis != "_"]
    return found if len(set(every)) < len(every) else {n: axes for n, axes in found.items() if tells_sides(axes)}


def _name(node: ast.AST) -> str:
    """The name of an array: `x` and `self.x` alike."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def ranks_told(function: Callable[..., Any]) -> dict[str, int]:
    """The number of axes of arrays, where a docstring says it: "gamma and beta have shape (D,)".

    >>> def forward(x, w): "Inputs: x: rows of shape (N, D); w: weights, of shape (D, M)"
    >>> ranks_told(forward)
    {'x': 2, 'w': 2}
    """
    told: dict[str, int] = {}
    module = inspect.getmodule(function)
    known = parameters_of(function)
    for text in (getattr(module, "__doc__", None), function.__doc__):
        for line in re.split(r"[;\n]", text or ""):
            before = 0
            for shape in re.finditer(r"shape:?\s*\(([^()]*)\)", line):
                names = [name for name in re.findall(r"\w+", line[before : shape.start()]) if name in known]
                axes = [part for part in shape[1].split(",") if part.strip()]
                told |= {} if "..." in shape[1] else dict.fromkeys(names, len(axes))
                before = shape.end()
    return told


def returned_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what the last return of a function lists, "" for one without a name; () where it lists nothing.

    >>> returned_names(parameters_of)
    ('',)
    """
    told: tuple[str, ...] | None = getattr(function, "returns", None)
    return told if isinstance(told, tuple) else _returned_in(source_of(function))


@lru_cache(maxsize=64)
def _returned_in(source: str) -> tuple[str, ...]:
    tree = _parsed(source)
    last = [node for node in ast.walk(tree) if isinstance(node, ast.Return)] if tree is not None else []
    if not last:
        return ()
    value = max(last, key=lambda node: node.lineno).value
    return tuple(_flat_names(value)) if isinstance(value, ast.Tuple | ast.List) else (_told(value or ast.Pass()),)


def _flat_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Tuple | ast.List):
        return [name for each in node.elts for name in _flat_names(each)]
    return [_told(node)]


def _told(node: ast.AST) -> str:
    """The name of what is returned, where it is a part of it, a mean of it, or only made a plain number as well."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and _name(node.func) in ("float", "squeeze", "array"):
        return _told(node.args[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _name(node.left)
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return key if isinstance(key, str) else _name(node.value)
    return _name(node)


_INSIDE = re.compile(
    r"log[\w.]*\(.{0,80}?\+\s*(?P<small>\d*\.?\d*e-\d+|0?\.0*1|[\w.]*(?:eps|delta|tiny)[\w]*)", re.IGNORECASE
)


def rows_in(source: str, names: Iterable[str]) -> dict[str, bool]:
    """Of which arguments the gradient keeps the axis that it is summed along: these are rows, the others flat.

    >>> rows_in("db1 = dz.sum(axis=0, keepdims=True); grads['b2'] = d.sum(0)", ["b1", "b2", "W"])
    {'b1': True, 'b2': False}
    """
    found = {}
    for name in names:
        front = r"(?<![^\W_])(?:d_?|grad_?|\w+\[['\"]d?)"
        line = re.search(rf"""{front}{name}\b['"\]]*\s*\+?=([^=\n;].*?)(?:$|[\n;])""", source)
        if line is not None and re.search(r"sum|mean", line[1]):
            found[name] = re.search(r"keepdims *= *(True|1)", line[1]) is not None
    return found


def subtracted_in(source: str, target: str, returned: Iterable[str]) -> str:
    """Which of the things returned a source subtracts the targets from, or what it makes of them.

    "" where it subtracts them from nothing, "?" where from something else, such as `sigmoid(z) - y`.

    >>> subtracted_in("hot = one_hot(Y); dZ2 = A2 - hot", "Y", ["A1", "A2"])
    'A2'
    >>> subtracted_in("d = A2.copy(); d[range(m), Y] -= 1", "Y", ["A1", "A2"])
    'A2'
    """
    tree, made = _parsed(source), {target}
    nodes = list(ast.walk(tree)) if tree is not None else []
    origin = {name: name for name in returned if name and name != target}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            inside = [n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)]
            name = node.targets[0].id
            copied = next((origin[n] for n in inside if n in origin), "")
            if isinstance(node.value, ast.BinOp) and target not in inside and not made & {*inside}:
                continue
            made |= {name} if made & {*inside} and not copied else set()
            origin |= {name: copied} if copied and not made & {*inside} else {}
    other = ""
    for node in nodes:
        left = right = None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            left, right = _name(node.left), {n.id for n in ast.walk(node.right) if isinstance(n, ast.Name)}
        elif (
            isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript) and node.op.__class__ is ast.Sub
        ):
            left = _name(node.target.value)
            right = {n.id for n in ast.walk(node.target.slice) if isinstance(n, ast.Name)}
        if left in origin and right and right & made:
            return origin[left]
        other = "?" if right and right & made else other
    return other


def indexes_with(source: str, name: str) -> bool:
    """Whether a source uses an argument as class numbers: as an index, or to make one-hot rows of them.

    >>> indexes_with("p[np.arange(m), Y] -= 1", "Y"), indexes_with("A - Y", "Y"), indexes_with("one_hot(Y)", "Y")
    (True, False, True)
    """
    word = re.escape(name)
    as_index = rf"\[[^\[\]]*(?<![\w.]){word}(?![\w.\[(])[^\[\]]*\]"
    return re.search(rf"(?i:one_?hot|categorical)\w*\(\s*{word}\b|{as_index}", source) is not None


def small_in_logarithm(source: str, names: Mapping[str, Any]) -> tuple[float, str]:
    """A small number that is added inside of a logarithm for safety, and how it is written; (0.0, "") without one.

    >>> small_in_logarithm("loss = -np.log(p[range(n), y] + 1e-7).mean()", {})
    (1e-07, '1e-7')
    """
    found = _INSIDE.search(source)
    if found is None:
        return 0.0, ""
    written = found["small"]
    name = written.rpartition(".")[2]
    set_to = re.search(rf"\b{re.escape(name)}\s*=\s*(\d*\.?\d*e-\d+|0?\.0+1)", source)
    value = names.get(name, set_to[1] if set_to else written)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0, ""
    return (number, written) if 0 < number <= 1e-4 else (0.0, "")


def role_in(source: str, name: str) -> str:
    """What the source says an argument is, against its name: an array where its axes are used, whole numbers, a count.

    >>> role_in("scores = Q @ K.swapaxes(-2, -1)", "K"), role_in("x.astype(int)", "x"), role_in("k * x", "k")
    ('input', 'integers', '')
    >>> role_in("x.reshape(N, G, C // G, H, W)", "G")
    'number'
    """
    if re.search(rf"\b{name}\.astype\((np\.)?['\"]?u?int", source):
        return "integers"
    if re.search(rf"(//\s*|\brange\(){name}\b(?![.\[(])", source):
        return "number"
    number = role_of(name) == "number"
    used = rf"\blog\({name}\)|\b{name}\.(T|swapaxes|transpose|reshape|dot)\b|@\s*{name}\b(?!\.)|(?<![.\w]){name}\s*@"
    return "input" if number and re.search(used, source) else ""


def layered_in(source: str, name: str) -> tuple[str, ...]:
    """The numbered names that are read from a dict whose length tells how many layers there are.

    >>> layered_in("for l in range(len(p) // 2): a = p['W' + str(l)] @ a + p[f'b{l}']", "p")
    ('W', 'b')
    """
    named = rf"""\b{name}\[(?:['"](\w+?)['"]\s*\+\s*str\(|f['"](\w+?)\{{|['"](\w+?)%[di]['"]\s*%)"""
    found = [next(filter(None, each)) for each in re.findall(named, source)]
    return tuple(dict.fromkeys(found)) if f"len({name})" in source else ()


def mentions(source: str, words: Iterable[str]) -> bool:
    """Whether one of the words stands in the source."""
    return re.search(rf"\b({'|'.join(map(re.escape, words))})\b", source) is not None


def words_for(function: Callable[..., Any]) -> dict[str, list[str]]:
    """The words that arguments are compared with: in `if kind == "relu":` the argument is one of these words.

    >>> def act(x, kind): return x if kind == "linear" else 0 * x
    >>> words_for(act)
    {'kind': ['linear']}
    """
    tree, found = _parsed(source_of(function)), dict[str, list[str]]()
    defaults = parameters_of(function)
    required = [n for n, default in defaults.items() if default is inspect.Parameter.empty or isinstance(default, str)]
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and node.left.id in required:
            words = [e.value for e in ast.walk(node.comparators[0]) if isinstance(e, ast.Constant)]
            default = [defaults[node.left.id]] if isinstance(defaults[node.left.id], str) else []
            found.setdefault(node.left.id, default).extend(w for w in words if isinstance(w, str))
    return {name: list(dict.fromkeys(words)) for name, words in found.items() if words}


def remark_in(function: Callable[..., Any]) -> bool:
    """Whether a comment in the source says that something is meant so: `# on purpose`."""
    return re.search(r"#.*\bon purpose\b", source_of(function), re.IGNORECASE) is not None
