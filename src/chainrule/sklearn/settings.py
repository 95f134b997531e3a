"""The settings of an estimator: what they must be, and the optimizer that they stand for."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from .. import optimizers, schedules
from ..engines import require_known
from ..errors import ConfigurationError
from ..limits import require_number
from ..optimizers import Optimizer
from ..recipe import ENOUGH, batch_size_for, optimizer_for
from ..registry import named

__all__ = ["batch_size_of", "hidden_sizes", "holds_out", "optimizer_of", "require_settings"]

_RATES = ("constant", "cosine", "invscaling", "adaptive")


def hidden_sizes(settings: Any) -> list[Any]:
    """The neurons of each hidden layer; one number stands for one layer."""
    sizes: list[Any] = np.atleast_1d(np.asarray(settings.hidden_layer_sizes, dtype=object)).tolist()
    return sizes


def batch_size_of(settings: Any, samples: int) -> int:
    """The samples in a step."""
    given = settings.batch_size
    return batch_size_for(samples) if given == "auto" else max(1, min(int(given), samples))


def holds_out(settings: Any, samples: int) -> bool:
    """Whether a part of so many samples says when to stop."""
    return samples >= ENOUGH if settings.early_stopping == "auto" else bool(settings.early_stopping)


def optimizer_of(settings: Any, steps: int, samples: int, classes: bool) -> Optimizer:
    """The optimizer for a run of at most so many steps on so many samples."""
    if isinstance(settings.solver, Optimizer):
        return settings.solver
    rate: Any = float(settings.learning_rate_init)
    if settings.learning_rate == "cosine":
        rate = schedules.CosineDecay(rate, max(1, steps))
    elif settings.learning_rate == "invscaling":
        rate = schedules.PowerDecay(rate, float(settings.power_t))
    if settings.solver == "sgd":
        momentum = float(settings.momentum)
        return optimizers.SGD(rate, momentum=momentum, nesterov=bool(settings.nesterovs_momentum) and momentum > 0)
    moments = dict(beta_1=settings.beta_1, beta_2=settings.beta_2, epsilon=settings.epsilon)
    if settings.solver == "auto":
        return optimizer_for(classes, samples, rate, **moments)
    if settings.solver in ("adam", "adamw"):
        return (optimizers.Adam if settings.solver == "adam" else optimizers.AdamW)(rate, **moments)
    return type(named(settings.solver, Optimizer, "solver"))(rate)


def require_settings(settings: Any) -> None:
    """Raises `ConfigurationError`, which is a `ValueError`, for a setting that cannot work."""
    if settings.solver == "lbfgs":
        raise ConfigurationError(
            "solver: 'lbfgs' is not offered; write solver='adam' and, for few samples, a larger max_iter."
        )
    if settings.learning_rate not in _RATES:
        raise ConfigurationError(f"learning_rate must be one of {', '.join(_RATES)}, not {settings.learning_rate!r}.")
    for name in ("max_iter", "members", "n_iter_no_change"):
        endless = name == "n_iter_no_change" and getattr(settings, name) == np.inf
        if not endless:
            require_number(settings, name, at_least=1, whole=True)
    if not all(_is_whole(size) for size in hidden_sizes(settings)):
        raise ConfigurationError(
            f"hidden_layer_sizes must be whole numbers above 0, such as (100,), not {settings.hidden_layer_sizes!r}."
        )
    for name in ("alpha", "tol", "power_t"):
        require_number(settings, name, at_least=0)
    require_number(settings, "momentum", at_least=0, at_most=1)
    require_number(settings, "epsilon", above=0)
    for name in ("beta_1", "beta_2"):
        require_number(settings, name, at_least=0, below=1)
    require_number(settings, "learning_rate_init", above=0)
    if not isinstance(settings.early_stopping, bool | np.bool_) and settings.early_stopping != "auto":
        raise ConfigurationError(f"early_stopping must be True, False or 'auto', not {settings.early_stopping!r}.")
    fraction: Any = settings.validation_fraction
    if not isinstance(fraction, Real) or not 0.0 < float(fraction) < 1.0:
        raise ConfigurationError(f"validation_fraction must lie between 0 and 1, not {fraction!r}.")
    if settings.batch_size != "auto" and not _is_whole(settings.batch_size):
        raise ConfigurationError(f"batch_size must be 'auto' or a whole number above 0, not {settings.batch_size!r}.")
    if settings.activation is None:
        raise ConfigurationError("activation must be a name such as 'relu', a layer, or a list of them, not None.")
    require_known(settings.engine)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
