"""Checks a folder of submissions, each in its own process with limits on time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..datasets.csvfile import to_csv
from ..errors import ChainruleError, ConfigurationError

__all__ = ["Limits", "SubmissionResult", "as_csv", "check_folder"]


@dataclass(frozen=True)
class Limits:
    """The limits for one submission: seconds of time and megabytes of memory."""

    seconds: float = 60.0
    megabytes: int = 2048


@dataclass(frozen=True)
class SubmissionResult:
    """The result for one class in one file."""

    file: str
    name: str
    result: str  # "right", "wrong", or "not checked"
    mistakes: str = ""  # the first diagnosis of each error, with semicolons
    says: str = ""  # the first error, or why it was not checked
    write: str = ""  # the line to write instead
    warnings: int = 0


def check_folder(folder: str | Path, limits: Limits | None = None, **options: Any) -> Iterator[SubmissionResult]:
    """Check every .py file of a folder, one after another; what a file declares on purpose does not count here.

    Raises `ConfigurationError` for a folder without any.
    """
    place = Path(folder)
    hidden = (".", "__")
    files = sorted(
        path
        for path in place.rglob("*.py")
        if path.is_file() and not any(part.startswith(hidden) for part in path.relative_to(place).parts)
    )
    if not files:
        raise ConfigurationError(f"{folder} holds no .py file to check.")
    for path in files:
        yield from _in_a_process(
            path, str(path.relative_to(place)), limits or Limits(), {"on_purpose": False, **options}
        )


def as_csv(rows: Iterable[SubmissionResult]) -> str:
    """The results as CSV with a header.

    >>> print(as_csv([SubmissionResult("ada.py", "ReLU", "wrong", "gate_inverted", "The gate is inverted.")]), end="")
    file,name,result,mistakes,says,write,warnings
    ada.py,ReLU,wrong,gate_inverted,The gate is inverted.,,0
    """
    return to_csv(list(SubmissionResult.__dataclass_fields__), map(vars, rows))


def _in_a_process(path: Path, shown: str, limits: Limits, options: dict[str, Any]) -> list[SubmissionResult]:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        asked = json.dumps({"path": str(path.resolve()), "answer": str(answer), "options": options, **vars(limits)})
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, asked],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=path.resolve().parent,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        code: int | None = None
        try:
            code = process.wait(timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
        lines = answer.read_text(encoding="utf-8").splitlines() if answer.exists() else []
    rows = [json.loads(line) for line in lines]
    last = rows[-1].get("begins", "") if rows else ""
    finished = bool(rows) and "done" in rows[-1]
    answered = [SubmissionResult(shown, **row) for row in rows if "result" in row]
    if code is None:
        says = f"It took longer than {limits.seconds:g} seconds."
        answered.append(SubmissionResult(shown, last, "not checked", "time_limit", says))
    elif not finished:
        answered.append(SubmissionResult(shown, last, "not checked", "no_answer", _ended(code, limits)))
    return answered


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its children."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _ended(code: int, limits: Limits) -> str:
    if code < 0:
        return f"Its process was ended by signal {-code}; it may have needed more than {limits.megabytes} MB."
    return f"Its process ended by itself with code {code} before the check was done."


# Inside the process


def _answer(asked: dict[str, Any]) -> None:
    """Check the file and write each class's result at once, so that a later class cannot alter it."""
    from .files import checks_of

    _limit_memory(int(asked["megabytes"]))
    with open(asked["answer"], "a", encoding="utf-8", buffering=1) as answer:

        def say(row: dict[str, Any]) -> None:
            answer.write(json.dumps(row) + "\n")

        say({"begins": ""})
        try:
            for name, run in checks_of(asked["path"], **asked["options"]):
                say({"begins": name})
                try:
                    report = run()
                except MemoryError:
                    report = f"It needed more than {asked['megabytes']} MB of memory."
                if report is not None:
                    say(_row(name, report))
        except ChainruleError as error:
            mistake = "memory_limit" if "MemoryError" in str(error) else "does_not_run"
            says = str(error).replace(asked["path"], "the file")
            say({"name": "", "result": "not checked", "mistakes": mistake, "says": says})
        say({"done": True})


def _row(name: str, report: Any) -> dict[str, Any]:
    if isinstance(report, str):
        return {"name": name, "result": "not checked", "mistakes": "cannot_be_checked", "says": report}
    first = report.errors[0] if report.errors else None
    best = first.diagnoses[0] if first is not None and first.diagnoses else None
    return {
        "name": name,
        "result": "right" if report.passed else "wrong",
        "mistakes": "; ".join(report.mistakes),
        "says": ""
        if first is None
        else f"{first.says} {best.says}"
        if best and best.says != first.says
        else first.says,
        "write": best.write if best is not None else "",
        "warnings": len(report.findings) - len(report.errors),
    }


def _limit_memory(megabytes: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    size = min(megabytes * 2**20, sys.maxsize)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


if __name__ == "__main__":
    _answer(json.loads(sys.argv[1]))
