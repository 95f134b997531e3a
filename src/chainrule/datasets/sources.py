"""resolve: a data set from the one word that a user types."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError, UnknownNameError
from ..paths import nearest
from . import generators
from .dataset import Dataset, from_arrays, held_out, strata
from .idx import fashion_mnist
from .reading import read
from .shipped import SHIPPED, load

__all__ = ["NAMES", "resolve"]

GENERATORS = ("spiral", "vertical", "sine", "moons", "circles", "blobs", "xor")
NAMES = (*SHIPPED, "fashion-mnist", *GENERATORS)
# With the book's noise of 0.2 two arms of the spiral overlap, and no rule is right for more than 91 of 100 new points.
_BY_NAME: Mapping[str, Mapping[str, Any]] = {"spiral": {"samples": 200, "noise": 0.1}}


def resolve(name_or_path: str | os.PathLike[str], **options: Any) -> Dataset:
    """The data set of a name or a file: a shipped set, "fashion-mnist", a generator, or a table.

    A generator (spiral, vertical, sine, moons, circles, blobs, xor) takes its own options, and `test`, the part to hold
    out, a fifth by default; "spiral" begins with twice the book's points and half its noise, `samples=200, noise=0.1`.
    "fashion-mnist" takes `folder`; a folder holds IDX files; a path takes the options of `read`.

    Raises `UnknownNameError` where there is neither a name nor a file, `ConfigurationError` for an option that does
    not belong to it, and what `load`, `fashion_mnist` and `read` raise.

    >>> resolve("spiral", samples=50)
    Dataset('spiral': 120 samples to train on, 30 held out, 2 features, 3 classes)
    """
    name = os.fspath(name_or_path)
    if name in SHIPPED:
        return load(name, **_accepted(load, name, options))
    if name == "fashion-mnist":
        return fashion_mnist(**_accepted(fashion_mnist, name, options))
    if name in GENERATORS:
        return _generate(name, **options)
    if os.path.isdir(name) and not any("ubyte" in file for file in os.listdir(name)):
        return read(name)  # which says what to name instead
    if os.path.isdir(name):
        return fashion_mnist(name, **_accepted(fashion_mnist, name, options))
    if os.path.exists(name):
        return read(name, **_accepted(read, name, options))
    looks_like_a_path = os.sep in name or "." in name
    close = nearest(name)
    known = NAMES if close is None else (*NAMES, close)
    raise UnknownNameError("file or data set" if close or looks_like_a_path else "data set", name, known)


def _accepted(function: Any, name: str, options: dict[str, Any], *more: str) -> dict[str, Any]:
    """The options, all of them known to the function."""
    import inspect

    known = [*list(inspect.signature(function).parameters), *more]
    known = [word for word in known if word not in ("name", "source")]
    for option in options:
        if option not in known:
            listed = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ConfigurationError(f"{name}: there is no option {option!r}; {listed}.")
    return options


def _generate(name: str, *, test: float = 0.2, **options: Any) -> Dataset:
    function = getattr(generators, name)
    options = {**_BY_NAME.get(name, {}), **_accepted(function, name, options, "test")}
    X, y = function(**options)
    mask = held_out(strata(y), test, options.get("seed", 0), name)
    return from_arrays(
        name,
        X,
        y,
        mask,
        ("x", "y")[: X.shape[1]],
        () if name == "sine" else tuple(map(str, range(int(y.max()) + 1))),
        title=(function.__doc__ or "").splitlines()[0].removesuffix(" X (B, 2)."),
        source=f"chainrule.datasets.{name}",
        licence="generated",
    )
