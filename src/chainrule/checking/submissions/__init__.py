"""Grades a folder of submissions, none of which is trusted: each answers from its own process, and is judged here."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...datasets.csvfile import to_csv
from ...errors import ConfigurationError
from ..checker import check, require_known
from ..report import Report
from .copies import Unreadable, copy_of, is_helper, submissions_in, text_in
from .frames import Ended, encoded
from .keeper import NO_START, TOO_MANY
from .remote import Remote, RemoteItem, shown
from .sandbox import Isolation, Limits, Process, isolation
from .suspicion import OFTEN

__all__ = ["Isolation", "Limits", "SubmissionResult", "as_csv", "check_folder", "isolation", "why_ended"]


@dataclass(frozen=True)
class SubmissionResult:
    """The result for one class, or one pair of functions, in one file."""

    file: str
    name: str
    result: str  # "right", "wrong", "flagged": right, but look at it, or "not checked"
    mistakes: str = ""  # the first diagnosis of each error, with semicolons
    says: str = ""  # the first error, or why it was not checked
    write: str = ""  # the line to write instead
    warnings: int = 0
    flags: str = ""  # what a teacher should look at


def check_folder(
    folder: str | Path, limits: Limits | None = None, **options: Any
) -> Generator[SubmissionResult, None, None]:
    """Check every Python file and notebook of a folder, one after another; each result comes when it is there.

    `options` are those of `check`. Raises `ConfigurationError` for a folder without any file, and for options that do
    not exist.
    """
    require_known(**{key: options[key] for key in ("reduction", "at_kinks", "only") if key in options})
    if os.name != "posix":
        raise ConfigurationError("A folder can be checked on Linux and macOS only, and on Windows under WSL.")
    place = Path(folder).resolve()
    files = submissions_in(place)
    return _each(files, place, limits or Limits(), options)


def _each(
    files: list[Path], place: Path, limits: Limits, options: dict[str, Any]
) -> Generator[SubmissionResult, None, None]:
    for path in files:
        try:
            yield from _graded(path, place, limits, options)
        except Exception as error:  # a mistake of ours in one file is no reason not to grade the others
            says = f"check itself failed: {type(error).__name__}: {error}"
            yield SubmissionResult(str(path.relative_to(place)), "", "not checked", "check_failed", shown(says))


def as_csv(rows: Iterable[SubmissionResult], header: bool = True) -> str:
    """The results as CSV.

    >>> print(as_csv([SubmissionResult("ada.py", "ReLU", "wrong", "gate_inverted", "The gate is inverted.")]), end="")
    file,name,result,mistakes,says,write,warnings,flags
    ada.py,ReLU,wrong,gate_inverted,The gate is inverted.,,0,
    """
    names = list(SubmissionResult.__dataclass_fields__)
    return to_csv(names, map(vars, rows)).split("\n", 0 if header else 1)[-1]


def _graded(path: Path, place: Path, limits: Limits, options: dict[str, Any]) -> Iterator[SubmissionResult]:
    """The rows of one file, each given a moment after its class was judged."""
    file = str(path.relative_to(place))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            copy, others = copy_of(path, place, Path(folder).resolve())
        except (Unreadable, OSError) as error:
            yield SubmissionResult(file, "", "not checked", "cannot_be_read", shown(error))
            return
        process = Process(Path(folder).resolve(), limits, isolation().kind)
        grading = _Grading(file, copy, limits, options, Remote(process.channel))
        grading.helper = is_helper(path, place)
        grading.flags += [f"It imports {name}, another submission." for name in others]
        try:
            yield from grading.rows()
        except Ended as ended:
            code = process.end()
            yield from grading.unfinished(ended.kind, code)
        finally:
            process.end()


class _Grading:
    """The grading of one file: what has been asked, and what is still open."""

    def __init__(self, file: str, copy: Path, limits: Limits, options: dict[str, Any], remote: Remote) -> None:
        self.file, self.copy, self.limits, self.options, self.remote = file, copy, limits, options, remote
        self.remarks = "on purpose" in text_in(copy)
        self.helper = False  # whether a file of the same student imports it
        self.flags: list[str] = []
        self.open: list[str] = [""]  # the names without a row; "" while none is known

    def rows(self) -> Iterator[SubmissionResult]:
        """A row for each name. Raises `Ended`."""
        self.remote.channel.send(encoded(vars(self.limits)))
        self.flags += [shown(flag) for flag in self.remote.ask("read", path=str(self.copy))]
        try:
            loaded = self.remote.ask("load", limits=vars(self.limits))
        except Exception as error:  # it is not ours: anything may come
            yield self._not_checked("", "does_not_run", str(error) or type(error).__name__)
            return
        names, bases, note = _names(loaded)
        if not names and self.helper:
            return
        if not names:
            says = "It holds nothing that can be checked: no class with forward and backward, no pair of functions."
            yield self._not_checked("", "nothing_to_check", f"{says} {note}")
            return
        self.open = list(names)
        told = 0
        for name in names:
            row = self._row(name, len(names) == 1, name in bases, note)
            self.open.remove(name)
            told += row is not None
            if row is not None:
                yield row
        if not told:
            yield self._not_checked("", "nothing_to_check", "All its classes are bases that nothing fills in.")

    def unfinished(self, kind: str, code: int) -> Iterator[SubmissionResult]:
        """The rows for what was open when nothing more came: the first of them is to blame."""
        says = why_ended(kind, code, self.limits)
        for position, name in enumerate(self.open):
            if not position:
                yield self._not_checked(name, "too_many_processes" if code == TOO_MANY else kind, says)
            else:
                yield self._not_checked(name, "not_reached", f"Not reached: {self.open[0]} ended the process before.")

    def _not_checked(self, name: str, mistake: str, says: str) -> SubmissionResult:
        says = shown(says.replace(str(self.copy), "The file").removeprefix("check: "))
        mistake = "memory_limit" if "MemoryError" in says else mistake
        return SubmissionResult(self.file, name, "not checked", mistake, says, flags=" ".join(self.flags))

    def _row(self, name: str, alone: bool, base: bool, note: str) -> SubmissionResult | None:
        self.remote.begin()
        item = RemoteItem(self.remote, name)
        try:
            report, options = self._report(item, alone)
        except ConfigurationError as error:
            filled_in = base or "NotImplementedError" in str(error)
            return None if filled_in else self._not_checked(name, "cannot_be_checked", f"{error} {note}".strip())
        except Exception as error:  # it answered what no honest answer leads to
            return self._not_checked(name, "garbage", f"Its answers made no sense ({type(error).__name__}).")
        row = self._judged(name, report)
        if row.result == "wrong":
            row = self._advised(row, name, options)
            if item.on_purpose and self.remarks:  # no accusation, and no pass
                flags = f"{row.flags} Its author says that it is meant so: it is not the derivative.".strip()
                row = replace(row, result="flagged", flags=flags)
        return row

    def _report(self, item: RemoteItem, alone: bool) -> tuple[Report, dict[str, Any]]:
        """The report, with the options that fit: of several classes, some do without inputs and arguments."""
        try:
            return check(item, **self.options), self.options
        except ConfigurationError:
            rest = {key: value for key, value in self.options.items() if key not in ("arguments", "inputs")}
            if alone or rest == self.options:
                raise
            return check(item, **rest), rest

    def _judged(self, name: str, report: Report) -> SubmissionResult:
        flags = list(self.flags)
        if self.remote.calls > OFTEN:
            times = round(min(self.remote.calls, 1e6))
            flags.append(f"backward runs its forward pass {times} times: differences, and no derivative?")
        uncompared = [f.says for f in report.findings if f.mistake == "not_compared"]
        if report.passed and (uncompared or not report.arrays):
            return self._not_checked(name, "not_compared", (uncompared or ["No gradient was compared."])[0])
        first = report.causes[0] if report.causes else None
        best = first.diagnoses[0] if first is not None and first.diagnoses else None
        return SubmissionResult(
            self.file,
            name,
            "wrong" if not report.passed else "flagged" if flags else "right",
            "; ".join(report.mistakes),
            "" if first is None else _sentences(first.says, best.says if best else ""),
            warnings=sum(finding.severity == "warning" for finding in report.findings),
            flags=" ".join(flags),
        )

    def _advised(self, row: SubmissionResult, name: str, options: dict[str, Any]) -> SubmissionResult:
        """The row with the words and the line that were found where the source is; the verdict stays."""
        with contextlib.suppress(Exception, Ended):
            advice = self.remote.ask("advice", name=name, options=options)
            if advice["says"]:
                mistakes = "; ".join(shown(each, 60) for each in advice["mistakes"][:20])
                says = _sentences(shown(advice["says"]), shown(advice["diagnosis"]))
                return replace(row, mistakes=mistakes, says=says, write=shown(advice["write"], 200))
        return row


def _names(loaded: Any) -> tuple[list[str], set[str], str]:
    try:
        names = [str(name) for name in loaded["names"]]
        if len(names) > 1000 or len({*names}) < len(names) or any(shown(name, 100) != name for name in names):
            raise Ended("garbage")
        return names, set(loaded["bases"]), shown(loaded["note"])
    except (KeyError, TypeError):
        raise Ended("garbage") from None


def _sentences(says: str, more: str) -> str:
    return f"{says} {more}" if more and more != says else says


def why_ended(kind: str, code: int, limits: Limits) -> str:
    """Why nothing more came of a submission, in a sentence."""
    if code == TOO_MANY:
        return f"It started more than {limits.processes} processes, and was ended."
    if kind == "time_limit":
        return f"It took longer than {limits.seconds:g} seconds."
    if kind == "garbage":
        return "It wrote something of its own to the one who checks it, and was ended."
    if code == NO_START:
        return "No process could be started for it."
    if code > 128:
        return f"Its process was ended by signal {code - 128}; it may have needed more than {limits.megabytes} MB."
    return f"Its process ended by itself with code {code} before the check was done."
