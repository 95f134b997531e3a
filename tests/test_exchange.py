"""Networks to and from PyTorch, and from Keras: the same outputs and the same gradients on both sides."""

from __future__ import annotations

import copy
import os
import sys
from typing import Any

import numpy as np
import pytest

from chainrule import (
    ELU,
    GELU,
    SGD,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Graph,
    Layer,
    LayerNorm,
    LeakyReLU,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Softmax,
    Tanh,
)
from chainrule.errors import ConfigurationError
from chainrule.exchange import from_keras, from_torch, to_torch
from chainrule.exchange.keras import ACTIVATIONS, LAYERS
from chainrule.exchange.torch import COUNTERPARTS, JOINS
from chainrule.layer import Context
from support import public, random_values, set_values
from test_layers import CASES

RNG = np.random.default_rng(7)


def ours(network: Graph, X: Any, dvalues: Any, training: bool) -> tuple[Any, Any, dict[str, Any]]:
    """Output, dL/d(inputs), dL/d(parameters)."""
    context, values = Context(training), network.values()
    output, kept, _ = network.forward_pass(np, X, values, context)
    dinputs, gradients = network.backward_pass(np, dvalues, kept, values, context)
    return output, dinputs, gradients


def graph_of(layer: Layer, shape: Any) -> tuple[Graph, tuple[int, ...]]:
    """A network of the one layer, a join behind a layer for each of its inputs; and the shape of one sample."""
    if not isinstance(shape[0], tuple):
        return Sequential(("only", layer)), shape[1:]
    names = [f"part_{i}" for i in range(len(shape))]
    parts = [(name, Dense(3, each[-1]), "inputs") for name, each in zip(names, shape, strict=True)]
    return Graph([*parts, ("only", layer, tuple(names))]), (3,)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(expected).max()))


def without_noise(network: Graph) -> Graph:
    """Dropout that drops nothing: the other side draws other noise."""
    for leaf in network.flat:
        if isinstance(leaf.layer, Dropout):
            leaf.layer.rate = 0.0
    return network


# PyTorch


def test_no_public_layer_is_missing() -> None:
    layers = public(lambda cls: issubclass(cls, Layer) and not issubclass(cls, Graph)) - {"Layer"}
    assert {cls.__name__ for cls in (*COUNTERPARTS, *JOINS)} == layers


def both_sides(network: Graph, module: Any, X: Any, training: bool) -> None:
    """Outputs and all gradients of a network and of a module that share the order of their parameters."""
    import torch

    module.train(training)
    theirs_in = torch.tensor(X, requires_grad=True)
    theirs_out = module(theirs_in)
    dvalues = np.random.default_rng(1).normal(size=theirs_out.shape)
    theirs_out.backward(torch.tensor(dvalues))
    output, dinputs, gradients = ours(network, X, dvalues, training)
    close(theirs_out.detach().numpy(), output)
    close(theirs_in.grad.numpy(), dinputs)
    found = [parameter.grad.numpy() for parameter in module.parameters()]
    expected = [gradients[name] for name in network.parameters]
    assert len(found) == len(expected)
    for one, (name, other) in zip(found, zip(network.parameters, expected, strict=True), strict=True):
        close(one, other.T if name.endswith("weights") else other.reshape(-1))


@pytest.mark.beyond_dev
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_and_learns_the_same_in_pytorch(name: str, training: bool) -> None:
    pytest.importorskip("torch")
    network, sample = graph_of(without_noise(Sequential(("x", CASES[name].make())))["x"], CASES[name].shapes[0])
    set_values(network, random_values(network, RNG))
    both_sides(network, to_torch(network), RNG.normal(size=(5, *sample)), training)


