"""One battery for every optimizer: to test a new optimizer, add a row to CASES with three steps by hand."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    ConstantRate,
    Dense,
    MeanSquaredError,
    Model,
    Optimizer,
    RMSprop,
    StepDecay,
)
from chainrule.errors import ConfigurationError, UnknownNameError
from chainrule.optimizers import gradient_norm
from chainrule.registry import build, describe
from support import assert_close, compiled, each, leaves, public, read_only, strict

# Three steps of one parameter that starts at 1 and meets the gradients 1, 2 and -1, after the formulas in the
# documentation of torch.optim. Only the arithmetic is written here, with every number in its place.

Three = tuple[float, float, float]


def sgd() -> Three:
    return 1 - 0.1 * 1, 0.9 - 0.1 * 2, 0.7 + 0.1 * 1


def sgd_momentum() -> Three:
    """Velocities: 1, then 0.9·1 + 2 = 2.9, then 0.9·2.9 - 1 = 1.61."""
    return 1 - 0.1 * 1, 0.9 - 0.1 * 2.9, 0.61 - 0.1 * 1.61


def sgd_nesterov() -> Three:
    """The same velocities; the directions are 1 + 0.9·1, 2 + 0.9·2.9 and -1 + 0.9·1.61."""
    return 1 - 0.1 * 1.9, 0.81 - 0.1 * 4.61, 0.349 - 0.1 * 0.449


def sgd_decay() -> Three:
    """Weight decay 0.5 adds half the parameter to the gradient: 1.5, then 2.425, then -0.69625."""
    return 1 - 0.1 * 1.5, 0.85 - 0.1 * 2.425, 0.6075 - 0.1 * (-1 + 0.5 * 0.6075)


def sgd_momentum_decay() -> Three:
    """Velocities: 1.5, then 0.9·1.5 + 2.425 = 3.775, then 0.9·3.775 + (-1 + 0.5·0.4725) = 2.63375."""
    return 1 - 0.1 * 1.5, 0.85 - 0.1 * 3.775, 0.4725 - 0.1 * 2.63375


def adagrad() -> Three:
    """Caches: 1, 1 + 4, 5 + 1."""
    p1 = 1 - 0.1 * 1 / (math.sqrt(1) + 1e-10)
    p2 = p1 - 0.1 * 2 / (math.sqrt(5) + 1e-10)
    return p1, p2, p2 + 0.1 * 1 / (math.sqrt(6) + 1e-10)


def rmsprop() -> Three:
    """Caches with rho 0.9: 0.1, 0.9·0.1 + 0.1·4 = 0.49, 0.9·0.49 + 0.1·1 = 0.541."""
    p1 = 1 - 0.1 * 1 / (math.sqrt(0.1) + 1e-8)
    p2 = p1 - 0.1 * 2 / (0.7 + 1e-8)
    return p1, p2, p2 + 0.1 * 1 / (math.sqrt(0.541) + 1e-8)


def adam() -> Three:
    """Momenta 0.1, 0.29, 0.161; caches 0.001, 0.004999, 0.005994001; both divided by 1 - beta^(step + 1)."""
    p1 = 1 - 0.1 * (0.1 / 0.1) / (math.sqrt(0.001 / 0.001) + 1e-8)
    p2 = p1 - 0.1 * (0.29 / 0.19) / (math.sqrt(0.004999 / 0.001999) + 1e-8)
    return p1, p2, p2 - 0.1 * (0.161 / 0.271) / (math.sqrt(0.005994001 / 0.002997001) + 1e-8)


def adam_decay() -> Three:
    """Weight decay 0.5 in the gradient, which then is 1.5 at the first step."""
    p1 = 1 - 0.1 * 1.5 / (1.5 + 1e-8)
    g2 = 2 + 0.5 * p1
    m2, c2 = 0.9 * 0.15 + 0.1 * g2, 0.999 * 0.00225 + 0.001 * g2**2
    p2 = p1 - 0.1 * (m2 / 0.19) / (math.sqrt(c2 / 0.001999) + 1e-8)
    g3 = -1 + 0.5 * p2
    m3, c3 = 0.9 * m2 + 0.1 * g3, 0.999 * c2 + 0.001 * g3**2
    return p1, p2, p2 - 0.1 * (m3 / 0.271) / (math.sqrt(c3 / 0.002997001) + 1e-8)


def adamw() -> Three:
    """Adam's three steps, each after the parameter has shrunk by the factor 1 - 0.1 · 0.5."""
    p1 = 0.95 * 1 - 0.1 * 1 / (1 + 1e-8)
    p2 = 0.95 * p1 - 0.1 * (0.29 / 0.19) / (math.sqrt(0.004999 / 0.001999) + 1e-8)
    return p1, p2, 0.95 * p2 - 0.1 * (0.161 / 0.271) / (math.sqrt(0.005994001 / 0.002997001) + 1e-8)


