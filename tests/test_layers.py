"""One battery for every layer: to test a new layer, add a row to CASES."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, NamedTuple

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule
from chainrule import (
    ELU,
    GELU,
    Add,
    BatchNorm,
    Concatenate,
    Constant,
    Dense,
    Dropout,
    Flatten,
    Glorot,
    Graph,
    He,
    Layer,
    LayerNorm,
    LeakyReLU,
    LeCun,
    Linear,
    LogSoftmax,
    Multiply,
    Normal,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    Zeros,
    softmax_jacobian,
)
from chainrule.errors import DataError
from chainrule.layer import Context
from chainrule.layers.softmax import softmax_jacobian_terms
from support import (
    assert_close,
    attribute,
    central_difference,
    compiled,
    complex_step,
    each,
    leaves,
    public,
    random_values,
    read_only,
    set_values,
    strict,
)


@dataclass(frozen=True)
class Case:
    """A configured layer and the shapes of the batches it is tried on (a tuple of shapes for a join)."""

    make: Callable[[], Layer]
    shapes: tuple[Any, ...]
    modes: tuple[bool, ...] = (True,)  # training, inference: both where they differ
    analytic: bool = True  # a complex step gives the derivative: no abs in forward


ANY = ((4, 3), (1, 5), (6, 1), (2, 3, 2))  # what a layer without fixed shapes is tried on
BOTH = (True, False)


def branching() -> Graph:
    """A fork, two joins, a tie, a graph inside and a frozen layer."""
    return Graph(
        [
            ("left", Dense(3, 4), "inputs"),
            ("right", Dense(3, 4), "inputs"),
            ("inner", Sequential(Dense(4, 4), Tanh(), Dropout(0.3)), "left"),
            ("product", Multiply(), ("inner", "right", "left")),
            ("still", Dropout(0.5).freeze(), "product"),
            ("all", Concatenate(), ("still", "inputs")),
            ("last", Dense(7, 2), "all"),
        ],
        ties={"right.weights": "left.weights"},
    )


CASES = {
    "dense": Case(lambda: Dense(3, 2), ((4, 3), (1, 3))),
    "dense-narrow": Case(lambda: Dense(1, 4), ((3, 1),)),
    "dense-without-bias": Case(lambda: Dense(3, 2, bias=False), ((4, 3), (1, 3))),
    "dense-one-neuron": Case(lambda: Dense(5, 1), ((2, 5),)),
    "relu": Case(ReLU, ANY),
    "leaky_relu": Case(lambda: LeakyReLU(0.1), ANY),
    "elu": Case(lambda: ELU(0.7), ANY),
    "gelu": Case(GELU, ANY),
    "gelu-tanh": Case(lambda: GELU(approximate=True), ANY),
    "silu": Case(SiLU, ANY),
    "softplus": Case(Softplus, ANY),
    "sigmoid": Case(Sigmoid, ANY),
    "tanh": Case(Tanh, ANY),
    "linear": Case(Linear, ANY),
    "softmax": Case(Softmax, ANY),
    "log_softmax": Case(LogSoftmax, ANY),
    "flatten": Case(Flatten, ((4, 3), (2, 3, 2), (1, 2, 1, 3))),
    "dropout": Case(lambda: Dropout(0.4), ANY, BOTH),
    "dropout-none": Case(lambda: Dropout(0.0), ((4, 3),), BOTH),
    "layer_norm": Case(lambda: LayerNorm(4), ((3, 4), (1, 4))),
    "layer_norm-one-feature": Case(lambda: LayerNorm(1, epsilon=0.1), ((3, 1),)),
    "batch_norm": Case(lambda: BatchNorm(3), ((5, 3), (1, 3)), BOTH),
    "batch_norm-one-feature": Case(lambda: BatchNorm(1, momentum=0.7, epsilon=0.1), ((4, 1),), BOTH),
    "add": Case(Add, (((4, 3), (4, 3)), ((1, 2), (1, 2), (1, 2)), ((3, 1),))),
    "multiply": Case(Multiply, (((4, 3), (4, 3)), ((2, 2), (2, 2), (2, 2)), ((3, 1),))),
    "concatenate": Case(Concatenate, (((4, 3), (4, 1)), ((1, 2), (1, 1), (1, 3)), ((2, 3, 1), (2, 3, 2)))),
    "sequential": Case(
        lambda: Sequential(Dense(3, 4), Tanh(), BatchNorm(4), Dropout(0.3), Dense(4, 2)), ((5, 3), (4, 3)), BOTH
    ),
    "graph": Case(branching, ((4, 3), (1, 3)), BOTH),
}


class Run(NamedTuple):
    """One layer with everything that a forward and a backward pass read."""

    layer: Layer
    inputs: Any
    parameters: dict[str, Any]
    state: dict[str, Any]
    dvalues: Any
    context: Context

    @property
    def values(self) -> dict[str, Any]:
        return self.parameters | self.state


def prepare(case: Case, shape: Any, training: bool = True, dtype: Any = np.float64) -> Run:
    """Random arrays; inputs keep away from 0, where some derivatives jump."""
    rng = np.random.default_rng(5)
    layer = case.make()

    def draw(size: tuple[int, ...]) -> Any:
        return (rng.uniform(0.2, 2.0, size) * rng.choice([-1.0, 1.0], size)).astype(dtype)

    joined = isinstance(shape[0], tuple)
    inputs = tuple(draw(s) for s in shape) if joined else draw(shape)
    values = random_values(layer, rng, dtype)
    samples = shape[0][0] if joined else shape[0]
    dvalues = rng.normal(size=(samples, *layer.output_shape(sample_shape(shape)))).astype(dtype)
    parameters = {name: values.pop(name) for name in layer.parameters}
    return Run(layer, inputs, parameters, values, dvalues, Context(training, seed=3, step=7, path="place"))


def sample_shape(shape: Any) -> Any:
    return tuple(s[1:] for s in shape) if isinstance(shape[0], tuple) else shape[1:]


def without_samples(shape: Any) -> Any:
    return tuple((0, *s[1:]) for s in shape) if isinstance(shape[0], tuple) else (0, *shape[1:])


def passes(xp: Any, run: Run) -> dict[str, Any]:
    """Forward and backward: the output, the next state and every gradient."""
    output, kept, state = run.layer.forward_pass(xp, run.inputs, run.values, run.context)
    dinputs, gradients = run.layer.backward_pass(xp, run.dvalues, kept, run.values, run.context)
    return {"output": output, "dinputs": dinputs, "gradients": gradients, "state": state}


def differentiated(run: Run, derivative: Callable[..., Any], objective: Callable[..., Any]) -> Any:
    """The derivative of `objective(inputs, parameters)` by each array that it reads."""
    joined = isinstance(run.inputs, tuple)
    parts = run.inputs if joined else (run.inputs,)

    def with_part(i: int, array: Any) -> Any:
        return (*parts[:i], array, *parts[i + 1 :]) if joined else array

    dinputs = tuple(
        derivative(lambda a, i=i: objective(with_part(i, a), run.parameters), part) for i, part in enumerate(parts)
    )
    gradients = {
        name: derivative(lambda a, name=name: objective(run.inputs, run.parameters | {name: a}), array)
        for name, array in run.parameters.items()
    }
    return {"dinputs": dinputs if joined else dinputs[0], "gradients": gradients}


ROWS = [
    pytest.param(case, shape, training, id=f"{name}-{shape}-{'training' if training else 'inference'}".replace(" ", ""))
    for name, case in CASES.items()
    for shape in case.shapes
    for training in case.modes
]
every_run = pytest.mark.parametrize(("case", "shape", "training"), ROWS)
every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_leaf = pytest.mark.parametrize(
    "case", [pytest.param(c, id=n) for n, c in CASES.items() if not isinstance(c.make(), Graph)]
)


def test_every_public_layer_has_a_row() -> None:
    tested = {type(case.make()).__name__ for case in CASES.values()}
    missing = public(lambda kind: issubclass(kind, Layer) and kind is not Layer) - tested
    assert not missing, f"add a row to CASES in tests/test_layers.py for {sorted(missing)}"


@every_leaf
def test_a_layer_that_reads_the_mode_is_tried_in_both(case: Case) -> None:
    reads = {*case.make().forward_reads, *case.make().backward_reads}
    assert set(case.modes) == ({True, False} if reads & {"training", "noise"} else {True})


@every_run
def test_the_output_has_the_shape_that_output_shape_promises(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)
    assert passes(np, run)["output"].shape[1:] == run.layer.output_shape(sample_shape(shape))
    assert run.layer.input_shape() in (None, sample_shape(shape))


@every_run
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_result_keeps_the_dtype_of_the_arrays(case: Case, shape: Any, training: bool, dtype: Any) -> None:
    assert {array.dtype for array in leaves(passes(np, prepare(case, shape, training, dtype)))} == {np.dtype(dtype)}


@every_run
def test_gradients_have_the_shapes_of_what_they_belong_to(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)
    result = passes(np, run)
    assert each(np.shape, result["dinputs"]) == each(np.shape, run.inputs)
    assert each(np.shape, result["gradients"]) == each(np.shape, run.parameters)


@every_run
def test_gradients_equal_central_differences(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)

    def objective(inputs: Any, parameters: Any) -> Any:
        return np.sum(run.dvalues * run.layer.forward_pass(np, inputs, parameters | run.state, run.context)[0])

    result = passes(np, run)
    expected = differentiated(run, central_difference, objective)
    assert_close({name: result[name] for name in expected}, expected, 1e-7, floor=0.01)


@every_run
def test_gradients_equal_complex_steps(case: Case, shape: Any, training: bool) -> None:
    """Where the forward pass is analytic its derivative is known to rounding, so the bound is that of rounding."""
    if not case.analytic:
        pytest.skip("forward is not analytic")
    run = prepare(case, shape, training)

    def objective(inputs: Any, parameters: Any) -> Any:
        return np.sum(run.dvalues * run.layer.forward_pass(np, inputs, parameters | run.state, run.context)[0])

    result = passes(np, run)
    expected = differentiated(run, complex_step, objective)
    assert_close({name: result[name] for name in expected}, expected, 1e-12)


@every_run
def test_nothing_is_mutated(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)
    inputs, parameters, state, dvalues = read_only((run.inputs, run.parameters, run.state, run.dvalues))
    locked = run._replace(inputs=inputs, parameters=parameters, state=state, dvalues=dvalues)
    before = vars(run.layer).copy()
    assert_close(passes(np, locked), passes(np, run), 0.0)
    assert_close((inputs, parameters, state, dvalues), (run.inputs, run.parameters, run.state, run.dvalues), 0.0)
    assert vars(run.layer) == before


@every_run
def test_array_api_strict_gives_the_same_numbers(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)
    inputs, parameters, state, dvalues = strict((run.inputs, run.parameters, run.state, run.dvalues))
    other = run._replace(inputs=inputs, parameters=parameters, state=state, dvalues=dvalues)
    result = passes(array_api_strict, other)
    assert {type(array) for array in leaves(result)} == {type(array_api_strict.asarray(0.0))}
    assert_close(each(np.asarray, result), passes(np, run), 1e-12)


@every_run
def test_jax_gives_the_same_numbers_and_the_same_derivative(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)

    def both(inputs: Any, parameters: Any, state: Any, dvalues: Any) -> Any:
        def forward(i: Any, p: Any) -> Any:
            output, *others = run.layer.forward_pass(jnp, i, p | state, run.context)
            return output, others

        output, pullback, (kept, following) = jax.vjp(forward, inputs, parameters, has_aux=True)
        dinputs, gradients = run.layer.backward_pass(jnp, dvalues, kept, parameters | state, run.context)
        ours = {"output": output, "dinputs": dinputs, "gradients": gradients, "state": following}
        return ours, pullback(dvalues)

    ours, (dinputs, gradients) = compiled(both, run.inputs, run.parameters, run.state, run.dvalues)
    expected = passes(np, run)
    # Where a gradient is 0 but for rounding (one sample in BatchNorm), JAX rounds in another way.
    assert_close(ours, expected, 1e-12, floor=1e-3)
    assert_close((dinputs, gradients), (expected["dinputs"], expected["gradients"]), 1e-12, floor=1e-3)


@every_run
def test_the_jacobian_contracted_with_dvalues_is_dinputs(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)._replace(context=Context(training))
    set_values(run.layer, run.values)
    joined = isinstance(run.inputs, tuple)
    jacobians = run.layer.jacobian(run.inputs, training=training)
    mixes = run.layer.mixes_samples and training
    expected = passes(np, run)["dinputs"]
    samples = len(run.dvalues)
    for jacobian, part, dinputs in zip(
        jacobians if joined else (jacobians,),
        run.inputs if joined else (run.inputs,),
        expected if joined else (expected,),
        strict=True,
    ):
        assert jacobian.shape == (*run.dvalues.shape, *(part.shape if mixes else part.shape[1:]))
        if mixes:
            contracted = np.tensordot(run.dvalues, jacobian, axes=run.dvalues.ndim)
        else:
            flat = jacobian.reshape(samples, run.dvalues[0].size, part[0].size)
            contracted = np.einsum("bo,boi->bi", run.dvalues.reshape(samples, -1), flat).reshape(part.shape)
        assert_close(contracted, dinputs, 1e-12, floor=1e-3)


@every_run
def test_an_empty_batch_passes_through(case: Case, shape: Any, training: bool) -> None:
    """No samples give no outputs and gradients of zero, except where a batch must have a mean."""
    run = prepare(case, without_samples(shape), training)
    if run.layer.mixes_samples and training:
        with pytest.raises(DataError, match="empty batch"):
            passes(np, run)
        return
    result = passes(np, run)
    assert result["output"].shape == (0, *run.layer.output_shape(sample_shape(shape)))
    assert each(np.shape, result["dinputs"]) == each(np.shape, run.inputs)
    assert_close(result["gradients"], each(np.zeros_like, run.parameters), 0.0)


# The book's stateful view


def shell_context(layer: Layer, training: bool) -> Context:
    """The noise of the stateful view: seed 0, step 0 at the first forward pass, the class's name as the place."""
    return Context(training, path="" if isinstance(layer, Graph) else type(layer).__name__)


