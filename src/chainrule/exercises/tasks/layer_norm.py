"""Layer normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import layers
from ..exercise import Exercise, Mistake, Problem, Solved, literal, product, total, whole

SOLUTION = '''\
def layernorm_forward(inputs, gamma, beta):
    """inputs: (B,N). gamma, beta: (1,N)."""
    mean = np.mean(inputs, axis=1, keepdims=True)  # (B,1)
    std = np.sqrt(np.mean((inputs - mean) ** 2, axis=1, keepdims=True) + 1e-5)  # (B,1)
    return gamma * (inputs - mean) / std + beta  # (B,N)


def layernorm_backward(dvalues, inputs, gamma, beta):
    """dvalues: dL/d(output), (B,N)."""
    mean = np.mean(inputs, axis=1, keepdims=True)  # (B,1)
    std = np.sqrt(np.mean((inputs - mean) ** 2, axis=1, keepdims=True) + 1e-5)  # (B,1)
    xhat = (inputs - mean) / std  # (B,N)
    d = dvalues * gamma  # ? dL/d(xhat), (B,N)
    common = np.mean(d, axis=1, keepdims=True) + xhat * np.mean(d * xhat, axis=1, keepdims=True)  # -
    dinputs = (d - common) / std  # ? (B,N)
    dgamma = np.sum(dvalues * xhat, axis=0, keepdims=True)  # ? (1,N)
    dbeta = np.sum(dvalues, axis=0, keepdims=True)  # ? (1,N)
    return dinputs, dgamma, dbeta
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    samples, features = int(rng.integers(2, 6)), int(rng.integers(6, 9))
    x, gamma, beta = (rng.normal(size=shape) for shape in ((samples, features), (1, features), (1, features)))
    d = rng.normal(size=(samples, features))
    return {"layernorm_forward": (x, gamma, beta), "layernorm_backward": (d, x, gamma, beta)}


def sheet(rng: np.random.Generator) -> Problem:
    std, mean = float(rng.choice([1, 2, 4])), float(rng.integers(-3, 4))
    x = mean + std * rng.permutation([-1.0, -1.0, 1.0, 1.0])
    d, gamma = whole(rng, 4, most=4), rng.permutation([1.0, 1.0, 2.0, -1.0])
    layer = layers.LayerNorm(4, epsilon=1e-30)
    _, kept = layer.pure_forward(np, x[None], gamma[None], np.zeros((1, 4)))
    found = layer.pure_backward(np, d[None], kept["normalized"], kept["inverse_std"], gamma[None])
    xhat, e = kept["normalized"][0], d * gamma
    both, four = (np.mean(e), np.mean(e * xhat)), range(4)
    deviations = total(f"({literal(v)} - {literal(mean)})**2" for v in x)
    into = [
        ("mu", f"({total(map(literal, x))})/4"),
        ("s", f"sqrt(({deviations})/4)"),
    ]
    behind = [
        *((f"e[{n}]", product(d[n], gamma[n])) for n in four),
        ("p", f"({total(map(literal, e))})/4"),
        ("q", f"({total(product(e[n], xhat[n]) for n in four)})/4"),
    ]
    of_x = [(f"dx[{n}]", f"({literal(e[n])} - {literal(both[0])} - {product(xhat[n], both[1])})/{std:g}") for n in four]
    of_xhat = [(f"xhat[{n}]", f"({literal(x[n])} - {literal(mean)})/{std:g}") for n in four]
    return Problem(
        {"x": x, "gamma": gamma, "d": d},
        (
            Solved("xhat", xhat, (*into, *of_xhat)),
            Solved("dgamma", found["dgamma"][0], tuple((f"dgamma[{n}]", product(d[n], xhat[n])) for n in four)),
            Solved("dx", found["dinputs"][0], (*behind, *of_x)),
        ),
    )  # fmt: skip


_DINPUTS = "(d - common) / std"
EXERCISE = Exercise(
    name="layer_norm",
    title="Layer normalization",
    task="""Layer normalization shifts and scales the numbers of each sample so that their mean is 0 and their
    deviation 1,
    xhat = (inputs - mean)/std, and then stretches them by gamma and moves them by beta, one of each for every feature.

    Write the gradients. That of the inputs is the work: an input moves its own xhat, and with the mean and with the
    deviation of its sample it moves all the others too. You may want lines in between.""",
    by_hand="""
        inputs = [[1, 1, 3, 3]]: mean 2, std 1, xhat = [[-1, -1, 1, 1]]; gamma = 1, beta = 0
        dvalues = [[4, 0, 0, 0]]
        dinputs = [[2, -2, 0, 0]], which adds up to 0, and so does its product with xhat
        dgamma = [[-4, 0, 0, 0]]      dbeta = [[4, 0, 0, 0]]
    """,
    solution=SOLUTION,
    outputs={"layernorm_forward": ("output",), "layernorm_backward": ("dinputs", "dgamma", "dbeta")},
    cases=cases,
    mistakes=(
        Mistake("statistics_constant", _DINPUTS, "d / std",
                "You hold something still that moves with every input.",
                "Two numbers are computed from the whole sample before xhat. Each is a road from an input to the "
                "loss."),
        Mistake("std_constant", _DINPUTS, "(d - np.mean(d, axis=1, keepdims=True)) / std",
                "You have followed one of two roads through the sample.",
                "The shift is done. What else was computed from all the inputs of the sample?"),
        Mistake("gamma_missing", "d = dvalues * gamma", "d = dvalues",
                "The stretching is missing on the way back.",
                "On the way forward something is multiplied after xhat; on the way back it is the first thing to "
                "meet."),
        Mistake("wrong_axis", "np.mean(d, axis=1, keepdims=True) + xhat * np.mean(d * xhat, axis=1, keepdims=True)",
                "np.mean(d, axis=0, keepdims=True) + xhat * np.mean(d * xhat, axis=0, keepdims=True)",
                "Samples see each other in your code.",
                "Over which axis were mean and deviation taken? That would be batch normalization."),
        Mistake("mean_for_sum", "np.sum(dvalues * xhat, axis=0, keepdims=True)",
                "np.mean(dvalues * xhat, axis=0, keepdims=True)",
                "The numbers are too small, by the number of samples.",
                "One gamma serves all the samples: their shares are put together as for a bias."),
        Mistake("beta_mean", "np.sum(dvalues, axis=0, keepdims=True)", "np.mean(dvalues, axis=0, keepdims=True)",
                "The numbers are too small, by the number of samples.",
                "One beta serves all the samples. It is a bias."),
        Mistake("gamma_of_inputs", "np.sum(dvalues * xhat, axis=0, keepdims=True)",
                "np.sum(dvalues * inputs, axis=0, keepdims=True)",
                "gamma multiplies something else than you think.",
                "Look at the last line of the forward pass: what stands beside gamma?"),
        Mistake("std_missing", "(d - common) / std", "d - common  ",
                "A factor is missing for each row.",
                "In forward each entry is divided by something: what does that do to its slope?"),
        Mistake("std_multiplied", "(d - common) / std", "(d - common) * std",
                "A factor for each row is upside down.",
                "In forward each entry is divided by something: what does that do to its slope?"),
    ),
    idea="Begin with dbeta and dgamma, which are simple. Then test dinputs: each row of it must add up to 0.",
    more="There are three roads from an input to the loss: through its own xhat, through the mean, through the "
    "deviation.",
    sheet=sheet,
    sheet_task="Layer normalization of one sample of four features, with ε = 0 and β = 0; d is the gradient that "
    "comes from "
    "behind. Compute x̂, dL/dγ and dL/dx. (The solution calls μ the mean of x and s its deviation, e = d·γ, p the "
    "mean of e, "
    "q that of e·x̂.)",
    pair="layernorm",
)  # fmt: skip
