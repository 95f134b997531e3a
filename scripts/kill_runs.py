"""Kill a checkpointed training run at random moments, again and again, and see that nothing is lost.

Every kill is SIGKILL. After each, the checkpoint must be readable; at the end the model must equal, bit for bit,
that of a run that nobody disturbed.

    python scripts/kill_runs.py --kills 200
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

EPOCHS = 600
TRAIN = """
import sys
import numpy as np
import chainrule.training.checkpoint
from chainrule import Adam, Dense, Dropout, EarlyStopping, Model, ReLU, SoftmaxCrossentropy
chainrule.training.checkpoint._SECONDS_BETWEEN = 0.0
rng = np.random.default_rng(0)
X = rng.normal(size=(64, 4))
y = (X[:, 0] > 0).astype(int)
model = Model([Dense(4, 8), ReLU(), Dropout(0.1), Dense(8, 2)], SoftmaxCrossentropy(), Adam(0.01))
model.fit(X, y, epochs=int(sys.argv[2]), batch_size=32, validation_split=0.25, verbose=False, record_every=10,
          callbacks=[EarlyStopping("loss", patience=10**6)], checkpoint=sys.argv[1], resume=True)
"""


def start(path: Path, epochs: int) -> subprocess.Popen[bytes]:
    """A process that trains from the checkpoint at `path`, or from the beginning."""
    return subprocess.Popen([sys.executable, "-c", TRAIN, str(path), str(epochs)])


def run(kills: int, folder: Path, seed: int) -> int:
    """The number of unreadable files; raises AssertionError where the end differs."""
    from chainrule import Model
    from chainrule.errors import FileFormatError

    undisturbed, killed = folder / "undisturbed", folder / "killed"
    epochs = max(EPOCHS, 50 * kills)
    assert start(undisturbed, epochs).wait() == 0
    rng, unreadable, done = random.Random(seed), 0, 0
    while done < kills:
        process = start(killed, epochs)
        moment = rng.uniform(0.2, 0.6)
        try:
            process.wait(moment)
            killed.unlink()  # it came to its end before the kill: begin again
            continue
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        done += 1
        if killed.exists():
            try:
                reached = Model.load(killed).run.epoch
            except FileFormatError as error:
                unreadable += 1
                print(error)
            else:
                print(f"kill {done} after {moment:.2f} s, epoch {reached}", flush=True)
    assert start(killed, epochs).wait() == 0
    one, other = Model.load(undisturbed), Model.load(killed)
    for name in ("values", "slots"):
        for key, array in getattr(one.run, name).items():
            np.testing.assert_array_equal(array, getattr(other.run, name)[key])
    for first, second in zip(one.history.records, other.history.records, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}
    left = sorted(path.name for path in folder.iterdir())
    print(f"files left: {', '.join(left)}")
    return unreadable


def main() -> None:
    """Parse the arguments, run, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        unreadable = run(arguments.kills, arguments.folder or Path(temporary), arguments.seed)
    print(
        f"{arguments.kills} kills, {unreadable} unreadable files, the end is bit-identical "
        f"({time.monotonic() - begin:.0f} s)"
    )
    raise SystemExit(1 if unreadable else 0)


if __name__ == "__main__":
    main()