@dataclass(frozen=True)
class Case:
    """A configured optimizer and its three steps by hand."""

    optimizer: Optimizer
    by_hand: Callable[[], Three]


CASES = {
    "sgd": Case(SGD(0.1), sgd),
    "sgd-momentum": Case(SGD(0.1, momentum=0.9), sgd_momentum),
    "sgd-nesterov": Case(SGD(0.1, momentum=0.9, nesterov=True), sgd_nesterov),
    "sgd-decay": Case(SGD(0.1, weight_decay=0.5), sgd_decay),
    "sgd-momentum-decay": Case(SGD(0.1, momentum=0.9, weight_decay=0.5), sgd_momentum_decay),
    "adagrad": Case(Adagrad(0.1), adagrad),
    "rmsprop": Case(RMSprop(0.1, rho=0.9), rmsprop),
    "adam": Case(Adam(0.1), adam),
    "adam-decay": Case(Adam(0.1, weight_decay=0.5), adam_decay),
    "adamw": Case(AdamW(0.1, weight_decay=0.5), adamw),
}
every_optimizer = pytest.mark.parametrize("optimizer", [case.optimizer for case in CASES.values()], ids=CASES)

SHAPES = {"dense_0.weights": (3, 2), "dense_0.biases": (1, 2), "dense_1.weights": (2, 1)}


def random_arrays(seed: int, dtype: Any = np.float64) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def run(xp: Any, optimizer: Optimizer, parameters: Any, gradients: list[Any], **options: Any) -> tuple[Any, Any]:
    """Parameters and slots after one step for each dict of gradients."""
    slots = optimizer.initial_slots(xp, parameters)
    for step, gradient in enumerate(gradients):
        parameters, slots = optimizer.update(xp, step, parameters, gradient, slots, **options)
    return parameters, slots


def test_every_public_optimizer_has_a_row() -> None:
    tested = {type(case.optimizer).__name__ for case in CASES.values()}
    missing = public(lambda kind: issubclass(kind, Optimizer) and kind is not Optimizer) - tested
    assert not missing, f"add a row to CASES in tests/test_optimizers.py for {sorted(missing)}"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_three_steps_by_hand(case: Case) -> None:
    parameters, slots, reached = {"w": np.array([1.0])}, case.optimizer.initial_slots(np, {"w": np.zeros(1)}), []
    for step, gradient in enumerate((1.0, 2.0, -1.0)):
        parameters, slots = case.optimizer.update(np, step, parameters, {"w": np.array([gradient])}, slots)
        reached.append(parameters["w"].item())
    assert reached == pytest.approx(case.by_hand(), rel=1e-12)


def test_defaults_are_those_of_torch_optim() -> None:
    assert (Adam().learning_rate, Adam().beta_1, Adam().beta_2, Adam().epsilon) == (1e-3, 0.9, 0.999, 1e-8)
    assert (AdamW().learning_rate, AdamW().weight_decay) == (1e-3, 0.01)
    assert (RMSprop().learning_rate, RMSprop().rho, RMSprop().epsilon) == (0.01, 0.99, 1e-8)
    assert (Adagrad().learning_rate, Adagrad().epsilon) == (0.01, 1e-10)
    assert (SGD().momentum, SGD().nesterov, SGD().weight_decay, Adam().weight_decay) == (0.0, False, 0.0, 0.0)