@pytest.mark.beyond_dev
def test_a_line_becomes_a_sequential_and_comes_back() -> None:
    torch = pytest.importorskip("torch")
    layers = [Dense(6, 5), BatchNorm(5, momentum=0.8), LeakyReLU(0.2), Dropout(0.0), Dense(5, 4, bias=False)]
    network = Sequential(Flatten(), *layers, LayerNorm(4, epsilon=0.1), GELU(approximate=True), ELU(0.5), Softmax())
    set_values(network, random_values(network, RNG))
    module = to_torch(network)
    assert type(module) is torch.nn.Sequential
    back, X = from_torch(module), RNG.normal(size=(5, 2, 3))
    assert repr(back) == repr(network)
    for training in (True, False):
        both_sides(back, copy.deepcopy(module), X, training)
        close(ours(back, X, np.ones((5, 4)), training)[0], ours(network, X, np.ones((5, 4)), training)[0])


@pytest.mark.beyond_dev
def test_both_sides_train_alike() -> None:
    torch = pytest.importorskip("torch")
    model = Model([Dense(3, 8), BatchNorm(8), Tanh(), Dense(8, 1)], MeanSquaredError(), SGD(0.1), dtype="float64")
    module = model.to_torch().train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    X, y = RNG.normal(size=(40, 3)), RNG.normal(size=(40, 1))
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(module(torch.tensor(X)), torch.tensor(y)).backward()
        optimizer.step()
    model.fit(X, y, epochs=5, batch_size=40, shuffle=False, verbose=False, engine="numpy")
    close(module.eval()(torch.tensor(X)).detach().numpy(), model.predict(X))


@pytest.mark.beyond_dev
def test_a_network_of_pytorch_trains_here() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)), nn.Softplus(), nn.Identity())
    model, X = Model(from_torch(module), MeanSquaredError()), RNG.normal(size=(6, 3)).astype("float32")
    np.testing.assert_allclose(model.predict(X), module(torch.tensor(X)).detach().numpy(), rtol=1e-5)
    before = module[0].weight.detach().clone()
    model.fit(X, RNG.normal(size=(6, 2)), epochs=2, verbose=False)
    assert torch.equal(module[0].weight, before)  # a copy trains


@pytest.mark.beyond_dev
def test_tied_and_frozen_parameters_stay_so_in_pytorch() -> None:
    pytest.importorskip("torch")
    nodes = [("a", Dense(3, 3), "inputs"), ("b", Dense(3, 3), "a"), ("c", Dense(3, 3).freeze(), "b")]
    module = to_torch(Graph(nodes, ties={"b.weights": "a.weights"}))
    assert module.a.weight is module.b.weight and module.a.bias is not module.b.bias
    assert [parameter.requires_grad for parameter in module.c.parameters()] == [False, False]


@pytest.mark.beyond_dev
def test_what_has_no_counterpart_is_named() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Half(Layer):
        def pure_forward(self, xp: Any, inputs: Any) -> Any:
            return inputs / 2

        def pure_backward(self, xp: Any, dvalues: Any) -> Any:
            return dict(dinputs=dvalues / 2)

    with pytest.raises(ConfigurationError, match="half_0: Half has no counterpart in PyTorch"):
        to_torch(Sequential(Half()))
    for module, message in (
        (nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Conv1d(1, 1, 1))), r"1\.0: Conv1d has no counterpart"),
        (nn.Sequential(nn.BatchNorm1d(2, affine=False)), r"0: BatchNorm1d.* with affine=False"),
        (nn.Sequential(nn.Softplus(beta=2)), "with beta=2"),
        (nn.Linear(2, 2), r"reads an nn\.Sequential, not Linear"),
        (nn.Sequential(nn.LayerNorm((2, 2))), r"LayerNorm.* with normalized_shape"),
        (nn.Sequential(nn.BatchNorm1d(2, momentum=None)), "with momentum=None"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            from_torch(module)


def bare(module: Any, change: Any) -> Any:
    change(module)
    return module


@pytest.mark.beyond_dev
def test_a_module_used_twice_is_used_twice_here_and_its_parameters_are_tied() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    act, layer, other = nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 3)
    other.weight = layer.weight

    class Named(nn.Sequential):
        """A subclass that computes what the class does."""

    module = nn.Sequential(layer, act, Named(layer, act), other).double()
    network, X = from_torch(module), RNG.normal(size=(5, 3))
    assert [type(leaf.layer).__name__ for leaf in network.flat] == ["Dense", "ReLU", "Dense", "ReLU", "Dense"]
    first = {f"dense_1.{name}": f"dense_0.{name}" for name in ("weights", "biases")}
    assert network.ties == {**first, "dense_2.weights": "dense_0.weights"}
    model = Model(network, MeanSquaredError(), SGD(0.1), dtype="float64")
    close(model.predict(X), module(torch.tensor(X)).detach().numpy())
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    nn.functional.mse_loss(module(torch.tensor(X)), torch.zeros(5, 3, dtype=torch.float64)).backward()
    optimizer.step()
    model.fit(X, np.zeros((5, 3)), epochs=1, batch_size=5, verbose=False)
    close(model.predict(X), module(torch.tensor(X)).detach().numpy())


