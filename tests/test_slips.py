"""check: slips as people make them, with what is said first and the line that mends; the repairs by themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from chainrule.checking.files import check_file
from chainrule.checking.mending import derived, exchanged, left_out, remainders, statements, turned
from chainrule.checking.mending.rewriting import Derived, Repair, SourceScope
from chainrule.checking.mending.usercode import copied_tree


def function(source: str) -> ast.FunctionDef:
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.FunctionDef)
    return tree


def scope_of(known: dict[str, Any], **more: Any) -> SourceScope:
    """What code can name where these arrays and numbers are known."""

    def value(code: str) -> Any:
        try:
            return eval(code, {"np": np}, dict(known))
        except Exception:
            return None

    return SourceScope(known, (), (), (), value, {}, (), **more)


def written(tree: ast.FunctionDef, repairs: Iterable[Repair]) -> dict[str, str]:
    """The functions that repairs make of one, with the mistake that each mends."""
    found = {}
    for repair in repairs:
        copy = copied_tree(tree)
        repair.change(list(ast.walk(copy))[repair.place], copy)
        found[ast.unparse(ast.fix_missing_locations(copy))] = repair.mistake
    return found


X = np.linspace(0.5, 1.5, 12).reshape(4, 3)
FORWARDS = {
    "a power inside": ("def f(x):\n    return np.tanh(x + 0.5 * x ** 3)", ["1 + 0.5 * (3 * x ** 2)"]),
    "a name of the object": (
        "def f(x):\n    y = np.tanh(2 * x)\n    return x * y",
        ["(1 - y ** 2) * 2", "y + x * ((1 - y ** 2) * 2)"],
    ),
    "a sigmoid written out": (
        "def f(x):\n    y = 1 / (1 + np.exp(-2.0 * x))\n    return y",
        ["y * (1 - y) * (2.0)"],
    ),
    "two sides": (
        "def f(x):\n    return np.where(x > 0, x, 3 * (np.exp(x) - 1))",
        ["np.where(x > 0, 1, 3 * np.exp(x))"],
    ),
    "a quotient": ("def f(x):\n    return 1 / (1 + x * x)", ["-((x + x) / (1 + x * x) ** 2)"]),
    "a logarithm": ("def f(x):\n    return np.log(1 + x ** 2)", ["2 * x / (1 + x ** 2)"]),
    "several at once": ("def f(x):\n    a, b = np.sin(x), x * x\n    return a + b", ["np.cos(x) + (x + x)"]),
}


@pytest.mark.parametrize(("source", "slopes"), FORWARDS.values(), ids=FORWARDS)
def test_derivatives_of_forward_are_written_by_the_rules_of_calculus(source: str, slopes: list[str]) -> None:
    names: dict[str, Any] = {"np": np, "x": X}
    exec("\n".join(ast.unparse(each) for each in function(source).body[:-1]), names)
    held = {name: value for name, value in names.items() if isinstance(value, np.ndarray)}
    found = derived.slopes_in(function(source), held, {"x": held["x"], **({"y": held["y"]} if "y" in held else {})})
    at = 1e-6
    for code in (each.code for each in found):
        assert np.shape(eval(code, dict(names))) in (X.shape, ())
    value = function(source).body[-1]
    assert isinstance(value, ast.Return)
    assert value.value is not None
    ends = [dict(names, x=X + step) for step in (at, -at)]
    for each in ends:
        exec("\n".join(ast.unparse(one) for one in function(source).body[:-1]), each)
    high, low = (eval(ast.unparse(value.value), each) for each in ends)
    wanted = (high - low) / (2 * at)
    assert any(np.allclose(eval(each.code, dict(names)), wanted, rtol=1e-5) for each in found)
    for slope in slopes:
        assert any(ast.unparse(ast.parse(slope)) in each.code for each in found), found


def test_what_moves_by_no_known_rule_is_no_constant() -> None:
    tree = function("def f(x):\n    n = np.sum(x, axis=1, keepdims=True)\n    return x / n")
    held = {"x": X, "n": X.sum(axis=1, keepdims=True)}
    assert derived.slopes_in(tree, held, held) == []


def place_of(tree: ast.FunctionDef, kind: type[ast.stmt]) -> tuple[int, Any]:
    return next((i, node) for i, node in enumerate(ast.walk(tree)) if isinstance(node, kind))


def test_an_inner_derivative_and_two_wrong_factors_are_tried() -> None:
    scope = scope_of({"d": X, "s": X}, slopes=(Derived("1 - s ** 2", "np.tanh(x)"),))
    tree = function("def b(d):\n    return d * s * (1 - s)")
    found = written(tree, derived.of_two_factors(*place_of(tree, ast.Return), scope))
    assert found["def b(d):\n    return d * (1 - s ** 2)"] == "wrong_derivative"
    assert found["def b(d):\n    return d"] == "stray_factor"
    tree = function("def b(d):\n    return d")
    found = written(tree, derived.inner_factors(*place_of(tree, ast.Return), scope))
    assert found == {"def b(d):\n    return d * (1 - s ** 2)": "inner_derivative"}


def test_parts_that_are_put_together_are_exchanged() -> None:
    tree = function("def b(p, q):\n    return np.hstack([p, q])")
    found = written(tree, exchanged.exchanged(*place_of(tree, ast.Return), scope_of({"p": X, "q": X})))
    assert found == {"def b(p, q):\n    return np.hstack([q, p])": "wrong_order"}


def test_a_stride_is_put_into_where_a_window_begins() -> None:
    tree = function("def b(d):\n    for i in d:\n        for j in d:\n            h, w = i, j")
    i, node = place_of(tree, ast.Assign)
    found = written(tree, exchanged.slid(tree, i, node, scope_of({"stride": 2, "d": X})))
    assert [code.splitlines()[-1].strip() for code in found] == ["h, w = (i * stride, j * stride)"]


def test_a_line_that_overwrites_what_was_computed_is_left_out() -> None:
    tree = function("def b(self, d):\n    self.dW = d\n    self.v = 0.9 * self.v + d\n    self.dW = self.v")
    i = list(ast.walk(tree)).index(tree.body[2])
    found = written(tree, exchanged.overwriting(tree, i, tree.body[2]))
    assert [code.splitlines()[-1].strip() for code in found] == ["pass"]
    assert not written(tree, exchanged.overwriting(tree, i - 1, tree.body[1]))


def test_a_step_in_time_is_carried_to_the_earlier_one() -> None:
    tree = function("def b(d):\n    next = np.zeros(3)\n    for t in range(4):\n        a = d[t] + next\n    return a")
    known = {"next": np.zeros((4, 3)), "a": X, "W": np.eye(3)}
    found = written(tree, exchanged.carried(tree, *place_of(tree, ast.For), scope_of(known)))
    assert "        next = a @ W.T" in next(iter(found))


def test_loops_get_other_ends_and_indices_the_variable_of_the_loop() -> None:
    tree = function("def b(d):\n    for t in range(T - 1, 0, -1):\n        d[T] = t")
    ends = written(tree, exchanged.loop_ends(tree, *place_of(tree, ast.For)))
    assert any("range(T - 1, -1, -1)" in code for code in ends)
    assert any("range(T, 0, -1)" in code for code in ends)
    inside = written(tree, exchanged.loop_ends(tree, *place_of(tree, ast.Assign)))
    assert any("d[t] = t" in code for code in inside)


def test_a_gate_asks_another_array() -> None:
    tree = function("def b(d):\n    d[d <= 0] = 0")
    found = written(tree, exchanged.in_comparisons(*place_of(tree, ast.Assign), scope_of({"d": X, "h": X})))
    assert "def b(d):\n    d[h <= 0] = 0" in found


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        ("x[:, k, i] += c", "np.add.at(x, (slice(None, None), k, i), c)"),
        ("x[a:b, k] = c", "np.add.at(x, (slice(a, b), k), c)"),
        ("x[::2, k] += c", "np.add.at(x, (slice(None, None, 2), k), c)"),
        ("x[k] = c", "np.add.at(x, k, c)"),
    ],
)
def test_repeated_indices_are_added_with_an_index_that_runs(line: str, mended: str) -> None:
    tree = function(f"def b(x):\n    {line}")
    kind = ast.AugAssign if "+=" in line else ast.Assign
    found = written(tree, statements.of_statement(tree, *place_of(tree, kind)))
    wanted = ast.unparse(ast.parse(mended)).replace("slice(None, None)", "slice(None)")
    assert f"def b(x):\n    {wanted}" in {code.replace("slice(None, None)", "slice(None)") for code in found}


def test_the_norm_of_rows_moves_with_them() -> None:
    unit = X / np.sqrt((X**2).sum(axis=1, keepdims=True))
    terms = remainders.statistics_of(["d", "y"], scope_of({"d": X, "y": unit}))
    assert terms[0] == "y * (d * y).sum(axis=-1, keepdims=True)"
    tree = function("def b(d):\n    return d")
    found = written(tree, left_out.terms(*place_of(tree, ast.Return), terms[:1], [], scope_of({"d": X, "y": unit})))
    assert set(found.values()) == {"statistics_constant"}


def test_a_softmax_gets_its_own_derivative_and_not_that_of_a_sigmoid() -> None:
    p = X / X.sum(axis=1, keepdims=True)
    tree = function("def b(d):\n    return p * (1 - p) * d")
    found = written(tree, left_out.softmax_products(*place_of(tree, ast.Return), ["p"], scope_of({"d": X, "p": p})))
    assert found == {"def b(d):\n    return p * (d - (d * p).sum(axis=-1, keepdims=True))": "missing_cross_terms"}


def test_a_product_becomes_a_sum_and_a_difference_is_turned() -> None:
    for code, line in (("a * b", "a + b"), ("a - b", "b - a")):
        tree = function(f"def f():\n    return {code}")
        assert f"def f():\n    return {line}" in written(tree, turned.taken_out(*place_of(tree, ast.Return)))


class Slip(NamedTuple):
    """A module with one mistake, its name, a part of the sentence, and a part of the line to write."""

    source: str
    mistake: str
    says: str
    line: str


SLIPS = {
    "the inner derivative": Slip(
        """
