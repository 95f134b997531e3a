"""One battery for every loss: to test a new loss, add a row to CASES."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    HalfSquaredError,
    Huber,
    Layer,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    trace,
)
from chainrule.errors import ShapeError
from support import assert_close, central_difference, compiled, complex_step, public, read_only, strict

Rng = np.random.Generator


def probabilities(rng: Rng, shape: tuple[int, int]) -> Any:
    return rng.uniform(0.05, 0.95, shape)


def numbers(rng: Rng, shape: tuple[int, int]) -> Any:
    return rng.normal(scale=2.0, size=shape)


def indices(rng: Rng, shape: tuple[int, int]) -> Any:
    return rng.integers(0, shape[1], shape[0])


def distributions(rng: Rng, shape: tuple[int, int]) -> Any:
    rows = rng.uniform(0.1, 1.0, shape)
    return rows / rows.sum(axis=1, keepdims=True)


def answers(rng: Rng, shape: tuple[int, int]) -> Any:
    return rng.integers(0, 2, shape)


@dataclass(frozen=True)
class Case:
    """A configured loss, how its predictions and targets are drawn, and whether a complex step differentiates it."""

    loss: Loss
    predictions: Callable[[Rng, tuple[int, int]], Any]
    targets: Callable[[Rng, tuple[int, int]], Any]
    analytic: bool = True


CASES = {
    "categorical": Case(CategoricalCrossentropy(), probabilities, indices),
    "categorical-rows": Case(CategoricalCrossentropy(label_smoothing=0.1), probabilities, distributions),
    "softmax": Case(SoftmaxCrossentropy(), numbers, indices),
    "softmax-smooth": Case(SoftmaxCrossentropy(label_smoothing=0.2), numbers, distributions),
    "binary": Case(BinaryCrossentropy(), probabilities, answers),
    "binary-smooth": Case(BinaryCrossentropy(label_smoothing=0.2), probabilities, probabilities),
    "sigmoid": Case(SigmoidCrossentropy(), numbers, answers),
    "sigmoid-smooth": Case(SigmoidCrossentropy(label_smoothing=0.2), numbers, probabilities),
    "squared": Case(MeanSquaredError(), numbers, numbers),
    "absolute": Case(MeanAbsoluteError(), numbers, numbers, analytic=False),
    "half-squared": Case(HalfSquaredError(), numbers, numbers),
    "huber": Case(Huber(), numbers, numbers, analytic=False),
    "huber-wide": Case(Huber(delta=2.5), numbers, numbers, analytic=False),
}
SHAPES = ((4, 3), (1, 4), (5, 1), (1, 1))
SMOOTH = {name: case for name, case in CASES.items() if case.analytic}


def rows(cases: dict[str, Case]) -> Any:
    """Every case with every shape and reduction."""
    return pytest.mark.parametrize(
        ("case", "shape", "reduction"),
        [
            pytest.param(cases[name], shape, reduction, id=f"{name}-{shape[0]}x{shape[1]}-{reduction}")
            for name, shape, reduction in itertools.product(cases, SHAPES, ("mean", "sum"))
        ],
    )


every_loss = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def prepare(case: Case, shape: tuple[int, int], reduction: str = "mean", dtype: Any = np.float64) -> Any:
    """The loss, predictions, and targets and shares as the pair reads them, with random sample weights."""
    rng = np.random.default_rng(3)
    loss = replace(case.loss, reduction=reduction)
    predictions = case.predictions(rng, shape).astype(dtype)
    targets, shares = loss.prepare(case.targets(rng, shape), shape, rng.uniform(0.5, 2.0, shape[0]), dtype)
    return loss, predictions, targets, shares


def total(xp: Any, loss: Loss, predictions: Any, targets: Any, shares: Any) -> Any:
    """The loss of the batch, Σ_b share_b · ℓ_b."""
    return xp.sum(loss.forward_pass(xp, predictions, targets)[0] * shares[:, 0])


def gradient(xp: Any, loss: Loss, predictions: Any, targets: Any, shares: Any) -> Any:
    return loss.backward_pass(xp, shares, loss.forward_pass(xp, predictions, targets)[1])


def of_batch(loss: Loss, predictions: Any, y: Any, weights: Any = None) -> tuple[Any, Any]:
    """Loss and gradient of a batch, from what users pass."""
    targets, shares = loss.prepare(y, predictions.shape, weights)
    arguments = loss, predictions, targets, shares
    return total(np, *arguments), gradient(np, *arguments)


def test_every_public_loss_has_a_row() -> None:
    missing = public(lambda kind: issubclass(kind, Loss) and kind is not Loss) - {c.loss.name for c in CASES.values()}
    assert not missing, f"add a row to CASES in tests/test_losses.py for {sorted(missing)}"


@rows(CASES)
def test_forward_gives_one_loss_for_each_sample_and_backward_the_shape_of_predictions(
    case: Case, shape: Any, reduction: str
) -> None:
    loss, predictions, targets, shares = prepare(case, shape, reduction)
    assert loss.forward_pass(np, predictions, targets)[0].shape == (shape[0],)
    assert gradient(np, loss, predictions, targets, shares).shape == shape


@rows(CASES)
def test_the_gradient_equals_central_differences(case: Case, shape: Any, reduction: str) -> None:
    loss, predictions, *rest = prepare(case, shape, reduction)
    expected = central_difference(lambda p: total(np, loss, p, *rest), predictions)
    assert_close(gradient(np, loss, predictions, *rest), expected, 1e-7, floor=0.01)


@rows(SMOOTH)
def test_the_gradient_equals_complex_steps(case: Case, shape: Any, reduction: str) -> None:
    loss, predictions, *rest = prepare(case, shape, reduction)
    expected = complex_step(lambda p: total(np, loss, p, *rest), predictions)
    assert_close(gradient(np, loss, predictions, *rest), expected, 1e-12, floor=1e-3)


@rows(CASES)
def test_jax_gives_the_same_numbers_and_the_same_derivative(case: Case, shape: Any, reduction: str) -> None:
    loss, predictions, *rest = prepare(case, shape, reduction)

    def both(p: Any, *rest: Any) -> Any:
        return jax.value_and_grad(lambda p: total(jnp, loss, p, *rest))(p), gradient(jnp, loss, p, *rest)

    (value, derivative), ours = compiled(both, predictions, *rest)
    expected = gradient(np, loss, predictions, *rest)
    assert_close(value, total(np, loss, predictions, *rest), 1e-12, floor=1e-3)
    assert_close((ours, derivative), (expected, expected), 1e-12, floor=1e-3)


@rows(CASES)
def test_array_api_strict_gives_the_same_numbers(case: Case, shape: Any, reduction: str) -> None:
    loss, *arrays = prepare(case, shape, reduction)
    others = strict(tuple(arrays))
    for function in (total, gradient):
        result = function(array_api_strict, loss, *others)
        assert_close(np.asarray(result), function(np, loss, *arrays), 1e-12, floor=1e-3)


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_and_gradients_keep_the_dtype(case: Case, dtype: Any) -> None:
    arguments = prepare(case, (4, 3), dtype=dtype)
    assert {array.dtype for array in arguments[1:]} == {np.dtype(dtype)}
    assert total(np, *arguments).dtype == gradient(np, *arguments).dtype == dtype


@every_loss
def test_nothing_is_mutated(case: Case) -> None:
    loss, *arrays = prepare(case, (4, 3))
    locked = read_only(tuple(arrays))
    assert_close(gradient(np, loss, *locked), gradient(np, loss, *arrays), 0.0)
    assert_close(locked, tuple(arrays), 0.0)
    y, weights = read_only((case.targets(np.random.default_rng(0), (4, 3)), np.arange(1.0, 5.0)))
    before = y.copy(), weights.copy()
    loss.prepare(y, (4, 3), weights)
    assert_close((y, weights), before, 0.0)


# Reductions and weights


@every_loss
def test_mean_divides_by_the_samples_and_sum_does_not(case: Case) -> None:
    rng = np.random.default_rng(0)
    predictions, y = case.predictions(rng, (5, 3)), case.targets(rng, (5, 3))
    mean = of_batch(replace(case.loss, reduction="mean"), predictions, y)
    summed = of_batch(replace(case.loss, reduction="sum"), predictions, y)
    assert_close((5 * mean[0], 5 * mean[1]), summed, 1e-14)
    one_by_one = [of_batch(case.loss, predictions[i : i + 1], y[i : i + 1])[0] for i in range(5)]
    assert_close(summed[0], sum(one_by_one), 1e-14)


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_whole_sample_weight_counts_as_repeating_the_sample(case: Case, reduction: str) -> None:
    rng = np.random.default_rng(1)
    loss, counts = replace(case.loss, reduction=reduction), np.array([2, 0, 1, 3])
    predictions, y = case.predictions(rng, (4, 3)), case.targets(rng, (4, 3))
    origin = np.repeat(np.arange(4), counts)
    weighted = of_batch(loss, predictions, y, counts)
    repeated = of_batch(loss, predictions[origin], y[origin])
    assert_close(weighted[0], repeated[0], 1e-14)
    assert_close(weighted[1], np.array([repeated[1][origin == b].sum(axis=0) for b in range(4)]), 1e-14)


@pytest.mark.parametrize("make", [CategoricalCrossentropy, SoftmaxCrossentropy])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_whole_class_weights_count_as_repeating_the_samples_of_the_class(make: Any, reduction: str) -> None:
    rng = np.random.default_rng(1)
    y, by_class = np.array([2, 0, 1, 2]), np.array([1, 2, 3])
    predictions, origin = rng.uniform(0.1, 0.9, (4, 3)), np.repeat(np.arange(4), by_class[y])
    weighted = of_batch(make(reduction=reduction, class_weights=by_class), predictions, y)
    repeated = of_batch(make(reduction=reduction), predictions[origin], y[origin])
    assert_close(weighted[0], repeated[0], 1e-14)
    assert_close(weighted[1], np.array([repeated[1][origin == b].sum(axis=0) for b in range(4)]), 1e-14)


def test_class_and_sample_weights_multiply_and_the_mean_divides_by_their_sum() -> None:
    loss = SoftmaxCrossentropy(class_weights=[1.0, 4.0])
    _, shares = loss.prepare([0, 1, 1], (3, 2), [2.0, 0.5, 1.0])
    assert_close(shares, np.array([[2.0], [2.0], [4.0]]) / 8.0, 1e-15)


def test_a_row_of_probabilities_has_the_mean_of_its_class_weights() -> None:
    _, shares = SoftmaxCrossentropy(class_weights=[1.0, 3.0], reduction="sum").prepare([[0.25, 0.75]], (1, 2))
    assert_close(shares, np.array([[0.25 * 1.0 + 0.75 * 3.0]]), 1e-15)


# Targets


@pytest.mark.parametrize("make", [CategoricalCrossentropy, SoftmaxCrossentropy])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
def test_class_indices_and_one_hot_rows_agree(make: Any, smoothing: float, dtype: Any) -> None:
    loss, y = make(label_smoothing=smoothing, class_weights=[1.0, 2.0, 3.0]), np.array([2, 0, 1, 1], dtype=dtype)
    predictions = np.random.default_rng(0).uniform(0.1, 0.9, (4, 3))
    assert_close(of_batch(loss, predictions, np.eye(3, dtype=dtype)[y]), of_batch(loss, predictions, y), 0.0)


@pytest.mark.parametrize(
    "loss", [MeanSquaredError(), MeanAbsoluteError(), Huber(), BinaryCrossentropy(), SigmoidCrossentropy()]
)
def test_a_vector_of_targets_serves_one_output(loss: Loss) -> None:
    predictions, y = np.array([[0.2], [0.9], [0.4]]), np.array([0, 1, 1])
    assert_close(of_batch(loss, predictions, y), of_batch(loss, predictions, y[:, None]), 0.0)
    assert_close(of_batch(loss, predictions, y.astype(bool)), of_batch(loss, predictions, y), 0.0)


def test_label_smoothing_by_hand() -> None:
    """0.3 of the mass spread over three classes: the target of class 0 becomes (0.8, 0.1, 0.1)."""
    z = np.log(np.array([[0.7, 0.1, 0.2]]))
    value = -(0.8 * np.log(0.7) + 0.1 * np.log(0.1) + 0.1 * np.log(0.2))
    loss, slope = of_batch(SoftmaxCrossentropy(label_smoothing=0.3), z, [0])
    assert_close((loss, slope), (value, np.array([[0.7 - 0.8, 0.1 - 0.1, 0.2 - 0.1]])), 1e-14)
    loss, slope = of_batch(CategoricalCrossentropy(label_smoothing=0.3), np.exp(z), [0])
    assert_close((loss, slope), (value, np.array([[-0.8 / 0.7, -0.1 / 0.1, -0.1 / 0.2]])), 1e-14)


def test_binary_label_smoothing_by_hand() -> None:
    """0.2 of the mass shared by yes and no: 1 becomes 0.9 and 0 becomes 0.1."""
    loss, slope = of_batch(SigmoidCrossentropy(label_smoothing=0.2), np.zeros((2, 1)), [1, 0])
    assert_close((loss, slope), (np.log(2.0), np.array([[0.5 - 0.9], [0.5 - 0.1]]) / 2), 1e-15)
    loss, slope = of_batch(BinaryCrossentropy(label_smoothing=0.2), np.array([[0.6]]), [1])
    assert_close(
        (loss, slope),
        (-(0.9 * np.log(0.6) + 0.1 * np.log(0.4)), np.array([[-(0.9 / 0.6 - 0.1 / 0.4)]])),
        1e-14,
    )


# What predictions say


@pytest.mark.parametrize(("fused", "layer"), [(SoftmaxCrossentropy(), Softmax()), (SigmoidCrossentropy(), Sigmoid())])
def test_the_probabilities_of_a_fused_loss_are_those_of_its_activation(fused: Loss, layer: Layer) -> None:
    z = np.array([[1.0, -2.0, 0.5], [1e4, 0.0, -1e4]])
    assert_close(fused.probabilities(np, z), layer.forward(z), 1e-15)


def test_what_a_loss_decides() -> None:
    """The likeliest class; yes where the probability is above a half; the value itself."""
    p = np.array([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    assert CategoricalCrossentropy().decide(np, p).tolist() == [1, 0]
    assert SoftmaxCrossentropy().decide(np, np.log(p)).tolist() == [1, 0]
    assert BinaryCrossentropy().decide(np, p).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert SigmoidCrossentropy().decide(np, np.array([[-0.1], [0.1], [0.0]])).tolist() == [0, 1, 0]
    assert MeanSquaredError().decide(np, p) is p


# Numbers by hand, kinks and extremes

BY_HAND = {
    "categorical": (CategoricalCrossentropy(), [[0.5, 0.25, 0.25]], [1], np.log(4.0), [[0.0, -4.0, 0.0]]),
    "softmax": (SoftmaxCrossentropy(), np.log([[6.0, 3.0, 1.0]]), [1], -np.log(0.3), [[0.6, -0.7, 0.1]]),
    "binary": (BinaryCrossentropy(), [[0.25, 0.5]], [[0, 1]], np.log(8 / 3) / 2, [[4 / 3 / 2, -2 / 2]]),
    "sigmoid": (SigmoidCrossentropy(), [[np.log(3.0), 0.0]], [[0, 1]], np.log(8.0) / 2, [[0.75 / 2, -0.5 / 2]]),
    "squared": (MeanSquaredError(), [[1.0, 4.0]], [[3.0, 3.0]], (4 + 1) / 2, [[2 * -2 / 2, 2 * 1 / 2]]),
    "absolute, 0 at its kink": (MeanAbsoluteError(), [[1.0, 4.0, 7.0]], [[3.0, 3.0, 7.0]], 1.0, [[-1 / 3, 1 / 3, 0.0]]),
    "huber": (Huber(delta=2.0), [[1.0, -5.0]], [[0.0, 0.0]], (0.5 + 2 * (5 - 1)) / 2, [[1 / 2, -2 / 2]]),
}


@pytest.mark.parametrize(("loss", "predictions", "y", "value", "slope"), BY_HAND.values(), ids=BY_HAND)
def test_losses_by_hand(loss: Loss, predictions: Any, y: Any, value: float, slope: Any) -> None:
    assert_close(of_batch(loss, np.asarray(predictions), y), (value, np.asarray(slope)), 1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@every_loss
def test_extreme_predictions_give_finite_losses_and_gradients(case: Case, shape: Any, dtype: Any) -> None:
    """Probabilities of exactly 0 and 1, logits of ±10 000; NumPy's warnings are errors here."""
    extremes = (0.0, 1.0) if case.predictions is probabilities else (-1e4, 1e4)
    y = case.targets(np.random.default_rng(0), shape)
    for predictions in (np.resize(extremes, shape), np.resize(extremes[::-1], shape)):
        targets, shares = case.loss.prepare(y, shape, dtype=dtype)
        arguments = case.loss, predictions.astype(dtype), targets, shares
        assert np.isfinite(total(np, *arguments)) and np.isfinite(gradient(np, *arguments)).all()


