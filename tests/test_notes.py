"""The ledger: every output printed in the notebook on the book's backpropagation chapter, cell by cell.

Each test names its cell as the notebook numbers it, and holds the numbers as they were printed there. The one timing,
cell [8] of the combined gradient, is a benchmark: benchmarks/softmax_crossentropy.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from chainrule import SGD, CategoricalCrossentropy, Dense, ReLU, Softmax, SoftmaxCrossentropy, Value, book
from chainrule.layers.softmax import softmax_jacobian, softmax_jacobian_terms

DVALUES = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])  # (3,3)
INPUTS = np.array([[1, 2, 3, 2.5], [2.0, 5.0, -1.0, 2], [-1.5, 2.7, 3.3, -0.8]])  # (3,4)
WEIGHTS = np.array([[0.2, 0.8, -0.5, 1], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]).T  # (4,3)
BIASES = np.array([[2, 3, 0.5]])  # (1,3)
Z = np.array([[1, 2, -3, -4], [2, -7, -1, 3], [-1, 2, 5, -1]])  # (3,4)
RELU_DVALUES = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])  # (3,4)
PROBABILITIES = np.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]])  # (3,3)
TARGETS = np.array([0, 1, 1])


@pytest.fixture(autouse=True)
def plain_numpy() -> Iterator[None]:
    """The notebook's cells before the helper package's init() run on plain NumPy in float64."""
    book.init(dot_precision_workaround=False, default_dtype="float64")
    yield
    book.init(dot_precision_workaround=False, default_dtype="float64")


def dense() -> Dense:
    """The notebook's layer of three neurons with four inputs."""
    layer = Dense(4, 3)
    layer.weights, layer.biases = WEIGHTS.copy(), BIASES.copy()
    return layer


class Neuron:
    """The notebook's neuron, multiplication by multiplication."""

    def __init__(self, weights: list[float], bias: float) -> None:
        self.x = [Value(x, f"x{i}") for i, x in enumerate([1.0, -2.0, 3.0])]
        self.w = [Value(w, f"w{i}") for i, w in enumerate(weights)]
        self.b = Value(bias, "b")
        self.products = [x * w for x, w in zip(self.x, self.w, strict=True)]
        self.z = self.products[0] + self.products[1] + self.products[2] + self.b
        self.y = self.z.relu()
        self.y.backward()


def test_cells_1_and_7_the_neurons_derivatives() -> None:
    neuron = Neuron([-3.0, -1.0, 2.0], 1.0)
    assert f"Next Layer times Relu: {neuron.z.grad}" == "Next Layer times Relu: 1.0"
    sums = [p.grad for p in neuron.products] + [neuron.b.grad]
    assert "Next Layer, RelU, and sum: {} {} {} {}".format(*sums) == "Next Layer, RelU, and sum: 1.0 1.0 1.0 1.0"
    pairs = [f"{x.grad} {w.grad}" for x, w in zip(neuron.x, neuron.w, strict=True)]
    assert f"Full wrt inputs, weights: {' '.join(pairs)}" == "Full wrt inputs, weights: -3.0 1.0 -1.0 -2.0 2.0 3.0"
    assert f"wrt bias {neuron.b.grad}" == "wrt bias 1.0"


def test_cell_8_one_step_takes_the_neuron_from_6_to_5_985() -> None:
    before = Neuron([-3.0, -1.0, 2.0], 1.0)
    assert [w.data for w in before.w] == [-3.0, -1.0, 2.0]
    assert before.y.data == 6
    after = Neuron([w.data + -0.001 * w.grad for w in before.w], before.b.data + -0.001 * before.b.grad)
    assert f"New weights {[w.data for w in after.w]} {after.b.data}" == "New weights [-3.001, -0.998, 1.997] 0.999"
    assert f"New Output {after.y.data}" == "New Output 5.985"


@pytest.mark.parametrize("cell", ["In [1], summed by hand", "In [17], as a dot product"])
def test_cells_1_and_17_gradient_of_a_layers_inputs_for_one_sample(cell: str) -> None:
    layer = dense()
    layer.inputs = INPUTS[:1]
    assert str(layer.backward(DVALUES[:1])[0]) == "[ 0.44 -0.38 -0.07  1.37]"


def test_cell_18_gradient_of_a_layers_inputs_for_a_batch() -> None:
    layer = dense()
    layer.inputs = INPUTS
    assert str(layer.backward(DVALUES)) == (
        "[[ 0.44 -0.38 -0.07  1.37]\n [ 0.88 -0.76 -0.14  2.74]\n [ 1.32 -1.14 -0.21  4.11]]"
    )


def test_cell_22_gradient_of_the_weights() -> None:
    layer = dense()
    layer.inputs = INPUTS
    layer.backward(DVALUES)
    assert str(layer.dweights) == "[[ 0.5  0.5  0.5]\n [20.1 20.1 20.1]\n [10.9 10.9 10.9]\n [ 4.1  4.1  4.1]]"


def test_cell_29_gradient_of_the_biases() -> None:
    layer = dense()
    layer.inputs = INPUTS
    layer.backward(DVALUES)
    assert str(layer.dbiases) == "[[6. 6. 6.]]"


def test_cell_31_the_local_derivative_of_relu_and_the_chain_rule() -> None:
    layer = ReLU()
    layer.forward(Z)
    assert str(layer.backward(np.ones_like(Z))) == "[[1 1 0 0]\n [1 0 0 1]\n [0 1 1 0]]"
    assert str(layer.backward(RELU_DVALUES)) == "[[ 1  2  0  0]\n [ 5  0  0  8]\n [ 0 10 11  0]]"


