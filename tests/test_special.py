"""Special functions against the standard library's, to rounding."""

from __future__ import annotations

import math
from typing import Any

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.special import erfc, logistic, normal_cdf, normal_density
from support import assert_close, compiled, complex_step, strict

X = np.linspace(-6, 26, 6401)


def relative_error(function: Any, oracle: Any, x: Any) -> float:
    expected = np.array([oracle(v) for v in x])
    return float(np.max(np.abs(function(np, x) / expected - 1)))


def test_erfc_agrees_with_the_standard_library() -> None:
    assert relative_error(erfc, math.erfc, X) < 1e-13
    assert relative_error(erfc, math.erfc, X[X < 3]) < 2e-15


def test_erfc_goes_to_two_and_to_zero_without_a_warning() -> None:
    assert_close(erfc(np, np.array([-1e4, -7.0, 0.0, 30.0, 1e4])), np.array([2.0, 2.0, 1.0, 0.0, 0.0]), 1e-15)


def test_normal_cdf_and_its_density() -> None:
    assert relative_error(normal_cdf, lambda v: 0.5 * math.erfc(-v / math.sqrt(2)), np.linspace(-10, 8, 500)) < 1e-13
    assert relative_error(normal_density, lambda v: math.exp(-0.5 * v * v) / math.sqrt(2 * math.pi), X) < 1e-13


def test_the_density_is_the_derivative_of_the_cdf() -> None:
    x = np.array([-2.0, -0.3, 0.4, 3.0])
    assert_close(normal_density(np, x), complex_step(lambda z: np.sum(normal_cdf(np, z)), x), 1e-13)


def test_logistic_at_its_extremes_and_between() -> None:
    x = np.array([-1e4, -800.0, -40.0, 0.0, math.log(3.0), 40.0, 1e4])
    expected = [0.0, 0.0, math.exp(-40) / (1 + math.exp(-40)), 0.5, 0.75, 1 / (1 + math.exp(-40)), 1.0]
    received = logistic(np, x)
    assert received == pytest.approx(expected, rel=1e-15, abs=0.0)


def test_logistic_of_the_negative_is_the_rest_to_one() -> None:
    assert_close(logistic(np, X) + logistic(np, -X), np.ones_like(X), 4e-16)


@pytest.mark.parametrize("function", [erfc, logistic, normal_cdf, normal_density])
def test_every_library_and_dtype(function: Any) -> None:
    x = np.linspace(-5, 5, 11)
    assert_close(np.asarray(function(array_api_strict, strict(x))), function(np, x), 1e-15)
    assert_close(compiled(lambda v: function(jnp, v), x), function(np, x), 1e-14)
    assert function(np, x.astype(np.float32)).dtype == np.float32
    assert_close(function(np, x.astype(np.float32)), function(np, x).astype(np.float32), 1e-6)
