"""Whether `engine="auto"` takes the engine that ends first: a grid of tasks, each in a new process and in a warm one.

The time is that of `fit`, from the call to its end. "new" is the first fit of a process, whatever it has to load or to
compile; "warm" a later one of the same task in that process. Every engine that is installed runs each task, and so does
auto: auto is right where the engine that it chose ends within a tenth of the best, by medians of interleaved repeats.
Differences of less than 2 ms count as none, because nobody waits for them.

    python benchmarks/auto.py [--repeats 3] [--engines numpy,fused,jax] [--tasks 0:72] [--quick] [--json]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from itertools import product
from typing import NamedTuple

from options import parser

_NEAR, _NOTHING = 1.1, 0.002  # within a tenth, and seconds that nobody waits for


class Task(NamedTuple):
    """A network and a run: hidden layers of one width, S samples, batches, epochs."""

    inputs: int
    width: int
    depth: int
    batch: int
    samples: int
    epochs: int

    @property
    def steps(self) -> int:
        return self.epochs * -(-self.samples // self.batch)


# small tables, tables, and pixels; short, middling and long runs: 72 tasks
TASKS = [
    Task(inputs, width, depth, batch, samples, epochs)
    for (inputs, samples, widths), depth, batch, epochs in product(
        [(4, 150, (8, 64)), (54, 2000, (32, 256)), (784, 4000, (128, 512))], (1, 2), (32, 256), (1, 10, 60)
    )
    for width in widths
]
PROCESS = """
import json, sys, time
import numpy as np
inputs, width, depth, batch, samples, epochs, engine, warm = json.loads(sys.argv[1])
from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy
rng = np.random.default_rng(0)
X, y = rng.normal(size=(samples, inputs)).astype(np.float32), rng.integers(0, 3, samples)
sizes = [inputs, *[width] * depth, 3]

def fit():
    layers = [layer for i, n in zip(sizes, sizes[1:]) for layer in (Dense(i, n), ReLU())][:-1]
    model = Model(layers, SoftmaxCrossentropy(), Adam(1e-3), seed=0)
    begin = time.perf_counter()
    model.fit(X, y, epochs=epochs, batch_size=batch, verbose=False, engine=engine)
    return time.perf_counter() - begin, model.run.engine

first, ran = fit()
later, _ = fit() if warm else (None, None)
print(json.dumps([first, later, ran]))
"""


def seconds(task: Task, engine: str) -> tuple[float, float, str]:
    """Seconds of the first fit of a process and of the second, and the engine that ran."""
    asked = json.dumps([*task, engine, True])
    done = subprocess.run([sys.executable, "-c", PROCESS, asked], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{engine} on {task}: {done.stderr.strip().splitlines()[-1]}")
    first, later, ran = json.loads(done.stdout)
    return first, later, ran


def compare(task: Task, engines: list[str], repeats: int) -> list[dict[str, object]]:
    """What each engine and auto took, in a new process and in a warm one."""
    found = {engine: [] for engine in (*engines, "auto")}
    for _ in range(repeats):
        for engine, runs in found.items():
            runs.append(seconds(task, engine))
    lines = []
    for place, process in enumerate(("new", "warm")):
        medians = {engine: statistics.median(run[place] for run in runs) for engine, runs in found.items()}
        auto = medians.pop("auto")
        best, chosen = min(medians, key=medians.get), found["auto"][0][2]
        right = medians.get(chosen, auto) <= max(_NEAR * medians[best], medians[best] + _NOTHING)
        lines.append({"task": task._asdict(), "process": process, "seconds": medians, "auto": auto,
                      "chosen": chosen, "best": best, "right": right})  # fmt: skip
    return lines


def show(line: dict[str, object], engines: list[str]) -> str:
    """One line of the table."""
    task, times = line["task"], line["seconds"]
    network = f"{task['inputs']}-{'-'.join([str(task['width'])] * task['depth'])}-3"
    own = " ".join(f"{times[engine]:8.3f}" for engine in engines)
    mark = "" if line["right"] else "  <-"
    return (
        f"{network:14} {task['samples']:5} {task['batch']:5} {task['epochs']:6} {line['process']:5} {own} "
        f"{line['auto']:8.3f} {line['auto'] / times[line['best']]:6.2f}  {line['chosen']}{mark}"
    )


def share(lines: list[dict[str, object]]) -> str:
    """How often auto was right."""
    right = sum(bool(line["right"]) for line in lines)
    return f"auto within a tenth of the best: {right} of {len(lines)}, {right / len(lines):.0%}"


def main() -> None:
    """Print two lines for each task, then the share."""
    asking = parser(__doc__, repeats=3, quick="four tasks only")
    asking.add_argument("--engines", default="numpy,fused,jax", help="with commas (default those that are installed)")
    asking.add_argument(
        "--tasks", default=":", help="which of them, first:last, to run the grid in parts (default all)"
    )
    asked = asking.parse_args()
    first, _, last = asked.tasks.partition(":")
    tasks = TASKS[int(first or 0) : int(last or len(TASKS))]
    engines = [name for name in asked.engines.split(",") if name != "jax" or find_spec("jax") is not None]
    lines: list[dict[str, object]] = []
    if not asked.json:
        names = " ".join(f"{name + ', s':>8}" for name in (*engines, "auto"))
        print(f"{'network':14} {'S':>5} {'batch':>5} {'epochs':>6} {'':5} {names} {'/ best':>6}  chosen")
    try:
        for task in tasks[:4] if asked.quick else tasks:
            for line in compare(task, engines, asked.repeats):
                lines.append(line)
                if not asked.json:
                    print(show(line, engines), flush=True)
    except KeyboardInterrupt:
        print("Stopped: this is the share so far.", file=sys.stderr)
    if asked.json:
        print(json.dumps(lines))
    elif lines:
        print(share(lines))


if __name__ == "__main__":
    main()
