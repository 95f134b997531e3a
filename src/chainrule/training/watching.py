"""What the gradients of a run say of it: layers that they do not reach, and units that have died."""

from __future__ import annotations

from ..columns import DEAD, GRADIENT_NORM, Column
from ..layer import Layer
from .history import History

__all__ = ["notes"]

_VANISHING = 1e-6


def notes(history: History, network: Layer) -> list[str]:
    """What the last epoch says, in words: dead units, vanishing gradients. Empty where all is well.

    >>> from chainrule import Dense, ReLU, Sequential
    >>> network = Sequential(Dense(2, 4), ReLU(), Dense(4, 1))
    >>> last = {"epoch": 9, "gradient_norm.dense_0": 1e-9, "gradient_norm.dense_1": 0.1, "dead.relu_0": 0.75}
    >>> for note in notes(History([last]), network): print(note)
    relu_0: 75 % of its units are dead, 0 for every sample of the last epoch: no gradient reaches their weights.
        Lower the learning rate, or use LeakyReLU.
    dense_0: its gradient is 1e-08 of that of dense_1, it vanishes on the way down. Use He() weights, a normalization
        layer, or skip connections with Add.
    """
    last = [(Column.of(name), value) for name, value in history.last.items()]
    found = []
    for column, share in last:
        if column.quantity == DEAD and share >= 0.5:
            found.append(
                f"{column.node}: {share:.0%} of its units are dead, 0 for every sample of the last epoch: no gradient "
                "reaches their weights. Lower the learning rate, or use LeakyReLU.".replace("%", " %", 1)
            )
    norms = {column.node: norm for column, norm in last if column.quantity == GRADIENT_NORM}
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
