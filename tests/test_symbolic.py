"""Traces: what a pair computes as an expression, its derivative as an oracle for backward, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chainrule import (
    L1,
    L2,
    SGD,
    Adam,
    AdamW,
    Constant,
    Declared,
    Dense,
    Graph,
    Huber,
    Layer,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    Optimizer,
    Penalty,
    ReLU,
    Sequential,
    SigmoidCrossentropy,
    SiLU,
    explain,
)
from chainrule.explaining.formula import ARRAYS, Scope
from chainrule.explaining.formula import evaluate as calculated
from chainrule.explaining.rules import rule_of
from chainrule.symbolic import (
    OPERATIONS,
    Expression,
    NotTraceable,
    Traced,
    apply,
    differentiate,
    evaluate,
    leaf,
    program,
    trace_pair,
    trace_update,
)
from chainrule.symbolic.calculus import names_of, replaced, sizes_of
from chainrule.symbolic.formulas import formula
from chainrule.symbolic.namespace import Namespace
from chainrule.symbolic.readable import readable
from test_layers import CASES as LAYERS
from test_optimizers import CASES as OPTIMIZERS

X = leaf("name", "x")


def by_calculus(pair: Any, traced: Traced) -> None:
    """That the traced backward is the derivative of the traced forward, found by calculus alone."""
    rng = np.random.default_rng(1)
    output = {leaf("name", pair.result): traced.forward}
    backward = {name: replaced(one, output) for name, one in traced.backward.items()}
    for scale in (0.3, 1.0, 4.0):
        arrays = {name: scale * rng.normal(size=(5, 4)) for name in names_of(traced.forward, *backward.values())}
        for name, one in backward.items():
            expected = evaluate(differentiate(traced.forward, name) * leaf("name", "dvalues"), arrays)
            found, expected = np.broadcast_arrays(evaluate(one, arrays), expected)
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def traced_layer(layer: Layer) -> Traced | NotTraceable:
    return trace_pair(layer) or trace_pair(layer, parts=3)


ONE_ENTRY = [
    name
    for name, case in LAYERS.items()
    if not isinstance(layer := case.make(), Graph)
    and isinstance(traced := traced_layer(layer), Traced)
    and not sizes_of(traced.forward)
]


@pytest.mark.parametrize("name", ONE_ENTRY)
def test_the_backward_of_a_function_of_one_entry_is_its_derivative_by_calculus(name: str) -> None:
    layer = LAYERS[name].make()
    traced = traced_layer(layer)
    assert isinstance(traced, Traced)
    by_calculus(layer, traced)


def test_every_activation_is_traced() -> None:
    from chainrule.layers import activations

    traced = {type(LAYERS[name].make()).__name__ for name in ONE_ENTRY}
    assert {*activations.__all__, "Dropout", "Add", "Multiply"} <= traced


PAIRS: list[Any] = [
    MeanSquaredError(),
    MeanAbsoluteError(),
    Huber(),
    Huber(delta=0.3),
    SigmoidCrossentropy(),
    L1(0.2),
    L2(0.3),
]


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_the_backward_of_losses_and_penalties_is_their_derivative_by_calculus(pair: Loss | Penalty) -> None:
    traced = trace_pair(pair)
    assert isinstance(traced, Traced)
    by_calculus(pair, traced)


def test_a_kink_is_named_once_whichever_way_its_difference_is_written() -> None:
    rule = rule_of(MeanAbsoluteError())  # |y - p| in forward, sign(p - y) in backward
    assert rule is not None and rule.kinks == ("y[b, o] - p[b, o]",)


class WrongAtOneBranch(ReLU):
    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=xp.where(inputs > 0, dvalues, 0.001))


class HalfAProductRule(SiLU):
    def pure_backward(self, xp, dvalues, inputs):
        s = 1 / (1 + xp.exp(-inputs))
        return dict(dinputs=dvalues * (s + 0.999 * inputs * s * (1 - s)))


class ForgottenSize(MeanSquaredError):
    def pure_backward(self, xp, dvalues, predictions, targets):
        return dict(dpredictions=2 * (predictions - targets) * dvalues)


@pytest.mark.parametrize("pair", [WrongAtOneBranch(), HalfAProductRule(), ForgottenSize()], ids=repr)
def test_a_planted_fault_in_a_backward_pass_is_seen_by_the_oracle(pair: Any) -> None:
    traced = trace_pair(pair)
    assert isinstance(traced, Traced)
    with pytest.raises(AssertionError):
        by_calculus(pair, traced)


# What people write


@dataclass(eq=False)
class Written(Layer):
    """A layer whose forward is given as a function; its backward is not what is tested."""

    function: Any = None
    alpha: float = 0.5
    power: int = 2

    def pure_forward(self, xp, inputs):
        return self.function(self, xp, inputs)

    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=dvalues)


FUNCTIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "reflected": lambda self, xp, x: 1 - 2 / (3 + abs(x)) + 2**x - (-x),
    "settings": lambda self, xp, x: self.alpha * x**self.power + (1 - self.alpha) * x,
    "a branch on a setting": lambda self, xp, x: x * self.alpha if self.alpha > 0.2 else x,
    "where in where": lambda self, xp, x: xp.where(x > 1, 1.0, xp.where(x < -1, -1.0, x)),
    "comparisons": lambda self, xp, x: xp.where((x >= -1) & (x <= 1) | (x == 3), x, ~(x != 0) * 2.0),
    "clip": lambda self, xp, x: xp.clip(x, -self.alpha, 1.0) + xp.minimum(xp.maximum(x, 0.1), 0.7),
    "the larger of two": lambda self, xp, x: xp.maximum(x, x * x) + xp.minimum(2 * x, 1 - x),
    "a mask as a factor": lambda self, xp, x: x * (x > 0) + 0.1 * x * (x <= 0),
    "astype": lambda self, xp, x: xp.astype(x > 0, x.dtype) * x,
    "like": lambda self, xp, x: xp.ones_like(x) + xp.zeros_like(x) + xp.full_like(x, 2.0) + xp.asarray(0.5) * x,
    "square and power": lambda self, xp, x: xp.square(x) + xp.sqrt(x * x + 1) + xp.pow(xp.abs(x), 1.5) - x**3,
    "exponentials": lambda self, xp, x: xp.exp(-x * x) + xp.log(1 + x * x) + xp.expm1(x / 9) + xp.log1p(x * x),
    "trigonometry": lambda self, xp, x: xp.sin(x) * xp.cos(x) + xp.sinh(x / 9) / xp.cosh(x) + xp.atan(x) + xp.tanh(x),
    "twice the same": lambda self, xp, x: xp.exp(xp.exp(x / 3)) - xp.abs(xp.abs(-x)) + xp.sqrt(xp.sqrt(x * x + 1)),
    "sign": lambda self, xp, x: xp.sign(x) * xp.sqrt(xp.abs(x)),
    "numpy by name": lambda self, xp, x: np.exp(-np.abs(x)) + np.float64(2.0) * x + np.maximum(x, np.float64(0.3)),
    "in place": lambda self, xp, x: in_place(xp, x),
    "a loop": lambda self, xp, x: sum((x**k / (k + 1) for k in range(self.power + 2)), start=0.0),
    "names of functions": lambda self, xp, x: (
        xp.multiply(xp.add(x, 1), xp.subtract(x, 1)) / xp.negative(xp.positive(2.0))
    ),
    "a constant": lambda self, xp, x: xp.zeros_like(x) + 3.0,
    "nothing": lambda self, xp, x: x,
}


def in_place(xp: Any, x: Any) -> Any:
    result = x + 0
    result = result * 2
    result -= 1
    return result / xp.exp(result)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_people_write_is_traced_to_the_same_numbers_and_the_right_slope(name: str) -> None:
    layer = Written(FUNCTIONS[name])
    traced = trace_pair(layer)
    assert isinstance(traced, Traced), traced
    x = np.random.default_rng(0).normal(size=(4, 50)) * 2
    np.testing.assert_allclose(
        np.broadcast_to(evaluate(traced.forward, {"inputs": x}), x.shape), layer.pure_forward(np, x), rtol=1e-12
    )
    h = 1e-6
    slope = (layer.pure_forward(np, x + h) - layer.pure_forward(np, x - h)) / (2 * h)
    found = np.broadcast_to(evaluate(differentiate(traced.forward, "inputs"), {"inputs": x}), x.shape)
    np.testing.assert_allclose(found, slope, rtol=1e-5, atol=1e-6)
    shown = readable(traced.forward)
    settings = {name: getattr(layer, name) for name in ("alpha", "power")}
    written = formula(shown, {"inputs": "x", "alpha": "alpha", "power": "power"})
    values = calculated(written, Scope(lambda symbol, _: ({"x": x, "pi": np.pi} | settings)[symbol], arithmetic=ARRAYS))
    np.testing.assert_allclose(np.broadcast_to(values, x.shape), layer.pure_forward(np, x), rtol=1e-10, atol=1e-12)


REFUSED: dict[str, tuple[Callable[[Any, Any, Any], Any], str]] = {
    "a branch on a value": (lambda self, xp, x: x if x > 0 else -x, "use xp.where"),
    "Python's max": (lambda self, xp, x: max(x, 0.0), "use xp.where"),
    "a chain of comparisons": (lambda self, xp, x: xp.where(0 < x < 1, x, 0), "use xp.where"),
    "the math module": (lambda self, xp, x: __import__("math").exp(x), "one number"),
    "an index": (lambda self, xp, x: x[:, :1] + x, "slice"),
    "a mask assignment": (lambda self, xp, x: masked(x), "use xp.where"),
    "a loop over entries": (lambda self, xp, x: xp.asarray(list(x)), "loop"),
    "the shape": (lambda self, xp, x: x * x.shape[0], "number of features"),
    "a sort": (lambda self, xp, x: xp.sort(x), "xp.sort"),
    "a product": (lambda self, xp, x: xp.matmul(x, x.T), "xp.matmul|.T"),
    "another array": (lambda self, xp, x: x + np.arange(4.0), "ndarray"),
    "a mean of the batch": (lambda self, xp, x: x - xp.mean(x, axis=0), "batch"),
    "whole numbers": (lambda self, xp, x: xp.astype(x, np.int64) * x, "rounds"),
    "noise of one's own": (lambda self, xp, x: x * np.random.default_rng().normal(), "other numbers"),
    "another way for arrays": (lambda self, xp, x: x * 2 if isinstance(x, np.ndarray) else x, "other numbers"),
    "a mistake": (lambda self, xp, x: x * self.missing, "missing"),
}


def masked(x: Any) -> Any:
    x[x < 0] = 0
    return x


def test_a_result_that_a_formula_cannot_say_gives_no_rule() -> None:
    assert rule_of(Written(lambda self, xp, x: (x > 1) & (x < 2))) is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_expression_says_is_refused_with_the_reason_and_never_wrong(name: str) -> None:
    function, reason = REFUSED[name]
    traced = trace_pair(Written(function))
    assert isinstance(traced, NotTraceable) and not traced
    import re

    assert traced.reason.startswith("Written: ") and re.search(reason, traced.reason), traced.reason
    assert rule_of(Written(function)) is None


# Expressions at random


@st.composite
def expressions(draw: Any, depth: int = 4) -> Expression:
    """Any expression of x, y, a setting and numbers."""
    leaves = [X, leaf("name", "y"), leaf("setting", ("a", 0.75)), 0, 1, 2, 0.5, -3, 0.25]
    if depth == 0 or draw(st.booleans()) is False:
        return apply("mul", draw(st.sampled_from(leaves)), 1)
    one = draw(expressions(depth - 1))
    unary, binary = ["neg", "exp", "tanh", "abs", "expm1"], ["add", "sub", "mul", "div", "where", "max", "sq"]
    operation = draw(st.sampled_from(unary + binary))
    if operation in unary:
        return apply(operation, one)
    other = draw(expressions(depth - 1))
    if operation == "where":
        compared = draw(st.sampled_from(["gt", "ge", "lt", "le"]))
        return apply("where", apply(compared, X, draw(st.sampled_from([0, 0.5]))), one, other)
    if operation == "sq":
        return one * one * other
    return apply("div", one, other * other + 1) if operation == "div" else apply(operation, one, other)


@given(expressions(), st.integers(0, 1000))
def test_a_readable_expression_a_formula_and_a_program_have_the_value_of_what_they_come_from(
    expression: Expression, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    arrays = {"x": rng.normal(size=6), "y": rng.normal(size=6)}
    with np.errstate(all="ignore"):
        value = np.broadcast_to(evaluate(expression, arrays), 6).astype(float)
        assume(np.isfinite(value).all() and (np.abs(value) < 1e6).all())
        again = evaluate(readable(expression), arrays)
        names = {"x": "x", "y": "y", "a": "a"}
        scope = Scope(lambda symbol, _: {**arrays, "a": 0.75}[symbol], arithmetic=ARRAYS)
        written = calculated(formula(readable(expression), names), scope)
        results: list[Any] = []
        listed = program(expression)
        for line in listed.lines:
            leaf_value = {"name": lambda v: arrays[v], "setting": lambda v: v[1], "number": lambda v: v}
            operands = [results[k] for k in line.operands]
            assert len(results) not in line.operands
            results.append(
                OPERATIONS[line.operation](*operands) if operands else leaf_value[line.operation](line.value)
            )
    assert len(set(map(repr, listed.lines))) == len(listed.lines)
    for other in (again, written, results[listed.outputs[0]]):
        np.testing.assert_allclose(np.broadcast_to(other, 6), value, rtol=1e-8, atol=1e-9)


def test_a_condition_is_known_in_its_own_branches_however_it_is_written() -> None:
    xp = Namespace()
    for condition, same, opposite in (
        (X > 0, X > 0, X <= 0),
        (X <= 0, X <= 0, X > 0),
        (X >= 1, X >= 1, X < 1),
        (X == 2, 2 == X, X != 2),  # noqa: SIM300
    ):
        nested = xp.where(condition, xp.where(same, 1, 2), xp.where(opposite, 3, 4))
        assert readable(nested) is readable(xp.where(condition, 1, 3))
    other = xp.where(X > 0, xp.where(X >= 0, 1, 2), 3)
    assert readable(other) is other


def test_equal_expressions_are_one_object_and_a_long_one_has_a_short_repr() -> None:
    assert X * 2 + 1 is X * 2 + 1 and X * 2 is not X * 2.0
    one = X
    for _ in range(200):
        one = one * one + 1  # written out it would have 2^200 parts
    assert len(repr(one)) < 80 and one.known() is None and len(program(one).lines) == 402


def test_special_functions_stay_one_operation_unless_they_are_asked_to_be_expanded() -> None:
    from chainrule import GELU

    short, long = trace_pair(GELU()), trace_pair(GELU(), expand=True)
    assert isinstance(short, Traced) and isinstance(long, Traced)
    assert len(program(short.forward).lines) == 3 and len(program(long.forward).lines) > 80
    x = np.linspace(-5, 5, 101)
    expected = GELU().pure_forward(np, x)
    for traced in (short, long):
        np.testing.assert_allclose(evaluate(traced.forward, {"inputs": x}), expected, rtol=1e-13, atol=1e-15)


def test_a_namespace_is_asked_for_what_it_lacks_by_name() -> None:
    from chainrule.symbolic.expression import Untraceable

    with pytest.raises(Untraceable, match=r"xp\.cumsum"):
        Namespace().cumsum(X)


# Rules from traces


@dataclass(eq=False)
class Mish(Layer):
    """A user's activation without a word on formulas."""

    def pure_forward(self, xp, inputs):
        return inputs * xp.tanh(xp.log1p(xp.exp(inputs)))

    def pure_backward(self, xp, dvalues, inputs):
        t = xp.tanh(xp.log1p(xp.exp(inputs)))
        s = 1 / (1 + xp.exp(-inputs))
        return dict(dinputs=dvalues * (t + inputs * (1 - t * t) * s))


