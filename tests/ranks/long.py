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


def main() -> None:
    path, epochs, *rest = sys.argv[1:]
    fault, culprit = (rest[-2], int(rest[-1])) if len(rest) > 1 else ("", -1)
    with working(True) as team:
        print("rank", team.rank, os.getpid(), flush=True)
        mine = team.rank == culprit
        if mine and fault == "early":
            raise ValueError("this rank does not find its file")
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(64, 4)), rng.integers(0, 3, 64)
        X[0, 0] += mine and fault == "data"
        layers = [Dense(4, 6 + (mine and fault == "network")), BatchNorm(6 + (mine and fault == "network")), ReLU()]
        layers += [Dropout(0.2), Dense(6 + (mine and fault == "network"), 3)]
        model = Model(layers, SoftmaxCrossentropy(), Adam(0.01))
        history = model.fit(
            X, y, epochs=int(epochs), batch_size=16, checkpoint=path, resume="resume" in rest, verbose=False,
            callbacks=[Slow(fault if mine else "")], distributed=True,
        )  # fmt: skip
        if team.leads:
            arrays = sorted((model.run.values | model.run.slots).items())
            print("model", f"{zlib.crc32(b''.join(a.tobytes() for _, a in arrays)):08x}", history.stopped, flush=True)


if __name__ == "__main__":
    main()