@every_run
def test_forward_and_backward_leave_the_book_s_attributes(case: Case, shape: Any, training: bool) -> None:
    run = prepare(case, shape, training)
    layer = run.layer
    run = run._replace(context=shell_context(layer, training))
    expected = passes(np, run)
    set_values(layer, run.values)
    output = layer.forward(run.inputs, training=training)
    assert_close((output, layer.output, layer.inputs), (expected["output"], expected["output"], run.inputs), 0.0)
    dinputs = layer.backward(run.dvalues)
    assert_close((dinputs, layer.dinputs), (expected["dinputs"], expected["dinputs"]), 0.0)
    assert_close({name: attribute(layer, name, "d") for name in layer.parameters}, expected["gradients"], 0.0)
    assert_close({name: attribute(layer, name) for name in layer.state}, run.state | expected["state"], 0.0)


@every_leaf
def test_backward_needs_nothing_but_the_attributes_that_it_names(case: Case) -> None:
    """`softmax.output = ...; softmax.backward(d)` works without a forward pass; so does every layer's backward."""
    run = prepare(case, case.shapes[0])
    _, kept, _ = run.layer.forward_pass(np, run.inputs, run.values, run.context)
    fresh = case.make()
    set_values(fresh, run.values)
    fresh.training = True
    for name, array in kept.items():
        setattr(fresh, name, array)
    assert_close(fresh.backward(run.dvalues), passes(np, run)["dinputs"], 0.0)


