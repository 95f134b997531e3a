"""Mutation testing: change one operator, number, condition or statement of a file at a time; its tests must notice.

    python scripts/mutants.py src/chainrule/pair.py tests/test_definitions.py tests/test_layers.py

Each mutant stands in a copy of the package and is tried by a fork of a process that has imported NumPy, pytest and
whatever else the tests import, so that only the package itself is imported again. Tests run in the order given, up to
the first failure. Survivors are printed as diffs; those that change nothing a caller could see are for a person to
tell. `mutations.py` says what is changed.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import difflib
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from typing import Any

from mutations import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent


class Copy:
    """A copy of the package and its tests, in which one file changes."""

    def __init__(self, folder: Path, file: Path, tests: list[str]) -> None:
        self.folder, self.target, self.tests = folder, folder / file.relative_to(ROOT), tests
        ignored = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for path in ROOT.iterdir():
            if path.name not in ("src", "tests") and not path.name.startswith("."):
                (folder / path.name).symlink_to(path)
        compileall.compile_dir(folder / "src", quiet=2)
        compileall.compile_dir(folder / "tests", quiet=2)

    def start(self, text: str) -> int:
        """The process that runs the tests on this text of the file."""
        for compiled in (self.target.parent / "__pycache__").glob(f"{self.target.stem}.*"):
            compiled.unlink()  # it would count as current within the same second
        self.target.write_text(text)
        process = os.fork()
        if process == 0:
            self._run()
        return process

    def _run(self) -> None:
        """In the fork: the tests, and the end of the process with pytest's exit code."""
        code = 3
        try:
            os.setsid()
            log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(self.folder)
            sys.dont_write_bytecode = True
            sys.path[:0] = [str(self.folder / "src"), str(self.folder / "tests")]
            os.environ |= {"PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
            import pytest

            code = int(
                pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", *self.tests])
            )
            if os.environ.get("MUTANTS_MODULES"):
                Path(os.environ["MUTANTS_MODULES"]).write_text("\n".join(sys.modules))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def wait(processes: dict[int, Any], deadlines: dict[int, float]) -> tuple[int, int]:
    """The first process to end and its exit code; one past its deadline is killed and ends with -9."""
    while True:
        for process in processes:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)  # what the tests may have left running
                return process, os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadlines[process]:
                deadlines[process] = float("inf")
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)
        time.sleep(0.01)


def unchanged(place: Copy, text: str) -> float:
    """Seconds that the tests take on the file as it is; ends the program where they fail."""
    begin = time.monotonic()
    process = place.start(text)
    _, code = wait({process: None}, {process: begin + 3600})
    if code != 0:
        sys.exit(f"The tests must pass before anything is changed:\n{(place.folder / 'log').read_text()[-3000:]}")
    return time.monotonic() - begin


def prepare(place: Copy, text: str) -> float:
    """Import here what the tests import, but for the package; returns how many seconds they take from then on."""
    listed = place.folder / "modules"
    os.environ["MUTANTS_MODULES"] = str(listed)
    unchanged(place, text)
    del os.environ["MUTANTS_MODULES"]
    plugins = {point.dist.name for point in entry_points(group="pytest11") if point.dist}  # pytest imports its own
    skipped = {name for name, packages in packages_distributions().items() if plugins & set(packages)}
    skipped |= {"chainrule", "__main__", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    for name in listed.read_text().split("\n"):
        if name.partition(".")[0] not in skipped:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    return unchanged(place, text)


def survivors(places: list[Copy], waiting: list[Mutant], timeout: float) -> Iterator[Mutant]:
    """The mutants on which all tests pass."""
    running: dict[int, tuple[Copy, Mutant]] = {}
    deadlines: dict[int, float] = {}
    free, total = list(places), len(waiting)
    waiting = waiting[::-1]
    while waiting or running:
        while waiting and free:
            place, mutant = free.pop(), waiting.pop()
            process = place.start(mutant.text)
            running[process], deadlines[process] = (place, mutant), time.monotonic() + timeout
        process, code = wait(running, deadlines)
        place, mutant = running.pop(process)
        free.append(place)
        print(f"\r{total - len(waiting) - len(running)}/{total}", end="", file=sys.stderr, flush=True)
        if code == 0:
            yield mutant


def show(file: Path, text: str, mutant: Mutant) -> None:
    """A survivor as a diff."""
    lines = difflib.unified_diff(text.splitlines(), mutant.text.splitlines(), n=0, lineterm="")
    body = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    print(f"\r{file.relative_to(ROOT)}:{mutant.line}: {mutant.what}", *body, sep="\n", flush=True)


def main() -> None:
    """Mutate, try, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the source file to change")
    parser.add_argument("tests", nargs="+", help="what must notice, as pytest takes it; the quickest first")
    parser.add_argument("--lines", default="1-1000000", help="only lines such as 20-90")
    parser.add_argument("--sample", type=int, help="only so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of that draw")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    options = parser.parse_args()
    file = options.file.resolve()
    text, (first, last) = file.read_text(), map(int, options.lines.split("-"))
    chosen = [mutant for mutant in mutants(text) if first <= mutant.line <= last]
    if options.sample is not None and options.sample < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.sample)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        places = [Copy(Path(folder, str(index)), file, options.tests) for index in range(options.jobs)]
        seconds = prepare(places[0], text)
        left = 0
        for mutant in survivors(places, chosen, 10 + 5 * seconds * options.jobs):
            show(file, text, mutant)
            left += 1
    killed = len(chosen) - left
    share = 100 * killed / max(len(chosen), 1)
    print(f"\r{file.relative_to(ROOT)}: {len(chosen)} mutants, {killed} killed ({share:.1f} %), {left} survived")


if __name__ == "__main__":
    main()
