"""Programs written with the book's names run, and print what the book's code prints.

Long runs are chaotic in the last bit: lines are compared only up to the epoch that one bit in one weight does not move,
and later ones by range.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import book
from chainrule.book import (
    Accuracy_Categorical,
    Accuracy_Regression,
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
    Layer_Dropout,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
    Model,
    Optimizer_Adagrad,
    Optimizer_Adam,
    Optimizer_RMSprop,
    Optimizer_SGD,
    nnfs,
    sine_data,
    spiral_data,
    vertical_data,
)
from chainrule.errors import ConfigurationError, DataError, FileFormatError, ShapeError


@pytest.fixture(autouse=True)
def started() -> Iterator[None]:
    """Every program of the book starts with the helper package's init()."""
    nnfs.init()
    yield
    nnfs.init(dot_precision_workaround=False, default_dtype="float64")


def train_spiral(
    optimizer: Any, epochs: int, *, l2: float = 0.0, dropout: float | None = None, every: int = 100
) -> list[str]:
    """The programs of chapters 10 to 15: a 2-64-3 network on 300 points, one line every so many epochs."""
    X, y = spiral_data(samples=100, classes=3)
    dense1 = Layer_Dense(2, 64, weight_regularizer_l2=l2, bias_regularizer_l2=l2)
    hidden: list[Any] = [Activation_ReLU(), *([Layer_Dropout(dropout)] if dropout else [])]
    dense2 = Layer_Dense(64, 3)
    loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()
    lines = []
    for epoch in range(epochs):
        output = dense1.forward(X)
        for layer in hidden:
            output = layer.forward(output)
        data_loss = loss_activation.forward(dense2.forward(output), y)
        reg_loss = loss_activation.loss.regularization_loss(dense1) + loss_activation.loss.regularization_loss(dense2)
        accuracy = np.mean(np.argmax(loss_activation.output, axis=1) == y)
        if not epoch % every:
            lines.append(
                f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {data_loss + reg_loss:.3f} (data_loss: {data_loss:.3f}, "
                f"reg_loss: {reg_loss:.3f}), lr: {optimizer.current_learning_rate}"
            )
        loss_activation.backward(loss_activation.output, y)
        dvalues = dense2.backward(loss_activation.dinputs)
        for layer in reversed(hidden):
            dvalues = layer.backward(dvalues)
        dense1.backward(dvalues)
        optimizer.pre_update_params()
        optimizer.update_params(dense1)
        optimizer.update_params(dense2)
        optimizer.post_update_params()
    return lines


PROGRAMS: dict[str, tuple[Callable[[], list[str]], list[str]]] = {
    "SGD": (
        lambda: train_spiral(Optimizer_SGD(), 201),
        [
            "epoch: 0, acc: 0.360, loss: 1.099 (data_loss: 1.099, reg_loss: 0.000), lr: 1.0",
            "epoch: 100, acc: 0.400, loss: 1.087 (data_loss: 1.087, reg_loss: 0.000), lr: 1.0",
            "epoch: 200, acc: 0.417, loss: 1.077 (data_loss: 1.077, reg_loss: 0.000), lr: 1.0",
        ],
    ),
    "SGD with decay": (
        lambda: train_spiral(Optimizer_SGD(decay=1e-3), 201),
        [
            "epoch: 0, acc: 0.360, loss: 1.099 (data_loss: 1.099, reg_loss: 0.000), lr: 1.0",
            "epoch: 100, acc: 0.400, loss: 1.088 (data_loss: 1.088, reg_loss: 0.000), lr: 0.9099181073703367",
            "epoch: 200, acc: 0.423, loss: 1.078 (data_loss: 1.078, reg_loss: 0.000), lr: 0.8340283569641367",
        ],
    ),
    "SGD with momentum": (
        lambda: train_spiral(Optimizer_SGD(decay=1e-3, momentum=0.5), 101),
        [
            "epoch: 0, acc: 0.360, loss: 1.099 (data_loss: 1.099, reg_loss: 0.000), lr: 1.0",
            "epoch: 100, acc: 0.427, loss: 1.078 (data_loss: 1.078, reg_loss: 0.000), lr: 0.9099181073703367",
        ],
    ),
    "Adagrad": (
        lambda: train_spiral(Optimizer_Adagrad(decay=1e-4), 101),
        [
            "epoch: 0, acc: 0.360, loss: 1.099 (data_loss: 1.099, reg_loss: 0.000), lr: 1.0",
            "epoch: 100, acc: 0.457, loss: 1.012 (data_loss: 1.012, reg_loss: 0.000), lr: 0.9901970492127933",
        ],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_optimizers_chapter_prints_the_books_lines(name: str) -> None:
    program, expected = PROGRAMS[name]
    assert program() == expected


# Runs whose digits hang on one bit by epoch 100: (program, largest loss at the end, least accuracy).
RANGES: dict[str, tuple[Callable[[], list[str]], float, float]] = {
    "RMSprop": (lambda: train_spiral(Optimizer_RMSprop(learning_rate=0.02, decay=1e-5, rho=0.999), 301), 0.98, 0.45),
    "Adam": (lambda: train_spiral(Optimizer_Adam(learning_rate=0.05, decay=5e-7), 301), 0.55, 0.78),
    "Adam with L2": (lambda: train_spiral(Optimizer_Adam(learning_rate=0.02, decay=5e-7), 301, l2=5e-4), 0.70, 0.75),
    "dropout": (lambda: train_spiral(Optimizer_Adam(0.05, decay=5e-5), 301, l2=5e-4, dropout=0.1), 0.95, 0.58),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_chaotic_program_ends_in_the_books_range(name: str) -> None:
    program, most, least = RANGES[name]
    last = dict(part.split(": ") for part in program()[-1].replace(" (data_", ", data_").replace(")", "").split(", "))
    assert float(last["loss"]) < most
    assert float(last["acc"]) > least


def test_binary_regression_of_chapter_16_prints_the_books_lines() -> None:
    X, y = spiral_data(samples=100, classes=2)
    y = y.reshape(-1, 1)
    dense1, relu = Layer_Dense(2, 64, weight_regularizer_l2=5e-4, bias_regularizer_l2=5e-4), Activation_ReLU()
    dense2, sigmoid, loss_function = Layer_Dense(64, 1), Activation_Sigmoid(), Loss_BinaryCrossentropy()
    optimizer, lines = Optimizer_Adam(decay=5e-7), []
    for epoch in range(201):
        output = sigmoid.forward(dense2.forward(relu.forward(dense1.forward(X))))
        data_loss = loss_function.calculate(output, y)
        reg_loss = loss_function.regularization_loss(dense1) + loss_function.regularization_loss(dense2)
        accuracy = np.mean(sigmoid.predictions(output) == y)
        if not epoch % 100:
            lines.append(
                f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {data_loss + reg_loss:.3f} (data_loss: {data_loss:.3f}, "
                f"reg_loss: {reg_loss:.3f}), lr: {optimizer.current_learning_rate}"
            )
        loss_function.backward(output, y)
        dense1.backward(relu.backward(dense2.backward(sigmoid.backward(loss_function.dinputs))))
        optimizer.pre_update_params()
        optimizer.update_params(dense1)
        optimizer.update_params(dense2)
        optimizer.post_update_params()
    assert lines == [
        "epoch: 0, acc: 0.500, loss: 0.693 (data_loss: 0.693, reg_loss: 0.000), lr: 0.001",
        "epoch: 100, acc: 0.630, loss: 0.674 (data_loss: 0.673, reg_loss: 0.001), lr: 0.0009999505024501287",
        "epoch: 200, acc: 0.625, loss: 0.669 (data_loss: 0.668, reg_loss: 0.001), lr: 0.0009999005098992651",
    ]


def test_regression_of_chapter_17_with_the_model_learns_the_sine(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = sine_data()
    model = Model()
    for layer in (
        Layer_Dense(1, 64),
        Activation_ReLU(),
        Layer_Dense(64, 64),
        Activation_ReLU(),
        Layer_Dense(64, 1),
        Activation_Linear(),
    ):
        model.add(layer)
    model.set(
        loss=Loss_MeanSquaredError(),
        optimizer=Optimizer_Adam(learning_rate=0.005, decay=1e-3),
        accuracy=Accuracy_Regression(),
    )
    model.finalize()
    model.train(X, y, epochs=100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "epoch: 1",
        "step: 0, acc: 0.002, loss: 0.500 (data_loss: 0.500, reg_loss: 0.000), lr: 0.005",
        "training, acc: 0.002, loss: 0.500 (data_loss: 0.500, reg_loss: 0.000), lr: 0.005",
    ]
    assert lines[-1].endswith("lr: 0.004549590536851684")
    assert float(lines[-1].split("loss: ")[1].split()[0]) < 0.2


def images() -> tuple[Any, Any, Any, Any]:
    """Noisy copies of ten patterns: train and test, float32 from -1 to 1."""
    rng = np.random.RandomState(1)
    patterns = rng.uniform(-1, 1, (10, 64))
    parts = []
    for copies in (60, 13):
        y = np.tile(np.arange(10, dtype=np.uint8), copies)
        parts += [(patterns[y] + rng.normal(0, 0.7, (len(y), 64))).astype(np.float32), y]
    return tuple(parts)  # type: ignore[return-value]


def image_model() -> Model:
    model = Model()
    for layer in (Layer_Dense(64, 32), Activation_ReLU(), Layer_Dense(32, 10), Activation_Softmax()):
        model.add(layer)
    model.set(
        loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(decay=1e-3), accuracy=Accuracy_Categorical()
    )
    model.finalize()
    return model


def test_the_model_prints_batches_epochs_and_validation_in_the_books_form(capsys: pytest.CaptureFixture[str]) -> None:
    X, y, X_test, y_test = images()
    model = image_model()
    model.train(X, y, validation_data=(X_test, y_test), epochs=2, batch_size=128, print_every=3)
    lines = capsys.readouterr().out.splitlines()
    epoch = ["step: 0", "step: 3", "step: 4", "training", "validation"]
    assert [line.split(",")[0] for line in lines] == ["epoch: 1", *epoch, "epoch: 2", *epoch]
    form = r"step: 4, acc: \d\.\d{3}, loss: 2\.\d{3} \(data_loss: 2\.\d{3}, reg_loss: 0\.000\), lr: (.*)"
    rate = re.fullmatch(form, lines[3])
    assert rate is not None
    assert rate[1] == str(0.001 * (1.0 / (1.0 + 1e-3 * 4)))  # the fifth batch, the short one, counts too
    model.evaluate(X_test, y_test)
    model.evaluate(X_test, y_test, batch_size=50)
    whole, in_batches = capsys.readouterr().out.splitlines()
    assert whole == in_batches == lines[-1]


def test_parameters_and_whole_models_come_back_from_their_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y, X_test, _ = images()
    model = image_model()
    model.train(X, y, epochs=3, batch_size=128)
    expected = model.predict(X_test)

    other = image_model()
    other.set_parameters(model.get_parameters())
    np.testing.assert_array_equal(other.predict(X_test, batch_size=50), expected)

    model.save_parameters(str(tmp_path / "digits.parms"))
    other = image_model()
    other.load_parameters(str(tmp_path / "digits.parms"))
    np.testing.assert_array_equal(other.predict(X_test), expected)

    model.save(str(tmp_path / "digits.model"))
    other = Model.load(str(tmp_path / "digits.model"))
    np.testing.assert_array_equal(other.predict(X_test), expected)
    capsys.readouterr()
    other.train(X, y, epochs=1, batch_size=128)
    assert "training, acc: " in capsys.readouterr().out


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = image_model()
    model.save_parameters(str(tmp_path / "a"))
    with pytest.raises(FileFormatError, match=r"expected 'chainrule\.book model 1'"):
        Model.load(str(tmp_path / "a"))
    with pytest.raises(FileFormatError, match="there is no such file"):
        model.load_parameters(str(tmp_path / "b"))
    small = Model()
    small.add(Layer_Dense(2, 3))
    small.finalize()
    with pytest.raises(FileFormatError, match="expected"):
        small.load_parameters(str(tmp_path / "a"))


def test_the_data_of_the_helper_package() -> None:
    X, y = spiral_data(samples=100, classes=3)
    assert X.dtype == np.float32
    assert y.dtype == np.uint8
    assert str(X[1]) == "[0.00299556 0.00964661]"
    assert str(X[99]) == "[-0.7005848  -0.71356916]"
    assert str(Layer_Dense(2, 3).weights.ravel()[:3]) == "[-0.01306527  0.01658131 -0.00118164]"
    X, y = vertical_data(samples=200, classes=3)
    assert X.shape == (600, 2)
    assert np.abs(X[400:].mean(axis=0) - [2 / 3, 0.5]).max() < 0.02
    X, y = sine_data(samples=10)
    np.testing.assert_array_equal(y, np.sin(2 * np.pi * np.arange(10).reshape(-1, 1) / 10))


def test_init_starts_the_stream_again() -> None:
    first = Layer_Dense(2, 3).weights
    nnfs.init()
    np.testing.assert_array_equal(Layer_Dense(2, 3).weights, first)


# Where the book is wrong


def test_the_gradient_of_the_mean_absolute_error_has_the_right_sign() -> None:
    loss = Loss_MeanAbsoluteError()
    predictions, targets = np.array([[0.5, 2.0]]), np.array([[1.0, 1.0]])
    loss.backward(predictions, targets)
    np.testing.assert_array_equal(loss.dinputs, [[-0.5, 0.5]])


@pytest.mark.parametrize("kind", [Loss_CategoricalCrossentropy, Loss_BinaryCrossentropy])
def test_a_probability_of_zero_gives_a_large_and_finite_gradient(kind: Any) -> None:
    loss = kind()
    loss.backward(np.array([[0.0, 1.0]]), np.array([[1, 0]]))
    assert np.isfinite(loss.dinputs).all()
    assert loss.dinputs[0, 0] < -1e6


# The stateful details that programs lean on


def test_dropout_scales_what_it_keeps_and_passes_everything_in_inference() -> None:
    layer, X = Layer_Dropout(0.25), np.ones((1000, 4))
    output = layer.forward(X, True)
    assert set(np.unique(output)) == {0.0, 1 / 0.75}
    assert abs(output.mean() - 1) < 0.05
    np.testing.assert_array_equal(layer.backward(np.ones_like(X)), output)
    np.testing.assert_array_equal(layer.forward(X, False), X)


def test_regularization_is_in_the_loss_and_in_the_gradient_with_the_books_derivative_at_zero() -> None:
    layer = Layer_Dense(1, 3, weight_regularizer_l1=0.1, weight_regularizer_l2=0.2, bias_regularizer_l1=0.3)
    layer.weights = np.array([[1.0, -2.0, 0.0]], dtype=np.float32)
    layer.forward(np.zeros((1, 1), dtype=np.float32))
    layer.backward(np.zeros((1, 3), dtype=np.float32))
    np.testing.assert_allclose(layer.dweights, [[0.1 + 0.4, -0.1 - 0.8, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(layer.dbiases, [[0.3, 0.3, 0.3]], rtol=1e-6)
    assert Loss_MeanSquaredError().regularization_loss(layer) == pytest.approx(0.1 * 3 + 0.2 * 5)


def test_separate_and_combined_gradients_agree() -> None:
    rng = np.random.default_rng(0)
    both, softmax = Activation_Softmax_Loss_CategoricalCrossentropy(), Activation_Softmax()
    loss, z, y = Loss_CategoricalCrossentropy(), rng.normal(size=(5, 4)).astype(np.float32), np.array([0, 1, 2, 3, 0])
    both.forward(z, y)
    both.backward(both.output, y)
    loss.backward(softmax.forward(z), y)
    np.testing.assert_allclose(softmax.backward(loss.dinputs), both.dinputs, atol=1e-7)
    both.backward(both.output, np.eye(4)[y])
    np.testing.assert_allclose(both.dinputs, softmax.dinputs, atol=1e-7)


def test_errors_name_the_layer_and_the_labels() -> None:
    with pytest.raises(ShapeError, match=r"Dense\(2, 3\): expected inputs of shape \(B, 2\), received \(B, 5\)"):
        Layer_Dense(2, 3).forward(np.zeros((1, 5)))
    with pytest.raises(DataError, match="class indices must lie in"):
        Loss_CategoricalCrossentropy().calculate(np.array([[0.5, 0.5]]), np.array([2]))


def test_one_import_brings_every_name_that_programs_use() -> None:
    program = "from chainrule.book import *\nnnfs.init()\nX, y = spiral_data(samples=1, classes=1)\n" + "\n".join(
        book.__all__
    )
    exec(program, {})


def test_whole_numbers_go_through_softmax_and_sigmoid_as_in_the_book() -> None:
    assert str(Activation_Softmax().forward(np.array([[1, 2, 3]]))) == "[[0.09003057 0.24472847 0.66524096]]"
    assert str(Activation_Sigmoid().forward(np.array([[0, 1]]))) == "[[0.5        0.73105858]]"


# One stream with the program's own calls


def test_the_programs_own_random_numbers_stand_in_one_stream_with_the_layers() -> None:
    nnfs.init()
    own = np.random.randn(2)  # noqa: NPY002
    weights = Layer_Dense(2, 1).weights
    after = np.random.randn()  # noqa: NPY002
    stream = np.random.RandomState(0).randn(5)
    np.testing.assert_array_equal(own, stream[:2])
    np.testing.assert_allclose(weights.ravel(), 0.01 * stream[2:4], rtol=1e-6)
    assert after == stream[4]


def test_a_seed_of_the_programs_own_is_respected_without_init() -> None:
    np.random.seed(7)  # noqa: NPY002
    first = Layer_Dense(2, 3).weights, spiral_data(10, 2)[0], Layer_Dropout(0.5).forward(np.ones((3, 3)))
    np.random.seed(7)  # noqa: NPY002
    again = Layer_Dense(2, 3).weights, spiral_data(10, 2)[0], Layer_Dropout(0.5).forward(np.ones((3, 3)))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    nnfs.init(random_seed=None)
    assert np.random.randn() != np.random.RandomState(0).randn()  # noqa: NPY002


def test_arithmetic_is_numpy_as_the_helper_package_leaves_it() -> None:
    np_ = book.arithmetic
    assert (np_.zeros((1, 2)).dtype, np_.eye(2).dtype, np_.random.randn(2, 1).dtype) == (np.float32,) * 3
    assert np_.zeros(2, dtype="uint8").dtype == np.uint8
    assert np_.dot([[0.1]], [[0.1]]).dtype == np.float32
    assert np_.random.randint is np.random.randint


# Accuracies


ANSWERS = np.array([1, 0, 1, 1])


@pytest.mark.parametrize("predictions", [ANSWERS, ANSWERS.reshape(-1, 1)], ids=["vector", "column"])
@pytest.mark.parametrize("targets", [ANSWERS, ANSWERS.reshape(-1, 1)], ids=["vector", "column"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_column_and_a_vector_of_targets_are_the_same_to_the_accuracy(
    predictions: Any, targets: Any, binary: bool
) -> None:
    accuracy = Accuracy_Categorical(binary=binary)
    targets = targets.copy()
    targets[0] = 0
    assert accuracy.calculate(predictions, targets) == 0.75
    assert accuracy.calculate_accumulated() == 0.75
    regression = Accuracy_Regression()
    regression.init(targets)
    assert regression.calculate(predictions, targets) == regression.calculate_accumulated() == 0.75


def test_several_answers_for_each_sample_count_one_each() -> None:
    accuracy = Accuracy_Categorical(binary=True)
    assert accuracy.calculate(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]])) == 0.75
    assert accuracy.calculate_accumulated() == 0.75


@pytest.mark.parametrize("accuracy", [Accuracy_Categorical(), Accuracy_Categorical(binary=True), Accuracy_Regression()])
def test_targets_of_another_shape_are_refused_with_both_shapes(accuracy: Any) -> None:
    accuracy.init(np.ones(4))
    with pytest.raises(ShapeError, match=r"predictions have shape \(4, 2\) and the targets \(4,\)"):
        accuracy.calculate(np.ones((4, 2)), np.ones(4))
    with pytest.raises(ShapeError, match=r"\(3,\) and the targets \(4,\)"):
        accuracy.calculate(np.ones(3), np.ones(4))


# Layers of the program's own in the Model


class OwnDense:
    """As a learner writes it: returns nothing, knows no `training`, has no regularizers."""

    def __init__(self, n_inputs: int, n_neurons: int) -> None:
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons).astype(np.float32)  # noqa: NPY002
        self.biases = np.zeros((1, n_neurons), np.float32)

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = book.arithmetic.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues: Any) -> None:
        self.dweights = book.arithmetic.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = book.arithmetic.dot(dvalues, self.weights.T)


class SetInInit(Layer_Dense):
    """A subclass that only sets its weights."""

    def __init__(self, n_inputs: int, n_neurons: int) -> None:
        self.biases = np.zeros((1, n_neurons), np.float32)
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons).astype(np.float32)  # noqa: NPY002


class Returning(Layer_Dense):
    """A subclass without `training`."""

    def forward(self, inputs: Any) -> Any:  # type: ignore[override]
        return super().forward(inputs)


class Factor:
    """Learns an array of another name."""

    def __init__(self) -> None:
        self.factor = np.ones((1, 1), np.float32)

    def forward(self, inputs: Any, *, training: bool) -> Any:
        self.seen = training
        self.inputs, self.output = inputs, inputs * self.factor

    def backward(self, dvalues: Any) -> Any:
        self.dfactor = np.sum(dvalues * self.inputs, keepdims=True)
        return dvalues * self.factor


def spiral_model(dense: Any, *between: Any) -> Model:
    model = Model()
    for layer in (dense(2, 8), Activation_ReLU(), *between, dense(8, 3), Activation_Softmax()):
        model.add(layer)
    model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(0.05), accuracy=Accuracy_Categorical())
    model.finalize()
    return model


@pytest.mark.parametrize("dense", [OwnDense, SetInInit, Returning])
def test_a_layer_of_the_programs_own_prints_what_the_books_does(dense: Any, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for kind in (Layer_Dense, dense):
        nnfs.init()
        X, y = spiral_data(50, 3)
        spiral_model(kind).train(X, y, epochs=20, validation_data=(X, y))
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "loss: 1.0" in printed[0]


def test_what_a_layer_of_the_programs_own_learns_by_another_name_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    factor = Factor()
    model = spiral_model(Layer_Dense, factor)
    X, y = spiral_data(50, 3)
    model.train(X, y, epochs=3)
    assert factor.factor != 1
    assert factor.seen is True
    assert factor in model.trainable_layers
    model.evaluate(X, y)
    assert factor.seen is False


class Forgetful(OwnDense):
    def backward(self, dvalues: Any) -> None:
        self.dinputs = dvalues @ self.weights.T


class Silent(OwnDense):
    def forward(self, inputs: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("dense", "says"),
    [(Forgetful, "Forgetful has weights and no dweights"), (Silent, "Silent.forward returned nothing")],
)
def test_a_layer_that_cannot_be_trained_is_named_and_never_skipped(
    dense: Any, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = spiral_data(5, 3)
    with pytest.raises(ConfigurationError, match=says):
        spiral_model(dense).train(X, y)


def test_a_frozen_layer_stays_and_an_activation_has_nothing_to_update() -> None:
    layer = Layer_Dense(2, 2).freeze()
    before = layer.weights.copy()
    layer.forward(np.ones((1, 2)))
    layer.backward(np.ones((1, 2)))
    Optimizer_SGD().update_params(layer)
    np.testing.assert_array_equal(layer.weights, before)
    with pytest.raises(ConfigurationError, match="Activation_ReLU has no weights to update"):
        Optimizer_SGD().update_params(Activation_ReLU())


def test_a_class_of_the_programs_own_is_not_written_as_another(tmp_path: Path) -> None:
    model = spiral_model(Returning)
    with pytest.raises(ConfigurationError, match="Returning is a class of your program"):
        model.save(str(tmp_path / "m"))
    model.save_parameters(str(tmp_path / "p"))
    other = spiral_model(OwnDense)
    other.load_parameters(str(tmp_path / "p"))
    X, _ = spiral_data(5, 3)
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-6)


# Chapters


def test_the_chapters_differ_where_the_book_does(tmp_path: Path) -> None:
    from chainrule.book import chapter17, chapter18

    weights = [book.Layer_Dense(1, 1).weights]
    nnfs.init()
    weights.append(chapter17.Layer_Dense(1, 1).weights)
    np.testing.assert_allclose(weights[1], 10 * weights[0], rtol=1e-6)
    for chapter in (chapter17, chapter18):
        assert set(chapter.__all__) == set(book.__all__)
        assert {name for name in book.__all__ if getattr(chapter, name) is not getattr(book, name)} == {
            "Layer_Dense" if chapter is chapter17 else "Model"
        }
    model = Model()
    model.add(chapter17.Layer_Dense(1, 1))
    model.finalize()
    model.save(str(tmp_path / "m"))
    np.testing.assert_array_equal(Model.load(str(tmp_path / "m")).layers[0].weights, model.layers[0].weights)


def test_one_line_gives_the_video_series_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Layer_Dense, "weight_scale", 0.10)
    np.testing.assert_allclose(Layer_Dense(1, 2).weights, [[0.17640524, 0.04001572]], rtol=1e-6)


# Files of the book's own code


def pickled(tmp_path: Path, content: Any, protocol: int = 4) -> str:
    (tmp_path / "parameters").write_bytes(pickle.dumps(content, protocol))
    return str(tmp_path / "parameters")


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_parameters_that_the_books_code_pickled_are_read(tmp_path: Path, protocol: int, dtype: str) -> None:
    model = spiral_model(Layer_Dense)
    rng = np.random.default_rng(0)
    arrays = [tuple(rng.normal(size=a.shape).astype(dtype) for a in pair) for pair in model.get_parameters()]
    arrays[0] = np.asfortranarray(arrays[0][0]), arrays[0][1]
    model.load_parameters(pickled(tmp_path, arrays, protocol))
    for own, given in zip(model.get_parameters(), arrays, strict=True):
        for one, other in zip(own, given, strict=True):
            np.testing.assert_array_equal(one, other)


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("run!",))


REFUSED = {
    "code": ([(Evil(),)], "builtins.print"),
    "a class": ([(np.ones((2, 8)), Path("x"))], "pathlib"),
    "text": (["weights"], "a str"),
    "objects": ([(np.array([None]),)], "no numbers"),
    "too few": ([(np.ones((2, 8)), np.zeros((1, 8)))], "1 entries"),
    "another shape": ([(np.ones((3, 8)), np.zeros((1, 8))), (np.ones((8, 3)), np.zeros((1, 3)))], r"shape \(3, 8\)"),
}


@pytest.mark.parametrize(("content", "says"), REFUSED.values(), ids=REFUSED)
def test_anything_else_in_a_pickle_is_refused_and_nothing_runs(
    tmp_path: Path, content: Any, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = spiral_model(Layer_Dense)
    before = [a.copy() for pair in model.get_parameters() for a in pair]
    with pytest.raises(FileFormatError, match=says):
        model.load_parameters(pickled(tmp_path, content))
    assert capsys.readouterr().out == ""
    for one, other in zip(before, (a for pair in model.get_parameters() for a in pair), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cut", [2, 20, 100])
def test_a_damaged_pickle_is_refused(tmp_path: Path, cut: int) -> None:
    model = spiral_model(Layer_Dense)
    path = pickled(tmp_path, model.get_parameters())
    Path(path).write_bytes(Path(path).read_bytes()[:cut])
    with pytest.raises(FileFormatError, match="pickle"):
        model.load_parameters(path)


def test_a_whole_pickled_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    model = spiral_model(Layer_Dense)
    path = pickled(tmp_path, model)
    with pytest.raises(FileFormatError, match=r"a whole model that pickle wrote.*save_parameters"):
        Model.load(path)
    with pytest.raises(FileFormatError, match=r"chainrule.book.model.Model.*save_parameters"):
        model.load_parameters(path)