@pytest.mark.parametrize("make", [Softmax, LogSoftmax, Sigmoid, Tanh])
def test_these_layers_read_only_their_output(make: Callable[[], Layer]) -> None:
    layer = make()
    layer.output = np.array([[0.5, 0.25, 0.25]])
    assert layer.backward(np.array([[1.0, 2.0, 3.0]])).shape == (1, 3)


@every_layer
def test_forward_leaves_the_mode_to_training_unless_told(case: Case) -> None:
    run = prepare(case, case.shapes[0])
    set_values(run.layer, run.values)
    expected = passes(np, run._replace(context=shell_context(run.layer, True)))
    assert_close(run.layer.forward(run.inputs), expected["output"], 0.0)


def settings(layer: Layer) -> dict[str, Any]:
    """What a layer was constructed with."""
    if isinstance(layer, Graph):
        nodes = {node.name: (node.sources, settings(node.layer)) for node in layer}
        return {"nodes": nodes, "output": layer.output_node, "ties": layer.ties}
    return {field.name: getattr(layer, field.name) for field in fields(layer)} if is_dataclass(layer) else {}


@pytest.mark.parametrize("duplicate", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy], ids=["pickle", "copy"])
@every_layer
def test_a_copy_keeps_settings_parameters_and_state(case: Case, duplicate: Callable[[Any], Any]) -> None:
    run = prepare(case, case.shapes[0])
    layer = run.layer
    set_values(layer, run.values)
    layer.forward(run.inputs)
    layer.backward(run.dvalues)
    layer.freeze()
    other = duplicate(layer)
    assert other.frozen and settings(other) == settings(layer)
    assert_close(
        {name: attribute(other, name) for name in (*layer.parameters, *layer.state)},
        {name: attribute(layer, name) for name in (*layer.parameters, *layer.state)},
        0.0,
    )
    for training in (True, False):
        assert_close(other.forward(run.inputs, training), layer.forward(run.inputs, training), 0.0)
    assert_close(other.backward(run.dvalues), layer.backward(run.dvalues), 0.0)


