"""Schedules: numbers by hand at chosen steps, and what holds at every step."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import ConstantRate, CosineDecay, ExponentialDecay, InverseTimeDecay, OneCycle, PowerDecay, StepDecay
from chainrule.schedules import as_schedule
from support import public

HALF = math.sqrt(0.5)  # cos(π/4)

BY_HAND: dict[str, tuple[Any, dict[int, float]]] = {
    "constant": (ConstantRate(0.3), {0: 0.3, 1: 0.3, 10**6: 0.3}),
    "inverse time": (InverseTimeDecay(0.8, decay=0.5), {0: 0.8, 1: 0.8 / 1.5, 2: 0.4, 6: 0.2}),
    "step": (StepDecay(0.8, every=3, factor=0.5), {0: 0.8, 2: 0.8, 3: 0.4, 5: 0.4, 6: 0.2, 9: 0.1}),
    "step, by a tenth unless told": (StepDecay(0.8, every=1), {0: 0.8, 1: 0.08, 2: 0.008}),
    "exponential": (ExponentialDecay(0.8, every=4, factor=0.25), {0: 0.8, 2: 0.4, 4: 0.2, 6: 0.1, 8: 0.05}),
    "cosine": (
        CosineDecay(2.0, steps=12, warmup=4, final=1.0),
        {0: 0.0, 1: 0.5, 3: 1.5, 4: 2.0, 6: 1.5 + 0.5 * HALF, 8: 1.5, 10: 1.5 - 0.5 * HALF, 12: 1.0, 99: 1.0},
    ),
    "cosine without warm-up": (CosineDecay(2.0, steps=4), {0: 2.0, 1: 1 + HALF, 2: 1.0, 3: 1 - HALF, 4: 0.0, 5: 0.0}),
    "power": (PowerDecay(0.8, power=0.5), {0: 0.8, 3: 0.4, 15: 0.2}),
    "one cycle": (
        OneCycle(2.0, steps=20, rise=0.4, divide=10.0, final_divide=100.0),
        {0: 0.2, 2: 1.1 - 0.9 * HALF, 4: 1.1, 8: 2.0, 14: (2.0 + 0.002) / 2, 20: 0.002, 99: 0.002},
    ),
}

rates = st.floats(1e-6, 10.0)
counts = st.integers(1, 1000)
falling = st.one_of(
    st.builds(ConstantRate, rates),
    st.builds(InverseTimeDecay, rates, st.floats(0.0, 1.0)),
    st.builds(StepDecay, rates, counts, st.floats(0.01, 1.0)),
    st.builds(ExponentialDecay, rates, counts, st.floats(0.01, 1.0)),
    st.builds(CosineDecay, rates, counts),
    st.builds(PowerDecay, rates, st.floats(0.0, 2.0)),
)


@st.composite
def warmed(draw: st.DrawFn) -> CosineDecay:
    rate, steps = draw(rates), draw(st.integers(2, 1000))
    return CosineDecay(rate, steps, draw(st.integers(1, steps - 1)), final=rate * draw(st.floats(0.0, 1.0)))


cycles = st.builds(OneCycle, rates, counts, st.floats(0.05, 0.95), st.floats(1.0, 100.0), st.floats(1.0, 1e5))


def test_every_public_schedule_has_numbers_by_hand() -> None:
    tested = {type(schedule).__name__ for schedule, _ in BY_HAND.values()}
    missing = public(lambda kind: kind.__module__ == "chainrule.schedules") - tested
    assert not missing, f"add a row to BY_HAND in tests/test_schedules.py for {sorted(missing)}"


@pytest.mark.parametrize(("schedule", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_schedules_by_hand(schedule: Any, expected: dict[int, float]) -> None:
    received = {step: schedule(step) for step in expected}
    assert received == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert {type(rate) for rate in received.values()} == {float}


@given(falling, st.integers(0, 2000))
def test_a_decay_starts_at_its_rate_never_rises_and_never_falls_below_zero(schedule: Any, step: int) -> None:
    assert schedule(0) == pytest.approx(schedule.rate)
    assert 0.0 <= schedule(step + 1) <= schedule(step) * (1 + 1e-12)


@given(warmed(), st.integers(0, 2000))
def test_a_warmed_cosine_stays_between_zero_and_its_rate_and_moves_in_small_steps(
    schedule: CosineDecay, step: int
) -> None:
    here, following = schedule(step), schedule(step + 1)
    assert 0.0 <= here <= schedule.rate * (1 + 1e-12)
    slope = max(1 / schedule.warmup, math.pi / 2 / (schedule.steps - schedule.warmup))
    assert abs(following - here) <= schedule.rate * slope * (1 + 1e-9)
    assert schedule(schedule.warmup) == pytest.approx(schedule.rate)
    assert schedule(schedule.steps) == pytest.approx(schedule.final)


@given(cycles, st.integers(0, 2000))
def test_one_cycle_stays_between_its_ends_and_its_peak_and_moves_in_small_steps(schedule: OneCycle, step: int) -> None:
    here, following = schedule(step), schedule(step + 1)
    last = schedule.peak / schedule.divide / schedule.final_divide
    assert last * (1 - 1e-9) <= here <= schedule.peak * (1 + 1e-12)
    slope = math.pi / 2 / (min(schedule.rise, 1 - schedule.rise) * schedule.steps)
    assert abs(following - here) <= schedule.peak * slope * (1 + 1e-9)
    assert schedule(0) == pytest.approx(schedule.peak / schedule.divide)
    assert schedule(schedule.steps) == pytest.approx(last)


@given(falling, st.integers(0, 5))
def test_schedules_are_functions_of_the_step_alone(schedule: Any, step: int) -> None:
    assert schedule(step) == schedule(step)
    assert hash(schedule) == hash(type(schedule)(**vars(schedule)))


def test_a_number_is_a_constant_rate_and_a_function_is_its_own_schedule() -> None:
    assert as_schedule(0.25) == ConstantRate(0.25)
    assert as_schedule(abs) is abs