@pytest.mark.beyond_dev
def test_tied_and_frozen_parameters_come_back_from_pytorch() -> None:
    torch = pytest.importorskip("torch")
    layers = (Dense(3, 3), BatchNorm(3).freeze(), Dense(3, 3), Dropout(0.5).freeze(), Dense(3, 2).freeze())
    network = Sequential(*layers, ties={"dense_1.weights": "dense_0.weights"})
    back = from_torch(to_torch(network))
    assert back.ties == network.ties
    assert [leaf.frozen for leaf in back.flat] == [leaf.frozen for leaf in network.flat]
    module = to_torch(Sequential(Dense(2, 2), BatchNorm(2), Dropout(0.5))).eval()
    assert not any(leaf.frozen for leaf in from_torch(module).flat)  # all of it predicts, nothing is frozen
    half = from_torch(torch.nn.Sequential(torch.nn.Linear(2, 2)).bfloat16())
    assert half.values()["dense_0.weights"].dtype == np.float32


@pytest.mark.beyond_dev
def test_a_module_that_computes_something_else_than_its_class_says_is_refused_by_name() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Twice(nn.Sequential):
        def forward(self, inputs: Any) -> Any:
            return 2 * super().forward(inputs)

    def double(*_: Any) -> None:
        """A hook."""

    norm = nn.BatchNorm1d(2)
    for module, message in (
        (Twice(nn.Linear(2, 2)), r"reads an nn\.Sequential, not Twice"),
        (nn.Sequential(nn.ReLU(), Twice(nn.Linear(2, 2))), "1: Twice has no counterpart"),
        (nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2))), "0: .*weight is parametrized by _Sp"),
        (
            nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))),
            "parametrized by _WeightNorm",
        ),
        (bare(nn.Sequential(nn.Linear(2, 2)), lambda m: m[0].register_forward_hook(double)), "0: .* its hook double"),
        (
            bare(nn.Sequential(nn.ReLU()), lambda m: m.register_forward_pre_hook(double)),
            "the Sequential: .*double",
        ),
        (bare(nn.Sequential(nn.ReLU()), lambda m: setattr(m[0], "forward", double)), "0: .*forward was replaced"),
        (nn.Sequential(nn.Softplus(threshold=1)), "with threshold=1"),
        (nn.Sequential(norm, norm), "1: its running_mean is carried on in several places"),
        (bare(nn.Sequential(nn.Linear(2, 2)), lambda m: m[0].bias.requires_grad_(False)), "some of its parameters"),
        (bare(nn.Sequential(nn.BatchNorm1d(2)), lambda m: m.requires_grad_(False)), "0: .*keeps its parameters and"),
        (bare(nn.Sequential(nn.BatchNorm1d(2)), lambda m: m[0].eval()), "0: .*keeps its running statistics and"),
        (nn.Sequential(nn.Linear(2, 2, device="meta")), "0: its weights has no numbers yet"),
        (nn.Sequential(nn.Linear(2, 2, dtype=torch.complex64)), "0: its weights holds torch.complex64"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            from_torch(module)


def test_without_pytorch_the_message_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigurationError, match="needs torch: pip install torch"):
        to_torch(Sequential(ReLU()))


# Keras