@dataclass(eq=False)
class PReLU(Layer):
    """A user's activation with a parameter, one for all neurons or one for each."""

    neurons: int = 1
    parameters = ("slope",)

    def declare(self):
        return {"slope": Declared((1, self.neurons), Constant(0.25))}

    def pure_forward(self, xp, inputs, slope):
        return xp.where(inputs > 0, inputs, slope * inputs)

    def pure_backward(self, xp, dvalues, inputs, slope):
        below = xp.sum(xp.where(inputs > 0, 0, dvalues * inputs), axis=0, keepdims=True)
        dslope = below if self.neurons > 1 else xp.sum(below, axis=1, keepdims=True)
        return dict(dinputs=xp.where(inputs > 0, dvalues, slope * dvalues), dslope=dslope)


@dataclass(eq=False)
class Gate(Layer):
    """Keeps an array for its backward pass, and has a setting whose name a formula needs for itself."""

    keeps = ("gate",)
    n: float = 3.0

    def pure_forward(self, xp, inputs):
        gate = 1 / (1 + xp.exp(-self.n * inputs))
        return inputs * gate, {"gate": gate}

    def pure_backward(self, xp, dvalues, inputs, gate):
        return dict(dinputs=dvalues * gate * (1 + self.n * inputs * (1 - gate)))