@pytest.mark.parametrize("p", [0.0, 1.0])
@pytest.mark.parametrize("make", [CategoricalCrossentropy, BinaryCrossentropy])
def test_a_clip_finer_than_float32_keeps_losses_finite(make: Any, p: float) -> None:
    """1 - 1e-9 is 1 in float32, where log(1 - p) would be infinite."""
    loss, predictions = make(clip=1e-9), np.array([[p]], dtype=np.float32)
    targets, shares = loss.prepare([0], (1, 1), dtype=np.float32)
    arguments = loss, predictions, targets, shares
    assert np.isfinite(total(np, *arguments)) and np.isfinite(gradient(np, *arguments)).all()


def test_clipped_losses_take_the_gradient_at_the_clipped_value() -> None:
    """The convention: at p = 0 it is that of -log at the clip, large and finite."""
    loss, slope = of_batch(CategoricalCrossentropy(clip=1e-3), np.array([[0.0, 1.0]]), [0])
    assert_close((loss, slope), (-np.log(1e-3), np.array([[-1e3, 0.0]])), 1e-14)
    loss, slope = of_batch(BinaryCrossentropy(clip=1e-3), np.array([[1.0]]), [0])
    assert_close((loss, slope), (-np.log(1e-3), np.array([[1e3]])), 1e-10)


