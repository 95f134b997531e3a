"""A program of the book's kind beside the library: each row changes one thing, and the comparison names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.comparing import compare
from chainrule.errors import ChainruleError, FileFormatError

PROGRAM = """
import numpy as np
import nnfs
from nnfs.datasets import spiral_data

nnfs.init()

class Layer_Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases
    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)

class Loss_MeanSquaredError:
    def forward(self, y_pred, y_true):
        return np.mean((y_true - y_pred) ** 2, axis=-1)
    def backward(self, dvalues, y_true):
        self.dinputs = -2 * (y_true - dvalues) / len(dvalues[0])
        self.dinputs = self.dinputs / len(dvalues)

X, y = spiral_data(samples=100, classes=3)
dense, loss = Layer_Dense(2, 3), Loss_MeanSquaredError()
dense.forward(X)
print(dense.output[:3])
loss.backward(dense.output, np.ones((300, 3)))
dense.backward(loss.dinputs)
print('gradients', dense.dweights)
"""
SOFTMAX = """
import numpy as np, nnfs
nnfs.init()
class Activation_Softmax:
    def forward(self, inputs):
        e = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = e / np.sum(e, axis=1, keepdims=True)
softmax = Activation_Softmax()
softmax.forward(np.random.randn(4000, 3))
print(softmax.output.astype('float64').sum(), softmax.output[:, 0].astype('float64').sum())
"""
DIFFERENT = {
    "weight scale": (PROGRAM, "0.01 *", "0.1 *"),
    "dtype": (PROGRAM, "nnfs.init()", "np.random.seed(0)"),
    "order of sums": (PROGRAM, "np.dot(inputs, self.weights)", "inputs @ self.weights"),
    "batch mean": (PROGRAM, "        self.dinputs = self.dinputs / len(dvalues)\n", ""),
    "seed": (PROGRAM, "nnfs.init()", "nnfs.init(random_seed=None)\nprint(np.random.randn(3))"),
    "exp": (SOFTMAX, "", ""),
}


AGREEING = {"batch mean": 3}  # lines before the first that differs


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    return tmp_path / "mine.py"


def test_a_program_that_does_as_the_book_does_is_the_same(tmp_path: Path) -> None:
    found = compare(written(tmp_path, PROGRAM))
    assert found.same
    assert str(found) == "mine.py prints what the library prints: 5 lines, 2 classes replaced."


@pytest.mark.parametrize("cause", DIFFERENT)
def test_the_cause_of_the_first_difference_is_named(tmp_path: Path, cause: str) -> None:
    text, old, new = DIFFERENT[cause]
    assert old in text
    found = compare(written(tmp_path, text.replace(old, new, 1) if old else text))
    assert not found.same
    assert found.cause == cause
    assert f"Likely cause, {cause}: " in str(found)
    assert found.agreeing == AGREEING.get(cause, 0)
    assert found.own != found.reference


def test_a_program_without_init_that_prints_the_same_in_float64_is_told_so(tmp_path: Path) -> None:
    found = compare(written(tmp_path, PROGRAM.replace("nnfs.init()", "np.random.seed(0)")))
    assert "In float64 the library prints what your program does." in str(found)
    one_line = "import numpy as np\nclass Layer_Dense:\n    pass\nprint(np.arange(3) / 2)\n"
    assert compare(written(tmp_path, one_line)).same


def test_a_difference_without_a_usual_cause_is_not_given_one(tmp_path: Path) -> None:
    found = compare(written(tmp_path, PROGRAM.replace("+ self.biases", "+ self.biases + 1")))
    assert found.cause is None
    assert "chainrule check mine.py" in str(found)
    assert found.number == 1


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="defines none of the book's classes"):
        compare(written(tmp_path, "print(1)"))
    with pytest.raises(FileFormatError, match="no Python program"):
        compare(written(tmp_path, "print(1"))
    with pytest.raises(ChainruleError, match=r"fails by itself: NameError"):
        compare(written(tmp_path, "class Layer_Dense: pass\nundefined"))
    with pytest.raises(ChainruleError, match=r"prints nothing: there is nothing to compare"):
        compare(written(tmp_path, "class Layer_Dense: pass"))


def test_classes_that_a_program_imports_from_files_of_its_own_are_replaced_too(tmp_path: Path) -> None:
    wrong = PROGRAM.replace("np.sum(dvalues, axis=0, keepdims=True)", "np.mean(dvalues, axis=0, keepdims=True)")
    (tmp_path / "layers.py").write_text(wrong.partition("X, y =")[0] + "def scaled(x): return 2 * x\n")
    program = tmp_path / "mine.py"
    program.write_text(
        "import numpy as np\nfrom layers import Layer_Dense as Dense, scaled\n"
        "dense = Dense(1, 1)\ndense.inputs = np.ones((2, 1))\ndense.backward(np.ones((2, 1)))\n"
        "print(scaled(1.0))\nprint(dense.dbiases)\n"
    )
    found = compare(program)
    assert found.program.replaced == ("Layer_Dense",) and found.agreeing == 1
    assert (found.own, found.reference) == ("[[1.]]", "[[2.]]")


def test_a_program_that_ends_in_an_error_is_compared_up_to_there(tmp_path: Path) -> None:
    program = tmp_path / "mine.py"
    program.write_text(PROGRAM + "\nloss.calculate\nprint(1)\n")
    found = compare(program)
    assert found.number is None and found.cause is None and "calculate" in str(found.own)
    assert "mine.py fails there by itself" in str(found)


def test_an_endless_program_is_compared_as_far_as_it_came(tmp_path: Path) -> None:
    found = compare(written(tmp_path, f"{PROGRAM}\nimport time\ntime.sleep(600)\n"), seconds=6)
    assert found.same
    assert not found.finished
    assert "in the time given" in str(found)
