"""What `chainrule train` begins with, for data sets whose shape asks for more than the usual network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["STARTS", "Start", "start_for"]


@dataclass(frozen=True)
class Start:
    """A network and its training: neurons of the hidden layers with commas, activation, epochs, learning rate, batch.

    None is what the recipe says; with `decays` the rate falls to 0 over the whole run, by half a cosine.
    """

    layers: str | None = None
    activation: str = "relu"
    epochs: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    decays: bool = False


# A row for each set that the usual start does not learn.
STARTS: Mapping[str, Start] = {
    "spiral": Start("64,64,64", "gelu", 80, 0.01, 32, decays=True),
    "sine": Start("64,64", "tanh", 80, 0.02, 32, decays=True),
}


def start_for(name: str) -> Start:
    """What to begin with for a data set of this name, or a file.

    >>> start_for("sine").activation, start_for("flowers.csv").layers
    ('tanh', None)
    """
    return STARTS.get(name, Start())
