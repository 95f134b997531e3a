"""How long one explanation takes: 784-128-128-10, a batch of 128, every view of it.

python benchmarks/explain.py
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy


def main() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(128, 784)), rng.integers(0, 10, 128)
    model = Model([Dense(784, 128), ReLU(), Dense(128, 128), ReLU(), Dense(128, 10)], SoftmaxCrossentropy(), Adam())
    model.fit(X, y, epochs=1, batch_size=128, verbose=False)
    seconds = []
    for repetition in range(7):
        start = time.perf_counter()
        one = model.explain(X, y, "dense_0.weights", (20, 5 + repetition))
        seconds.append(time.perf_counter() - start)
        assert one.agrees
    print(f"784-128-128-10, 128 samples, {len(one.lines)} lines")
    print(f"explain: first {seconds[0]:.3f} s, median of {len(seconds)} {statistics.median(seconds):.3f} s")
    for label, render in (("text", str), ("LaTeX", lambda e: e.to_latex()), ("page", lambda e: e.to_html())):
        start = time.perf_counter()
        render(one)
        print(f"as {label}: {time.perf_counter() - start:.3f} s more")


if __name__ == "__main__":
    main()
