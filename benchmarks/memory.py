"""What `fit` and `evaluate` add to a process's memory where the data are large, each case in a process of its own.

    python benchmarks/memory.py

    python benchmarks/memory.py stream

The second is for a table on disk: what `datasets.stream`, `fit` and `evaluate` add, beside the setting `memory`.

Printed is the most memory that the process held of its own (not the pages of mapped files, which the system takes back
when it needs them), less what it held before the call with the data in place.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

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


STREAM = """
import re, sys, threading, time
import numpy as np
from chainrule import Dense, Model, ReLU, SGD, SoftmaxCrossentropy, datasets

path, memory = sys.argv[1:]

def own():  # MB
    status = open("/proc/self/status").read()
    return int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]) / 1e3

def run(path, memory):
    data = datasets.stream(path, target="y", memory=memory)
    model = Model([Dense(len(data.feature_names), 32), ReLU(), Dense(32, 2)], SoftmaxCrossentropy(), SGD(1e-3))
    held = data.validation.batches(1000, shuffle=False)
    model.fit(data.train.batches(500), epochs=2, validation_data=held, verbose=False)
    model.evaluate(data.test.batches(1000))

run(path.replace("large", "small"), "100MB")  # what is loaded once
before, most, over = own(), [0.0], threading.Event()

def watch():
    while not over.is_set():
        most[0] = max(most[0], own())
        time.sleep(0.002)

thread = threading.Thread(target=watch)
thread.start()
begin = time.perf_counter()
run(path, memory)
seconds = time.perf_counter() - begin
over.set()
thread.join()
print(f"{memory:>10}{most[0] - before:>12.0f}{seconds:>12.1f}", flush=True)
"""
FEATURES, GROUP, GROUPS = 100, 10_000, 40  # 400,000 rows: 320 MB in float64


def stream() -> None:
    """Print a line for each setting of the memory."""
    import numpy as np
    import pyarrow
    from pyarrow import parquet

    with tempfile.TemporaryDirectory() as folder:
        for name, groups in (("small", 1), ("large", GROUPS)):
            names = [f"x{i}" for i in range(FEATURES)]
            schema = pyarrow.schema([(name, pyarrow.float64()) for name in names] + [("y", pyarrow.string())])
            with parquet.ParquetWriter(f"{folder}/{name}.parquet", schema) as file:
                for i in range(groups):
                    X = np.random.default_rng(i).normal(size=(GROUP, FEATURES))
                    columns = dict(zip(names, X.T, strict=True)) | {"y": np.where(X[:, 0] > 0, "a", "b")}
                    file.write_table(pyarrow.table(columns, schema), row_group_size=GROUP)
        print(f"{GROUP * GROUPS:,} rows of {FEATURES} numbers, {8 * GROUP * GROUPS * FEATURES / 1e6:.0f} MB in float64")
        print(f"{'memory':>10}{'MB added':>12}{'s':>12}", flush=True)
        for memory in ("90MB", "100MB", "200MB"):
            command = [sys.executable, "-c", STREAM, f"{folder}/large.parquet", memory]
            subprocess.run(command, check=True)


def main() -> None:
    """Print a line for each case and engine."""
    if sys.argv[1:] == ["stream"]:
        stream()
        return
    print(f"{'X, 100,000 x 800':<16}{'engine':<8}{'MB of X':>10}{'MB added':>12}{'s of fit':>12}", flush=True)
    for kind in CASES:
        for engine in ("numpy", "fused"):
            subprocess.run([sys.executable, "-c", PROGRAM, kind, engine], check=True)


if __name__ == "__main__":
    main()
