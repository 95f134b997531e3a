"""Activations: functions of one number, applied to every entry. dinputs = dvalues · f'(inputs), entry by entry.

In every comment `...` is any shape: inputs, output, dvalues and dinputs have the same one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..layer import Layer
from ..limits import require_number, require_true_or_false
from ..special import logistic, normal_cdf, normal_density, softplus

__all__ = ["ELU", "GELU", "LeakyReLU", "Linear", "ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh"]


class ReLU(Layer):
    """max(inputs, 0); the derivative is 1 where the input is above 0, else 0 (also at 0).

    >>> import numpy as np
    >>> layer = ReLU()
    >>> layer.forward(np.array([[1.0, 0.0, -3.0]]))
    array([[1., 0., 0.]])
    >>> layer.backward(np.array([[5.0, 6.0, 7.0]]))
    array([[5., 0., 0.]])

    Source: book, chapters 4 and 9.
    """

    gives = "scores"

    def pure_forward(self, xp, inputs):
        return xp.maximum(inputs, 0)  # ... -> ...

    def pure_backward(self, xp, dvalues, inputs):  # output = max(inputs, 0)
        return dict(dinputs=xp.where(inputs > 0, dvalues, 0))  # ...


@dataclass(eq=False)
class LeakyReLU(Layer):
    """inputs where above 0, else slope · inputs; the derivative at 0 is the slope.

    >>> import numpy as np
    >>> layer = LeakyReLU(0.1)
    >>> layer.forward(np.array([[2.0, -2.0]])), layer.backward(np.array([[1.0, 1.0]]))
    (array([[ 2. , -0.2]]), array([[1. , 0.1]]))

    Source: Maas, Hannun and Ng 2013.
    """

    gives = "scores"
    letters: ClassVar[Mapping[str, str]] = {"slope": "a"}

    slope: float = 0.01

    def __post_init__(self) -> None:
        require_number(self, "slope")

    def pure_forward(self, xp, inputs):
        return xp.where(inputs > 0, inputs, self.slope * inputs)  # ... -> ...

    def pure_backward(self, xp, dvalues, inputs):  # output = inputs or slope * inputs
        return dict(dinputs=xp.where(inputs > 0, dvalues, self.slope * dvalues))  # ...


@dataclass(eq=False)
class ELU(Layer):
    """inputs where above 0, else alpha · (exp(inputs) - 1), which saturates at -alpha.

    The derivative below 0 is alpha · exp(inputs). Raises `ConfigurationError` for a negative alpha.

    >>> import numpy as np
    >>> layer = ELU()
    >>> layer.forward(np.array([[2.0, -np.log(2.0)]])), layer.backward(np.array([[1.0, 1.0]]))
    (array([[ 2. , -0.5]]), array([[1. , 0.5]]))

    Source: Clevert, Unterthiner and Hochreiter 2016.
    """

    gives = "scores"

    alpha: float = 1.0

    def __post_init__(self) -> None:
        require_number(self, "alpha", at_least=0)

    def pure_forward(self, xp, inputs):
        below = xp.where(inputs > 0, 0, inputs)  # ..., so that exp never overflows
        return xp.where(inputs > 0, inputs, self.alpha * xp.expm1(below))  # ... -> ...

    def pure_backward(self, xp, dvalues, inputs):  # output = inputs or alpha * (exp(inputs) - 1)
        below = xp.where(inputs > 0, 0, inputs)  # ...
        return dict(dinputs=xp.where(inputs > 0, dvalues, dvalues * self.alpha * xp.exp(below)))  # ...


@dataclass(eq=False)
class GELU(Layer):
    """inputs · Φ(inputs), Φ the normal distribution function; by default in its exact form.

    With `approximate=True` Φ(x) is (1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2. The derivative is Φ(x) + x·Φ'(x).

    >>> import numpy as np
    >>> GELU().forward(np.array([[0.0, 1.0]])).round(6), GELU(approximate=True).forward(np.array([[1.0]])).round(6)
    (array([[0.      , 0.841345]]), array([[0.841192]]))

    Source: Hendrycks and Gimpel 2016.
    """

    gives = "scores"

    approximate: bool = False

    def __post_init__(self) -> None:
        require_true_or_false(self, "approximate")

    def pure_forward(self, xp, inputs):
        if self.approximate:
            return inputs * 0.5 * (1 + xp.tanh(self._bend(inputs)))  # ... -> ...
        return inputs * normal_cdf(xp, inputs)  # ... -> ...

    def pure_backward(self, xp, dvalues, inputs):  # output = inputs * cdf(inputs)
        if self.approximate:
            tanh = xp.tanh(self._bend(inputs))  # ...
            slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * inputs * inputs)  # ..., d(bend)/d(inputs)
            cdf, density = 0.5 * (1 + tanh), 0.5 * (1 - tanh * tanh) * slope  # ...
        else:
            cdf, density = normal_cdf(xp, inputs), normal_density(xp, inputs)  # ...
        return dict(dinputs=dvalues * (cdf + inputs * density))  # ...

    @staticmethod
    def _bend(inputs):
        return math.sqrt(2 / math.pi) * (inputs + 0.044715 * inputs * inputs * inputs)  # ...


class SiLU(Layer):
    """inputs · σ(inputs), σ the logistic function; also called swish. The derivative is σ + inputs·σ·(1 - σ).

    >>> import numpy as np
    >>> layer = SiLU()
    >>> layer.forward(np.array([[0.0, np.log(3.0)]])).round(6), layer.backward(np.array([[1.0, 1.0]])).round(6)
    (array([[0.      , 0.823959]]), array([[0.5    , 0.95599]]))

    Source: Elfwing, Uchibe and Doya 2018.
    """

    gives = "scores"

    def pure_forward(self, xp, inputs):
        return inputs * logistic(xp, inputs)  # ... -> ...

    def pure_backward(self, xp, dvalues, inputs):  # output = inputs * s, ds/d(inputs) = s * (1 - s)
        s = logistic(xp, inputs)  # ...
        return dict(dinputs=dvalues * (s + inputs * s * (1 - s)))  # ...


class Softplus(Layer):
    """log(1 + exp(inputs)), a smooth ReLU, computed without overflow; the derivative is the logistic function.

    >>> import numpy as np
    >>> layer = Softplus()
    >>> layer.forward(np.array([[0.0, 1000.0]])).round(6), layer.backward(np.array([[1.0, 1.0]]))
    (array([[6.93147e-01, 1.00000e+03]]), array([[0.5, 1. ]]))

    Source: Dugas et al. 2001.
    """

    gives = "scores"

    def pure_forward(self, xp, inputs):
        return softplus(xp, inputs)  # ... -> ...

    def pure_backward(self, xp, dvalues, inputs):  # output = log(1 + exp(inputs))
        return dict(dinputs=dvalues * logistic(xp, inputs))  # ...


class Sigmoid(Layer):
    """σ(inputs) = 1 / (1 + exp(-inputs)), computed without overflow; the derivative is output · (1 - output).

    >>> import numpy as np
    >>> layer = Sigmoid()
    >>> layer.forward(np.array([[0.0, -np.log(3.0)]])), layer.backward(np.array([[1.0, 1.0]]))
    (array([[0.5 , 0.25]]), array([[0.25  , 0.1875]]))

    Source: book, chapter 16.
    """

    gives = "independent probabilities"

    def pure_forward(self, xp, inputs):
        return logistic(xp, inputs)  # ... -> ...

    def pure_backward(self, xp, dvalues, output):  # output = 1 / (1 + exp(-inputs))
        return dict(dinputs=dvalues * (1 - output) * output)  # ...


class Tanh(Layer):
    """tanh(inputs); the derivative is 1 - output².

    >>> import numpy as np
    >>> layer = Tanh()
    >>> layer.forward(np.array([[0.0, np.log(2.0)]])), layer.backward(np.array([[1.0, 1.0]]))
    (array([[0. , 0.6]]), array([[1.  , 0.64]]))
    """

    gives = "scores"

    def pure_forward(self, xp, inputs):
        return xp.tanh(inputs)  # ... -> ...

    def pure_backward(self, xp, dvalues, output):  # output = tanh(inputs)
        return dict(dinputs=dvalues * (1 - output * output))  # ...


class Linear(Layer):
    """The inputs as they are: the activation of a regression output (book, chapter 17).

    >>> import numpy as np
    >>> Linear().forward(np.array([[1.5]]))
    array([[1.5]])
    """

    gives = "inputs"

    def pure_forward(self, xp, inputs):
        return inputs  # ... -> ...

    def pure_backward(self, xp, dvalues):  # output = inputs
        return dict(dinputs=dvalues)  # ...
