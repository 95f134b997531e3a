"""What a check found, as plain data: the report, its findings, and what explains them. `render` shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Checked", "Diagnosis", "Finding", "Grid", "Report", "Sample", "joined", "number", "tolerance"]


@dataclass(frozen=True)
class Diagnosis:
    """A mistake that would give exactly the numbers received."""

    mistake: str  # a short fixed name, such as "missing_transpose"
    says: str  # one sentence
    evidence: str  # the numbers that it explains
    write: str = ""  # the line to write instead, where it is known


@dataclass(frozen=True)
class Sample:
    """One entry of an array: what was expected there and what was received."""

    index: tuple[int, ...]
    expected: float
    received: float


@dataclass(frozen=True)
class Grid:
    """An array row by row: "wrong", "right", "kink" or "not checked" for every entry; `more` counts what is cut off."""

    cells: tuple[tuple[str, ...], ...]
    expected: tuple[tuple[float | None, ...], ...]
    received: tuple[tuple[float | None, ...], ...]
    more_rows: int = 0
    more_columns: int = 0


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    kind: str  # "gradient", "shape", "mutation", ...; the names in `chainrule.checking.CHECKS`
    severity: str  # "error", "warning" or "note"
    where: str  # the layer, or the node of a network
    array: str  # the gradient, such as "dweights"; empty where it is no one array
    says: str
    wrong: int = 0  # entries that are off
    checked: int = 0
    samples: tuple[Sample, ...] = ()  # the worst first
    setting: str = ""  # the batch and the mode in which it was seen
    diagnoses: tuple[Diagnosis, ...] = ()  # the best first
    grid: Grid | None = None

    @property
    def mistake(self) -> str:
        """The name of the mistake that explains it best, or its kind."""
        return self.diagnoses[0].mistake if self.diagnoses else self.kind


@dataclass(frozen=True)
class Checked:
    """One array whose gradient was compared: how many entries, how, and how close they came."""

    where: str
    array: str
    shape: tuple[int, ...]
    entries: int  # of the first setting
    size: int
    compared: int  # entries over all settings
    projections: int  # random directions in which the whole array was compared
    settings: int
    method: str  # "complex step" or "central differences"
    worst: float  # the largest error, relative to the largest entry
    kinks: int = 0
    passed: bool = True


@dataclass(frozen=True)
class Report:
    """The result of `check`: `.passed`, `.findings`, `.arrays`. Prints as text, in colour on a rich console, as HTML.

    >>> from chainrule import Dense, check
    >>> report = check(Dense(4, 3))
    >>> report.passed, report.findings
    (True, ())
    """

    subject: str
    arrays: tuple[Checked, ...] = ()
    findings: tuple[Finding, ...] = ()
    rtol: float = 1e-5
    atol: float = 1e-8
    seed: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong; warnings and notes are allowed."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the check fail."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The name of the best explanation of each error, each once."""
        return tuple(dict.fromkeys(finding.mistake for finding in self.errors))

    def __str__(self) -> str:
        from .render import as_text

        return as_text(self)

    def __rich__(self) -> Any:
        from .render import as_rich

        return as_rich(self)

    def to_html(self) -> str:
        """A page of its own, with no script and nothing from the network."""
        from .page import as_page

        return as_page(self)

    def _repr_html_(self) -> str:
        from .page import as_fragment

        return as_fragment(self)

    def to_json(self) -> dict[str, Any]:
        """The report as numbers, text, lists and dicts.

        >>> Report("Dense").to_json()["passed"]
        True
        """
        return {"passed": self.passed, **asdict(self)}


def joined(reports: Iterable[Report]) -> Report:
    """Several reports as one, under the name of the last."""
    parts = list(reports)
    return Report(
        subject=parts[-1].subject,
        arrays=tuple(array for part in parts for array in part.arrays),
        findings=tuple(finding for part in parts for finding in part.findings),
        rtol=parts[-1].rtol,
        atol=parts[-1].atol,
        seed=parts[-1].seed,
        seconds=sum(part.seconds for part in parts),
    )


def number(value: float) -> str:
    """Seven significant digits: enough to see 0.05 % and to redo it by hand.

    >>> number(0.1), number(-1234.5678)
    ('0.1', '-1234.568')
    """
    return f"{value:.7g}"


def tolerance(value: float) -> str:
    """A tolerance as people write it.

    >>> tolerance(1e-5), tolerance(0.5)
    ('1e-5', '0.5')
    """
    return f"{value:g}".replace("e-0", "e-")