class GELU:
    def forward(self, x):
        self.x, self.t = x, np.tanh(0.8 * (x + 0.04 * x ** 3))
        return 0.5 * x * (1 + self.t)
    def backward(self, grad):
        inner = 0.8
        return grad * (0.5 * (1 + self.t) + 0.5 * self.x * (1 - self.t ** 2) * inner)
""",
        "inner_derivative",
        "the derivative of the inner expression x + 0.04 * x ** 3 is left out",
        "* (1 + 0.04 * (3 * self.x ** 2))",
    ),
    "the derivative of another function": Slip(
        """
class Tanh:
    def forward(self, Z):
        self.A = np.tanh(Z)
        return self.A
    def backward(self, dA):
        return dA * self.A * (1 - self.A)
""",
        "wrong_derivative",
        "self.A * (1 - self.A) is not the derivative of np.tanh(Z), which is 1 - self.A ** 2",
        "return dA * (1 - self.A ** 2)",
    ),
    "a function twice": Slip(
        """
class Tanh:
    def forward(self, Z):
        self.A = np.tanh(Z)
        return self.A
    def backward(self, dA):
        return dA * (1 - np.tanh(self.A) ** 2)
""",
        "derivative_at_output",
        "The derivative is taken at self.A; it belongs to the inputs.",
        "self.A ** 2",
    ),
    "1/m in one parameter alone": Slip(
        """
