"""The scalar level: each operation's derivative, the sum over paths, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import ChainruleError, Value

OPERATIONS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[float, float], float]]] = {
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "add-number": (lambda a, b: 2 + a + 3, lambda a, b: a + 5),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b),
    "multiply-number": (lambda a, b: 2 * a * 3, lambda a, b: 6 * a),
    "subtract": (lambda a, b: a - b, lambda a, b: a - b),
    "subtract-number": (lambda a, b: (2 - a) - 3, lambda a, b: -1 - a),
    "negate": (lambda a, b: -a * b, lambda a, b: -a * b),
    "divide": (lambda a, b: a / b, lambda a, b: a / b),
    "divide-number": (lambda a, b: (2 / a) / 4, lambda a, b: 0.5 / a),
    "power": (lambda a, b: a**3 + b**-1.5, lambda a, b: a**3 + b**-1.5),
    "power-zero": (lambda a, b: a**0 * b, lambda a, b: b),
    "exp": (lambda a, b: (a * b).exp(), lambda a, b: math.exp(a * b)),
    "log": (lambda a, b: (a * a + b).log(), lambda a, b: math.log(a * a + b)),
    "relu": (lambda a, b: (a - b).relu() + (b - a).relu(), lambda a, b: max(a - b, 0) + max(b - a, 0)),
    "maximum": (lambda a, b: a.maximum(b) * a.maximum(0.1), lambda a, b: max(a, b) * max(a, 0.1)),
    "abs": (lambda a, b: abs(a - b) * abs(-a), lambda a, b: abs(a - b) * abs(-a)),
    "tanh": (lambda a, b: (a * b).tanh(), lambda a, b: math.tanh(a * b)),
    "sigmoid": (lambda a, b: (a - 2 * b).sigmoid(), lambda a, b: 1 / (1 + math.exp(2 * b - a))),
    "power-of-value": (lambda a, b: 2**a + a**b, lambda a, b: 2**a + a**b),
    "shared": (lambda a, b: (a + b) * (a + b) / (a + a * b), lambda a, b: (a + b) ** 2 / (a + a * b)),
}


@pytest.mark.parametrize(("values", "plain"), OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize(("a", "b"), [(1.5, 0.7), (0.4, 2.3)])
def test_an_operation_has_the_value_and_the_derivative_of_its_function(
    values: Any, plain: Any, a: float, b: float
) -> None:
    x, y, h = Value(a), Value(b), 1e-5
    result = values(x, y)
    result.backward()
    assert result.data == pytest.approx(plain(a, b), rel=1e-14)
    assert x.grad == pytest.approx((plain(a + h, b) - plain(a - h, b)) / (2 * h), rel=1e-7, abs=1e-9)
    assert y.grad == pytest.approx((plain(a, b + h) - plain(a, b - h)) / (2 * h), rel=1e-7, abs=1e-9)


def test_relu_passes_nothing_at_zero_and_maximum_passes_a_tie_to_the_other() -> None:
    x, y = Value(0.0), Value(0.0)
    x.relu().backward()
    assert x.grad == 0.0
    x.maximum(y).backward()
    assert (x.grad, y.grad) == (0.0, 1.0)
    abs(x).backward()
    assert x.grad == 0.0


def test_gradients_that_meet_at_one_value_are_added() -> None:
    """x·x·x: three paths of 4 each."""
    x = Value(2.0)
    (x * x * x).backward()
    assert x.grad == 12.0


def test_backward_starts_from_the_number_given_and_a_second_one_starts_afresh() -> None:
    x = Value(3.0)
    y = x * x
    y.backward(10.0)
    assert (y.grad, x.grad) == (10.0, 60.0)
    y.backward()
    assert (y.grad, x.grad) == (1.0, 6.0)


def test_walk_names_each_value_once_and_before_its_own_sources() -> None:
    x = Value(2.0, "x")
    y = x * x
    z = y + x * y
    order = list(z.walk())
    assert order[0] is z and len(order) == len({id(value) for value in order}) == 4
    position = {id(value): i for i, value in enumerate(order)}
    assert all(position[id(v)] < position[id(source)] for v in order for source in v.sources)


def test_edges_carry_the_local_derivative_and_the_product_by_the_chain_rule() -> None:
    a, b = Value(2.0), Value(5.0)
    c = a * b
    (c * 3).backward()
    assert [(edge.source, edge.local, edge.product) for edge in c.edges()] == [(a, 5.0, 15.0), (b, 2.0, 6.0)]
    assert a.edges() == ()


numbers = st.floats(0.2, 3.0)


@given(numbers, numbers, numbers)
def test_the_products_along_all_paths_add_up_to_the_gradient(a: float, b: float, c: float) -> None:
    x, y, z = Value(a), Value(b), Value(c)
    result = ((x * y + z).exp() / (x + y) - x.maximum(z)) * y
    result.backward()
    for value in (x, y, z):
        assert math.fsum(math.prod(path) for path in result.paths(value)) == pytest.approx(value.grad, rel=1e-12)


def test_a_value_that_takes_no_part_has_no_path_and_gradient_zero() -> None:
    x, other = Value(1.0), Value(1.0)
    result = x * 2
    result.backward()
    assert list(result.paths(other)) == [] and other.grad == 0.0
    assert result.chain(other).splitlines()[-1] == "= 0"


def test_chain_writes_the_numbers_path_by_path() -> None:
    x, w = Value(-2.0), Value(3.0)
    lines = (w * x).maximum(-10.0).chain(w).splitlines()
    assert lines == ["1 · (-2)", "= -2"]


def test_a_long_chain_needs_no_recursion() -> None:
    x = Value(1.0)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    y.backward()
    assert x.grad == 1.0


def test_another_number_for_an_input_reaches_all_that_was_made_from_it() -> None:
    x, w = Value(2.0), Value(3.0)
    inner = x * w
    result = inner.relu() + x**2
    assert result.data == 10.0
    w.data = -1.0
    assert (inner.data, result.data) == (-2.0, 4.0)
    w.data, x.data = 5.0, 3.0
    result.backward()
    assert (result.data, w.grad, x.grad) == (24.0, 3.0, 11.0)
    w.data = 7.0
    assert [edge.local for edge in inner.edges()] == [7.0, 3.0]


def test_an_operation_at_the_new_number_is_refused_as_at_the_first() -> None:
    x = Value(1.0)
    y = x.log() + 1
    x.data = -1.0
    with pytest.raises(ChainruleError, match="above 0"):
        y.backward()
    x.data = 1.0
    assert y.data == 1.0


def test_tanh_and_sigmoid_stay_finite_far_out() -> None:
    for far in (-1000.0, 1000.0):
        x = Value(far)
        (x.tanh() + x.sigmoid()).backward()
        assert (x.tanh().data, x.sigmoid().data, x.grad) == (math.copysign(1, far), float(far > 0), 0.0)


def test_the_label_and_the_operation_are_kept() -> None:
    x = Value(2, "x")
    y = x.exp()
    assert (x.data, x.label, y.operation, y.sources) == (2.0, "x", "exp", (x,))
    assert repr(x) == "Value(x=2, grad=0)"
