"""Joins: layers that read several nodes. They receive a tuple of inputs and return a tuple of dinputs."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import ShapeError
from ..layer import BOUNDED, Layer, Shape, format_shape
from ..limits import FEATURES

__all__ = ["Add", "Concatenate", "Multiply"]


class Join(Layer):
    """A layer whose inputs are a tuple of arrays; the base of Add, Multiply and Concatenate."""

    of_probabilities: ClassVar[str] = "independent probabilities"  # what it gives of numbers from 0 to 1

    def output_shape(self, shape: Any) -> Shape:
        """The shape that all inputs share."""
        shapes = self._shapes(shape)
        if len(set(shapes)) > 1:
            raise ShapeError(
                f"{type(self).__name__}: all inputs must have the same shape, received {format_shape(shapes)}; "
                "put a Dense layer on the branch that differs."
            )
        return shapes[0]

    def output_kind(self, kind: Any) -> str | None:
        """Unknown where an input is; what the join gives of probabilities alone; scores otherwise."""
        if None in kind:
            return None
        return self.of_probabilities if set(kind) <= {*BOUNDED} else self.gives

    def _shapes(self, shape: Any) -> tuple[Shape, ...]:
        if not (isinstance(shape, tuple) and shape and all(isinstance(s, tuple) for s in shape)):
            raise ShapeError(
                f"{type(self).__name__} joins several nodes: give it a tuple of inputs, such as "
                f"('dense_0', 'dense_1'), received one array of shape {format_shape(shape)}."
            )
        return shape


class Add(Join):
    """The sum of the inputs, entry by entry; every input receives the whole of `dvalues`.

    >>> import numpy as np
    >>> layer = Add()
    >>> layer.forward((np.array([[1.0]]), np.array([[2.0]]))), layer.backward(np.array([[5.0]]))
    (array([[3.]]), (array([[5.]]), array([[5.]])))
    """

    gives = "scores"
    of_probabilities = "altered probabilities"

    def pure_forward(self, xp, inputs):
        total = inputs[0]
        for array in inputs[1:]:
            total = total + array  # ... + ... -> ...
        return total

    def pure_backward(self, xp, dvalues, inputs):  # output = inputs[0] + inputs[1] + ...
        return dict(dinputs=tuple(dvalues for _ in inputs))  # ... for each input


class Multiply(Join):
    """The product of the inputs, entry by entry; each receives `dvalues` times the product of the others.

    >>> import numpy as np
    >>> layer = Multiply()
    >>> layer.forward((np.array([[2.0]]), np.array([[3.0]]))), layer.backward(np.array([[1.0]]))
    (array([[6.]]), (array([[3.]]), array([[2.]])))
    """

    gives = "scores"

    def pure_forward(self, xp, inputs):
        product = inputs[0]
        for array in inputs[1:]:
            product = product * array  # ... * ... -> ...
        return product

    def pure_backward(self, xp, dvalues, inputs):  # output = inputs[0] * inputs[1] * ...
        gradients = []
        for i in range(len(inputs)):
            gradient = dvalues
            for j, other in enumerate(inputs):
                gradient = gradient * other if j != i else gradient  # ..., never a division by zero
            gradients.append(gradient)
        return dict(dinputs=tuple(gradients))  # ... for each input


class Concatenate(Join):
    """The inputs side by side along the last axis; each receives its own columns of `dvalues`.

    >>> import numpy as np
    >>> layer = Concatenate()
    >>> layer.forward((np.array([[1.0, 2.0]]), np.array([[3.0]])))
    array([[1., 2., 3.]])
    >>> layer.backward(np.array([[4.0, 5.0, 6.0]]))
    (array([[4., 5.]]), array([[6.]]))
    """

    gives = "scores"

    def pure_forward(self, xp, inputs):
        return xp.concat(list(inputs), axis=-1)  # (B,N1), (B,N2) -> (B,N1+N2)

    def pure_backward(self, xp, dvalues, inputs):  # output = [inputs[0] | inputs[1] | ...]
        gradients, start = [], 0
        for array in inputs:
            gradients.append(dvalues[..., start : start + array.shape[-1]])  # (B,N1), then (B,N2)
            start += array.shape[-1]
        return dict(dinputs=tuple(gradients))

    def output_shape(self, shape: Any) -> Shape:
        """The sizes of the last axis added up; the other axes must agree."""
        shapes = self._shapes(shape)
        if () in shapes or len({s[:-1] for s in shapes}) > 1:
            raise ShapeError(
                f"Concatenate: the inputs may differ in the last axis only, received {format_shape(shapes)}."
            )
        total = sum(s[-1] for s in shapes)
        if total > FEATURES:
            raise ShapeError(f"Concatenate: {total:,} features side by side are more than {FEATURES:,}.")
        return (*shapes[0][:-1], total)
