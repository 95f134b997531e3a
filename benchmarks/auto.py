"""What `engine="auto"` costs or gains against NumPy on runs of many lengths, each in a process of its own.

The time is that of `fit`, from the call to its end: choosing, loading or compiling, training. "empty" begins with no
compiled code on disk, "filled" with what the run needs. NumPy and `auto` run in turn; medians are printed.

    python benchmarks/auto.py [--repeats 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

RUNS = {
    "spiral": ("spiral(100, 3, seed=0)", "[Dense(2, 64), ReLU(), Dense(64, 3)]", 300, (10, 100, 1000, 10000, 60000)),
    "digits": ("pair('digits')", "[Dense(64, 128), ReLU(), Dense(128, 10)]", 64, (1, 5, 20, 100, 500)),
    "iris": ("pair('iris')", "[Dense(4, 8), Tanh(), Dense(8, 3)]", 16, (5, 50, 500, 2000)),
    "dense": ("noise()", "[Dense(784, 128), ReLU(), Dense(128, 128), ReLU(), Dense(128, 10)]", 128, (1, 4, 16, 64)),
}
SCRIPT = """
import sys, time
import numpy as np
from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy, Tanh, datasets
from chainrule.datasets.generators import spiral

def pair(name):
    found = datasets.load(name)
    return found.X_train, found.y_train

def noise():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4096, 784)), rng.integers(0, 10, 4096)

X, y = {data}
model = Model({layers}, SoftmaxCrossentropy(), Adam(1e-3))
begin = time.perf_counter()
model.fit(X, y, epochs={epochs}, batch_size={batch}, verbose=False, engine=sys.argv[1])
print(time.perf_counter() - begin, model.run.engine)
"""


def seconds(script: str, engine: str, folder: str) -> tuple[float, str]:
    """Seconds of `fit`, and the engine that ran."""
    environment = os.environ | {"CHAINRULE_CACHE": folder}
    command = [sys.executable, "-c", script, engine]
    time, chosen = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()
    return float(time), chosen


def compare(script: str, filled: bool, repeats: int) -> tuple[float, float, str]:
    """Medians of NumPy and of `auto`, and the engine that `auto` chose."""
    times: dict[str, list[float]] = {"numpy": [], "auto": []}
    chosen = ""
    with tempfile.TemporaryDirectory() as kept:
        if filled:
            seconds(script.replace("epochs=", "epochs=1 or "), "fused", kept)
        for _ in range(repeats):
            for engine, found in times.items():
                with tempfile.TemporaryDirectory() as fresh:
                    time, name = seconds(script, engine, kept if filled else fresh)
                    found.append(time)
                    chosen = name if engine == "auto" else chosen
    return statistics.median(times["numpy"]), statistics.median(times["auto"]), chosen


def main() -> None:
    """Print one line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="interleaved repeats (default 3)")
    repeats = parser.parse_args().repeats
    print(f"{'run':8} {'epochs':>7} {'disk':>7} {'numpy, s':>10} {'auto, s':>10} {'auto / numpy':>13}  engine")
    for name, (data, layers, batch, lengths) in RUNS.items():
        for epochs in lengths:
            script = SCRIPT.format(data=data, layers=layers, epochs=epochs, batch=batch)
            for filled in (False, True):
                numpy, auto, chosen = compare(script, filled, repeats)
                disk = "filled" if filled else "empty"
                print(
                    f"{name:8} {epochs:7} {disk:>7} {numpy:10.3f} {auto:10.3f} {auto / numpy:13.2f}  {chosen}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