def test_cell_32_relu_in_one_step() -> None:
    layer = book.Activation_ReLU()
    layer.forward(Z)
    layer.backward(RELU_DVALUES)
    assert str(layer.dinputs) == "[[ 1  2  0  0]\n [ 5  0  0  8]\n [ 0 10 11  0]]"


def test_cell_34_weights_and_biases_after_a_step_of_a_layer_with_relu() -> None:
    layer, relu = dense(), ReLU()
    output = relu.forward(layer.forward(INPUTS))
    layer.backward(relu.backward(output))  # the notebook minimizes the output itself
    parameters, _ = SGD(0.001).update(
        np,
        0,
        {"weights": layer.weights, "biases": layer.biases},
        {"weights": layer.dweights, "biases": layer.dbiases},
        {},
    )
    assert str(parameters["weights"]) == (
        "[[ 0.179515   0.5003665 -0.262746 ]\n [ 0.742093  -0.9152577 -0.2758402]\n"
        " [-0.510153   0.2529017  0.1629592]\n [ 0.971328  -0.5021842  0.8636583]]"
    )
    assert str(parameters["biases"]) == "[[1.98489  2.997739 0.497389]]"


def test_cell_28_the_jacobian_of_softmax_in_three_matrices() -> None:
    output = PROBABILITIES[0]
    assert str(output.reshape(-1, 1)) == "[[0.7]\n [0.1]\n [0.2]]"
    first, second = softmax_jacobian_terms(output)
    assert str(np.eye(3)) == "[[1. 0. 0.]\n [0. 1. 0.]\n [0. 0. 1.]]"
    assert str(first) == "[[0.7 0.  0. ]\n [0.  0.1 0. ]\n [0.  0.  0.2]]"
    assert str(second) == "[[0.49 0.07 0.14]\n [0.07 0.01 0.02]\n [0.14 0.02 0.04]]"
    assert str(softmax_jacobian(output)) == "[[ 0.21 -0.07 -0.14]\n [-0.07  0.09 -0.02]\n [-0.14 -0.02  0.16]]"


def test_cell_28_is_what_the_softmax_layers_own_backward_pass_holds() -> None:
    np.testing.assert_allclose(
        Softmax().jacobian(np.log(PROBABILITIES)), softmax_jacobian(PROBABILITIES), rtol=0, atol=1e-15
    )


CELL_5 = (
    "[[-0.1         0.03333333  0.06666667]\n [ 0.03333333 -0.16666667  0.13333333]\n"
    " [ 0.00666667 -0.03333333  0.02666667]]"
)


def test_cell_5_combined_gradient_with_the_books_class() -> None:
    both = book.Activation_Softmax_Loss_CategoricalCrossentropy()
    both.backward(PROBABILITIES, TARGETS)
    assert str(both.dinputs) == CELL_5


def test_cell_5_separate_gradients_with_the_books_classes() -> None:
    activation, loss = book.Activation_Softmax(), book.Loss_CategoricalCrossentropy()
    activation.output = PROBABILITIES
    loss.backward(PROBABILITIES, TARGETS)
    activation.backward(loss.dinputs)
    assert str(activation.dinputs) == CELL_5


def test_cell_5_combined_gradient_with_the_librarys_pair() -> None:
    loss = SoftmaxCrossentropy()
    targets, shares = loss.prepare(TARGETS, PROBABILITIES.shape)
    gradients = loss.pure_backward(np, shares, PROBABILITIES, targets)
    assert str(gradients["dpredictions"]) == CELL_5


def test_cell_5_separate_gradients_with_the_librarys_pairs() -> None:
    loss, softmax = CategoricalCrossentropy(), Softmax()
    targets, shares = loss.prepare(TARGETS, PROBABILITIES.shape)
    softmax.output = PROBABILITIES
    dinputs = softmax.backward(loss.pure_backward(np, shares, PROBABILITIES, targets)["dpredictions"])
    assert str(dinputs) == CELL_5


def test_cell_16_the_whole_network_on_spiral_data_to_the_last_printed_digit(capsys: pytest.CaptureFixture[str]) -> None:
    book.init()
    X, y = book.spiral_data(samples=100, classes=3)
    dense1, activation1, dense2 = book.Layer_Dense(2, 3), book.Activation_ReLU(), book.Layer_Dense(3, 3)
    loss_activation = book.Activation_Softmax_Loss_CategoricalCrossentropy()
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    loss = loss_activation.forward(dense2.output, y)
    print(loss_activation.output[:5])
    print("loss:", loss)
    print("acc:", np.mean(np.argmax(loss_activation.output, axis=1) == y))
    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)
    for gradient in (dense1.dweights, dense1.dbiases, dense2.dweights, dense2.dbiases):
        print(gradient)
    assert capsys.readouterr().out == (
        "[[0.33333334 0.33333334 0.33333334]\n"
        " [0.33333316 0.3333332  0.33333364]\n"
        " [0.33333287 0.3333329  0.33333418]\n"
        " [0.3333326  0.33333263 0.33333477]\n"
        " [0.33333233 0.3333324  0.33333528]]\n"
        "loss: 1.0986104\n"
        "acc: 0.34\n"
        "[[ 1.5766358e-04  7.8368575e-05  4.7324404e-05]\n"
        " [ 1.8161036e-04  1.1045571e-05 -3.3096316e-05]]\n"
        "[[-3.6055347e-04  9.6611722e-05 -1.0367142e-04]]\n"
        "[[ 5.4410957e-05  1.0741142e-04 -1.6182236e-04]\n"
        " [-4.0791339e-05 -7.1678100e-05  1.1246944e-04]\n"
        " [-5.3011299e-05  8.5817286e-05 -3.2805994e-05]]\n"
        "[[-1.0732794e-05 -9.4590941e-06  2.0027626e-05]]\n"
    )