class Softsign(Layer):
    def pure_forward(self, xp, inputs):
        return inputs / (1 + xp.abs(inputs))

    def pure_backward(self, xp, dvalues, inputs):
        size = 1 + xp.abs(inputs)
        return dict(dinputs=dvalues / (size * size))


@dataclass(eq=False)
class Swish(Layer):
    """A user's activation whose author gave a quotient a name."""

    def pure_forward(self, xp, inputs):
        return inputs / (1 + xp.exp(-inputs))

    def pure_backward(self, xp, dvalues, inputs):
        s = 1 / (1 + xp.exp(-inputs))
        return dict(dinputs=dvalues * (s + inputs * s * (1 - s)))


RULES = {
    "Swish": (Swish(), "out = x / (1 + exp(-x))\ns = 1 / (1 + exp(-x))\n∂out/∂x = s + x·s·(1 - s)", 0),
    "Mish": (Mish(), "out = x·t\nt = tanh(log(1 + exp(x)))\n∂out/∂x = t + x·(1 - t²) / (1 + exp(-x))", 0),
    "PReLU": (
        PReLU(),
        "out[b,n] = x[b,n] if x[b,n] > 0 else slope[0,0]·x[b,n]\n∂out[b,n]/∂x[b,n] = 1 if x[b,n] > 0 else slope[0,0]\n"
        "∂out[b,n]/∂slope[0,0] = 0 if x[b,n] > 0 else x[b,n]",
        1,
    ),
    "PReLU, each": (
        PReLU(4),
        "out[b,n] = x[b,n] if x[b,n] > 0 else slope[0,n]·x[b,n]\n∂out[b,n]/∂x[b,n] = 1 if x[b,n] > 0 else slope[0,n]\n"
        "∂out[b,n]/∂slope[0,n] = 0 if x[b,n] > 0 else x[b,n]",
        1,
    ),
    "Gate": (Gate(), "out = x / (1 + exp(-n_·x))\n∂out/∂x = gate·(1 + n_·x·(1 - gate))", 0),
    "Softsign": (Softsign(), "out = x / size\nsize = 1 + |x|\n∂out/∂x = 1 / size²", 1),
}


