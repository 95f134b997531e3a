"""The first number in which two runs differ, and which one change of the library makes it the program's."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from ..errors import ChainruleError
from .program import Listing, read_program

__all__ = ["Compared", "compare"]

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf)")

_OVER = "nothing more"
_AFTER = 6  # lines from the first that differs on, by which causes are told apart

CAUSES = {
    "seed": "two runs of your program differ too: nothing seeds its random numbers. Call nnfs.init(), or "
    "np.random.seed(0), before the first of them.",
    "exp": "NumPy's float32 exp is another one than the NumPy of the book's: it is off by up to two units in the last "
    "place. The library computes exp in float64 and rounds. Write np.exp(x.astype('float64')).astype('float32').",
    "order of sums": "your matrix products add in another order, and float32 rounds after each step. The helper "
    "package's init() computes np.dot in float64: use np.dot, not @ or np.matmul, after nnfs.init().",
    "dtype": "your numbers are float64, the book's float32. Call nnfs.init() before the layers are made.",
    "weight scale": "your Layer_Dense starts with weights of another size than 0.01 · randn. If that is meant, as in "
    "chapter 17 and the videos, write Layer_Dense.weight_scale = {number}.",
    "batch mean": "your loss's backward pass leaves out the division by the number of samples: self.dinputs / samples.",
}


@dataclass(frozen=True)
class Compared:
    """Lines that agree, and for the first that does not both texts, the place of the number in it, and the cause.

    `cause` is a name in CAUSES, or None where none of them is it. `finished` is False where time was up.
    """

    program: Listing
    agreeing: int
    own: str | None = None
    reference: str | None = None
    number: int | None = None
    cause: str | None = None
    explanation: str = ""
    finished: bool = True

    @property
    def same(self) -> bool:
        """Whether every line that was printed agrees."""
        return self.own is None and self.reference is None

    def __str__(self) -> str:
        name, until = self.program.path.name, "" if self.finished else " in the time given"
        if self.same:
            lines, classes = _count(self.agreeing, "line"), _count(len(self.program.replaced), "class")
            return f"{name} prints what the library prints: {lines}{until}, {classes} replaced."
        which = "the text" if self.number is None else f"number {self.number}"
        shown = [
            f"{name} and the library differ first in line {self.agreeing + 1}, {which}:",
            f"  yours    {_OVER if self.own is None else self.own}",
            f"  library  {_OVER if self.reference is None else self.reference}",
            f"Likely cause, {self.cause}: {self.explanation}" if self.cause else self.explanation,
        ]
        return "\n".join(shown)


def compare(path: str | Path, seconds: float = 60) -> Compared:
    """Run a program as it is and with the library's classes, and compare what they print, number by number.

    The program runs whole, in a process of its own, for at most so many seconds; so do the runs with one thing changed
    that look for the cause. Raises `FileFormatError` for a file that is no program of the book's kind, `ChainruleError`
    for a program that fails by itself before it prints anything, or that prints nothing.

    >>> import tempfile
    >>> program = Path(tempfile.mkdtemp()) / "mine.py"
    >>> _ = program.write_text('''
    ... import numpy as np
    ... class Layer_Dense:
    ...     def __init__(self, n_inputs, n_neurons):
    ...         self.weights = 0.1 * np.random.randn(n_inputs, n_neurons)
    ... np.random.seed(0)
    ... print(Layer_Dense(1, 2).weights)
    ... ''')
    >>> print(compare(program))
    mine.py and the library differ first in line 1, number 1:
      yours    [[0.17640523 0.04001572]]
      library  [[0.01764052 0.00400157]]
    Likely cause, weight scale: your Layer_Dense starts with weights of another size than 0.01 · randn. If that is
    meant, as in chapter 17 and the videos, write Layer_Dense.weight_scale = 0.1.
    """
    program = read_program(Path(path))
    own = _Run(program, "own", seconds)
    if own.failure and not own.lines:
        raise ChainruleError(f"{path} fails by itself: {own.failure}.")
    if not own.lines:
        when = "" if own.finished else f" in {seconds:g} seconds"
        raise ChainruleError(
            f"{path} prints nothing{when}: there is nothing to compare. Print a number that matters, such as the loss."
        )
    library = _Run(program, "library", seconds)
    at = _first_difference(own, library)
    if at is None and not program.calls_init:
        return _beside_float32(program, own, library, seconds)
    if at is None:
        return _all_agree(program, own, library)
    one, other = own.line(at), library.line(at)
    if other is None and library.failure:
        other = library.failure
    if one is None and own.failure:
        says = f"{program.path.name} fails there by itself, so nothing after it can be compared."
        return Compared(program, at, own.failure, other, None, None, says)
    cause, explanation = _cause(program, own, at, seconds)
    return Compared(program, at, one, other, _place(one or "", other or ""), cause, explanation)


def _all_agree(program: Listing, own: _Run, library: _Run) -> Compared:
    return Compared(program, min(len(own.lines), len(library.lines)), finished=own.finished and library.finished)


def _beside_float32(program: Listing, own: _Run, library: _Run, seconds: float) -> Compared:
    """A program that does as the library does, in float64: whether the book's float32 prints something else."""
    book = _Run(program, "library", seconds, ("init",))
    at = _first_difference(own, book)
    one, other = (None, None) if at is None else (own.line(at), book.line(at))
    if at is None or one is None or other is None:
        return _all_agree(program, own, library)
    says = f"{CAUSES['dtype']} In float64 the library prints what your program does."
    return Compared(program, at, one, other, _place(one, other), "dtype", says)