class Dense:
    def __init__(self, n=4, m=3):
        self.W, self.b = np.random.randn(n, m), np.zeros(m)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW = self.x.T @ d / len(d)
        self.db = d.sum(axis=0)
        return d @ self.W.T
""",
        "batch_mean_doubled",
        "db does not divide by it: both or neither must",
        "self.dW = self.x.T @ d",
    ),
    "a wrong axis beside means": Slip(
        """
def linear_forward(A, W, b):
    return np.dot(W, A) + b, (A, W, b)
def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = 1 / m * np.dot(dZ, A_prev.T)
    db = 1 / m * np.sum(dZ)
    return np.dot(W.T, dZ), dW, db
""",
        "wrong_axis",
        "samples and neurons alike",
        "db = 1 / m * np.sum(dZ, axis=1, keepdims=True)",
    ),
    "a mean of the data beside means": Slip(
        """
def linear_forward(A, W, b):
    return np.dot(W, A) + b, (A, W, b)
def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = 1 / m * np.dot(dZ, A_prev.T)
    db = 1 / m * np.sum(dZ, axis=1, keepdims=True)
    return 1 / m * np.dot(W.T, dZ), dW, db
""",
        "batch_mean_doubled",
        "leave the division out",
        "return np.dot(W.T, dZ), dW, db",
    ),
    "the class that is left out": Slip(
        """