@every_layer
def test_a_pickle_leaves_out_the_arrays_of_the_passes(case: Case) -> None:
    run = prepare(case, case.shapes[0])
    set_values(run.layer, run.values)
    before = len(pickle.dumps(run.layer))
    run.layer.forward(run.inputs)
    run.layer.backward(run.dvalues)
    assert len(pickle.dumps(run.layer)) == before


@every_leaf
def test_the_repr_of_a_layer_is_how_to_write_it(case: Case) -> None:
    layer = case.make()
    assert settings(eval(repr(layer), vars(chainrule).copy())) == settings(layer)


def test_a_layer_with_another_namespace_can_be_copied() -> None:
    layer = Dense(2, 2).initialize(0)
    layer.xp = array_api_strict
    assert copy.deepcopy(layer).xp is array_api_strict


def test_parameters_are_drawn_at_their_first_use_and_then_stay() -> None:
    layer = Dense(3, 2)
    weights = layer.weights
    assert weights.shape == (3, 2) and layer.weights is weights


def test_initialize_draws_from_the_seed_and_returns_the_layer() -> None:
    first, second = Dense(3, 2).initialize(1, np.float32), Dense(3, 2).initialize(1, np.float32)
    assert first.weights.dtype == np.float32
    assert_close(first.weights, second.weights, 0.0)
    assert np.any(Dense(3, 2).initialize(2).weights != first.weights)


