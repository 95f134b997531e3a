"""What a check found, as plain data: its findings, what explains them, and the arrays that were compared."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CheckResult", "Checked", "Diagnosis", "Finding", "Grid", "Sample", "number", "tolerance"]


@dataclass(frozen=True)
class Diagnosis:
    """A mistake that would produce exactly the numbers received."""

    mistake: str  # a short fixed name, such as "missing_transpose"
    says: str  # one sentence
    evidence: str  # the numbers that it explains
    write: str = ""  # the line to write instead, where it is known
    line: int = 0  # where it stands in the file, if it was tried there
    was: str = ""  # the line that it replaces; empty where it is added

    @property
    def change(self) -> str:
        """The line to write, as a change of the file where its place is known, with + and - and the line's number.

        >>> print(Diagnosis("wrong_sign", "", "", "dx = d", 7, "dx = -d").change)
        line 7
        - dx = -d
        + dx = d
        """
        if not self.line:
            return self.write
        rows = [f"line {self.line}", *(f"- {row}" for row in self.was.splitlines())]
        return "\n".join([*rows, *(f"+ {row}" for row in self.write.splitlines())])


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
    """One thing that is wrong or worth knowing."""

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
    follows: str = ""  # the array whose mistake explains this one too

    @property
    def mistake(self) -> str:
        """The name of the best diagnosis, or the kind of finding where there is none."""
        return self.diagnoses[0].mistake if self.diagnoses else self.kind


@dataclass(frozen=True)
class Checked:
    """One array whose gradient was compared: how many entries, by which method, and the largest error."""

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
class CheckResult:
    """What a check of one object found. `report.Report` is this, with the ways to show it."""

    subject: str
    arrays: tuple[Checked, ...] = ()
    findings: tuple[Finding, ...] = ()
    rtol: float = 1e-5
    atol: float = 1e-8
    seed: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def passed(self) -> bool:
        """Whether there are no errors; warnings and notes are allowed."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the check fail."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def declared(self) -> tuple[str, ...]:
        """The gradients that are not derivatives, and are declared not to be meant so: neither right nor wrong."""
        return tuple(dict.fromkeys(finding.array for finding in self.findings if finding.kind == "on_purpose"))

    @property
    def causes(self) -> tuple[Finding, ...]:
        """The errors without those that follow from another."""
        return tuple(finding for finding in self.errors if not finding.follows)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The name of the mistake behind each error, without repetition."""
        return tuple(dict.fromkeys(finding.mistake for finding in self.causes))


def number(value: float) -> str:
    """A number with seven significant digits: enough to see an error of 0.05 %.

    >>> number(0.1), number(-1234.5678)
    ('0.1', '-1234.568')
    """
    return f"{value:.7g}"


def tolerance(value: float) -> str:
    """A tolerance as one would write it.

    >>> tolerance(1e-5), tolerance(0.5)
    ('1e-5', '0.5')
    """
    return f"{value:g}".replace("e-0", "e-")
