"""Points that are made, not measured: the book's data and the usual companions.

Each takes `samples` for every class, returns X float32 (B, I) and y int64 (B,), class after class, and draws from its
own stream: same seed, same points. The book's own numbers come from `chainrule.book`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError

__all__ = ["blobs", "circles", "moons", "sine", "spiral", "stream", "vertical", "xor"]

Classes = tuple[NDArray[np.float32], NDArray[np.int64]]


def spiral(samples: int = 100, classes: int = 3, *, noise: float = 0.2, seed: int = 0) -> Classes:
    """Arms of a spiral: radius r from 0 to 1, angle 2.5·t, t from 4c to 4(c+1) plus noise. X (B, 2).

    Raises `ConfigurationError` for less than one sample or class, or noise below 0.

    >>> X, y = spiral(samples=2, classes=2, noise=0)
    >>> X.round(2), y
    (array([[ 0.  ,  0.  ],
           [-0.54, -0.84],
           [-0.  , -0.  ],
           [ 0.91,  0.41]], dtype=float32), array([0, 0, 1, 1]))

    Source: Kinsley and Kukieła (2020), chapter 3, after A. Karpathy's notes for CS231n (2015).
    """
    rng = _stream("spiral", samples, classes, noise, seed)
    c, r = np.arange(classes).reshape(-1, 1), np.linspace(0, 1, samples)  # (C,1), (S,)
    t = 4 * (c + r) + noise * rng.standard_normal((classes, samples))  # (C,S)
    return _labelled(r * np.sin(2.5 * t), r * np.cos(2.5 * t))


def vertical(samples: int = 100, classes: int = 3, *, noise: float = 0.1, seed: int = 0) -> Classes:
    """Clouds side by side around (c/3, 1/2). X (B, 2).

    Raises `ConfigurationError` for less than one sample or class, or noise below 0.

    >>> vertical(samples=1, classes=2, noise=0)[0].round(3)
    array([[0.   , 0.5  ],
           [0.333, 0.5  ]], dtype=float32)

    Source: Kinsley and Kukieła (2020), chapter 6.
    """
    rng = _stream("vertical", samples, classes, noise, seed)
    across, up = noise * rng.standard_normal((2, classes, samples))  # (C,S) each
    return _labelled(np.arange(classes).reshape(-1, 1) / 3 + across, 0.5 + up)


def sine(samples: int = 1000, *, noise: float = 0.0, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One period of a sine: X from 0 to 1, y = sin(2πX) plus noise, both float32 (B, 1).

    Raises `ConfigurationError` for less than one sample or noise below 0.

    >>> X, y = sine(4)
    >>> X.ravel(), y.ravel().round(3) + 0
    (array([0.  , 0.25, 0.5 , 0.75], dtype=float32), array([ 0.,  1.,  0., -1.], dtype=float32))

    Source: Kinsley and Kukieła (2020), chapter 17.
    """
    rng = _stream("sine", samples, 1, noise, seed)
    X = np.arange(samples).reshape(-1, 1) / samples  # (B,1)
    y = np.sin(2 * np.pi * X) + noise * rng.standard_normal((samples, 1))  # (B,1)
    return X.astype(np.float32), y.astype(np.float32)


def moons(samples: int = 100, *, noise: float = 0.1, seed: int = 0) -> Classes:
    """Two half circles of radius 1 that reach into each other. X (B, 2).

    Raises `ConfigurationError` for less than one sample or noise below 0.

    >>> moons(samples=3, noise=0)[0].round(2) + 0
    array([[ 1. ,  0. ],
           [ 0. ,  1. ],
           [-1. ,  0. ],
           [ 0. ,  0.5],
           [ 1. , -0.5],
           [ 2. ,  0.5]], dtype=float32)

    Source: the upper half around (0, 0), the lower one around (1, 1/2), as in scikit-learn's `make_moons`.
    """
    rng = _stream("moons", samples, 2, noise, seed)
    angle = np.linspace(0, np.pi, samples)  # (S,)
    x = np.stack([np.cos(angle), 1 - np.cos(angle)])  # (2,S)
    y = np.stack([np.sin(angle), 0.5 - np.sin(angle)])  # (2,S)
    return _labelled(*(np.stack([x, y]) + noise * rng.standard_normal((2, 2, samples))))


