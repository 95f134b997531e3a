"""How a dense network is put together: the same rules for the shell and for the estimators."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from . import initializers, layers
from .errors import ConfigurationError, UnknownNameError
from .graph import snake_case
from .initializers import Initializer
from .layer import Layer
from .penalties import Penalty

__all__ = ["ACTIVATIONS", "activation", "dense_network"]

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


def activation(named: str | Layer) -> Layer:
    """The activation of this name, new; a layer is copied. Raises `UnknownNameError`.

    >>> activation("tanh"), activation("logistic")
    (Tanh(), Sigmoid())
    """
    if isinstance(named, Layer):
        import copy

        return copy.deepcopy(named)
    known = _ALSO.get(str(named).lower(), str(named).lower())
    if known not in ACTIVATIONS:
        raise UnknownNameError("activation", named, ACTIVATIONS)
    return ACTIVATIONS[known]()


def dense_network(
    sizes: Sequence[int],
    activations: str | Layer | Sequence[str | Layer] = "relu",
    *,
    dropout: float | Sequence[float] = 0.0,
    initializer: Initializer | None = None,
    penalty: Penalty | None = None,
) -> list[Layer]:
    """Dense layers of these sizes with an activation after each but the last, whose scores go to the loss.

    `sizes` begins with the number of inputs and ends with that of outputs. `activations` and `dropout` are one for all
    hidden layers or one for each; dropout of 0 adds no layer. Weights start as `initializer` says, by default
    Glorot's; `penalty` goes to all weights and to no biases. Raises `ConfigurationError` for lists of another length.

    >>> [type(layer).__name__ for layer in dense_network([2, 8, 3], "tanh", dropout=0.2)]
    ['Dense', 'Tanh', 'Dropout', 'Dense']
    """
    hidden = len(sizes) - 2
    chosen = _for_each(activations, hidden, "activations", (str, Layer))
    rates = _for_each(dropout, hidden, "dropout rates", (int, float))
    start: Any = initializers.Glorot() if initializer is None else initializer
    penalties: dict[str, Penalty | tuple[Penalty, ...]] = {} if penalty is None else {"weights": penalty}
    network: list[Layer] = []
    for index, (n_inputs, n_neurons) in enumerate(itertools.pairwise(sizes)):
        network.append(layers.Dense(n_inputs, n_neurons, initializer=start, penalties=penalties))
        if index < hidden:
            network.append(activation(chosen[index]))
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
