"""The recipe: how a dense network is put together and trained where nobody says otherwise.

`chainrule train`, the estimators of `chainrule.sklearn` and `fit(..., epochs="auto")` read the same lines. They were
chosen by `benchmarks/tables.py`, on one half of its tables.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from . import layers
from .errors import ConfigurationError, UnknownNameError
from .graph import snake_case
from .initializers import Glorot, He, Initializer
from .layer import Layer
from .optimizers import Adam, AdamW, Optimizer
from .penalties import Penalty
from .training.callback import Callback
from .training.callbacks import EarlyStopping

__all__ = [
    "ACTIVATIONS",
    "ENOUGH",
    "EPOCHS",
    "HELD_OUT",
    "HIDDEN_FOR_CLASSES",
    "HIDDEN_FOR_VALUES",
    "PATIENCE",
    "RATE",
    "RATE_FOR_VALUES",
    "TOLERANCE",
    "activation",
    "batch_size_for",
    "dense_network",
    "epochs_for",
    "held_out_of",
    "initializer_for",
    "optimizer_for",
    "stopping",
]

HIDDEN_FOR_CLASSES, HIDDEN_FOR_VALUES = (100,), (100, 100)  # neurons of the hidden layers
RATE, RATE_FOR_VALUES = 0.001, 0.002  # of Adam
DECAY, DECAY_TIMES_SAMPLES = 0.5, 600  # weight decay of classes: at most the first, and the second over the samples
EPOCHS = 500  # at most, or what makes 2,000 steps
PATIENCE = 50  # epochs without a better loss, after which training ends
TOLERANCE = 1e-4  # by which the training loss must fall to be better, where no samples are held out
HELD_OUT = 0.1  # of the samples, whose loss says when to stop
ENOUGH = 100  # samples from which on a part is held out
_STEPS = 2000
_LEAST_BATCH, _MOST_BATCH, _STEPS_AN_EPOCH = 32, 200, 200

ACTIVATIONS: Mapping[str, type[Layer]] = {
    snake_case(kind.__name__): kind
    for kind in (
        layers.ReLU,
        layers.LeakyReLU,
        layers.ELU,
        layers.GELU,
        layers.SiLU,
        layers.Softplus,
        layers.Sigmoid,
        layers.Tanh,
        layers.Linear,
    )
}
_ALSO = {"logistic": "sigmoid", "identity": "linear", "swish": "silu"}


def batch_size_for(samples: int) -> int:
    """The samples in a step: a 200th of all, at least 32 and at most 200.

    >>> batch_size_for(1000), batch_size_for(10_000), batch_size_for(1_000_000)
    (32, 50, 200)
    """
    return max(1, min(samples, max(samples // _STEPS_AN_EPOCH, _LEAST_BATCH), _MOST_BATCH))


def epochs_for(samples: int, batch_size: int) -> int:
    """The epochs at most: 500, or more where few samples make few steps.

    >>> epochs_for(1000, 32), epochs_for(64, 32)
    (500, 1000)
    """
    return max(EPOCHS, -(-_STEPS // -(-samples // batch_size)))


def held_out_of(samples: int) -> float:
    """The part of so many samples that is held out, and says when to stop: a tenth, or nothing of fewer than 100."""
    return HELD_OUT if samples >= ENOUGH else 0.0


def stopping(validates: bool, patience: int = PATIENCE, tolerance: float = TOLERANCE) -> Callback:
    """What ends the training: by the loss of samples held out, with the best parameters; else by the training loss.

    >>> stopping(True)
    EarlyStopping(monitor='val_loss', mode='auto', min_delta=0.0, patience=50, restore_best=True)
    """
    if validates:
        return EarlyStopping("val_loss", patience=patience)
    return EarlyStopping("loss", patience=patience, min_delta=tolerance, restore_best=False)


def optimizer_for(classes: bool, samples: int, rate: Any = RATE, **settings: Any) -> Optimizer:
    """Adam for values, AdamW for classes; its weight decay is 0.5, and less from 1,200 samples on: 600 over them.

    >>> optimizer_for(True, 300).weight_decay, optimizer_for(True, 6000).weight_decay
    (0.5, 0.1)
    """
    if not classes:
        return Adam(rate, **settings)
    return AdamW(rate, weight_decay=min(DECAY, DECAY_TIMES_SAMPLES / max(1, samples)), **settings)


def activation(named: str | Layer) -> Layer:
    """The activation of this name, new; a layer is copied. Raises `UnknownNameError`.

    >>> activation("tanh"), activation("logistic")
    (Tanh(), Sigmoid())
    """
    if isinstance(named, Layer):
        return copy.deepcopy(named)
    known = _ALSO.get(str(named).lower(), str(named).lower())
    if known not in ACTIVATIONS:
        raise UnknownNameError("activation", named, ACTIVATIONS)
    return ACTIVATIONS[known]()


def initializer_for(after: Layer | None) -> Initializer:
    """How weights start before this activation; None is for the last layer, whose scores go to the loss.

    He's, which are larger, before GELU and SiLU, whose slope at 0 is a half; else Glorot's, which predicted better on
    tables before ReLU too.

    >>> initializer_for(layers.ReLU()), initializer_for(layers.GELU())
    (Glorot(distribution='normal'), He(distribution='normal'))
    """
    return He() if isinstance(after, layers.GELU | layers.SiLU) else Glorot()


def dense_network(
    sizes: Sequence[int],
    activations: str | Layer | Sequence[str | Layer] = "relu",
    *,
    dropout: float | Sequence[float] = 0.0,
    penalty: Penalty | None = None,
) -> list[Layer]:
    """Dense layers of these sizes with an activation after each but the last, whose scores go to the loss.

    `sizes` begins with the number of inputs and ends with that of outputs. `activations` and `dropout` are one for all
    hidden layers or one for each; dropout of 0 adds no layer. `penalty` goes to all weights and to no biases. Raises
    `ConfigurationError` for lists of another length.

    >>> [type(layer).__name__ for layer in dense_network([2, 8, 3], "tanh", dropout=0.2)]
    ['Dense', 'Tanh', 'Dropout', 'Dense']
    """
    hidden = len(sizes) - 2
    chosen = [activation(one) for one in _for_each(activations, hidden, "activations", (str, Layer))]
    rates = _for_each(dropout, hidden, "dropout rates", (int, float))
    penalties: dict[str, Penalty | tuple[Penalty, ...]] = {} if penalty is None else {"weights": penalty}
    network: list[Layer] = []
    for index, (n_inputs, n_neurons) in enumerate(itertools.pairwise(sizes)):
        after = chosen[index] if index < hidden else None
        start: Any = initializer_for(after)
        network.append(layers.Dense(n_inputs, n_neurons, initializer=start, penalties=penalties))
        if after is not None:
            network.append(after)
            network += [layers.Dropout(rates[index])] if rates[index] else []
    return network


def _for_each(value: Any, count: int, what: str, one: tuple[type, ...]) -> list[Any]:
    """The value for each hidden layer. Raises `ConfigurationError` where there are more or fewer of them."""
    if isinstance(value, one):
        return [value] * count
    values = list(value)
    if len(values) != count:
        raise ConfigurationError(
            f"There are {count} hidden layers and {len(values)} {what}; give one for each, or one for all."
        )
    return values
