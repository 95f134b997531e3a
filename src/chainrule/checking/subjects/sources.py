"""What the source of a function says before it runs: ranks, roles, words, remarks."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .names import role_of
from .signatures import name_in, parameters_of, parsed, source_of
from .world import tells_sides

__all__ = [
    "axes_in",
    "indexes_with",
    "layered_in",
    "mentions",
    "ranks_in",
    "ranks_told",
    "remark_in",
    "role_in",
    "rows_in",
    "small_in_logarithm",
    "subtracted_in",
    "words_for",
]


def ranks_in(*functions: Callable[..., Any]) -> dict[str, int]:
    """The number of axes of the arrays of a name, where the source unpacks a shape or indexes by several axes.

    >>> def forward(x, h, t): return np.einsum("bti,ij->btj", x, np.ones((2, 3))), h[t].T
    >>> ranks_in(forward)
    {'h': 3, 'x': 3}
    """
    exact: dict[str, int] = {}
    least: dict[str, int] = {}
    for function in functions:
        tree = parsed(source_of(function))
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                _unpacked(node, exact)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
                name = name_in(node.value)
                if not any(isinstance(e, ast.Constant) and e.value in (None, ...) for e in node.slice.elts):
                    least[name] = max(least.get(name, 0), len(node.slice.elts))
            elif isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.value, ast.Subscript):
                name, index = name_in(node.value.value), node.value.slice
                every = index.elts if isinstance(index, ast.Tuple) else [index]
                single = sum(not isinstance(e, ast.Slice | ast.Constant) for e in every)
                least[name] = max(least.get(name, 0), single + 2 if single else 0)
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "einsum":
                exact |= _in_einsum(node)
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "transpose" and len(node.args) > 1:
                first, order = node.args[:2]  # np.transpose(x, (0, 2, 1)) or x.transpose(0, 2, 1)
                array, axes = getattr(node.func, "value", node), node.args
                if isinstance(order, ast.Tuple):
                    array, axes = first, order.elts
                exact.setdefault(name_in(array), len(axes))
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                _multiplied(node, least)
    return {name: rank for name, rank in {**least, **exact}.items() if name}


def _in_einsum(node: ast.Call) -> dict[str, int]:
    """The number of axes of the operands, where the letters tell it."""
    first, *operands = node.args
    letters = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else "..."
    words = letters.replace(" ", "").partition("->")[0].split(",")
    named = [(name_in(each), len(word)) for each, word in zip(operands, words, strict=False)]
    return {} if "." in letters else {name: rank for name, rank in named if name}


def _multiplied(node: ast.BinOp, least: dict[str, int]) -> None:
    """Matrices of a batch: what they are multiplied by has as many axes."""
    for one, other in ((node.left, node.right), (node.right, node.left)):
        turned = isinstance(other, ast.Call) and getattr(other.func, "attr", "") == "transpose"
        if isinstance(one, ast.Name) and isinstance(other, ast.Call) and turned and len(other.args) > 2:
            least[one.id] = max(least.get(one.id, 0), len(other.args))


def _unpacked(node: ast.Assign, exact: dict[str, int]) -> None:
    targets, values = node.targets[0], node.value
    assert isinstance(targets, ast.Tuple)
    starred = any(isinstance(each, ast.Starred) for each in targets.elts)
    if isinstance(values, ast.Attribute) and values.attr == "shape" and not starred:
        exact.setdefault(name_in(values.value), len(targets.elts))


def axes_in(names: Iterable[str], *functions: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    """How the source calls the axes of arguments of more than two, where two of these axes have one name.

    >>> def forward(x, w):
    ...     n, high, wide, c_in = x.shape
    ...     k, k, c_in, c_out = w.shape
    >>> axes_in(["x", "w"], forward)
    {'x': ('n', 'high', 'wide', 'c_in'), 'w': ('k', 'k', 'c_in', 'c_out')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for node in (node for each in functions for node in ast.walk(parsed(source_of(each)) or ast.Pass())):
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)):
            continue
        entries = node.targets[0].elts
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            axes = tuple(e.id for e in entries if isinstance(e, ast.Name))
            if len(axes) == len(entries) > 2 and name_in(node.value.value) in names:
                found.setdefault(name_in(node.value.value), axes)
    every = [axis for axes in found.values() for axis in axes if axis != "_"]
    return found if len(set(every)) < len(every) else {n: axes for n, axes in found.items() if tells_sides(axes)}


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
    tree, made = parsed(source), {target}
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
            left, right = name_in(node.left), {n.id for n in ast.walk(node.right) if isinstance(n, ast.Name)}
        elif (
            isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript) and node.op.__class__ is ast.Sub
        ):
            left = name_in(node.target.value)
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
    of_one = rf"\w\[(?:[^\[\]]*, *)?{word}\[\w+\](?: *,[^\[\]]*)?\]"
    return re.search(rf"(?i:one_?hot|categorical)\w*\(\s*{word}\b|{as_index}|{of_one}", source) is not None


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
    >>> role_in("x.reshape(N, G, C // G, H, W)", "G"), role_in("data + kraft * np.sum(W * W)", "kraft")
    ('number', 'number')
    """
    if re.search(rf"\b{name}\.astype\((np\.)?['\"]?u?int", source):
        return "integers"
    if re.search(rf"(//\s*|\brange\(){name}\b(?![.\[(])", source):
        return "number"
    if _weighs_a_sum(source, name):
        return "number"
    number = role_of(name) == "number"
    used = rf"\blog\({name}\)|\b{name}\.(T|swapaxes|transpose|reshape|dot)\b|@\s*{name}\b(?!\.)|(?<![.\w]){name}\s*@"
    return "input" if number and re.search(used, source) else ""


def _weighs_a_sum(source: str, name: str) -> bool:
    """Whether a name stands before the sum of squares of something, as the strength of a penalty, and is no array."""
    if re.search(rf"\b{name}(\.|\[|\s*@)|@\s*{name}\b|len\({name}\)", source):
        return False
    return re.search(rf"\b{name}\s*\*\s*(np\.(sum|linalg\.norm)\(|\(\w+\s*\*\*\s*2\)\.sum)", source) is not None


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
    tree, found = parsed(source_of(function)), dict[str, list[str]]()
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
