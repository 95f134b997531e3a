"""Random cases of every kind for some minutes; prints how many were tried and how many failed. Nothing may fail.

    scripts/campaign --minutes 5
    scripts/campaign --minutes 60 --seed 7
    scripts/campaign --only engines --seed 7 --case 123     # one case again

A case follows from (seed, kind, number) alone. Every kind runs in a process of its own, one after another, so that a
crash or a case that hangs is a failure like any other. Exit code 1 where anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the scripts that are used again

SHARES = {  # of the time
    "engines": 0.30, "streams": 0.15, "kills": 0.15, "disks": 0.10, "models": 0.10, "tables": 0.10, "together": 0.10,
}  # fmt: skip
HUNG = 240  # seconds without a word


def case_of(kind: str) -> Any:
    """The function that tries one case of a kind, from a generator of random numbers; it returns what became of it."""
    import damaged
    import disks
    import engines
    import streams

    import together

    found = {
        "engines": engines.case, "streams": streams.case, "kills": disks.killed, "disks": disks.full,
        "models": damaged.model, "tables": damaged.table, "together": together.case,
    }  # fmt: skip
    return found[kind]


def generator(seed: int, kind: str, number: int) -> np.random.Generator:
    """The random numbers of a case."""
    return np.random.default_rng([seed, zlib.crc32(kind.encode()), number])


def work(kind: str, seed: int, numbers: range, seconds: float) -> None:
    """Try cases of a kind one after another, and write a line before and after each; in a process of its own."""
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a case prints is no line of ours
    case, begin = case_of(kind), time.monotonic()
    for number in numbers:
        if time.monotonic() - begin >= seconds and number > numbers.start:
            break
        print(f"begin {number}", file=out)
        try:
            print(f"passed {number} {case(generator(seed, kind, number))}", file=out)
        except BaseException as error:
            traceback.print_exc()
            told = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(f"failed {number} {told[:300]}", file=out)
            if isinstance(error, KeyboardInterrupt):
                raise


class Kind:
    """The cases of one kind, carried out by processes that are followed line by line."""

    def __init__(self, name: str, seed: int, last: int | None) -> None:
        self.name, self.seed, self.last, self.next = name, seed, last, 0 if last is None else last
        self.passed: Counter[str] = Counter()
        self.failed: list[str] = []

    def run(self, seconds: float) -> None:
        """Go on for so many seconds, with another process after a crash."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and (self.last is None or self.next <= self.last):
            self._follow(end - time.monotonic())

    def _follow(self, seconds: float) -> None:
        last = 2**40 if self.last is None else self.last + 1
        command = [sys.executable, __file__, "--work", self.name, str(self.seed), str(self.next), str(last)]
        process = subprocess.Popen(
            [*command, str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        lines: queue.Queue[str] = queue.Queue()
        told: list[str] = []
        threads = [
            threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()] + [lines.put("")]),
            threading.Thread(target=lambda: told.extend(process.stderr or ())),
        ]
        for thread in threads:
            thread.start()
        open_case, hung = None, False
        try:
            while line := self._next(lines):
                word, number, *rest = line.split(maxsplit=2)
                open_case = int(number) if word == "begin" else None
                self.next = int(number) + (word != "begin")
                if word == "passed":
                    self.passed[rest[0].strip() if rest else ""] += 1
                elif word == "failed":
                    self._fail(int(number), rest[0].strip() if rest else "")
        except queue.Empty:
            hung = True
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        for thread in threads:
            thread.join()
        if hung or code:
            self._fail(
                open_case, f"nothing heard of it for {HUNG} s" if hung else f"the process ended with code {code}"
            )
            self.next += 1
        if self.failed:
            sys.stderr.writelines(told[-40:])

    def _next(self, lines: queue.Queue[str]) -> str:
        """The next line; the seconds of waiting are those for which this process ran, too."""
        for _ in range(HUNG - 1):
            with contextlib.suppress(queue.Empty):
                return lines.get(timeout=1)
        return lines.get(timeout=1)

    def _fail(self, number: int | None, why: str) -> None:
        again = f"scripts/campaign --only {self.name} --seed {self.seed}"
        self.failed.append(f"{self.name}: {why}\n    {again}" + ("" if number is None else f" --case {number}"))
        print(self.failed[-1], flush=True)


def main() -> int:
    """Parse the arguments, run, report."""
    if sys.argv[1:2] == ["--work"]:
        kind, seed, first, last, seconds = sys.argv[2:]
        work(kind, int(seed), range(int(first), int(last)), float(seconds))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=SHARES, action="append")
    parser.add_argument("--case", type=int)
    arguments = parser.parse_args()
    names = arguments.only or list(SHARES)
    whole = sum(SHARES[name] for name in names)
    print(f"Seed {arguments.seed}, {arguments.minutes:g} minutes", flush=True)
    failed, tried = 0, 0
    for name in names:
        kind = Kind(name, arguments.seed, arguments.case)
        kind.run(60 * arguments.minutes * SHARES[name] / whole)
        count = sum(kind.passed.values()) + len(kind.failed)
        failed, tried = failed + len(kind.failed), tried + count
        became = ", ".join(f"{number} {what}" for what, number in kind.passed.most_common(8))
        print(f"{name:<10}{count:>7} tried{len(kind.failed):>5} failed   {became}", flush=True)
    print(f"{'all':<10}{tried:>7} tried{failed:>5} failed", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
