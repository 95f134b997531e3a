"""The dense layer: every neuron reads every input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ConfigurationError, ShapeError, UnknownNameError
from ..fixed import Fixed
from ..initializers import He, Initializer, Zeros
from ..layer import Declared, Layer, Shape, format_shape, whole_number
from ..limits import FEATURES, require_number
from ..penalties import Penalty

__all__ = ["Dense"]


@dataclass(eq=False)
class Dense(Layer):
    """output = inputs · weights + biases.

    Shapes: inputs (B, I), weights (I, N), biases (1, N), output (B, N). One column of `weights` is one neuron.
    The gradients: dinputs = dvalues · weightsᵀ sums over the neurons that an input feeds; dweights = inputsᵀ · dvalues
    and dbiases sum over the samples of the batch.

    Weights start as `initializer` says (`He()` by default), biases at zero; with `bias=False` there are none and
    output = inputs · weights. `penalties` maps "weights" or "biases" to
    `L1(rate)`, `L2(rate)` or a tuple of them. Raises `ShapeError` for inputs with another number of features.

    >>> import numpy as np
    >>> layer = Dense(3, 1)
    >>> layer.weights, layer.biases = np.array([[-3.0], [-1.0], [2.0]]), np.array([[1.0]])
    >>> layer.forward(np.array([[1.0, -2.0, 3.0]]))            # -3·1 - 1·(-2) + 2·3 + 1
    array([[6.]])
    >>> layer.backward(np.array([[1.0]]))                       # the weights, for dL/d(output) = 1
    array([[-3., -1.,  2.]])
    >>> layer.dweights.T, layer.dbiases                         # the inputs, and 1
    (array([[ 1., -2.,  3.]]), array([[1.]]))

    Source: Kinsley and Kukieła, Neural Networks from Scratch in Python (2020), chapter 9.
    """

    gives = "scores"

    parameters = ("weights", "biases")

    n_inputs: int
    n_neurons: int
    initializer: Initializer = field(default=He(), kw_only=True)
    bias: bool = field(default=True, kw_only=True)
    penalties: Mapping[str, Penalty | tuple[Penalty, ...]] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        self.n_inputs, self.n_neurons = whole_number(self, "n_inputs"), whole_number(self, "n_neurons")
        for name in ("n_inputs", "n_neurons"):
            require_number(self, name, at_most=FEATURES, whole=True)
        if not callable(self.initializer):
            raise ConfigurationError(f"Dense: initializer must be one such as He(), not {self.initializer!r}.")
        if not isinstance(self.bias, bool):
            raise ConfigurationError(f"Dense: bias must be True or False, not {self.bias!r}.")
        if not self.bias:
            self.do_without("biases")
        self.penalty_terms()

    def __setattr__(self, name: str, value: object) -> None:
        if name == "bias" and "bias" in vars(self) and self.closed:  # nobody would look at it again
            known = ("n_inputs", "n_neurons", *self.parameters)
            raise UnknownNameError("parameter of Dense", name, known, meant="biases")
        if name == "penalties":
            if not isinstance(value, Mapping):
                raise ConfigurationError(
                    f'Dense: penalties maps names to penalties, such as {{"weights": L2(5e-4)}}, not {value!r}.'
                )
            value = Fixed(value)
        super().__setattr__(name, value)

    def pure_forward(self, xp, inputs, weights, biases):
        product = xp.matmul(inputs, weights)  # (B,I)(I,N) -> (B,N)
        return product if biases is None else product + biases  # (B,N) + (1,N) -> (B,N)

    def pure_backward(self, xp, dvalues, inputs, weights):  # output = inputs @ weights + biases
        return dict(
            dinputs=xp.matmul(dvalues, weights.T),  # (B,N)(N,I) -> (B,I)
            dweights=xp.matmul(inputs.T, dvalues),  # (I,B)(B,N) -> (I,N), summed over the batch
            dbiases=xp.sum(dvalues, axis=0, keepdims=True),  #      (1,N), summed over the batch
        )

    def declare(self) -> dict[str, Declared]:
        """The weights (I, N) and, unless `bias=False`, the biases (1, N)."""
        weights = Declared((self.n_inputs, self.n_neurons), self.initializer)
        declared = {"weights": weights, "biases": Declared((1, self.n_neurons), Zeros())}
        return {name: declared[name] for name in self.parameters}

    def input_shape(self) -> Shape:
        """(I,)."""
        return (self.n_inputs,)

    def output_shape(self, shape: Shape) -> Shape:
        """(N,), for inputs of (I,)."""
        if shape == (self.n_inputs,):
            return (self.n_neurons,)
        if len(shape) == 1:
            fix = f"write Dense({shape[0]}, {self.n_neurons}), or pass data with {self.n_inputs} features"
        elif len(shape) == 0:
            fix = "a single sample is a batch of one: write inputs.reshape(1, -1)"
        else:
            fix = "put Flatten() before it"
        raise ShapeError(
            f"Dense({self.n_inputs}, {self.n_neurons}): expected inputs of shape {format_shape((self.n_inputs,))}, "
            f"received {format_shape(shape)}; {fix}."
        )
