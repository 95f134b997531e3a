"""Functions of a vector, from additions and multiplications: exp, log and what follows from them.

Each is within a few units in the last place of the exact value, in float32 and in float64; the series for float32 are
the shorter ones.
"""

from __future__ import annotations

import math

from numba import njit, types
from numba.extending import overload

from ....special import _ERFC
from .vectors import Vector, apart, exponent_of, mantissa_of, power_of_two, set_all, where_above

__all__ = ["absolute", "erfc", "exp", "expm1", "inner", "log", "log1p", "logistic", "normal_density", "sign", "tanh"]

inner = njit(error_model="numpy", fastmath={"contract"}, no_cpython_wrapper=True, no_cfunc_wrapper=True)

_LOG2_E = math.log2(math.e)
_EXP32 = tuple(1 / math.factorial(k) for k in range(7, 1, -1))  # of r², r³, ...: the rest of exp's series
_EXP64 = tuple(1 / math.factorial(k) for k in range(13, 1, -1))
_ATANH32 = tuple(1 / (2 * k + 1) for k in range(7, 0, -1))
_ATANH64 = tuple(1 / (2 * k + 1) for k in range(18, 0, -1))
_ERFC_DOWN = tuple(_ERFC[:0:-1])


def _by_precision(single, double):
    """A function of one vector that has a form for float32 and one for float64."""

    def stub(x):
        raise NotImplementedError

    @overload(stub)
    def _(x):
        if isinstance(x, Vector):
            return single if x.dtype == types.float32 else double
        return None

    return stub


@inner
def _series(coefficients, x):
    """((c0·x + c1)·x + c2)·..."""
    total = set_all(x, coefficients[0])
    for i in range(1, len(coefficients)):
        total = total * x + coefficients[i]
    return total


# exp(x) = 2ⁿ·exp(r), n the nearest whole number to x / log 2: adding 1.5·2²³ (1.5·2⁵²) rounds x / log 2 to it.


def _parts32(x):
    x = where_above(set_all(x, -87.3), x, set_all(x, -87.3), x)
    shifted = x * _LOG2_E + 12582912.0
    n = shifted - 12582912.0
    r = (x - n * 0.693359375) - n * -2.12194440e-4
    return power_of_two(shifted), r + r * r * _series(_EXP32, r)


def _parts64(x):
    x = where_above(set_all(x, -708.0), x, set_all(x, -708.0), x)
    shifted = x * _LOG2_E + 6755399441055744.0
    n = shifted - 6755399441055744.0
    r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
    return power_of_two(shifted), r + r * r * _series(_EXP64, r)


_parts = _by_precision(_parts32, _parts64)  # 2ⁿ and exp(r) - 1


@inner
def exp(x):
    """exp(x) for x <= 0; below the smallest normal number it stays there."""
    scale, rest = _parts(x)
    return scale + scale * rest


@inner
def expm1(x):
    """exp(x) - 1 for x <= 0."""
    scale, rest = _parts(x)
    return scale * rest + (scale - 1.0)


_atanh_tail = _by_precision(lambda x: _series(_ATANH32, x), lambda x: _series(_ATANH64, x))


@inner
def _two_atanh(s):
    """2·atanh(s), |s| <= 1/3."""
    square = s * s
    return 2.0 * s + 2.0 * s * square * _atanh_tail(square)


@inner
def log(x):
    """The natural logarithm of positive normal numbers."""
    m, e = mantissa_of(x), exponent_of(x)
    large = set_all(x, 1.4142135623730951)
    e = where_above(m, large, e + 1.0, e)
    m = where_above(m, large, m * 0.5, m)
    return e * 0.6931471805599453 + _two_atanh((m - 1.0) / (m + 1.0))


@inner
def log1p(x):
    """log(1 + x) for x from 0 to 1."""
    return _two_atanh(x / (x + 2.0))


@inner
def absolute(x):
    """|x|."""
    return where_above(set_all(x, 0.0), x, 0.0 - x, x)


@inner
def sign(x):
    """1, 0 or -1."""
    zero = set_all(x, 0.0)
    return where_above(x, zero, set_all(x, 1.0), where_above(zero, x, set_all(x, -1.0), zero))


@inner
def logistic(x):
    """1 / (1 + exp(-x))."""
    e = exp(0.0 - absolute(x))
    return where_above(set_all(x, 0.0), x, e, set_all(x, 1.0)) / (1.0 + e)


@inner
def tanh(x):
    """The hyperbolic tangent."""
    apart()
    small = expm1(-2.0 * absolute(x))
    size = (0.0 - small) / (small + 2.0)
    return where_above(set_all(x, 0.0), x, 0.0 - size, size)


@inner
def erfc(x):
    """1 - erf(x), by the series of `special.erfc`."""
    apart()
    size = absolute(x)
    t = 2.0 / (2.0 + size)
    y = 4.0 * t - 2.0
    now, before = 0.0 * y, 0.0 * y
    for i in range(len(_ERFC_DOWN)):  # Clenshaw's recurrence
        following = y * now - before + _ERFC_DOWN[i]
        before = now
        now = following
    tail = t * exp(0.0 - size * size) * (0.5 * (y * now + _ERFC[0]) - before)
    return where_above(set_all(x, 0.0), x, 2.0 - tail, tail)


@inner
def normal_density(x):
    """exp(-x²/2) / √(2π)."""
    return exp(-0.5 * x * x) * 0.3989422804014327
