"""Grading a file: its functions run in a process of their own, beside the solution, and then before `check`."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..checking import check
from ..checking.submissions import Limits, isolation, why_ended
from ..checking.submissions.copies import Unreadable, copy_of, text_in
from ..checking.submissions.frames import Ended, Kept, encoded
from ..checking.submissions.remote import Remote, RemoteItem, shown
from ..checking.submissions.sandbox import Process
from ..errors import ChainruleError, ConfigurationError
from . import exercise as by_name
from .exercise import Exercise, compiled
from .relations import by_argument, how_wrong, numbers, relation, same
from .words import CHECKED, RELATED, Words

__all__ = ["Grade", "GradedOutput", "exercise_of", "grade"]

_CASES = 8  # drawn for each grade, of several sizes
_SEED = 20
_HEADER = re.compile(r"^# chainrule exercise: (\w+)", re.M)

Case = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class GradedOutput:
    """One output of one function: "right", "wrong" or "not checked", what is so, and what to think about."""

    function: str
    output: str
    result: str
    says: str = ""
    mistake: str = ""
    hint: str = ""
    more: str = ""


@dataclass(frozen=True)
class Grade:
    """The grade of one file; `flags` are what a teacher should look at."""

    exercise: str
    file: str
    parts: tuple[GradedOutput, ...]
    flags: tuple[str, ...] = ()

    @property
    def results(self) -> list[str]:
        """What there is to an exit code: the result of each part, and "flagged" where there are flags."""
        return [*(part.result for part in self.parts), *(["flagged"] if self.flags else [])]


def exercise_of(path: Path) -> Exercise:
    """The exercise that a file was started for, by its first line. Raises `ConfigurationError` where it has none."""
    found = _HEADER.search(text_in(path))
    if found is None:
        raise ConfigurationError(
            f"{path} does not say which exercise it is: put the line `# chainrule exercise: NAME` first, or name it "
            "with "
            "--exercise; `chainrule exercise list` shows the names."
        )
    return by_name(found[1])


def grade(path: str | Path, exercise: Exercise | None = None, limits: Limits | None = None) -> Grade:
    """Grade what somebody made of an exercise.

    The file is copied and runs in a process of its own, shut in as those of `chainrule check FOLDER` are; all numbers
    are compared here. Raises `OSError` for a file that is not there, `ConfigurationError` where its exercise is
    unknown.
    """
    if os.name != "posix":
        raise ConfigurationError("A file can be graded on Linux and macOS only, and on Windows under WSL.")
    path = Path(path).resolve()
    with path.open("rb"):
        exercise = exercise or exercise_of(path)
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder).resolve()
        try:
            copy, others = copy_of(path, path.parent, place)
        except Unreadable as error:
            return Grade(exercise.name, path.name, (_unchecked(exercise, shown(error)),))
        process = Process(place, limits, isolation().kind)
        grading = _Sitting(exercise, Remote(process.channel), limits, copy)
        try:
            parts = list(grading.parts())
        except Ended as ended:
            parts = [_unchecked(exercise, why_ended(ended.kind, process.end(), limits))]
        finally:
            process.end()
    flags = [*grading.flags, *(f"It imports {name}, another submission." for name in others)]
    return Grade(exercise.name, path.name, tuple(parts), tuple(flags))


def _unchecked(exercise: Exercise, says: str, function: str = "", output: str = "") -> GradedOutput:
    return GradedOutput(function or list(exercise.outputs)[-1], output, "not checked", says)


class _Sitting:
    """One file in its process, and the numbers that are right."""

    def __init__(self, exercise: Exercise, remote: Remote, limits: Limits, copy: Path) -> None:
        self.exercise, self.remote, self.limits, self.copy = exercise, remote, limits, copy
        self.flags: list[str] = []
        rng = np.random.default_rng(_SEED)
        self.cases: list[Case] = [exercise.cases(rng) for _ in range(_CASES)]
        self.right = _outputs(exercise, exercise.solution, self.cases)
        self._planted: list[dict[tuple[str, str], list[Any]]] | None = None
        self._found: dict[str, Words] | None = None

    def parts(self) -> Iterator[GradedOutput]:
        """The result of every output. Raises `Ended`."""
        self.remote.channel.send(encoded(vars(self.limits)))
        self.flags = [shown(flag) for flag in self.remote.ask("read", path=str(self.copy))]
        try:
            self.names = self.remote.ask("load", limits=vars(self.limits))["names"]
        except Exception as error:  # it is not ours: anything may come
            yield _unchecked(self.exercise, shown(str(error).replace(str(self.copy), "The file")))
            return
        results = list(itertools.chain.from_iterable(map(self._function, self.exercise.outputs)))
        yield from results
        if all(part.result == "right" for part in results):
            yield from self._checked()

    def _function(self, name: str) -> Iterator[GradedOutput]:
        outputs = self.exercise.outputs[name]
        received: list[tuple[Any, ...]] = []
        for case in self.cases:
            values = self._called(name, case[name])
            if isinstance(values, str):
                yield _unchecked(self.exercise, values, name)
                return
            received.append(values)
        for output, values in zip(outputs, zip(*received, strict=True), strict=True):
            yield self._compared(name, output, values)

    def _called(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...] | str:
        """What the function returns for each of its outputs, or why there is nothing."""
        outputs = self.exercise.outputs[name]
        try:
            answer = self.remote.ask("call", function=name, arguments=arguments)
        except Exception as error:  # it is not ours: anything may come
            unfinished = " Some of it is not written yet." if "ellipsis" in str(error) else ""
            return f"{name} raises {type(error).__name__}: {shown(error, 200)}.{unfinished}"
        if not isinstance(answer, dict) or "returned" not in answer:
            return f"There is no function {name} in the file."
        value = answer["returned"]
        values = tuple(value) if isinstance(value, list | tuple) and len(outputs) > 1 else (value,)
        if len(values) != len(outputs):
            return f"{name} returns {len(values)} values; it should return {', '.join(outputs)}."
        return values

    def _compared(self, function: str, output: str, received: Sequence[Any]) -> GradedOutput:
        if any(isinstance(value, Kept) or value is None for value in received):
            return _unchecked(self.exercise, "Not written yet.", function, output)
        arrays = [numbers(value) for value in received]
        right = self.right[function, output]
        if any(array is None for array in arrays):
            return _unchecked(self.exercise, "It is no array of numbers.", function, output)
        values = [array for array in arrays if array is not None]
        if same(values, right):
            return GradedOutput(function, output, "right")
        mistake, words = self._words(function, output, values, right)
        return GradedOutput(function, output, "wrong", how_wrong(values, right), mistake, *words)

    def _words(self, function: str, output: str, values: list[Any], right: list[Any]) -> tuple[str, Words]:
        """The mistake that gives these numbers, and what to think about."""
        if self._planted is None:
            planted = (self.exercise.planted(mistake) for mistake in self.exercise.mistakes)
            self._planted = [_outputs(self.exercise, text, self.cases) for text in planted]
        for mistake, found in zip(self.exercise.mistakes, self._planted, strict=True):
            if same(values, found[function, output]) and not same(found[function, output], right):
                return mistake.name, Words(mistake.hint, mistake.more)
        related = relation(values, right)
        if related in ("shape", "transposed", "sign", "zero", "not finite"):
            return related, RELATED[related]
        if self._found is None:
            self._found = self._from_check()
        if output in self._found:
            return "checked", self._found[output]
        related = related or by_argument(values, right, [case[function] for case in self.cases])
        return (related, RELATED[related]) if related else ("", Words(self.exercise.idea, self.exercise.more))

    def _from_check(self) -> dict[str, Words]:
        """What `check` finds by itself, by array."""
        if self.exercise.pair not in self.names:
            return {}
        try:
            report = check(RemoteItem(self.remote, self.exercise.pair))
        except (ChainruleError, ArithmeticError, ValueError, TypeError):
            return {}
        return {f.array: CHECKED[f.mistake] for f in report.causes if f.mistake in CHECKED}

    def _checked(self) -> Iterator[GradedOutput]:
        """What `check` finds wrong where all the numbers are right: arrays that are overwritten, memories."""
        pair = self.exercise.pair
        if not pair or pair not in self.names:
            return
        try:
            report = check(RemoteItem(self.remote, pair))
        except ConfigurationError as error:
            yield _unchecked(self.exercise, shown(str(error).removeprefix("check: ")))
            return
        for finding in report.causes:
            words = CHECKED.get(finding.mistake, Words(self.exercise.idea, self.exercise.more))
            function, array = list(self.exercise.outputs)[-1], shown(finding.array, 80)
            says = "The numbers are right, but `chainrule check` finds that something else is not."
            yield GradedOutput(function, array, "wrong", says, finding.mistake, *words)


def _outputs(exercise: Exercise, text: str, cases: Sequence[Case]) -> dict[tuple[str, str], list[Any]]:
    """What a solution returns: for each function and output the arrays of all cases."""
    functions = compiled(text)
    found: dict[tuple[str, str], list[Any]] = {}
    for function, outputs in exercise.outputs.items():
        for case in cases:
            value = functions[function](*case[function])
            for output, each in zip(outputs, value if len(outputs) > 1 else (value,), strict=True):
                found.setdefault((function, output), []).append(np.asarray(each, np.float64))
    return found