def circles(samples: int = 100, classes: int = 2, *, noise: float = 0.05, seed: int = 0) -> Classes:
    """Rings around (0, 0), class c at radius (c+1)/C. X (B, 2).

    Raises `ConfigurationError` for less than one sample or class, or noise below 0.

    >>> circles(samples=2, noise=0)[0].round(2) + 0
    array([[ 0.5,  0. ],
           [-0.5,  0. ],
           [ 1. ,  0. ],
           [-1. ,  0. ]], dtype=float32)

    Source: the usual test of a boundary that is closed.
    """
    rng = _stream("circles", samples, classes, noise, seed)
    radius = np.arange(1, classes + 1).reshape(-1, 1) / classes  # (C,1)
    angle = 2 * np.pi * np.arange(samples) / samples  # (S,)
    jitter = noise * rng.standard_normal((2, classes, samples))
    return _labelled(radius * np.cos(angle) + jitter[0], radius * np.sin(angle) + jitter[1])


def blobs(samples: int = 100, classes: int = 3, *, noise: float = 0.2, seed: int = 0) -> Classes:
    """Normal clouds around points that stand evenly on the unit circle. X (B, 2).

    Raises `ConfigurationError` for less than one sample or class, or noise below 0.

    >>> blobs(samples=1, classes=4, noise=0)[0].round(2) + 0
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]], dtype=float32)

    Source: a mixture of normal distributions with equal spread, for which straight boundaries are the best ones.
    """
    rng = _stream("blobs", samples, classes, noise, seed)
    angle = 2 * np.pi * np.arange(classes).reshape(-1, 1) / classes  # (C,1)
    jitter = noise * rng.standard_normal((2, classes, samples))
    return _labelled(np.cos(angle) + jitter[0], np.sin(angle) + jitter[1])


def xor(samples: int = 100, *, noise: float = 0.0, seed: int = 0) -> Classes:
    """Points of the square from -1 to 1: class 0 where both signs agree, class 1 where they differ. X (B, 2).

    Noise moves the points after they have their class.

    Raises `ConfigurationError` for less than one sample or noise below 0.

    >>> X, y = xor(samples=50)
    >>> bool((y == (X[:, 0] * X[:, 1] < 0)).all())
    True

    Source: Minsky and Papert (1969), Perceptrons: no single straight line separates the two.
    """
    rng = _stream("xor", samples, 2, noise, seed)
    x = 1 - rng.uniform(0, 1, (2, samples))  # (2,S), above 0
    y = (1 - rng.uniform(0, 1, (2, samples))) * [[1], [-1]]  # (2,S)
    side = rng.choice([-1.0, 1.0], (2, samples))  # (2,S), a half turn keeps the class
    return _labelled(*(np.stack([x * side, y * side]) + noise * rng.standard_normal((2, 2, samples))))


def _stream(name: str, samples: Any, classes: Any, noise: Any, seed: Any) -> np.random.Generator:
    for word, number in (("samples", samples), ("classes", classes)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ConfigurationError(f"{name}: {word} must be a whole number from 1 up, not {number!r}.")
    if not isinstance(noise, int | float | np.number) or not 0 <= float(noise) < math.inf:
        raise ConfigurationError(f"{name}: noise must be a number from 0 up, not {noise!r}.")
    return stream(seed, name)


def stream(seed: Any, where: str) -> np.random.Generator:
    """The random stream of a seed. Raises `ConfigurationError` for what is no seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigurationError(f"{where}: seed must be a whole number from 0 up, not {seed!r}.")
    return np.random.default_rng(seed)


def _labelled(x: NDArray[Any], y: NDArray[Any]) -> Classes:
    """Coordinates (C, S) of each class as X (C·S, 2) and labels (C·S,)."""
    X = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    return X, np.repeat(np.arange(len(x), dtype=np.int64), x.shape[1])
