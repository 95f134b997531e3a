"""The report that `check` returns: what was found, and how it is shown as text, in colour, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..display.spelling import printable
from ..display.terminal import columns
from .findings import CheckResult
from .page import as_fragment, as_page
from .render import WIDTH, as_rich, as_text

__all__ = ["Report", "joined"]


@dataclass(frozen=True)
class Report(CheckResult):
    """The result of `check`: `.passed`, `.findings`, `.arrays`. Prints as text, in colour on a rich console, as HTML.

    >>> from chainrule import Dense, check
    >>> report = check(Dense(4, 3))
    >>> report.passed, report.findings
    (True, ())
    """

    def __str__(self) -> str:
        return printable(as_text(self, columns(WIDTH)))

    def __rich__(self) -> Any:
        return as_rich(self)

    def to_html(self) -> str:
        """A page of its own, with no script and nothing from the network."""
        return as_page(self)

    def _repr_html_(self) -> str:
        return as_fragment(self)

    def to_json(self) -> dict[str, Any]:
        """The report as numbers, text, lists and dicts.

        >>> Report("Dense").to_json()["passed"]
        True
        """
        return {"passed": self.passed, "declared": list(self.declared), **asdict(self)}


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
