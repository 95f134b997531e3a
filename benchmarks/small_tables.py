"""Small tables: whole runs of `fit` beside scikit-learn's MLPClassifier, each the first run of a new process.

It needs nothing but the library and scikit-learn. Both sides begin with their data as arrays and train the same network
with Adam for the same epochs; the time is that of `fit` alone. Repeats are interleaved; medians are printed.

    python benchmarks/small_tables.py [--repeats 5] [--quick] [--json]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from options import parser

# sizes, samples (None: those of the shipped set), epochs, batch, and how many times as fast is aimed at
TABLES = {
    "iris": ((4, 16, 3), None, 500, 32, 5.0),
    "digits": ((64, 128, 10), None, 40, 64, 4.0),
    "table": ((54, 64, 7), 50_000, 5, 256, 2.5),
    "pixels": ((784, 128, 128, 10), 10_000, 5, 128, 3.5),
}
PROCESS = """
import json, sys, time, warnings
import numpy as np
name, side, sizes, samples, epochs, batch = json.loads(sys.argv[1])
if samples is None:
    from chainrule import datasets
    found = datasets.load(name)
    X, y = np.asarray(found.X_train, np.float32), np.asarray(found.y_train)
else:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(samples, sizes[0])).astype(np.float32)
    y = np.argmax(X @ rng.normal(size=(sizes[0], sizes[-1])), axis=1)
if side == "chainrule":
    from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy
    layers = [layer for i, n in zip(sizes, sizes[1:]) for layer in (Dense(i, n), ReLU())][:-1]
    begin = time.perf_counter()
    model = Model(layers, SoftmaxCrossentropy(), Adam(1e-3), seed=0)
    model.fit(X, y, epochs=epochs, batch_size=batch, verbose=False)
    seconds, engine = time.perf_counter() - begin, model.run.engine
    accuracy = model.evaluate(X, y)["accuracy"]
else:
    from sklearn.neural_network import MLPClassifier
    warnings.simplefilter("ignore")
    begin = time.perf_counter()
    model = MLPClassifier(tuple(sizes[1:-1]), batch_size=batch, max_iter=epochs, learning_rate_init=1e-3, tol=0.0,
                          n_iter_no_change=10**9, alpha=0.0, random_state=0)
    model.fit(X, y)
    seconds, engine = time.perf_counter() - begin, ""
    accuracy = model.score(X, y)
print(json.dumps([seconds, float(accuracy), engine]))
"""


def first_run(name: str, side: str, epochs: int) -> tuple[float, float, str]:
    """Seconds of `fit` in a new process, the accuracy on what was learned from, and the engine."""
    sizes, samples, _, batch, _ = TABLES[name]
    asked = json.dumps([name, side, sizes, samples, epochs, batch])
    done = subprocess.run([sys.executable, "-c", PROCESS, asked], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} on {name}: {done.stderr.strip().splitlines()[-1]}")
    seconds, accuracy, engine = json.loads(done.stdout)
    return seconds, accuracy, engine


def compare(name: str, epochs: int, repeats: int) -> dict[str, object]:
    """Medians of both sides, in turn."""
    found = {side: [] for side in ("chainrule", "scikit-learn")}
    for _ in range(repeats):
        for side, runs in found.items():
            runs.append(first_run(name, side, epochs))
    ours, theirs = (statistics.median(seconds for seconds, *_ in runs) for runs in found.values())
    return {
        "name": name,
        "epochs": epochs,
        "engine": found["chainrule"][0][2],
        "chainrule": ours,
        "scikit-learn": theirs,
        "times": theirs / ours,
        "aim": TABLES[name][4],
        "accuracies": [runs[0][1] for runs in found.values()],
    }


def main() -> None:
    """Print one line for each table."""
    asking = parser(__doc__, quick="a tenth of the epochs")
    asking.add_argument("--tables", default=",".join(TABLES), help=f"with commas, of {', '.join(TABLES)} (default all)")
    asked = asking.parse_args()
    lines = []
    if not asked.json:
        print(f"{'':8} {'network':16} {'epochs':>6} {'ours, s':>9} {'sklearn, s':>10} {'times':>6} {'aim':>5}  engine")
    for name in asked.tables.split(","):
        epochs = max(1, TABLES[name][2] // (10 if asked.quick else 1))
        line = compare(name, epochs, asked.repeats)
        lines.append(line)
        if not asked.json:
            network = "-".join(map(str, TABLES[name][0]))
            print(
                f"{name:8} {network:16} {epochs:6} {line['chainrule']:9.3f} {line['scikit-learn']:10.3f} "
                f"{line['times']:6.2f} {line['aim']:5}  {line['engine']}",
                flush=True,
            )
    if asked.json:
        print(json.dumps(lines))


if __name__ == "__main__":
    main()
