"""What sharing costs and brings: `mpirun -n 2 python benchmarks/distributed.py sum`, or `fit`, or `torch`.

`sum` adds 1 MB of float32 over all ranks: by MPI's own Allreduce, and in the order of the tree. `fit` trains
784-1024-1024-10 on batches of 512 made-up images; started without mpirun, on one rank with two threads of the engine
`fused`, and on one rank of the distributed session. `torch` trains the same network with PyTorch's
DistributedDataParallel over gloo, with one thread a rank. Both give the best epoch, and the processor's time of rank 0,
which counts less of what else the machine does.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy
from chainrule.distributed import Team, working
from chainrule.distributed.sums import Scratch, Sums

ENTRIES, TIMES, SECONDS = 2**18, 500, 5.0  # floats, sums, and no more of them after so long


def timed(ways: dict[str, Callable[[], Any]], team: Team) -> dict[str, list[float]]:
    """Milliseconds of calls that all ranks make together, in turn, so that whatever else runs meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    first = time.perf_counter()
    for index in range(TIMES):
        for name, call in ways.items():
            team.comm.Barrier()
            begin = time.perf_counter()
            call()
            found[name].append(1e3 * (time.perf_counter() - begin))
        if team.agreed(index >= 4 and time.perf_counter() - first > SECONDS):
            break
    return found


def measure_sum(team: Team) -> None:
    room = Scratch()
    vector, total = np.ones(ENTRIES, np.float32), np.empty(ENTRIES, np.float32)
    Sums(team, {"x": (ENTRIES - 1,)}, np.float32, 2 * team.size, room).rows[:] = 1.0  # where gradients are added

    def ours() -> None:
        Sums(team, {"x": (ENTRIES - 1,)}, np.float32, 2 * team.size, room).whole()

    ways = {"MPI's Allreduce": lambda: team.comm.Allreduce(vector, total), "the tree": ours}
    for name, took in timed(ways, team).items():
        if team.leads:
            quarter, half, _ = statistics.quantiles(took)
            print(f"1 MB, {team.size} ranks, {name}: least {min(took):.3f}, quarter {quarter:.3f}, half {half:.3f} ms")


def measure_fit(team: Team) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2560, 784)).astype(np.float32), rng.integers(0, 10, 2560)
    alone = [("one rank, fused, its own threads", {"engine": "fused"})] if team.size == 1 else []
    ways: list[tuple[str, dict[str, Any]]] = [*alone, (f"distributed, {team.size} ranks", {"distributed": True})]
    for name, options in ways * 2:
        model = Model(
            [Dense(784, 1024), ReLU(), Dense(1024, 1024), ReLU(), Dense(1024, 10)], SoftmaxCrossentropy(), Adam(1e-3)
        )
        begun = model.fit(X, y, epochs=1, batch_size=512, verbose=False, **options)
        epochs = team.heard(2 if begun["seconds"][0] > 1 else 6)
        worked = time.process_time()
        history = model.fit(X, y, epochs=epochs, batch_size=512, verbose=False, **options)
        worked = 1e3 * (time.process_time() - worked) / (5 * epochs)
        if team.leads:
            took = 1e3 * min(history["seconds"]) / 5
            print(
                f"784-1024-1024-10, batch 512, {name}: {took:.1f} ms a step, {worked:.1f} of the processor", flush=True
            )


def measure_torch(team: Team) -> None:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    meeting = {"init_method": "tcp://127.0.0.1:29533", "rank": team.rank, "world_size": team.size}
    torch.distributed.init_process_group("gloo", **meeting)
    torch.manual_seed(0)
    layers = [nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)]
    model = nn.parallel.DistributedDataParallel(nn.Sequential(*layers))
    optimizer, loss = torch.optim.Adam(model.parameters(), 1e-3), nn.CrossEntropyLoss()
    X, y = torch.randn(2560 // team.size, 784), torch.randint(0, 10, (2560 // team.size,))
    took, worked = [], 0.0
    for epoch in range(13):
        begin = time.perf_counter()
        if epoch == 1:
            worked = time.process_time()
        for own in torch.arange(len(X)).split(512 // team.size):
            optimizer.zero_grad()
            loss(model(X[own]), y[own]).backward()
            optimizer.step()
        took.append(1e3 * (time.perf_counter() - begin) / 5)
    worked = 1e3 * (time.process_time() - worked) / 60
    if team.leads:
        print(
            f"784-1024-1024-10, batch 512, PyTorch DDP over gloo, {team.size} ranks: {min(took):.1f} ms a step, "
            f"{worked:.1f} of the processor"
        )
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    with working(True) as own:
        {"sum": measure_sum, "fit": measure_fit, "torch": measure_torch}[sys.argv[1]](own)
