"""What gradients look like while a network trains: their size in each layer, and units that have died.

It is measured every `STEPS_BETWEEN` steps at most, so that it costs a few percent of a run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..columns import DEAD, GRADIENT_NORM, Column
from ..layer import Arrays, Context, Layer
from ..layers import ReLU
from .history import History
from .run import Run
from .steps import Epoch

__all__ = ["STEPS_BETWEEN", "closer_look", "notes"]

STEPS_BETWEEN = 64  # a closer look costs one or two steps
_SAMPLES = 256
_VANISHING = 1e-6


def closer_look(run: Run, X: NDArray[np.floating], epoch: Epoch) -> dict[str, float]:
    """The gradient norm of each layer in the last step, and the share of dead units of each ReLU.

    Columns `gradient_norm.<node>` hold √Σg² over a node's parameters; `dead.<node>` the share of units whose output is
    0 for every one of the samples looked at (at most 256, spread over X).
    """
    squares: dict[str, float] = {}
    for name, square in epoch.gradient_squares().items():
        node = name.rpartition(".")[0]
        squares[node] = squares.get(node, 0.0) + square
    looked = {Column(GRADIENT_NORM, node=node).name: float(np.sqrt(total)) for node, total in squares.items()}
    relus = [leaf.name for leaf in run.network.flat if isinstance(leaf.layer, ReLU)]
    if relus:
        record: dict[str, Arrays] = {}
        rows = np.linspace(0, len(X) - 1, min(_SAMPLES, len(X))).astype(int)
        run.network.forward_pass(np, X[rows], run.values, Context(training=False, record=record))
        for name in relus:
            active = (record[name]["output"] > 0).any(axis=0)  # (B,N) -> (N,)
            looked[Column(DEAD, node=name).name] = float(np.mean(~active))
    return looked


def notes(history: History, network: Layer) -> list[str]:
    """What the last closer look says, in words: dead units, vanishing gradients. Empty where all is well.

    >>> from chainrule import Dense, ReLU, Sequential
    >>> network = Sequential(Dense(2, 4), ReLU(), Dense(4, 1))
    >>> last = {"epoch": 9, "gradient_norm.dense_0": 1e-9, "gradient_norm.dense_1": 0.1, "dead.relu_0": 0.75}
    >>> for note in notes(History([last]), network): print(note)
    relu_0: 75 % of its units are dead, 0 for every sample looked at: no gradient reaches their weights. Lower the
        learning rate, or use LeakyReLU.
    dense_0: its gradient is 1e-08 of that of dense_1, it vanishes on the way down. Use He() weights, a normalization
        layer, or skip connections with Add.
    """
    looked = [{Column.of(name): value for name, value in record.items()} for record in history.records]
    last = next((record for record in reversed(looked) if any(column.node for column in record)), {})
    found = []
    for column, share in last.items():
        if column.quantity == DEAD and share >= 0.5:
            found.append(
                f"{column.node}: {share:.0%} of its units are dead, 0 for every sample looked at: no gradient reaches "
                "their weights. Lower the learning rate, or use LeakyReLU.".replace("%", " %", 1)
            )
    norms = {column.node: norm for column, norm in last.items() if column.quantity == GRADIENT_NORM}
    trainable = {name.rpartition(".")[0] for name in network.trainable_names()}
    trained = [node for node in norms if node in trainable]
    if len(trained) > 1:
        first, largest = trained[0], max(trained, key=lambda node: norms[node])
        if norms[largest] > 0 and norms[first] < _VANISHING * norms[largest]:
            found.append(
                f"{first}: its gradient is {norms[first] / norms[largest]:.0e} of that of {largest}, it vanishes on "
                "the way down. Use He() weights, a normalization layer, or skip connections with Add."
            )
    return found
