"""Explains random numbers of random networks and compares each with an independent derivative.

    python scripts/fuzz_explain.py --graphs 1000 --seed 0

Each graph is a line of random layers with forks and joins, a random loss, sample weights, class weights, smoothing and
penalties. One random number of it is explained. The independent derivative is a central difference of the loss in
extended precision, extrapolated; the printed sums are added up again. Exit code 1 where anything disagrees.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections import Counter
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.errors import ChainruleError, DerivationError
from chainrule.explaining.render.digits import shown_line
from chainrule.explaining.render.spans import cells
from chainrule.layer import Context

EXACT = np.longdouble
LAYERS = ("dense", "relu", "leaky", "tanh", "sigmoid", "softplus", "silu", "elu", "norm", "batch", "softmax", "dropout")
JOINS = ("add", "multiply", "concatenate")


def random_graph(rng: np.random.Generator) -> tuple[cr.Graph, cr.Loss, int]:
    """A graph, a loss that fits its outputs, and the number of inputs."""
    inputs, width = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    nodes: list[tuple[str, Any, Any]] = [("n0", dense(rng, inputs, width), "inputs")]
    widths = {"n0": width}
    for i in range(1, int(rng.integers(2, 7))):
        before, name = nodes[-1][0], f"n{i}"
        kind = str(rng.choice(LAYERS + JOINS))
        if kind in JOINS:
            other = str(rng.choice([n for n, w in widths.items() if w == widths[before]]))
            layer: Any = {"add": cr.Add, "multiply": cr.Multiply, "concatenate": cr.Concatenate}[kind]()
            nodes.append((name, layer, (before, other)))
            widths[name] = widths[before] * (2 if kind == "concatenate" else 1)
            continue
        size = int(rng.integers(1, 5)) if kind == "dense" else widths[before]
        nodes.append((name, made(rng, kind, widths[before], size), before))
        widths[name] = size
    outputs = int(rng.integers(1, 4))
    nodes.append(("last", dense(rng, widths[nodes[-1][0]], outputs), nodes[-1][0]))
    loss = random_loss(rng, outputs)
    if isinstance(loss, cr.CategoricalCrossentropy):
        nodes.append(("probabilities", cr.Softmax(), "last"))
    if isinstance(loss, cr.BinaryCrossentropy):
        nodes.append(("probabilities", cr.Sigmoid(), "last"))
    return cr.Graph(nodes), loss, inputs


def dense(rng: np.random.Generator, inputs: int, neurons: int) -> cr.Dense:
    """A dense layer, one in five with a penalty."""
    penalties = {"weights": cr.L2(0.01)} if rng.random() < 0.2 else {}
    return cr.Dense(inputs, neurons, penalties=penalties)


def made(rng: np.random.Generator, kind: str, inputs: int, size: int) -> Any:
    """A layer of a kind."""
    if kind == "dense":
        return dense(rng, inputs, size)
    simple = {"relu": cr.ReLU, "tanh": cr.Tanh, "sigmoid": cr.Sigmoid, "softplus": cr.Softplus, "silu": cr.SiLU}
    simple |= {"elu": cr.ELU, "softmax": cr.Softmax}
    other = {"leaky": lambda: cr.LeakyReLU(0.1), "norm": lambda: cr.LayerNorm(inputs)}
    other |= {"batch": lambda: cr.BatchNorm(inputs), "dropout": lambda: cr.Dropout(0.3)}
    return (simple | other)[kind]()


def random_loss(rng: np.random.Generator, outputs: int) -> cr.Loss:
    """A loss that outputs of this number fit."""
    reduction = str(rng.choice(["mean", "sum"]))
    smoothing = float(rng.choice([0.0, 0.1]))
    weights = tuple(float(w) for w in rng.uniform(0.5, 2.0, outputs)) if rng.random() < 0.3 else None
    options: dict[str, Any] = {"reduction": reduction}
    if outputs > 1 and rng.random() < 0.5:
        kind = cr.SoftmaxCrossentropy if rng.random() < 0.7 else cr.CategoricalCrossentropy
        return kind(label_smoothing=smoothing, class_weights=weights, **options)
    kinds = [cr.MeanSquaredError, cr.MeanAbsoluteError, cr.Huber, cr.SigmoidCrossentropy, cr.BinaryCrossentropy]
    return kinds[int(rng.integers(len(kinds)))](**options)


def random_data(rng: np.random.Generator, network: cr.Graph, loss: cr.Loss, inputs: int) -> dict[str, Any]:
    """Samples, targets, parameters, state and weights."""
    samples = int(rng.integers(1, 7))
    scale = float(rng.choice([0.3, 1.0, 3.0, 10.0]))
    parameters = {n: rng.normal(size=s) * scale for n, s in network.parameter_shapes().items()}
    state = {n: np.abs(rng.normal(size=s)) + 0.5 for n, s in network.state_shapes().items()}
    X = rng.normal(size=(samples, inputs))
    outputs = int(network.output_shape((inputs,))[-1])
    if isinstance(loss, cr.SoftmaxCrossentropy | cr.CategoricalCrossentropy):
        y: Any = rng.integers(0, outputs, samples)
    elif loss.metric == "mean_absolute_error":
        y = rng.normal(size=(samples, outputs))
    else:
        y = rng.integers(0, 2, (samples, outputs)).astype(float)
    weights = rng.uniform(0.1, 3.0, samples) if rng.random() < 0.3 else None
    return {"X": X, "y": y, "parameters": parameters, "state": state, "sample_weights": weights}


def loss_at(
    network: cr.Graph, loss: cr.Loss, case: dict[str, Any], training: bool, name: str, place: Any, h: Any
) -> Any:
    """The loss in extended precision with one number moved by h."""
    values = {n: a.astype(EXACT) for n, a in (case["parameters"] | case["state"]).items()}
    X = case["X"].astype(EXACT)
    (X if name == "inputs" else values[name])[place] += h
    shape = (len(X), *network.output_shape(X.shape[1:]))
    targets, shares = loss.prepare(case["y"], shape, case["sample_weights"])
    output, _, _ = network.forward_pass(np, X, values, Context(training, 0))
    losses, _ = loss.forward_pass(np, output, targets.astype(EXACT))
    total = np.sum(losses * shares[:, 0])
    for of, terms in network.penalty_terms().items():
        total += sum(term.run_forward(np, {"parameter": values[of]})[0] for term in terms)
    return total


def independent(network: cr.Graph, loss: cr.Loss, case: dict[str, Any], training: bool, name: str, place: Any) -> Any:
    """The derivative and how far its steps differ: two central differences, extrapolated."""
    slopes = []
    for h in (EXACT(2e-5), EXACT(1e-5)):
        above, below = (loss_at(network, loss, case, training, name, place, s * h) for s in (1, -1))
        slopes.append((above - below) / (2 * h))
    return float(slopes[1] + (slopes[1] - slopes[0]) / 3), float(abs(slopes[1] - slopes[0]))


def is_clipped(network: cr.Graph, loss: cr.Loss, case: dict[str, Any], training: bool) -> bool:
    """Whether the loss clips a probability: its gradient there is a convention, not the derivative."""
    clip = getattr(loss, "clip", None)
    if clip is None:
        return False
    p, _, _ = network.forward_pass(np, case["X"], case["parameters"] | case["state"], Context(training, 0))
    return bool(np.any((p < clip) | (p > 1 - clip)))


def printed_sums(one: cr.Explanation) -> tuple[int, int]:
    """How many printed sums there are, and how many do not add up to their printed value."""
    wrong = 0
    for step in one.steps:
        shown = shown_line(step)
        unit = 10.0 ** (math.floor(math.log10(abs(shown.value))) - 5) if shown.value else 1e-12
        unit += 1e-15 * sum(abs(term.product) + abs(term.upstream_gradient) for term in step.terms)  # what cancels
        wrong += not (abs(shown.recalculated - shown.value) <= 1.01 * unit or math.isnan(shown.recalculated))
    return len(one.steps), wrong


def main() -> int:
    """Runs, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    sums = wrong_sums = 0
    for i in range(arguments.graphs):
        rng = np.random.default_rng([arguments.seed, i])
        network, loss, inputs = random_graph(rng)
        case = random_data(rng, network, loss, inputs)
        training = bool(rng.random() < 0.5)
        name = str(rng.choice([*network.parameters, "inputs"]))
        shape = case["X"].shape if name == "inputs" else case["parameters"][name].shape
        place = tuple(int(rng.integers(size)) for size in shape)
        where = f"graph {i}, {name}{list(place)}, {'training' if training else 'inference'}"
        with np.errstate(all="ignore"):
            slope, spread = independent(network, loss, case, training, name, place)
        try:
            one = cr.explain(network, loss, name=name, index=place, training=training, points=0, **case)
        except DerivationError as error:
            counts["refused"] += 1
            print(f"{where}: {error}")
            continue
        except ChainruleError as error:
            counts["no number to explain"] += 1
            print(f"{where}: {error}") if not re.search("finite", str(error)) else None
            continue
        texts = (one.to_text(80), one.to_text(120, full=True), one.to_html(), one.to_json())
        if max(map(cells, texts[0].splitlines())) > 80:
            counts["wider than 80"] += 1
        found = printed_sums(one)
        if found[1]:
            print(f"{where}: {found[1]} printed sums do not add up")
        sums, wrong_sums = sums + found[0], wrong_sums + found[1]
        close = abs(one.value - slope) <= 1e-6 * abs(slope) + 10 * spread + 1e-11 * max(1.0, abs(one.loss))
        kink = any(w.agrees is None and "kink" in w.note for w in one.witnesses)
        clipped = is_clipped(network, loss, case, training)
        verdict = "agreed" if close else "at a kink or clipped" if kink or clipped else "disagreed"
        counts[verdict] += 1
        counts["cannot tell"] += any(w.agrees is None and w.value is not None for w in one.witnesses)
        if not one.agrees:
            counts["accused"] += 1
            print(f"{where}: accused, {one.witnesses}")
        if verdict == "disagreed":
            print(f"{where}: explained {one.value!r}, independent {slope!r} ± {spread:.1g}")
    print(f"{arguments.graphs} graphs: {dict(counts)}; {sums:,} printed sums, {wrong_sums} do not add up")
    return int(any(counts[bad] for bad in ("disagreed", "accused", "refused", "wider than 80")) or wrong_sums > 0)


if __name__ == "__main__":
    sys.exit(main())
