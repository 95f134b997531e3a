"""Mutation testing: change one operator, number, condition or statement of a file at a time; its tests must notice.

    python scripts/mutants.py src/chainrule/pair.py tests/test_definitions.py tests/test_layers.py
    python scripts/mutants.py src/chainrule/explaining --sample 150 -- tests/test_explaining.py -k "not every_number"

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


Case = tuple[Path, Mutant]  # the file, and the change of it


class Copy:
    """A copy of the package and its tests, in which one file at a time is changed."""

    def __init__(self, folder: Path, tests: list[str]) -> None:
        self.folder, self.tests = folder, tests
        self.restore: dict[Path, str] = {}  # what was changed last
        ignored = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for path in ROOT.iterdir():
            if path.name not in ("src", "tests") and not path.name.startswith("."):
                (folder / path.name).symlink_to(path)
        compileall.compile_dir(folder / "src", quiet=2)
        compileall.compile_dir(folder / "tests", quiet=2)

    def start(self, changed: dict[Path, str]) -> int:
        """The process that runs the tests with these texts in the place of those of the files."""
        for file, text in (self.restore | changed).items():
            target = self.folder / file.relative_to(ROOT)
            for compiled in (target.parent / "__pycache__").glob(f"{target.stem}.*"):
                compiled.unlink()  # it would count as current within the same second
            target.write_text(text)
        self.restore = {file: file.read_text() for file in changed}
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


def unchanged(place: Copy) -> float:
    """Seconds that the tests take on the files as they are; ends the program where they fail."""
    begin = time.monotonic()
    process = place.start({})
    _, code = wait({process: None}, {process: begin + 3600})
    if code != 0:
        sys.exit(f"The tests must pass before anything is changed:\n{(place.folder / 'log').read_text()[-3000:]}")
    return time.monotonic() - begin


def prepare(place: Copy) -> float:
    """Import here what the tests import, but for the package; returns how many seconds they take from then on."""
    listed = place.folder / "modules"
    os.environ["MUTANTS_MODULES"] = str(listed)
    unchanged(place)
    del os.environ["MUTANTS_MODULES"]
    plugins = {point.dist.name for point in entry_points(group="pytest11") if point.dist}  # pytest imports its own
    skipped = {name for name, packages in packages_distributions().items() if plugins & set(packages)}
    skipped |= {"chainrule", "__main__", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    for name in listed.read_text().split("\n"):
        if name.partition(".")[0] not in skipped:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    return unchanged(place)


def survivors(places: list[Copy], waiting: list[Case], timeout: float) -> Iterator[Case]:
    """The mutants on which all tests pass."""
    running: dict[int, tuple[Copy, Case]] = {}
    deadlines: dict[int, float] = {}
    free, total = list(places), len(waiting)
    waiting = waiting[::-1]
    while waiting or running:
        while waiting and free:
            place, case = free.pop(), waiting.pop()
            process = place.start({case[0]: case[1].text})
            running[process], deadlines[process] = (place, case), time.monotonic() + timeout
        process, code = wait(running, deadlines)
        place, case = running.pop(process)
        free.append(place)
        print(f"\r{total - len(waiting) - len(running)}/{total}", end="", file=sys.stderr, flush=True)
        if code == 0:
            yield case


def show(file: Path, mutant: Mutant) -> None:
    """A survivor as a diff."""
    lines = difflib.unified_diff(file.read_text().splitlines(), mutant.text.splitlines(), n=0, lineterm="")
    body = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    print(f"\r{file.relative_to(ROOT)}:{mutant.line}: {mutant.what}", *body, sep="\n", flush=True)


def main() -> None:
    """Mutate, try, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the source file to change, or a folder of them")
    parser.add_argument("tests", nargs="+", help="what must notice, as pytest takes it; the quickest first")
    parser.add_argument("--lines", default="1-1000000", help="only lines such as 20-90")
    parser.add_argument("--sample", type=int, help="only so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of that draw")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    options = parser.parse_args()
    file, (first, last) = options.file.resolve(), map(int, options.lines.split("-"))
    files = sorted(file.rglob("*.py")) if file.is_dir() else [file]
    chosen = [(each, one) for each in files for one in mutants(each.read_text()) if first <= one.line <= last]
    if options.sample is not None and options.sample < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.sample)
    chosen = [case for case in chosen if case[1].compiles]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        places = [Copy(Path(folder, str(index)), options.tests) for index in range(options.jobs)]
        seconds = prepare(places[0])
        left = 0
        for survivor in survivors(places, chosen, 10 + 5 * seconds * options.jobs):
            show(*survivor)
            left += 1
    killed = len(chosen) - left
    share = 100 * killed / max(len(chosen), 1)
    print(f"\r{file.relative_to(ROOT)}: {len(chosen)} mutants, {killed} killed ({share:.1f} %), {left} survived")


if __name__ == "__main__":
    main()