# Numbers that a reader can redo by hand

KINKS = {
    "relu at 0 has derivative 0": (ReLU(), [-1.0, 0.0, 2.0], [0.0, 0.0, 2.0], [0.0, 0.0, 1.0]),
    "leaky relu at 0 has its slope": (LeakyReLU(0.25), [-2.0, 0.0, 2.0], [-0.5, 0.0, 2.0], [0.25, 0.25, 1.0]),
    "elu at 0 has derivative alpha": (ELU(0.5), [0.0, 2.0], [0.0, 2.0], [0.5, 1.0]),
    "softplus": (Softplus(), [0.0, np.log(3.0)], [np.log(2.0), np.log(4.0)], [0.5, 0.75]),
    "sigmoid": (Sigmoid(), [0.0, np.log(4.0)], [0.5, 0.8], [0.25, 0.16]),
    "tanh": (Tanh(), [0.0, np.log(3.0)], [0.0, 0.8], [1.0, 0.36]),
    "silu": (SiLU(), [0.0, np.log(4.0)], [0.0, 0.8 * np.log(4.0)], [0.5, 0.8 + 0.16 * np.log(4.0)]),
    "gelu": (GELU(), [0.0, 1.0], [0.0, 0.8413447460685429], [0.5, 0.8413447460685429 + 0.24197072451914337]),
    "gelu by tanh": (GELU(approximate=True), [0.0, 1.0], [0.0, 0.8411919906082768], [0.5, 1.0829640838457826]),
}


