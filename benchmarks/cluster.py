"""What many machines would bring: a model of a distributed step, fitted to what this one measures.

    python benchmarks/cluster.py

A step of R ranks, each on a machine of its own, with a batch of B samples takes

    ceil(pieces / R) · piece + update + local · N + 2 · (R-1) · latency + 2 · 4 · N · (R-1) / R / (0.93 · bandwidth)

for a network of N parameters, in float32. `piece`, the passes over 128 samples, and `update`, the optimizer's step,
which every rank makes whole, are measured: a step of one sample, and one of 8 pieces. `local`, what
packing and adding a parameter takes, is measured on eight parts that lie in memory. Of a wire's bandwidth 0.93 is what
sums of 1 MB had on wires of 1 Gb/s (`wires.py`). Latency and bandwidth are those of
the networks below: no such network is here, and nothing that disturbs it (other jobs, switches that are too narrow, a
rank that is late) is in the model. Sending does not overlap with computing, as in the engine.
"""

from __future__ import annotations

import itertools
import time
from typing import Any, NamedTuple

import numpy as np

from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy
from chainrule.distributed.pieces import added

NETWORKS = ([784, 128, 10], [784, 1024, 1024, 10], [784, 2048, 2048, 10])
WIRES = {"10 Gb/s Ethernet": (30e-6, 10e9 / 8), "200 Gb/s InfiniBand": (2e-6, 200e9 / 8)}  # s a message, bytes/s
RANKS = (8, 16, 32, 64, 128, 256)
STEPS = 6
SHARE = 0.93  # of the bandwidth
BATCH, PIECE = 32_768, 128  # samples: 256 pieces, as many as there can be


class Measured(NamedTuple):
    """Seconds on one rank."""

    parameters: int
    piece: float
    update: float


def step(sizes: list[int], samples: int) -> float:
    """The seconds that the processor works on a step of so many samples on one rank, whatever else it has to do."""
    layers: list[Any] = []
    for n_inputs, n_neurons in itertools.pairwise(sizes):
        layers += [Dense(n_inputs, n_neurons), ReLU()]
    model = Model(layers[:-1], SoftmaxCrossentropy(), Adam(1e-3))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(samples, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], samples)
    options: dict[str, Any] = dict(batch_size=samples, shuffle=False, verbose=False, distributed=True)
    model.fit(X, y, epochs=2, **options)
    begin = time.process_time()
    model.fit(X, y, epochs=STEPS, **options)
    return (time.process_time() - begin) / STEPS


def measured(sizes: list[int]) -> Measured:
    """What a network takes."""
    update, eight = step(sizes, 1), step(sizes, 8 * PIECE)
    parameters = sum((n_inputs + 1) * n_neurons for n_inputs, n_neurons in itertools.pairwise(sizes))
    return Measured(parameters, (eight - update) / 8, update)


def local(entries: int = 2**22) -> float:
    """Seconds for each parameter: to pack the gradients, and to add the parts that arrive from eight ranks."""
    gradients, room = np.ones(entries, np.float32), np.empty(entries, np.float32)
    parts = {(i, i + 1): np.ones(entries // 8, np.float32) for i in range(8)}
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        room[:] = gradients
        added(parts, 0, 8)
        took.append(time.perf_counter() - begin)
    return min(took) / entries


def modelled(found: Measured, each: float, ranks: int, latency: float, bandwidth: float) -> float:
    """Seconds of a step."""
    computed = -(-(BATCH // PIECE) // ranks) * found.piece + found.update
    if ranks == 1:
        return computed
    sent = 2 * 4 * found.parameters * (ranks - 1) / ranks / (SHARE * bandwidth)
    return computed + each * found.parameters + 2 * (ranks - 1) * latency + sent


def main() -> None:
    """Print what was measured, and the table."""
    each = local()
    print(f"adding: {each * 1e9:.2f} ns a parameter")
    for sizes in NETWORKS:
        found, name = measured(sizes), "-".join(map(str, sizes))
        print(f"\n{name}: {found.parameters:,} parameters; a piece {found.piece * 1e3:.2f} ms, ", end="")
        print(f"the update {found.update * 1e3:.2f} ms; batch {BATCH}", flush=True)
        alone = modelled(found, each, 1, 0.0, 1.0)
        print(f"| ranks | {' | '.join(f'{wire}: ms a step | times as fast' for wire in WIRES)} |")
        print(f"|{'---|' * (1 + 2 * len(WIRES))}")
        print(f"| 1 | {' | '.join(f'{alone * 1e3:.1f} | 1' for _ in WIRES)} |")
        for ranks in RANKS:
            steps = [modelled(found, each, ranks, *wire) for wire in WIRES.values()]
            print(f"| {ranks} | {' | '.join(f'{took * 1e3:.1f} | {alone / took:.1f}' for took in steps)} |", flush=True)


if __name__ == "__main__":
    main()
