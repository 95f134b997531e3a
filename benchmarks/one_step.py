"""What a call of `fit` costs beside its steps: the first fit of a process, a fit of one step, and records.

One step is an epoch of all 300 samples of 2-64-3 with Adam. Records are timed as steps of the session alone, with them
and without, in turn, at 1, 8 and 16 steps an epoch.

    python benchmarks/one_step.py [--repeats 5] [--engines numpy,fused] [--quick] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from chainrule import SGD, Adam, Dense, Model, ReLU, SoftmaxCrossentropy, engines
from chainrule.bench.workloads import named
from chainrule.engines.contract import Block, Task
from options import parser

SAMPLES = 300
NETWORKS = {"2-3-3": ((2, 3, 3), SGD(0.1)), "2-64-3": ((2, 64, 3), Adam(1e-3))}
BATCHES = {1: 300, 8: 38, 16: 19}  # by the steps in an epoch
FIRST = """
import sys, time
import numpy as np
from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy
rng = np.random.default_rng(0)
X, y = rng.normal(size=(300, 2)).astype(np.float32), rng.integers(0, 3, 300)
model = Model([Dense(2, 64), ReLU(), Dense(64, 3)], SoftmaxCrossentropy(), Adam(0.05))
begin = time.perf_counter()
model.fit(X, y, epochs=1, batch_size=300, verbose=False, engine=sys.argv[1])
print(time.perf_counter() - begin)
"""


def data() -> tuple[np.ndarray, np.ndarray]:
    """The spiral: samples (S, 2) of three classes."""
    return named("spiral").data


def model_of(network: str) -> Model:
    """A new model of one of the networks."""
    sizes, optimizer = NETWORKS[network]
    layers = [layer for i, n in itertools.pairwise(sizes) for layer in (Dense(i, n), ReLU())][:-1]
    return Model(layers, SoftmaxCrossentropy(), optimizer)


def first_fit(engine: str, repeats: int) -> float:
    """Seconds of the first fit of a process, one step: the median."""
    command = [sys.executable, "-c", FIRST, engine]
    runs = (subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(repeats))
    return statistics.median(float(done.stdout) for done in runs)


def one_step(engine: str, times: int) -> float:
    """Seconds of a fit of one step in a warm process: the median."""
    model, (X, y), found = model_of("2-64-3"), data(), []
    for _ in range(times):
        begin = time.perf_counter()
        model.fit(X, y, epochs=1, batch_size=SAMPLES, verbose=False, engine=engine)
        found.append(time.perf_counter() - begin)
    return statistics.median(found[times // 2 :])


def records(engine: str, network: str, per_epoch: int, steps: int, repeats: int) -> tuple[float, float]:
    """Seconds of a step of the session without records and with those of every epoch: medians, in turn."""
    model = model_of(network)
    run = model.run
    task = Task.of(model.network, model.loss, model.optimizer, 0, *data(), None, BATCHES[per_epoch])
    steps = max(steps // per_epoch, 1) * per_epoch
    order = np.tile(np.arange(SAMPLES), (steps // per_epoch, 1)) if per_epoch > 1 else None
    session = engines.start(engine)(task, run.values, run.slots)
    block = Block(0, steps, 0, order, run.rate_table(steps))
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(repeats + 1):
        for record, runs in found.items():
            session.load(run.values, run.slots)  # both go through the same steps
            asked = replace(block, record=record)
            begin = time.perf_counter()
            session.run(asked)
            runs.append((time.perf_counter() - begin) / steps)
    without, own = (statistics.median(runs[1:]) for runs in found.values())
    return without, own


def measured(engine: str, asked: argparse.Namespace) -> list[dict[str, object]]:
    """A line for each quantity of an engine."""
    repeats, times = asked.repeats, 20 if asked.quick else 1000
    steps = (100 if asked.quick else 8_000) // (1 if engine == "fused" else 20)
    lines: list[dict[str, object]] = [
        {"engine": engine, "what": "first fit of a process", "seconds": first_fit(engine, repeats)},
        {"engine": engine, "what": "fit of one step", "seconds": one_step(engine, times)},
    ]
    for network in NETWORKS:
        for per_epoch in BATCHES:
            without, own = records(engine, network, per_epoch, steps, repeats)
            what = f"step of {network} with records, {per_epoch} an epoch"
            lines.append({"engine": engine, "what": what, "seconds": own, "records": own / without - 1})
    return lines


def main() -> None:
    """Print a line for each quantity."""
    asking = parser(__doc__)
    asking.add_argument("--engines", default="numpy,fused", help="with commas (default numpy,fused)")
    asked = asking.parse_args()
    lines = []
    for engine in asked.engines.split(","):
        for line in measured(engine, asked):
            lines.append(line)
            if not asked.json:
                share = f"  records {line['records']:+.1%}" if "records" in line else ""
                print(f"{engine:6} {line['what']:42} {line['seconds'] * 1e6:10.2f} µs{share}", flush=True)
    if asked.json:
        print(json.dumps(lines))


if __name__ == "__main__":
    main()
