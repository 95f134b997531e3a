"""The History of a run: what was measured, record by record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..columns import EPOCH, Column
from ..display import article, fragment, table
from ..errors import ConfigurationError, UnknownNameError
from ..limits import STEPS
from ..registry import record

__all__ = ["INTERRUPTED", "History", "summary_line"]

INTERRUPTED = "interrupted"


@record
@dataclass
class History:
    """What was measured: `history["loss"]` is a list, `history.records` all of it, one record for each epoch.

    `stopped` says why a run ended before its last epoch, `notes` what its gradients looked like at the end.

    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"], len(history)
    ([0.5, 0.25], 2)
    >>> history
    History of 2 records of epoch, loss; the last: epoch 2: loss 0.2500
    """

    records: list[dict[str, float]] = field(default_factory=list)
    stopped: str | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for place, measured in enumerate(self.records):
            epoch = measured.get("epoch")
            if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch < STEPS:
                raise ConfigurationError(f"History: records[{place}] needs a whole number as its epoch, not {epoch!r}.")

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.names:
            raise UnknownNameError("column of the history", name, self.names)
        return [record[name] for record in self.records if name in record]

    @property
    def names(self) -> list[str]:
        """The names of what was measured."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def plot(self, **options: Any) -> Any:
        """Draw the curves of loss and metric; needs matplotlib. Options as `chainrule.plots.plot_history`."""
        from ..plots import plot_history

        return plot_history(self, **options)

    def to_csv(self) -> str:
        """The records as a table with a header, one line for each record."""
        from ..datasets.csvfile import to_csv

        return to_csv(self.names, self.records)

    def __repr__(self) -> str:
        if not self.records:
            return "History of 0 records"
        shown = [name for name in self.names if name != EPOCH and not Column.of(name).node]
        last = summary_line(self.records[-1], shown)
        return f"History of {len(self)} records of {', '.join(self.names)}; the last: {last}"

    def _repr_html_(self) -> str:
        names = [name for name in self.names if not Column.of(name).node]
        records = self.records if len(self) <= 20 else [*self.records[:10], *self.records[-10:]]
        rows = [[f"{record[name]:.5g}" if name in record else "" for name in names] for record in records]
        caption = f"{len(rows)} of {len(self)} records" if len(rows) < len(self) else ""
        return fragment(article(table(names, rows, numeric=range(len(names)), caption=caption)))


def summary_line(record: Mapping[str, float], names: Sequence[str]) -> str:
    """One epoch on one line.

    >>> summary_line({"epoch": 3, "loss": 0.51234}, ["loss"])
    'epoch 3: loss 0.5123'
    """
    shown = ", ".join(f"{name} {record[name]:.4f}" for name in names if name in record)
    return f"epoch {record[EPOCH]}: {shown}"
