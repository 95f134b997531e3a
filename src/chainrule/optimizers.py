"""Optimizers: pure functions from a parameter and its gradient to the next parameter.

`pure_update(xp, step, rate, parameter, gradient, ...)` is written for one array (or one flat vector of all of them:
every rule is entry by entry) and names the slots that it carries from step to step. `step` counts from 0. Everything
else (schedules, groups, weight decay, clipping) is shared by all and applied around it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral
from types import MappingProxyType
from typing import Any, ClassVar, Self

from .errors import ConfigurationError, DefinitionError, UnknownNameError
from .fixed import Fixed
from .layer import Array, Arrays
from .limits import require_number, require_true_or_false
from .schedules import Schedule, as_schedule, rate_at

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]


@dataclass(frozen=True)
class Optimizer:
    """The frame around one update rule; a subclass writes `pure_update` and gives `learning_rate` its default.

    Its keyword settings, common to all:

    - `weight_decay`: λ ≥ 0; adds λ·parameter to the gradient (`AdamW` applies it to the parameter instead).
    - `clip_norm`: scales all gradients together so that their joint Euclidean norm is at most this.
    - `clip_value`: limits every entry of every gradient to [-clip_value, clip_value], before `clip_norm`.
    - `groups`: other settings for some parameters, by a pattern of their names, the first match counting:
      `{"*.biases": {"weight_decay": 0.0}, "dense_0.*": {"learning_rate": 1e-4}}`.
    """

    # What pure_update carries from step to step, read from its signature.
    slots: ClassVar[tuple[str, ...]] = ()
    # How explain writes settings, slots and local variables of pure_update, and what it says of their lines.
    letters: ClassVar[Mapping[str, str]] = MappingProxyType({})
    notes: ClassVar[Mapping[str, str]] = MappingProxyType({})

    learning_rate: float | Schedule = 0.001
    weight_decay: float = field(default=0.0, kw_only=True)
    clip_norm: float | None = field(default=None, kw_only=True)
    clip_value: float | None = field(default=None, kw_only=True)
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, kw_only=True, hash=False)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        code = cls.pure_update.__code__
        names = code.co_varnames[: code.co_argcount]
        leading = ("self", "xp", "step", "rate", "parameter", "gradient")
        if names[: len(leading)] != leading:
            raise DefinitionError(
                f"{cls.__name__}.pure_update takes ({', '.join(names)}): write ({', '.join(leading)}, ...) instead."
            )
        if cls.pure_update is not Optimizer.pure_update:
            cls.slots = names[len(leading) :]

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)
        if not isinstance(self.groups, Mapping) or not all(isinstance(own, Mapping) for own in self.groups.values()):
            raise ConfigurationError(
                f"{type(self).__name__}: groups maps patterns of names to settings, such as "
                f'{{"*.biases": {{"weight_decay": 0.0}}}}, not {self.groups!r}.'
            )
        object.__setattr__(self, "groups", Fixed(self.groups))
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                require_number(self, name, above=0, finite=False)
        for name in ("weight_decay", "epsilon"):
            if hasattr(self, name):
                require_number(self, name, at_least=0)
        for pattern, settings in self.groups.items():
            known = [f.name for f in fields(self) if f.name not in ("groups", "clip_norm", "clip_value")]
            for name in settings:
                if name not in known:
                    raise UnknownNameError(f"setting of {type(self).__name__} (in group {pattern!r})", name, known)
            self._with(settings)

    def pure_update(
        self, xp: Any, step: Any, rate: Any, parameter: Array, gradient: Array, *slots: Any, **_: Any
    ) -> Any:
        """The next parameter and the next slots, by name."""
        raise DefinitionError(f"{type(self).__name__} has no pure_update.")

    def carried(self) -> tuple[str, ...]:
        """The slots that these settings need: those that `pure_update` names."""
        return self.slots

    # The whole update, written once

    def rate(self, step: int, name: str = "") -> float:
        """The learning rate of a parameter at `step`.

        Raises `ConfigurationError` where a schedule gives what is no rate, a finite number of at least 0.

        >>> SGD(0.1, groups={"*.biases": {"learning_rate": 0.2}}).rate(0, "dense_0.biases")
        0.2
        """
        return rate_at(self.member(name).learning_rate, step)

    def member(self, name: str) -> Self:
        """This optimizer with the settings of the group that a parameter belongs to."""
        for pattern, settings in self.groups.items():
            if fnmatch.fnmatchcase(name, pattern):
                return self._with(settings)
        return self

    def _with(self, settings: Mapping[str, Any]) -> Self:
        return replace(self, groups={}, **settings)

    def initial_slots(self, xp: Any, parameters: Mapping[str, Array]) -> Arrays:
        """Zeros for every slot of every parameter, by dotted name (`dense_0.weights.momentum`).

        Raises `UnknownNameError` where a group's pattern matches no parameter.
        """
        for pattern in self.groups:
            if not any(fnmatch.fnmatchcase(name, pattern) for name in parameters):
                raise UnknownNameError("parameter", pattern, parameters)
        return {
            f"{name}.{slot}": xp.zeros_like(parameter)
            for name, parameter in parameters.items()
            for slot in self.member(name).carried()
        }

    def update(
        self,
        xp: Any,
        step: Any,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        slots: Mapping[str, Array],
        rates: Mapping[str, Any] | None = None,
    ) -> tuple[Arrays, Arrays]:
        """The next parameters and slots; a parameter without a gradient stays as it is.

        `rates` gives each parameter's learning rate; without it they are `self.rate(step, name)`.

        >>> import numpy as np
        >>> parameters, _ = SGD(0.1).update(np, 0, {"w": np.array([1.0])}, {"w": np.array([2.0])}, {})
        >>> parameters
        {'w': array([0.8])}
        """
        if isinstance(step, Integral):
            step = int(step)  # a NumPy integer would raise float32 arrays to float64
        gradients = self.clipped(xp, {name: gradients[name] for name in parameters if name in gradients})
        following, following_slots = dict(parameters), dict(slots)
        for name, gradient in gradients.items():
            member = self.member(name)
            rate = self.rate(step, name) if rates is None else rates[name]
            decayed = member._decayed(rate, parameters[name], gradient)
            own = [slots[f"{name}.{slot}"] for slot in member.carried()]
            following[name], moved = member.pure_update(xp, step, rate, *decayed, *own)
            following_slots |= {f"{name}.{slot}": array for slot, array in moved.items()}
        return following, following_slots

    def clipped(self, xp: Any, gradients: Mapping[str, Array]) -> Arrays:
        """The gradients limited by `clip_value`, then by `clip_norm`.

        >>> import numpy as np
        >>> SGD(clip_norm=1.0).clipped(np, {"w": np.array([3.0, 4.0])})
        {'w': array([0.6, 0.8])}
        """
        limited = dict(gradients)
        if self.clip_value is not None:
            low, high = -self.clip_value, self.clip_value
            limited = {n: xp.where(g > high, high, xp.where(g < low, low, g)) for n, g in limited.items()}
        if self.clip_norm is not None and limited:
            norm = gradient_norm(xp, limited)
            scale = xp.where(norm > self.clip_norm, self.clip_norm / xp.where(norm > 0, norm, 1), 1)
            limited = {n: g * xp.astype(scale, g.dtype) for n, g in limited.items()}
        return limited

    def _decayed(self, rate: Any, parameter: Array, gradient: Array) -> tuple[Array, Array]:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        return parameter, gradient


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent: parameter ← parameter - rate · gradient, with momentum µ by a velocity.

    velocity ← µ·velocity + gradient; the step is rate · velocity, or with `nesterov` rate · (gradient + µ·velocity).

    >>> import numpy as np
    >>> SGD(0.1, momentum=0.5).pure_update(np, 1, 0.1, np.array([1.0]), np.array([2.0]), np.array([4.0]))
    (array([0.6]), {'velocity': array([4.])})

    Source: Sutskever et al. 2013, in the form of PyTorch; book, chapter 10 (whose velocity includes the rate).
    """

    letters: ClassVar[Mapping[str, str]] = {"momentum": "mu", "velocity": "v"}
    notes: ClassVar[Mapping[str, str]] = {"velocity": "velocity"}

    learning_rate: float | Schedule = 0.01
    momentum: float = field(default=0.0, kw_only=True)
    nesterov: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "momentum", at_least=0, below=1)
        require_true_or_false(self, "nesterov")
        if self.nesterov and not self.momentum:
            raise ConfigurationError("SGD: nesterov needs a momentum above 0, such as momentum=0.9.")

    def carried(self) -> tuple[str, ...]:
        """The velocity, where there is a momentum."""
        return ("velocity",) if self.momentum else ()

    def pure_update(self, xp, step, rate, parameter, gradient, velocity=None):
        if not self.momentum:
            return parameter - rate * gradient, dict()
        velocity = self.momentum * velocity + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return parameter - rate * direction, dict(velocity=velocity)


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """cache ← cache + gradient²; parameter ← parameter - rate · gradient / (√cache + epsilon).

    >>> import numpy as np
    >>> Adagrad(0.1, epsilon=0.0).pure_update(np, 0, 0.1, np.array([1.0]), np.array([3.0]), np.array([16.0]))
    (array([0.94]), {'cache': array([25.])})

    Source: Duchi, Hazan and Singer 2011; book, chapter 10.
    """

    letters: ClassVar[Mapping[str, str]] = {"cache": "c"}
    notes: ClassVar[Mapping[str, str]] = {"cache": "sum of squared gradients"}

    learning_rate: float | Schedule = 0.01
    epsilon: float = field(default=1e-10, kw_only=True)

    def pure_update(self, xp, step, rate, parameter, gradient, cache):
        cache = cache + gradient * gradient
        return parameter - rate * gradient / (xp.sqrt(cache) + self.epsilon), dict(cache=cache)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """cache ← rho·cache + (1 - rho)·gradient²; parameter ← parameter - rate · gradient / (√cache + epsilon).

    >>> import numpy as np
    >>> RMSprop(0.1, rho=0.5, epsilon=0.0).pure_update(np, 0, 0.1, np.array([1.0]), np.array([4.0]), np.array([2.0]))
    (array([0.86666667]), {'cache': array([9.])})

    Source: Tieleman and Hinton 2012; book, chapter 10.
    """

    letters: ClassVar[Mapping[str, str]] = {"cache": "c"}
    notes: ClassVar[Mapping[str, str]] = {"cache": "running mean of the squared gradient"}

    learning_rate: float | Schedule = 0.01
    rho: float = field(default=0.99, kw_only=True)
    epsilon: float = field(default=1e-8, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "rho", at_least=0, below=1)

    def pure_update(self, xp, step, rate, parameter, gradient, cache):
        cache = self.rho * cache + (1 - self.rho) * (gradient * gradient)
        return parameter - rate * gradient / (xp.sqrt(cache) + self.epsilon), dict(cache=cache)