@pytest.mark.parametrize(("layer", "inputs", "output", "derivative"), KINKS.values(), ids=KINKS)
def test_activations_by_hand(layer: Layer, inputs: list[float], output: list[float], derivative: list[float]) -> None:
    assert_close(layer.forward(np.array([inputs])), np.array([output]), 1e-15)
    assert_close(layer.backward(np.full((1, len(inputs)), 2.0)), 2 * np.array([derivative]), 1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [ReLU, ELU, GELU, SiLU, Softplus, Sigmoid, Tanh, Softmax, LogSoftmax], ids=str)
def test_huge_inputs_overflow_nowhere(make: Callable[[], Layer], dtype: Any) -> None:
    """NumPy's warnings are errors here, so that no overflow hides."""
    layer = make()
    assert np.isfinite(layer.forward(np.array([[-1e4, 0.0, 1e4], [1e4, 1e4, 1e4]], dtype=dtype))).all()
    assert np.isfinite(layer.backward(np.ones((2, 3), dtype=dtype))).all()


def test_the_tanh_form_of_gelu_stays_within_a_thousandth_of_the_exact_one() -> None:
    x = np.linspace(-5, 5, 201).reshape(-1, 1)
    difference = np.abs(GELU().forward(x) - GELU(approximate=True).forward(x)).max()
    assert 1e-5 < difference < 1e-3


def test_softmax_rows_add_up_to_one() -> None:
    assert_close(Softmax().forward(np.array([[1.0, 2.0, 3.0], [-5.0, 0.0, 5.0]])).sum(axis=1), np.ones(2), 1e-15)


def test_softmax_jacobian_is_what_the_layer_s_backward_pass_says() -> None:
    layer, z = Softmax(), np.random.default_rng(0).normal(size=(3, 4))
    output = layer.forward(z)
    assert_close(softmax_jacobian(output), layer.jacobian(z), 1e-15)
    assert_close(softmax_jacobian(output[0]), layer.jacobian(z)[0], 1e-15)


def test_softmax_jacobian_is_the_difference_of_its_two_terms() -> None:
    diagonal, outer = softmax_jacobian_terms([0.5, 0.3, 0.2])
    assert_close(diagonal, np.diag([0.5, 0.3, 0.2]), 0.0)
    assert_close(outer, np.array([[0.25, 0.15, 0.1], [0.15, 0.09, 0.06], [0.1, 0.06, 0.04]]), 1e-15)
    assert_close(softmax_jacobian([0.5, 0.3, 0.2]), diagonal - outer, 1e-15)


def test_layer_norm_by_hand() -> None:
    """Rows (1, 2, 6): mean 3, variance 14/3."""
    layer = LayerNorm(3, epsilon=4 / 3)
    layer.gamma, layer.beta = np.array([[1.0, 2.0, 1.0]]), np.array([[0.0, 0.0, 5.0]])
    root = np.sqrt(6.0)
    assert_close(layer.forward(np.array([[1.0, 2.0, 6.0]])), np.array([[-2 / root, -2 / root, 3 / root + 5]]), 1e-15)


def test_batch_norm_moves_its_running_statistics_by_one_minus_momentum() -> None:
    """Columns (1, 3) and (2, 10): means 2 and 6, squares 1 + 1 and 16 + 16, divided by B - 1 = 1."""
    layer = BatchNorm(2, momentum=0.9)
    layer.forward(np.array([[1.0, 2.0], [3.0, 10.0]]))
    assert_close(layer.running_mean, np.array([[0.1 * 2.0, 0.1 * 6.0]]), 1e-15)
    assert_close(layer.running_variance, np.array([[0.9 + 0.1 * 2.0, 0.9 + 0.1 * 32.0]]), 1e-15)