@pytest.mark.parametrize(("layer", "shown", "kinks"), RULES.values(), ids=RULES)
def test_a_users_layer_is_explained_with_formulas_without_a_word_from_its_author(
    layer: Layer, shown: str, kinks: int
) -> None:
    rule = rule_of(layer)
    assert rule is not None and str(rule) == shown and len(rule.kinks) == kinks
    rng = np.random.default_rng(0)
    network = Sequential(Dense(3, 4), ("it", layer), Dense(4, 2))
    parameters = network.initial_parameters(1)
    X, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    for name in [name for name in ("dense_0.weights[2,1]", "it.slope[0,0]") if name.partition("[")[0] in parameters]:
        one = explain(network, MeanSquaredError(), X, y, name, parameters=parameters, points=0)
        assert [witness.agrees for witness in one.witnesses] == [True] * 4, one.witnesses
        through = [line for line in one.lines if "it" in line.nodes]
        assert through and all(term.formula for line in through for term in line.terms)
        assert one.to_html() and one.to_latex()


def test_a_rule_for_tables_is_not_used_for_arrays_of_more_axes() -> None:
    from chainrule import Flatten

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2))
    for layer, formulas in ((PReLU(3), False), (Softsign(), True)):
        network = Sequential(("it", layer), Flatten(), Dense(6, 2))
        parameters = network.initial_parameters(0)
        one = explain(network, MeanSquaredError(), X, y, "inputs[1,1,2]", parameters=parameters, points=0)
        assert one.agrees and one.witnesses[2].agrees
        assert bool(one.lines[-1].terms[0].formula) == formulas


