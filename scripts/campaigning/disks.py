"""Runs that are killed, and runs whose disk is full: nothing is lost, and what went wrong is said in a line."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import kill_runs
import numpy as np

from chainrule import Model

FIT = """
import sys
import numpy as np
import chainrule.training.checkpoint
from chainrule import Adam, CSVLogger, Dense, Model, ReLU, SoftmaxCrossentropy, TensorBoard
chainrule.training.checkpoint._SECONDS_BETWEEN = 0.0
path, width, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
X = rng.normal(size=(64, 4))
y = (X[:, 0] > 0).astype(int)
model = Model([Dense(4, width), ReLU(), Dense(width, 2)], SoftmaxCrossentropy(), Adam(0.01))
model.fit(X, y, epochs=epochs, batch_size=16, verbose=False, checkpoint=path, resume=True)
model.save(path + ".saved")
"""


def killed(rng: np.random.Generator) -> str:
    """A checkpointed run that is killed again and again ends with the bits of one that was not."""
    kills = int(rng.integers(2, 6))
    with tempfile.TemporaryDirectory() as folder:
        assert kill_runs.run(kills, Path(folder), int(rng.integers(2**31))) == 0, "a checkpoint cannot be read"
    return "resumed, bit for bit"


def full(rng: np.random.Generator) -> str:
    """A model file on a disk that becomes full: the file of before stays, and the run goes on once there is room."""
    width, limit = int(rng.integers(8, 400)), 10 ** float(rng.uniform(1.5, 5))
    with small_disk(rng, int(limit)) as (folder, limits):
        path = folder / "run"
        command = [sys.executable, "-c", FIT, str(path), str(width)]
        first = subprocess.run([*command, "2"], capture_output=True, text=True, preexec_fn=limits, check=False)
        before = path.read_bytes() if path.exists() else None
        second = subprocess.run([*command, "4"], capture_output=True, text=True, preexec_fn=limits, check=False)
        for done in (first, second):
            assert done.returncode in (0, 1), done.stderr
            last = done.stderr.strip().splitlines()[-1:] or [""]
            assert done.returncode == 0 or "Error" in last[0], done.stderr
        left = sorted(file.name for file in folder.iterdir())
        assert set(left) <= {"run", "run.saved"}, f"files left behind: {left}"
        for file in left:
            Model.load(folder / file)
        if second.returncode and before is not None:
            assert Model.load(path).run.epoch >= 2, "epochs are lost"
        return f"exit codes {first.returncode} {second.returncode}"


@contextlib.contextmanager
def small_disk(rng: np.random.Generator, size: int) -> Iterator[tuple[Path, object]]:
    """A folder with room for so many bytes: a file system in memory where that is allowed, or a limit of file sizes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        mounted = False
        if os.geteuid() == 0 and rng.random() < 0.5:
            pages = max(size // 4096, 1) * 4096
            command = ["mount", "-t", "tmpfs", "-o", f"size={pages}", "tmpfs", str(folder)]
            mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        try:
            yield folder, None if mounted else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        finally:
            if mounted:
                subprocess.run(["umount", str(folder)], check=True)
