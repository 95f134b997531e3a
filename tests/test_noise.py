"""Noise: published words, the same bits in every library, and numbers that look uniform and independent."""

from __future__ import annotations

from typing import Any

import array_api_strict
import jax
import jax.extend.random
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.noise import ROUNDS, node_key, threefry, uniform
from support import jax_float64

ZEROS, ONES = (0, 0), (0xFFFFFFFF, 0xFFFFFFFF)
PI_FIRST, PI_SECOND = (0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344)
KNOWN = {  # the known-answer file of Random123: rounds, key, counter, words
    "zeros-20": (20, ZEROS, ZEROS, (0x6B200159, 0x99BA4EFE)),
    "ones-20": (20, ONES, ONES, (0x1CB996FC, 0xBB002BE7)),
    "pi-20": (20, PI_SECOND, PI_FIRST, (0xC4923A9C, 0x483DF7A0)),
    "zeros-13": (13, ZEROS, ZEROS, (0x9D1C5EC6, 0x8BD50731)),
    "ones-13": (13, ONES, ONES, (0xFD36D048, 0x2D17272C)),
    "pi-13": (13, PI_SECOND, PI_FIRST, (0xBA3E4725, 0xF27D669E)),
}
NODE = node_key("dropout_0")
seeds = st.integers(0, 2**32 - 1)
shapes = st.one_of(
    st.tuples(st.integers(0, 5), st.integers(1, 6)), st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
)


def words(*numbers: int) -> tuple[Any, ...]:
    return tuple(np.array([number], dtype=np.uint32) for number in numbers)


@pytest.mark.parametrize(("rounds", "key", "counter", "expected"), KNOWN.values(), ids=KNOWN)
def test_threefry_gives_the_published_words(rounds: int, key: Any, counter: Any, expected: Any) -> None:
    assert tuple(word.item() for word in threefry(np, words(*key), words(*counter), rounds)) == expected


def test_noise_uses_thirteen_rounds() -> None:
    assert ROUNDS == 13
    default, thirteen = (threefry(np, words(1, 2), words(3, 4), *rounds) for rounds in ((), (13,)))
    assert default == thirteen


def test_threefry_with_twenty_rounds_is_jax_s() -> None:
    key, counter = np.array([7, 11], dtype=np.uint32), np.arange(64, dtype=np.uint32)
    expected = np.asarray(jax.extend.random.threefry_2x32(jnp.asarray(key), jnp.asarray(counter)))
    received = threefry(np, words(7, 11), (counter[:32], counter[32:]), rounds=20)
    assert np.array_equal(np.concatenate(received), expected)


@given(seeds, seeds, shapes, st.integers(0, 1000))
def test_numpy_and_array_api_strict_agree_in_every_bit(seed: int, step: int, shape: Any, first_row: int) -> None:
    expected = uniform(np, seed, step, NODE, shape, first_row)
    assert expected.shape == shape and expected.dtype == np.float32
    received = uniform(array_api_strict, seed, step, NODE, shape, first_row)
    assert received.dtype == array_api_strict.float32
    assert np.array_equal(np.asarray(received), expected)


@pytest.mark.parametrize("shape", [(4, 3), (1, 1), (2, 3, 2), (0, 3)])
@pytest.mark.parametrize("x64", [False, True])
def test_jax_agrees_in_every_bit_also_where_the_step_is_unknown_when_compiled(shape: Any, x64: bool) -> None:
    expected = uniform(np, 2**32 - 1, 12345, NODE, shape, 17)
    with jax_float64(x64):
        received = jax.jit(lambda step: uniform(jnp, 2**32 - 1, step, NODE, shape, 17))(jnp.asarray(12345, jnp.uint32))
        assert np.array_equal(np.asarray(uniform(jnp, 2**32 - 1, 12345, NODE, shape, 17)), expected)
    assert received.dtype == np.float32 and np.array_equal(np.asarray(received), expected)


@given(st.integers(1, 7), st.integers(0, 6), st.integers(0, 6), st.integers(0, 50))
def test_a_part_of_a_batch_meets_the_noise_of_its_rows_in_the_whole(
    features: int, start: int, rows: int, first: int
) -> None:
    whole = uniform(np, 1, 2, NODE, (12, features), first)
    assert np.array_equal(uniform(np, 1, 2, NODE, (rows, features), first + start), whole[start : start + rows])


def test_rows_far_out_in_the_data_wrap_around_without_an_error() -> None:
    assert uniform(np, 0, 0, NODE, (3, 5), first_row=2**31).shape == (3, 5)


def test_numbers_are_multiples_of_two_to_the_minus_24_below_one() -> None:
    numbers = uniform(np, 0, 0, NODE, (100, 100))
    assert numbers.min() >= 0 and numbers.max() < 1
    assert np.array_equal(numbers * 2.0**24, np.round(numbers * 2.0**24))


def correlation(a: Any, b: Any) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_numbers_have_the_mean_the_variance_and_the_histogram_of_a_uniform() -> None:
    """Within five standard errors; chi-square with 99 degrees of freedom has mean 99 and deviation √198."""
    numbers = uniform(np, 3, 1, NODE, (1000, 101)).astype(np.float64)
    n = numbers.size
    assert abs(numbers.mean() - 1 / 2) < 5 * np.sqrt(1 / 12 / n)
    assert abs(numbers.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / n)
    counts = np.histogram(numbers, bins=100, range=(0, 1))[0]
    assert abs(np.sum((counts - n / 100) ** 2) / (n / 100) - 99) < 5 * np.sqrt(198)


def test_neighbours_in_a_row_and_in_a_column_are_independent() -> None:
    numbers = uniform(np, 3, 1, NODE, (300, 300))
    bound = 5 / np.sqrt(numbers.size)
    assert abs(correlation(numbers[:, 1:], numbers[:, :-1])) < bound
    assert abs(correlation(numbers[1:], numbers[:-1])) < bound
    assert abs(correlation(numbers[:, :150], numbers[:, 150:])) < 1.5 * bound


@pytest.mark.parametrize(
    "other", [(1, 0, NODE), (0, 1, NODE), (0, 0, node_key("dropout_1"))], ids=["seed", "step", "node"]
)
def test_another_seed_step_or_node_gives_other_numbers(other: tuple[int, int, int]) -> None:
    first, second = uniform(np, 0, 0, NODE, (100, 100)), uniform(np, *other, (100, 100))
    assert np.mean(first == second) < 0.001
    assert abs(correlation(first, second)) < 0.05


def test_the_key_of_a_node_is_the_crc_of_its_name() -> None:
    assert node_key("123456789") == 0xCBF43926  # the check value of CRC-32