def the_keras() -> Any:
    """Keras on JAX: what computes is chosen when it is imported first."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("gradients are taken by JAX")
    return keras


def keras_models() -> dict[str, Any]:
    keras = the_keras()
    layers, rows = keras.layers, {}
    rows["line"] = keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(5, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(4, use_bias=False),
            layers.LayerNormalization(),
            layers.Dropout(0.0),
            layers.Dense(3, activation="softmax"),
        ]
    )
    rows["layers"] = keras.Sequential(
        [
            layers.Input((2, 3)),
            layers.Flatten(),
            layers.Identity(),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Dense(4),
            layers.ELU(0.5),
            layers.ReLU(),
            layers.ReLU(negative_slope=0.3),
            layers.Activation("tanh"),
            layers.Softmax(),
        ]
    )
    inputs = layers.Input((4,))
    left, right = layers.Dense(3, activation="tanh")(inputs), layers.Dense(3)(inputs)
    parts = [layers.Add()([left, right]), layers.Multiply()([left, right, left]), inputs]
    rows["graph"] = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(parts)))
    for name in ACTIVATIONS:
        rows[name] = keras.Sequential([layers.Input((3,)), layers.Dense(4, activation=name)])
    return rows


KERAS = ("line", "layers", "graph", *ACTIVATIONS)


@pytest.mark.parametrize("name", KERAS)
def test_a_network_of_keras_computes_and_learns_the_same(name: str) -> None:
    import jax

    theirs = keras_models()[name]
    rng = np.random.default_rng(2)
    theirs.set_weights([rng.uniform(0.2, 1.2, variable.shape).astype("float32") for variable in theirs.variables])
    network = from_keras(theirs)
    X = rng.normal(size=(5, *theirs.input_shape[1:])).astype("float32")
    dvalues = rng.normal(size=(5, *theirs.output_shape[1:])).astype("float32")
    frozen = [variable.value for variable in theirs.non_trainable_variables]

    def total(variables: Any, inputs: Any) -> Any:
        output, _ = theirs.stateless_call(variables, frozen, inputs, training=False)
        return (output * dvalues).sum(), output

    variables = [variable.value for variable in theirs.trainable_variables]
    (gradients, dinputs), expected = jax.grad(total, argnums=(0, 1), has_aux=True)(variables, X)
    output, found_dinputs, found = ours(network, X, dvalues, training=False)
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found_dinputs, dinputs, rtol=1e-4, atol=1e-5)
    assert len(gradients) == len(network.parameters)
    for parameter, theirs_gradient in zip(network.parameters, gradients, strict=True):
        np.testing.assert_allclose(
            found[parameter].reshape(theirs_gradient.shape), theirs_gradient, rtol=1e-4, atol=1e-5
        )


def test_every_row_of_the_table_of_keras_is_tried() -> None:
    tried = {type(layer).__name__ for model in keras_models().values() for layer in model.layers} - {"InputLayer"}
    assert tried == {*LAYERS}


def test_a_layer_of_keras_without_counterpart_is_named() -> None:
    keras = the_keras()
    layers, inputs = keras.layers, keras.layers.Input((4,))
    twice = layers.Dense(4, name="twice")
    for model, message in (
        (keras.Sequential([layers.Input((4, 1)), layers.Conv1D(2, 2, name="conv")]), "conv: Conv1D"),
        (keras.Sequential([layers.Input((4,)), layers.Dense(2, activation="selu", name="d")]), "d: .*'selu'"),
        (keras.Sequential([layers.Input((4,)), layers.ReLU(max_value=6.0, name="six")]), "six: ReLU with these"),
        (keras.Sequential([layers.Input((2, 4)), layers.Dense(2, name="deep")]), "deep: Dense with these"),
        (keras.Sequential([layers.Input((4,)), layers.BatchNormalization(scale=False, name="b")]), "b: Batch"),
        (keras.Model(inputs, twice(twice(inputs))), "twice: a layer that is called 2 times"),
        (keras.Sequential([layers.Dense(2)]), r"call model\.build"),
        (object(), "reads a Keras model, not object"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            from_keras(model)


def test_a_frozen_layer_of_keras_stays_frozen() -> None:
    keras = the_keras()
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2, name="d", trainable=False)])
    assert from_keras(model).trainable_names() == ()
