"""Four fits in four processes at once, beside the same four one after the other.

Every process makes its data, its network and one short fit, then waits for the word to begin. Together they should end
no later than in turn: a fit may not lose by waiting for a core that another one has. Repeats are interleaved.

    python benchmarks/together.py [--processes 4] [--repeats 5] [--workload dense] [--engine auto] [--json]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from options import parser

PROCESS = """
import sys, time
from chainrule.bench.fits import WholeRun, ours
from chainrule.bench.workloads import named
name, part, engine = sys.argv[1], int(sys.argv[2]), sys.argv[3]
run, fit = WholeRun.of(named(name), part), ours(engine)
fit.begin(run.training, 1)()
go = fit.begin(run.training, run.epochs)
print("ready", flush=True)
sys.stdin.readline()
go()
print("done", flush=True)
"""


def processes(count: int, name: str, part: int, engine: str) -> list[subprocess.Popen[str]]:
    """Processes that are ready to begin."""
    command = [sys.executable, "-c", PROCESS, name, str(part), engine]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    for process in started:
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("a process ended before it began")
    return started


def begin(process: subprocess.Popen[str]) -> None:
    """Give the word."""
    process.stdin.write("\n")
    process.stdin.flush()


def end(process: subprocess.Popen[str]) -> None:
    """Wait until its fit is over."""
    if process.stdout.readline().strip() != "done":
        raise SystemExit("a process ended before its fit")


def seconds(count: int, name: str, part: int, engine: str, together: bool) -> float:
    """From the first word to the last end."""
    ready = processes(count, name, part, engine)
    start = time.perf_counter()
    if together:
        for process in ready:
            begin(process)
        for process in ready:
            end(process)
    else:
        for process in ready:
            begin(process)
            end(process)
    took = time.perf_counter() - start
    for process in ready:
        process.communicate()
    return took


def main() -> None:
    """Print one line for each workload."""
    asking = parser(__doc__, quick="a hundredth of the epochs")
    asking.add_argument("--processes", type=int, default=4, help="fits (default 4)")
    asking.add_argument("--workload", default="notes,spiral,dense,wide", help="names of the benchmark's, with commas")
    asking.add_argument("--engine", default="auto", help="auto, numpy, fused or jax (default auto)")
    asked = asking.parse_args()
    part, lines = 100 if asked.quick else 1, []
    for name in asked.workload.split(","):
        times = {True: [], False: []}
        for _ in range(asked.repeats):
            for together, found in times.items():
                found.append(seconds(asked.processes, name, part, asked.engine, together))
        together, in_turn = (statistics.median(found) for found in times.values())
        lines.append({"name": name, "together": together, "in_turn": in_turn, "processes": asked.processes})
        if not asked.json:
            verdict = "no later" if together <= in_turn else "LATER"
            print(
                f"{name:8} {asked.processes} fits together {together:7.3f} s, in turn {in_turn:7.3f} s: "
                f"{in_turn / together:.2f} times, {verdict}",
                flush=True,
            )
    if asked.json:
        print(json.dumps(lines))


if __name__ == "__main__":
    main()
