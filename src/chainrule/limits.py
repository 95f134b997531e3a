"""What a setting may be: the caps on what a file may describe, and the checks of numbers that constructors share."""

from __future__ import annotations

import math
from numbers import Integral, Real

from .errors import ConfigurationError

__all__ = [
    "DEPTH",
    "FEATURES",
    "HEADER_BYTES",
    "LAYERS",
    "SEEDS",
    "STEPS",
    "is_number",
    "require_number",
    "require_seed",
    "require_true_or_false",
]

LAYERS = 4096  # in one network, those of the graphs inside it included
FEATURES = 2**24  # the inputs or neurons of one layer
DEPTH = 128  # lists and objects inside one another in a description; a graph inside a graph takes three
HEADER_BYTES = 100_000_000  # the header of a model file: the description and the history; safetensors reads no more
SEEDS = 2**32  # seeds are below it
STEPS = 2**53  # steps and epochs are counted to below it: up to there a float holds every whole number


def is_number(
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    whole: bool = False,
    finite: bool = True,
) -> bool:
    """Whether this is a number within these bounds; True and False are none.

    >>> is_number(0.5, at_least=0), is_number(float("nan")), is_number("1")
    (True, False, False)
    """
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        return False
    try:
        number = float(value)
    except OverflowError:  # a whole number that no float can hold
        number = math.inf
    fine = math.isfinite(number) or (not finite and not math.isnan(number))
    fine = fine and (above is None or number > above) and (at_least is None or number >= at_least)
    return fine and (below is None or number < below) and (at_most is None or number <= at_most)


def require_number(
    owner: object,
    name: str,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    whole: bool = False,
    finite: bool = True,
) -> None:
    """Raise `ConfigurationError` unless the owner's attribute of this name is a number within these bounds.

    >>> from types import SimpleNamespace
    >>> require_number(SimpleNamespace(rate=-1), "rate", at_least=0)
    Traceback (most recent call last):
        ...
    chainrule.errors.ConfigurationError: SimpleNamespace: rate must be a finite number of at least 0, not -1.
    """
    value, limits = getattr(owner, name), {"above": above, "at_least": at_least, "below": below, "at_most": at_most}
    if is_number(value, whole=whole, finite=finite, **limits):
        return
    kind = "a whole number" if whole else "a finite number" if finite else "a number"
    bounds = {"of at least": at_least, "above": above, "below": below, "of at most": at_most}
    said = " and ".join(f"{word} {bound:,}" for word, bound in bounds.items() if bound is not None)
    raise ConfigurationError(f"{type(owner).__name__}: {name} must be {f'{kind} {said}'.strip()}, not {value!r}.")


def require_seed(seed: object, where: str = "") -> None:
    """Raise `ConfigurationError` unless this is a seed.

    >>> require_seed(-1, "Model")
    Traceback (most recent call last):
        ...
    chainrule.errors.ConfigurationError: Model: seed must be an integer from 0 to 2**32 - 1, not -1.
    """
    if not is_number(seed, at_least=0, below=SEEDS, whole=True):
        place = f"{where}: " if where else ""
        raise ConfigurationError(
            f"{place}seed must be an integer from 0 to 2**{SEEDS.bit_length() - 1} - 1, not {seed!r}."
        )


def require_true_or_false(owner: object, name: str) -> None:
    """Raise `ConfigurationError` unless the owner's attribute of this name is True or False."""
    value = getattr(owner, name)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{type(owner).__name__}: {name} must be True or False, not {value!r}.")
