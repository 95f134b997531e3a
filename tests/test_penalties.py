"""Penalties: numbers by hand, derivatives, and that they are added once."""

from __future__ import annotations

from typing import Any

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import L1, L2, Dense, MeanSquaredError, Penalty, Sequential, loss_and_gradients
from chainrule.penalties import as_penalties
from support import assert_close, central_difference, compiled, complex_step, public, read_only, strict

W = np.array([[1.0, -2.0, 0.5], [3.0, -0.25, -1.0]])
CASES = {  # penalty, its value and its gradient at W, analytic
    "l1": (L1(0.1), 0.1 * 7.75, 0.1 * np.array([[1, -1, 1], [1, -1, -1]]), False),
    "l2": (L2(0.1), 0.1 * (1 + 4 + 0.25 + 9 + 0.0625 + 1), 0.2 * W, True),
}
every_penalty = pytest.mark.parametrize(("penalty", "value", "gradient", "analytic"), CASES.values(), ids=CASES)


def forward(xp: Any, penalty: Penalty, parameter: Any) -> Any:
    return penalty.run_forward(xp, {"parameter": parameter})[0]


def backward(xp: Any, penalty: Penalty, parameter: Any, dvalues: Any = 1) -> Any:
    return penalty.run_backward(xp, dvalues, {"parameter": parameter})["parameter"]


def test_every_public_penalty_has_a_row() -> None:
    tested = {type(penalty).__name__ for penalty, *_ in CASES.values()}
    missing = public(lambda kind: issubclass(kind, Penalty) and kind is not Penalty) - tested
    assert not missing, f"add a row to CASES in tests/test_penalties.py for {sorted(missing)}"


@every_penalty
def test_value_and_gradient_by_hand(penalty: Penalty, value: float, gradient: Any, analytic: bool) -> None:
    assert_close((forward(np, penalty, W), backward(np, penalty, W)), (value, gradient), 1e-15)
    assert_close(backward(np, penalty, W, 3.0), 3 * gradient, 1e-15)


@every_penalty
def test_the_gradient_is_the_derivative(penalty: Penalty, value: float, gradient: Any, analytic: bool) -> None:
    w = np.random.default_rng(0).normal(size=(3, 2))
    assert_close(backward(np, penalty, w), central_difference(lambda w: forward(np, penalty, w), w), 1e-7)
    if analytic:
        assert_close(backward(np, penalty, w), complex_step(lambda w: forward(np, penalty, w), w), 1e-12)


@every_penalty
def test_other_libraries_give_the_same_numbers(penalty: Penalty, value: float, gradient: Any, analytic: bool) -> None:
    w = strict(W)
    assert_close(np.asarray(forward(array_api_strict, penalty, w)), value, 1e-15)
    assert_close(np.asarray(backward(array_api_strict, penalty, w)), gradient, 1e-15)
    result, derivative = compiled(jax.value_and_grad(lambda w: forward(jnp, penalty, w)), W)
    assert_close((result, derivative), (value, gradient), 1e-14)


@every_penalty
def test_float32_is_kept_and_nothing_is_mutated(penalty: Penalty, value: float, gradient: Any, analytic: bool) -> None:
    w = read_only(W.astype(np.float32))
    assert forward(np, penalty, w).dtype == backward(np, penalty, w).dtype == np.float32
    assert_close(w, W.astype(np.float32), 0.0)


def test_the_slope_of_l1_at_zero_is_zero() -> None:
    assert_close(backward(np, L1(0.1), np.array([[0.0, 2.0]])), np.array([[0.0, 0.1]]), 1e-15)


def test_penalties_are_added_once_to_loss_and_gradient_whatever_the_batch() -> None:
    """Two samples with loss 0: what is left is 0.1·Σw² + 0.2·Σ|w| + 0.3·Σ|b|, not divided by the two."""
    penalties = {"weights": (L2(0.1), L1(0.2)), "biases": L1(0.3)}
    network = Sequential(Dense(1, 1, penalties=penalties))
    parameters = {"dense_0.weights": np.array([[-3.0]]), "dense_0.biases": np.array([[2.0]])}
    loss, gradients = loss_and_gradients(network, MeanSquaredError(), parameters, [[1.0], [2.0]], [-1.0, -4.0])
    assert loss == pytest.approx(0.1 * 9 + 0.2 * 3 + 0.3 * 2)
    assert_close(gradients["dense_0.weights"], np.array([[2 * 0.1 * -3 - 0.2]]), 1e-14)
    assert_close(gradients["dense_0.biases"], np.array([[0.3]]), 1e-14)


def test_one_penalty_or_several_become_a_tuple() -> None:
    assert as_penalties(L2(0.1)) == (L2(0.1),)
    assert as_penalties([L1(0.1), L2(0.2)]) == (L1(0.1), L2(0.2))