# The battery


@every_optimizer
def test_nothing_is_mutated(optimizer: Optimizer) -> None:
    parameters, gradients, slots = read_only(
        (random_arrays(0), random_arrays(1), optimizer.initial_slots(np, random_arrays(0)))
    )
    before = each(np.copy, (parameters, gradients, slots))
    following, following_slots = optimizer.update(np, 0, parameters, gradients, slots)
    assert_close((parameters, gradients, slots), before, 0.0)
    assert following is not parameters and following_slots is not slots


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", [3, np.int64(3)], ids=["int", "numpy-integer"])
def test_the_dtype_is_kept(optimizer: Optimizer, dtype: Any, step: Any) -> None:
    parameters, gradients = random_arrays(0, dtype), random_arrays(1, dtype)
    result = optimizer.update(np, step, parameters, gradients, optimizer.initial_slots(np, parameters))
    assert {array.dtype for array in leaves(result)} == {np.dtype(dtype)}


def test_the_dtype_is_kept_with_a_schedule_of_one_s_own_that_returns_a_numpy_number() -> None:
    parameters, gradients = random_arrays(0, np.float32), random_arrays(1, np.float32)
    following, _ = SGD(lambda step: 0.1 * np.exp(-0.1 * step)).update(np, 0, parameters, gradients, {})
    assert {array.dtype for array in following.values()} == {np.dtype(np.float32)}


@every_optimizer
def test_one_flat_vector_takes_the_same_steps_as_its_pieces(optimizer: Optimizer) -> None:
    """Every rule is entry by entry, so that an engine may keep all parameters in one vector."""

    def flat(arrays: dict[str, Any]) -> dict[str, Any]:
        return {"all": np.concatenate([arrays[name].ravel() for name in SHAPES])}

    gradients = [random_arrays(seed) for seed in (1, 2, 3)]
    apart, _ = run(np, optimizer, random_arrays(0), gradients)
    together, _ = run(np, optimizer, flat(random_arrays(0)), [flat(g) for g in gradients])
    assert_close(together, flat(apart), 0.0)


@every_optimizer
@pytest.mark.parametrize("limits", [{}, {"clip_norm": 0.5, "clip_value": 0.7}], ids=["plain", "clipped"])
def test_array_api_strict_takes_the_same_steps(optimizer: Optimizer, limits: dict[str, float]) -> None:
    limited = replace_settings(optimizer, limits)
    gradients = [random_arrays(seed) for seed in (1, 2)]
    expected = run(np, limited, random_arrays(0), gradients)
    result = run(array_api_strict, limited, strict(random_arrays(0)), [strict(g) for g in gradients])
    assert_close(each(np.asarray, result), expected, 1e-12)


@every_optimizer
@pytest.mark.parametrize("limits", [{}, {"clip_norm": 0.5, "clip_value": 0.7}], ids=["plain", "clipped"])
def test_jax_takes_the_same_step_with_step_and_rate_unknown_when_compiled(
    optimizer: Optimizer, limits: dict[str, float]
) -> None:
    limited = replace_settings(optimizer, limits)
    parameters, slots = run(np, limited, random_arrays(0), [random_arrays(1)])
    gradients, rates = random_arrays(2), dict.fromkeys(SHAPES, 0.1)
    expected = limited.update(np, 1, parameters, gradients, slots)
    result = compiled(
        lambda step, p, g, s, rates: limited.update(jnp, step, p, g, s, rates), 1, parameters, gradients, slots, rates
    )
    assert_close(result, expected, 1e-12)


@every_optimizer
def test_a_parameter_without_a_gradient_stays_with_its_slots(optimizer: Optimizer) -> None:
    parameters, gradients = random_arrays(0), random_arrays(1)
    slots = {name: array + 0.5 for name, array in optimizer.initial_slots(np, parameters).items()}
    following, following_slots = optimizer.update(
        np, 0, parameters, {"dense_0.biases": gradients["dense_0.biases"]}, slots
    )
    assert following.keys() == parameters.keys() and following_slots.keys() == slots.keys()
    assert {n for n in SHAPES if np.any(following[n] != parameters[n])} == {"dense_0.biases"}
    assert all(n.startswith("dense_0.biases") for n in slots if np.any(following_slots[n] != slots[n]))