def _agreement(program: Listing, own: _Run, changes: tuple[str, ...], at: int, seconds: float) -> int:
    """How many lines the library prints as the program does, with some things changed."""
    tried = _Run(program, "library", seconds, changes, most=at + _AFTER)
    differs = _first_difference(own, tried)
    return len(tried.lines) if differs is None else differs


def _count(number: int, of: str) -> str:
    plural = f"{of}es" if of.endswith("s") else f"{of}s"
    return f"{number} {of if number == 1 else plural}"


class _Run:
    """The lines that a run prints, up to `most`, and the last line of its error where it fails."""

    def __init__(
        self, program: Listing, kind: str, seconds: float, changes: tuple[str, ...] = (), most: int | None = None
    ) -> None:
        command = [sys.executable, "-u", "-m", "chainrule.comparing.runner", kind, str(program.path), *changes]
        environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
        self.finished = True
        with tempfile.TemporaryFile("w+", encoding="utf-8") as given, tempfile.TemporaryFile("w+") as errors:
            given.write("" if kind == "own" else program.with_library)
            given.seek(0)
            with subprocess.Popen(
                command, stdin=given, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True,
                encoding="utf-8", errors="replace",
            ) as process:  # fmt: skip
                timer = threading.Timer(seconds, self._stop, (process,))
                timer.start()
                self.lines = [line.rstrip() for line in itertools.islice(process.stdout or (), most)]
                enough = len(self.lines) == most
                if enough:
                    process.kill()
                failed = process.wait() != 0 and self.finished and not enough
                timer.cancel()
            errors.seek(0)
            said = errors.read().strip().splitlines()
        self.failure = (said or ["it ends with an error"])[-1] if failed else ""

    def _stop(self, process: subprocess.Popen[str]) -> None:
        self.finished = False
        process.kill()

    def line(self, index: int) -> str | None:
        return self.lines[index] if index < len(self.lines) else None


def _first_difference(own: _Run, library: _Run) -> int | None:
    """The line in which they differ; None where they agree as far as both came."""
    for index, (one, other) in enumerate(zip(own.lines, library.lines, strict=False)):
        if one.split() != other.split():
            return index
    if len(own.lines) == len(library.lines) and bool(own.failure) == bool(library.failure):
        return None
    shorter = min(own, library, key=lambda run: len(run.lines))
    return len(shorter.lines) if shorter.finished else None


def _place(one: str, other: str) -> int | None:
    """Which number of the line differs, counted from 1; None where the text does."""
    if "".join(_NUMBER.sub("#", one).split()) != "".join(_NUMBER.sub("#", other).split()):
        return None
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=False)
    return next((place for place, (a, b) in enumerate(pairs, 1) if a != b), None)


def _cause(program: Listing, own: _Run, at: int, seconds: float) -> tuple[str | None, str]:
    """The change, or the two, with which the library prints the program's line, and of several the most lines after."""
    again = _Run(program, "own", seconds, most=at + 1)
    if again.lines[: at + 1] != own.lines[: at + 1]:
        return "seed", CAUSES["seed"]
    singles = ["exp", "dtype", "order of sums", "batch mean"]
    if program.weight_scale not in (None, 0.01):
        singles.insert(0, f"weight scale={program.weight_scale}")
    for several in ([(single,) for single in singles], list(itertools.combinations(singles, 2))):
        best, most = several[0], 0
        for changes in several:
            count = _agreement(program, own, changes, at, seconds)
            best, most = (changes, count) if count > most else (best, most)
            if most >= min(len(own.lines), at + _AFTER):  # all that was asked for
                break
        if most > at:
            names = [change.partition("=")[0] for change in best]
            says = "; and ".join(CAUSES[name].format(number=program.weight_scale) for name in names)
            return " and ".join(names), says
    return None, (
        "None of the usual causes (dtype, order of sums, exp, seed, weight scale, batch mean) explains it. Look at the "
        f"classes {', '.join(program.replaced)}: `chainrule check {program.path.name}` compares their gradients."
    )