def test_batch_norm_in_inference_uses_its_running_statistics_and_leaves_them() -> None:
    layer = BatchNorm(1, epsilon=3.0)
    layer.running_mean, layer.running_variance = np.array([[5.0]]), np.array([[1.0]])
    assert_close(layer.forward(np.array([[9.0]]), training=False), np.array([[2.0]]), 1e-15)
    assert layer.running_mean.item() == 5.0 and layer.running_variance.item() == 1.0


def test_a_frozen_batch_norm_runs_as_in_inference() -> None:
    layer, x = BatchNorm(2).initialize().freeze(), np.array([[1.0, 2.0], [3.0, 4.0]])
    assert_close(layer.forward(x), layer.forward(x, training=False), 0.0)
    assert_close(layer.running_mean, np.zeros((1, 2)), 0.0)
    assert layer.unfreeze().forward(x)[0, 0] < 0


def test_a_frozen_layer_has_nothing_to_train() -> None:
    assert Dense(2, 2).trainable_names() == ("weights", "biases")
    assert Dense(2, 2).freeze().trainable_names() == ()


def test_dropout_keeps_the_mean_and_zeroes_its_share() -> None:
    output = Dropout(0.3).forward(np.ones((100, 100)))
    assert abs((output == 0).mean() - 0.3) < 0.02
    assert_close(np.unique(output), np.array([0.0, 1 / 0.7]), 1e-15)
    assert abs(output.mean() - 1.0) < 0.03


def test_dropout_draws_anew_at_each_forward_pass_in_training() -> None:
    layer, x = Dropout(0.5), np.ones((10, 10))
    assert np.any(layer.forward(x) != layer.forward(x))


def test_multiply_passes_gradients_at_a_zero() -> None:
    layer = Multiply()
    layer.forward((np.array([[0.0]]), np.array([[3.0]]), np.array([[4.0]])))
    assert [d.item() for d in layer.backward(np.array([[1.0]]))] == [12.0, 0.0, 0.0]


# Where parameters start

SHAPE = (400, 100)
VARIANCES = {
    "he": (He(), 2 / 400),
    "he-uniform": (He("uniform"), 2 / 400),
    "glorot": (Glorot(), 2 / 500),
    "glorot-uniform": (Glorot("uniform"), 2 / 500),
    "lecun": (LeCun(), 1 / 400),
    "lecun-uniform": (LeCun("uniform"), 1 / 400),
    "normal": (Normal(0.3), 0.09),
}


@pytest.mark.parametrize(("initializer", "variance"), VARIANCES.values(), ids=VARIANCES)
def test_initializers_have_their_variance_around_zero(initializer: Any, variance: float) -> None:
    drawn = initializer(np.random.default_rng(0), SHAPE)
    assert drawn.shape == SHAPE
    assert abs(drawn.var() / variance - 1) < 0.05
    assert abs(drawn.mean()) < 5 * np.sqrt(variance / drawn.size)


@pytest.mark.parametrize("name", [name for name in VARIANCES if name.endswith("uniform")])
def test_uniform_initializers_fill_their_range_to_its_ends(name: str) -> None:
    """A uniform on [-a, a] has variance a² / 3."""
    initializer, variance = VARIANCES[name]
    limit = np.sqrt(3 * variance)
    assert 0.999 * limit < np.abs(initializer(np.random.default_rng(0), SHAPE)).max() <= limit


def test_constant_and_zeros() -> None:
    rng = np.random.default_rng(0)
    assert_close(Constant(2.5)(rng, (2, 2)), np.full((2, 2), 2.5), 0.0)
    assert_close(Zeros()(rng, (1, 3)), np.zeros((1, 3)), 0.0)


def test_dense_starts_as_its_initializer_says_with_biases_at_zero() -> None:
    start = Dense(2, 3, initializer=Constant(0.5)).initial_parameters()
    assert_close(start, {"weights": np.full((2, 3), 0.5), "biases": np.zeros((1, 3))}, 0.0)
    assert Dense(2, 3).initializer == He()


def test_every_public_initializer_is_tested() -> None:
    tested = {type(initializer).__name__ for initializer, _ in VARIANCES.values()} | {"Constant", "Zeros"}
    assert public(lambda kind: kind.__module__ == "chainrule.initializers") == tested
