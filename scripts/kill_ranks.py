#!/usr/bin/env python3
"""Kill and stop ranks of distributed runs and fill rank 0's disk at random moments, resume the runs, and compare their
end with an undisturbed run's.

`scripts/kill_ranks.py --times 100` takes ten to twenty minutes and needs the extra `mpi`. It prints tried and failed.
The disk is a file system of 1 MB in memory; where none may be mounted, nothing is filled.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
EPOCHS = 60
ENVIRONMENT = os.environ | {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "CHAINRULE_PATIENCE": "5",
    "OMP_NUM_THREADS": "1",
}
LINE = re.compile(r"^chainrule: rank (\d) of (\d) (died|has not been heard of|stopped at step \d+: .*No space)", re.M)


def started(ranks: int, path: Path, said: Path) -> subprocess.Popen[bytes]:
    """A run of tests/ranks/long.py that resumes where it can; what it says goes to a file."""
    mpirun = str(Path(sys.executable).with_name("mpirun"))
    command = [mpirun, "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none", "-n", str(ranks), sys.executable]
    command += [str(ROOT / "tests/ranks/long.py"), str(path), str(EPOCHS), "resume"]
    with said.open("wb") as out, said.with_suffix(".err").open("wb") as errors:
        return subprocess.Popen(command, stdout=out, stderr=errors, env=ENVIRONMENT)


def fill(folder: Path) -> None:
    """Leave no room on the disk."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass


def disturb(rng: random.Random, ranks: int, disk: Path | None, said: str) -> tuple[int, str]:
    """What happens to the run: to which rank, and its name. Raises `ProcessLookupError` where the rank has ended."""
    if disk is not None and rng.random() < 0.25:
        fill(disk)
        return 0, "a full disk"
    victim, number = rng.randrange(ranks), rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
    found = re.search(rf"^rank {victim} (\d+)", said, re.M)
    assert found is not None
    os.kill(int(found[1]), number)
    return victim, number.name


def ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ends in so many seconds for which this process ran, too: where all stood still, nobody was slow."""
    before = time.monotonic()
    while seconds > 0 and process.poll() is None:
        time.sleep(0.02)
        now = time.monotonic()
        seconds, before = seconds - min(now - before, 1.0), now
    return process.poll() is not None


def standing(said: Path) -> str:
    """What each rank does, as the system says, what was said of errors, and how busy the machine is."""
    found = []
    for rank, number in re.findall(r"^rank (\d+) (\d+)", said.read_text(), re.M):
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            state = "gone"
        found.append(f"rank {rank} {state}")
    errors = said.with_suffix(".err").read_text().splitlines()[-3:]
    return f"{', '.join(found)}; {errors}; load {os.getloadavg()[0]:.1f}"


def disturbed(rng: random.Random, path: Path, said: Path, disk: Path | None, tally: Counter[str]) -> str | None:
    """One run with one rank killed or stopped, or its disk full; what is wrong with how it ended."""
    ranks = rng.choice((2, 3))
    process, moment = started(ranks, path, said), rng.uniform(0, 1.5)
    while process.poll() is None and "epoch" not in said.read_text():
        time.sleep(0.02)
    time.sleep(moment)
    if process.poll() is not None:
        errors = said.with_suffix(".err").read_text().splitlines()
        own = [line for line in errors if line.startswith("chainrule:")]
        return (
            None if process.returncode == 0 else f"it ended by itself with {process.returncode}: {own or errors[-3:]}"
        )
    try:
        victim, what = disturb(rng, ranks, disk, said.read_text())
    except ProcessLookupError:
        process.wait()
        return None
    tally[what] += 1
    begin = time.monotonic()
    if not ends(process, 30):
        stand = standing(said)
        process.kill()
        return f"30 s after {what} of rank {victim} of {ranks} it had not ended: {stand}"
    code = process.wait()
    lines, over = LINE.findall(said.with_suffix(".err").read_text()), "model " in said.read_text()
    if over:
        return None  # it came when all was done
    if code == 0:
        return f"exit code 0 after {what} of rank {victim} of {ranks}"
    if len(lines) != 1 or int(lines[0][0]) != victim:
        return f"{what} of rank {victim} of {ranks} after {time.monotonic() - begin:.1f} s: {lines}"
    return None


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of 1 MB, or None where it may not be made."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def main() -> int:
    """Disturb runs until the number is reached; each is let go on at last, and must end as if nothing had happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, failed, tried = random.Random(given.seed), 0, 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the disk goes, too
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder) / "disk") as disk:
        said = Path(folder) / "said"
        started(1, Path(folder) / "whole", said).wait()
        whole = said.read_text().splitlines()[-1]
        while tried < given.times:
            path = Path(folder) / "disk" / f"run{tried}"
            for _ in range(min(4, given.times - tried)):
                tried += 1
                wrong = disturbed(rng, path, said, disk, tally)
                (Path(folder) / "disk/filler").unlink(missing_ok=True)
                if wrong is not None:
                    failed += 1
                    print(f"try {tried}: {wrong}", flush=True)
            started(rng.choice((1, 2, 3)), path, said).wait()
            last = said.read_text().splitlines()[-1]
            if last != whole:
                failed += 1
                print(f"after try {tried}: {last}, undisturbed {whole}", flush=True)
            path.unlink(missing_ok=True)
            done = ", ".join(f"{number} {what}" for what, number in sorted(tally.items()))
            print(f"{tried} tried, {failed} failed ({done})", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
