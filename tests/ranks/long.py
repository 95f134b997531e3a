"""A run that lasts until something happens to it: `long.py CHECKPOINT EPOCHS [resume] [FAULT RANK]`.

Every rank says its process number; rank 0 says each epoch, and at the end a checksum of the model.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from typing import Any

import numpy as np

from chainrule import Adam, BatchNorm, Callback, Dense, Dropout, Model, ReLU, SoftmaxCrossentropy
from chainrule.distributed import working


class Slow(Callback):
    """An epoch that takes a while, and a fault in its middle."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def epoch(self, fit: Any) -> None:
        time.sleep(0.03)
        print("epoch", fit.run.epoch, flush=True)
        if self.fault == "long" and fit.run.epoch == 2:
            time.sleep(6)
        if self.fault == "raise" and fit.run.epoch == 3:
            raise OSError(28, "No space left on device", "model.safetensors")


def trained(path: str, epochs: int, resume: bool = False, fault: str = "") -> str:
    """What a rank trains, and what came out."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 4)) + (fault == "other"), rng.integers(0, 3, 64)
    model = Model(
        [Dense(4, 6), BatchNorm(6), ReLU(), Dropout(0.2), Dense(6, 3)], SoftmaxCrossentropy(), Adam(0.01)
    )  # fmt: skip
    history = model.fit(
        X, y, epochs=epochs, batch_size=16, checkpoint=path, resume=resume, verbose=False, callbacks=[Slow(fault)],
        distributed=True,
    )  # fmt: skip
    arrays = sorted((model.run.values | model.run.slots).items())
    return f"model {zlib.crc32(b''.join(array.tobytes() for _, array in arrays)):08x} {history.stopped}"


def main() -> None:
    path, epochs, *rest = sys.argv[1:]
    fault, culprit = (rest[-2], int(rest[-1])) if len(rest) > 1 else ("", -1)
    if fault == "late" and os.environ.get("OMPI_COMM_WORLD_RANK") == str(culprit):
        time.sleep(60)
    with working(True) as team:
        print("rank", team.rank, os.getpid(), flush=True)
        mine = team.rank == culprit
        if mine and fault == "early":
            raise ValueError("this rank does not find its file")
        found = trained(path, int(epochs), "resume" in rest, fault if mine else "")
        if team.leads:
            print(found, flush=True)


if __name__ == "__main__":
    main()