@every_optimizer
def test_slots_start_at_zero_under_dotted_names(optimizer: Optimizer) -> None:
    parameters = random_arrays(0)
    slots = optimizer.initial_slots(np, parameters)
    expected = {f"{name}.{slot}": np.zeros(SHAPES[name]) for name in SHAPES for slot in optimizer.carried()}
    assert_close(slots, expected, 0.0)


@every_optimizer
def test_optimizers_with_the_same_settings_are_equal_and_say_them(optimizer: Optimizer) -> None:
    again = replace_settings(optimizer, {})
    assert again == optimizer and hash(again) == hash(optimizer) and again is not optimizer
    assert f"{type(optimizer).__name__}(learning_rate=0.1" in repr(optimizer)


def replace_settings(optimizer: Optimizer, settings: dict[str, Any]) -> Optimizer:
    return type(optimizer)(**(vars(optimizer) | settings))


# Rates, groups, clipping


def test_a_schedule_gives_the_rate_of_each_step() -> None:
    """Rates 1, 1, 0.5 with the gradient 1: the parameter goes 0, -1, -2, -2.5."""
    optimizer = SGD(StepDecay(1.0, every=2, factor=0.5))
    parameters, _ = run(np, optimizer, {"w": np.zeros(1)}, [{"w": np.ones(1)}] * 3)
    assert parameters["w"].item() == -2.5
    assert [optimizer.rate(step) for step in range(4)] == [1.0, 1.0, 0.5, 0.5]


def test_a_number_and_a_constant_schedule_are_the_same_rate() -> None:
    assert SGD(0.3).rate(7) == SGD(ConstantRate(0.3)).rate(7) == 0.3


def test_given_rates_take_the_place_of_the_schedule() -> None:
    parameters, _ = SGD(0.1).update(np, 0, {"w": np.zeros(1)}, {"w": np.ones(1)}, {}, rates={"w": 2.0})
    assert parameters["w"].item() == -2.0


def test_groups_have_settings_of_their_own_and_the_first_match_counts() -> None:
    optimizer = SGD(
        0.1,
        momentum=0.5,
        weight_decay=1.0,
        groups={
            "*.biases": {"weight_decay": 0.0, "momentum": 0.0},
            "dense_0.*": {"learning_rate": StepDecay(0.2, every=1, factor=0.5)},
        },
    )
    ones = each(np.ones_like, random_arrays(0))
    assert set(optimizer.initial_slots(np, ones)) == {"dense_0.weights.velocity", "dense_1.weights.velocity"}
    assert optimizer.rate(1, "dense_0.weights") == 0.1 and optimizer.rate(1, "dense_0.biases") == 0.1
    assert optimizer.rate(0, "dense_0.weights") == 0.2 and optimizer.rate(0, "dense_1.weights") == 0.1
    following, _ = run(np, optimizer, ones, [ones])
    first = {name: array.flat[0] for name, array in following.items()}
    assert first == pytest.approx(
        {"dense_0.weights": 1 - 0.2 * 2, "dense_0.biases": 1 - 0.1 * 1, "dense_1.weights": 1 - 0.1 * 2}
    )


def test_a_group_that_matches_no_parameter_is_refused() -> None:
    optimizer = Adam(groups={"dense_9.*": {"learning_rate": 0.1}})
    with pytest.raises(UnknownNameError, match=r"dense_9\.\*.*Known: 'dense_0.weights'"):
        optimizer.initial_slots(np, random_arrays(0))


def test_the_norm_is_joint_over_all_gradients() -> None:
    assert gradient_norm(np, {"a": np.array([[3.0, 0.0]]), "b": np.array([4.0])}) == 5.0