@dataclass(frozen=True, kw_only=True)
class LogCosh(Loss):
    """A user's loss."""

    scale: float = 2.0

    def pure_forward(self, xp, predictions, targets):
        return xp.mean(xp.log(xp.cosh(self.scale * (predictions - targets))), axis=-1)

    def pure_backward(self, xp, dvalues, predictions, targets):
        e = self.scale * (predictions - targets)
        return dict(dpredictions=self.scale * xp.tanh(e) / predictions.shape[-1] * dvalues)


@dataclass(frozen=True, kw_only=True)
class Cosine(Loss):
    """A user's loss with sums in its derivative."""

    def pure_forward(self, xp, predictions, targets):
        size = xp.sqrt(xp.sum(predictions * predictions, axis=-1))
        return -xp.sum(predictions * targets, axis=-1) / size

    def pure_backward(self, xp, dvalues, predictions, targets):
        size = xp.sqrt(xp.sum(predictions * predictions, axis=-1, keepdims=True))
        along = xp.sum(predictions * targets, axis=-1, keepdims=True) / size
        return dict(dpredictions=-(targets - along * predictions / size) / size * dvalues)


@dataclass(frozen=True)
class Cauchy(Penalty):
    """A user's penalty."""

    def pure_forward(self, xp, parameter):
        return self.rate * xp.sum(xp.log1p(parameter * parameter))

    def pure_backward(self, xp, dvalues, parameter):
        return dict(dparameter=dvalues * self.rate * 2 * parameter / (1 + parameter * parameter))