@dataclass(frozen=True)
class Adam(Optimizer):
    """A running mean of the gradient over the root of a running mean of its square, both corrected for their start.

    momentum ← β₁·momentum + (1 - β₁)·gradient; cache ← β₂·cache + (1 - β₂)·gradient²;
    parameter ← parameter - rate · m̂ / (√ĉ + epsilon), m̂ = momentum / (1 - β₁^(step+1)), ĉ = cache / (1 - β₂^(step+1)).

    >>> import numpy as np
    >>> parameter, slots = Adam(0.1).pure_update(np, 0, 0.1, np.array([1.0]), np.array([2.0]), np.zeros(1), np.zeros(1))
    >>> parameter.round(6), slots["momentum"].round(6), slots["cache"].round(6)     # the first step is the rate itself
    (array([0.9]), array([0.2]), array([0.004]))

    Source: Kingma and Ba 2015; book, chapter 10.
    """

    letters: ClassVar[Mapping[str, str]] = {
        "momentum": "m", "cache": "c", "beta_1": "beta1", "beta_2": "beta2",
        "corrected_momentum": "mhat", "corrected_cache": "chat",
    }  # fmt: skip
    notes: ClassVar[Mapping[str, str]] = {
        "momentum": "running mean of the gradient",
        "cache": "running mean of its square",
        "corrected_momentum": "corrected for its start at 0",
        "corrected_cache": "corrected for its start at 0",
    }

    learning_rate: float | Schedule = 0.001
    beta_1: float = field(default=0.9, kw_only=True)
    beta_2: float = field(default=0.999, kw_only=True)
    epsilon: float = field(default=1e-8, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "beta_1", at_least=0, below=1)
        require_number(self, "beta_2", at_least=0, below=1)

    def pure_update(self, xp, step, rate, parameter, gradient, momentum, cache):
        momentum = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        cache = self.beta_2 * cache + (1 - self.beta_2) * (gradient * gradient)
        corrected_momentum = momentum / (1 - self.beta_1 ** (step + 1))
        corrected_cache = cache / (1 - self.beta_2 ** (step + 1))
        parameter = parameter - rate * corrected_momentum / (xp.sqrt(corrected_cache) + self.epsilon)
        return parameter, dict(momentum=momentum, cache=cache)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with the weight decay λ apart from the gradient: parameter ← parameter - rate·λ·parameter, then Adam's step.

    >>> import numpy as np
    >>> parameters, _ = AdamW(0.1, weight_decay=0.5).update(
    ...     np, 0, {"w": np.array([1.0])}, {"w": np.array([0.0])}, {"w.momentum": np.zeros(1), "w.cache": np.zeros(1)})
    >>> parameters
    {'w': array([0.95])}

    Source: Loshchilov and Hutter 2019.
    """

    weight_decay: float = field(default=0.01, kw_only=True)

    def _decayed(self, rate: Any, parameter: Array, gradient: Array) -> tuple[Array, Array]:
        return parameter - rate * self.weight_decay * parameter, gradient


def gradient_norm(xp: Any, gradients: Mapping[str, Array]) -> Array:
    """The joint Euclidean norm of several arrays, √ΣΣg².

    >>> import numpy as np
    >>> float(gradient_norm(np, {"a": np.array([3.0]), "b": np.array([[4.0]])}))
    5.0
    """
    total = sum(xp.sum(g * g) for g in gradients.values())
    return xp.sqrt(total)