@pytest.mark.parametrize(
    ("first", "second", "fused", "targets"),
    [
        (Softmax(), CategoricalCrossentropy, SoftmaxCrossentropy, indices),
        (Sigmoid(), BinaryCrossentropy, SigmoidCrossentropy, answers),
    ],
)
@pytest.mark.parametrize("shape", [(4, 3), (1, 4), (5, 2)])
@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_a_fused_loss_equals_its_two_parts(
    first: Layer, second: Any, fused: Any, targets: Any, shape: Any, smoothing: float
) -> None:
    """Away from the clip, which only the separate loss has."""
    rng = np.random.default_rng(2)
    z, y = rng.normal(size=shape), targets(rng, shape)
    loss, slope = of_batch(second(label_smoothing=smoothing), first.forward(z), y)
    assert_close(of_batch(fused(label_smoothing=smoothing), z, y), (loss, first.backward(slope)), 1e-13, floor=1e-2)


def test_softmax_crossentropy_is_unmoved_by_a_shift_of_the_logits() -> None:
    z, y = np.array([[1.0, 2.0, -1.0]]), [2]
    assert_close(of_batch(SoftmaxCrossentropy(), z + 512.0, y), of_batch(SoftmaxCrossentropy(), z, y), 1e-13)


def test_predictions_that_are_probabilities_are_those_of_the_loss() -> None:
    p = np.array([[0.25, 0.75]])
    assert_close(CategoricalCrossentropy().probabilities(np, p), p, 0.0)
    assert_close(BinaryCrossentropy().probabilities(np, p[:, :1]), p[:, :1], 0.0)


