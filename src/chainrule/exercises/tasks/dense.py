"""The dense layer: the gradients of its inputs, its weights and its biases one by one, and all of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import layers
from ..exercise import Exercise, Mistake, Problem, Solved, product, total, whole

SOLUTION = '''\
def dense_forward(inputs, weights, biases):
    return np.dot(inputs, weights) + biases  # (B,I)(I,N) + (1,N) -> (B,N)


def dense_backward(dvalues, inputs, weights, biases):
    """dvalues: dL/d(output), (B,N). inputs: (B,I). weights: (I,N). biases: (1,N)."""
    dinputs = np.dot(dvalues, weights.T)  # ? (B,I)
    dweights = np.dot(inputs.T, dvalues)  # ? (I,N)
    dbiases = np.sum(dvalues, axis=0, keepdims=True)  # ? (1,N)
    return dinputs, dweights, dbiases
'''
OUTPUTS = {"dense_forward": ("output",), "dense_backward": ("dinputs", "dweights", "dbiases")}
LINES = {
    "dinputs": "np.dot(dvalues, weights.T)",
    "dweights": "np.dot(inputs.T, dvalues)",
    "dbiases": "np.sum(dvalues, axis=0, keepdims=True)",
}


def only(name: str) -> str:
    """The solution in which one line is asked for, and the others are there."""
    return "\n".join(line if f"    {name} =" in line else line.replace("# ?", "#") for line in SOLUTION.split("\n"))


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    samples, inputs, neurons = (int(n) for n in rng.choice([2, 3, 4, 5, 6], 3, replace=False))
    x, w, b = rng.normal(size=(samples, inputs)), rng.normal(size=(inputs, neurons)), rng.normal(size=(1, neurons))
    d = rng.normal(size=(samples, neurons))
    return {"dense_forward": (x, w, b), "dense_backward": (d, x, w, b)}


def wanted(name: str, rng: np.random.Generator) -> tuple[dict[str, Any], Solved]:
    """The numbers of a problem, and the answer for one of the three gradients."""
    x, w, d = whole(rng, 2, 2), whole(rng, 2, 3), whole(rng, 2, 3, most=2)
    value = layers.Dense(2, 3).pure_backward(np, d, x, w)[name]
    terms: dict[str, Callable[[int, int], list[str]]] = {
        "dinputs": lambda b, i: [product(d[b, n], w[i, n]) for n in range(3)],
        "dweights": lambda i, n: [product(x[b, i], d[b, n]) for b in range(2)],
        "dbiases": lambda _, n: [product(d[b, n], 1) for b in range(2)],
    }
    steps = tuple((f"{name}[{r},{c}]", total(terms[name](r, c))) for r, c in np.ndindex(*value.shape))
    return {"inputs": x, "weights": w, "dvalues": d}, Solved(name, value, steps)


def sheet(*names: str) -> Callable[[np.random.Generator], Problem]:
    """Problems that ask for these gradients of one layer."""

    def drawn(rng: np.random.Generator) -> Problem:
        state = rng.bit_generator.state
        answers = []
        for name in names:
            rng.bit_generator.state = state
            given, answer = wanted(name, rng)
            answers.append(answer)
        needed = {"dinputs": ("weights", "dvalues"), "dweights": ("inputs", "dvalues"), "dbiases": ("dvalues",)}
        kept = {each for name in names for each in needed[name]}
        return Problem({name: value for name, value in given.items() if name in kept}, tuple(answers))

    return drawn


MISTAKES = {
    "dinputs": (
        Mistake("missing_upstream", LINES["dinputs"], "np.dot(np.ones_like(dvalues), weights.T)",
                "It is right when all that comes from behind is 1, and only then.",
                "Each wire carries a gradient back from its own neuron. Whose numbers have you used instead?"),
        Mistake("mean_over_neurons", LINES["dinputs"], "np.dot(dvalues, weights.T) / dvalues.shape[1]",
                "The numbers are too small, by the number of neurons.",
                "An input feeds all the neurons, and moves the loss through each of them: are these effects averaged?"),
        Mistake("wrong_sign", LINES["dinputs"], "-np.dot(dvalues, weights.T)",
                "The sizes are right, the direction is not.",
                "A gradient points uphill. Going downhill is the optimizer's work, and comes later."),
        Mistake("wires_summed", LINES["dinputs"],
                "np.sum(dvalues, axis=1, keepdims=True) * np.sum(weights, axis=1, keepdims=True).T",
                "You add up before you multiply.",
                "Each neuron's gradient belongs with the weight of that neuron's own wire. When may they be added?"),
    ),
    "dweights": (
        Mistake("batch_mean", LINES["dweights"], "np.dot(inputs.T, dvalues) / len(dvalues)",
                "The numbers are too small, by the number of samples.",
                "Who divides by the number of samples, and has it not been done already when dvalues arrives?"),
        Mistake("one_sample", LINES["dweights"], "np.outer(inputs[0], dvalues[0])",
                "It is right for a batch of one sample.",
                "The same weight is used for each sample of the batch. What becomes of the other samples' say?"),
        Mistake("missing_upstream", LINES["dweights"], "np.dot(inputs.T, np.ones_like(dvalues))",
                "It is right when all that comes from behind is 1, and only then.",
                "Two arrays meet at a weight: what came in at its start, and what comes back at its end."),
        Mistake("wrong_sign", LINES["dweights"], "-np.dot(inputs.T, dvalues)",
                "The sizes are right, the direction is not.",
                "A gradient points uphill. Going downhill is the optimizer's work, and comes later."),
        Mistake("means_multiplied", LINES["dweights"], "np.mean(inputs, axis=0)[:, None] * np.mean(dvalues, axis=0)",
                "You put the samples together before you multiply.",
                "Each sample's gradient belongs with that sample's own input. When may they be added?"),
    ),
    "dbiases": (
        Mistake("mean_for_sum", LINES["dbiases"], "np.mean(dvalues, axis=0, keepdims=True)",
                "The numbers are too small, by the number of samples.",
                "One bias serves all the samples. Frayed wires make one cable: are they averaged in it?"),
        Mistake("wrong_axis", LINES["dbiases"], "np.sum(dvalues, axis=1, keepdims=True)",
                "You put together what belongs to different neurons.",
                "Rows are samples, columns are neurons: of which is there one bias each?"),
        Mistake("total_sum", LINES["dbiases"], "np.sum(dvalues) * np.ones_like(biases)",
                "All your neurons get the same number.",
                "Rows are samples, columns are neurons: which of the two should be left at the end?"),
        Mistake("one_sample", LINES["dbiases"], "dvalues[:1]",
                "It is right for a batch of one sample.",
                "The bias is used for every sample of the batch. What becomes of the other samples' say?"),
        Mistake("slope_alone", LINES["dbiases"], "np.ones_like(biases)",
                "That is the slope of the output by the bias. Is it the gradient of the loss?",
                "Something arrives from behind, for each sample, and never enters this line."),
        Mistake("largest", LINES["dbiases"], "np.max(dvalues, axis=0, keepdims=True)",
                "In each entry only one sample has a say.",
                "The bias is used for every sample. What becomes of the others' say?"),
    ),
}  # fmt: skip

_TASKS = {
    "dinputs": (
        "inputs", "The gradient of the inputs",
        """A dense layer computes output = inputs · weights + biases. From behind comes dvalues, dL/d(output). Write
        dL/d(inputs): each input feeds every neuron, along a wire of its own weight, so that along every wire a share
        comes back.

        No loop is needed, though one is allowed.""",
        """
        dvalues = [[1, 2, -1]]             one sample, three neurons
        weights = [[2, 1, 3], [0, 1, 1]]   two inputs
        dinputs[0,0] = 1·2 + 2·1 + (-1)·3 = 1
        dinputs[0,1] = 1·0 + 2·1 + (-1)·1 = 1
        """,
        "Write the shapes below each other: (B,N), (I,N), and what you want, (B,I). Which index must vanish?",
        "An index vanishes by being summed over. For one input of one sample, follow each of its wires.",
        "A dense layer, output = inputs·weights + biases. Compute the gradient of its inputs.",
    ),
    "dweights": (
        "weights", "The gradient of the weights",
        """A dense layer computes output = inputs · weights + biases, for a batch of B samples. From behind comes
        dvalues,
        dL/d(output). Write dL/d(weights).

        One weight is used once for each sample. Each use has its own share in the loss, and they are added up.""",
        """
        inputs = [[1, 2], [3, -1]]     two samples, two inputs
        dvalues = [[1], [2]]           one neuron
        dweights[0,0] = 1·1 + 3·2 = 7
        dweights[1,0] = 2·1 + (-1)·2 = 0      the two samples cancel
        """,
        "Write the shapes below each other: (B,I), (B,N), and what you want, (I,N). Which index must vanish?",
        "For one weight and one sample it is a product of two numbers. Then think of all the samples.",
        "A dense layer, output = inputs·weights + biases, and a batch of two samples. Compute the gradient of its "
        "weights.",
    ),
    "dbiases": (
        "biases", "The gradient of the biases",
        """A dense layer computes output = inputs · weights + biases. The biases are one row, and this row is added to
        the row of every sample. Write dL/d(biases), as a row, (1,N).""",
        """
        dvalues = [[1, 2], [3, -1], [0, 5]]     three samples, two neurons
        dbiases = [[4, 6]]
        """,
        "The result is one row, with an entry for each neuron. What happens to the samples?",
        "One row was copied to all the samples on the way forward. On the way back, what becomes of the copies?",
        "A dense layer, output = inputs·weights + biases. Compute the gradient of its biases.",
    ),
}  # fmt: skip


def _one(output: str) -> Exercise:
    name, title, task, by_hand, idea, more, sheet_task = _TASKS[output]
    return Exercise(
        name=name, title=title, task=task, by_hand=by_hand, solution=only(output), outputs=OUTPUTS, cases=cases,
        mistakes=MISTAKES[output], idea=idea, more=more, sheet=sheet(output), sheet_task=sheet_task, pair="dense",
    )  # fmt: skip


INPUTS, WEIGHTS, BIASES = _one("dinputs"), _one("dweights"), _one("dbiases")
DENSE = Exercise(
    name="dense",
    title="A dense layer, backward",
    task="""All three gradients of a dense layer, output = inputs · weights + biases. Each has the shape of what it is
    the
    gradient of: that alone leaves little choice.""",
    by_hand="""
        inputs = [[1, 2]], weights = [[3], [4]], biases = [[0]], dvalues = [[10]]
        dinputs = [[30, 40]]      dweights = [[10], [20]]      dbiases = [[10]]
    """,
    solution=SOLUTION,
    outputs=OUTPUTS,
    cases=cases,
    mistakes=(*MISTAKES["dinputs"], *MISTAKES["dweights"], *MISTAKES["dbiases"]),
    idea="Compare the shape that you have with the shape that you want, letter by letter: B, I, N.",
    more="Take a batch of one sample and a layer of one neuron, and write the numbers out. Then let B grow.",
    sheet=sheet("dinputs", "dweights", "dbiases"),
    sheet_task="A dense layer, output = inputs·weights + biases. Compute all three gradients.",
    pair="dense",
)