def test_clip_norm_scales_all_gradients_together() -> None:
    """A joint norm of 5 limited to 1: every gradient is divided by 5."""
    gradients = {"a": np.array([[3.0, 0.0]]), "b": np.array([4.0])}
    limited = SGD(clip_norm=1.0).clipped(np, gradients)
    assert_close(limited, {"a": np.array([[0.6, 0.0]]), "b": np.array([0.8])}, 1e-15)
    assert_close(SGD(clip_norm=6.0).clipped(np, gradients), gradients, 0.0)


def test_clip_norm_leaves_gradients_of_zero() -> None:
    assert_close(SGD(clip_norm=1.0).clipped(np, {"a": np.zeros(2)}), {"a": np.zeros(2)}, 0.0)


def test_clip_value_limits_entries_and_comes_before_clip_norm() -> None:
    """(10, -0.5, -7) becomes (4, -0.5, -4) by value, then is scaled by its norm."""
    gradients = {"a": np.array([10.0, -0.5, -7.0])}
    assert_close(SGD(clip_value=4.0).clipped(np, gradients), {"a": np.array([4.0, -0.5, -4.0])}, 0.0)
    both = SGD(clip_value=4.0, clip_norm=1.0).clipped(np, gradients)
    assert_close(both, {"a": np.array([4.0, -0.5, -4.0]) / math.sqrt(32.25)}, 1e-15)


def test_clipping_comes_before_weight_decay() -> None:
    """The gradient 10 is limited to 1, then 0.5 · 4 is added: 4 - 0.1 · 3."""
    parameters, _ = SGD(0.1, clip_value=1.0, weight_decay=0.5).update(
        np, 0, {"w": np.array([4.0])}, {"w": np.array([10.0])}, {}
    )
    assert parameters["w"].item() == pytest.approx(3.7)


def test_settings_are_a_copy_that_nobody_changes() -> None:
    own: dict[str, Any] = {"*.weights": {"weight_decay": 0.0}}
    optimizer = SGD(0.1, groups=own)
    own["*.weights"]["weight_decay"] = 0.5
    own["*.biases"] = {}
    assert optimizer.groups == {"*.weights": {"weight_decay": 0.0}}
    changes: list[Any] = [
        lambda groups: groups["*.weights"].update(weight_decay=0.5),
        lambda groups: groups["*.weights"].__setitem__("weight_decay", 0.5),
        lambda groups: groups.pop("*.weights"),
        lambda groups: groups.__ior__({}),
        lambda groups: groups.clear(),
    ]
    for change in changes:
        with pytest.raises(ConfigurationError, match="cannot be changed in place; make new ones"):
            change(optimizer.groups)
    copies = (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer), copy.copy(optimizer))
    for other in (*copies, build(describe(optimizer)), dataclasses.replace(optimizer)):
        assert other == optimizer and repr(other) == repr(optimizer) and "{'*.weights': {'weight" in repr(other)
        with pytest.raises(ConfigurationError):
            other.groups["*.weights"]["weight_decay"] = 0.5


@pytest.mark.parametrize(
    ("rate", "gives"),
    [
        (lambda step: -0.5, "-0.5 at step 0"),
        (lambda step: None, "None at step 0"),
        (lambda step: np.array([0.1]), r"array\(\[0.1\]\) at step 0"),
        (lambda step: 0.1 if step < 3 else float("nan"), "nan at step 3"),
        (lambda step: "0.1", "'0.1' at step 0"),
    ],
)
def test_a_schedule_that_gives_no_rate_is_refused_with_the_step(rate: Any, gives: str) -> None:
    X, y = np.ones((4, 2)), np.ones((4, 1))
    for engine in ("numpy", "fused"):
        model = Model([Dense(2, 1)], MeanSquaredError(), SGD(rate))
        with pytest.raises(ConfigurationError, match=f"at least 0, and the schedule <lambda> gives {gives}"):
            model.fit(X, y, epochs=5, batch_size=4, engine=engine, verbose=False)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("error")
def test_a_rate_may_be_a_number_of_any_library() -> None:
    assert Adam(np.float32(1e-3)).rate(0) == pytest.approx(1e-3)
    assert SGD(lambda step: np.float32(0.5)).rate(0) == SGD(lambda step: np.array(0.5)).rate(0) == 0.5