@pytest.mark.parametrize("loss", [LogCosh(), Cosine()], ids=repr)
def test_a_users_loss_and_penalty_are_explained_with_formulas(loss: Loss) -> None:
    rule = rule_of(loss)
    assert rule is not None
    for left, right in {**rule.where, **rule.derivatives}.items():
        assert "sum(o" not in right, f"{left} = {right}: a sum over the index that stands outside it"
    assert str(rule_of(Cauchy(0.1))) == "out = λ·log(1 + w²)\n∂out/∂w = 2·λ·w / (1 + w²)"
    network = Sequential(Dense(3, 4, penalties={"weights": Cauchy(0.1)}), ReLU(), Dense(4, 2))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    one = explain(network, loss, X, y, "dense_0.weights[2,1]", parameters=network.initial_parameters(1), points=0)
    assert one.agrees and one.witnesses[3].value is not None, one.witnesses
    last = next(line for line in one.lines if line.quantity.name == "dense_1")
    assert all(term.formula for term in last.terms)
    assert (
        next(t for t in one.lines[-1].terms if t.upstream is None).formula == "2 * lam * w[2, 1] / (1 + w[2, 1] ** 2)"
    )


# Optimizers


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_traced_to_its_update(name: str) -> None:
    optimizer = OPTIMIZERS[name].optimizer
    traced = trace_update(optimizer)
    assert isinstance(traced, Traced), traced
    rng = np.random.default_rng(0)
    arrays = {"parameter": rng.normal(size=5), "gradient": rng.normal(size=5), "step": 2, "rate": 0.1}
    slots = {slot: rng.uniform(1, 2, 5) for slot in optimizer.carried()}
    unclipped = {"p": arrays["gradient"]}
    following, moved = optimizer.update(
        np, 2, {"p": arrays["parameter"]}, unclipped, {f"p.{n}": s for n, s in slots.items()}, {"p": 0.1}
    )
    if optimizer.clip_norm is None and optimizer.clip_value is None:
        np.testing.assert_allclose(evaluate(traced.forward, arrays | slots), following["p"], rtol=1e-12)
        for slot in slots:
            np.testing.assert_allclose(evaluate(traced.kept[slot], arrays | slots), moved[f"p.{slot}"], rtol=1e-12)


