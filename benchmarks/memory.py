"""What `fit` and `evaluate` add to a process's memory where the data are large, each case in a process of its own.

    python benchmarks/memory.py

Printed is the most memory that the process held of its own (not the pages of mapped files, which the system takes back
when it needs them), less what it held before the call with the data in place.
"""

from __future__ import annotations

import subprocess
import sys

CASES = ("uint8", "float32", "float64", "memmap uint8", "memmap float32", "batches")
PROGRAM = """
import re, sys, tempfile, threading, time
import numpy as np
from chainrule import Dense, Model, ReLU, SGD, SoftmaxCrossentropy

kind, engine, samples, inputs = sys.argv[1], sys.argv[2], 100_000, 800

def own():  # MB
    status = open("/proc/self/status").read()
    return int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]) / 1e3

def rows(start, stop):
    return np.random.default_rng(start).integers(0, 255, (stop - start, inputs), np.uint8)

dtype = np.dtype(kind.split()[-1]) if kind != "batches" else None
y = np.random.default_rng(0).integers(0, 10, samples)
with tempfile.TemporaryDirectory() as folder:
    if dtype is not None:
        mapped = kind.startswith("memmap")
        path = f"{folder}/X.npy"
        shape = samples, inputs
        X = np.lib.format.open_memmap(path, "w+", dtype, shape) if mapped else np.empty(shape, dtype)
        for start in range(0, samples, 1000):
            X[start : start + 1000] = rows(start, start + 1000)
        if mapped:
            X.flush()
            X = np.load(path, mmap_mode="r")
        given = X, y
    else:
        given = (lambda: ((rows(i, i + 500), y[i : i + 500]) for i in range(0, samples, 500)),)
    def fitted(given, epochs):
        model = Model([Dense(inputs, 32), ReLU(), Dense(32, 10)], SoftmaxCrossentropy(), SGD(1e-6))
        model.fit(*given, epochs=epochs, batch_size=500, verbose=False, engine=engine)
        return model
    fitted((np.zeros((500, inputs), np.float32), y[:500]), 1)  # what is loaded once
    before, most, over = own(), [0.0], threading.Event()
    def watch():
        while not over.is_set():
            most[0] = max(most[0], own())
            time.sleep(0.002)
    thread = threading.Thread(target=watch)
    thread.start()
    begin = time.perf_counter()
    model = fitted(given, 2)
    seconds = time.perf_counter() - begin
    if kind != "batches":
        model.evaluate(*given)
    over.set()
    thread.join()
    size = 0 if dtype is None else samples * inputs * dtype.itemsize / 1e6
    print(f"{kind:<16}{engine:<8}{size:>10.0f}{most[0] - before:>12.0f}{seconds:>12.2f}", flush=True)
"""


def main() -> None:
    """Print a line for each case and engine."""
    print(f"{'X, 100,000 x 800':<16}{'engine':<8}{'MB of X':>10}{'MB added':>12}{'s of fit':>12}", flush=True)
    for kind in CASES:
        for engine in ("numpy", "fused"):
            subprocess.run([sys.executable, "-c", PROGRAM, kind, engine], check=True)


if __name__ == "__main__":
    main()
