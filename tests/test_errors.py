"""What the library says to bad input: the kind of error, and the parts of the message that matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import (
    ELU,
    L2,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Add,
    BatchNorm,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    ChainruleError,
    Concatenate,
    ConstantRate,
    CosineDecay,
    Dense,
    Dropout,
    ExponentialDecay,
    Flatten,
    He,
    Huber,
    InverseTimeDecay,
    LayerNorm,
    Linear,
    MeanAbsoluteError,
    MeanSquaredError,
    OneCycle,
    ReLU,
    RMSprop,
    Sequential,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    StepDecay,
    Value,
    loss_and_gradients,
    per_sample_gradients,
    trace,
    train_step,
)
from chainrule import errors as tree
from chainrule.errors import (
    ConfigurationError,
    DataError,
    DefinitionError,
    NonFiniteError,
    ShapeError,
    UnknownNameError,
)
from chainrule.loss import Loss

NETWORK = Sequential(Dense(2, 3), BatchNorm(3), Dense(3, 3))
PARAMETERS = NETWORK.initial_parameters(0)
X, Y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0, 1, 2])

Row = tuple[Callable[[], Any], type[ChainruleError], tuple[str, ...]]


def run(X: Any = X, y: Any = Y, parameters: Any = PARAMETERS, loss: Loss | None = None, **options: Any) -> Any:
    return loss_and_gradients(NETWORK, loss or SoftmaxCrossentropy(), parameters, X, y, **options)


def fit(loss: Loss, y: Any, outputs: int = 1, **options: Any) -> Any:
    """A loss straight on the data: predictions are three samples of ones."""
    return loss_and_gradients(Linear(), loss, {}, np.full((3, outputs), 0.5), y, **options)


def run_dropout(seed: int) -> Any:
    return loss_and_gradients(Dropout(0.5), MeanSquaredError(), {}, np.ones((2, 2)), np.ones((2, 2)), seed=seed)


def without(name: str) -> dict[str, Any]:
    return {key: array for key, array in PARAMETERS.items() if key != name}


DATA: dict[str, Row] = {
    # X
    "too many features": (
        lambda: run(np.ones((3, 4))),
        ShapeError,
        ("dense_0", "Dense(2, 3)", "(B, 2)", "(B, 4)", "Dense(4, 3)"),
    ),
    "one sample without its batch": (
        lambda: run([1.0, 2.0], [0, 1]),
        ShapeError,
        ("dense_0", "(B, 2)", "reshape(1, -1)"),
    ),
    "a single number": (lambda: run(3.0), ShapeError, ("X", "single number", "[[number]]")),
    "images without Flatten": (lambda: run(np.ones((3, 1, 2))), ShapeError, ("dense_0", "(B, 1, 2)", "Flatten()")),
    "NaN in X": (
        lambda: run([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]),
        NonFiniteError,
        ("X", "nan", "(1, 1)", "remove or replace"),
    ),
    "infinity in X": (lambda: run([[1.0, 2.0], [3.0, 4.0], [-np.inf, 6.0]]), NonFiniteError, ("X", "-inf", "(2, 0)")),
    "a number beyond float32": (
        lambda: run([[1e300, 2.0]] * 3, parameters=NETWORK.initial_parameters(0, np.float32)),
        NonFiniteError,
        ("X", "inf", "(0, 0)"),
    ),
    "ragged X": (lambda: run([[1.0, 2.0], [3.0], [5.0, 6.0]]), ShapeError, ("X", "different lengths")),
    "text X": (lambda: run([["1", "2"]] * 3), DataError, ("X", "numbers", "<U1", "encode")),
    "objects in X": (lambda: run(np.array([[None, 2]] * 3)), DataError, ("X", "numbers", "object")),
    "complex X": (lambda: run(X * 1j), DataError, ("X", "numbers", "complex128")),
    "an empty batch": (lambda: run(np.ones((0, 2)), []), DataError, ("empty",)),
    "an empty batch without BatchNorm": (
        lambda: loss_and_gradients(Linear(), MeanSquaredError(), {}, np.ones((0, 2)), np.ones((0, 2))),
        DataError,
        ("MeanSquaredError", "batch is empty"),
    ),
    # y and X
    "fewer labels than samples": (
        lambda: run(y=[0, 1]),
        ShapeError,
        ("SoftmaxCrossentropy", "3 samples of X", "2 targets", "one for each"),
    ),
    "one number for y": (lambda: run(y=1), ShapeError, ("3 samples", "one number")),
    # class labels
    "a label too high": (
        lambda: run(y=[0, 3, 7]),
        DataError,
        ("0..2", "3 outputs", "y[1] is 3", "2 of 3", "8 neurons"),
    ),
    "a negative label": (lambda: run(y=[0, 1, -1]), DataError, ("0..2", "y[2] is -1")),
    "labels counted from 1": (lambda: run(y=[1, 2, 3]), DataError, ("y[2] is 3", "Count the classes from 0")),
    "labels as floats": (lambda: run(y=[0.0, 1.0, 2.0]), DataError, ("integers", "float64", "y.astype(int)")),
    "labels as bools": (lambda: run(y=[True, False, True]), DataError, ("integers", "bool", "y.astype(int)")),
    "labels as text": (lambda: run(y=["a", "b", "a"]), DataError, ("integers", "<U1", "np.unique")),
    "labels as a column": (lambda: run(y=[[0], [1], [2]]), ShapeError, ("(B, 3)", "(3, 1)", "y.ravel()")),
    "labels in three dimensions": (lambda: run(y=np.zeros((3, 1, 1), int)), ShapeError, ("(B,)", "(3, 1, 1)")),
    "ragged labels": (lambda: run(y=[[0], [1, 2], [0]]), ShapeError, ("y", "different lengths")),
    # one-hot rows
    "one-hot rows that do not add up to 1": (
        lambda: run(y=[[1, 0, 0], [0.5, 0, 0.2], [0, 0, 1]]),
        DataError,
        ("one-hot", "row 1", "0.7"),
    ),
    "one-hot rows with a negative number": (
        lambda: run(y=[[1, 0, 0], [0, 1, 0], [1.5, -0.5, 0]]),
        DataError,
        ("row 2", "-0.5"),
    ),
    "one-hot rows of another width": (lambda: run(y=np.eye(4)[:3]), ShapeError, ("(B, 3)", "(3, 4)", "4 neurons")),
    "NaN in one-hot rows": (
        lambda: run(y=[[1, 0, 0], [0, 1, 0], [0, np.nan, 0]]),
        NonFiniteError,
        ("y", "nan", "(2, 1)"),
    ),
    "one-hot rows as text": (lambda: run(y=[["1", "0", "0"]] * 3), DataError, ("y", "numbers", "<U1")),
    "images as predictions of classes": (
        lambda: loss_and_gradients(Linear(), SoftmaxCrossentropy(), {}, np.ones((3, 2, 2)), [0, 1, 0]),
        ShapeError,
        ("(B, C)", "(3, 2, 2)", "Flatten()"),
    ),
    # values
    "values of another width": (
        lambda: fit(MeanSquaredError(), np.ones((3, 2))),
        ShapeError,
        ("MeanSquaredError", "(3, 1)", "(3, 2)", "2 neurons"),
    ),
    "a vector for two outputs": (lambda: fit(Huber(), np.ones(3), 2), ShapeError, ("Huber", "(3, 2)", "(3,)")),
    "NaN in values": (lambda: fit(MeanAbsoluteError(), [1.0, np.nan, 2.0]), NonFiniteError, ("y", "nan", "(1, 0)")),
    "infinity in values": (lambda: fit(MeanSquaredError(), [1.0, 2.0, np.inf]), NonFiniteError, ("y", "inf", "(2, 0)")),
    "text values": (lambda: fit(MeanSquaredError(), ["a", "b", "c"]), DataError, ("y", "numbers", "<U1")),
    "ragged values": (
        lambda: fit(MeanSquaredError(), [[0.0], [1.0, 2.0], [0.0]]),
        ShapeError,
        ("y", "different lengths"),
    ),
    "images as predictions of values": (
        lambda: loss_and_gradients(Linear(), MeanSquaredError(), {}, np.ones((2, 2, 3)), np.ones((2, 2, 3))),
        ShapeError,
        ("MeanSquaredError", "(2, 2, 3)"),
    ),
    "predictions without an axis of outputs": (
        lambda: loss_and_gradients(Linear(), MeanSquaredError(), {}, np.ones(3), np.ones(3)),
        ShapeError,
        ("MeanSquaredError", "(3,)"),
    ),
    "yes and no coded as 1 and 2": (
        lambda: fit(BinaryCrossentropy(), [1, 2, 1]),
        DataError,
        ("between 0 and 1", "2", "0 and 1"),
    ),
    "yes and no coded as -1 and 1": (
        lambda: fit(SigmoidCrossentropy(), [1, -1, 1]),
        DataError,
        ("between 0 and 1", "-1"),
    ),
    # weights
    "a negative sample weight": (
        lambda: run(sample_weights=[1, -0.5, 1]),
        DataError,
        ("weights", "at least 0", "entry 1"),
    ),
    "weights that are all zero": (lambda: run(sample_weights=[0, 0, 0]), DataError, ("weights", "add up to 0")),
    "fewer weights than samples": (lambda: run(sample_weights=[1, 1]), ShapeError, ("3 samples", "2 sample weights")),
    "NaN in the weights": (lambda: run(sample_weights=[1, np.nan, 1]), NonFiniteError, ("sample_weights", "nan")),
    "text weights": (lambda: run(sample_weights=["1", "1", "1"]), DataError, ("sample_weights", "numbers")),
    "ragged weights": (lambda: run(sample_weights=[[1], [1, 2], [1]]), DataError, ("sample_weights",)),
    "class weights of 0 for all that occur": (
        lambda: run(loss=SoftmaxCrossentropy(class_weights=[0, 1, 1]), y=[0, 0, 0]),
        DataError,
        ("weights", "add up to 0"),
    ),
    "class weights for another number of classes": (
        lambda: run(loss=SoftmaxCrossentropy(class_weights=[1, 1])),
        ConfigurationError,
        ("2 class weights", "3 classes"),
    ),
    # parameters and state
    "an unknown parameter": (
        lambda: run(parameters=PARAMETERS | {"dense_0.weight": np.ones((2, 3))}),
        UnknownNameError,
        ("'dense_0.weight'", "Did you mean 'dense_0.weights'?"),
    ),
    "a missing parameter": (
        lambda: run(parameters=without("dense_1.biases")),
        DataError,
        ("'dense_1.biases' is missing",),
    ),
    "a parameter of another shape": (
        lambda: run(parameters=PARAMETERS | {"dense_0.weights": np.ones((3, 2))}),
        ShapeError,
        ("dense_0.weights", "(2, 3)", "(3, 2)"),
    ),
    "a missing state": (
        lambda: run(state={"batch_norm_0.running_mean": np.zeros((1, 3))}),
        DataError,
        ("batch_norm_0.running_variance", "missing"),
    ),
    "an unknown state": (
        lambda: run(state=NETWORK.initial_state() | {"batch_norm_1.running_mean": np.zeros((1, 3))}),
        UnknownNameError,
        ("'batch_norm_1.running_mean'",),
    ),
    "a state of another shape": (
        lambda: run(state=NETWORK.initial_state() | {"batch_norm_0.running_mean": np.zeros((3, 3))}),
        ShapeError,
        ("batch_norm_0.running_mean", "(1, 3)", "(3, 3)"),
    ),
    # names and sizes of requests
    "a negative seed": (lambda: run_dropout(seed=-1), ChainruleError, ("seed", "-1")),
    "a seed of more than 32 bits": (lambda: run_dropout(seed=2**32), ChainruleError, ("seed", "4294967296")),
    "per-sample gradients of an unknown name": (
        lambda: per_sample_gradients(NETWORK, SoftmaxCrossentropy(), PARAMETERS, X, Y, names=["dense_0"]),
        UnknownNameError,
        ("'dense_0'", "'dense_0.weights'"),
    ),
    "chunks of nothing": (
        lambda: per_sample_gradients(NETWORK, SoftmaxCrossentropy(), PARAMETERS, X, Y, chunk_size=0),
        DataError,
        ("chunk_size", "at least 1", "0"),
    ),
    "a node that the trace does not have": (
        lambda: trace(NETWORK, SoftmaxCrossentropy(), PARAMETERS, X, Y)["dense_2"],
        UnknownNameError,
        ("'dense_2'", "'loss'"),
    ),
    "a training step with bad data": (
        lambda: train_step(NETWORK, SoftmaxCrossentropy(), SGD(), PARAMETERS, {}, X, [0, 1, 9]),
        DataError,
        ("0..2", "y[2] is 9"),
    ),
    # the stateful view
    "forward with too few features": (
        lambda: Dense(3, 2).forward(np.ones((1, 2))),
        ShapeError,
        ("Dense(3, 2)", "(B, 2)"),
    ),
    "backward before forward": (
        lambda: ReLU().backward(np.ones((1, 1))),
        ChainruleError,
        ("ReLU.backward", "`inputs`", "forward"),
    ),
    "backward before the output is there": (
        lambda: Softmax().backward(np.ones((1, 1))),
        ChainruleError,
        ("Softmax.backward", "`output`", "set .output"),
    ),
    "a jacobian of inputs that do not fit": (
        lambda: Dense(3, 2).jacobian(np.ones((1, 2))),
        ShapeError,
        ("Dense(3, 2)",),
    ),
    "arrays of different shapes added": (
        lambda: Add().forward((np.ones((1, 2)), np.ones((1, 3)))),
        ShapeError,
        ("Add", "(B, 2)", "(B, 3)"),
    ),
    "one array for a join": (lambda: Add().forward(np.ones((2, 2))), ShapeError, ("Add", "tuple")),
    "images and rows side by side": (
        lambda: Concatenate().forward((np.ones((1, 2)), np.ones((1, 2, 2)))),
        ShapeError,
        ("Concatenate", "last axis"),
    ),
    "BatchNorm of nothing": (lambda: BatchNorm(2).forward(np.ones((0, 2))), DataError, ("BatchNorm", "empty batch")),
    # scalar values
    "division by zero": (lambda: Value(1.0) / Value(0.0), ChainruleError, ("zero",)),
    "a negative power of zero": (lambda: Value(0.0) ** -1, ChainruleError, ("0",)),
    "a root at zero, where the slope is infinite": (lambda: Value(0.0) ** 0.5, ChainruleError, ("0",)),
    "a root of a negative number": (lambda: Value(-8.0) ** 0.5, ChainruleError, ("-8", "not a real number")),
    "an exponent that is a Value, of a negative base": (lambda: (-2) ** Value(3.0), ChainruleError, ("-2", "above 0")),
    "another number for a result": (lambda: setattr(Value(2.0) * 3, "data", 1), ChainruleError, ("'*'", "inputs")),
    "the logarithm of zero": (lambda: Value(0.0).log(), ChainruleError, ("above 0",)),
    "an exponential beyond all floats": (lambda: Value(1000.0).exp(), ChainruleError, ("1000",)),
}


def of(make: Callable[[], Any], *fragments: str) -> Row:
    return make, ConfigurationError, fragments


SETTINGS: dict[str, Row] = {
    "dropout of everything": of(lambda: Dropout(1.0), "Dropout", "below 1", "1.0"),
    "dropout below 0": of(lambda: Dropout(-0.1), "Dropout", "at least 0", "-0.1"),
    "dropout of NaN": of(lambda: Dropout(float("nan")), "Dropout", "nan"),
    "no neurons": of(lambda: Dense(3, 0), "Dense", "n_neurons", "at least 1", "0"),
    "a negative number of inputs": of(lambda: Dense(-3, 2), "Dense", "n_inputs", "-3"),
    "half a neuron": of(lambda: Dense(3, 2.5), "Dense", "n_neurons", "integer", "2.5"),
    "True neurons": of(lambda: Dense(3, True), "Dense", "n_neurons", "True"),
    "a size as text": of(lambda: Dense("3", 2), "Dense", "n_inputs", "'3'"),
    "no features": of(lambda: LayerNorm(0), "LayerNorm", "n_features", "0"),
    "half a feature": of(lambda: BatchNorm(1.5), "BatchNorm", "n_features", "1.5"),
    "an epsilon of 0": of(lambda: LayerNorm(2, epsilon=0.0), "LayerNorm", "epsilon", "above 0"),
    "a running momentum above 1": of(lambda: BatchNorm(2, momentum=1.1), "BatchNorm", "momentum", "1.1"),
    "a negative alpha": of(lambda: ELU(-1.0), "ELU", "alpha", "-1.0"),
    "a negative penalty": of(lambda: L2(-0.1), "L2", "at least 0", "-0.1"),
    "an infinite penalty": of(lambda: L2(float("inf")), "L2", "finite", "inf"),
    "a number for a penalty": of(lambda: Dense(1, 1, penalties={"weights": 0.1}), "L2(rate)", "0.1"),
    "an unknown distribution": of(lambda: He("gaussian"), "He", "'uniform'", "'gaussian'"),
    # losses
    "an unknown reduction": of(
        lambda: MeanSquaredError(reduction="none"), "MeanSquaredError", "'mean' or 'sum'", "'none'"
    ),
    "all labels smoothed away": of(lambda: SoftmaxCrossentropy(label_smoothing=1.0), "label_smoothing", "below 1"),
    "negative smoothing": of(lambda: BinaryCrossentropy(label_smoothing=-0.1), "label_smoothing", "at least 0"),
    "a negative class weight": of(
        lambda: CategoricalCrossentropy(class_weights=[1, -1]), "class_weights", "at least 0"
    ),
    "a delta of 0": of(lambda: Huber(delta=0.0), "Huber", "delta", "above 0"),
    "a negative clip": of(lambda: CategoricalCrossentropy(clip=-0.1), "CategoricalCrossentropy", "clip", "-0.1"),
    "a clip above a half": of(lambda: BinaryCrossentropy(clip=0.7), "BinaryCrossentropy", "clip", "0.7"),
    # optimizers
    "a momentum of 1": of(lambda: SGD(momentum=1.0), "SGD", "momentum", "below 1"),
    "a negative momentum": of(lambda: SGD(momentum=-0.9), "SGD", "momentum", "-0.9"),
    "nesterov without momentum": of(lambda: SGD(nesterov=True), "nesterov", "momentum=0.9"),
    "a beta of 1": of(lambda: Adam(beta_2=1.0), "Adam", "beta_2", "1.0"),
    "a negative rho": of(lambda: RMSprop(rho=-0.1), "RMSprop", "rho"),
    "a negative learning rate": of(lambda: Adam(-0.1), "learning rate", "at least 0", "-0.1"),
    "a learning rate of NaN": of(lambda: SGD(float("nan")), "learning rate", "finite", "nan"),
    "a learning rate as text": of(lambda: SGD("0.1"), "learning rate", "'0.1'"),
    "a negative weight decay": of(lambda: AdamW(weight_decay=-0.1), "AdamW", "weight_decay", "-0.1"),
    "a clip norm of 0": of(lambda: SGD(clip_norm=0.0), "SGD", "clip_norm", "above 0"),
    "a negative clip value": of(lambda: SGD(clip_value=-1.0), "SGD", "clip_value", "-1.0"),
    "a negative epsilon": of(lambda: Adagrad(epsilon=-1e-8), "Adagrad", "epsilon", "-1e-08"),
    "a bad setting in a group": of(lambda: SGD(groups={"*": {"momentum": 2.0}}), "SGD", "momentum", "2.0"),
    # schedules
    "a negative constant rate": of(lambda: ConstantRate(-0.1), "ConstantRate", "-0.1"),
    "a decay that divides by zero later": of(lambda: InverseTimeDecay(1.0, decay=-0.5), "InverseTimeDecay", "-0.5"),
    "stairs of no steps": of(lambda: StepDecay(0.1, every=0), "StepDecay", "every", "at least 1"),
    "stairs to below zero": of(lambda: StepDecay(0.1, every=1, factor=-1.0), "StepDecay", "factor", "-1.0"),
    "a decay over no steps": of(lambda: ExponentialDecay(0.1, every=0), "ExponentialDecay", "every"),
    "a warm-up as long as the run": of(
        lambda: CosineDecay(0.1, steps=5, warmup=5), "CosineDecay", "warmup=5", "steps=5"
    ),
    "a negative warm-up": of(lambda: CosineDecay(0.1, steps=5, warmup=-1), "CosineDecay", "warmup", "not -1"),
    "a final rate below zero": of(lambda: CosineDecay(0.1, steps=5, final=-0.1), "CosineDecay", "final", "-0.1"),
    "a cycle of no steps": of(lambda: OneCycle(0.1, steps=0), "OneCycle", "steps", "0"),
    "a cycle that only rises": of(lambda: OneCycle(0.1, steps=5, rise=1.0), "OneCycle", "rise", "1.0"),
    "a cycle divided by zero": of(lambda: OneCycle(0.1, steps=5, divide=0.0), "OneCycle", "divide", "0.0"),
}

NAMES: dict[str, Row] = {
    "a penalty on an unknown parameter": (
        lambda: Dense(1, 1, penalties={"weight": L2(0.1)}),
        UnknownNameError,
        ("Dense", "'weight'", "Did you mean 'weights'?"),
    ),
    "an unknown setting in a group": (
        lambda: Adam(groups={"*.biases": {"momentum": 0.5}}),
        UnknownNameError,
        ("Adam", "'*.biases'", "'momentum'", "beta_1"),
    ),
    "clipping in a group, where it has no meaning": (
        lambda: Adam(groups={"*": {"clip_norm": 1.0}}),
        UnknownNameError,
        ("'clip_norm'",),
    ),
    "groups in a group": (lambda: Adam(groups={"*": {"groups": {}}}), UnknownNameError, ("'groups'",)),
}
EVERYTHING = DATA | SETTINGS | NAMES


@pytest.mark.parametrize(("attempt", "kind", "fragments"), EVERYTHING.values(), ids=EVERYTHING)
def test_bad_input_is_refused_in_one_line_that_says_what_is_wrong(
    attempt: Callable[[], Any], kind: type[ChainruleError], fragments: tuple[str, ...]
) -> None:
    with pytest.raises(ChainruleError) as caught:
        attempt()
    message = str(caught.value)
    assert isinstance(caught.value, kind)
    assert [f for f in fragments if f not in message] == [], message
    assert "\n" not in message


def test_what_looks_like_bad_input_but_is_not() -> None:
    """Sizes as NumPy counts them, a sparse weighting, labels of any integer type, rows off by rounding."""
    labels = np.array([0, 1, 2], dtype=np.uint8)
    assert Flatten().forward(np.ones((1, 2, 2))).shape == (1, 4)
    run(y=labels)
    run(sample_weights=[0, 0, 1])
    run(y=np.eye(3) + 1e-7)
    run(X=[[1, 2], [3, 4], [5, 6]], y=[0, 1, 2])


@pytest.mark.parametrize("make", [lambda n: Dense(2, n), lambda n: Dense(n, 2), LayerNorm, BatchNorm])
def test_a_numpy_integer_is_a_size(make: Callable[[Any], Any]) -> None:
    """`y.max() + 1` is the usual way to count the classes."""
    make(np.array([0, 1, 2]).max() + 1)


# The tree


def test_every_error_is_a_chainrule_error_and_also_what_python_would_raise() -> None:
    kinds = [getattr(tree, name) for name in tree.__all__]
    assert all(issubclass(kind, ChainruleError) and kind.__doc__ for kind in kinds)
    assert issubclass(ConfigurationError, ValueError) and issubclass(DataError, ValueError)
    assert issubclass(UnknownNameError, KeyError) and issubclass(DefinitionError, TypeError)
    assert issubclass(ShapeError, DataError) and issubclass(NonFiniteError, DataError)


def test_an_unknown_name_lists_the_known_ones_and_suggests_the_nearest() -> None:
    message = str(UnknownNameError("node", "dens_0", ["dense_0", "relu_0"]))
    assert message == "There is no node named 'dens_0'. Did you mean 'dense_0'? Known: 'dense_0', 'relu_0'."
    assert str(UnknownNameError("node", "x", [])) == "There is no node named 'x'. Known: none."