@dataclass(frozen=True)
class Heavy(Optimizer):
    """A user's optimizer."""

    learning_rate: float = 0.1
    drag: float = 0.3

    def pure_update(self, xp, step, rate, parameter, gradient, speed):
        speed = (1 - self.drag) * speed + gradient
        return parameter - rate * speed / (step + 1), dict(speed=speed)


@dataclass(frozen=True)
class Sorting(Heavy):
    def pure_update(self, xp, step, rate, parameter, gradient, speed):
        return parameter - rate * xp.sort(gradient), dict(speed=speed)


def step_of(optimizer: Optimizer) -> Any:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    model = Model([Dense(3, 2)], MeanSquaredError(), optimizer, dtype="float64")
    return model.explain(X, y, "dense_0.weights[1,1]").step


def test_a_users_optimizer_is_explained_line_by_line_and_one_that_cannot_be_says_why() -> None:
    step = step_of(Heavy())
    assert [(line.name, line.formula) for line in step.lines[1:]] == [
        ("speed_new", "(1 - drag) * speed + g"),
        ("w_new", "w - eta * speed_new / t"),
    ]
    assert step.lines[-1].value == pytest.approx(step.after, rel=1e-12)
    assert "xp.sort" in step_of(Sorting()).lines[-1].note


def test_weight_decay_is_seen_on_the_gradient_or_on_the_parameter() -> None:
    names = [line.name for line in step_of(SGD(0.1, momentum=0.9, weight_decay=0.1)).lines]
    assert names == ["g", "gdec", "v_new", "w_new"]
    names = [line.name for line in step_of(AdamW(0.1, weight_decay=0.1)).lines]
    assert set(names) == {"g", "m_new", "c_new", "wdec", "mhat", "chat", "w_new"} and names[-1] == "w_new"
    assert [line.name for line in step_of(Adam()).lines] == ["g", "m_new", "c_new", "mhat", "chat", "w_new"]