def test_the_weights_of_the_samples_alone_count_where_there_are_no_classes() -> None:
    totals = MeanSquaredError().sample_totals(np.zeros((2, 1)), np.array([1, 3]))
    assert totals is not None and totals.dtype == np.float64 and totals.tolist() == [1.0, 3.0]
    assert MeanSquaredError().sample_totals(np.zeros((2, 1)), None) is None


def test_labels_are_class_indices_whether_targets_are_indices_or_rows() -> None:
    loss = SoftmaxCrossentropy()
    assert loss.labels(np.array([2, 0])).tolist() == [2, 0]
    assert loss.labels(np.array([[0.0, 0.1, 0.9], [1.0, 0.0, 0.0]])).tolist() == [2, 0]
    assert MeanSquaredError().labels(np.array([[0.5], [1.5]])).tolist() == [0.5, 1.5]  # a column as predict gives it


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_loss_by_itself_is_that_of_a_pass_and_so_is_its_gradient(reduction: str) -> None:
    rng = np.random.default_rng(0)
    X, y, weights = rng.normal(size=(5, 3)), [0, 2, 1, 0, 2], [1.0, 2.0, 0.5, 0.0, 3.0]
    loss = SoftmaxCrossentropy(reduction=reduction)
    traced = trace(Sequential(ReLU()), loss, {}, X, y, sample_weights=weights)
    predictions = traced.predictions
    assert loss.forward(predictions, y, weights) == traced.loss
    np.testing.assert_array_equal(loss.backward(predictions, y, weights), traced["relu_0"].dvalues)
    with pytest.raises(ShapeError, match="5 samples of X but 2"):
        loss.forward(predictions, [0, 1])
