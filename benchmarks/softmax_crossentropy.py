"""How much faster the combined gradient of softmax and cross-entropy is than one Jacobian for each sample.

The notes measured 2.35 for three samples of three classes. Both ways are the book's classes, as in the notes, and
compute the same numbers, which is checked first; the two are timed in turn, and the medians and their ratio printed.

    python benchmarks/softmax_crossentropy.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np

from chainrule.book import (
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Loss_CategoricalCrossentropy,
)

SIZES = ((3, 3), (128, 10), (4096, 1000))


def combined(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(p - y) / B."""
    both = Activation_Softmax_Loss_CategoricalCrossentropy()
    both.backward(probabilities, targets)
    return both.dinputs


def separate(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The loss's gradient, then the Jacobian of each sample times its row."""
    activation, loss = Activation_Softmax(), Loss_CategoricalCrossentropy()
    activation.output = probabilities
    loss.backward(probabilities, targets)
    activation.backward(loss.dinputs)
    return activation.dinputs


def seconds(function: Callable[[], object], calls: int) -> float:
    """Seconds for one call, over `calls` of them."""
    begin = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - begin) / calls


def main() -> None:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repeats (default 5)")
    repeats = parser.parse_args().repeats
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.processor() or platform.machine()}")
    print(f"{'samples, classes':>18} {'combined':>12} {'separate':>12} {'ratio':>8}   (medians of {repeats})")
    rng = np.random.default_rng(0)
    for samples, classes in SIZES:
        exponentials = np.exp(rng.normal(size=(samples, classes)))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        targets = rng.integers(0, classes, samples)
        np.testing.assert_allclose(
            combined(probabilities, targets), separate(probabilities, targets), rtol=1e-9, atol=1e-15
        )
        calls = max(1, 20_000 // (samples * classes))
        times: list[tuple[float, float]] = [
            (
                seconds(lambda p=probabilities, t=targets: combined(p, t), calls),
                seconds(lambda p=probabilities, t=targets: separate(p, t), max(1, calls // 10)),
            )
            for _ in range(repeats)
        ]
        fast, slow = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{f'({samples}, {classes})':>18} {fast * 1e6:>9.1f} µs {slow * 1e6:>9.1f} µs {slow / fast:>7.2f}x")


if __name__ == "__main__":
    main()