def svm_loss(W, X, y):
    n = len(y)
    scores = X @ W
    margins = np.maximum(0, scores - scores[np.arange(n), y].reshape(-1, 1) + 1)
    margins[np.arange(n), y] = 0
    mask = (margins > 0) * 1.0
    mask[np.arange(n), y] = np.sum(mask, axis=1)
    return margins.sum() / n, X.T @ mask / n
""",
        "wrong_sign",
        "minus",
        "-mask",
    ),
    "the mean over a window": Slip(
        """
class AvgPool:
    def __init__(self, k=2):
        self.k = k
    def forward(self, x):
        B, C, H, W = x.shape
        self.shape = x.shape
        return x.reshape(B, C, H // self.k, self.k, W // self.k, self.k).mean(axis=(3, 5))
    def backward(self, d):
        return d.repeat(self.k, axis=2).repeat(self.k, axis=3)
""",
        "window_mean_missing",
        "each of its entries gets that part",
        "/ (self.k * self.k)",
    ),
    "momentum for the gradient": Slip(
        """
class Dense:
    def __init__(self, n=4, m=3):
        self.W, self.v = np.random.randn(n, m), np.zeros((n, m))
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, d):
        self.dW = self.x.T @ d
        self.v = 0.9 * self.v + 0.1 * self.dW
        self.dW = self.v
        return d @ self.W.T
""",
        "overwritten_gradient",
        "self.dW = self.v puts something else in its place",
        "pass",
    ),
}


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_slip_is_told_once_as_a_teacher_would_with_its_line(slip: Slip, tmp_path: Path) -> None:
    place = tmp_path / "slip.py"
    place.write_text("import numpy as np\n" + slip.source)
    ((_, report),) = check_file(place)
    assert not isinstance(report, str), report
    (cause,) = report.causes
    said = cause.diagnoses[0]
    assert (said.mistake, slip.line in said.write) == (slip.mistake, True), str(report)
    assert slip.says in said.says


ATTENTION = """
import numpy as np
def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
def attention_forward(Q, K, V):
    d = Q.shape[-1]
    A = softmax(Q @ K.transpose(0, 2, 1) / np.sqrt(d))
    return A @ V, (Q, K, V, A)
def attention_backward(dout, cache):
    Q, K, V, A = cache
    dA = dout @ V.transpose(0, 2, 1)
    dS = A * (dA - np.sum(dA * A, axis=-1, keepdims=True)) / np.sqrt(Q.shape[-1])
    return dS @ K, dS.transpose(0, 2, 1) @ Q, A.transpose(0, 2, 1) @ dout
"""


def test_matrices_of_a_batch_have_as_many_axes_as_what_they_are_multiplied_by(tmp_path: Path) -> None:
    place = tmp_path / "attention.py"
    place.write_text(ATTENTION)
    ((_, report),) = check_file(place)
    assert not isinstance(report, str), report
    assert report.passed
    assert {array.array: len(array.shape) for array in report.arrays} == {"dQ": 3, "dK": 3, "dV": 3}
